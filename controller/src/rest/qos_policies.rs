//! `/v2.0/qos/policies`, and which kinds of rules there are. The rules themselves are in `qos_rules`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Path;
use serde_json::{Value, json};
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, LabelsPatch, NewQosPolicy, QosPolicyPatch};
use weft_model::{Dscp, Kbps, Key, QosPolicy, QosPolicyId, Snapshot, TenantId};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Envelope, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner};
use super::query::ListQuery;
use super::{page, qos_rules, scope};
use crate::clock;

/// QoS policies as a kind of object.
pub(super) struct QosPolicies;

impl Kind for QosPolicies {
    const ONE: &'static str = "policy";
    const MANY: &'static str = "policies";
    const LABEL: &'static str = "QoS policy";
    type Object = QosPolicy;
    type Row = api::QosPolicy;

    fn id(policy: &QosPolicy) -> String {
        policy.id.to_string()
    }

    fn name(policy: &QosPolicy) -> &str {
        &policy.stamp.name
    }

    fn owner(policy: &QosPolicy) -> Option<&TenantId> {
        Some(&policy.tenant)
    }

    fn is_public(policy: &QosPolicy) -> bool {
        policy.shared
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<QosPolicy>> {
        snapshot.qos_policy(&QosPolicyId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, QosPolicy> {
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.qos_policy(&QosPolicyId(id))));
        }
        // They are few, and any may be shared.
        Box::new(view.snapshot.qos_policies())
    }

    fn row(_: &View, policy: &QosPolicy) -> api::QosPolicy {
        let stamp = &policy.stamp;
        api::QosPolicy {
            id: policy.id.to_string(),
            name: stamp.name.clone(),
            tenant_id: policy.tenant.to_string(),
            project_id: policy.tenant.to_string(),
            description: stamp.description.clone(),
            shared: policy.shared,
            is_default: policy.is_default,
            rules: policy.rules.iter().map(|rule| qos_rules::within(policy, rule)).collect(),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
        }
    }
}

impl Writable for QosPolicies {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        Some(Intent::CreateQosPolicy(NewQosPolicy {
            id: QosPolicyId(Uuid::new_v4()),
            tenant: read_owner(fields),
            labels: read_labels(fields),
            shared: fields.flag("shared").unwrap_or_default(),
            is_default: fields.flag("is_default").unwrap_or_default(),
        }))
    }

    fn read_patch(fields: &mut Fields, policy: &QosPolicy, if_number: Option<u64>) -> Intent {
        let patch = QosPolicyPatch {
            if_number,
            labels: read_labels_patch(fields),
            shared: fields.flag("shared"),
            is_default: fields.flag("is_default"),
        };
        Intent::UpdateQosPolicy(policy.id, patch)
    }

    fn deletion(policy: &QosPolicy, if_number: Option<u64>) -> Intent {
        Intent::DeleteQosPolicy(policy.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::QosPolicy(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

/// The QoS policy that an object is to wear; none when null.
pub(super) fn read_qos(fields: &mut Fields) -> Option<Option<QosPolicyId>> {
    let asked = fields.parsed_or_null::<Uuid>("qos_policy_id", "must be the UUID of a QoS policy")?;
    Some(asked.map(QosPolicyId))
}

/// The whole new set of tags.
pub(super) fn retag(policy: &QosPolicy, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    Intent::UpdateQosPolicy(policy.id, QosPolicyPatch { if_number, labels, ..QosPolicyPatch::default() })
}

/// Lists QoS policies.
#[utoipa::path(get, path = "/v2.0/qos/policies", tag = "QoS", operation_id = "list_qos_policies",
    params(super::document::ListParameters),
    responses((status = 200, body = api::QosPolicyList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<QosPolicies>(call).await
}

/// Creates a QoS policy, or many, all or none of them, in the envelope `{"policies": [...]}`.
#[utoipa::path(post, path = "/v2.0/qos/policies", tag = "QoS", operation_id = "create_qos_policy",
    request_body = super::document::NewQosPolicyBody,
    responses((status = 201, body = api::QosPolicyEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<QosPolicies>(call, body).await
}

/// Shows a QoS policy with its rules.
#[utoipa::path(get, path = "/v2.0/qos/policies/{id}", tag = "QoS", operation_id = "show_qos_policy",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::QosPolicyEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<QosPolicies>(&call, &id)
}

/// Changes a QoS policy, but for its rules. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/qos/policies/{id}", tag = "QoS", operation_id = "update_qos_policy",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::QosPolicyBody,
    responses((status = 200, body = api::QosPolicyEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<QosPolicies>(call, &id, body).await
}

/// Deletes a QoS policy that no port and no network wears, and its rules.
#[utoipa::path(delete, path = "/v2.0/qos/policies/{id}", tag = "QoS", operation_id = "delete_qos_policy",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<QosPolicies>(call, &id).await
}

const TYPES: [&str; 2] = ["bandwidth_limit", "dscp_marking"];

/// Lists the kinds of rules that work here.
#[utoipa::path(get, path = "/v2.0/qos/rule-types", tag = "QoS", operation_id = "list_qos_rule_types",
    responses((status = 200, body = api::QosRuleTypeList), (status = "default", body = api::NeutronError)))]
pub(super) async fn types(call: Call) -> Reply {
    let one = |kind: &str| api::QosRuleType { kind: kind.to_owned(), drivers: None };
    let rule_types: Vec<_> = TYPES.into_iter().map(one).collect();
    Reply::ok(call.view.snapshot.revision(), Envelope("rule_types", rule_types))
}

/// Shows a kind of rules; administrators see what its rules may say.
#[utoipa::path(get, path = "/v2.0/qos/rule-types/{type}", tag = "QoS", operation_id = "show_qos_rule_type",
    params(("type" = String, Path, description = "bandwidth_limit or dscp_marking")),
    responses((status = 200, body = api::QosRuleTypeEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show_type(call: Call, Path(kind): Path<String>) -> Result<Reply, Failure> {
    let parameters = parameters_of(&kind).ok_or_else(|| Failure::not_found("QoS rule type", &kind))?;
    let driver = api::QosDriver { name: "openvswitch".to_owned(), supported_parameters: parameters };
    let drivers = call.caller().is_admin().then(|| vec![driver]);
    let rule_type = api::QosRuleType { kind, drivers };
    Ok(Reply::ok(call.view.snapshot.revision(), api::QosRuleTypeEnvelope { rule_type }))
}

fn parameters_of(kind: &str) -> Option<Vec<api::QosParameter>> {
    let parameter = |name: &str, kind: &str, values: Value| api::QosParameter {
        parameter_name: name.to_owned(),
        parameter_type: kind.to_owned(),
        parameter_values: values,
    };
    let range = |name, first: u32| parameter(name, "range", json!({"start": first, "end": Kbps::MAX}));
    match kind {
        "bandwidth_limit" => Some(vec![
            range("max_kbps", 1),
            range("max_burst_kbps", 0),
            parameter("direction", "choices", json!(["egress", "ingress"])),
        ]),
        "dscp_marking" => Some(vec![parameter("dscp_mark", "choices", json!(Dscp::NAMED))]),
        _ => None,
    }
}
