//! Subnet pools: prefixes that subnets are cut from; and address scopes, in which no two pools meet.

use ipnet::IpNet;

use crate::ids::{AddressScopeId, SubnetPoolId, TenantId};
use crate::security::Family;
use crate::stamp::Stamp;

/// A space of addresses of one family: the pools in it have no address in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressScope {
    /// Its id.
    pub id: AddressScopeId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Name, description, times.
    pub stamp: Stamp,
    /// The family of all its pools; never changes.
    pub family: Family,
}

/// Prefixes that subnets are cut from, no two of which meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetPool {
    /// Its id.
    pub id: SubnetPoolId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Name, description, times.
    pub stamp: Stamp,
    /// What there is to cut from: without host bits, disjoint, as few as possible, sorted; at least one, all of one family.
    pub prefixes: Vec<IpNet>,
    /// The length of a subnet's prefix when nobody says.
    pub default_prefixlen: u8,
    /// The shortest prefix that a subnet may have.
    pub min_prefixlen: u8,
    /// The longest prefix that a subnet may have.
    pub max_prefixlen: u8,
    /// How much of it one tenant may have: addresses of IPv4, /64 prefixes of IPv6.
    pub default_quota: Option<u32>,
    /// True for the one of its family that is meant by those who name none.
    pub is_default: bool,
    /// The scope in which its addresses are nobody else's, if it is in one.
    pub scope: Option<AddressScopeId>,
}

impl SubnetPool {
    /// The family of its prefixes.
    pub fn family(&self) -> Family {
        self.prefixes.first().map_or(Family::V4, family_of)
    }
}

/// The family of a prefix.
pub fn family_of(prefix: &IpNet) -> Family {
    match prefix {
        IpNet::V4(_) => Family::V4,
        IpNet::V6(_) => Family::V6,
    }
}
