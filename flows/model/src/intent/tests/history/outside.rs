//! The part of histories that is about the outside: gateways, floating IPs, port forwardings, and what holds for them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::floating_ips::{floating_ip, forwarding};
use super::super::gateways::gateway_of;
use super::super::*;
use super::Step;
use crate::{GATEWAY_HOSTS, Host, HostIndex, Network, Port, PortRange, Transport};

/// Some bridges for physical networks.
pub(super) fn mappings(bits: u8) -> BTreeMap<String, String> {
    let names = ["one", "two"].into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    names.map(|(_, name)| (name.to_owned(), format!("br-{name}"))).collect()
}

/// Two tenants, and what most steps about the outside need: without it, few of them would be more than refused.
pub(super) fn beginning() -> Vec<Intent> {
    let segment = Some(NewSegment { physnet: "one".into(), vlan: None });
    let (owner, external) = (Some(tenant("b")), true);
    vec![
        Intent::CreateTenant(new_tenant("a")),
        Intent::CreateTenant(new_tenant("b")),
        Intent::CreateNetwork(NewNetwork { tenant: owner, segment, external, ..NewNetwork::new(network(0)) }),
        Intent::CreateSubnet(NewSubnet::new(subnet(6), network(0), net("198.51.100.0/28"))),
        Intent::CreateNetwork(NewNetwork { tenant: Some(tenant("a")), ..NewNetwork::new(network(1)) }),
        Intent::CreateSubnet(NewSubnet::new(subnet(7), network(1), net("192.0.2.0/28"))),
        Intent::CreateRouter(NewRouter { tenant: Some(tenant("a")), ..NewRouter::new(router(0)) }),
        Intent::AddInterface(
            router(0),
            NewInterface::OfSubnet { subnet: subnet(7), port: port(15), mac_seed: 1 },
        ),
        Intent::CreatePort(NewPort::new(port(14), network(1), 2)),
        gateway_of(router(0), Some(NewGateway::new(network(0), port(30), 3))),
    ]
}

/// A step about the outside: every kind of write, few objects, so that they meet.
pub(super) fn intent((kind, x, y, z): Step) -> Intent {
    let (n, of) = (u128::from(x % 4), floating_ip(u128::from(y % 3)));
    let target = |bits: u8| AskedTarget {
        port: port(u128::from(bits % 16)),
        address: (bits >= 128).then(|| [10, 0, 0, bits % 16].into()),
    };
    match kind % 10 {
        0 | 1 => {
            let seed = u32::from(z % 8);
            let new = NewGateway::new(network(n), port(30 + u128::from(z % 8)), seed);
            gateway_of(router(u128::from(y % 3)), (z % 8 != 0).then_some(new))
        }
        2 | 3 => {
            let new = NewFloatingIp::new(of, network(n), port(40 + u128::from(z % 8)), z.into());
            let owner = Some(tenant(["a", "b"][usize::from(y % 2)]));
            let target = (z % 3 == 0).then(|| target(z));
            Intent::CreateFloatingIp(NewFloatingIp { tenant: owner, target, ..new })
        }
        4 | 5 => {
            let target = Some((z % 4 != 0).then(|| target(z)));
            Intent::UpdateFloatingIp(of, FloatingIpPatch { target, ..FloatingIpPatch::default() })
        }
        6 => Intent::DeleteFloatingIp(of, None),
        7 => {
            let first = 80 + u16::from(x % 4);
            let range = PortRange::new(first, first + u16::from(z % 3)).expect("a range");
            Intent::CreatePortForwarding(NewPortForwarding {
                id: forwarding(u128::from(x % 8)),
                floating_ip: of,
                description: String::new(),
                protocol: if z % 2 == 0 { Transport::Tcp } else { Transport::Udp },
                external: range,
                target: target(z / 2),
                internal: range,
            })
        }
        8 => Intent::DeletePortForwarding(of, forwarding(u128::from(x % 8))),
        _ => {
            let external = Some(y % 2 == 0);
            Intent::UpdateNetwork(network(n), NetworkPatch { external, ..NetworkPatch::default() })
        }
    }
}

/// What holds after every step.
pub(super) fn check(snapshot: &Snapshot) {
    check_gateways(snapshot);
    check_floating_ips(snapshot);
    check_ports(snapshot);
    check_lists(snapshot);
}

fn check_gateways(snapshot: &Snapshot) {
    let (mut transits, mut zones) = (BTreeSet::new(), BTreeSet::new());
    for router in snapshot.routers() {
        let Some(gateway) = &router.gateway else { continue };
        assert!(transits.insert(gateway.transit) && snapshot.network_by_vni(gateway.transit).is_none());
        assert!(zones.insert(gateway.zone), "zones are unique");
        assert_eq!(snapshot.router_of_transit(gateway.transit), Some(router));
        let network = snapshot.network(&gateway.network).expect("the external network exists");
        assert!(network.external && network.segment.is_some());
        let port = snapshot.port(&gateway.port).expect("the gateway has a port");
        assert_eq!((port.gateway_of(), port.network), (Some(router.id), gateway.network));
        let able: BTreeSet<HostIndex> =
            snapshot.hosts().filter(|host| snapshot.carries(host, network)).map(|host| host.index).collect();
        let listed: BTreeSet<HostIndex> = gateway.hosts.iter().copied().collect();
        assert_eq!(listed.len(), gateway.hosts.len(), "each host once");
        assert!(listed.is_subset(&able), "every host of the list has a bridge");
        assert_eq!(listed.len(), able.len().min(GATEWAY_HOSTS), "the list is as long as it can be");
        let inner: BTreeSet<_> = snapshot
            .interfaces_of(router.id)
            .filter_map(|port| snapshot.network(&port.network)?.tunnel())
            .collect();
        assert!(
            inner.is_empty() || inner.contains(&gateway.encap),
            "its hosts have tunnels of the transit's kind"
        );
    }
    for host in snapshot.hosts() {
        let has = |router: &&std::sync::Arc<crate::Router>| {
            router.gateway.as_ref().is_some_and(|gateway| gateway.hosts.contains(&host.index))
        };
        assert!(snapshot.gateways_at(host.index).eq(snapshot.routers().filter(has)));
        let leads = |router: &&std::sync::Arc<crate::Router>| {
            router.gateway.as_ref().and_then(|gateway| gateway.hosts.first()) == Some(&host.index)
        };
        assert_eq!(snapshot.gateways_led_by(host.index) as usize, snapshot.routers().filter(leads).count());
        for network in snapshot.networks() {
            check_realm(snapshot, network, host);
        }
    }
}

/// Who is in a realm, said the slow way.
fn check_realm(snapshot: &Snapshot, network: &Network, host: &Host) {
    let has_port = snapshot.realm(network.id).any(|joined| snapshot.is_member_at(joined.id, host.index));
    let routers = snapshot.realm_routers(network.id);
    let serves = snapshot.gateways_at(host.index).any(|router| routers.contains(&router.id));
    assert_eq!(snapshot.is_in_realm_at(network.id, host.index), has_port || serves);
    assert_eq!(snapshot.realm_hosts(network.id).contains(&host.index), has_port || serves);
}

fn check_floating_ips(snapshot: &Snapshot) {
    let mut targets = BTreeSet::new();
    for floating_ip in snapshot.floating_ips() {
        assert!(snapshot.network(&floating_ip.network).is_some_and(|network| network.external));
        let holder = snapshot.port(&floating_ip.port).expect("a port holds the address");
        assert_eq!((holder.floating_ip(), holder.network), (Some(floating_ip.id), floating_ip.network));
        assert!(holder.fixed_ips.iter().any(|ip| ip.address == floating_ip.address));
        if let Some(target) = floating_ip.target {
            assert!(
                targets.insert((floating_ip.network, target.port, target.address)),
                "one for each address"
            );
            assert_eq!(snapshot.port_forwardings_of(floating_ip.id).count(), 0);
            check_way(snapshot, floating_ip, (target.port, target.address, target.router));
        }
        let routers = snapshot.port_forwardings_of(floating_ip.id).map(|forwarding| forwarding.router);
        assert!(routers.collect::<BTreeSet<_>>().len() <= 1);
    }
    let mut taken = BTreeSet::new();
    for forwarding in snapshot.port_forwardings() {
        let floating_ip =
            snapshot.floating_ip(&forwarding.floating_ip).expect("a forwarding is of a floating IP");
        check_way(snapshot, floating_ip, (forwarding.port, forwarding.address, forwarding.router));
        for external in forwarding.external.first..=forwarding.external.last {
            assert!(
                taken.insert((floating_ip.id, forwarding.protocol, external)),
                "no port leads to two places"
            );
        }
    }
}

/// The port has the address, and the router leads from the one to the other.
fn check_way(
    snapshot: &Snapshot,
    of: &crate::FloatingIp,
    (port, address, router): (PortId, std::net::Ipv4Addr, RouterId),
) {
    let port = snapshot.port(&port).expect("it leads to a port that exists");
    assert!(port.tenant == of.tenant && !port.is_virtual());
    let ip = port.fixed_ips.iter().find(|ip| ip.address == address).expect("the port has the address");
    let router = snapshot.router(&router).expect("the router exists");
    assert_eq!(router.gateway.as_ref().map(|gateway| gateway.network), Some(of.network));
    let mut inner = snapshot.interfaces_of(router.id).flat_map(|interface| &interface.fixed_ips);
    assert!(inner.any(|own| own.subnet == ip.subnet), "the router is in the address's subnet");
}

/// Ports of gateways and floating IPs are there for what they are for, and bound nowhere.
fn check_ports(snapshot: &Snapshot) {
    for port in snapshot.ports().filter(|port| port.is_virtual()) {
        let is_bound = |port: &Port| snapshot.bound_host(port.id).is_some();
        assert!(!is_bound(port));
        if let Some(router) = port.gateway_of() {
            let gateway = snapshot.router(&router).and_then(|router| router.gateway.as_ref());
            assert_eq!(gateway.map(|gateway| gateway.port), Some(port.id));
        }
        if let Some(id) = port.floating_ip() {
            assert_eq!(snapshot.floating_ip(&id).map(|found| found.port), Some(port.id));
        }
    }
}

/// Every list that an index gives equals the one that a look at everything gives.
fn check_lists(snapshot: &Snapshot) {
    let all = || snapshot.floating_ips();
    for owner in snapshot.tenants().map(|tenant| &tenant.id) {
        assert!(snapshot.floating_ips_of_tenant(owner).eq(all().filter(|f| f.tenant == *owner)));
    }
    for id in snapshot.networks().map(|network| network.id) {
        assert!(snapshot.floating_ips_on(id).eq(all().filter(|f| f.network == id)));
        let is_on = |router: &&std::sync::Arc<crate::Router>| {
            router.gateway.as_ref().is_some_and(|gateway| gateway.network == id)
        };
        assert!(snapshot.gateways_on(id).eq(snapshot.routers().filter(is_on)));
    }
    assert!(snapshot.external_networks().eq(snapshot.networks().filter(|network| network.external)));
    let forwards = |f: &crate::FloatingIp, is: &dyn Fn(&crate::PortForwarding) -> bool| {
        snapshot.port_forwardings_of(f.id).any(|forwarding| is(forwarding))
    };
    for id in snapshot.ports().map(|port| port.id) {
        let leads = all().filter(|f| {
            f.target.is_some_and(|target| target.port == id)
                || forwards(f, &|forwarding| forwarding.port == id)
        });
        assert!(snapshot.floating_ips_of_port(id).eq(leads));
        let forwardings = snapshot.port_forwardings().filter(|forwarding| forwarding.port == id);
        assert!(snapshot.port_forwardings_of_port(id).eq(forwardings));
    }
    for id in snapshot.routers().map(|router| router.id) {
        let leads = all().filter(|f| {
            f.target.is_some_and(|target| target.router == id)
                || forwards(f, &|forwarding| forwarding.router == id)
        });
        assert!(snapshot.floating_ips_of_router(id).eq(leads));
    }
}
