//! The protocol without the connection: messages in, messages and events out. No socket, no clock.

use std::collections::BTreeMap;

use bytes::BytesMut;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

use crate::error::{Error, Refusal};
use crate::jsonrpc::{self, Message, Outcome};
use crate::mirror::{Batch, MonitorId, TransactionId};
use crate::replica::{Replica, Start};

/// How many locks may have news that nobody has taken. Whoever asks for locks has a handful; a peer that names more makes
/// them up.
const LOCKS_UNSHOWN: usize = 1024;

/// A request's answer on its way to who asked.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// Something that a client wants sent.
#[derive(Debug)]
pub(crate) enum Command {
    Request {
        id: u64,
        method: &'static str,
        params: Box<RawValue>,
        purpose: Purpose,
        permit: OwnedSemaphorePermit,
    },
    /// Takes back a request that may still be under way. An echo with the id `fence` goes right behind.
    Cancel { id: u64, fence: u64 },
    /// Ends the session once everything before it is sent.
    Close,
}

/// What an answer is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// To be handed on as it is.
    Call(Answer<Option<Box<RawValue>>>),
    /// Starts a monitor.
    Monitor { id: MonitorId, replica: Box<Replica>, method: MonitorMethod, answer: Answer<Started> },
    /// Ends a monitor.
    EndMonitor { id: MonitorId, answer: Answer<Option<Box<RawValue>>> },
}

/// The ways to monitor, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorMethod {
    /// `monitor_cond_since`: conditions, differences, and going on after a reconnection where the server remembers.
    CondSince,
    /// `monitor_cond`: conditions and differences.
    Cond,
    /// `monitor` of RFC 7047.
    Plain,
}

/// What was learned when a monitor started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) start: Start,
}

/// What a session has to tell.
#[derive(Debug)]
pub enum Event {
    /// Monitored rows changed. The first batch of a monitor comes even if it is empty: it completes the mirror.
    Changed(Batch),
    /// A lock that was asked for is ours now.
    Locked(String),
    /// A lock was taken from us.
    Stolen(String),
    /// The session is over. Always the last event.
    Disconnected(Error),
}

/// A request without an answer so far.
#[derive(Debug)]
enum Waiting {
    /// A client waits for it.
    Asked { method: &'static str, purpose: Purpose, permit: OwnedSemaphorePermit },
    /// Nobody does: any sign of life will do.
    Probe,
    /// Its answer shows that the request with this id has been taken back.
    Fence { cancelled: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LockState {
    Locked,
    Stolen,
}

/// The state of one session's protocol.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) outbox: BytesMut,
    waiting: BTreeMap<u64, Waiting>,
    monitors: BTreeMap<MonitorId, Replica>,
    /// The latest word on each lock, not shown yet.
    locks: BTreeMap<String, LockState>,
}

impl Conversation {
    /// Takes in what a client wants; false when it wants the end.
    pub(crate) fn handle_command(&mut self, command: Command) -> bool {
        match command {
            Command::Request { id, method, params, purpose, permit } => {
                jsonrpc::write_request(&mut self.outbox, id, method, &params);
                self.waiting.insert(id, Waiting::Asked { method, purpose, permit });
                true
            }
            Command::Cancel { id, fence } => {
                if self.waiting.contains_key(&id) {
                    jsonrpc::write_cancel(&mut self.outbox, id);
                    self.echo(fence, Waiting::Fence { cancelled: id });
                }
                true
            }
            Command::Close => false,
        }
    }

    /// Asks the peer for a sign of life.
    pub(crate) fn probe(&mut self, id: u64) {
        self.echo(id, Waiting::Probe);
    }

    /// Takes in a message; an error ends the session.
    pub(crate) fn handle_message(&mut self, frame: &[u8]) -> Result<(), Error> {
        match Message::parse(frame).map_err(decoding("a message"))? {
            Message::Request { id, method, params } if method == "echo" => {
                jsonrpc::write_reply(&mut self.outbox, id, params);
                Ok(())
            }
            Message::Request { id, method, .. } => {
                tracing::debug!(%method, "the database server asks for something that we don't do");
                jsonrpc::write_unknown_method(&mut self.outbox, id);
                Ok(())
            }
            Message::Notification { method, params } => self.handle_notification(&method, params),
            Message::Reply { id, outcome } => match self.waiting.remove(&id) {
                Some(Waiting::Asked { method, purpose, permit }) => {
                    drop(permit);
                    self.handle_answer(method, purpose, outcome)
                }
                Some(Waiting::Fence { cancelled }) => self.handle_fence(cancelled),
                Some(Waiting::Probe) => Ok(()),
                None => {
                    tracing::debug!(id, "the database server answers what was not asked");
                    Ok(())
                }
            },
        }
    }

    /// Whether there is an event to be taken.
    pub(crate) fn has_event(&self) -> bool {
        !self.locks.is_empty() || self.monitors.values().any(Replica::is_due)
    }

    /// The next event.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        if let Some((lock, state)) = self.locks.pop_first() {
            return Some(match state {
                LockState::Locked => Event::Locked(lock),
                LockState::Stolen => Event::Stolen(lock),
            });
        }
        let (id, replica) = self.monitors.iter_mut().find(|(_, replica)| replica.is_due())?;
        Some(Event::Changed(replica.take_batch(*id)))
    }

    fn echo(&mut self, id: u64, waiting: Waiting) {
        let params = RawValue::from_string("[]".to_owned()).expect("an empty array is JSON");
        jsonrpc::write_request(&mut self.outbox, id, "echo", &params);
        self.waiting.insert(id, waiting);
    }

    /// RFC 7047 has a cancelled request answered with an error, but the ovsdb-server of Open vSwitch 3.1 drops it without
    /// a word. It takes messages in order, so what is not answered by now never will be; whoever waits must hear that.
    fn handle_fence(&mut self, cancelled: u64) -> Result<(), Error> {
        let Some(Waiting::Asked { method, purpose, permit }) = self.waiting.remove(&cancelled) else {
            return Ok(());
        };
        drop(permit);
        let canceled = RawValue::from_string("\"canceled\"".to_owned()).expect("a string is JSON");
        self.handle_answer(method, purpose, Outcome::Error(&canceled))
    }

    fn handle_notification(&mut self, method: &str, params: &RawValue) -> Result<(), Error> {
        match method {
            "update3" => {
                let (id, last, updates): (u64, Uuid, &RawValue) = read("update3", params)?;
                self.handle_update(MonitorId(id), Some(last), updates)
            }
            "update" | "update2" => {
                let (id, updates): (u64, &RawValue) = read("update", params)?;
                self.handle_update(MonitorId(id), None, updates)
            }
            "locked" | "stolen" => {
                let (lock,): (String,) = read("a word on a lock", params)?;
                let state = if method == "locked" { LockState::Locked } else { LockState::Stolen };
                if self.locks.len() >= LOCKS_UNSHOWN && !self.locks.contains_key(&lock) {
                    return Err(Error::TooManyLocks { limit: LOCKS_UNSHOWN });
                }
                self.locks.insert(lock, state);
                Ok(())
            }
            "monitor_canceled" => {
                let (id,): (u64,) = read("the end of a monitor", params)?;
                match self.monitors.remove(&MonitorId(id)) {
                    // Its watcher would wait for ever on a copy that goes stale.
                    Some(_) => Err(Error::MonitorEnded),
                    None => Ok(()),
                }
            }
            other => {
                tracing::debug!(method = other, "the database server tells something that we don't know");
                Ok(())
            }
        }
    }

    fn handle_update(&mut self, id: MonitorId, last: Option<Uuid>, updates: &RawValue) -> Result<(), Error> {
        // Updates of a monitor that is being cancelled may still be under way.
        let Some(replica) = self.monitors.get_mut(&id) else { return Ok(()) };
        replica.update(updates)?;
        replica.reached(last.map(TransactionId));
        Ok(())
    }

    fn handle_answer(
        &mut self,
        method: &'static str,
        purpose: Purpose,
        outcome: Outcome<'_>,
    ) -> Result<(), Error> {
        let result = match outcome {
            Outcome::Result(result) => Ok(result),
            Outcome::Error(error) => {
                Err(Error::Refused { method, refusal: read::<Refusal>("a refusal", error)? })
            }
        };
        // Whoever asked may have gone meanwhile, which is no concern of ours: hence the results not looked at.
        match purpose {
            Purpose::Call(answer) => {
                let _ = answer.send(result.map(|result| result.map(RawValue::to_owned)));
            }
            Purpose::EndMonitor { id, answer } => {
                self.monitors.remove(&id);
                let _ = answer.send(result.map(|result| result.map(RawValue::to_owned)));
            }
            Purpose::Monitor { id, mut replica, method, answer } => {
                let started = match result {
                    Ok(result) => Ok(start_monitor(&mut replica, method, result)?),
                    Err(refused) => Err(refused),
                };
                if started.is_ok() {
                    self.monitors.insert(id, *replica);
                }
                let _ = answer.send(started);
            }
        }
        Ok(())
    }
}

fn start_monitor(
    replica: &mut Replica,
    method: MonitorMethod,
    result: Option<&RawValue>,
) -> Result<Started, Error> {
    let empty = RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
    let result = result.unwrap_or(&empty);
    if method != MonitorMethod::CondSince {
        replica.start(Start::Anew, result)?;
        replica.reached(None);
        return Ok(Started { start: Start::Anew });
    }
    let (found, last, updates): (bool, Uuid, &RawValue) = read("the start of a monitor", result)?;
    let start = if found { Start::Resumed } else { Start::Anew };
    replica.start(start, updates)?;
    replica.reached(Some(TransactionId(last)));
    Ok(Started { start })
}

fn read<'a, T: serde::Deserialize<'a>>(what: &'static str, text: &'a RawValue) -> Result<T, Error> {
    serde_json::from_str(text.get()).map_err(decoding(what))
}

fn decoding(what: &'static str) -> impl Fn(serde_json::Error) -> Error {
    move |source| Error::Decode { what, source }
}
