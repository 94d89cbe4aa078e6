//! A switch's queue by itself: what is owed when, what is refused, what does not fit.

use super::*;

const START: Revision = Revision(5);

/// A parcel whose messages have the xids from `first` on; `size` bytes long.
fn parcel(first: u32, size: usize) -> Arc<Parcel> {
    Arc::new(Parcel { bytes: Bytes::from(vec![0; size]), first, commit: first + 2, messages: 1 })
}

struct Rig {
    switch: Switch,
    now: Instant,
}

impl Rig {
    /// A connected switch whose tables were asked for.
    fn reading() -> Rig {
        let mut switch = Switch::unseen(HostIndex::new(1).unwrap(), Limits::default());
        switch.connect(SessionId(1), START);
        let mut rig = Rig { switch, now: Instant::now() };
        rig.expect_read();
        rig
    }

    fn expect_read(&mut self) {
        let wish = self.switch.poll(self.now);
        assert!(matches!(wish, Some(Wish::Read(_))), "{wish:?}");
        assert!(matches!(self.switch.begin_read(), Some(Transmit::Read { .. })));
    }

    /// The tables come, and differ by these parcels.
    fn read_back(&mut self, parcels: &[Arc<Parcel>], revision: Revision) -> ReadBack {
        let read = self.switch.session.as_ref().unwrap().last_read;
        let purpose = self.switch.read_back(read, self.now, Duration::from_secs(10));
        if purpose != ReadBack::Useless {
            self.switch.compared();
            self.switch.repair(parcels, revision);
        }
        purpose
    }

    /// Sends what can be sent and says how many parcels that is.
    fn send(&mut self) -> usize {
        match self.switch.poll(self.now) {
            Some(Wish::Send(Transmit::Send { parcels, .. })) => parcels.len(),
            None => 0,
            Some(other) => panic!("{other:?}"),
        }
    }

    fn commit(&mut self, parcel: &Parcel) {
        self.switch.answer(Answer::Committed(Xid(parcel.commit)), self.now);
    }

    fn refuse(&mut self, parcel: &Parcel) {
        self.switch.answer(Answer::Refused(Xid(parcel.first + 1), "no".into()), self.now);
        self.switch.answer(Answer::Refused(Xid(parcel.commit), "failed".into()), self.now);
    }

    fn owed(&self) -> Option<Revision> {
        self.switch.owed()
    }
}

#[test]
fn what_was_owed_stays_owed_until_the_difference_is_confirmed() {
    let mut rig = Rig::reading();
    let difference = parcel(100, 10);
    // Much was committed while the switch was away.
    rig.read_back(std::slice::from_ref(&difference), Revision(100));
    assert_eq!(rig.owed(), Some(START), "nothing is confirmed yet");
    assert_eq!(rig.send(), 1);
    assert_eq!(rig.owed(), Some(START));
    rig.commit(&difference);
    assert_eq!(rig.owed(), None);
}

#[test]
fn a_difference_of_any_size_is_sent() {
    let mut rig = Rig::reading();
    let difference: Vec<_> = (0..40).map(|n| parcel(100 + 10 * n, 1 << 20)).collect();
    rig.read_back(&difference, START);
    let mut sent = 0;
    while rig.owed().is_some() {
        let now = rig.send();
        assert!(now > 0, "stuck after {sent} of {}", difference.len());
        difference[sent..sent + now].iter().for_each(|parcel| rig.commit(parcel));
        sent += now;
    }
    assert_eq!(sent, difference.len());
}

fn scope() -> Scope {
    Scope::Host(HostIndex::new(1).unwrap())
}

#[test]
fn a_stuck_switch_is_late_and_costs_nothing_more() {
    let mut rig = Rig::reading();
    rig.read_back(&[], START);
    let offer = |rig: &mut Rig, n: u32| {
        let parcels = [parcel(1000 + 10 * n, 1000)];
        rig.switch.offer(Load {
            scope: Some(scope()),
            parcels: &parcels,
            revision: Revision(6 + u64::from(n)),
        })
    };
    assert_eq!(offer(&mut rig, 0), Offer::Taken);
    assert_eq!(rig.send(), 1);
    // It never answers.
    let mut taken = Vec::new();
    let late = loop {
        let n = u32::try_from(taken.len()).unwrap() + 1;
        match offer(&mut rig, n) {
            Offer::Taken => taken.push(rig.send()),
            other => break other,
        }
    };
    let bound = usize::from(Limits::default().window + Limits::default().waiting);
    assert_eq!((late, taken.len() + 1), (Offer::NoRoom, bound));
    let missed = Revision(6 + bound as u64);
    rig.switch.set_late(scope(), LateId(1), missed);
    assert_eq!(offer(&mut rig, 1000), Offer::Absorbed);
    assert_eq!(rig.switch.load(), (bound, 1));
    for n in 0..32 {
        rig.commit(&parcel(1000 + 10 * n, 0));
    }
    assert_eq!(rig.send(), 8);
    for n in 32..40 {
        assert_eq!(rig.owed(), Some(Revision(6 + u64::from(n))));
        rig.commit(&parcel(1000 + 10 * n, 0));
    }
    assert_eq!(rig.owed(), Some(missed));
    let wish = rig.switch.poll(rig.now);
    assert!(matches!(wish, Some(Wish::CatchUp(_, LateId(1)))), "{wish:?}");
    let rest = parcel(9000, 10);
    rig.switch.catch_up(scope(), std::slice::from_ref(&rest));
    assert_eq!((rig.send(), rig.owed()), (1, Some(missed)));
    rig.commit(&rest);
    assert_eq!(rig.owed(), None);
}

#[test]
fn a_refusal_is_no_longer_told_once_it_does_not_matter() {
    let mut rig = Rig::reading();
    let wrong = parcel(100, 10);
    rig.read_back(std::slice::from_ref(&wrong), START);
    rig.send();
    rig.refuse(&wrong);
    assert_eq!(rig.switch.refusal.as_deref(), Some("no"));
    rig.expect_read();
    // What was refused is not wanted any more.
    rig.read_back(&[], Revision(6));
    assert_eq!((rig.owed(), rig.switch.refusal.as_deref()), (None, None));
}

#[test]
fn what_is_refused_for_ever_stays_owed_and_holds_up_nothing_else() {
    let mut rig = Rig::reading();
    let (wrong, good) = (parcel(100, 10), parcel(200, 10));
    rig.read_back(std::slice::from_ref(&wrong), START);
    rig.send();
    rig.refuse(&wrong);
    rig.expect_read();
    assert!(rig.switch.is_picky());
    rig.read_back(&[wrong.clone(), good.clone()], START);
    assert_eq!(rig.send(), 2);
    rig.refuse(&wrong);
    rig.commit(&good);
    assert_eq!(rig.owed(), Some(START));
    let later = parcel(300, 10);
    let change = Load { scope: Some(scope()), parcels: std::slice::from_ref(&later), revision: Revision(6) };
    assert_eq!(rig.switch.offer(change), Offer::Taken);
    assert_eq!(rig.send(), 1, "a change of somebody else");
    rig.commit(&later);
    assert_eq!(rig.owed(), Some(START));
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let due = rig.switch.poll_timeout(rig.now).unwrap();
        pauses.push((due - rig.now).as_secs());
        rig.now = due;
        rig.expect_read();
        assert_eq!(rig.read_back(std::slice::from_ref(&wrong), Revision(6)), ReadBack::Resync, "no drift");
        assert_eq!(rig.send(), 1);
        rig.refuse(&wrong);
        assert_eq!(rig.owed(), Some(START));
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    rig.now = rig.switch.poll_timeout(rig.now).unwrap();
    rig.expect_read();
    rig.read_back(std::slice::from_ref(&wrong), Revision(6));
    rig.send();
    rig.commit(&wrong);
    assert_eq!((rig.owed(), rig.switch.refusal.as_deref()), (None, None));
    rig.now = rig.switch.poll_timeout(rig.now).unwrap();
    rig.expect_read();
    assert_eq!(rig.read_back(&[], Revision(6)), ReadBack::Audit);
    assert!(!rig.switch.is_picky());
}

#[test]
fn many_refusals_at_once_count_as_one() {
    let mut rig = Rig::reading();
    let wrong: Vec<_> = (0..6).map(|n| parcel(100 + 10 * n, 10)).collect();
    rig.read_back(&wrong, START);
    assert_eq!(rig.send(), 6);
    wrong.iter().for_each(|parcel| rig.refuse(parcel));
    rig.expect_read();
    rig.read_back(&wrong, START);
    assert_eq!(rig.send(), 6);
    wrong.iter().for_each(|parcel| rig.refuse(parcel));
    assert_eq!(rig.switch.poll_timeout(rig.now), Some(rig.now + Duration::from_secs(2)));
}

#[test]
fn a_suspicion_brings_an_audit_soon_but_not_in_a_row() {
    let mut rig = Rig::reading();
    rig.read_back(&[], START);
    assert!(rig.switch.poll(rig.now).is_none(), "the next audit is ten seconds off");
    rig.switch.suspect(rig.now);
    assert!(rig.switch.poll(rig.now).is_none(), "it was read just now");
    rig.now += SUSPICION_PAUSE;
    rig.expect_read();
    // While the tables are on their way they change again: the answer may or may not show it.
    rig.switch.suspect(rig.now);
    assert_eq!(rig.read_back(&[], START), ReadBack::Audit);
    assert_eq!(rig.switch.poll_timeout(rig.now), Some(rig.now + SUSPICION_PAUSE));
    rig.now += SUSPICION_PAUSE;
    rig.expect_read();
    assert_eq!(rig.read_back(&[], START), ReadBack::Audit);
    assert_eq!(rig.switch.poll_timeout(rig.now), Some(rig.now + Duration::from_secs(10)));
    // Long after the last reading it is read at once.
    rig.now += Duration::from_secs(5);
    rig.switch.suspect(rig.now);
    rig.expect_read();
}
