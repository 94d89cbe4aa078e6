//! How far things have got and who is asking: `/v1/applied`, `/v1/whoami`, `/healthz`, `/readyz`, `/metrics`.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use weft_api as api;
use weft_model::{HostId, Revision};

use super::call::{Api, Call, Reply};
use super::failure::Failure;

/// How long `applied` waits when it is not told, and at most, in seconds.
const WAIT: u64 = 30;
const WAIT_MAX: u64 = 300;

/// Waits until a revision is in force on every switch that it concerns. When the time is up first, the answer is 200 all
/// the same, with `applied` false.
#[utoipa::path(get, path = "/v1/applied", tag = "progress", operation_id = "applied",
    params(("revision" = Option<u64>, Query, description = "Which revision; the newest one when absent"),
        ("host" = Option<String>, Query, description = "Only this host counts (administrators)"),
        ("timeout" = Option<u64>, Query, description = "How long to wait, 0 to 300 seconds; 30 when absent")),
    responses((status = 200, body = api::Applied),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn applied(call: Call) -> Result<Reply, Failure> {
    let newest = call.view.snapshot.revision();
    let revision = Revision(number(&call, "revision", u64::MAX)?.unwrap_or(newest.0));
    let timeout = number(&call, "timeout", WAIT_MAX)?.unwrap_or(WAIT);
    if revision > newest {
        return Err(Failure::field("revision", format!("must not be after the newest one, {newest}")));
    }
    let only = match call.parameter("host").map(str::parse::<HostId>) {
        Some(Ok(host)) if call.caller().is_admin() && call.view.snapshot.host(&host).is_some() => Some(host),
        Some(_) => return Err(Failure::field("host", "is not a host that you may ask about".to_owned())),
        None => None,
    };
    let board = &call.view.board;
    let report = tokio::select! {
        report = board.applied(revision, only.clone(), Duration::from_secs(timeout)) => report,
        // A stopping controller answers at once with how far it got.
        () = call.stop.cancelled() => board.applied(revision, only, Duration::ZERO).await,
    };
    let pending = if call.caller().is_admin() { report.pending } else { Vec::new() };
    let pending = pending.iter().map(ToString::to_string).collect();
    Ok(Reply::ok(newest, api::Applied { revision: report.revision.0, applied: report.applied, pending }))
}

fn number(call: &Call, name: &str, most: u64) -> Result<Option<u64>, Failure> {
    let Some(text) = call.parameter(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if number <= most => Ok(Some(number)),
        _ => Err(Failure::field(name, format!("must be a whole number from 0 to {most}"))),
    }
}

/// Who the token speaks for.
#[utoipa::path(get, path = "/v1/whoami", tag = "progress", operation_id = "whoami",
    responses((status = 200, body = api::Whoami),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn whoami(call: Call) -> Reply {
    let caller = call.caller();
    let tenant = caller.project.as_ref().and_then(|id| call.view.snapshot.tenant(id));
    let user = caller.user.as_ref().and_then(|id| call.view.snapshot.user(id));
    let who = api::Whoami {
        role: caller.role_name().to_owned(),
        user_id: caller.user.as_ref().map(ToString::to_string),
        user_name: user.map(|user| user.stamp.name.clone()),
        tenant_id: caller.project.as_ref().map(ToString::to_string),
        tenant_name: tenant.map(|tenant| tenant.stamp.name.clone()),
        token_id: caller.token.map(|token| token.to_string()),
    };
    Reply::ok(call.view.snapshot.revision(), who)
}

/// Says that the controller is alive. No token needed.
#[utoipa::path(get, path = "/healthz", tag = "progress", operation_id = "health", security(()),
    responses((status = 200, body = api::Health)))]
pub(super) async fn health(State(api): State<Api>) -> Reply {
    answer(&api)
}

/// Says whether the controller has opened its store and compiled the state in it: 200, or 503 until then. No token
/// needed.
#[utoipa::path(get, path = "/readyz", tag = "progress", operation_id = "ready", security(()),
    responses((status = 200, body = api::Health),
        (status = 503, body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn ready(State(api): State<Api>) -> Result<Reply, Failure> {
    if api.board.ready() {
        return Ok(answer(&api));
    }
    let message = "The controller is starting: the state has not been compiled yet.";
    Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "Starting", message))
}

fn answer(api: &Api) -> Reply {
    let revision = api.desk.snapshot().revision();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Reply::ok(revision, weft_api::Health { status: "ok".into(), version, revision: revision.0 })
}

/// The controller's counters in the text format of Prometheus. No token needed.
#[utoipa::path(get, path = "/metrics", tag = "progress", operation_id = "metrics", security(()),
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let page = api.config.metrics.page(&api.desk, &api.board);
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], page)
}
