//! What was committed, revision by revision, out of the store's change log: for those who follow it.
//!
//! The log is bounded, durable and read without the writer, so a follower costs the writer nothing and no memory grows
//! with a slow one. A record that is new stands in it as a delete and a put, one that goes as a put of its last form and
//! a delete (see [`crate::vault::Vault::commit`]).

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use weft_model::{Record, Revision};
use weft_store::{Op, Store, StoreError, Watch};

use crate::records::{self, Damaged, TABLES};

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It was not there before.
    Created,
    /// It was another one before.
    Updated,
    /// It is not there any more.
    Deleted,
}

impl Verb {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Created => "created",
            Verb::Updated => "updated",
            Verb::Deleted => "deleted",
        }
    }
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The revision that it made.
    pub revision: Revision,
    /// Each record that it touched, in an order that never changes: how it is after it, or how it was at last.
    pub touched: Vec<(Verb, Record)>,
}

/// Why the history cannot be followed.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The log does not reach back so far.
    #[error("the history reaches back to revision {oldest} only")]
    Gone {
        /// The oldest revision that can be followed from.
        oldest: Revision,
    },
    /// No such revision has been made yet.
    #[error("the newest revision is {newest}")]
    NotYet {
        /// The newest one.
        newest: Revision,
    },
    /// This controller keeps nothing.
    #[error("this controller keeps no history")]
    None,
    /// An entry is not what this version writes.
    #[error("reading the history")]
    Damaged(#[from] Damaged),
    /// The store failed.
    #[error("reading the history")]
    Store(#[source] StoreError),
}

impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> JournalError {
        match error {
            StoreError::Compacted { oldest } => JournalError::Gone { oldest: Revision(oldest.0) },
            StoreError::NotYet { newest, .. } => JournalError::NotYet { newest: Revision(newest.0) },
            other => JournalError::Store(other),
        }
    }
}

/// A handle to the history; clones share it.
#[derive(Clone, Default)]
pub struct Journal {
    store: Option<Arc<dyn Store>>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

impl Journal {
    /// The history that a store keeps.
    pub fn new(store: Arc<dyn Store>) -> Journal {
        Journal { store: Some(store) }
    }

    /// Everything after a revision.
    ///
    /// # Errors
    /// [`JournalError::Gone`], [`JournalError::NotYet`] and [`JournalError::None`] when it cannot be followed from there.
    pub fn follow(&self, from: Revision) -> Result<Follower, JournalError> {
        let store = self.store.as_ref().ok_or(JournalError::None)?;
        Ok(Follower { watch: store.watch(weft_store::Revision(from.0))? })
    }
}

/// A place in the history. It holds no queue.
pub struct Follower {
    watch: Box<dyn Watch>,
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Follower")
    }
}

impl Follower {
    /// The next commit, if there is one already. Reads the disk.
    ///
    /// # Errors
    /// [`JournalError::Gone`] when it has been dropped from the log meanwhile.
    pub fn try_next(&mut self) -> Result<Option<Entry>, JournalError> {
        let Some(change) = self.watch.try_next()? else { return Ok(None) };
        Ok(Some(Entry { revision: Revision(change.revision.0), touched: touched(&change.ops)? }))
    }
}

/// What the operations of a commit did. What an older version deleted has left nothing to tell.
fn touched(ops: &[Op]) -> Result<Vec<(Verb, Record)>, Damaged> {
    let mut touched = Vec::new();
    let mut rest = ops;
    while let Some((first, others)) = rest.split_first() {
        let second = others.first().filter(|op| (op.table(), op.key()) == (first.table(), first.key()));
        let (verb, value, after) = match (first.value(), second.map(Op::value)) {
            (None, Some(Some(value))) => (Verb::Created, Some(value), &others[1..]),
            (Some(last), Some(None)) => (Verb::Deleted, Some(last), &others[1..]),
            (value, _) => (Verb::Updated, value, others),
        };
        rest = after;
        let table = TABLES.into_iter().find(|table| *table == first.table().0);
        if let (Some(table), Some(value)) = (table, value) {
            let key = String::from_utf8_lossy(first.key());
            touched.push((verb, records::decode(table, &key, value)?));
        }
    }
    Ok(touched)
}

#[cfg(test)]
mod tests {
    use weft_model::intent::{Actor, Intent, LabelsPatch, NewTenant, Settings, TenantPatch};
    use weft_model::{Snapshot, TenantId};
    use weft_store::{Engine, Options};

    use super::*;
    use crate::desk::{Desk, Hooks};
    use crate::vault::Vault;

    fn told(follower: &mut Follower) -> Vec<(u64, Verb, String)> {
        let mut told = Vec::new();
        while let Some(entry) = follower.try_next().unwrap() {
            for (verb, record) in entry.touched {
                if let Record::Tenant(tenant) = record {
                    told.push((entry.revision.0, verb, tenant.stamp.name.clone()));
                }
            }
        }
        told
    }

    #[tokio::test]
    async fn the_history_says_what_was_made_changed_and_deleted() {
        for engine in [Engine::Redb, Engine::Sled] {
            let folder = tempfile::tempdir().unwrap();
            let store = weft_store::open(engine, folder.path(), Options::default()).unwrap();
            let desk =
                Desk::open(Vault::new(store), Snapshot::new(), Settings::default(), Hooks::none()).unwrap();
            let red: TenantId = "red".parse().unwrap();
            let new = NewTenant { id: red.clone(), labels: Default::default(), enabled: true };
            let labels = LabelsPatch { name: Some("Red".into()), ..LabelsPatch::default() };
            let steps = [
                Intent::CreateTenant(new),
                Intent::UpdateTenant(red.clone(), TenantPatch { labels, ..TenantPatch::default() }),
                Intent::DeleteTenant(red, None),
            ];
            for step in steps {
                desk.write(Actor::Admin, vec![step]).await.unwrap();
            }
            let name = |text: &str| text.to_owned();
            let all = [
                (1, Verb::Created, name("")),
                (2, Verb::Updated, name("Red")),
                (3, Verb::Deleted, name("Red")),
            ];
            assert_eq!(told(&mut desk.journal().follow(Revision(0)).unwrap()), all);
            assert_eq!(told(&mut desk.journal().follow(Revision(2)).unwrap()), all[2..]);
            let ahead = desk.journal().follow(Revision(4)).unwrap_err();
            assert!(matches!(ahead, JournalError::NotYet { newest: Revision(3) }), "{ahead:?}");
        }
        assert!(matches!(Journal::default().follow(Revision(0)), Err(JournalError::None)));
    }
}
