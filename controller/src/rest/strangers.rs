//! Callers whose tokens another issuer made.

use axum::http::{HeaderMap, StatusCode};
use tracing::warn;
use weft_model::intent::{Actor, Intent, Labels, NewTenant, Rejected};

use super::caller::{Caller, secret};
use super::failure::Failure;
use super::frame::Origin;
use crate::audit::Author;
use crate::desk::{Desk, WriteError};
use crate::issuer::{Holder, Issuer, IssuerError};

/// The caller that holds a token of the issuer. Its project is made a tenant if it is none yet.
pub(super) async fn caller(
    desk: &Desk,
    issuer: &Issuer,
    (secret, origin): (&str, &Origin),
) -> Result<Caller, Failure> {
    let asked = issuer.holder(secret).await.map_err(|error| {
        warn!(error = &error as &dyn std::error::Error, "a token could not be validated");
        let message = format!("The token cannot be validated now: {} does not answer.", issuer.name());
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    });
    let holder = asked?.ok_or_else(Caller::refused)?;
    let caller = of_holder(&holder).ok_or_else(|| Failure::forbidden("project_reader"))?;
    ensure_tenant(desk, (&holder, issuer), caller.author(origin)).await?;
    Ok(caller)
}

/// True if the token that a caller showed still stands for that caller, as far as the issuer goes.
pub(super) async fn still_holds(
    issuer: &Issuer,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<bool, IssuerError> {
    let Some(secret) = secret(headers) else { return Ok(false) };
    let holder = issuer.holder(secret).await?;
    Ok(holder.as_ref().and_then(of_holder).as_ref() == Some(caller))
}

/// Who that is here; nobody without a role that we know.
fn of_holder(holder: &Holder) -> Option<Caller> {
    let caller = Caller::in_project(holder.role?, holder.project.clone());
    Some(Caller { user: Some(holder.user.clone()), ..caller })
}

async fn ensure_tenant(
    desk: &Desk,
    (holder, issuer): (&Holder, &Issuer),
    author: Author,
) -> Result<(), Failure> {
    let (id, name) = (holder.project.clone(), holder.project_name.clone());
    match desk.snapshot().tenant(&id) {
        Some(tenant) if tenant.enabled => return Ok(()),
        Some(_) => return Err(Caller::refused()),
        None => {}
    }
    let labels = Labels { name, description: format!("a project of {}", issuer.name()), ..Labels::default() };
    let group = Intent::EnsureDefaultGroup(id.clone());
    let new = Intent::CreateTenant(NewTenant { id, labels, enabled: true });
    match desk.write_for(author, Actor::Admin, vec![new, group]).await {
        Ok(_) => Ok(()),
        // Another request of the same project was faster.
        Err(WriteError::RejectedPart { rejected: Rejected::AlreadyExists { .. }, .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
