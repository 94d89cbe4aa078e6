//! Filters that an index answers show the same as looking through everything.

use serde_json::{Value, json};

use super::{Lab, ids};

#[tokio::test]
async fn an_index_finds_what_a_look_at_all_ports_finds() {
    let lab = Lab::new().await;
    let mut ports = Vec::new();
    let mut subnets = Vec::new();
    for token in ["red", "blue"] {
        for _ in 0..2 {
            let network = lab.network(token).await;
            subnets.push(lab.subnet(token, &network, "10.0.0.0/24").await);
            for n in 0..6 {
                let device = ["", "vm-1", "vm-2"][n % 3];
                let port = json!({"network_id": network, "name": format!("p{}", n % 2),
                    "device_id": device, "mac_address": format!("02:00:00:00:00:0{}", n % 7)});
                let made = lab.call(token, "POST /v2.0/ports", json!({"port": port})).await;
                assert_eq!(made.status, 201, "{}", made.text);
                ports.push(made.body["port"].clone());
            }
        }
    }
    ports.sort_by_key(|port| port["id"].as_str().unwrap().to_owned());
    let network = ports[3]["network_id"].as_str().unwrap().to_owned();
    type Keep<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let equals = |name: &'static str, value: &str| -> Keep<'static> {
        let value = value.to_owned();
        Box::new(move |port: &Value| port[name] == value.as_str())
    };
    let address = |port: &Value| port["fixed_ips"][0]["ip_address"] == "10.0.0.3";
    let of_subnet = |port: &Value| port["fixed_ips"][0]["subnet_id"] == subnets[1].as_str();
    let cases: Vec<(String, Keep<'_>)> = vec![
        ("device_id=vm-1".into(), equals("device_id", "vm-1")),
        ("device_id=".into(), equals("device_id", "")),
        ("device_id=vm-3".into(), equals("device_id", "vm-3")),
        ("device_id=vm-1&device_id=vm-2".into(), Box::new(|port| port["device_id"] != "")),
        ("mac_address=02:00:00:00:00:03".into(), equals("mac_address", "02:00:00:00:00:03")),
        ("fixed_ips=ip_address=10.0.0.3".into(), Box::new(address)),
        (format!("fixed_ips=subnet_id={}", subnets[1]), Box::new(of_subnet)),
        (
            format!("fixed_ips=subnet_id={}&fixed_ips=ip_address=10.0.0.3", subnets[1]),
            Box::new(|port| of_subnet(port) && address(port)),
        ),
        (
            format!("network_id={network}&mac_address=02:00:00:00:00:03"),
            Box::new(|port| port["network_id"] == *network && port["mac_address"] == "02:00:00:00:00:03"),
        ),
        (format!("network_id={network}&name=p1"), {
            Box::new(|port| port["network_id"] == *network && port["name"] == "p1")
        }),
    ];
    for token in ["admin", "red", "blue"] {
        let whoami = lab.get(token, "/v1/whoami").await;
        let tenant = whoami.body["tenant_id"].as_str().map(str::to_owned);
        for (query, keep) in &cases {
            let sees = |port: &&Value| tenant.as_ref().is_none_or(|own| port["tenant_id"] == own.as_str());
            let wanted: Vec<_> = ports.iter().filter(sees).filter(|port| keep(port)).cloned().collect();
            let answer = lab.get(token, &format!("/v2.0/ports?{query}")).await;
            assert_eq!(ids(&answer.body["ports"]), ids(&Value::Array(wanted)), "{token} {query}");
        }
    }
}
