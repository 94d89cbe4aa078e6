//! Networks: numbers, encapsulations, MTU.

use super::*;
use crate::Vni;

fn create(new: NewNetwork) -> Intent {
    Intent::CreateNetwork(NewNetwork { tenant: Some(tenant("a")), ..new })
}

fn with_vni(n: u128, vni: u32) -> Intent {
    create(NewNetwork { vni: Vni::new(vni), ..NewNetwork::new(network(n)) })
}

#[test]
fn defaults() {
    let made = NewNetwork::new(network(9));
    check(&[Intent::CreateNetwork(made.clone())], "network #09 v1 \"\" of a vni 3 vxlan mtu 1450");
    check(&[create(made.clone())], "network #09 v1 \"\" of a vni 3 vxlan mtu 1450");
    check_admin(
        &[Intent::CreateNetwork(made)],
        "refused: project_id must name the tenant that the network is for",
    );
    let gre = NewNetwork { encap: Some(Encap::Gre), ..NewNetwork::new(network(9)) };
    check_admin(&[create(gre)], "network #09 v1 \"\" of a vni 3 gre mtu 1458");
    let nobody = NewNetwork { tenant: Some(tenant("z")), ..NewNetwork::new(network(9)) };
    check_admin(&[Intent::CreateNetwork(nobody)], "refused: there is no tenant z");
    check(&[create(NewNetwork::new(network(1)))], "refused: network #01 already exists");
    check(&[create(NewNetwork::new(network(2)))], "refused: network #02 already exists");
}

#[test]
fn vnis() {
    check_admin(&[with_vni(9, 0xff_ffff)], "network #09 v1 \"\" of a vni 16777215 vxlan mtu 1450");
    check_admin(&[with_vni(9, 2)], "refused: VNI 2 is in use by another network");
    // The search goes past what is taken by name.
    check_admin(
        &[with_vni(9, 3), with_vni(10, 4), create(NewNetwork::new(network(11)))],
        "network #09 v1 \"\" of a vni 3 vxlan mtu 1450
         network #0a v1 \"\" of a vni 4 vxlan mtu 1450
         network #0b v1 \"\" of a vni 5 vxlan mtu 1450",
    );
    // A number that became free is not the next to be handed out.
    check(
        &[
            create(NewNetwork::new(network(9))),
            Intent::DeleteNetwork(network(9), None),
            create(NewNetwork::new(network(10))),
        ],
        "network #0a v1 \"\" of a vni 4 vxlan mtu 1450",
    );
}

#[test]
fn numbers_wrap_around() {
    let mut late = world();
    let counters = crate::Counters { next_vni: 0xff_ffff, ..late.counters() };
    late.apply(Revision(2), &[Change::Put(Record::Counters(counters))]);
    check_on(
        &late,
        &Actor::Tenant(tenant("a")),
        &[create(NewNetwork::new(network(9))), create(NewNetwork::new(network(10)))],
        "network #09 v1 \"\" of a vni 16777215 vxlan mtu 1450
         network #0a v1 \"\" of a vni 3 vxlan mtu 1450",
    );
    assert_eq!(Draft::next_free(3, 3, |n| n != 2), Some((2, 3)));
    assert_eq!(Draft::next_free(2, 3, |_| true), None);
    assert_eq!(Draft::next_free(99, 3, |_| false), Some((1, 2)));
    assert_eq!(Draft::next_free(3, 3, |_| false), Some((3, 1)));
}

#[test]
fn mtus() {
    let asked = |mtu| [create(NewNetwork { mtu: Some(mtu), ..NewNetwork::new(network(9)) })];
    check(&asked(68), "network #09 v1 \"\" of a vni 3 vxlan mtu 68");
    check(&asked(1450), "network #09 v1 \"\" of a vni 3 vxlan mtu 1450");
    check(&asked(67), "refused: mtu must be between 68 and 1450");
    check(&asked(1451), "refused: mtu must be between 68 and 1450");
    check(&asked(66_000), "refused: mtu must be between 68 and 1450");
    let patch = |mtu| Intent::UpdateNetwork(network(1), NetworkPatch { mtu, ..NetworkPatch::default() });
    check(&[patch(Some(1000))], "network #01 v2 \"\" of a vni 1 vxlan mtu 1000");
    check(&[patch(Some(1451))], "refused: mtu must be between 68 and 1450");
    check(&[patch(Some(1450))], "");
    let v6 = Intent::CreateSubnet(NewSubnet::new(subnet(9), network(1), net("fd00::/64")));
    check(
        &[v6.clone(), patch(Some(1279))],
        "refused: mtu must be at least 1280 while the network has an IPv6 subnet",
    );
    check(
        &[patch(Some(1279)), v6],
        "refused: cidr cannot be IPv6 on a network whose MTU is 1279, below 1280",
    );
}

#[test]
fn updates() {
    let patch = NetworkPatch { labels: named("n"), admin_up: Some(false), ..NetworkPatch::default() };
    let update = |patch: &NetworkPatch| Intent::UpdateNetwork(network(1), patch.clone());
    check(&[update(&patch)], "network #01 v2 \"n\" of a vni 1 vxlan mtu 1450");
    // Saying it twice counts once.
    check(&[update(&patch), update(&patch)], "network #01 v2 \"n\" of a vni 1 vxlan mtu 1450");
    let stale = NetworkPatch { if_number: Some(2), ..patch };
    check(&[update(&stale)], "refused: the object's revision number is 1, not 2");
    let after = plan(
        &world(),
        &Actor::Admin,
        &[update(&NetworkPatch { labels: named("x"), ..NetworkPatch::default() })],
        &at(321),
    );
    let after = after.expect("planned").snapshot;
    let stamp = &after.network(&network(1)).expect("there").stamp;
    assert_eq!((stamp.created, stamp.updated, stamp.number), (Timestamp(100), Timestamp(321), 2));
}

#[test]
fn every_fault_is_named() {
    let tags = ["".to_owned(), "x".repeat(61), "fine".to_owned()].into();
    let labels = Labels { name: "x".repeat(256), description: "a\0b".to_owned(), tags };
    let new =
        NewNetwork { labels, mtu: Some(1), dns_domain: "-x.".to_owned(), ..NewNetwork::new(network(9)) };
    let found = plan(&world(), &Actor::Tenant(tenant("a")), &[create(new)], &at(1)).expect_err("faulty");
    let Rejected::Invalid(faults) = found else { panic!("{found}") };
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["name", "description", "tags.0", "tags.2", "dns_domain", "mtu"]);
    let tags = (0..51).map(|n| n.to_string()).collect();
    let labels = Labels { tags, ..Labels::default() };
    check(
        &[create(NewNetwork { labels, ..NewNetwork::new(network(9)) })],
        "refused: tags must have at most 50 entries",
    );
}

#[test]
fn deletion() {
    check(&[Intent::DeleteNetwork(network(1), None)], "refused: network #01 still has ports: #01");
    check(
        &[Intent::DeletePort(port(1), None), Intent::DeleteNetwork(network(1), None)],
        "delete network(networkid(#01))
         delete subnet(subnetid(#01))
         delete port(portid(#01))",
    );
    check(&[Intent::DeleteNetwork(network(1), Some(9))], "refused: the object's revision number is 1, not 9");
    check(&[Intent::DeleteNetwork(network(7), None)], "refused: there is no network #07");
}

fn on(n: u128, physnet: &str, vlan: u32) -> Intent {
    let segment = Some(NewSegment { physnet: physnet.to_owned(), vlan: crate::VlanId::new(vlan) });
    create(NewNetwork { segment, ..NewNetwork::new(network(n)) })
}

#[test]
fn provider_networks() {
    // Nothing is put around their packets, and the first one gives its physical network a number.
    check_admin(
        &[on(9, "blue", 100), on(10, "blue", 0), on(11, "red", 100)],
        "physnet 1 blue
         physnet 2 red
         network #09 v1 \"\" of a vni 3 physnet 1 vlan 100 mtu 1500
         network #0a v1 \"\" of a vni 4 physnet 1 mtu 1500
         network #0b v1 \"\" of a vni 5 physnet 2 vlan 100 mtu 1500",
    );
    check_admin(
        &[on(9, "blue", 100), on(10, "blue", 100)],
        "refused: VLAN 100 of physical network blue is in use by another network",
    );
    check_admin(
        &[on(9, "blue", 0), on(10, "blue", 0)],
        "refused: the untagged segment of physical network blue is in use by another network",
    );
    // The last one takes it along, and the number is not the next to be handed out.
    check_admin(
        &[on(9, "blue", 100), Intent::DeleteNetwork(network(9), None), on(10, "red", 7)],
        "physnet 2 red
         network #0a v1 \"\" of a vni 4 physnet 2 vlan 7 mtu 1500",
    );
    check(&[on(9, "blue", 100)], "refused: choosing a physical network is not allowed for this token");
    check_admin(
        &[on(9, "a,b", 1)],
        "refused: provider:physical_network must be 1 to 64 characters without spaces, commas, colons or control \
         characters",
    );
}
