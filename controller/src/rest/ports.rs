//! `/v2.0/ports`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Path;
use serde_json::{Map, json};
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{AskedIp, Intent, LabelsPatch, NewPort, PortGroups, PortPatch};
use weft_model::{
    AllowedPair, FixedIp, Key, MacAddr, Network, NetworkId, Port, PortId, PortSecurity, SecurityGroupId,
    SharedKind, Snapshot, SubnetId, TenantId, names,
};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner};
use super::qos_policies::read_qos;
use super::query::ListQuery;
use super::security_rules::Prefix;
use super::{dhcp_options, page, scope, trunks};
use crate::clock;

/// Ports as a kind of object.
pub(super) struct Ports;

impl Kind for Ports {
    const ONE: &'static str = "port";
    const MANY: &'static str = "ports";
    const LABEL: &'static str = "Port";
    type Object = Port;
    type Row = api::Port;

    fn id(port: &Port) -> String {
        port.id.to_string()
    }

    fn name(port: &Port) -> &str {
        &port.stamp.name
    }

    fn owner(port: &Port) -> Option<&TenantId> {
        Some(&port.tenant)
    }

    /// The owner of a network sees its guests.
    fn is_shared(view: &View, port: &Port) -> bool {
        let network = view.snapshot.network(&port.network);
        network.is_some_and(|network| view.caller.sees(&network.tenant))
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Port>> {
        snapshot.port(&PortId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, Port> {
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.port(&PortId(id))));
        }
        if let Some(device) = query.single("device_id").filter(|device| !device.is_empty()) {
            let ids: Vec<PortId> = view.snapshot.ports_of_device(device).map(|port| port.id).collect();
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.port(&id)));
        }
        if let Some(network) = scope::network(query).or_else(|| network_of_subnet(view, query)) {
            return match query.single("mac_address").and_then(|text| text.parse().ok()) {
                Some(mac) => Box::new(view.snapshot.port_by_mac(network, mac).into_iter()),
                None => Box::new(view.snapshot.ports_of(network)),
            };
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let own = view.snapshot.ports_of_tenant(&tenant).map(|port| port.id);
                let guests = guests_of(view, &tenant);
                let ids: Vec<PortId> = match guests.is_empty() {
                    true => own.collect(),
                    false => own.chain(guests).collect::<BTreeSet<_>>().into_iter().collect(),
                };
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.port(&id)))
            }
            None => Box::new(view.snapshot.ports()),
        }
    }

    fn may_match(port: &Port, query: &ListQuery) -> bool {
        let has_address = |wanted: &String| match wanted.split_once('=') {
            Some(("ip_address", text)) => {
                text.parse().is_ok_and(|wanted: IpAddr| port.fixed_ips.iter().any(|ip| ip.address == wanted))
            }
            _ => true,
        };
        let mac_fits = |wanted: &String| wanted.parse().is_ok_and(|wanted: MacAddr| wanted == port.mac);
        query.allows("device_id", &port.device_id)
            && query.allows("device_owner", &port.device_owner)
            && query.filters.get("mac_address").is_none_or(|values| values.iter().any(mac_fits))
            && query.filters.get("fixed_ips").is_none_or(|values| values.iter().any(has_address))
    }

    fn row(view: &View, port: &Port) -> api::Port {
        let stamp = &port.stamp;
        let is_active = view.board.port_active(&view.snapshot, port.id);
        let row = api::Port {
            id: port.id.to_string(),
            name: stamp.name.clone(),
            network_id: port.network.to_string(),
            tenant_id: port.tenant.to_string(),
            project_id: port.tenant.to_string(),
            mac_address: port.mac.to_string(),
            admin_state_up: port.admin_up,
            status: if is_active { "ACTIVE" } else { "DOWN" }.into(),
            device_id: port.device_id.clone(),
            device_owner: port.device_owner.clone(),
            fixed_ips: port.fixed_ips.iter().map(fixed_ip).collect(),
            allowed_address_pairs: port.allowed_pairs.iter().map(|pair| allowed_pair(port, pair)).collect(),
            security_groups: groups_of(view, port),
            description: stamp.description.clone(),
            port_security_enabled: port.security == PortSecurity::Enforced,
            dns_name: port.dns_name.clone(),
            extra_dhcp_opts: port.dhcp_options.iter().map(dhcp_options::show).collect(),
            dns_assignment: port.fixed_ips.iter().map(|ip| dns_assignment(view, port, ip.address)).collect(),
            ip_allocation: if port.fixed_ips.is_empty() { "none" } else { "immediate" }.into(),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
            binding_vnic_type: "normal".into(),
            qos_policy_id: port.qos_policy.map(|id| id.to_string()),
            qos_network_policy_id: network_qos(view, port),
            trunk_details: trunks::details(view, port),
            ..api::Port::default()
        };
        if view.caller.is_admin() { with_binding(row, view, port) } else { row }
    }

    fn full() -> api::Port {
        api::Port {
            trunk_details: Some(api::TrunkDetails::default()),
            binding_host_id: Some(String::new()),
            binding_vif_type: Some(String::new()),
            binding_profile: Some(Map::new()),
            binding_vif_details: Some(Map::new()),
            ..api::Port::default()
        }
    }
}

/// The ports on networks that a tenant shares.
fn guests_of(view: &View, tenant: &TenantId) -> Vec<PortId> {
    let policies = view.snapshot.rbac_policies_of_tenant(tenant);
    let shared = policies.filter(|policy| policy.object.kind == SharedKind::Network);
    let networks: BTreeSet<NetworkId> = shared.map(|policy| NetworkId(policy.object.id)).collect();
    networks.into_iter().flat_map(|network| view.snapshot.ports_of(network)).map(|port| port.id).collect()
}

/// The one network in which ports with an address of the subnet that the query names can be.
fn network_of_subnet(view: &View, query: &ListQuery) -> Option<NetworkId> {
    let mut subnets =
        query.filters.get("fixed_ips")?.iter().filter_map(|text| text.strip_prefix("subnet_id="));
    let (first, rest) = (subnets.next()?, subnets.next());
    let subnet = scope::uuid(first).filter(|_| rest.is_none())?;
    view.snapshot.subnet(&SubnetId(subnet)).map(|subnet| subnet.network)
}

fn fixed_ip(ip: &FixedIp) -> api::FixedIp {
    api::FixedIp { subnet_id: ip.subnet.to_string(), ip_address: ip.address.to_string() }
}

fn dns_assignment(view: &View, port: &Port, address: IpAddr) -> api::DnsAssignment {
    let network = view.snapshot.network(&port.network);
    let name = |of: fn(&Network, &Port, IpAddr) -> String| {
        network.map_or_else(String::new, |network| of(network, port, address))
    };
    let (hostname, whole) = (name(names::host_name), name(names::full_name));
    api::DnsAssignment { ip_address: address.to_string(), hostname, fqdn: format!("{whole}.") }
}

/// Its network's QoS policy, which what is no workload's does not inherit.
fn network_qos(view: &View, port: &Port) -> Option<String> {
    let network = view.snapshot.network(&port.network).filter(|_| !port.is_virtual())?;
    network.qos_policy.map(|id| id.to_string())
}

/// What only administrators see: where the port is.
fn with_binding(row: api::Port, view: &View, port: &Port) -> api::Port {
    let binding = view.snapshot.binding(port.id);
    let bound = binding.map(|binding| binding.host.to_string());
    let is_bound = bound.is_some();
    let details = Map::from_iter([("bridge_name".to_owned(), json!("br-int"))]);
    api::Port {
        binding_host_id: Some(bound.or_else(|| port.requested_host.clone()).unwrap_or_default()),
        binding_vif_type: Some(if is_bound { "ovs" } else { "unbound" }.into()),
        binding_profile: Some(Map::new()),
        binding_vif_details: Some(if is_bound { details } else { Map::new() }),
        ..row
    }
}

impl Writable for Ports {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let network = fields.required::<Uuid>("network_id", "must be the UUID of a network");
        let tenant = read_owner(fields);
        let labels = read_labels(fields);
        let mac = fields.parsed_or_null::<MacAddr>("mac_address", MAC).flatten();
        let fixed_ips = read_fixed_ips(fields);
        let admin_up = fields.flag("admin_state_up");
        let security = read_security(fields);
        let groups = read_groups(fields).map_or(PortGroups::Default, PortGroups::These);
        let allowed_pairs = read_pairs(fields).unwrap_or_default();
        let device_id = fields.text("device_id").unwrap_or_default();
        let device_owner = fields.text("device_owner").unwrap_or_default();
        let requested_host = read_requested_host(fields).flatten();
        let dns_name = fields.text_or_null("dns_name").flatten().unwrap_or_default();
        let dhcp_options = dhcp_options::read_new(fields);
        let qos_policy = read_qos(fields).flatten();
        read_harmless(fields);
        let id = Uuid::new_v4();
        // The low bits of a version 4 UUID are random, and not the ones that a reader of two ids would compare.
        let defaults = NewPort::new(PortId(id), NetworkId(network?), Uuid::new_v4().as_u64_pair().1 as u32);
        Some(Intent::CreatePort(NewPort {
            tenant,
            labels,
            mac,
            fixed_ips,
            admin_up: admin_up.unwrap_or(defaults.admin_up),
            security,
            groups,
            allowed_pairs,
            device_id,
            device_owner,
            requested_host,
            dns_name,
            dhcp_options,
            qos_policy,
            ..defaults
        }))
    }

    fn read_patch(fields: &mut Fields, port: &Port, if_number: Option<u64>) -> Intent {
        let patch = PortPatch {
            if_number,
            labels: read_labels_patch(fields),
            mac: fields.parsed_or_null::<MacAddr>("mac_address", MAC).flatten(),
            fixed_ips: read_fixed_ips(fields),
            admin_up: fields.flag("admin_state_up"),
            security: read_security(fields),
            groups: read_groups(fields),
            allowed_pairs: read_pairs(fields),
            dhcp_options: dhcp_options::read(fields),
            device_id: fields.text("device_id"),
            device_owner: fields.text("device_owner"),
            requested_host: read_requested_host(fields),
            dns_name: fields.text_or_null("dns_name").map(Option::unwrap_or_default),
            qos_policy: read_qos(fields),
        };
        read_harmless(fields);
        Intent::UpdatePort(port.id, patch)
    }

    fn deletion(port: &Port, if_number: Option<u64>) -> Intent {
        Intent::DeletePort(port.id, if_number)
    }

    fn check_caller(fields: &Fields, caller: &Caller, verb: &str) -> Result<(), Failure> {
        // Where hosts are and what they are called is not the tenants' business.
        if fields.has("binding:host_id") {
            caller.must_be_admin(&format!("{verb}_port:binding:host_id"))?;
        }
        Ok(())
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::Port(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

const MAC: &str = "must be an Ethernet address like 02:00:5e:10:00:01";

fn read_fixed_ips(fields: &mut Fields) -> Option<Vec<AskedIp>> {
    fields.objects("fixed_ips", |entry| {
        let subnet = entry.parsed_or_null::<Uuid>("subnet_id", "must be the UUID of a subnet").flatten();
        let address = entry.parsed_or_null::<IpAddr>("ip_address", "must be an IP address").flatten();
        Some(AskedIp { subnet: subnet.map(SubnetId), address })
    })
}

fn read_security(fields: &mut Fields) -> Option<PortSecurity> {
    let enabled = fields.flag("port_security_enabled")?;
    Some(if enabled { PortSecurity::Enforced } else { PortSecurity::Off })
}

fn read_groups(fields: &mut Fields) -> Option<BTreeSet<SecurityGroupId>> {
    let groups = fields.parsed_list::<Uuid>("security_groups", "must be the UUID of a security group")?;
    Some(groups.into_iter().map(SecurityGroupId).collect())
}

fn read_pairs(fields: &mut Fields) -> Option<Vec<AllowedPair>> {
    fields.objects("allowed_address_pairs", |entry| {
        let prefix = entry.required::<Prefix>("ip_address", "must be an address or a prefix");
        let mac = entry.parsed_or_null::<MacAddr>("mac_address", MAC).flatten();
        entry.only("active", &[json!(false), json!(true)]);
        Some(AllowedPair { mac, prefix: prefix?.0 })
    })
}

fn allowed_pair(port: &Port, pair: &AllowedPair) -> api::AddressPair {
    let prefix = pair.prefix;
    let is_one = prefix.prefix_len() == prefix.max_prefix_len();
    api::AddressPair {
        ip_address: if is_one { prefix.addr().to_string() } else { prefix.to_string() },
        mac_address: Some(pair.mac.unwrap_or(port.mac).to_string()),
    }
}

fn groups_of(view: &View, port: &Port) -> Vec<String> {
    let policy = port.policy.and_then(|policy| view.snapshot.policy(policy));
    policy.map_or_else(Vec::new, |policy| policy.groups.iter().map(ToString::to_string).collect())
}

/// OpenStack clients clear the host with an empty text.
fn read_requested_host(fields: &mut Fields) -> Option<Option<String>> {
    Some(fields.text_or_null("binding:host_id")?.filter(|host| !host.is_empty()))
}

fn read_harmless(fields: &mut Fields) {
    fields.only("binding:vnic_type", &[json!("normal")]);
    fields.only("binding:profile", &[json!({})]);
    fields.only("device_profile", &[]);
    fields.only("numa_affinity_policy", &[]);
    fields.only("hints", &[json!({})]);
    fields.only("dns_domain", &[json!("")]);
    fields.only("propagate_uplink_status", &[json!(false)]);
}

/// The whole new set of tags.
pub(super) fn retag(port: &Port, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    Intent::UpdatePort(port.id, PortPatch { if_number, labels, ..PortPatch::default() })
}

/// Lists ports.
#[utoipa::path(get, path = "/v2.0/ports", tag = "ports", operation_id = "list_ports",
    params(super::document::ListParameters),
    responses((status = 200, body = api::PortList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<Ports>(call).await
}

/// Creates a port, or many, all or none of them, in the envelope `{"ports": [...]}`.
#[utoipa::path(post, path = "/v2.0/ports", tag = "ports", operation_id = "create_port",
    request_body = super::document::NewPortBody,
    responses((status = 201, body = api::PortEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<Ports>(call, body).await
}

/// Shows a port.
#[utoipa::path(get, path = "/v2.0/ports/{id}", tag = "ports", operation_id = "show_port",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::PortEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<Ports>(&call, &id)
}

/// Changes a port. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/ports/{id}", tag = "ports", operation_id = "update_port",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::PortBody,
    responses((status = 200, body = api::PortEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<Ports>(call, &id, body).await
}

/// Deletes a port.
#[utoipa::path(delete, path = "/v2.0/ports/{id}", tag = "ports", operation_id = "delete_port",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<Ports>(call, &id).await
}
