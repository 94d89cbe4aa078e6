//! `/v3/users`: who can log in. Administrators see and change all; everybody sees itself and changes its own password.

use std::sync::Arc;

use axum::extract::Path;
use uuid::Uuid;
use weft_api::identity::{IdentityError, ProjectList, User as Row, UserEnvelope, UserList};
use weft_model::intent::{Intent, LabelsPatch, NewUser, PasswordChange, UserPatch};
use weft_model::{PasswordHash, TenantId, User};

use super::super::call::{Api, Body, Call, Reply, View};
use super::super::failure::Failure;
use super::super::fields::Fields;
use super::{
    DOMAIN, Identity, missing, opened, paged, passes, passes_domain, passes_flag, place, projects,
    read_harmless, read_password, settle,
};

/// Lists users. Administrators only.
#[utoipa::path(get, path = "/v3/users", tag = "identity", operation_id = "list_users",
    params(("name" = Option<String>, Query, description = "Only the user of that name"),
        ("enabled" = Option<bool>, Query, description = "Only those that are, or are not"),
        ("limit" = Option<u64>, Query, description = "Most of them in one answer"),
        ("marker" = Option<String>, Query, description = "The id of the last one of the page before")),
    responses((status = 200, body = UserList), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn list(call: Call) -> Result<Reply, Failure> {
    call.caller().must_be_admin("identity:list_users")?;
    let passes = |user: &User| {
        passes(&call, "name", &user.stamp.name)
            && passes_flag(&call, "enabled", user.enabled)
            && passes_domain(&call)
    };
    let matching = call.view.snapshot.users().filter(|user| passes(user));
    let (users, links) = paged(&call, matching.map(|user| (user.id.to_string(), shown(&call, user))))?;
    Ok(Reply::ok(call.view.snapshot.revision(), UserList { users, links }))
}

/// Creates a user. Administrators only.
#[utoipa::path(post, path = "/v3/users", tag = "identity", operation_id = "create_user",
    request_body = crate::rest::document::NewUserBody,
    responses((status = 201, body = UserEnvelope), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn create(
    call: Call,
    identity: Identity,
    Body(body): Body,
) -> Result<Reply, Failure> {
    call.caller().must_be_admin("identity:create_user")?;
    let mut fields = opened(body, "user")?;
    let id = Uuid::new_v4().simple().to_string().parse();
    let id = id.map_err(|_| Failure::malformed("no id"))?;
    let name = fields.text("name");
    let new = NewUser {
        id,
        name: name.clone().unwrap_or_default(),
        description: fields.text_or_null("description").flatten().unwrap_or_default(),
        email: fields.text_or_null("email").flatten().unwrap_or_default(),
        enabled: fields.flag("enabled").unwrap_or(true),
        password: None,
        default_tenant: read_project(&mut fields).flatten(),
    };
    let password = read_password(&mut fields, "password").flatten();
    read_harmless(&mut fields);
    settle(fields)?;
    if name.is_none() {
        return Err(missing("name"));
    }
    let new = NewUser { password: identity.hashed(password).await?, ..new };
    let id = new.id.clone();
    let (committed, view) = call.write(vec![Intent::CreateUser(new)]).await?;
    let user = view.snapshot.user(&id).ok_or_else(|| Failure::not_found("User", id.as_str()))?;
    Ok(Reply::created(committed.revision, UserEnvelope { user: shown(&call, user) }))
}

/// Shows a user.
#[utoipa::path(get, path = "/v3/users/{id}", tag = "identity", operation_id = "show_user",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, body = UserEnvelope), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let user = found(&call.view, &id)?;
    Ok(Reply::ok(call.view.snapshot.revision(), UserEnvelope { user: shown(&call, user) }))
}

/// Changes a user. Administrators only.
#[utoipa::path(patch, path = "/v3/users/{id}", tag = "identity", operation_id = "update_user",
    params(("id" = String, Path, description = "The user's id")),
    request_body = crate::rest::document::UserBody,
    responses((status = 200, body = UserEnvelope), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn update(
    call: Call,
    identity: Identity,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    let id = found(&call.view, &id)?.id.clone();
    call.caller().must_be_admin("identity:update_user")?;
    let mut fields = opened(body, "user")?;
    let labels = LabelsPatch {
        name: fields.text("name"),
        description: fields.text_or_null("description").map(Option::unwrap_or_default),
        tags: None,
    };
    let patch = UserPatch {
        labels,
        email: fields.text_or_null("email").map(Option::unwrap_or_default),
        enabled: fields.flag("enabled"),
        password: None,
        default_tenant: read_project(&mut fields),
    };
    let password = read_password(&mut fields, "password");
    read_harmless(&mut fields);
    settle(fields)?;
    let password = match password {
        Some(password) => Some(identity.hashed(password).await?),
        None => None,
    };
    let patch = UserPatch { password, ..patch };
    let (committed, view) = call.write(vec![Intent::UpdateUser(id.clone(), patch)]).await?;
    let user = view.snapshot.user(&id).ok_or_else(|| Failure::not_found("User", id.as_str()))?;
    Ok(Reply::ok(committed.revision, UserEnvelope { user: shown(&call, user) }))
}

/// Deletes a user, its roles, application credentials and tokens. Administrators only.
#[utoipa::path(delete, path = "/v3/users/{id}", tag = "identity", operation_id = "delete_user",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 204), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let id = found(&call.view, &id)?.id.clone();
    call.caller().must_be_admin("identity:delete_user")?;
    let (committed, _) = call.write(vec![Intent::DeleteUser(id)]).await?;
    Ok(Reply::nothing(committed.revision))
}

/// Changes one's own password; all tokens of the user end.
#[utoipa::path(post, path = "/v3/users/{id}/password", tag = "identity", operation_id = "change_password",
    params(("id" = String, Path, description = "The user's id")),
    request_body = crate::rest::document::PasswordBody,
    responses((status = 204), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn change_password(
    call: Call,
    identity: Identity,
    peer: super::proof::Peer,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    let user = found(&call.view, &id)?.clone();
    if call.caller().user.as_ref() != Some(&user.id) || call.caller().credential.is_some() {
        return Err(Failure::forbidden("identity:change_password"));
    }
    let mut fields = opened(body, "user")?;
    let becomes = read_password(&mut fields, "password").flatten();
    let was = fields.text("original_password");
    settle(fields)?;
    let (becomes, was) =
        (becomes.ok_or_else(|| missing("password"))?, was.ok_or_else(|| missing("original_password"))?);
    identity.check_own(&user, was, peer).await?;
    let Some(hash) = user.password.clone() else {
        return Err(Failure::forbidden("identity:change_password"));
    };
    let becomes = identity.passwords.hash(becomes).await?;
    let change = PasswordChange { was: hash, becomes };
    let (committed, _) = call.write_own(vec![Intent::ChangePassword(user.id.clone(), change)]).await?;
    Ok(Reply::nothing(committed.revision))
}

/// Lists the projects that a user may act for.
#[utoipa::path(get, path = "/v3/users/{id}/projects", tag = "identity", operation_id = "list_user_projects",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, body = ProjectList), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn projects(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let user = found(&call.view, &id)?;
    let snapshot = &call.view.snapshot;
    let tenants = snapshot.assignments_of(&user.id).filter_map(|a| snapshot.tenant(&a.tenant));
    let tenants = tenants.filter(|tenant| passes(&call, "name", &tenant.stamp.name));
    let (projects, links) = paged(&call, tenants.map(|tenant| projects::entry(&call, tenant)))?;
    Ok(Reply::ok(snapshot.revision(), ProjectList { projects, links }))
}

/// A user that the caller may see.
pub(super) fn found<'a>(view: &'a View, id: &str) -> Result<&'a Arc<User>, Failure> {
    let user = id.parse().ok().and_then(|id| view.snapshot.user(&id));
    let seen = user.filter(|user| view.caller.is_or_rules(&user.id));
    seen.ok_or_else(|| Failure::not_found("User", id))
}

impl Identity {
    async fn hashed(&self, password: Option<String>) -> Result<Option<PasswordHash>, Failure> {
        match password {
            Some(password) => Ok(Some(self.passwords.hash(password).await?)),
            None => Ok(None),
        }
    }
}

impl axum::extract::FromRequestParts<Api> for Identity {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        _: &mut axum::http::request::Parts,
        api: &Api,
    ) -> Result<Identity, Self::Rejection> {
        Ok(api.identity.clone())
    }
}

fn read_project(fields: &mut Fields) -> Option<Option<TenantId>> {
    fields.parsed_or_null::<TenantId>("default_project_id", "must be the id of a project")
}

fn shown(call: &Call, user: &User) -> Row {
    Row {
        id: user.id.to_string(),
        name: user.stamp.name.clone(),
        description: user.stamp.description.clone(),
        email: user.email.clone(),
        enabled: user.enabled,
        domain_id: DOMAIN.into(),
        default_project_id: user.default_tenant.as_ref().map(ToString::to_string),
        password_expires_at: None,
        options: serde_json::Map::new(),
        links: place(call, &format!("users/{}", user.id)),
    }
}
