//! Tenants and the tokens that speak for them.

use crate::ids::{TenantId, TokenId};
use crate::stamp::{Stamp, Timestamp};

/// The owner of networks and ports; "project" to OpenStack clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id; 32 hex digits when Weft made it.
    pub id: TenantId,
    /// Name, description, times.
    pub stamp: Stamp,
    /// A disabled tenant's tokens are refused; its networks keep forwarding.
    pub enabled: bool,
}

/// What a token may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenRole {
    /// Everything, for every tenant.
    Admin,
    /// Read and write what belongs to this tenant.
    Member(TenantId),
    /// Read what belongs to this tenant.
    Reader(TenantId),
}

/// An API token. Only the SHA-256 of the secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The handle by which it is listed and revoked.
    pub id: TokenId,
    /// What it may do.
    pub role: TokenRole,
    /// SHA-256 of the secret text.
    pub digest: [u8; 32],
    /// What it is for, in its maker's words.
    pub description: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops being accepted, if ever.
    pub expires: Option<Timestamp>,
}
