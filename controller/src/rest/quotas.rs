//! `/v2.0/quotas`: how much tenants may have, and how much they have.

use std::collections::BTreeMap;

use axum::extract::Path;
use serde_json::{Map, Value, json};
use weft_api as api;
use weft_model::intent::{BelowUse, Intent, QuotaPatch};
use weft_model::{Quota, QuotaKind, Snapshot, TenantId};

use super::call::{Body, Call, Reply};
use super::failure::Failure;
use super::fields::Fields;
use super::kind;

/// What the API has a limit for that Weft never sets.
const UNUSED: [&str; 1] = ["router_route"];
/// What stands for no limit.
const NONE: i64 = -1;

fn limit(quota: Option<&Quota>, kind: QuotaKind) -> i64 {
    quota.and_then(|quota| quota.limits.get(&kind)).map_or(NONE, |limit| i64::from(*limit))
}

fn row(quota: Option<&Quota>) -> api::Quota {
    api::Quota {
        network: limit(quota, QuotaKind::Network),
        subnet: limit(quota, QuotaKind::Subnet),
        port: limit(quota, QuotaKind::Port),
        router: limit(quota, QuotaKind::Router),
        floatingip: limit(quota, QuotaKind::FloatingIp),
        security_group: limit(quota, QuotaKind::SecurityGroup),
        security_group_rule: limit(quota, QuotaKind::SecurityRule),
        trunk: limit(quota, QuotaKind::Trunk),
        subnetpool: limit(quota, QuotaKind::SubnetPool),
        rbac_policy: limit(quota, QuotaKind::RbacPolicy),
        ..api::Quota::default()
    }
}

/// The tenant, if the caller may see it and it is there.
fn tenant(call: &Call, id: &str) -> Result<TenantId, Failure> {
    let missing = || Failure::not_found("Tenant", id);
    let tenant: TenantId = id.parse().map_err(|_| missing())?;
    let is_there = call.view.snapshot.tenant(&tenant).is_some();
    if is_there && call.caller().sees(&tenant) { Ok(tenant) } else { Err(missing()) }
}

fn shown(snapshot: &Snapshot, tenant: &TenantId) -> api::QuotaEnvelope {
    api::QuotaEnvelope { quota: row(snapshot.quota(tenant).map(AsRef::as_ref)) }
}

/// A limit: a number, or -1 for none.
fn read_limit(fields: &mut Fields, kind: QuotaKind) -> Option<Option<u32>> {
    let text = fields.word(kind.name())?;
    match text.parse::<i64>() {
        Ok(NONE) => Some(None),
        Ok(limit) if u32::try_from(limit).is_ok() => Some(u32::try_from(limit).ok()),
        _ => {
            fields.fault(kind.name(), "must be a whole number, or -1 for no limit");
            None
        }
    }
}

fn read_patch(values: Map<String, Value>) -> Result<QuotaPatch, Failure> {
    let mut fields = Fields::new("", values);
    let limits: BTreeMap<QuotaKind, Option<u32>> =
        QuotaKind::ALL.into_iter().filter_map(|kind| Some((kind, read_limit(&mut fields, kind)?))).collect();
    for name in UNUSED {
        fields.only(name, &[json!(-1), json!("-1")]);
    }
    let checked = fields.flag("check_limit").unwrap_or(false);
    let _ = fields.flag("force");
    let (mut faults, unknown) = fields.settle(|_| false);
    if faults.is_empty() && !unknown.is_empty() {
        return Err(Failure::unrecognized(unknown));
    }
    faults.extend(unknown);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let below_use = if checked { BelowUse::Refused } else { BelowUse::Allowed };
    Ok(QuotaPatch { limits, below_use })
}

/// Lists the tenants that have limits, with them; for administrators.
#[utoipa::path(get, path = "/v2.0/quotas", tag = "quotas", operation_id = "list_quotas",
    responses((status = 200, body = api::QuotaList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    call.caller().must_be_admin("get_quota")?;
    let snapshot = &call.view.snapshot;
    let of = |quota: &Quota| api::QuotaOfTenant {
        tenant_id: quota.tenant.to_string(),
        project_id: quota.tenant.to_string(),
        quota: row(Some(quota)),
    };
    let quotas = snapshot.quotas().map(|quota| of(quota)).collect();
    Ok(Reply::ok(snapshot.revision(), api::QuotaList { quotas }))
}

/// Shows how much a tenant may have.
#[utoipa::path(get, path = "/v2.0/quotas/{id}", tag = "quotas", operation_id = "show_quota",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = api::QuotaEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let tenant = tenant(&call, &id)?;
    Ok(Reply::ok(call.view.snapshot.revision(), shown(&call.view.snapshot, &tenant)))
}

/// Shows how much a tenant may have when nothing is set.
#[utoipa::path(get, path = "/v2.0/quotas/{id}/default", tag = "quotas", operation_id = "show_default_quota",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = api::QuotaEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn defaults(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    tenant(&call, &id)?;
    Ok(Reply::ok(call.view.snapshot.revision(), api::QuotaEnvelope { quota: row(None) }))
}

/// Shows how much a tenant may have, and how much it has.
#[utoipa::path(get, path = "/v2.0/quotas/{id}/details", tag = "quotas", operation_id = "show_quota_details",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = api::QuotaDetailsEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn details(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let tenant = tenant(&call, &id)?;
    let snapshot = &call.view.snapshot;
    let quota = snapshot.quota(&tenant).map(AsRef::as_ref);
    let detail = |kind: QuotaKind| {
        let used = u64::from(snapshot.quota_used(&tenant, kind));
        (kind.name().to_owned(), api::QuotaDetail { limit: limit(quota, kind), used, reserved: 0 })
    };
    let nothing = || api::QuotaDetail { limit: NONE, used: 0, reserved: 0 };
    let unused = UNUSED.into_iter().map(|name| (name.to_owned(), nothing()));
    let quota = QuotaKind::ALL.into_iter().map(detail).chain(unused).collect();
    Ok(Reply::ok(snapshot.revision(), api::QuotaDetailsEnvelope { quota }))
}

/// Sets how much a tenant may have; for administrators. What it has stays, also above a limit.
#[utoipa::path(put, path = "/v2.0/quotas/{id}", tag = "quotas", operation_id = "update_quota",
    params(("id" = String, Path, description = "The tenant's id")), request_body = super::document::QuotaBody,
    responses((status = 200, body = api::QuotaEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(
    call: Call,
    Path(id): Path<String>,
    Body(mut body): Body,
) -> Result<Reply, Failure> {
    call.caller().must_be_admin("update_quota")?;
    let tenant = tenant(&call, &id)?;
    let values = kind::member(&mut body, "quota")?;
    let patch = read_patch(values)?;
    let (committed, view) = call.write(vec![Intent::SetQuota(tenant.clone(), patch)]).await?;
    Ok(Reply::ok(committed.revision, shown(&view.snapshot, &tenant)))
}

/// Takes all limits from a tenant; for administrators.
#[utoipa::path(delete, path = "/v2.0/quotas/{id}", tag = "quotas", operation_id = "delete_quota",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    call.caller().must_be_admin("delete_quota")?;
    let tenant = tenant(&call, &id)?;
    let (committed, _) = call.write(vec![Intent::ResetQuota(tenant)]).await?;
    Ok(Reply::nothing(committed.revision))
}
