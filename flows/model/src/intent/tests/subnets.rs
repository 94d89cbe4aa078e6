//! Subnets: prefixes, gateways, pools and what workloads are told.

use super::*;
use crate::HostRoute;

fn new(cidr: &str) -> NewSubnet {
    NewSubnet::new(subnet(9), network(1), net(cidr))
}

#[track_caller]
fn check_new(new: NewSubnet, expected: &str) {
    check(&[Intent::CreateSubnet(new)], &expected.replace("made", "subnet #09 v1 \"\" of a"));
}

#[test]
fn gateways_and_pools_by_default() {
    check_new(new("10.1.0.0/24"), "made 10.1.0.0/24 via 10.1.0.1 pools 10.1.0.2-10.1.0.254");
    check_new(new("10.1.0.0/31"), "made 10.1.0.0/31 via 10.1.0.0 pools 10.1.0.1-10.1.0.1");
    check_new(new("10.1.0.7/32"), "made 10.1.0.7/32 via none pools 10.1.0.7-10.1.0.7");
    check_new(new("fd00::/64"), "made fd00::/64 via fd00::1 pools fd00::2-fd00::ffff:ffff:ffff:ffff");
    check_new(new("fd00::/127"), "made fd00::/127 via fd00:: pools fd00::1-fd00::1");
    check_new(new("fd00::5/128"), "made fd00::5/128 via none pools fd00::5-fd00::5");
    let none = NewSubnet { gateway: Some(None), ..new("10.1.0.0/29") };
    check_new(none, "made 10.1.0.0/29 via none pools 10.1.0.1-10.1.0.6");
    let middle = NewSubnet { gateway: Some(Some(ip("10.1.0.3"))), ..new("10.1.0.0/29") };
    check_new(middle, "made 10.1.0.0/29 via 10.1.0.3 pools 10.1.0.1-10.1.0.2 10.1.0.4-10.1.0.6");
    let local = NewSubnet { gateway: Some(Some(ip("fe80::1"))), ..new("fd00::/126") };
    check_new(local, "made fd00::/126 via fe80::1 pools fd00::1-fd00::3");
}

#[test]
fn prefixes() {
    check_new(new("10.1.0.5/24"), "refused: cidr has host bits set, perhaps 10.1.0.0/24 is meant");
    check_new(new("224.1.0.0/16"), "refused: cidr must not be of the multicast addresses 224.0.0.0/4");
    check_new(new("127.0.0.0/30"), "refused: cidr must not be of the loopback addresses 127.0.0.0/8");
    check_new(new("fe80::/64"), "refused: cidr must not be of the link-local addresses fe80::/10");
    let all = plan(&world(), &Actor::Admin, &[Intent::CreateSubnet(new("0.0.0.0/0"))], &at(1));
    assert!(matches!(all, Err(Rejected::Invalid(faults)) if faults[0].reason.contains("length of 0")));
    let overlap = |cidr: &str| format!("refused: {cidr} overlaps with another subnet of network #01");
    for cidr in ["10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/8"] {
        check_new(new(cidr), &overlap(cidr));
    }
    let again = NewSubnet { id: subnet(1), ..new("10.1.0.0/24") };
    check(&[Intent::CreateSubnet(again)], "refused: subnet #01 already exists");
    let nowhere = NewSubnet { network: network(7), ..new("10.1.0.0/24") };
    check(&[Intent::CreateSubnet(nowhere)], "refused: there is no network #07");
}

#[test]
fn gateways() {
    for gateway in ["10.1.0.0", "10.1.0.255", "10.2.0.1", "fd00::1", "fe80::1"] {
        let new = NewSubnet { gateway: Some(Some(ip(gateway))), ..new("10.1.0.0/24") };
        check_new(new, "refused: gateway_ip must be a usable address of 10.1.0.0/24");
    }
    for gateway in ["fd00::", "fd01::1", "10.0.0.1"] {
        let new = NewSubnet { gateway: Some(Some(ip(gateway))), ..new("fd00::/64") };
        check_new(new, "refused: gateway_ip must be a usable address of fd00::/64");
    }
}

#[test]
fn pools() {
    let with = |pools: &[(&str, &str)]| {
        let pools = pools.iter().map(|(start, end)| pool(start, end)).collect();
        NewSubnet { pools: Some(pools), ..new("10.1.0.0/24") }
    };
    check_new(with(&[]), "made 10.1.0.0/24 via 10.1.0.1 pools");
    check_new(
        with(&[("10.1.0.50", "10.1.0.60"), ("10.1.0.5", "10.1.0.5")]),
        "made 10.1.0.0/24 via 10.1.0.1 pools 10.1.0.5-10.1.0.5 10.1.0.50-10.1.0.60",
    );
    check_new(
        with(&[("10.1.0.50", "10.1.0.60"), ("10.1.0.40", "10.1.0.50")]),
        "refused: allocation_pools.0 overlaps with the pool from 10.1.0.40 to 10.1.0.50",
    );
    check_new(
        with(&[("10.1.0.1", "10.1.0.9")]),
        "refused: allocation_pools.0 must not contain the gateway 10.1.0.1",
    );
    for bad in [
        ("10.1.0.9", "10.1.0.8"),
        ("10.1.0.0", "10.1.0.9"),
        ("10.1.0.9", "10.1.0.255"),
        ("fd00::1", "fd00::2"),
    ] {
        check_new(
            with(&[bad]),
            "refused: allocation_pools.0 must go upwards from 10.1.0.1 to 10.1.0.254 at most",
        );
    }
    let many: Vec<_> =
        (0..65).map(|n| pool(&format!("10.1.0.{}", 2 * n + 2), &format!("10.1.0.{}", 2 * n + 2))).collect();
    let many = NewSubnet { pools: Some(many), ..new("10.1.0.0/24") };
    check_new(many, "refused: allocation_pools must have at most 64 entries");
}

#[test]
fn what_workloads_are_told() {
    let route =
        |destination: &str, nexthop: &str| HostRoute { destination: net(destination), nexthop: ip(nexthop) };
    let told = NewSubnet {
        dns_servers: vec![ip("9.9.9.9"), ip("fd00::53"), ip("9.9.9.9")],
        host_routes: vec![
            route("10.5.0.0/24", "10.1.0.9"),
            route("10.5.0.1/24", "10.1.0.9"),
            route("fd00::/64", "fd00::1"),
            route("10.5.0.0/24", "10.1.0.9"),
        ],
        ipv6_ra_mode: Some("slaac".to_owned()),
        ..new("10.1.0.0/24")
    };
    let found = plan(&world(), &Actor::Tenant(tenant("a")), &[Intent::CreateSubnet(told)], &at(1));
    let Err(Rejected::Invalid(faults)) = found else { panic!("{found:?}") };
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    let expected = [
        "ipv6_ra_mode",
        "dns_nameservers.1",
        "dns_nameservers.2",
        "host_routes.1.destination",
        "host_routes.2.destination",
        "host_routes.2.nexthop",
        "host_routes.3",
    ];
    assert_eq!(paths, expected);
    let strange = NewSubnet { ipv6_address_mode: Some("magic".to_owned()), ..new("fd00::/64") };
    check_new(strange, "refused: ipv6_address_mode must be one of slaac, dhcpv6-stateful, dhcpv6-stateless");
}

#[test]
fn updates() {
    let update = |patch: SubnetPatch| [Intent::UpdateSubnet(subnet(1), patch)];
    check(&update(SubnetPatch::default()), "");
    let patch = SubnetPatch { gateway: Some(None), ..SubnetPatch::default() };
    check(&update(patch), "subnet #01 v2 \"\" of a 10.0.0.0/24 via none pools 10.0.0.2-10.0.0.254");
    let patch = SubnetPatch { gateway: Some(Some(ip("10.0.0.9"))), ..SubnetPatch::default() };
    check(&update(patch), "refused: allocation_pools.0 must not contain the gateway 10.0.0.9");
    let pools = Some(vec![pool("10.0.0.20", "10.0.0.30")]);
    let patch = SubnetPatch { pools, gateway: Some(Some(ip("10.0.0.9"))), ..SubnetPatch::default() };
    check(&update(patch), "subnet #01 v2 \"\" of a 10.0.0.0/24 via 10.0.0.9 pools 10.0.0.20-10.0.0.30");
    let patch = SubnetPatch { if_number: Some(7), ..SubnetPatch::default() };
    check(&update(patch), "refused: the object's revision number is 1, not 7");
}

#[test]
fn deletion() {
    check(&[Intent::DeleteSubnet(subnet(1), None)], "refused: ports still have addresses of subnet #01");
    check(
        &[Intent::DeletePort(port(1), None), Intent::DeleteSubnet(subnet(1), Some(1))],
        "delete subnet(subnetid(#01))
         delete port(portid(#01))",
    );
}
