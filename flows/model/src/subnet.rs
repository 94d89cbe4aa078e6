//! Subnets: the addresses that ports of a network may have.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::ids::{NetworkId, SubnetId, SubnetPoolId, TenantId};
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
    /// How many addresses it has; of all addresses of IPv6, one less.
    #[allow(clippy::len_without_is_empty, reason = "a range has at least one address")]
    pub fn len(&self) -> u128 {
        let number = |address: IpAddr| match address {
            IpAddr::V4(v4) => u32::from(v4).into(),
            IpAddr::V6(v6) => u128::from(v6),
        };
        (number(self.end) - number(self.start)).saturating_add(1)
    }

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
    /// The pool that the prefix is cut from, if it is from one; never changes.
    pub pool: Option<SubnetPoolId>,
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

/// How IPv6 workloads get their addresses and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ipv6Mode {
    /// They make them themselves from what routers advertise.
    Slaac,
    /// So too, and everything else from DHCPv6.
    Stateless,
    /// Everything from DHCPv6.
    Stateful,
}

impl Ipv6Mode {
    /// The mode that the API calls so.
    pub fn from_name(name: &str) -> Option<Ipv6Mode> {
        match name {
            "slaac" => Some(Ipv6Mode::Slaac),
            "dhcpv6-stateless" => Some(Ipv6Mode::Stateless),
            "dhcpv6-stateful" => Some(Ipv6Mode::Stateful),
            _ => None,
        }
    }
}

impl Subnet {
    /// What router advertisements say about addresses, if they are to be sent.
    pub fn ra_mode(&self) -> Option<Ipv6Mode> {
        Ipv6Mode::from_name(self.ipv6_ra_mode.as_deref()?)
    }

    /// Where workloads get their addresses, if not by hand.
    pub fn address_mode(&self) -> Option<Ipv6Mode> {
        Ipv6Mode::from_name(self.ipv6_address_mode.as_deref()?)
    }

    /// True when workloads make their addresses from their MACs, so that a port can have no other ones.
    pub fn is_self_addressed(&self) -> bool {
        let modes = [self.address_mode(), self.ra_mode()];
        let by_themselves = [Some(Ipv6Mode::Slaac), Some(Ipv6Mode::Stateless)];
        // An interface identifier takes half of an address (RFC 4291 section 2.5.1).
        self.cidr.prefix_len() == 64 && by_themselves.contains(&modes[0].or(modes[1]))
    }
}
