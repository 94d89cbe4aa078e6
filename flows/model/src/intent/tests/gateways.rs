//! Gateways: where they are, who serves them, what they need.

use std::net::Ipv6Addr;

use super::*;
use crate::{Encap, EncapIps, GatewayZone, HostIndex, NextHop, Route, Router};

/// The external network 9 (of tenant b, on physical network "outside") with subnets 9 and 10, hosts h1 to h4 of which all
/// but h4 have a bridge for it, and router 1 of tenant a with an interface in subnet 1.
pub(super) fn outside() -> Snapshot {
    let segment = Some(NewSegment { physnet: "outside".into(), vlan: None });
    let external =
        NewNetwork { tenant: Some(tenant("b")), segment, external: true, ..NewNetwork::new(network(9)) };
    let mut intents = vec![
        Intent::CreateNetwork(external),
        Intent::CreateSubnet(NewSubnet::new(subnet(9), network(9), net("198.51.100.0/24"))),
        Intent::CreateSubnet(NewSubnet::new(subnet(10), network(9), net("2001:db8::/64"))),
        Intent::CreateRouter(NewRouter { tenant: Some(tenant("a")), ..NewRouter::new(router(1)) }),
        Intent::AddInterface(
            router(1),
            NewInterface::OfSubnet { subnet: subnet(1), port: port(11), mac_seed: 7 },
        ),
    ];
    intents.extend((1..=4).map(|n| Intent::ReportHost(mapped(n, n < 4))));
    plan(&world(), &Actor::Admin, &intents, &at(150)).expect("the world is valid").snapshot
}

pub(super) fn mapped(n: u32, has_bridge: bool) -> HostReport {
    let bridge = has_bridge.then(|| ("outside".to_owned(), "br-ex".to_owned()));
    let bridge_mappings = bridge.into_iter().collect();
    HostReport { bridge_mappings, ..super::hosts::report(&format!("h{n}"), &[]) }
}

pub(super) fn gateway() -> Intent {
    gateway_of(router(1), Some(NewGateway::new(network(9), port(90), 90)))
}

pub(super) fn gateway_of(router: RouterId, gateway: Option<NewGateway>) -> Intent {
    Intent::UpdateRouter(router, RouterPatch { gateway: Some(gateway), ..RouterPatch::default() })
}

#[track_caller]
pub(super) fn refused(actor: &Actor, intents: &[Intent], expected: &str) {
    match plan(&outside(), actor, intents, &at(200)) {
        Ok(plan) => panic!("was planned: {:?}", plan.changes),
        Err(rejected) => assert_eq!(rejected.to_string(), expected),
    }
}

#[track_caller]
pub(super) fn planned(actor: &Actor, intents: &[Intent]) -> Snapshot {
    plan(&outside(), actor, intents, &at(200)).expect("can be done").snapshot
}

pub(super) fn member() -> Actor {
    Actor::Tenant(tenant("a"))
}

fn router_in(snapshot: &Snapshot) -> Router {
    Router::clone(snapshot.router(&router(1)).expect("there"))
}

fn hosts_of(snapshot: &Snapshot) -> Vec<u16> {
    let gateway = router_in(snapshot).gateway.expect("it has one");
    gateway.hosts.iter().map(|host| host.get()).collect()
}

#[test]
fn a_gateway_has_addresses_a_transit_a_zone_and_hosts() {
    let snapshot = planned(&member(), &[gateway()]);
    let gateway = router_in(&snapshot).gateway.expect("set");
    let port = snapshot.port(&port(90)).expect("made");
    assert_eq!((port.gateway_of(), port.tenant.clone()), (Some(router(1)), tenant("b")));
    let addresses: Vec<_> = port.fixed_ips.iter().map(|ip| ip.address.to_string()).collect();
    assert_eq!(addresses, ["198.51.100.2", "2001:db8::2"]);
    assert!(snapshot.network_by_vni(gateway.transit).is_none());
    assert_eq!(snapshot.router_of_transit(gateway.transit).map(|r| r.id), Some(router(1)));
    assert_eq!(
        (gateway.encap, gateway.zone, gateway.snat),
        (Encap::Vxlan, GatewayZone::new(1).unwrap(), true)
    );
    let mut hosts = hosts_of(&snapshot);
    hosts.sort_unstable();
    assert_eq!(hosts, [1, 2, 3], "h4 has no bridge for it");
    let index = |n| HostIndex::new(n).expect("in range");
    assert_eq!(snapshot.realm_hosts(network(1)), [index(1), index(2), index(3)].into());
    assert!(snapshot.is_in_realm_at(network(1), index(1)) && !snapshot.is_in_realm_at(network(1), index(4)));
    assert!(!snapshot.is_routed(network(9)), "an external network joins no realm");
    let cleared = planned(&member(), &[self::gateway(), gateway_of(router(1), None)]);
    assert!(router_in(&cleared).gateway.is_none() && cleared.port(&port.id).is_none());
    let deleted = [
        self::gateway(),
        Intent::RemoveInterface(router(1), OldInterface { subnet: Some(subnet(1)), port: None }),
        Intent::DeleteRouter(router(1), None),
    ];
    assert!(planned(&member(), &deleted).port(&port.id).is_none());
}

#[test]
fn hosts_come_and_go_from_the_lists() {
    let base = planned(&member(), &[gateway()]);
    let step = |base: &Snapshot, intents: &[Intent]| {
        plan(base, &Actor::Admin, intents, &at(300)).expect("can be done").snapshot
    };
    let first = hosts_of(&base)[0];
    let lost = step(&base, &[Intent::ReportHost(mapped(first.into(), false))]);
    assert_eq!(hosts_of(&lost), hosts_of(&base)[1..], "one without its bridge is out, the rest moves up");
    assert_eq!(router_in(&lost).stamp, router_in(&base).stamp, "that is none of the tenant's doing");
    let filled = step(&lost, &[Intent::ReportHost(mapped(4, true))]);
    assert_eq!(hosts_of(&filled)[..2], hosts_of(&lost)[..2]);
    assert_eq!(hosts_of(&filled)[2], 4, "a host with a bridge fills a short list");
    let id = format!("h{}", hosts_of(&filled)[0]);
    let gone = step(&filled, &[Intent::DeleteHost(host(&id))]);
    assert_eq!(hosts_of(&gone), hosts_of(&filled)[1..]);
    let everybody = step(&gone, &[Intent::ReportHost(mapped(first.into(), true))]);
    assert_eq!(hosts_of(&everybody).len(), 3);
}

#[test]
fn a_list_has_only_hosts_that_can_see_each_other() {
    let with = |n: u32, v4: bool| {
        let last = u8::try_from(n).expect("small");
        let v4 = v4.then(|| [192, 0, 2, last].into());
        let v6 = v4.is_none().then(|| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()));
        Intent::ReportHost(HostReport { encap_ips: EncapIps { v4, v6 }, ..mapped(n, true) })
    };
    let reports = [with(1, true), with(2, false), with(3, true), with(4, false), gateway()];
    let hosts = hosts_of(&planned(&Actor::Admin, &reports));
    assert_eq!(hosts.len(), 2);
    assert_eq!(hosts[0] % 2, hosts[1] % 2, "{hosts:?}: one family");
}

#[test]
fn leading_is_shared_out() {
    let routers = (2..=31).flat_map(|n| {
        let gateway = Some(NewGateway::new(network(9), port(200 + n), u32::try_from(n).unwrap()));
        let new = NewRouter { tenant: Some(tenant("a")), gateway, ..NewRouter::new(router(n)) };
        [Intent::CreateRouter(new)]
    });
    let snapshot = planned(&Actor::Admin, &routers.collect::<Vec<_>>());
    for host in 1..=3 {
        assert_eq!(snapshot.gateways_led_by(HostIndex::new(host).unwrap()), 10);
    }
}

#[test]
fn what_a_gateway_needs() {
    let to = |n: u128| gateway_of(router(1), Some(NewGateway::new(network(n), port(90), 90)));
    refused(&member(), &[to(8)], &format!("there is no network {}", network(8)));
    refused(&member(), &[to(2)], &format!("there is no network {}", network(2)));
    refused(&member(), &[to(1)], &format!("Network {} is not an external network", network(1)));
    let tunnelled = NewNetwork { tenant: Some(tenant("b")), external: true, ..NewNetwork::new(network(8)) };
    let expected =
        format!("External network {} is on no physical network, so nothing leaves by it", network(8));
    refused(&Actor::Admin, &[Intent::CreateNetwork(tunnelled), to(8)], &expected);
    let patch = NetworkPatch { external: Some(false), ..NetworkPatch::default() };
    let expected = format!("network {} has gateways or floating IPs, so it stays external", network(9));
    refused(&Actor::Admin, &[gateway(), Intent::UpdateNetwork(network(9), patch)], &expected);
    let patch = NetworkPatch { external: Some(true), ..NetworkPatch::default() };
    let expected = "router:external cannot be true while routers have interfaces in the network";
    refused(&Actor::Admin, &[Intent::UpdateNetwork(network(1), patch)], expected);
    let inner = Intent::CreateSubnet(NewSubnet::new(subnet(20), network(3), net("198.51.100.128/25")));
    let third =
        Intent::CreateNetwork(NewNetwork { tenant: Some(tenant("a")), ..NewNetwork::new(network(3)) });
    let join = Intent::AddInterface(
        router(1),
        NewInterface::OfSubnet { subnet: subnet(20), port: port(12), mac_seed: 8 },
    );
    let overlap = |one: &str, n, other: &str, m| {
        format!("Cidr {one} of subnet {} overlaps with cidr {other} of subnet {}", subnet(n), subnet(m))
    };
    let (inside, out) = ("198.51.100.128/25", "198.51.100.0/24");
    let before = [third.clone(), inner.clone(), join.clone(), gateway()];
    refused(&Actor::Admin, &before, &overlap(out, 9, inside, 20));
    refused(&Actor::Admin, &[third, inner, gateway(), join], &overlap(inside, 20, out, 9));
}

#[test]
fn what_is_the_operators() {
    let asked = |snat, address: Option<&str>| {
        let fixed_ips = address.map(|text| vec![AskedIp { subnet: None, address: Some(ip(text)) }]);
        gateway_of(
            router(1),
            Some(NewGateway { snat, fixed_ips, ..NewGateway::new(network(9), port(90), 90) }),
        )
    };
    let not_allowed = |what: &str| format!("{what} is not allowed for this token");
    refused(&member(), &[asked(Some(false), None)], &not_allowed("turning enable_snat off"));
    refused(&member(), &[asked(None, Some("198.51.100.7"))], &not_allowed("choosing external_fixed_ips"));
    let foreign = Intent::CreatePort(NewPort::new(port(30), network(9), 1));
    refused(&member(), &[foreign], &not_allowed("creating a port on an external network"));
    refused(
        &member(),
        &[Intent::DeleteNetwork(network(9), None)],
        &not_allowed("changing another tenant's network"),
    );
    let owner = Actor::Tenant(tenant("b"));
    let wider = Intent::CreateSubnet(NewSubnet::new(subnet(20), network(9), net("203.0.113.0/24")));
    refused(&owner, &[wider], &not_allowed("creating a subnet on an external network"));
    let own = NewNetwork { external: true, ..NewNetwork::new(network(8)) };
    refused(&member(), &[Intent::CreateNetwork(own)], &not_allowed("making a network external"));
    let snapshot = planned(&Actor::Admin, &[asked(Some(false), Some("198.51.100.7"))]);
    assert!(!router_in(&snapshot).gateway.expect("set").snat);
    let port = snapshot.port(&port(90)).expect("made");
    assert_eq!(port.fixed_ips.iter().map(|ip| ip.address).collect::<Vec<_>>(), [ip("198.51.100.7")]);
    refused(
        &Actor::Admin,
        &[gateway(), Intent::DeletePort(super::port(90), None)],
        &format!("port {} is the gateway of a router", super::port(90)),
    );
}

#[test]
fn the_transit_follows_the_routers_networks() {
    let geneve =
        NewNetwork { tenant: Some(tenant("a")), encap: Some(Encap::Geneve), ..NewNetwork::new(network(3)) };
    let intents = [
        gateway(),
        Intent::CreateNetwork(geneve),
        Intent::CreateSubnet(NewSubnet::new(subnet(3), network(3), net("10.0.3.0/24"))),
        Intent::AddInterface(
            router(1),
            NewInterface::OfSubnet { subnet: subnet(3), port: port(13), mac_seed: 9 },
        ),
        Intent::RemoveInterface(router(1), OldInterface { subnet: Some(subnet(1)), port: None }),
    ];
    let encap = |count: usize| router_in(&planned(&Actor::Admin, &intents[..count])).gateway.unwrap().encap;
    assert_eq!((encap(4), encap(5)), (Encap::Vxlan, Encap::Geneve));
}

#[test]
fn static_routes_may_lead_outside() {
    let via = Route { destination: net("192.0.2.0/24"), next_hop: NextHop::Via(ip("198.51.100.9")) };
    let routes = Some(RoutesPatch::Add(vec![via]));
    let route = Intent::UpdateRouter(router(1), RouterPatch { routes, ..RouterPatch::default() });
    let expected = "route to 192.0.2.0/24: the nexthop is not connected with router";
    refused(&member(), std::slice::from_ref(&route), expected);
    refused(&member(), &[gateway(), route.clone(), gateway_of(router(1), None)], expected);
    assert_eq!(router_in(&planned(&member(), &[gateway(), route])).routes, [via]);
}
