//! Where the writer puts committed changes, and from where the state comes back at start.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thiserror::Error;
use weft_model::{Change, Key, Record, Revision, Snapshot};
use weft_store::{Batch, Span, Store, StoreError, Table};

use crate::journal::Journal;
use crate::records::{self, Damaged, Decoder, TABLES};

/// How many threads read the state at most: more than these wait for the store and for memory.
const READERS: usize = 8;

/// The store as the writer sees it: model changes in, a snapshot out.
#[derive(Default)]
pub struct Vault {
    store: Option<Arc<dyn Store>>,
}

/// The store cannot be read or written.
#[derive(Debug, Error)]
pub enum VaultError {
    /// A stored record is not what this version writes.
    #[error("loading the state")]
    Load(#[from] Damaged),
    /// The store itself failed.
    #[error("the store")]
    Store(#[from] StoreError),
    /// Somebody else wrote to the store; going on would overwrite it.
    #[error("the store is at revision {found} where {expected} was expected: another writer uses it")]
    Diverged {
        /// Where we believed it to be.
        expected: Revision,
        /// Where it is.
        found: Revision,
    },
}

impl Vault {
    /// A vault over a store.
    pub fn new(store: Box<dyn Store>) -> Vault {
        Vault { store: Some(store.into()) }
    }

    /// A vault that keeps nothing.
    pub fn none() -> Vault {
        Vault::default()
    }

    /// Reads the whole state.
    ///
    /// # Errors
    /// When the store fails or a record is damaged: the controller must not start on a part of its state.
    pub fn load(&self) -> Result<Snapshot, VaultError> {
        let Some(store) = &self.store else { return Ok(Snapshot::new()) };
        let revision = store.revision();
        let (pieces, next) = (pieces(), AtomicUsize::new(0));
        let readers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(READERS);
        let read: Vec<Result<_, VaultError>> = std::thread::scope(|scope| {
            let read = || read_pieces(store.as_ref(), revision, &pieces, &next);
            let others: Vec<_> = (1..readers).map(|_| scope.spawn(read)).collect();
            let own = read();
            let joined = others.into_iter().map(|reader| match reader.join() {
                Ok(read) => read,
                Err(panicked) => std::panic::resume_unwind(panicked),
            });
            std::iter::once(own).chain(joined).collect()
        });
        let mut parts = Vec::with_capacity(pieces.len());
        for reader in read {
            parts.extend(reader?);
        }
        parts.sort_by_key(|(number, _)| *number);
        let records = parts.into_iter().flat_map(|(_, records)| records);
        Ok(Snapshot::from_records(Revision(revision.0), records))
    }

    /// What was committed, for those who follow it; a vault that keeps nothing has nothing to tell.
    pub fn journal(&self) -> Journal {
        self.store.clone().map_or_else(Journal::default, Journal::new)
    }

    /// Makes the changes durable as `revision`, all of them or none.
    ///
    /// # Errors
    /// When the store fails or is not at the revision before. Whether the changes are there after a failure is not known
    /// until the store is opened again.
    pub fn store(&self, revision: Revision, changes: &[Change]) -> Result<(), VaultError> {
        let mut batch = Batch::new();
        for change in changes {
            write(&mut batch, change);
        }
        self.apply(revision, batch)
    }

    /// The same, so that the change log also says what the changes were to the state before: see [`Journal`].
    ///
    /// # Errors
    /// As [`Vault::store`].
    pub fn commit(
        &self,
        revision: Revision,
        changes: &[Change],
        before: &Snapshot,
    ) -> Result<(), VaultError> {
        let mut batch = Batch::new();
        for change in changes {
            mark(&mut batch, change, before);
            write(&mut batch, change);
        }
        self.apply(revision, batch)
    }

    fn apply(&self, revision: Revision, mut batch: Batch) -> Result<(), VaultError> {
        let Some(store) = &self.store else { return Ok(()) };
        batch.expect_revision(weft_store::Revision(revision.0 - 1));
        let stored = store.apply(&batch)?;
        if stored.0 == revision.0 {
            Ok(())
        } else {
            Err(VaultError::Diverged { expected: revision, found: Revision(stored.0) })
        }
    }
}

fn write(batch: &mut Batch, change: &Change) {
    let (table, key) = records::place(&change.key());
    match change {
        Change::Put(record) => batch.put(Table(table), key, records::encode(record)),
        Change::Delete(_) => batch.delete(Table(table), key),
    };
}

/// Puts into the change log what a reader of it cannot know: that a record is new (it is deleted first), and what one
/// was that is deleted (it is put first). The last of several operations on one key stands, so the state is the same,
/// and the store leaves out what does not stand.
fn mark(batch: &mut Batch, change: &Change, before: &Snapshot) {
    let key = change.key();
    if matches!(key, Key::Counters | Key::Policy(_) | Key::PhysicalNetwork(_) | Key::Token(_)) {
        return;
    }
    let (table, name) = records::place(&key);
    match (change, before.record(&key)) {
        (Change::Put(_), None) => batch.delete(Table(table), name),
        (Change::Delete(_), Some(last)) => batch.put(Table(table), name, records::encode(&last)),
        _ => batch,
    };
}

/// A part of a table that is read at once.
struct Piece {
    table: &'static str,
    span: Span,
}

/// All tables, in order. Those that grow with the number of ports have UUIDs at the front of their keys, and are cut by
/// their first digit.
fn pieces() -> Vec<Piece> {
    let cut = |table: &'static str| -> Vec<Span> {
        match table {
            "ports" | "bindings" => {
                let at = |digit: usize| &b"0123456789abcdef"[digit..=digit];
                let inner = (1..14).map(|digit| Span::between(at(digit), at(digit + 1)));
                // The first and the last have no outer end, so that a key of another form is read, and refused.
                let last = [Span::between("e", "f\0"), Span::all().after("f")];
                std::iter::once(Span::between("", "1")).chain(inner).chain(last).collect()
            }
            _ => vec![Span::all()],
        }
    };
    let pieces = |table| cut(table).into_iter().map(move |span| Piece { table, span });
    TABLES.into_iter().flat_map(pieces).collect()
}

/// What one reader makes of the pieces that no other has taken: the records of each, under its number.
fn read_pieces(
    store: &dyn Store,
    expected: weft_store::Revision,
    pieces: &[Piece],
    next: &AtomicUsize,
) -> Result<Vec<(usize, Vec<Record>)>, VaultError> {
    let stored = store.snapshot()?;
    if stored.revision() != expected {
        let (expected, found) = (Revision(expected.0), Revision(stored.revision().0));
        return Err(VaultError::Diverged { expected, found });
    }
    let (mut decoder, mut parts) = (Decoder::default(), Vec::new());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(Piece { table, span }) = pieces.get(number) else { return Ok(parts) };
        let mut records = Vec::new();
        for record in stored.scan(Table(table), span)? {
            let record = record?;
            let key = String::from_utf8_lossy(&record.key);
            records.push(decoder.decode(table, &key, &record.value)?);
        }
        parts.push((number, records));
    }
}
