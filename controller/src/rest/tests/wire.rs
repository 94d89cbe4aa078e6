//! Proves that networks, subnets and ports answer as Neutron does: bodies, statuses, error words, filters.

use serde_json::{Value, json};

use super::{Lab, ids};

/// The members of `part` are in `whole` with those values; objects are compared member by member.
fn check_has(whole: &Value, part: &Value, what: &str) {
    match part {
        Value::Object(members) => {
            for (name, value) in members {
                check_has(&whole[name], value, &format!("{what}.{name}"));
            }
        }
        _ => assert_eq!(whole, part, "{what}"),
    }
}

#[tokio::test]
async fn a_network_looks_as_in_neutron() {
    let lab = Lab::new().await;
    let body = json!({"network": {"admin_state_up": true, "description": "first", "name": "c-net"}});
    let made = lab.call("red", "POST /v2.0/networks", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let expected = json!({
        "name": "c-net", "tenant_id": "red", "project_id": "red", "admin_state_up": true, "mtu": 1450,
        "status": "ACTIVE", "subnets": [], "shared": false, "availability_zone_hints": [], "availability_zones": [],
        "ipv4_address_scope": null, "ipv6_address_scope": null, "router:external": false, "description": "first",
        "port_security_enabled": true, "qos_policy_id": null, "dns_domain": "", "l2_adjacency": true, "tags": [],
        "revision_number": 1,
    });
    check_has(&made.body["network"], &expected, "network");
    assert!(made.body["network"].get("provider:segmentation_id").is_none(), "a tenant sees no VNI");
    let at = made.body["network"]["created_at"].as_str().unwrap();
    assert!(at.len() == 20 && at.ends_with('Z'), "{at}");
    assert_eq!(made.body["network"]["updated_at"], at);

    let id = made.created("network");
    let change = json!({"network": {"description": "second", "admin_state_up": false}});
    let changed = lab.call("red", &format!("PUT /v2.0/networks/{id}"), change).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(changed.revision(), made.revision() + 1);
    let expected =
        json!({"description": "second", "admin_state_up": false, "name": "c-net", "revision_number": 2});
    check_has(&changed.body["network"], &expected, "network");

    let seen = lab.get("admin", &format!("/v2.0/networks/{id}")).await;
    let expected = json!({"provider:network_type": "vxlan", "provider:physical_network": null,
        "provider:segmentation_id": 1});
    check_has(&seen.body["network"], &expected, "network");
    assert!(seen.body["network"].get("provider:physical_network").is_some());

    let gone = lab.call("red", &format!("DELETE /v2.0/networks/{id}"), Value::Null).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(gone.revision(), changed.revision() + 1);
    let missing = lab.get("red", &format!("/v2.0/networks/{id}")).await;
    assert_eq!((missing.status.as_u16(), missing.kind()), (404, "NetworkNotFound"));
    assert_eq!(missing.body["NeutronError"]["message"], format!("Network {id} could not be found."));
}

#[tokio::test]
async fn subnets_and_ports_look_as_in_neutron() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let body = json!({"subnet": {"ip_version": 4, "cidr": "10.77.0.0/24", "name": "c-sub",
        "dns_nameservers": ["9.9.9.9"], "network_id": network}});
    let made = lab.call("red", "POST /v2.0/subnets", body).await;
    let expected = json!({
        "name": "c-sub", "project_id": "red", "tenant_id": "red", "network_id": network, "ip_version": 4,
        "subnetpool_id": null, "enable_dhcp": true, "ipv6_ra_mode": null, "ipv6_address_mode": null,
        "gateway_ip": "10.77.0.1", "cidr": "10.77.0.0/24", "host_routes": [], "dns_nameservers": ["9.9.9.9"],
        "allocation_pools": [{"start": "10.77.0.2", "end": "10.77.0.254"}], "description": "",
        "router:external": false, "service_types": [], "dns_publish_fixed_ip": false, "tags": [],
    });
    check_has(&made.body["subnet"], &expected, "subnet");
    let subnet = made.created("subnet");
    let change = json!({"subnet": {"dns_nameservers": ["1.1.1.1", "9.9.9.9"], "gateway_ip": null,
        "host_routes": [{"destination": "10.5.0.0/24", "nexthop": "10.77.0.254"}]}});
    let changed = lab.call("red", &format!("PUT /v2.0/subnets/{subnet}"), change.clone()).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    check_has(&changed.body["subnet"], &change["subnet"], "subnet");

    let body = json!({"port": {"admin_state_up": true, "name": "c-p1", "network_id": network}});
    let made = lab.call("red", "POST /v2.0/ports", body).await;
    let groups = lab.get("red", "/v2.0/security-groups?name=default").await;
    let group = groups.body["security_groups"][0]["id"].clone();
    assert!(group.is_string(), "{}", groups.text);
    let expected = json!({
        "name": "c-p1", "network_id": network, "project_id": "red", "tenant_id": "red", "admin_state_up": true,
        "status": "DOWN", "device_id": "", "device_owner": "", "port_security_enabled": true, "qos_policy_id": null,
        "device_profile": null, "security_groups": [group], "binding:vnic_type": "normal", "allowed_address_pairs": [],
        "extra_dhcp_opts": [], "description": "", "qos_network_policy_id": null, "dns_name": "", "dns_domain": "",
        "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.77.0.2"}], "ip_allocation": "immediate", "tags": [],
        "dns_assignment": [{"ip_address": "10.77.0.2", "hostname": "host-10-77-0-2",
            "fqdn": "host-10-77-0-2.weft.internal."}], "revision_number": 1,
    });
    check_has(&made.body["port"], &expected, "port");
    assert!(made.body["port"].get("binding:host_id").is_none(), "a tenant sees no host");
    let port = made.created("port");
    let change = json!({"port": {"device_owner": "lab:vm", "name": "c-p2x", "device_id": "vm-1"}});
    let changed = lab.call("red", &format!("PUT /v2.0/ports/{port}"), change.clone()).await;
    check_has(&changed.body["port"], &change["port"], "port");
    let seen = lab.get("admin", &format!("/v2.0/ports/{port}")).await;
    let expected = json!({"binding:host_id": "", "binding:vif_type": "unbound", "binding:profile": {},
        "binding:vif_details": {}});
    check_has(&seen.body["port"], &expected, "port");
    let seen = lab.get("red", &format!("/v2.0/networks/{network}")).await;
    assert_eq!(seen.body["network"]["subnets"], json!([subnet]));
}

#[tokio::test]
async fn harmless_attributes_of_real_clients_are_accepted() {
    let lab = Lab::new().await;
    let network = json!({"network": {"name": "n", "shared": false, "router:external": false, "is_default": false,
        "availability_zone_hints": [], "qos_policy_id": null, "port_security_enabled": true, "tenant_id": "red"}});
    let network = lab.call("red", "POST /v2.0/networks", network).await.created("network");
    let subnet = json!({"subnet": {"network_id": network, "cidr": "fd00:77::/64", "ip_version": 6, "service_types": [],
        "subnetpool_id": null, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac", "project_id": "red"}});
    lab.call("red", "POST /v2.0/subnets", subnet).await.created("subnet");
    let port = json!({"port": {"network_id": network, "security_groups": [], "allowed_address_pairs": [],
        "binding:vnic_type": "normal", "extra_dhcp_opts": [], "device_id": "", "device_owner": ""}});
    lab.call("red", "POST /v2.0/ports", port).await.created("port");
    let grouped = json!({"port": {"network_id": network, "security_groups": ["web"]}});
    let answer = lab.call("red", "POST /v2.0/ports", grouped).await;
    assert_eq!(answer.status, 400, "nobody may believe in a filter that is not there: {}", answer.text);
}

#[tokio::test]
async fn many_are_made_all_or_none() {
    let lab = Lab::new().await;
    let body = json!({"networks": [{"name": "a"}, {"name": "b", "tags": ["x"]}]});
    let made = lab.call("red", "POST /v2.0/networks", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.body["networks"][1]["name"], "b");
    assert_eq!(made.body["networks"][1]["tags"], json!(["x"]));
    let body = json!({"networks": [{"name": "c"}, {"name": 7}]});
    let refused = lab.call("red", "POST /v2.0/networks", body).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["errors"][0]["field"]),
        (400, &json!("networks.1.name"))
    );
    let body = json!({"networks": [{"name": "c"}, {"name": "d", "mtu": 10}]});
    assert_eq!(lab.call("red", "POST /v2.0/networks", body).await.status, 400);
    assert_eq!(lab.get("red", "/v2.0/networks").await.body["networks"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn lists_filter_and_show_fields() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let other = lab.network("blue").await;
    lab.subnet("red", &network, "10.0.0.0/24").await;
    let port = lab.port("red", &network).await;
    let check = async |token: &str, path: &str, expected: &[&str]| {
        let answer = lab.get(token, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let (_, list) = answer.body.as_object().unwrap().iter().next().unwrap();
        let mut expected: Vec<String> = expected.iter().map(|id| (*id).to_owned()).collect();
        expected.sort();
        assert_eq!(ids(list), expected, "{path}");
    };
    check("red", "/v2.0/networks", &[&network]).await;
    check("admin", "/v2.0/networks", &[&network, &other]).await;
    check("admin", "/v2.0/networks?project_id=blue", &[&other]).await;
    check("admin", "/v2.0/networks?tenant_id=nobody", &[]).await;
    check("red", "/v2.0/networks?project_id=blue", &[]).await;
    check("red", &format!("/v2.0/networks?id={network}&id={other}"), &[&network]).await;
    check("red", "/v2.0/networks?name=net&admin_state_up=True", &[&network]).await;
    check("red", "/v2.0/networks?router%3Aexternal=True", &[]).await;
    check("admin", "/v2.0/networks?provider:segmentation_id=2", &[&other]).await;
    check("red", "/v2.0/networks/", &[&network]).await;
    check("red", "/v2.0/networks.json?name=net", &[&network]).await;
    check("red", &format!("/v2.0/ports?network_id={network}&fixed_ips=ip_address%3D10.0.0.2"), &[&port])
        .await;
    check("red", &format!("/v2.0/ports?network_id={other}"), &[]).await;
    check("red", "/v2.0/ports?device_id=", &[&port]).await;
    let fields = lab.get("red", "/v2.0/ports?fields=id&fields=status").await;
    assert_eq!(fields.body, json!({"ports": [{"id": port, "status": "DOWN"}]}));
    let fields = lab.get("red", &format!("/v2.0/ports/{port}?fields=name")).await;
    assert_eq!(fields.body, json!({"port": {"name": "port"}}));
}

#[tokio::test]
async fn changes_can_be_conditional() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let send = async |number: &str, method: &str| {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(format!("/v2.0/networks/{network}"))
            .header("x-auth-token", "red")
            .header("if-match", format!("revision_number={number}"));
        lab.send(request.body(json!({"network": {"name": number}}).to_string().into()).unwrap()).await
    };
    assert_eq!(send("1", "PUT").await.status, 200);
    let late = send("1", "PUT").await;
    assert_eq!((late.status.as_u16(), late.kind()), (412, "RevisionNumberConstraintFailed"));
    assert_eq!(send("1", "DELETE").await.status, 412);
    assert_eq!(send("one", "PUT").await.status, 400);
    assert_eq!(send("2", "DELETE").await.status, 204);
}

#[tokio::test]
async fn tags_come_and_go() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let base = format!("/v2.0/networks/{network}/tags");
    let check = async |line: &str, body: Value, status: u16, left: Value| {
        let answer = lab.call("red", line, body).await;
        assert_eq!(answer.status.as_u16(), status, "{line}: {}", answer.text);
        assert_eq!(lab.get("red", &base).await.body, json!({"tags": left}), "{line}");
    };
    check(&format!("PUT {base}"), json!({"tags": ["red", "blue"]}), 200, json!(["blue", "red"])).await;
    check(&format!("PUT {base}/green"), Value::Null, 201, json!(["blue", "green", "red"])).await;
    check(&format!("GET {base}/green"), Value::Null, 204, json!(["blue", "green", "red"])).await;
    check(&format!("DELETE {base}/green"), Value::Null, 204, json!(["blue", "red"])).await;
    check(&format!("GET {base}/green"), Value::Null, 404, json!(["blue", "red"])).await;
    check(&format!("PUT {base}"), json!({"tags": [7]}), 400, json!(["blue", "red"])).await;
    check(&format!("PUT {base}"), json!({"tags": ["a,b"]}), 400, json!(["blue", "red"])).await;
    let found = lab.get("red", "/v2.0/networks?tags=red,blue").await;
    assert_eq!(ids(&found.body["networks"]), [network.as_str()]);
    check(&format!("DELETE {base}"), Value::Null, 204, json!([])).await;
    assert_eq!(lab.get("red", &format!("/v2.0/routers/{network}/tags")).await.status, 404);
}

#[tokio::test]
async fn discovery_leads_clients_on() {
    let lab = Lab::new().await;
    let versions = lab.get("", "/").await;
    assert_eq!(versions.body["versions"][0]["links"][0]["href"], "http://weft.test:9696/v2.0/");
    assert_eq!(versions.body["versions"][0]["id"], "v2.0");
    let resources = lab.get("", "/v2.0/").await;
    assert_eq!(resources.body["resources"][2]["collection"], "ports");
    let extension = lab.get("red", "/v2.0/extensions/net-mtu").await;
    assert_eq!(extension.body["extension"]["alias"], "net-mtu");
    assert_eq!(lab.get("red", "/v2.0/extensions/vpnaas").await.status, 404);
    assert_eq!(lab.get("red", "/v2.0/extensions").await.status, 200);
}
