//! One script of requests is played to a real ovsdb-server with a real ovs-vswitchd, and to a simulated host's database:
//! what both answer and tell must be the same.
//!
//! Compared are, step by step: the answer; the updates that come before it; and, because how many updates ovs-vswitchd
//! makes of its own work depends on its timing, the state of all rows once it is done, and which rows it touched.
//!
//! What is not compared, and why:
//! - ids of rows: both choose their own; rows are called by their names instead;
//! - the order of rows in an update, of members of sets and of pairs of maps: hash order on the real one;
//! - MAC addresses: made up by both; that there is one is compared;
//! - numbers of interfaces that asked for none or did not get what they asked for: the real one uses some up each time it
//!   tries a broken interface again, and takes interfaces in hash order; that the number is a free low one is compared;
//! - how often `mac_in_use` of a bridge's own interface is written: the real one corrects it in a second update;
//! - which of two rows of one name is called the first: hash order again;
//! - how many milliseconds a wait took;
//! - `_version`: the simulator does not count versions.

#[path = "calibration_ovsdb/script.rs"]
mod script;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use weft_fleet::ovsdb::{Database, HostIdentity, Template};
use weft_rig::{Host, HostSpec, Rig, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// A way to a database server.
trait Wire {
    fn send(&mut self, bytes: &[u8]) -> Result<()>;
    /// The next message; nothing if the server has closed the connection.
    fn receive(&mut self) -> Result<Option<Value>>;
}

struct RealWire {
    stream: UnixStream,
    inbox: Vec<u8>,
}

impl RealWire {
    fn connect(host: &Host) -> Result<RealWire> {
        let stream = UnixStream::connect(host.db_socket())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(RealWire { stream, inbox: Vec::new() })
    }
}

impl Wire for RealWire {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    fn receive(&mut self) -> Result<Option<Value>> {
        loop {
            let mut messages = serde_json::Deserializer::from_slice(&self.inbox).into_iter::<Value>();
            if let Some(Ok(message)) = messages.next() {
                let used = messages.byte_offset();
                self.inbox.drain(..used);
                return Ok(Some(message));
            }
            let mut buffer = [0; 65536];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
                Ok(read) => self.inbox.extend_from_slice(&buffer[..read]),
                Err(error) => return Err(error).context("no message came"),
            }
        }
    }
}

struct SimulatedWire {
    database: Database,
    messages: VecDeque<Value>,
}

impl SimulatedWire {
    fn new() -> SimulatedWire {
        SimulatedWire {
            database: Database::new(&identity(), &Template::default()),
            messages: VecDeque::new(),
        }
    }
}

impl Wire for SimulatedWire {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let mut out = Vec::new();
        self.database.handle(bytes, &mut out);
        for message in serde_json::Deserializer::from_slice(&out).into_iter::<Value>() {
            self.messages.push_back(message.with_context(|| String::from_utf8_lossy(&out).into_owned())?);
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Value>> {
        match self.messages.pop_front() {
            None if self.database.is_closed() => Ok(None),
            None => bail!("the simulated server has nothing to say"),
            some => Ok(some),
        }
    }
}

fn identity() -> HostIdentity {
    HostIdentity {
        number: 4,
        system_id: "h1".into(),
        hostname: "h1".into(),
        encap_ip: std::net::Ipv4Addr::new(127, 1, 0, 4).into(),
    }
}

/// What came of one step, in normal form.
#[derive(Debug, PartialEq)]
struct Outcome {
    answer: Value,
    told_before: Vec<Value>,
    /// Rows touched by ovs-vswitchd, as `row kind`.
    touched_after: BTreeSet<String>,
    rows: BTreeMap<String, BTreeMap<String, Value>>,
}

/// Plays steps on one server and keeps what its monitor shows.
struct Player<W> {
    wire: W,
    labels: BTreeMap<String, String>,
    rows: BTreeMap<String, BTreeMap<String, Value>>,
    syncs: i64,
}

impl<W: Wire> Player<W> {
    fn new(wire: W) -> Player<W> {
        Player { wire, labels: BTreeMap::new(), rows: BTreeMap::new(), syncs: 0 }
    }

    fn request(&mut self, id: &Value, method: &str, params: &Value) -> Result<(Value, Vec<Value>)> {
        let message = json!({"id": id, "method": method, "params": params});
        self.wire.send(message.to_string().as_bytes())?;
        let mut told = Vec::new();
        loop {
            let message = self.wire.receive()?.context("the server closed the connection")?;
            if message.get("method").is_none() && message["id"] == *id {
                return Ok((message, told));
            }
            told.push(message);
        }
    }

    fn play(&mut self, method: &str, params: &Value) -> Result<Outcome> {
        let params = self.fill_in(params);
        let (answer, told) = self.request(&json!(7), method, &params)?;
        if params.get(1) == Some(&json!("main")) {
            self.apply(&answer["result"][2])?;
        }
        self.learn(&told)?;
        let mut told_before: Vec<Value> = told.iter().map(|message| self.normal(message)).collect();
        told_before.sort_by_key(|message| message["params"][0].to_string());
        let answer = self.normal(&answer);
        let touched_after = self.sync()?;
        Ok(Outcome { answer, told_before, touched_after, rows: self.normal_rows() })
    }

    /// Waits until ovs-vswitchd has done everything; returns what it touched.
    fn sync(&mut self) -> Result<BTreeSet<String>> {
        self.syncs += 1;
        let mutation = json!(["next_cfg", "+=", 1]);
        let operation =
            json!({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [mutation]});
        let id = json!("sync");
        let (answer, mut told) = self.request(&id, "transact", &json!(["Open_vSwitch", operation]))?;
        ensure!(answer["result"][0]["count"] == 1, "{answer}");
        self.learn(&told)?;
        if self.rows.is_empty() {
            return Ok(BTreeSet::new());
        }
        loop {
            let root = self.rows.get("Open_vSwitch").context("no root row")?;
            if root.get("cur_cfg").is_some() && root.get("cur_cfg") == root.get("next_cfg") {
                break;
            }
            let message = self.wire.receive()?.context("the server closed the connection")?;
            self.learn(std::slice::from_ref(&message))?;
            told.push(message);
        }
        Ok(told.iter().flat_map(|message| self.touched(message)).collect())
    }

    /// Names what an update touches, except for what every sync does.
    fn touched(&self, message: &Value) -> Vec<String> {
        let updates = message["params"].as_array().and_then(|params| params.last());
        let mut touched = Vec::new();
        for (table, rows) in updates.and_then(Value::as_object).into_iter().flatten() {
            for (id, row) in rows.as_object().into_iter().flatten().filter(|_| table != "Open_vSwitch") {
                let kind = row.as_object().and_then(|row| row.keys().next()).map_or("", String::as_str);
                touched.push(format!("{} {kind}", self.label(id)));
            }
        }
        touched
    }

    /// Takes in updates: names of new rows, and for the main monitor the rows themselves.
    fn learn(&mut self, messages: &[Value]) -> Result<()> {
        for message in messages {
            let Some(params) = message["params"].as_array() else { continue };
            let updates = params.last().context("an update without content")?;
            for (table, rows) in updates.as_object().into_iter().flatten() {
                for (id, row) in rows.as_object().into_iter().flatten() {
                    self.name(table, id, row);
                }
            }
            if params[0] == "main" {
                self.apply(updates)?;
            }
        }
        Ok(())
    }

    fn name(&mut self, table: &str, id: &str, row: &Value) {
        let new = ["initial", "insert", "new"].iter().find_map(|word| row.get(*word));
        let name = new.and_then(|row| row.get("name").or_else(|| row.get("target"))).and_then(Value::as_str);
        match name {
            Some(name) => drop(self.labels.insert(id.to_owned(), format!("{table}:{name}"))),
            None if table == "Open_vSwitch" => drop(self.labels.insert(id.to_owned(), table.to_owned())),
            None => {}
        }
    }

    fn apply(&mut self, updates: &Value) -> Result<()> {
        for (table, rows) in updates.as_object().into_iter().flatten() {
            for (id, row) in rows.as_object().into_iter().flatten() {
                self.name(table, id, row);
                let label = self.label(id);
                if let Some(new) = row.get("initial").or_else(|| row.get("insert")) {
                    let columns = new.as_object().context("a row")?.clone();
                    self.rows.insert(label, columns.into_iter().collect());
                } else if row.get("delete").is_some() {
                    self.rows.remove(&label).with_context(|| format!("{label} was not there"))?;
                } else {
                    let held = self.rows.get_mut(&label).with_context(|| format!("{label} is not there"))?;
                    for (column, change) in row["modify"].as_object().context("columns")? {
                        let before = held.remove(column).unwrap_or(Value::Null);
                        if let Some(after) = changed(&before, change, column) {
                            held.insert(column.clone(), after);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn label(&self, id: &str) -> String {
        self.labels.get(id).cloned().unwrap_or_else(|| "?".to_owned())
    }

    /// Puts ids where the script has `@label`.
    fn fill_in(&self, json: &Value) -> Value {
        match json {
            Value::String(text) if text.starts_with('@') => {
                let known = self.labels.iter().find(|(_, label)| **label == text[1..]);
                json!(known.map_or(text.as_str(), |(id, _)| id))
            }
            Value::Array(members) => members.iter().map(|member| self.fill_in(member)).collect(),
            Value::Object(members) => {
                let members = members.iter().map(|(name, member)| (name.clone(), self.fill_in(member)));
                Value::Object(members.collect())
            }
            other => other.clone(),
        }
    }

    fn normal_rows(&self) -> BTreeMap<String, BTreeMap<String, Value>> {
        let mut rows = BTreeMap::new();
        for (label, columns) in &self.rows {
            let columns =
                columns.iter().filter(|(column, _)| !["next_cfg", "cur_cfg"].contains(&column.as_str()));
            let columns = columns.map(|(column, value)| (column.clone(), self.normal_column(column, value)));
            rows.insert(label.clone(), columns.collect());
        }
        rows
    }

    fn normal_column(&self, column: &str, value: &Value) -> Value {
        match (column, value) {
            ("mac_in_use", Value::String(mac)) if mac.len() == 17 => json!("<mac>"),
            ("ofport", Value::Number(number)) if (1..32_768).contains(&number.as_i64().unwrap_or(0)) => {
                json!("<low>")
            }
            _ => self.normal(value),
        }
    }

    fn normal(&self, json: &Value) -> Value {
        match json {
            Value::String(text) => json!(self.normal_text(text)),
            Value::Array(members) => match members.as_slice() {
                [Value::String(tag), Value::String(id)] if tag == "uuid" => {
                    json!(format!("<{}>", self.label(id)))
                }
                [Value::String(tag), Value::Array(set)] if tag == "set" || tag == "map" => {
                    let mut set: Vec<Value> = set.iter().map(|member| self.normal(member)).collect();
                    set.sort_by_key(Value::to_string);
                    json!([tag, set])
                }
                _ => members.iter().map(|member| self.normal(member)).collect(),
            },
            Value::Object(members) => {
                let normal = |(name, value): (&String, &Value)| {
                    let mut value = self.normal_column(name, value);
                    if name == "rows" {
                        value.as_array_mut().into_iter().for_each(|rows| rows.sort_by_key(Value::to_string));
                    }
                    (self.normal_text(name), value)
                };
                let mut members: Vec<(String, Value)> =
                    members.iter().filter(|(name, _)| *name != "_version").map(normal).collect();
                members.sort_by(|one, other| one.0.cmp(&other.0));
                Value::Object(members.into_iter().collect())
            }
            other => other.clone(),
        }
    }

    /// Texts may quote ids, and how long something took.
    fn normal_text(&self, text: &str) -> String {
        let mut normal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(id) = rest.get(..36).filter(|id| is_id(id)) {
                normal.push_str(&self.label(id));
                rest = &rest[36..];
            } else {
                normal.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        if let Some((before, _)) = normal.split_once("timed out after ") {
            return format!("{before}timed out after <n> ms");
        }
        if let (Some(first), Some(second)) = (normal.find("First row, "), normal.find("Second row, ")) {
            let (first, second) = (&normal[first + 11..second], &normal[second + 12..]);
            let mut rows = [first.trim(), second.trim()];
            rows.sort_unstable();
            let (before, _) = normal.split_once("First row, ").unwrap_or_default();
            return format!("{before}One row, {} Another row, {}", rows[0], rows[1]);
        }
        normal
    }
}

fn is_id(text: &str) -> bool {
    let is_right = |(at, c): (usize, char)| match at {
        8 | 13 | 18 | 23 => c == '-',
        _ => c.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.char_indices().all(is_right)
}

/// A column after a change in the form of `update2`: of sets of many and of maps it is a difference.
fn changed(before: &Value, change: &Value, column: &str) -> Option<Value> {
    let is_many = [
        "ports",
        "bridges",
        "controller",
        "protocols",
        "external_ids",
        "other_config",
        "options",
        "interfaces",
    ];
    if !is_many.contains(&column) {
        return (*change != json!(["set", []])).then(|| change.clone());
    }
    let members = |value: &Value| -> Vec<Value> {
        match value.as_array().map(Vec::as_slice) {
            Some([Value::String(tag), Value::Array(members)]) if tag == "set" || tag == "map" => {
                members.clone()
            }
            _ if value.is_null() => Vec::new(),
            _ => vec![value.clone()],
        }
    };
    let is_map = change[0] == "map";
    let mut held = members(before);
    for member in members(change) {
        let same = |other: &Value| if is_map { other[0] == member[0] } else { *other == member };
        match held.iter().position(same) {
            Some(at) if is_map && held[at] != member => held[at] = member,
            Some(at) => drop(held.remove(at)),
            None => held.push(member),
        }
    }
    (!held.is_empty()).then(|| json!([if is_map { "map" } else { "set" }, held]))
}

/// A host whose database holds what a simulated one starts with.
fn real_host() -> Result<(Rig, Host)> {
    let rig = Rig::new("calib")?;
    let host = rig.add_host(HostSpec::new("h1"))?;
    for bridge in host.vsctl(&["list-br"])?.lines() {
        host.vsctl(&["del-br", bridge])?;
    }
    host.vsctl(&[
        "set",
        "Open_vSwitch",
        ".",
        "external_ids={hostname=h1,system-id=h1,weft-encap-ip=127.1.0.4,weft-datapath-type=netdev}",
        "ovs_version=3.1.0",
        "db_version=8.3.1",
    ])?;
    host.vsctl(&["--no-wait", "set", "Open_vSwitch", ".", "next_cfg=0"])?;
    wait_until("ovs-vswitchd to follow", PATIENCE, || {
        Ok(host.vsctl(&["get", "Open_vSwitch", ".", "cur_cfg"])?.trim() == "0")
    })?;
    wait_until("ovs-vswitchd to say what it can do", PATIENCE, || {
        Ok(host.vsctl(&["get", "Open_vSwitch", ".", "iface_types"])?.contains("vxlan"))
    })?;
    Ok((rig, host))
}

#[test]
fn the_simulated_database_answers_as_the_real_one() -> Result<()> {
    let (_rig, host) = real_host()?;
    let mut real = Player::new(RealWire::connect(&host)?);
    let mut simulated = Player::new(SimulatedWire::new());
    let mut differences = Vec::new();
    for (at, (method, params)) in script::steps().into_iter().enumerate() {
        let step = format!("step {at}: {method} {params}");
        let wanted = real.play(method, &params).with_context(|| format!("the real one at {step}"))?;
        let found =
            simulated.play(method, &params).with_context(|| format!("the simulated one at {step}"))?;
        for difference in differ(&wanted, &found) {
            differences.push(format!("{step}\n{difference}"));
        }
    }
    ensure!(differences.is_empty(), "{} differences:\n\n{}", differences.len(), differences.join("\n\n"));
    Ok(())
}

fn differ(real: &Outcome, simulated: &Outcome) -> Vec<String> {
    let mut differences = Vec::new();
    if real.answer != simulated.answer {
        differences.push(format!("answer\n  real      {}\n  simulated {}", real.answer, simulated.answer));
    }
    if real.told_before != simulated.told_before {
        let (real, simulated) = (json!(real.told_before), json!(simulated.told_before));
        differences.push(format!("told before the answer\n  real      {real}\n  simulated {simulated}"));
    }
    if real.touched_after != simulated.touched_after {
        let (real, simulated) = (&real.touched_after, &simulated.touched_after);
        differences.push(format!("touched afterwards\n  real      {real:?}\n  simulated {simulated:?}"));
    }
    let labels: BTreeSet<&String> = real.rows.keys().chain(simulated.rows.keys()).collect();
    for label in labels {
        let (one, other) = (real.rows.get(label), simulated.rows.get(label));
        if one != other {
            differences.push(format!("row {label}\n  real      {one:?}\n  simulated {other:?}"));
        }
    }
    differences
}

/// Whether the server hangs up on these bytes, seen by whether it still answers behind them.
fn hangs_up(wire: &mut impl Wire, bytes: &[u8]) -> Result<bool> {
    let behind = br#"{"id":"still there","method":"echo","params":[]}"#;
    // The real one may have hung up before all is written.
    if wire.send(bytes).is_err() || wire.send(behind).is_err() {
        return Ok(true);
    }
    loop {
        match wire.receive()? {
            None => return Ok(true),
            Some(message) if message["id"] == "still there" => return Ok(false),
            Some(_) => {}
        }
    }
}

#[test]
fn both_hang_up_on_the_same_input() -> Result<()> {
    let (_rig, host) = real_host()?;
    for input in script::BROKEN {
        let real = hangs_up(&mut RealWire::connect(&host)?, input.as_bytes())?;
        let simulated = hangs_up(&mut SimulatedWire::new(), input.as_bytes())?;
        ensure!(
            real == simulated,
            "the real one hangs up on {input:?}: {real}, the simulated one: {simulated}"
        );
    }
    Ok(())
}

/// `get_schema`: our tables and columns are the real ones; only what points at left-out tables is left out.
#[test]
fn the_schema_is_a_part_of_the_real_one() -> Result<()> {
    let (_rig, host) = real_host()?;
    let ask = |player: &mut dyn FnMut() -> Result<(Value, Vec<Value>)>| -> Result<Value> {
        Ok(player()?.0["result"].clone())
    };
    let mut real = Player::new(RealWire::connect(&host)?);
    let mut simulated = Player::new(SimulatedWire::new());
    let params = json!(["Open_vSwitch"]);
    let real = ask(&mut || real.request(&json!(1), "get_schema", &params))?;
    let simulated = ask(&mut || simulated.request(&json!(1), "get_schema", &params))?;
    assert_eq!((&real["name"], &real["version"]), (&simulated["name"], &simulated["version"]));
    let tables = simulated["tables"].as_object().context("tables")?;
    for (table, ours) in tables {
        let theirs = &real["tables"][table];
        for word in ["isRoot", "maxRows", "indexes"] {
            assert_eq!(ours.get(word), theirs.get(word), "{word} of {table}");
        }
        for (name, column) in theirs["columns"].as_object().context("columns")? {
            let kind = plain_type(&column["type"]);
            let points_at =
                ["key", "value"].map(|part| kind[part]["refTable"].as_str().unwrap_or("Port").to_owned());
            match ours["columns"].get(name) {
                Some(ours) => {
                    assert_eq!(plain_type(&ours["type"]), kind, "{table}.{name}");
                    for word in ["mutable", "ephemeral"] {
                        assert_eq!(ours.get(word), column.get(word), "{word} of {table}.{name}");
                    }
                }
                None => assert!(
                    points_at.iter().any(|target| !tables.contains_key(target)),
                    "{table}.{name} is missing"
                ),
            }
        }
        for name in ours["columns"].as_object().context("columns")?.keys() {
            assert!(theirs["columns"].get(name).is_some(), "{table}.{name} is made up");
        }
    }
    Ok(())
}

/// A type with everything said that may be left out, and the words of an enumeration in order.
fn plain_type(kind: &Value) -> Value {
    let base = |base: &Value| {
        let mut base = if base.is_string() { json!({"type": base}) } else { base.clone() };
        if let Some(words) = base.pointer_mut("/enum/1").and_then(Value::as_array_mut) {
            words.sort_by_key(Value::to_string);
        }
        base
    };
    if kind.is_string() {
        return json!({"key": base(kind), "value": null, "min": 1, "max": 1});
    }
    let value = if kind["value"].is_null() { Value::Null } else { base(&kind["value"]) };
    let bound = |word: &str| if kind[word].is_null() { json!(1) } else { kind[word].clone() };
    json!({"key": base(&kind["key"]), "value": value, "min": bound("min"), "max": bound("max")})
}
