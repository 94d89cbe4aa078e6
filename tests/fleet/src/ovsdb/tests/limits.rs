//! What hosts cost, in bytes and in work, and what no input may do: panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{database, identity};
use crate::ovsdb::{Database, Effect, LocalChange, Template};

/// The transaction by which the controller creates `br-int`.
fn bridge() -> Value {
    json!(["Open_vSwitch",
        {"op": "insert", "table": "Controller", "row": {"target": "tcp:127.0.0.1:6653", "max_backoff": 1000},
            "uuid-name": "c"},
        {"op": "insert", "table": "Interface", "row": {"name": "br-int", "type": "internal"}, "uuid-name": "i"},
        {"op": "insert", "table": "Port", "row": {"name": "br-int", "interfaces": ["named-uuid", "i"]},
            "uuid-name": "p"},
        {"op": "insert", "table": "Bridge", "row": {"name": "br-int", "datapath_type": "netdev",
            "controller": ["named-uuid", "c"], "ports": ["named-uuid", "p"]}, "uuid-name": "b"},
        {"op": "mutate", "table": "Open_vSwitch", "where": [],
            "mutations": [["bridges", "insert", ["named-uuid", "b"]]]}])
}

/// The transaction by which the controller adds tunnels.
fn tunnels(count: u32) -> Value {
    let mut params = vec![json!("Open_vSwitch")];
    let mut ports = Vec::new();
    for peer in 1..=count {
        let (name, ip) = (format!("wv-{peer}"), std::net::Ipv4Addr::from(0x7f01_0000 + peer).to_string());
        let (interface, port) = (format!("i{peer}"), format!("p{peer}"));
        let marks = json!(["map", [["weft-owner", "weft"], ["weft-peer", format!("host-{peer:05}")]]]);
        let options = json!(["map", [["key", "flow"], ["remote_ip", ip]]]);
        let row = json!({"name": name, "type": "vxlan", "options": options, "external_ids": marks,
            "ofport_request": 33_000 + peer});
        params.push(json!({"op": "insert", "table": "Interface", "row": row, "uuid-name": interface}));
        let row = json!({"name": name, "interfaces": ["named-uuid", interface], "external_ids": marks});
        params.push(json!({"op": "insert", "table": "Port", "row": row, "uuid-name": port}));
        ports.push(json!(["named-uuid", port]));
    }
    params.push(json!({"op": "mutate", "table": "Bridge", "where": [["name", "==", "br-int"]],
        "mutations": [["ports", "insert", ["set", ports]]]}));
    Value::Array(params)
}

fn monitor() -> Value {
    json!(["Open_vSwitch", 1, {
        "Open_vSwitch": [{"columns": ["bridges", "external_ids", "ovs_version", "datapath_types"]}],
        "Bridge": [{"columns": ["name", "datapath_type", "datapath_id", "ports", "controller", "other_config"]}],
        "Port": [{"columns": ["name", "interfaces", "external_ids"]}],
        "Interface": [{"columns": ["name", "type", "options", "external_ids", "ofport", "ofport_request", "error"]}],
        "Controller": [{"columns": ["target", "max_backoff"]}],
    }, "00000000-0000-0000-0000-000000000000"])
}

/// Sends a request; what comes of it, and the effects.
fn ask(database: &mut Database, method: &str, params: &Value) -> (Vec<Value>, Vec<Effect>) {
    let mut out = Vec::new();
    let message = json!({"id": 1, "method": method, "params": params}).to_string();
    let effects = database.handle(message.as_bytes(), &mut out);
    let messages = serde_json::Deserializer::from_slice(&out).into_iter();
    (messages.collect::<Result<_, _>>().expect("JSON comes out"), effects)
}

fn plug(number: u32) -> LocalChange {
    let iface_id = format!("77656674-1234-4321-8000-{number:012x}");
    LocalChange::PlugInterface { name: format!("tap{number}"), iface_id }
}

/// A host as it stands in a large fleet.
fn full(workloads: u32, count: u32) -> Database {
    let mut database = database();
    ask(&mut database, "monitor_cond_since", &monitor());
    for number in 0..workloads {
        database.local(plug(number), &mut Vec::new());
    }
    ask(&mut database, "transact", &bridge());
    let (messages, effects) = ask(&mut database, "transact", &tunnels(count));
    assert_eq!(
        messages.len(),
        if count > 0 { 3 } else { 1 },
        "an update, the answer, what ovs-vswitchd makes of it"
    );
    assert_eq!(effects.len(), count as usize);
    database
}

/// 10,000 hosts with 100 workloads and 50 tunnels each are to fit into less than 1 GB, rows and all.
#[test]
fn rows_are_small() {
    let empty = full(0, 0).resident_bytes();
    let workload = (full(200, 0).resident_bytes() - empty) / 200;
    let tunnel = (full(0, 200).resident_bytes() - empty) / 200;
    let host = full(100, 50).resident_bytes() + size_of::<Database>();
    println!("bytes: {empty} empty, {workload} a workload, {tunnel} a tunnel, {host} a host of 100 and 50");
    assert!(empty < 2_000, "{empty} bytes of a host with a bridge and nothing else");
    assert!(workload <= 250, "{workload} bytes for the port and the interface of a workload");
    assert!(tunnel <= 250, "{tunnel} bytes for the port and the interface of a tunnel");
    assert!(10_000 * host < 500_000_000, "{host} bytes a host");
}

/// A host that is disconnected keeps nothing of the session.
#[test]
fn half_a_message_is_forgotten_with_its_connection() {
    let mut database = database();
    let before = database.resident_bytes();
    database.handle(&[b"{\"id\":\"".as_slice(), &[b'x'; 100_000]].concat(), &mut Vec::new());
    assert!(database.resident_bytes() > 100_000);
    database.disconnected();
    assert_eq!(database.resident_bytes(), before);
    let (messages, _) = ask(&mut database, "echo", &json!([]));
    assert_eq!(messages, [json!({"id": 1, "result": [], "error": null})]);
}

/// Sixteen times the tunnels in one transaction may cost sixteen times as much and some more, but not its square. Counted
/// is the time on a processor, which other work on the machine hardly changes.
#[test]
fn a_transaction_costs_what_it_adds() {
    let spent = || -> u64 {
        // The kernel counts a running thread's time when it looks at it, and at the latest then.
        std::thread::yield_now();
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
        text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).expect("a number")
    };
    let cost = |count: u32| {
        let once = || {
            let mut database = full(0, 0);
            let transaction = tunnels(count);
            let before = spent();
            ask(&mut database, "transact", &transaction);
            spent() - before
        };
        (0..3).map(|_| once()).min().unwrap_or_default()
    };
    let (few, many) = (cost(50), cost(800));
    assert!(many < few * 16 * 5, "50 tunnels: {few} ns, 800 tunnels: {many} ns");
}

/// Whatever happened, a new session is shown everything, and the same as the old one has pieced together.
#[test]
fn a_new_session_sees_what_the_old_one_left() {
    let mut database = full(20, 10);
    let (old, _) = ask(&mut database, "monitor_cond", &json!(["Open_vSwitch", 2, monitor()[2]]));
    database.disconnected();
    let (new, _) = ask(&mut database, "monitor_cond_since", &monitor());
    assert_eq!(new[0]["result"][0], false);
    assert_eq!(new[0]["result"][2], old[0]["result"]);
    let interfaces = old[0]["result"]["Interface"].as_object().expect("interfaces");
    assert_eq!(interfaces.len(), 31);
    assert!(interfaces.values().all(|row| row["initial"]["ofport"].as_i64() > Some(0)), "{interfaces:?}");
}

#[test]
fn ids_of_hosts_do_not_meet() {
    let rows = |number| {
        let mut database = Database::new(&identity(number), &Template::default());
        let select = json!(["Open_vSwitch", {"op": "select", "table": "Open_vSwitch", "where": []}]);
        let (messages, _) = ask(&mut database, "transact", &select);
        messages[0]["result"][0]["rows"][0]["_uuid"][1].as_str().expect("an id").to_owned()
    };
    assert_ne!(rows(1), rows(2));
    assert_ne!(rows(1), rows(65_537));
}

/// Requests that do something, to be mutilated.
fn requests() -> Vec<String> {
    let request =
        |method: &str, params: Value| json!({"id": 1, "method": method, "params": params}).to_string();
    let select = json!({"op": "select", "table": "Interface", "where": [["ofport", "<", 7], ["options", "includes",
        ["map", [["key", "flow"]]]], ["_uuid", "!=", ["named-uuid", "x"]]], "columns": ["name", "_uuid", "_version"]});
    let mutate = json!({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "*=", 3],
        ["external_ids", "delete", ["set", ["a"]]], ["bridges", "delete", ["set", []]]]});
    let wait = json!({"op": "wait", "timeout": 0, "table": "Bridge", "where": [true], "columns": ["name"],
        "until": "!=", "rows": [{"name": "x"}]});
    let update = json!({"op": "update", "table": "Interface", "where": [], "row": {"type": "geneve",
        "ofport_request": 77, "options": ["map", [["remote_ip", "10.0.0.1"]]]}});
    let delete = json!({"op": "delete", "table": "Bridge", "where": []});
    vec![
        request("monitor_cond_since", monitor()),
        request("monitor_cond_change", json!([1, 1, {"Interface": [{"where": [["name", "==", "x"]]}]}])),
        request("monitor", json!(["Open_vSwitch", 9, {"Port": {}}])),
        request("transact", bridge()),
        request("transact", tunnels(2)),
        request("transact", json!(["Open_vSwitch", select, mutate, wait, update])),
        request("transact", json!(["Open_vSwitch", delete, {"op": "abort"}])),
        request("lock", json!(["a"])),
        request("get_schema", json!(["Open_vSwitch"])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut database = database();
        database.handle(&bytes, &mut Vec::new());
        database.handle(&bytes, &mut Vec::new());
    }

    /// Whole requests in any order, each with some of its bytes replaced by bytes of any request.
    #[test]
    fn mutilated_requests_are_survived(
        steps in prop::collection::vec((0..9_usize, prop::collection::vec(any::<(u16, u16)>(), 0..4)), 1..12),
        cut in 1..500_usize,
    ) {
        let requests = requests();
        let all: Vec<u8> = requests.concat().into_bytes();
        let mut database = full(2, 2);
        for (which, edits) in steps {
            let mut bytes = requests[which].clone().into_bytes();
            for (at, from) in edits {
                let at = usize::from(at) % bytes.len();
                bytes[at] = all[usize::from(from) % all.len()];
            }
            let mut out = Vec::new();
            for piece in bytes.chunks(cut) {
                database.handle(piece, &mut out);
            }
            for message in serde_json::Deserializer::from_slice(&out).into_iter::<Value>() {
                prop_assert!(message.is_ok(), "not JSON: {}", String::from_utf8_lossy(&out));
            }
            if database.is_closed() || out.is_empty() {
                database.disconnected();
            }
        }
    }
}
