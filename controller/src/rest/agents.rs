//! `/v2.0/agents`: the hosts that joined, as OpenStack clients know them. Administrators only.

use std::sync::Arc;

use axum::extract::Path;
use weft_api as api;
use weft_model::{Encap, Host, Snapshot, TenantId};

use super::call::{Call, Reply, View};
use super::failure::Failure;
use super::hosts;
use super::kind::{self, Candidates, Kind};
use super::page;
use super::query::ListQuery;
use crate::clock;

/// Hosts as a kind of object that has the words of agents.
pub(super) struct Agents;

impl Kind for Agents {
    const ONE: &'static str = "agent";
    const MANY: &'static str = "agents";
    const LABEL: &'static str = "Agent";
    type Object = Host;
    type Row = api::Agent;

    fn id(host: &Host) -> String {
        host.id.to_string()
    }

    fn name(host: &Host) -> &str {
        &host.hostname
    }

    fn owner(_: &Host) -> Option<&TenantId> {
        None
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Host>> {
        snapshot.host(&id.parse().ok()?)
    }

    fn candidates<'a>(view: &'a View, _: &ListQuery) -> Candidates<'a, Host> {
        Box::new(view.snapshot.hosts())
    }

    fn row(view: &View, host: &Host) -> api::Agent {
        let status = view.board.host(&host.id).unwrap_or_default();
        let alive = status.ovsdb_connected && status.openflow_connected;
        let joined = clock::text(host.joined);
        let name = Some(&host.hostname).filter(|name| !name.is_empty());
        api::Agent {
            id: host.id.to_string(),
            agent_type: "Open vSwitch agent".into(),
            binary: "ovs-vswitchd".into(),
            topic: "N/A".into(),
            host: name.cloned().unwrap_or_else(|| host.id.to_string()),
            admin_state_up: true,
            created_at: joined.clone(),
            started_at: joined.clone(),
            heartbeat_timestamp: if alive { clock::text(clock::now()) } else { joined },
            alive,
            configurations: configurations(view, host),
            ..api::Agent::default()
        }
    }
}

fn configurations(view: &View, host: &Host) -> api::AgentConfigurations {
    let in_force = |port| view.snapshot.binding(port).is_some_and(|binding| binding.host == host.id);
    let ip = host.encap_ips.v4.map(|ip| ip.to_string());
    api::AgentConfigurations {
        bridge_mappings: host.bridge_mappings.clone(),
        tunnel_types: Encap::ALL.map(|encap| encap.name().to_owned()).to_vec(),
        tunneling_ip: ip.or(host.encap_ips.v6.map(|ip| ip.to_string())).unwrap_or_default(),
        devices: view.snapshot.claims_of_host(&host.id).filter(|claim| in_force(claim.port)).count(),
        datapath_type: host.datapath_type.clone(),
        ovs_version: host.ovs_version.clone(),
        arp_responder_enabled: true,
        l2_population: true,
        enable_distributed_routing: true,
    }
}

/// Lists the hosts that joined, in the words of agents.
#[utoipa::path(get, path = "/v2.0/agents", tag = "hosts", operation_id = "list_agents",
    params(super::document::ListParameters),
    responses((status = 200, body = api::AgentList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    call.caller().must_be_admin("get_agent")?;
    page::list::<Agents>(call).await
}

/// Shows a host, in the words of agents.
#[utoipa::path(get, path = "/v2.0/agents/{id}", tag = "hosts", operation_id = "show_agent",
    params(("id" = String, Path, description = "The host's system-id")),
    responses((status = 200, body = api::AgentEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    call.caller().must_be_admin("get_agent")?;
    kind::show::<Agents>(&call, &id)
}

/// Forgets a host that is gone for good, as `DELETE /v1/hosts/{id}` does.
#[utoipa::path(delete, path = "/v2.0/agents/{id}", tag = "hosts", operation_id = "delete_agent",
    params(("id" = String, Path, description = "The host's system-id")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    call.caller().must_be_admin("delete_agent")?;
    hosts::forget(&call, &id).await
}
