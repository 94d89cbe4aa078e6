//! Proves that external networks, gateways, floating IPs and port forwardings answer as Neutron does.

use serde_json::{Value, json};
use weft_model::EncapIps;
use weft_model::intent::{Actor, HostReport, Intent};

use super::{Answer, Lab, ids};

/// An API with an external network of tenant blue (subnet 198.51.100.0/24), a host with a bridge for it, and red's router
/// between its network and nothing yet.
struct Outside {
    lab: Lab,
    external: String,
    router: String,
    network: String,
    port: String,
}

impl Outside {
    async fn new() -> Outside {
        let lab = Lab::new().await;
        let external = external_network(&lab, "blue").await;
        let network = lab.network("red").await;
        let subnet = lab.subnet("red", &network, "10.77.0.0/24").await;
        let router = lab.call("red", "POST /v2.0/routers", json!({"router": {"name": "r"}})).await;
        let router = router.created("router");
        let join = format!("PUT /v2.0/routers/{router}/add_router_interface");
        assert_eq!(lab.call("red", &join, json!({"subnet_id": subnet})).await.status, 200);
        let port = lab.port("red", &network).await;
        Outside { lab, external, router, network, port }
    }

    async fn gateway(&self, token: &str, info: Value) -> Answer {
        let line = format!("PUT /v2.0/routers/{}", self.router);
        self.lab.call(token, &line, json!({"router": {"external_gateway_info": info}})).await
    }

    async fn floating_ip(&self, token: &str, mut asked: Value) -> Answer {
        asked["floating_network_id"] = json!(self.external);
        self.lab.call(token, "POST /v2.0/floatingips", json!({"floatingip": asked})).await
    }
}

/// An external network with a subnet, and a host that has a bridge for it.
pub(super) async fn external_network(lab: &Lab, owner: &str) -> String {
    let body = json!({"network": {"name": "ext", "project_id": owner, "router:external": true,
        "provider:network_type": "flat", "provider:physical_network": "outside"}});
    let external = lab.call("admin", "POST /v2.0/networks", body).await.created("network");
    lab.subnet("admin", &external, "198.51.100.0/24").await;
    let report = HostReport {
        id: "h1".parse().unwrap(),
        hostname: "h1".into(),
        encap_ips: EncapIps::default(),
        ovs_version: String::new(),
        datapath_type: String::new(),
        bridge_mappings: [("outside".to_owned(), "br-ex".to_owned())].into(),
        interfaces: Vec::new(),
    };
    lab.desk.write(Actor::Admin, vec![Intent::ReportHost(report)]).await.unwrap();
    external
}

#[track_caller]
fn refused(answer: &Answer, status: u16, kind: &str) {
    assert_eq!((answer.status.as_u16(), answer.kind()), (status, kind), "{}", answer.text);
}

#[tokio::test]
async fn everybody_sees_an_external_network_and_the_operator_changes_it() {
    let it = Outside::new().await;
    let path = format!("/v2.0/networks/{}", it.external);
    let seen = it.lab.get("red", &path).await;
    assert_eq!((seen.status.as_u16(), &seen.body["network"]["router:external"]), (200, &json!(true)));
    let listed = it.lab.get("red", "/v2.0/networks?router%3Aexternal=True").await;
    assert_eq!(ids(&listed.body["networks"]), std::slice::from_ref(&it.external));
    assert_eq!(it.lab.get("red", "/v2.0/networks").await.body["networks"].as_array().unwrap().len(), 2);
    for body in [json!({"network": {"name": "mine"}}), json!({"network": {"router:external": false}})] {
        refused(&it.lab.call("red", &format!("PUT {path}"), body).await, 403, "PolicyNotAuthorized");
    }
    refused(&it.lab.call("red", &format!("DELETE {path}"), Value::Null).await, 403, "PolicyNotAuthorized");
    let body = json!({"port": {"network_id": it.external}});
    refused(&it.lab.call("red", "POST /v2.0/ports", body).await, 403, "PolicyNotAuthorized");
    let body = json!({"network": {"router:external": true}});
    refused(&it.lab.call("red", "POST /v2.0/networks", body).await, 403, "PolicyNotAuthorized");
    assert_eq!(it.gateway("red", json!({"network_id": it.external})).await.status, 200);
    let body = json!({"network": {"router:external": false}});
    refused(&it.lab.call("admin", &format!("PUT {path}"), body).await, 409, "ExternalNetworkInUse");
    let ports = it.lab.get("red", "/v2.0/ports?device_owner=network:router_gateway").await;
    assert_eq!(ports.body["ports"], json!([]), "the port of a gateway is the operator's");
}

#[tokio::test]
async fn a_gateway_looks_as_in_neutron() {
    let it = Outside::new().await;
    let set = it.gateway("red", json!({"network_id": it.external})).await;
    let info = &set.body["router"]["external_gateway_info"];
    assert_eq!(
        (&info["network_id"], &info["enable_snat"]),
        (&json!(it.external), &json!(true)),
        "{}",
        set.text
    );
    assert_eq!(info["external_fixed_ips"][0]["ip_address"], "198.51.100.2");
    assert!(set.body["router"].get("weft:gateway_hosts").is_none());
    let seen = it.lab.get("admin", &format!("/v2.0/routers/{}", it.router)).await;
    assert_eq!(seen.body["router"]["weft:gateway_hosts"], json!(["h1"]));
    let asked = json!({"network_id": it.external, "enable_snat": false});
    refused(&it.gateway("red", asked.clone()).await, 403, "PolicyNotAuthorized");
    let set = it.gateway("admin", asked).await;
    assert_eq!(set.body["router"]["external_gateway_info"]["enable_snat"], false);
    let asked = json!({"network_id": it.external, "external_fixed_ips": [{"ip_address": "198.51.100.9"}]});
    let set = it.gateway("admin", asked).await;
    let info = &set.body["router"]["external_gateway_info"];
    assert_eq!(
        (&info["external_fixed_ips"][0]["ip_address"], &info["enable_snat"]),
        (&json!("198.51.100.9"), &json!(true))
    );
    refused(&it.gateway("red", json!({"network_id": it.network})).await, 400, "BadRequest");
    refused(&it.gateway("red", json!({"enable_snat": true})).await, 400, "InvalidInput");
    refused(&it.gateway("red", json!({"network_id": it.external, "colour": 1})).await, 400, "InvalidInput");
    refused(&it.gateway("red", json!("ext")).await, 400, "InvalidInput");
    for none in [json!({}), Value::Null] {
        assert_eq!(it.gateway("red", json!({"network_id": it.external})).await.status, 200);
        assert_eq!(it.gateway("red", none).await.body["router"]["external_gateway_info"], Value::Null);
    }
    let body = json!({"router": {"external_gateway_info": {"network_id": it.external}}});
    let made = it.lab.call("red", "POST /v2.0/routers", body).await;
    assert_eq!(
        made.body["router"]["external_gateway_info"]["network_id"],
        json!(it.external),
        "{}",
        made.text
    );
}

#[tokio::test]
async fn a_floating_ip_looks_as_in_neutron() {
    let it = Outside::new().await;
    let made = it.floating_ip("red", json!({"description": "first"})).await;
    let id = made.created("floatingip");
    let expected = json!({
        "id": id, "tenant_id": "red", "project_id": "red", "floating_ip_address": "198.51.100.2",
        "floating_network_id": it.external, "router_id": null, "port_id": null, "fixed_ip_address": null,
        "status": "DOWN", "description": "first", "qos_policy_id": null, "port_details": null, "dns_domain": "",
        "dns_name": "", "port_forwardings": [], "tags": [], "revision_number": 1,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(made.body["floatingip"].get(name), Some(value), "{name}");
    }
    let line = format!("PUT /v2.0/floatingips/{id}");
    let point = json!({"floatingip": {"port_id": it.port}});
    refused(&it.lab.call("red", &line, point.clone()).await, 404, "ExternalGatewayForFloatingIPNotFound");
    assert_eq!(it.gateway("red", json!({"network_id": it.external})).await.status, 200);
    let set = it.lab.call("red", &line, point).await;
    let row = &set.body["floatingip"];
    assert_eq!(
        (&row["port_id"], &row["fixed_ip_address"]),
        (&json!(it.port), &json!("10.77.0.2")),
        "{}",
        set.text
    );
    assert_eq!((&row["router_id"], &row["status"]), (&json!(it.router), &json!("ACTIVE")));
    assert_eq!(row["port_details"]["network_id"], json!(it.network));
    for query in [
        format!("port_id={}", it.port),
        format!("router_id={}", it.router),
        "status=ACTIVE".into(),
        "floating_ip_address=198.51.100.2".into(),
        format!("floating_network_id={}", it.external),
    ] {
        let listed = it.lab.get("red", &format!("/v2.0/floatingips?{query}")).await;
        assert_eq!(ids(&listed.body["floatingips"]), std::slice::from_ref(&id), "{query}");
    }
    assert_eq!(it.lab.get("red", "/v2.0/floatingips?status=DOWN").await.body["floatingips"], json!([]));
    refused(&it.gateway("red", json!({})).await, 409, "RouterExternalGatewayInUseByFloatingIp");
    let second = it.floating_ip("red", json!({"port_id": it.port})).await;
    refused(&second, 409, "FloatingIPPortAlreadyAssociated");
    let freed = it.lab.call("red", &line, json!({"floatingip": {"port_id": null}})).await;
    assert_eq!(
        (&freed.body["floatingip"]["port_id"], &freed.body["floatingip"]["status"]),
        (&Value::Null, &json!("DOWN"))
    );
    let tagged = it.lab.call("red", &format!("{line}/tags"), json!({"tags": ["x"]})).await;
    assert_eq!(tagged.body, json!({"tags": ["x"]}));
    refused(&it.lab.get("blue", &format!("/v2.0/floatingips/{id}")).await, 404, "FloatingIPNotFound");
    assert_eq!(it.lab.call("red", &format!("DELETE /v2.0/floatingips/{id}"), Value::Null).await.status, 204);
    let gone = it.lab.get("red", &format!("/v2.0/floatingips/{id}")).await;
    refused(&gone, 404, "FloatingIPNotFound");
}

#[tokio::test]
async fn what_a_floating_ip_cannot_be_is_told() {
    let it = Outside::new().await;
    assert_eq!(it.gateway("red", json!({"network_id": it.external})).await.status, 200);
    let asked = json!({"floating_ip_address": "198.51.100.9"});
    refused(&it.floating_ip("red", asked.clone()).await, 403, "PolicyNotAuthorized");
    let mut theirs = asked.clone();
    theirs["project_id"] = json!("red");
    it.floating_ip("admin", theirs.clone()).await.created("floatingip");
    refused(&it.floating_ip("admin", theirs).await, 409, "IpAddressAlreadyAllocated");
    let alone = json!({"fixed_ip_address": "10.77.0.2"});
    refused(&it.floating_ip("red", alone).await, 400, "InvalidInput");
    let elsewhere = json!({"port_id": it.port, "fixed_ip_address": "10.77.0.3"});
    refused(&it.floating_ip("red", elsewhere).await, 400, "BadRequest");
    let inner = json!({"floatingip": {"floating_network_id": it.network}});
    refused(&it.lab.call("red", "POST /v2.0/floatingips", inner).await, 400, "BadRequest");
    let none = json!({"floatingip": {}});
    refused(&it.lab.call("red", "POST /v2.0/floatingips", none).await, 400, "InvalidInput");
    let used = it.floating_ip("red", json!({"port_id": it.port})).await;
    used.created("floatingip");
    let part = format!("PUT /v2.0/routers/{}/remove_router_interface", it.router);
    let subnet = it.lab.get("red", "/v2.0/subnets").await.body["subnets"][0]["id"].clone();
    let parted = it.lab.call("red", &part, json!({"subnet_id": subnet})).await;
    refused(&parted, 409, "RouterInterfaceInUseByFloatingIP");
    let gone = it.lab.call("red", &format!("DELETE /v2.0/ports/{}", it.port), Value::Null).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    assert_eq!(it.lab.get("red", "/v2.0/floatingips?status=ACTIVE").await.body["floatingips"], json!([]));
}

#[tokio::test]
async fn port_forwardings_look_as_in_neutron() {
    let it = Outside::new().await;
    assert_eq!(it.gateway("red", json!({"network_id": it.external})).await.status, 200);
    let id = it.floating_ip("red", json!({})).await.created("floatingip");
    let path = format!("/v2.0/floatingips/{id}/port_forwardings");
    let asked = json!({"internal_ip_address": "10.77.0.2", "external_port": 2222, "internal_port_id": it.port,
        "internal_port": 22, "protocol": "tcp"});
    let make = async |asked: &Value| {
        it.lab.call("red", &format!("POST {path}"), json!({"port_forwarding": asked})).await
    };
    let made = make(&asked).await;
    let forwarding = made.created("port_forwarding");
    let row = json!({"id": forwarding, "external_port": 2222, "external_port_range": "2222:2222", "protocol": "tcp",
        "internal_port_id": it.port, "internal_ip_address": "10.77.0.2", "internal_port": 22,
        "internal_port_range": "22:22", "description": ""});
    assert_eq!(made.body["port_forwarding"], row);
    assert_eq!(it.lab.get("red", &path).await.body, json!({"port_forwardings": [row]}));
    assert_eq!(
        it.lab.get("red", &format!("{path}?protocol=udp")).await.body,
        json!({"port_forwardings": []})
    );
    let shown = it.lab.get("red", &format!("/v2.0/floatingips/{id}")).await;
    assert_eq!(shown.body["floatingip"]["port_forwardings"][0]["id"], json!(forwarding));
    assert_eq!(shown.body["floatingip"]["status"], "ACTIVE");
    refused(&make(&asked).await, 409, "PortForwardingInUse");
    let point = json!({"floatingip": {"port_id": it.port}});
    let pointed = it.lab.call("red", &format!("PUT /v2.0/floatingips/{id}"), point).await;
    refused(&pointed, 409, "FipInUseByPortForwarding");
    let mut wide = asked.clone();
    wide["external_port"] = Value::Null;
    wide["external_port_range"] = json!("8000:8010");
    refused(&make(&wide).await, 400, "InvalidInput");
    wide["internal_port"] = Value::Null;
    wide["internal_port_range"] = json!("80:90");
    let made = make(&wide).await;
    assert_eq!(made.body["port_forwarding"]["external_port"], Value::Null, "{}", made.text);
    let missing = make(&json!({"protocol": "tcp"})).await;
    assert_eq!(missing.body["errors"].as_array().unwrap().len(), 3, "{}", missing.text);
    let one = format!("{path}/{forwarding}");
    let udp =
        it.lab.call("red", &format!("PUT {one}"), json!({"port_forwarding": {"protocol": "udp"}})).await;
    assert_eq!(udp.body["port_forwarding"]["protocol"], "udp", "{}", udp.text);
    assert_eq!(it.lab.get("red", &one).await.body["port_forwarding"]["internal_port"], 22);
    refused(&it.lab.get("blue", &one).await, 404, "FloatingIPNotFound");
    assert_eq!(it.lab.call("red", &format!("DELETE {one}"), Value::Null).await.status, 204);
    refused(&it.lab.get("red", &one).await, 404, "PortForwardingNotFound");
}
