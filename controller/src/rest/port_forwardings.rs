//! `/v2.0/floatingips/{id}/port_forwardings`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::extract::Path;
use serde_json::{Map, Value};
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{AskedTarget, Intent, NewPortForwarding, PortForwardingPatch};
use weft_model::{FloatingIp, Key, PortForwarding, PortForwardingId, PortId, PortRange, Transport};

use super::call::{Body, Call, Reply, View};
use super::failure::Failure;
use super::fields::Fields;
use super::floating_ips::FloatingIps;
use super::kind::{Envelope, Kind, members, settle_row, visible};
use super::page::compare;
use super::query::ListQuery;
use super::scope;

/// What one is called in envelopes.
pub(super) const ONE: &str = "port_forwarding";
const MANY: &str = "port_forwardings";
const LABEL: &str = "Port forwarding";

/// How a port forwarding stands in its floating IP.
pub(super) fn within(forwarding: &PortForwarding) -> api::ForwardingOfFloatingIp {
    let row = row(forwarding);
    api::ForwardingOfFloatingIp {
        id: row.id,
        protocol: row.protocol,
        external_port: row.external_port,
        external_port_range: row.external_port_range,
        internal_ip_address: row.internal_ip_address,
        internal_port: row.internal_port,
        internal_port_range: row.internal_port_range,
    }
}

/// How the API shows one.
pub(super) fn row(forwarding: &PortForwarding) -> api::PortForwarding {
    let one = |range: PortRange| (range.count() == 1).then_some(range.first);
    let text = |range: PortRange| format!("{}:{}", range.first, range.last);
    api::PortForwarding {
        id: forwarding.id.to_string(),
        protocol: forwarding.protocol.name().to_owned(),
        external_port: one(forwarding.external),
        external_port_range: text(forwarding.external),
        internal_port_id: forwarding.port.to_string(),
        internal_ip_address: forwarding.address.to_string(),
        internal_port: one(forwarding.internal),
        internal_port_range: text(forwarding.internal),
        description: forwarding.stamp.description.clone(),
    }
}

fn floating_ip<'a>(view: &'a View, id: &str) -> Result<&'a Arc<FloatingIp>, Failure> {
    visible::<FloatingIps>(view, id).ok_or_else(|| Failure::not_found(FloatingIps::LABEL, id))
}

/// A port forwarding of a floating IP that the caller sees.
fn find<'a>(view: &'a View, (of, id): (&str, &str)) -> Result<&'a Arc<PortForwarding>, Failure> {
    let of = floating_ip(view, of)?.id;
    let found = scope::uuid(id).and_then(|id| view.snapshot.port_forwarding(&PortForwardingId(id)));
    found.filter(|forwarding| forwarding.floating_ip == of).ok_or_else(|| Failure::not_found(LABEL, id))
}

/// The member of the envelope, as fields.
fn unwrapped(mut body: Map<String, Value>) -> Result<Fields, Failure> {
    match body.shift_remove(ONE) {
        Some(Value::Object(values)) if body.is_empty() => Ok(Fields::new("", values)),
        Some(Value::Object(_)) => Err(Failure::malformed(format!("Nothing belongs beside '{ONE}'"))),
        _ => Err(Failure::malformed(format!("Unable to find '{ONE}' in request body"))),
    }
}

/// Ports, as one or as a range.
fn read_range(fields: &mut Fields, one: &str, many: &str) -> Option<PortRange> {
    let port = fields.number(one);
    let range = fields.word(many);
    let rule = "must be 1 to 65535";
    let single = port.map(|port| u16::try_from(port).ok().and_then(PortRange::one));
    if single == Some(None) {
        fields.fault(one, rule);
    }
    let between = range.map(|text| {
        let (first, last) = text.split_once(':').unwrap_or((&text, &text));
        PortRange::new(first.parse().ok()?, last.parse().ok()?)
    });
    if between == Some(None) {
        fields.fault(many, "must be ports from 1 to 65535, like 8000:8010");
    }
    match (single.flatten(), between.flatten()) {
        (Some(single), Some(between)) if single != between => {
            fields.fault(many, format!("must be the same as {one}"));
            None
        }
        (single, between) => single.or(between),
    }
}

fn read_protocol(fields: &mut Fields) -> Option<Transport> {
    let name = fields.text("protocol")?;
    let protocol = Transport::from_name(&name);
    if protocol.is_none() {
        fields.fault("protocol", "must be tcp or udp");
    }
    protocol
}

fn read_new(fields: &mut Fields, of: &FloatingIp) -> Option<NewPortForwarding> {
    for name in ["protocol", "internal_port_id"] {
        if !fields.has(name) {
            fields.fault(name, "is missing");
        }
    }
    for (one, many) in [EXTERNAL, INTERNAL] {
        if !fields.has(one) && !fields.has(many) {
            fields.fault(one, "is missing");
        }
    }
    let protocol = read_protocol(fields);
    let port = fields.parsed::<Uuid>("internal_port_id", "must be the UUID of a port");
    let address =
        fields.parsed_or_null::<Ipv4Addr>("internal_ip_address", "must be an IPv4 address").flatten();
    let external = read_range(fields, EXTERNAL.0, EXTERNAL.1);
    let internal = read_range(fields, INTERNAL.0, INTERNAL.1);
    let description = fields.text("description").unwrap_or_default();
    Some(NewPortForwarding {
        id: PortForwardingId(Uuid::new_v4()),
        floating_ip: of.id,
        description,
        protocol: protocol?,
        external: external?,
        target: AskedTarget { port: PortId(port?), address },
        internal: internal?,
    })
}

const EXTERNAL: (&str, &str) = ("external_port", "external_port_range");
const INTERNAL: (&str, &str) = ("internal_port", "internal_port_range");

fn read_patch(fields: &mut Fields) -> PortForwardingPatch {
    PortForwardingPatch {
        protocol: read_protocol(fields),
        port: fields.parsed::<Uuid>("internal_port_id", "must be the UUID of a port").map(PortId),
        address: fields.parsed_or_null("internal_ip_address", "must be an IPv4 address").flatten(),
        external: read_range(fields, EXTERNAL.0, EXTERNAL.1),
        internal: read_range(fields, INTERNAL.0, INTERNAL.1),
        description: fields.text("description"),
    }
}

/// Commits, and shows the port forwarding that it touched.
async fn write(call: &Call, intent: Intent) -> Result<(weft_model::Revision, api::PortForwarding), Failure> {
    let (committed, view) = call.write(vec![intent]).await?;
    let forwarding = committed.touched.iter().find_map(|key| match key {
        Key::PortForwarding(id) => view.snapshot.port_forwarding(id),
        _ => None,
    });
    // Somebody else may have deleted it in the same commit.
    let forwarding = forwarding.ok_or_else(|| Failure::not_found(LABEL, "just written"))?;
    Ok((committed.revision, row(forwarding)))
}

/// Lists the port forwardings of a floating IP.
#[utoipa::path(get, path = "/v2.0/floatingips/{id}/port_forwardings", tag = "floating IPs",
    operation_id = "list_port_forwardings",
    params(("id" = String, Path, description = "The floating IP's UUID"), super::document::ListParameters),
    responses((status = 200, body = api::PortForwardingList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let query = ListQuery::read(&call.query, &members(api::PortForwarding::default()))?;
    let of = floating_ip(&call.view, &id)?;
    let all = call.view.snapshot.port_forwardings_of(of.id).map(|forwarding| members(row(forwarding)));
    let mut rows: Vec<Map<String, Value>> = all.filter(|row| query.matches(row)).collect();
    rows.sort_by(|a, b| compare(&query, a, b));
    // A floating IP has few, so a page is just the part behind the marker.
    if let Some(marker) = &query.marker {
        let behind = rows.iter().position(|row| row["id"].as_str() == Some(marker)).map_or(0, |at| at + 1);
        rows.drain(..behind);
    }
    rows.truncate(query.limit.unwrap_or(usize::MAX));
    let rows: Vec<Map<String, Value>> = rows.into_iter().map(|row| query.project(row)).collect();
    Ok(Reply::ok(call.view.snapshot.revision(), Envelope(MANY, rows)))
}

/// Creates a port forwarding of a floating IP that stands for no port.
#[utoipa::path(post, path = "/v2.0/floatingips/{id}/port_forwardings", tag = "floating IPs",
    operation_id = "create_port_forwarding", params(("id" = String, Path, description = "The floating IP's UUID")),
    request_body = super::document::NewPortForwardingBody,
    responses((status = 201, body = api::PortForwardingEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, Path(id): Path<String>, Body(body): Body) -> Result<Reply, Failure> {
    call.caller().may_write("create_floatingip_port_forwarding")?;
    let of = floating_ip(&call.view, &id)?;
    let mut fields = unwrapped(body)?;
    let new = read_new(&mut fields, of);
    settle_row(fields, api::PortForwarding::default)?;
    let new = new.ok_or_else(|| Failure::malformed(format!("Unable to read '{ONE}' in request body")))?;
    let (revision, row) = write(&call, Intent::CreatePortForwarding(new)).await?;
    Ok(Reply::created(revision, Envelope(ONE, row)))
}

/// Shows a port forwarding.
#[utoipa::path(get, path = "/v2.0/floatingips/{id}/port_forwardings/{forwarding}", tag = "floating IPs",
    operation_id = "show_port_forwarding",
    params(("id" = String, Path, description = "The floating IP's UUID"),
        ("forwarding" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::PortForwardingEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(of): Path<(String, String)>) -> Result<Reply, Failure> {
    let forwarding = find(&call.view, (&of.0, &of.1))?;
    Ok(Reply::ok(call.view.snapshot.revision(), Envelope(ONE, row(forwarding))))
}

/// Changes a port forwarding.
#[utoipa::path(put, path = "/v2.0/floatingips/{id}/port_forwardings/{forwarding}", tag = "floating IPs",
    operation_id = "update_port_forwarding",
    params(("id" = String, Path, description = "The floating IP's UUID"),
        ("forwarding" = String, Path, description = "Its UUID")),
    request_body = super::document::PortForwardingBody,
    responses((status = 200, body = api::PortForwardingEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(
    call: Call,
    Path(of): Path<(String, String)>,
    Body(body): Body,
) -> Result<Reply, Failure> {
    call.caller().may_write("update_floatingip_port_forwarding")?;
    let forwarding = find(&call.view, (&of.0, &of.1))?;
    let mut fields = unwrapped(body)?;
    let patch = read_patch(&mut fields);
    settle_row(fields, api::PortForwarding::default)?;
    let intent = Intent::UpdatePortForwarding(forwarding.floating_ip, forwarding.id, patch);
    let (revision, row) = write(&call, intent).await?;
    Ok(Reply::ok(revision, Envelope(ONE, row)))
}

/// Deletes a port forwarding.
#[utoipa::path(delete, path = "/v2.0/floatingips/{id}/port_forwardings/{forwarding}", tag = "floating IPs",
    operation_id = "delete_port_forwarding",
    params(("id" = String, Path, description = "The floating IP's UUID"),
        ("forwarding" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(of): Path<(String, String)>) -> Result<Reply, Failure> {
    call.caller().may_write("delete_floatingip_port_forwarding")?;
    let forwarding = find(&call.view, (&of.0, &of.1))?;
    let intent = Intent::DeletePortForwarding(forwarding.floating_ip, forwarding.id);
    let (committed, _) = call.write(vec![intent]).await?;
    Ok(Reply::nothing(committed.revision))
}
