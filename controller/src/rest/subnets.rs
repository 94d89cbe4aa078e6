//! `/v2.0/subnets`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Path;
use ipnet::IpNet;
use serde_json::json;
use uuid::Uuid;
use weft_api as api;
use weft_model::intent::{AskedPart, AskedPool, AskedPrefix, Intent, LabelsPatch, NewSubnet, SubnetPatch};
use weft_model::{
    AddressRange, Family, HostRoute, Key, NetworkId, SharedKind, Snapshot, Subnet, SubnetId, SubnetPoolId,
    TenantId, family_of,
};

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

    fn is_shared(view: &View, subnet: &Subnet) -> bool {
        view.is_shared(subnet.network)
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
                let own = view.snapshot.subnets_of_tenant(&tenant);
                let shared = view.shared(SharedKind::Network).into_iter().map(NetworkId);
                let shared = shared.flat_map(|network| view.snapshot.subnets_of(network));
                let ids: BTreeSet<SubnetId> = own.chain(shared).map(|subnet| subnet.id).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.subnet(&id)))
            }
            None => Box::new(view.snapshot.subnets()),
        }
    }

    fn row(view: &View, subnet: &Subnet) -> api::Subnet {
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
            subnetpool_id: subnet.pool.map(|pool| pool.to_string()),
            router_external: view.snapshot.network(&subnet.network).is_some_and(|network| network.external),
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
        let prefix = read_prefix(fields);
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
        let defaults = NewSubnet::cut(SubnetId(Uuid::new_v4()), NetworkId(network?), prefix?);
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
        let pool = subnet.pool.map(|pool| json!(pool.to_string()));
        fields.only("subnetpool_id", pool.as_slice());
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

/// The prefix, or the pool to cut it from. With a prefix, `ip_version` only repeats what it says.
fn read_prefix(fields: &mut Fields) -> Option<AskedPrefix> {
    let has_cidr = fields.has("cidr");
    let cidr = fields.parsed_or_null::<IpNet>("cidr", PREFIX).flatten();
    let family = read_family(fields);
    if let (Some(cidr), Some(family)) = (cidr, family)
        && family_of(&cidr) != family
    {
        fields.fault("ip_version", format!("must be that of the prefix {cidr}"));
    }
    let length = fields.number("prefixlen").map(|length| u8::try_from(length).unwrap_or(u8::MAX));
    let pool = read_pool(fields, family);
    match (pool, cidr) {
        (Some(_), Some(_)) if length.is_some() => {
            fields.fault("prefixlen", "cannot be given beside cidr");
            None
        }
        (Some(pool), Some(cidr)) => Some(AskedPrefix::Cut { pool, family, part: AskedPart::This(cidr) }),
        (Some(pool), None) => Some(AskedPrefix::Cut { pool, family, part: AskedPart::Lowest(length) }),
        (None, Some(_)) if length.is_some() => {
            fields.fault("prefixlen", "needs a subnetpool_id");
            None
        }
        (None, Some(cidr)) => Some(AskedPrefix::Own(cidr)),
        (None, None) => {
            if !has_cidr {
                fields.fault("cidr", "is missing: a subnetpool must be specified in the absence of a cidr");
            }
            None
        }
    }
}

fn read_family(fields: &mut Fields) -> Option<Family> {
    match fields.number("ip_version")? {
        4 => Some(Family::V4),
        6 => Some(Family::V6),
        _ => {
            fields.fault("ip_version", "must be 4 or 6");
            None
        }
    }
}

fn read_pool(fields: &mut Fields, family: Option<Family>) -> Option<AskedPool> {
    let pool = fields.parsed_or_null::<Uuid>("subnetpool_id", "must be the UUID of a subnet pool").flatten();
    let by_names = ["use_default_subnetpool", "use_default_subnet_pool"].map(|name| fields.flag(name));
    let is_default = by_names.contains(&Some(true));
    if is_default && pool.is_some() {
        fields.fault("use_default_subnetpool", "cannot be true when a subnetpool_id is given");
    }
    match pool {
        Some(pool) => Some(AskedPool::This(SubnetPoolId(pool))),
        None => is_default.then_some(AskedPool::Default(family.unwrap_or(Family::V4))),
    }
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
    // Whether it is so follows from the network.
    fields.flag("router:external");
    fields.only("segment_id", &[]);
    fields.only("service_types", &[json!([])]);
    fields.only("dns_publish_fixed_ip", &[json!(false)]);
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
