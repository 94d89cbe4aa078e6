//! Floating IPs and port forwardings: what they lead to, and what they keep from changing.

use super::gateways::{gateway, gateway_of, member, outside, planned, refused};
use super::*;
use crate::{FloatingTarget, PortRange, Transport};

pub(super) fn floating_ip(n: u128) -> FloatingIpId {
    FloatingIpId(Uuid::from_u128(n))
}

pub(super) fn forwarding(n: u128) -> PortForwardingId {
    PortForwardingId(Uuid::from_u128(n))
}

fn new(n: u128, target: Option<u128>) -> Intent {
    let target = target.map(|n| AskedTarget { port: port(n), address: None });
    let seed = u32::try_from(n).expect("small");
    let new = NewFloatingIp::new(floating_ip(n), network(9), port(100 + n), seed);
    Intent::CreateFloatingIp(NewFloatingIp { tenant: Some(tenant("a")), target, ..new })
}

fn point(n: u128, to: Option<u128>) -> Intent {
    let target = Some(to.map(|n| AskedTarget { port: port(n), address: None }));
    Intent::UpdateFloatingIp(floating_ip(n), FloatingIpPatch { target, ..FloatingIpPatch::default() })
}

fn forward(n: u128, of: u128, external: (u16, u16), internal: (u16, u16)) -> Intent {
    Intent::CreatePortForwarding(NewPortForwarding {
        id: forwarding(n),
        floating_ip: floating_ip(of),
        description: String::new(),
        protocol: Transport::Tcp,
        external: PortRange::new(external.0, external.1).expect("a range"),
        target: AskedTarget { port: port(1), address: None },
        internal: PortRange::new(internal.0, internal.1).expect("a range"),
    })
}

#[test]
fn a_floating_ip_stands_for_a_ports_address() {
    let snapshot = planned(&member(), &[gateway(), new(1, Some(1))]);
    let made = snapshot.floating_ip(&floating_ip(1)).expect("made");
    let target = FloatingTarget { port: port(1), address: [10, 0, 0, 2].into(), router: router(1) };
    assert_eq!((made.address.to_string(), made.target), ("198.51.100.3".to_owned(), Some(target)));
    let holder = snapshot.port(&port(101)).expect("made");
    assert_eq!((holder.floating_ip(), holder.tenant.clone()), (Some(floating_ip(1)), tenant("b")));
    assert!(snapshot.floating_ips_of_port(port(1)).eq([made]));
    assert!(snapshot.floating_ips_of_router(router(1)).eq([made]));
    assert_eq!(snapshot.router_of_floating_ip(made).map(|router| router.id), Some(router(1)));
    let freed = planned(&member(), &[gateway(), new(1, Some(1)), point(1, None)]);
    assert_eq!(freed.floating_ip(&floating_ip(1)).and_then(|found| found.target), None);
    let deleted =
        planned(&member(), &[gateway(), new(1, None), Intent::DeleteFloatingIp(floating_ip(1), None)]);
    assert!(deleted.port(&port(101)).is_none());
}

#[test]
fn what_goes_takes_a_floating_ip_off() {
    let with = |last: Intent| {
        let snapshot = planned(
            &member(),
            &[gateway(), new(1, Some(1)), new(2, None), forward(1, 2, (80, 80), (80, 80)), last],
        );
        let target = snapshot.floating_ip(&floating_ip(1)).expect("stays").target;
        (target, snapshot.port_forwardings().count())
    };
    assert_eq!(with(Intent::DeletePort(port(1), None)), (None, 0));
    let elsewhere = vec![AskedIp { subnet: None, address: Some(ip("10.0.0.77")) }];
    let patch = PortPatch { fixed_ips: Some(elsewhere), ..PortPatch::default() };
    assert_eq!(with(Intent::UpdatePort(port(1), patch)), (None, 0));
    let patch = PortPatch { labels: named("x"), ..PortPatch::default() };
    assert!(matches!(with(Intent::UpdatePort(port(1), patch)), (Some(_), 1)));
}

#[test]
fn what_a_floating_ip_keeps() {
    let needed = format!("floating IPs need the gateway of router {} to network {}", router(1), network(9));
    for lead in [new(1, Some(1)), new(1, None)] {
        let more = forward(1, 1, (80, 80), (80, 80));
        let is_free = matches!(&lead, Intent::CreateFloatingIp(new) if new.target.is_none());
        let first: Vec<Intent> = [gateway(), lead].into_iter().chain(is_free.then_some(more)).collect();
        let then = |last: Intent| first.iter().cloned().chain([last]).collect::<Vec<_>>();
        refused(&member(), &then(gateway_of(router(1), None)), &needed);
        let old = OldInterface { subnet: Some(subnet(1)), port: None };
        let expected =
            format!("floating IPs need the interface of router {} on subnet {}", router(1), subnet(1));
        refused(&member(), &then(Intent::RemoveInterface(router(1), old)), &expected);
        planned(&member(), &then(gateway()));
    }
    let held = format!("port {} holds a floating IP", port(101));
    refused(&Actor::Admin, &[new(1, None), Intent::DeletePort(port(101), None)], &held);
    let in_use =
        format!("tenant {} still owns networks, subnets, ports, routers or security groups", tenant("a"));
    refused(&Actor::Admin, &[new(1, None), Intent::DeleteTenant(tenant("a"), None)], &in_use);
}

#[test]
fn what_a_floating_ip_cannot_be() {
    let expected = format!(
        "no router leads from external network {} to subnet {} of port {}",
        network(9),
        subnet(1),
        port(1)
    );
    refused(&member(), &[new(1, Some(1))], &expected);
    refused(&member(), &[gateway(), new(1, Some(2))], &format!("there is no port {}", port(2)));
    let expected = format!("Port {} belongs to another tenant than the floating IP", port(2));
    refused(&Actor::Admin, &[gateway(), new(1, Some(2))], &expected);
    let expected = format!("Port {} is no workload's, so a floating IP cannot lead to it", port(11));
    refused(&member(), &[gateway(), new(1, Some(11))], &expected);
    let expected =
        format!("address 10.0.0.2 of port {} has a floating IP of network {} already", port(1), network(9));
    refused(&member(), &[gateway(), new(1, Some(1)), new(2, Some(1))], &expected);
    let asked = |network, address: Option<&str>, fixed: Option<&str>| {
        let address = address.map(|text| text.parse().expect("an address"));
        let fixed = fixed.map(|text| text.parse().expect("an address"));
        let target = fixed.map(|fixed| AskedTarget { port: port(1), address: Some(fixed) });
        let new = NewFloatingIp::new(floating_ip(1), network, port(101), 1);
        Intent::CreateFloatingIp(NewFloatingIp { tenant: Some(tenant("a")), address, target, ..new })
    };
    let not_allowed = "choosing a floating_ip_address is not allowed for this token";
    refused(&member(), &[asked(network(9), Some("198.51.100.9"), None)], not_allowed);
    let expected = format!("Network {} is not a valid external network", network(1));
    refused(&member(), &[asked(network(1), None, None)], &expected);
    let expected = format!("Port {} does not have fixed ip 10.0.0.9", port(1));
    refused(&member(), &[gateway(), asked(network(9), None, Some("10.0.0.9"))], &expected);
    let expected = format!("address 198.51.100.3 of subnet {} belongs to another port", subnet(9));
    refused(
        &Actor::Admin,
        &[gateway(), new(2, None), asked(network(9), Some("198.51.100.3"), None)],
        &expected,
    );
    let narrow =
        SubnetPatch { pools: Some(vec![pool("198.51.100.2", "198.51.100.2")]), ..SubnetPatch::default() };
    let full = [Intent::UpdateSubnet(subnet(9), narrow), new(1, None), new(2, None)];
    let expected = format!("external network {} has no free address left", network(9));
    refused(&Actor::Admin, &full, &expected);
}

#[test]
fn forwardings_share_an_address_and_no_port() {
    let first = [gateway(), new(1, None), forward(1, 1, (8000, 8010), (80, 90))];
    let then = |more: &[Intent]| first.iter().chain(more).cloned().collect::<Vec<_>>();
    let expected = format!(
        "tcp ports 8010-8020 of floating IP {} meet those of port forwarding {}",
        floating_ip(1),
        forwarding(1)
    );
    refused(&member(), &then(&[forward(2, 1, (8010, 8020), (80, 90))]), &expected);
    let expected = "internal_port_range must have as many ports as external_port_range: 2, not 1";
    refused(&member(), &then(&[forward(2, 1, (1, 2), (80, 80))]), expected);
    refused(
        &member(),
        &then(&[point(1, Some(1))]),
        &format!("floating IP {} has port forwardings", floating_ip(1)),
    );
    let taken = [gateway(), new(1, Some(1)), forward(1, 1, (80, 80), (80, 80))];
    refused(&member(), &taken, &format!("floating IP {} stands for a port", floating_ip(1)));
    let snapshot = planned(&member(), &then(&[forward(2, 1, (8011, 8011), (443, 443))]));
    assert_eq!(snapshot.port_forwardings_of(floating_ip(1)).count(), 2);
    assert!(snapshot.floating_ips_of_port(port(1)).map(|found| found.id).eq([floating_ip(1)]));
    let patch = PortForwardingPatch {
        protocol: Some(Transport::Udp),
        external: PortRange::new(8010, 8020),
        ..PortForwardingPatch::default()
    };
    let udp = Intent::UpdatePortForwarding(floating_ip(1), forwarding(2), patch);
    let snapshot = planned(&member(), &then(&[forward(2, 1, (1, 11), (443, 453)), udp]));
    assert_eq!(snapshot.port_forwarding(&forwarding(2)).expect("there").protocol, Transport::Udp);
    let expected = format!("there is no port forwarding {}", forwarding(3));
    refused(&member(), &then(&[Intent::DeletePortForwarding(floating_ip(1), forwarding(3))]), &expected);
    let gone = planned(&member(), &then(&[Intent::DeleteFloatingIp(floating_ip(1), None)]));
    assert_eq!(gone.port_forwardings().count(), 0);
}

#[test]
fn another_tenant_sees_none_of_it() {
    let base =
        plan(&outside(), &Actor::Admin, &[gateway(), new(1, Some(1))], &at(200)).expect("planned").snapshot;
    let expected = format!("refused: there is no floating IP {}", floating_ip(1));
    let expected = expected.replace("00000000-0000-0000-0000-0000000000", "#");
    check_on(&base, &Actor::Tenant(tenant("b")), &[point(1, None)], &expected);
}
