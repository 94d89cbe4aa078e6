//! The engine without its thread: what hosts' OVSDB sessions are told, and what a host counts as owing.

mod sick;

use futures::FutureExt;
use weft_model::intent::{
    Actor, Context, HostReport, Intent, NewNetwork, NewPort, NewTenant, ReportedInterface, Settings, plan,
};
use weft_model::{Change, EncapIps, NetworkId, OfPort, PortId, Timestamp};

use super::*;
use crate::southbound::wish::{Concerned, Over, Slate, slip};

const NETWORK: NetworkId = NetworkId(uuid::Uuid::from_u128(1));

fn host(n: u8) -> HostId {
    format!("h{n}").parse().unwrap()
}

fn port(n: u8) -> PortId {
    PortId(uuid::Uuid::from_u128(100 + u128::from(n)))
}

/// Host `n` with the port of the same number plugged in, or with none.
fn report(n: u8, interfaces: &[u8]) -> Intent {
    let interface = |n: &u8| ReportedInterface {
        port: port(*n),
        name: format!("tap{n}"),
        ofport: OfPort::new(i64::from(*n)).unwrap(),
    };
    Intent::ReportHost(HostReport {
        id: host(n),
        hostname: format!("h{n}"),
        encap_ips: EncapIps { v4: Some([192, 0, 2, n].into()), v6: None },
        ovs_version: "3.1.0".into(),
        datapath_type: "netdev".into(),
        bridge_mappings: Default::default(),
        interfaces: interfaces.iter().map(interface).collect(),
    })
}

type Session = Slate;

struct Rig {
    engine: Engine,
    snapshot: Snapshot,
    next_session: u64,
}

impl Rig {
    /// An engine that starts with the first hosts and a network with a port for each number to 9.
    fn with_hosts(hosts: u8) -> Rig {
        let mut snapshot = Snapshot::new();
        let tenant = NewTenant { id: "red".parse().unwrap(), labels: Default::default(), enabled: true };
        let mut network = NewNetwork::new(NETWORK);
        network.tenant = "red".parse().ok();
        let mut intents = vec![Intent::CreateTenant(tenant), Intent::CreateNetwork(network)];
        intents.extend((1..=9).map(|n| Intent::CreatePort(NewPort::new(port(n), NETWORK, u32::from(n)))));
        intents.extend((1..=hosts).map(|n| report(n, &[])));
        planned(&mut snapshot, &intents);
        let tuning = Tuning::default();
        let (board, _) = watch::channel(Fleet::default());
        let engine = Engine::new(snapshot.clone(), board, tuning, Metrics::default());
        Rig { engine, snapshot, next_session: 1 }
    }

    fn commit(&mut self, intents: &[Intent]) -> Revision {
        let touched = planned(&mut self.snapshot, intents);
        self.engine.take_in(Commit { snapshot: self.snapshot.clone(), touched });
        self.engine.pass();
        self.snapshot.revision()
    }

    fn ovsdb_up(&mut self, n: u8) -> (SessionId, Session) {
        let (wanted, session) = slip();
        let id = SessionId(self.next_session);
        self.next_session += 1;
        self.engine.handle(Event::OvsdbUp { host: host(n), session: id, wanted });
        (id, session)
    }

    fn seen(&mut self, n: u8, session: SessionId, fulfils: Option<Revision>) {
        let (tunnels, problems) = (TunnelNews::default(), Vec::new());
        self.engine.handle(Event::OvsdbSeen {
            host: host(n),
            session,
            fulfils,
            tunnels,
            problems,
            missing: Default::default(),
        });
    }

    /// A host whose OVSDB has everything that is wanted of it.
    fn settled(&mut self, n: u8) -> (SessionId, Session) {
        let (id, session) = self.ovsdb_up(n);
        let revision = session.take().unwrap().revision;
        self.seen(n, id, Some(revision));
        assert_eq!(self.owed(n), None);
        (id, session)
    }

    fn owed(&self, n: u8) -> Option<Revision> {
        self.engine.links.owed(&host(n))
    }
}

fn planned(snapshot: &mut Snapshot, intents: &[Intent]) -> BTreeSet<Key> {
    let context = Context { now: Timestamp(1), settings: Settings::default() };
    let plan = plan(snapshot, &Actor::Admin, intents, &context).unwrap();
    *snapshot = plan.snapshot;
    plan.changes.iter().map(Change::key).collect()
}

/// How many tunnels the session is asked to look at.
fn concerned(session: &Session) -> usize {
    match session.take().unwrap().concerned {
        Concerned::Only(tunnels) => tunnels.len(),
        Concerned::All => panic!("only what changed"),
    }
}

fn is_let_go(session: &Session) -> bool {
    session.changed().now_or_never() == Some(Err(Over))
}

#[test]
fn a_newer_wish_does_not_hide_what_an_older_one_owes() {
    let mut rig = Rig::with_hosts(3);
    let (id, session) = rig.settled(1);
    rig.commit(&[report(1, &[1])]);
    let first = rig.commit(&[report(2, &[2])]);
    let second = rig.commit(&[report(3, &[3])]);
    assert_eq!((concerned(&session), rig.owed(1)), (2, Some(first)));
    rig.seen(1, id, Some(first));
    assert_eq!(rig.owed(1), Some(second), "what it has by now is only the first");
    rig.seen(1, id, None);
    assert_eq!(rig.owed(1), Some(second));
    rig.seen(1, id, Some(second));
    assert_eq!(rig.owed(1), None);
}

#[test]
fn a_host_whose_ovsdb_is_away_owes_its_tunnels() {
    let mut rig = Rig::with_hosts(2);
    let (away, _) = rig.settled(1);
    rig.settled(2);
    rig.engine.handle(Event::OvsdbDown { host: host(1), session: away });
    let revision = rig.commit(&[report(1, &[1]), report(2, &[2])]);
    assert_eq!(rig.owed(1), Some(revision));
    assert!(!rig.engine.scribe.fleet.applied(revision, Some(&host(1))).applied);
    let later = rig.commit(&[report(2, &[])]);
    let (id, session) = rig.ovsdb_up(1);
    assert_eq!((session.take().unwrap().concerned, rig.owed(1)), (Concerned::All, Some(revision)));
    rig.seen(1, id, Some(later));
    assert_eq!(rig.owed(1), None);
}

#[test]
fn after_a_start_no_host_is_trusted_before_it_was_seen() {
    let rig = Rig::with_hosts(2);
    assert_eq!((rig.owed(1), rig.owed(2)), (Some(Revision(0)), Some(Revision(0))));
    let report = rig.engine.scribe.fleet.applied(Revision(1), None);
    assert_eq!((report.applied, report.pending), (false, vec![host(1), host(2)]));
    assert_eq!(rig.engine.scribe.fleet.confirmed(&host(1)), Revision(0));
}

#[test]
fn a_session_ends_with_its_host_and_leaves_no_trace() {
    let mut rig = Rig::with_hosts(1);
    let (id, session) = rig.settled(1);
    rig.commit(&[Intent::DeleteHost(host(1))]);
    assert!(is_let_go(&session), "the session is told");
    rig.seen(1, id, None);
    rig.engine.handle(Event::OvsdbDown { host: host(1), session: id });
    assert_eq!(rig.engine.scribe.fleet.hosts.size(), 0);
    // A report that was stored just before the host was forgotten.
    let (_, late) = rig.ovsdb_up(1);
    assert!(is_let_go(&late), "it must join anew");
    assert_eq!((rig.engine.scribe.fleet.hosts.size(), rig.owed(1)), (0, None));
}

#[test]
fn a_host_that_came_back_under_another_number_is_told() {
    let mut rig = Rig::with_hosts(1);
    let (id, session) = rig.settled(1);
    let before = rig.snapshot.host(&host(1)).unwrap().index;
    // Forgotten and reported in one breath: the engine sees the host before and after, and never without it.
    let mut touched = planned(&mut rig.snapshot, &[Intent::DeleteHost(host(1))]);
    touched.extend(planned(&mut rig.snapshot, &[report(1, &[])]));
    rig.engine.take_in(Commit { snapshot: rig.snapshot.clone(), touched });
    let wanted = session.take().unwrap();
    assert_eq!(wanted.concerned, Concerned::All, "its own name stands in nothing, but its number in all");
    assert_ne!(wanted.index, before);
    assert_eq!(Some(wanted.index), rig.snapshot.host(&host(1)).map(|host| host.index));
    assert_eq!(rig.owed(1), Some(wanted.revision));
    rig.seen(1, id, Some(wanted.revision));
    assert_eq!(rig.owed(1), None);
}
