//! Trunks: what is refused, and where subports are while their parents are bound.

use super::hosts::report;
use super::*;
use crate::{TrunkId, VlanId};

fn trunk(n: u128) -> TrunkId {
    TrunkId(Uuid::from_u128(n))
}

fn subport(n: u128, vlan: u32) -> Subport {
    Subport { port: port(n), vlan: VlanId::new(vlan).expect("a tag") }
}

fn new(n: u128, parent: u128, subports: &[(u128, u32)]) -> Intent {
    Intent::CreateTrunk(NewTrunk {
        id: trunk(n),
        tenant: None,
        labels: Labels::default(),
        port: port(parent),
        admin_up: true,
        subports: subports.iter().map(|(n, vlan)| subport(*n, *vlan)).collect(),
    })
}

/// [`world`] with the ports 3, 4 and 5 of tenant a, 4 in a network of its own.
fn with_ports() -> Snapshot {
    let small = NewNetwork { tenant: Some(tenant("a")), mtu: Some(1400), ..NewNetwork::new(network(3)) };
    let intents = [
        Intent::CreateNetwork(small),
        Intent::CreatePort(NewPort::new(port(3), network(1), 3)),
        Intent::CreatePort(NewPort::new(port(4), network(3), 4)),
        Intent::CreatePort(NewPort::new(port(5), network(3), 5)),
    ];
    plan(&world(), &Actor::Admin, &intents, &at(1)).expect("the ports are valid").snapshot
}

fn planned(base: &Snapshot, intents: &[Intent]) -> Snapshot {
    plan(base, &Actor::Admin, intents, &at(1)).expect("planned").snapshot
}

#[track_caller]
fn refused(base: &Snapshot, intents: &[Intent], reason: &str) {
    check_on(base, &Actor::Tenant(tenant("a")), intents, &format!("refused: {reason}"));
}

#[test]
fn a_port_is_in_one_place_of_one_trunk() {
    let base = with_ports();
    check_on(
        &base,
        &Actor::Tenant(tenant("a")),
        &[new(1, 1, &[(4, 100)])],
        "trunk v1 \"\" of a on #01 [100: #04]",
    );
    let base = planned(&base, &[new(1, 1, &[(4, 100)])]);
    let add = |n, vlan| [Intent::AddSubports(trunk(1), vec![subport(n, vlan)], None)];
    refused(
        &base,
        &[new(2, 1, &[])],
        &format!("port {} is currently in use and is not eligible for use as a parent port", "#01"),
    );
    refused(&base, &[new(2, 4, &[])], "port #04 is in use by another trunk");
    refused(&base, &[new(2, 3, &[(4, 1)])], "port #04 is in use by another trunk");
    refused(
        &base,
        &add(5, 100),
        "segmentation_type vlan and segmentation_id 100 already in use on trunk #01",
    );
    refused(&base, &add(2, 7), "there is no port #02");
    refused(&base, &[Intent::DeletePort(port(1), None)], "port #01 is currently a parent port for trunk #01");
    refused(&base, &[Intent::DeletePort(port(4), None)], "port #04 is currently a subport for trunk #01");
    let removal = |n| [Intent::RemoveSubports(trunk(1), vec![port(n)], None)];
    refused(&base, &removal(5), "subport on trunk #01 with parent port #05 could not be found");
    let down = TrunkPatch { admin_up: Some(false), ..TrunkPatch::default() };
    let off = planned(&base, &[Intent::UpdateTrunk(trunk(1), down)]);
    refused(&off, &removal(4), "trunk #01 is currently disabled");
    refused(&off, &[Intent::DeleteTrunk(trunk(1), None)], "trunk #01 is currently disabled");
    // The packets of a network that takes larger ones would not pass.
    refused(
        &base,
        &[new(2, 5, &[(3, 1)])],
        "MTU 1450 of subport #03 cannot be greater than MTU 1400 of trunk #02",
    );
    let bare = planned(&base, &removal(4));
    check_on(&bare, &Actor::Admin, &[Intent::DeletePort(port(4), None)], "delete port(portid(#04))");
}

#[test]
fn subports_are_where_their_parent_is() {
    let base = planned(&with_ports(), &[new(1, 1, &[(4, 100)])]);
    check_on(
        &base,
        &Actor::Admin,
        &[Intent::ReportHost(report("h1", &[(1, "tap0", 5), (4, "own", 6)]))],
        "host h1 index 1 h1.example
         binding #01 on h1 as tap0 5 since 4
         binding #04 on h1 as tap0 5 since 4 vlan 100 zone 32767",
    );
    let joined = planned(&base, &[Intent::ReportHost(report("h1", &[(1, "tap0", 5)]))]);
    check_on(
        &joined,
        &Actor::Admin,
        &[Intent::AddSubports(trunk(1), vec![subport(5, 7)], None)],
        "trunk v2 \"\" of a on #01 [7: #05, 100: #04]
         binding #05 on h1 as tap0 5 since 4 vlan 7 zone 32766",
    );
    check_on(
        &joined,
        &Actor::Admin,
        &[Intent::DeleteTrunk(trunk(1), None)],
        "delete trunk(trunkid(#01))
         delete binding(portid(#04), hostid(\"h1\"))",
    );
    // A number that an interface has got is nobody's zone any more.
    let interface = ReportedInterface { port: port(3), name: "tap9".to_owned(), ofport: ofport(32_767) };
    let plugged = Intent::ReportInterfaces { host: host("h1"), plugged: vec![interface], unplugged: vec![] };
    check_on(
        &joined,
        &Actor::Admin,
        &[plugged],
        "binding #03 on h1 as tap9 32767 since 5
         binding #04 on h1 as tap0 5 since 4 vlan 100 zone 32766",
    );
    let unplugged =
        Intent::ReportInterfaces { host: host("h1"), plugged: vec![], unplugged: vec![port(4), port(1)] };
    check_on(
        &joined,
        &Actor::Admin,
        &[unplugged],
        "delete binding(portid(#01), hostid(\"h1\"))
         delete binding(portid(#04), hostid(\"h1\"))",
    );
    let bound = planned(&joined, &[Intent::ReportHost(report("h1", &[(1, "tap0", 5), (5, "own", 6)]))]);
    refused(
        &bound,
        &[Intent::AddSubports(trunk(1), vec![subport(5, 7)], None)],
        "port #05 is bound on host h1, its MAC address cannot change",
    );
    // The workload moves, and all that is behind its interface with it.
    let moved = planned(&joined, &[Intent::ReportHost(report("h2", &[(1, "tap3", 9)]))]);
    for n in [1, 4] {
        assert_eq!(moved.bound_host(port(n)).map(|found| found.id.clone()), Some(host("h2")));
    }
    let back = planned(&moved, &[Intent::ReportHost(report("h2", &[]))]);
    assert_eq!(back.bound_host(port(4)).map(|found| found.id.clone()), Some(host("h1")));
}
