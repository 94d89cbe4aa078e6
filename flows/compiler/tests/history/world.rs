//! A small world of hosts, networks and ports, and random changes of it that a store would accept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;
use weft_model::{
    Binding, Change, DhcpFamily, DhcpOption, Encap, EncapIps, FixedIp, Host, HostId, HostIndex, HostRoute,
    Key, MacAddr, Mtu, Network, NetworkId, NextHop, OfPort, PhysicalNetwork, PhysnetKey, Port, PortId,
    PortKey, PortSecurity, ROUTER_INTERFACE, Record, Revision, Route, Router, RouterId, RouterKey, Segment,
    Snapshot, Stamp, Subnet, SubnetId, TenantId, Timestamp, VlanId, Vni,
};

use crate::gateways::{self, Lead};
use crate::security::{self, Guard};
use crate::shaping::{self, Shape};

/// One random change; what the world does not allow (a taken MAC, say) is left out.
#[derive(Debug, Clone)]
pub enum Op {
    PutHost { host: u8, index: u16, ips: u8, maps: u8 },
    DeleteHost(u8),
    PutNetwork { network: u8, vni: u32, encap: u8, segment: u8, up: bool },
    PutPhysnet { key: u8, name: u8 },
    DeletePhysnet(u8),
    DeleteNetwork(u8),
    PutPort { port: u8, network: u8, mac: u8, addresses: u8, up: bool, secure: bool },
    DeletePort(u8),
    Bind { port: u8, host: u8, ofport: u8 },
    Unbind { port: u8, host: u8 },
    Tweak { port: u8, what: u8 },
    PutRouter { router: u8, key: u8, up: bool, routes: u8 },
    DeleteRouter(u8),
    PutInterface { port: u8, router: u8, network: u8, up: bool },
    DeleteInterface(u8),
    PutSubnet { network: u8, family: u8, what: u16 },
    DeleteSubnet { network: u8, family: u8 },
    Guard(Guard),
    Lead(Lead),
    Shape(Shape),
    TellNetwork { network: u8, what: u8 },
}

const HOSTS: u8 = 5;
pub const NETWORKS: u8 = 3;
pub const PORTS: u8 = 9;
pub const ROUTERS: u8 = 3;
/// Interfaces have ids and keys above those of other ports.
const INTERFACES: std::ops::Range<u8> = 50..55;

pub fn op() -> impl Strategy<Value = Op> {
    let index = prop_oneof![4 => 1..6u16, 1 => 300..302u16];
    let (host, network, port) = (0..HOSTS, 0..NETWORKS, 0..PORTS);
    let basic = prop_oneof![
        4 => (host.clone(), index, 0..4u8, 0..4u8)
            .prop_map(|(host, index, ips, maps)| Op::PutHost { host, index, ips, maps }),
        2 => (0..3u8, 0..3u8, prop::bool::weighted(0.6)).prop_map(|(key, name, put)| match put {
            true => Op::PutPhysnet { key, name },
            false => Op::DeletePhysnet(key),
        }),
        1 => host.clone().prop_map(Op::DeleteHost),
        3 => (network.clone(), 1..5u32, 0..6u8, 0..16u8, prop::bool::weighted(0.85))
            .prop_map(|(network, vni, encap, segment, up)| Op::PutNetwork { network, vni, encap, segment, up }),
        1 => network.clone().prop_map(Op::DeleteNetwork),
        8 => (port.clone(), network, 0..12u8, 0..32u8, prop::bool::weighted(0.85), prop::bool::weighted(0.8))
            .prop_map(|(port, network, mac, addresses, up, secure)|
                Op::PutPort { port, network, mac, addresses, up, secure }),
        1 => port.clone().prop_map(Op::DeletePort),
        8 => (port.clone(), host.clone(), 1..10u8).prop_map(|(port, host, ofport)| Op::Bind { port, host, ofport }),
        3 => (port.clone(), host).prop_map(|(port, host)| Op::Unbind { port, host }),
        4 => (port, 0..7u8).prop_map(|(port, what)| Op::Tweak { port, what }),
        12 => security::guard().prop_map(Op::Guard),
        5 => shaping::shape().prop_map(Op::Shape),
    ];
    prop_oneof![3 => basic, 1 => routing_op()]
}

fn routing_op() -> impl Strategy<Value = Op> {
    let (router, network, up) = (0..ROUTERS, 0..NETWORKS, prop::bool::weighted(0.85));
    prop_oneof![
        4 => (router.clone(), 0..4u8, up, any::<u8>())
            .prop_map(|(router, key, up, routes)| Op::PutRouter { router, key, up, routes }),
        1 => router.clone().prop_map(Op::DeleteRouter),
        8 => (INTERFACES, router, network.clone(), up)
            .prop_map(|(port, router, network, up)| Op::PutInterface { port, router, network, up }),
        3 => INTERFACES.prop_map(Op::DeleteInterface),
        4 => (network.clone(), 0..2u8, any::<u16>())
            .prop_map(|(network, family, what)| Op::PutSubnet { network, family, what }),
        1 => (network.clone(), 0..2u8).prop_map(|(network, family)| Op::DeleteSubnet { network, family }),
        2 => (network, 0..3u8).prop_map(|(network, what)| Op::TellNetwork { network, what }),
        16 => gateways::lead().prop_map(Op::Lead),
    ]
}

/// The changes that the ops make together: one per key, and none that a store would refuse.
pub fn commit(snapshot: &Snapshot, ops: &[Op]) -> Vec<Change> {
    let mut working = snapshot.clone();
    let mut changes: Vec<Change> = Vec::new();
    for op in ops {
        let Some(change) = change(&working, op) else { continue };
        if changes.iter().all(|other| other.key() != change.key()) {
            working.apply(snapshot.revision(), std::slice::from_ref(&change));
            changes.push(change);
        }
    }
    changes
}

fn change(snapshot: &Snapshot, op: &Op) -> Option<Change> {
    let put = |record| Some(Change::Put(record));
    match *op {
        Op::PutHost { host, index, ips, maps } => {
            let index = HostIndex::new(u32::from(index))?;
            let free = snapshot.host_by_index(index).is_none_or(|other| other.id == host_id(host));
            free.then(|| Change::Put(Record::Host(Arc::new(host_record(host, index, (ips, maps))))))
        }
        Op::DeleteHost(host) => Some(Change::Delete(Key::Host(host_id(host)))),
        Op::PutPhysnet { key, name } => {
            let record = PhysicalNetwork { key: physnet_key(key), name: format!("physnet{name}") };
            let free = snapshot.physnet_by_name(&record.name).is_none_or(|other| other.key == record.key);
            free.then(|| Change::Put(Record::PhysicalNetwork(Arc::new(record))))
        }
        Op::DeletePhysnet(key) => Some(Change::Delete(Key::PhysicalNetwork(physnet_key(key)))),
        Op::PutNetwork { network, vni, encap, segment, up } => {
            let vni = if vni == 4 { Vni::MAX } else { Vni::new(vni)? };
            let free = snapshot.network_by_vni(vni).is_none_or(|other| other.id == network_id(network));
            let segment = segment_of(segment);
            let is_free = |segment| {
                snapshot.network_by_segment(segment).is_none_or(|other| other.id == network_id(network))
            };
            let free = free && segment.is_none_or(is_free);
            free.then(|| {
                Change::Put(Record::Network(Arc::new(network_record(network, vni, (encap, segment), up))))
            })
        }
        Op::DeleteNetwork(network) => Some(Change::Delete(Key::Network(network_id(network)))),
        Op::PutPort { port, network, mac, addresses, up, secure } => {
            let record = port_record(port, network, mac, addresses, up, secure)?;
            fits(snapshot, &record).then(|| Change::Put(Record::Port(Arc::new(record))))
        }
        Op::DeletePort(port) => Some(Change::Delete(Key::Port(port_id(port)))),
        Op::Bind { port, host, ofport } => {
            let ofport = OfPort::new(i64::from(ofport))?;
            let (port, host) = (port_id(port), host_id(host));
            if snapshot.claims_of_host(&host).any(|claim| claim.ofport == ofport && claim.port != port) {
                return None;
            }
            let since = Revision(snapshot.revision().0 + 1);
            put(Record::Binding(Arc::new(Binding {
                port,
                host,
                interface: "tap".into(),
                ofport,
                since,
                behind: None,
            })))
        }
        Op::Unbind { port, host } => Some(Change::Delete(Key::Binding(port_id(port), host_id(host)))),
        Op::Guard(guard) => security::change(snapshot, guard),
        Op::Shape(shape) => shaping::change(snapshot, shape),
        Op::Lead(ref lead) => gateways::change(snapshot, lead),
        Op::PutSubnet { network, family, what } => {
            put(Record::Subnet(Arc::new(subnet_record(network, family, what))))
        }
        Op::DeleteSubnet { network, family } => Some(Change::Delete(Key::Subnet(subnet_id(network, family)))),
        Op::Tweak { port, what } => {
            let mut record = Port::clone(snapshot.port(&port_id(port))?);
            tweak(&mut record, what);
            fits(snapshot, &record).then(|| Change::Put(Record::Port(Arc::new(record))))
        }
        _ => routing_change(snapshot, op),
    }
}

fn routing_change(snapshot: &Snapshot, op: &Op) -> Option<Change> {
    match *op {
        Op::PutRouter { router, key, up, routes } => {
            let mut record = router_record(router, key, up, routes)?;
            record.gateway = snapshot.router(&record.id).and_then(|router| router.gateway.clone());
            let is_free = snapshot.router_by_key(record.key).is_none_or(|other| other.id == record.id);
            is_free.then(|| Change::Put(Record::Router(Arc::new(record))))
        }
        Op::DeleteRouter(router) => Some(Change::Delete(Key::Router(router_id(router)))),
        Op::PutInterface { port, router, network, up } => {
            let record = interface_record(port, router, network, up)?;
            // A router has one interface in a subnet.
            let mut others = snapshot.interfaces_of(router_id(router));
            let is_free = others.all(|other| other.id == record.id || other.network != record.network);
            (is_free && fits(snapshot, &record)).then(|| Change::Put(Record::Port(Arc::new(record))))
        }
        Op::DeleteInterface(port) => Some(Change::Delete(Key::Port(port_id(port)))),
        Op::TellNetwork { network, what } => {
            let mut record = Network::clone(snapshot.network(&network_id(network))?);
            match what {
                0 => record.mtu = Mtu(record.mtu.0 ^ 1),
                1 => record.dns_domain = "example.org".into(),
                _ => record.stamp.number += 1,
            }
            Some(Change::Put(Record::Network(Arc::new(record))))
        }
        _ => None,
    }
}

/// Changes one thing about a port and nothing else.
fn tweak(port: &mut Port, what: u8) {
    match what {
        0 => port.stamp.number += 1,
        1 => port.admin_up = !port.admin_up,
        2 => port.mac.0[4] ^= 1,
        3 => drop(port.fixed_ips.pop()),
        5 if port.dhcp_options.is_empty() => {
            port.dhcp_options = vec![DhcpOption::new(DhcpFamily::V4, "mtu", "1400").expect("an option")];
        }
        5 => port.dhcp_options.clear(),
        4 => port.dns_name = format!("name{}", port.dns_name.len() % 6),
        _ if port.security == PortSecurity::Off => port.security = PortSecurity::Enforced,
        _ => port.security = PortSecurity::Off,
    }
}

/// What the writing side guarantees: MACs are unique in a network, addresses too, and a port keeps its network.
pub fn fits(snapshot: &Snapshot, port: &Port) -> bool {
    let same_network = snapshot.port(&port.id).is_none_or(|old| old.network == port.network);
    let free_mac = snapshot.port_by_mac(port.network, port.mac).is_none_or(|other| other.id == port.id);
    let free_ip = |ip: &FixedIp| {
        snapshot.port_by_address(ip.subnet, ip.address).is_none_or(|other| other.id == port.id)
    };
    same_network && free_mac && port.fixed_ips.iter().all(free_ip)
}

pub fn host_id(host: u8) -> HostId {
    format!("h{host}").parse().expect("a valid id")
}

pub fn network_id(network: u8) -> NetworkId {
    NetworkId(Uuid::from_u128(0x1_0000 + u128::from(network)))
}

pub fn port_id(port: u8) -> PortId {
    PortId(Uuid::from_u128(0x2_0000 + u128::from(port)))
}

pub fn router_id(router: u8) -> RouterId {
    RouterId(Uuid::from_u128(0x4_0000 + u128::from(router)))
}

pub fn subnet_id(network: u8, family: u8) -> SubnetId {
    SubnetId(Uuid::from_u128(0x3_0000 + 2 * u128::from(network) + u128::from(family)))
}

/// An address of a network: the last numbers of its IPv4 and IPv6 prefixes.
pub fn addresses(network: u8, last: u8) -> [IpAddr; 2] {
    let v6 = Ipv6Addr::new(0xfd00, 0, 0, u16::from(network), 0, 0, 0, last.into());
    [Ipv4Addr::new(10, 0, network, last).into(), v6.into()]
}

/// Of the bits of `what`, each says one thing.
fn subnet_record(network: u8, family: u8, what: u16) -> Subnet {
    let (is_v6, wide) = (family == 1, what & 256 == 0);
    let at = |last: u8| addresses(network, last)[usize::from(family)];
    let length = [if wide { 24 } else { 25 }, if wide { 64 } else { 96 }][usize::from(family)];
    let modes = [None, Some("slaac"), Some("dhcpv6-stateless"), Some("dhcpv6-stateful")];
    let mode = |bits: u16| modes[usize::from(bits & 3)].filter(|_| is_v6).map(str::to_owned);
    let route = if is_v6 { "fd01::/64" } else { "10.9.0.0/16" };
    let hop = HostRoute { destination: route.parse().expect("a prefix"), nexthop: at(1) };
    Subnet {
        id: subnet_id(network, family),
        tenant: tenant(),
        network: network_id(network),
        stamp: Stamp::default(),
        cidr: ipnet::IpNet::new(at(0), length).expect("a length"),
        pool: None,
        gateway: (what & 1 == 0).then(|| at(1)),
        pools: Vec::new(),
        dhcp: what & 14 != 14,
        dns_servers: Vec::from_iter((what & 2 != 0).then(|| at(53))),
        host_routes: Vec::from_iter((what & 4 != 0).then_some(hop)),
        ipv6_ra_mode: mode(what >> 4),
        ipv6_address_mode: mode(what >> 6),
    }
}

/// Every bit of `routes` is a route: shared ones, single ones, nowhere, and some that nothing reaches.
fn router_record(router: u8, key: u8, admin_up: bool, routes: u8) -> Option<Router> {
    let via = |network: u8, last: u8| addresses(network, last).map(NextHop::Via);
    let all = [
        ("192.0.2.0/24", via(0, 9)[0]),
        ("192.0.2.0/24", via(1, 9)[0]),
        ("192.0.2.0/24", via(1, 8)[0]),
        ("0.0.0.0/0", via(2, 100)[0]),
        ("::/0", via(1, 7)[1]),
        ("::/0", via(2, 100)[1]),
        ("198.51.100.0/24", NextHop::Blackhole),
        ("10.0.1.7/32", via(0, 100)[0]),
    ];
    let chosen = all.iter().enumerate().filter(|(bit, _)| routes >> bit & 1 == 1);
    let route = |(destination, next_hop): &(&str, NextHop)| {
        Some(Route { destination: destination.parse().ok()?, next_hop: *next_hop })
    };
    Some(Router {
        id: router_id(router),
        tenant: tenant(),
        key: RouterKey::new(u32::from(key) + 1)?,
        stamp: Stamp::default(),
        admin_up,
        routes: chosen.filter_map(|(_, entry)| route(entry)).collect(),
        gateway: None,
    })
}

fn interface_record(port: u8, router: u8, network: u8, admin_up: bool) -> Option<Port> {
    let mut record = port_record(port, network, port, 0, admin_up, true)?;
    let ips = addresses(network, 100 + port % 4);
    let fixed = |(family, address): (u8, IpAddr)| FixedIp { subnet: subnet_id(network, family), address };
    record.fixed_ips = (0..).zip(ips).map(fixed).collect();
    record.device_id = router_id(router).to_string();
    record.device_owner = ROUTER_INTERFACE.to_owned();
    Some(record)
}

pub fn tenant() -> TenantId {
    "red".parse().expect("a valid id")
}

fn physnet_key(key: u8) -> PhysnetKey {
    PhysnetKey::new(u32::from(key) + 1).expect("in range")
}

/// Half of the networks are tunnelled, the others flat or on one of a few VLANs.
fn segment_of(number: u8) -> Option<Segment> {
    let (physnet, vlan) = (physnet_key(number % 2), VlanId::new(u32::from(number / 2 % 3)));
    (number < 8).then_some(Segment { physnet, vlan })
}

fn host_record(host: u8, index: HostIndex, (ips, maps): (u8, u8)) -> Host {
    let mapped = (0..2).filter(|bit| maps >> bit & 1 == 1);
    let v4 = (ips & 1 == 0).then_some(Ipv4Addr::new(192, 0, 2, host + 1));
    let v6 = (ips & 2 == 0).then_some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host) + 1));
    Host {
        id: host_id(host),
        index,
        hostname: String::new(),
        encap_ips: EncapIps { v4, v6 },
        ovs_version: String::new(),
        datapath_type: "netdev".into(),
        bridge_mappings: mapped.map(|n| (format!("physnet{n}"), format!("br-{n}"))).collect(),
        joined: Timestamp(0),
    }
}

fn network_record(network: u8, vni: Vni, (encap, segment): (u8, Option<Segment>), admin_up: bool) -> Network {
    Network {
        id: network_id(network),
        tenant: tenant(),
        stamp: Stamp::default(),
        vni,
        encap: Encap::ALL[usize::from(encap % 3)],
        mtu: Mtu(1450),
        admin_up,
        port_security_default: true,
        dns_domain: String::new(),
        vlan_transparent: encap >= 3 && segment.is_none(),
        qos_policy: None,
        external: encap % 2 == 0,
        segment,
    }
}

pub fn port_record(
    port: u8,
    network: u8,
    mac: u8,
    addresses: u8,
    admin_up: bool,
    secure: bool,
) -> Option<Port> {
    let subnet = |family: u8| subnet_id(network, family);
    let [v4, v6] = self::addresses(network, addresses % 8 + 1);
    let mut fixed_ips = Vec::new();
    if addresses & 8 == 0 {
        fixed_ips.push(FixedIp { subnet: subnet(0), address: v4 });
    }
    if addresses & 16 == 0 {
        fixed_ips.push(FixedIp { subnet: subnet(1), address: v6 });
    }
    Some(Port {
        id: port_id(port),
        tenant: tenant(),
        network: network_id(network),
        key: PortKey::new(u32::from(port) + 1)?,
        stamp: Stamp::default(),
        mac: MacAddr([2, 0, 0, 0, 0, mac]),
        fixed_ips,
        admin_up,
        security: if secure { PortSecurity::Enforced } else { PortSecurity::Off },
        policy: None,
        allowed_pairs: Vec::new(),
        dhcp_options: Vec::new(),
        device_id: String::new(),
        device_owner: String::new(),
        requested_host: None,
        dns_name: String::new(),
        qos_policy: None,
    })
}
