//! `/v1/apply`: makes a tenant's objects what a file says they are, all of it or nothing, in one transaction.
//!
//! Names become ids here ([`names`]), entries become what the planner knows ([`read`]); what has to be done then is
//! decided by `weft_model::intent::desired`, which is pure.

mod names;
mod read;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::desired::{Difference, Prune, Unchangeable, difference};
use weft_model::intent::{Fault, Intent};
use weft_model::{Key, TenantId};

use super::call::{Body, Call, Reply, View};
use super::failure::Failure;
use super::told::{Told, told};
use read::{Asked, Sheet};

/// Files are applied one at a time: two of the same name would make everything twice.
static TURN: Mutex<()> = Mutex::const_new(());
/// How often it is tried when somebody else changes the same objects meanwhile.
const TRIES: usize = 5;
/// Most steps of one request.
const STEPS: usize = 2000;

/// Makes a tenant's objects what is said of them, all of it or nothing, and answers what was done; with
/// `dry_run=true`, what would be done. Nothing is deleted without `prune`. A second time nothing is done.
#[utoipa::path(post, path = "/v1/apply", tag = "progress", operation_id = "apply",
    request_body = super::document::ApplyBody,
    responses((status = 200, body = api::PlanEnvelope),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn apply(mut call: Call, Body(mut body): Body) -> Result<Reply, Failure> {
    call.caller().may_write("apply")?;
    let Some(Value::Object(values)) = body.shift_remove("apply") else {
        return Err(Failure::malformed("Unable to find 'apply' in request body"));
    };
    if let Some(other) = body.keys().next() {
        let other: String = other.chars().take(80).collect();
        return Err(Failure::field(&other, "does not belong beside apply"));
    }
    let _turn = TURN.lock().await;
    for attempt in 1.. {
        call.refresh();
        match try_once(&call, values.clone()).await {
            Err(failure) if failure.status == StatusCode::PRECONDITION_FAILED && attempt < TRIES => {}
            done => return done,
        }
    }
    unreachable!("the last try returns")
}

async fn try_once(call: &Call, values: Map<String, Value>) -> Result<Reply, Failure> {
    let Asked { desired, prune, places } = Sheet::read(values, &call.view)?;
    let prune = if prune { Prune::Yes } else { Prune::No };
    let found = difference(&call.view.snapshot, &desired, prune, call.settings());
    let Difference { steps, left } = found.map_err(|stuck| refused(&stuck, &places))?;
    if steps.len() > STEPS {
        let message = format!("The file asks for {} steps; the most is {STEPS}.", steps.len());
        return Err(Failure::new(StatusCode::BAD_REQUEST, "TooManySteps", message));
    }
    let about: Vec<Uuid> = steps.iter().map(|step| step.about).collect();
    let intents: Vec<Intent> = steps.into_iter().map(|step| step.intent).collect();
    let place = |failure: Failure| placed(failure, &about, &places);
    let mut plan = call.plan(&intents).await.map_err(place)?;
    plan.left = left.iter().filter_map(|key| left_over(&call.view, key)).collect();
    if !call.is_dry() && plan.objects_total > 0 {
        let (committed, _) = call.write(intents).await.map_err(place)?;
        plan.revision = committed.revision.0;
    }
    Ok(Reply::ok(weft_model::Revision(plan.revision), json!({ "plan": plan })))
}

fn left_over(view: &View, key: &Key) -> Option<api::LeftObject> {
    let Told { kind, id, row, .. } = told(view, &view.snapshot.record(key)?)?;
    let name = row.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(api::LeftObject { kind: kind.to_owned(), id, name })
}

/// What cannot become what the file says, by its place in the file.
fn refused(stuck: &[Unchangeable], places: &BTreeMap<Uuid, String>) -> Failure {
    let fault = |one: &Unchangeable| {
        let place = places.get(&one.about).cloned().unwrap_or_else(|| one.about.to_string());
        let reason = format!(
            "cannot be changed, it is {:?}: take the object out of the file, apply with prune, and put it back",
            one.is
        );
        Fault { path: format!("{place}.{}", one.field), reason }
    };
    Failure::invalid(stuck.iter().map(fault).collect())
}

/// Says at which place of the file a refusal is at home.
fn placed(mut failure: Failure, about: &[Uuid], places: &BTreeMap<Uuid, String>) -> Failure {
    let position = failure.position.or((about.len() == 1).then_some(0));
    let place = position.and_then(|position| places.get(about.get(position)?));
    let Some(place) = place.filter(|_| failure.planned.is_none()) else { return failure };
    if failure.errors.is_empty() {
        failure.errors.push(api::FieldError { field: place.clone(), reason: failure.message.clone() });
    } else {
        for error in &mut failure.errors {
            error.field = format!("{place}.{}", error.field);
        }
    }
    failure.message = format!("{} Nothing was done because of {place}.", failure.message);
    failure
}

/// Whose objects a file is about.
fn tenant_of(view: &View, asked: Option<&str>) -> Result<TenantId, Failure> {
    let found = asked.map(|text| {
        let by_id = text.parse().ok().filter(|id| view.snapshot.tenant(id).is_some());
        let mut named = view.snapshot.tenants().filter(|tenant| tenant.stamp.name == text);
        let only = named.next().filter(|_| named.next().is_none());
        by_id.or_else(|| only.map(|tenant| tenant.id.clone()))
    });
    match (view.caller.tenant(), found) {
        (Some(own), None) => Ok(own.clone()),
        (Some(own), Some(Some(id))) if id == *own => Ok(id),
        (None, Some(Some(id))) => Ok(id),
        (None, None) => Err(Failure::field("project", "must name the tenant whose objects these are")),
        _ => Err(Failure::field("project", "is no tenant, or none that you may act for")),
    }
}
