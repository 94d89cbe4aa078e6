//! `/v2.0/networks`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Path;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, LabelsPatch, NetworkPatch, NewNetwork};
use weft_model::{Encap, Key, Network, NetworkId, Snapshot, TenantId, Vni};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner};
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

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Network>> {
        snapshot.network(&NetworkId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, Network> {
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.network(&NetworkId(id))));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let ids: Vec<NetworkId> = view.snapshot.networks_of_tenant(&tenant).map(|n| n.id).collect();
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
            description: stamp.description.clone(),
            port_security_enabled: network.port_security_default,
            dns_domain: network.dns_domain.clone(),
            l2_adjacency: true,
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
            provider_network_type: is_admin.then(|| network.encap.name().to_owned()),
            provider_physical_network: is_admin.then_some(None),
            provider_segmentation_id: is_admin.then(|| network.vni.get()),
            ..api::Network::default()
        }
    }

    fn full() -> api::Network {
        api::Network {
            provider_network_type: Some(String::new()),
            provider_physical_network: Some(None),
            provider_segmentation_id: Some(0),
            ..api::Network::default()
        }
    }
}

impl Writable for Networks {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let defaults = NewNetwork::new(NetworkId(Uuid::new_v4()));
        let new = NewNetwork {
            tenant: read_owner(fields),
            labels: read_labels(fields),
            vni: read_vni(fields),
            encap: read_encap(fields),
            mtu: fields.number("mtu"),
            admin_up: fields.flag("admin_state_up").unwrap_or(defaults.admin_up),
            port_security_default: fields
                .flag("port_security_enabled")
                .unwrap_or(defaults.port_security_default),
            dns_domain: fields.text("dns_domain").unwrap_or_default(),
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
        };
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

fn read_vni(fields: &mut Fields) -> Option<Vni> {
    let number = fields.number("provider:segmentation_id")?;
    let vni = Vni::new(number);
    if vni.is_none() {
        fields.fault("provider:segmentation_id", format!("must be {} to {}", Vni::MIN, Vni::MAX));
    }
    vni
}

fn read_encap(fields: &mut Fields) -> Option<Encap> {
    let name = fields.text_or_null("provider:network_type")??;
    let encap = Encap::from_name(&name);
    if encap.is_none() {
        fields.fault("provider:network_type", "must be vxlan, geneve or gre");
    }
    encap
}

fn read_harmless(fields: &mut Fields) {
    fields.only("shared", &[json!(false)]);
    fields.only("router:external", &[json!(false)]);
    fields.only("is_default", &[json!(false)]);
    fields.only("vlan_transparent", &[json!(false)]);
    fields.only("qinq", &[json!(false)]);
    fields.only("availability_zone_hints", &[json!([])]);
    fields.only("provider:physical_network", &[json!("")]);
    fields.only("qos_policy_id", &[]);
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
