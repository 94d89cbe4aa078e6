//! Proves that one tenant's token opens nothing of another tenant: every route that the document names is tried, with
//! objects of the other tenant for every parameter, so that a new route is tried by being there.

mod theirs;

use serde_json::{Value, json};
use weft_model::Snapshot;
use weft_model::intent::{Actor, Intent};

use super::Lab;
use theirs::{PUBLIC, Theirs};

/// Every operation of the document: `GET /v2.0/networks/{id}`, and whether it needs a token.
fn operations() -> Vec<(String, bool)> {
    let document = serde_json::to_value(super::super::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !["get", "put", "post", "patch", "delete"].contains(&method.as_str()) {
                continue;
            }
            let is_open = operation.get("security").is_some_and(|security| *security == json!([{}]));
            operations.push((format!("{} {path}", method.to_uppercase()), !is_open));
        }
    }
    assert!(operations.len() > 35, "the document has all routes: {operations:?}");
    operations
}

#[tokio::test]
async fn no_route_shows_or_changes_another_tenants_objects() {
    let lab = Lab::new().await;
    let theirs = Theirs::make(&lab).await;
    let before: Snapshot = lab.desk.snapshot();
    for (operation, needs_token) in operations() {
        let (method, template) = operation.split_once(' ').unwrap();
        let (body, names_theirs) = theirs.harm(&method.to_lowercase(), template);
        let is_specific = template.contains('{') && !PUBLIC.iter().any(|place| template.starts_with(place));
        for path in theirs.paths(template) {
            if path == "/metrics" {
                continue;
            }
            for token in ["red", "red-reader"] {
                // What a member makes of its own is its own.
                let makes = template.starts_with("/v2.0") || template == "/v1/apply";
                let is_own = method == "POST" && makes && !is_specific && !names_theirs;
                if is_own && token == "red" {
                    continue;
                }
                let line = format!("{method} {path}");
                let answer = lab.call(token, &line, body.clone()).await;
                let status = answer.status.as_u16();
                assert!(status < 500, "{line}: {}", answer.text);
                theirs.check_absent(&answer.text, (&path, &body), &line);
                if is_specific && needs_token {
                    let expected: &[u16] =
                        if template.starts_with("/v1/hosts") { &[403] } else { &[403, 404] };
                    assert!(expected.contains(&status), "{token} {line} {body}: {status} {}", answer.text);
                } else if needs_token && method != "GET" {
                    assert!((400..500).contains(&status), "{token} {line} {body}: {status} {}", answer.text);
                }
            }
        }
        assert_eq!(
            lab.desk.snapshot().revision(),
            before.revision(),
            "{operation} by another tenant changed something"
        );
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
        let (body, _) = theirs.harm(&method.to_lowercase(), template);
        for path in theirs.paths(template) {
            for token in ["", "wrong", "Admin"] {
                let line = format!("{method} {path}");
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
                theirs.check_absent(&answer.text, (&path, &body), &line);
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
        session: None,
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
