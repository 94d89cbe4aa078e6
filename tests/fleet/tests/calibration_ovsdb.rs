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

#[path = "calibration_ovsdb/player.rs"]
mod player;
#[path = "calibration_ovsdb/script.rs"]
mod script;

use std::collections::{BTreeSet, VecDeque};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use player::{Outcome, Player, Wire};
use serde_json::{Value, json};
use weft_fleet::ovsdb::{Database, HostIdentity, Template};
use weft_rig::{Host, HostSpec, Rig, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

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
