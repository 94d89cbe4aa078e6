//! Proves what `/v1` promises: tenants, hosts, applied revisions, health.

use serde_json::{Value, json};
use weft_model::Revision;
use weft_model::intent::{Actor, HostReport, Intent, ReportedInterface};
use weft_model::{EncapIps, OfPort};

use super::{Lab, ids};

#[tokio::test]
async fn tenants_are_made_changed_and_removed_by_administrators() {
    let lab = Lab::new().await;
    let made =
        lab.call("admin", "POST /v1/tenants", json!({"tenant": {"name": "green", "tags": ["x"]}})).await;
    let id = made.created("tenant");
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!(made.body["tenant"]["enabled"], true);
    let again = lab.call("admin", "POST /v1/tenants", json!({"tenant": {"id": id}})).await;
    assert_eq!((again.status.as_u16(), again.kind()), (409, "AlreadyExists"));
    again.check_problem("/v1");
    let changed =
        lab.call("admin", &format!("PUT /v1/tenants/{id}"), json!({"tenant": {"name": "lime"}})).await;
    assert_eq!(changed.body["tenant"]["name"], "lime");
    assert_eq!(ids(&lab.get("admin", "/v1/tenants?name=lime").await.body["tenants"]), [id.as_str()]);
    assert_eq!(ids(&lab.get("red", "/v1/tenants").await.body["tenants"]), ["red"]);
    let body = json!({"network": {"project_id": id}});
    let network = lab.call("admin", "POST /v2.0/networks", body).await.created("network");
    let refused = lab.call("admin", &format!("DELETE /v1/tenants/{id}"), Value::Null).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (409, "TenantInUse"));
    lab.call("admin", &format!("DELETE /v2.0/networks/{network}"), Value::Null).await;
    assert_eq!(lab.call("admin", &format!("DELETE /v1/tenants/{id}"), Value::Null).await.status, 204);
    let orphan = lab.call("admin", "POST /v2.0/networks", json!({"network": {}})).await;
    assert_eq!((orphan.status.as_u16(), &orphan.body["errors"][0]["field"]), (400, &json!("project_id")));
}

fn report(interfaces: Vec<ReportedInterface>) -> Intent {
    Intent::ReportHost(HostReport {
        id: "host-1".parse().unwrap(),
        hostname: "one".into(),
        encap_ips: EncapIps { v4: Some([192, 0, 2, 1].into()), v6: None },
        ovs_version: "3.1.0".into(),
        datapath_type: "system".into(),
        bridge_mappings: Default::default(),
        interfaces,
    })
}

#[tokio::test]
async fn hosts_show_what_is_on_them_and_stay_while_connected() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let port = lab.port("red", &network).await;
    let interface = ReportedInterface {
        port: port.parse().unwrap(),
        name: "tap0".into(),
        ofport: OfPort::new(7).unwrap(),
    };
    lab.desk.write(Actor::Admin, vec![report(vec![interface])]).await.unwrap();
    let id: weft_model::HostId = "host-1".parse().unwrap();
    let status = crate::status::HostStatus { ovsdb_connected: true, flows: 12, ..Default::default() };
    lab.pen.send_modify(|fleet| {
        fleet.hosts.insert_mut(id.clone(), status);
        fleet.distributed = Revision(100);
    });
    let shown = lab.get("admin", "/v1/hosts/host-1").await;
    let host = &shown.body["host"];
    assert_eq!(
        (&host["status"], &host["flows"], &host["ports"]),
        (&json!("DEGRADED"), &json!(12), &json!(1))
    );
    assert_eq!(host["encap_ips"], json!(["192.0.2.1"]));
    let seen = lab.get("admin", &format!("/v2.0/ports/{port}")).await;
    assert_eq!(seen.body["port"]["binding:host_id"], "host-1");
    assert_eq!(seen.body["port"]["binding:vif_type"], "ovs");
    assert_eq!(seen.body["port"]["status"], "ACTIVE");
    let filtered = lab.get("admin", "/v2.0/ports?binding:host_id=host-1&status=ACTIVE").await;
    assert_eq!(ids(&filtered.body["ports"]), [port]);
    let refused = lab.call("admin", "DELETE /v1/hosts/host-1", Value::Null).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (409, "HostInUse"));
    assert!(lab.pen.send_if_modified(|fleet| fleet.hosts.remove_mut(&id)));
    assert_eq!(lab.get("admin", "/v1/hosts").await.body["hosts"][0]["status"], "DOWN");
    assert_eq!(lab.call("admin", "DELETE /v1/hosts/host-1", Value::Null).await.status, 204);
    assert_eq!(lab.get("admin", "/v1/hosts/host-1").await.kind(), "HostNotFound");
}

#[tokio::test]
async fn applied_waits_until_a_revision_is_in_force() {
    let lab = Lab::new().await;
    let revision = lab.desk.snapshot().revision();
    let late = lab.get("red", "/v1/applied?timeout=0").await;
    assert_eq!((late.status.as_u16(), &late.body["applied"]), (200, &json!(false)), "{}", late.text);
    let path = format!("/v1/applied?revision={revision}&timeout=60");
    let (waited, ()) = tokio::join!(lab.get("red", &path), async {
        lab.pen.send_modify(|fleet| fleet.distributed = revision);
    });
    assert_eq!((&waited.body["applied"], &waited.body["revision"]), (&json!(true), &json!(revision.0)));
    for (query, field) in
        [("revision=99", "revision"), ("revision=x", "revision"), ("timeout=301", "timeout")]
    {
        let refused = lab.get("red", &format!("/v1/applied?{query}")).await;
        assert_eq!(refused.body["errors"][0]["field"], field, "{}", refused.text);
    }
}

#[tokio::test]
async fn health_and_readiness_are_open_and_honest() {
    let lab = Lab::new().await;
    assert_eq!(lab.get("", "/healthz").await.body["status"], "ok");
    assert_eq!(lab.get("", "/readyz").await.status, 200);
    lab.pen.send_modify(|fleet| fleet.started = false);
    let starting = lab.get("", "/readyz").await;
    assert_eq!((starting.status.as_u16(), starting.kind()), (503, "Starting"));
    assert_eq!(lab.get("", "/metrics").await.status, 200);
    assert_eq!(lab.get("admin", "/v1/whoami").await.body["role"], "admin");
}
