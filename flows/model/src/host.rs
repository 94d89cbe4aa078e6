//! Hosts: machines with an Open vSwitch that joined.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ids::{HostId, HostIndex};
use crate::stamp::Timestamp;

/// The addresses under which other hosts reach a host's VTEP; at least one in practice, both in dual stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EncapIps {
    /// The IPv4 address of the VTEP.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 address of the VTEP.
    pub v6: Option<Ipv6Addr>,
}

impl EncapIps {
    /// The address that `self` should send to in order to reach `peer`: IPv4 where both have it, else IPv6.
    pub fn towards(&self, peer: &EncapIps) -> Option<IpAddr> {
        match (self.v4, peer.v4, self.v6, peer.v6) {
            (Some(_), Some(ip), _, _) => Some(IpAddr::V4(ip)),
            (_, _, Some(_), Some(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        }
    }
}

/// A machine with an Open vSwitch that joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its `external_ids:system-id`.
    pub id: HostId,
    /// Its small number; tunnel ports towards it are pinned by it; never changes while it is known.
    pub index: HostIndex,
    /// Its `external_ids:hostname`, for people.
    pub hostname: String,
    /// Where its VTEP is (`external_ids:weft-encap-ip`).
    pub encap_ips: EncapIps,
    /// The version its `Open_vSwitch` row states.
    pub ovs_version: String,
    /// The datapath type its integration bridge uses: `system` or `netdev`.
    pub datapath_type: String,
    /// When it first joined.
    pub joined: Timestamp,
}
