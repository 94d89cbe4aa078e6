//! Proves that security groups, rules and address groups answer as Neutron does: bodies, statuses, error words.

use serde_json::{Value, json};

use super::{Lab, ids};

async fn group(lab: &Lab, token: &str) -> String {
    let body = json!({"security_group": {"name": "web", "description": "web"}});
    lab.call(token, "POST /v2.0/security-groups", body).await.created("security_group")
}

#[tokio::test]
async fn a_group_begins_with_two_rules_and_the_default_is_there() {
    let lab = Lab::new().await;
    let body = json!({"security_group": {"name": "web", "description": "web"}});
    let made = lab.call("red", "POST /v2.0/security-groups", body).await;
    let row = &made.body["security_group"];
    assert_eq!(
        (&row["stateful"], &row["shared"], &row["project_id"]),
        (&json!(true), &json!(false), &json!("red"))
    );
    let rules = row["security_group_rules"].as_array().unwrap();
    let mut seen: Vec<_> = rules.iter().map(|rule| (&rule["direction"], &rule["ethertype"])).collect();
    seen.sort_by_key(|(_, family)| family.to_string());
    assert_eq!(seen, [(&json!("egress"), &json!("IPv4")), (&json!("egress"), &json!("IPv6"))]);
    for field in ["protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id"] {
        assert_eq!(rules[0][field], Value::Null, "{field}");
    }
    let listed = lab.get("red", "/v2.0/security-groups").await;
    let names: Vec<_> =
        listed.body["security_groups"].as_array().unwrap().iter().map(|g| &g["name"]).collect();
    assert!(names.contains(&&json!("default")) && names.contains(&&json!("web")), "{names:?}");
    let other =
        lab.call("red", "POST /v2.0/security-groups", json!({"security_group": {"name": "default"}})).await;
    assert_eq!(other.status, 400, "{}", other.text);
}

#[tokio::test]
async fn rules_come_and_go_as_in_neutron() {
    let lab = Lab::new().await;
    let id = group(&lab, "red").await;
    let wish = json!({"security_group_rule": {"port_range_min": 22, "remote_ip_prefix": "10.0.0.0/8", "protocol": "tcp",
        "ethertype": "IPv4", "direction": "ingress", "port_range_max": 22, "security_group_id": id}});
    let made = lab.call("red", "POST /v2.0/security-group-rules", wish.clone()).await;
    let rule = made.created("security_group_rule");
    for (name, value) in wish["security_group_rule"].as_object().unwrap() {
        assert_eq!(&made.body["security_group_rule"][name], value, "{name}");
    }
    assert_eq!(made.body["security_group_rule"]["normalized_cidr"], "10.0.0.0/8");
    let again = lab.call("red", "POST /v2.0/security-group-rules", wish).await;
    assert_eq!((again.status.as_u16(), again.kind()), (409, "SecurityGroupRuleExists"));
    let message = format!("Security group rule already exists. Rule id is {rule}.");
    assert_eq!(again.body["NeutronError"]["message"], message);
    let listed = lab.get("red", &format!("/v2.0/security-group-rules?security_group_id={id}")).await;
    assert_eq!(ids(&listed.body["security_group_rules"]).len(), 3);
    let icmp = json!({"security_group_rule": {"security_group_id": id, "direction": "ingress", "protocol": "icmp",
        "port_range_min": 8, "remote_ip_prefix": "0.0.0.0/0"}});
    let icmp = lab.call("red", "POST /v2.0/security-group-rules", icmp).await;
    let row = &icmp.body["security_group_rule"];
    assert_eq!((&row["protocol"], &row["port_range_min"]), (&json!("icmp"), &json!(8)), "{}", icmp.text);
    assert_eq!(row["port_range_max"], Value::Null);
    for (wrong, path) in [
        (json!({"protocol": "tcp", "port_range_min": 80, "port_range_max": 79}), "port_range_max"),
        (json!({"port_range_min": 80, "port_range_max": 80}), "protocol"),
        (json!({"protocol": "nonsense"}), "protocol"),
        (json!({"direction": "sideways"}), "direction"),
        (json!({"remote_ip_prefix": "fd00::/8"}), "remote_ip_prefix"),
    ] {
        let mut body = json!({"security_group_id": id, "direction": "ingress"});
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let body = json!({"security_group_rule": body});
        let refused = lab.call("red", "POST /v2.0/security-group-rules", body).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert_eq!(refused.body["errors"][0]["field"], path, "{}", refused.text);
    }
    let gone = lab.call("red", &format!("DELETE /v2.0/security-group-rules/{rule}"), Value::Null).await;
    assert_eq!(gone.status, 204);
    let gone = lab.get("red", &format!("/v2.0/security-group-rules/{rule}")).await;
    assert_eq!((gone.status.as_u16(), gone.kind()), (404, "SecurityGroupRuleNotFound"));
}

#[tokio::test]
async fn ports_wear_groups_and_pairs() {
    let lab = Lab::new().await;
    let id = group(&lab, "red").await;
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.77.0.0/24").await;
    let body = json!({"port": {"network_id": network, "security_groups": [id],
        "allowed_address_pairs": [{"ip_address": "10.77.0.99"}, {"ip_address": "10.78.0.0/24", "mac_address": "02:00:00:00:00:99"}]}});
    let made = lab.call("red", "POST /v2.0/ports", body).await;
    let port = made.created("port");
    let row = &made.body["port"];
    assert_eq!(row["security_groups"], json!([id]));
    assert_eq!(row["allowed_address_pairs"][0]["ip_address"], "10.77.0.99");
    assert_eq!(row["allowed_address_pairs"][0]["mac_address"], row["mac_address"]);
    let used = lab.call("red", &format!("DELETE /v2.0/security-groups/{id}"), Value::Null).await;
    assert_eq!((used.status.as_u16(), used.kind()), (409, "SecurityGroupInUse"));
    assert_eq!(used.body["NeutronError"]["message"], format!("Security Group {id} in use."));
    let line = format!("PUT /v2.0/ports/{port}");
    let off = lab.call("red", &line, json!({"port": {"port_security_enabled": false}})).await;
    assert_eq!(off.status, 409, "{}", off.text);
    let off =
        json!({"port": {"port_security_enabled": false, "security_groups": [], "allowed_address_pairs": []}});
    let off = lab.call("red", &line, off).await;
    assert_eq!(off.body["port"]["security_groups"], json!([]), "{}", off.text);
    let foreign = json!({"port": {"network_id": network, "security_groups": [group(&lab, "blue").await]}});
    let refused = lab.call("red", "POST /v2.0/ports", foreign).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (404, "SecurityGroupNotFound"));
    let gone = lab.call("red", &format!("DELETE /v2.0/security-groups/{id}"), Value::Null).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
}

#[tokio::test]
async fn address_groups_change_address_by_address() {
    let lab = Lab::new().await;
    let body = json!({"address_group": {"name": "ag", "addresses": ["10.1.0.0/24"]}});
    let id = lab.call("red", "POST /v2.0/address-groups", body).await.created("address_group");
    let more = json!({"address_group": {"addresses": ["10.2.0.0/24"]}});
    let more = lab.call("red", &format!("PUT /v2.0/address-groups/{id}/add_addresses"), more).await;
    assert_eq!(
        more.body["address_group"]["addresses"],
        json!(["10.1.0.0/24", "10.2.0.0/24"]),
        "{}",
        more.text
    );
    let less = json!({"address_group": {"addresses": ["10.1.0.0/24"]}});
    let less = lab.call("red", &format!("PUT /v2.0/address-groups/{id}/remove_addresses"), less).await;
    assert_eq!(less.body["address_group"]["addresses"], json!(["10.2.0.0/24"]));
    let web = group(&lab, "red").await;
    let rule = json!({"security_group_rule": {"security_group_id": web, "direction": "ingress",
        "remote_address_group_id": id}});
    assert_eq!(lab.call("red", "POST /v2.0/security-group-rules", rule).await.status, 201);
    let used = lab.call("red", &format!("DELETE /v2.0/address-groups/{id}"), Value::Null).await;
    assert_eq!((used.status.as_u16(), used.kind()), (409, "AddressGroupInUse"));
}
