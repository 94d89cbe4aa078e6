//! `/v2.0/rbac-policies`: which tenants may use what is another's.

use std::sync::Arc;

use axum::extract::Path;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, NewRbacPolicy};
use weft_model::{
    Access, Audience, Key, RbacPolicy, RbacPolicyId, SharedKind, SharedObject, Snapshot, TenantId,
};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::query::ListQuery;
use super::{page, scope};

/// RBAC policies as a kind of object.
pub(super) struct RbacPolicies;

impl Kind for RbacPolicies {
    const ONE: &'static str = "rbac_policy";
    const MANY: &'static str = "rbac_policies";
    const LABEL: &'static str = "RBAC policy";
    type Object = RbacPolicy;
    type Row = api::RbacPolicy;

    fn id(policy: &RbacPolicy) -> String {
        policy.id.to_string()
    }

    fn name(_: &RbacPolicy) -> &str {
        ""
    }

    fn owner(policy: &RbacPolicy) -> Option<&TenantId> {
        Some(&policy.tenant)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<RbacPolicy>> {
        snapshot.rbac_policy(&RbacPolicyId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, RbacPolicy> {
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.rbac_policy(&RbacPolicyId(id))));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let own = view.snapshot.rbac_policies_of_tenant(&tenant);
                let ids: Vec<RbacPolicyId> = own.map(|policy| policy.id).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.rbac_policy(&id)))
            }
            None => Box::new(view.snapshot.rbac_policies()),
        }
    }

    fn row(_: &View, policy: &RbacPolicy) -> api::RbacPolicy {
        api::RbacPolicy {
            id: policy.id.to_string(),
            tenant_id: policy.tenant.to_string(),
            project_id: policy.tenant.to_string(),
            object_type: policy.object.kind.name().to_owned(),
            object_id: policy.object.id.to_string(),
            action: policy.access.name().to_owned(),
            target_tenant: match &policy.audience {
                Audience::Everybody => EVERYBODY.to_owned(),
                Audience::Tenant(tenant) => tenant.to_string(),
            },
        }
    }
}

/// Stands for every tenant.
const EVERYBODY: &str = "*";

impl Writable for RbacPolicies {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        // Whose it is follows from the object.
        fields.text_or_null("project_id");
        fields.text_or_null("tenant_id");
        let kind = read_kind(fields);
        let object = fields.required::<Uuid>("object_id", "must be the UUID of what is shared");
        let access = read_access(fields, kind);
        if !fields.has("target_tenant") {
            fields.fault("target_tenant", "is missing");
        }
        let audience = read_audience(fields);
        let object = SharedObject { kind: kind?, id: object? };
        let id = RbacPolicyId(Uuid::new_v4());
        Some(Intent::CreateRbacPolicy(NewRbacPolicy { id, object, access: access?, audience: audience? }))
    }

    fn read_patch(fields: &mut Fields, policy: &RbacPolicy, _: Option<u64>) -> Intent {
        let audience = read_audience(fields);
        fields.only("object_type", &[json!(policy.object.kind.name())]);
        fields.only("object_id", &[json!(policy.object.id.to_string())]);
        fields.only("action", &[json!(policy.access.name())]);
        Intent::UpdateRbacPolicy(policy.id, audience)
    }

    fn deletion(policy: &RbacPolicy, _: Option<u64>) -> Intent {
        Intent::DeleteRbacPolicy(policy.id)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::RbacPolicy(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

fn read_kind(fields: &mut Fields) -> Option<SharedKind> {
    let text = fields.required::<String>("object_type", "must be a text")?;
    let kind = SharedKind::from_name(&text);
    if kind.is_none() {
        let known = SharedKind::ALL.map(SharedKind::name).join(", ");
        fields.fault("object_type", format!("must be one of {known}"));
    }
    kind
}

fn read_access(fields: &mut Fields, kind: Option<SharedKind>) -> Option<Access> {
    let text = fields.required::<String>("action", "must be a text")?;
    let access = Access::from_name(&text);
    let fits = |access: &Access| *access == Access::Shared || kind.is_none_or(|k| k == SharedKind::Network);
    if !access.as_ref().is_some_and(fits) {
        let reason = "must be access_as_shared, or for a network also access_as_external";
        fields.fault("action", reason);
    }
    access
}

fn read_audience(fields: &mut Fields) -> Option<Audience> {
    let text = fields.text("target_tenant")?;
    if text == EVERYBODY {
        return Some(Audience::Everybody);
    }
    let tenant = text.parse().ok().map(Audience::Tenant);
    if tenant.is_none() {
        fields.fault("target_tenant", "must be * or 1 to 64 characters of A-Z a-z 0-9 - _ . :");
    }
    tenant
}

/// Lists the RBAC policies of what the caller owns.
#[utoipa::path(get, path = "/v2.0/rbac-policies", tag = "sharing", operation_id = "list_rbac_policies",
    params(super::document::ListParameters),
    responses((status = 200, body = api::RbacPolicyList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<RbacPolicies>(call).await
}

/// Creates an RBAC policy, or many, all or none of them, in the envelope `{"rbac_policies": [...]}`.
#[utoipa::path(post, path = "/v2.0/rbac-policies", tag = "sharing", operation_id = "create_rbac_policy",
    request_body = super::document::NewRbacPolicyBody,
    responses((status = 201, body = api::RbacPolicyEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<RbacPolicies>(call, body).await
}

/// Shows an RBAC policy.
#[utoipa::path(get, path = "/v2.0/rbac-policies/{id}", tag = "sharing", operation_id = "show_rbac_policy",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::RbacPolicyEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<RbacPolicies>(&call, &id)
}

/// Changes to whom an RBAC policy speaks.
#[utoipa::path(put, path = "/v2.0/rbac-policies/{id}", tag = "sharing", operation_id = "update_rbac_policy",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::RbacPolicyBody,
    responses((status = 200, body = api::RbacPolicyEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<RbacPolicies>(call, &id, body).await
}

/// Deletes an RBAC policy that nobody needs.
#[utoipa::path(delete, path = "/v2.0/rbac-policies/{id}", tag = "sharing", operation_id = "delete_rbac_policy",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<RbacPolicies>(call, &id).await
}
