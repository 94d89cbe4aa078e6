//! Proves that requests at the same time get distinct addresses, and that none of their changes is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::Lab;

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
