//! `/v3/projects`: tenants in the words of the Identity API.

use axum::extract::Path;
use uuid::Uuid;
use weft_api::identity::{IdentityError, Project, ProjectEnvelope, ProjectList};
use weft_model::intent::{Intent, LabelsPatch, NewTenant, TenantPatch};
use weft_model::{Key, Tenant};

use super::super::call::{Body, Call, Reply, View};
use super::super::failure::Failure;
use super::super::fields::Fields;
use super::super::labels::{read_labels, read_tags};
use super::{
    DOMAIN, missing, opened, paged, passes, passes_domain, passes_flag, place, read_harmless, settle, taken,
};

/// Lists projects: administrators see all, others those that they may act for.
#[utoipa::path(get, path = "/v3/projects", tag = "identity", operation_id = "list_projects",
    params(("name" = Option<String>, Query, description = "Only tenants of that name"),
        ("enabled" = Option<bool>, Query, description = "Only those that are, or are not"),
        ("limit" = Option<u64>, Query, description = "Most of them in one answer"),
        ("marker" = Option<String>, Query, description = "The id of the last one of the page before")),
    responses((status = 200, body = ProjectList), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn list(call: Call) -> Result<Reply, Failure> {
    let passes = |tenant: &Tenant| {
        passes(&call, "name", &tenant.stamp.name)
            && passes_flag(&call, "enabled", tenant.enabled)
            && passes_domain(&call)
            && passes(&call, "parent_id", DOMAIN)
            && passes_flag(&call, "is_domain", false)
    };
    let seen = call.view.snapshot.tenants().filter(|tenant| is_seen(&call.view, tenant) && passes(tenant));
    let (projects, links) = paged(&call, seen.map(|tenant| entry(&call, tenant)))?;
    Ok(Reply::ok(call.view.snapshot.revision(), ProjectList { projects, links }))
}

/// Creates a project. Administrators only.
#[utoipa::path(post, path = "/v3/projects", tag = "identity", operation_id = "create_project",
    request_body = crate::rest::document::NewProjectBody,
    responses((status = 201, body = ProjectEnvelope), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn create(call: Call, Body(body): Body) -> Result<Reply, Failure> {
    call.caller().must_be_admin("identity:create_project")?;
    let mut fields = opened(body, "project")?;
    let id = Uuid::new_v4().simple().to_string().parse();
    let id = id.map_err(|_| Failure::malformed("no id"))?;
    read_place(&mut fields);
    let labels = read_labels(&mut fields);
    let enabled = fields.flag("enabled").unwrap_or(true);
    settle(fields)?;
    if labels.name.trim().is_empty() {
        return Err(missing("name"));
    }
    check_name(&call, &labels.name, None)?;
    let new = NewTenant { id, labels, enabled };
    let group = Intent::EnsureDefaultGroup(new.id.clone());
    let (committed, view) = call.write(vec![Intent::CreateTenant(new), group]).await?;
    let tenant = committed.touched.iter().find_map(|key| match key {
        Key::Tenant(id) => view.snapshot.tenant(id),
        _ => None,
    });
    let tenant = tenant.ok_or_else(|| Failure::not_found("Project", "just created"))?;
    Ok(Reply::created(committed.revision, ProjectEnvelope { project: shown(&call, tenant) }))
}

/// Shows a project.
#[utoipa::path(get, path = "/v3/projects/{id}", tag = "identity", operation_id = "show_project",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = ProjectEnvelope), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let tenant = found(&call.view, &id)?;
    Ok(Reply::ok(call.view.snapshot.revision(), ProjectEnvelope { project: shown(&call, tenant) }))
}

/// Changes a project. Administrators only.
#[utoipa::path(patch, path = "/v3/projects/{id}", tag = "identity", operation_id = "update_project",
    params(("id" = String, Path, description = "The tenant's id")),
    request_body = crate::rest::document::ProjectBody,
    responses((status = 200, body = ProjectEnvelope), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn update(
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    let id = found(&call.view, &id)?.id.clone();
    call.caller().must_be_admin("identity:update_project")?;
    let mut fields = opened(body, "project")?;
    read_place(&mut fields);
    let labels = LabelsPatch {
        name: fields.text("name"),
        description: fields.text("description"),
        tags: read_tags(&mut fields),
    };
    let patch = TenantPatch { if_number: call.if_number, labels, enabled: fields.flag("enabled") };
    settle(fields)?;
    if let Some(name) = &patch.labels.name {
        check_name(&call, name, Some(id.as_str()))?;
    }
    let (committed, view) = call.write(vec![Intent::UpdateTenant(id.clone(), patch)]).await?;
    let tenant = view.snapshot.tenant(&id).ok_or_else(|| Failure::not_found("Project", id.as_str()))?;
    Ok(Reply::ok(committed.revision, ProjectEnvelope { project: shown(&call, tenant) }))
}

/// Deletes a project that owns nothing, with its tokens and with what users may do in it. Administrators only.
#[utoipa::path(delete, path = "/v3/projects/{id}", tag = "identity", operation_id = "delete_project",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 204), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let id = found(&call.view, &id)?.id.clone();
    call.caller().must_be_admin("identity:delete_project")?;
    let (committed, _) = call.write(vec![Intent::DeleteTenant(id, call.if_number)]).await?;
    Ok(Reply::nothing(committed.revision))
}

/// A project's id, and how it is shown.
pub(super) fn entry(call: &Call, tenant: &Tenant) -> (String, Project) {
    (tenant.id.to_string(), shown(call, tenant))
}

/// A project that the caller may see.
pub(super) fn found<'a>(view: &'a View, id: &str) -> Result<&'a Tenant, Failure> {
    let tenant = id.parse().ok().and_then(|id| view.snapshot.tenant(&id));
    let seen = tenant.filter(|tenant| is_seen(view, tenant));
    seen.map(|tenant| &**tenant).ok_or_else(|| Failure::not_found("Project", id))
}

/// Everybody sees the tenants that they act for or could act for.
fn is_seen(view: &View, tenant: &Tenant) -> bool {
    let caller = &view.caller;
    let could = caller.user.as_ref().is_some_and(|user| view.snapshot.assignment(user, &tenant.id).is_some());
    caller.sees(&tenant.id) || could
}

/// Names of tenants need not be unique, but whoever comes this way relies on it.
fn check_name(call: &Call, name: &str, own: Option<&str>) -> Result<(), Failure> {
    let mut others = call.view.snapshot.tenants().filter(|tenant| own != Some(tenant.id.as_str()));
    if others.any(|tenant| tenant.stamp.name == name) { Err(taken("project", name)) } else { Ok(()) }
}

fn read_place(fields: &mut Fields) {
    read_harmless(fields);
    fields.only("parent_id", &[DOMAIN.into()]);
    fields.only("is_domain", &[false.into()]);
}

fn shown(call: &Call, tenant: &Tenant) -> Project {
    Project {
        id: tenant.id.to_string(),
        name: tenant.stamp.name.clone(),
        description: tenant.stamp.description.clone(),
        enabled: tenant.enabled,
        domain_id: DOMAIN.into(),
        is_domain: false,
        parent_id: DOMAIN.into(),
        tags: tenant.stamp.tags.iter().cloned().collect(),
        options: serde_json::Map::new(),
        links: place(call, &format!("projects/{}", tenant.id)),
    }
}
