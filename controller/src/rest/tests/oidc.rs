//! Proves that tokens of an OpenID Connect provider are accepted for what they say, and that what is not quite one of its
//! tokens opens nothing. The provider is a server of the test's own that publishes keys and counts who asks for them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::Lab;
use crate::clock;
use crate::issuer::{self, Issuer};
use crate::oidc::Settings;

/// Keys made for this test: PKCS #8 in hexadecimal, and the two coordinates of the public part.
const KEYS: [(&str, &str, &str); 2] = [
    (
        "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b02010104208cdc44ecf56d4bca4c682d01\
         e3f537124d85eb757da10b1a2d5c78fb16af7522a14403420004ba11e5e8a48a7e07797ba0c7f4f927e419a283f76b50\
         eddae3cb3f1ac277f9c0e3f535a6cd19e48be10db37316f2ff5ad974517faf90189bd53bec30ece6066b",
        "uhHl6KSKfgd5e6DH9Pkn5Bmig_drUO3a48s_GsJ3-cA",
        "4_U1ps0Z5IvhDbNzFvL_Wtl0UX-vkBib1TvsMOzmBms",
    ),
    (
        "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420f9cb0ad54600780ccb97ff65\
         ee26b63599189cb8678e218fc1ec5660b31d4933a144034200041ef2ef61c991c4c6534b1cd3715c0caf9efa513742cc\
         268eeebdaf031570d5d79d0e3545cd671cc1b9bf652ac961a2c38d189165f83830a8528fe93e2019da5b",
        "HvLvYcmRxMZTSxzTcVwMr576UTdCzCaO7r2vAxVw1dc",
        "nQ41Rc1nHMG5v2UqyWGiw40YkWX4ODCoUo_pPiAZ2ls",
    ),
];

/// What the provider publishes, and how often its keys were asked for.
#[derive(Debug, Default)]
struct Published {
    issuer: String,
    keys: Vec<Value>,
    asked: usize,
}

pub(super) struct Provider {
    issuer: String,
    published: Arc<Mutex<Published>>,
    server: tokio::task::JoinHandle<()>,
}

impl Provider {
    pub(super) async fn new() -> Provider {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realms/cloud", listener.local_addr().unwrap());
        let published = Published { issuer: issuer.clone(), keys: vec![public(0, "first")], asked: 0 };
        let published = Arc::new(Mutex::new(published));
        let described = |State(published): State<Arc<Mutex<Published>>>| async move {
            let issuer = published.lock().unwrap().issuer.clone();
            Json(json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}))
        };
        let keys = |State(published): State<Arc<Mutex<Published>>>| async move {
            let mut published = published.lock().unwrap();
            published.asked += 1;
            Json(json!({"keys": published.keys}))
        };
        let router = Router::new()
            .route("/realms/cloud/.well-known/openid-configuration", get(described))
            .route("/realms/cloud/keys", get(keys))
            .with_state(published.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Provider { issuer, published, server }
    }

    async fn lab(&self) -> Lab {
        Lab::beside(Some(self.issuer())).await
    }

    pub(super) fn issuer(&self) -> Issuer {
        let settings = Settings {
            issuer: self.issuer.clone(),
            audience: "weft".into(),
            project: "weft.project".into(),
            roles: "realm_access.roles".into(),
        };
        Issuer::new(issuer::Settings::Oidc(settings)).unwrap()
    }

    /// What a token of ann for the project `green` says.
    fn claims(&self, role: &str) -> Value {
        json!({"iss": self.issuer, "aud": ["account", "weft"], "sub": "ann", "exp": clock::now().0 + 600,
            "weft": {"project": "green"}, "realm_access": {"roles": ["offline_access", role]}})
    }

    fn with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims("member");
        claims[name] = value;
        claims
    }

    /// A token of ann's for the project `green`, which is not the provider's any more once it has another key.
    pub(super) fn token(&self) -> String {
        signed(0, "first", &self.claims("member"))
    }

    pub(super) fn change_keys(&self) {
        self.published.lock().unwrap().keys = vec![public(1, "second")];
    }

    fn asked(&self) -> usize {
        self.published.lock().unwrap().asked
    }
}

fn public(key: usize, name: &str) -> Value {
    let (_, x, y) = KEYS[key];
    json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": name, "x": x, "y": y})
}

fn signed(key: usize, name: &str, claims: &Value) -> String {
    let header = Header { kid: Some(name.to_owned()), ..Header::new(Algorithm::ES256) };
    encode(&header, claims, &EncodingKey::from_ec_der(&der(KEYS[key].0))).unwrap()
}

fn der(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[tokio::test]
async fn a_token_opens_the_project_that_it_names_with_the_role_that_it_gives() {
    let provider = Provider::new().await;
    let lab = provider.lab().await;
    let token = |role: &str| signed(0, "first", &provider.claims(role));
    let made = lab.call(&token("member"), "POST /v2.0/networks", json!({"network": {"name": "n"}})).await;
    assert_eq!(made.body["network"]["project_id"], "green", "{}", made.text);
    assert_eq!(lab.get(&token("reader"), "/v2.0/networks").await.body["networks"][0]["name"], "n");
    let written = lab.call(&token("reader"), "POST /v2.0/networks", json!({"network": {}})).await;
    assert_eq!(written.status, 403, "{}", written.text);
    assert_eq!(lab.get(&token("member"), "/v1/tenants").await.body["tenants"][0]["id"], "green");
    assert_eq!(lab.get(&token("admin"), "/v1/hosts").await.status, 200);
    assert_eq!(lab.get(&token("plumber"), "/v2.0/networks").await.status, 403, "no role that we know");
    assert_eq!(lab.get("red", "/v2.0/networks").await.status, 200, "our own tokens go on working");
    assert_eq!(provider.asked(), 1, "keys are looked up once");
    provider.server.abort();
}

#[tokio::test]
async fn what_is_not_quite_a_token_of_the_provider_opens_nothing() {
    let provider = Provider::new().await;
    let lab = provider.lab().await;
    let past = json!(clock::now().0 - 3600);
    let soon = json!(clock::now().0 + 3600);
    let mut anonymous = provider.claims("member");
    anonymous.as_object_mut().unwrap().remove("sub");
    let mut eternal = provider.claims("member");
    eternal.as_object_mut().unwrap().remove("exp");
    let wrong = [
        ("for somebody else", provider.with("aud", json!("account"))),
        ("by somebody else", provider.with("iss", json!("http://elsewhere.example"))),
        ("over", provider.with("exp", past)),
        ("over, in words", provider.with("exp", json!("never"))),
        ("not yet", provider.with("nbf", soon)),
        ("for nobody", anonymous),
        ("for ever", eternal),
        ("for no project", provider.with("weft", json!({}))),
        ("for what is no id", provider.with("weft", json!({"project": "a/../b"}))),
        ("for a list", provider.with("weft", json!({"project": ["green"]}))),
    ];
    for (why, claims) in &wrong {
        let answer = lab.get(&signed(0, "first", claims), "/v2.0/networks").await;
        assert_eq!(answer.status, 401, "{why}: {}", answer.text);
    }
    let right = provider.claims("admin");
    let other_key = signed(1, "first", &right);
    assert_eq!(lab.get(&other_key, "/v2.0/networks").await.status, 401, "signed by somebody else");
    let (_, x, _) = KEYS[0];
    let shared = encode(
        &Header { kid: Some("first".into()), ..Header::new(Algorithm::HS256) },
        &right,
        &EncodingKey::from_secret(x.as_bytes()),
    );
    assert_eq!(lab.get(&shared.unwrap(), "/v2.0/networks").await.status, 401, "a public key is no secret");
    let good = signed(0, "first", &right);
    let (body, signature) = good.rsplit_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", body.split_once('.').unwrap().1);
    for token in [none, format!("{body}."), format!("{body}.{}", &signature[1..]), "a.b.c".into()] {
        assert_eq!(lab.get(&token, "/v2.0/networks").await.status, 401, "{token}");
    }
    assert_eq!(lab.get(&good, "/v2.0/networks").await.status, 200);
    provider.server.abort();
}

#[tokio::test]
async fn new_keys_are_found_and_made_up_ones_are_not_asked_for_again_and_again() {
    let provider = Provider::new().await;
    let lab = provider.lab().await;
    let (old, new) = (provider.claims("member"), provider.claims("reader"));
    assert_eq!(lab.get(&signed(0, "first", &old), "/v2.0/networks").await.status, 200);
    provider.change_keys();
    for name in ["made-up", "made-up-too", "second"] {
        assert_eq!(lab.get(&signed(1, name, &new), "/v2.0/networks").await.status, 401);
    }
    assert_eq!(provider.asked(), 1, "a moment ago these were all its keys");
    later(Duration::from_secs(11)).await;
    assert_eq!(lab.get(&signed(1, "second", &new), "/v2.0/networks").await.status, 200);
    assert_eq!(lab.get(&signed(0, "first", &old), "/v2.0/networks").await.status, 401, "taken back");
    assert_eq!(provider.asked(), 2);
    provider.server.abort();
}

#[tokio::test]
async fn while_the_provider_is_away_known_keys_and_our_own_tokens_work() {
    let provider = Provider::new().await;
    let (lab, late) = (provider.lab().await, provider.lab().await);
    let token = signed(0, "first", &provider.claims("member"));
    assert_eq!(lab.get(&token, "/v2.0/networks").await.status, 200);
    // It says to be somebody else now, which is as good as being away.
    provider.published.lock().unwrap().issuer = "http://elsewhere.example".into();
    later(Duration::from_secs(700)).await;
    let token = signed(0, "first", &provider.claims("member"));
    assert_eq!(lab.get(&token, "/v2.0/networks").await.status, 200);
    let unknown = late.get(&token, "/v2.0/networks").await;
    assert_eq!(unknown.status, 503, "{}", unknown.text);
    unknown.check_problem("/v2.0/networks");
    assert_eq!(late.get("nonsense", "/v2.0/networks").await.status, 401);
    assert_eq!(late.get("red", "/v2.0/networks").await.status, 200);
    provider.server.abort();
}

/// Lets time pass for the controller without letting it pass for anybody else.
pub(super) async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
