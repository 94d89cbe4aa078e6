//! Many objects in one request: all or none of them, as one revision, and a refusal names the one at fault.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Lab, ids};

fn ports(network: &str, count: usize) -> Vec<Value> {
    (0..count).map(|n| json!({"network_id": network, "name": format!("p{n}")})).collect()
}

#[tokio::test]
async fn a_thousand_ports_are_one_revision() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.0.0.0/20").await;
    let before = lab.desk.snapshot().revision().0;
    let answer = lab.call("red", "POST /v2.0/ports", json!({"ports": ports(&network, 1000)})).await;
    assert_eq!((answer.status.as_u16(), answer.revision()), (201, before + 1), "{}", answer.text);
    let made = answer.body["ports"].as_array().unwrap();
    let names: Vec<&str> = made.iter().map(|port| port["name"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..1000).map(|n| format!("p{n}")).collect();
    assert_eq!(names, expected, "the answer keeps the order of the request");
    let distinct =
        |pick: fn(&Value) -> &Value| made.iter().map(pick).map(Value::to_string).collect::<BTreeSet<_>>();
    assert_eq!(distinct(|port| &port["fixed_ips"][0]["ip_address"]).len(), 1000);
    assert_eq!(distinct(|port| &port["mac_address"]).len(), 1000);
    let snapshot = lab.desk.snapshot();
    assert_eq!((snapshot.revision().0, snapshot.port_count()), (before + 1, 1000));
}

#[tokio::test]
async fn one_bad_port_among_a_thousand_refuses_all_and_is_named() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.0.0.0/20").await;
    let before = lab.desk.snapshot();
    // Found by the planner: the MAC is that of an earlier element.
    let mut twins = ports(&network, 1000);
    twins[17]["mac_address"] = json!("02:00:00:00:00:01");
    twins[998]["mac_address"] = json!("02:00:00:00:00:01");
    let answer = lab.call("red", "POST /v2.0/ports", json!({"ports": twins})).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (409, "MacAddressInUse"), "{}", answer.text);
    assert_eq!(answer.body["errors"][0]["field"], "ports.998");
    assert!(answer.body["detail"].as_str().unwrap().contains("ports.998"), "{}", answer.text);
    // Found by the planner, with a field; and by the reader of the body.
    for (bad, field) in
        [("01:00:00:00:00:01", "ports.998.mac_address"), ("nonsense", "ports.998.mac_address")]
    {
        let mut faulty = ports(&network, 1000);
        faulty[998]["mac_address"] = json!(bad);
        let answer = lab.call("red", "POST /v2.0/ports", json!({"ports": faulty})).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (400, "InvalidInput"), "{}", answer.text);
        assert_eq!(answer.body["errors"][0]["field"], field);
    }
    // A network that is not there, in the last element.
    let mut lost = ports(&network, 3);
    lost[2]["network_id"] = json!("00000000-0000-4000-8000-000000000000");
    let answer = lab.call("red", "POST /v2.0/ports", json!({"ports": lost})).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (404, "NetworkNotFound"), "{}", answer.text);
    assert_eq!(answer.body["errors"][0]["field"], "ports.2");
    assert_eq!(lab.desk.snapshot(), before, "nothing was created");
}

#[tokio::test]
async fn networks_and_subnets_come_in_bulk_too() {
    let lab = Lab::new().await;
    let before = lab.desk.snapshot().revision().0;
    let names: Vec<Value> = (0..100).map(|n| json!({"name": format!("n{n}")})).collect();
    let networks = lab.call("red", "POST /v2.0/networks", json!({"networks": names})).await;
    assert_eq!((networks.status.as_u16(), networks.revision()), (201, before + 1), "{}", networks.text);
    let networks = ids(&networks.body["networks"]);
    let subnet = |id: &String| json!({"network_id": id, "cidr": "10.0.0.0/24", "ip_version": 4});
    let mut subnets: Vec<Value> = networks.iter().map(subnet).collect();
    let made = lab.call("red", "POST /v2.0/subnets", json!({"subnets": subnets})).await;
    assert_eq!((made.status.as_u16(), made.revision()), (201, before + 2), "{}", made.text);
    subnets.truncate(2);
    subnets[0]["cidr"] = json!("10.1.0.0/24");
    let overlap = lab.call("red", "POST /v2.0/subnets", json!({"subnets": subnets})).await;
    assert_eq!(overlap.status.as_u16(), 400, "{}", overlap.text);
    assert_eq!(overlap.body["errors"][0]["field"], "subnets.1");
    assert_eq!(lab.desk.snapshot().revision().0, before + 2);
}

#[tokio::test]
async fn the_number_and_the_bytes_of_a_list_have_limits() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    for count in [0, 1001] {
        let answer = lab.call("red", "POST /v2.0/ports", json!({"ports": ports(&network, count)})).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (400, "InvalidInput"), "{}", answer.text);
        assert_eq!(answer.body["errors"][0]["field"], "ports");
    }
    let large = json!({"ports": [{"network_id": network, "description": "x".repeat(5 << 20)}]});
    let answer = lab.call("red", "POST /v2.0/ports", large).await;
    assert_eq!(answer.status.as_u16(), 413, "{}", answer.text);
}
