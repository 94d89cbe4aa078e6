//! What every request goes through: a request id, a log line, a time limit, forgiving addresses, and error bodies.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, debug, field, info_span, warn};
use uuid::Uuid;
use weft_api::identity::{IdentityError, IdentityFault};
use weft_api::{NeutronError, NeutronFault, Problem};

use super::failure::Failure;
use super::limits::Limits;

/// How long a request may take, reading its body included.
const LIMIT: Duration = Duration::from_secs(60);
/// How long `/v1/applied` may take: its largest timeout and something for the way.
const LIMIT_APPLIED: Duration = Duration::from_secs(330);

/// What the outermost layer needs to know.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// How long a request may take, where that is not as usual.
    pub(super) patience: Option<Duration>,
    pub(super) limits: Arc<Limits>,
}

/// Which request it is, and where it came from.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    /// As the answer and the log have it.
    pub(super) request: String,
    /// Unknown where requests do not come by a socket.
    pub(super) address: Option<IpAddr>,
}

/// The outermost layer of the API.
pub(super) async fn frame(State(frame): State<Frame>, mut request: Request, next: Next) -> Response {
    let id = format!("req-{}", Uuid::new_v4());
    forgive(request.uri_mut());
    let path = request.uri().path().to_owned();
    let origin = origin(request.headers());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
    request.extensions_mut().insert(Origin { request: id.clone(), address });
    let limit = frame.patience.unwrap_or(if path == "/v1/applied" { LIMIT_APPLIED } else { LIMIT });
    let (tenant, status) = (field::Empty, field::Empty);
    let method = request.method().clone();
    let span = info_span!("request", %method, path = %clip(&path), request_id = %id, tenant, status);
    let begun = Instant::now();
    let answer = async {
        if let Some(failure) = address.and_then(|address| frame.limits.before_any(address, begun)) {
            return error(failure);
        }
        let answer = tokio::time::timeout(limit, next.run(request)).await;
        answer.unwrap_or_else(|_| error(too_slow(limit)))
    };
    let answer = answer.instrument(span.clone()).await;
    if let Some(address) = address.filter(|_| answer.status() == StatusCode::UNAUTHORIZED) {
        frame.limits.refused(address, begun);
    }
    let mut response = with_body(answer, &path, &origin, &id);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value.clone());
        response.headers_mut().insert("x-openstack-request-id", value);
    }
    span.record("status", response.status().as_u16());
    let _inside = span.entered();
    let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
    if response.status().is_server_error() {
        warn!(milliseconds, "request failed");
    } else {
        debug!(milliseconds, "request answered");
    }
    response
}

/// Where the caller reached us: what links in answers begin with.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    host.filter(|host| host.chars().all(plain)).map(|host| format!("http://{host}")).unwrap_or_default()
}

/// Takes away what clients put around an address without meaning anything by it: a final slash, `.json`, and the `/identity`
/// before `/v3` where an Identity API often is.
fn forgive(uri: &mut Uri) {
    let path = uri.path();
    let bare = path.trim_end_matches('/');
    let bare = bare.strip_prefix("/identity").filter(|rest| rest.starts_with("/v3")).unwrap_or(bare);
    let bare = bare.strip_suffix(".json").filter(|_| bare.starts_with("/v2.0/")).unwrap_or(bare);
    if bare == path || bare.is_empty() {
        return;
    }
    let rest = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(changed) = format!("{bare}{rest}").parse() {
        *uri = changed;
    }
}

fn too_slow(limit: Duration) -> Failure {
    let seconds = limit.as_secs();
    let message =
        format!("The request took longer than {seconds} seconds. A write in it may have been made.");
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "RequestTimeout", message)
}

fn error(failure: Failure) -> Response {
    axum::response::IntoResponse::into_response(failure)
}

/// Gives an error its body. Errors of the HTTP layers (no route, wrong method, a panic) get theirs here as well.
fn with_body(mut response: Response, path: &str, origin: &str, id: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let failure = response.extensions_mut().remove::<Failure>().unwrap_or_else(|| Failure::of_status(status));
    let problem = Problem {
        kind: failure.kind.to_owned(),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        status: status.as_u16(),
        detail: failure.message.clone(),
        errors: failure.errors,
        request_id: Some(id.to_owned()),
    };
    let (is_v2, is_v3) = (path.starts_with("/v2.0"), path.starts_with("/v3"));
    let body = if is_v3 {
        let (code, title) = (problem.status, problem.title.clone());
        let error = IdentityFault { code, title, message: failure.message };
        serde_json::to_vec(&IdentityError { error, problem })
    } else if is_v2 {
        let fault =
            NeutronFault { kind: problem.kind.clone(), message: failure.message, detail: String::new() };
        serde_json::to_vec(&NeutronError { neutron_error: fault, problem })
    } else {
        serde_json::to_vec(&problem)
    };
    // OpenStack clients read an error's body only if it says that it is plain JSON.
    let content_type = if is_v2 || is_v3 { "application/json" } else { "application/problem+json" };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_str(&format!("Keystone uri=\"{origin}/v3\""));
        parts.headers.insert(WWW_AUTHENTICATE, challenge.unwrap_or(HeaderValue::from_static("Bearer")));
    }
    Response::from_parts(parts, Body::from(body.unwrap_or_default()))
}

fn clip(path: &str) -> String {
    path.chars().take(200).collect()
}
