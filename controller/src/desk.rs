//! The front desk of the one writer: requests go in, committed revisions come out.
//!
//! All writes pass one thread that plans them, each on the state that the ones before it left ([`planner`]). What has been
//! planned while the disk was busy is committed as one durable batch by a second thread ([`disk`]), which publishes the
//! new snapshot and only then answers. So requests never race each other, an answer means durable, the cost of the disk
//! is shared, and neither thread waits for the other as long as there is work.

mod disk;
mod planner;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::error;
use weft_model::intent::{Actor, Context, Intent, Plan, Refusal, Rejected, Settings, plan_each};
use weft_model::{Key, Revision, Snapshot};

use crate::clock;
use crate::journal::Journal;
use crate::vault::Vault;
use disk::Disk;
use planner::Planner;

/// How many requests may wait before callers are told to come back.
const QUEUE: usize = 4096;
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
    /// One of several parts of the request cannot be done, so nothing of it is stored.
    #[error("part {position} of the request: {rejected}")]
    RejectedPart {
        /// Which one, from 0.
        position: usize,
        /// Why not.
        rejected: Rejected,
    },
    /// The store failed while committing, or the controller is stopping: the write may or may not be there afterwards.
    #[error("the write was not acknowledged: {0}")]
    Unavailable(String),
}

impl WriteError {
    /// A plan of so many intents that was refused.
    fn refused(Refusal { position, rejected }: Refusal, intents: usize) -> WriteError {
        match intents {
            1 => WriteError::Rejected(rejected),
            _ => WriteError::RejectedPart { position, rejected },
        }
    }
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
    settings: Settings,
    journal: Journal,
}

#[derive(Debug)]
struct Request {
    actor: Actor,
    intents: Vec<Intent>,
    reply: oneshot::Sender<Result<Committed, WriteError>>,
}

impl Desk {
    /// Starts the two threads of the writer over a vault whose state has been loaded.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub fn open(vault: Vault, loaded: Snapshot, settings: Settings, hooks: Hooks) -> std::io::Result<Desk> {
        let (requests, inbox) = mpsc::channel(QUEUE);
        let (publisher, snapshots) = watch::channel(loaded.clone());
        let (lots, to_write) = mpsc::channel(1);
        let (done, idle) = mpsc::channel(1);
        let halt = hooks.halt.clone();
        let journal = vault.journal();
        let planner = Planner::new(loaded.clone(), settings, (lots, idle));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        spawn("planner", halt.clone(), move || runtime.block_on(planner.run(inbox)))?;
        let disk = Disk { vault, current: loaded, publisher, hooks };
        spawn("writer", halt, move || disk.run(to_write, &done))?;
        Ok(Desk { requests, snapshots, settings, journal })
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

    /// What the operator configured about networks.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What was committed, revision by revision.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What [`Desk::write`] would make of the newest committed state, which it is given back with. Nothing is written,
    /// and the writer is not asked.
    ///
    /// # Errors
    /// [`WriteError::Rejected`] and [`WriteError::RejectedPart`], as writing it would say.
    pub fn plan(&self, actor: &Actor, intents: &[Intent]) -> Result<(Snapshot, Plan), WriteError> {
        let before = self.snapshot();
        let context = Context { now: clock::now(), settings: self.settings };
        let planned = plan_each(&before, actor, intents, &context);
        let plan = planned.map_err(|refusal| WriteError::refused(refusal, intents.len()))?;
        Ok((before, plan))
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

/// Starts a thread of the writer. If it panics, its state may be wrong and nobody else may write: only a fresh start helps.
fn spawn(
    name: &'static str,
    halt: CancellationToken,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(move || {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
            error!(thread = name, "a panic; ending the process so that a fresh start sets everything right");
            halt.cancel();
        }
    })?;
    Ok(())
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
