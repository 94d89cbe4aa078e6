//! Routers: what is planned and what is refused.

use super::*;
use crate::{NextHop, Route};

fn new_router(n: u128) -> Intent {
    Intent::CreateRouter(NewRouter { tenant: Some(tenant("a")), ..NewRouter::new(router(n)) })
}

fn by_subnet(n: u128, of: u128, port: u128) -> Intent {
    let new = NewInterface::OfSubnet { subnet: subnet(of), port: super::port(port), mac_seed: 7 };
    Intent::AddInterface(router(n), new)
}

fn routes(n: u128, routes: &[(&str, &str)]) -> Intent {
    let route = |(destination, via): &(&str, &str)| Route {
        destination: net(destination),
        next_hop: if via.is_empty() { NextHop::Blackhole } else { NextHop::Via(ip(via)) },
    };
    let routes = Some(RoutesPatch::Set(routes.iter().map(route).collect()));
    Intent::UpdateRouter(router(n), RouterPatch { routes, ..RouterPatch::default() })
}

/// Router 1 of tenant a with an interface in subnet 1; subnets 3 (another network) and 4 (the same as 1's network).
fn routed() -> Snapshot {
    let more = [
        Intent::CreateNetwork(NewNetwork { tenant: Some(tenant("a")), ..NewNetwork::new(network(3)) }),
        Intent::CreateSubnet(NewSubnet::new(subnet(3), network(3), net("10.0.3.0/24"))),
        Intent::CreateSubnet(NewSubnet::new(subnet(4), network(1), net("10.0.4.0/24"))),
        Intent::CreateSubnet(NewSubnet::new(subnet(5), network(3), net("10.0.0.128/25"))),
        new_router(1),
        by_subnet(1, 1, 11),
    ];
    plan(&world(), &Actor::Admin, &more, &at(150)).expect("the world is valid").snapshot
}

#[track_caller]
fn refused(intents: &[Intent], expected: &str) {
    match plan(&routed(), &Actor::Tenant(tenant("a")), intents, &at(200)) {
        Ok(plan) => panic!("was planned: {:?}", plan.changes),
        Err(rejected) => assert_eq!(rejected.to_string(), expected),
    }
}

#[track_caller]
fn planned(intents: &[Intent]) -> Snapshot {
    plan(&routed(), &Actor::Tenant(tenant("a")), intents, &at(200)).expect("can be done").snapshot
}

#[test]
fn an_interface_has_the_gateways_address_and_joins_networks() {
    let snapshot = planned(&[by_subnet(1, 3, 13)]);
    let port = snapshot.port(&port(13)).expect("made");
    assert_eq!((port.router(), port.fixed_ips[0].address), (Some(router(1)), ip("10.0.3.1")));
    assert_eq!(port.policy, None, "no policy sees what a router does");
    assert_eq!(snapshot.realm(network(1)).map(|n| n.id).collect::<Vec<_>>(), [network(1), network(3)]);
    let number = |snapshot: &Snapshot| snapshot.router(&router(1)).expect("there").stamp.number;
    assert_eq!(number(&snapshot), number(&routed()) + 1, "what it joins is a part of it");
    let old = OldInterface { subnet: Some(subnet(3)), port: None };
    let parted = planned(&[by_subnet(1, 3, 13), Intent::RemoveInterface(router(1), old)]);
    assert!(parted.port(&super::port(13)).is_none() && !parted.is_routed(network(3)));
}

#[test]
fn a_port_becomes_an_interface_once() {
    let mut new = NewPort::new(port(20), network(3), 9);
    new.fixed_ips = Some(vec![AskedIp { subnet: Some(subnet(3)), address: Some(ip("10.0.3.77")) }]);
    let adopt = Intent::AddInterface(router(1), NewInterface::Port(port(20)));
    let snapshot = planned(&[Intent::CreatePort(new.clone()), adopt.clone()]);
    let interface = snapshot.port(&port(20)).expect("there");
    assert_eq!((interface.router(), interface.policy), (Some(router(1)), None));
    refused(
        &[Intent::CreatePort(new.clone()), adopt.clone(), adopt.clone()],
        &format!("port {} is used by {}", port(20), router(1)),
    );
    new.fixed_ips = Some(Vec::new());
    let expected = format!("Port {} has no fixed IP address", port(20));
    refused(&[Intent::CreatePort(new), adopt], &expected);
}

#[test]
fn what_a_router_cannot_join() {
    let name = |n| subnet(n).to_string();
    refused(&[by_subnet(1, 1, 13)], &format!("Router already has a port on subnet {}", name(1)));
    let expected = format!(
        "Cidr 10.0.0.128/25 of subnet {} overlaps with cidr 10.0.0.0/24 of subnet {}",
        name(5),
        name(1)
    );
    refused(&[by_subnet(1, 5, 13)], &expected);
    refused(&[by_subnet(1, 2, 13)], &format!("there is no subnet {}", name(2)));
    refused(&[by_subnet(2, 3, 13)], &format!("there is no router {}", router(2)));
    let none = SubnetPatch { gateway: Some(None), ..SubnetPatch::default() };
    refused(
        &[Intent::UpdateSubnet(subnet(3), none), by_subnet(1, 3, 13)],
        "Subnet for router interface must have a gateway IP of its own prefix",
    );
    let expected = format!("Subnet {} and router {} have different owners", name(2), router(1));
    let foreign = plan(&routed(), &Actor::Admin, &[by_subnet(1, 2, 13)], &at(1)).expect_err("joins tenants");
    assert_eq!(foreign.to_string(), expected);
}

#[test]
fn an_interface_is_its_routers() {
    let in_use = format!("port {} is the interface of a router", port(11));
    refused(&[Intent::DeletePort(port(11), None)], &in_use);
    let patch = PortPatch { device_id: Some("x".into()), ..PortPatch::default() };
    refused(&[Intent::UpdatePort(port(11), patch)], &in_use);
    let mut fake = NewPort::new(port(30), network(3), 1);
    fake.device_owner = crate::ROUTER_INTERFACE.into();
    let expected = "device_owner is a router's to give: add the port to it by add_router_interface";
    refused(&[Intent::CreatePort(fake)], expected);
    let patch = PortPatch { labels: named("gw"), ..PortPatch::default() };
    planned(&[Intent::UpdatePort(port(11), patch)]);
    let expected = format!("router {} still has interfaces: {}", router(1), port(11));
    refused(&[Intent::DeleteRouter(router(1), None)], &expected);
    let away = SubnetPatch { gateway: Some(None), ..SubnetPatch::default() };
    let expected = format!("gateway 10.0.0.1 of subnet {} is the address of port {}", subnet(1), port(11));
    refused(&[Intent::UpdateSubnet(subnet(1), away)], &expected);
    let old = OldInterface { subnet: Some(subnet(3)), port: Some(port(11)) };
    let expected = format!("port {} has no address of subnet {}", port(11), subnet(3));
    refused(&[Intent::RemoveInterface(router(1), old)], &expected);
    let old = OldInterface { subnet: Some(subnet(3)), port: None };
    let expected = format!("router {} has no interface on subnet {}", router(1), subnet(3));
    refused(&[Intent::RemoveInterface(router(1), old)], &expected);
}

#[test]
fn static_routes_lead_through_connected_subnets() {
    let shared = [("0.0.0.0/0", "10.0.0.9"), ("0.0.0.0/0", "10.0.0.8"), ("192.0.2.0/24", "")];
    let snapshot = planned(&[routes(1, &shared)]);
    assert_eq!(snapshot.router(&router(1)).expect("there").routes.len(), 3);
    let check = |wanted: &[(&str, &str)], reason: &str| {
        refused(&[routes(1, wanted)], &format!("route to {}: {reason}", wanted[0].0));
    };
    check(&[("192.0.2.0/24", "10.0.3.9")], "the nexthop is not connected with router");
    check(&[("192.0.2.0/24", "10.0.0.1")], "the nexthop is used by router");
    check(&[("192.0.2.1/24", "10.0.0.9")], "the destination has host bits set");
    check(&[("2001:db8::/32", "10.0.0.9")], "the nexthop is of another family than the destination");
    check(&[("192.0.2.0/24", "10.0.0.9"), ("192.0.2.0/24", "")], "a blackhole cannot share its destination");
    let old = OldInterface { subnet: None, port: Some(port(11)) };
    let expected = format!("router {} has static routes through subnet {}", router(1), subnet(1));
    refused(&[routes(1, &shared), Intent::RemoveInterface(router(1), old)], &expected);
}
