//! Who is asking: the token of a request and what it stands for.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use weft_model::intent::Actor;
use weft_model::{Snapshot, TenantId, Timestamp, TokenId, TokenRole};

use super::failure::Failure;
use crate::audit::Author;
use crate::first_token;

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) role: TokenRole,
    /// The handle of the token; none when the API asks for no tokens.
    pub(super) token: Option<TokenId>,
}

impl Caller {
    /// Everyone, where the API asks for no tokens.
    pub(super) fn anyone() -> Caller {
        Caller { role: TokenRole::Admin, token: None }
    }

    /// The caller that a request's token stands for.
    pub(super) fn of(headers: &HeaderMap, snapshot: &Snapshot, now: Timestamp) -> Result<Caller, Failure> {
        Caller::of_secret(secret(headers).ok_or_else(Caller::refused)?, snapshot, now)
    }

    /// The caller that a secret stands for.
    pub(super) fn of_secret(secret: &str, snapshot: &Snapshot, now: Timestamp) -> Result<Caller, Failure> {
        // The secret is looked up by its digest, so the time that takes tells nothing about other secrets.
        let token = snapshot.token_by_digest(&first_token::digest(secret)).ok_or_else(Caller::refused)?;
        if token.expires.is_some_and(|expires| expires <= now) {
            return Err(Caller::refused());
        }
        if let TokenRole::Member(tenant) | TokenRole::Reader(tenant) = &token.role {
            snapshot.tenant(tenant).filter(|tenant| tenant.enabled).ok_or_else(Caller::refused)?;
        }
        Ok(Caller { role: token.role.clone(), token: Some(token.id) })
    }

    /// All refusals are the same, so that nobody learns which tokens exist.
    pub(super) fn refused() -> Failure {
        let message = "The request needs a valid token in X-Auth-Token or Authorization: Bearer.";
        Failure::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    /// Who the audit log says it was.
    pub(super) fn author(&self) -> Author {
        Author {
            role: self.role_name().to_owned(),
            token: self.token.map(|token| token.to_string()),
            project: self.tenant().cloned(),
            ..Author::default()
        }
    }

    /// In whose name writes are planned.
    pub(super) fn actor(&self) -> Actor {
        match &self.role {
            TokenRole::Admin => Actor::Admin,
            TokenRole::Member(tenant) => Actor::Tenant(tenant.clone()),
            TokenRole::Reader(tenant) => Actor::ReadOnly(tenant.clone()),
        }
    }

    /// The tenant, for everyone but administrators.
    pub(super) fn tenant(&self) -> Option<&TenantId> {
        match &self.role {
            TokenRole::Admin => None,
            TokenRole::Member(tenant) | TokenRole::Reader(tenant) => Some(tenant),
        }
    }

    /// The role's name in the API.
    pub(super) fn role_name(&self) -> &'static str {
        role_name(&self.role)
    }

    pub(super) fn is_admin(&self) -> bool {
        self.role == TokenRole::Admin
    }

    /// True if the caller may see what belongs to `owner`.
    pub(super) fn sees(&self, owner: &TenantId) -> bool {
        self.tenant().is_none_or(|own| own == owner)
    }

    /// Refuses readers, under the name that the operation has in OpenStack's policies (`create_network`).
    pub(super) fn may_write(&self, rule: &str) -> Result<(), Failure> {
        match self.role {
            TokenRole::Reader(_) => Err(Failure::forbidden(rule)),
            TokenRole::Admin | TokenRole::Member(_) => Ok(()),
        }
    }

    /// Refuses everyone but administrators.
    pub(super) fn must_be_admin(&self, rule: &str) -> Result<(), Failure> {
        if self.is_admin() { Ok(()) } else { Err(Failure::forbidden(rule)) }
    }
}

/// A role's name in the API.
pub(super) fn role_name(role: &TokenRole) -> &'static str {
    match role {
        TokenRole::Admin => "admin",
        TokenRole::Member(_) => "member",
        TokenRole::Reader(_) => "reader",
    }
}

fn secret(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get("x-auth-token") {
        return value.to_str().ok();
    }
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}
