//! Ports: addresses, MACs, keys.

use super::*;
use crate::MacAddr;

fn new() -> NewPort {
    NewPort::new(port(9), network(1), 9)
}

fn asking(asked: &[(Option<u128>, Option<&str>)]) -> Vec<AskedIp> {
    let entry = |(id, address): &(Option<u128>, Option<&str>)| AskedIp {
        subnet: id.map(subnet),
        address: address.map(ip),
    };
    asked.iter().map(entry).collect()
}

#[track_caller]
fn check_asked(asked: &[(Option<u128>, Option<&str>)], expected: &str) {
    let new = NewPort { fixed_ips: Some(asking(asked)), ..new() };
    check(&[Intent::CreatePort(new)], &made(expected));
}

fn made(expected: &str) -> String {
    expected.replace("made", "port #09 v1 \"\" of a key 3 02:57:46:00:00:09")
}

#[test]
fn addresses_by_default() {
    check(&[Intent::CreatePort(new())], &made("made [10.0.0.3]"));
    let v6 = Intent::CreateSubnet(NewSubnet::new(subnet(9), network(1), net("fd00::/64")));
    let port_line = made("made [10.0.0.3 fd00::2]");
    let subnet_line = "subnet #09 v1 \"\" of a fd00::/64 via fd00::1 pools fd00::2-fd00::ffff:ffff:ffff:ffff";
    check(&[v6, Intent::CreatePort(new())], &format!("{subnet_line}\n{port_line}"));
    let bare = NewNetwork::new(network(9));
    let lonely = NewPort { network: network(9), ..new() };
    check(
        &[Intent::CreateNetwork(bare), Intent::CreatePort(lonely)],
        &format!("network #09 v1 \"\" of a vni 3 vxlan mtu 1450\n{}", made("made []")),
    );
}

/// Where workloads make their addresses themselves, a port has the one that its workload will make.
#[test]
fn addresses_that_workloads_make_themselves() {
    let mode = Some("slaac".to_owned());
    let subnet6 = NewSubnet::new(subnet(9), network(1), net("fd00::/64"));
    let v6 = Intent::CreateSubnet(NewSubnet { ipv6_address_mode: mode, ..subnet6 });
    let made = made("made [10.0.0.3 fd00::57:46ff:fe00:9]");
    let line = "subnet #09 v1 \"\" of a fd00::/64 via fd00::1 pools fd00::2-fd00::ffff:ffff:ffff:ffff";
    let patch = PortPatch { mac: Some(MacAddr([2, 0, 0, 0, 0, 7])), ..PortPatch::default() };
    let moved = "port #09 v2 \"\" of a key 3 02:00:00:00:00:07 [10.0.0.3 fd00::ff:fe00:7]";
    let patched = Intent::UpdatePort(port(9), patch);
    check(&[v6.clone(), Intent::CreatePort(new())], &format!("{line}\n{made}"));
    check(&[v6, Intent::CreatePort(new()), patched], &format!("{line}\n{moved}"));
}

#[test]
fn addresses_on_request() {
    check_asked(&[], "made []");
    check_asked(&[(None, Some("10.0.0.77"))], "made [10.0.0.77]");
    check_asked(&[(Some(1), Some("10.0.0.77"))], "made [10.0.0.77]");
    check_asked(&[(Some(1), None), (Some(1), None)], "made [10.0.0.3 10.0.0.4]");
    // What is named later in the list is not given to an entry before it.
    check_asked(&[(Some(1), None), (None, Some("10.0.0.3"))], "made [10.0.0.4 10.0.0.3]");
    // The gateway's address may be a port's: the router could be a workload.
    check_asked(&[(None, Some("10.0.0.1"))], "made [10.0.0.1]");
    let taken = "refused: address 10.0.0.2 of subnet #01 belongs to another port";
    check_asked(&[(None, Some("10.0.0.2"))], taken);
    check_asked(&[(None, Some("10.0.1.2"))], "refused: address 10.0.1.2 is in no subnet of network #01");
    for edge in ["10.0.0.0", "10.0.0.255"] {
        let refused = format!("refused: address {edge} is not one that a port may have in subnet #01");
        check_asked(&[(None, Some(edge))], &refused);
    }
    let refused = "refused: address 10.0.1.2 is not one that a port may have in subnet #01";
    check_asked(&[(Some(1), Some("10.0.1.2"))], refused);
    let refused = "refused: address fd00::1 is not one that a port may have in subnet #01";
    check_asked(&[(Some(1), Some("fd00::1"))], refused);
    check_asked(&[(Some(7), None)], "refused: there is no subnet #07");
    check_asked(
        &[(None, None), (None, Some("10.0.0.9")), (None, Some("10.0.0.9"))],
        "refused: fixed_ips.0 must name a subnet_id or an ip_address; \
         fixed_ips.2.ip_address repeats an earlier address",
    );
    check_asked(&[(Some(1), None); 33], "refused: fixed_ips must have at most 32 entries");
    let foreign = NewPort { fixed_ips: Some(asking(&[(Some(2), None)])), ..new() };
    check_admin(
        &[Intent::CreatePort(foreign)],
        "refused: fixed_ips.0.subnet_id must be a subnet of network #01",
    );
}

#[test]
fn pools_run_dry() {
    let tiny = |pools: Option<Vec<crate::AddressRange>>| {
        let mut new = NewSubnet::new(subnet(9), network(9), net("10.9.0.0/29"));
        new.pools = pools;
        [Intent::CreateNetwork(NewNetwork::new(network(9))), Intent::CreateSubnet(new)]
    };
    let create = |n: u128| Intent::CreatePort(NewPort::new(port(n), network(9), 0));
    let dry = "refused: the allocation pools of network #09 have no free address left";
    let [a, b] = tiny(Some(vec![pool("10.9.0.2", "10.9.0.2"), pool("10.9.0.4", "10.9.0.4")]));
    check(&[a.clone(), b.clone(), create(20), create(21), create(22)], dry);
    let delete = Intent::DeletePort(port(20), None);
    let made = plan(
        &world(),
        &Actor::Tenant(tenant("a")),
        &[a, b, create(20), create(21), delete, create(22)],
        &at(1),
    );
    let made = made.expect("an address came back").snapshot;
    assert_eq!(made.port(&port(22)).expect("there").fixed_ips[0].address, ip("10.9.0.2"));
    let [a, b] = tiny(Some(Vec::new()));
    check(&[a, b, create(20)], dry);
}

#[test]
fn macs() {
    let asked = |mac: [u8; 6]| [Intent::CreatePort(NewPort { mac: Some(MacAddr(mac)), ..new() })];
    check(&asked([2, 0, 0, 0, 0, 7]), "port #09 v1 \"\" of a key 3 02:00:00:00:00:07 [10.0.0.3]");
    check(
        &asked([2, 0x57, 0x46, 0, 0, 1]),
        "refused: MAC address 02:57:46:00:00:01 belongs to another port of network #01",
    );
    check(&asked([3, 0, 0, 0, 0, 7]), "refused: mac_address must be a unicast address");
    check(&asked([0; 6]), "refused: mac_address must be a unicast address");
    // Port 1 has the MAC of seed 1, so the next one is taken; seeds wrap within the last three bytes.
    let seeded = |mac_seed| [Intent::CreatePort(NewPort { mac_seed, ..new() })];
    check(&seeded(1), "port #09 v1 \"\" of a key 3 02:57:46:00:00:02 [10.0.0.3]");
    check(&seeded(0x0100_0001), "port #09 v1 \"\" of a key 3 02:57:46:00:00:02 [10.0.0.3]");
    check(&seeded(u32::MAX), "port #09 v1 \"\" of a key 3 02:57:46:ff:ff:ff [10.0.0.3]");
}

#[test]
fn owners() {
    // The operator's port belongs to the network's tenant unless it says otherwise.
    check_admin(&[Intent::CreatePort(new())], &made("made [10.0.0.3]"));
    let other = NewPort { tenant: Some(tenant("b")), ..new() };
    let mine = "port #09 v1 \"\" of b key 3 02:57:46:00:00:09 [10.0.0.3]";
    check_admin(&[Intent::CreatePort(other.clone())], mine);
    check(&[Intent::CreatePort(other)], "refused: acting for another tenant is not allowed for this token");
    check(&[Intent::CreatePort(NewPort { id: port(1), ..new() })], "refused: port #01 already exists");
}

#[test]
fn updates() {
    let update = |patch: PortPatch| Intent::UpdatePort(port(1), patch);
    let line = |version, rest: &str| format!("port #01 v{version} \"\" of a key 1 {rest}");
    let ips = |asked: &[(Option<u128>, Option<&str>)]| {
        update(PortPatch { fixed_ips: Some(asking(asked)), ..PortPatch::default() })
    };
    check(&[update(PortPatch::default())], "");
    check(&[ips(&[(Some(1), None)])], "");
    check(&[ips(&[(None, Some("10.0.0.2"))])], "");
    check(&[ips(&[])], &line(2, "02:57:46:00:00:01 []"));
    check(&[ips(&[(Some(1), None), (Some(1), None)])], &line(2, "02:57:46:00:00:01 [10.0.0.2 10.0.0.3]"));
    check(
        &[ips(&[(None, Some("10.0.0.9")), (Some(1), None)])],
        &line(2, "02:57:46:00:00:01 [10.0.0.9 10.0.0.2]"),
    );
    check(
        &[ips(&[(Some(1), None), (None, Some("10.0.0.2"))])],
        &line(2, "02:57:46:00:00:01 [10.0.0.3 10.0.0.2]"),
    );
    let owner = PortPatch { device_owner: Some("x".repeat(256)), ..PortPatch::default() };
    check(&[update(owner)], "refused: device_owner must have at most 255 characters");
    let stale = PortPatch { if_number: Some(0), ..PortPatch::default() };
    check(&[update(stale)], "refused: the object's revision number is 1, not 0");
    check(&[Intent::DeletePort(port(1), Some(1))], "delete port(portid(#01))");
}

#[test]
fn the_mac_of_a_bound_port_stays() {
    let patch = PortPatch { mac: Some(MacAddr([2, 0, 0, 0, 0, 7])), ..PortPatch::default() };
    let update = [Intent::UpdatePort(port(1), patch)];
    let changed = "port #01 v2 \"\" of a key 1 02:00:00:00:00:07 [10.0.0.2]";
    check(&update, changed);
    let report = Intent::ReportHost(super::hosts::report("h1", &[(1, "tap0", 5)]));
    let bound = plan(&world(), &Actor::Admin, &[report], &at(1)).expect("planned").snapshot;
    let refused = "refused: port #01 is bound on host h1, its MAC address cannot change";
    check_on(&bound, &Actor::Tenant(tenant("a")), &update, refused);
    check_on(&bound, &Actor::Admin, &update, changed);
}

#[test]
fn keys_are_not_soon_reused() {
    let again = NewPort { id: port(10), ..new() };
    check(
        &[Intent::CreatePort(new()), Intent::DeletePort(port(9), None), Intent::CreatePort(again)],
        "port #0a v1 \"\" of a key 4 02:57:46:00:00:09 [10.0.0.3]",
    );
}
