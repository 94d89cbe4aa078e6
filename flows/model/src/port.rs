//! Ports: a tenant's attachment points, with their addresses.

use std::net::IpAddr;
use std::str::FromStr;

use crate::dhcp::DhcpOption;
use crate::gateway::{FLOATING_IP, ROUTER_GATEWAY};
use crate::ids::{
    FloatingIpId, NetworkId, PolicyKey, PortId, PortKey, QosPolicyId, RouterId, SubnetId, TenantId,
};
use crate::mac::MacAddr;
use crate::router::ROUTER_INTERFACE;
use crate::security::AllowedPair;
use crate::stamp::Stamp;

/// One address of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FixedIp {
    /// The subnet it is taken from.
    pub subnet: SubnetId,
    /// The address.
    pub address: IpAddr,
}

/// Whether what a port sends is checked against its own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortSecurity {
    /// Only the port's own MAC and addresses may appear as source.
    Enforced,
    /// Anything may be sent within the network.
    Off,
}

/// A tenant's attachment point to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its id; what `external_ids:iface-id` names.
    pub id: PortId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The network it belongs to; never changes.
    pub network: NetworkId,
    /// Its number in registers and cookies; never changes.
    pub key: PortKey,
    /// Name, description, times.
    pub stamp: Stamp,
    /// Its Ethernet address, unique in its network.
    pub mac: MacAddr,
    /// Its addresses, in the order they were given.
    pub fixed_ips: Vec<FixedIp>,
    /// When false, the port neither sends nor receives.
    pub admin_up: bool,
    /// Whether its sources are checked.
    pub security: PortSecurity,
    /// The security groups that it wears, as a set; with none at all it is not filtered (it was stored before there were
    /// groups, or has no port security).
    pub policy: Option<PolicyKey>,
    /// What it may send from besides its own addresses.
    pub allowed_pairs: Vec<AllowedPair>,
    /// What DHCP tells it besides what its subnets say, or instead of it; by family and name, each once.
    pub dhcp_options: Vec<DhcpOption>,
    /// What uses the port, in its user's words (a container id, a server id).
    pub device_id: String,
    /// Which kind of user, in the API's words (`compute:nova`, `weft:agent`).
    pub device_owner: String,
    /// The host that its user asks for; a hint, the binding is what counts (`binding:host_id`).
    pub requested_host: Option<String>,
    /// Its host name for DNS; may be empty.
    pub dns_name: String,
    /// Its own QoS policy, which counts instead of its network's.
    pub qos_policy: Option<QosPolicyId>,
}

impl Port {
    /// The router whose interface the port is, if it is one. Such a port is on every host that the router serves, and
    /// bound nowhere.
    pub fn router(&self) -> Option<RouterId> {
        self.device_of(ROUTER_INTERFACE)
    }

    /// The router whose gateway the port is, if it is one.
    pub fn gateway_of(&self) -> Option<RouterId> {
        self.device_of(ROUTER_GATEWAY)
    }

    /// The floating IP that the port holds, if it holds one.
    pub fn floating_ip(&self) -> Option<FloatingIpId> {
        self.device_of(FLOATING_IP)
    }

    /// True for what is no workload's: the interface or gateway of a router, or what holds a floating IP. Such a port is
    /// bound nowhere, whatever an interface says.
    pub fn is_virtual(&self) -> bool {
        self.router().is_some() || self.gateway_of().is_some() || self.floating_ip().is_some()
    }

    fn device_of<T: FromStr>(&self, owner: &str) -> Option<T> {
        if self.device_owner != owner {
            return None;
        }
        self.device_id.parse().ok()
    }
}
