//! Proves that users, roles, projects and application credentials work as clients of Keystone expect, and that nobody does
//! more than its role allows.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{Answer, Lab, ids};

/// Logs in with a password.
async fn log_in(lab: &Lab, user: &str, password: &str, scope: Value) -> Answer {
    let user = json!({"name": user, "domain": {"name": "Default"}, "password": password});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    lab.call("", "POST /v3/auth/tokens", json!({"auth": {"identity": identity, "scope": scope}})).await
}

fn project(id: &str) -> Value {
    json!({"project": {"id": id}})
}

/// The token in an answer to a login.
fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.headers["x-subject-token"].to_str().unwrap().to_owned()
}

/// Makes a user; its id.
async fn user(lab: &Lab, name: &str) -> String {
    let body = json!({"user": {"name": name, "password": format!("{name}'s"), "domain_id": "default"}});
    lab.call("admin", "POST /v3/users", body).await.created("user")
}

async fn grant(lab: &Lab, user: &str, project: &str, role: &str) {
    let line = format!("PUT /v3/projects/{project}/users/{user}/roles/{role}");
    assert_eq!(lab.call("admin", &line, Value::Null).await.status, 204);
}

/// A request about another token.
async fn about(lab: &Lab, method: &str, token: &str, subject: &str) -> Answer {
    let request = Request::builder().method(method).uri("/v3/auth/tokens").header("host", "weft.test:9696");
    let request = request.header("x-auth-token", token).header("x-subject-token", subject);
    lab.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_user_logs_in_for_a_project_and_does_there_what_its_role_allows() {
    let lab = Lab::new().await;
    let ann = user(&lab, "ann").await;
    grant(&lab, &ann, "red", "member").await;
    grant(&lab, &ann, "blue", "reader").await;
    let answer = log_in(&lab, "ann", "ann's", project("red")).await;
    let red = token(&answer);
    let body = &answer.body["token"];
    assert_eq!((&body["user"]["id"], &body["user"]["name"]), (&json!(ann), &json!("ann")));
    assert_eq!(body["user"]["domain"], json!({"id": "default", "name": "Default"}));
    assert_eq!((&body["project"]["id"], &body["is_domain"]), (&json!("red"), &json!(false)));
    assert_eq!(ids(&body["roles"]), ["member", "reader"]);
    assert_eq!(body["catalog"][0]["endpoints"][0]["url"], "http://weft.test:9696");
    let network = lab.network(&red).await;
    assert_eq!(
        lab.get(&red, &format!("/v2.0/networks/{network}")).await.body["network"]["project_id"],
        "red"
    );
    let blue = token(&log_in(&lab, "ann", "ann's", project("blue")).await);
    assert_eq!(lab.get(&blue, &format!("/v2.0/networks/{network}")).await.status, 404);
    assert_eq!(lab.call(&blue, "POST /v2.0/networks", json!({"network": {}})).await.status, 403);
    let by_name = json!({"project": {"name": "", "domain": {"id": "default"}}});
    assert_eq!(
        log_in(&lab, "ann", "ann's", by_name).await.status,
        201,
        "both have no name; one of them it is"
    );
    for (scope, status) in [
        (project("nobody"), 401),
        (json!({"system": {"all": true}}), 401),
        (json!({"project": {"id": "red", "domain": {"id": "x"}}}), 401),
    ] {
        assert_eq!(log_in(&lab, "ann", "ann's", scope.clone()).await.status, status, "{scope}");
    }
    let who = lab.get(&red, "/v1/whoami").await;
    assert_eq!(
        (&who.body["role"], &who.body["tenant_id"], &who.body["user_name"]),
        (&json!("member"), &json!("red"), &json!("ann"))
    );
}

#[tokio::test]
async fn without_a_project_a_token_opens_nothing_but_another_login() {
    let lab = Lab::new().await;
    let ann = user(&lab, "ann").await;
    grant(&lab, &ann, "red", "member").await;
    let answer = log_in(&lab, "ann", "ann's", Value::Null).await;
    let unscoped = token(&answer);
    for member in ["project", "roles", "catalog"] {
        assert!(answer.body["token"].get(member).is_none(), "{member}: {}", answer.text);
    }
    for path in
        ["/v2.0/networks", "/v1/tenants", "/v1/whoami", "/v2.0/extensions", "/v3/auth/catalog", "/v3/users"]
    {
        let refused = lab.get(&unscoped, path).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text);
        refused.check_problem(path);
    }
    assert_eq!(ids(&lab.get(&unscoped, "/v3/auth/projects").await.body["projects"]), ["red"]);
    assert_eq!(
        ids(&lab.get(&unscoped, &format!("/v3/users/{ann}/projects")).await.body["projects"]),
        ["red"]
    );
    let identity = json!({"methods": ["token"], "token": {"id": unscoped}});
    let login = |scope: Value| json!({"auth": {"identity": identity, "scope": scope}});
    let scoped = lab.call("", "POST /v3/auth/tokens", login(project("red"))).await;
    assert_eq!(lab.get(&token(&scoped), "/v2.0/networks").await.status, 200);
    assert!(scoped.body["token"]["expires_at"].as_str() <= answer.body["token"]["expires_at"].as_str());
    assert_eq!(lab.call("", "POST /v3/auth/tokens", login(project("blue"))).await.status, 401);
    let home = json!({"user": {"default_project_id": "red"}});
    assert_eq!(lab.call("admin", &format!("PATCH /v3/users/{ann}"), home).await.status, 200);
    assert_eq!(log_in(&lab, "ann", "ann's", Value::Null).await.body["token"]["project"]["id"], "red");
    let unscoped = log_in(&lab, "ann", "ann's", json!("unscoped")).await;
    assert!(unscoped.body["token"].get("project").is_none(), "{}", unscoped.text);
}

#[tokio::test]
async fn an_administrator_owns_what_it_makes_without_saying_whose_it_is() {
    let lab = Lab::new().await;
    let ann = user(&lab, "ann").await;
    grant(&lab, &ann, "red", "admin").await;
    let admin = token(&log_in(&lab, "ann", "ann's", project("red")).await);
    let made = lab.call(&admin, "POST /v2.0/networks", json!({"network": {"name": "n"}})).await;
    assert_eq!(made.body["network"]["project_id"], "red", "{}", made.text);
    let made = lab.call(&admin, "POST /v2.0/networks", json!({"network": {"project_id": "blue"}})).await;
    assert_eq!(made.body["network"]["project_id"], "blue", "{}", made.text);
    assert_eq!(lab.get(&admin, "/v2.0/networks").await.body["networks"].as_array().unwrap().len(), 2);
    assert_eq!(lab.get(&admin, "/v3/users").await.status, 200);
}

#[tokio::test]
async fn wrong_logins_are_all_the_same_and_held_back_in_the_end() {
    let lab = Lab::new().await;
    let ann = user(&lab, "ann").await;
    grant(&lab, &ann, "red", "member").await;
    let unknown = log_in(&lab, "nobody", "x", project("red")).await;
    let wrong = log_in(&lab, "ann", "x", project("red")).await;
    let without = |answer: &Answer| {
        let mut body = answer.body.clone();
        body.as_object_mut().unwrap().remove("request_id");
        (answer.status, body)
    };
    assert_eq!(without(&unknown), without(&wrong));
    assert_eq!(wrong.status, 401);
    wrong.check_problem("/v3");
    for _ in 0..9 {
        assert_eq!(log_in(&lab, "ann", "x", project("red")).await.status, 401);
    }
    let held = log_in(&lab, "ann", "ann's", project("red")).await;
    assert_eq!(held.status, 429, "{}", held.text);
    held.check_problem("/v3");
    assert_eq!(log_in(&lab, "nobody", "x", project("red")).await.status, 401, "others are not held back");
}

#[tokio::test]
async fn tokens_end_with_the_role_the_user_the_project_the_password_and_by_themselves() {
    let lab = Lab::new().await;
    let ann = user(&lab, "ann").await;
    let fresh = async || {
        grant(&lab, &ann, "red", "member").await;
        token(&log_in(&lab, "ann", "ann's", project("red")).await)
    };
    let check = async |token: &str, status: u16| {
        assert_eq!(lab.get(token, "/v2.0/networks").await.status.as_u16(), status);
    };
    let red = fresh().await;
    check(&red, 200).await;
    let role = format!("/v3/projects/red/users/{ann}/roles/member");
    assert_eq!(lab.call("admin", &format!("DELETE {role}"), Value::Null).await.status, 204);
    check(&red, 401).await;
    let red = fresh().await;
    let line = "PUT /v1/tenants/red";
    assert_eq!(lab.call("admin", line, json!({"tenant": {"enabled": false}})).await.status, 200);
    check(&red, 401).await;
    assert_eq!(lab.call("admin", line, json!({"tenant": {"enabled": true}})).await.status, 200);
    check(&red, 200).await;
    let line = format!("PATCH /v3/users/{ann}");
    assert_eq!(lab.call("admin", &line, json!({"user": {"enabled": false}})).await.status, 200);
    check(&red, 401).await;
    assert_eq!(log_in(&lab, "ann", "ann's", project("red")).await.status, 401);
    assert_eq!(lab.call("admin", &line, json!({"user": {"enabled": true}})).await.status, 200);
    check(&red, 401).await;
    let red = fresh().await;
    let change = |old: &str| json!({"user": {"password": "new", "original_password": old}});
    let line = format!("POST /v3/users/{ann}/password");
    assert_eq!(lab.call(&red, &line, change("x")).await.status, 401);
    assert_eq!(lab.call("admin", &line, change("ann's")).await.status, 403, "that is for the user itself");
    assert_eq!(lab.call(&red, &line, change("ann's")).await.status, 204);
    check(&red, 401).await;
    assert_eq!(log_in(&lab, "ann", "ann's", project("red")).await.status, 401);
    let red = token(&log_in(&lab, "ann", "new", project("red")).await);
    assert_eq!(about(&lab, "DELETE", &red, &red).await.status, 204);
    check(&red, 401).await;
    let red = token(&log_in(&lab, "ann", "new", project("red")).await);
    assert_eq!(lab.call("admin", &format!("DELETE /v3/users/{ann}"), Value::Null).await.status, 204);
    check(&red, 401).await;
}

#[tokio::test]
async fn a_token_is_shown_to_its_holder_and_to_administrators() {
    let lab = Lab::new().await;
    let (ann, bob) = (user(&lab, "ann").await, user(&lab, "bob").await);
    grant(&lab, &ann, "red", "member").await;
    grant(&lab, &bob, "red", "member").await;
    let anns = token(&log_in(&lab, "ann", "ann's", project("red")).await);
    let bobs = token(&log_in(&lab, "bob", "bob's", project("red")).await);
    let own = about(&lab, "GET", &anns, &anns).await;
    assert_eq!(
        (own.status.as_u16(), &own.body["token"]["user"]["name"]),
        (200, &json!("ann")),
        "{}",
        own.text
    );
    assert_eq!(own.headers["x-subject-token"], anns.as_str());
    assert_eq!(about(&lab, "HEAD", &anns, &anns).await.text, "");
    assert_eq!(about(&lab, "GET", "admin", &anns).await.body["token"]["project"]["id"], "red");
    assert_eq!(about(&lab, "GET", "admin", "red").await.body["token"]["roles"][0]["name"], "member");
    for (token, subject, status) in
        [(&bobs, &anns, 403), (&bobs, &"x".to_owned(), 403), (&"admin".to_owned(), &"x".to_owned(), 404)]
    {
        for method in ["GET", "DELETE"] {
            let answer = about(&lab, method, token, subject).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {}", answer.text);
        }
    }
    assert_eq!(about(&lab, "DELETE", "red", "red").await.status, 403, "others rely on it");
    assert_eq!(about(&lab, "DELETE", "admin", &bobs).await.status, 204);
    assert_eq!(lab.get(&bobs, "/v2.0/networks").await.status, 401);
    assert_eq!(lab.get(&anns, "/v3/auth/tokens").await.status, 400, "no token is named");
    assert_eq!(lab.get(&anns, "/v3/auth/catalog").await.body["catalog"][1]["type"], "identity");
}

#[tokio::test]
async fn users_are_the_administrators_to_manage() {
    let lab = Lab::new().await;
    let ann = user(&lab, "ann").await;
    grant(&lab, &ann, "red", "member").await;
    let anns = token(&log_in(&lab, "ann", "ann's", project("red")).await);
    let shown = lab.get("admin", &format!("/v3/users/{ann}")).await;
    let expected = json!({"id": ann, "name": "ann", "description": "", "email": "", "enabled": true, "domain_id": "default",
        "default_project_id": null, "password_expires_at": null, "options": {},
        "links": {"self": format!("http://weft.test:9696/v3/users/{ann}")}});
    assert_eq!(shown.body["user"], expected);
    assert!(!shown.text.contains("argon2"), "{}", shown.text);
    assert_eq!(lab.get(&anns, &format!("/v3/users/{ann}")).await.status, 200, "one sees oneself");
    let bob = user(&lab, "bob").await;
    for path in ["/v3/users".to_owned(), format!("/v3/users/{bob}"), format!("/v3/users/{bob}/projects")] {
        assert!([403, 404].contains(&lab.get(&anns, &path).await.status.as_u16()), "{path}");
    }
    let refusals = [
        ("POST /v3/users".to_owned(), json!({"user": {"name": "x"}})),
        (format!("PATCH /v3/users/{ann}"), json!({"user": {"enabled": false}})),
        (format!("DELETE /v3/users/{ann}"), Value::Null),
        (format!("PUT /v3/projects/red/users/{ann}/roles/admin"), Value::Null),
        ("POST /v3/projects".to_owned(), json!({"project": {"name": "x"}})),
        ("PATCH /v3/projects/red".to_owned(), json!({"project": {"name": "x"}})),
        ("DELETE /v3/projects/red".to_owned(), Value::Null),
    ];
    for (line, body) in refusals {
        let answer = lab.call(&anns, &line, body).await;
        assert_eq!(answer.status, 403, "{line}: {}", answer.text);
        assert_eq!(answer.body["error"]["code"], 403);
    }
    let conflict = lab.call("admin", "POST /v3/users", json!({"user": {"name": "ann"}})).await;
    assert_eq!(conflict.status, 409, "{}", conflict.text);
    for body in [
        json!({"user": {}}),
        json!({"user": {"name": ""}}),
        json!({"user": {"name": 7}}),
        json!({}),
        json!({"user": {"name": "x", "domain_id": "other"}}),
        json!({"user": {"name": "x", "password": ""}}),
        json!({"user": {"name": "x", "colour": "red"}}),
    ] {
        let answer = lab.call("admin", "POST /v3/users", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        answer.check_problem("/v3");
    }
    assert_eq!(ids(&lab.get("admin", "/v3/users?name=bob").await.body["users"]), std::slice::from_ref(&bob));
    assert_eq!(ids(&lab.get("admin", "/v3/users?name=bob&domain_id=x").await.body["users"]), [""; 0]);
    let page = lab.get("admin", "/v3/users?limit=1").await;
    let next = page.body["links"]["next"]
        .as_str()
        .unwrap()
        .strip_prefix("http://weft.test:9696")
        .unwrap()
        .to_owned();
    let rest = lab.get("admin", &next).await;
    let mut all = [ids(&page.body["users"]), ids(&rest.body["users"])].concat();
    all.sort();
    let mut expected = vec![ann.clone(), bob];
    expected.sort();
    assert_eq!((all, &rest.body["links"]["next"]), (expected, &Value::Null));
    let line = format!("PATCH /v3/users/{ann}");
    let last = lab.call("admin", &line, json!({"user": {"name": "Ann", "description": null}})).await;
    assert_eq!(last.body["user"]["name"], "Ann");
    assert_eq!(lab.get("admin", "/v3/users/nobody").await.status, 404);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let lab = Lab::new().await;
    let ann = user(&lab, "ann").await;
    grant(&lab, &ann, "red", "admin").await;
    for (line, body) in [
        (format!("DELETE /v3/users/{ann}"), Value::Null),
        (format!("PATCH /v3/users/{ann}"), json!({"user": {"enabled": false}})),
        (format!("DELETE /v3/projects/red/users/{ann}/roles/admin"), Value::Null),
    ] {
        let answer = lab.call("admin", &line, body).await;
        assert_eq!(answer.status, 409, "{line}: {}", answer.text);
        answer.check_problem("/v3");
    }
}

#[tokio::test]
async fn projects_are_tenants() {
    let lab = Lab::new().await;
    let body = json!({"project": {"name": "green", "description": "d", "domain_id": "default", "tags": ["a"], "options": {}}});
    let made = lab.call("admin", "POST /v3/projects", body.clone()).await;
    let id = made.created("project");
    assert_eq!(
        (&made.body["project"]["domain_id"], &made.body["project"]["tags"]),
        (&json!("default"), &json!(["a"]))
    );
    assert_eq!(lab.get("admin", &format!("/v1/tenants/{id}")).await.body["tenant"]["name"], "green");
    assert_eq!(lab.call("admin", "POST /v3/projects", body).await.status, 409);
    assert_eq!(
        ids(&lab.get("admin", "/v3/projects?name=green&domain_id=default").await.body["projects"]),
        std::slice::from_ref(&id)
    );
    let changed = lab
        .call("admin", &format!("PATCH /v3/projects/{id}"), json!({"project": {"description": "e"}}))
        .await;
    assert_eq!(changed.body["project"]["description"], "e", "{}", changed.text);
    let groups = lab.get("admin", &format!("/v2.0/security-groups?project_id={id}")).await;
    assert_eq!(groups.body["security_groups"][0]["name"], "default");
    let network = lab
        .call("admin", "POST /v2.0/networks", json!({"network": {"project_id": id}}))
        .await
        .created("network");
    assert_eq!(lab.call("admin", &format!("DELETE /v3/projects/{id}"), Value::Null).await.status, 409);
    assert_eq!(lab.call("admin", &format!("DELETE /v2.0/networks/{network}"), Value::Null).await.status, 204);
    assert_eq!(lab.call("admin", &format!("DELETE /v3/projects/{id}"), Value::Null).await.status, 204);
    assert_eq!(lab.get("admin", &format!("/identity/v3/projects/{id}")).await.status, 404);
    for body in [
        json!({"project": {}}),
        json!({"project": {"name": "x", "parent_id": "y"}}),
        json!({"project": {"name": "x", "is_domain": true}}),
    ] {
        assert_eq!(lab.call("admin", "POST /v3/projects", body.clone()).await.status, 400, "{body}");
    }
    assert_eq!(ids(&lab.get("red", "/v3/domains").await.body["domains"]), ["default"]);
    assert_eq!(lab.get("red", "/v3/domains/default").await.body["domain"]["name"], "Default");
    assert_eq!(lab.get("red", "/identity/v3/domains/other").await.body["error"]["code"], 404);
}

#[tokio::test]
async fn roles_are_given_listed_and_taken() {
    let lab = Lab::new().await;
    let ann = user(&lab, "ann").await;
    let bob = user(&lab, "bob").await;
    grant(&lab, &bob, "blue", "reader").await;
    assert_eq!(ids(&lab.get("red", "/v3/roles").await.body["roles"]), ["admin", "member", "reader"]);
    assert_eq!(ids(&lab.get("red", "/v3/roles?name=member").await.body["roles"]), ["member"]);
    assert_eq!(lab.get("red", "/v3/roles/reader").await.body["role"]["name"], "reader");
    assert_eq!(lab.get("red", "/v3/roles/owner").await.status, 404);
    let path = format!("/v3/projects/red/users/{ann}/roles");
    assert_eq!(lab.get("admin", &format!("{path}/member")).await.status, 404);
    grant(&lab, &ann, "red", "member").await;
    grant(&lab, &ann, "red", "member").await;
    assert_eq!(lab.get("admin", &format!("{path}/member")).await.status, 204);
    assert_eq!(lab.call("admin", &format!("HEAD {path}/member"), Value::Null).await.status, 204);
    assert_eq!(lab.get("admin", &format!("{path}/reader")).await.status, 404, "it was not given by itself");
    assert_eq!(ids(&lab.get("admin", &path).await.body["roles"]), ["member"]);
    for path in [
        "/v3/projects/x/users/{ann}/roles/member",
        "/v3/projects/red/users/x/roles/member",
        "/v3/projects/red/users/{ann}/roles/x",
    ] {
        let line = format!("PUT {}", path.replace("{ann}", &ann));
        assert_eq!(lab.call("admin", &line, Value::Null).await.status, 404, "{line}");
    }
    let listed = |answer: &Answer| -> Vec<String> {
        let rows = answer.body["role_assignments"].as_array().unwrap();
        rows.iter()
            .map(|row| format!("{} {}", row["scope"]["project"]["id"], row["role"]["id"]).replace('"', ""))
            .collect()
    };
    let answer = lab.get("admin", &format!("/v3/role_assignments?user.id={ann}&include_names=True")).await;
    assert_eq!(listed(&answer), ["red member"]);
    assert_eq!(answer.body["role_assignments"][0]["user"]["name"], "ann");
    assert_eq!(answer.body["role_assignments"][0]["scope"]["project"]["domain"]["name"], "Default");
    assert_eq!(
        listed(&lab.get("admin", &format!("/v3/role_assignments?user.id={ann}&effective")).await),
        ["red member", "red reader"]
    );
    assert_eq!(
        listed(&lab.get("admin", "/v3/role_assignments?scope.project.id=blue").await),
        ["blue reader"]
    );
    assert_eq!(listed(&lab.get("admin", "/v3/role_assignments?role.id=reader").await), ["blue reader"]);
    assert_eq!(listed(&lab.get("admin", "/v3/role_assignments?group.id=x").await), [""; 0]);
    let anns = token(&log_in(&lab, "ann", "ann's", project("red")).await);
    assert_eq!(listed(&lab.get(&anns, "/v3/role_assignments").await), ["red member"], "one's own");
    assert_eq!(lab.call("admin", &format!("DELETE {path}/member"), Value::Null).await.status, 204);
    assert_eq!(lab.call("admin", &format!("DELETE {path}/member"), Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_program_acts_with_an_application_credential() {
    let lab = Lab::new().await;
    let (ann, bob) = (user(&lab, "ann").await, user(&lab, "bob").await);
    grant(&lab, &ann, "red", "member").await;
    grant(&lab, &bob, "red", "member").await;
    let anns = token(&log_in(&lab, "ann", "ann's", project("red")).await);
    let path = format!("/v3/users/{ann}/application_credentials");
    let make = async |token: &str, body: Value| {
        lab.call(token, &format!("POST {path}"), json!({"application_credential": body})).await
    };
    let made = make(&anns, json!({"name": "ci", "roles": [{"name": "reader"}], "description": null})).await;
    let (id, secret) =
        (made.created("application_credential"), made.body["application_credential"]["secret"].clone());
    assert_eq!(made.body["application_credential"]["project_id"], "red");
    assert_eq!(ids(&made.body["application_credential"]["roles"]), ["reader"]);
    let log_in_with = async |credential: Value| {
        let identity = json!({"methods": ["application_credential"], "application_credential": credential});
        lab.call("", "POST /v3/auth/tokens", json!({"auth": {"identity": identity}})).await
    };
    let answer = log_in_with(json!({"id": id, "secret": secret})).await;
    assert_eq!(answer.body["token"]["roles"][0]["name"], "reader", "{}", answer.text);
    let program = token(&answer);
    assert_eq!(lab.get(&program, "/v2.0/networks").await.status, 200);
    assert_eq!(lab.call(&program, "POST /v2.0/networks", json!({"network": {}})).await.status, 403);
    assert_eq!(make(&program, json!({"name": "more"})).await.status, 403, "restricted");
    let chosen = make(&anns, json!({"name": "chosen", "secret": "s3cret", "unrestricted": true, "expires_at": "2999-01-01T00:00:00"})).await;
    assert_eq!(chosen.body["application_credential"]["secret"], "s3cret", "{}", chosen.text);
    let by_name =
        json!({"name": "chosen", "user": {"name": "ann", "domain": {"id": "default"}}, "secret": "s3cret"});
    let full = token(&log_in_with(by_name).await);
    assert_eq!(make(&full, json!({"name": "more"})).await.status, 201, "unrestricted");
    for wrong in [
        json!({"id": id, "secret": "x"}),
        json!({"id": "x", "secret": secret}),
        json!({"name": "chosen", "user": {"name": "bob"}, "secret": "s3cret"}),
    ] {
        assert_eq!(log_in_with(wrong.clone()).await.status, 401, "{wrong}");
    }
    for (body, status) in [
        (json!({"name": "ci"}), 409),
        (json!({}), 400),
        (json!({"name": "x", "roles": [{"name": "admin"}]}), 403),
        (json!({"name": "x", "roles": [{"name": "owner"}]}), 400),
        (json!({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}), 400),
    ] {
        assert_eq!(make(&anns, body.clone()).await.status.as_u16(), status, "{body}");
    }
    assert_eq!(make("admin", json!({"name": "x"})).await.status, 403, "only the user itself makes them");
    let bobs = token(&log_in(&lab, "bob", "bob's", project("red")).await);
    assert_eq!(make(&bobs, json!({"name": "x"})).await.status, 404);
    assert_eq!(lab.get(&bobs, &path).await.status, 404);
    let listed = lab.get(&anns, &format!("{path}?name=ci")).await;
    assert_eq!(ids(&listed.body["application_credentials"]), std::slice::from_ref(&id));
    assert!(!listed.text.contains("secret"), "{}", listed.text);
    assert_eq!(lab.get(&anns, &format!("{path}/{id}")).await.body["application_credential"]["name"], "ci");
    assert_eq!(lab.call(&program, &format!("DELETE {path}/{id}"), Value::Null).await.status, 403);
    assert_eq!(lab.call(&anns, &format!("DELETE {path}/{id}"), Value::Null).await.status, 204);
    assert_eq!(lab.get(&program, "/v2.0/networks").await.status, 401, "its tokens end with it");
    let role = format!("DELETE /v3/projects/red/users/{ann}/roles/member");
    assert_eq!(lab.call("admin", &role, Value::Null).await.status, 204);
    assert_eq!(lab.get(&full, "/v2.0/networks").await.status, 401, "and with the user's role");
}
