//! Dry runs say what a write would do, and do nothing.

use serde_json::{Value, json};
use weft_model::intent::{Actor, HostReport, Intent, ReportedInterface};
use weft_model::{EncapIps, OfPort, PortId};

use super::Lab;

/// A host on which the port is plugged in.
async fn plug(lab: &Lab, port: &str) {
    let port = PortId(port.parse().unwrap());
    let report = HostReport {
        id: "host-1".parse().unwrap(),
        hostname: "one".into(),
        encap_ips: EncapIps { v4: "192.0.2.1".parse().ok(), v6: None },
        ovs_version: String::new(),
        datapath_type: String::new(),
        bridge_mappings: Default::default(),
        interfaces: vec![ReportedInterface { port, name: "tap0".into(), ofport: OfPort::new(1).unwrap() }],
    };
    lab.desk.write(Actor::Admin, vec![Intent::ReportHost(report)]).await.unwrap();
}

fn verbs(plan: &Value) -> Vec<(&str, &str)> {
    let objects = plan["plan"]["objects"].as_array().unwrap();
    objects.iter().map(|o| (o["verb"].as_str().unwrap(), o["kind"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.0.0.0/24").await;
    let port = lab.port("red", &network).await;
    plug(&lab, &port).await;
    let before = lab.desk.snapshot();
    let made = lab.call("red", "POST /v2.0/networks?dry_run=true", json!({"network": {"name": "x"}})).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(verbs(&made.body), [("created", "network")]);
    let object = &made.body["plan"]["objects"][0];
    assert_eq!(
        (&object["before"], &object["after"]["name"], &object["drawn"]),
        (&Value::Null, &json!("x"), &json!(["id"]))
    );
    assert_eq!(made.body["plan"]["flows"]["hosts_total"], 0);

    let down = json!({"port": {"admin_state_up": false}});
    let line = format!("PUT /v2.0/ports/{port}?dry_run=1");
    let red = lab.call("red", &line, down.clone()).await;
    assert_eq!(verbs(&red.body), [("updated", "port")]);
    let object = &red.body["plan"]["objects"][0];
    assert_eq!(
        (&object["before"]["admin_state_up"], &object["after"]["admin_state_up"]),
        (&json!(true), &json!(false))
    );
    let flows = &red.body["plan"]["flows"];
    assert!(flows["removed"].as_u64().unwrap() > 0 && flows["hosts_total"] == 1, "{flows}");
    assert_eq!(flows["hosts"], json!([]), "which hosts there are is no tenant's business");
    let admin = lab.call("admin", &line, down).await;
    assert_eq!(admin.body["plan"]["flows"]["hosts"][0]["id"], "host-1");

    let gone = lab.call("red", &format!("DELETE /v2.0/ports/{port}?dry_run=true"), Value::Null).await;
    assert_eq!((gone.status.as_u16(), verbs(&gone.body)), (200, vec![("deleted", "port")]));
    let many = json!({"networks": [{"name": "a"}, {"name": "b"}]});
    assert_eq!(
        lab.call("red", "POST /v2.0/networks?dry_run=true", many).await.body["plan"]["objects_total"],
        2
    );
    let tags = lab
        .call("red", &format!("PUT /v2.0/networks/{network}/tags?dry_run=true"), json!({"tags": ["t"]}))
        .await;
    assert_eq!(verbs(&tags.body), [("updated", "network")]);
    assert_eq!(lab.desk.snapshot(), before, "something was written");
}

#[tokio::test]
async fn a_dry_run_refuses_what_the_write_would_refuse() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.0.0.0/24").await;
    let overlap = json!({"subnet": {"network_id": network, "cidr": "10.0.0.0/25", "ip_version": 4}});
    assert_eq!(lab.call("red", "POST /v2.0/subnets?dry_run=true", overlap).await.status, 400);
    let line = format!("DELETE /v2.0/networks/{network}?dry_run=true");
    assert_eq!(lab.call("blue", &line, Value::Null).await.status, 404);
    assert_eq!(lab.call("red-reader", &line, Value::Null).await.status, 403);
    let unclear = lab.call("red", &line.replace("true", "perhaps"), Value::Null).await;
    assert_eq!((unclear.status.as_u16(), &unclear.body["errors"][0]["field"]), (400, &json!("dry_run")));
    assert_eq!(lab.get("red", &format!("/v2.0/networks/{network}")).await.status, 200);
    assert_eq!(lab.call("red", &line.replace("true", "false"), Value::Null).await.status, 204);
}
