//! Writes on the board what the engine knows of hosts; it costs what changed.
//!
//! What moves with every change (what a host owes, how much it was sent) stands in numbers that the board shares, and
//! which host owes the oldest revision is kept in order, so `applied` waiters look at one number. Everything else is
//! copied only when it differs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;
use weft_distributor::Report;
use weft_model::{HostId, HostIndex, Revision, Snapshot};

use crate::clock;
use crate::status::{AuditStatus, Fleet, HostStatus, Pulse};

/// The engine's pen.
pub(super) struct Scribe {
    pub(super) fleet: Fleet,
    board: watch::Sender<Fleet>,
    known: BTreeMap<HostIndex, Known>,
    by_owed: BTreeSet<(Revision, HostIndex)>,
    is_stale: bool,
}

/// What was last written of a host.
struct Known {
    id: HostId,
    pulse: Arc<Pulse>,
    owed: Option<Revision>,
    quick: Quick,
    /// Its status has a fault: told here without looking that up.
    is_faulty: bool,
}

/// What seldom changes of a report.
#[derive(Default, PartialEq, Eq)]
struct Quick {
    connected: bool,
    audits: u64,
    drift_repaired: u64,
    self_check_failed: u64,
    refusal: Option<String>,
}

impl Scribe {
    /// A board that knows every host, and of none what it holds.
    pub(super) fn new(board: watch::Sender<Fleet>, loaded: &Snapshot) -> Scribe {
        let fleet = Fleet { distributed: loaded.revision(), started: true, ..Fleet::default() };
        let (known, by_owed) = Default::default();
        let mut scribe = Scribe { fleet, board, known, by_owed, is_stale: true };
        for host in loaded.hosts() {
            scribe.fleet.hosts.insert_mut(host.id.clone(), HostStatus::default());
            scribe.know(host.index, &host.id);
            scribe.owe(host.index, Some(Revision(0)));
        }
        scribe.publish(loaded.revision());
        scribe
    }

    /// Writes what is known of a host's switch; `owed` is the oldest revision that it or its OVSDB owes.
    pub(super) fn report(&mut self, index: HostIndex, id: &HostId, report: Report, owed: Option<Revision>) {
        if self.known.get(&index).is_none_or(|known| known.id != *id) {
            self.know(index, id);
        }
        self.owe(index, owed);
        let Some(known) = self.known.get_mut(&index) else { return };
        known.pulse.sent(report.flows, report.messages_sent);
        // A fault of the last connection is past when the switch has confirmed everything on another one.
        if known.is_faulty && report.connected && report.owed.is_none() {
            known.is_faulty = false;
            self.change(id, |status| status.fault = None);
        }
        let Some(known) = self.known.get_mut(&index) else { return };
        let Report { connected, audits, drift_repaired, self_check_failed, refusal, .. } = report;
        let quick = Quick { connected, audits, drift_repaired, self_check_failed, refusal };
        if quick == known.quick && self.fleet.hosts.contains_key(id) {
            return;
        }
        let is_audited = quick.audits > known.quick.audits;
        self.change(id, |status| {
            status.openflow_connected = quick.connected;
            status.drift_repaired = quick.drift_repaired;
            if is_audited {
                status.audit.last = Some(clock::now());
            }
            status.audit.audits = quick.audits;
            status.audit.self_check_failed = quick.self_check_failed;
            status.audit.monitored &= quick.connected;
            status.refusal = quick.refusal.clone();
        });
        if let Some(known) = self.known.get_mut(&index) {
            known.quick = quick;
        }
    }

    /// Keeps what ended a switch's connection among its host's problems until the switch is in order again.
    pub(super) fn blame(&mut self, index: HostIndex, id: &HostId, fault: &str) {
        let Some(known) = self.known.get_mut(&index).filter(|known| known.id == *id) else { return };
        known.is_faulty = true;
        self.change(id, |status| status.fault = Some(fault.to_owned()));
    }

    /// Changes what is written of a host.
    pub(super) fn change(&mut self, id: &HostId, change: impl FnOnce(&mut HostStatus)) {
        let mut status = self.fleet.hosts.get(id).cloned().unwrap_or_default();
        change(&mut status);
        self.fleet.hosts.insert_mut(id.clone(), status);
        self.is_stale = true;
    }

    /// Shows what is wrong with a host by its own state.
    pub(super) fn show(&mut self, id: &HostId, ailments: Vec<String>) {
        if self.fleet.hosts.get(id).is_none_or(|status| *status.ailments != *ailments) {
            self.change(id, |status| status.ailments = ailments.into());
        }
    }

    /// The number that a host was last reported on with.
    pub(super) fn index(&self, id: &HostId) -> Option<HostIndex> {
        self.fleet.pulses.get(id).map(|pulse| pulse.index)
    }

    /// Changes what is written of a host's audits.
    pub(super) fn change_audit(&mut self, id: &HostId, change: impl FnOnce(&mut AuditStatus)) {
        self.change(id, |status| change(&mut status.audit));
    }

    /// Drops a host that is no longer known.
    pub(super) fn forget(&mut self, id: &HostId) {
        self.fleet.hosts.remove_mut(id);
        if let Some(pulse) = self.fleet.pulses.get(id) {
            let index = pulse.index;
            self.owe(index, None);
            self.known.remove(&index);
        }
        self.fleet.pulses.remove_mut(id);
        self.is_stale = true;
    }

    /// Shows everyone the newest state, if it is news.
    pub(super) fn publish(&mut self, distributed: Revision) {
        let oldest_owed = self.by_owed.first().map(|(revision, _)| *revision);
        if !self.is_stale && (self.fleet.distributed, self.fleet.oldest_owed) == (distributed, oldest_owed) {
            return;
        }
        self.is_stale = false;
        (self.fleet.distributed, self.fleet.oldest_owed) = (distributed, oldest_owed);
        self.board.send_replace(self.fleet.clone());
    }

    fn know(&mut self, index: HostIndex, id: &HostId) {
        // A host that came back under another number, or another host under this one.
        let before = self.fleet.pulses.get(id).map(|pulse| pulse.index);
        for old in before.into_iter().chain([index]) {
            self.owe(old, None);
            self.known.remove(&old);
        }
        let pulse = Arc::new(Pulse::new(index));
        self.fleet.pulses.insert_mut(id.clone(), pulse.clone());
        self.known.insert(
            index,
            Known { id: id.clone(), pulse, owed: None, quick: Quick::default(), is_faulty: false },
        );
        self.is_stale = true;
    }

    fn owe(&mut self, index: HostIndex, owed: Option<Revision>) {
        let Some(known) = self.known.get_mut(&index).filter(|known| known.owed != owed) else { return };
        if let Some(before) = known.owed {
            self.by_owed.remove(&(before, index));
        }
        if let Some(revision) = owed {
            self.by_owed.insert((revision, index));
        }
        known.owed = owed;
        known.pulse.owe(owed);
        self.is_stale = true;
    }
}
