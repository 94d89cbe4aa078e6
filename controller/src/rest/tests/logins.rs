//! Proves that OpenStack clients can log in with a Weft token, and only with one that is valid for what they ask.

use serde_json::{Value, json};

use super::{Answer, Lab};

async fn login(lab: &Lab, identity: Value, scope: Value) -> Answer {
    let body = json!({"auth": {"identity": identity, "scope": scope}});
    lab.call("", "POST /v3/auth/tokens", body).await
}

fn password(secret: &str) -> Value {
    let user = json!({"name": "anybody", "domain": {"id": "default"}, "password": secret});
    json!({"methods": ["password"], "password": {"user": user}})
}

#[tokio::test]
async fn a_token_is_shown_as_password_credential_or_token() {
    let lab = Lab::new().await;
    let credential = json!({"methods": ["application_credential"], "application_credential": {"id": "x", "secret": "red"}});
    let token = json!({"methods": ["token"], "token": {"id": "red"}});
    for identity in [password("red"), credential, token] {
        let answer = login(&lab, identity.clone(), Value::Null).await;
        assert_eq!(answer.status, 201, "{identity}: {}", answer.text);
        assert_eq!(answer.headers["x-subject-token"], "red");
        let token = &answer.body["token"];
        assert_eq!((&token["project"]["id"], &token["roles"][0]["name"]), (&json!("red"), &json!("member")));
        assert_eq!(token["catalog"][0]["endpoints"][0]["url"], "http://weft.test:9696");
        assert_eq!(token["catalog"][1]["endpoints"][0]["url"], "http://weft.test:9696/v3");
    }
}

#[tokio::test]
async fn a_login_is_refused_without_a_valid_token_or_for_another_tenant() {
    let lab = Lab::new().await;
    let check = async |identity: Value, scope: Value, status: u16| {
        let answer = login(&lab, identity.clone(), scope.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{identity} {scope}: {}", answer.text);
        if status >= 400 {
            answer.check_problem("/v3");
            assert_eq!(answer.body["error"]["code"], status);
            assert!(answer.headers.get("x-subject-token").is_none());
        }
    };
    let scope = |id: &str| json!({"project": {"id": id}});
    check(password("wrong"), Value::Null, 401).await;
    check(password("red"), scope("red"), 201).await;
    check(password("red"), scope("blue"), 401).await;
    check(password("admin"), scope("blue"), 201).await;
    check(password("admin"), scope("nobody"), 401).await;
    check(password("red"), json!({"project": {"name": "elsewhere", "domain": {"id": "default"}}}), 401).await;
    check(json!({"methods": ["totp"]}), Value::Null, 400).await;
    check(json!(7), Value::Null, 400).await;
    check(json!({"methods": ["password"], "password": "red"}), Value::Null, 400).await;
}

#[tokio::test]
async fn projects_are_the_tenants_that_the_caller_sees() {
    let lab = Lab::new().await;
    let own = lab.get("red", "/v3/projects").await;
    assert_eq!(super::ids(&own.body["projects"]), ["red"]);
    assert_eq!(lab.get("red", "/v3/projects/blue").await.status, 404);
    assert_eq!(super::ids(&lab.get("admin", "/v3/projects").await.body["projects"]), ["blue", "red"]);
    assert_eq!(lab.get("admin", "/v3/projects/blue").await.body["project"]["domain_id"], "default");
    assert_eq!(lab.get("", "/v3/").await.body["version"]["links"][0]["href"], "http://weft.test:9696/v3/");
}
