//! Proves that the OpenAPI document in the repository is the one that is served, and that it says what requests may have.

use serde_json::{Map, Value, json};

use super::Lab;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/openapi.json");

#[tokio::test]
async fn the_document_in_the_repository_is_the_one_served() {
    let lab = Lab::new().await;
    let served = lab.get("", "/openapi.json").await;
    let text = format!("{}\n", serde_json::to_string_pretty(&served.body).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    let kept = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(kept == text, "api/openapi.json is not up to date: run this test with UPDATE_GOLDEN=1");
    assert_eq!(served.body["openapi"], "3.1.0");
}

/// A value of the type that a schema asks for.
fn sample(schema: &Value) -> Value {
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null").cloned().unwrap_or_default(),
        kind => kind.clone(),
    };
    match kind.as_str() {
        Some("boolean") => json!(true),
        Some("integer") => json!(4),
        Some("array") => json!([]),
        _ => json!("x"),
    }
}

#[tokio::test]
async fn every_field_that_the_document_offers_is_known_to_the_server() {
    let lab = Lab::new().await;
    let document = serde_json::to_value(super::super::openapi()).unwrap();
    let network = lab.call("admin", "POST /v2.0/networks", json!({"network": {"project_id": "red"}})).await;
    let network = network.created("network");
    let subnet = lab.subnet("red", &network, "10.0.0.0/24").await;
    let port = lab.port("red", &network).await;
    let router = lab.call("red", "POST /v2.0/routers", json!({"router": {}})).await.created("router");
    let group = lab.call("red", "POST /v2.0/security-groups", json!({"security_group": {"name": "g"}}));
    let group = group.await.created("security_group");
    let pool = json!({"subnetpool": {"prefixes": ["10.0.0.0/16"]}});
    let pool = lab.call("red", "POST /v2.0/subnetpools", pool).await.created("subnetpool");
    let scope = json!({"address_scope": {"ip_version": 4}});
    let scope = lab.call("red", "POST /v2.0/address-scopes", scope).await.created("address_scope");
    let rbac = json!({"rbac_policy": {"object_type": "network", "object_id": network, "target_tenant": "blue",
        "action": "access_as_shared"}});
    let rbac = lab.call("red", "POST /v2.0/rbac-policies", rbac).await.created("rbac_policy");
    let external = super::outside::external_network(&lab, "red").await;
    let floating_ip = json!({"floatingip": {"floating_network_id": external, "project_id": "red"}});
    let floating_ip = lab.call("admin", "POST /v2.0/floatingips", floating_ip).await.created("floatingip");
    let forwardings = format!("/v2.0/floatingips/{floating_ip}/port_forwardings");
    let cases = [
        ("FloatingIpCreate", "floatingip", "POST /v2.0/floatingips".into()),
        ("FloatingIpUpdate", "floatingip", format!("PUT /v2.0/floatingips/{floating_ip}")),
        ("PortForwardingCreate", "port_forwarding", format!("POST {forwardings}")),
        ("NetworkCreate", "network", "POST /v2.0/networks".to_owned()),
        ("NetworkUpdate", "network", format!("PUT /v2.0/networks/{network}")),
        ("SubnetCreate", "subnet", "POST /v2.0/subnets".into()),
        ("SubnetUpdate", "subnet", format!("PUT /v2.0/subnets/{subnet}")),
        ("PortCreate", "port", "POST /v2.0/ports".into()),
        ("PortUpdate", "port", format!("PUT /v2.0/ports/{port}")),
        ("RouterCreate", "router", "POST /v2.0/routers".into()),
        ("RouterUpdate", "router", format!("PUT /v2.0/routers/{router}")),
        ("SecurityGroupCreate", "security_group", "POST /v2.0/security-groups".into()),
        ("SecurityGroupUpdate", "security_group", format!("PUT /v2.0/security-groups/{group}")),
        ("SecurityGroupRuleCreate", "security_group_rule", "POST /v2.0/security-group-rules".into()),
        ("AddressGroupCreate", "address_group", "POST /v2.0/address-groups".into()),
        ("QuotaUpdate", "quota", "PUT /v2.0/quotas/red".into()),
        ("TrunkCreate", "trunk", "POST /v2.0/trunks".into()),
        ("QosPolicyCreate", "policy", "POST /v2.0/qos/policies".into()),
        ("SubnetPoolCreate", "subnetpool", "POST /v2.0/subnetpools".into()),
        ("SubnetPoolUpdate", "subnetpool", format!("PUT /v2.0/subnetpools/{pool}")),
        ("AddressScopeCreate", "address_scope", "POST /v2.0/address-scopes".into()),
        ("AddressScopeUpdate", "address_scope", format!("PUT /v2.0/address-scopes/{scope}")),
        ("NetworkSegmentRangeCreate", "network_segment_range", "POST /v2.0/network_segment_ranges".into()),
        ("RbacPolicyCreate", "rbac_policy", "POST /v2.0/rbac-policies".into()),
        ("RbacPolicyUpdate", "rbac_policy", format!("PUT /v2.0/rbac-policies/{rbac}")),
        ("TenantCreate", "tenant", "POST /v1/tenants".into()),
        ("TenantUpdate", "tenant", "PUT /v1/tenants/red".into()),
        ("TokenCreate", "token", "POST /v1/tenants/red/tokens".into()),
        ("TraceAsked", "trace", "POST /v1/trace".into()),
    ];
    for (schema, one, line) in cases {
        let properties = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
        let mut body: Map<String, Value> =
            properties.iter().map(|(name, schema)| (name.clone(), sample(schema))).collect();
        // One field that no schema has makes sure that nothing is created, whatever the samples are.
        body.insert("unheard_of".into(), json!(1));
        let answer = lab.call("admin", &line, json!({ one: body })).await;
        let errors = answer.body["errors"].as_array().unwrap().iter();
        let unknown = errors.filter(|error| {
            error["reason"] == "is not an attribute" || error["reason"] == "cannot be set here"
        });
        let unknown: Vec<&str> = unknown.map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(unknown, ["unheard_of"], "{schema}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_pages_of_the_document_need_nothing_from_elsewhere() {
    let lab = Lab::new().await;
    for path in ["/docs", "/docs/"] {
        let page = lab.get("", path).await;
        assert_eq!(
            (page.status.as_u16(), &page.headers["content-type"]),
            (200, &"text/html".parse().unwrap())
        );
        let parts: Vec<&str> = page.text.split(['"', '\'']).filter(|part| part.starts_with("./")).collect();
        assert!(parts.len() >= 4, "{}", page.text);
        for part in parts.iter().filter(|part| part.ends_with(".css") || part.ends_with(".js")) {
            let found = lab.get("", &part.replacen("./", "/docs/", 1)).await;
            assert_eq!(found.status, 200, "{part}");
        }
        assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{}", page.text);
    }
    let start = lab.get("", "/docs/swagger-initializer.js").await;
    assert!(start.text.contains("/openapi.json"), "{}", start.text);
    assert_eq!(lab.get("", "/docs/swagger-ui.css").await.status, 200);
    assert_eq!(lab.get("", "/docs/nothing.js").await.status, 404);
}
