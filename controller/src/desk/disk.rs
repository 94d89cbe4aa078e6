//! Makes lots durable one after the other, publishes them and answers those who wait for them.

use tokio::sync::{mpsc, watch};
use tracing::{debug, error};
use weft_model::{Change, Key, Snapshot};

use super::planner::{Lot, Planned};
use super::{Committed, Hooks, WriteError};
use crate::vault::{Vault, VaultError};

/// The end of the writer that waits for the store.
pub(super) struct Disk {
    pub(super) vault: Vault,
    /// What is durable and published.
    pub(super) current: Snapshot,
    pub(super) publisher: watch::Sender<Snapshot>,
    pub(super) hooks: Hooks,
}

impl Disk {
    /// Takes lots until the planner is gone, or one could not be stored. Says into `done` when the store is free again.
    pub(super) fn run(mut self, mut lots: mpsc::Receiver<Lot>, done: &mpsc::Sender<()>) {
        while let Some(Lot { revision, snapshot, changes, planned }) = lots.blocking_recv() {
            let changes: Vec<Change> = changes.into_values().collect();
            if !changes.is_empty()
                && let Err(failure) = self.vault.commit(revision, &changes, &self.current)
            {
                return self.refuse(planned, &failure);
            }
            // The next lot can be on its way while this one is published. A planner that is gone needs no word.
            done.try_send(()).ok();
            if !changes.is_empty() {
                self.current = snapshot;
                let touched: Vec<Key> = changes.iter().map(Change::key).collect();
                self.publisher.send_replace(self.current.clone());
                (self.hooks.publish)(&self.current, &touched);
            }
            self.answer(planned);
        }
        debug!("writer stopped");
    }

    fn answer(&self, planned: Vec<Planned>) {
        for Planned { outcome, reply } in planned {
            let (revision, snapshot) = (self.current.revision(), &self.current);
            let committed = |touched| Committed { revision, snapshot: snapshot.clone(), touched };
            // A caller that no longer listens has given up its connection; the commit stands.
            drop(reply.send(outcome.map(committed)));
        }
    }

    fn refuse(&self, planned: Vec<Planned>, failure: &VaultError) {
        error!(
            error = failure as &dyn std::error::Error,
            "a commit failed; whether it is stored is not known"
        );
        self.hooks.halt.cancel();
        for Planned { reply, .. } in planned {
            drop(reply.send(Err(WriteError::Unavailable(failure.to_string()))));
        }
    }
}
