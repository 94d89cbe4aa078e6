//! Proves that QoS policies and trunks answer as Neutron does: bodies, statuses, error words.

use serde_json::{Value, json};

use super::{Lab, ids};

async fn policy(lab: &Lab, token: &str, more: Value) -> String {
    let mut body = json!({"name": "bronze"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    lab.call(token, "POST /v2.0/qos/policies", json!({"policy": body})).await.created("policy")
}

#[tokio::test]
async fn a_policy_has_rules_of_each_kind_once() {
    let lab = Lab::new().await;
    let id = policy(&lab, "red", json!({})).await;
    let limits = format!("/v2.0/qos/policies/{id}/bandwidth_limit_rules");
    let wish = json!({"bandwidth_limit_rule": {"max_kbps": 1000, "max_burst_kbps": 100}});
    let made = lab.call("red", &format!("POST {limits}"), wish.clone()).await;
    let limit = made.created("bandwidth_limit_rule");
    let expected = json!({"id": limit, "max_kbps": 1000, "max_burst_kbps": 100, "direction": "egress"});
    assert_eq!(made.body["bandwidth_limit_rule"], expected);
    let again = lab.call("red", &format!("POST {limits}"), wish).await;
    assert_eq!((again.status.as_u16(), again.kind()), (400, "QoSRulesConflict"));
    let marks = format!("/v2.0/qos/policies/{id}/dscp_marking_rules");
    let mark = json!({"dscp_marking_rule": {"dscp_mark": 26}});
    let mark = lab.call("red", &format!("POST {marks}"), mark).await.created("dscp_marking_rule");
    let shown = lab.get("red", &format!("/v2.0/qos/policies/{id}")).await;
    let rules = shown.body["policy"]["rules"].as_array().unwrap();
    let kinds: Vec<_> = rules.iter().map(|rule| rule["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"bandwidth_limit") && kinds.contains(&"dscp_marking"), "{kinds:?}");
    assert_eq!(shown.body["policy"]["revision_number"], 3);
    // A rule is found under its own kind only.
    assert_eq!(lab.get("red", &format!("{marks}/{limit}")).await.kind(), "QosRuleNotFound");
    let change = json!({"bandwidth_limit_rule": {"max_kbps": 2000, "direction": "ingress"}});
    let changed = lab.call("red", &format!("PUT {limits}/{limit}"), change).await;
    let row = &changed.body["bandwidth_limit_rule"];
    assert_eq!((&row["max_kbps"], &row["max_burst_kbps"]), (&json!(2000), &json!(100)), "{}", changed.text);
    for (wrong, path) in [
        (json!({"max_kbps": 0}), "max_kbps"),
        (json!({"max_burst_kbps": 7}), "max_kbps"),
        (json!({"max_kbps": 7, "direction": "sideways"}), "direction"),
    ] {
        let body = json!({"bandwidth_limit_rule": wrong});
        let refused = lab.call("red", &format!("POST {limits}"), body).await;
        assert_eq!((refused.status.as_u16(), &refused.body["errors"][0]["field"]), (400, &json!(path)));
    }
    let unnamed = json!({"dscp_marking_rule": {"dscp_mark": 1}});
    assert_eq!(lab.call("red", &format!("PUT {marks}/{mark}"), unnamed).await.status, 400);
    assert_eq!(lab.call("red", &format!("DELETE {marks}/{mark}"), Value::Null).await.status, 204);
    assert_eq!(lab.get("red", &marks).await.body["dscp_marking_rules"], json!([]));
    let minimum = format!("POST /v2.0/qos/policies/{id}/minimum_bandwidth_rules");
    let refused = lab.call("red", &minimum, json!({"minimum_bandwidth_rule": {"min_kbps": 7}})).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (409, "QosRuleNotSupported"));
    let types = lab.get("red", "/v2.0/qos/rule-types").await;
    assert_eq!(types.body["rule_types"].as_array().unwrap().len(), 2);
    let details = lab.get("admin", "/v2.0/qos/rule-types/bandwidth_limit").await;
    assert_eq!(details.body["rule_type"]["drivers"][0]["name"], "openvswitch");
}

#[tokio::test]
async fn policies_are_worn_by_those_who_may() {
    let lab = Lab::new().await;
    let own = policy(&lab, "red", json!({})).await;
    let theirs = policy(&lab, "blue", json!({})).await;
    let shared = policy(&lab, "admin", json!({"project_id": "blue", "shared": true})).await;
    let network = lab.network("red").await;
    let port = lab.port("red", &network).await;
    let wear = |policy: Value| json!({"port": {"qos_policy_id": policy}});
    let line = format!("PUT /v2.0/ports/{port}");
    assert_eq!(lab.call("red", &line, wear(json!(theirs))).await.kind(), "QosPolicyNotFound");
    assert_eq!(lab.call("red", &line, wear(json!(own))).await.body["port"]["qos_policy_id"], own.as_str());
    let used = lab.call("red", &format!("DELETE /v2.0/qos/policies/{own}"), Value::Null).await;
    assert_eq!((used.status.as_u16(), used.kind()), (409, "QosPolicyInUse"));
    let message = format!("QoS Policy {own} is used by port {port}.");
    assert_eq!(used.body["NeutronError"]["message"], message);
    let listed = lab.get("red", "/v2.0/qos/policies").await;
    let mut seen = ids(&listed.body["policies"]);
    seen.sort();
    let mut expected = vec![own.clone(), shared.clone()];
    expected.sort();
    assert_eq!(seen, expected);
    let change = json!({"policy": {"name": "mine"}});
    assert_eq!(lab.call("red", &format!("PUT /v2.0/qos/policies/{shared}"), change).await.status, 403);
    let on = json!({"network": {"qos_policy_id": shared}});
    assert_eq!(lab.call("red", &format!("PUT /v2.0/networks/{network}"), on).await.status, 200);
    let shown = lab.get("red", &format!("/v2.0/ports/{port}")).await;
    assert_eq!(shown.body["port"]["qos_network_policy_id"], shared.as_str());
    // What the operator puts on stays on.
    assert_eq!(lab.call("admin", &line, wear(json!(theirs))).await.status, 200);
    let refused = lab.call("red", &line, wear(Value::Null)).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (403, "PolicyRemoveAuthorizationError"));
    let default = json!({"policy": {"is_default": true}});
    assert_eq!(lab.call("red", &format!("PUT /v2.0/qos/policies/{own}"), default.clone()).await.status, 200);
    let made = lab.network("red").await;
    assert_eq!(
        lab.get("red", &format!("/v2.0/networks/{made}")).await.body["network"]["qos_policy_id"],
        own.as_str()
    );
    let second = policy(&lab, "red", json!({})).await;
    let refused = lab.call("red", &format!("PUT /v2.0/qos/policies/{second}"), default).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (409, "QoSPolicyDefaultAlreadyExists"));
}

#[tokio::test]
async fn trunks_take_and_give_back_ports() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let mut ports = Vec::new();
    for _ in 0..4 {
        ports.push(lab.port("red", &network).await);
    }
    let [parent, one, two, other] = ports.as_slice() else { panic!("four ports") };
    let sub = |port: &str, vlan: u32| json!({"port_id": port, "segmentation_type": "vlan", "segmentation_id": vlan});
    let wish = json!({"trunk": {"port_id": parent, "name": "t", "sub_ports": [sub(one, 42)]}});
    let made = lab.call("red", "POST /v2.0/trunks", wish.clone()).await;
    let id = made.created("trunk");
    let row = &made.body["trunk"];
    assert_eq!((&row["status"], &row["sub_ports"]), (&json!("DOWN"), &json!([sub(one, 42)])));
    let again = lab.call("red", "POST /v2.0/trunks", wish).await;
    assert_eq!((again.status.as_u16(), again.kind()), (409, "ParentPortInUse"));
    let add = |subs: Value| json!({"sub_ports": subs});
    let line = format!("PUT /v2.0/trunks/{id}/add_subports");
    for (subs, status, kind) in [
        (json!([sub(two, 42)]), 409, "DuplicateSubPort"),
        (json!([sub(one, 43)]), 409, "TrunkPortInUse"),
        (json!([sub(parent, 43)]), 409, "ParentPortInUse"),
        (json!([sub(two, 4095)]), 400, "InvalidInput"),
        (json!([{"port_id": two, "segmentation_type": "inherit"}]), 400, "InvalidInput"),
    ] {
        let refused = lab.call("red", &line, add(subs)).await;
        assert_eq!((refused.status.as_u16(), refused.kind()), (status, kind), "{}", refused.text);
    }
    let more = lab.call("red", &line, add(json!([sub(two, 43)]))).await;
    assert_eq!((more.status.as_u16(), more.body["sub_ports"].as_array().unwrap().len()), (200, 2));
    let listed = lab.get("red", &format!("/v2.0/trunks/{id}/get_subports")).await;
    assert_eq!(listed.body, json!({"sub_ports": [sub(one, 42), sub(two, 43)]}));
    let details = &lab.get("red", &format!("/v2.0/ports/{parent}")).await.body["port"]["trunk_details"];
    assert_eq!((&details["trunk_id"], details["sub_ports"].as_array().unwrap().len()), (&json!(id), 2));
    for (port, kind) in [(one, "PortInUseAsSubPort"), (parent, "PortInUseAsTrunkParent")] {
        let refused = lab.call("red", &format!("DELETE /v2.0/ports/{port}"), Value::Null).await;
        assert_eq!((refused.status.as_u16(), refused.kind()), (409, kind));
    }
    let line = format!("PUT /v2.0/trunks/{id}/remove_subports");
    let missing = lab.call("red", &line, add(json!([{"port_id": other}]))).await;
    assert_eq!((missing.status.as_u16(), missing.kind()), (404, "SubPortNotFound"));
    let fewer = lab.call("red", &line, add(json!([{"port_id": one}]))).await;
    assert_eq!(fewer.body["sub_ports"], json!([sub(two, 43)]));
    assert_eq!(lab.call("red", &format!("DELETE /v2.0/trunks/{id}"), Value::Null).await.status, 204);
    assert_eq!(lab.call("red", &format!("DELETE /v2.0/ports/{two}"), Value::Null).await.status, 204);
    let gone = lab.get("red", &format!("/v2.0/trunks/{id}")).await;
    assert_eq!((gone.status.as_u16(), gone.kind()), (404, "TrunkNotFound"));
}
