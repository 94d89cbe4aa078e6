//! What operators and container plumbing do on their own hosts.

use serde_json::{Value, json};

use super::database;
use crate::ovsdb::{Database, Effect, LocalChange};

const NONE: &str = "00000000-0000-0000-0000-000000000000";

/// Does it, and gives what a monitor was told and what else happened.
fn local(database: &mut Database, change: LocalChange) -> (Vec<Value>, Vec<Effect>) {
    let mut out = Vec::new();
    let effects = database.local(change, &mut out);
    (read(&out), effects)
}

fn send(database: &mut Database, method: &str, params: &Value) -> (Vec<Value>, Vec<Effect>) {
    let mut out = Vec::new();
    let message = json!({"id": 1, "method": method, "params": params}).to_string();
    let effects = database.handle(message.as_bytes(), &mut out);
    (read(&out), effects)
}

fn read(out: &[u8]) -> Vec<Value> {
    serde_json::Deserializer::from_slice(out).into_iter().collect::<Result<_, _>>().expect("JSON comes out")
}

fn plug(name: &str) -> LocalChange {
    LocalChange::PlugInterface { name: name.into(), iface_id: format!("id-of-{name}") }
}

fn unplug(name: &str) -> LocalChange {
    LocalChange::Unplug { name: name.into() }
}

fn added(ofport: u32, name: &str) -> Effect {
    Effect::PortAdded { bridge: "br-int".into(), ofport, name: name.into() }
}

fn removed(ofport: u32, name: &str) -> Effect {
    Effect::PortRemoved { bridge: "br-int".into(), ofport, name: name.into() }
}

/// A host with a bridge and a tunnel, and a monitor of interfaces.
fn host() -> Database {
    let mut database = database();
    let monitored = json!({"Interface": {"columns": ["name", "ofport", "error", "options", "external_ids"]}});
    send(&mut database, "monitor_cond_since", &json!(["Open_vSwitch", 1, monitored, NONE]));
    let transaction = json!(["Open_vSwitch",
        {"op": "insert", "table": "Interface", "row": {"name": "br-int", "type": "internal"}, "uuid-name": "i"},
        {"op": "insert", "table": "Port", "row": {"name": "br-int", "interfaces": ["named-uuid", "i"]},
            "uuid-name": "p"},
        {"op": "insert", "table": "Interface", "row": {"name": "wv-9", "type": "vxlan", "ofport_request": 33_009,
            "options": ["map", [["key", "flow"], ["remote_ip", "127.1.0.9"]]]}, "uuid-name": "t"},
        {"op": "insert", "table": "Port", "row": {"name": "wv-9", "interfaces": ["named-uuid", "t"]},
            "uuid-name": "q"},
        {"op": "insert", "table": "Bridge", "row": {"name": "br-int", "datapath_type": "netdev",
            "ports": ["set", [["named-uuid", "p"], ["named-uuid", "q"]]]}, "uuid-name": "b"},
        {"op": "mutate", "table": "Open_vSwitch", "where": [],
            "mutations": [["bridges", "insert", ["named-uuid", "b"]]]}]);
    let (messages, effects) = send(&mut database, "transact", &transaction);
    assert!(messages[1]["result"][5]["count"] == 1, "{messages:?}");
    assert_eq!(effects[1..], [added(65_534, "br-int"), added(33_009, "wv-9")]);
    database
}

/// The only row of an update of interfaces.
fn row(message: &Value) -> &Value {
    let rows = message["params"][2]["Interface"].as_object().expect("interfaces");
    assert_eq!(rows.len(), 1, "{message}");
    rows.values().next().expect("one")
}

#[test]
fn workloads_come_and_go() {
    let mut host = host();
    let (told, effects) = local(&mut host, plug("tap0"));
    assert_eq!(effects, [added(1, "tap0")]);
    assert_eq!(row(&told[0])["insert"]["external_ids"], json!(["map", [["iface-id", "id-of-tap0"]]]));
    assert_eq!(*row(&told[1]), json!({"modify": {"ofport": 1}}));
    assert_eq!(local(&mut host, plug("tap0")), (vec![], vec![]), "the name is taken");
    let (told, effects) = local(&mut host, unplug("tap0"));
    assert_eq!((row(&told[0]), effects), (&json!({"delete": null}), vec![removed(1, "tap0")]));
    assert_eq!(local(&mut host, unplug("tap0")), (vec![], vec![]));
    let (_, effects) = local(&mut host, plug("tap0"));
    assert_eq!(effects, [added(2, "tap0")], "a number is not used again at once");
}

#[test]
fn tunnels_are_broken_and_mended() {
    let mut host = host();
    let set = |value: &str| LocalChange::SetOption {
        name: "wv-9".into(),
        key: "remote_ip".into(),
        value: value.into(),
    };
    let (told, effects) = local(&mut host, set("127.1.0.99"));
    assert_eq!(*row(&told[0]), json!({"modify": {"options": ["map", [["remote_ip", "127.1.0.99"]]]}}));
    assert_eq!((told.len(), effects.len()), (1, 0), "a tunnel may lead elsewhere without being another port");
    let (told, effects) = local(&mut host, set("nowhere"));
    assert_eq!(
        (row(&told[1])["modify"]["ofport"].as_i64(), effects),
        (Some(-1), vec![removed(33_009, "wv-9")])
    );
    let (told, effects) = local(&mut host, set("127.1.0.9"));
    assert_eq!(row(&told[1])["modify"]["error"], json!(["set", []]));
    assert_eq!(effects, [added(33_009, "wv-9")]);
    let (told, effects) = local(&mut host, unplug("wv-9"));
    assert_eq!((row(&told[0]), effects), (&json!({"delete": null}), vec![removed(33_009, "wv-9")]));
}

#[test]
fn a_bridge_goes_with_everything_in_it_and_workloads_wait_for_the_next() {
    let mut host = host();
    local(&mut host, plug("tap0"));
    let (told, effects) = local(&mut host, LocalChange::RemoveBridge { bridge: "br-int".into() });
    assert_eq!(effects, [Effect::BridgeRemoved { bridge: "br-int".into() }]);
    assert_eq!(told[0]["params"][2]["Interface"].as_object().map(serde_json::Map::len), Some(3));
    assert_eq!(host.effects_of_restart(), []);
    for name in ["tap0", "tap1", "tap2"] {
        assert_eq!(local(&mut host, plug(name)), (vec![], vec![]));
    }
    local(&mut host, unplug("tap1"));
    let transaction = json!(["Open_vSwitch",
        {"op": "insert", "table": "Bridge", "row": {"name": "br-int", "datapath_type": "netdev"}, "uuid-name": "b"},
        {"op": "mutate", "table": "Open_vSwitch", "where": [],
            "mutations": [["bridges", "insert", ["named-uuid", "b"]]]}]);
    let (_, effects) = send(&mut host, "transact", &transaction);
    assert_eq!(effects[1..], [added(1, "tap0"), added(2, "tap2")]);
}

#[test]
fn rows_outlive_the_session() {
    let mut host = host();
    local(&mut host, plug("tap0"));
    host.disconnected();
    let (told, effects) = local(&mut host, plug("tap1"));
    assert_eq!((told.len(), effects), (0, vec![added(2, "tap1")]), "nobody monitors");
    let select =
        json!(["Open_vSwitch", {"op": "select", "table": "Interface", "where": [], "columns": ["ofport"]}]);
    let (messages, _) = send(&mut host, "transact", &select);
    let numbers = json!([{"ofport": 65_534}, {"ofport": 33_009}, {"ofport": 1}, {"ofport": 2}]);
    assert_eq!(messages[0]["result"][0]["rows"], numbers);
}
