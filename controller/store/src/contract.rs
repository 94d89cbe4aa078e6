//! The contract that every engine keeps: what callers may do with a store, and what they may rely on.

use std::{
    io::{Read, Write},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    batch::{Batch, Change},
    error::StoreError,
    record::{Record, Revision, Span, Table},
};

/// Durable, ordered records in named tables, changed by atomic batches that each make one revision.
///
/// All calls block; none of them needs a runtime. One thread is meant to write, any number may read and watch.
pub trait Store: Send + Sync {
    /// The newest revision.
    fn revision(&self) -> Revision;

    /// The whole store as it is now; later batches do not change it.
    ///
    /// Drop it soon: a snapshot keeps old data alive, and `compact` and `check` need the store to themselves.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Applies a batch and returns the revision it made: exactly one more than before.
    ///
    /// When it returns, the batch is durable and visible. [`StoreError::Conflict`] and the limits leave the store as
    /// it was. After [`StoreError::Commit`] the outcome is unknown, and the store refuses to write until reopened.
    fn apply(&self, batch: &Batch) -> Result<Revision, StoreError>;

    /// Every batch after `from`, in order, starting with those that are already there.
    ///
    /// [`StoreError::Compacted`] if the change log does not reach back to `from`, [`StoreError::NotYet`] if the
    /// store has not reached it.
    fn watch(&self, from: Revision) -> Result<Box<dyn Watch>, StoreError>;

    /// Writes everything but the change log to `to`; the README has the format. Returns the revision exported.
    fn export(&self, to: &mut dyn Write) -> Result<Revision, StoreError>;

    /// Fills a new store (revision 0) from an export of any engine, all of it or nothing, and takes over its revision.
    fn import(&self, from: &mut dyn Read) -> Result<Revision, StoreError>;

    /// Reads everything and reports whether it holds together. A store that finds damage writes no more.
    fn check(&self) -> Result<CheckReport, StoreError>;

    /// Gives space that is no longer needed back to the file system.
    fn compact(&self) -> Result<Compaction, StoreError>;
}

/// A store as it was at one revision.
pub trait Snapshot: Send {
    /// The revision it shows.
    fn revision(&self) -> Revision;

    /// The value of one record.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The records of a table whose keys lie in `span`, in byte order of their keys, read as the caller goes.
    fn scan<'a>(
        &'a self,
        table: Table,
        span: &Span,
    ) -> Result<Box<dyn Iterator<Item = Result<Record, StoreError>> + 'a>, StoreError>;

    /// The tables that have records, in order.
    fn tables(&self) -> Result<Vec<Table>, StoreError>;
}

/// A cursor over the batches of a store. It holds no queue: a slow watcher costs nothing, and may be told
/// [`StoreError::Compacted`] if it falls behind further than the change log reaches.
pub trait Watch: Send {
    /// The next batch if there is one already.
    fn try_next(&mut self) -> Result<Option<Change>, StoreError>;

    /// The next batch, waiting up to `timeout` for it; `None` if none came.
    fn next_within(&mut self, timeout: Duration) -> Result<Option<Change>, StoreError>;
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckReport {
    /// The newest revision.
    pub revision: Revision,
    /// How many records there are.
    pub records: u64,
    /// How many bytes their keys and values have together.
    pub record_bytes: u64,
    /// How many batches the change log holds.
    pub log_entries: u64,
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compaction {
    /// Bytes on disk before.
    pub bytes_before: u64,
    /// Bytes on disk after.
    pub bytes_after: u64,
}
