//! `/v2.0/subnets`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Path;
use ipnet::IpNet;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{Intent, LabelsPatch, NewSubnet, SubnetPatch};
use weft_model::{AddressRange, HostRoute, Key, NetworkId, Snapshot, Subnet, SubnetId, TenantId};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{self, Candidates, Kind, Writable};
use super::labels::{read_labels, read_labels_patch, read_owner};
use super::query::ListQuery;
use super::{page, scope};
use crate::clock;

/// Subnets as a kind of object.
pub(super) struct Subnets;

impl Kind for Subnets {
    const ONE: &'static str = "subnet";
    const MANY: &'static str = "subnets";
    const LABEL: &'static str = "Subnet";
    type Object = Subnet;
    type Row = api::Subnet;

    fn id(subnet: &Subnet) -> String {
        subnet.id.to_string()
    }

    fn name(subnet: &Subnet) -> &str {
        &subnet.stamp.name
    }

    fn owner(subnet: &Subnet) -> Option<&TenantId> {
        Some(&subnet.tenant)
    }

    fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Subnet>> {
        snapshot.subnet(&SubnetId(scope::uuid(id)?))
    }

    fn candidates<'a>(view: &'a View, query: &ListQuery) -> Candidates<'a, Subnet> {
        if let Some(ids) = scope::ids(query) {
            return Box::new(ids.into_iter().filter_map(|id| view.snapshot.subnet(&SubnetId(id))));
        }
        if let Some(network) = scope::network(query) {
            return Box::new(view.snapshot.subnets_of(network));
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let ids: Vec<SubnetId> = view.snapshot.subnets_of_tenant(&tenant).map(|s| s.id).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.subnet(&id)))
            }
            None => Box::new(view.snapshot.subnets()),
        }
    }

    fn row(_: &View, subnet: &Subnet) -> api::Subnet {
        let stamp = &subnet.stamp;
        let pool = |range: &AddressRange| api::AllocationPool {
            start: range.start.to_string(),
            end: range.end.to_string(),
        };
        let route = |route: &HostRoute| api::HostRoute {
            destination: route.destination.to_string(),
            nexthop: route.nexthop.to_string(),
        };
        api::Subnet {
            id: subnet.id.to_string(),
            name: stamp.name.clone(),
            tenant_id: subnet.tenant.to_string(),
            project_id: subnet.tenant.to_string(),
            network_id: subnet.network.to_string(),
            ip_version: if subnet.cidr.addr().is_ipv4() { 4 } else { 6 },
            enable_dhcp: subnet.dhcp,
            ipv6_ra_mode: subnet.ipv6_ra_mode.clone(),
            ipv6_address_mode: subnet.ipv6_address_mode.clone(),
            gateway_ip: subnet.gateway.map(|gateway| gateway.to_string()),
            cidr: subnet.cidr.to_string(),
            allocation_pools: subnet.pools.iter().map(pool).collect(),
            host_routes: subnet.host_routes.iter().map(route).collect(),
            dns_nameservers: subnet.dns_servers.iter().map(ToString::to_string).collect(),
            description: stamp.description.clone(),
            tags: stamp.tags.iter().cloned().collect(),
            created_at: clock::text(stamp.created),
            updated_at: clock::text(stamp.updated),
            revision_number: stamp.number,
            ..api::Subnet::default()
        }
    }
}

impl Writable for Subnets {
    fn read_new(fields: &mut Fields, _: &Caller) -> Option<Intent> {
        let network = fields.required::<Uuid>("network_id", "must be the UUID of a network");
        let cidr = read_cidr(fields);
        let tenant = read_owner(fields);
        let labels = read_labels(fields);
        let gateway = fields.parsed_or_null("gateway_ip", ADDRESS);
        let pools = read_pools(fields);
        let dhcp = fields.flag("enable_dhcp");
        let dns_servers = fields.parsed_list("dns_nameservers", ADDRESS);
        let host_routes = read_routes(fields);
        let ipv6_ra_mode = fields.text_or_null("ipv6_ra_mode").flatten();
        let ipv6_address_mode = fields.text_or_null("ipv6_address_mode").flatten();
        read_harmless(fields);
        let defaults = NewSubnet::new(SubnetId(Uuid::new_v4()), NetworkId(network?), cidr?);
        Some(Intent::CreateSubnet(NewSubnet {
            tenant,
            labels,
            gateway,
            pools,
            dhcp: dhcp.unwrap_or(defaults.dhcp),
            dns_servers: dns_servers.unwrap_or_default(),
            host_routes: host_routes.unwrap_or_default(),
            ipv6_ra_mode,
            ipv6_address_mode,
            ..defaults
        }))
    }

    fn read_patch(fields: &mut Fields, subnet: &Subnet, if_number: Option<u64>) -> Intent {
        let patch = SubnetPatch {
            if_number,
            labels: read_labels_patch(fields),
            gateway: fields.parsed_or_null("gateway_ip", ADDRESS),
            pools: read_pools(fields),
            dhcp: fields.flag("enable_dhcp"),
            dns_servers: fields.parsed_list("dns_nameservers", ADDRESS),
            host_routes: read_routes(fields),
        };
        read_harmless(fields);
        Intent::UpdateSubnet(subnet.id, patch)
    }

    fn deletion(subnet: &Subnet, if_number: Option<u64>) -> Intent {
        Intent::DeleteSubnet(subnet.id, if_number)
    }

    fn touched(key: &Key) -> Option<String> {
        match key {
            Key::Subnet(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

const ADDRESS: &str = "must be an IP address";
const PREFIX: &str = "must be a prefix like 192.0.2.0/24";

/// The prefix; `ip_version` only repeats what it says.
fn read_cidr(fields: &mut Fields) -> Option<IpNet> {
    let cidr = fields.required::<IpNet>("cidr", PREFIX);
    let version = fields.number("ip_version");
    if version.is_some_and(|version| version != 4 && version != 6) {
        fields.fault("ip_version", "must be 4 or 6");
    } else if let (Some(cidr), Some(version)) = (cidr, version)
        && cidr.addr().is_ipv4() != (version == 4)
    {
        fields.fault("ip_version", format!("must be that of the prefix {cidr}"));
    }
    cidr
}

fn read_pools(fields: &mut Fields) -> Option<Vec<AddressRange>> {
    fields.objects("allocation_pools", |pool| {
        let start = pool.required::<IpAddr>("start", ADDRESS);
        let end = pool.required::<IpAddr>("end", ADDRESS);
        Some(AddressRange { start: start?, end: end? })
    })
}

fn read_routes(fields: &mut Fields) -> Option<Vec<HostRoute>> {
    fields.objects("host_routes", |route| {
        let destination = route.required::<IpNet>("destination", PREFIX);
        let nexthop = route.required::<IpAddr>("nexthop", ADDRESS);
        Some(HostRoute { destination: destination?, nexthop: nexthop? })
    })
}

fn read_harmless(fields: &mut Fields) {
    fields.only("subnetpool_id", &[]);
    fields.only("segment_id", &[]);
    fields.only("prefixlen", &[]);
    fields.only("service_types", &[json!([])]);
    fields.only("router:external", &[json!(false)]);
    fields.only("dns_publish_fixed_ip", &[json!(false)]);
    fields.only("use_default_subnet_pool", &[json!(false)]);
    fields.only("use_default_subnetpool", &[json!(false)]);
}

/// The whole new set of tags.
pub(super) fn retag(subnet: &Subnet, tags: BTreeSet<String>, if_number: Option<u64>) -> Intent {
    let labels = LabelsPatch { tags: Some(tags), ..LabelsPatch::default() };
    Intent::UpdateSubnet(subnet.id, SubnetPatch { if_number, labels, ..SubnetPatch::default() })
}

/// Lists subnets.
#[utoipa::path(get, path = "/v2.0/subnets", tag = "subnets", operation_id = "list_subnets",
    params(super::document::ListParameters),
    responses((status = 200, body = api::SubnetList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<Subnets>(call).await
}

/// Creates a subnet, or many, all or none of them, in the envelope `{"subnets": [...]}`.
#[utoipa::path(post, path = "/v2.0/subnets", tag = "subnets", operation_id = "create_subnet",
    request_body = super::document::NewSubnetBody,
    responses((status = 201, body = api::SubnetEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn create(call: Call, body: Body) -> Result<Reply, Failure> {
    kind::create::<Subnets>(call, body).await
}

/// Shows a subnet.
#[utoipa::path(get, path = "/v2.0/subnets/{id}", tag = "subnets", operation_id = "show_subnet",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 200, body = api::SubnetEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<Subnets>(&call, &id)
}

/// Changes a subnet. `If-Match: revision_number=N` makes it conditional.
#[utoipa::path(put, path = "/v2.0/subnets/{id}", tag = "subnets", operation_id = "update_subnet",
    params(("id" = String, Path, description = "Its UUID")), request_body = super::document::SubnetBody,
    responses((status = 200, body = api::SubnetEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn update(call: Call, Path(id): Path<String>, body: Body) -> Result<Reply, Failure> {
    kind::update::<Subnets>(call, &id, body).await
}

/// Deletes a subnet of which no port has an address.
#[utoipa::path(delete, path = "/v2.0/subnets/{id}", tag = "subnets", operation_id = "delete_subnet",
    params(("id" = String, Path, description = "Its UUID")),
    responses((status = 204), (status = "default", body = api::NeutronError)))]
pub(super) async fn delete(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::delete::<Subnets>(call, &id).await
}
