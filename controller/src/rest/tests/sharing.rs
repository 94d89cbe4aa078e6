//! Sharing over the API: policies and flags, and what tenants see and do with what is another's.

use serde_json::{Value, json};

use super::{Lab, ids};

fn policy(kind: &str, object: &str, target: &str) -> Value {
    json!({"rbac_policy": {"object_type": kind, "object_id": object, "action": "access_as_shared",
        "target_tenant": target}})
}

#[tokio::test]
async fn a_shared_network_is_seen_and_used_with_its_subnets() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let subnet = lab.subnet("red", &network, "10.0.0.0/24").await;
    let own = lab.network("blue").await;
    assert_eq!(ids(&lab.get("blue", "/v2.0/networks").await.body["networks"]), std::slice::from_ref(&own));
    let made = lab.call("red", "POST /v2.0/rbac-policies", policy("network", &network, "blue")).await;
    let rbac = made.created("rbac_policy");
    assert_eq!(made.body["rbac_policy"]["project_id"], "red");
    let again = lab.call("red", "POST /v2.0/rbac-policies", policy("network", &network, "blue")).await;
    assert_eq!((again.status.as_u16(), again.kind()), (409, "DuplicateRbacPolicy"));
    let everybody = lab.call("red", "POST /v2.0/rbac-policies", policy("network", &network, "*")).await;
    assert_eq!((everybody.status.as_u16(), everybody.kind()), (403, "PolicyNotAuthorized"));

    let mut both = vec![own, network.clone()];
    both.sort();
    assert_eq!(ids(&lab.get("blue", "/v2.0/networks").await.body["networks"]), both);
    let shared = lab.get("blue", "/v2.0/networks?shared=true").await;
    assert_eq!(ids(&shared.body["networks"]), std::slice::from_ref(&network));
    assert_eq!(lab.get("red", &format!("/v2.0/networks/{network}")).await.body["network"]["shared"], false);
    assert_eq!(ids(&lab.get("blue", "/v2.0/subnets").await.body["subnets"]), std::slice::from_ref(&subnet));
    assert_eq!(lab.get("blue", &format!("/v2.0/subnets/{subnet}")).await.status, 200);
    let rename = json!({"network": {"name": "mine"}});
    assert_eq!(lab.call("blue", &format!("PUT /v2.0/networks/{network}"), rename).await.status, 403);
    let gone = lab.call("blue", &format!("DELETE /v2.0/subnets/{subnet}"), Value::Null).await;
    assert_eq!(gone.status, 403, "{}", gone.text);

    let port = lab.port("blue", &network).await;
    let shown = lab.get("blue", &format!("/v2.0/ports/{port}")).await;
    assert_eq!(shown.body["port"]["tenant_id"], "blue");
    assert_eq!(ids(&lab.get("red", "/v2.0/ports").await.body["ports"]), std::slice::from_ref(&port));
    let rename = json!({"port": {"name": "mine"}});
    assert_eq!(lab.call("red", &format!("PUT /v2.0/ports/{port}"), rename).await.status, 403);
    let line = format!("DELETE /v2.0/rbac-policies/{rbac}");
    let used = lab.call("red", &line, Value::Null).await;
    assert_eq!((used.status.as_u16(), used.kind()), (409, "RbacPolicyInUse"));
    assert_eq!(lab.call("blue", &line, Value::Null).await.status, 404);
    assert_eq!(lab.get("blue", "/v2.0/rbac-policies").await.body["rbac_policies"], json!([]));
    let listed = lab.get("red", "/v2.0/rbac-policies?object_type=network&target_tenant=blue").await;
    assert_eq!(ids(&listed.body["rbac_policies"]), [rbac]);
    assert_eq!(lab.call("red", &format!("DELETE /v2.0/ports/{port}"), Value::Null).await.status, 204);
    assert_eq!(lab.call("red", &line, Value::Null).await.status, 204);
    assert_eq!(lab.get("blue", &format!("/v2.0/networks/{network}")).await.status, 404);
}

#[tokio::test]
async fn the_shared_flag_is_the_policy_for_everybody() {
    let lab = Lab::new().await;
    let body = json!({"network": {"shared": true, "project_id": "red"}});
    assert_eq!(lab.call("red", "POST /v2.0/networks", body.clone()).await.status, 403);
    let made = lab.call("admin", "POST /v2.0/networks", body).await;
    let network = made.created("network");
    assert_eq!(made.body["network"]["shared"], true);
    let policies = lab.get("admin", &format!("/v2.0/rbac-policies?object_id={network}")).await;
    assert_eq!(policies.body["rbac_policies"][0]["target_tenant"], "*");
    assert_eq!(policies.body["rbac_policies"][0]["action"], "access_as_shared");
    lab.subnet("red", &network, "10.0.0.0/24").await;
    let port = lab.port("blue", &network).await;
    let line = format!("PUT /v2.0/networks/{network}");
    let off = json!({"network": {"shared": false}});
    let refused = lab.call("red", &line, off.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (403, "PolicyNotAuthorized"));
    let refused = lab.call("admin", &line, off.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (409, "InvalidSharedSetting"));
    assert_eq!(lab.call("blue", &format!("DELETE /v2.0/ports/{port}"), Value::Null).await.status, 204);
    let changed = lab.call("admin", &line, off).await;
    assert_eq!(changed.body["network"]["shared"], false, "{}", changed.text);
    assert_eq!(lab.get("blue", "/v2.0/networks").await.body["networks"], json!([]));
}

#[tokio::test]
async fn groups_are_shared_with_their_rules() {
    let lab = Lab::new().await;
    let group =
        lab.call("red", "POST /v2.0/security-groups", json!({"security_group": {"name": "web"}})).await;
    let group = group.created("security_group");
    let list = json!({"address_group": {"name": "list", "addresses": ["192.0.2.0/24"]}});
    let list = lab.call("red", "POST /v2.0/address-groups", list).await.created("address_group");
    let network = lab.network("blue").await;
    let port = json!({"port": {"network_id": network, "security_groups": [group]}});
    assert_eq!(lab.call("blue", "POST /v2.0/ports", port.clone()).await.kind(), "SecurityGroupNotFound");
    for (kind, object) in [("security_group", &group), ("address_group", &list)] {
        let made = lab.call("red", "POST /v2.0/rbac-policies", policy(kind, object, "blue")).await;
        made.created("rbac_policy");
    }
    let seen = lab.get("blue", "/v2.0/security-groups?shared=true").await;
    assert_eq!(ids(&seen.body["security_groups"]), std::slice::from_ref(&group));
    let rules = lab.get("blue", &format!("/v2.0/security-group-rules?security_group_id={group}")).await;
    assert_eq!(rules.body["security_group_rules"].as_array().unwrap().len(), 2);
    let mine = json!({"security_group": {"name": "mine"}});
    let mine = lab.call("blue", "POST /v2.0/security-groups", mine).await.created("security_group");
    let rule = json!({"security_group_rule": {"security_group_id": mine, "direction": "ingress",
        "remote_address_group_id": list}});
    lab.call("blue", "POST /v2.0/security-group-rules", rule).await.created("security_group_rule");
    lab.call("blue", "POST /v2.0/ports", port).await.created("port");
    let rule = json!({"security_group_rule": {"security_group_id": group, "direction": "ingress"}});
    assert_eq!(lab.call("blue", "POST /v2.0/security-group-rules", rule).await.status, 403);
    let policies = lab.get("red", "/v2.0/rbac-policies").await;
    for policy in ids(&policies.body["rbac_policies"]) {
        let used = lab.call("red", &format!("DELETE /v2.0/rbac-policies/{policy}"), Value::Null).await;
        assert_eq!((used.status.as_u16(), used.kind()), (409, "RbacPolicyInUse"));
    }
}

#[tokio::test]
async fn a_bad_policy_names_what_is_wrong() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let cases = [
        (json!({}), 400, "InvalidInput"),
        (policy("router", &network, "blue")["rbac_policy"].clone(), 400, "InvalidInput"),
        (policy("subnetpool", &network, "blue")["rbac_policy"].clone(), 404, "SubnetPoolNotFound"),
        (policy("network", "nonsense", "blue")["rbac_policy"].clone(), 400, "InvalidInput"),
        (policy("network", &network, "a b")["rbac_policy"].clone(), 400, "InvalidInput"),
    ];
    for (body, status, kind) in cases {
        let answer = lab.call("red", "POST /v2.0/rbac-policies", json!({ "rbac_policy": body })).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (status, kind), "{}", answer.text);
    }
}
