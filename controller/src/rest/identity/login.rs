//! `POST /v3/auth/tokens`: logging in.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use uuid::Uuid;
use weft_api::identity::{IdentityError, Login};
use weft_model::intent::{Actor, Intent, NewToken};
use weft_model::{Session, Snapshot, Tenant, TenantId, Timestamp, TokenId};

use super::super::call::{Api, Body, Reply};
use super::super::caller::Caller;
use super::super::failure::Failure;
use super::super::frame::{Origin, origin};
use super::super::kind::sees;
use super::super::tenants::Tenants;
use super::DOMAIN;
use super::proof::{Peer, Proven, ProvenUser, Shown};
use super::sessions::{Shape, described};
use crate::clock;
use crate::config::Authentication;
use crate::desk::WriteError;
use crate::first_token;

/// How long a login lasts, in seconds. Clients log in again by themselves.
const LASTS: u64 = 12 * 60 * 60;

/// Logs in: with a password, a token or an application credential, for a project or for none. The token is in the header
/// `X-Subject-Token`. A token that an administrator made for a tenant is given back as it is.
#[utoipa::path(post, path = "/v3/auth/tokens", tag = "identity", operation_id = "login", security(()),
    request_body = Object,
    responses((status = 201, body = Login), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn login(
    State(api): State<Api>,
    headers: HeaderMap,
    Extension(request): Extension<Origin>,
    peer: Peer,
    Body(body): Body,
) -> Result<Response, Failure> {
    let auth = body.get("auth").ok_or_else(|| Failure::malformed("Unable to find 'auth' in request body"))?;
    let shown = Shown::read(&auth["identity"])?;
    let snapshot = api.desk.snapshot();
    let proven = match api.config.authentication {
        Authentication::Off => Proven::Weft(Caller::anyone()),
        Authentication::Required => api.identity.prove(&shown, &snapshot, peer).await?,
    };
    let scope = Scope::read(&auth["scope"]);
    let (caller, secret, snapshot) = match proven {
        Proven::Weft(caller) => {
            check_scope(&scope, &caller, &snapshot)?;
            (caller, shown.secret().to_owned(), snapshot)
        }
        Proven::User(proven) => begin(&api, (&snapshot, &request), (proven, &shown, &scope)).await?,
    };
    let now = clock::now();
    let token = caller.token.and_then(|id| snapshot.token(&id));
    let until = token.and_then(|token| token.expires).unwrap_or(Timestamp(u64::MAX));
    let shape = Shape {
        methods: vec![shown.method().to_owned()],
        issued: now,
        until: until.min(Timestamp(now.0 + LASTS)),
        origin: origin(&headers),
    };
    let subject = HeaderValue::from_str(&secret).map_err(|_| Caller::refused())?;
    let answer = Reply::created(snapshot.revision(), Login { token: described(&caller, shape, &snapshot) });
    let mut response = answer.into_response();
    response.headers_mut().insert(SUBJECT, subject);
    Ok(response)
}

/// The header in which tokens travel that requests are about.
pub(super) const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");

/// Makes a token for a user who proved to be one.
async fn begin(
    api: &Api,
    (snapshot, request): (&Snapshot, &Origin),
    (proven, shown, scope): (ProvenUser, &Shown<'_>, &Scope<'_>),
) -> Result<(Caller, String, Snapshot), Failure> {
    let now = clock::now();
    let project = project(&proven, snapshot, (shown, scope))?;
    let credential = proven.credential.map(|(id, _)| id);
    let session = Session { user: proven.user.id.clone(), project, credential };
    let caller = Caller::of_session(&session, snapshot, now).ok_or_else(Caller::refused)?;
    let secret = first_token::draw_secret().map_err(|_| Failure::no_entropy())?;
    let until = Timestamp(now.0 + LASTS).min(proven.until.unwrap_or(Timestamp(u64::MAX)));
    let id = TokenId(Uuid::new_v4());
    let token = NewToken {
        id,
        role: caller.role.clone(),
        digest: first_token::digest(&secret),
        description: format!("by {}", shown.method()),
        expires: Some(until),
        session: Some(session),
    };
    let caller = Caller { token: Some(id), ..caller };
    let author = caller.author(request);
    match api.desk.write_for(author, Actor::Admin, vec![Intent::CreateToken(token)]).await {
        Ok(committed) => Ok((caller, secret, committed.snapshot)),
        // The user, the role or the credential has gone in the meantime.
        Err(WriteError::Rejected(_)) => Err(Caller::refused()),
        Err(other) => Err(other.into()),
    }
}

/// For what somebody wants to log in.
#[derive(Debug)]
enum Scope<'a> {
    /// It does not say.
    Unsaid,
    /// For nothing.
    Unscoped,
    /// For a project, by id or name.
    Project { id: Option<&'a str>, name: Option<&'a str> },
    /// For something that there is not.
    Elsewhere,
}

impl<'a> Scope<'a> {
    fn read(scope: &'a Value) -> Scope<'a> {
        let project = &scope["project"];
        let (id, name, domain) = (project["id"].as_str(), project["name"].as_str(), &project["domain"]);
        let is_here = domain["id"].as_str().is_none_or(|id| id == DOMAIN)
            && domain["name"].as_str().is_none_or(|name| name == "Default");
        match scope {
            Value::Null => Scope::Unsaid,
            Value::String(word) if word == "unscoped" => Scope::Unscoped,
            _ if scope.get("unscoped").is_some() => Scope::Unscoped,
            _ if (id.is_some() || name.is_some()) && is_here => Scope::Project { id, name },
            Value::Object(members) if members.is_empty() => Scope::Unsaid,
            _ => Scope::Elsewhere,
        }
    }

    fn means(&self, tenant: &Tenant) -> bool {
        match self {
            Scope::Project { id, name } => {
                id.is_none_or(|id| tenant.id.as_str() == id)
                    && name.is_none_or(|name| tenant.stamp.name == name)
            }
            _ => false,
        }
    }
}

/// The tenant that a user's session is for.
fn project(
    proven: &ProvenUser,
    snapshot: &Snapshot,
    (shown, scope): (&Shown<'_>, &Scope<'_>),
) -> Result<Option<TenantId>, Failure> {
    let user = &proven.user;
    let bound = proven.credential.as_ref().map(|(_, tenant)| tenant);
    match scope {
        Scope::Elsewhere => Err(Caller::refused()),
        Scope::Unsaid | Scope::Unscoped if bound.is_some() => Ok(bound.cloned()),
        Scope::Unscoped => Ok(None),
        Scope::Unsaid => {
            let preferred = user.default_tenant.as_ref().filter(|_| !matches!(shown, Shown::Token(_)));
            Ok(preferred.filter(|tenant| snapshot.role_of(&user.id, tenant).is_some()).cloned())
        }
        Scope::Project { .. } => {
            // Several tenants may have the name: what counts are those that the user acts for.
            let own = snapshot.assignments_of(&user.id).map(|assignment| &assignment.tenant);
            let mut usable = own.filter(|tenant| bound.is_none_or(|bound| bound == *tenant));
            let found = usable.find(|id| {
                let is_meant = snapshot.tenant(id).is_some_and(|tenant| scope.means(tenant));
                is_meant && snapshot.role_of(&user.id, id).is_some()
            });
            found.cloned().map(Some).ok_or_else(Caller::refused)
        }
    }
}

/// Whoever asks for a tenant must be allowed to act for it; without that, a client would work on another one than it
/// was told to.
fn check_scope(scope: &Scope<'_>, caller: &Caller, snapshot: &Snapshot) -> Result<(), Failure> {
    match scope {
        Scope::Unsaid | Scope::Unscoped => Ok(()),
        Scope::Elsewhere => Err(Caller::refused()),
        Scope::Project { .. } => {
            let mut seen = snapshot.tenants().filter(|tenant| sees::<Tenants>(caller, tenant));
            if seen.any(|tenant| scope.means(tenant)) { Ok(()) } else { Err(Caller::refused()) }
        }
    }
}
