//! `/v1/apply`: a file does what it says, once, all of it or nothing, and only to its own.

use serde_json::{Value, json};

use super::Lab;

fn file(prune: bool) -> Value {
    json!({"apply": {
        "name": "web",
        "prune": prune,
        "networks": [
            {"name": "front", "subnets": [{"name": "v4", "cidr": "10.1.0.0/24", "dns_nameservers": ["9.9.9.9"]}]},
            {"name": "back", "mtu": 1400, "subnets": [{"name": "v4", "cidr": "10.2.0.0/24"}]},
        ],
        "security_groups": [
            {"name": "web", "rules": [
                {"direction": "ingress", "protocol": "tcp", "port_range_min": 443, "port_range_max": 443},
                {"direction": "ingress", "remote_group": "web"},
            ]},
        ],
        "routers": [{"name": "edge", "interfaces": ["front/v4", "back/v4"],
            "routes": [{"destination": "172.16.0.0/12", "nexthop": "10.2.0.9"}]}],
        "ports": [
            {"name": "web-1", "network": "front", "security_groups": ["web"],
                "fixed_ips": [{"subnet": "v4", "ip_address": "10.1.0.10"}]},
            {"name": "db-1", "network": "back"},
        ],
    }})
}

/// Names of the tenant's objects of a kind.
async fn names(lab: &Lab, token: &str, collection: &str) -> Vec<String> {
    let list = lab.get(token, &format!("/v2.0/{collection}?sort_key=name")).await;
    let rows = list.body[collection.replace('-', "_")].as_array().unwrap().clone();
    rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[tokio::test]
async fn a_file_is_planned_then_done_and_a_second_time_nothing_is_done() {
    let lab = Lab::new().await;
    let before = lab.desk.snapshot();
    let planned = lab.call("red", "POST /v1/apply?dry_run=true", file(false)).await;
    assert_eq!(planned.status, 200, "{}", planned.text);
    assert_eq!(lab.desk.snapshot(), before);
    let done = lab.call("red", "POST /v1/apply", file(false)).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.body["plan"]["objects_total"], planned.body["plan"]["objects_total"]);
    assert_eq!(names(&lab, "red", "networks").await, ["back", "front"]);
    assert_eq!(names(&lab, "red", "ports").await, ["db-1", "web-1"]);
    let port = lab.get("red", "/v2.0/ports?name=web-1").await.body["ports"][0].clone();
    assert_eq!(port["fixed_ips"][0]["ip_address"], "10.1.0.10");
    assert_eq!(port["tags"], json!(["weft-apply=web"]));
    let after = lab.desk.snapshot();
    let again = lab.call("red", "POST /v1/apply", file(true)).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["plan"]["objects_total"]),
        (200, &json!(0)),
        "{}",
        again.text
    );
    assert_eq!(lab.desk.snapshot(), after);
}

#[tokio::test]
async fn what_is_not_named_any_more_stays_until_it_is_pruned_and_others_things_stay() {
    let lab = Lab::new().await;
    assert_eq!(
        lab.call("red", "POST /v2.0/networks", json!({"network": {"name": "front"}})).await.status,
        201
    );
    assert_eq!(lab.call("red", "POST /v1/apply", file(false)).await.status, 200);
    assert_eq!(names(&lab, "red", "networks").await, ["back", "front"], "what is there is not made again");
    let empty = |prune: bool, name: &str| json!({"apply": {"name": name, "prune": prune}});
    let kept = lab.call("red", "POST /v1/apply", empty(false, "web")).await;
    let left = kept.body["plan"]["left"].as_array().unwrap();
    assert!(
        left.iter().any(|left| left["name"] == "web-1") && kept.body["plan"]["objects_total"] == 0,
        "{}",
        kept.text
    );
    let other = lab.call("red", "POST /v1/apply", empty(true, "another")).await;
    assert_eq!(other.body["plan"]["objects_total"], 0, "{}", other.text);
    let pruned = lab.call("red", "POST /v1/apply", empty(true, "web")).await;
    assert_eq!(pruned.status, 200, "{}", pruned.text);
    assert_eq!(names(&lab, "red", "networks").await, ["front"], "it was there before the file");
    assert_eq!(names(&lab, "red", "routers").await, Vec::<String>::new());
    assert_eq!(names(&lab, "red", "security-groups").await, ["default"]);
}

#[tokio::test]
async fn a_file_is_for_one_tenant_and_faults_are_named_by_their_place() {
    let lab = Lab::new().await;
    assert_eq!(lab.call("red", "POST /v1/apply", file(false)).await.status, 200);
    assert_eq!(lab.call("blue", "POST /v1/apply", file(false)).await.status, 200);
    assert_eq!(names(&lab, "admin", "networks").await.len(), 4);
    assert_eq!(lab.call("red-reader", "POST /v1/apply", file(false)).await.status, 403);
    assert_eq!(lab.call("admin", "POST /v1/apply", file(false)).await.status, 400);
    let mut theirs = file(false);
    theirs["apply"]["project"] = json!("blue");
    assert_eq!(lab.call("red", "POST /v1/apply", theirs.clone()).await.status, 400);
    let done = lab.call("admin", "POST /v1/apply", theirs).await;
    assert_eq!(
        (done.status.as_u16(), &done.body["plan"]["objects_total"]),
        (200, &json!(0)),
        "{}",
        done.text
    );
    let before = lab.desk.snapshot();
    let check = |change: fn(&mut Value), field: &'static str| {
        let mut file = file(false);
        change(&mut file["apply"]);
        (file, field)
    };
    let cases = [
        check(|file| file["networks"][1]["mtu"] = json!("large"), "networks.1.mtu"),
        check(|file| file["networks"][1]["colour"] = json!("red"), "networks.1.colour"),
        check(|file| file["networks"][1]["name"] = json!("front"), "networks.1.name"),
        check(
            |file| file["networks"][0]["subnets"][0]["cidr"] = json!("10.7.0.0/24"),
            "networks.0.subnets.0.cidr",
        ),
        check(|file| file["ports"][0]["network"] = json!("nowhere"), "ports.0.network"),
        check(|file| file["ports"][0]["security_groups"][0] = json!("nobody"), "ports.0.security_groups.0"),
        check(|file| file["ports"][1]["project_id"] = json!("blue"), "ports.1.project_id"),
        check(|file| file["routers"][0]["interfaces"][0] = json!("v4"), "routers.0.interfaces.0"),
        check(|file| file["routers"][0]["routes"][0]["nexthop"] = json!("1.2.3.4"), "routers.0"),
        check(|file| file["name"] = json!("a b"), "name"),
    ];
    for (file, field) in cases {
        let answer = lab.call("red", "POST /v1/apply", file).await;
        assert_eq!(answer.status, 400, "{field}: {}", answer.text);
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.text);
    }
    assert_eq!(lab.desk.snapshot(), before, "a part of a file was done");
}
