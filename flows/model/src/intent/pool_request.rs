//! The words of a request about address scopes, subnet pools, RBAC policies and ranges of VNIs.

use ipnet::IpNet;

use super::{Labels, LabelsPatch};
use crate::{
    Access, AddressScopeId, Audience, Encap, Family, RbacPolicyId, SegmentRangeId, SharedObject,
    SubnetPoolId, TenantId, Vni,
};

/// An address scope to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAddressScope {
    /// Its id.
    pub id: AddressScopeId,
    /// Whose it is to be. A tenant may leave it out or name itself; an admin must name one.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// The family of its pools.
    pub family: Family,
    /// Every tenant may have pools in it (admin only).
    pub shared: bool,
}

/// Changes to an address scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressScopePatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// See [`NewAddressScope::shared`]; what is shared so stays so.
    pub shared: Option<bool>,
}

/// A subnet pool to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubnetPool {
    /// Its id.
    pub id: SubnetPoolId,
    /// Whose it is to be. A tenant may leave it out or name itself; an admin must name one.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// What there is to cut from, at least one, all of one family.
    pub prefixes: Vec<IpNet>,
    /// The length of a subnet's prefix when nobody says: the shortest one when absent.
    pub default_prefixlen: Option<u8>,
    /// The shortest prefix that a subnet may have: 8, for IPv6 64, when absent.
    pub min_prefixlen: Option<u8>,
    /// The longest prefix that a subnet may have: a whole address when absent.
    pub max_prefixlen: Option<u8>,
    /// How much one tenant may have: addresses of IPv4, /64 prefixes of IPv6.
    pub default_quota: Option<u32>,
    /// It is meant by those who name none (admin only).
    pub is_default: bool,
    /// Every tenant may cut from it (admin only).
    pub shared: bool,
    /// The scope to be in.
    pub scope: Option<AddressScopeId>,
}

impl NewSubnetPool {
    /// A pool with every other field at its default.
    pub fn new(id: SubnetPoolId, prefixes: Vec<IpNet>) -> NewSubnetPool {
        NewSubnetPool {
            id,
            tenant: None,
            labels: Labels::default(),
            prefixes,
            default_prefixlen: None,
            min_prefixlen: None,
            max_prefixlen: None,
            default_quota: None,
            is_default: false,
            shared: false,
            scope: None,
        }
    }
}

/// Changes to a subnet pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubnetPoolPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// The whole new list, which must contain the old one.
    pub prefixes: Option<Vec<IpNet>>,
    /// See [`NewSubnetPool::default_prefixlen`].
    pub default_prefixlen: Option<u8>,
    /// See [`NewSubnetPool::min_prefixlen`].
    pub min_prefixlen: Option<u8>,
    /// See [`NewSubnetPool::max_prefixlen`].
    pub max_prefixlen: Option<u8>,
    /// See [`NewSubnetPool::default_quota`].
    pub default_quota: Option<Option<u32>>,
    /// See [`NewSubnetPool::is_default`].
    pub is_default: Option<bool>,
    /// See [`NewSubnetPool::scope`].
    pub scope: Option<Option<AddressScopeId>>,
}

/// Where a new subnet's prefix comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedPrefix {
    /// From nowhere: it is this one, with no host bits set.
    Own(IpNet),
    /// From a pool.
    Cut {
        /// Which pool.
        pool: AskedPool,
        /// The family that the pool must have, if any.
        family: Option<Family>,
        /// Which part of it.
        part: AskedPart,
    },
}

/// The pool that a prefix is to be cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedPool {
    /// This one.
    This(SubnetPoolId),
    /// The one that is meant by those who name none.
    Default(Family),
}

/// What is to be cut from a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedPart {
    /// This prefix, with no host bits set.
    This(IpNet),
    /// The lowest free prefix of that length; of the pool's default length when absent.
    Lowest(Option<u8>),
}

/// An RBAC policy to create. It belongs to the object's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRbacPolicy {
    /// Its id.
    pub id: RbacPolicyId,
    /// What may be used; the actor must own it.
    pub object: SharedObject,
    /// How; only an admin gives access to the outside.
    pub access: Access,
    /// By whom; only an admin shares with everybody.
    pub audience: Audience,
}

/// A range of VNIs to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSegmentRange {
    /// Its id.
    pub id: SegmentRangeId,
    /// Whose networks get them; those of every tenant without a range of its own when absent.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// The encapsulation of the networks.
    pub encap: Encap,
    /// The first VNI.
    pub first: Vni,
    /// The last VNI.
    pub last: Vni,
}

/// Changes to a range of VNIs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentRangePatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// The first VNI.
    pub first: Option<Vni>,
    /// The last VNI.
    pub last: Option<Vni>,
}

/// What becomes of a range of VNIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentRangeChange {
    /// It is made.
    Create(NewSegmentRange),
    /// It is changed.
    Update(SegmentRangeId, SegmentRangePatch),
    /// It is removed, if it still has the revision number that is named.
    Delete(SegmentRangeId, Option<u64>),
}
