//! Where everything lies in the one ordered key space that an engine gives us.
//!
//! One key space for records, change log and headers means that the atomicity of a batch is that of a single tree.
//!
//! ```text
//! hformat                     the format number
//! l <revision, 8 bytes BE>    the change log; `log` has what follows the revision
//! mrevision                   the newest revision, in the leaf that the newest log entry is written to anyway
//! r <table> 00 <key>          records; no table name contains a zero byte, so tables never interleave
//! ```

use std::ops::Bound;

use bytes::Bytes;

use crate::{
    error::{Damage, StoreError},
    record::{Revision, Span, Table, after_prefix},
};

/// The format of keys and values described here; a store of format 1 is rewritten (`upgrade`), one of
/// any other is not opened.
pub(crate) const FORMAT: u64 = 2;
/// Names the format number.
pub(crate) const FORMAT_KEY: &[u8] = b"hformat";
/// Names the newest revision.
pub(crate) const REVISION_KEY: &[u8] = b"mrevision";

const LOG: u8 = b'l';
const RECORD: u8 = b'r';

/// A stretch of the key space.
pub(crate) type Stretch = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The key of a record.
pub(crate) fn record_key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(2 + table.0.len() + key.len());
    full.push(RECORD);
    full.extend_from_slice(table.0.as_bytes());
    full.push(0);
    full.extend_from_slice(key);
    full
}

/// The keys of the records in a span of a table.
pub(crate) fn record_stretch(table: Table, span: &Span) -> Stretch {
    let whole = record_key(table, &[]);
    let from = match &span.from {
        Bound::Included(key) => Bound::Included(record_key(table, key)),
        Bound::Excluded(key) => Bound::Excluded(record_key(table, key)),
        Bound::Unbounded => Bound::Included(whole.clone()),
    };
    let to = match &span.to {
        Bound::Included(key) => Bound::Included(record_key(table, key)),
        Bound::Excluded(key) => Bound::Excluded(record_key(table, key)),
        Bound::Unbounded => after_prefix(&whole).map_or(Bound::Unbounded, Bound::Excluded),
    };
    (from, to)
}

/// The keys of all records that come after a table, or of all records.
pub(crate) fn records_after(table: Option<Table>) -> Stretch {
    let from = match table {
        Some(table) => after_prefix(&record_key(table, &[])).map_or(Bound::Unbounded, Bound::Included),
        None => Bound::Included(vec![RECORD]),
    };
    (from, Bound::Excluded(vec![RECORD + 1]))
}

/// The table and the key inside a record's full key.
pub(crate) fn split_record_key(full: &Bytes) -> Result<(Table, Bytes), StoreError> {
    let unknown = || StoreError::Damaged(Damage::UnknownKey);
    let rest = full.strip_prefix(&[RECORD]).ok_or_else(unknown)?;
    let end = rest.iter().position(|&b| b == 0).ok_or_else(unknown)?;
    let name = std::str::from_utf8(&rest[..end]).map_err(|_| unknown())?;
    Ok((Table::learn(name).ok_or_else(unknown)?, full.slice(end + 2..)))
}

/// The key of the log entry of a revision.
pub(crate) fn log_key(revision: Revision) -> Vec<u8> {
    let mut key = vec![LOG];
    key.extend_from_slice(&revision.0.to_be_bytes());
    key
}

/// The key of the `n`th further part of the log entry of a revision.
pub(crate) fn log_part_key(revision: Revision, n: u32) -> Vec<u8> {
    let mut key = log_key(revision);
    key.extend_from_slice(&n.to_be_bytes());
    key
}

/// The keys of all parts of the log entry of a revision.
pub(crate) fn log_entry_stretch(revision: Revision) -> Stretch {
    (Bound::Included(log_key(revision)), Bound::Included(log_part_key(revision, u32::MAX)))
}

/// The keys of all log entries.
pub(crate) fn log_stretch() -> Stretch {
    (Bound::Included(vec![LOG]), Bound::Excluded(vec![LOG + 1]))
}

/// The revision and the number of the part inside the key of a log entry; the first part has the number 0.
pub(crate) fn split_log_key(full: &[u8]) -> Result<(Revision, u32), StoreError> {
    let unknown = || StoreError::Damaged(Damage::UnknownKey);
    let (revision, part) =
        full.strip_prefix(&[LOG]).and_then(<[u8]>::split_first_chunk).ok_or_else(unknown)?;
    let part = match part {
        [] => 0,
        part => u32::from_be_bytes(part.try_into().map_err(|_| unknown())?),
    };
    Ok((Revision(u64::from_be_bytes(*revision)), part))
}

/// A number as a header's value.
pub(crate) fn number(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

/// The number that is a header's value.
pub(crate) fn parse_number(value: &[u8]) -> Result<u64, StoreError> {
    value.try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Damaged(Damage::Header))
}

/// Whether no key can lie in the stretch; engines need not cope with ends that are before their starts.
pub(crate) fn is_empty((from, to): &Stretch) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}
