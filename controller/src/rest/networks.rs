//! `/v2.0/networks`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Path;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, LabelsPatch, NetworkPatch, NewNetwork, NewSegment};
use weft_model::{
    Encap, Family, Key, Network, NetworkId, SharedKind, Snapshot, TenantId, VlanId, Vni, family_of,
};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner_or_own};
use super::qos_policies::read_qos;
use super::query::ListQuery;
use super::{page, scope};
use crate::clock;

/// Networks as a kind of object.
pub(super) struct Networks;

impl Kind for Networks {
    const ONE: &'static str = "network";
    const MANY: &'static str = "networks";
    const LABEL: &'static str = "Network";
    type Object = Network;
    type Row = api::Network;

    fn id(network: &Network) -> String {
        network.id.to_string()
    }

    fn name(network: &Network) -> &str {
        &network.stamp.name
    }

    fn owner(network: &Network) -> Option<&TenantId> {
        Some(&network.tenant)
    }

    fn is_shared(view: &View, network: &Network) -> bool {
        view.caller.tenant().is_some_and(|own| view.snapshot.sees_network(network, own))
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Network>> {
        snapshot.network(&NetworkId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, Network> {
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.network(&NetworkId(id))));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let own = view.snapshot.networks_of_tenant(&tenant).map(|n| n.id);
                let external = view.snapshot.external_networks().map(|n| n.id);
                let shared = view.shared(SharedKind::Network).into_iter().map(NetworkId);
                let ids: BTreeSet<NetworkId> = own.chain(external).chain(shared).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.network(&id)))
            }
            None => Box::new(view.snapshot.networks()),
        }
    }

    fn row(view: &View, network: &Network) -> api::Network {
        let stamp = &network.stamp;
        let is_admin = view.caller.is_admin();
        api::Network {
            id: network.id.to_string(),
            name: stamp.name.clone(),
            tenant_id: network.tenant.to_string(),
            project_id: network.tenant.to_string(),
            admin_state_up: network.admin_up,
            mtu: network.mtu.0.into(),
            status: "ACTIVE".into(),
            subnets: view.snapshot.subnets_of(network.id).map(|subnet| subnet.id.to_string()).collect(),
            shared: view.is_shared(network.id),
            ipv4_address_scope: scope_of(view, network, Family::V4),
            ipv6_address_scope: scope_of(view, network, Family::V6),
            description: stamp.description.clone(),
            port_security_enabled: network.port_security_default,
            dns_domain: network.dns_domain.clone(),
            l2_adjacency: true,
            vlan_transparent: network.vlan_transparent,
            qos_policy_id: network.qos_policy.map(|id| id.to_string()),
            router_external: network.external,
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
            provider_network_type: is_admin.then(|| kind_of(network).to_owned()),
            provider_physical_network: is_admin.then(|| physnet_of(view, network)),
            provider_segmentation_id: is_admin.then(|| segmentation_of(network)),
            ..api::Network::default()
        }
    }

    fn full() -> api::Network {
        api::Network {
            provider_network_type: Some(String::new()),
            provider_physical_network: Some(None),
            provider_segmentation_id: Some(None),
            ..api::Network::default()
        }
    }
}

impl Writable for Networks {
    fn read_new(fields: &mut Fields, caller: &Caller) -> Option<Intent> {
        let defaults = NewNetwork::new(NetworkId(Uuid::new_v4()));
        let provider = Provider::read(fields);
        let new = NewNetwork {
            tenant: read_owner_or_own(fields, caller),
            labels: read_labels(fields),
            vni: provider.vni,
            encap: provider.encap,
            segment: provider.segment,
            mtu: fields.number("mtu"),
            admin_up: fields.flag("admin_state_up").unwrap_or(defaults.admin_up),
            port_security_default: fields
                .flag("port_security_enabled")
                .unwrap_or(defaults.port_security_default),
            dns_domain: fields.text("dns_domain").unwrap_or_default(),
            vlan_transparent: fields.flag("vlan_transparent").unwrap_or(defaults.vlan_transparent),
            external: fields.flag(EXTERNAL).unwrap_or(defaults.external),
            qos_policy: read_qos(fields),
            shared: fields.flag("shared").unwrap_or(defaults.shared),
            ..defaults
        };
        read_harmless(fields);
        Some(Intent::CreateNetwork(new))
    }

    fn read_patch(fields: &mut Fields, network: &Network, if_number: Option<u64>) -> Intent {
        let patch = NetworkPatch {
            if_number,
            labels: read_labels_patch(fields),
            mtu: fields.number("mtu"),
            admin_up: fields.flag("admin_state_up"),
            port_security_default: fields.flag("port_security_enabled"),
            dns_domain: fields.text("dns_domain"),
            external: fields.flag(EXTERNAL),
            qos_policy: read_qos(fields),
            shared: fields.flag("shared"),
        };
        fields.only("vlan_transparent", &[json!(network.vlan_transparent)]);
        read_harmless(fields);
        Intent::UpdateNetwork(network.id, patch)
    }

    fn deletion(network: &Network, if_number: Option<u64>) -> Intent {
        Intent::DeleteNetwork(network.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::Network(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

/// The address scope of a network's subnets of one family: those of several scopes are on no network.
fn scope_of(view: &View, network: &Network, family: Family) -> Option<String> {
    let mut subnets = view.snapshot.subnets_of(network.id);
    let pool = subnets.find(|subnet| family_of(&subnet.cidr) == family)?.pool?;
    view.snapshot.subnet_pool(&pool)?.scope.map(|scope| scope.to_string())
}

/// What a network is, in the word of its `provider:network_type`.
fn kind_of(network: &Network) -> &'static str {
    network.segment.map_or(network.encap.name(), |segment| segment.kind())
}

fn physnet_of(view: &View, network: &Network) -> Option<String> {
    let physnet = view.snapshot.physnet(network.segment?.physnet);
    physnet.map(|physnet| physnet.name.clone())
}

fn segmentation_of(network: &Network) -> Option<u32> {
    match network.segment {
        Some(segment) => segment.vlan.map(|vlan| vlan.get().into()),
        None => Some(network.vni.get()),
    }
}

/// The provider attributes of a new network.
#[derive(Default)]
struct Provider {
    vni: Option<Vni>,
    encap: Option<Encap>,
    segment: Option<NewSegment>,
}

impl Provider {
    fn read(fields: &mut Fields) -> Provider {
        let kind = fields.text_or_null(TYPE).flatten();
        let physnet = fields.text_or_null(PHYSNET).flatten().filter(|name| !name.is_empty());
        let number = fields.number(SEGMENTATION);
        match (kind.as_deref(), physnet) {
            (Some(kind @ ("flat" | "vlan")), physnet) => {
                if physnet.is_none() {
                    fields.fault(PHYSNET, format!("is required for a {kind} network"));
                }
                let vlan = read_vlan(fields, kind, number);
                Provider {
                    segment: Some(NewSegment { physnet: physnet.unwrap_or_default(), vlan }),
                    ..Provider::default()
                }
            }
            (kind, None) => {
                let encap = kind.and_then(Encap::from_name);
                if kind.is_some() && encap.is_none() {
                    fields.fault(TYPE, "must be vxlan, geneve, gre, flat or vlan");
                }
                Provider { vni: number.and_then(|number| read_vni(fields, number)), encap, segment: None }
            }
            (None, Some(_)) => {
                fields.fault(TYPE, "is required when a physical network is named");
                Provider::default()
            }
            (Some(kind), Some(_)) => {
                fields.fault(PHYSNET, format!("is not for a {kind} network"));
                Provider::default()
            }
        }
    }
}

const EXTERNAL: &str = "router:external";
const TYPE: &str = "provider:network_type";
const PHYSNET: &str = "provider:physical_network";
const SEGMENTATION: &str = "provider:segmentation_id";

fn read_vlan(fields: &mut Fields, kind: &str, number: Option<u32>) -> Option<VlanId> {
    let vlan = number.and_then(VlanId::new);
    match (kind, number) {
        ("flat", Some(_)) => fields.fault(SEGMENTATION, "is not for a flat network"),
        ("vlan", None) => fields.fault(SEGMENTATION, "is required for a vlan network"),
        ("vlan", Some(_)) if vlan.is_none() => {
            fields.fault(SEGMENTATION, format!("must be 1 to {} for a vlan network", VlanId::MAX));
        }
        _ => {}
    }
    vlan
}

fn read_vni(fields: &mut Fields, number: u32) -> Option<Vni> {
    let vni = Vni::new(number);
    if vni.is_none() {
        fields.fault(SEGMENTATION, format!("must be {} to {}", Vni::MIN, Vni::MAX));
    }
    vni
}

fn read_harmless(fields: &mut Fields) {
    fields.only("is_default", &[json!(false)]);
    fields.only("qinq", &[json!(false)]);
    fields.only("availability_zone_hints", &[json!([])]);
}

/// The whole new set of tags.
pub(super) fn retag(network: &Network, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    Intent::UpdateNetwork(network.id, NetworkPatch { if_number, labels, ..NetworkPatch::default() })
}

/// Lists networks.
#[utoipa::path(get, path = "/v2.0/networks", tag = "networks", operation_id = "list_networks",
    params(super::document::ListParameters),
    responses((status = 200, body = api::NetworkList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<Networks>(call).await
}

/// Creates a network, or many, all or none of them, in the envelope `{"networks": [...]}`.
#[utoipa::path(post, path = "/v2.0/networks", tag = "networks", operation_id = "create_network",
    request_body = super::document::NewNetworkBody,
    responses((status = 201, body = api::NetworkEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<Networks>(call, body).await
}

/// Shows a network.
#[utoipa::path(get, path = "/v2.0/networks/{id}", tag = "networks", operation_id = "show_network",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::NetworkEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<Networks>(&call, &id)
}

/// Changes a network. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/networks/{id}", tag = "networks", operation_id = "update_network",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::NetworkBody,
    responses((status = 200, body = api::NetworkEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<Networks>(call, &id, body).await
}

/// Deletes a network without ports, and its subnets.
#[utoipa::path(delete, path = "/v2.0/networks/{id}", tag = "networks", operation_id = "delete_network",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<Networks>(call, &id).await
}
