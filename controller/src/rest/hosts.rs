//! `/v1/hosts`: the machines that joined, what they are meant to have and what is wrong with them. Administrators only.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use weft_api as api;
use weft_model::intent::Intent;
use weft_model::{Host, Snapshot, TenantId};

use super::call::{Call, Reply, View};
use super::failure::Failure;
use super::kind::{self, Candidates, Kind, visible};
use super::page;
use super::query::ListQuery;
use crate::clock;
use crate::status::HostStatus;

/// Hosts as a kind of object.
pub(super) struct Hosts;

impl Kind for Hosts {
    const ONE: &'static str = "host";
    const MANY: &'static str = "hosts";
    const LABEL: &'static str = "Host";
    type Object = Host;
    type Row = api::Host;

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

    fn row(view: &View, host: &Host) -> api::Host {
        let status = view.board.host(&host.id).unwrap_or_default();
        let ips = [host.encap_ips.v4.map(|ip| ip.to_string()), host.encap_ips.v6.map(|ip| ip.to_string())];
        let in_force = |port| view.snapshot.binding(port).is_some_and(|binding| binding.host == host.id);
        let problems: Vec<String> = status.ailments.iter().cloned().chain(status.problems()).collect();
        api::Host {
            id: host.id.to_string(),
            hostname: host.hostname.clone(),
            index: host.index.get(),
            encap_ips: ips.into_iter().flatten().collect(),
            bridge_mappings: host.bridge_mappings.clone(),
            ovs_version: host.ovs_version.clone(),
            datapath_type: host.datapath_type.clone(),
            joined_at: clock::text(host.joined),
            status: condition(&status, &problems).into(),
            ovsdb_connected: status.ovsdb_connected,
            openflow_connected: status.openflow_connected,
            confirmed_revision: status.confirmed.0,
            flows: status.flows,
            ports: view.snapshot.claims_of_host(&host.id).filter(|claim| in_force(claim.port)).count(),
            tunnels: tunnels(view, host, &status),
            audit: audit(&status),
            problems,
            drift_repaired: status.drift_repaired,
            flow_messages_sent: status.flow_messages_sent,
        }
    }
}

/// The state of a host in one word.
fn condition(status: &HostStatus, problems: &[String]) -> &'static str {
    match (status.ovsdb_connected, status.openflow_connected) {
        (false, false) => "DOWN",
        (true, true) if problems.is_empty() => "UP",
        _ => "DEGRADED",
    }
}

fn audit(status: &HostStatus) -> api::Audit {
    let audit = &status.audit;
    api::Audit {
        last: audit.last.map(clock::text),
        audits: audit.audits,
        drift_repaired: status.drift_repaired,
        last_difference: audit.last_difference.to_vec(),
        self_check_failed: audit.self_check_failed,
        monitored: audit.monitored,
    }
}

fn tunnels(view: &View, host: &Host, status: &HostStatus) -> Vec<api::Tunnel> {
    let shown = |(id, ofport, error): (weft_compiler::TunnelId, _, Option<&String>)| {
        let peer = view.snapshot.host_by_index(id.peer)?;
        Some(api::Tunnel {
            name: id.name(),
            encap: id.encap.name().to_owned(),
            peer: peer.id.to_string(),
            remote_ip: host.encap_ips.towards(&peer.encap_ips)?.to_string(),
            ofport,
            error: error.cloned(),
        })
    };
    let mut tunnels: Vec<api::Tunnel> = status.tunnels.iter().filter_map(shown).collect();
    tunnels.sort_by(|a, b| a.name.cmp(&b.name));
    tunnels
}

/// Lists hosts.
#[utoipa::path(get, path = "/v1/hosts", tag = "hosts", operation_id = "list_hosts",
    params(super::document::ListParameters),
    responses((status = 200, body = api::HostList),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    call.caller().must_be_admin("get_host")?;
    page::list::<Hosts>(call).await
}

/// Shows a host.
#[utoipa::path(get, path = "/v1/hosts/{id}", tag = "hosts", operation_id = "show_host",
    params(("id" = String, Path, description = "Its system-id")),
    responses((status = 200, body = api::HostEnvelope),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    call.caller().must_be_admin("get_host")?;
    kind::show::<Hosts>(&call, &id)
}

/// Forgets a host that is gone for good. One that still has a session would come back at once: 409.
#[utoipa::path(delete, path = "/v1/hosts/{id}", tag = "hosts", operation_id = "delete_host",
    params(("id" = String, Path, description = "Its system-id")),
    responses((status = 204),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    call.caller().must_be_admin("delete_host")?;
    forget(&call, &id).await
}

/// Forgets a host that is not connected.
pub(super) async fn forget(call: &Call, id: &str) -> Result<Reply, Failure> {
    let host = visible::<Hosts>(&call.view, id).ok_or_else(|| Failure::not_found("Host", id))?;
    let status = call.view.board.host(&host.id).unwrap_or_default();
    if status.ovsdb_connected || status.openflow_connected {
        let message = format!("Host {id} is connected; take its manager away first (ovs-vsctl del-manager).");
        return Err(Failure::new(StatusCode::CONFLICT, "HostInUse", message));
    }
    let (committed, _) = call.write(vec![Intent::DeleteHost(host.id.clone())]).await?;
    Ok(Reply::nothing(committed.revision))
}
