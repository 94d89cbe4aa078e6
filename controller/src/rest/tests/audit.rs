//! Proves that the audit log tells every write that somebody asked for, whole and once, to those who may know, and no more
//! of them than it may keep.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use weft_model::Snapshot;
use weft_model::intent::Settings;

use super::{Lab, Rates};
use crate::audit::Bounds;
use crate::desk::{Desk, Hooks};
use crate::vault::Vault;

fn desk(folder: &Path, bounds: Bounds) -> Desk {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let store = loop {
        // The store is free again when the writer's threads have seen that nobody is left to ask.
        match weft_store::open(weft_store::Engine::Redb, folder, weft_store::Options::default()) {
            Ok(store) => break store,
            Err(_) if std::time::Instant::now() < deadline => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    let vault = Vault::new(store).audited(bounds).unwrap();
    let loaded = vault.load().unwrap();
    Desk::open(vault, loaded, Settings::default(), Hooks::none()).unwrap()
}

async fn lab(folder: &Path) -> Lab {
    Lab::over(desk(folder, Bounds::default())).await
}

/// `create networks, update networks`: what a page tells, newest first.
fn told(page: &Value) -> String {
    let entries = page["entries"].as_array().unwrap_or_else(|| panic!("no log: {page}"));
    let changes = entries.iter().flat_map(|entry| entry["changes"].as_array().unwrap());
    let words = changes
        .map(|change| format!("{} {}", change["verb"].as_str().unwrap(), change["kind"].as_str().unwrap()));
    words.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_write_is_told_with_who_what_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path()).await;
    assert_eq!(told(&lab.get("admin", "/v1/audit").await.body), "", "what nobody asked for");
    let network = lab.network("red").await;
    let path = format!("/v2.0/networks/{network}");
    let changed = lab.call("red", &format!("PUT {path}"), json!({"network": {"name": "new"}})).await;
    assert_eq!(
        lab.call("red", "PUT /v2.0/networks/none", json!({"network": {"name": "x"}})).await.status,
        404
    );
    assert_eq!(lab.call("red", &format!("DELETE {path}"), Value::Null).await.status, 204);
    let page = lab.get("red", "/v1/audit").await.body;
    let expected = "delete networks, update networks, create networks";
    assert!(told(&page).starts_with(expected), "{}", told(&page));
    let update = &page["entries"][1];
    assert_eq!(update["request_id"], changed.headers["x-request-id"].to_str().unwrap());
    assert_eq!(update["revision"], changed.revision());
    assert_eq!(
        (&update["author"]["role"], &update["author"]["project_id"]),
        (&json!("member"), &json!("red"))
    );
    assert!(update["author"]["token_id"].is_string());
    assert!(update["time"].as_str().unwrap().ends_with('Z'), "{update}");
    let change = &update["changes"][0];
    assert_eq!((&change["id"], &change["project_id"]), (&json!(network), &json!("red")));
    assert_eq!(change["before"]["stamp"]["name"], "net");
    assert_eq!(change["after"]["stamp"]["name"], "new");
    assert_eq!(
        (&change["after"]["vni"], &change["after"]["encap"]),
        (&Value::Null, &Value::Null),
        "the operator's"
    );
    assert_eq!(page["entries"][0]["changes"][0]["after"], Value::Null);
    let whole = lab.get("admin", "/v1/audit").await.body;
    assert!(whole["entries"][1]["changes"][0]["after"]["vni"].is_u64(), "{whole}");
}

#[tokio::test]
async fn tenants_see_what_became_of_their_own_and_secrets_are_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path()).await;
    let network = lab.network("blue").await;
    let made = lab.call("admin", "POST /v1/tenants/blue/tokens", json!({"token": {}})).await;
    let secret = made.body["token"].as_str().unwrap().to_owned();
    let rename = json!({"network": {"name": "the operator's wish"}});
    assert_eq!(lab.call("admin", &format!("PUT /v2.0/networks/{network}"), rename).await.status, 200);
    assert_eq!(told(&lab.get("red", "/v1/audit").await.body), "");
    assert_eq!(told(&lab.get("red-reader", "/v1/audit").await.body), "");
    assert_eq!(lab.get("red", "/v1/audit?project_id=blue").await.status, 404);
    let whole = lab.get("admin", "/v1/audit?project_id=blue").await;
    assert!(told(&whole.body).starts_with("update networks, create tokens, create"), "{}", whole.text);
    let theirs = lab.get("blue", "/v1/audit").await;
    assert_eq!(told(&theirs.body), told(&whole.body));
    let by_operator = &theirs.body["entries"][0]["author"];
    let unnamed =
        json!({"role": "admin", "token_id": null, "user_id": null, "project_id": null, "address": null});
    assert_eq!(*by_operator, unnamed);
    let digest = format!("{:?}", crate::first_token::digest(&secret)).replace(' ', "");
    for text in [&whole.text, &theirs.text] {
        assert!(!text.contains(&secret) && !text.contains(&digest) && !text.contains("digest"), "{text}");
    }
}

#[tokio::test]
async fn pages_and_filters_find_what_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path()).await;
    let network = lab.network("red").await;
    let mut revisions = Vec::new();
    for n in 0..5 {
        let body = json!({"network": {"description": format!("{n}")}});
        revisions.push(lab.call("red", &format!("PUT /v2.0/networks/{network}"), body).await.revision());
    }
    lab.network("blue").await;
    let descriptions = |page: &Value| -> Vec<String> {
        let entries = page["entries"].as_array().unwrap().iter();
        entries
            .map(|e| e["changes"][0]["after"]["stamp"]["description"].as_str().unwrap().to_owned())
            .collect()
    };
    let get = async |query: &str| {
        lab.get("admin", &format!("/v1/audit?kind=networks&id={network}{query}")).await.body
    };
    let (mut seen, mut marker): (Vec<String>, Value) = (Vec::new(), Value::Null);
    loop {
        let more = marker.as_u64().map_or(String::new(), |marker| format!("&marker={marker}"));
        let page = get(&format!("&limit=2{more}")).await;
        let found: Vec<String> = descriptions(&page);
        assert!(found.len() <= 2);
        seen.extend(found);
        marker = page["next"].clone();
        if marker.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0", ""]);
    let (second, fourth) = (revisions[1], revisions[3]);
    let between: Vec<String> = descriptions(&get(&format!("&since={second}&until={fourth}")).await);
    assert_eq!(between, ["3", "2", "1"]);
    assert_eq!(get("&until=2020-01-01T00:00:00Z").await["entries"], json!([]));
    assert_eq!(get("&since=2020-01-01T00:00:00Z").await["entries"].as_array().unwrap().len(), 6);
    assert_eq!(get("&since=2999-01-01T00:00:00Z").await["entries"], json!([]));
    for wrong in ["since=yesterday", "limit=0", "limit=1001", "marker=-1", "colour=red", "project_id=%00"] {
        let answer = lab.get("admin", &format!("/v1/audit?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text);
        answer.check_problem("/v1/audit");
    }
}

#[tokio::test]
async fn the_log_goes_on_after_a_restart_and_keeps_no_more_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds { entries: 10, age: None };
    let lab = Lab::over(desk(folder.path(), bounds)).await;
    let network = lab.network("red").await;
    let rename = async |lab: &Lab, n: u32| {
        let body = json!({"network": {"name": format!("n{n}")}});
        assert_eq!(lab.call("red", &format!("PUT /v2.0/networks/{network}"), body).await.status, 200);
    };
    for n in 0..8 {
        rename(&lab, n).await;
    }
    drop(lab);
    let lab = Lab::again(desk(folder.path(), bounds), Rates::default());
    for n in 8..20 {
        rename(&lab, n).await;
    }
    let page = lab.get("red", "/v1/audit").await.body;
    let names: Vec<&str> = page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["changes"][0]["after"]["stamp"]["name"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (10..20).rev().map(|n| format!("n{n}")).collect();
    assert_eq!(names, expected);
    assert_eq!(page["next"], Value::Null);
}

#[tokio::test]
async fn what_one_request_does_is_told_whole_however_much_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path()).await;
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.0.0.0/20").await;
    let port = json!({"network_id": network, "description": "x".repeat(255)});
    let ports: Vec<Value> = (0..1000).map(|_| port.clone()).collect();
    let made = lab.call("red", "POST /v2.0/ports", json!({ "ports": ports })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let page = lab.get("red", "/v1/audit?kind=ports").await.body;
    let entries = page["entries"].as_array().unwrap();
    assert!(entries.len() > 1, "one entry of a megabyte");
    let changes: Vec<&Value> = entries.iter().flat_map(|e| e["changes"].as_array().unwrap()).collect();
    assert_eq!(changes.len(), 1000);
    assert!(changes.iter().all(|change| change["after"]["stamp"]["description"].is_string()));
    assert!(
        entries.iter().all(|entry| entry["request_id"] == made.headers["x-request-id"].to_str().unwrap())
    );
}

#[tokio::test]
async fn a_controller_that_keeps_no_log_says_so_by_an_empty_one() {
    let lab =
        Lab::over(Desk::open(Vault::none(), Snapshot::new(), Settings::default(), Hooks::none()).unwrap())
            .await;
    lab.network("red").await;
    assert_eq!(lab.get("admin", "/v1/audit").await.body, json!({"entries": [], "next": null}));
}
