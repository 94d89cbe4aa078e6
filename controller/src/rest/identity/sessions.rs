//! `/v3/auth`: what a token stands for, taking one back, and what its holder could log in for.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use weft_api::identity::{
    Catalog, Domain, Endpoint, IdentityError, ListLinks, Login, LoginProject, LoginRole, LoginToken,
    LoginUser, ProjectList, Service,
};
use weft_model::intent::Intent;
use weft_model::{Role, Snapshot, Tenant, Timestamp, Token, TokenRole};

use super::super::call::{Call, Reply};
use super::super::caller::Caller;
use super::super::failure::Failure;
use super::super::kind::sees;
use super::super::tenants::Tenants;
use super::login::SUBJECT;
use super::{before_v3, paged, projects};
use crate::clock;
use crate::first_token;

/// What is told of a token besides who holds it.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) methods: Vec<String>,
    pub(super) issued: Timestamp,
    pub(super) until: Timestamp,
    /// Where the caller reached us.
    pub(super) origin: String,
}

/// What a token stands for, in the words of the Identity API.
pub(super) fn described(caller: &Caller, shape: Shape, snapshot: &Snapshot) -> LoginToken {
    let handle = caller.token.map(|token| token.to_string()).unwrap_or_default();
    let (id, name) = match caller.user.as_ref().and_then(|id| snapshot.user(id)) {
        Some(user) => (user.id.to_string(), user.stamp.name.clone()),
        None => (handle.clone(), handle.clone()),
    };
    let tenant = caller.project.as_ref().and_then(|id| snapshot.tenant(id));
    let project = tenant.map(|tenant| LoginProject {
        id: tenant.id.to_string(),
        name: tenant.stamp.name.clone(),
        domain: Domain::default(),
    });
    let role = |role: Role| LoginRole { id: role.name().to_owned(), name: role.name().to_owned() };
    let roles: Vec<LoginRole> =
        caller.plain_role().into_iter().flat_map(Role::with_included).map(role).collect();
    LoginToken {
        methods: shape.methods,
        issued_at: clock::text(shape.issued),
        expires_at: clock::text(shape.until),
        audit_ids: vec![handle],
        user: LoginUser { id, name, domain: Domain::default(), password_expires_at: None },
        is_domain: project.as_ref().map(|_| false),
        project,
        catalog: if roles.is_empty() { Vec::new() } else { services(&shape.origin) },
        roles,
    }
}

fn services(origin: &str) -> Vec<Service> {
    vec![service("network", origin), service("identity", &format!("{origin}/v3"))]
}

fn service(kind: &str, url: &str) -> Service {
    let endpoint = |interface: &str| Endpoint {
        id: format!("{kind}-{interface}"),
        interface: interface.to_owned(),
        region: "RegionOne".into(),
        region_id: "RegionOne".into(),
        url: url.to_owned(),
    };
    let endpoints = ["public", "internal", "admin"].map(endpoint).to_vec();
    Service { id: kind.to_owned(), kind: kind.to_owned(), name: "weft".into(), endpoints }
}

/// Shows what the token in `X-Subject-Token` stands for: one's own, any for administrators. `HEAD` only says whether it is
/// accepted.
#[utoipa::path(get, path = "/v3/auth/tokens", tag = "identity", operation_id = "show_token",
    params(("X-Subject-Token" = String, Header, description = "The token that is asked about"),
        ("nocatalog" = Option<String>, Query, description = "Leave the catalog out")),
    responses((status = 200, body = Login), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn show(call: Call, headers: HeaderMap) -> Result<Response, Failure> {
    let (secret, token) = subject(&call, &headers, "validate_token")?;
    let snapshot = &call.view.snapshot;
    let now = clock::now();
    let caller = Caller::of_token(&token, snapshot, now).ok_or_else(unknown_token)?;
    let method = match &token.session {
        Some(session) if session.credential.is_some() => "application_credential",
        _ => "password",
    };
    let shape = Shape {
        methods: vec![method.to_owned()],
        issued: token.created,
        until: token.expires.unwrap_or(Timestamp(now.0 + 24 * 60 * 60)),
        origin: before_v3(&call).to_owned(),
    };
    let mut token = described(&caller, shape, snapshot);
    if call.parameter("nocatalog").is_some() {
        token.catalog.clear();
    }
    let mut response = Reply::ok(snapshot.revision(), Login { token }).into_response();
    if let Ok(value) = secret.parse() {
        response.headers_mut().insert(SUBJECT, value);
    }
    Ok(response)
}

/// Takes back the token in `X-Subject-Token`: one's own, any for administrators.
#[utoipa::path(delete, path = "/v3/auth/tokens", tag = "identity", operation_id = "revoke_token",
    params(("X-Subject-Token" = String, Header, description = "The token to take back")),
    responses((status = 204), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn revoke(call: Call, headers: HeaderMap) -> Result<Reply, Failure> {
    let (_, token) = subject(&call, &headers, "revoke_token")?;
    if token.session.is_none() {
        // Others rely on it: tokens that administrators made are deleted where they were made.
        call.caller().must_be_admin("identity:revoke_token")?;
    }
    let intents = vec![Intent::DeleteToken(token.id)];
    let written =
        if call.caller().is_admin() { call.write(intents).await } else { call.write_own(intents).await };
    Ok(Reply::nothing(written?.0.revision))
}

/// The token that a request is about, if the caller may know of it.
fn subject(call: &Call, headers: &HeaderMap, rule: &str) -> Result<(String, Token), Failure> {
    let secret = headers.get(SUBJECT).and_then(|value| value.to_str().ok());
    let secret = secret.ok_or_else(|| Failure::malformed("X-Subject-Token must name a token."))?;
    let caller = call.caller();
    let token = call.view.snapshot.token_by_digest(&first_token::digest(secret));
    let is_own = |token: &Token| {
        let user = token.session.as_ref().map(|session| &session.user);
        caller.token == Some(token.id) || user.is_some() && user == caller.user.as_ref()
    };
    match token {
        Some(token) if caller.is_admin() || is_own(token) => Ok((secret.to_owned(), Token::clone(token))),
        None if caller.is_admin() => Err(unknown_token()),
        // Whoever may not ask does not learn whether there is such a token.
        _ => Err(Failure::forbidden(&format!("identity:{rule}"))),
    }
}

fn unknown_token() -> Failure {
    Failure::not_found("Token", "in X-Subject-Token")
}

/// Lists where the APIs are.
#[utoipa::path(get, path = "/v3/auth/catalog", tag = "identity", operation_id = "show_catalog",
    responses((status = 200, body = Catalog), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn catalog(call: Call) -> Result<Reply, Failure> {
    call.caller().must_have_scope()?;
    let links = ListLinks { this: call.address.clone(), ..ListLinks::default() };
    let catalog = services(before_v3(&call));
    Ok(Reply::ok(call.view.snapshot.revision(), Catalog { catalog, links }))
}

/// Lists the projects for which the caller could log in.
#[utoipa::path(get, path = "/v3/auth/projects", tag = "identity", operation_id = "list_own_projects",
    responses((status = 200, body = ProjectList), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn own_projects(call: Call) -> Result<Reply, Failure> {
    let (caller, snapshot) = (call.caller(), &call.view.snapshot);
    let is_own = |tenant: &Tenant| match &caller.user {
        Some(user) => snapshot.role_of(user, &tenant.id).is_some(),
        None => tenant.enabled && (caller.role == TokenRole::Admin || sees::<Tenants>(caller, tenant)),
    };
    let own = snapshot.tenants().filter(|tenant| is_own(tenant));
    let (projects, links) = paged(&call, own.map(|tenant| projects::entry(&call, tenant)))?;
    Ok(Reply::ok(snapshot.revision(), ProjectList { projects, links }))
}
