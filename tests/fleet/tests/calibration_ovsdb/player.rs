//! Plays requests on a server and brings what it answers and tells into normal form.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// A way to a database server.
pub trait Wire {
    fn send(&mut self, bytes: &[u8]) -> Result<()>;
    /// The next message; nothing if the server has closed the connection.
    fn receive(&mut self) -> Result<Option<Value>>;
}

/// What came of one step, in normal form.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub answer: Value,
    pub told_before: Vec<Value>,
    /// Rows touched by ovs-vswitchd, as `row kind`.
    pub touched_after: BTreeSet<String>,
    pub rows: BTreeMap<String, BTreeMap<String, Value>>,
}

/// Plays steps on one server and keeps what its monitor shows.
pub struct Player<W> {
    wire: W,
    labels: BTreeMap<String, String>,
    rows: BTreeMap<String, BTreeMap<String, Value>>,
    syncs: i64,
}

impl<W: Wire> Player<W> {
    pub fn new(wire: W) -> Player<W> {
        Player { wire, labels: BTreeMap::new(), rows: BTreeMap::new(), syncs: 0 }
    }

    pub fn request(&mut self, id: &Value, method: &str, params: &Value) -> Result<(Value, Vec<Value>)> {
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

    pub fn play(&mut self, method: &str, params: &Value) -> Result<Outcome> {
        let params = self.fill_in(params);
        let (answer, told) = self.request(&json!(7), method, &params)?;
        if params.get(1) == Some(&json!("main")) {
            self.apply(&answer["result"][2])?;
        }
        self.learn(&told)?;
        let told = told.iter().filter_map(|message| self.without_correction(message));
        let mut told_before: Vec<Value> = told.map(|message| self.normal(&message)).collect();
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
        let told = told.iter().filter_map(|message| self.without_correction(message));
        Ok(told.flat_map(|message| self.touched(&message)).collect())
    }

    /// The message without what comes at any time: a while after it has made a bridge, ovs-vswitchd corrects the MAC address
    /// of the bridge's own interface.
    fn without_correction(&self, message: &Value) -> Option<Value> {
        let mut message = message.clone();
        let updates = message["params"].as_array_mut()?.last_mut()?.as_object_mut()?;
        if let Some(interfaces) = updates.get_mut("Interface").and_then(Value::as_object_mut) {
            let is_correction = |id: &String, row: &Value| {
                let columns = row["modify"].as_object();
                let is_own = ["Interface:br-int", "Interface:br1"].contains(&self.label(id).as_str());
                is_own && columns.is_some_and(|columns| columns.keys().eq(["mac_in_use"]))
            };
            interfaces.retain(|id, row| !is_correction(id, row));
            if interfaces.is_empty() {
                updates.remove("Interface");
            }
        }
        (!updates.is_empty()).then_some(message)
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
