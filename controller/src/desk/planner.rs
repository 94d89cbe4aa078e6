//! Plans requests one after the other, while the disk is busy with those before, and gathers what is committed together.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::{mpsc, oneshot};
use tracing::debug;
use weft_model::intent::{Context, Settings, plan_each};
use weft_model::{Change, Key, Revision, Snapshot};

use super::{Committed, Request, WriteError};
use crate::clock;

/// How many requests are taken from the queue at once, and are planned before the disk is looked after.
const GROUP: usize = 64;
/// From how many changed records on a lot takes no further requests; well below the store's limit.
const LOT: usize = 2048;

/// What is committed together, as one revision.
#[derive(Debug)]
pub(super) struct Lot {
    /// The revision that it makes, unless nothing changes.
    pub(super) revision: Revision,
    /// The state after it.
    pub(super) snapshot: Snapshot,
    /// What changes, one change per key.
    pub(super) changes: BTreeMap<Key, Change>,
    /// Who waits for it.
    pub(super) planned: Vec<Planned>,
}

/// A request that was planned and waits for the disk.
#[derive(Debug)]
pub(super) struct Planned {
    /// The keys that it touched, or why it was refused: a refusal, too, rests on what came before it, and whoever gets
    /// it must find that durable and published.
    pub(super) outcome: Result<Vec<Key>, WriteError>,
    pub(super) reply: oneshot::Sender<Result<Committed, WriteError>>,
}

/// The state as everything planned so far leaves it, and the lot that is being gathered.
pub(super) struct Planner {
    /// Its revision is that of the last lot handed over: everything in a lot becomes one revision, so all its plans
    /// start from the same number.
    working: Snapshot,
    settings: Settings,
    changes: BTreeMap<Key, Change>,
    planned: Vec<Planned>,
    /// Requests that came when the lot was full.
    waiting: VecDeque<Request>,
    lots: mpsc::Sender<Lot>,
    idle: mpsc::Receiver<()>,
    is_idle: bool,
}

impl Planner {
    /// Nothing planned yet. The other end of `lots` says into `idle` when it could take the next one.
    pub(super) fn new(
        loaded: Snapshot,
        settings: Settings,
        (lots, idle): (mpsc::Sender<Lot>, mpsc::Receiver<()>),
    ) -> Planner {
        let (changes, planned, waiting) = (BTreeMap::new(), Vec::new(), VecDeque::new());
        Planner { working: loaded, settings, changes, planned, waiting, lots, idle, is_idle: true }
    }

    /// Plans until all who could ask are gone, or the disk is, because a commit failed.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Request>) {
        let mut group = Vec::new();
        loop {
            self.plan_waiting();
            if self.is_idle && !self.planned.is_empty() {
                let lot = self.take_lot();
                if self.lots.send(lot).await.is_err() {
                    break;
                }
                self.is_idle = false;
                continue;
            }
            let may_take = self.waiting.is_empty() && !self.is_full();
            tokio::select! {
                biased;
                done = self.idle.recv() => match done {
                    Some(()) => self.is_idle = true,
                    None => break,
                },
                count = inbox.recv_many(&mut group, GROUP), if may_take => {
                    if count == 0 && self.planned.is_empty() {
                        break;
                    }
                    self.waiting.extend(group.drain(..));
                    if count == 0 && self.idle.recv().await.is_some() {
                        self.is_idle = true;
                    }
                }
            }
        }
        debug!("planner stopped");
    }

    fn is_full(&self) -> bool {
        self.changes.len() >= LOT
    }

    /// Plans what waits on top of everything before it, as far as the lot has room.
    fn plan_waiting(&mut self) {
        let context = Context { now: clock::now(), settings: self.settings };
        while !self.is_full()
            && let Some(Request { actor, intents, reply }) = self.waiting.pop_front()
        {
            let outcome = match plan_each(&self.working, &actor, &intents, &context) {
                Err(refusal) => Err(WriteError::refused(refusal, intents.len())),
                Ok(plan) => {
                    let revision = self.working.revision();
                    self.working = plan.snapshot;
                    self.working.apply(revision, &[]);
                    self.changes.extend(plan.changes.into_iter().map(|change| (change.key(), change)));
                    Ok(plan.touched)
                }
            };
            self.planned.push(Planned { outcome, reply });
        }
    }

    fn take_lot(&mut self) -> Lot {
        let changes = std::mem::take(&mut self.changes);
        let before = self.working.revision();
        let revision = if changes.is_empty() { before } else { Revision(before.0 + 1) };
        self.working.apply(revision, &[]);
        let planned = std::mem::take(&mut self.planned);
        Lot { revision, snapshot: self.working.clone(), changes, planned }
    }
}
