//! Proves that walking the pages of a list, in any order and either direction, shows everything exactly once.

use serde_json::json;

use super::{Lab, ids};

/// Follows `rel` links from `path` on; the names in the order seen.
async fn walk(lab: &Lab, path: &str, rel: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let answer = lab.get("red", &path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        pages.push(ids(&answer.body["networks"]));
        assert!(pages.len() < 100, "the pages never end");
        let links = answer.body["networks_links"].as_array().cloned().unwrap_or_default();
        let link = links
            .iter()
            .find(|link| link["rel"] == rel)
            .map(|link| link["href"].as_str().unwrap().to_owned());
        next = link.map(|href| href.strip_prefix("http://weft.test:9696").unwrap().to_owned());
    }
    pages
}

#[tokio::test]
async fn every_object_is_on_exactly_one_page() {
    let lab = Lab::new().await;
    let networks: Vec<_> = (0..23).map(|n| json!({"name": format!("n {}", n % 4)})).collect();
    lab.call("red", "POST /v2.0/networks", json!({ "networks": networks })).await;
    lab.network("blue").await;
    for order in [
        "",
        "&sort_key=name",
        "&sort_key=name&sort_dir=desc",
        "&sort_key=name&sort_key=id&sort_dir=desc&sort_dir=asc",
        "&name=n%201&name=n%202",
    ] {
        let whole = lab.get("red", &format!("/v2.0/networks?{}", order.trim_start_matches('&'))).await;
        let whole = ids(&whole.body["networks"]);
        for limit in [1, 2, 5, 22, 23, 24] {
            let forward = walk(&lab, &format!("/v2.0/networks?limit={limit}{order}"), "next").await;
            assert!(forward.iter().all(|page| page.len() <= limit));
            assert_eq!(forward.concat(), whole, "limit={limit}{order}");
            let last = forward.last().unwrap().last().unwrap();
            let back = format!("/v2.0/networks?limit={limit}{order}&marker={last}&page_reverse=True");
            let mut backward = walk(&lab, &back, "previous").await;
            backward.reverse();
            assert_eq!(backward.concat(), whole[..whole.len() - 1], "backwards limit={limit}{order}");
        }
    }
}

#[tokio::test]
async fn a_page_goes_on_where_a_deleted_object_was() {
    let lab = Lab::new().await;
    let networks: Vec<_> = (0..5).map(|_| json!({})).collect();
    lab.call("red", "POST /v2.0/networks", json!({ "networks": networks })).await;
    let all = ids(&lab.get("red", "/v2.0/networks").await.body["networks"]);
    lab.call("red", &format!("DELETE /v2.0/networks/{}", all[1]), json!(null)).await;
    let rest = lab.get("red", &format!("/v2.0/networks?limit=10&marker={}", all[1])).await;
    assert_eq!(ids(&rest.body["networks"]), all[2..]);
    let sorted = lab.get("red", &format!("/v2.0/networks?sort_key=name&marker={}", all[1])).await;
    assert_eq!((sorted.status.as_u16(), sorted.kind()), (404, "NetworkNotFound"));
}
