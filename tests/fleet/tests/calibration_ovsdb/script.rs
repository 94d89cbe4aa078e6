//! What is played: requests as they are written, with `@Table:name` where the id of a row goes.

use serde_json::{Value, json};

/// Streams of which a server either takes every message or hangs up.
pub const BROKEN: [&str; 12] = [
    r#"{"id":1,"method":"echo","params":[]}"#,
    " \n\t{\"id\":[1,{\"a\":null}],\"method\":\"echo\",\"params\":[\"\\u00e9\\\"/{\"]} ",
    "SSH-2.0-x\r\n",
    "[1,2]",
    "{}",
    r#"{"id":5,"method":"echo"}"#,
    r#"{"id":5,"method":"echo","params":{}}"#,
    r#"{"id":5,"method":"echo","params":[],"more":1}"#,
    r#"{"id":5,"method":7,"params":[]}"#,
    r#"{"id":5,"result":"x","error":"y"}"#,
    r#"{"id":"echo","result":[],"error":null}"#,
    r#"{"id":null,"method":"cancel","params":[4]}{"id":null,"method":"nonsense","params":[]}"#,
];

const NONE: &str = "00000000-0000-0000-0000-000000000000";
const NOBODY: &str = "00000000-0000-0000-0000-000000000001";

fn transact(operations: Vec<Value>) -> (&'static str, Value) {
    let mut params = vec![json!("Open_vSwitch")];
    params.extend(operations);
    ("transact", Value::Array(params))
}

fn alone(operation: Value) -> (&'static str, Value) {
    transact(vec![operation])
}

/// Interfaces with their ports, plugged into `br-int`, as Weft adds tunnels.
fn plug(interfaces: &[(&str, Value)]) -> (&'static str, Value) {
    let mut operations = Vec::new();
    let mut ports = Vec::new();
    for (at, (name, columns)) in interfaces.iter().enumerate() {
        let mut row = columns.clone();
        row["name"] = json!(name);
        let (interface, port) = (format!("interface{at}"), format!("port{at}"));
        operations.push(json!({"op": "insert", "table": "Interface", "row": row, "uuid-name": interface}));
        let row = json!({"name": name, "interfaces": ["named-uuid", interface]});
        operations.push(json!({"op": "insert", "table": "Port", "row": row, "uuid-name": port}));
        ports.push(json!(["named-uuid", port]));
    }
    let mutation = json!(["ports", "insert", ["set", ports]]);
    operations.push(mutate("Bridge", "br-int", &[mutation]));
    operations.push(json!({"op": "comment", "comment": "tunnels"}));
    transact(operations)
}

fn tunnel(kind: &str, to: &str, request: Option<u32>) -> Value {
    let mut row = json!({"type": kind, "options": ["map", [["key", "flow"], ["remote_ip", to]]]});
    if let Some(request) = request {
        row["ofport_request"] = json!(request);
    }
    row
}

fn named(name: &str) -> Value {
    json!([["name", "==", name]])
}

fn update(table: &str, name: &str, row: Value) -> Value {
    json!({"op": "update", "table": table, "where": named(name), "row": row})
}

fn mutate(table: &str, name: &str, mutations: &[Value]) -> Value {
    json!({"op": "mutate", "table": table, "where": named(name), "mutations": mutations})
}

fn select(table: &str, clauses: Value) -> Value {
    json!({"op": "select", "table": table, "where": clauses, "columns": ["name", "type", "_uuid"]})
}

/// The columns that the controller monitors, and some that show what ovs-vswitchd does.
fn monitored() -> Value {
    json!({
        "Open_vSwitch": [{"columns": ["bridges", "external_ids", "ovs_version", "datapath_types", "iface_types",
            "db_version", "next_cfg", "cur_cfg"]}],
        "Bridge": [{"columns": ["name", "datapath_type", "datapath_id", "ports", "controller", "protocols",
            "fail_mode", "other_config", "external_ids"]}],
        "Port": [{"columns": ["name", "interfaces", "external_ids"]}],
        "Interface": [{"columns": ["name", "type", "options", "external_ids", "ofport", "ofport_request", "error",
            "mac_in_use", "link_state", "admin_state", "link_resets", "mtu"]}],
        "Controller": [{"columns": ["target", "max_backoff", "inactivity_probe", "connection_mode",
            "external_ids"]}],
    })
}

/// The bridge as the controller creates it.
fn bridge() -> (&'static str, Value) {
    let marks = json!(["map", [["weft-owner", "weft"]]]);
    let none = json!({"op": "wait", "timeout": 0, "table": "Bridge", "where": named("br-int"), "columns": ["_uuid"],
        "until": "==", "rows": []});
    let root = json!([["_uuid", "==", ["uuid", "@Open_vSwitch"]]]);
    let exists = json!({"op": "wait", "timeout": 0, "table": "Open_vSwitch", "where": root, "columns": ["_uuid"],
        "until": "==", "rows": [{"_uuid": ["uuid", "@Open_vSwitch"]}]});
    transact(vec![
        exists,
        none,
        json!({"op": "insert", "table": "Controller", "uuid-name": "row2", "row": {"target": "tcp:127.0.0.1:1",
            "connection_mode": "out-of-band", "max_backoff": 1000, "external_ids": marks}}),
        json!({"op": "insert", "table": "Interface", "uuid-name": "row3", "row": {"name": "br-int",
            "type": "internal", "external_ids": marks}}),
        json!({"op": "insert", "table": "Port", "uuid-name": "row4", "row": {"name": "br-int",
            "interfaces": ["named-uuid", "row3"], "external_ids": marks}}),
        json!({"op": "insert", "table": "Bridge", "uuid-name": "row5", "row": {"name": "br-int",
            "datapath_type": "netdev", "fail_mode": "secure",
            "protocols": ["set", ["OpenFlow10", "OpenFlow13", "OpenFlow15"]],
            "other_config": ["map", [["datapath-id", "5745465412340004"], ["disable-in-band", "true"]]],
            "external_ids": marks, "controller": ["named-uuid", "row2"], "ports": ["named-uuid", "row4"]}}),
        json!({"op": "mutate", "table": "Open_vSwitch", "where": root,
            "mutations": [["bridges", "insert", ["named-uuid", "row5"]]]}),
        json!({"op": "comment", "comment": "weft: integration bridge and tunnels"}),
    ])
}

/// Everything, in order: later steps build on what earlier ones left.
pub fn steps() -> Vec<(&'static str, Value)> {
    let mut steps = vec![("monitor_cond_since", json!(["Open_vSwitch", "main", monitored(), NONE]))];
    steps.extend(sessions());
    steps.push(bridge());
    steps.push(bridge());
    steps.extend(tunnels());
    steps.extend(refused());
    steps.extend(selections());
    steps.extend(dictionaries());
    steps.extend(monitors());
    steps.extend(bridges());
    steps
}

fn sessions() -> Vec<(&'static str, Value)> {
    let get_server = |method| (method, json!(["Open_vSwitch"]));
    vec![
        ("echo", json!([1, {"a": [null, "\u{e9}\n"]}])),
        ("list_dbs", json!([])),
        ("set_db_change_aware", json!([true])),
        ("nonsense", json!([1])),
        ("get_schema", json!(["nope"])),
        ("transact", json!(["nope"])),
        ("transact", json!([])),
        get_server("transact"),
        ("monitor_cond", json!(["nope", 1, {}])),
        ("lock", json!(["a"])),
        ("lock", json!(["a"])),
        alone(json!({"op": "assert", "lock": "a"})),
        ("unlock", json!(["b"])),
        ("unlock", json!(["a"])),
        alone(json!({"op": "assert", "lock": "a"})),
        ("steal", json!(["a"])),
    ]
}

fn tunnels() -> Vec<(&'static str, Value)> {
    let options = |to: &str| json!({"options": ["map", [["key", "flow"], ["remote_ip", to]]]});
    vec![
        plug(&[
            ("wv-2", tunnel("vxlan", "127.1.0.2", Some(33_002))),
            ("wv-3", tunnel("vxlan", "127.1.0.3", Some(33_003))),
        ]),
        plug(&[
            ("wg-2", tunnel("geneve", "127.1.0.2", Some(43_702))),
            ("wr-2", tunnel("gre", "127.1.0.2", Some(54_402))),
        ]),
        // Somebody else has the number already.
        plug(&[("wv-4", tunnel("vxlan", "127.1.0.4", Some(33_002)))]),
        plug(&[("wv-5", tunnel("vxlan", "127.1.0.5", None)), ("wv-6", tunnel("vxlan", "127.1.0.6", None))]),
        // The number gets free by another renumbering: who waits for it gets it.
        alone(update("Interface", "wv-2", json!({"ofport_request": 33_050}))),
        alone(update("Interface", "wv-2", json!({"ofport_request": 33_003}))),
        alone(update("Interface", "wv-2", json!({"ofport_request": ["set", []]}))),
        alone(update(
            "Interface",
            "wv-2",
            json!({"type": "geneve", "options": ["map", [["remote_ip", "127.1.0.22"]]]}),
        )),
        alone(update("Interface", "wv-3", options("127.1.0.33"))),
        alone(update("Interface", "wv-3", options("zork"))),
        alone(update("Interface", "wv-3", options("127.1.0.3"))),
        // What cannot work.
        plug(&[("dup", tunnel("vxlan", "127.1.0.6", None))]),
        plug(&[("nodev", json!({}))]),
        plug(&[("badtype", json!({"type": "zork"}))]),
        plug(&[("noremote", json!({"type": "geneve"}))]),
        plug(&[("badremote", tunnel("vxlan", "zork", None))]),
        alone(update("Interface", "noremote", options("127.1.0.77"))),
        plug(&[("in0", json!({"type": "internal"}))]),
        // Leaving. The broken one goes before what it is a double of: whether it works at once otherwise is chance.
        alone(mutate(
            "Bridge",
            "br-int",
            &[json!([
                "ports",
                "delete",
                ["set", [["uuid", "@Port:nodev"], ["uuid", "@Port:badtype"], ["uuid", "@Port:dup"]]]
            ])],
        )),
        alone(mutate("Bridge", "br-int", &[json!(["ports", "delete", ["uuid", "@Port:wv-6"]])])),
        plug(&[("wv-6", tunnel("vxlan", "127.1.0.6", Some(33_006)))]),
        alone(json!({"op": "delete", "table": "Port", "where": [["name", "==", "wv-5"]]})),
        transact(vec![
            mutate("Bridge", "br-int", &[json!(["ports", "delete", ["uuid", "@Port:wv-5"]])]),
            json!({"op": "delete", "table": "Port", "where": [["name", "==", "wv-5"]]}),
        ]),
    ]
}

fn refused() -> Vec<(&'static str, Value)> {
    let wait = |timeout: u32, until: &str, rows: Value| {
        json!({"op": "wait", "timeout": timeout, "table": "Bridge", "where": named("br-int"),
            "columns": ["fail_mode", "datapath_type"], "until": until, "rows": rows})
    };
    let comment = json!({"op": "comment", "comment": "never reached"});
    let unfit = [
        json!({"fail_mode": "zork"}),
        json!({"datapath_type": 3}),
        json!({"datapath_type": ["set", []]}),
        json!({"fail_mode": ["set", ["secure", "standalone"]]}),
        json!({"external_ids": "x"}),
        json!({"external_ids": ["map", [["a"]]]}),
        json!({"external_ids": ["map", [["a", "1"], ["a", "2"]]]}),
        json!({"protocols": ["set", ["OpenFlow10", "OpenFlow10"]]}),
        json!({"ports": "x"}),
        json!({"ports": ["uuid", "x"]}),
        json!({"ports": ["uuid", NOBODY]}),
        json!({"ports": ["named-uuid", "nobody"]}),
        json!({"nocol": 1}),
        json!({"name": "other"}),
        json!({"stp_enable": "yes"}),
    ];
    let mut steps: Vec<_> = unfit.into_iter().map(|row| alone(update("Bridge", "br-int", row))).collect();
    let requests = [json!(0), json!(65_280), json!("x"), json!(1.5), json!(["set", [1, 2]])];
    steps.extend(requests.map(|value| alone(update("Interface", "wv-2", json!({"ofport_request": value})))));
    steps.push(alone(
        json!({"op": "update", "table": "Controller", "where": [], "row": {"max_backoff": 999}}),
    ));
    let mutations = [
        json!(["name", "insert", "x"]),
        json!(["nocol", "insert", "x"]),
        json!(["external_ids", "zork", "x"]),
        json!(["external_ids", "+=", 1]),
        json!(["datapath_type", "insert", "x"]),
        json!(["fail_mode", "insert", "x"]),
        json!(["ports", "insert", ["uuid", NOBODY]]),
        json!(["ports", "delete", ["uuid", NOBODY]]),
        json!(["protocols", "+=", 1]),
        json!(["external_ids"]),
    ];
    steps.extend(mutations.map(|mutation| alone(mutate("Bridge", "br-int", &[mutation]))));
    let numbers =
        [json!(["next_cfg", "/=", 0]), json!(["next_cfg", "*=", i64::MAX]), json!(["next_cfg", "-=", "x"])];
    let every = |mutation: Value| json!({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 2], mutation]});
    steps.extend(numbers.map(|mutation| alone(every(mutation))));
    steps.extend([
        transact(vec![wait(0, "==", json!([])), comment.clone(), comment.clone()]),
        transact(vec![wait(10, "==", json!([])), comment]),
        alone(wait(0, "==", json!([{"fail_mode": "secure", "datapath_type": "netdev"}]))),
        alone(wait(0, "==", json!([{"fail_mode": "secure"}]))),
        alone(wait(0, "!=", json!([{"fail_mode": "secure"}]))),
        alone(wait(0, "!=", json!([{"fail_mode": "secure", "datapath_type": "netdev"}]))),
    ]);
    steps.extend(malformed().map(alone));
    steps.extend(rows());
    steps
}

fn malformed() -> [Value; 14] {
    [
        json!(5),
        json!({"op": "zork"}),
        json!({"xx": 1}),
        json!({"op": 7}),
        json!({"op": "abort"}),
        json!({"op": "commit", "durable": true}),
        json!({"op": "comment", "comment": "x", "more": 1}),
        json!({"op": "assert", "lock": "1 2"}),
        json!({"op": "update", "table": "NoTable", "where": [], "row": {}}),
        json!({"op": "update", "table": "Bridge", "where": {}, "row": {}}),
        json!({"op": "select", "table": "Bridge"}),
        json!({"op": "insert", "table": "Interface", "row": {"name": "x"}, "uuid-name": "1x"}),
        json!({"op": "insert", "table": "Interface", "row": {"name": "x", "nocol": 1}}),
        json!({"op": "wait", "timeout": 0, "table": "Bridge", "where": [], "until": "=", "rows": []}),
    ]
}

/// Rows that may not come or may not go.
fn rows() -> Vec<(&'static str, Value)> {
    let insert = |table: &str, name: &str, row: Value| json!({"op": "insert", "table": table, "row": row, "uuid-name": name});
    let into_bridge = |ports: Value| mutate("Bridge", "br-int", &[json!(["ports", "insert", ports])]);
    vec![
        // Nothing points at it, so it is gone at once, whatever its name.
        alone(insert("Interface", "a", json!({"name": "wv-2"}))),
        alone(insert("Port", "a", json!({"name": "lonely"}))),
        alone(insert("Open_vSwitch", "a", json!({}))),
        alone(insert("Controller", "a", json!({"target": "tcp:127.0.0.1:2"}))),
        transact(vec![
            insert("Interface", "a", json!({"name": "x"})),
            insert("Interface", "a", json!({"name": "y"})),
        ]),
        // Names that somebody has.
        plug(&[("wv-2", tunnel("vxlan", "127.1.0.55", None))]),
        plug(&[("new", tunnel("vxlan", "127.1.0.55", None)), ("new", tunnel("vxlan", "127.1.0.56", None))]),
        transact(vec![
            insert("Interface", "i", json!({"name": "fresh", "type": "internal"})),
            insert("Port", "p", json!({"name": "wv-2", "interfaces": ["named-uuid", "i"]})),
            into_bridge(json!(["named-uuid", "p"])),
        ]),
        // A name may be used before the row that gets it is inserted.
        transact(vec![
            into_bridge(json!(["named-uuid", "later"])),
            insert("Port", "later", json!({"name": "in1", "interfaces": ["named-uuid", "last"]})),
            insert("Interface", "last", json!({"name": "in1", "type": "internal"})),
        ]),
        // Going and coming in one transaction.
        transact(vec![
            mutate("Bridge", "br-int", &[json!(["ports", "delete", ["uuid", "@Port:in1"]])]),
            insert("Port", "p", json!({"name": "in2", "interfaces": ["named-uuid", "i"]})),
            insert("Interface", "i", json!({"name": "in2", "type": "internal"})),
            into_bridge(json!(["named-uuid", "p"])),
        ]),
        alone(json!({"op": "delete", "table": "Interface", "where": [["name", "==", "wv-2"]]})),
        alone(json!({"op": "delete", "table": "Interface", "where": [["name", "==", "nobody"]]})),
        alone(update("Port", "wv-2", json!({"interfaces": ["set", []]}))),
        alone(mutate("Port", "wv-2", &[json!(["interfaces", "delete", ["uuid", "@Interface:wv-2"]])])),
    ]
}

fn selections() -> Vec<(&'static str, Value)> {
    let clauses = [
        json!([["ofport", ">=", 33_003]]),
        json!([["ofport", "<", 0]]),
        json!([["ofport", "==", 33_003]]),
        json!([["ofport", "!=", 33_003], ["type", "==", "vxlan"]]),
        json!([["ofport_request", "==", ["set", []]]]),
        json!([["options", "includes", ["map", [["remote_ip", "127.1.0.3"]]]]]),
        json!([["options", "excludes", ["map", [["key", "flow"]]]]]),
        json!([["options", "==", ["map", []]]]),
        json!([["type", "includes", "gre"]]),
        json!([["_uuid", "==", ["uuid", "@Interface:wv-2"]]]),
        json!([["_uuid", "!=", ["uuid", "@Interface:wv-2"]], ["type", "==", "geneve"]]),
        json!([true]),
        json!([false]),
        json!([["name", "<", "x"]]),
        json!([["name", "zork", "x"]]),
        json!([["nocol", "==", "x"]]),
        json!([["name"]]),
        json!([["name", "==", 7]]),
    ];
    let mut steps: Vec<_> = clauses.into_iter().map(|clauses| alone(select("Interface", clauses))).collect();
    steps.push(alone(json!({"op": "select", "table": "Controller", "where": []})));
    steps.push(alone(json!({"op": "select", "table": "Bridge", "where": [], "columns": ["name", "nocol"]})));
    steps.push(alone(json!({"op": "select", "table": "Bridge", "where": [], "columns": ["name", "name"]})));
    steps.push(transact(vec![
        update("Bridge", "br-int", json!({"external_ids": ["map", [["seen", "inside"]]]})),
        json!({"op": "select", "table": "Bridge", "where": [], "columns": ["external_ids"]}),
        json!({"op": "abort"}),
    ]));
    steps
}

fn dictionaries() -> Vec<(&'static str, Value)> {
    let bridge = |mutations: &[Value]| alone(mutate("Bridge", "br-int", mutations));
    let insert = |pairs: Value| json!(["external_ids", "insert", ["map", pairs]]);
    vec![
        bridge(&[insert(json!([["a", "b"], ["c", "d"]]))]),
        bridge(&[insert(json!([["a", "z"]]))]),
        bridge(&[json!(["external_ids", "delete", "a"]), insert(json!([["a", "z"], ["e", "\u{e9}\"\\\n"]]))]),
        bridge(&[json!(["external_ids", "delete", ["map", [["a", "q"], ["e", "\u{e9}\"\\\n"]]]])]),
        bridge(&[json!(["external_ids", "delete", ["set", ["c", "nobody"]]])]),
        alone(update(
            "Bridge",
            "br-int",
            json!({"external_ids": ["map", [["weft-owner", "weft"], ["x", ""]]]}),
        )),
        alone(update(
            "Bridge",
            "br-int",
            json!({"external_ids": ["map", [["weft-owner", "weft"], ["x", ""]]]}),
        )),
        bridge(&[json!(["protocols", "delete", "OpenFlow10"]), json!(["protocols", "insert", "OpenFlow14"])]),
        alone(update("Bridge", "br-int", json!({"fail_mode": ["set", []]}))),
        bridge(&[json!(["fail_mode", "insert", "secure"])]),
        alone(json!({"op": "mutate", "table": "Open_vSwitch", "where": [],
            "mutations": [["external_ids", "insert", ["map", [["hello", "world"]]]]]})),
        // The controller row, as the controller corrects it.
        alone(
            json!({"op": "update", "table": "Controller", "where": [["_uuid", "==", ["uuid", "@Controller:tcp:127.0.0.1:1"]]],
            "row": {"target": "tcp:127.0.0.1:1", "max_backoff": 1000, "inactivity_probe": 5000}}),
        ),
        bridge(&[
            json!(["other_config", "delete", "datapath-id"]),
            json!(["other_config", "insert", ["map", [["datapath-id", "00000000000000ab"]]]]),
        ]),
        bridge(&[
            json!(["other_config", "delete", "datapath-id"]),
            json!(["other_config", "insert", ["map", [["datapath-id", "0xcd"]]]]),
        ]),
        bridge(&[
            json!(["other_config", "delete", "datapath-id"]),
            json!(["other_config", "insert", ["map", [["datapath-id", "5745465412340004"]]]]),
        ]),
    ]
}

fn monitors() -> Vec<(&'static str, Value)> {
    let interfaces =
        |clauses: Value| json!({"Interface": [{"columns": ["name", "ofport_request"], "where": clauses}]});
    let request =
        |name: &str, value: Value| alone(update("Interface", name, json!({"ofport_request": value})));
    vec![
        ("monitor_cond_since", json!(["Open_vSwitch", "main", monitored(), NONE])),
        ("monitor_cond_since", json!(["Open_vSwitch", 1, {"Bridge": [{"columns": ["nocol"]}]}, NONE])),
        ("monitor_cond_since", json!(["Open_vSwitch", 1, {"NoTable": [{"columns": ["name"]}]}, NONE])),
        ("monitor_cond", json!(["Open_vSwitch", 1, {"Bridge": {"columns": ["name", "name"]}}])),
        ("monitor_cond", json!(["Open_vSwitch", 2, interfaces(json!([["name", "==", "wv-3"]]))])),
        ("monitor_cond", json!(["Open_vSwitch", 3, interfaces(json!([["ofport_request", "==", 33_011]]))])),
        // A row comes into view, changes out of it, and goes.
        request("wv-6", json!(33_011)),
        request("wv-6", json!(33_012)),
        request("wv-3", json!(33_013)),
        (
            "monitor_cond_change",
            json!([3, 3, {"Interface": [{"where": [["name", "==", "wv-3"], ["name", "==", "wv-6"]]}]}]),
        ),
        ("monitor_cond_change", json!([3, "three", {"Interface": [{"where": [["name", "==", "wv-6"]]}]}])),
        ("monitor_cond_change", json!([3, 3, {}])),
        ("monitor_cond_change", json!(["three", "three", {"Interface": [{"where": [false]}]}])),
        request("wv-6", json!(33_014)),
        ("monitor_cond_change", json!(["three", "three", {"Interface": [{"where": []}]}])),
        (
            "monitor",
            json!(["Open_vSwitch", "plain", {"Bridge": {"columns": ["name", "fail_mode", "external_ids"]},
            "Port": {"columns": ["name"], "select": {"initial": false, "insert": true, "delete": false, "modify": true}}}]),
        ),
        alone(mutate(
            "Bridge",
            "br-int",
            &[json!(["external_ids", "insert", ["map", [["told", "plainly"]]]])],
        )),
        plug(&[("in3", json!({"type": "internal"}))]),
        alone(mutate("Bridge", "br-int", &[json!(["ports", "delete", ["uuid", "@Port:in3"]])])),
        ("monitor_cancel", json!(["three"])),
        ("monitor_cancel", json!(["three"])),
        ("monitor_cancel", json!(["plain"])),
        ("monitor_cancel", json!([2])),
        request("wv-6", json!(33_006)),
    ]
}

/// Bridges with another datapath, without a controller, and the end.
fn bridges() -> Vec<(&'static str, Value)> {
    let other = transact(vec![
        json!({"op": "insert", "table": "Interface", "row": {"name": "br1", "type": "internal"}, "uuid-name": "i"}),
        json!({"op": "insert", "table": "Port", "row": {"name": "br1", "interfaces": ["named-uuid", "i"]},
            "uuid-name": "p"}),
        json!({"op": "insert", "table": "Bridge", "row": {"name": "br1", "datapath_type": "system",
            "other_config": ["map", [["datapath-id", "0000000000000011"]]], "ports": ["named-uuid", "p"]},
            "uuid-name": "b"}),
        json!({"op": "mutate", "table": "Open_vSwitch", "where": [],
            "mutations": [["bridges", "insert", ["named-uuid", "b"]]]}),
    ]);
    let remove = |bridge: &str| {
        alone(json!({"op": "mutate", "table": "Open_vSwitch", "where": [],
            "mutations": [["bridges", "delete", ["uuid", bridge]]]}))
    };
    vec![
        other,
        alone(update("Bridge", "br1", json!({"datapath_type": "netdev"}))),
        remove("@Bridge:br1"),
        alone(update("Bridge", "br-int", json!({"controller": ["set", []]}))),
        transact(vec![
            json!({"op": "insert", "table": "Controller", "row": {"target": "tcp:127.0.0.1:3"}, "uuid-name": "c"}),
            mutate("Bridge", "br-int", &[json!(["controller", "insert", ["named-uuid", "c"]])]),
        ]),
        remove("@Bridge:br-int"),
        bridge(),
    ]
}
