//! Proves that quotas are set, shown and held as in Neutron.

use serde_json::{Value, json};

use super::Lab;

#[tokio::test]
async fn limits_are_set_shown_and_held() {
    let lab = Lab::new().await;
    let none = json!({"network": -1, "subnet": -1, "subnetpool": -1, "port": -1, "router_route": -1, "router": -1,
        "floatingip": -1, "rbac_policy": -1, "security_group": -1, "security_group_rule": -1, "trunk": -1});
    assert_eq!(lab.get("red", "/v2.0/quotas/red").await.body, json!({"quota": none}));
    assert_eq!(lab.get("red", "/v2.0/quotas/red/default").await.body, json!({"quota": none}));
    let body = json!({"quota": {"check_limit": true, "network": 1, "trunk": -1}});
    let set = lab.call("admin", "PUT /v2.0/quotas/red", body.clone()).await;
    assert_eq!(
        (&set.body["quota"]["network"], &set.body["quota"]["port"]),
        (&json!(1), &json!(-1)),
        "{}",
        set.text
    );
    lab.network("red").await;
    let refused = lab.call("red", "POST /v2.0/networks", json!({"network": {}})).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (409, "OverQuota"));
    assert_eq!(refused.body["detail"], "Quota exceeded for resources: ['network'].");
    let details = lab.get("red", "/v2.0/quotas/red/details").await;
    assert_eq!(details.body["quota"]["network"], json!({"limit": 1, "used": 1, "reserved": 0}));
    assert_eq!(details.body["quota"]["port"], json!({"limit": -1, "used": 0, "reserved": 0}));
    let few = json!({"quota": {"subnetpool": 0, "trunk": 0, "rbac_policy": 0}});
    assert_eq!(lab.call("admin", "PUT /v2.0/quotas/red", few).await.status, 200);
    let pool = json!({"subnetpool": {"name": "p", "prefixes": ["10.2.0.0/16"]}});
    let refused = lab.call("red", "POST /v2.0/subnetpools", pool).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (409, "OverQuota"));
    assert_eq!(refused.body["detail"], "Quota exceeded for resources: ['subnetpool'].");
    let low = json!({"quota": {"check_limit": true, "network": 0}});
    let low = lab.call("admin", "PUT /v2.0/quotas/red", low).await;
    assert_eq!((low.status.as_u16(), &low.body["errors"][0]["field"]), (400, &json!("network")));
    let listed = lab.get("admin", "/v2.0/quotas").await;
    assert_eq!(
        (&listed.body["quotas"][0]["project_id"], &listed.body["quotas"][0]["network"]),
        (&json!("red"), &json!(1))
    );
    for line in ["PUT /v2.0/quotas/red", "DELETE /v2.0/quotas/red", "GET /v2.0/quotas"] {
        assert_eq!(lab.call("red", line, body.clone()).await.status, 403, "{line}");
    }
    assert_eq!(lab.get("blue", "/v2.0/quotas/red").await.status, 404);
    let wrong =
        lab.call("admin", "PUT /v2.0/quotas/red", json!({"quota": {"network": -2, "colour": 1}})).await;
    assert_eq!(wrong.body["errors"].as_array().unwrap().len(), 2, "{}", wrong.text);
    assert_eq!(lab.call("admin", "DELETE /v2.0/quotas/red", Value::Null).await.status, 204);
    lab.network("red").await;
}
