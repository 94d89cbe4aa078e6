//! `/v2.0/floatingips`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::extract::Path;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{AskedTarget, FloatingIpPatch, Intent, Labels, LabelsPatch, NewFloatingIp};
use weft_model::{FloatingIp, FloatingIpId, Key, NetworkId, Port, PortId, Snapshot, SubnetId, TenantId};

use crate::clock;

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_owner_or_own, read_tags};
use super::query::ListQuery;
use super::{page, port_forwardings, scope};

/// Floating IPs as a kind of object.
pub(super) struct FloatingIps;

impl Kind for FloatingIps {
    const ONE: &'static str = "floatingip";
    const MANY: &'static str = "floatingips";
    const LABEL: &'static str = "Floating IP";
    type Object = FloatingIp;
    type Row = api::FloatingIp;

    fn id(floating_ip: &FloatingIp) -> String {
        floating_ip.id.to_string()
    }

    fn name(floating_ip: &FloatingIp) -> &str {
        &floating_ip.stamp.name
    }

    fn owner(floating_ip: &FloatingIp) -> Option<&TenantId> {
        Some(&floating_ip.tenant)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<FloatingIp>> {
        snapshot.floating_ip(&FloatingIpId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, FloatingIp> {
        let snapshot = &view.snapshot;
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| snapshot.floating_ip(&FloatingIpId(id))));
        }
        if let Some(port) = query.single("port_id").and_then(scope::uuid) {
            return Box::new(snapshot.floating_ips_of_port(PortId(port)));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let ids: Vec<FloatingIpId> =
                    snapshot.floating_ips_of_tenant(&tenant).map(|floating_ip| floating_ip.id).collect();
                Box::new(ids.into_iter().filter_map(|id| snapshot.floating_ip(&id)))
            }
            None => Box::new(snapshot.floating_ips()),
        }
    }

    fn may_match(floating_ip: &FloatingIp, query: &ListQuery) -> bool {
        let wanted = query.filters.get("floating_ip_address");
        let is_it = |text: &String| text.parse() == Ok(floating_ip.address);
        wanted.is_none_or(|values| values.iter().any(is_it))
    }

    fn row(view: &View, floating_ip: &FloatingIp) -> api::FloatingIp {
        let (stamp, snapshot) = (&floating_ip.stamp, &view.snapshot);
        let router = snapshot.router_of_floating_ip(floating_ip);
        let is_served = |gateway: &weft_model::Gateway| !gateway.hosts.is_empty();
        let is_active = router.is_some_and(|router| router.gateway.as_ref().is_some_and(is_served));
        let target = floating_ip.target;
        let port = target.and_then(|target| snapshot.port(&target.port));
        api::FloatingIp {
            id: floating_ip.id.to_string(),
            tenant_id: floating_ip.tenant.to_string(),
            project_id: floating_ip.tenant.to_string(),
            floating_ip_address: floating_ip.address.to_string(),
            floating_network_id: floating_ip.network.to_string(),
            router_id: router.map(|router| router.id.to_string()),
            port_id: target.map(|target| target.port.to_string()),
            fixed_ip_address: target.map(|target| target.address.to_string()),
            status: if is_active { "ACTIVE" } else { "DOWN" }.into(),
            description: stamp.description.clone(),
            port_details: port.map(|port| details(view, port)),
            port_forwardings: snapshot
                .port_forwardings_of(floating_ip.id)
                .map(|forwarding| port_forwardings::within(forwarding))
                .collect(),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
            ..api::FloatingIp::default()
        }
    }
}

fn details(view: &View, port: &Port) -> api::PortDetails {
    let is_active = view.board.port_active(&view.snapshot, port.id);
    api::PortDetails {
        name: port.stamp.name.clone(),
        network_id: port.network.to_string(),
        mac_address: port.mac.to_string(),
        admin_state_up: port.admin_up,
        status: if is_active { "ACTIVE" } else { "DOWN" }.into(),
        device_id: port.device_id.clone(),
        device_owner: port.device_owner.clone(),
    }
}

impl Writable for FloatingIps {
    fn read_new(fields: &mut Fields, caller: &Caller) -> Option<Intent> {
        let network = fields.required::<Uuid>("floating_network_id", "must be the UUID of a network");
        let address = fields.parsed_or_null::<Ipv4Addr>("floating_ip_address", ADDRESS).flatten();
        let subnet = fields.parsed_or_null::<Uuid>("subnet_id", "must be the UUID of a subnet").flatten();
        let target = read_target(fields).flatten();
        let labels = Labels {
            name: String::new(),
            description: fields.text("description").unwrap_or_default(),
            tags: read_tags(fields).unwrap_or_default(),
        };
        let tenant = read_owner_or_own(fields, caller);
        read_harmless(fields);
        let id = FloatingIpId(Uuid::new_v4());
        let mac_seed = id.0.as_fields().0;
        let port = PortId(Uuid::new_v4());
        Some(Intent::CreateFloatingIp(NewFloatingIp {
            tenant,
            labels,
            address,
            subnet: subnet.map(SubnetId),
            target,
            ..NewFloatingIp::new(id, NetworkId(network?), port, mac_seed)
        }))
    }

    fn read_patch(fields: &mut Fields, floating_ip: &FloatingIp, if_number: Option<u64>) -> Intent {
        let target = read_target(fields);
        let labels = LabelsPatch { description: fields.text("description"), ..LabelsPatch::default() };
        read_harmless(fields);
        Intent::UpdateFloatingIp(floating_ip.id, FloatingIpPatch { if_number, labels, target })
    }

    fn deletion(floating_ip: &FloatingIp, if_number: Option<u64>) -> Intent {
        Intent::DeleteFloatingIp(floating_ip.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::FloatingIp(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

const ADDRESS: &str = "must be an IPv4 address";

/// What the floating IP is to stand for: nothing when it is not mentioned, `Some(None)` for null.
fn read_target(fields: &mut Fields) -> Option<Option<AskedTarget>> {
    let port = fields.parsed_or_null::<Uuid>("port_id", "must be the UUID of a port");
    let address = fields.parsed_or_null::<Ipv4Addr>("fixed_ip_address", ADDRESS).flatten();
    match (port, address) {
        (Some(Some(port)), address) => Some(Some(AskedTarget { port: PortId(port), address })),
        (port, Some(_)) => {
            fields.fault("fixed_ip_address", "cannot be given without a port_id");
            port.map(|_| None)
        }
        (port, None) => port.map(|_| None),
    }
}

fn read_harmless(fields: &mut Fields) {
    fields.only("qos_policy_id", &[]);
    fields.only("dns_name", &[serde_json::json!("")]);
    fields.only("dns_domain", &[serde_json::json!("")]);
    fields.only("distributed", &[serde_json::json!(true)]);
}

/// The whole new set of tags.
pub(super) fn retag(floating_ip: &FloatingIp, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    Intent::UpdateFloatingIp(
        floating_ip.id,
        FloatingIpPatch { if_number, labels, ..FloatingIpPatch::default() },
    )
}

/// Lists floating IPs.
#[utoipa::path(get, path = "/v2.0/floatingips", tag = "floating IPs", operation_id = "list_floatingips",
    params(super::document::ListParameters),
    responses((status = 200, body = api::FloatingIpList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<FloatingIps>(call).await
}

/// Creates a floating IP, or many, all or none of them, in the envelope `{"floatingips": [...]}`.
#[utoipa::path(post, path = "/v2.0/floatingips", tag = "floating IPs", operation_id = "create_floatingip",
    request_body = super::document::NewFloatingIpBody,
    responses((status = 201, body = api::FloatingIpEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<FloatingIps>(call, body).await
}

/// Shows a floating IP.
#[utoipa::path(get, path = "/v2.0/floatingips/{id}", tag = "floating IPs", operation_id = "show_floatingip",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::FloatingIpEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<FloatingIps>(&call, &id)
}

/// Changes a floating IP, or what it stands for. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/floatingips/{id}", tag = "floating IPs", operation_id = "update_floatingip",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::FloatingIpBody,
    responses((status = 200, body = api::FloatingIpEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<FloatingIps>(call, &id, body).await
}

/// Deletes a floating IP and its port forwardings.
#[utoipa::path(delete, path = "/v2.0/floatingips/{id}", tag = "floating IPs", operation_id = "delete_floatingip",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<FloatingIps>(call, &id).await
}
