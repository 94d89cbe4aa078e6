//! `/v1/tenants/{id}/tokens`: what speaks for a tenant. Administrators only.

use axum::extract::Path;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, NewToken};
use weft_model::{TenantId, Timestamp, Token, TokenId, TokenRole};

use super::call::{Body, Call, Reply};
use super::caller::role_name;
use super::failure::Failure;
use super::fields::Fields;
use super::{kind, scope, tenants};
use crate::clock;
use crate::first_token;

/// Lists a tenant's tokens, without their secrets.
#[utoipa::path(get, path = "/v1/tenants/{id}/tokens", tag = "tokens", operation_id = "list_tokens",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = api::TokenList),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn list(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let tenant = tenants::found(&call, &id)?;
    call.caller().must_be_admin("get_token")?;
    let snapshot = &call.view.snapshot;
    let own = snapshot.tokens().filter(|token| owner(token) == Some(&tenant));
    let tokens = own.map(|token| shown(token)).collect();
    Ok(Reply::ok(snapshot.revision(), api::TokenList { tokens }))
}

/// Makes a token. The answer has the secret, which is shown this once and never stored.
#[utoipa::path(post, path = "/v1/tenants/{id}/tokens", tag = "tokens", operation_id = "create_token",
    params(("id" = String, Path, description = "The tenant's id")),
    request_body = super::document::NewTokenBody,
    responses((status = 201, body = api::Token),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn create(
    call: Call,
    Path(id): Path<String>,
    Body(mut body): Body,
) -> Result<Reply, Failure> {
    let tenant = tenants::found(&call, &id)?;
    call.caller().must_be_admin("create_token")?;
    let values = kind::member(&mut body, "token")?;
    let asked = read(Fields::new("", values), &tenant)?;
    let secret = first_token::draw_secret().map_err(|_| Failure::no_entropy())?;
    let token = TokenId(Uuid::new_v4());
    let digest = first_token::digest(&secret);
    let new = NewToken {
        id: token,
        digest,
        role: asked.role,
        description: asked.description,
        expires: asked.expires,
        session: None,
    };
    let (committed, view) = call.write(vec![Intent::CreateToken(new)]).await?;
    let made = view.snapshot.token(&token).ok_or_else(|| Failure::not_found("Token", &token.to_string()))?;
    Ok(Reply::created(committed.revision, api::Token { token: Some(secret), ..shown(made) }))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/v1/tenants/{id}/tokens/{token}", tag = "tokens", operation_id = "delete_token",
    params(("id" = String, Path, description = "The tenant's id"),
        ("token" = String, Path, description = "The token's id")),
    responses((status = 204),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn delete(call: Call, Path((id, token)): Path<(String, String)>) -> Result<Reply, Failure> {
    let tenant = tenants::found(&call, &id)?;
    call.caller().must_be_admin("delete_token")?;
    let found = scope::uuid(&token).and_then(|token| call.view.snapshot.token(&TokenId(token)));
    let found = found.filter(|token| owner(token) == Some(&tenant)).map(|token| token.id);
    let found = found.ok_or_else(|| Failure::not_found("Token", &token))?;
    let (committed, _) = call.write(vec![Intent::DeleteToken(found)]).await?;
    Ok(Reply::nothing(committed.revision))
}

struct Asked {
    role: TokenRole,
    description: String,
    expires: Option<Timestamp>,
}

fn read(mut fields: Fields, tenant: &TenantId) -> Result<Asked, Failure> {
    let role = match fields.text("role").as_deref() {
        None | Some("member") => TokenRole::Member(tenant.clone()),
        Some("reader") => TokenRole::Reader(tenant.clone()),
        Some(_) => {
            fields.fault("role", "must be member or reader");
            TokenRole::Reader(tenant.clone())
        }
    };
    let description = fields.text("description").unwrap_or_default();
    let text = fields.text_or_null("expires_at").flatten();
    let expires = text.as_deref().and_then(clock::parse);
    if text.is_some() && expires.is_none_or(|expires| expires <= clock::now()) {
        fields.fault("expires_at", "must be a time to come, like 2030-01-31T12:00:00Z");
    }
    let (mut faults, unknown) = fields.settle(|_| false);
    faults.extend(unknown);
    if faults.is_empty() { Ok(Asked { role, description, expires }) } else { Err(Failure::invalid(faults)) }
}

/// The tenant of a token that was made for one. Tokens that users got by logging in are theirs and not listed here.
fn owner(token: &Token) -> Option<&TenantId> {
    token.role.tenant().filter(|_| token.session.is_none())
}

fn shown(token: &Token) -> api::Token {
    api::Token {
        id: token.id.to_string(),
        token: None,
        tenant_id: owner(token).map(ToString::to_string),
        role: role_name(&token.role).to_owned(),
        description: token.description.clone(),
        created_at: clock::text(token.created),
        expires_at: token.expires.map(clock::text),
    }
}
