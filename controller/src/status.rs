//! What is known about switches, for everyone who asks: REST, metrics, `applied` waiters.
//!
//! The engine is the only writer; readers get the newest state and may wait for it to change. Maps are persistent, so
//! publishing after a change copies only what changed.

mod tunnels;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rpds::RedBlackTreeMapSync;
use tokio::sync::watch;
use weft_model::{HostId, HostIndex, PhysnetKey, PortId, Revision, Snapshot, Timestamp};

pub use self::tunnels::{TunnelNews, TunnelState, Tunnels};

/// What is known about one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostStatus {
    /// Its `ovsdb-server` has a session with us.
    pub ovsdb_connected: bool,
    /// Its integration bridge has a session with us.
    pub openflow_connected: bool,
    /// Every change up to this revision that concerns the host is confirmed by its switch and its OVSDB; 0 while the
    /// host has not been seen since the controller started.
    pub confirmed: Revision,
    /// How many flows it is meant to have.
    pub flows: usize,
    /// Its tunnels as they stand in its OVSDB.
    pub tunnels: Tunnels,
    /// What its OVSDB session found that needs a person's attention.
    pub findings: Vec<String>,
    /// The physical networks that it needs and does not reach.
    pub missing: BTreeSet<PhysnetKey>,
    /// The fault of its switch that ended the last OpenFlow session, until the switch is in order again.
    pub fault: Option<String>,
    /// What its switch has refused.
    pub refusal: Option<String>,
    /// What is wrong with it by its own state: it is connected only by half, or has owed something for long.
    pub ailments: Arc<[String]>,
    /// Flows and groups that were put right because they differed from what is wanted.
    pub drift_repaired: u64,
    /// What the auditor knows.
    pub audit: AuditStatus,
    /// Flow and group messages sent to it since the controller started.
    pub flow_messages_sent: u64,
}

impl HostStatus {
    /// What its sessions found that needs a person's attention, in words.
    pub fn problems(&self) -> Vec<String> {
        let fault = self.fault.iter().map(|fault| format!("OpenFlow session ended: {fault}"));
        let refusal = self.refusal.iter().map(|error| format!("switch refused a flow or group: {error}"));
        fault.chain(refusal).chain(self.findings.iter().cloned()).collect()
    }
}

/// What comparing a switch with what is wanted has shown since the controller started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditStatus {
    /// When it was last compared while nothing else was under way.
    pub last: Option<Timestamp>,
    /// How often that was.
    pub audits: u64,
    /// The first differences that the last audit with any found, in words.
    pub last_difference: Arc<[String]>,
    /// How often what was kept up to date change by change was not what compiling from scratch gives.
    pub self_check_failed: u64,
    /// Its switch tells of changes that others make.
    pub monitored: bool,
}

/// How far a revision has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedReport {
    /// The largest revision that every concerned switch has confirmed.
    pub revision: Revision,
    /// Whether the revision that was asked for is in force everywhere.
    pub applied: bool,
    /// The hosts that have not confirmed it.
    pub pending: Vec<HostId>,
}

/// What of a host changes all the time, shared between the engine and everyone who asks.
///
/// The engine writes what a host owes before it publishes that the revision is distributed, so whoever sees the latter sees
/// the former.
#[derive(Debug)]
pub struct Pulse {
    /// The host's number.
    pub index: HostIndex,
    /// The oldest revision that it owes; the largest number if it owes nothing.
    owed: AtomicU64,
    flows: AtomicU64,
    messages: AtomicU64,
}

/// Stands for no revision.
const NOTHING: u64 = u64::MAX;

impl Pulse {
    /// A host that owes nothing.
    pub fn new(index: HostIndex) -> Pulse {
        Pulse { index, owed: AtomicU64::new(NOTHING), flows: AtomicU64::new(0), messages: AtomicU64::new(0) }
    }

    /// Sets the oldest revision that the host owes.
    pub fn owe(&self, revision: Option<Revision>) {
        self.owed.store(revision.map_or(NOTHING, |revision| revision.0), Ordering::Release);
    }

    /// Sets how many flows the host is meant to have and how many messages it was sent.
    pub fn sent(&self, flows: usize, messages: u64) {
        self.flows.store(flows as u64, Ordering::Relaxed);
        self.messages.store(messages, Ordering::Relaxed);
    }

    /// The oldest revision that the host owes; 0 while it is not known what the host has.
    pub fn owed(&self) -> Option<Revision> {
        Some(self.owed.load(Ordering::Acquire)).filter(|owed| *owed != NOTHING).map(Revision)
    }
}

/// The state of the fleet at one moment.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// The last revision that the engine has handed to all switches concerned.
    pub distributed: Revision,
    /// The oldest revision that any host owes.
    pub oldest_owed: Option<Revision>,
    /// Whether the engine runs.
    pub started: bool,
    /// Every known host. `confirmed` and the numbers in its pulse are filled in by [`Board`].
    pub hosts: RedBlackTreeMapSync<HostId, HostStatus>,
    /// What changes all the time, of every host that was ever reported on.
    pub pulses: RedBlackTreeMapSync<HostId, Arc<Pulse>>,
}

impl Fleet {
    /// How far `revision` has got on every host, or on the one that is named. Looks at all hosts only to name those that
    /// are behind.
    pub fn applied(&self, revision: Revision, only: Option<&HostId>) -> AppliedReport {
        let applied = self.is_applied(revision, only);
        if let Some(host) = only {
            let pending = if applied { Vec::new() } else { vec![host.clone()] };
            return AppliedReport { revision: self.confirmed(host), applied, pending };
        }
        let is_behind = |pulse: &Pulse| pulse.owed().is_some_and(|owed| owed <= revision);
        let pending = match applied {
            true => Vec::new(),
            false => self.pulses.iter().filter(|(_, p)| is_behind(p)).map(|(host, _)| host.clone()).collect(),
        };
        AppliedReport { revision: self.confirmed_by_all(), applied, pending }
    }

    /// Whether `revision` is in force on every host, or on the one that is named. Costs the same however many there are.
    pub fn is_applied(&self, revision: Revision, only: Option<&HostId>) -> bool {
        only.map_or_else(|| self.confirmed_by_all(), |host| self.confirmed(host)) >= revision
    }

    /// Up to which revision all hosts have everything.
    pub fn confirmed_by_all(&self) -> Revision {
        before(self.oldest_owed, self.distributed)
    }

    /// Up to which revision a host has everything that concerns it.
    pub fn confirmed(&self, host: &HostId) -> Revision {
        before(self.pulses.get(host).and_then(|pulse| pulse.owed()), self.distributed)
    }

    /// How many hosts owe a confirmation.
    pub fn owing(&self) -> usize {
        self.pulses.values().filter(|pulse| pulse.owed().is_some()).count()
    }

    /// What is known about a host, with everything filled in.
    pub fn host(&self, id: &HostId) -> Option<HostStatus> {
        let status = HostStatus { confirmed: self.confirmed(id), ..self.hosts.get(id)?.clone() };
        let Some(pulse) = self.pulses.get(id) else { return Some(status) };
        let flows = usize::try_from(pulse.flows.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        Some(HostStatus { flows, flow_messages_sent: pulse.messages.load(Ordering::Relaxed), ..status })
    }

    /// How many flow and group messages were sent to all hosts.
    pub fn messages_sent(&self) -> u64 {
        self.pulses.values().map(|pulse| pulse.messages.load(Ordering::Relaxed)).sum()
    }
}

/// The last revision before the oldest that is owed, as far as everything is distributed.
fn before(owed: Option<Revision>, distributed: Revision) -> Revision {
    owed.map_or(distributed, |owed| Revision(owed.0.saturating_sub(1)).min(distributed))
}

/// The readers' end.
#[derive(Debug, Clone)]
pub struct Board {
    fleet: watch::Receiver<Fleet>,
}

impl Board {
    /// A board and the pen that writes on it.
    pub fn new() -> (watch::Sender<Fleet>, Board) {
        let (pen, fleet) = watch::channel(Fleet::default());
        (pen, Board { fleet })
    }

    /// The fleet as it is now.
    pub fn fleet(&self) -> Fleet {
        self.fleet.borrow().clone()
    }

    /// Every known host.
    pub fn hosts(&self) -> Arc<BTreeMap<HostId, HostStatus>> {
        let fleet = self.fleet();
        let complete = |id: &HostId| Some((id.clone(), fleet.host(id)?));
        Arc::new(fleet.hosts.keys().filter_map(complete).collect())
    }

    /// One host.
    pub fn host(&self, id: &HostId) -> Option<HostStatus> {
        self.fleet.borrow().host(id)
    }

    /// True when the port is bound and its host has everything that concerns the binding; also the way to the physical
    /// network, if the port's network is on one.
    pub fn port_active(&self, snapshot: &Snapshot, port: PortId) -> bool {
        let Some(record) = snapshot.port(&port) else { return false };
        let Some(binding) = snapshot.binding(port) else { return false };
        let Some(network) = snapshot.network(&record.network) else { return false };
        let fleet = self.fleet.borrow();
        let misses =
            |physnet| fleet.hosts.get(&binding.host).is_some_and(|host| host.missing.contains(&physnet));
        let reaches = network.segment.is_none_or(|segment| !misses(segment.physnet));
        let carries = snapshot.host(&binding.host).is_some_and(|host| snapshot.carries(host, network));
        let confirmed = fleet.confirmed(&binding.host) >= binding.since;
        confirmed && reaches && carries && record.admin_up && network.admin_up
    }

    /// Waits until `revision` is in force on every switch concerned (or on the one that is named), or until the time is up.
    pub async fn applied(
        &self,
        revision: Revision,
        only: Option<HostId>,
        timeout: Duration,
    ) -> AppliedReport {
        let mut fleet = self.fleet.clone();
        let reached = fleet.wait_for(|fleet| fleet.is_applied(revision, only.as_ref()));
        // Time is up or the engine is gone: say how far it got.
        drop(tokio::time::timeout(timeout, reached).await);
        self.fleet.borrow().applied(revision, only.as_ref())
    }

    /// True once the engine runs.
    pub fn ready(&self) -> bool {
        self.fleet.borrow().started
    }
}
