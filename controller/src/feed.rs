//! The mailbox between the writer and the engine: whatever has piled up is one pass.
//!
//! It holds the newest snapshot and the union of the keys touched since the engine last looked. Its size is bounded by
//! the number of objects, never by the number of commits, so a slow engine cannot make the writer wait.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use weft_model::{Key, Snapshot};

/// What the engine has not seen yet.
#[derive(Debug)]
pub struct Commit {
    /// The newest committed state.
    pub snapshot: Snapshot,
    /// Every key that changed since the engine last took a commit.
    pub touched: BTreeSet<Key>,
}

/// The writer's end and the engine's end of the mailbox.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    pending: Arc<Mutex<Option<Commit>>>,
}

impl Feed {
    /// Merges a commit into what waits. The caller wakes the engine.
    pub fn publish(&self, snapshot: Snapshot, touched: impl IntoIterator<Item = Key>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.as_mut() {
            Some(commit) => {
                commit.snapshot = snapshot;
                commit.touched.extend(touched);
            }
            None => *pending = Some(Commit { snapshot, touched: touched.into_iter().collect() }),
        }
    }

    /// Takes everything that waits.
    pub fn take(&self) -> Option<Commit> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
