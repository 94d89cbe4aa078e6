//! Proves that requests at the same time get distinct addresses, and that none of their changes is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use weft_model::Snapshot;
use weft_model::intent::Settings;

use super::Lab;
use crate::desk::{Desk, Hooks};
use crate::vault::Vault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_made_at_the_same_time_get_distinct_addresses() {
    let lab = Arc::new(Lab::new().await);
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.0.0.0/24").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..260 {
        let (lab, network) = (lab.clone(), network.clone());
        tasks.spawn(async move {
            let body = json!({"port": {"network_id": network}});
            lab.call("red", "POST /v2.0/ports", body).await
        });
    }
    let (mut addresses, mut macs, mut refused) = (BTreeSet::new(), BTreeSet::new(), 0);
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        if answer.status == 409 {
            assert_eq!(answer.kind(), "IpAddressGenerationFailure");
            refused += 1;
            continue;
        }
        let port = &answer.body["port"];
        assert!(
            addresses.insert(port["fixed_ips"][0]["ip_address"].as_str().unwrap().to_owned()),
            "{}",
            answer.text
        );
        assert!(macs.insert(port["mac_address"].as_str().unwrap().to_owned()), "{}", answer.text);
    }
    assert_eq!((addresses.len(), refused), (253, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_added_at_the_same_time_all_stay() {
    let lab = Arc::new(Lab::new().await);
    let network = lab.network("red").await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..6 {
        let (lab, line) = (lab.clone(), format!("PUT /v2.0/networks/{network}/tags/t{n}"));
        tasks.spawn(async move { lab.call("red", &line, json!(null)).await });
    }
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let tags = lab.get("red", &format!("/v2.0/networks/{network}/tags")).await;
    assert_eq!(tags.body, json!({"tags": ["t0", "t1", "t2", "t3", "t4", "t5"]}));
}

/// What one client did: the ports that it left, with their addresses.
async fn write_for_a_second(
    lab: Arc<Lab>,
    network: String,
    end: std::time::Instant,
) -> Vec<(String, String)> {
    let mut kept = Vec::new();
    for n in 0.. {
        if std::time::Instant::now() >= end {
            break;
        }
        let body = json!({"port": {"network_id": network, "name": format!("p{n}")}});
        let made = lab.call("red", "POST /v2.0/ports", body).await;
        let id = made.created("port");
        let path = format!("/v2.0/ports/{id}");
        let shown = lab.get("red", &path).await;
        assert_eq!(shown.body["port"], made.body["port"], "what was answered is there");
        assert!(shown.revision() >= made.revision());
        let named = lab.call("red", &format!("PUT {path}"), json!({"port": {"name": "new"}})).await;
        assert_eq!((named.status.as_u16(), &named.body["port"]["name"]), (200, &json!("new")));
        assert!(named.revision() > made.revision());
        if n % 2 == 0 {
            let gone = lab.call("red", &format!("DELETE {path}"), json!(null)).await;
            assert_eq!(gone.status, 204, "{}", gone.text);
            assert_eq!(lab.get("red", &path).await.status, 404);
        } else {
            let address = made.body["port"]["fixed_ips"][0]["ip_address"].as_str().unwrap().to_owned();
            kept.push((id, address));
        }
    }
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_clients_get_right_answers_and_leave_what_they_were_told() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let engine = weft_store::Engine::Redb;
        Vault::new(weft_store::open(engine, folder.path(), weft_store::Options::default()).unwrap())
    };
    let desk = Desk::open(open(), Snapshot::new(), Settings::default(), Hooks::none()).unwrap();
    let lab = Arc::new(Lab::over(desk).await);
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.0.0.0/8").await;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(1);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        tasks.spawn(write_for_a_second(lab.clone(), network.clone(), end));
    }
    let mut kept = Vec::new();
    while let Some(client) = tasks.join_next().await {
        kept.extend(client.unwrap());
    }
    let addresses: BTreeSet<&String> = kept.iter().map(|(_, address)| address).collect();
    assert_eq!(addresses.len(), kept.len(), "an address was given twice");
    let left = lab.desk.snapshot();
    let ports: BTreeSet<String> = left.ports().map(|port| port.id.to_string()).collect();
    assert_eq!(ports, kept.iter().map(|(id, _)| id.clone()).collect());
    drop(lab);
    // The store is free again when the writer's threads have seen that nobody is left to ask.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let vault = loop {
        match weft_store::open(weft_store::Engine::Redb, folder.path(), weft_store::Options::default()) {
            Ok(store) => break Vault::new(store),
            Err(_) if std::time::Instant::now() < deadline => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(vault.load().unwrap(), left, "what was acknowledged is what is stored");
}
