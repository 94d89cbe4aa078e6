//! The whole API over a desk in memory: requests go in through the router, as bytes, and answers come out.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod audit;
mod bulk;
mod concurrency;
mod events;
mod files;
mod filters;
mod identity;
mod isolation;
mod limits;
mod logins;
mod malformed;
mod oidc;
mod operators;
mod outside;
mod pages;
mod plans;
mod pools;
mod providers;
mod published;
mod quotas;
mod races;
mod refusals;
mod routers;
mod security;
mod segment_ranges;
mod shaping;
mod sharing;
mod strangers;
mod traces;
mod wire;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;
use weft_model::intent::{Actor, Intent, Labels, NewTenant, NewToken};
use weft_model::{TenantId, TokenId, TokenRole};

use super::{Config, Rates, router};
use crate::config::Authentication;
use crate::desk::Desk;
use crate::first_token;
use crate::issuer::Issuer;
use crate::metrics::Metrics;
use crate::status::{Board, Fleet};

/// An API with two tenants, `red` and `blue`, and a token for every role: `admin`, `red`, `red-reader`, `blue`.
struct Lab {
    router: Router,
    desk: Desk,
    pen: tokio::sync::watch::Sender<Fleet>,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
    text: String,
}

impl Lab {
    async fn new() -> Lab {
        Lab::over(Desk::ephemeral().unwrap()).await
    }

    /// The same beside another issuer of tokens.
    async fn beside(issuer: Option<Issuer>) -> Lab {
        Lab::serving(Desk::ephemeral().unwrap(), Rates::default(), issuer).filled().await
    }

    /// The same over another desk, on which nothing has been written.
    async fn over(desk: Desk) -> Lab {
        Lab::with(desk, Rates::default()).await
    }

    /// The API over a desk that has everything already.
    fn again(desk: Desk, rates: Rates) -> Lab {
        Lab::serving(desk, rates, None)
    }

    fn serving(desk: Desk, rates: Rates, issuer: Option<Issuer>) -> Lab {
        let (pen, board) = Board::new();
        pen.send_modify(|fleet| fleet.started = true);
        let authentication = Authentication::Required;
        let (metrics, stop) = (Metrics::default(), CancellationToken::new());
        let config = Config { metrics, authentication, rates, issuer, stop };
        let router = router(desk.clone(), board, config);
        Lab { router, desk, pen }
    }

    /// The same as [`Lab::over`], with limits.
    async fn with(desk: Desk, rates: Rates) -> Lab {
        Lab::again(desk, rates).filled().await
    }

    /// Two tenants, and tokens for all roles.
    async fn filled(self) -> Lab {
        let tenant =
            |id: &str| NewTenant { id: id.parse().unwrap(), labels: Labels::default(), enabled: true };
        let red: TenantId = "red".parse().unwrap();
        let blue: TenantId = "blue".parse().unwrap();
        let token = |secret: &str, role| NewToken {
            id: TokenId(Uuid::new_v4()),
            role,
            digest: first_token::digest(secret),
            description: String::new(),
            expires: None,
            session: None,
        };
        let intents = vec![
            Intent::CreateTenant(tenant("red")),
            Intent::CreateTenant(tenant("blue")),
            Intent::CreateToken(token("admin", TokenRole::Admin)),
            Intent::CreateToken(token("red", TokenRole::Member(red.clone()))),
            Intent::CreateToken(token("red-reader", TokenRole::Reader(red))),
            Intent::CreateToken(token("blue", TokenRole::Member(blue))),
        ];
        self.desk.write(Actor::Admin, intents).await.unwrap();
        self
    }

    /// Sends exactly this.
    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), 64 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, body, text }
    }

    /// One request with a token; a null body is none.
    async fn call(&self, token: &str, line: &str, body: Value) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).header("host", "weft.test:9696");
        let request = if token.is_empty() { request } else { request.header("x-auth-token", token) };
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).unwrap()).await
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(token, &format!("GET {path}"), Value::Null).await
    }

    /// A network of a tenant; its id.
    async fn network(&self, token: &str) -> String {
        let answer = self.call(token, "POST /v2.0/networks", json!({"network": {"name": "net"}})).await;
        answer.created("network")
    }

    /// A subnet of a network; its id.
    async fn subnet(&self, token: &str, network: &str, cidr: &str) -> String {
        let body = json!({"subnet": {"network_id": network, "cidr": cidr, "ip_version": 4, "name": "sub"}});
        self.call(token, "POST /v2.0/subnets", body).await.created("subnet")
    }

    /// A port of a network; its id.
    async fn port(&self, token: &str, network: &str) -> String {
        let body = json!({"port": {"network_id": network, "name": "port"}});
        self.call(token, "POST /v2.0/ports", body).await.created("port")
    }
}

impl Answer {
    /// The id of what was created.
    fn created(&self, member: &str) -> String {
        assert_eq!(self.status, 201, "{}", self.text);
        self.body[member]["id"].as_str().unwrap().to_owned()
    }

    /// The kind of an error, which has to be the same wherever it stands.
    fn kind(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or_else(|| panic!("no problem: {}", self.text));
        if let Some(fault) = self.body.get("NeutronError") {
            assert_eq!(fault["type"], kind);
            assert_eq!(fault["message"], self.body["detail"]);
            assert_eq!(fault["detail"], "");
        }
        kind
    }

    /// Every error is problem details that say the status; under `/v2.0` in the form that OpenStack clients read.
    fn check_problem(&self, path: &str) {
        let is_v2 = path.starts_with("/v2.0");
        let is_v3 = path.starts_with("/v3");
        let expected = if is_v2 || is_v3 { "application/json" } else { "application/problem+json" };
        assert_eq!(self.headers["content-type"], expected, "{path}: {}", self.text);
        assert_eq!(self.body["status"], self.status.as_u16(), "{path}: {}", self.text);
        assert_eq!(self.body.get("NeutronError").is_some(), is_v2, "{path}: {}", self.text);
        assert_eq!(self.body.get("error").is_some(), is_v3, "{path}: {}", self.text);
        for member in ["type", "title", "detail"] {
            assert!(self.body[member].as_str().is_some_and(|text| !text.is_empty()), "{path}: {}", self.text);
        }
        assert!(self.headers["x-openstack-request-id"].to_str().unwrap().starts_with("req-"));
    }

    fn revision(&self) -> u64 {
        self.headers["weft-revision"].to_str().unwrap().parse().unwrap()
    }
}

/// The ids in a list.
fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}
