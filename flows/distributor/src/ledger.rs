//! The distributor itself: which scopes exist, who subscribes to them, and what every switch must be sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weft_compiler::{Compiled, Delta, Impact, Owner, Scope, differences, impact, read_back, subscriptions};
use weft_model::{HostIndex, Key, Revision, Snapshot};

use crate::edition::Edition;
use crate::parcel::{Parcel, ParcelSize, Press};
use crate::switch::{Answer, Installed, ReadBack, ReadId, SessionId, Switch, Transmit};

/// What can be tuned.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Time between two audits of a connected switch.
    pub audit_interval: Duration,
}

/// Work done since the start, for tests that hold the cost of a change against its size, and for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Owners compiled.
    pub owners_compiled: u64,
    /// Flow and group messages encoded (once each, however many switches get them).
    pub messages_encoded: u64,
    /// Parcels handed to switches.
    pub parcels_queued: u64,
    /// Read-backs compared.
    pub read_backs: u64,
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

/// How many differences are put into words.
const DIFFERENCES_SHOWN: usize = 10;
/// How many findings may wait to be asked for; the oldest go first.
const DRIFTS: usize = 64;

/// The pure machine that keeps every switch at what it should have.
#[derive(Debug)]
pub struct Distributor {
    tuning: Tuning,
    snapshot: Snapshot,
    editions: BTreeMap<Scope, Edition>,
    subscribers: BTreeMap<Scope, BTreeSet<HostIndex>>,
    switches: BTreeMap<HostIndex, Switch>,
    /// Switches that may have something to send.
    ready: BTreeSet<HostIndex>,
    /// When a switch wants attention without being told anything.
    timers: BTreeSet<(Instant, HostIndex)>,
    /// Switches whose report may have changed.
    changed: BTreeSet<HostIndex>,
    /// What audits found and nobody has asked for yet.
    drifts: VecDeque<Drift>,
    press: Press,
    work: Work,
}

impl Distributor {
    /// A distributor of the state that was loaded. Nothing is compiled until a switch connects.
    pub fn new(snapshot: Snapshot, tuning: Tuning) -> Distributor {
        let mut distributor = Distributor {
            tuning,
            snapshot,
            editions: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            switches: BTreeMap::new(),
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            changed: BTreeSet::new(),
            drifts: VecDeque::new(),
            press: Press::default(),
            work: Work::default(),
        };
        let hosts: Vec<HostIndex> = distributor.snapshot.hosts().map(|host| host.index).collect();
        for host in hosts {
            distributor.subscribe(host);
            // What it had confirmed before the start is not known.
            distributor.owe(&[host], Revision(0));
        }
        distributor
    }

    /// The state that it distributes.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// A commit: `touched` names every record in which `snapshot` differs from the state before. Returns what it
    /// concerned; tunnels of the hosts in it may have changed.
    pub fn handle_commit(&mut self, snapshot: Snapshot, touched: &BTreeSet<Key>) -> Impact {
        let concerned = impact(&self.snapshot, &snapshot, touched);
        self.snapshot = snapshot;
        let mut by_scope: BTreeMap<Scope, Vec<Owner>> = BTreeMap::new();
        for owner in &concerned.owners {
            by_scope.entry(owner.scope()).or_default().push(*owner);
        }
        // A port's own host goes before the others: its scope is host-local.
        for (scope, owners) in by_scope.iter().rev() {
            self.publish(*scope, owners);
        }
        for host in &concerned.subscribers {
            self.subscribe(*host);
        }
        concerned
    }

    /// A switch has connected (or connected anew; the session before is over).
    pub fn handle_connected(&mut self, host: HostIndex, session: SessionId) {
        let revision = self.snapshot.revision();
        let switch = self.switches.entry(host).or_insert_with(|| Switch::unseen(host));
        switch.connect(session, revision);
        self.attend(host);
    }

    /// A session is over.
    pub fn handle_disconnected(&mut self, host: HostIndex, session: SessionId) {
        let Some(switch) = self.switches.get_mut(&host).filter(|s| s.is_session(session)) else { return };
        switch.disconnect();
        self.changed.insert(host);
        if self.snapshot.host_by_index(host).is_none() {
            self.forget(host);
        }
    }

    /// A switch's tables, as asked for by [`Transmit::Read`].
    pub fn handle_installed(&mut self, from: ReadFrom, installed: Installed, now: Instant) {
        let ReadFrom { host, session, read } = from;
        let Some(switch) = self.switches.get_mut(&host).filter(|s| s.is_session(session)) else { return };
        let purpose = switch.read_back(read, now, self.tuning.audit_interval);
        let (picky, scopes) = (switch.is_picky(), Vec::from_iter(switch.subscriptions.iter().copied()));
        self.attend(host);
        if purpose == ReadBack::Useless {
            return;
        }
        self.work.read_backs += 1;
        for scope in &scopes {
            self.edition(*scope);
        }
        let wanted = scopes.iter().filter_map(|scope| self.editions.get(scope)).flat_map(Edition::compiled);
        let delta = read_back(wanted, installed.flows, installed.groups);
        let size = if picky { ParcelSize::Small } else { ParcelSize::Full };
        let parcels = self.print(std::slice::from_ref(&delta), size);
        let revision = self.snapshot.revision();
        let Some(switch) = self.switches.get_mut(&host) else { return };
        if purpose == ReadBack::Audit {
            switch.audits += 1;
            switch.drift_repaired += delta.len() as u64;
            if !delta.is_empty() {
                let first = differences(&delta, DIFFERENCES_SHOWN);
                self.drifts.truncate(DRIFTS - 1);
                self.drifts.push_front(Drift { host, found: delta.len(), first });
            }
        }
        switch.repair(&parcels, revision);
        self.work.parcels_queued += parcels.len() as u64;
    }

    /// A switch told that somebody else changed its tables: an audit comes as soon as one may.
    pub fn handle_suspicion(&mut self, host: HostIndex, session: SessionId, now: Instant) {
        let Some(switch) = self.switches.get_mut(&host).filter(|s| s.is_session(session)) else { return };
        switch.suspect(now);
        self.attend(host);
    }

    /// A switch's answer to something that it was sent.
    pub fn handle_answer(&mut self, host: HostIndex, session: SessionId, answer: Answer, now: Instant) {
        let Some(switch) = self.switches.get_mut(&host).filter(|s| s.is_session(session)) else { return };
        switch.answer(answer, now);
        self.attend(host);
    }

    /// Time has passed: audits and second attempts may be due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((time, host)) = self.timers.first().copied().filter(|(time, _)| *time <= now) {
            self.timers.remove(&(time, host));
            self.ready.insert(host);
        }
    }

    /// When [`Distributor::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// The next thing that a session must do.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        while let Some(host) = self.ready.pop_first() {
            let Some(switch) = self.switches.get_mut(&host) else { continue };
            let transmit = switch.poll(now);
            if let Some(time) = switch.poll_timeout(now) {
                self.timers.insert((time, host));
            }
            if transmit.is_some() {
                self.changed.insert(host);
                return transmit;
            }
        }
        None
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
        let switch = self.switches.get(&host)?;
        Some(Report {
            connected: switch.is_connected(),
            owed: switch.owed(),
            flows: switch.flows,
            messages_sent: switch.messages_sent,
            audits: switch.audits,
            drift_repaired: switch.drift_repaired,
            refusal: switch.refusal.clone(),
        })
    }

    /// Work done since the start.
    pub fn work(&self) -> Work {
        self.work
    }

    /// Everything that a host's switch should have, owner by owner; compiled if nobody asked before.
    pub fn wanted(&mut self, host: HostIndex) -> Vec<(Owner, Compiled)> {
        let scopes = subscriptions(host, &self.snapshot);
        for scope in &scopes {
            self.edition(*scope);
        }
        let editions = scopes.iter().filter_map(|scope| self.editions.get(scope));
        editions.flat_map(|edition| edition.owners().iter().map(|(owner, c)| (*owner, c.clone()))).collect()
    }
}

impl Distributor {
    /// Compiles the owners of a scope anew and gives what changed to everyone who has the scope.
    fn publish(&mut self, scope: Scope, owners: &[Owner]) {
        let revision = self.snapshot.revision();
        let hosts: Vec<HostIndex> = self.subscribers.get(&scope).into_iter().flatten().copied().collect();
        let Some(edition) = self.editions.get_mut(&scope) else {
            // Nobody connected has it; those who are away will be compared with the newest state when they are back.
            self.owe(&hosts, revision);
            return;
        };
        let had = edition.flow_count();
        let deltas: Vec<Delta> =
            owners.iter().map(|owner| edition.recompile(*owner, &self.snapshot)).collect();
        let has = edition.flow_count();
        self.work.owners_compiled += owners.len() as u64;
        let parcels = self.print(&deltas, ParcelSize::Full);
        if parcels.is_empty() {
            return;
        }
        for host in hosts {
            if let Some(switch) = self.switches.get_mut(&host) {
                switch.flows = switch.flows + has - had;
            }
            self.queue(host, &parcels, revision);
        }
    }

    /// Brings a host's subscriptions to what the snapshot says.
    fn subscribe(&mut self, host: HostIndex) {
        let wanted = subscriptions(host, &self.snapshot);
        let had = self.switches.get(&host).map(|switch| switch.subscriptions.clone()).unwrap_or_default();
        let switch = self.switches.entry(host).or_insert_with(|| Switch::unseen(host));
        switch.subscriptions = wanted.clone();
        let (connected, revision) = (switch.is_connected(), self.snapshot.revision());
        for scope in had.difference(&wanted) {
            let removal = match self.editions.get(scope) {
                Some(edition) if connected => edition.removal(&mut self.press),
                _ => Vec::new(),
            };
            self.deliver(host, &removal, revision);
            self.count(host, -self.flows_of(*scope));
            self.leave(*scope, host);
        }
        for scope in wanted.difference(&had) {
            self.count(host, self.flows_of(*scope));
            self.subscribers.entry(*scope).or_default().insert(host);
            let full = if connected { self.full(*scope) } else { Vec::new() };
            self.deliver(host, &full, revision);
        }
        self.changed.insert(host);
        if !connected && self.snapshot.host_by_index(host).is_none() {
            self.forget(host);
        }
    }

    /// Queues what a change of subscriptions brings; a switch that is away owes it all the same.
    fn deliver(&mut self, host: HostIndex, parcels: &[Arc<Parcel>], revision: Revision) {
        if parcels.is_empty() {
            self.owe(&[host], revision);
        } else {
            self.queue(host, parcels, revision);
        }
    }

    fn owe(&mut self, hosts: &[HostIndex], revision: Revision) {
        for host in hosts {
            let Some(switch) = self.switches.get_mut(host) else { continue };
            switch.owe(revision);
            switch.update_owed();
            self.changed.insert(*host);
        }
    }

    fn queue(&mut self, host: HostIndex, parcels: &[Arc<Parcel>], revision: Revision) {
        let Some(switch) = self.switches.get_mut(&host) else { return };
        switch.enqueue(parcels, revision);
        self.work.parcels_queued += parcels.len() as u64;
        self.attend(host);
    }

    fn attend(&mut self, host: HostIndex) {
        self.ready.insert(host);
        self.changed.insert(host);
    }

    fn print(&mut self, deltas: &[Delta], size: ParcelSize) -> Vec<Arc<Parcel>> {
        let parcels = self.press.print(deltas, size);
        self.work.messages_encoded += parcels.iter().map(|p| p.messages as u64).sum::<u64>();
        parcels
    }

    /// Compiles the scope from scratch if nobody needed it before.
    fn edition(&mut self, scope: Scope) {
        if self.editions.contains_key(&scope) {
            return;
        }
        let edition = Edition::from_scratch(scope, &self.snapshot);
        self.work.owners_compiled += edition.owners().len() as u64;
        let hosts: Vec<HostIndex> = self.subscribers.get(&scope).into_iter().flatten().copied().collect();
        self.editions.insert(scope, edition);
        hosts.into_iter().for_each(|host| self.count(host, self.flows_of(scope)));
    }

    fn flows_of(&self, scope: Scope) -> isize {
        self.editions.get(&scope).map_or(0, |edition| edition.flow_count().cast_signed())
    }

    /// Keeps the number of flows that a switch should have, so that reporting it costs nothing.
    fn count(&mut self, host: HostIndex, flows: isize) {
        if let Some(switch) = self.switches.get_mut(&host) {
            switch.flows = switch.flows.saturating_add_signed(flows);
        }
    }

    fn full(&mut self, scope: Scope) -> Vec<Arc<Parcel>> {
        self.edition(scope);
        let Some(edition) = self.editions.get_mut(&scope) else { return Vec::new() };
        edition.full(&mut self.press)
    }

    fn leave(&mut self, scope: Scope, host: HostIndex) {
        let Some(hosts) = self.subscribers.get_mut(&scope) else { return };
        hosts.remove(&host);
        if hosts.is_empty() {
            self.subscribers.remove(&scope);
            self.editions.remove(&scope);
        }
    }

    /// Drops what is kept of a host that is neither known nor connected.
    fn forget(&mut self, host: HostIndex) {
        if let Some(switch) = self.switches.remove(&host) {
            for scope in switch.subscriptions {
                self.leave(scope, host);
            }
        }
        self.ready.remove(&host);
        self.timers.retain(|(_, other)| *other != host);
    }
}
