//! `/v3/users/{id}/application_credentials`: what programs show to act in a user's name for one project.

use axum::extract::Path;
use serde_json::{Map, Value};
use uuid::Uuid;
use weft_api::identity::{
    AppCredential as Row, AppCredentialEnvelope, AppCredentialList, IdentityError, ListLinks,
};
use weft_model::intent::{Intent, NewAppCredential};
use weft_model::{
    AppCredential, AppCredentialId, CredentialReach, CredentialSecret, Role, TenantId, Timestamp, UserId,
};

use super::super::call::{Body, Call, Reply};
use super::super::failure::Failure;
use super::super::fields::Fields;
use super::super::scope;
use super::roles;
use super::{Identity, missing, opened, passes, place, read_password, settle, users};
use crate::clock;
use crate::first_token;

/// Lists a user's application credentials, without their secrets.
#[utoipa::path(get, path = "/v3/users/{id}/application_credentials", tag = "identity",
    operation_id = "list_application_credentials",
    params(("id" = String, Path, description = "The user's id"),
        ("name" = Option<String>, Query, description = "Only the one of that name")),
    responses((status = 200, body = AppCredentialList), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn list(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let user = users::found(&call.view, &id)?;
    let all = call.view.snapshot.app_credentials_of(&user.id);
    let matching = all.filter(|credential| passes(&call, "name", &credential.name));
    let application_credentials = matching.map(|credential| shown(&call, credential)).collect();
    let links = ListLinks { this: call.address.clone(), ..ListLinks::default() };
    let list = AppCredentialList { application_credentials, links };
    Ok(Reply::ok(call.view.snapshot.revision(), list))
}

/// Makes an application credential for the project that the token speaks for. By the user itself only; the answer has the
/// secret, which is shown this once.
#[utoipa::path(post, path = "/v3/users/{id}/application_credentials", tag = "identity",
    operation_id = "create_application_credential",
    params(("id" = String, Path, description = "The user's id")),
    request_body = crate::rest::document::NewAppCredentialBody,
    responses((status = 201, body = AppCredentialEnvelope), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn create(
    call: Call,
    identity: Identity,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    let rule = "identity:create_application_credential";
    let user = users::found(&call.view, &id)?.id.clone();
    let caller = call.caller();
    let (tenant, most) = match (&caller.project, caller.plain_role()) {
        (Some(tenant), Some(role)) if caller.user.as_ref() == Some(&user) => (tenant.clone(), role),
        _ => return Err(Failure::forbidden(rule)),
    };
    caller.must_reach_credentials(&call.view.snapshot, rule)?;
    let (asked, secret) = read(opened(body, "application_credential")?, most)?;
    if asked.role > most {
        return Err(Failure::forbidden(rule));
    }
    let (secret, kept) = match secret {
        Some(secret) => {
            let hash = identity.passwords.hash(secret.clone()).await?;
            (secret, CredentialSecret::Chosen(hash))
        }
        None => {
            let secret = first_token::draw_secret().map_err(|_| Failure::no_entropy())?;
            let digest = first_token::digest(&secret);
            (secret, CredentialSecret::Drawn(digest))
        }
    };
    let id = AppCredentialId(Uuid::new_v4());
    let new = asked.named(id, (user, tenant), kept);
    let (committed, view) = call.write_own(vec![Intent::CreateAppCredential(new)]).await?;
    let made = view.snapshot.app_credential(&id);
    let made = made.ok_or_else(|| Failure::not_found(LABEL, &id.to_string()))?;
    let application_credential = Row { secret: Some(secret), ..shown(&call, made) };
    Ok(Reply::created(committed.revision, AppCredentialEnvelope { application_credential }))
}

/// Shows an application credential, without its secret.
#[utoipa::path(get, path = "/v3/users/{id}/application_credentials/{credential}", tag = "identity",
    operation_id = "show_application_credential",
    params(("id" = String, Path, description = "The user's id"),
        ("credential" = String, Path, description = "The application credential's id")),
    responses((status = 200, body = AppCredentialEnvelope), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn show(
    call: Call,
    Path((id, credential)): Path<(String, String)>,
) -> Result<Reply, Failure> {
    let application_credential = shown(&call, found(&call, &id, &credential)?);
    let envelope = AppCredentialEnvelope { application_credential };
    Ok(Reply::ok(call.view.snapshot.revision(), envelope))
}

/// Deletes an application credential; tokens that it was shown for end.
#[utoipa::path(delete, path = "/v3/users/{id}/application_credentials/{credential}", tag = "identity",
    operation_id = "delete_application_credential",
    params(("id" = String, Path, description = "The user's id"),
        ("credential" = String, Path, description = "The application credential's id")),
    responses((status = 204), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn delete(
    call: Call,
    Path((id, credential)): Path<(String, String)>,
) -> Result<Reply, Failure> {
    let found = found(&call, &id, &credential)?.id;
    let rule = "identity:delete_application_credential";
    call.caller().must_reach_credentials(&call.view.snapshot, rule)?;
    let intents = vec![Intent::DeleteAppCredential(found)];
    let written =
        if call.caller().is_admin() { call.write(intents).await } else { call.write_own(intents).await };
    Ok(Reply::nothing(written?.0.revision))
}

const LABEL: &str = "Application credential";

fn found<'a>(call: &'a Call, user: &str, id: &str) -> Result<&'a AppCredential, Failure> {
    let user = &users::found(&call.view, user)?.id;
    let found = scope::uuid(id).and_then(|id| call.view.snapshot.app_credential(&AppCredentialId(id)));
    let found = found.filter(|credential| credential.user == *user);
    found.map(|credential| &**credential).ok_or_else(|| Failure::not_found(LABEL, id))
}

/// What is asked for, but for whom.
struct Asked {
    name: String,
    description: String,
    role: Role,
    reach: CredentialReach,
    expires: Option<Timestamp>,
}

impl Asked {
    fn named(
        self,
        id: AppCredentialId,
        (user, tenant): (UserId, TenantId),
        secret: CredentialSecret,
    ) -> NewAppCredential {
        let Asked { name, description, role, reach, expires } = self;
        NewAppCredential { id, user, tenant, role, name, description, secret, reach, expires }
    }
}

fn read(mut fields: Fields, most: Role) -> Result<(Asked, Option<String>), Failure> {
    let name = fields.text("name");
    let description = fields.text_or_null("description").flatten().unwrap_or_default();
    let secret = read_password(&mut fields, "secret").flatten();
    let role = read_roles(&mut fields).unwrap_or(most);
    let reach = match fields.flag("unrestricted") {
        Some(true) => CredentialReach::Unrestricted,
        _ => CredentialReach::Restricted,
    };
    let expires = read_end(&mut fields);
    fields.only("access_rules", &[Value::Array(Vec::new())]);
    fields.only("options", &[Value::Object(Map::new())]);
    settle(fields)?;
    let name = name.ok_or_else(|| missing("name"))?;
    Ok((Asked { name, description, role, reach, expires }, secret))
}

/// The strongest of the roles that are asked for, which includes all others.
fn read_roles(fields: &mut Fields) -> Option<Role> {
    let roles = fields.objects("roles", |role| {
        let (id, name) = (role.word("id"), role.word("name"));
        role.only("domain_id", &[]);
        let found = name.or(id).as_deref().and_then(Role::from_name);
        if found.is_none() {
            role.fault("name", "must be admin, member or reader");
        }
        found
    });
    roles?.into_iter().max()
}

/// A time to come, in UTC where it does not say.
fn read_end(fields: &mut Fields) -> Option<Timestamp> {
    let text = fields.text_or_null("expires_at").flatten()?;
    let end = clock::parse(&text).or_else(|| clock::parse(&format!("{text}Z")));
    if end.is_none_or(|end| end <= clock::now()) {
        fields.fault("expires_at", "must be a time to come, like 2030-01-31T12:00:00Z");
    }
    end
}

fn shown(call: &Call, credential: &AppCredential) -> Row {
    let tail = format!("users/{}/application_credentials/{}", credential.user, credential.id);
    Row {
        id: credential.id.to_string(),
        name: credential.name.clone(),
        description: credential.description.clone(),
        secret: None,
        user_id: credential.user.to_string(),
        project_id: credential.tenant.to_string(),
        roles: credential.role.with_included().map(|role| roles::shown(call, role)).collect(),
        expires_at: credential.expires.map(clock::text),
        unrestricted: credential.reach == CredentialReach::Unrestricted,
        system: None,
        links: place(call, &tail),
    }
}
