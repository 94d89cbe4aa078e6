//! What can go wrong with a store, named after what was being done.

use std::{io, path::PathBuf};

use bytes::Bytes;

use crate::{
    place::Engine,
    record::{Revision, Table},
};

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory could not be made, read or cleaned.
    #[error("preparing the data directory {path}")]
    PrepareDirectory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Another process (or another store of this process) has the data open.
    #[error("locking {path}: the data is open elsewhere")]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds the data of the other engine.
    #[error("opening {path} with {wanted}: it holds {found} data; export it there and import it here")]
    OtherEngine {
        /// The directory.
        path: PathBuf,
        /// The engine that was asked for.
        wanted: Engine,
        /// The engine whose data is there.
        found: Engine,
    },
    /// The engine could not open its data.
    #[error("opening the data in {path}")]
    OpenData {
        /// The directory.
        path: PathBuf,
        /// What the engine said.
        #[source]
        source: Fault,
    },
    /// Records could not be read.
    #[error("reading records")]
    Read(#[source] Fault),
    /// A batch could not be made durable. It may or may not be there after a reopen.
    #[error("committing a batch")]
    Commit(#[source] Fault),
    /// An earlier commit failed, so that what is on disk is unknown until the store is opened again.
    #[error("applying a batch: an earlier commit failed, the store must be reopened")]
    Halted,
    /// A condition of the batch does not hold; nothing was changed.
    #[error("applying a batch: {0}")]
    Conflict(Conflict),
    /// Something is larger than a store takes.
    #[error("{what}: {found}, at most {max} allowed")]
    TooLarge {
        /// What is limited.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        max: usize,
    },
    /// A table name is not 1 to 32 of `a-z`, `0-9`, `_`, `-`.
    #[error("{name:?} cannot name a table")]
    TableName {
        /// The name.
        name: String,
    },
    /// The change log no longer reaches back that far: list everything, then watch from the listing's revision.
    #[error("watching from a revision before {oldest}: the change log no longer has it")]
    Compacted {
        /// The oldest revision that can still be watched from.
        oldest: Revision,
    },
    /// The store has not reached that revision.
    #[error("watching from revision {from}: the store is at {newest}")]
    NotYet {
        /// The revision that was asked for.
        from: Revision,
        /// The newest revision.
        newest: Revision,
    },
    /// The data on disk contradicts itself.
    #[error("the data is damaged: {0}")]
    Damaged(Damage),
    /// The integrity check could not run.
    #[error("checking the data")]
    Check(#[source] Fault),
    /// The data could not be compacted.
    #[error("compacting the data")]
    Compact(#[source] Fault),
    /// A snapshot or scan is alive, and what was asked needs the store to itself.
    #[error("{doing}: a snapshot is still in use")]
    InUse {
        /// What was asked.
        doing: &'static str,
    },
    /// The export could not be written to where the caller wanted it.
    #[error("writing an export")]
    WriteExport(#[source] io::Error),
    /// The export could not be read from where the caller has it.
    #[error("reading an export")]
    ReadExport(#[source] io::Error),
    /// The file is not an export, or not as it was written; nothing was imported.
    #[error("reading an export: line {line}: {reason}")]
    BadExport {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Imports go into new stores only.
    #[error("importing: the store is not empty (revision {revision})")]
    NotEmpty {
        /// The store's revision.
        revision: Revision,
    },
    /// Imported records could not be made durable; none of them is there.
    #[error("storing imported records")]
    Import(#[source] Fault),
    /// The name of an engine is not known.
    #[error("{name:?} is not a store engine (redb, sled)")]
    UnknownEngine {
        /// The name.
        name: String,
    },
}

/// The condition that does not hold, and what was found instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The store is at another revision.
    #[error("expected revision {expected}, found {found}")]
    Revision {
        /// The revision that was expected.
        expected: Revision,
        /// The revision that the store has.
        found: Revision,
    },
    /// The record is there although it should not be, is not although it should, or has another value.
    #[error("a record of table {table} is not as expected")]
    Record {
        /// The record's table.
        table: Table,
        /// The record's key.
        key: Bytes,
        /// The value it has, if it is there.
        found: Option<Bytes>,
    },
}

/// How stored data contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A key is none that this store writes.
    #[error("a key has an unknown form")]
    UnknownKey,
    /// The data was written by a later version of this store, or not by this store.
    #[error("the data format is unknown")]
    Format,
    /// A revision or other header is missing or malformed.
    #[error("a header record is missing or malformed")]
    Header,
    /// An entry of the change log cannot be decoded.
    #[error("a change log entry is malformed")]
    LogEntry,
    /// The change log has a gap or does not end at the store's revision.
    #[error("the change log does not end at the store's revision without gaps")]
    LogGap,
    /// A record is not what the newest change in the log made it.
    #[error("a record contradicts the newest change")]
    Record,
    /// The engine found, or stumbled over, damage in its own structures.
    #[error("the engine's own structures are inconsistent")]
    Engine,
}

/// What an engine or the operating system said.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// redb said it.
    #[error(transparent)]
    Redb(Box<redb::Error>),
    /// sled said it.
    #[error(transparent)]
    Sled(#[from] sled::Error),
    /// The operating system said it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl<E: Into<redb::Error>> From<RedbFault<E>> for Fault {
    fn from(RedbFault(e): RedbFault<E>) -> Fault {
        Fault::Redb(Box::new(e.into()))
    }
}

/// Any of redb's error types on its way to [`Fault`].
pub(crate) struct RedbFault<E>(pub(crate) E);
