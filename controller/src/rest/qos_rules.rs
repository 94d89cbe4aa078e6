//! `/v2.0/qos/policies/{id}/bandwidth_limit_rules`, `dscp_marking_rules` and `minimum_bandwidth_rules`.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, QosRuleChange};
use weft_model::{Direction, Dscp, Kbps, QosPolicy, QosRule, QosRuleId, QosRuleKind, RateLimit, Revision};

use super::call::{Body, Call, Reply, View};
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{Envelope, Kind, members, visible};
use super::qos_policies::QosPolicies;
use super::query::ListQuery;
use super::scope;

const LABEL: &str = "QoS rule";

/// How a rule stands in its policy.
pub(super) fn within(policy: &QosPolicy, rule: &QosRule) -> api::QosRule {
    let (id, qos_policy_id) = (rule.id.to_string(), policy.id.to_string());
    match rule.kind {
        QosRuleKind::Limit(direction, limit) => api::QosRule {
            id,
            qos_policy_id,
            kind: "bandwidth_limit".to_owned(),
            max_kbps: Some(limit.rate.get()),
            max_burst_kbps: Some(limit.burst),
            direction: Some(direction.to_string()),
            dscp_mark: None,
        },
        QosRuleKind::Mark(dscp) => api::QosRule {
            id,
            qos_policy_id,
            kind: "dscp_marking".to_owned(),
            dscp_mark: Some(dscp.get()),
            ..api::QosRule::default()
        },
    }
}

/// One kind of rule, which has addresses of its own.
trait Rules {
    const ONE: &'static str;
    const MANY: &'static str;
    type Row: Serialize + Default;
    /// How the API shows a rule; none for one of another kind.
    fn row(rule: &QosRule) -> Option<Self::Row>;
    /// Reads what a rule is to say, where `before` is what it says now.
    fn read(fields: &mut Fields, before: Option<QosRuleKind>) -> Option<QosRuleKind>;
}

struct Limits;

impl Rules for Limits {
    const ONE: &'static str = "bandwidth_limit_rule";
    const MANY: &'static str = "bandwidth_limit_rules";
    type Row = api::BandwidthLimitRule;

    fn row(rule: &QosRule) -> Option<api::BandwidthLimitRule> {
        let QosRuleKind::Limit(direction, limit) = rule.kind else { return None };
        Some(api::BandwidthLimitRule {
            id: rule.id.to_string(),
            max_kbps: limit.rate.get(),
            max_burst_kbps: limit.burst,
            direction: direction.to_string(),
        })
    }

    fn read(fields: &mut Fields, before: Option<QosRuleKind>) -> Option<QosRuleKind> {
        let before = before.and_then(|kind| match kind {
            QosRuleKind::Limit(direction, limit) => Some((direction, limit)),
            QosRuleKind::Mark(_) => None,
        });
        if before.is_none() && !fields.has("max_kbps") {
            fields.fault("max_kbps", "is missing");
        }
        let asked = fields.number("max_kbps");
        let rate = match asked {
            Some(asked) => Kbps::new(asked),
            None => before.map(|(_, limit)| limit.rate),
        };
        if asked.is_some() && rate.is_none() {
            fields.fault("max_kbps", format!("must be 1 to {}", Kbps::MAX));
        }
        let burst = fields.number("max_burst_kbps");
        if burst.is_some_and(|burst| burst > Kbps::MAX) {
            fields.fault("max_burst_kbps", format!("must be 0 to {}", Kbps::MAX));
        }
        let direction = match fields.text("direction").as_deref() {
            None => before.map_or(Direction::Egress, |(direction, _)| direction),
            Some("egress") => Direction::Egress,
            Some("ingress") => Direction::Ingress,
            Some(_) => {
                fields.fault("direction", "must be egress or ingress");
                return None;
            }
        };
        let burst = burst.unwrap_or_else(|| before.map_or(0, |(_, limit)| limit.burst));
        Some(QosRuleKind::Limit(direction, RateLimit { rate: rate?, burst }))
    }
}

struct Marks;

impl Rules for Marks {
    const ONE: &'static str = "dscp_marking_rule";
    const MANY: &'static str = "dscp_marking_rules";
    type Row = api::DscpMarkingRule;

    fn row(rule: &QosRule) -> Option<api::DscpMarkingRule> {
        let QosRuleKind::Mark(dscp) = rule.kind else { return None };
        Some(api::DscpMarkingRule { id: rule.id.to_string(), dscp_mark: dscp.get() })
    }

    fn read(fields: &mut Fields, before: Option<QosRuleKind>) -> Option<QosRuleKind> {
        if before.is_none() && !fields.has("dscp_mark") {
            fields.fault("dscp_mark", "is missing");
        }
        let Some(asked) = fields.number("dscp_mark") else { return before };
        let dscp = u8::try_from(asked).ok().and_then(Dscp::new);
        if dscp.is_none() {
            let named: Vec<String> = Dscp::NAMED.iter().map(ToString::to_string).collect();
            fields.fault("dscp_mark", format!("must be one of {}", named.join(", ")));
        }
        dscp.map(QosRuleKind::Mark)
    }
}

fn policy<'a>(view: &'a View, id: &str) -> Result<&'a Arc<QosPolicy>, Failure> {
    visible::<QosPolicies>(view, id).ok_or_else(|| Failure::not_found(QosPolicies::LABEL, id))
}

/// A rule of that kind, of a policy that the caller sees.
fn find<R: Rules>(policy: &QosPolicy, id: &str) -> Result<(QosRule, R::Row), Failure> {
    let id_of = scope::uuid(id).map(QosRuleId);
    let rule = policy.rules.iter().find(|rule| Some(rule.id) == id_of);
    let found = rule.and_then(|rule| Some((*rule, R::row(rule)?)));
    found.ok_or_else(|| Failure::not_found(LABEL, id))
}

/// Reads a request's object.
fn read<R: Rules>(mut body: Map<String, Value>, before: Option<QosRuleKind>) -> Result<QosRuleKind, Failure> {
    let one = R::ONE;
    let mut fields = match body.shift_remove(one) {
        Some(Value::Object(values)) if body.is_empty() => Fields::new("", values),
        Some(Value::Object(_)) => return Err(Failure::malformed(format!("Nothing belongs beside '{one}'"))),
        _ => return Err(Failure::malformed(format!("Unable to find '{one}' in request body"))),
    };
    let kind = R::read(&mut fields, before);
    let known = members(R::Row::default());
    let (mut faults, unknown) = fields.settle(|name| known.contains_key(name));
    if faults.is_empty() && !unknown.is_empty() {
        return Err(Failure::unrecognized(unknown));
    }
    faults.extend(unknown);
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    kind.ok_or_else(|| Failure::malformed(format!("Unable to read '{one}' in request body")))
}

async fn write(call: &Call, policy: &QosPolicy, change: QosRuleChange) -> Result<Revision, Failure> {
    let (committed, _) = call.write(vec![Intent::ChangeQosRule(policy.id, change)]).await?;
    Ok(committed.revision)
}

fn list_of<R: Rules>(call: &Call, id: &str) -> Result<Reply, Failure> {
    let query = ListQuery::read(&call.query, &members(R::Row::default()))?;
    let policy = policy(&call.view, id)?;
    let rows = policy.rules.iter().filter_map(R::row).map(members).filter(|row| query.matches(row));
    let rows: Vec<Map<String, Value>> = rows.map(|row| query.project(row)).collect();
    Ok(Reply::ok(call.view.snapshot.revision(), Envelope(R::MANY, rows)))
}

fn show_one<R: Rules>(call: &Call, (of, id): (&str, &str)) -> Result<Reply, Failure> {
    let (_, row) = find::<R>(policy(&call.view, of)?, id)?;
    Ok(Reply::ok(call.view.snapshot.revision(), Envelope(R::ONE, row)))
}

async fn create_one<R: Rules>(call: &Call, id: &str, body: Map<String, Value>) -> Result<Reply, Failure> {
    call.caller().may_write(&format!("create_policy_{}", R::ONE))?;
    let policy = policy(&call.view, id)?;
    let rule = QosRule { id: QosRuleId(Uuid::new_v4()), kind: read::<R>(body, None)? };
    let revision = write(call, policy, QosRuleChange::Add(rule.id, rule.kind)).await?;
    Ok(Reply::created(revision, Envelope(R::ONE, R::row(&rule))))
}

async fn update_one<R: Rules>(
    call: &Call,
    (of, id): (&str, &str),
    body: Map<String, Value>,
) -> Result<Reply, Failure> {
    call.caller().may_write(&format!("update_policy_{}", R::ONE))?;
    let policy = policy(&call.view, of)?;
    let before = find::<R>(policy, id)?.0;
    let rule = QosRule { kind: read::<R>(body, Some(before.kind))?, ..before };
    let revision = write(call, policy, QosRuleChange::Set(rule.id, rule.kind)).await?;
    Ok(Reply::ok(revision, Envelope(R::ONE, R::row(&rule))))
}

async fn delete_one<R: Rules>(call: &Call, (of, id): (&str, &str)) -> Result<Reply, Failure> {
    call.caller().may_write(&format!("delete_policy_{}", R::ONE))?;
    let policy = policy(&call.view, of)?;
    let rule = find::<R>(policy, id)?.0;
    Ok(Reply::nothing(write(call, policy, QosRuleChange::Remove(rule.id)).await?))
}

/// Lists the bandwidth limits of a QoS policy.
#[utoipa::path(get, path = "/v2.0/qos/policies/{id}/bandwidth_limit_rules", tag = "QoS",
    operation_id = "list_bandwidth_limit_rules",
    params(("id" = String, Path, description = "The policy's UUID"), super::document::ListParameters),
    responses((status = 200, body = api::BandwidthLimitRuleList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list_limits(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    list_of::<Limits>(&call, &id)
}

/// Creates a bandwidth limit, at most one for each direction of a policy.
#[utoipa::path(post, path = "/v2.0/qos/policies/{id}/bandwidth_limit_rules", tag = "QoS",
    operation_id = "create_bandwidth_limit_rule", params(("id" = String, Path, description = "The policy's UUID")),
    request_body = super::document::BandwidthLimitRuleBody,
    responses((status = 201, body = api::BandwidthLimitRuleEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create_limit(
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    create_one::<Limits>(&call, &id, body).await
}

/// Shows a bandwidth limit.
#[utoipa::path(get, path = "/v2.0/qos/policies/{id}/bandwidth_limit_rules/{rule}", tag = "QoS",
    operation_id = "show_bandwidth_limit_rule",
    params(("id" = String, Path, description = "The policy's UUID"),
        ("rule" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::BandwidthLimitRuleEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show_limit(call: Call, Path(of): Path<(String, String)>) -> Result<Reply, Failure> {
    show_one::<Limits>(&call, (&of.0, &of.1))
}

/// Changes a bandwidth limit.
#[utoipa::path(put, path = "/v2.0/qos/policies/{id}/bandwidth_limit_rules/{rule}", tag = "QoS",
    operation_id = "update_bandwidth_limit_rule",
    params(("id" = String, Path, description = "The policy's UUID"),
        ("rule" = String, Path, description = "Its UUID")),
    request_body = super::document::BandwidthLimitRuleBody,
    responses((status = 200, body = api::BandwidthLimitRuleEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update_limit(
    call: Call,
    Path(of): Path<(String, String)>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    update_one::<Limits>(&call, (&of.0, &of.1), body).await
}

/// Deletes a bandwidth limit.
#[utoipa::path(delete, path = "/v2.0/qos/policies/{id}/bandwidth_limit_rules/{rule}", tag = "QoS",
    operation_id = "delete_bandwidth_limit_rule",
    params(("id" = String, Path, description = "The policy's UUID"),
        ("rule" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete_limit(call: Call, Path(of): Path<(String, String)>) -> Result<Reply, Failure> {
    delete_one::<Limits>(&call, (&of.0, &of.1)).await
}

/// Lists the DSCP mark of a QoS policy, if it has one.
#[utoipa::path(get, path = "/v2.0/qos/policies/{id}/dscp_marking_rules", tag = "QoS",
    operation_id = "list_dscp_marking_rules",
    params(("id" = String, Path, description = "The policy's UUID"), super::document::ListParameters),
    responses((status = 200, body = api::DscpMarkingRuleList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list_marks(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    list_of::<Marks>(&call, &id)
}

/// Creates a DSCP mark, at most one of a policy.
#[utoipa::path(post, path = "/v2.0/qos/policies/{id}/dscp_marking_rules", tag = "QoS",
    operation_id = "create_dscp_marking_rule", params(("id" = String, Path, description = "The policy's UUID")),
    request_body = super::document::DscpMarkingRuleBody,
    responses((status = 201, body = api::DscpMarkingRuleEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create_mark(
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    create_one::<Marks>(&call, &id, body).await
}

/// Shows a DSCP mark.
#[utoipa::path(get, path = "/v2.0/qos/policies/{id}/dscp_marking_rules/{rule}", tag = "QoS",
    operation_id = "show_dscp_marking_rule",
    params(("id" = String, Path, description = "The policy's UUID"),
        ("rule" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::DscpMarkingRuleEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show_mark(call: Call, Path(of): Path<(String, String)>) -> Result<Reply, Failure> {
    show_one::<Marks>(&call, (&of.0, &of.1))
}

/// Changes a DSCP mark.
#[utoipa::path(put, path = "/v2.0/qos/policies/{id}/dscp_marking_rules/{rule}", tag = "QoS",
    operation_id = "update_dscp_marking_rule",
    params(("id" = String, Path, description = "The policy's UUID"),
        ("rule" = String, Path, description = "Its UUID")),
    request_body = super::document::DscpMarkingRuleBody,
    responses((status = 200, body = api::DscpMarkingRuleEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update_mark(
    call: Call,
    Path(of): Path<(String, String)>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    update_one::<Marks>(&call, (&of.0, &of.1), body).await
}

/// Deletes a DSCP mark.
#[utoipa::path(delete, path = "/v2.0/qos/policies/{id}/dscp_marking_rules/{rule}", tag = "QoS",
    operation_id = "delete_dscp_marking_rule",
    params(("id" = String, Path, description = "The policy's UUID"),
        ("rule" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete_mark(call: Call, Path(of): Path<(String, String)>) -> Result<Reply, Failure> {
    delete_one::<Marks>(&call, (&of.0, &of.1)).await
}

/// Lists the minimum bandwidth rules of a QoS policy: there are none.
#[utoipa::path(get, path = "/v2.0/qos/policies/{id}/minimum_bandwidth_rules", tag = "QoS",
    operation_id = "list_minimum_bandwidth_rules",
    params(("id" = String, Path, description = "The policy's UUID")),
    responses((status = 200, body = api::MinimumBandwidthRuleList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list_minimums(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    policy(&call.view, &id)?;
    let none = api::MinimumBandwidthRuleList::default();
    Ok(Reply::ok(call.view.snapshot.revision(), none))
}

/// Always refused: a bandwidth is kept free by queues on the way out of the host, which Open vSwitch's userspace datapath
/// takes and does not use (`set_queue` has no effect), so nothing would hold what was promised.
#[utoipa::path(post, path = "/v2.0/qos/policies/{id}/minimum_bandwidth_rules", tag = "QoS",
    operation_id = "create_minimum_bandwidth_rule", params(("id" = String, Path, description = "The policy's UUID")),
    request_body = super::document::MinimumBandwidthRuleBody,
    responses((status = "default", body = api::NeutronError)))]
pub(super) async fn create_minimum(
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    drop(body);
    call.caller().may_write("create_policy_minimum_bandwidth_rule")?;
    policy(&call.view, &id)?;
    let message = "Rule minimum_bandwidth is not supported: Open vSwitch keeps no bandwidth free on the way out of a \
                   host here, so the rule would promise what nothing enforces.";
    Err(Failure::new(StatusCode::CONFLICT, "QosRuleNotSupported", message))
}
