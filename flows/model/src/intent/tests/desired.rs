//! Laws of what files want: a second time nothing is left to do, and what was wanted before leaves no trace.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::intent::desired::{Desired, DesiredGroup, DesiredRouter, FirstRules, Prune, difference};
use crate::{
    Direction, Family, MacAddr, NextHop, PortSecurity, Remote, Route, RouterId, SecurityGroupId,
    SecurityRuleId, Service, Tracking,
};

/// The numbers that a file is made of; whatever they are, the file makes sense.
type Dice = Vec<u8>;

fn cidr(new: &NewSubnet) -> ipnet::IpNet {
    match new.prefix {
        AskedPrefix::Own(cidr) => cidr,
        AskedPrefix::Cut { .. } => panic!("no pool is in this test"),
    }
}

fn tagged(state: &Snapshot) -> usize {
    state.networks().filter(|network| network.stamp.tags.contains("weft-apply=file")).count()
}

/// A file of tenant a with some of two networks, three subnets, two groups, a router and three ports.
fn file(dice: &Dice) -> Desired {
    let die = |n: usize| dice[n % dice.len()].wrapping_add(u8::try_from(n).expect("few"));
    let has = |n: usize| !die(n).is_multiple_of(3);
    let text = |n: usize| ["", "one", "two"][usize::from(die(n) % 3)].to_owned();
    let labels =
        |name: &str, n: usize| Labels { name: name.to_owned(), description: text(n), ..Labels::default() };
    let networks: Vec<NewNetwork> = (0..2usize)
        .filter(|n| has(*n))
        .map(|n| NewNetwork {
            labels: labels(&format!("n{n}"), 10 + n),
            mtu: (die(20 + n).is_multiple_of(2)).then_some(1300),
            admin_up: die(22 + n).is_multiple_of(2),
            ..NewNetwork::new(network(10 + n as u128))
        })
        .collect();
    let of = [0u128, 0, 1];
    let is_there = |n: usize| networks.iter().any(|new| new.id == network(10 + of[n]));
    let cidrs = ["10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"];
    let subnets: Vec<NewSubnet> = (0..3usize)
        .filter(|n| is_there(*n) && has(30 + n))
        .map(|n| NewSubnet {
            labels: labels(&format!("s{n}"), 40 + n),
            dhcp: die(50 + n).is_multiple_of(2),
            dns_servers: (die(53 + n).is_multiple_of(2))
                .then(|| "9.9.9.9".parse().unwrap())
                .into_iter()
                .collect(),
            ..NewSubnet::new(subnet(10 + n as u128), network(10 + of[n]), net(cidrs[n]))
        })
        .collect();
    let groups: Vec<DesiredGroup> =
        (0..2usize).filter(|n| has(60 + n)).map(|n| group(n, &die, labels("g", 62))).collect();
    Desired {
        tenant: tenant("a"),
        tag: "weft-apply=file".into(),
        routers: routers(&subnets, &die),
        ports: ports(&networks, &subnets, &groups, &die),
        networks,
        subnets,
        groups,
        floating_ips: Vec::new(),
    }
}

fn group(n: usize, die: &impl Fn(usize) -> u8, labels: Labels) -> DesiredGroup {
    let id = SecurityGroupId(Uuid::from_u128(0x100 + n as u128));
    let rule_ids = [0x200, 0x300].map(|base| SecurityRuleId(Uuid::from_u128(base + n as u128)));
    let rule = |m: u16| {
        let id = SecurityRuleId(Uuid::from_u128(0x400 + 16 * n as u128 + u128::from(m)));
        let port = 80 + m;
        NewSecurityRule {
            service: Service::Ports { protocol: 6, first: port, last: port },
            remote: if m == 2 {
                Remote::Group(SecurityGroupId(Uuid::from_u128(0x100 + n as u128)))
            } else {
                Remote::Any
            },
            ..NewSecurityRule::new(
                id,
                SecurityGroupId(Uuid::from_u128(0x100 + n as u128)),
                Direction::Ingress,
                Family::V4,
            )
        }
    };
    let rules = (0..3u16).filter(|m| die(70 + 5 * n + usize::from(*m)).is_multiple_of(2)).map(rule).collect();
    let egress = if die(80 + n).is_multiple_of(2) { FirstRules::Kept } else { FirstRules::Dropped };
    let labels = Labels { name: format!("g{n}"), ..labels };
    let group = NewSecurityGroup { id, tenant: None, labels, tracking: Tracking::Stateful, rule_ids };
    DesiredGroup { group, rules, egress }
}

fn routers(subnets: &[NewSubnet], die: &impl Fn(usize) -> u8) -> Vec<DesiredRouter> {
    let id = RouterId(Uuid::from_u128(0x500));
    let joined =
        subnets.iter().enumerate().filter(|(n, _)| die(90 + n).is_multiple_of(2)).map(|(_, subnet)| subnet);
    let interfaces: Vec<_> = joined
        .map(|new| (new.id, PortId(Uuid::from_u128(0x600 ^ new.id.0.as_u128())), die(95).into()))
        .collect();
    let first = interfaces.first().and_then(|(id, ..)| subnets.iter().find(|new| new.id == *id));
    let routes = first.filter(|_| die(96).is_multiple_of(2)).map(|new| {
        let via = cidr(new).hosts().nth(200).expect("a large prefix");
        Route { destination: net("172.16.0.0/12"), next_hop: NextHop::Via(via) }
    });
    let router = NewRouter {
        labels: Labels { name: "r".into(), ..Labels::default() },
        admin_up: die(97).is_multiple_of(2),
        ..NewRouter::new(id)
    };
    let wanted = DesiredRouter { router, interfaces, routes: routes.into_iter().collect() };
    Some(wanted).filter(|_| !die(98).is_multiple_of(3)).into_iter().collect()
}

fn ports(
    networks: &[NewNetwork],
    subnets: &[NewSubnet],
    groups: &[DesiredGroup],
    die: &impl Fn(usize) -> u8,
) -> Vec<NewPort> {
    let port = |n: usize| {
        let on = network(10 + n as u128 % 2);
        let there = subnets.iter().filter(|new| new.network == on);
        let asked = there
            .enumerate()
            .filter(|(m, _)| die(110 + 3 * n + m).is_multiple_of(2))
            .map(|(_, new)| AskedIp { subnet: Some(new.id), address: cidr(new).hosts().nth(10 + n) });
        let is_open = die(120 + n).is_multiple_of(4);
        let worn = groups
            .iter()
            .filter(|_| !is_open && die(124 + n).is_multiple_of(2))
            .map(|wanted| wanted.group.id);
        NewPort {
            labels: Labels { name: format!("p{n}"), ..Labels::default() },
            mac: Some(MacAddr([2, 0, 0, 0, 0, u8::try_from(n).expect("few")])),
            fixed_ips: Some(asked.collect()),
            admin_up: die(130 + n).is_multiple_of(2),
            security: is_open.then_some(PortSecurity::Off),
            groups: PortGroups::These(worn.collect()),
            ..NewPort::new(super::port(10 + n as u128), on, 1)
        }
    };
    let there = |new: &NewPort| networks.iter().any(|network| network.id == new.network);
    (0..3usize).filter(|n| !die(140 + n).is_multiple_of(3)).map(port).filter(there).collect()
}

/// The state after a file, and whether anything changed.
#[track_caller]
fn applied(state: &Snapshot, file: &Desired, prune: Prune) -> (Snapshot, bool) {
    let settings = at(0).settings;
    let found = difference(state, file, prune, &settings).expect("nothing is stuck");
    let intents: Vec<Intent> = found.steps.into_iter().map(|step| step.intent).collect();
    let plan = plan(state, &Actor::Tenant(tenant("a")), &intents, &at(300));
    let plan = plan.unwrap_or_else(|rejected| panic!("{rejected}: {intents:#?}"));
    (plan.snapshot, !plan.changes.is_empty())
}

/// All that a file says about the tenant's objects, without numbers, times and what is drawn.
fn said(state: &Snapshot) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    let own = tenant("a");
    let label = |stamp: &crate::Stamp| format!("{} {} {:?}", stamp.name, stamp.description, stamp.tags);
    for r in state.networks_of_tenant(&own) {
        said.insert(r.id.to_string(), format!("{} {:?} {}", label(&r.stamp), r.mtu, r.admin_up));
    }
    for r in state.subnets_of_tenant(&own) {
        let rest = (r.dhcp, &r.dns_servers, r.gateway, &r.pools, r.cidr);
        said.insert(r.id.to_string(), format!("{} {rest:?}", label(&r.stamp)));
    }
    for r in state.security_groups_of_tenant(&own) {
        let rules: BTreeSet<_> = state
            .rules_of(r.id)
            .map(|rule| (rule.direction, rule.family, rule.service, rule.remote))
            .collect();
        said.insert(r.id.to_string(), format!("{} {rules:?}", label(&r.stamp)));
    }
    for r in state.routers_of_tenant(&own) {
        let joined: BTreeSet<_> = state
            .interfaces_of(r.id)
            .flat_map(|port| &port.fixed_ips)
            .map(|ip| (ip.subnet, ip.address))
            .collect();
        said.insert(
            r.id.to_string(),
            format!("{} {:?} {joined:?} {}", label(&r.stamp), r.routes, r.admin_up),
        );
    }
    for r in state.ports_of_tenant(&own).filter(|port| !port.is_virtual()) {
        let groups = r.policy.and_then(|policy| state.policy(policy)).map(|policy| policy.groups.clone());
        let rest = (r.mac, &r.fixed_ips, r.admin_up, r.security, groups);
        said.insert(r.id.to_string(), format!("{} {rest:?}", label(&r.stamp)));
    }
    said
}

/// The default group comes with the first group of a tenant and never goes: it must be there from the start.
fn start() -> Snapshot {
    let ensure = [Intent::EnsureDefaultGroup(tenant("a"))];
    plan(&world(), &Actor::Admin, &ensure, &at(200)).expect("a world with a group").snapshot
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn files_do_what_they_say_once(x in prop::collection::vec(any::<u8>(), 37), y in prop::collection::vec(any::<u8>(), 37)) {
        let (x, y) = (file(&x), file(&y));
        let (after_x, _) = applied(&start(), &x, Prune::No);
        let (again, changed) = applied(&after_x, &x, Prune::Yes);
        prop_assert!(!changed, "a second time changes something: {:?} became {:?}", said(&after_x), said(&again));
        let (after_both, _) = applied(&after_x, &y, Prune::Yes);
        let (after_y, _) = applied(&start(), &y, Prune::No);
        prop_assert_eq!(said(&after_both), said(&after_y));
        let empty = Desired { networks: vec![], subnets: vec![], groups: vec![], routers: vec![], ports: vec![], ..x };
        let (cleared, _) = applied(&after_both, &empty, Prune::Yes);
        prop_assert_eq!(said(&cleared), said(&start()));
        prop_assert_eq!(tagged(&cleared), 0);
    }
}

#[test]
fn what_was_there_before_is_adopted_and_never_deleted() {
    let base = world();
    let mut adopted = file(&vec![1; 37]);
    adopted.networks = vec![NewNetwork {
        labels: Labels { name: "one".into(), ..Labels::default() },
        ..NewNetwork::new(network(1))
    }];
    (adopted.subnets, adopted.groups, adopted.routers, adopted.ports) = Default::default();
    let (after, changed) = applied(&base, &adopted, Prune::Yes);
    assert!(changed && after.network(&network(1)).unwrap().stamp.tags.is_empty());
    adopted.networks.clear();
    let (after, changed) = applied(&after, &adopted, Prune::Yes);
    assert!(!changed && after.network(&network(1)).is_some());
}

#[test]
fn what_cannot_change_is_named_and_what_is_not_wanted_is_told() {
    let (mut one, settings) = (file(&vec![1; 37]), at(0).settings);
    let (after, _) = applied(&start(), &one, Prune::No);
    let ports = one.ports.len();
    assert!(ports > 0 && !one.subnets.is_empty(), "{one:?}");
    one.ports.clear();
    let kept = difference(&after, &one, Prune::No, &settings).unwrap();
    assert_eq!(kept.left.len(), ports);
    one.subnets[0].prefix = AskedPrefix::Own(net("10.9.0.0/24"));
    let stuck = difference(&after, &one, Prune::No, &settings).unwrap_err();
    assert_eq!(stuck.iter().map(|s| (s.about, s.field)).collect::<Vec<_>>(), [(one.subnets[0].id.0, "cidr")]);
}
