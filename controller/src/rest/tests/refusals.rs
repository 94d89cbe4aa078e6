//! Proves that what cannot be done is refused in Neutron's words, with every fault named, and leaves no trace.

use serde_json::{Value, json};

use super::Lab;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// A refusal: the status, the kind and the message.
type Refusal<'a> = (u16, &'a str, &'a str);

async fn check(lab: &Lab, token: &str, line: &str, body: Value, refusal: Refusal<'_>) {
    let before = lab.desk.snapshot();
    let answer = lab.call(token, line, body).await;
    answer.check_problem("/v2.0");
    let message = answer.body["NeutronError"]["message"].as_str().unwrap();
    assert_eq!((answer.status.as_u16(), answer.kind(), message), refusal, "{line}");
    assert_eq!(lab.desk.snapshot(), before, "{line} left a trace");
}

#[tokio::test]
async fn what_is_in_use_or_does_not_fit_is_refused() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let subnet = lab.subnet("red", &network, "10.77.0.0/24").await;
    let asked = |ip: &str| json!({"port": {"network_id": network, "fixed_ips": [{"ip_address": ip}]}});
    let port = lab.call("red", "POST /v2.0/ports", asked("10.77.0.50")).await.created("port");
    let mac = lab.get("red", &format!("/v2.0/ports/{port}")).await.body["port"]["mac_address"].clone();

    let message = format!("IP address 10.77.0.50 already allocated in subnet {subnet}");
    let refusal = (409, "IpAddressAlreadyAllocated", message.as_str());
    check(&lab, "red", "POST /v2.0/ports", asked("10.77.0.50"), refusal).await;

    let message = "IP address 192.0.2.1 is not a valid IP for any of the subnets on the specified network.";
    check(&lab, "red", "POST /v2.0/ports", asked("192.0.2.1"), (400, "InvalidIpForNetwork", message)).await;

    let message = format!(
        "Unable to complete operation for network {network}. The mac address {} is in use.",
        mac.as_str().unwrap()
    );
    let body = json!({"port": {"network_id": network, "mac_address": mac}});
    check(&lab, "red", "POST /v2.0/ports", body, (409, "MacAddressInUse", &message)).await;

    let message = format!(
        "Invalid input for operation: Requested subnet with cidr: 10.77.0.128/25 for network: {network} overlaps \
         with another subnet."
    );
    let body = json!({"subnet": {"network_id": network, "cidr": "10.77.0.128/25", "ip_version": 4}});
    check(&lab, "red", "POST /v2.0/subnets", body, (400, "InvalidInput", &message)).await;

    let message = format!(
        "Unable to complete operation on network {network}. There are one or more ports still in use on the network, \
         id for these ports is: {port}."
    );
    let line = format!("DELETE /v2.0/networks/{network}");
    check(&lab, "red", &line, Value::Null, (409, "NetworkInUse", &message)).await;

    let message = format!(
        "Unable to complete operation on subnet {subnet}: One or more ports have an IP allocation from this subnet."
    );
    let line = format!("DELETE /v2.0/subnets/{subnet}");
    check(&lab, "red", &line, Value::Null, (409, "SubnetInUse", &message)).await;

    let body = json!({"network": {"project_id": "red", "provider:segmentation_id": 1}});
    let message = "Unable to create the network. The tunnel ID 1 is in use.";
    check(&lab, "admin", "POST /v2.0/networks", body, (409, "TunnelIdInUse", message)).await;
}

#[tokio::test]
async fn what_is_not_allowed_is_refused() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let port = lab.port("red", &network).await;
    let refused = |message| (403, "PolicyNotAuthorized", message);
    let message = "rule:create_network is disallowed by policy";
    check(&lab, "red-reader", "POST /v2.0/networks", json!({"network": {}}), refused(message)).await;
    let message = "rule:delete_network is disallowed by policy";
    let line = format!("DELETE /v2.0/networks/{network}");
    check(&lab, "red-reader", &line, Value::Null, refused(message)).await;
    let message = "rule:update_port:binding:host_id is disallowed by policy";
    let line = format!("PUT /v2.0/ports/{port}");
    check(&lab, "red", &line, json!({"port": {"binding:host_id": "h"}}), refused(message)).await;
    let message = "choosing a VNI or an encapsulation is disallowed by policy";
    let body = json!({"network": {"provider:segmentation_id": 7}});
    check(&lab, "red", "POST /v2.0/networks", body, refused(message)).await;
    let message = "acting for another tenant is disallowed by policy";
    let body = json!({"network": {"project_id": "blue"}});
    check(&lab, "red", "POST /v2.0/networks", body, refused(message)).await;
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let lab = Lab::new().await;
    let message = "Port c-p2 could not be found.";
    check(&lab, "red", "GET /v2.0/ports/c-p2", Value::Null, (404, "PortNotFound", message)).await;
    let message = format!("Subnet {NOBODY} could not be found.");
    let line = format!("DELETE /v2.0/subnets/{NOBODY}");
    check(&lab, "red", &line, Value::Null, (404, "SubnetNotFound", &message)).await;
    let message = format!("Network {NOBODY} could not be found.");
    let body = json!({"port": {"network_id": NOBODY}});
    check(&lab, "red", "POST /v2.0/ports", body, (404, "NetworkNotFound", &message)).await;
    let message = "Unrecognized attribute(s) 'nonsense'";
    let body = json!({"network": {"nonsense": 1, "name": "x"}});
    check(&lab, "red", "POST /v2.0/networks", body, (400, "HTTPBadRequest", message)).await;
    let message = "Invalid input for operation: port does not belong beside network.";
    check(&lab, "red", "POST /v2.0/networks", json!({"port": {}}), (400, "InvalidInput", message)).await;
    let message = "Unable to find 'network' in request body";
    check(&lab, "red", "POST /v2.0/networks", json!({}), (400, "HTTPBadRequest", message)).await;
    let message = "Invalid input for operation: colour is not an attribute to filter by.";
    let line = "GET /v2.0/networks?colour=red";
    check(&lab, "red", line, Value::Null, (400, "InvalidInput", message)).await;
}

#[tokio::test]
async fn every_fault_of_a_request_is_named_at_once() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let body = json!({"subnet": {"network_id": "x", "cidr": "10.0.0.0/33", "ip_version": 5, "gateway_ip": "here",
        "allocation_pools": [{"start": "10.0.0.9"}], "enable_dhcp": "perhaps", "id": "mine", "colour": "red"}});
    let answer = lab.call("red", "POST /v2.0/subnets", body).await;
    assert_eq!(answer.status, 400);
    let mut fields: Vec<&str> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    fields.sort_unstable();
    let expected = [
        "allocation_pools.0.end",
        "cidr",
        "colour",
        "enable_dhcp",
        "gateway_ip",
        "id",
        "ip_version",
        "network_id",
    ];
    assert_eq!(fields, expected, "{}", answer.text);

    let body = json!({"network": {"mtu": 9000, "provider:network_type": null, "name": "x".repeat(300)}});
    let answer = lab.call("red", &format!("PUT /v2.0/networks/{network}"), body).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}
