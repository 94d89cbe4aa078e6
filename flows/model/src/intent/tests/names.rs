//! Names: what a network's ports may ask for, and what they never learn.

use super::*;
use crate::Named;

/// Networks 1 (red.example, tenant a) and 3 (no domain, tenant a) joined by a router, and 2 (red.example, tenant b); ports
/// with names in each.
fn named_world() -> Snapshot {
    let domain = |n: u128, domain: &str| {
        let patch = NetworkPatch { dns_domain: Some(domain.to_owned()), ..NetworkPatch::default() };
        Intent::UpdateNetwork(network(n), patch)
    };
    let new = |n: u128, of: u128, address: &str, name: &str| {
        let mut new = NewPort::new(port(n), network(of), u32::try_from(n).expect("small"));
        new.fixed_ips = Some(vec![AskedIp { subnet: None, address: Some(ip(address)) }]);
        new.dns_name = name.to_owned();
        Intent::CreatePort(new)
    };
    let join = |of: u128, port: u128| {
        let new = NewInterface::OfSubnet { subnet: subnet(of), port: super::port(port), mac_seed: 7 };
        Intent::AddInterface(router(1), new)
    };
    let intents = [
        domain(1, "Red.example."),
        domain(2, "red.example"),
        Intent::CreateNetwork(NewNetwork { tenant: Some(tenant("a")), ..NewNetwork::new(network(3)) }),
        Intent::CreateSubnet(NewSubnet::new(subnet(3), network(3), net("10.0.3.0/24"))),
        Intent::CreateSubnet(NewSubnet::new(subnet(4), network(1), net("fd00::/64"))),
        Intent::CreateRouter(NewRouter { tenant: Some(tenant("a")), ..NewRouter::new(router(1)) }),
        join(1, 91),
        join(3, 93),
        new(10, 1, "10.0.0.10", "Web"),
        new(11, 1, "10.0.0.11", "web"),
        new(12, 1, "fd00::12", "db.red.example."),
        new(13, 3, "10.0.3.13", "far"),
        new(14, 3, "10.0.3.14", "web"),
        new(20, 2, "10.0.0.10", "secret"),
    ];
    plan(&world(), &Actor::Admin, &intents, &at(150)).expect("the world is valid").snapshot
}

/// Where a name leads to from a network, as text.
#[track_caller]
fn check(from: u128, name: &str, expected: &str) {
    let found = match named_world().addresses_of_name(network(from), name) {
        Named::Addresses { domain, addresses } => {
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("{domain}: {}", list.join(" "))
        }
        other => format!("{other:?}"),
    };
    assert_eq!(found, expected, "{name} from {from}");
}

#[test]
fn a_network_sees_its_own_names_and_its_tenants_beyond_a_router() {
    check(1, "web.red.example", "Red.example: 10.0.0.10 10.0.0.11");
    check(1, "WEB.Red.EXAMPLE", "Red.example: 10.0.0.10 10.0.0.11");
    check(1, "db.red.example", "Red.example: fd00::12");
    check(1, "host-10-0-0-2.red.example", "Red.example: 10.0.0.2");
    check(1, "host-fd00--12.red.example", "Red.example: fd00::12");
    check(1, "far.weft.internal", "weft.internal: 10.0.3.13");
    check(3, "web.red.example", "Red.example: 10.0.0.10 10.0.0.11");
    check(3, "web.weft.internal", "weft.internal: 10.0.3.14");
    check(1, "red.example", "Red.example: ");
    check(1, "web", "Red.example: 10.0.0.10 10.0.0.11");
    check(3, "web", "weft.internal: 10.0.3.14");
}

#[test]
fn what_is_another_tenants_is_not_there() {
    check(1, "secret.red.example", "Nothing { domain: Some(\"Red.example\") }");
    check(2, "secret.red.example", "red.example: 10.0.0.10");
    check(2, "web.red.example", "Nothing { domain: Some(\"red.example\") }");
    check(2, "far.weft.internal", "Elsewhere");
    check(1, "host-10-0-0-99.red.example", "Nothing { domain: Some(\"Red.example\") }");
    check(1, "nobody", "Nothing { domain: None }");
    check(1, "www.example.org", "Elsewhere");
    check(1, "xred.example", "Elsewhere");
    check(9, "web.red.example", "Elsewhere");
}

#[test]
fn addresses_have_the_names_that_they_are_found_by() {
    let snapshot = named_world();
    let called = |from: u128, address: &str| snapshot.name_of_address(network(from), ip(address));
    assert_eq!(called(1, "10.0.0.10"), Named::Name("Web.Red.example".to_owned()));
    assert_eq!(called(1, "fd00::12"), Named::Name("db.Red.example".to_owned()));
    assert_eq!(called(1, "10.0.0.2"), Named::Name("host-10-0-0-2.Red.example".to_owned()));
    assert_eq!(called(3, "10.0.0.11"), Named::Name("web.Red.example".to_owned()));
    assert_eq!(called(2, "10.0.0.10"), Named::Name("secret.red.example".to_owned()));
    assert_eq!(called(1, "10.0.0.99"), Named::Nothing { domain: None });
    assert_eq!(called(2, "10.0.3.13"), Named::Elsewhere);
    assert_eq!(called(1, "9.9.9.9"), Named::Elsewhere);
}

#[test]
fn the_networks_own_addresses_are_in_no_subnet() {
    let new = |cidr: &str| {
        let new = NewSubnet::new(subnet(9), network(1), net(cidr));
        plan(&world(), &Actor::Tenant(tenant("a")), &[Intent::CreateSubnet(new)], &at(200)).map(drop)
    };
    assert!(new("169.254.0.0/16").is_err() && new("169.254.169.253/32").is_err());
    assert!(new("169.254.1.0/24").is_ok());
}
