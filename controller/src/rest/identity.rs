//! `/v3`: just enough of the OpenStack Identity API for its clients to log in without a Keystone.
//!
//! A Weft token is shown as the password of any user, as the secret of an application credential, or as a token. What
//! comes back is the same token, with a catalog that names this controller.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use weft_api::discovery::Link;
use weft_api::identity::{
    Domain, Endpoint, IdentityError, IdentityVersion, IdentityVersionDetail, Login, LoginProject, LoginRole,
    LoginToken, LoginUser, Project, ProjectEnvelope, ProjectList, Service,
};
use weft_model::{Snapshot, Tenant, Timestamp};

use super::call::{Api, Body, Call, Reply};
use super::caller::Caller;
use super::failure::Failure;
use super::frame::origin;
use super::kind::{Kind, sees, visible};
use super::query::ListQuery;
use super::tenants::Tenants;
use crate::clock;
use crate::config::Authentication;

/// For how long clients are told that a login lasts; they log in again by themselves. The token itself may last longer.
const LASTS: u64 = 24 * 60 * 60;

/// Shows that the Identity API begins here. No token needed.
#[utoipa::path(get, path = "/v3", tag = "identity", operation_id = "identity_version", security(()),
    responses((status = 200, body = IdentityVersion)))]
pub(super) async fn version(headers: HeaderMap) -> impl IntoResponse {
    let links = vec![Link { rel: "self".into(), href: format!("{}/v3/", origin(&headers)) }];
    let (id, status, updated) = ("v3.14".into(), "stable".into(), "2020-04-07T00:00:00Z".into());
    axum::Json(IdentityVersion { version: IdentityVersionDetail { id, status, updated, links } })
}

/// Logs in: gives the token back, with what it stands for and where the APIs are.
#[utoipa::path(post, path = "/v3/auth/tokens", tag = "identity", operation_id = "login", security(()),
    request_body = Object,
    responses((status = 201, body = Login), (status = "default", body = IdentityError)))]
pub(super) async fn login(
    State(api): State<Api>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Failure> {
    let auth = body.get("auth").ok_or_else(|| Failure::malformed("Unable to find 'auth' in request body"))?;
    let (method, secret) = shown_secret(&auth["identity"])?;
    let snapshot = api.desk.snapshot();
    let caller = match api.config.authentication {
        Authentication::Off => Caller::anyone(),
        Authentication::Required => Caller::of_secret(secret, &snapshot, clock::now())?,
    };
    check_scope(&auth["scope"], &caller, &snapshot)?;
    let subject = HeaderValue::from_str(secret).map_err(|_| Caller::refused())?;
    let answer = Reply::created(snapshot.revision(), described(&caller, method, (&snapshot, &headers)));
    let mut response = answer.into_response();
    response.headers_mut().insert("x-subject-token", subject);
    Ok(response)
}

/// The secret in a login, and by which method it is shown.
fn shown_secret(identity: &Value) -> Result<(&'static str, &str), Failure> {
    let methods: Vec<&str> =
        identity["methods"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let secret = |method: &&'static str| match *method {
        "password" => identity["password"]["user"]["password"].as_str(),
        "token" => identity["token"]["id"].as_str(),
        _ => identity["application_credential"]["secret"].as_str(),
    };
    let known = ["password", "token", "application_credential"];
    let found = known.into_iter().filter(|known| methods.contains(known));
    let found = found.filter_map(|method| secret(&method).map(|secret| (method, secret))).next();
    found.ok_or_else(|| {
        let message = "Log in with a Weft token as password, as application credential secret, or as token.";
        Failure::malformed(message)
    })
}

/// Whoever asks for a tenant must be allowed to act for it; without that, a client would work on another one than it
/// was told to.
fn check_scope(scope: &Value, caller: &Caller, snapshot: &Snapshot) -> Result<(), Failure> {
    let project = &scope["project"];
    let by_id = project["id"].as_str();
    let by_name = project["name"].as_str();
    if by_id.is_none() && by_name.is_none() {
        return Ok(());
    }
    let is_meant = |tenant: &Tenant| {
        by_id.is_none_or(|id| tenant.id.as_str() == id)
            && by_name.is_none_or(|name| tenant.stamp.name == name)
    };
    let mut seen = snapshot.tenants().filter(|tenant| sees::<Tenants>(caller, tenant));
    if seen.any(|tenant| is_meant(tenant)) { Ok(()) } else { Err(Caller::refused()) }
}

fn described(caller: &Caller, method: &str, (snapshot, headers): (&Snapshot, &HeaderMap)) -> Login {
    let now = clock::now();
    let expires = caller.token.and_then(|token| snapshot.token(&token)).and_then(|token| token.expires);
    let until = Timestamp(now.0 + LASTS).min(expires.unwrap_or(Timestamp(u64::MAX)));
    let user = caller.token.map(|token| token.to_string()).unwrap_or_default();
    let tenant = caller.tenant().and_then(|id| snapshot.tenant(id));
    let role = caller.role_name().to_owned();
    let origin = origin(headers);
    let token = LoginToken {
        methods: vec![method.to_owned()],
        issued_at: clock::text(now),
        expires_at: clock::text(until),
        user: LoginUser { id: user.clone(), name: user, domain: Domain::default() },
        project: tenant.map(|tenant| LoginProject {
            id: tenant.id.to_string(),
            name: tenant.stamp.name.clone(),
            domain: Domain::default(),
        }),
        roles: vec![LoginRole { id: role.clone(), name: role }],
        catalog: vec![service("network", &origin), service("identity", &format!("{origin}/v3"))],
    };
    Login { token }
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

/// Lists tenants in the words of the Identity API; `name` filters.
#[utoipa::path(get, path = "/v3/projects", tag = "identity", operation_id = "list_projects",
    params(("name" = Option<String>, Query, description = "Only tenants of that name")),
    responses((status = 200, body = ProjectList), (status = "default", body = IdentityError)))]
pub(super) async fn projects(call: Call) -> Result<Reply, Failure> {
    let everything = ListQuery::read(&[], &serde_json::Map::new())?;
    let name = call.parameter("name");
    let seen =
        Tenants::candidates(&call.view, &everything).filter(|tenant| sees::<Tenants>(call.caller(), tenant));
    let named = seen.filter(|tenant| name.is_none_or(|name| tenant.stamp.name == name));
    let projects = named.map(|tenant| shown(tenant)).collect();
    Ok(Reply::ok(call.view.snapshot.revision(), ProjectList { projects }))
}

/// Shows a tenant in the words of the Identity API.
#[utoipa::path(get, path = "/v3/projects/{id}", tag = "identity", operation_id = "show_project",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = ProjectEnvelope), (status = "default", body = IdentityError)))]
pub(super) async fn project(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let tenant = visible::<Tenants>(&call.view, &id).ok_or_else(|| Failure::not_found("Tenant", &id))?;
    Ok(Reply::ok(call.view.snapshot.revision(), ProjectEnvelope { project: shown(tenant) }))
}

fn shown(tenant: &Tenant) -> Project {
    Project {
        id: tenant.id.to_string(),
        name: tenant.stamp.name.clone(),
        description: tenant.stamp.description.clone(),
        enabled: tenant.enabled,
        domain_id: "default".into(),
        is_domain: false,
        parent_id: "default".into(),
        tags: tenant.stamp.tags.iter().cloned().collect(),
    }
}
