//! Where the writer puts committed changes, and from where the state comes back at start.

use thiserror::Error;
use weft_model::{Change, Record, Revision, Snapshot};
use weft_store::{Batch, Span, Store, StoreError, Table};

use crate::records::{self, Damaged, TABLES};

/// The store as the writer sees it: model changes in, a snapshot out.
#[derive(Default)]
pub struct Vault {
    store: Option<Box<dyn Store>>,
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
        Vault { store: Some(store) }
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
        let mut snapshot = Snapshot::new();
        let Some(store) = &self.store else { return Ok(snapshot) };
        let stored = store.snapshot()?;
        let revision = Revision(stored.revision().0);
        for table in TABLES {
            for record in stored.scan(Table(table), &Span::all())? {
                let record = record?;
                let key = String::from_utf8_lossy(&record.key).into_owned();
                let parsed = records::decode(table, &key, &record.value)?;
                snapshot.apply(revision, &[Change::Put(parsed)]);
            }
        }
        snapshot.apply(revision, &[]);
        Ok(snapshot)
    }

    /// Makes the changes durable as `revision`, all of them or none.
    ///
    /// # Errors
    /// When the store fails or is not at the revision before. Whether the changes are there after a failure is not known
    /// until the store is opened again.
    pub fn store(&self, revision: Revision, changes: &[Change]) -> Result<(), VaultError> {
        let Some(store) = &self.store else { return Ok(()) };
        let before = weft_store::Revision(revision.0 - 1);
        let mut batch = Batch::new();
        batch.expect_revision(before);
        for change in changes {
            let (table, key) = records::place(&change.key());
            match change {
                Change::Put(record) => batch.put(Table(table), key, encoded(record)),
                Change::Delete(_) => batch.delete(Table(table), key),
            };
        }
        let stored = store.apply(&batch)?;
        if stored.0 == revision.0 {
            Ok(())
        } else {
            Err(VaultError::Diverged { expected: revision, found: Revision(stored.0) })
        }
    }
}

fn encoded(record: &Record) -> Vec<u8> {
    records::encode(record)
}
