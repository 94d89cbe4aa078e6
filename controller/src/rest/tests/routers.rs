//! Proves that routers answer as Neutron does: bodies, statuses, error words.

use serde_json::{Value, json};

use super::{Lab, ids};

/// A router of a tenant; its id.
async fn router(lab: &Lab, token: &str) -> String {
    let body = json!({"router": {"name": "c-rt", "admin_state_up": true}});
    lab.call(token, "POST /v2.0/routers", body).await.created("router")
}

#[tokio::test]
async fn a_router_looks_as_in_neutron() {
    let lab = Lab::new().await;
    let id = router(&lab, "red").await;
    let seen = lab.get("red", &format!("/v2.0/routers/{id}")).await;
    let row = &seen.body["router"];
    let expected = json!({
        "id": id, "name": "c-rt", "project_id": "red", "tenant_id": "red", "admin_state_up": true,
        "status": "ACTIVE", "external_gateway_info": null, "description": "", "availability_zones": [],
        "availability_zone_hints": [], "routes": [], "flavor_id": null, "tags": [], "revision_number": 1,
        "conntrack_helpers": [], "enable_ndp_proxy": false,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&row[name], value, "{name}");
        assert!(row.get(name).is_some(), "{name}");
    }
    assert!(row.get("distributed").is_none() && row.get("ha").is_none(), "{row}");
    let seen = lab.get("admin", &format!("/v2.0/routers/{id}")).await;
    assert_eq!(
        (&seen.body["router"]["distributed"], &seen.body["router"]["ha"]),
        (&json!(true), &json!(false))
    );
    let listed = lab.get("red", "/v2.0/routers?name=c-rt").await;
    assert_eq!(ids(&listed.body["routers"]), std::slice::from_ref(&id));
    let hidden = lab.get("blue", &format!("/v2.0/routers/{id}")).await;
    assert_eq!((hidden.status.as_u16(), hidden.kind()), (404, "RouterNotFound"));
    let tagged = lab.call("red", &format!("PUT /v2.0/routers/{id}/tags"), json!({"tags": ["x"]})).await;
    assert_eq!(tagged.body, json!({"tags": ["x"]}));
    let gone = lab.call("red", &format!("DELETE /v2.0/routers/{id}"), Value::Null).await;
    assert_eq!(gone.status, 204);
    let none =
        json!({"router": {"external_gateway_info": {"network_id": "4b44a0fe-3f8c-4f62-a8a5-ad0a86d9dbd4"}}});
    let id = router(&lab, "red").await;
    let refused = lab.call("red", &format!("PUT /v2.0/routers/{id}"), none).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (404, "NetworkNotFound"), "{}", refused.text);
    let none = json!({"router": {"external_gateway_info": {}}});
    assert_eq!(lab.call("red", &format!("PUT /v2.0/routers/{id}"), none).await.status, 200);
}

#[tokio::test]
async fn interfaces_come_and_go_as_in_neutron() {
    let lab = Lab::new().await;
    let network = lab.network("red").await;
    let subnet = lab.subnet("red", &network, "10.77.0.0/24").await;
    let id = router(&lab, "red").await;
    let (add, remove) = (
        format!("PUT /v2.0/routers/{id}/add_router_interface"),
        format!("PUT /v2.0/routers/{id}/remove_router_interface"),
    );
    let by_subnet = json!({"subnet_id": subnet});
    let added = lab.call("red", &add, by_subnet.clone()).await;
    assert_eq!(added.status, 200, "{}", added.text);
    let port = added.body["port_id"].as_str().unwrap().to_owned();
    let expected = json!({"id": id, "tenant_id": "red", "project_id": "red", "port_id": port, "network_id": network,
        "subnet_id": subnet, "subnet_ids": [subnet]});
    assert_eq!(added.body, expected);
    let seen = lab.get("red", &format!("/v2.0/ports/{port}")).await;
    let row = &seen.body["port"];
    assert_eq!(row["fixed_ips"], json!([{"subnet_id": subnet, "ip_address": "10.77.0.1"}]));
    assert_eq!((&row["device_id"], &row["device_owner"]), (&json!(id), &json!("network:router_interface")));
    let listed = lab.get("red", &format!("/v2.0/ports?device_id={id}")).await;
    assert_eq!(ids(&listed.body["ports"]), std::slice::from_ref(&port));

    let message = format!("Bad router request: Router already has a port on subnet {subnet}.");
    check(&lab, &add, by_subnet.clone(), 400, "BadRequest", message).await;
    let message = "Bad router request: Either subnet_id or port_id must be specified.".to_owned();
    check(&lab, &add, json!({}), 400, "BadRequest", message).await;
    let both = json!({"subnet_id": subnet, "port_id": port});
    let message = "Bad router request: Cannot specify both subnet-id and port-id.".to_owned();
    check(&lab, &add, both, 400, "BadRequest", message).await;
    let message = format!("Router {id} has ports still attached: {port}");
    check(&lab, &format!("DELETE /v2.0/routers/{id}"), Value::Null, 409, "RouterInUse", message).await;
    let message = format!(
        "Port {port} cannot be deleted or changed directly via the port API: has device owner network:router_interface."
    );
    check(&lab, &format!("DELETE /v2.0/ports/{port}"), Value::Null, 409, "ServicePortInUse", message).await;
    let message = format!(
        "Unable to complete operation on subnet {subnet}: One or more ports have an IP allocation from this subnet."
    );
    check(&lab, &format!("DELETE /v2.0/subnets/{subnet}"), Value::Null, 409, "SubnetInUse", message).await;

    routes_need_their_interface(&lab, &id, &subnet).await;

    let removed = lab.call("red", &remove, by_subnet.clone()).await;
    assert_eq!((removed.status.as_u16(), &removed.body), (200, &expected), "{}", removed.text);
    let message = format!("Router {id} has no interface on subnet {subnet}");
    check(&lab, &remove, by_subnet, 404, "RouterInterfaceNotFoundForSubnet", message).await;
    assert_eq!(lab.get("red", &format!("/v2.0/ports/{port}")).await.status, 404);
    let foreign = lab.network("blue").await;
    let foreign = lab.subnet("blue", &foreign, "10.78.0.0/24").await;
    let message = format!("Subnet {foreign} could not be found.");
    check(&lab, &add, json!({"subnet_id": foreign}), 404, "SubnetNotFound", message).await;
}

/// What is refused to the red tenant, and why.
async fn check(lab: &Lab, line: &str, body: Value, status: u16, kind: &str, message: String) {
    let refused = lab.call("red", line, body).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (status, kind), "{}", refused.text);
    assert_eq!(refused.body["NeutronError"]["message"], message);
}

async fn routes_need_their_interface(lab: &Lab, id: &str, subnet: &str) {
    let remove = format!("PUT /v2.0/routers/{id}/remove_router_interface");
    let by_subnet = json!({"subnet_id": subnet});
    let route = json!([{"destination": "192.0.2.0/24", "nexthop": "10.77.0.9"}]);
    let wanted = json!({"router": {"routes": route}});
    let changed = lab.call("red", &format!("PUT /v2.0/routers/{id}"), wanted.clone()).await;
    assert_eq!(changed.body["router"]["routes"], route, "{}", changed.text);
    let message = format!(
        "Router interface for subnet {subnet} on router {id} cannot be deleted, as it is required by one or more routes."
    );
    check(lab, &remove, by_subnet, 409, "RouterInterfaceInUseByRoute", message).await;
    let far = json!({"router": {"routes": [{"destination": "192.0.2.0/24", "nexthop": "10.78.0.9"}]}});
    let message =
        "Invalid format for routes: 192.0.2.0/24, the nexthop is not connected with router".to_owned();
    check(lab, &format!("PUT /v2.0/routers/{id}"), far, 400, "InvalidRoutes", message).await;
    let less = lab.call("red", &format!("PUT /v2.0/routers/{id}/remove_extraroutes"), wanted.clone()).await;
    assert_eq!(less.body["router"]["routes"], json!([]), "{}", less.text);
    let more = lab.call("red", &format!("PUT /v2.0/routers/{id}/add_extraroutes"), wanted.clone()).await;
    assert_eq!(more.body["router"]["routes"], route, "{}", more.text);
    lab.call("red", &format!("PUT /v2.0/routers/{id}/remove_extraroutes"), wanted).await;
}
