//! The nouns of the store: tables, revisions, records, spans of keys, and the limits on them.

use std::{
    collections::BTreeSet,
    fmt,
    ops::Bound,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// The most operations (and, separately, conditions) in one batch: a host that exchanges all its 65,279 interfaces at
/// once is one batch.
pub const BATCH_OPS_MAX: usize = 128 * 1024;
/// The most key and value bytes in one batch, over all its operations.
pub const BATCH_BYTES_MAX: usize = 128 * 1024 * 1024;
/// The longest table name, in bytes.
pub const TABLE_NAME_BYTES_MAX: usize = 32;
/// The most distinct table names that one process learns from files (change logs and exports).
pub const TABLES_MAX: usize = 256;

/// The name of a table: 1 to [`TABLE_NAME_BYTES_MAX`] of `a-z`, `0-9`, `_` and `-`. A table exists while it has records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub &'static str);

impl Table {
    /// Whether `name` may name a table.
    pub fn is_valid_name(name: &str) -> bool {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        !name.is_empty() && name.len() <= TABLE_NAME_BYTES_MAX && name.bytes().all(allowed)
    }

    /// The table of a name that was read from a file; `None` where the name is not valid, or where this process
    /// has already learned [`TABLES_MAX`] other names.
    pub(crate) fn learn(name: &str) -> Option<Table> {
        // Names are few and live as long as the process, so that callers can match on constants; the bound keeps
        // a hostile file from growing them.
        static LEARNED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        if !Table::is_valid_name(name) {
            return None;
        }
        let mut learned = LEARNED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = learned.get(name) {
            return Some(Table(known));
        }
        if learned.len() >= TABLES_MAX {
            return None;
        }
        let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
        learned.insert(kept);
        Some(Table(kept))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How many batches have been applied to a store: 0 for a new one, then +1 per batch, without gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a store that has seen no batch.
    pub const ZERO: Revision = Revision(0);

    /// The revision that the next batch gets.
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// The key, unique within its table.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
}

/// A contiguous stretch of keys of one table, in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub(crate) from: Bound<Bytes>,
    pub(crate) to: Bound<Bytes>,
}

impl Span {
    /// Every key.
    pub fn all() -> Span {
        Span { from: Bound::Unbounded, to: Bound::Unbounded }
    }

    /// Every key that starts with `prefix`.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Span {
        let prefix = prefix.as_ref();
        let to = after_prefix(prefix).map_or(Bound::Unbounded, |end| Bound::Excluded(Bytes::from(end)));
        Span { from: Bound::Included(Bytes::copy_from_slice(prefix)), to }
    }

    /// The keys from `from` up to, and without, `to`.
    pub fn between(from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Span {
        Span {
            from: Bound::Included(Bytes::copy_from_slice(from.as_ref())),
            to: Bound::Excluded(Bytes::copy_from_slice(to.as_ref())),
        }
    }

    /// What is left of this span after `key`: how a caller takes up a listing where the last page ended.
    #[must_use]
    pub fn after(self, key: impl AsRef<[u8]>) -> Span {
        let key = key.as_ref();
        let already_later = match &self.from {
            Bound::Included(from) => from.as_ref() > key,
            Bound::Excluded(from) => from.as_ref() >= key,
            Bound::Unbounded => false,
        };
        if already_later {
            return self;
        }
        Span { from: Bound::Excluded(Bytes::copy_from_slice(key)), to: self.to }
    }

    /// Whether `key` lies in the span.
    pub fn contains(&self, key: &[u8]) -> bool {
        let past_start = match &self.from {
            Bound::Included(from) => from.as_ref() <= key,
            Bound::Excluded(from) => from.as_ref() < key,
            Bound::Unbounded => true,
        };
        let before_end = match &self.to {
            Bound::Included(to) => key <= to.as_ref(),
            Bound::Excluded(to) => key < to.as_ref(),
            Bound::Unbounded => true,
        };
        past_start && before_end
    }
}

/// The smallest byte string that sorts after every string with this prefix; `None` where there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&b| b != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_hold_what_they_say() {
        // Prefixes ending in 0xff have no simple successor; continuing past a key never widens a span.
        assert!(Span::prefix([1, 0xff]).contains(&[1, 0xff, 0xff]));
        assert!(!Span::prefix([1, 0xff]).contains(&[2]));
        assert!(Span::prefix([0xff, 0xff]).contains(&[0xff, 0xff, 0xff]));
        assert!(Span::prefix([]).contains(&[]));
        let rest = Span::prefix("a").after("ab");
        assert!(!rest.contains(b"ab") && rest.contains(b"ab\0") && !rest.contains(b"b"));
        assert_eq!(Span::between("c", "d").after("a"), Span::between("c", "d"));
    }

    #[test]
    fn table_names_are_checked() {
        assert!(Table::is_valid_name("ports") && Table::is_valid_name("a-b_9"));
        for bad in ["", "Ports", "a.b", "a\0", &"x".repeat(33)] {
            assert!(!Table::is_valid_name(bad), "{bad:?}");
            assert_eq!(Table::learn(bad), None);
        }
        assert_eq!(Table::learn("ports"), Some(Table("ports")));
    }
}
