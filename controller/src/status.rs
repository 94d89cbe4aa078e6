//! What is known about switches, for everyone who asks: REST, metrics, `applied` waiters.
//!
//! The engine is the only writer; readers get the newest state and may wait for it to change. Maps are persistent, so
//! publishing after a change copies only what changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rpds::RedBlackTreeMapSync;
use tokio::sync::watch;
use weft_model::{Encap, HostId, PortId, Revision, Snapshot, Timestamp};

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
    pub tunnels: Vec<TunnelStatus>,
    /// What needs a person's attention.
    pub problems: Vec<String>,
    /// Flows and groups that were put right because they differed from what is wanted.
    pub drift_repaired: u64,
    /// What the auditor knows.
    pub audit: AuditStatus,
    /// Flow and group messages sent to it since the controller started.
    pub flow_messages_sent: u64,
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

/// One tunnel port of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelStatus {
    /// The interface's name.
    pub name: String,
    /// Its encapsulation.
    pub encap: Encap,
    /// The host at the other end.
    pub peer: HostId,
    /// The address it sends to.
    pub remote_ip: String,
    /// The number Open vSwitch gave it; differs from the wanted one only while that is taken.
    pub ofport: Option<i64>,
    /// What Open vSwitch says is wrong with it.
    pub error: Option<String>,
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

/// The state of the fleet at one moment.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// The last revision the engine has handed to the switches concerned.
    pub distributed: Revision,
    /// Whether the engine runs.
    pub started: bool,
    /// Every known host. `confirmed` is filled in by [`Board`].
    pub hosts: RedBlackTreeMapSync<HostId, HostStatus>,
    /// For each host that owes a confirmation, the oldest revision that it owes; 0 while it is not known what the host has.
    pub owed: RedBlackTreeMapSync<HostId, Revision>,
}

impl Fleet {
    /// How far `revision` has got on every host, or on the one that is named.
    pub fn applied(&self, revision: Revision, only: Option<&HostId>) -> AppliedReport {
        if let Some(host) = only {
            let confirmed = self.confirmed(host);
            let applied = confirmed >= revision;
            let pending = if applied { Vec::new() } else { vec![host.clone()] };
            return AppliedReport { revision: confirmed, applied, pending };
        }
        let behind = self.owed.iter().filter(|(_, owed)| **owed <= revision).map(|(host, _)| host);
        let pending: Vec<HostId> = behind.cloned().collect();
        let before = |owed: &Revision| Revision(owed.0.saturating_sub(1));
        let confirmed =
            self.owed.values().map(before).min().unwrap_or(self.distributed).min(self.distributed);
        let applied = pending.is_empty() && self.distributed >= revision;
        AppliedReport { revision: confirmed, applied, pending }
    }

    /// Up to which revision a host has everything that concerns it.
    pub fn confirmed(&self, host: &HostId) -> Revision {
        self.owed.get(host).map_or(self.distributed, |owed| Revision(owed.0.saturating_sub(1)))
    }
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
        let complete = |(id, status): (&HostId, &HostStatus)| {
            (id.clone(), HostStatus { confirmed: fleet.confirmed(id), ..status.clone() })
        };
        Arc::new(fleet.hosts.iter().map(complete).collect())
    }

    /// One host.
    pub fn host(&self, id: &HostId) -> Option<HostStatus> {
        let fleet = self.fleet.borrow();
        let status = fleet.hosts.get(id)?.clone();
        Some(HostStatus { confirmed: fleet.confirmed(id), ..status })
    }

    /// True when the port is bound and its host has everything that concerns the binding.
    pub fn port_active(&self, snapshot: &Snapshot, port: PortId) -> bool {
        let Some(record) = snapshot.port(&port) else { return false };
        let Some(binding) = snapshot.binding(port) else { return false };
        let confirmed = self.fleet.borrow().confirmed(&binding.host) >= binding.since;
        confirmed
            && record.admin_up
            && snapshot.network(&record.network).is_some_and(|network| network.admin_up)
    }

    /// Waits until `revision` is in force on every switch concerned (or on the one that is named), or until the time is up.
    pub async fn applied(
        &self,
        revision: Revision,
        only: Option<HostId>,
        timeout: Duration,
    ) -> AppliedReport {
        let mut fleet = self.fleet.clone();
        let reached = fleet.wait_for(|fleet| fleet.applied(revision, only.as_ref()).applied);
        // Time is up or the engine is gone: say how far it got.
        drop(tokio::time::timeout(timeout, reached).await);
        self.fleet.borrow().applied(revision, only.as_ref())
    }

    /// True once the engine runs.
    pub fn ready(&self) -> bool {
        self.fleet.borrow().started
    }
}
