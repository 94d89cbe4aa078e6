//! One client's session: JSON-RPC requests in, answers and updates out (RFC 7047 section 4).

use serde_json::{Map, Value};

use super::commit::{Change, Commit};
use super::framing::Framing;
use super::monitor::{Method, Monitor};
use super::operation;
use super::refusal::Refusal;
use super::row::Ids;
use super::schema::{self, DATABASE};
use super::store::Store;
use super::value::{id_text, write_text};

/// How many monitors and locks a session may have.
const HELD_MAX: usize = 256;

/// What is known about a session; nothing of it outlives the connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) framing: Framing,
    monitors: Vec<Monitor>,
    locks: Vec<String>,
}

/// Why a session is over: what came is not JSON-RPC.
#[derive(Debug)]
pub(super) struct NotJsonRpc;

/// A request, taken apart.
struct Request {
    method: String,
    params: Vec<Value>,
    id: Value,
}

impl Session {
    /// Takes one message. The transaction in it, if there is one that may be committed, has been told to monitors and
    /// must be carried out before anything else happens.
    pub(super) fn handle(
        &mut self,
        message: &[u8],
        store: &mut Store,
        out: &mut Vec<u8>,
    ) -> Result<Option<Commit>, NotJsonRpc> {
        let Some(request) = read_request(message)? else { return Ok(None) };
        if request.method == "transact" && is_about_database(&request.params) {
            return Ok(self.transact(&request, store, out));
        }
        let mut answer = Vec::new();
        let outcome = self.answer(&request, store, &mut answer, out);
        match outcome {
            Ok(()) => write_reply(&request.id, &answer, out),
            Err(Fault::Refused(refusal)) => {
                answer.clear();
                refusal.write(&mut answer);
                write_error(&request.id, &answer, out);
            }
            Err(Fault::Word(word)) => {
                answer.clear();
                write_text(&mut answer, word);
                write_error(&request.id, &answer, out);
            }
        }
        Ok(None)
    }

    /// Bytes kept for the client.
    pub(super) fn resident_bytes(&self) -> usize {
        let monitors = self.monitors.iter().map(Monitor::resident_bytes);
        self.framing.capacity()
            + monitors.sum::<usize>()
            + self.locks.iter().map(String::capacity).sum::<usize>()
    }

    /// Tells every monitor of changes.
    pub(super) fn tell(&self, changes: &[Change], ids: Ids, out: &mut Vec<u8>) {
        for monitor in &self.monitors {
            monitor.write_changes(changes, ids, out);
        }
    }

    fn transact(&mut self, request: &Request, store: &mut Store, out: &mut Vec<u8>) -> Option<Commit> {
        let mut answer = Vec::new();
        let commit = operation::execute(store, &request.params[1..], &self.locks, &mut answer);
        if let Some(commit) = &commit {
            self.tell(&commit.changes, store.ids(), out);
            commit.apply(store);
        }
        write_reply(&request.id, &answer, out);
        commit
    }

    fn answer(
        &mut self,
        request: &Request,
        store: &Store,
        answer: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let params = &request.params;
        match request.method.as_str() {
            "echo" => answer.extend_from_slice(Value::Array(params.clone()).to_string().as_bytes()),
            "list_dbs" => answer.extend_from_slice(format!("[\"{DATABASE}\",\"_Server\"]").as_bytes()),
            "get_server_id" => write_text(answer, &id_text(store.ids().id(0))),
            "set_db_change_aware" => answer.extend_from_slice(b"{}"),
            "get_schema" => {
                check_database(request)?;
                answer.extend_from_slice(schema::text().as_bytes());
            }
            "transact" => check_database(request)?,
            "lock" | "steal" => {
                self.lock(request)?;
                answer.extend_from_slice(b"{\"locked\":true}");
            }
            "unlock" => {
                self.unlock(request)?;
                answer.extend_from_slice(b"{}");
            }
            "monitor" => self.monitor(request, Method::Plain, store, answer)?,
            "monitor_cond" => self.monitor(request, Method::Cond, store, answer)?,
            "monitor_cond_since" => self.monitor(request, Method::CondSince, store, answer)?,
            "monitor_cond_change" => {
                self.change_conditions(request, store, out)?;
                answer.extend_from_slice(b"{}");
            }
            "monitor_cancel" => {
                let id = params.first().cloned().unwrap_or(Value::Null);
                let at = self.monitors.iter().position(|monitor| monitor.id == id);
                self.monitors.remove(at.ok_or(Fault::Word("unknown monitor"))?);
                answer.extend_from_slice(b"{}");
            }
            _ => return Err(Fault::Word("unknown method")),
        }
        Ok(())
    }

    fn monitor(
        &mut self,
        request: &Request,
        method: Method,
        store: &Store,
        answer: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        check_database(request)?;
        let params = &request.params;
        let expected = if method == Method::CondSince { 4 } else { 3 };
        if params.len() != expected {
            return Err(Refusal::syntax(&Value::Array(params.clone()), "invalid parameters").into());
        }
        if self.monitors.iter().any(|monitor| monitor.id == params[1]) {
            return Err(Refusal::syntax(&params[1], "duplicate monitor ID").into());
        }
        if self.monitors.len() >= HELD_MAX {
            return Err(Refusal::new("resources exhausted", "too many monitors").into());
        }
        let monitor = Monitor::parse(params[1].clone(), method, &params[2])?;
        monitor.write_start(store, answer);
        self.monitors.push(monitor);
        Ok(())
    }

    fn change_conditions(
        &mut self,
        request: &Request,
        store: &Store,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let [old, new, requests] = request.params.as_slice() else {
            let params = Value::Array(request.params.clone());
            return Err(Refusal::syntax(&params, "invalid parameters").into());
        };
        let is_taken = old != new && self.monitors.iter().any(|monitor| monitor.id == *new);
        let monitor = self.monitors.iter_mut().find(|monitor| monitor.id == *old);
        let monitor = monitor.ok_or_else(|| Refusal::syntax(old, "unknown monitor session"))?;
        if is_taken {
            return Err(Refusal::syntax(new, "duplicate monitor ID").into());
        }
        Ok(monitor.change_conditions(new.clone(), requests, store, out)?)
    }

    /// Nobody else can hold it: a simulated host has one client.
    fn lock(&mut self, request: &Request) -> Result<(), Fault> {
        let name = lock_name(request)?;
        if self.locks.contains(&name) {
            let params = Value::Array(request.params.clone());
            let method = &request.method;
            return Err(
                Refusal::syntax(&params, format!("must issue \"unlock\" before new \"{method}\"")).into()
            );
        }
        if self.locks.len() >= HELD_MAX {
            return Err(Refusal::new("resources exhausted", "too many locks").into());
        }
        self.locks.push(name);
        Ok(())
    }

    fn unlock(&mut self, request: &Request) -> Result<(), Fault> {
        let name = lock_name(request)?;
        let at = self.locks.iter().position(|held| *held == name).ok_or_else(|| {
            let params = Value::Array(request.params.clone());
            Refusal::syntax(&params, "unlock: \"unlock\" without \"lock\" or \"steal\"")
        })?;
        self.locks.remove(at);
        Ok(())
    }
}

/// Why a request gets an error for an answer.
enum Fault {
    Refused(Refusal),
    Word(&'static str),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::Refused(refusal)
    }
}

/// Reads a message; nothing if it is an answer to an echo or a notification, of which none needs an answer.
fn read_request(message: &[u8]) -> Result<Option<Request>, NotJsonRpc> {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(message) else { return Err(NotJsonRpc) };
    let known = ["method", "params", "id", "result", "error"];
    if members.keys().any(|name| !known.contains(&name.as_str())) {
        return Err(NotJsonRpc);
    }
    let id = members.remove("id").unwrap_or(Value::Null);
    let Some(method) = take(&mut members, "method") else {
        let (result, error) = (take(&mut members, "result"), take(&mut members, "error"));
        let is_answer = result.is_some() != error.is_some() && !id.is_null();
        return if is_answer { Ok(None) } else { Err(NotJsonRpc) };
    };
    let (Value::String(method), Some(Value::Array(params))) = (method, take(&mut members, "params")) else {
        return Err(NotJsonRpc);
    };
    if take(&mut members, "result").is_some() || take(&mut members, "error").is_some() {
        return Err(NotJsonRpc);
    }
    Ok((!id.is_null()).then_some(Request { method, params, id }))
}

fn take(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    members.remove(name).filter(|value| !value.is_null())
}

fn is_about_database(params: &[Value]) -> bool {
    params.first().and_then(Value::as_str) == Some(DATABASE)
}

fn check_database(request: &Request) -> Result<(), Fault> {
    if is_about_database(&request.params) {
        return Ok(());
    }
    let (params, method) = (Value::Array(request.params.clone()), &request.method);
    Err(match request.params.first().and_then(Value::as_str) {
        Some(name) => Refusal::about(
            "unknown database",
            &params,
            format!("{method} request specifies unknown database {name}"),
        ),
        None => Refusal::syntax(&params, format!("{method} request params must begin with <db-name>")),
    }
    .into())
}

fn lock_name(request: &Request) -> Result<String, Fault> {
    match request.params.as_slice() {
        [Value::String(name)] => Ok(name.clone()),
        _ => Err(Refusal::syntax(&Value::Array(request.params.clone()), "lock name must be <id>").into()),
    }
}

fn write_reply(id: &Value, result: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.to_string().as_bytes());
    out.extend_from_slice(b",\"result\":");
    out.extend_from_slice(result);
    out.extend_from_slice(b",\"error\":null}");
}

/// An error goes without a result, unlike RFC 7047 has it.
fn write_error(id: &Value, error: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.to_string().as_bytes());
    out.extend_from_slice(b",\"error\":");
    out.extend_from_slice(error);
    out.push(b'}');
}
