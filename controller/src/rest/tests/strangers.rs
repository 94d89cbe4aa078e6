//! Proves that tokens of an existing Keystone are accepted for what they are worth there. The Keystone is another Weft: what
//! the one asks and the other answers are the wire formats of the Identity API.

use serde_json::{Value, json};

use super::Lab;
use crate::issuer::{self, Issuer};
use crate::keystone::Settings;

/// A Keystone with a project `green`, ann as its member, bob as its reader, and the user that we ask as.
struct Elsewhere {
    lab: Lab,
    green: String,
    server: tokio::task::JoinHandle<()>,
    keystone: Issuer,
}

impl Elsewhere {
    async fn new() -> Elsewhere {
        let lab = Lab::new().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v3", listener.local_addr().unwrap());
        let router = lab.router.clone();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let project = async |name: &str| {
            lab.call("admin", "POST /v3/projects", json!({"project": {"name": name}}))
                .await
                .created("project")
        };
        let (green, service) = (project("green").await, project("service").await);
        for (name, project, role) in
            [("ann", &green, "member"), ("bob", &green, "reader"), ("weft", &service, "admin")]
        {
            let body = json!({"user": {"name": name, "password": "secret"}});
            let user = lab.call("admin", "POST /v3/users", body).await.created("user");
            let line = format!("PUT /v3/projects/{project}/users/{user}/roles/{role}");
            assert_eq!(lab.call("admin", &line, Value::Null).await.status, 204);
        }
        let (user, password) = ("weft".to_owned(), "secret".to_owned());
        let settings = Settings { url, user, password, project: "service".into(), domain: "Default".into() };
        Elsewhere { lab, green, server, keystone: Issuer::new(issuer::Settings::Keystone(settings)).unwrap() }
    }

    async fn token(&self, user: &str) -> String {
        let user = json!({"name": user, "domain": {"id": "default"}, "password": "secret"});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": {"project": {"id": self.green}}}});
        let answer = self.lab.call("", "POST /v3/auth/tokens", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.headers["x-subject-token"].to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_token_of_keystone_opens_its_project_and_no_other() {
    let elsewhere = Elsewhere::new().await;
    let lab = Lab::beside(Some(elsewhere.keystone.clone())).await;
    let (ann, bob) = (elsewhere.token("ann").await, elsewhere.token("bob").await);
    let network = lab.call(&ann, "POST /v2.0/networks", json!({"network": {"name": "n"}})).await;
    assert_eq!(network.body["network"]["project_id"], json!(elsewhere.green), "{}", network.text);
    let tenants = lab.get("admin", "/v1/tenants?name=green").await;
    assert_eq!(
        super::ids(&tenants.body["tenants"]),
        std::slice::from_ref(&elsewhere.green),
        "its project has become a tenant"
    );
    assert_eq!(lab.get(&bob, "/v2.0/networks").await.body["networks"].as_array().unwrap().len(), 1);
    assert_eq!(lab.call(&bob, "POST /v2.0/networks", json!({"network": {}})).await.status, 403);
    assert_eq!(
        lab.get("red", "/v2.0/networks").await.body["networks"],
        json!([]),
        "our own tokens go on working"
    );
    assert_eq!(lab.get("nonsense", "/v2.0/networks").await.status, 401);
    assert_eq!(lab.get(&ann, "/v3/users").await.status, 403);
    let off = json!({"tenant": {"enabled": false}});
    assert_eq!(lab.call("admin", &format!("PUT /v1/tenants/{}", elsewhere.green), off).await.status, 200);
    assert_eq!(lab.get(&ann, "/v2.0/networks").await.status, 401, "a tenant is disabled here as well");
    elsewhere.server.abort();
}

#[tokio::test]
async fn while_keystone_is_away_our_own_tokens_work() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let word = |text: &str| text.to_owned();
    let (user, password) = (word("weft"), word("secret"));
    let url = format!("http://{closed}/v3");
    let settings = Settings { url, user, password, project: word("service"), domain: word("Default") };
    let lab = Lab::beside(Some(Issuer::new(issuer::Settings::Keystone(settings)).unwrap())).await;
    let unknown = lab.get("nonsense", "/v2.0/networks").await;
    assert_eq!(unknown.status, 503, "{}", unknown.text);
    unknown.check_problem("/v2.0/networks");
    assert_eq!(lab.get("red", "/v2.0/networks").await.status, 200);
}
