//! Why a request about address scopes, subnet pools, sharing or ranges of VNIs is refused.

use thiserror::Error;

use crate::{AddressScopeId, Family, NetworkId, RbacPolicyId, SegmentRangeId, SharedObject, SubnetPoolId};

/// Why a request about address scopes or subnet pools is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PoolRejected {
    /// No such address scope, or another tenant's.
    #[error("there is no address scope {0}")]
    ScopeNotFound(AddressScopeId),
    /// No such subnet pool, or another tenant's.
    #[error("there is no subnet pool {0}")]
    PoolNotFound(SubnetPoolId),
    /// Pools are in the scope.
    #[error("subnet pools are in address scope {0}")]
    ScopeInUse(AddressScopeId),
    /// Everybody may have pools in the scope, and that is for good.
    #[error("address scope {0} is shared and stays so")]
    ScopeStaysShared(AddressScopeId),
    /// Subnets are cut from the pool.
    #[error("subnets are cut from subnet pool {0}")]
    PoolInUse(SubnetPoolId),
    /// There is a default pool of the family.
    #[error("subnet pool {pool} is the default for {family} already")]
    DefaultExists {
        /// Which pool is.
        pool: SubnetPoolId,
        /// Of which family.
        family: Family,
    },
    /// There is no default pool of the family that the tenant may use.
    #[error("there is no default subnet pool for {0}")]
    NoDefault(Family),
    /// The prefixes of the pool before are not all in the new list.
    #[error("the prefixes of a subnet pool can only grow")]
    PrefixesShrink,
    /// Lengths that do not go together.
    #[error("{0}")]
    Bounds(String),
    /// Another pool of the scope has some of the addresses.
    #[error("the prefixes meet those of another subnet pool in address scope {0}")]
    ScopeConflict(AddressScopeId),
    /// The pool's family is not the scope's.
    #[error("address scope {scope} is for {family}")]
    ScopeFamily {
        /// Which scope.
        scope: AddressScopeId,
        /// Its family.
        family: Family,
    },
    /// A pool of which there are subnets cannot go from one scope to another.
    #[error("subnet pool {0} has subnets on networks with other subnet pools of its address scope")]
    ScopeStays(SubnetPoolId),
    /// The pool gives no prefixes as short as that.
    #[error("a prefix of length {asked} is shorter than {least}, the least that the subnet pool gives")]
    TooShort {
        /// The length asked for.
        asked: u8,
        /// The shortest.
        least: u8,
    },
    /// The pool gives no prefixes as long as that.
    #[error("a prefix of length {asked} is longer than {most}, the most that the subnet pool gives")]
    TooLong {
        /// The length asked for.
        asked: u8,
        /// The longest.
        most: u8,
    },
    /// The pool does not have what was asked for.
    #[error("{0}")]
    Exhausted(String),
    /// The tenant has as much of the pool as it may have.
    #[error("the quota of {quota} in subnet pool {pool} is used up")]
    QuotaExceeded {
        /// Which pool.
        pool: SubnetPoolId,
        /// Its quota.
        quota: u32,
    },
    /// The network's other subnets are from another pool, or from none.
    #[error("the other subnets of network {0} are not from that subnet pool")]
    PoolAffinity(NetworkId),
    /// The network's other subnets are in another scope.
    #[error("the other subnets of network {0} are in another address scope")]
    ScopeAffinity(NetworkId),
}

/// Why a request about sharing is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RbacRejected {
    /// No such policy, or another tenant's.
    #[error("there is no RBAC policy {0}")]
    NotFound(RbacPolicyId),
    /// There is a policy that says the same.
    #[error("there is an RBAC policy that says the same: {0}")]
    Exists(RbacPolicyId),
    /// Somebody uses the object who could not without the policy.
    #[error("the RBAC policy for {} {} is needed by {user} of another tenant", .object.kind.name(), .object.id)]
    InUse {
        /// What is shared.
        object: SharedObject,
        /// What of another tenant uses it.
        user: &'static str,
    },
    /// Other tenants use the network, so it stays shared.
    #[error("network {0} is used by several tenants, so it stays shared")]
    NetworkStaysShared(NetworkId),
}

/// Why a request about ranges of VNIs is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RangeRejected {
    /// No such range.
    #[error("there is no segment range {0}")]
    NotFound(SegmentRangeId),
    /// Another range of the encapsulation has some of the VNIs.
    #[error("segment range {0} has some of the VNIs")]
    Overlaps(SegmentRangeId),
    /// Networks have VNIs that would no longer be of the range.
    #[error("networks have VNIs of segment range {0}")]
    InUse(SegmentRangeId),
}
