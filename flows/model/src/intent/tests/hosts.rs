//! Hosts and claims: what is reported, which claim is in force.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::EncapIps;

pub(super) fn report(name: &str, interfaces: &[(u128, &str, i64)]) -> HostReport {
    let interface = |(n, name, number): &(u128, &str, i64)| ReportedInterface {
        port: port(*n),
        name: (*name).to_owned(),
        ofport: ofport(*number),
    };
    HostReport {
        id: host(name),
        hostname: format!("{name}.example"),
        encap_ips: EncapIps::default(),
        ovs_version: "3.1.0".to_owned(),
        datapath_type: "system".to_owned(),
        bridge_mappings: BTreeMap::new(),
        interfaces: interfaces.iter().map(interface).collect(),
    }
}

fn reported(base: &Snapshot, name: &str, interfaces: &[(u128, &str, i64)]) -> Snapshot {
    let intents = [Intent::ReportHost(report(name, interfaces))];
    plan(base, &Actor::Admin, &intents, &at(1)).expect("reports are taken").snapshot
}

#[track_caller]
fn check_report(base: &Snapshot, report: HostReport, expected: &str) {
    check_on(base, &Actor::Admin, &[Intent::ReportHost(report)], expected);
}

#[test]
fn joining_and_reporting_again() {
    check_report(
        &world(),
        report("h1", &[(1, "tap0", 5)]),
        "host h1 index 1 h1.example
         binding #01 on h1 as tap0 5 since 2",
    );
    let joined = reported(&world(), "h1", &[(1, "tap0", 5)]);
    check_report(&joined, report("h1", &[(1, "tap0", 5)]), "");
    check_report(&joined, report("h2", &[]), "host h2 index 2 h2.example");
    let moved = HostReport { hostname: "x".repeat(300), ..report("h1", &[(1, "tap0", 5)]) };
    check_report(&joined, moved, &format!("host h1 index 1 {}", "x".repeat(255)));
    check_on(
        &joined,
        &Actor::Tenant(tenant("a")),
        &[Intent::ReportHost(report("h1", &[]))],
        "refused: reporting a host is not allowed for this token",
    );
}

#[test]
fn claims_keep_their_age() {
    let joined = reported(&reported(&world(), "h1", &[(1, "tap0", 5)]), "h2", &[]);
    check_report(&joined, report("h1", &[(1, "tap1", 6)]), "binding #01 on h1 as tap1 6 since 2");
    check_report(&joined, report("h1", &[]), "delete binding(portid(#01), hostid(\"h1\"))");
    // The port moves: the newer claim wins, and when it goes the older one counts again.
    let moved = reported(&joined, "h2", &[(1, "tap9", 9)]);
    assert_eq!(moved.bound_host(port(1)).expect("bound").id, host("h2"));
    let restarted = reported(&moved, "h1", &[(1, "tap0", 7)]);
    assert_eq!(restarted.bound_host(port(1)).expect("bound").id, host("h2"));
    let back = reported(&restarted, "h2", &[]);
    assert_eq!(back.bound_host(port(1)).expect("bound").id, host("h1"));
}

#[test]
fn a_claim_may_come_before_its_port() {
    let early = reported(&world(), "h1", &[(9, "tap0", 5)]);
    assert_eq!(early.claims_of_host(&host("h1")).count(), 1);
    assert!(early.binding(port(9)).is_none());
    let create = [Intent::CreatePort(NewPort::new(port(9), network(1), 9))];
    let bound = plan(&early, &Actor::Tenant(tenant("a")), &create, &at(1)).expect("planned").snapshot;
    assert_eq!(bound.bound_host(port(9)).expect("bound").id, host("h1"));
    assert!(bound.is_member(network(1), &host("h1")));
    let delete = [Intent::DeletePort(port(9), None)];
    let gone = plan(&bound, &Actor::Tenant(tenant("a")), &delete, &at(1)).expect("planned").snapshot;
    assert!(gone.claim(port(9), &host("h1")).is_some());
    assert!(!gone.is_member(network(1), &host("h1")));
}

#[test]
fn two_interfaces_for_one_port() {
    let expected = "host h1 index 1 h1.example
                    binding #01 on h1 as b 3 since 2";
    check_report(&world(), report("h1", &[(1, "a", 4), (1, "b", 3)]), expected);
    check_report(&world(), report("h1", &[(1, "b", 3), (1, "a", 4)]), expected);
}

#[test]
fn election_does_not_depend_on_order() {
    let one = reported(
        &reported(&reported(&world(), "h1", &[(1, "a", 1)]), "h2", &[(1, "b", 2)]),
        "h3",
        &[(1, "c", 3)],
    );
    let mut records: Vec<Record> = one.records().collect();
    for _ in 0..records.len() {
        records.rotate_left(1);
        assert_eq!(Snapshot::from_records(one.revision(), records.clone()), one);
        let reversed = records.iter().rev().cloned();
        assert_eq!(Snapshot::from_records(one.revision(), reversed), one);
    }
    assert_eq!(one.bound_host(port(1)).expect("bound").id, host("h3"));
    // Claims of one commit are equally old: the smaller host id decides, whoever is named first.
    let both = |first: &str, second: &str| {
        let report = |name: &str| Intent::ReportHost(report(name, &[(1, "tap", 1)]));
        let both = plan(&world(), &Actor::Admin, &[report(first), report(second)], &at(1));
        both.expect("planned").snapshot.bound_host(port(1)).expect("bound").id.clone()
    };
    assert_eq!((both("h1", "h2"), both("h2", "h1")), (host("h1"), host("h1")));
}

#[test]
fn forgetting() {
    let joined = reported(&reported(&world(), "h1", &[(1, "a", 1)]), "h2", &[(1, "b", 2)]);
    check_on(
        &joined,
        &Actor::Admin,
        &[Intent::DeleteHost(host("h2"))],
        "delete host(hostid(\"h2\"))
         delete binding(portid(#01), hostid(\"h2\"))",
    );
    check_admin(&[Intent::DeleteHost(host("h7"))], "refused: there is no host h7");
    // The index of a host that left is not the next one's.
    let intents = [Intent::DeleteHost(host("h2")), Intent::ReportHost(report("h4", &[]))];
    let next = plan(&joined, &Actor::Admin, &intents, &at(1)).expect("planned").snapshot;
    assert_eq!(next.host(&host("h4")).expect("there").index.get(), 3);
}

/// Interfaces by port, as a host reports them.
fn interfaces() -> impl Strategy<Value = BTreeMap<u128, (u8, i64)>> {
    prop::collection::btree_map(1u128..7, (0u8..3, 1i64..5), 0..6)
}

fn plugged(interfaces: &BTreeMap<u128, (u8, i64)>) -> Vec<ReportedInterface> {
    let one = |(n, (name, number)): (&u128, &(u8, i64))| ReportedInterface {
        port: port(*n),
        name: format!("tap{name}"),
        ofport: ofport(*number),
    };
    interfaces.iter().map(one).collect()
}

proptest! {
    /// Telling what changed changes exactly what telling everything changes; saying more than changed changes no more.
    #[test]
    fn reporting_changes_is_reporting_all(before in interfaces(), after in interfaces(), too_much in any::<bool>()) {
        let full = |interfaces: &BTreeMap<u128, (u8, i64)>| {
            Intent::ReportHost(HostReport { interfaces: plugged(interfaces), ..report("h1", &[]) })
        };
        let planned = |base: &Snapshot, intent| plan(base, &Actor::Admin, &[intent], &at(1)).expect("taken");
        let base = planned(&reported(&world(), "h2", &[(1, "tap0", 5)]), full(&before)).snapshot;
        let is_news = |(n, is): &(&u128, &(u8, i64))| too_much || before.get(n) != Some(is);
        let news = after.iter().filter(is_news).map(|(n, is)| (*n, *is)).collect();
        let unplugged = before.keys().filter(|n| !after.contains_key(n)).map(|n| port(*n)).collect();
        let part = Intent::ReportInterfaces { host: host("h1"), plugged: plugged(&news), unplugged };
        let (all, part) = (planned(&base, full(&after)), planned(&base, part));
        let sorted = |mut changes: Vec<crate::Change>| {
            changes.sort_by_key(|change| change.key());
            changes
        };
        prop_assert_eq!(sorted(all.changes), sorted(part.changes));
        prop_assert!(all.snapshot.bindings().eq(part.snapshot.bindings()));
    }
}

#[test]
fn changes_of_a_host_that_is_not_known_are_refused() {
    let part =
        |name| Intent::ReportInterfaces { host: host(name), plugged: Vec::new(), unplugged: vec![port(1)] };
    let refused = plan(&world(), &Actor::Admin, &[part("h9")], &at(1)).expect_err("nobody knows it");
    assert_eq!(refused, Rejected::HostNotFound(host("h9")));
    let joined = reported(&world(), "h1", &[]);
    let refused = plan(&joined, &Actor::Tenant(tenant("a")), &[part("h1")], &at(1));
    assert!(matches!(refused, Err(Rejected::Forbidden { .. })), "{refused:?}");
}
