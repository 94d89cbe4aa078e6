//! Events: nothing is lost or told twice, not even by a restart; nobody hears of what is another's; nothing waits.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use weft_model::intent::Settings;
use weft_store::{Engine, Options};

use super::Lab;
use super::oidc::{Provider, later};
use crate::config::Authentication;
use crate::desk::{Desk, Hooks};
use crate::metrics::Metrics;
use crate::rest::{Config, router};
use crate::status::Board;
use crate::vault::Vault;

/// A desk over a store in that folder, as soon as the one before has let go of it.
async fn desk(folder: &Path, options: Options) -> Desk {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let store = loop {
        match weft_store::open(Engine::Redb, folder, options) {
            Ok(store) => break store,
            Err(_) if std::time::Instant::now() < deadline => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    let vault = Vault::new(store);
    let loaded = vault.load().unwrap();
    Desk::open(vault, loaded, Settings::default(), Hooks::none()).unwrap()
}

/// The API over a desk that has been written to before.
fn again(desk: Desk) -> Lab {
    let (pen, board) = Board::new();
    let (metrics, stop) = (Metrics::default(), CancellationToken::new());
    let (authentication, rates) = (Authentication::Required, super::Rates::default());
    let config = Config { metrics, authentication, rates, issuer: None, stop };
    Lab { router: router(desk.clone(), board, config), desk, pen }
}

/// An open stream.
struct Listening {
    body: Pin<Box<dyn Stream<Item = String> + Send>>,
}

impl Listening {
    async fn to(lab: &Lab, token: &str, query: &str, last: Option<&str>) -> Listening {
        let request = Request::builder().uri(format!("/v1/events{query}")).header("x-auth-token", token);
        let request = last.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = lab.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let pieces = response.into_body().into_data_stream();
        let body = pieces.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap());
        Listening { body: Box::pin(body) }
    }

    /// The next piece; `None` when the stream is over.
    async fn piece(&mut self) -> Option<String> {
        tokio::time::timeout(Duration::from_secs(20), self.body.next()).await.expect("something in time")
    }

    /// All that comes until the stream ends.
    async fn all(mut self) -> String {
        let mut text = String::new();
        while let Some(piece) = self.piece().await {
            text.push_str(&piece);
        }
        text
    }
}

/// The events in a text: id, verb, kind, name.
fn events(text: &str) -> Vec<(String, String, String, String)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data: {\"revision\""));
    let event = |block: &str| {
        let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        let data: Value = serde_json::from_str(&line("data: ")).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (line("id: "), text(&data["verb"]), text(&data["kind"]), text(&data["object"]["name"]))
    };
    blocks.map(event).collect()
}

async fn make(lab: &Lab, token: &str, name: &str) -> String {
    let body = json!({"network": {"name": name}});
    lab.call(token, "POST /v2.0/networks", body).await.created("network")
}

#[tokio::test]
async fn who_comes_back_misses_nothing_and_hears_nothing_twice_even_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::over(desk(folder.path(), Options::default()).await).await;
    let first = make(&lab, "red", "one").await;
    let many = json!({"networks": [{"name": "two"}, {"name": "three"}, {"name": "four"}]});
    assert_eq!(lab.call("red", "POST /v2.0/networks", many).await.status, 201);
    let before =
        events(&Listening::to(&lab, "red", "?from=0&kind=network&follow=false", None).await.all().await);
    assert_eq!(before.len(), 4, "{before:?}");
    assert!(before.iter().all(|(_, verb, kind, _)| (verb.as_str(), kind.as_str()) == ("created", "network")));
    // In the middle of one commit, and of one life of the controller.
    let (seen, rest) = before.split_at(2);
    drop(lab);
    let lab = again(desk(folder.path(), Options::default()).await);
    let change = json!({"network": {"description": "changed"}});
    assert_eq!(lab.call("red", &format!("PUT /v2.0/networks/{first}"), change).await.status, 200);
    assert_eq!(lab.call("red", &format!("DELETE /v2.0/networks/{first}"), Value::Null).await.status, 204);
    let query = "?kind=network&follow=false&from=1";
    let after = Listening::to(&lab, "red", query, Some(&seen[1].0)).await.all().await;
    let after = events(&after);
    assert_eq!(after[..2], *rest);
    let verbs: Vec<_> = after[2..].iter().map(|(_, verb, _, name)| (verb.as_str(), name.as_str())).collect();
    assert_eq!(verbs, [("updated", "one"), ("deleted", "one")]);
    let last = &after.last().unwrap().0;
    let nothing = Listening::to(&lab, "red", query, Some(last)).await.all().await;
    assert_eq!(events(&nothing), [], "{nothing}");
}

#[tokio::test]
async fn what_happens_is_told_at_once_to_those_who_may_know_and_want_to() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::over(desk(folder.path(), Options::default()).await).await;
    let mut red = Listening::to(&lab, "red", "", None).await;
    let mut ports = Listening::to(&lab, "admin", "?kind=port", None).await;
    let mut blues = Listening::to(&lab, "admin", "?project_id=blue&kind=network", None).await;
    make(&lab, "blue", "theirs").await;
    let network = make(&lab, "red", "mine").await;
    let piece = red.piece().await.unwrap();
    assert!(!piece.contains("theirs") && events(&piece)[0].3 == "mine", "{piece}");
    assert_eq!(events(&blues.piece().await.unwrap())[0].3, "theirs");
    lab.subnet("red", &network, "10.0.0.0/24").await;
    let port = lab.port("red", &network).await;
    let told = ports.piece().await.unwrap();
    assert!(told.contains(&port) && events(&told).iter().all(|event| event.2 == "port"), "{told}");
    let one = Listening::to(&lab, "red", &format!("?from=0&follow=false&id={port}"), None).await.all().await;
    assert_eq!(events(&one).len(), 1, "{one}");
    for (query, field) in [
        ("kind=cat", "kind"),
        ("from=x", "from"),
        ("from=99999", "from"),
        ("colour=red", "colour"),
        ("follow=x", "follow"),
    ] {
        let answer = lab.get("red", &format!("/v1/events?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body["errors"][0]["field"].as_str()),
            (400, Some(field)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_revoked_token_ends_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::over(desk(folder.path(), Options::default()).await).await;
    let made = lab.call("admin", "POST /v1/tenants/red/tokens", json!({"token": {}})).await;
    let (id, secret) = (made.body["id"].as_str().unwrap(), made.body["token"].as_str().unwrap());
    let mut listening = Listening::to(&lab, secret, "", None).await;
    make(&lab, "red", "one").await;
    assert!(listening.piece().await.unwrap().contains("one"));
    let gone = lab.call("admin", &format!("DELETE /v1/tenants/red/tokens/{id}"), Value::Null).await;
    assert_eq!(gone.status, 204);
    make(&lab, "red", "two").await;
    let last = listening.piece().await.unwrap();
    assert!(last.starts_with("event: end\n") && last.contains("token"), "{last}");
    assert_eq!(listening.piece().await, None);
}

#[tokio::test]
async fn a_token_that_another_issuer_takes_back_ends_the_stream() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), Provider::new().await);
    let desk = desk(folder.path(), Options::default()).await;
    let lab = Lab::serving(desk, super::Rates::default(), Some(provider.issuer())).filled().await;
    let mut listening = Listening::to(&lab, &provider.token(), "", None).await;
    // The keys that we know are the provider's for ten minutes.
    provider.change_keys();
    for _ in 0..39 {
        later(Duration::from_secs(15)).await;
        let piece = listening.piece().await.unwrap();
        assert!(piece.starts_with(": heartbeat"), "{piece}");
    }
    later(Duration::from_secs(30)).await;
    let last = listening.piece().await.unwrap();
    assert!(last.starts_with("event: end\n") && last.contains("not valid"), "{last}");
    assert_eq!(listening.piece().await, None);
}

#[tokio::test]
async fn a_reader_that_falls_too_far_behind_is_cut_and_the_past_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { log_batches_max: 8, ..Options::default() };
    let lab = Lab::over(desk(folder.path(), options).await).await;
    let mut slow = Listening::to(&lab, "red", "", None).await;
    for n in 0..30 {
        make(&lab, "red", &format!("n{n}")).await;
    }
    let last = slow.piece().await.unwrap();
    assert!(last.starts_with("event: end\n") && last.contains("reaches back"), "{last}");
    assert_eq!(slow.piece().await, None);
    let gone = lab.get("red", "/v1/events?from=1").await;
    assert_eq!((gone.status.as_u16(), gone.kind()), (410, "RevisionGone"));
    gone.check_problem("/v1/events");
    let said = gone.body["errors"][0]["reason"].as_str().unwrap();
    let oldest: u64 = said.rsplit(' ').next().unwrap().parse().unwrap();
    let from_there =
        Listening::to(&lab, "red", &format!("?from={oldest}&follow=false"), None).await.all().await;
    assert_eq!(events(&from_there).len(), 8, "{from_there}");
    assert_eq!(lab.get("red", &format!("/v1/events?from={}", oldest - 1)).await.status, 410);
}

#[tokio::test]
async fn watchers_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::over(desk(folder.path(), Options::default()).await).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(Listening::to(&lab, "red", "", None).await);
    }
    assert_eq!(lab.get("red", "/v1/events").await.status, 429);
    assert_eq!(lab.get("blue", "/v1/events?follow=false").await.status, 200);
    open.pop();
    assert_eq!(lab.get("red", "/v1/events?follow=false").await.status, 200);
    let none = Lab::new().await;
    assert_eq!(none.get("red", "/v1/events").await.status, 410);
}
