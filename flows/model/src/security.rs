//! Security groups: what tenants let in and out of their ports.
//!
//! A port wears a set of groups, and that set is its policy. Ports with the same set share one policy, and with it one
//! copy of its flows.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::ids::{AddressGroupId, PolicyKey, RuleKey, SecurityGroupId, SecurityRuleId, TenantId};
use crate::mac::MacAddr;
use crate::stamp::Stamp;

/// A named set of rules that ports can wear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// Whose it is; only ports of the same tenant wear it.
    pub tenant: TenantId,
    /// Name, description, times.
    pub stamp: Stamp,
    /// Whether connections are remembered, so that replies pass by themselves.
    pub tracking: Tracking,
    /// Whether it is what the tenant's new ports wear when they name no groups.
    pub role: GroupRole,
}

/// Whether replies pass because the connection is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tracking {
    /// Connections are remembered; replies pass.
    Stateful,
    /// Every packet is judged by itself; replies need rules of their own.
    Stateless,
}

/// What a group is to its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupRole {
    /// The one that new ports wear when they name none; it can be neither deleted nor renamed.
    Default,
    /// Any other.
    Named,
}

/// One thing that a group lets through. There are no rules that forbid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityRule {
    /// Its id.
    pub id: SecurityRuleId,
    /// The group that it belongs to; never changes, nor does anything else but the stamp.
    pub group: SecurityGroupId,
    /// Whose it is: the group's tenant.
    pub tenant: TenantId,
    /// Its number in connection labels.
    pub key: RuleKey,
    /// Description and times; a rule has no name.
    pub stamp: Stamp,
    /// Seen from the port that wears the group.
    pub direction: Direction,
    /// Which version of IP.
    pub family: Family,
    /// Which packets of that family.
    pub service: Service,
    /// From whom (ingress) or to whom (egress).
    pub remote: Remote,
}

/// The direction of a rule, seen from the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Towards the port.
    Ingress,
    /// From the port.
    Egress,
}

/// The version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// Which packets, beyond the version of IP. Ports are destination ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// All of them.
    Any,
    /// One protocol, by its IANA number (the one after extension headers for IPv6).
    Protocol(u8),
    /// Destination ports of TCP (6), UDP (17) or SCTP (132).
    Ports {
        /// Which of the three.
        protocol: u8,
        /// The lowest port.
        first: u16,
        /// The highest port.
        last: u16,
    },
    /// ICMP messages of the rule's family.
    Icmp {
        /// The type.
        kind: u8,
        /// The code; all of the type's when absent.
        code: Option<u8>,
    },
}

impl Service {
    /// The protocols that have ports: TCP, UDP, SCTP.
    pub const WITH_PORTS: [u8; 3] = [6, 17, 132];

    /// The number of ICMP for that version of IP.
    pub fn icmp(family: Family) -> u8 {
        match family {
            Family::V4 => 1,
            Family::V6 => 58,
        }
    }
}

/// The other side of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remote {
    /// Everybody.
    Any,
    /// Whoever has an address of this prefix.
    Prefix(IpNet),
    /// Ports that wear this group.
    Group(SecurityGroupId),
    /// Whoever has an address of this address group, as far as they are of the rule's family.
    Addresses(AddressGroupId),
}

/// A named set of prefixes for rules to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressGroup {
    /// Its id.
    pub id: AddressGroupId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Name, description, times.
    pub stamp: Stamp,
    /// Its prefixes, of either family, without host bits.
    pub prefixes: BTreeSet<IpNet>,
}

/// A set of groups that at least one port wears. The record exists exactly as long as that is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its number in registers and cookies; never changes.
    pub key: PolicyKey,
    /// The groups; the empty set lets nothing pass but what every port needs (ARP, neighbour discovery, DHCP).
    pub groups: BTreeSet<SecurityGroupId>,
}

/// An address that a port may send from besides its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllowedPair {
    /// The Ethernet source; the port's own when absent.
    pub mac: Option<MacAddr>,
    /// The addresses, without host bits.
    pub prefix: IpNet,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        })
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}
