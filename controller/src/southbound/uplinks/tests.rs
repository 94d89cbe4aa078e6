//! Uplinks: what is made, what is put right, what is left alone, and what is said about it.

use uuid::Uuid;
use weft_compiler::TunnelSettings;
use weft_model::intent::{
    Actor, Context, HostReport, Intent, NewNetwork, NewPort, NewSegment, NewTenant, ReportedInterface,
    Settings, plan,
};
use weft_model::{
    BridgeMappings, EncapIps, HostIndex, NetworkId, OfPort, PortId, Snapshot, Timestamp, VlanId,
};
use weft_ovsdb::vswitch::DATABASE;

use super::super::inventory::Inventory;
use super::super::rows::{BR_INT, BR_OTHER, INTERFACE, Rows};
use super::*;

/// The numbers of the rows of both ends.
const INNER: u128 = 31;
const OUTER: u128 = 32;

/// h1, which maps what it says, with a port of VLAN 100 on the physical network blue.
fn snapshot(maps: &str) -> Snapshot {
    let (network, port) = (NetworkId(Uuid::from_u128(1)), PortId(Uuid::from_u128(2)));
    let tenant = NewTenant { id: "red".parse().unwrap(), labels: Default::default(), enabled: true };
    let mut new = NewNetwork::new(network);
    new.tenant = "red".parse().ok();
    new.segment = Some(NewSegment { physnet: "blue".into(), vlan: VlanId::new(100) });
    let report = HostReport {
        id: "h1".parse().unwrap(),
        hostname: "h1".into(),
        encap_ips: EncapIps { v4: Some([192, 0, 2, 1].into()), v6: None },
        ovs_version: "3.1.0".into(),
        datapath_type: "netdev".into(),
        bridge_mappings: BridgeMappings::read(maps).bridges,
        interfaces: vec![ReportedInterface { port, name: "tap".into(), ofport: OfPort::new(1).unwrap() }],
    };
    let intents = [
        Intent::CreateTenant(tenant),
        Intent::CreateNetwork(new),
        Intent::CreatePort(NewPort::new(port, network, 1)),
        Intent::ReportHost(report),
    ];
    let context = Context { now: Timestamp(1), settings: Settings::default() };
    plan(&Snapshot::new(), &Actor::Admin, &intents, &context).unwrap().snapshot
}

/// What is done about a host's rows, as text, and how its uplinks stand. The bridge that is mapped is called `br-ex`.
fn look(rows: &Rows, snapshot: &Snapshot) -> (String, BTreeSet<UplinkEnd>, Uplinks) {
    let (inventory, mut transaction) = (Inventory::of(&rows.mirror), Transaction::on(DATABASE));
    let host = "h1".parse().unwrap();
    let sight = Sight {
        mirror: &rows.mirror,
        inventory: &inventory,
        host: &host,
        index: HostIndex::MIN,
        target: "",
        snapshot,
        settings: &TunnelSettings::default(),
    };
    let mut inserted = BTreeSet::new();
    let bridge = inventory.bridge(&rows.mirror).unwrap();
    let found = keep(&sight, bridge, &mut inserted, &mut transaction);
    let text =
        if transaction.is_empty() { String::new() } else { serde_json::to_string(&transaction).unwrap() };
    (text, inserted, found)
}

fn ends() -> [UplinkEnd; 2] {
    let physnet = PhysnetKey::new(1).unwrap();
    [UplinkEnd::Inner(physnet), UplinkEnd::Outer(physnet)]
}

/// A host with its uplink in place.
fn settled() -> Rows {
    let mut rows = Rows::new();
    for (n, end) in [INNER, OUTER].into_iter().zip(ends()) {
        rows.plug(n, &end.name(), |row| {
            row.external_ids = marks();
            row.kind = "patch".into();
            row.options = options(end);
            (row.ofport_request, row.ofport) = (number(end), number(end).or(Some(2)));
        });
    }
    rows.move_to(OUTER, BR_OTHER);
    rows
}

fn uuid(n: u128) -> String {
    Uuid::from_u128(n).to_string()
}

#[test]
fn both_ends_are_made_where_they_belong() {
    let (text, inserted, found) = look(&Rows::new(), &snapshot("blue:br-ex"));
    assert_eq!(inserted, ends().into());
    for part in ["wp-1", "wu-1", "65101", "patch", &uuid(BR_INT), &uuid(BR_OTHER)] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!((found.problems.len(), found.is_open, found.missing.len()), (0, true, 1));
}

#[test]
fn what_is_as_wanted_is_left_alone() {
    let (text, inserted, found) = look(&settled(), &snapshot("blue:br-ex"));
    assert_eq!((text.as_str(), inserted.len(), found), ("", 0, Uplinks::default()));
}

#[test]
fn what_differs_is_put_right() {
    type Hand = fn(&mut Rows);
    let hands: [(u128, Hand); 5] = [
        (INNER + INTERFACE, |r| r.interface(INNER, |i| i.ofport_request = None)),
        (INNER + INTERFACE, |r| r.interface(INNER, |i| i.kind = "internal".into())),
        (OUTER + INTERFACE, |r| r.interface(OUTER, |i| i.options.clear())),
        (BR_OTHER, |r| r.move_to(OUTER, BR_INT)),
        (BR_INT, |r| r.move_to(INNER, BR_OTHER)),
    ];
    for (row, hand) in hands {
        let mut rows = settled();
        hand(&mut rows);
        let (text, inserted, _) = look(&rows, &snapshot("blue:br-ex"));
        assert!(text.contains(&uuid(row)) && inserted.is_empty(), "{text}");
    }
}

#[test]
fn both_ends_go_when_they_are_not_wanted_and_nothing_else_does() {
    let mut rows = settled();
    rows.plug(40, "eth1", |_| {});
    rows.move_to(40, BR_OTHER);
    for maps in ["", "red:br-ex", "blue:br-gone"] {
        let (text, _, found) = look(&rows, &snapshot(maps));
        assert!(text.contains(&uuid(INNER)) && text.contains(&uuid(OUTER)), "{text}");
        assert!(!text.contains(&uuid(40)) && !text.contains("update"), "{text}");
        assert_eq!((found.problems.len(), found.missing.len()), (1, 1));
    }
    let (text, _, found) = look(&rows, &Snapshot::new());
    assert!(text.contains(&uuid(OUTER)) && found == Uplinks::default());
}

#[test]
fn what_cannot_be_is_said() {
    type Hand = fn(&mut Rows);
    let hands: [(&str, &str, Hand); 6] = [
        ("", "networks on physical network blue are needed here", |_| {}),
        ("blue:br-no", "is mapped to bridge br-no, which does not exist", |_| {}),
        ("blue:br-ex", "whose datapath_type is not that of br-int", |r| {
            r.bridge(BR_OTHER, |bridge| bridge.datapath_type = "netdev".into());
        }),
        ("blue:br-ex", "an interface wp-1 exists and is not Weft's", |r| r.plug(40, "wp-1", |_| {})),
        ("blue:br-ex", "uplink wp-1 has ofport 7, wanted 65101: the number is taken", |r| {
            *r = settled();
            r.interface(INNER, |i| i.ofport = Some(7));
        }),
        ("blue:br-ex", "uplink wu-1: no room", |r| {
            *r = settled();
            r.interface(OUTER, |i| i.error = Some("no room".into()));
        }),
    ];
    for (maps, problem, hand) in hands {
        let mut rows = Rows::new();
        hand(&mut rows);
        let (_, _, found) = look(&rows, &snapshot(maps));
        assert!(found.problems.len() == 1 && found.problems[0].contains(problem), "{found:?}");
        assert_eq!(found.missing.len(), 1);
    }
    let mut rows = settled();
    rows.root(|root| drop(root.external_ids.insert("weft-bridge-mappings".into(), "blue".into())));
    let (_, _, found) = look(&rows, &snapshot("blue:br-ex"));
    assert!(found.problems[0].contains("\"blue\" is not a physical network and a bridge"), "{found:?}");
}
