//! Subnet pools and address scopes over the API, in the words that OpenStack clients use.

use serde_json::{Value, json};

use super::{Lab, ids};

async fn pool(lab: &Lab, token: &str, body: Value) -> String {
    lab.call(token, "POST /v2.0/subnetpools", json!({ "subnetpool": body })).await.created("subnetpool")
}

#[tokio::test]
async fn subnets_are_cut_from_pools() {
    let lab = Lab::new().await;
    let body = json!({"name": "sp", "prefixes": ["10.64.0.0/16"], "default_prefixlen": 26});
    let made = lab.call("red", "POST /v2.0/subnetpools", json!({ "subnetpool": body })).await;
    let pool = made.created("subnetpool");
    let shown = &made.body["subnetpool"];
    assert_eq!(shown["default_prefixlen"], "26");
    assert_eq!((&shown["min_prefixlen"], &shown["max_prefixlen"]), (&json!("8"), &json!("32")));
    assert_eq!((&shown["ip_version"], &shown["default_quota"]), (&json!(4), &Value::Null));
    let network = lab.network("red").await;
    let cut = |more: Value| {
        let mut body = json!({"network_id": network, "ip_version": 4, "subnetpool_id": pool});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        json!({ "subnet": body })
    };
    let first = lab.call("red", "POST /v2.0/subnets", cut(json!({}))).await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(first.body["subnet"]["cidr"], "10.64.0.0/26");
    assert_eq!(first.body["subnet"]["subnetpool_id"], *pool);
    assert_eq!(first.body["subnet"]["gateway_ip"], "10.64.0.1");
    let second = lab.call("red", "POST /v2.0/subnets", cut(json!({"prefixlen": "28"}))).await;
    assert_eq!(second.body["subnet"]["cidr"], "10.64.0.64/28", "{}", second.text);
    let third = lab.call("red", "POST /v2.0/subnets", cut(json!({"cidr": "10.64.1.0/24"}))).await;
    assert_eq!(third.status, 201, "{}", third.text);
    let found = lab.get("red", &format!("/v2.0/subnets?subnetpool_id={pool}")).await;
    assert_eq!(found.body["subnets"].as_array().unwrap().len(), 3);
    for (body, status, kind) in [
        (cut(json!({"prefixlen": 33})), 400, "MaxPrefixSubnetAllocationError"),
        (cut(json!({"prefixlen": 7})), 400, "MinPrefixSubnetAllocationError"),
        (cut(json!({"cidr": "10.64.0.0/27"})), 409, "SubnetAllocationError"),
        (cut(json!({"ip_version": 6})), 400, "InvalidInput"),
        (cut(json!({"use_default_subnetpool": true})), 400, "InvalidInput"),
        (json!({"subnet": {"network_id": network}}), 400, "InvalidInput"),
        (
            json!({"subnet": {"network_id": network, "cidr": "10.0.0.0/24"}}),
            400,
            "NetworkSubnetPoolAffinityError",
        ),
        (json!({"subnet": {"network_id": network, "use_default_subnetpool": true}}), 400, "BadRequest"),
    ] {
        let answer = lab.call("red", "POST /v2.0/subnets", body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (status, kind), "{body}: {}", answer.text);
    }
    let line = format!("DELETE /v2.0/subnetpools/{pool}");
    assert_eq!(lab.call("red", &line, Value::Null).await.kind(), "SubnetPoolDeleteError");
    for subnet in ids(&found.body["subnets"]) {
        let gone = lab.call("red", &format!("DELETE /v2.0/subnets/{subnet}"), Value::Null).await;
        assert_eq!(gone.status, 204);
    }
    assert_eq!(lab.call("red", &line, Value::Null).await.status, 204);
    assert_eq!(lab.get("red", &format!("/v2.0/subnetpools/{pool}")).await.kind(), "SubnetPoolNotFound");
}

#[tokio::test]
async fn scopes_keep_pools_apart_and_networks_show_them() {
    let lab = Lab::new().await;
    let scope = json!({"address_scope": {"name": "as", "ip_version": 4}});
    let scope = lab.call("red", "POST /v2.0/address-scopes", scope).await.created("address_scope");
    let in_scope =
        |prefix: &str| json!({"prefixes": [prefix], "default_prefixlen": "24", "address_scope_id": scope});
    let first = pool(&lab, "red", in_scope("10.0.0.0/16")).await;
    let meets =
        lab.call("red", "POST /v2.0/subnetpools", json!({"subnetpool": in_scope("10.0.7.0/24")})).await;
    assert_eq!((meets.status.as_u16(), meets.kind()), (409, "AddressScopePrefixConflict"));
    let six = json!({"subnetpool": {"prefixes": ["fd00::/48"], "address_scope_id": scope}});
    let six = lab.call("red", "POST /v2.0/subnetpools", six).await;
    assert_eq!(six.kind(), "IllegalSubnetPoolIpVersionAssociationToAddressScope");
    let line = format!("DELETE /v2.0/address-scopes/{scope}");
    assert_eq!(lab.call("red", &line, Value::Null).await.kind(), "AddressScopeInUse");
    let network = lab.network("red").await;
    let body = json!({"subnet": {"network_id": network, "subnetpool_id": first}});
    lab.call("red", "POST /v2.0/subnets", body).await.created("subnet");
    let shown = lab.get("red", &format!("/v2.0/networks/{network}")).await;
    assert_eq!(shown.body["network"]["ipv4_address_scope"], *scope);
    assert_eq!(shown.body["network"]["ipv6_address_scope"], Value::Null);
    let change = json!({"subnetpool": {"prefixes": ["10.0.0.0/15"], "default_quota": 1024, "name": "wide"}});
    let changed = lab.call("red", &format!("PUT /v2.0/subnetpools/{first}"), change).await;
    assert_eq!(changed.body["subnetpool"]["prefixes"], json!(["10.0.0.0/15"]), "{}", changed.text);
    assert_eq!(changed.body["subnetpool"]["default_quota"], 1024);
    let shrink = json!({"subnetpool": {"prefixes": ["10.0.0.0/16"]}});
    let shrunk = lab.call("red", &format!("PUT /v2.0/subnetpools/{first}"), shrink).await;
    assert_eq!(shrunk.kind(), "IllegalSubnetPoolPrefixUpdate");
    let none = json!({"subnetpool": {"default_quota": null}});
    let changed = lab.call("red", &format!("PUT /v2.0/subnetpools/{first}"), none).await;
    assert_eq!(changed.body["subnetpool"]["default_quota"], Value::Null);
}

#[tokio::test]
async fn only_administrators_make_pools_everybodys() {
    let lab = Lab::new().await;
    let body = json!({"subnetpool": {"prefixes": ["10.0.0.0/16"], "is_default": true, "shared": true,
        "default_prefixlen": 24, "project_id": "red"}});
    assert_eq!(lab.call("red", "POST /v2.0/subnetpools", body.clone()).await.status, 403);
    let pool = lab.call("admin", "POST /v2.0/subnetpools", body.clone()).await.created("subnetpool");
    assert_eq!(lab.call("admin", "POST /v2.0/subnetpools", body).await.status, 400, "one default");
    let seen = lab.get("blue", "/v2.0/subnetpools?is_default=true").await;
    assert_eq!(ids(&seen.body["subnetpools"]), std::slice::from_ref(&pool));
    assert_eq!(seen.body["subnetpools"][0]["shared"], true);
    let network = lab.network("blue").await;
    let body = json!({"subnet": {"network_id": network, "use_default_subnetpool": true, "ip_version": 4}});
    let made = lab.call("blue", "POST /v2.0/subnets", body).await;
    assert_eq!(made.body["subnet"]["cidr"], "10.0.0.0/24", "{}", made.text);
    let theirs = lab.call("blue", &format!("DELETE /v2.0/subnetpools/{pool}"), Value::Null).await;
    assert_eq!(theirs.status, 403);
    let tags = lab.call("red", &format!("PUT /v2.0/subnetpools/{pool}/tags"), json!({"tags": ["x"]})).await;
    assert_eq!(tags.status, 200, "{}", tags.text);
    assert_eq!(ids(&lab.get("red", "/v2.0/subnetpools?tags=x").await.body["subnetpools"]), [pool]);
}

#[tokio::test]
async fn addresses_are_counted() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let subnet = lab.subnet("red", &network, "10.77.0.0/24").await;
    let six = json!({"subnet": {"network_id": network, "cidr": "fd00::/64", "ip_version": 6}});
    lab.call("red", "POST /v2.0/subnets", six).await.created("subnet");
    for _ in 0..2 {
        lab.port("red", &network).await;
    }
    let fixed = json!({"port": {"network_id": network, "fixed_ips": [{"ip_address": "10.77.0.1"}]}});
    lab.call("red", "POST /v2.0/ports", fixed).await.created("port");
    let shown = lab.get("red", &format!("/v2.0/network-ip-availabilities/{network}")).await;
    let row = &shown.body["network_ip_availability"];
    assert_eq!((&row["network_name"], &row["project_id"]), (&json!("net"), &json!("red")));
    let listed = lab.get("red", "/v2.0/network-ip-availabilities?ip_version=4").await;
    let row = &listed.body["network_ip_availabilities"][0];
    assert_eq!((&row["used_ips"], &row["total_ips"]), (&json!(3), &json!(253)), "{}", listed.text);
    let details = json!({"total_ips_in_subnet": 254, "total_ips_in_allocation_pool": 253,
        "used_ips_in_subnet": 3, "used_ips_in_allocation_pool": 2});
    assert_eq!(row["ip_availability_details"], details);
    assert_eq!(row["subnet_ip_availability"].as_array().unwrap().len(), 1);
    assert_eq!(row["subnet_ip_availability"][0]["subnet_id"], *subnet);
    let both = lab.get("admin", &format!("/v2.0/network-ip-availabilities?network_id={network}")).await;
    let subnets = both.body["network_ip_availabilities"][0]["subnet_ip_availability"].as_array().unwrap();
    assert_eq!(subnets.len(), 2);
    assert!(subnets.iter().any(|subnet| subnet["total_ips"] == u64::MAX - 1), "{}", both.text);
    let empty = lab.get("blue", "/v2.0/network-ip-availabilities").await;
    assert_eq!(empty.body["network_ip_availabilities"], json!([]));
    let page = lab.get("red", "/v2.0/network-ip-availabilities?limit=1&sort_key=network_name").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(lab.get("red", "/v2.0/network-ip-availabilities?sort_key=ip_version").await.status, 400);
    assert_eq!(lab.get("blue", &format!("/v2.0/network-ip-availabilities/{network}")).await.status, 404);
}
