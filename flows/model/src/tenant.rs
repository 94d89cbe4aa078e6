//! Tenants and the tokens that speak for them.

use crate::ids::{AppCredentialId, TenantId, TokenId, UserId};
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
    /// Nothing of any tenant: see oneself, and log in for a tenant.
    Unscoped,
}

impl TokenRole {
    /// The tenant, for everyone who acts for just one.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            TokenRole::Member(tenant) | TokenRole::Reader(tenant) => Some(tenant),
            TokenRole::Admin | TokenRole::Unscoped => None,
        }
    }
}

/// Who logged in to get a token. What the token may do is asked of the state each time, so it ends with the user, the
/// role or the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user: UserId,
    /// For which tenant, if for one.
    pub project: Option<TenantId>,
    /// By which application credential, if by one.
    pub credential: Option<AppCredentialId>,
}

/// An API token. Only the SHA-256 of the secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The handle by which it is listed and revoked.
    pub id: TokenId,
    /// What it may do; for a session, what it could do when it began.
    pub role: TokenRole,
    /// SHA-256 of the secret text.
    pub digest: [u8; 32],
    /// What it is for, in its maker's words.
    pub description: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops being accepted, if ever.
    pub expires: Option<Timestamp>,
    /// Who logged in to get it; none for tokens that an administrator made for a tenant.
    pub session: Option<Session>,
}
