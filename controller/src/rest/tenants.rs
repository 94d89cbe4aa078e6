//! `/v1/tenants`: the owners of networks. Everybody sees their own; administrators see and change all.

use std::sync::Arc;

use axum::extract::Path;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, LabelsPatch, NewTenant, TenantPatch};
use weft_model::{Key, Snapshot, Tenant, TenantId};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable, visible};
use super::labels::{read_labels, read_tags};
use super::page;
use super::query::ListQuery;
use crate::clock;

/// Tenants as a kind of object.
pub(super) struct Tenants;

impl Kind for Tenants {
    const ONE: &'static str = "tenant";
    const MANY: &'static str = "tenants";
    const LABEL: &'static str = "Tenant";
    type Object = Tenant;
    type Row = api::Tenant;

    fn id(tenant: &Tenant) -> String {
        tenant.id.to_string()
    }

    fn name(tenant: &Tenant) -> &str {
        &tenant.stamp.name
    }

    fn owner(tenant: &Tenant) -> Option<&TenantId> {
        Some(&tenant.id)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Tenant>> {
        snapshot.tenant(&id.parse().ok()?)
    }

    fn candidates<'a>(view: &'a View, _: &ListQuery) -> Candidates<'a, Tenant> {
        match view.caller.tenant() {
            Some(own) => Box::new(view.snapshot.tenant(own).into_iter()),
            None => Box::new(view.snapshot.tenants()),
        }
    }

    fn row(_: &View, tenant: &Tenant) -> api::Tenant {
        let stamp = &tenant.stamp;
        api::Tenant {
            id: tenant.id.to_string(),
            name: stamp.name.clone(),
            description: stamp.description.clone(),
            enabled: tenant.enabled,
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
        }
    }
}

impl Writable for Tenants {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let rule = "must be 1 to 64 characters of A-Z a-z 0-9 - _ . :";
        let given = fields.parsed_or_null::<TenantId>("id", rule);
        let drawn = || Uuid::new_v4().simple().to_string().parse().ok();
        let labels = read_labels(fields);
        let enabled = fields.flag("enabled").unwrap_or(true);
        Some(Intent::CreateTenant(NewTenant { id: given.flatten().or_else(drawn)?, labels, enabled }))
    }

    fn read_patch(fields: &mut Fields, tenant: &Tenant, if_number: Option<u64>) -> Intent {
        let labels = LabelsPatch {
            name: fields.text("name"),
            description: fields.text("description"),
            tags: read_tags(fields),
        };
        let patch = TenantPatch { if_number, labels, enabled: fields.flag("enabled") };
        Intent::UpdateTenant(tenant.id.clone(), patch)
    }

    fn deletion(tenant: &Tenant, if_number: Option<u64>) -> Intent {
        Intent::DeleteTenant(tenant.id.clone(), if_number)
    }

    fn follow_up(intent: &Intent) -> Option<Intent> {
        match intent {
            Intent::CreateTenant(new) => Some(Intent::EnsureDefaultGroup(new.id.clone())),
            _ => None,
        }
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::Tenant(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

/// A tenant that the caller may see, for what lies below its address.
pub(super) fn found(call: &Call, id: &str) -> Result<TenantId, Failure> {
    let tenant = visible::<Tenants>(&call.view, id).ok_or_else(|| Failure::not_found("Tenant", id))?;
    Ok(tenant.id.clone())
}

/// Lists tenants.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", operation_id = "list_tenants",
    params(super::document::ListParameters),
    responses((status = 200, body = api::TenantList),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<Tenants>(call).await
}

/// Creates a tenant. Administrators only.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", operation_id = "create_tenant",
    request_body = super::document::NewTenantBody,
    responses((status = 201, body = api::TenantEnvelope),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    call.caller().must_be_admin("create_tenant")?;
    kind::create::<Tenants>(call, body).await
}

/// Shows a tenant.
#[utoipa::path(get, path = "/v1/tenants/{id}", tag = "tenants", operation_id = "show_tenant",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = api::TenantEnvelope),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<Tenants>(&call, &id)
}

/// Changes a tenant. Administrators only. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v1/tenants/{id}", tag = "tenants", operation_id = "update_tenant",
    params(("id" = String, Path, description = "The tenant's id")),
    request_body = super::document::TenantBody,
    responses((status = 200, body = api::TenantEnvelope),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    found(&call, &id)?;
    call.caller().must_be_admin("update_tenant")?;
    kind::update::<Tenants>(call, &id, body).await
}

/// Deletes a tenant that owns nothing, and its tokens. Administrators only.
#[utoipa::path(delete, path = "/v1/tenants/{id}", tag = "tenants", operation_id = "delete_tenant",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 204),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    found(&call, &id)?;
    call.caller().must_be_admin("delete_tenant")?;
    kind::delete::<Tenants>(call, &id).await
}
