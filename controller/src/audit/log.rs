//! The reading end of the audit log: newest first, filtered, in pages, straight from the store.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use weft_model::{Revision, TenantId, Timestamp};
use weft_store::{Snapshot, Span, StoreError, Table};

use super::{SharedStore, TABLE};

/// The most entries that are looked at for one page: who asks for something rare goes on from where that ended.
const LOOKED_AT: u64 = 20_000;
/// How many are read at once.
const PIECE: u64 = 256;

/// A handle to the log; clones share it. Its calls wait for the disk.
#[derive(Clone)]
pub struct Log {
    store: SharedStore,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

/// A point in the history of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// A revision.
    Revision(Revision),
    /// A time.
    Time(Timestamp),
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Only changes of what stands in this table.
    pub kind: Option<String>,
    /// Only changes of this object.
    pub id: Option<String>,
    /// Only changes of what belongs to this tenant.
    pub owner: Option<TenantId>,
    /// Nothing before this.
    pub since: Option<Since>,
    /// Nothing after this.
    pub until: Option<Since>,
    /// Only entries with a smaller number: what the page before ended with.
    pub before: Option<u64>,
    /// The most entries.
    pub limit: usize,
}

/// A part of the log, newest first.
#[derive(Debug, Default)]
pub struct Page {
    /// The entries that match, with those of their changes that match.
    pub entries: Vec<Entry>,
    /// Where to go on, if there is more to look at.
    pub before: Option<u64>,
}

/// What one request did, or a part of it.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// Its number, without gaps.
    #[serde(skip)]
    pub number: u64,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The revision that the commit made.
    pub revision: u64,
    /// The id of the request.
    pub request: String,
    /// What the token allowed.
    pub role: String,
    /// The handle of the token.
    pub token: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// The tenant that the token spoke for.
    pub project: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
    /// What became of which records.
    pub changes: Vec<Line>,
}

/// What became of one record.
#[derive(Debug, Deserialize)]
pub struct Line {
    /// The table that it stands in.
    pub kind: String,
    /// Its key there.
    pub id: String,
    /// `create`, `update` or `delete`.
    pub verb: String,
    /// The tenant that it belongs to.
    pub owner: Option<String>,
    /// The record before, as it was stored.
    pub before: Option<Box<RawValue>>,
    /// The record after, as it is stored.
    pub after: Option<Box<RawValue>>,
}

impl Log {
    pub(crate) fn new(store: SharedStore) -> Log {
        Log { store }
    }

    /// A page of what is wanted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn page(&self, wish: &Wish) -> Result<Page, StoreError> {
        let stored = self.store.snapshot()?;
        let stored = stored.as_ref();
        let range = within(stored, wish)?;
        let mut page = Page::default();
        let (mut upper, mut looked) = (range.end, 0);
        while upper > range.start {
            let lower = upper.saturating_sub(PIECE).max(range.start);
            let mut piece = read(stored, lower..upper)?;
            while let Some((number, value)) = piece.pop() {
                if page.entries.len() == wish.limit || looked == LOOKED_AT {
                    page.before = Some(number + 1);
                    return Ok(page);
                }
                looked += 1;
                page.entries.extend(wish.look(number, &value));
            }
            upper = lower;
        }
        Ok(page)
    }
}

impl Wish {
    /// The entry, if anything in it is wanted, with nothing else in it.
    fn look(&self, number: u64, value: &[u8]) -> Option<Entry> {
        let texts = [self.id.as_deref(), self.kind.as_deref(), self.owner.as_ref().map(|o| o.as_str())];
        let text = std::str::from_utf8(value).ok()?;
        // Nearly all that does not match is found out without reading it.
        if texts.into_iter().flatten().any(|wanted| !text.contains(wanted)) {
            return None;
        }
        let mut entry: Entry = serde_json::from_str(text).ok()?;
        entry.number = number;
        entry.changes.retain(|line| {
            self.kind.as_ref().is_none_or(|kind| line.kind == *kind)
                && self.id.as_ref().is_none_or(|id| line.id == *id)
                && self.owner.as_ref().is_none_or(|owner| line.owner.as_deref() == Some(owner.as_str()))
        });
        (!entry.changes.is_empty()).then_some(entry)
    }
}

/// The numbers of the entries between two points.
fn within(stored: &dyn Snapshot, wish: &Wish) -> Result<Range<u64>, StoreError> {
    let all = numbers(stored)?;
    let start = match wish.since {
        None => all.start,
        Some(since) => first(stored, all.clone(), |front| !front.is_before(since))?,
    };
    let end = match wish.until {
        None => all.end,
        Some(until) => first(stored, all.clone(), |front| front.is_after(until))?,
    };
    Ok(start..wish.before.map_or(end, |before| before.min(end)))
}

/// The first number whose entry is so; all before are not, and all after are.
fn first(
    stored: &dyn Snapshot,
    range: Range<u64>,
    is_so: impl Fn(&Front) -> bool,
) -> Result<u64, StoreError> {
    let Range { start: mut low, end: mut high } = range;
    while low < high {
        let middle = low + (high - low) / 2;
        let value = stored.get(Table(TABLE), key(middle).as_bytes())?;
        if value.as_deref().and_then(front).is_some_and(|front| is_so(&front)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// What says where an entry stands in time.
#[derive(Deserialize)]
struct Front {
    at: u64,
    revision: u64,
}

impl Front {
    fn is_before(&self, point: Since) -> bool {
        match point {
            Since::Revision(revision) => self.revision < revision.0,
            Since::Time(at) => self.at < at.0,
        }
    }

    fn is_after(&self, point: Since) -> bool {
        match point {
            Since::Revision(revision) => self.revision > revision.0,
            Since::Time(at) => self.at > at.0,
        }
    }
}

fn front(value: &[u8]) -> Option<Front> {
    serde_json::from_slice(value).ok()
}

/// When an entry was made.
pub(super) fn time_of(value: &[u8]) -> Option<Timestamp> {
    front(value).map(|front| Timestamp(front.at))
}

/// Where an entry stands: numbers in the order of texts.
pub(super) fn key(number: u64) -> String {
    format!("{number:016x}")
}

fn number(key: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(key).ok()?, 16).ok()
}

/// The numbers of the entries that there are.
///
/// Since they have no gaps, a few look-ups find the last one.
pub(super) fn numbers(stored: &dyn Snapshot) -> Result<Range<u64>, StoreError> {
    let first = stored.scan(Table(TABLE), &Span::all())?.next().transpose()?;
    let Some(first) = first.and_then(|record| number(&record.key)) else { return Ok(0..0) };
    let is_there =
        |number: u64| Ok::<_, StoreError>(stored.get(Table(TABLE), key(number).as_bytes())?.is_some());
    let mut step = 1;
    while is_there(first + step)? {
        step *= 2;
    }
    // The last one is at `first + step / 2` or after it, and before `first + step`.
    let (mut low, mut high) = (first + step / 2, first + step);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if is_there(middle)? { low = middle } else { high = middle }
    }
    Ok(first..low + 1)
}

/// The entries with these numbers, oldest first.
fn read(stored: &dyn Snapshot, range: Range<u64>) -> Result<Vec<(u64, bytes::Bytes)>, StoreError> {
    let span = Span::between(key(range.start), key(range.end));
    let mut entries = Vec::new();
    for record in stored.scan(Table(TABLE), &span)? {
        let record = record?;
        entries.extend(number(&record.key).map(|number| (number, record.value)));
    }
    Ok(entries)
}
