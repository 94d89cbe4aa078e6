//! From a host's rows to the one transaction: what is put right, what is left alone, and what is said about it.

use serde_json::Value;
use uuid::Uuid;
use weft_model::intent::{
    Actor, Context, HostReport, Intent, NewNetwork, NewPort, NewTenant, ReportedInterface, Settings, plan,
};
use weft_model::{Encap, EncapIps, NetworkId, OfPort, PortId, Timestamp};

use super::super::rows::{BR_INT, BR_OTHER, Rows, id};
use super::*;

const TARGET: &str = "tcp:192.0.2.1:6653";
/// The numbers of the rows of a settled host.
const TUNNEL: u128 = 11;
const TAP: u128 = 12;
const CONTROLLER: u128 = 3;

fn index(n: u32) -> HostIndex {
    HostIndex::new(n).unwrap()
}

fn peer(n: u32) -> TunnelId {
    TunnelId { encap: Encap::Vxlan, peer: index(n) }
}

/// Hosts from h1 on with the indexes from 1 on, each with a port in one network: h1 shall have a tunnel to each other one.
fn snapshot(hosts: u8) -> Snapshot {
    let network = NetworkId(Uuid::from_u128(1));
    let port = |n: u8| PortId(Uuid::from_u128(100 + u128::from(n)));
    let report = |n: u8| {
        let interface =
            ReportedInterface { port: port(n), name: "tap".into(), ofport: OfPort::new(1).unwrap() };
        Intent::ReportHost(HostReport {
            id: format!("h{n}").parse().unwrap(),
            hostname: format!("h{n}"),
            encap_ips: EncapIps { v4: Some([192, 0, 2, n].into()), v6: None },
            ovs_version: "3.1.0".into(),
            datapath_type: "netdev".into(),
            bridge_mappings: Default::default(),
            interfaces: vec![interface],
        })
    };
    let tenant = NewTenant { id: "red".parse().unwrap(), labels: Default::default(), enabled: true };
    let mut new = NewNetwork::new(network);
    new.tenant = "red".parse().ok();
    let mut intents = vec![Intent::CreateTenant(tenant), Intent::CreateNetwork(new)];
    intents.extend((1..=hosts).map(|n| Intent::CreatePort(NewPort::new(port(n), network, u32::from(n)))));
    intents.extend((1..=hosts).map(report));
    let context = Context { now: Timestamp(1), settings: Settings::default() };
    plan(&Snapshot::new(), &Actor::Admin, &intents, &context).unwrap().snapshot
}

/// Does something with a sight of the host, of which h1 shall have a tunnel to h2.
fn with_sight<T>(rows: &Rows, hosts: u8, see: impl FnOnce(&Sight<'_>) -> T) -> T {
    let (snapshot, inventory) = (snapshot(hosts), Inventory::of(&rows.mirror));
    see(&Sight {
        mirror: &rows.mirror,
        inventory: &inventory,
        host: &"h1".parse().unwrap(),
        index: index(1),
        target: TARGET,
        snapshot: &snapshot,
        settings: &TunnelSettings::default(),
    })
}

/// A first look: at everything.
fn first_look(rows: &Rows) -> (Look, Upkeep) {
    let mut upkeep = Upkeep::default();
    (with_sight(rows, 2, |sight| upkeep.look(sight)), upkeep)
}

fn problems(rows: &Rows) -> Vec<String> {
    first_look(rows).1.problems(9).cloned().collect()
}

fn controller() -> weft_ovsdb::Record<Controller> {
    Controller::record()
        .set(Controller::target(), TARGET)
        .set(Controller::max_backoff(), Some(MAX_BACKOFF_MS))
        .set(Controller::inactivity_probe(), Some(5_000))
        .set(Controller::external_ids(), marks())
}

/// A host that has everything as it is wanted, and an interface of somebody's.
fn settled() -> Rows {
    let mut rows = Rows::new();
    rows.plug(TUNNEL, "wv-2", |row| {
        let settings =
            [("key", "flow"), ("remote_ip", "192.0.2.2"), ("local_ip", "192.0.2.1"), ("dst_port", "4789")];
        row.external_ids = marks();
        row.kind = "vxlan".into();
        row.options = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        (row.ofport_request, row.ofport) = (Some(33_002), Some(33_002));
    });
    rows.plug(TAP, "tap0", |_| {});
    rows.controller(CONTROLLER, Some(controller()));
    let settings = with_sight(&rows, 2, bridge_settings);
    rows.bridge(BR_INT, |bridge| {
        bridge.datapath_type = "netdev".into();
        bridge.fail_mode = Some("secure".into());
        bridge.protocols = protocols();
        bridge.other_config = settings;
    });
    rows
}

/// The operations of the transaction, without the note in the log.
fn operations(rows: &Rows) -> Vec<Value> {
    let (look, _) = first_look(rows);
    let Verdict::Change(transaction) = look.verdict else { panic!("{look:?}") };
    let Value::Array(operations) = serde_json::to_value(&transaction).unwrap() else { panic!("an array") };
    operations.into_iter().skip(1).filter(|operation| operation["op"] != "comment").collect()
}

/// Operation, table and changed columns of each operation.
fn sketch(operations: &[Value]) -> Vec<String> {
    let columns = |operation: &Value| match (&operation["row"], &operation["mutations"]) {
        (Value::Object(row), _) => row.keys().cloned().collect::<Vec<_>>().join(","),
        (_, Value::Array(steps)) => {
            let columns: BTreeSet<&str> = steps.iter().filter_map(|step| step[0].as_str()).collect();
            columns.into_iter().collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    };
    let word = |operation: &Value, key: &str| operation[key].as_str().unwrap_or_default().to_owned();
    let line = |o: &Value| format!("{} {} {}", word(o, "op"), word(o, "table"), columns(o));
    operations.iter().map(line).collect()
}

#[test]
fn what_is_as_wanted_is_left_alone() {
    let (look, upkeep) = first_look(&settled());
    assert!(matches!(look.verdict, Verdict::Settled), "{look:?}");
    assert_eq!(look.tunnels, TunnelNews::All([(peer(2), TunnelState::Right)].into()));
    assert!(upkeep.is_settled() && upkeep.problems(9).count() == 0, "{upkeep:?}");
}

#[test]
fn each_thing_that_differs_is_put_right_and_nothing_else() {
    type Hand = fn(&mut Rows);
    let hands: [(&str, Hand); 12] = [
        ("update Bridge fail_mode", |r| r.bridge(BR_INT, |b| b.fail_mode = None)),
        ("update Bridge protocols", |r| {
            r.bridge(BR_INT, |b| b.protocols = [PROTOCOLS[0].to_owned()].into());
        }),
        ("mutate Bridge other_config", |r| {
            r.bridge(BR_INT, |b| drop(b.other_config.remove("datapath-id")));
        }),
        ("mutate Bridge other_config", |r| {
            let other = "5745465400000002".to_owned();
            r.bridge(BR_INT, |b| drop(b.other_config.insert("datapath-id".into(), other)));
        }),
        ("update Controller inactivity_probe,max_backoff,target", |r| {
            let record = controller().set(Controller::target(), "tcp:192.0.2.9:6653");
            r.controller(CONTROLLER, Some(record));
        }),
        ("update Controller inactivity_probe,max_backoff,target", |r| {
            r.controller(CONTROLLER, Some(controller().set(Controller::inactivity_probe(), None)));
        }),
        ("update Interface ofport_request,options,type", |r| r.interface(TUNNEL, |i| i.kind = "gre".into())),
        ("update Interface ofport_request,options,type", |r| {
            r.interface(TUNNEL, |i| drop(i.options.insert("remote_ip".into(), "192.0.2.99".into())));
        }),
        ("update Interface ofport_request,options,type", |r| {
            r.interface(TUNNEL, |i| drop(i.options.insert("csum".into(), "true".into())));
        }),
        ("update Interface ofport_request,options,type", |r| {
            r.interface(TUNNEL, |i| i.ofport_request = Some(5));
        }),
        ("mutate Bridge ports", |r| r.plug(20, "wv-9", |i| i.external_ids = marks())),
        ("mutate Bridge external_ids", |r| {
            // Unmarked, but empty: taken over.
            r.bridge(BR_INT, |b| b.external_ids = Dictionary::new());
            r.controller(CONTROLLER, None);
            r.unplug(TUNNEL);
            r.unplug(TAP);
        }),
    ];
    for (expected, hand) in hands {
        let mut rows = settled();
        hand(&mut rows);
        let lines = sketch(&operations(&rows));
        assert_eq!(lines.first().map(String::as_str), Some(expected), "{lines:?}");
        let taken_over = expected.ends_with("external_ids");
        assert!(lines.len() == 1 || taken_over, "{expected}: {lines:?}");
    }
}

/// What is said to be inserted is what is inserted, and is waited for until it is there.
#[test]
fn inserted_rows_are_waited_for_exactly_while_they_are_missing() {
    type Hand = fn(&mut Rows);
    let hands: [(bool, Hand); 6] = [
        (true, |_| {}),
        (true, |r| r.bridge(BR_INT, |b| b.fail_mode = None)),
        (true, |r| r.plug(20, "wv-9", |i| i.external_ids = marks())),
        (false, |r| r.unplug(TUNNEL)),
        (false, |r| r.controller(CONTROLLER, None)),
        (false, |r| {
            r.unplug(10);
            r.root(|root| {
                root.bridges.remove(&id(BR_INT));
            });
        }),
    ];
    for (expected, hand) in hands {
        let mut rows = settled();
        hand(&mut rows);
        let (look, _) = first_look(&rows);
        let inserts = match look.verdict {
            Verdict::Change(_) => operations(&rows).iter().any(|operation| operation["op"] == "insert"),
            _ => false,
        };
        let is_shown = with_sight(&rows, 2, |sight| look.inserted.is_shown(sight));
        assert_eq!((is_shown, !inserts), (expected, expected));
        assert!(with_sight(&settled(), 2, |sight| look.inserted.is_shown(sight)), "there by now");
    }
}

#[test]
fn only_our_ports_are_removed() {
    let mut rows = settled();
    rows.plug(20, "wv-9", |row| row.external_ids = marks());
    rows.plug(21, "wv-8", |_| {});
    rows.plug(22, "left-over", |row| row.external_ids = marks());
    let removed = operations(&rows)[0].to_string();
    for (n, expected) in [(20, true), (21, false), (22, true), (TAP, false), (TUNNEL, false), (10, false)] {
        assert_eq!(removed.contains(&Uuid::from_u128(n).to_string()), expected, "{n}: {removed}");
    }
}

#[test]
fn a_missing_tunnel_is_added_with_both_rows_marked() {
    let mut rows = settled();
    rows.unplug(TUNNEL);
    let operations = operations(&rows);
    let lines = sketch(&operations);
    assert_eq!(
        lines,
        [
            "insert Interface bfd,external_ids,name,ofport_request,options,type",
            "insert Port external_ids,interfaces,name",
            "mutate Bridge ports"
        ]
    );
    for row in &operations[..2] {
        let marks = row["row"]["external_ids"].to_string();
        assert!(marks.contains("weft-owner") && marks.contains("\"h2\""), "{marks}");
    }
    assert!(!first_look(&rows).1.is_settled(), "it is not there yet");
}

/// A host that has all its tunnels and gets one more: one is looked at, one is sent. The work follows the change.
#[test]
fn one_tunnel_more_is_one_tunnel_looked_at() {
    let mut rows = settled();
    let mut upkeep = Upkeep::default();
    with_sight(&rows, 2, |sight| upkeep.look(sight));
    assert_eq!(upkeep.take_looked_at(), 1);
    upkeep.concern([peer(40)]);
    let look = with_sight(&rows, 40, |sight| upkeep.look(sight));
    let Verdict::Change(transaction) = &look.verdict else { panic!("{look:?}") };
    assert_eq!((upkeep.take_looked_at(), transaction.len()), (1, 4), "two rows, the bridge, the note");
    assert!(!upkeep.is_settled());
    rows.plug(40, "wv-40", |row| {
        row.external_ids = marks();
        (row.kind, row.ofport, row.ofport_request) = ("vxlan".into(), Some(33_040), Some(33_040));
        let settings =
            [("key", "flow"), ("remote_ip", "192.0.2.40"), ("local_ip", "192.0.2.1"), ("dst_port", "4789")];
        row.options = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    });
    upkeep.concern([peer(40)]);
    let look = with_sight(&rows, 40, |sight| upkeep.look(sight));
    assert!(matches!(look.verdict, Verdict::Settled) && upkeep.is_settled(), "{look:?}");
    assert_eq!(look.tunnels, TunnelNews::Some([(peer(40), TunnelState::Right)].into()));
    upkeep.concern_all();
    let look = with_sight(&rows, 40, |sight| upkeep.look(sight));
    let Verdict::Change(transaction) = &look.verdict else { panic!("{look:?}") };
    assert_eq!((upkeep.take_looked_at(), transaction.len()), (1 + 39, 2 * 37 + 2), "all that are missing");
}

/// A name can stand only once in a database: a transaction that takes it again is refused as a whole, and with it all
/// other tunnels of the host.
#[test]
fn a_tunnel_whose_name_is_taken_holds_up_nothing_else_and_is_told() {
    let mut on_another_bridge = settled();
    on_another_bridge.move_to(TUNNEL, BR_OTHER);
    let mut on_ours = settled();
    on_ours.unplug(TUNNEL);
    on_ours.plug(TUNNEL, "wv-2", |_| {});
    for mut rows in [on_another_bridge, on_ours] {
        let (look, upkeep) = first_look(&rows);
        assert!(matches!(look.verdict, Verdict::Settled), "{look:?}");
        let TunnelNews::All(states) = look.tunnels else { panic!("all of them") };
        assert!(matches!(states[&peer(2)], TunnelState::Odd { ofport: None, error: Some(_) }), "{states:?}");
        let problems = problems(&rows);
        assert!(problems.len() == 1 && problems[0].contains("wv-2 exists and is not Weft's"), "{problems:?}");
        assert!(upkeep.is_settled(), "waiting would not help");
        rows.bridge(BR_INT, |bridge| bridge.fail_mode = None);
        assert_eq!(sketch(&operations(&rows)), ["update Bridge fail_mode"]);
    }
}

#[test]
fn tunnels_that_open_vswitch_refuses_or_numbers_otherwise_are_told() {
    let mut rows = settled();
    rows.interface(TUNNEL, |row| (row.ofport, row.error) = (Some(-1), Some("File exists".to_owned())));
    assert_eq!(problems(&rows), ["tunnel wv-2 to h2: File exists"]);
    rows.interface(TUNNEL, |row| (row.ofport, row.error) = (Some(7), None));
    assert_eq!(problems(&rows), ["tunnel wv-2 has ofport 7, wanted 33002: the number is taken"]);
}

#[test]
fn a_bridge_in_use_by_others_is_not_touched() {
    let unmarked = |rows: &mut Rows| rows.bridge(BR_INT, |bridge| bridge.external_ids = Dictionary::new());
    let (mut with_ports, mut managed) = (settled(), settled());
    unmarked(&mut with_ports);
    with_ports.controller(CONTROLLER, None);
    unmarked(&mut managed);
    managed.unplug(TUNNEL);
    managed.unplug(TAP);
    for rows in [with_ports, managed] {
        let (look, _) = first_look(&rows);
        let Verdict::Foreign(why) = look.verdict else { panic!("{look:?}") };
        assert!(why.contains("in use by something else"), "{why}");
    }
}

#[test]
fn a_missing_bridge_is_made_unless_its_name_is_taken() {
    let mut rows = settled();
    rows.unplug(10);
    rows.root(|root| {
        root.bridges.remove(&id(BR_INT));
        root.datapath_types = ["netdev".to_owned(), "system".to_owned()].into();
    });
    let operations = operations(&rows);
    let lines = sketch(&operations);
    assert!(lines[0].starts_with("wait") && lines[1].starts_with("wait"), "guarded: {lines:?}");
    let bridge = operations.iter().find(|o| o["op"] == "insert" && o["table"] == "Bridge").unwrap();
    assert_eq!(bridge["row"]["datapath_type"], "system");
    assert_eq!(lines.last().unwrap(), "mutate Open_vSwitch bridges");
    rows.plug(50, BRIDGE, |_| {});
    rows.move_to(50, BR_OTHER);
    let (look, _) = first_look(&rows);
    assert!(matches!(look.verdict, Verdict::Foreign(_)), "{look:?}");
}

#[test]
fn a_large_fleet_probes_less_and_no_row_flaps() {
    let given = [(0, 5_000), (100, 5_000), (500, 16_111), (1_000, 30_000), (50_000, 30_000)];
    for (hosts, probe) in given {
        assert_eq!(inactivity_probe(hosts), probe, "{hosts} hosts");
    }
    // Twice as many hosts or half as many change nothing on the others once the fleet is large, and growing from nothing
    // to any size rewrites each row a few times at the most.
    let (mut row, mut written) = (inactivity_probe(0), 0);
    for hosts in (0..2_000).chain((0..2_000).rev()).chain((400..600).cycle().take(10_000)) {
        let wanted = inactivity_probe(hosts);
        if !is_near(row, wanted) {
            (row, written) = (wanted, written + 1);
        }
    }
    assert_eq!(written, 5);
    // Of a small fleet's rows, one within a factor of 2 stays as it is; others are put right.
    for (found, is_kept) in [(2_500, true), (10_000, true), (2_499, false), (10_001, false), (0, false)] {
        let mut rows = settled();
        rows.controller(CONTROLLER, Some(controller().set(Controller::inactivity_probe(), Some(found))));
        let verdict = first_look(&rows).0.verdict;
        assert_eq!(matches!(verdict, Verdict::Settled), is_kept, "{found}: {verdict:?}");
    }
}
