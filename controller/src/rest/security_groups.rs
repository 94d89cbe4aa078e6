//! `/v2.0/security-groups`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Path;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, LabelsPatch, NewSecurityGroup, SecurityGroupPatch};
use weft_model::{
    Key, SecurityGroup, SecurityGroupId, SecurityRuleId, SharedKind, Snapshot, TenantId, Tracking,
};

use crate::clock;

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner_or_own};
use super::query::ListQuery;
use super::security_rules::SecurityRules;
use super::{page, scope};

/// Security groups as a kind of object.
pub(super) struct SecurityGroups;

impl Kind for SecurityGroups {
    const ONE: &'static str = "security_group";
    const MANY: &'static str = "security_groups";
    const LABEL: &'static str = "Security group";
    type Object = SecurityGroup;
    type Row = api::SecurityGroup;

    fn id(group: &SecurityGroup) -> String {
        group.id.to_string()
    }

    fn name(group: &SecurityGroup) -> &str {
        &group.stamp.name
    }

    fn owner(group: &SecurityGroup) -> Option<&TenantId> {
        Some(&group.tenant)
    }

    fn is_shared(view: &View, group: &SecurityGroup) -> bool {
        view.is_shared(group.id)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<SecurityGroup>> {
        snapshot.security_group(&SecurityGroupId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, SecurityGroup> {
        if let Some(ids) = scope::ids(query) {
            let find = |id| view.snapshot.security_group(&SecurityGroupId(id));
            return Box::new(ids.into_iter().filter_map(find));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let own = view.snapshot.security_groups_of_tenant(&tenant).map(|group| group.id);
                let shared = view.shared(SharedKind::SecurityGroup).into_iter().map(SecurityGroupId);
                let ids: BTreeSet<SecurityGroupId> = own.chain(shared).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.security_group(&id)))
            }
            None => Box::new(view.snapshot.security_groups()),
        }
    }

    fn row(view: &View, group: &SecurityGroup) -> api::SecurityGroup {
        let stamp = &group.stamp;
        let rules = view.snapshot.rules_of(group.id);
        api::SecurityGroup {
            id: group.id.to_string(),
            name: stamp.name.clone(),
            tenant_id: group.tenant.to_string(),
            project_id: group.tenant.to_string(),
            description: stamp.description.clone(),
            stateful: group.tracking == Tracking::Stateful,
            shared: view.is_shared(group.id),
            security_group_rules: rules.map(|rule| SecurityRules::row(view, rule)).collect(),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
        }
    }
}

impl Writable for SecurityGroups {
    fn read_new(fields: &mut Fields, caller: &Caller) -> Option<Intent> {
        let new = NewSecurityGroup {
            id: SecurityGroupId(Uuid::new_v4()),
            tenant: read_owner_or_own(fields, caller),
            labels: read_labels(fields),
            tracking: read_tracking(fields).unwrap_or(Tracking::Stateful),
            rule_ids: [(); 2].map(|()| SecurityRuleId(Uuid::new_v4())),
        };
        fields.only("shared", &[json!(false)]);
        Some(Intent::CreateSecurityGroup(new))
    }

    fn read_patch(fields: &mut Fields, group: &SecurityGroup, if_number: Option<u64>) -> Intent {
        let labels = read_labels_patch(fields);
        let patch = SecurityGroupPatch { if_number, labels, tracking: read_tracking(fields) };
        fields.only("shared", &[json!(false)]);
        Intent::UpdateSecurityGroup(group.id, patch)
    }

    fn deletion(group: &SecurityGroup, if_number: Option<u64>) -> Intent {
        Intent::DeleteSecurityGroup(group.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::SecurityGroup(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

fn read_tracking(fields: &mut Fields) -> Option<Tracking> {
    let stateful = fields.flag("stateful")?;
    Some(if stateful { Tracking::Stateful } else { Tracking::Stateless })
}

/// The whole new set of tags.
pub(super) fn retag(group: &SecurityGroup, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    let patch = SecurityGroupPatch { if_number, labels, ..SecurityGroupPatch::default() };
    Intent::UpdateSecurityGroup(group.id, patch)
}

/// Lists security groups.
#[utoipa::path(get, path = "/v2.0/security-groups", tag = "security groups", operation_id = "list_security_groups",
    params(super::document::ListParameters),
    responses((status = 200, body = api::SecurityGroupList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<SecurityGroups>(call).await
}

/// Creates a security group, or many, all or none of them, in the envelope `{"security_groups": [...]}`.
#[utoipa::path(post, path = "/v2.0/security-groups", tag = "security groups", operation_id = "create_security_group",
    request_body = super::document::NewSecurityGroupBody,
    responses((status = 201, body = api::SecurityGroupEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<SecurityGroups>(call, body).await
}

/// Shows a security group with its rules.
#[utoipa::path(get, path = "/v2.0/security-groups/{id}", tag = "security groups", operation_id = "show_security_group",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::SecurityGroupEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<SecurityGroups>(&call, &id)
}

/// Changes a security group. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/security-groups/{id}", tag = "security groups",
    operation_id = "update_security_group", params(("id" = String, Path, description = "Its UUID")),
    request_body = super::document::SecurityGroupBody,
    responses((status = 200, body = api::SecurityGroupEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<SecurityGroups>(call, &id, body).await
}

/// Deletes a security group that no port wears, its rules, and the rules that name it.
#[utoipa::path(delete, path = "/v2.0/security-groups/{id}", tag = "security groups",
    operation_id = "delete_security_group", params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<SecurityGroups>(call, &id).await
}
