//! Who is asking: the token of a request and what it stands for.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use weft_model::intent::Actor;
use weft_model::{
    AppCredentialId, CredentialReach, Role, Session, Snapshot, TenantId, Timestamp, Token, TokenId,
    TokenRole, UserId,
};

use super::failure::Failure;
use super::frame::Origin;
use crate::audit::Author;
use crate::first_token;

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) role: TokenRole,
    /// The tenant that the token speaks for. An administrator may have one, too: it owns what is created without an owner.
    pub(super) project: Option<TenantId>,
    /// Who logged in, if somebody did.
    pub(super) user: Option<UserId>,
    /// The handle of the token; none when the API asks for no tokens, or when another issuer made it.
    pub(super) token: Option<TokenId>,
    /// By which application credential, if by one.
    pub(super) credential: Option<AppCredentialId>,
}

impl Caller {
    /// Everyone, where the API asks for no tokens.
    pub(super) fn anyone() -> Caller {
        Caller::with_role(TokenRole::Admin)
    }

    fn with_role(role: TokenRole) -> Caller {
        let project = role.tenant().cloned();
        Caller { role, project, user: None, token: None, credential: None }
    }

    /// True if the request that this caller made would still be this caller's. Of another issuer's token no more is known
    /// here than that its tenant is still welcome.
    pub(super) fn still_holds(&self, headers: &HeaderMap, snapshot: &Snapshot, now: Timestamp) -> bool {
        if self.token.is_none() {
            let tenant = self.project.as_ref().and_then(|tenant| snapshot.tenant(tenant));
            return tenant.is_some_and(|tenant| tenant.enabled);
        }
        let now_is = secret(headers).and_then(|secret| Caller::of_secret(secret, snapshot, now).ok());
        now_is.as_ref() == Some(self)
    }

    /// The caller that a secret stands for.
    pub(super) fn of_secret(secret: &str, snapshot: &Snapshot, now: Timestamp) -> Result<Caller, Failure> {
        // The secret is looked up by its digest, so the time that takes tells nothing about other secrets.
        let token = snapshot.token_by_digest(&first_token::digest(secret)).ok_or_else(Caller::refused)?;
        Caller::of_token(token, snapshot, now).ok_or_else(Caller::refused)
    }

    /// The caller that a token stands for now, if it is still accepted.
    pub(super) fn of_token(token: &Token, snapshot: &Snapshot, now: Timestamp) -> Option<Caller> {
        if token.expires.is_some_and(|expires| expires <= now) {
            return None;
        }
        if let Some(session) = &token.session {
            let caller = Caller::of_session(session, snapshot, now)?;
            return Some(Caller { token: Some(token.id), ..caller });
        }
        if let Some(tenant) = token.role.tenant() {
            snapshot.tenant(tenant).filter(|tenant| tenant.enabled)?;
        }
        Some(Caller { token: Some(token.id), ..Caller::with_role(token.role.clone()) })
    }

    /// What somebody who logged in may do now: the user, the role and the credential are looked at each time.
    pub(super) fn of_session(session: &Session, snapshot: &Snapshot, now: Timestamp) -> Option<Caller> {
        let user = snapshot.user(&session.user).filter(|user| user.enabled)?;
        let (user, credential) = (Some(user.id.clone()), session.credential);
        let Some(project) = &session.project else {
            return Some(Caller { user, credential, ..Caller::with_role(TokenRole::Unscoped) });
        };
        let most = snapshot.role_of(&session.user, project)?;
        let role = match credential {
            None => most,
            Some(id) => {
                let credential = snapshot.app_credential(&id)?;
                let is_over = credential.expires.is_some_and(|expires| expires <= now);
                // With a lesser role than the credential was given, the user has lost what the credential is for.
                (!is_over && credential.role <= most).then_some(credential.role)?
            }
        };
        Some(Caller { user, credential, ..Caller::in_project(role, project.clone()) })
    }

    /// Somebody with a role for a tenant.
    pub(super) fn in_project(role: Role, project: TenantId) -> Caller {
        let role = match role {
            Role::Admin => TokenRole::Admin,
            Role::Member => TokenRole::Member(project.clone()),
            Role::Reader => TokenRole::Reader(project.clone()),
        };
        Caller { project: Some(project), ..Caller::with_role(role) }
    }

    /// All refusals are the same, so that nobody learns which tokens exist.
    pub(super) fn refused() -> Failure {
        let message = "The request needs a valid token in X-Auth-Token or Authorization: Bearer.";
        Failure::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    /// Who the audit log says it was.
    pub(super) fn author(&self, origin: &Origin) -> Author {
        Author {
            request: origin.request.clone(),
            address: origin.address,
            role: self.role_name().to_owned(),
            token: self.token.map(|token| token.to_string()),
            user: self.user.as_ref().map(ToString::to_string),
            project: self.project.clone(),
        }
    }

    /// In whose name writes are planned.
    pub(super) fn actor(&self) -> Actor {
        match &self.role {
            TokenRole::Admin => Actor::Admin,
            TokenRole::Member(tenant) => Actor::Tenant(tenant.clone()),
            TokenRole::Reader(tenant) => Actor::ReadOnly(tenant.clone()),
            TokenRole::Unscoped => self.own_actor(),
        }
    }

    /// In whose name writes about the caller itself are planned: its password, its credentials, its tokens.
    pub(super) fn own_actor(&self) -> Actor {
        match (&self.user, &self.role) {
            (Some(user), _) => Actor::User(user.clone()),
            (None, TokenRole::Admin) => Actor::Admin,
            (None, TokenRole::Member(tenant) | TokenRole::Reader(tenant)) => Actor::ReadOnly(tenant.clone()),
            (None, TokenRole::Unscoped) => unreachable!("only who logs in can be without a tenant"),
        }
    }

    /// The tenant, for everyone but administrators and those who speak for none.
    pub(super) fn tenant(&self) -> Option<&TenantId> {
        self.role.tenant()
    }

    /// The role's name in the API.
    pub(super) fn role_name(&self) -> &'static str {
        role_name(&self.role)
    }

    /// The role, where there is one.
    pub(super) fn plain_role(&self) -> Option<Role> {
        Role::from_name(self.role_name())
    }

    pub(super) fn is_admin(&self) -> bool {
        self.role == TokenRole::Admin
    }

    /// True if the caller may see what belongs to `owner`.
    pub(super) fn sees(&self, owner: &TenantId) -> bool {
        self.is_admin() || self.tenant() == Some(owner)
    }

    /// True if the caller is that user, or may do everything.
    pub(super) fn is_or_rules(&self, user: &UserId) -> bool {
        self.is_admin() || self.user.as_ref() == Some(user)
    }

    /// Refuses those who logged in without a tenant: outside of `/v3` there is nothing for them, and what is shown there is
    /// narrowed down by the tenant.
    pub(super) fn must_have_scope(&self) -> Result<(), Failure> {
        match self.role {
            TokenRole::Unscoped => {
                let message = "The token speaks for no project. Log in for one.";
                Err(Failure::new(StatusCode::FORBIDDEN, "PolicyNotAuthorized", message))
            }
            TokenRole::Admin | TokenRole::Member(_) | TokenRole::Reader(_) => Ok(()),
        }
    }

    /// Refuses tokens of application credentials that may not make others.
    pub(super) fn must_reach_credentials(&self, snapshot: &Snapshot, rule: &str) -> Result<(), Failure> {
        let credential = self.credential.and_then(|id| snapshot.app_credential(&id).cloned());
        match credential {
            Some(credential) if credential.reach == CredentialReach::Restricted => {
                Err(Failure::forbidden(rule))
            }
            _ => Ok(()),
        }
    }

    /// Refuses readers, under the name that the operation has in OpenStack's policies (`create_network`).
    pub(super) fn may_write(&self, rule: &str) -> Result<(), Failure> {
        match self.role {
            TokenRole::Reader(_) | TokenRole::Unscoped => Err(Failure::forbidden(rule)),
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
        TokenRole::Unscoped => "none",
    }
}

/// The secret that a request shows.
pub(super) fn secret(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get("x-auth-token") {
        return value.to_str().ok();
    }
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}
