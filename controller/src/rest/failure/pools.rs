//! What address scopes, subnet pools, sharing and ranges of VNIs refuse, in the words that OpenStack clients know.

use axum::http::StatusCode;
use weft_model::Family;
use weft_model::intent::{PoolRejected, RangeRejected, RbacRejected, Rejected};

use super::Failure;

/// What they refuse.
pub(super) fn of(rejected: Rejected) -> Failure {
    match rejected {
        Rejected::Pool(rejected) => of_pool(rejected),
        Rejected::Rbac(rejected) => of_rbac(rejected),
        Rejected::Range(rejected) => of_range(rejected),
        other => conflict("Conflict", format!("{other}.")),
    }
}

/// What address scopes and subnet pools refuse.
fn of_pool(rejected: PoolRejected) -> Failure {
    use PoolRejected as P;
    let said = format!("{rejected}.");
    match rejected {
        P::ScopeNotFound(id) => Failure::not_found("Address scope", &id.to_string()),
        P::PoolNotFound(id) => Failure::not_found("Subnet pool", &id.to_string()),
        P::ScopeInUse(id) => conflict(
            "AddressScopeInUse",
            format!(
                "Unable to complete operation on address scope {id}. There are one or more subnet pools in use on the \
                 address scope."
            ),
        ),
        P::PoolInUse(_) => bad(
            "SubnetPoolDeleteError",
            "Unable to delete subnet pool: Subnet pool has existing allocations.".to_owned(),
        ),
        P::ScopeStaysShared(id) => bad(
            "AddressScopeUpdateError",
            format!("Unable to update address scope {id} : Shared address scope can't be unshared."),
        ),
        P::DefaultExists { .. } => bad(
            "InvalidInput",
            "Invalid input for operation: A default subnetpool for this IP family has already been set. Only one \
             default may exist per IP family."
                .to_owned(),
        ),
        P::NoDefault(family) => bad(
            "BadRequest",
            format!("Bad subnets request: No default subnetpool found for IPv{}.", number_of(family)),
        ),
        P::PrefixesShrink => bad(
            "IllegalSubnetPoolPrefixUpdate",
            "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.".to_owned(),
        ),
        P::Bounds(_) => bad("IllegalSubnetPoolPrefixBounds", said),
        P::ScopeConflict(_) => conflict(
            "AddressScopePrefixConflict",
            "Failed to associate address scope: subnetpools within an address scope must have unique prefixes."
                .to_owned(),
        ),
        P::ScopeFamily { .. } => bad("IllegalSubnetPoolIpVersionAssociationToAddressScope", said),
        P::ScopeStays(_) => bad("IllegalSubnetPoolUpdate", format!("Illegal subnetpool update : {said}")),
        P::TooShort { asked, least } => bad(
            "MinPrefixSubnetAllocationError",
            format!(
                "Unable to allocate subnet with prefix length {asked}, minimum allowed prefix is {least}."
            ),
        ),
        P::TooLong { asked, most } => bad(
            "MaxPrefixSubnetAllocationError",
            format!("Unable to allocate subnet with prefix length {asked}, maximum allowed prefix is {most}."),
        ),
        P::Exhausted(reason) => {
            conflict("SubnetAllocationError", format!("Failed to allocate subnet: {reason}."))
        }
        P::QuotaExceeded { .. } => {
            conflict("SubnetPoolQuotaExceeded", "Per-tenant subnet pool prefix quota exceeded.".to_owned())
        }
        P::PoolAffinity(_) => bad(
            "NetworkSubnetPoolAffinityError",
            "Subnets hosted on the same network must be allocated from the same subnet pool.".to_owned(),
        ),
        P::ScopeAffinity(_) => bad(
            "NetworkAddressScopeAffinityError",
            "Subnets of the same address family hosted on the same network must all be in the same address scope."
                .to_owned(),
        ),
    }
}

/// What sharing refuses.
fn of_rbac(rejected: RbacRejected) -> Failure {
    match rejected {
        RbacRejected::NotFound(id) => Failure::not_found("RBAC policy", &id.to_string()),
        RbacRejected::Exists(_) => {
            conflict("DuplicateRbacPolicy", "An RBAC policy already exists with those values.".to_owned())
        }
        RbacRejected::InUse { object, user } => conflict(
            "RbacPolicyInUse",
            format!(
                "RBAC policy on object {} cannot be removed because other objects depend on it. Details: {user} of \
                 another tenant.",
                object.id
            ),
        ),
        RbacRejected::NetworkStaysShared(id) => conflict(
            "InvalidSharedSetting",
            format!(
                "Unable to reconfigure sharing settings for network {id}. Multiple tenants are using it."
            ),
        ),
    }
}

/// What ranges of VNIs refuse.
fn of_range(rejected: RangeRejected) -> Failure {
    match rejected {
        RangeRejected::NotFound(id) => Failure::not_found("Network segment range", &id.to_string()),
        RangeRejected::Overlaps(id) => conflict(
            "NetworkSegmentRangeOverlaps",
            format!("The requested network segment range overlaps with network segment range {id}."),
        ),
        RangeRejected::InUse(id) => conflict(
            "NetworkSegmentRangeReferencedByProject",
            format!("Network segment range {id} is in use: networks have VNIs of it."),
        ),
    }
}

fn number_of(family: Family) -> u8 {
    if family == Family::V4 { 4 } else { 6 }
}

fn bad(kind: &'static str, message: String) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, kind, message)
}

fn conflict(kind: &'static str, message: String) -> Failure {
    Failure::new(StatusCode::CONFLICT, kind, message)
}
