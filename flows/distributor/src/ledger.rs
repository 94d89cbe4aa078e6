//! The distributor itself: which scopes exist, who subscribes to them, and what every switch must be sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weft_compiler::{Compiled, Impact, Owner, Scope, compile, impact, owners, subscriptions};
use weft_model::{HostIndex, Key, Revision, Snapshot};

use crate::compare::Arrived;
use crate::edition::Scopes;
use crate::late::LateId;
use crate::parcel::Press;
use crate::pending::{Class, Mark, Pending};
use crate::reads::Reads;
use crate::roster::Roster;
use crate::shelf::Shelf;
use crate::switch::{Answer, Installed, Limits, ReadId, SessionId, Transmit, Wish};

/// What can be tuned.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// The least time between two audits of a connected switch.
    pub audit_interval: Duration,
    /// The share of one core that audits may take.
    pub audit_share: f64,
    /// How many switches' tables may be read at the same time.
    pub reads: usize,
    /// How many bytes of encoded full state are kept for newcomers.
    pub shelf_bytes: usize,
    /// How many owners are distributed before another tenant has its turn.
    pub slice: usize,
    /// What may wait for a switch.
    pub limits: Limits,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            audit_interval: Duration::from_secs(60),
            audit_share: 0.02,
            reads: 32,
            shelf_bytes: 512 << 20,
            slice: 512,
            limits: Limits::default(),
        }
    }
}

/// Work done since the start, for tests that hold the cost of a change against its size, and for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Owners compiled; one that changed is compiled as it was and as it is, and counts once.
    pub owners_compiled: u64,
    /// Flow and group messages encoded (once each, however many switches get them).
    pub messages_encoded: u64,
    /// Bytes encoded, likewise.
    pub bytes_encoded: u64,
    /// Parcels handed to switches.
    pub parcels_queued: u64,
    /// Read-backs compared.
    pub read_backs: u64,
    /// Times that a switch was looked at because of a change.
    pub hosts_visited: u64,
    /// Times that a scope was looked at because of a change or a read-back.
    pub scopes_visited: u64,
    /// Scopes compiled from scratch to see whether what was kept change by change is the same.
    pub self_checks: u64,
    /// Self-checks that found a difference.
    pub self_checks_failed: u64,
}

/// Which reading of which switch's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadFrom {
    /// Whose tables.
    pub host: HostIndex,
    /// On which connection they were read.
    pub session: SessionId,
    /// Which reading it is.
    pub read: ReadId,
}

/// What is known about one switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// It has a session.
    pub connected: bool,
    /// The oldest revision that it has not confirmed.
    pub owed: Option<Revision>,
    /// How many flows it should have.
    pub flows: usize,
    /// Flow and group messages sent to it.
    pub messages_sent: u64,
    /// Audits whose reading could be compared.
    pub audits: u64,
    /// Differences that audits put right.
    pub drift_repaired: u64,
    /// How often a scope that it has was not what compiling from scratch gives.
    pub self_check_failed: u64,
    /// What it last refused, until it takes everything again.
    pub refusal: Option<String>,
}

/// What an audit found different on a switch; it is being put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Whose switch.
    pub host: HostIndex,
    /// How many flows and groups differed.
    pub found: usize,
    /// The first of them in words.
    pub first: Vec<String>,
}

/// A piece of work that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked {
    /// Changes were handed out.
    Change,
    /// A read-back was compared that a switch could not go on without.
    Resync,
    /// A regular audit was made; [`Distributor::handle_audit_cost`] wants to know how long it took in all.
    Audit {
        /// How long reading took.
        reading: Duration,
    },
}

/// The pure machine that keeps every switch at what it should have.
#[derive(Debug)]
pub struct Distributor {
    pub(crate) tuning: Tuning,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) scopes: Scopes,
    pub(crate) shelf: Shelf,
    pub(crate) pending: Pending,
    pub(crate) switches: Roster,
    pub(crate) reads: Reads,
    /// Tables that were read and wait to be compared; no more than are read at a time.
    pub(crate) arrived: VecDeque<Arrived>,
    /// Slices handed out since a read-back was compared.
    slices_in_a_row: u32,
    /// Switches that may have something to send, in turn.
    ready: VecDeque<HostIndex>,
    /// When a switch wants attention without being told anything; may name one that does not any more.
    timers: BTreeSet<(Instant, HostIndex)>,
    /// Switches whose report may have changed.
    pub(crate) changed: BTreeSet<HostIndex>,
    /// What audits found and nobody has asked for yet.
    pub(crate) drifts: VecDeque<Drift>,
    pub(crate) next_late: LateId,
    pub(crate) press: Press,
    pub(crate) work: Work,
}

/// How many slices are handed out before a read-back that waits is compared.
const SLICES_IN_A_ROW: u32 = 4;

impl Distributor {
    /// A distributor of the state that was loaded. Nothing is compiled until a switch connects.
    pub fn new(snapshot: Snapshot, tuning: Tuning) -> Distributor {
        let (scopes, arrived, ready, timers, changed, drifts) = Default::default();
        let mut distributor = Distributor {
            tuning,
            snapshot: Arc::new(snapshot),
            scopes,
            shelf: Shelf::new(tuning.shelf_bytes),
            pending: Pending::default(),
            switches: Roster::new(tuning.limits),
            reads: Reads::new(tuning.reads, tuning.audit_share),
            arrived,
            slices_in_a_row: 0,
            ready,
            timers,
            changed,
            drifts,
            next_late: LateId(0),
            press: Press::default(),
            work: Work::default(),
        };
        distributor.enter_all();
        distributor
    }

    /// Subscribes every host. What it had confirmed before the start is not known.
    fn enter_all(&mut self) {
        let snapshot = self.snapshot.clone();
        for host in snapshot.hosts() {
            let switch = self.switches.enter(host.index);
            switch.owe(Revision(0));
            switch.subscriptions = subscriptions(host.index, &snapshot);
            for scope in &switch.subscriptions {
                self.scopes.enter(*scope).hosts.insert(host.index);
            }
            self.changed.insert(host.index);
        }
    }

    /// The newest state.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Up to which revision everything was handed to the switches concerned.
    pub fn distributed(&self) -> Revision {
        self.pending.oldest().map_or(self.snapshot.revision(), |oldest| Revision(oldest.0.saturating_sub(1)))
    }

    /// A commit: `touched` names every record in which `snapshot` differs from the state before. Returns what it
    /// concerned; tunnels of the hosts in it may have changed. Distributing it is up to [`Distributor::work`].
    pub fn handle_commit(&mut self, snapshot: Snapshot, touched: &BTreeSet<Key>) -> Impact {
        let base = std::mem::replace(&mut self.snapshot, Arc::new(snapshot));
        let concerned = impact(&base, &self.snapshot, touched);
        let since = Revision(base.revision().0 + 1);
        // Scopes stand in order, hosts' own after networks': so a port's own host goes before the others.
        let mut by_scope: BTreeMap<Scope, Vec<Owner>> = BTreeMap::new();
        for owner in &concerned.owners {
            by_scope.entry(owner.scope()).or_default().push(*owner);
        }
        for owner in by_scope.values().rev().flatten() {
            let class = self.class(*owner, &base);
            self.pending.mark(*owner, Mark { base: &base, since, class: &class });
        }
        for (host, scope) in concerned.began.iter().chain(&concerned.ended) {
            let class = match scope {
                Scope::Network(vni) => self.class(Owner::Network(*vni), &base),
                Scope::Router(key) => self.class(Owner::Router(*key), &base),
                Scope::Policy(policy) => self.class(Owner::Policy(*policy), &base),
                Scope::Host(_) => None,
            };
            self.pending.mark_member(*scope, *host, Mark { base: &base, since, class: &class });
        }
        concerned
    }

    /// The tenant whose change it is.
    fn class(&self, owner: Owner, base: &Snapshot) -> Class {
        let tenant = |snapshot: &Snapshot| {
            if let Owner::Policy(key) = owner {
                let group = *snapshot.policy(key)?.groups.first()?;
                return Some(snapshot.security_group(&group)?.tenant.clone());
            }
            let network = match (owner, owner.scope()) {
                (Owner::Router(key) | Owner::Gateway(_, key), _) => {
                    return Some(snapshot.router_by_key(key)?.tenant.clone());
                }
                // The external network is the operator's, and its port may be.
                (Owner::Floating(_, key), _) => {
                    let id = snapshot.port_by_key(key)?.floating_ip()?;
                    return Some(snapshot.floating_ip(&id)?.tenant.clone());
                }
                (Owner::LocalPort(_, key) | Owner::Interface(_, key), _) => {
                    snapshot.network(&snapshot.port_by_key(key)?.network)?
                }
                (Owner::LocalFlood(_, vni), _) | (_, Scope::Network(vni)) => snapshot.network_by_vni(vni)?,
                _ => return None,
            };
            Some(network.tenant.clone())
        };
        tenant(&self.snapshot).or_else(|| tenant(base))
    }

    /// A switch has connected (or connected anew; the session before is over).
    pub fn handle_connected(&mut self, host: HostIndex, session: SessionId) {
        self.reads.release(host, None);
        self.switches.enter(host).connect(session, self.snapshot.revision());
        self.note_left(host);
        self.attend(host);
    }

    /// A session is over.
    pub fn handle_disconnected(&mut self, host: HostIndex, session: SessionId) {
        let Some(switch) = self.switches.get_mut(host).filter(|s| s.is_session(session)) else { return };
        switch.disconnect();
        self.reads.release(host, Some(session));
        self.note_left(host);
        self.changed.insert(host);
        self.forget_if_gone(host);
    }

    /// A switch's tables, as asked for by [`Transmit::Read`]; [`Distributor::work`] compares them. `reading` is how long it
    /// took to make that of the switch's answers.
    pub fn handle_installed(&mut self, from: ReadFrom, installed: Installed, reading: Duration) {
        self.arrived.push_back(Arrived { from, installed, reading });
    }

    /// A switch told that somebody else changed its tables: an audit comes as soon as one may.
    pub fn handle_suspicion(&mut self, host: HostIndex, session: SessionId, now: Instant) {
        let Some(switch) = self.switches.get_mut(host).filter(|s| s.is_session(session)) else { return };
        switch.suspect(now);
        self.attend(host);
    }

    /// A switch's answer to something that it was sent.
    pub fn handle_answer(&mut self, host: HostIndex, session: SessionId, answer: Answer, now: Instant) {
        let Some(switch) = self.switches.get_mut(host).filter(|s| s.is_session(session)) else { return };
        switch.answer(answer, now);
        self.note_left(host);
        self.attend(host);
    }

    /// How long the last audit took.
    pub fn handle_audit_cost(&mut self, cost: Duration, now: Instant) {
        self.reads.spent(cost, now);
    }

    /// Time has passed: audits and second attempts may be due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((time, host)) = self.timers.first().copied().filter(|(time, _)| *time <= now) {
            self.timers.remove(&(time, host));
            self.make_ready(host);
        }
    }

    /// When [`Distributor::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(time, _)| *time).into_iter().chain(self.reads.poll_timeout()).min()
    }

    /// True while there is something for [`Distributor::work`].
    pub fn has_work(&self) -> bool {
        !self.pending.is_empty() || !self.arrived.is_empty()
    }

    /// Does one bounded piece of work, if there is any: hands out a slice of what changed, or compares one read-back.
    pub fn work(&mut self, now: Instant) -> Option<Worked> {
        if (self.slices_in_a_row < SLICES_IN_A_ROW || self.arrived.is_empty())
            && let Some(slice) = self.pending.next(self.tuning.slice)
        {
            self.slices_in_a_row += 1;
            self.publish(slice);
            return Some(Worked::Change);
        }
        self.slices_in_a_row = 0;
        let arrived = self.arrived.pop_front()?;
        Some(self.compare(arrived, now))
    }

    /// The next thing that a session must do.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        loop {
            let next = self.ready.pop_front();
            let host = next.or_else(|| self.reads.next(now))?;
            let Some(switch) = self.switches.get_mut(host) else { continue };
            switch.is_ready &= next.is_none();
            let wish = switch.poll(now);
            if let Some(time) = switch.poll_timeout(now) {
                self.timers.insert((time, host));
            }
            match wish {
                None => {}
                Some(Wish::Send(transmit)) => {
                    let is_late = switch.load().1 > 0;
                    self.changed.insert(host);
                    if is_late {
                        self.make_ready(host);
                    }
                    return Some(transmit);
                }
                Some(Wish::CatchUp(scope, group)) => {
                    self.catch_up(host, scope, group);
                    self.make_ready(host);
                }
                Some(Wish::Read(why)) => {
                    let Some(session) = switch.session() else { continue };
                    if self.reads.admit(host, session, why, now) {
                        self.changed.insert(host);
                        return switch.begin_read();
                    }
                }
            }
        }
    }

    /// The next switch whose report may have changed.
    pub fn poll_changed(&mut self) -> Option<HostIndex> {
        self.changed.pop_first()
    }

    /// What an audit found different, the oldest finding first.
    pub fn poll_drift(&mut self) -> Option<Drift> {
        self.drifts.pop_back()
    }

    /// What is known about a switch.
    pub fn report(&self, host: HostIndex) -> Option<Report> {
        let switch = self.switches.get(host)?;
        Some(Report {
            connected: switch.is_connected(),
            owed: switch.owed(),
            flows: switch.flows,
            messages_sent: switch.messages_sent,
            audits: switch.audits,
            drift_repaired: switch.drift_repaired,
            self_check_failed: switch.self_check_failed,
            refusal: switch.refusal.clone(),
        })
    }

    /// Work done since the start.
    pub fn work_done(&self) -> Work {
        self.work
    }

    /// How many bytes of encoded full state are kept for newcomers.
    pub fn shelf_bytes(&self) -> usize {
        self.shelf.bytes()
    }

    /// How many parcels wait for a switch or are unanswered, and how many scopes it is late with.
    pub fn load(&self, host: HostIndex) -> (usize, usize) {
        self.switches.get(host).map_or((0, 0), |switch| switch.load())
    }

    /// Everything that a host's switch should have, owner by owner, compiled now.
    pub fn wanted(&self, host: HostIndex) -> Vec<(Owner, Compiled)> {
        let scopes = subscriptions(host, &self.snapshot);
        let all = scopes.into_iter().flat_map(|scope| owners(scope, &self.snapshot));
        all.map(|owner| (owner, compile(owner, &self.snapshot))).collect()
    }

    /// The switch may have something to send, and its report may have changed.
    pub(crate) fn attend(&mut self, host: HostIndex) {
        self.make_ready(host);
        self.changed.insert(host);
    }

    fn make_ready(&mut self, host: HostIndex) {
        let Some(switch) = self.switches.get_mut(host) else { return };
        if !std::mem::replace(&mut switch.is_ready, true) {
            self.ready.push_back(host);
        }
    }

    /// Drops what is kept of a host that is neither known nor connected.
    pub(crate) fn forget_if_gone(&mut self, host: HostIndex) {
        let is_connected = self.switches.get(host).is_some_and(|switch| switch.is_connected());
        if is_connected || self.snapshot.host_by_index(host).is_some() {
            return;
        }
        let switch = self.switches.remove(host);
        for scope in switch.into_iter().flat_map(|switch| switch.subscriptions) {
            self.leave(scope, host);
        }
    }
}
