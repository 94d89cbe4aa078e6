//! Proves that of many requests at the same time exactly as many succeed as may, and that the rest learn why not.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Lab};

/// How many clients ask at once.
const CLIENTS: usize = 32;

/// Sends the request of every client at once, and waits for all answers.
async fn at_once(lab: &Arc<Lab>, requests: impl IntoIterator<Item = (String, Value)>) -> Vec<Answer> {
    let mut tasks = tokio::task::JoinSet::new();
    for (line, body) in requests {
        let lab = lab.clone();
        tasks.spawn(async move { lab.call("red", &line, body).await });
    }
    tasks.join_all().await
}

/// How many succeeded; all others must have been refused for this reason.
fn succeeded(answers: &[Answer], status: u16, reason: &str) -> usize {
    let refused = answers.iter().filter(|answer| !answer.status.is_success());
    for answer in refused {
        assert_eq!((answer.status.as_u16(), answer.kind()), (status, reason), "{}", answer.text);
    }
    answers.iter().filter(|answer| answer.status.is_success()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_get_exactly_the_free_addresses_of_a_small_subnet() {
    let lab = Arc::new(Lab::new().await);
    let network = lab.network("red").await;
    lab.subnet("red", &network, "10.0.0.0/28").await;
    let body = json!({"port": {"network_id": network}});
    let asked = || (0..CLIENTS).map(|_| ("POST /v2.0/ports".to_owned(), body.clone()));
    let answers = at_once(&lab, asked()).await;
    // 16 less the network's own address, the gateway's and broadcast.
    assert_eq!(succeeded(&answers, 409, "IpAddressGenerationFailure"), 13);
    let made: Vec<&Value> = answers.iter().map(|a| &a.body["port"]).filter(|port| port.is_object()).collect();
    let address = |port: &&Value| port["fixed_ips"][0]["ip_address"].as_str().unwrap().to_owned();
    let addresses: BTreeSet<String> = made.iter().map(address).collect();
    let expected: BTreeSet<String> = (2..15).map(|n| format!("10.0.0.{n}")).collect();
    assert_eq!(addresses, expected);
    // What is given back at the same time as others ask goes to exactly as many of them at most.
    let gone: Vec<&str> = made.iter().take(6).map(|port| port["id"].as_str().unwrap()).collect();
    let deletions = gone.iter().map(|id| (format!("DELETE /v2.0/ports/{id}"), Value::Null));
    let answers = at_once(&lab, deletions.chain(asked())).await;
    let again = succeeded(&answers, 409, "IpAddressGenerationFailure") - gone.len();
    assert!(again <= gone.len(), "{again} new ports where {} addresses became free", gone.len());
    let state = lab.desk.snapshot();
    let held: Vec<_> = state.ports().flat_map(|port| port.fixed_ips.iter().map(|ip| ip.address)).collect();
    assert_eq!(held.iter().collect::<BTreeSet<_>>().len(), held.len(), "an address was given twice");
    assert_eq!(held.len(), 13 - gone.len() + again);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_get_exactly_what_a_quota_leaves() {
    let lab = Arc::new(Lab::new().await);
    let quota = json!({"quota": {"network": 10, "port": 7}});
    assert_eq!(lab.call("admin", "PUT /v2.0/quotas/red", quota).await.status, 200);
    let asked = (0..CLIENTS)
        .map(|n| ("POST /v2.0/networks".to_owned(), json!({"network": {"name": format!("{n}")}})));
    let answers = at_once(&lab, asked).await;
    assert_eq!(succeeded(&answers, 409, "OverQuota"), 10);
    let network = answers.iter().find_map(|answer| answer.body["network"]["id"].as_str()).unwrap();
    // Each asks for two or none of them.
    let port = json!({"network_id": network});
    let asked = (0..CLIENTS).map(|_| ("POST /v2.0/ports".to_owned(), json!({"ports": [port, port]})));
    assert_eq!(succeeded(&at_once(&lab, asked).await, 409, "OverQuota"), 3);
    let details = lab.get("red", "/v2.0/quotas/red/details").await.body;
    assert_eq!(details["quota"]["port"], json!({"limit": 7, "used": 6, "reserved": 0}));
    assert_eq!(details["quota"]["network"]["used"], 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_conditional_changes_wins_each_time() {
    let lab = Arc::new(Lab::new().await);
    let network = lab.network("red").await;
    let path = format!("/v2.0/networks/{network}");
    for round in 0..5 {
        let number = lab.get("red", &path).await.body["network"]["revision_number"].as_u64().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for client in 0..CLIENTS {
            let (lab, path) = (lab.clone(), path.clone());
            tasks.spawn(async move {
                let request = axum::http::Request::builder().method("PUT").uri(path);
                let request = request
                    .header("x-auth-token", "red")
                    .header("if-match", format!("revision_number={number}"));
                let body = json!({"network": {"name": format!("{round}-{client}")}}).to_string();
                (client, lab.send(request.body(body.into()).unwrap()).await)
            });
        }
        let answers = tasks.join_all().await;
        let winners: Vec<usize> =
            answers.iter().filter(|(_, answer)| answer.status == 200).map(|(client, _)| *client).collect();
        let answers: Vec<Answer> = answers.into_iter().map(|(_, answer)| answer).collect();
        assert_eq!(succeeded(&answers, 412, "RevisionNumberConstraintFailed"), 1, "round {round}");
        let shown = lab.get("red", &path).await.body;
        assert_eq!(shown["network"]["name"], format!("{round}-{}", winners[0]));
        assert_eq!(shown["network"]["revision_number"], number + 1);
    }
}

/// Lets one request use something while another deletes it; says whether it was used.
async fn used_or_gone(lab: &Arc<Lab>, user: (String, Value), deletion: &str) -> bool {
    let mut tasks = tokio::task::JoinSet::new();
    for (who, (line, body)) in [user, (format!("DELETE {deletion}"), Value::Null)].into_iter().enumerate() {
        let lab = lab.clone();
        tasks.spawn(async move { (who, lab.call("red", &line, body).await) });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(who, _)| *who);
    let (used, gone) = (&answers[0].1, &answers[1].1);
    match (used.status.is_success(), gone.status.as_u16()) {
        (true, 409) => true,
        (false, 204) => {
            assert!([400, 404, 409].contains(&used.status.as_u16()), "{}", used.text);
            false
        }
        _ => panic!("both or neither of {deletion}: {} and {}", used.text, gone.text),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_is_in_use_or_gone_never_both() {
    let lab = Arc::new(Lab::new().await);
    let port = |network: &str, more: Value| {
        let mut port = json!({"network_id": network});
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("POST /v2.0/ports".to_owned(), json!({ "port": port }))
    };
    let keep = lab.network("red").await;
    for round in 0..8 {
        let network = lab.network("red").await;
        let subnet = lab.subnet("red", &network, "10.0.0.0/24").await;
        let fixed = json!({"fixed_ips": [{"subnet_id": subnet}]});
        let was_used = used_or_gone(&lab, port(&network, fixed), &format!("/v2.0/subnets/{subnet}")).await;
        let subnets = lab.get("red", &format!("/v2.0/subnets?id={subnet}")).await.body["subnets"].clone();
        assert_eq!(!subnets.as_array().unwrap().is_empty(), was_used, "round {round}");
        let bare = lab.network("red").await;
        used_or_gone(&lab, port(&bare, json!({})), &format!("/v2.0/networks/{bare}")).await;
        let group = lab.call("red", "POST /v2.0/security-groups", json!({"security_group": {"name": "g"}}));
        let group = group.await.created("security_group");
        let wearing = port(&keep, json!({"security_groups": [group]}));
        used_or_gone(&lab, wearing, &format!("/v2.0/security-groups/{group}")).await;
        let router = lab.call("red", "POST /v2.0/routers", json!({"router": {}})).await.created("router");
        let inside = lab.network("red").await;
        let inside = lab.subnet("red", &inside, &format!("10.1.{round}.0/24")).await;
        let join = (format!("PUT /v2.0/routers/{router}/add_router_interface"), json!({"subnet_id": inside}));
        used_or_gone(&lab, join, &format!("/v2.0/routers/{router}")).await;
    }
    let state = lab.desk.snapshot();
    for port in state.ports() {
        assert!(state.network(&port.network).is_some(), "a port of no network");
        assert!(
            port.fixed_ips.iter().all(|ip| state.subnet(&ip.subnet).is_some()),
            "an address of no subnet"
        );
        assert!(
            port.router().is_none_or(|router| state.router(&router).is_some()),
            "an interface of no router"
        );
    }
}
