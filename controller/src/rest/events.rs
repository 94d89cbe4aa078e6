//! `/v1/events`: what happens to objects, as server-sent events, out of the history that the store keeps.
//!
//! A stream is pulled by whoever reads it: while nobody does, nothing is read from the history and nothing is kept, so a
//! slow reader costs a place among the watchers and no memory; it is cut off when it comes back too late. Writers know
//! nothing of watchers.

mod wish;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::watch;
use tokio::time::Instant;
use weft_api as api;
use weft_api::REVISION_HEADER;
use weft_model::{Record, Snapshot, TenantId};

use super::Config;
use super::call::{Api, Call, View};
use super::caller::Caller;
use super::failure::Failure;
use super::strangers;
use super::told::told;
use crate::clock;
use crate::config::Authentication;
use crate::journal::{Entry, Follower, JournalError, Verb};
use wish::{Place, Wish};

/// How often something is said when there is nothing to say, so that both ends know that the other is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a reader may leave what it was sent unread.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many commits are read at once.
const COMMITS: usize = 64;
/// Most streams at a time, and most of one tenant.
const WATCHERS: usize = 512;
const WATCHERS_OF_TENANT: usize = 64;

/// Who watches, by tenant.
#[derive(Debug, Clone, Default)]
pub(super) struct Watchers {
    counts: Arc<Mutex<BTreeMap<Option<TenantId>, usize>>>,
}

/// A place among the watchers, until it is dropped.
#[derive(Debug)]
struct Seat {
    watchers: Watchers,
    tenant: Option<TenantId>,
}

impl Watchers {
    fn enter(&self, tenant: Option<&TenantId>) -> Result<Seat, Failure> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.get(&tenant.cloned()).copied().unwrap_or(0);
        let is_crowded = tenant.is_some() && own >= WATCHERS_OF_TENANT;
        if is_crowded || counts.values().sum::<usize>() >= WATCHERS {
            let message = "There are too many streams of events open. Close one, or try again later.";
            return Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, "TooManyWatchers", message));
        }
        counts.insert(tenant.cloned(), own + 1);
        Ok(Seat { watchers: self.clone(), tenant: tenant.cloned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.watchers.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.tenant);
            }
        }
    }
}

/// Says what happens to objects, as server-sent events: each has an `Event` as its data and `REVISION.INDEX` as its id,
/// and who comes back with that in `Last-Event-ID` misses nothing and gets nothing twice. Comments are heartbeats; an
/// event without data moves the id on. When the history does not reach back to where the stream is to begin, the answer
/// is 410: list the objects, and go on from the list's `Weft-Revision`. A caller hears of what it may see. The stream
/// ends with the caller's token, and when it is not read for a minute.
#[utoipa::path(get, path = "/v1/events", tag = "progress", operation_id = "events",
    params(("from" = Option<String>, Query, description = "A revision, or the id of an event: what comes after it is told; the newest one when absent"),
        ("kind" = Option<Vec<String>>, Query, description = "Only objects of this kind, like `network`; may be given several times"),
        ("project_id" = Option<Vec<String>>, Query, description = "Only what belongs to this tenant; may be given several times"),
        ("id" = Option<Vec<String>>, Query, description = "Only the object with this id; may be given several times"),
        ("follow" = Option<bool>, Query, description = "Whether to wait for more; false ends the stream with what has happened so far"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that arrived; goes before `from`")),
    responses((status = 200, body = api::Event, content_type = "text/event-stream"),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn events(
    State(api): State<Api>,
    headers: HeaderMap,
    call: Call,
) -> Result<Response, Failure> {
    let newest = call.view.snapshot.revision();
    let wish = Wish::read(&call.query, &headers, newest)?;
    let seat = api.watchers.enter(call.caller().tenant())?;
    let (journal, from) = (api.desk.journal().clone(), wish.from.before());
    let follower = tokio::task::spawn_blocking(move || journal.follow(from)).await;
    let follower = follower.map_err(|_| Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
    let follower = Some(follower.map_err(unfollowable)?);
    let (snapshots, now) = (api.desk.watch(), Instant::now());
    let (caller, place) = (call.caller().clone(), wish.from);
    let stream = Stream {
        api,
        headers,
        caller,
        wish,
        place,
        follower,
        snapshots,
        beat: now + HEARTBEAT,
        vouched: now + HEARTBEAT,
        left: now,
        _seat: seat,
    };
    let body = stream::unfold(Some(stream), |stream| async move {
        let mut stream = stream?;
        let (text, is_last) = stream.next().await?;
        Some((Ok::<_, Infallible>(text), (!is_last).then_some(stream)))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    let mut response = (headers, Body::from_stream(body)).into_response();
    response.headers_mut().insert(REVISION_HEADER, newest.0.into());
    Ok(response)
}

fn unfollowable(error: JournalError) -> Failure {
    match error {
        JournalError::Gone { oldest } => {
            let message = format!(
                "The history reaches back to revision {oldest} only. List the objects and go on from the list's revision."
            );
            let mut failure = Failure::new(StatusCode::GONE, "RevisionGone", message);
            let reason = format!("the oldest revision to go on from is {oldest}");
            failure.errors.push(api::FieldError { field: "from".into(), reason });
            failure
        }
        JournalError::NotYet { newest } => {
            Failure::field("from", format!("must not be after the newest revision, {newest}"))
        }
        JournalError::None => {
            Failure::new(StatusCode::GONE, "RevisionGone", "This controller keeps no history.")
        }
        error @ (JournalError::Damaged(_) | JournalError::Store(_)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the history cannot be read");
            Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// One stream, between two of its pieces.
struct Stream {
    api: Api,
    /// What the caller showed to be let in: looked at again before every piece.
    headers: HeaderMap,
    caller: Caller,
    wish: Wish,
    /// Everything up to here is told.
    place: Place,
    /// Away while the history is read.
    follower: Option<Follower>,
    snapshots: watch::Receiver<Snapshot>,
    /// When the next heartbeat is due.
    beat: Instant,
    /// Until then another issuer's word for its token is good.
    vouched: Instant,
    /// When the reader was given the last piece.
    left: Instant,
    _seat: Seat,
}

impl Stream {
    /// The next piece, and whether it is the last one.
    async fn next(&mut self) -> Option<(String, bool)> {
        if self.left.elapsed() > PATIENCE {
            return Some((farewell("The stream was not read for too long."), true));
        }
        let piece = loop {
            let snapshot = self.snapshots.borrow_and_update().clone();
            if let Some(reason) = self.dismissal(&snapshot).await {
                break Some((farewell(reason), true));
            }
            let entries = match self.read().await {
                Ok(entries) => entries,
                Err(failure) => break Some((farewell(&failure.message), true)),
            };
            let has_more = entries.len() == COMMITS;
            let text = self.tell(&entries, snapshot);
            if !text.is_empty() {
                break Some((text, false));
            }
            if has_more {
                continue;
            }
            if !self.wish.follow {
                break None;
            }
            let stop = self.api.config.stop.clone();
            tokio::select! {
                changed = self.snapshots.changed() => if changed.is_err() { break None },
                () = tokio::time::sleep_until(self.beat) => break Some((self.heartbeat(), false)),
                () = stop.cancelled() => break None,
            }
        };
        (self.left, self.beat) = (Instant::now(), Instant::now() + HEARTBEAT);
        piece
    }

    /// Why the caller hears no more, if so. Our own tokens are looked at before every piece; another issuer's once in a
    /// while, as their signatures cost more than what is told.
    async fn dismissal(&mut self, snapshot: &Snapshot) -> Option<&'static str> {
        let Config { authentication, issuer, .. } = &self.api.config;
        if *authentication == Authentication::Off {
            return None;
        }
        let over = Some("The token is not valid any more.");
        if !self.caller.still_holds(&self.headers, snapshot, clock::now()) {
            return over;
        }
        let issuer = issuer.as_ref().filter(|_| self.caller.token.is_none())?;
        if Instant::now() < self.vouched {
            return None;
        }
        self.vouched = Instant::now() + HEARTBEAT;
        match strangers::still_holds(issuer, &self.caller, &self.headers).await {
            Ok(true) => None,
            Ok(false) => over,
            Err(_) => Some("The token cannot be validated now."),
        }
    }

    /// What has been committed since, a part of it when it is much.
    async fn read(&mut self) -> Result<Vec<Entry>, Failure> {
        let ended = || Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR);
        let mut follower = self.follower.take().ok_or_else(ended)?;
        let read = tokio::task::spawn_blocking(move || {
            let mut entries = Vec::new();
            while entries.len() < COMMITS
                && let Some(entry) = follower.try_next()?
            {
                entries.push(entry);
            }
            Ok::<_, JournalError>((follower, entries))
        });
        let (follower, entries) = read.await.map_err(|_| ended())?.map_err(unfollowable)?;
        self.follower = Some(follower);
        Ok(entries)
    }

    fn tell(&mut self, entries: &[Entry], snapshot: Snapshot) -> String {
        let view = View { snapshot, board: self.api.board.clone(), caller: self.caller.clone() };
        let mut text = String::new();
        for entry in entries {
            self.tell_entry(entry, &view, &mut text);
            self.place = self.place.max(Place::all_of(entry.revision));
        }
        text
    }

    fn tell_entry(&self, Entry { revision, touched }: &Entry, view: &View, text: &mut String) {
        let ports: Vec<_> = touched.iter().filter_map(|(_, record)| port_of(record)).collect();
        for (index, (verb, record)) in touched.iter().enumerate() {
            let at = Place::at(*revision, index);
            // What a binding changes is told with the port, once.
            let verb = match record {
                Record::Binding(binding) if ports.contains(&binding.port) => continue,
                Record::Binding(_) => Verb::Updated,
                _ => *verb,
            };
            if at <= self.place || !self.wish.may_want(record) {
                continue;
            }
            let Some(told) = told(view, record).filter(|told| self.wish.wants(told)) else { continue };
            let event = api::Event {
                revision: revision.0,
                kind: told.kind.to_owned(),
                verb: verb.name().to_owned(),
                id: told.id,
                project_id: told.project.map(|project| project.to_string()),
                object: told.row.into(),
            };
            let data = serde_json::to_string(&event).expect("our own words have text keys");
            writeln!(text, "id: {at}\ndata: {data}\n").expect("writing into a text");
        }
    }

    /// Says that we are here and how far we have come, so that who comes back need not begin where it last heard of
    /// something.
    fn heartbeat(&self) -> String {
        format!(": heartbeat\nid: {}\n\n", self.place)
    }
}

fn port_of(record: &Record) -> Option<weft_model::PortId> {
    match record {
        Record::Port(port) => Some(port.id),
        _ => None,
    }
}

/// The last piece of a stream that does not end because the controller does: there is no use in coming back at once.
fn farewell(message: &str) -> String {
    let message = serde_json::Value::from(message);
    format!("event: end\ndata: {{\"detail\":{message}}}\n\n")
}
