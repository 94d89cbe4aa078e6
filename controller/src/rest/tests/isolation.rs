//! Proves that one tenant's token opens nothing of another tenant: every route that the document names is tried.

use serde_json::{Value, json};
use weft_model::intent::{Actor, HostReport, Intent};
use weft_model::{EncapIps, Snapshot};

use super::Lab;

/// Every operation of the document: `GET /v2.0/networks/{id}`, and whether it needs a token.
fn operations() -> Vec<(String, bool)> {
    let document = serde_json::to_value(super::super::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !["get", "put", "post", "delete"].contains(&method.as_str()) {
                continue;
            }
            let is_open = operation.get("security").is_some_and(|security| *security == json!([{}]));
            operations.push((format!("{} {path}", method.to_uppercase()), !is_open));
        }
    }
    assert!(operations.len() > 35, "the document has all routes: {operations:?}");
    operations
}

/// What belongs to the other tenant.
struct Theirs {
    network: String,
    subnet: String,
    port: String,
    router: String,
    group: String,
    rule: String,
    addresses: String,
    floating_ip: String,
    forwarding: String,
    external: String,
    token: String,
}

impl Theirs {
    async fn make(lab: &Lab) -> Theirs {
        let network = lab.network("blue").await;
        let subnet = lab.subnet("blue", &network, "10.9.8.0/24").await;
        let port = lab.port("blue", &network).await;
        let router = lab.call("blue", "POST /v2.0/routers", json!({"router": {"name": "theirs"}})).await;
        let router = router.created("router");
        let join = format!("PUT /v2.0/routers/{router}/add_router_interface");
        assert_eq!(lab.call("blue", &join, json!({"subnet_id": subnet})).await.status, 200);
        let group =
            lab.call("blue", "POST /v2.0/security-groups", json!({"security_group": {"name": "theirs"}}));
        let group = group.await.created("security_group");
        let rule = json!({"security_group_rule": {"security_group_id": group, "direction": "ingress"}});
        let rule = lab.call("blue", "POST /v2.0/security-group-rules", rule).await;
        let rule = rule.created("security_group_rule");
        let addresses = json!({"address_group": {"addresses": ["10.9.8.7"]}});
        let addresses = lab.call("blue", "POST /v2.0/address-groups", addresses).await;
        let addresses = addresses.created("address_group");
        // An external network is somebody else's, and everybody's to see.
        let operator = lab.call("admin", "POST /v1/tenants", json!({"tenant": {"name": "operator"}})).await;
        let external =
            super::outside::external_network(lab, operator.body["tenant"]["id"].as_str().unwrap()).await;
        let gateway = json!({"router": {"external_gateway_info": {"network_id": external}}});
        assert_eq!(lab.call("blue", &format!("PUT /v2.0/routers/{router}"), gateway).await.status, 200);
        let floating_ip = json!({"floatingip": {"floating_network_id": external}});
        let floating_ip = lab.call("blue", "POST /v2.0/floatingips", floating_ip).await.created("floatingip");
        let forwarding = json!({"port_forwarding": {"protocol": "tcp", "external_port": 22, "internal_port": 22,
            "internal_port_id": port}});
        let line = format!("POST /v2.0/floatingips/{floating_ip}/port_forwardings");
        let forwarding = lab.call("blue", &line, forwarding).await.created("port_forwarding");
        let made = lab.call("admin", "POST /v1/tenants/blue/tokens", json!({"token": {}})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let report = HostReport {
            id: "host-9".parse().unwrap(),
            hostname: "secret-host".into(),
            encap_ips: EncapIps::default(),
            ovs_version: String::new(),
            datapath_type: String::new(),
            bridge_mappings: Default::default(),
            interfaces: Vec::new(),
        };
        lab.desk.write(Actor::Admin, vec![Intent::ReportHost(report)]).await.unwrap();
        let token = made.body["id"].as_str().unwrap().to_owned();
        Theirs {
            network,
            subnet,
            port,
            router,
            group,
            rule,
            addresses,
            floating_ip,
            forwarding,
            external,
            token,
        }
    }

    /// The paths that a template stands for, with the other tenant's ids in it.
    fn paths(&self, template: &str) -> Vec<String> {
        let with_token =
            template.replace("{token}", &self.token).replace("{tag}", "x").replace("{alias}", "net-mtu");
        let with_token = with_token.replace("{forwarding}", &self.forwarding);
        if template == "/v1/applied" {
            return vec!["/v1/applied?timeout=0".into()];
        }
        if template == "/v1/events" {
            return vec!["/v1/events?from=0&follow=false".into()];
        }
        if template.contains("{collection}") {
            let of = [
                ("networks", &self.network),
                ("subnets", &self.subnet),
                ("ports", &self.port),
                ("routers", &self.router),
                ("floatingips", &self.floating_ip),
                ("security-groups", &self.group),
                ("address-groups", &self.addresses),
            ];
            return of.map(|(c, id)| with_token.replace("{collection}", c).replace("{id}", id)).to_vec();
        }
        let id = match template {
            t if t.contains("/networks/") => self.network.as_str(),
            t if t.contains("/subnets/") => self.subnet.as_str(),
            t if t.contains("/ports/") => self.port.as_str(),
            t if t.contains("/routers/") => self.router.as_str(),
            t if t.contains("/floatingips/") => self.floating_ip.as_str(),
            t if t.contains("/security-groups/") => self.group.as_str(),
            t if t.contains("/security-group-rules/") => self.rule.as_str(),
            t if t.contains("/address-groups/") => self.addresses.as_str(),
            t if t.contains("/tenants/") || t.contains("/projects/") => "blue",
            _ => "host-9",
        };
        vec![with_token.replace("{id}", id)]
    }

    /// Nothing of it may stand in an answer to somebody else.
    fn check_absent(&self, text: &str, what: &str) {
        let security = [&self.group, &self.rule, &self.addresses, &self.floating_ip, &self.forwarding];
        let ids =
            [&self.network, &self.subnet, &self.port, &self.router, &self.token].into_iter().chain(security);
        for secret in ids.map(String::as_str).chain(["10.9.8.", "secret-host"]) {
            assert!(!text.contains(secret), "{what} tells {secret}: {text}");
        }
    }
}

/// A body that would do harm: it names the other tenant and its network.
fn body(line: &str, theirs: &Theirs) -> Value {
    let (method, path) = line.split_once(' ').unwrap();
    if method != "POST" && method != "PUT" {
        return Value::Null;
    }
    match path {
        p if p.ends_with("/tags") => json!({"tags": ["mine"]}),
        p if p.contains("router_interface") => json!({"subnet_id": theirs.subnet}),
        p if p.contains("/routers") && method == "POST" => {
            json!({"router": {"name": "mine", "project_id": "blue"}})
        }
        p if p.contains("/routers") => json!({"router": {"routes": []}}),
        p if p.contains("/port_forwardings") => {
            json!({"port_forwarding": {"protocol": "udp", "external_port": 53,
            "internal_port": 53, "internal_port_id": theirs.port}})
        }
        p if p.contains("/floatingips") && method == "POST" => {
            json!({"floatingip": {"floating_network_id": theirs.external, "project_id": "blue"}})
        }
        p if p.contains("/floatingips") => json!({"floatingip": {"description": "mine"}}),
        p if p.ends_with("_addresses") => json!({"address_group": {"addresses": ["10.1.0.0/24"]}}),
        p if p.contains("/address-groups") && method == "POST" => {
            json!({"address_group": {"name": "mine", "project_id": "blue"}})
        }
        p if p.contains("/address-groups") => json!({"address_group": {"name": "mine"}}),
        p if p.contains("/subnetpools") && method == "POST" => {
            json!({"subnetpool": {"prefixes": ["10.1.0.0/16"], "project_id": "blue"}})
        }
        p if p.contains("/subnetpools") => json!({"subnetpool": {"name": "mine"}}),
        p if p.contains("/address-scopes") && method == "POST" => {
            json!({"address_scope": {"ip_version": 4, "project_id": "blue"}})
        }
        p if p.contains("/address-scopes") => json!({"address_scope": {"name": "mine"}}),
        p if p.contains("/network-segment-ranges") => {
            json!({"network_segment_range": {"name": "mine"}})
        }
        p if p.contains("/rbac-policies") && method == "POST" => {
            json!({"rbac_policy": {"object_type": "network", "object_id": theirs.network,
                "action": "access_as_shared", "target_tenant": "red"}})
        }
        p if p.contains("/rbac-policies") => json!({"rbac_policy": {"target_tenant": "red"}}),
        p if p.contains("/security-group-rules") => {
            json!({"security_group_rule": {"security_group_id": theirs.group, "direction": "ingress"}})
        }
        p if p.contains("/security-groups") && method == "POST" => {
            json!({"security_group": {"name": "mine", "project_id": "blue"}})
        }
        p if p.contains("/security-groups") => json!({"security_group": {"name": "mine"}}),
        p if p.contains("/tokens") => json!({"token": {"role": "member"}}),
        p if p.contains("/tenants") => json!({"tenant": {"name": "mine"}}),
        p if p.contains("/networks") && method == "POST" => {
            json!({"network": {"name": "mine", "project_id": "blue"}})
        }
        p if p.contains("/networks") => json!({"network": {"name": "mine"}}),
        p if p.contains("/subnets") && method == "POST" => {
            json!({"subnet": {"network_id": theirs.network, "cidr": "10.1.0.0/24", "ip_version": 4}})
        }
        p if p.contains("/subnets") => json!({"subnet": {"name": "mine"}}),
        p if p.contains("/ports") && method == "POST" => json!({"port": {"network_id": theirs.network}}),
        p if p.contains("/ports") => json!({"port": {"name": "mine"}}),
        _ => Value::Null,
    }
}

/// An answer may repeat what was asked for; only the rest may not tell anything.
fn without_request(text: &str, path: &str, body: &Value) -> String {
    let network =
        body.as_object().and_then(|body| body.values().next()).and_then(|inner| inner["network_id"].as_str());
    let group = body["security_group_rule"]["security_group_id"].as_str();
    let object = body["rbac_policy"]["object_id"].as_str();
    let said = path.split('/').chain(network).chain(group).chain(object).filter(|part| part.len() > 8);
    said.fold(text.to_owned(), |text, part| text.replace(part, ""))
}

#[tokio::test]
async fn no_route_shows_or_changes_another_tenants_objects() {
    let lab = Lab::new().await;
    let theirs = Theirs::make(&lab).await;
    let before: Snapshot = lab.desk.snapshot();
    for (operation, needs_token) in operations() {
        let (method, template) = operation.split_once(' ').unwrap();
        for path in theirs.paths(template) {
            for token in ["red", "red-reader"] {
                let line = format!("{method} {path}");
                if path == "/metrics" {
                    continue;
                }
                let body = body(&line, &theirs);
                let answer = lab.call(token, &line, body.clone()).await;
                assert!(!answer.status.is_server_error(), "{line}: {}", answer.text);
                theirs.check_absent(&without_request(&answer.text, &path, &body), &line);
                let is_specific = template.contains('{') && template != "/v2.0/extensions/{alias}";
                if is_specific && needs_token {
                    let expected: &[u16] =
                        if template.starts_with("/v1/hosts") { &[403] } else { &[403, 404] };
                    assert!(expected.contains(&answer.status.as_u16()), "{token} {line}: {}", answer.text);
                }
            }
        }
    }
    assert_eq!(lab.desk.snapshot(), before, "another tenant changed something");
}

#[tokio::test]
async fn every_route_but_the_open_ones_needs_a_valid_token() {
    let lab = Lab::new().await;
    let theirs = Theirs::make(&lab).await;
    let before = lab.desk.snapshot();
    let mut open = Vec::new();
    for (operation, needs_token) in operations() {
        let (method, template) = operation.split_once(' ').unwrap();
        for path in theirs.paths(template) {
            for token in ["", "wrong", "Admin"] {
                let line = format!("{method} {path}");
                let body = body(&line, &theirs);
                let answer = lab.call(token, &line, body.clone()).await;
                if line == "POST /v3/auth/tokens" {
                    assert_eq!(answer.status, 400, "nothing was shown: {}", answer.text);
                    continue;
                }
                if !needs_token {
                    assert_eq!(answer.status, 200, "{line}: {}", answer.text);
                    continue;
                }
                assert_eq!(answer.status, 401, "{line}: {}", answer.text);
                answer.check_problem(&path);
                assert_eq!(answer.headers["www-authenticate"], "Keystone uri=\"http://weft.test:9696/v3\"");
                theirs.check_absent(&without_request(&answer.text, &path, &body), &line);
            }
        }
        if !needs_token {
            open.push(template.to_owned());
        }
    }
    open.sort();
    assert_eq!(
        open,
        ["/", "/healthz", "/metrics", "/openapi.json", "/readyz", "/v2.0", "/v3", "/v3/auth/tokens"]
    );
    assert_eq!(lab.desk.snapshot(), before);
}

#[tokio::test]
async fn tokens_end_with_their_time_and_their_tenant() {
    let lab = Lab::new().await;
    let request = |scheme: &str| {
        axum::http::Request::builder()
            .uri("/v1/whoami")
            .header("authorization", format!("{scheme} red"))
            .body(axum::body::Body::empty())
            .unwrap()
    };
    assert_eq!(lab.send(request("Bearer")).await.body["tenant_id"], "red");
    assert_eq!(lab.send(request("bearer")).await.status, 200);
    assert_eq!(lab.send(request("Basic")).await.status, 401);
    let off = json!({"tenant": {"enabled": false}});
    assert_eq!(lab.call("admin", "PUT /v1/tenants/red", off).await.status, 200);
    assert_eq!(lab.get("red", "/v2.0/networks").await.status, 401);
    let expired = weft_model::intent::NewToken {
        id: weft_model::TokenId(uuid::Uuid::new_v4()),
        role: weft_model::TokenRole::Admin,
        digest: crate::first_token::digest("expired"),
        description: String::new(),
        expires: Some(weft_model::Timestamp(1)),
    };
    lab.desk.write(Actor::Admin, vec![Intent::CreateToken(expired)]).await.unwrap();
    assert_eq!(lab.get("expired", "/v1/whoami").await.status, 401);
    let past = json!({"token": {"expires_at": "2020-01-01T00:00:00Z"}});
    assert_eq!(lab.call("admin", "POST /v1/tenants/blue/tokens", past).await.status, 400);
    let future = json!({"token": {"expires_at": "2999-01-01T00:00:00Z", "role": "reader"}});
    let made = lab.call("admin", "POST /v1/tenants/blue/tokens", future).await;
    let secret = made.body["token"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("weft_"), "{secret}");
    assert_eq!(lab.get(&secret, "/v1/whoami").await.body["role"], "reader");
    let listed = lab.get("admin", "/v1/tenants/blue/tokens").await;
    assert!(!listed.text.contains(&secret), "{}", listed.text);
    assert_eq!(listed.body["tokens"].as_array().unwrap().len(), 2);
    let line = format!("DELETE /v1/tenants/blue/tokens/{}", made.body["id"].as_str().unwrap());
    let elsewhere = line.replace("blue", "red");
    assert_eq!(lab.call("admin", &elsewhere, Value::Null).await.status, 404);
    assert_eq!(lab.call("admin", &line, Value::Null).await.status, 204);
    assert_eq!(lab.get(&secret, "/v1/whoami").await.status, 401);
}
