//! What the other tenant has: an object for every path parameter of the OpenAPI document.
//!
//! Whoever adds a kind of object need not come here if one can be made with nothing but a name, or a name and ids of other
//! objects; else a line in [`RECIPES`] says how.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use uuid::Uuid;
use weft_model::intent::{Actor, HostReport, Intent, NewAppCredential};
use weft_model::{AppCredentialId, CredentialReach, CredentialSecret, EncapIps, Role, TenantId, UserId};

use super::super::{Lab, outside};

/// In every name that the other tenant gives.
pub(super) const MARK: &str = "theirs-secret";

/// How objects are made, in this order: where, by whom (the tenant itself or an administrator for it), and with what; the
/// envelope is the document's. `$network` is the id of what was made under `/v2.0/networks`, and so on for every id.
const RECIPES: &[(&str, &str, &str)] = &[
    ("/v2.0/networks", "blue", r#"{"name": "theirs-secret"}"#),
    ("/v2.0/subnets", "blue", r#"{"network_id": "$network", "cidr": "10.9.8.0/24", "ip_version": 4}"#),
    ("/v2.0/ports", "blue", r#"{"network_id": "$network", "name": "theirs-secret"}"#),
    ("/v2.0/routers", "blue", r#"{"name": "theirs-secret"}"#),
    ("/v2.0/security-groups", "blue", r#"{"name": "theirs-secret"}"#),
    (
        "/v2.0/security-group-rules",
        "blue",
        r#"{"security_group_id": "$security_group", "direction": "ingress"}"#,
    ),
    ("/v2.0/address-groups", "blue", r#"{"name": "theirs-secret", "addresses": ["10.9.8.7"]}"#),
    ("/v2.0/floatingips", "blue", r#"{"floating_network_id": "$floating_network"}"#),
    (
        "/v2.0/floatingips/{id}/port_forwardings",
        "blue",
        r#"{"protocol": "tcp", "external_port": 22, "internal_port": 22, "internal_port_id": "$port"}"#,
    ),
    ("/v2.0/address-scopes", "blue", r#"{"name": "theirs-secret", "ip_version": 4}"#),
    (
        "/v2.0/subnetpools",
        "blue",
        r#"{"name": "theirs-secret", "prefixes": ["10.98.0.0/16"], "default_prefixlen": 26}"#,
    ),
    (
        "/v2.0/rbac-policies",
        "blue",
        r#"{"object_type": "network", "object_id": "$network", "action": "access_as_shared", "target_tenant": "blue"}"#,
    ),
    (
        "/v2.0/network_segment_ranges",
        "admin",
        r#"{"name": "theirs-secret", "shared": false, "project_id": "blue", "network_type": "vxlan", "minimum": 7000, "maximum": 7009}"#,
    ),
    ("/v2.0/trunks", "blue", r#"{"name": "theirs-secret", "port_id": "$port"}"#),
    ("/v2.0/qos/policies", "admin", r#"{"name": "theirs-secret", "project_id": "blue"}"#),
    (
        "/v2.0/qos/policies/{id}/bandwidth_limit_rules",
        "admin",
        r#"{"max_kbps": 1000, "direction": "egress"}"#,
    ),
    ("/v2.0/qos/policies/{id}/dscp_marking_rules", "admin", r#"{"dscp_mark": 10}"#),
    ("/v1/tenants/{id}/tokens", "admin", "{}"),
    ("/v3/users", "admin", r#"{"name": "theirs-secret", "password": "their-own-password"}"#),
];

/// What stands for the last parameter below an address, where nothing can be made there. `$...` as above.
const FIXED: &[(&str, &str)] = &[
    ("/v1/hosts", "host-9"),
    ("/v2.0/agents", "host-9"),
    ("/v1/tenants", "blue"),
    ("/v3/projects", "blue"),
    ("/v2.0/quotas", "blue"),
    ("/v2.0/network-ip-availabilities", "$network"),
    ("/v3/projects/{id}/users", "$user"),
    ("/v3/projects/{id}/users/{user}/roles", "member"),
    // Not the tenant's.
    ("/v3/roles", "member"),
    ("/v3/domains", "default"),
    ("/v2.0/extensions", "net-mtu"),
    ("/v2.0/qos/rule-types", "dscp_marking"),
    ("/v2.0/{collection}/{id}/tags", "x"),
];

/// Below these, what there is belongs to everybody.
pub(super) const PUBLIC: &[&str] =
    &["/v2.0/extensions/", "/v2.0/qos/rule-types/", "/v3/roles/", "/v3/domains/"];

/// The other tenant's objects.
pub(super) struct Theirs {
    document: Value,
    /// Per address with parameters that objects stand below, the id of one: the other tenant's.
    objects: BTreeMap<String, String>,
    /// Per word for an id in bodies (`network`, `port`), that id.
    words: BTreeMap<String, String>,
    /// What may stand in no answer to anybody else.
    secrets: BTreeSet<String>,
}

impl Theirs {
    pub(super) async fn make(lab: &Lab) -> Theirs {
        let document = serde_json::to_value(super::super::super::openapi()).unwrap();
        let (objects, words) = (BTreeMap::new(), BTreeMap::new());
        let secrets = [MARK, "10.9.8.", "10.98.", "secret-host"].map(str::to_owned).into();
        let mut theirs = Theirs { document, objects, words, secrets };
        // An external network is somebody else's, and everybody's to see.
        let operator = lab.call("admin", "POST /v1/tenants", json!({"tenant": {"name": "operator"}})).await;
        let external = outside::external_network(lab, operator.body["tenant"]["id"].as_str().unwrap()).await;
        theirs.words.insert("floating_network".into(), external.clone());
        let host = HostReport {
            id: "host-9".parse().unwrap(),
            hostname: "secret-host".into(),
            encap_ips: EncapIps::default(),
            ovs_version: String::new(),
            datapath_type: String::new(),
            bridge_mappings: Default::default(),
            interfaces: Vec::new(),
        };
        lab.desk.write(Actor::Admin, vec![Intent::ReportHost(host)]).await.unwrap();
        theirs.fixed();
        for &(place, who, body) in RECIPES {
            if theirs.document["paths"].get(place).is_some() {
                let body = serde_json::from_str(&theirs.filled(body)).unwrap();
                let made = theirs.create(lab, (place, who), body).await;
                made.unwrap_or_else(|why| panic!("POST {place} by {who}: {why}"));
            }
            if place == "/v2.0/routers" {
                theirs.join(lab, &external).await;
            }
            if place == "/v3/users" {
                theirs.give_credential(lab).await;
            }
        }
        theirs.fixed();
        theirs.make_the_rest(lab).await;
        theirs
    }

    /// The router has a way out, so that floating IPs can stand for what is behind it.
    async fn join(&self, lab: &Lab, external: &str) {
        let router = &self.words["router"];
        let join = format!("PUT /v2.0/routers/{router}/add_router_interface");
        let joined = lab.call("blue", &join, json!({"subnet_id": self.words["subnet"]})).await;
        assert_eq!(joined.status, 200, "{}", joined.text);
        let gateway = json!({"router": {"external_gateway_info": {"network_id": external}}});
        let gateway = lab.call("blue", &format!("PUT /v2.0/routers/{router}"), gateway).await;
        assert_eq!(gateway.status, 200, "{}", gateway.text);
    }

    /// The user acts for the tenant, and has a credential that only it could make.
    async fn give_credential(&mut self, lab: &Lab) {
        let (user, tenant): (UserId, TenantId) =
            (self.words["user"].parse().unwrap(), "blue".parse().unwrap());
        let id = AppCredentialId(Uuid::new_v4());
        let credential = NewAppCredential {
            id,
            user: user.clone(),
            tenant: tenant.clone(),
            role: Role::Member,
            name: MARK.into(),
            description: String::new(),
            secret: CredentialSecret::Drawn([9; 32]),
            reach: CredentialReach::Restricted,
            expires: None,
        };
        let intents =
            vec![Intent::Assign(user, tenant, Role::Member), Intent::CreateAppCredential(credential)];
        lab.desk.write(Actor::Admin, intents).await.unwrap();
        self.secrets.insert(id.to_string());
        self.objects.insert("/v3/users/{id}/application_credentials".into(), id.to_string());
    }

    fn fixed(&mut self) {
        for (place, id) in FIXED {
            let id = self.filled(id);
            if !id.contains('$') {
                self.objects.insert((*place).to_owned(), id);
            }
        }
    }

    /// Makes what the document has a parameter for and nobody has said how to make.
    async fn make_the_rest(&mut self, lab: &Lab) {
        let templates: Vec<String> = self.document["paths"].as_object().unwrap().keys().cloned().collect();
        for template in templates {
            for place in places(&template) {
                if place == "/v2.0" || self.objects.contains_key(&place) || place.contains("{collection}") {
                    continue;
                }
                let mut tries = Vec::new();
                for body in self.guesses(&place) {
                    for who in ["blue", "admin"] {
                        if !self.objects.contains_key(&place) {
                            let made = self.create(lab, (&place, who), body.clone()).await;
                            tries.extend(made.err());
                        }
                    }
                }
                assert!(
                    self.objects.contains_key(&place),
                    "this test does not know how to make what {template} shows: add a line to RECIPES or FIXED for {place} \
                     (tried: {tries:?})"
                );
            }
        }
    }

    /// Bodies with which an object may be to be made: a name, and then ids of other things as well.
    fn guesses(&self, place: &str) -> Vec<Map<String, Value>> {
        let Some((_, fields)) = self.fields("post", place) else { return Vec::new() };
        let named: Map<String, Value> =
            fields.iter().filter(|name| *name == "name").map(|name| (name.clone(), json!(MARK))).collect();
        let mut full = named.clone();
        full.extend(self.ids_for(&fields));
        vec![named, full]
    }

    /// The fields among these that take ids, with the other tenant's.
    fn ids_for(&self, fields: &[String]) -> Map<String, Value> {
        let id = |field: &String| {
            // Where a trace begins.
            let word = if field == "from_port" { "port" } else { field.strip_suffix("_id")? };
            let word = if matches!(word, "project" | "tenant") { return Some(json!("blue")) } else { word };
            self.words.get(word).map(|id| json!(id))
        };
        fields.iter().filter_map(|field| Some((field.clone(), id(field)?))).collect()
    }

    /// The envelope of an operation's body, and the fields in it.
    fn fields(&self, method: &str, template: &str) -> Option<(Option<String>, Vec<String>)> {
        let content = &self.document["paths"][template][method]["requestBody"]["content"];
        let schema = self.resolved(&content["application/json"]["schema"]);
        let outer = schema["properties"].as_object()?;
        let inner = match outer.iter().next() {
            Some((name, inner)) if outer.len() == 1 => Some((name, self.resolved(inner))),
            _ => None,
        };
        match inner.as_ref().and_then(|(name, inner)| Some((*name, inner["properties"].as_object()?))) {
            Some((name, fields)) => Some((Some(name.clone()), fields.keys().cloned().collect())),
            None => Some((None, outer.keys().cloned().collect())),
        }
    }

    /// What a schema refers to, also where it may be null.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let either = schema["oneOf"].as_array().or(schema["allOf"].as_array());
        let schema =
            either.and_then(|all| all.iter().find(|one| one.get("$ref").is_some())).unwrap_or(schema);
        match schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
            Some(path) => self.document.pointer(path).unwrap_or(&Value::Null),
            None => schema,
        }
    }

    async fn create(
        &mut self,
        lab: &Lab,
        (place, who): (&str, &str),
        fields: Map<String, Value>,
    ) -> Result<(), String> {
        let Some((envelope, _)) = self.fields("post", place) else {
            return Err("cannot be posted to".into());
        };
        let Some(address) = self.paths(place).pop() else { return Err("no address".into()) };
        let body = match &envelope {
            Some(envelope) => json!({ envelope: fields }),
            None => Value::Object(fields),
        };
        let made = lab.call(who, &format!("POST {address}"), body).await;
        let inner =
            envelope.as_ref().and_then(|envelope| made.body.get(envelope)).filter(|inner| inner.is_object());
        let id = inner.unwrap_or(&made.body)["id"].as_str();
        let (true, Some(id)) = (made.status.is_success(), id) else { return Err(made.text) };
        if let Some(envelope) = envelope {
            self.words.insert(envelope, id.to_owned());
        }
        self.secrets.insert(id.to_owned());
        self.objects.insert(place.to_owned(), id.to_owned());
        Ok(())
    }

    fn filled(&self, text: &str) -> String {
        let known = self.words.iter();
        known.fold(text.to_owned(), |text, (word, id)| {
            let whole = text.strip_prefix('$') == Some(word);
            if whole { id.clone() } else { text.replace(&format!("\"${word}\""), &format!("\"{id}\"")) }
        })
    }

    /// The addresses that a template stands for, with the other tenant's ids in it.
    pub(super) fn paths(&self, template: &str) -> Vec<String> {
        if template == "/v1/applied" {
            return vec!["/v1/applied?timeout=0".into()];
        }
        if template == "/v1/events" {
            return vec!["/v1/events?from=0&follow=false".into()];
        }
        if template.contains("{collection}") {
            let collections = self.objects.keys().filter_map(|place| {
                let collection = place.strip_prefix("/v2.0/")?;
                (!collection.contains('/')).then_some(collection)
            });
            let own = collections
                .filter(|collection| self.secrets.contains(&self.objects[&format!("/v2.0/{collection}")]));
            return own
                .map(|collection| {
                    let path = template.replace("{collection}", collection).replace("{tag}", "x");
                    path.replace("{id}", &self.objects[&format!("/v2.0/{collection}")])
                })
                .collect();
        }
        let (mut path, mut place) = (String::new(), String::new());
        for segment in template.split('/').skip(1) {
            if segment.starts_with('{') {
                let Some(id) = self.objects.get(&place) else {
                    panic!("nothing for {segment} of {template}")
                };
                path = format!("{path}/{id}");
            } else {
                path = format!("{path}/{segment}");
            }
            place = format!("{place}/{segment}");
        }
        vec![path]
    }

    /// A body that would do harm: it names what is the other tenant's wherever the document says that an id may stand. And
    /// whether it names anything, or what it asks for is the caller's own business.
    pub(super) fn harm(&self, method: &str, template: &str) -> (Value, bool) {
        let Some((envelope, fields)) = self.fields(method, template) else { return (Value::Null, false) };
        let recipe = RECIPES.iter().find(|(place, _, _)| method == "post" && *place == template);
        let recipe: Option<Map<String, Value>> =
            recipe.map(|(_, _, body)| serde_json::from_str(&self.filled(body)).unwrap());
        let mut asked = recipe.unwrap_or_else(|| self.ids_for(&fields));
        for name in ["project_id", "tenant_id"] {
            if fields.iter().any(|field| field == name) && method == "post" && template != "/v1/tenants" {
                asked.insert(name.into(), json!("blue"));
                break;
            }
        }
        if fields == ["tags"] {
            asked.insert("tags".into(), json!(["mine"]));
        }
        if method == "put" || method == "patch" {
            asked.retain(|name, _| name != "project_id" && name != "tenant_id");
        }
        if asked.contains_key("name") || (asked.is_empty() && fields.iter().any(|field| field == "name")) {
            asked.insert("name".into(), json!("mine"));
        }
        let names_theirs = asked.values().any(|value| value != "mine");
        let body = match envelope {
            Some(envelope) => json!({ envelope: asked }),
            None => Value::Object(asked),
        };
        (body, names_theirs)
    }

    /// Nothing of it may stand in an answer to somebody else, but for what was asked.
    pub(super) fn check_absent(&self, text: &str, (path, body): (&str, &Value), what: &str) {
        let mut said: Vec<String> = path.split(['/', '?', '=']).map(str::to_owned).collect();
        texts(body, &mut said);
        let text = said
            .iter()
            .filter(|part| part.len() > 8)
            .fold(text.to_owned(), |text, part| text.replace(part.as_str(), ""));
        for secret in &self.secrets {
            assert!(!text.contains(secret), "{what} tells {secret}: {text}");
        }
    }
}

/// The addresses below which a template's parameters stand.
fn places(template: &str) -> Vec<String> {
    let at = template.match_indices("/{").map(|(at, _)| template[..at].to_owned());
    at.collect()
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(entries) => entries.iter().for_each(|entry| texts(entry, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}
