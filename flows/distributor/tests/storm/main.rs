//! Proves the law of the house: after every step of a random history, what a connected switch has is what compiling
//! from scratch wants, whatever was disconnected, wiped or refused on the way; and a switch that has it all is sent nothing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod fake;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use fake::{FakeSwitch, content_of};
use proptest::prelude::*;
use weft_compiler::{compile, owners, subscriptions};
use weft_distributor::{Answer, Distributor, Limits, ReadFrom, SessionId, Transmit, Tuning};
use weft_model::{HostIndex, Revision, Snapshot};
use world::{Step, World, host_id, step};

/// A machine in which everything that is rare at large happens all the time: slices of two owners, room for one parcel.
const TIGHT: Tuning = Tuning {
    audit_interval: Duration::from_secs(10),
    audit_share: 0.5,
    reads: 2,
    shelf_bytes: 4096,
    slice: 2,
    limits: Limits { window: 1, waiting: 1 },
};

fn tuning() -> impl Strategy<Value = Tuning> {
    let limits = prop_oneof![Just(Limits::default()), Just(TIGHT.limits)];
    let shelf = prop_oneof![Just(0), Just(TIGHT.shelf_bytes), Just(Tuning::default().shelf_bytes)];
    let slice = prop_oneof![Just(1usize), Just(TIGHT.slice), Just(Tuning::default().slice)];
    (limits, shelf, slice).prop_map(|(limits, shelf_bytes, slice)| Tuning {
        limits,
        shelf_bytes,
        slice,
        ..TIGHT
    })
}

/// A distributor with fake switches at the other ends of its connections.
struct Storm {
    world: World,
    distributor: Distributor,
    switches: BTreeMap<HostIndex, FakeSwitch>,
    sessions: BTreeMap<HostIndex, SessionId>,
    /// Answers under way.
    answers: VecDeque<(HostIndex, SessionId, Answer)>,
    next_session: u64,
    now: Instant,
    tuning: Tuning,
    /// How many pieces of work are done after each step; the rest waits.
    eagerness: usize,
}

impl Storm {
    fn new(tuning: Tuning) -> Storm {
        let world = World::new();
        let distributor = Distributor::new(world.snapshot.clone(), tuning);
        let (switches, sessions, answers) = Default::default();
        let (next_session, now, eagerness) = (1, Instant::now(), usize::MAX);
        Storm { world, distributor, switches, sessions, answers, next_session, now, tuning, eagerness }
    }

    /// A controller that starts anew with the state that is stored.
    fn restart(&mut self) {
        self.distributor = Distributor::new(self.world.snapshot.clone(), self.tuning);
    }

    fn index(&self, host: u8) -> Option<HostIndex> {
        self.world.snapshot.host(&host_id(host)).map(|host| host.index)
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Connect(host) => self.index(*host).into_iter().for_each(|index| self.connect(index)),
            Step::Disconnect(host) => self.index(*host).into_iter().for_each(|index| self.disconnect(index)),
            Step::Wipe(host) => {
                let Some(index) = self.index(*host) else { return };
                self.switches.insert(index, FakeSwitch::default());
                self.connect(index);
            }
            Step::Refuse { host, nth } => {
                let Some(index) = self.index(*host) else { return };
                self.switches.entry(index).or_default().refuse_in = Some(usize::from(*nth));
            }
            Step::Settle => self.settle(),
            change => {
                let touched = self.world.carry_out(change);
                self.distributor.handle_commit(self.world.snapshot.clone(), &touched);
                self.transmit();
            }
        }
    }

    fn connect(&mut self, index: HostIndex) {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        self.sessions.insert(index, session);
        self.switches.entry(index).or_default();
        self.distributor.handle_connected(index, session);
        self.transmit();
    }

    fn disconnect(&mut self, index: HostIndex) {
        if let Some(session) = self.sessions.remove(&index) {
            self.distributor.handle_disconnected(index, session);
        }
    }

    /// Sends what can be sent now. Read-backs are answered at once, bundles when the test delivers answers.
    fn transmit(&mut self) {
        for _ in 0..=self.eagerness {
            while let Some(transmit) = self.distributor.poll_transmit(self.now) {
                self.carry(transmit);
            }
            if self.distributor.work(self.now).is_none() {
                return;
            }
        }
    }

    fn carry(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::Read { host, session, read, depth } => {
                let installed = self.switches[&host].installed(depth);
                self.distributor.handle_installed(
                    ReadFrom { host, session, read },
                    installed,
                    Duration::ZERO,
                );
            }
            Transmit::Send { host, session, parcels } => {
                let switch = self.switches.get_mut(&host).unwrap();
                let said = parcels.into_iter().flat_map(|bytes| switch.receive(bytes));
                self.answers.extend(said.map(|answer| (host, session, answer)));
            }
        }
    }

    /// Delivers answers and lets time pass until nothing is left to do.
    fn settle(&mut self) {
        let eagerness = std::mem::replace(&mut self.eagerness, usize::MAX);
        self.settle_all();
        self.eagerness = eagerness;
    }

    fn settle_all(&mut self) {
        for _ in 0..5000 {
            self.transmit();
            match self.answers.pop_front() {
                Some((host, session, answer)) => {
                    self.distributor.handle_answer(host, session, answer, self.now)
                }
                None if self.owing().is_empty() => {
                    assert!(!self.distributor.has_work());
                    assert_eq!(self.distributor.distributed(), self.world.snapshot.revision());
                    assert!(self.distributor.shelf_bytes() <= self.tuning.shelf_bytes);
                    return;
                }
                None => {
                    self.now += Duration::from_secs(1);
                    self.distributor.handle_timeout(self.now);
                }
            }
        }
        panic!("does not settle; owing: {:?}", self.owing());
    }

    /// Delivers answers for a while.
    fn elapse(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.transmit();
            match self.answers.pop_front() {
                Some((host, session, answer)) => {
                    self.distributor.handle_answer(host, session, answer, self.now)
                }
                None if self.now >= end => return,
                None => {
                    self.now += Duration::from_secs(1);
                    self.distributor.handle_timeout(self.now);
                }
            }
        }
    }

    /// Connected switches that owe a confirmation.
    fn owing(&self) -> Vec<(HostIndex, Revision)> {
        let owed = |index: &HostIndex| self.distributor.report(*index).and_then(|report| report.owed);
        self.sessions.keys().filter_map(|index| Some((*index, owed(index)?))).collect()
    }

    /// Installed == from scratch, on every connected switch.
    fn check(&self) {
        for index in self.sessions.keys() {
            let wanted = from_scratch(*index, &self.world.snapshot);
            assert_eq!(
                self.distributor.report(*index).unwrap().flows,
                wanted.0.len(),
                "flows counted for host {index}"
            );
            assert_eq!(
                self.switches[index].tables.content(),
                wanted,
                "host {index} at {}",
                self.world.snapshot.revision()
            );
        }
    }
}

fn from_scratch(host: HostIndex, snapshot: &Snapshot) -> fake::Content {
    let scopes = subscriptions(host, snapshot);
    let compiled: Vec<_> = scopes
        .iter()
        .flat_map(|scope| owners(*scope, snapshot))
        .map(|owner| compile(owner, snapshot))
        .collect();
    content_of(&compiled)
}

#[test]
fn a_restarted_controller_trusts_no_switch_until_it_has_confirmed() {
    let mut storm = Storm::new(TIGHT);
    let report = |encap| Step::Report { host: 0, interfaces: BTreeMap::new(), encap };
    [report(0), report(1), Step::Connect(0)].iter().for_each(|step| storm.take(step));
    storm.settle();
    storm.restart();
    storm.take(&Step::Wipe(0));
    let index = storm.index(0).unwrap();
    assert!(!storm.answers.is_empty(), "it is read back, and what it lacks is on its way");
    let owed = storm.distributor.report(index).unwrap().owed;
    assert_eq!(owed, Some(Revision(0)), "what it had before the start is not known either");
    storm.settle();
    assert_eq!(storm.distributor.report(index).unwrap().owed, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn installed_is_from_scratch_after_every_step(tuning in tuning(), steps in prop::collection::vec(step(), 1..120)) {
        let mut storm = Storm::new(tuning);
        for step in &steps {
            storm.take(step);
            storm.settle();
            storm.check();
        }
    }

    #[test]
    fn installed_is_from_scratch_however_answers_and_work_lag(
        tuning in tuning(),
        eagerness in 0usize..4,
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut storm = Storm::new(tuning);
        storm.eagerness = eagerness;
        for step in &steps {
            storm.take(step);
        }
        storm.settle();
        storm.check();
    }

    #[test]
    fn a_restarted_controller_sends_nothing_when_nothing_changed(tuning in tuning(), steps in prop::collection::vec(step(), 1..120)) {
        let mut storm = Storm::new(tuning);
        steps.iter().for_each(|step| storm.take(step));
        storm.settle();
        let before: usize = storm.switches.values().map(|switch| switch.messages).sum();
        storm.restart();
        let connected: Vec<HostIndex> = storm.sessions.keys().copied().collect();
        storm.switches.values_mut().for_each(|switch| switch.refuse_in = None);
        connected.into_iter().for_each(|index| storm.connect(index));
        storm.settle();
        let after: usize = storm.switches.values().map(|switch| switch.messages).sum();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn what_a_switch_refuses_for_ever_holds_up_nothing_else(
        tuning in tuning(),
        before in prop::collection::vec(step(), 1..60),
        after in prop::collection::vec(step().prop_filter("a bad switch", |step| !step.needs_a_good_switch()), 0..20),
        pick in any::<prop::sample::Index>(),
    ) {
        let mut storm = Storm::new(tuning);
        before.iter().for_each(|step| storm.take(step));
        storm.settle();
        let Some(index) = storm.sessions.keys().next().copied() else { return Ok(()) };
        let flows = from_scratch(index, &storm.world.snapshot).0;
        if flows.is_empty() {
            return Ok(());
        }
        let cursed = pick.get(&Vec::from_iter(flows.values())).0 >> 32;
        storm.switches.insert(index, FakeSwitch::default());
        storm.switches.get_mut(&index).unwrap().cursed = Some(cursed);
        storm.connect(index);
        storm.elapse(Duration::from_secs(5));
        for step in &after {
            storm.take(step);
            storm.elapse(Duration::from_secs(70));
            if !storm.sessions.contains_key(&index) {
                return Ok(());
            }
            let is_good = |(cookie, _): &(u64, _)| cookie >> 32 != cursed;
            let (mut wanted, mut installed) =
                (from_scratch(index, &storm.world.snapshot), storm.switches[&index].tables.content());
            let some_are_refused = wanted.0.values().any(|flow| !is_good(flow));
            wanted.0.retain(|_, flow| is_good(flow));
            installed.0.retain(|_, flow| is_good(flow));
            prop_assert_eq!(&installed, &wanted);
            let report = storm.distributor.report(index).unwrap();
            prop_assert_eq!((report.owed.is_some(), report.refusal.is_some()), (some_are_refused, some_are_refused));
        }
        storm.switches.get_mut(&index).unwrap().cursed = None;
        storm.settle();
        storm.check();
    }

    #[test]
    fn audits_put_drift_right(tuning in tuning(), steps in prop::collection::vec(step(), 1..80), pick in any::<prop::sample::Index>()) {
        let mut storm = Storm::new(tuning);
        steps.iter().for_each(|step| storm.take(step));
        storm.settle();
        let Some(index) = storm.sessions.keys().next().copied() else { return Ok(()) };
        let switch = storm.switches.get_mut(&index).unwrap();
        switch.refuse_in = None;
        let places: Vec<_> = switch.tables.flows.keys().cloned().collect();
        if places.is_empty() {
            // The host was deleted: its switch wants nothing.
            return Ok(());
        }
        let gone = pick.get(&places).clone();
        let mut foreign = switch.tables.flows.remove(&gone).unwrap();
        foreign.cookie = 0;
        switch.tables.flows.insert((gone.0, 4711, gone.2), foreign);
        storm.now += TIGHT.audit_interval * 2;
        storm.distributor.handle_timeout(storm.now);
        storm.settle();
        storm.check();
        prop_assert_eq!(storm.distributor.report(index).unwrap().drift_repaired, 2);
    }
}
