//! `GET /v1/audit`: who wrote what. Administrators see everything, tenants what became of their own.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use weft_api as api;
use weft_model::{Revision, TenantId, Timestamp};

use super::call::{Call, Reply};
use super::failure::Failure;
use crate::audit::{Entry, Line, Since, Wish};
use crate::clock;

/// Entries of a page when nobody says how many, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;

/// What stored records hold that the API shows to administrators only: how a tenant's network is carried, where its
/// ports are wanted, numbers of our own.
const OPERATORS: [&str; 10] =
    ["vni", "encap", "segment", "key", "policy", "requested_host", "transit", "zone", "hosts", "physnet"];

/// Lists what was written, newest first, with the stored records before and after. Requests that were refused, and what
/// hosts report, are not in it.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", operation_id = "list_audit",
    params(("kind" = Option<String>, Query, description = "Only what became of these: `networks`, `ports`, `security_rules`"),
        ("id" = Option<String>, Query, description = "Only what became of this object"),
        ("project_id" = Option<String>, Query, description = "Only what became of this tenant's objects (administrators)"),
        ("since" = Option<String>, Query, description = "Nothing before this revision, or this time, like 2027-01-31T00:00:00Z"),
        ("until" = Option<String>, Query, description = "Nothing after this revision or time"),
        ("limit" = Option<u64>, Query, description = "Most entries, 1 to 1000; 100 when absent"),
        ("marker" = Option<u64>, Query, description = "What the page before had as `next`")),
    responses((status = 200, body = api::AuditPage),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    let wish = wish(&call)?;
    let Some(log) = call.log().cloned() else {
        return Ok(Reply::ok(call.view.snapshot.revision(), api::AuditPage::default()));
    };
    let read = tokio::task::spawn_blocking(move || log.page(&wish)).await;
    let page = match read {
        Ok(page) => page,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    let page = page.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the audit log cannot be read");
        Failure::of_status(axum::http::StatusCode::INTERNAL_SERVER_ERROR)
    })?;
    let own = call.caller().tenant();
    let entries = page.entries.into_iter().map(|entry| shown(entry, own)).collect();
    Ok(Reply::ok(call.view.snapshot.revision(), api::AuditPage { entries, next: page.before }))
}

fn wish(call: &Call) -> Result<Wish, Failure> {
    const KNOWN: [&str; 7] = ["kind", "id", "project_id", "since", "until", "limit", "marker"];
    if let Some((name, _)) = call.query.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err(Failure::field(
            &name.chars().take(80).collect::<String>(),
            "is not a filter of this list",
        ));
    }
    let text = |name| call.parameter(name).map(str::to_owned);
    let asked = call.parameter("project_id").map(str::parse::<TenantId>).transpose();
    let asked = asked.map_err(|_| Failure::field("project_id", "must be a tenant's id"))?;
    let owner = match call.caller().tenant() {
        // What is another's is nothing that a tenant could ask about.
        Some(own) if asked.as_ref().is_some_and(|asked| asked != own) => {
            return Err(Failure::not_found("Tenant", call.parameter("project_id").unwrap_or_default()));
        }
        Some(own) => Some(own.clone()),
        None => asked,
    };
    Ok(Wish {
        kind: text("kind"),
        id: text("id"),
        owner,
        since: point(call, "since")?,
        until: point(call, "until")?,
        before: number(call, "marker", 0, u64::MAX)?,
        limit: number(call, "limit", 1, PAGE_MAX as u64)?.map_or(PAGE, |limit| limit as usize),
    })
}

/// A revision or a time.
fn point(call: &Call, name: &str) -> Result<Option<Since>, Failure> {
    let Some(text) = call.parameter(name) else { return Ok(None) };
    let revision = text.parse().ok().map(|revision| Since::Revision(Revision(revision)));
    let point = revision.or_else(|| clock::parse(text).map(Since::Time));
    let wrong = || Failure::field(name, "must be a revision, or a time like 2027-01-31T00:00:00Z");
    point.map(Some).ok_or_else(wrong)
}

fn number(call: &Call, name: &str, least: u64, most: u64) -> Result<Option<u64>, Failure> {
    let Some(text) = call.parameter(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(Failure::field(name, format!("must be a whole number from {least} to {most}"))),
    }
}

/// How an entry is shown to a tenant, or to an administrator.
fn shown(entry: Entry, tenant: Option<&TenantId>) -> api::AuditEntry {
    let is_own = tenant.is_none_or(|own| entry.project.as_deref() == Some(own.as_str()));
    let author = if is_own {
        api::AuditAuthor {
            role: entry.role,
            token_id: entry.token,
            user_id: entry.user,
            project_id: entry.project,
            address: entry.address,
        }
    } else {
        api::AuditAuthor { role: entry.role, ..api::AuditAuthor::default() }
    };
    api::AuditEntry {
        number: entry.number,
        time: clock::text(Timestamp(entry.at)),
        revision: entry.revision,
        request_id: entry.request,
        author,
        changes: entry.changes.into_iter().map(|line| change(line, tenant)).collect(),
    }
}

fn change(line: Line, tenant: Option<&TenantId>) -> api::AuditChange {
    let record = |raw: Option<Box<RawValue>>| {
        let mut record: Map<String, Value> = serde_json::from_str(raw?.get()).ok()?;
        if tenant.is_some() {
            without_operators(&mut record);
        }
        Some(record)
    };
    api::AuditChange {
        kind: line.kind,
        id: line.id,
        verb: line.verb,
        project_id: line.owner,
        before: record(line.before),
        after: record(line.after),
    }
}

fn without_operators(record: &mut Map<String, Value>) {
    record.retain(|name, _| !OPERATORS.contains(&name.as_str()));
    record.values_mut().filter_map(Value::as_object_mut).for_each(without_operators);
}
