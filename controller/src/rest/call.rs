//! A request as the handlers see it: who asks, the state they see, the query; and the answer that they give back.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_api as api;
use weft_api::REVISION_HEADER;
use weft_model::intent::{Actor, Intent, Settings};
use weft_model::{Revision, SharedKind, SharedObject, Snapshot};

use super::caller::{Caller, secret};
use super::events::Watchers;
use super::failure::Failure;
use super::frame::Origin;
use super::identity::Identity;
use super::limits::Limits;
use super::{Config, frame, plans, strangers};
use crate::audit::Log;
use crate::clock;
use crate::config::Authentication;
use crate::desk::{Committed, Desk};
use crate::status::Board;

/// What all handlers share.
#[derive(Debug, Clone)]
pub(super) struct Api {
    pub(super) desk: Desk,
    pub(super) board: Board,
    pub(super) config: Config,
    /// Who follows `/v1/events`.
    pub(super) watchers: Watchers,
    pub(super) limits: Arc<Limits>,
    pub(super) identity: Identity,
}

/// What an answer is made from: one state, and for whom.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) snapshot: Snapshot,
    pub(super) board: Board,
    pub(super) caller: Caller,
}

impl View {
    /// True if the caller may use an object because somebody shares it, be it with everybody.
    pub(super) fn is_shared(&self, object: impl Into<SharedObject>) -> bool {
        match self.caller.tenant() {
            Some(own) => self.snapshot.is_shared_with(object.into(), own),
            None => self.snapshot.is_shared(object.into()),
        }
    }

    /// The ids of the objects of a kind that others share with the caller.
    pub(super) fn shared(&self, kind: SharedKind) -> Vec<Uuid> {
        let own = self.caller.tenant();
        own.map_or_else(Vec::new, |own| self.snapshot.shared_with(kind, own).collect())
    }
}

/// Whether what a request asks for is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Real,
    /// It is told what would be done: `?dry_run=true`.
    Dry,
}

/// A request by somebody with a valid token.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) view: View,
    /// The query, in its order.
    pub(super) query: Vec<(String, String)>,
    /// Where the caller reached us, up to the path: `http://host:port/v2.0/networks`.
    pub(super) address: String,
    /// The revision number that the object must still have.
    pub(super) if_number: Option<u64>,
    /// Cancelled when the controller stops.
    pub(super) stop: CancellationToken,
    /// Whether writes are made.
    run: Run,
    origin: Origin,
    desk: Desk,
}

impl FromRequestParts<Api> for Call {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Call, Failure> {
        let mut snapshot = api.desk.snapshot();
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        let caller = match api.config.authentication {
            Authentication::Off => Caller::anyone(),
            Authentication::Required => {
                let secret = secret(&parts.headers).ok_or_else(Caller::refused)?;
                match (Caller::of_secret(secret, &snapshot, clock::now()), &api.config.issuer) {
                    (Err(_), Some(issuer)) => {
                        let caller = strangers::caller(&api.desk, issuer, (secret, &origin)).await?;
                        // The tenant may have been made just now.
                        snapshot = api.desk.snapshot();
                        caller
                    }
                    (known, _) => known?,
                }
            }
        };
        if let Some(failure) = caller.token.and_then(|token| api.limits.of_caller(token, Instant::now())) {
            return Err(failure);
        }
        if !parts.uri.path().starts_with("/v3") {
            caller.must_have_scope()?;
        }
        if let Some(tenant) = caller.tenant() {
            tracing::Span::current().record("tenant", tenant.as_str());
        }
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(query) = query.map_err(|_| Failure::malformed("The query cannot be read."))?;
        let address = format!("{}{}", frame::origin(&parts.headers), parts.uri.path());
        let if_number = if_number(&parts.headers)?;
        let run = read_run(&query)?;
        let view = View { snapshot, board: api.board.clone(), caller };
        let (stop, desk) = (api.config.stop.clone(), api.desk.clone());
        Ok(Call { view, query, address, if_number, stop, run, origin, desk })
    }
}

impl Call {
    /// Who is asking.
    pub(super) fn caller(&self) -> &Caller {
        &self.view.caller
    }

    /// Commits all intents in the caller's name, and shows the state after them. Every write of the API passes here; a dry
    /// run gets no further, and is answered with what the write would have done.
    pub(super) async fn write(&self, intents: Vec<Intent>) -> Result<(Committed, View), Failure> {
        self.write_as(self.caller().actor(), intents).await
    }

    /// Commits intents about the caller itself, and shows the state after them.
    pub(super) async fn write_own(&self, intents: Vec<Intent>) -> Result<(Committed, View), Failure> {
        self.write_as(self.caller().own_actor(), intents).await
    }

    async fn write_as(&self, actor: Actor, intents: Vec<Intent>) -> Result<(Committed, View), Failure> {
        if self.is_dry() {
            return Err(Failure::planned(&self.plan_as(&actor, &intents).await?));
        }
        let author = self.caller().author(&self.origin);
        let committed = self.desk.write_for(author, actor, intents).await?;
        let view = View { snapshot: committed.snapshot.clone(), ..self.view.clone() };
        Ok((committed, view))
    }

    /// Whether nothing is to be done.
    pub(super) fn is_dry(&self) -> bool {
        self.run == Run::Dry
    }

    /// What writing all intents would do, and the state that this is told of.
    pub(super) async fn plan(&self, intents: &[Intent]) -> Result<api::Plan, Failure> {
        self.plan_as(&self.caller().actor(), intents).await
    }

    async fn plan_as(&self, actor: &Actor, intents: &[Intent]) -> Result<api::Plan, Failure> {
        let (before, plan) = self.desk.plan(actor, intents)?;
        plans::make(&self.view, before, plan).await
    }

    /// What the operator configured about networks.
    pub(super) fn settings(&self) -> &Settings {
        self.desk.settings()
    }

    /// What was written by whom; none where nothing is stored.
    pub(super) fn log(&self) -> Option<&Log> {
        self.desk.log()
    }

    /// Looks at the newest state instead of the one at which the request came.
    pub(super) fn refresh(&mut self) {
        self.view.snapshot = self.desk.snapshot();
    }

    /// One value of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// `dry_run=true`. What is neither true nor false is refused, so that nothing is done by mistake.
fn read_run(query: &[(String, String)]) -> Result<Run, Failure> {
    let mut run = Run::Real;
    for (_, value) in query.iter().filter(|(name, _)| name == "dry_run") {
        run = match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "" => Run::Dry,
            "false" | "0" => Run::Real,
            _ => return Err(Failure::field("dry_run", "must be true or false")),
        };
    }
    Ok(run)
}

/// `If-Match: revision_number=N`. Other conditions are none that this API knows, and ignoring one would be a lie.
fn if_number(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().strip_prefix("revision_number="));
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::malformed("If-Match must be revision_number=N.")),
    }
}

/// The JSON object that came as a request's body.
#[derive(Debug)]
pub(super) struct Body(pub(super) Map<String, Value>);

impl FromRequest<Api> for Body {
    type Rejection = Failure;

    async fn from_request(request: Request, api: &Api) -> Result<Body, Failure> {
        let bytes = Bytes::from_request(request, api).await;
        let bytes = bytes.map_err(|rejection| Failure::of_status(rejection.status()))?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(body)) => Ok(Body(body)),
            Ok(_) => Err(Failure::malformed("The request body must be a JSON object.")),
            Err(error) => Err(Failure::malformed(format!("The request body is not JSON: {error}"))),
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer that is not an error.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    revision: Revision,
    /// JSON, written when the answer is made: a long list is never a tree of values, nor kept twice.
    body: Option<Bytes>,
}

impl Reply {
    /// 200 with a body that reflects `revision`.
    pub(super) fn ok(revision: Revision, body: impl Serialize) -> Reply {
        Reply::with(StatusCode::OK, revision, body)
    }

    /// 201 with what the write made.
    pub(super) fn created(revision: Revision, body: impl Serialize) -> Reply {
        Reply::with(StatusCode::CREATED, revision, body)
    }

    /// 204 without a body.
    pub(super) fn nothing(revision: Revision) -> Reply {
        Reply { status: StatusCode::NO_CONTENT, revision, body: None }
    }

    fn with(status: StatusCode, revision: Revision, body: impl Serialize) -> Reply {
        let body = serde_json::to_vec(&body).expect("our own words have text keys and finite numbers");
        Reply { status, revision, body: Some(body.into()) }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            None => self.status.into_response(),
            Some(json) => (self.status, [(CONTENT_TYPE, JSON)], json).into_response(),
        };
        let name = HeaderName::from_static(REVISION_HEADER);
        response.headers_mut().insert(name, HeaderValue::from(self.revision.0));
        response
    }
}
