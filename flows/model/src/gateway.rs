//! The way out of a tenant's networks and the ways in: gateways, floating IPs, port forwardings.

use std::net::Ipv4Addr;

use crate::ids::{
    FloatingIpId, GatewayZone, HostIndex, NetworkId, PortForwardingId, PortId, RouterId, TenantId, Vni,
};
use crate::network::Encap;
use crate::stamp::Stamp;

/// The `device_owner` of ports that are routers' gateways; their `device_id` is the router's id.
pub const ROUTER_GATEWAY: &str = "network:router_gateway";
/// The `device_owner` of ports that hold floating IPs; their `device_id` is the floating IP's id.
pub const FLOATING_IP: &str = "network:floatingip";
/// How many hosts stand in a gateway's list at most.
pub const GATEWAY_HOSTS: usize = 3;

/// Where a router leads to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The external network; it has a segment.
    pub network: NetworkId,
    /// The port on it that has the router's MAC and addresses there; bound nowhere.
    pub port: PortId,
    /// Whether IPv4 connections of the router's subnets leave with the gateway's address. IPv6 is never translated.
    pub snat: bool,
    /// What brings packets from their hosts to the gateway's: unique beside the VNIs of networks.
    pub transit: Vni,
    /// The encapsulation of the transit: one that a network of the router has.
    pub encap: Encap,
    /// In which conntrack zone its connections are; unique among routers.
    pub zone: GatewayZone,
    /// The hosts that may serve it, by index, the preferred one first: at most [`GATEWAY_HOSTS`], none when no host has a
    /// bridge for the external network.
    pub hosts: Vec<HostIndex>,
}

/// An address of an external network that stands for a port's own one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingIp {
    /// Its id.
    pub id: FloatingIpId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Description, tags, times; it has no name.
    pub stamp: Stamp,
    /// The external network.
    pub network: NetworkId,
    /// The port on it that holds the address and a MAC; bound nowhere.
    pub port: PortId,
    /// The address, in a subnet of the external network.
    pub address: Ipv4Addr,
    /// What it stands for, if for anything. One that has port forwardings stands for nothing.
    pub target: Option<FloatingTarget>,
}

/// What a floating IP stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FloatingTarget {
    /// The tenant's port.
    pub port: PortId,
    /// The port's own address.
    pub address: Ipv4Addr,
    /// The router between them: it has an interface in the address's subnet, and a gateway on the external network.
    pub router: RouterId,
}

/// The transport protocols that have ports to forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Transport {
    /// Its IP protocol number.
    pub fn number(self) -> u8 {
        match self {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        }
    }

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }

    /// The protocol of that name, in either case.
    pub fn from_name(name: &str) -> Option<Transport> {
        [Transport::Tcp, Transport::Udp].into_iter().find(|t| t.name().eq_ignore_ascii_case(name))
    }
}

/// Transport ports from one to another, both included; never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The first one.
    pub first: u16,
    /// The last one; not before the first.
    pub last: u16,
}

impl PortRange {
    /// A range, if it is one.
    pub fn new(first: u16, last: u16) -> Option<PortRange> {
        (1..=last).contains(&first).then_some(PortRange { first, last })
    }

    /// One port.
    pub fn one(port: u16) -> Option<PortRange> {
        PortRange::new(port, port)
    }

    /// How many ports there are in it.
    pub fn count(self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }

    /// True if a port is in both.
    pub fn meets(self, other: PortRange) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Ports of a floating IP that lead to ports of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortForwarding {
    /// Its id.
    pub id: PortForwardingId,
    /// Whose ports are forwarded.
    pub floating_ip: FloatingIpId,
    /// Description and times; it has no name.
    pub stamp: Stamp,
    /// Of which protocol.
    pub protocol: Transport,
    /// The ports of the floating IP: no two forwardings of it share one of a protocol.
    pub external: PortRange,
    /// To which of the tenant's ports.
    pub port: PortId,
    /// Which address of it.
    pub address: Ipv4Addr,
    /// To which ports there, one for each external port in the same order.
    pub internal: PortRange,
    /// The router between them, as for [`FloatingTarget::router`]; the same for all forwardings of a floating IP.
    pub router: RouterId,
}
