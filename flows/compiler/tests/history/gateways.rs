//! Random gateways, floating IPs and port forwardings, also ones whose ports or networks are not there.

use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;
use weft_model::{
    Change, Encap, FLOATING_IP, FloatingIp, FloatingIpId, FloatingTarget, Gateway, GatewayZone, HostIndex,
    Key, Port, PortForwarding, PortForwardingId, PortRange, ROUTER_GATEWAY, Record, Router, Snapshot, Stamp,
    Transport, Vni,
};

use crate::world::{
    NETWORKS, PORTS, ROUTERS, addresses, fits, network_id, port_id, port_record, router_id, subnet_id, tenant,
};

/// One random change.
#[derive(Debug, Clone)]
pub enum Lead {
    SetGateway { router: u8, network: u8, hosts: Vec<u16>, snat: bool, encap: u8 },
    ClearGateway(u8),
    PutGatewayPort { router: u8, network: u8, up: bool },
    PutFloatingPort { floating: u8, network: u8, up: bool },
    DeletePort(u8),
    PutFloating { floating: u8, network: u8, target: Option<(u8, u8)>, router: u8 },
    DeleteFloating(u8),
    PutForwarding { forwarding: u8, floating: u8, port: u8, router: u8, same: bool },
    DeleteForwarding(u8),
}

const FLOATING: u8 = 4;
const FORWARDINGS: u8 = 3;
/// The numbers of ports of gateways and of floating IPs: above all others.
const GATEWAY_PORTS: u8 = 60;
const FLOATING_PORTS: u8 = 70;

pub fn lead() -> impl Strategy<Value = Lead> {
    let (router, network, floating) = (0..ROUTERS, 0..NETWORKS, 0..FLOATING);
    let hosts = prop::collection::vec(1..6u16, 0..3);
    prop_oneof![
        8 => (router.clone(), network.clone(), hosts, prop::bool::weighted(0.7), 0..3u8).prop_map(
            |(router, network, hosts, snat, encap)| Lead::SetGateway { router, network, hosts, snat, encap }
        ),
        1 => router.clone().prop_map(Lead::ClearGateway),
        6 => (router.clone(), network.clone(), prop::bool::weighted(0.9))
            .prop_map(|(router, network, up)| Lead::PutGatewayPort { router, network, up }),
        6 => (floating.clone(), network.clone(), prop::bool::weighted(0.9))
            .prop_map(|(floating, network, up)| Lead::PutFloatingPort { floating, network, up }),
        1 => prop_oneof![GATEWAY_PORTS..GATEWAY_PORTS + ROUTERS, FLOATING_PORTS..FLOATING_PORTS + FLOATING]
            .prop_map(Lead::DeletePort),
        8 => (floating.clone(), network, prop::option::weighted(0.7, (0..PORTS, 1..9u8)), router.clone())
            .prop_map(|(floating, network, target, router)|
                Lead::PutFloating { floating, network, target, router }),
        1 => floating.clone().prop_map(Lead::DeleteFloating),
        4 => (0..FORWARDINGS, floating, 0..PORTS, router, any::<bool>()).prop_map(
            |(forwarding, floating, port, router, same)|
                Lead::PutForwarding { forwarding, floating, port, router, same }
        ),
        1 => (0..FORWARDINGS).prop_map(Lead::DeleteForwarding),
    ]
}

fn floating_id(floating: u8) -> FloatingIpId {
    FloatingIpId(Uuid::from_u128(0x5_0000 + u128::from(floating)))
}

fn forwarding_id(forwarding: u8) -> PortForwardingId {
    PortForwardingId(Uuid::from_u128(0x6_0000 + u128::from(forwarding)))
}

/// The change, if a store would take it.
pub fn change(snapshot: &Snapshot, lead: &Lead) -> Option<Change> {
    match *lead {
        Lead::SetGateway { router, network, ref hosts, snat, encap } => {
            let mut hosts: Vec<HostIndex> =
                hosts.iter().filter_map(|n| HostIndex::new((*n).into())).collect();
            hosts.dedup();
            hosts.dedup_by_key(|host| *host);
            let mut record = Router::clone(snapshot.router(&router_id(router))?);
            record.gateway = Some(Gateway {
                network: network_id(network),
                port: port_id(GATEWAY_PORTS + router),
                snat,
                transit: Vni::new(1000 + u32::from(router))?,
                encap: Encap::ALL[usize::from(encap)],
                zone: GatewayZone::new(u32::from(router) + 1)?,
                hosts,
            });
            Some(Change::Put(Record::Router(Arc::new(record))))
        }
        Lead::ClearGateway(router) => {
            let mut record = Router::clone(snapshot.router(&router_id(router))?);
            record.gateway = None;
            Some(Change::Put(Record::Router(Arc::new(record))))
        }
        Lead::PutGatewayPort { router, network, up } => {
            let user = (ROUTER_GATEWAY, router_id(router).to_string());
            virtual_port(snapshot, GATEWAY_PORTS + router, network, (150 + router, up), user)
        }
        Lead::PutFloatingPort { floating, network, up } => {
            let user = (FLOATING_IP, floating_id(floating).to_string());
            virtual_port(snapshot, FLOATING_PORTS + floating, network, (200 + floating, up), user)
        }
        Lead::DeletePort(port) => Some(Change::Delete(Key::Port(port_id(port)))),
        Lead::DeleteFloating(floating) => Some(Change::Delete(Key::FloatingIp(floating_id(floating)))),
        Lead::DeleteForwarding(number) => Some(Change::Delete(Key::PortForwarding(forwarding_id(number)))),
        Lead::PutFloating { .. } => put_floating(snapshot, lead),
        Lead::PutForwarding { .. } => put_forwarding(snapshot, lead),
    }
}

fn virtual_port(
    snapshot: &Snapshot,
    number: u8,
    network: u8,
    (last, up): (u8, bool),
    (owner, device): (&str, String),
) -> Option<Change> {
    let mut record = port_record(number, network, number, 0, up, true)?;
    for (fixed, address) in record.fixed_ips.iter_mut().zip(addresses(network, last)) {
        fixed.address = address;
    }
    record.device_owner = owner.to_owned();
    record.device_id = device;
    fits(snapshot, &record).then(|| Change::Put(Record::Port(Arc::new(record))))
}

/// An address of a port has one floating IP at most, and a floating IP with port forwardings stands for none.
fn put_floating(snapshot: &Snapshot, lead: &Lead) -> Option<Change> {
    let Lead::PutFloating { floating, network, target, router } = *lead else { return None };
    let id = floating_id(floating);
    let target = target.and_then(|(port, last)| {
        let of = snapshot.port(&port_id(port)).map_or(network_id(0), |port| port.network);
        let on = (0..NETWORKS).find(|n| network_id(*n) == of)?;
        let std::net::IpAddr::V4(address) = addresses(on, last)[0] else { return None };
        Some(FloatingTarget { port: port_id(port), address, router: router_id(router) })
    });
    let same =
        |other: &FloatingTarget| target.is_some_and(|t| (t.port, t.address) == (other.port, other.address));
    let is_taken =
        snapshot.floating_ips().any(|other| other.id != id && other.target.as_ref().is_some_and(same));
    let forwards = snapshot.port_forwardings_of(id).next().is_some();
    if is_taken || target.is_some() && forwards {
        return None;
    }
    let std::net::IpAddr::V4(address) = addresses(network, 200 + floating)[0] else { return None };
    let _ = subnet_id(network, 0);
    Some(Change::Put(Record::FloatingIp(Arc::new(FloatingIp {
        id,
        tenant: tenant(),
        stamp: Stamp::default(),
        network: network_id(network),
        port: port_id(FLOATING_PORTS + floating),
        address,
        target,
    }))))
}

fn put_forwarding(snapshot: &Snapshot, lead: &Lead) -> Option<Change> {
    let Lead::PutForwarding { forwarding, floating, port, router, same } = *lead else { return None };
    let stands = snapshot.floating_ip(&floating_id(floating)).is_some_and(|ip| ip.target.is_some());
    let Port { fixed_ips, .. } = Port::clone(snapshot.port(&port_id(port))?);
    let address = fixed_ips.iter().find_map(|ip| match ip.address {
        std::net::IpAddr::V4(address) => Some(address),
        std::net::IpAddr::V6(_) => None,
    })?;
    let first = 1000 + 10 * u16::from(forwarding);
    let external = PortRange::new(first, first + 3)?;
    let internal = if same { external } else { PortRange::new(first + 5, first + 8)? };
    (!stands).then(|| {
        Change::Put(Record::PortForwarding(Arc::new(PortForwarding {
            id: forwarding_id(forwarding),
            floating_ip: floating_id(floating),
            stamp: Stamp::default(),
            protocol: if forwarding == 0 { Transport::Udp } else { Transport::Tcp },
            external,
            port: port_id(port),
            address,
            internal,
            router: router_id(router),
        })))
    })
}
