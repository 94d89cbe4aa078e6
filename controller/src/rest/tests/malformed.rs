//! Proves that no input does harm: whatever comes in, the answer is a problem that says so, and nothing is half done.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::Rates;
use super::super::frame::Frame;
use super::super::limits::Limits;
use super::Lab;

async fn check(lab: &Lab, request: Request<Body>, status: u16) {
    let what = format!("{} {}", request.method(), request.uri());
    let path = request.uri().path().to_owned();
    let answer = lab.send(request).await;
    assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
    answer.check_problem(&path);
}

fn request(line: &str, body: impl Into<Body>) -> Request<Body> {
    let (method, path) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(path).header("x-auth-token", "red");
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn what_is_no_request_of_this_api_is_said_to_be_none() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let before = lab.desk.snapshot();
    for prefix in ["/v2.0", "/v1", ""] {
        check(&lab, request(&format!("GET {prefix}/nowhere"), ""), 404).await;
    }
    check(&lab, request("GET /v2.0/vpns", ""), 404).await;
    check(&lab, request("PATCH /v2.0/networks", ""), 405).await;
    check(&lab, request("DELETE /v2.0/networks", ""), 405).await;
    check(&lab, request("POST /v1/hosts", "{}"), 405).await;
    check(&lab, request("GET /v2.0/networks/%FF", ""), 400).await;
    check(&lab, request("GET /v2.0/networks/..%2F..", ""), 404).await;
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "7",
        "\"x\"",
        "{\"network\": 7}",
        "{\"network\": []}",
        "{\"networks\": []}",
        "{\"network\": {}, \"networks\": [{}]}",
        "{\"networks\": [7]}",
        "{\"network\": {\"name\": \"\u{0}\"}}",
        "{\"network\": {\"mtu\": 1e400}}",
        "{\"network\": {\"mtu\": 99999999999999999999}}",
    ];
    for body in bodies {
        check(&lab, request("POST /v2.0/networks", body), 400).await;
    }
    for body in bodies.iter().filter(|body| !body.is_empty()) {
        check(&lab, request(&format!("PUT /v2.0/networks/{network}"), *body), 400).await;
    }
    check(&lab, request("POST /v2.0/networks", vec![0xff, 0xfe]), 400).await;
    check(&lab, request("POST /v2.0/networks", "[".repeat(100_000)), 400).await;
    check(&lab, request("POST /v2.0/networks", vec![b' '; 2 << 20]), 413).await;
    let many: Vec<Value> = (0..1001).map(|_| json!({})).collect();
    check(&lab, request("POST /v2.0/networks", json!({"networks": many}).to_string()), 400).await;
    assert_eq!(lab.desk.snapshot(), before);
}

fn framed(routes: axum::Router, patience: Option<std::time::Duration>) -> axum::Router {
    let limits = Arc::new(Limits::new(Rates::default()));
    super::super::framed(routes, Frame { patience, limits })
}

#[tokio::test]
async fn a_panic_is_an_answer_too() {
    let boom =
        axum::Router::new().route("/v2.0/boom", axum::routing::get(async || -> () { panic!("on purpose") }));
    let lab = Lab { router: framed(boom, None), ..Lab::new().await };
    check(&lab, request("GET /v2.0/boom", ""), 500).await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let lab = Lab::new().await;
    let slow = async || -> () { std::future::pending().await };
    let routes = axum::Router::new().route("/v1/slow", axum::routing::get(slow));
    let limit = Some(std::time::Duration::from_millis(20));
    let lab = Lab { router: framed(routes, limit), ..lab };
    check(&lab, request("GET /v1/slow", ""), 503).await;
}

/// Any JSON, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("10.0.0.5")),
        Just(json!("fd00::/64")),
        Just(json!("red")),
        Just(json!("02:00:00:00:00:01")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,12}", inner), 0..4)
                .prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

/// A good body with some members replaced by any JSON.
fn mutated() -> impl Strategy<Value = (usize, Vec<(prop::sample::Index, Value)>)> {
    (0..3_usize, prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4))
}

fn good(kind: usize, network: &str) -> (&'static str, Value) {
    match kind {
        0 => (
            "network",
            json!({"name": "a", "description": "", "mtu": 1400, "admin_state_up": true, "tags": [],
            "port_security_enabled": true, "dns_domain": "", "project_id": "red", "shared": false}),
        ),
        1 => (
            "subnet",
            json!({"network_id": network, "cidr": "10.0.0.0/24", "ip_version": 4, "gateway_ip": "10.0.0.1",
            "allocation_pools": [{"start": "10.0.0.10", "end": "10.0.0.20"}], "enable_dhcp": true,
            "dns_nameservers": ["1.1.1.1"], "host_routes": [{"destination": "10.5.0.0/24", "nexthop": "10.0.0.7"}],
            "ipv6_ra_mode": null}),
        ),
        _ => (
            "port",
            json!({"network_id": network, "name": "p", "mac_address": "02:00:00:00:00:09",
            "fixed_ips": [{"ip_address": "10.0.0.15"}], "device_id": "x", "port_security_enabled": false,
            "dns_name": "p", "binding:vnic_type": "normal", "security_groups": []}),
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_bodies_are_done_whole_or_refused((kind, changes) in mutated()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lab = Lab::new().await;
            let network = lab.network("red").await;
            let (one, mut body) = good(kind, &network);
            let members = body.as_object_mut().unwrap();
            for (index, value) in changes {
                let name = members.keys().nth(index.index(members.len())).unwrap().clone();
                members.insert(name, value);
            }
            let before = lab.desk.snapshot();
            for line in [format!("POST /v2.0/{one}s"), format!("PUT /v2.0/networks/{network}")] {
                let answer = lab.call("red", &line, json!({ one: body })).await;
                prop_assert!(!answer.status.is_server_error(), "{line} {body}: {}", answer.text);
                if answer.status.is_success() {
                    break;
                }
                answer.check_problem("/v2.0");
                prop_assert_eq!(&lab.desk.snapshot(), &before);
            }
            Ok(())
        })?;
    }

    #[test]
    fn any_query_is_answered(query in "[a-z_:]{1,12}=\\PC{0,12}(&(limit|marker|sort_key|sort_dir|name|id|fixed_ips|tags)=\\PC{0,12}){0,3}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lab = Lab::new().await;
            lab.network("red").await;
            let escaped: String = query.bytes().map(|b| match b {
                b'=' | b'&' => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            }).collect();
            let answer = lab.get("red", &format!("/v2.0/networks?{escaped}")).await;
            prop_assert!([200, 400, 404].contains(&answer.status.as_u16()), "{query}: {}", answer.text);
            Ok(())
        })?;
    }
}
