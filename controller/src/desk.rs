//! The front desk of the one writer: requests go in, committed revisions come out.
//!
//! All writes pass one thread. It drains what has arrived, plans each request on a working snapshot, commits the
//! whole lot as one durable batch (group commit), publishes the new snapshot and only then answers. So requests
//! never race each other, an answer means durable, and the cost of the disk is shared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};
use weft_model::intent::{Actor, Context, Intent, Rejected, Settings, plan};
use weft_model::{Change, Key, Revision, Snapshot, Timestamp};

use crate::vault::{Vault, VaultError};

/// How many requests may wait before callers are told to come back.
const QUEUE: usize = 4096;
/// How many requests one durable commit may carry.
const GROUP: usize = 512;
/// From how many changed records on a lot is committed even if requests wait; well below the store's limit.
const LOT: usize = 2048;

/// What a write came to.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The revision at which it is durable.
    pub revision: Revision,
    /// The state at that revision.
    pub snapshot: Snapshot,
    /// Per intent, the key that it created or changed.
    pub touched: Vec<Key>,
}

/// Why a write was not acknowledged.
#[derive(Debug, Clone, Error)]
pub enum WriteError {
    /// The request cannot be fulfilled as it stands; nothing of it is stored.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The store failed while committing, or the controller is stopping: the write may or may not be there afterwards.
    #[error("the write was not acknowledged: {0}")]
    Unavailable(String),
}

/// Takes a committed state and the keys that the commit touched.
pub type Publish = Box<dyn FnMut(&Snapshot, &[Key]) + Send>;

/// Whom the writer tells.
pub struct Hooks {
    /// Told of every commit after it is durable, with the keys that it touched.
    pub publish: Publish,
    /// Cancelled when a commit failed or the writer panicked: what the store holds is not known then, and only a fresh start can tell.
    pub halt: CancellationToken,
}

impl Hooks {
    /// Tells nobody.
    pub fn none() -> Hooks {
        Hooks { publish: Box::new(|_, _| {}), halt: CancellationToken::new() }
    }
}

/// A handle to the writer; clones share it.
#[derive(Debug, Clone)]
pub struct Desk {
    requests: mpsc::Sender<Request>,
    snapshots: watch::Receiver<Snapshot>,
}

#[derive(Debug)]
struct Request {
    actor: Actor,
    intents: Vec<Intent>,
    reply: oneshot::Sender<Result<Committed, WriteError>>,
}

impl Desk {
    /// Starts the writer thread over a vault whose state has been loaded.
    ///
    /// # Errors
    /// When the operating system refuses the thread.
    pub fn open(vault: Vault, loaded: Snapshot, settings: Settings, hooks: Hooks) -> std::io::Result<Desk> {
        let (requests, inbox) = mpsc::channel(QUEUE);
        let (publisher, snapshots) = watch::channel(loaded.clone());
        let writer = Writer { vault, current: loaded, settings, publisher, hooks };
        std::thread::Builder::new().name("writer".into()).spawn(move || run(writer, inbox))?;
        Ok(Desk { requests, snapshots })
    }

    /// A desk that keeps everything in memory: for tests of what stands in front of it.
    ///
    /// # Errors
    /// When the operating system refuses the thread.
    pub fn ephemeral() -> std::io::Result<Desk> {
        Desk::open(Vault::none(), Snapshot::new(), Settings::default(), Hooks::none())
    }

    /// The newest committed state.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Follows the committed states; only the newest one is kept.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.clone()
    }

    /// Commits all of `intents` or none of them.
    ///
    /// # Errors
    /// [`WriteError::Rejected`] says what is wrong with the request; [`WriteError::Unavailable`] that it may be repeated.
    pub async fn write(&self, actor: Actor, intents: Vec<Intent>) -> Result<Committed, WriteError> {
        let (reply, answer) = oneshot::channel();
        let stopping = |_| WriteError::Unavailable("the controller is stopping".into());
        let request = Request { actor, intents, reply };
        self.requests
            .send(request)
            .await
            .map_err(|_| WriteError::Unavailable("the controller is stopping".into()))?;
        answer.await.map_err(stopping)?
    }
}

struct Writer {
    vault: Vault,
    current: Snapshot,
    settings: Settings,
    publisher: watch::Sender<Snapshot>,
    hooks: Hooks,
}

/// What is committed together.
struct Lot {
    working: Snapshot,
    changes: BTreeMap<Key, Change>,
    planned: Vec<Planned>,
}

impl Lot {
    fn on(base: &Snapshot) -> Lot {
        Lot { working: base.clone(), changes: BTreeMap::new(), planned: Vec::new() }
    }
}

/// A request that was planned and waits for the disk.
struct Planned {
    touched: Vec<Key>,
    reply: oneshot::Sender<Result<Committed, WriteError>>,
}

/// If the writer panics, its state may be wrong and nobody else may write: only a fresh start helps.
fn run(writer: Writer, inbox: mpsc::Receiver<Request>) {
    let halt = writer.hooks.halt.clone();
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.run(inbox))).is_err() {
        error!("the writer panicked; ending the process so that a fresh start sets everything right");
        halt.cancel();
    }
}

impl Writer {
    fn run(mut self, mut inbox: mpsc::Receiver<Request>) {
        let mut group = Vec::new();
        while !self.hooks.halt.is_cancelled() && inbox.blocking_recv_many(&mut group, GROUP) > 0 {
            self.commit(std::mem::take(&mut group));
        }
        debug!("writer stopped");
    }

    /// Plans every request of a group on top of the ones before it, and makes them durable together.
    fn commit(&mut self, group: Vec<Request>) {
        let context = Context { now: now(), settings: self.settings };
        let mut lot = Lot::on(&self.current);
        for Request { actor, intents, reply } in group {
            match plan(&lot.working, &actor, &intents, &context) {
                Err(rejected) => drop(reply.send(Err(WriteError::Rejected(rejected)))),
                Ok(plan) => {
                    // Everything in a lot becomes one revision, so the next plan starts from the same number again.
                    lot.working = plan.snapshot;
                    lot.working.apply(self.current.revision(), &[]);
                    lot.changes.extend(plan.changes.into_iter().map(|change| (change.key(), change)));
                    lot.planned.push(Planned { touched: plan.touched, reply });
                }
            }
            if lot.changes.len() >= LOT {
                self.settle(std::mem::replace(&mut lot, Lot::on(&self.current)));
                lot = Lot::on(&self.current);
            }
        }
        self.settle(lot);
    }

    /// Makes a lot durable, publishes it and answers everyone in it.
    fn settle(&mut self, lot: Lot) {
        if lot.changes.is_empty() {
            return self.answer(lot.planned);
        }
        let revision = Revision(self.current.revision().0 + 1);
        let changes: Vec<Change> = lot.changes.into_values().collect();
        if let Err(failure) = self.vault.store(revision, &changes) {
            return self.refuse(lot.planned, &failure);
        }
        self.current = lot.working;
        self.current.apply(revision, &[]);
        let touched: Vec<Key> = changes.iter().map(Change::key).collect();
        self.publisher.send_replace(self.current.clone());
        (self.hooks.publish)(&self.current, &touched);
        self.answer(lot.planned);
    }

    fn answer(&self, planned: Vec<Planned>) {
        for Planned { touched, reply } in planned {
            let committed =
                Committed { revision: self.current.revision(), snapshot: self.current.clone(), touched };
            // A caller that no longer listens has given up its connection; the commit stands.
            drop(reply.send(Ok(committed)));
        }
    }

    fn refuse(&self, planned: Vec<Planned>, failure: &VaultError) {
        error!(
            error = failure as &dyn std::error::Error,
            "a commit failed; whether it is stored is not known"
        );
        self.hooks.halt.cancel();
        let reason: Arc<str> = failure.to_string().into();
        for Planned { reply, .. } in planned {
            drop(reply.send(Err(WriteError::Unavailable(reason.to_string()))));
        }
    }
}

/// The wall clock, read once per group commit.
fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs()))
}

#[cfg(test)]
mod tests {
    use weft_model::intent::NewTenant;

    use super::*;

    #[tokio::test]
    async fn a_writer_that_panics_halts_the_controller() {
        let halt = CancellationToken::new();
        let publish: Publish = Box::new(|_, _| panic!("a mistake in the writer"));
        let hooks = Hooks { publish, halt: halt.clone() };
        let desk = Desk::open(Vault::none(), Snapshot::new(), Settings::default(), hooks).unwrap();
        let tenant = NewTenant { id: "red".parse().unwrap(), labels: Default::default(), enabled: true };
        let written = desk.write(Actor::Admin, vec![Intent::CreateTenant(tenant)]).await;
        assert!(matches!(written, Err(WriteError::Unavailable(_))), "{written:?}");
        let halted = tokio::time::timeout(std::time::Duration::from_secs(10), halt.cancelled()).await;
        assert!(halted.is_ok(), "a controller without a writer goes on as if nothing had happened");
    }
}
