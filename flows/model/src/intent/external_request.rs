//! The words of requests about the outside: gateways, floating IPs, port forwardings.

use std::net::Ipv4Addr;

use super::{AskedIp, Labels, LabelsPatch};
use crate::{FloatingIpId, NetworkId, PortForwardingId, PortId, PortRange, SubnetId, TenantId, Transport};

/// A gateway that a router is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGateway {
    /// The external network.
    pub network: NetworkId,
    /// The id of the port to make, unless the router has a gateway on that network already.
    pub port: PortId,
    /// Where the search for a free generated MAC starts; random.
    pub mac_seed: u32,
    /// Whether IPv4 is translated; only an admin may say no. When absent, it is.
    pub snat: Option<bool>,
    /// Its addresses (admin only): one per family that the network has when absent.
    pub fixed_ips: Option<Vec<AskedIp>>,
}

impl NewGateway {
    /// A gateway with every other field at its default.
    pub fn new(network: NetworkId, port: PortId, mac_seed: u32) -> NewGateway {
        NewGateway { network, port, mac_seed, snat: None, fixed_ips: None }
    }
}

/// What a floating IP is to stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedTarget {
    /// Which port.
    pub port: PortId,
    /// Which IPv4 address of it; the only one when absent.
    pub address: Option<Ipv4Addr>,
}

/// A floating IP to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFloatingIp {
    /// Its id.
    pub id: FloatingIpId,
    /// Whose it is to be. A tenant may leave it out or name itself; an admin must name one, or a target that has one.
    pub tenant: Option<TenantId>,
    /// Description and tags; the name must be empty.
    pub labels: Labels,
    /// The external network.
    pub network: NetworkId,
    /// The id of the port to make, which holds the address.
    pub port: PortId,
    /// Where the search for a free generated MAC starts; random.
    pub mac_seed: u32,
    /// Which address (admin only); the lowest free one when absent.
    pub address: Option<Ipv4Addr>,
    /// From which subnet of the network; from any with IPv4 when absent.
    pub subnet: Option<SubnetId>,
    /// What it stands for from the beginning.
    pub target: Option<AskedTarget>,
}

impl NewFloatingIp {
    /// A floating IP with every other field at its default.
    pub fn new(id: FloatingIpId, network: NetworkId, port: PortId, mac_seed: u32) -> NewFloatingIp {
        NewFloatingIp {
            id,
            tenant: None,
            labels: Labels::default(),
            network,
            port,
            mac_seed,
            address: None,
            subnet: None,
            target: None,
        }
    }
}

/// Changes to a floating IP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FloatingIpPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Description and tags.
    pub labels: LabelsPatch,
    /// What it stands for; nothing when `Some(None)`.
    pub target: Option<Option<AskedTarget>>,
}

/// A port forwarding to create. It belongs to its floating IP's tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPortForwarding {
    /// Its id.
    pub id: PortForwardingId,
    /// Of which floating IP.
    pub floating_ip: FloatingIpId,
    /// Free text, at most 255 characters.
    pub description: String,
    /// Of which protocol.
    pub protocol: Transport,
    /// Which ports of the floating IP.
    pub external: PortRange,
    /// To which port of the tenant, and which address of it.
    pub target: AskedTarget,
    /// To which ports there: as many as there are external ones.
    pub internal: PortRange,
}

/// Changes to a port forwarding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortForwardingPatch {
    /// See [`NewPortForwarding::description`].
    pub description: Option<String>,
    /// See [`NewPortForwarding::protocol`].
    pub protocol: Option<Transport>,
    /// See [`NewPortForwarding::external`].
    pub external: Option<PortRange>,
    /// Another port; its address is looked up anew unless it is named too.
    pub port: Option<PortId>,
    /// Another address.
    pub address: Option<Ipv4Addr>,
    /// See [`NewPortForwarding::internal`].
    pub internal: Option<PortRange>,
}
