//! What hosts cost who watches them: time to take a host's database in, memory to hold it, time for one row more.
//!
//! `cargo run --release -p weft-ovsdb --example sessions -- HOSTS WORKLOADS TUNNELS`. The servers are made up here and say
//! what a real one says; there are no sockets. Time is of the processor, and what the made-up server writes was put together
//! before; memory is of the rows alone, in their mirror.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use uuid::Uuid;
use weft_ovsdb::vswitch::{Bridge, Interface, Port};
use weft_ovsdb::{Event, Mirror, Options, Plan, Schema, Session};

fn schema() -> Schema {
    let maybe = |kind: &str| json!({"type": {"key": kind, "min": 0}});
    let many = |kind: &str| json!({"type": {"key": kind, "min": 0, "max": "unlimited"}});
    let map = json!({"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}});
    let text = json!({"type": "string"});
    let schema = json!({"name": "Open_vSwitch", "version": "8.3.1", "tables": {
        "Bridge": {"columns": {"name": text, "datapath_type": text, "datapath_id": maybe("string"),
            "ports": many("uuid"), "controller": many("uuid"), "protocols": many("string"),
            "fail_mode": maybe("string"), "other_config": map, "external_ids": map}},
        "Port": {"columns": {"name": text, "interfaces": many("uuid"), "tag": maybe("integer"),
            "trunks": many("integer"), "other_config": map, "external_ids": map}},
        "Interface": {"columns": {"name": text, "type": text, "options": map, "external_ids": map,
            "ofport": maybe("integer"), "ofport_request": maybe("integer"), "error": maybe("string"),
            "mac_in_use": maybe("string"), "mac": maybe("string"), "admin_state": maybe("string"),
            "link_state": maybe("string"), "mtu": maybe("integer"), "bfd": map, "bfd_status": map,
            "other_config": map}},
    }});
    serde_json::from_value(schema).expect("a schema")
}

/// The rows of a host, as the answer to a monitor shows them. Each host has its own identities.
fn rows(host: usize, workloads: usize, tunnels: usize) -> Value {
    let id =
        |n: usize| Uuid::from_u128(((host as u128) << 96) | (0x9e37_79b9_7f4a_7c15 * n as u128)).to_string();
    let (mut ports, mut interfaces, mut plugged) = (json!({}), json!({}), Vec::new());
    for n in 0..workloads + tunnels {
        let (port, interface) = (id(2 * n + 1), id(2 * n + 2));
        let (name, kind, options, marks, number) = if n < workloads {
            let marks =
                json!([["iface-id", id(1_000_000 + n)], ["attached-mac", format!("02:00:00:00:00:{n:02x}")]]);
            (format!("tap{host:06x}{n:04x}"), "", json!([]), marks, n + 1)
        } else {
            let peer = n - workloads + 1;
            let options = json!([
                ["dst_port", "4789"],
                ["key", "flow"],
                ["local_ip", format!("192.0.2.{}", host % 256)],
                ["remote_ip", format!("198.51.100.{}", peer % 256)]
            ]);
            let marks = json!([["weft-owner", "weft"], ["weft-peer", format!("host-{peer:05}")]]);
            (format!("wv-{peer}"), "vxlan", options, marks, 33_000 + peer)
        };
        let ours = if n < workloads { json!([]) } else { marks.clone() };
        interfaces[&interface] = json!({"initial": {"name": name, "type": kind, "options": ["map", options],
            "external_ids": ["map", marks], "ofport": number, "error": ["set", []]}});
        ports[&port] = json!({"initial": {"name": name, "interfaces": ["uuid", interface],
            "external_ids": ["map", ours]}});
        plugged.push(json!(["uuid", port]));
    }
    let bridge =
        json!({id(0): {"initial": {"name": "br-int", "ports": ["set", plugged], "fail_mode": "secure"}}});
    json!({"Bridge": bridge, "Port": ports, "Interface": interfaces})
}

/// Answers one monitor request with these rows.
async fn answer(mut io: DuplexStream, rows: &str) -> (DuplexStream, Value) {
    let mut bytes = Vec::new();
    let request: Value = loop {
        let mut part = [0; 4096];
        let count = io.read(&mut part).await.expect("a request");
        bytes.extend_from_slice(&part[..count]);
        if let Ok(request) = serde_json::from_slice(&bytes) {
            break request;
        }
    };
    let head = format!(r#"{{"id":{},"error":null,"result":[false,"{}","#, request["id"], Uuid::nil());
    for part in [head.as_str(), rows, "]}"] {
        io.write_all(part.as_bytes()).await.expect("the session reads");
    }
    (io, request["params"][1].clone())
}

/// How long this thread has had the processor.
fn spent() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

/// Resident memory in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [hosts, workloads, tunnels] = arguments[..] else { panic!("HOSTS WORKLOADS TUNNELS") };
    let words = [
        "weft-owner",
        "weft",
        "weft-peer",
        "key",
        "flow",
        "iface-id",
        "attached-mac",
        "local_ip",
        "remote_ip",
        "dst_port",
        "4789",
        "vxlan",
    ];
    let columns = ["name", "type", "options", "external_ids", "ofport", "ofport_request", "error"];
    let plan = Plan::of(&schema())
        .columns::<Bridge>(&["name", "ports", "fail_mode", "external_ids"])
        .and_then(|plan| plan.columns::<Port>(&["name", "interfaces", "external_ids"]))
        .and_then(|plan| plan.columns::<Interface>(&columns))
        .expect("the schema has them")
        .words(&words)
        .build();
    let (before, mut kept, mut taken) = (resident(), Vec::new(), Duration::ZERO);
    let mut last = None;
    for host in 0..hosts {
        let rows = rows(host, workloads, tunnels).to_string();
        let (near, far) = tokio::io::duplex(1 << 20);
        let (client, mut events) = Session::start(near, Options::default());
        let mut mirror = Mirror::new(plan.clone());
        let started = spent();
        let (watch, far) = tokio::join!(client.monitor(&mirror), answer(far, &rows));
        watch.expect("it starts");
        let Some(Event::Changed(batch)) = events.next().await else { panic!("the first batch") };
        mirror.apply(&batch);
        taken += spent() - started;
        // Only the last session goes on: what others keep of their made-up servers is not what is asked for.
        last = Some((client, events, far));
        kept.push(mirror);
    }
    let pairs = hosts * (workloads + tunnels);
    println!("{:.3} ms to take a host in", taken.as_secs_f64() * 1e3 / hosts as f64);
    println!("{} bytes for each port with its interface", (resident() - before) / pairs.max(1));
    let mirror = kept.last_mut().expect("a host");
    let (_client, mut events, (mut far, monitor)) = last.expect("a host");
    let started = spent();
    const CHANGES: u32 = 1000;
    let bridge = mirror.views::<Bridge>().next().map(|(id, _)| id.to_string()).expect("a bridge");
    for n in 0..u128::from(CHANGES) {
        let port = Uuid::from_u128(7 << 120 | n);
        let rows = json!({"Bridge": {&bridge: {"modify": {"ports": ["uuid", port]}}},
            "Port": {port.to_string(): {"insert": {"name": "tap", "interfaces": ["uuid", port]}}}});
        let update = json!({"id": null, "method": "update3", "params": [monitor, Uuid::nil(), rows]});
        far.write_all(update.to_string().as_bytes()).await.expect("the session reads");
        let Some(Event::Changed(batch)) = events.next().await else { panic!("a change") };
        mirror.apply(&batch);
    }
    let each = (spent() - started) / CHANGES;
    println!("{each:?} for one port more on a bridge with {} ports", workloads + tunnels);
}
