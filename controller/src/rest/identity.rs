//! `/v3`: the OpenStack Identity API, as far as clients of the Networking API need it. There is one domain, a project is a
//! tenant, and there are three roles. Old Weft tokens are let in as well: as the password of any user, as the secret of any
//! application credential, or as a token.

mod attempts;
mod credentials;
mod login;
mod projects;
mod proof;
mod roles;
mod sessions;
mod users;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use weft_api::discovery::Link;
use weft_api::identity::{
    DomainEnvelope, DomainList, DomainShown, IdentityError, IdentityVersion, IdentityVersionDetail,
    ListLinks, SelfLink,
};
use weft_model::intent::Fault;

use super::call::{Api, Call, Reply};
use super::failure::Failure;
use super::fields::Fields;
use super::frame::origin;
use super::page;
use super::query::PAGE;
use crate::passwords::{LONGEST, NotHashed, Passwords};
use attempts::Attempts;

/// The one domain.
const DOMAIN: &str = "default";

/// What logging in needs besides the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    passwords: Passwords,
    attempts: Attempts,
}

/// The routes under `/v3`.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(version))
        .routes(routes!(login::login, sessions::show, sessions::revoke))
        .routes(routes!(sessions::catalog))
        .routes(routes!(sessions::own_projects))
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(projects::show, projects::update, projects::delete))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::update, users::delete))
        .routes(routes!(users::change_password))
        .routes(routes!(users::projects))
        .routes(routes!(roles::list))
        .routes(routes!(roles::show))
        .routes(routes!(roles::of_user))
        .routes(routes!(roles::check, roles::give, roles::take))
        .routes(routes!(roles::assignments))
        .routes(routes!(credentials::list, credentials::create))
        .routes(routes!(credentials::show, credentials::delete))
        .routes(routes!(domains))
        .routes(routes!(domain))
}

/// Shows that the Identity API begins here. No token needed.
#[utoipa::path(get, path = "/v3", tag = "identity", operation_id = "identity_version", security(()),
    responses((status = 200, body = IdentityVersion)))]
pub(super) async fn version(headers: HeaderMap) -> impl IntoResponse {
    let links = vec![Link { rel: "self".into(), href: format!("{}/v3/", origin(&headers)) }];
    let (id, status, updated) = ("v3.14".into(), "stable".into(), "2020-04-07T00:00:00Z".into());
    axum::Json(IdentityVersion { version: IdentityVersionDetail { id, status, updated, links } })
}

/// Lists the domains, of which there is one.
#[utoipa::path(get, path = "/v3/domains", tag = "identity", operation_id = "list_domains",
    responses((status = 200, body = DomainList), (status = "default", body = IdentityError)))]
pub(super) async fn domains(call: Call) -> Result<Reply, Failure> {
    let one = shown_domain(&call);
    let passes = passes(&call, "name", &one.name) && passes_flag(&call, "enabled", true);
    let domains = if passes { vec![one] } else { Vec::new() };
    let links = ListLinks { this: call.address.clone(), ..ListLinks::default() };
    Ok(Reply::ok(call.view.snapshot.revision(), DomainList { domains, links }))
}

/// Shows the domain.
#[utoipa::path(get, path = "/v3/domains/{id}", tag = "identity", operation_id = "show_domain",
    params(("id" = String, Path, description = "Only `default`")),
    responses((status = 200, body = DomainEnvelope), (status = "default", body = IdentityError)))]
pub(super) async fn domain(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    if id != DOMAIN {
        return Err(Failure::not_found("Domain", &id));
    }
    Ok(Reply::ok(call.view.snapshot.revision(), DomainEnvelope { domain: shown_domain(&call) }))
}

fn shown_domain(call: &Call) -> DomainShown {
    DomainShown {
        id: DOMAIN.into(),
        name: "Default".into(),
        description: "The one domain".into(),
        enabled: true,
        links: place(call, "domains/default"),
    }
}

/// Where something under `/v3` is, as the caller reached us.
fn place(call: &Call, tail: &str) -> SelfLink {
    SelfLink { this: format!("{}/v3/{tail}", before_v3(call)) }
}

fn before_v3(call: &Call) -> &str {
    call.address.split("/v3").next().unwrap_or_default()
}

/// True if the query does not ask for another value. Parameters that nobody knows are passed over, as Keystone does.
fn passes(call: &Call, name: &str, value: &str) -> bool {
    call.parameter(name).is_none_or(|asked| asked == value)
}

/// The same for a truth value.
fn passes_flag(call: &Call, name: &str, value: bool) -> bool {
    call.parameter(name).is_none_or(|asked| is_on(asked) == value)
}

/// A truth value in a query: there is one when it does not say that there is not.
fn is_on(text: &str) -> bool {
    !text.eq_ignore_ascii_case("false") && text != "0"
}

/// True if the query asks for no other domain.
fn passes_domain(call: &Call) -> bool {
    passes(call, "domain_id", DOMAIN)
}

/// One page of what is listed: ids, in their order, with what is shown.
fn paged<T>(call: &Call, objects: impl Iterator<Item = (String, T)>) -> Result<(Vec<T>, ListLinks), Failure> {
    let limit = match call.parameter("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if limit > 0 => limit.min(PAGE),
        Some(_) => return Err(Failure::field("limit", "must be a whole number from 1 on")),
    };
    let marker = call.parameter("marker");
    let after = objects.filter(|(id, _)| marker.is_none_or(|marker| id.as_str() > marker));
    let mut rows: Vec<(String, T)> = after.take(limit + 1).collect();
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    let next = last.map(|(id, _)| page::link(call, "next", id).href);
    let links = ListLinks { this: call.address.clone(), next, previous: None };
    Ok((rows.into_iter().map(|(_, row)| row).collect(), links))
}

/// The fields in an envelope. Clients write null for what they do not say, except where null takes something away.
fn opened(mut body: Map<String, Value>, one: &str) -> Result<Fields, Failure> {
    match body.shift_remove(one) {
        Some(Value::Object(mut values)) => {
            values.retain(|name, value| {
                !value.is_null() || matches!(name.as_str(), "default_project_id" | "password")
            });
            Ok(Fields::new("", values))
        }
        _ => Err(Failure::malformed(format!("Unable to find '{one}' in request body"))),
    }
}

/// Ends the reading of fields: all faults, or none.
fn settle(fields: Fields) -> Result<(), Failure> {
    let (mut faults, unknown) = fields.settle(|_| false);
    faults.extend(unknown);
    if faults.is_empty() { Ok(()) } else { Err(Failure::invalid(faults)) }
}

/// Reads what clients say about domains, and about options of which there are none.
fn read_harmless(fields: &mut Fields) {
    fields.only("domain_id", &[Value::from(DOMAIN)]);
    fields.only("domain", &[Value::from(DOMAIN)]);
    fields.only("options", &[Value::Object(Map::new())]);
}

/// A password, which is never repeated in a message.
fn read_password(fields: &mut Fields, name: &str) -> Option<Option<String>> {
    let given = fields.text_or_null(name)?;
    if let Some(password) = &given
        && (password.is_empty() || password.len() > LONGEST)
    {
        fields.fault(name, format!("must have 1 to {LONGEST} bytes"));
    }
    Some(given)
}

/// Something of the kind has the name already.
fn taken(what: &str, name: &str) -> Failure {
    let name: String = name.chars().take(100).collect();
    let message =
        format!("Conflict occurred attempting to store {what} - Duplicate entry found with name {name}.");
    Failure::new(StatusCode::CONFLICT, "Conflict", message)
}

fn missing(field: &str) -> Failure {
    Failure::invalid(vec![Fault { path: field.to_owned(), reason: "is missing".to_owned() }])
}

impl From<NotHashed> for Failure {
    fn from(_: NotHashed) -> Failure {
        let message = "Too many passwords are being checked. Try again in a moment.";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }
}
