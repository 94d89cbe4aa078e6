//! Subnets: the addresses that ports of a network may have.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::ids::{NetworkId, SubnetId, TenantId};
use crate::stamp::Stamp;

/// An inclusive range of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressRange {
    /// The first address.
    pub start: IpAddr,
    /// The last address; not before `start`.
    pub end: IpAddr,
}

impl AddressRange {
    /// True if the address is within the range, ends included.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.start <= address && address <= self.end && self.start.is_ipv4() == address.is_ipv4()
    }
}

/// A route handed to workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostRoute {
    /// Where to.
    pub destination: IpNet,
    /// Through which address.
    pub nexthop: IpAddr,
}

/// A range of addresses on a network, with what workloads are told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The network whose ports it addresses.
    pub network: NetworkId,
    /// Name, description, times.
    pub stamp: Stamp,
    /// The prefix, with no host bits set.
    pub cidr: IpNet,
    /// The default gateway told to workloads, if any.
    pub gateway: Option<IpAddr>,
    /// Where automatic addresses come from: sorted, disjoint, inside the prefix, without the gateway.
    pub pools: Vec<AddressRange>,
    /// Whether DHCP is answered on it.
    pub dhcp: bool,
    /// Resolvers told to workloads.
    pub dns_servers: Vec<IpAddr>,
    /// Further routes told to workloads.
    pub host_routes: Vec<HostRoute>,
    /// `ipv6_ra_mode` of the API: slaac, dhcpv6-stateful, dhcpv6-stateless.
    pub ipv6_ra_mode: Option<String>,
    /// `ipv6_address_mode` of the API, same words.
    pub ipv6_address_mode: Option<String>,
}
