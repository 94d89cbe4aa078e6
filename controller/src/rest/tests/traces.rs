//! Proves what `/v1/trace` takes, what it refuses, and what it shows to whom.

use serde_json::json;
use weft_model::intent::{Actor, HostReport, Intent, ReportedInterface};
use weft_model::{EncapIps, OfPort};

use super::Lab;

/// Two ports of red on one host, by id.
async fn plugged(lab: &Lab) -> [String; 2] {
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.0.0.0/24").await;
    let ports = [lab.port("red", &network).await, lab.port("red", &network).await];
    let interface = |(number, port): (i64, &String)| ReportedInterface {
        port: port.parse().unwrap(),
        name: format!("tap{number}"),
        ofport: OfPort::new(number + 1).unwrap(),
    };
    let report = HostReport {
        id: "h1".parse().unwrap(),
        hostname: "secret-host".into(),
        encap_ips: EncapIps::default(),
        ovs_version: String::new(),
        datapath_type: String::new(),
        bridge_mappings: Default::default(),
        interfaces: (0..).zip(&ports).map(interface).collect(),
    };
    lab.desk.write(Actor::Admin, vec![Intent::ReportHost(report)]).await.unwrap();
    ports
}

#[tokio::test]
async fn a_tenant_sees_its_own_and_an_administrator_everything() {
    let lab = Lab::new().await;
    let [a, b] = plugged(&lab).await;
    let shown = lab.get("red", &format!("/v2.0/ports/{b}")).await;
    let address = shown.body["port"]["fixed_ips"][0]["ip_address"].as_str().unwrap().to_owned();
    let question = json!({"trace": {"from_port": a, "to": address}});
    for token in ["red", "red-reader", "admin"] {
        let answer = lab.call(token, "POST /v1/trace", question.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let trace = &answer.body["trace"];
        assert_eq!(
            (&trace["verdict"], &trace["back"]["verdict"]),
            (&json!("delivered"), &json!("delivered"))
        );
        assert_eq!(trace["outcomes"][0]["port"]["id"], json!(b));
        assert_eq!(trace["steps"][0]["table"], json!("classify"));
        assert_eq!(trace["steps"][0]["object"]["id"], json!(a));
        let is_admin = token == "admin";
        assert_eq!(trace["steps"][0].get("flow").is_some(), is_admin, "{}", answer.text);
        assert_eq!(trace["steps"][0].get("host").is_some(), is_admin, "{}", answer.text);
        assert_eq!(answer.text.contains("h1"), is_admin, "{}", answer.text);
    }
    let stranger = lab.call("blue", "POST /v1/trace", question).await;
    assert_eq!((stranger.status.as_u16(), &stranger.body["type"]), (404, &json!("PortNotFound")));
}

#[tokio::test]
async fn nonsense_is_refused_field_by_field() {
    let lab = Lab::new().await;
    let [a, _] = plugged(&lab).await;
    for (body, fields) in [
        (json!({}), vec!["from_port", "to"]),
        (json!({"from_port": a, "to": "here"}), vec!["to"]),
        (json!({"from_port": a, "to": "10.0.0.1", "protocol": "carrier-pigeon"}), vec!["protocol"]),
        (json!({"from_port": a, "to": "10.0.0.1", "ttl": 256, "size": 3}), vec!["ttl", "size"]),
        (json!({"from_port": a, "to": "10.0.0.1", "destination_port": 65536}), vec!["destination_port"]),
        (json!({"from_port": a, "to": "10.0.0.1", "colour": 1}), vec!["colour"]),
    ] {
        let answer = lab.call("red", "POST /v1/trace", json!({ "trace": body })).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        let errors = answer.body["errors"].as_array().unwrap().iter();
        let named: Vec<&str> = errors.map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields, "{}", answer.text);
    }
    for (body, verdict) in [
        (json!({"from_port": a, "to": "192.0.2.1"}), "unsent"),
        (json!({"from_port": a, "to": "fd00::1"}), "unsent"),
        (json!({"from_port": a, "to": "02:00:00:00:00:77"}), "dropped"),
        (json!({"from_port": a, "to": "10.0.0.99", "protocol": "tcp", "ttl": 1}), "unsent"),
    ] {
        let answer = lab.call("red", "POST /v1/trace", json!({ "trace": body })).await;
        assert_eq!(answer.body["trace"]["verdict"], json!(verdict), "{body}: {}", answer.text);
    }
    assert_eq!(lab.call("red", "POST /v1/trace", json!({"port": {}})).await.status, 400);
}
