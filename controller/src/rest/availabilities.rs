//! `/v2.0/network-ip-availabilities`: how many addresses networks have left.

use std::sync::Arc;

use axum::extract::Path;
use serde_json::{Map, Value};
use weft_api as api;
use weft_model::{Family, Network, NetworkId, Snapshot, Subnet, SubnetId, TenantId, family_of};

use super::call::{Call, Reply, View};
use super::failure::Failure;
use super::kind::{self, Candidates, Kind, members};
use super::query::ListQuery;
use super::{page, scope};

/// Networks as a kind of object of which the addresses are counted.
pub(super) struct Availabilities;

impl Kind for Availabilities {
    const ONE: &'static str = "network_ip_availability";
    const MANY: &'static str = "network_ip_availabilities";
    const LABEL: &'static str = "Network";
    const ID: &'static str = "network_id";
    type Object = Network;
    type Row = api::NetworkIpAvailability;

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
        if let Some(network) = scope::network(query) {
            return Box::new(view.snapshot.network(&network).into_iter());
        }
        match scope::tenant(view, query) {
            Some(tenant) => {
                let ids: Vec<NetworkId> = view.snapshot.networks_of_tenant(&tenant).map(|n| n.id).collect();
                Box::new(ids.into_iter().filter_map(|id| view.snapshot.network(&id)))
            }
            None => Box::new(view.snapshot.networks()),
        }
    }

    fn may_match(network: &Network, query: &ListQuery) -> bool {
        query.allows("network_name", &network.stamp.name)
    }

    fn row(view: &View, network: &Network) -> api::NetworkIpAvailability {
        let subnets = view.snapshot.subnets_of(network.id).map(|subnet| of_subnet(view, subnet));
        let row = api::NetworkIpAvailability {
            network_id: network.id.to_string(),
            network_name: network.stamp.name.clone(),
            tenant_id: network.tenant.to_string(),
            project_id: network.tenant.to_string(),
            subnet_ip_availability: subnets.collect(),
            ..api::NetworkIpAvailability::default()
        };
        summed(row)
    }

    fn narrow(row: &mut Map<String, Value>, query: &ListQuery) -> bool {
        let Some(versions) = query.besides.get(VERSION) else { return true };
        let Ok(mut read) = serde_json::from_value::<api::NetworkIpAvailability>(Value::Object(row.clone()))
        else {
            return false;
        };
        read.subnet_ip_availability.retain(|subnet| versions.contains(&subnet.ip_version.to_string()));
        let is_left = !read.subnet_ip_availability.is_empty();
        *row = members(summed(read));
        is_left
    }

    const FILTERS: &'static [&'static str] = &[VERSION];
}

/// What narrows a list to subnets of one family, although networks have no such attribute.
const VERSION: &str = "ip_version";

/// With the sums over the subnets.
fn summed(row: api::NetworkIpAvailability) -> api::NetworkIpAvailability {
    let zero = api::IpAvailabilityDetails::default();
    let details = row.subnet_ip_availability.iter().fold(zero, |sum, subnet| {
        let own = subnet.ip_availability_details;
        api::IpAvailabilityDetails {
            total_ips_in_subnet: sum.total_ips_in_subnet.saturating_add(own.total_ips_in_subnet),
            total_ips_in_allocation_pool: sum
                .total_ips_in_allocation_pool
                .saturating_add(own.total_ips_in_allocation_pool),
            used_ips_in_subnet: sum.used_ips_in_subnet.saturating_add(own.used_ips_in_subnet),
            used_ips_in_allocation_pool: sum
                .used_ips_in_allocation_pool
                .saturating_add(own.used_ips_in_allocation_pool),
        }
    });
    api::NetworkIpAvailability {
        used_ips: details.used_ips_in_subnet,
        total_ips: details.total_ips_in_allocation_pool,
        ip_availability_details: details,
        ..row
    }
}

fn of_subnet(view: &View, subnet: &Subnet) -> api::SubnetIpAvailability {
    let count = view.snapshot.address_count(subnet);
    let shown = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    let SubnetId(id) = subnet.id;
    api::SubnetIpAvailability {
        subnet_id: id.to_string(),
        subnet_name: subnet.stamp.name.clone(),
        ip_version: if family_of(&subnet.cidr) == Family::V4 { 4 } else { 6 },
        cidr: subnet.cidr.to_string(),
        used_ips: shown(count.used),
        total_ips: shown(count.in_pools),
        ip_availability_details: api::IpAvailabilityDetails {
            total_ips_in_subnet: shown(count.usable),
            total_ips_in_allocation_pool: shown(count.in_pools),
            used_ips_in_subnet: shown(count.used),
            used_ips_in_allocation_pool: shown(count.used_of_pools),
        },
    }
}

/// Lists how many addresses networks have, and how many of them ports have.
#[utoipa::path(get, path = "/v2.0/network-ip-availabilities", tag = "networks",
    operation_id = "list_network_ip_availabilities",
    params(super::document::ListParameters, ("ip_version" = Option<u8>, Query, description = "4 or 6: only subnets of that family")),
    responses((status = 200, body = api::NetworkIpAvailabilityList), (status = "default", body = api::NeutronError)))]
pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    page::list::<Availabilities>(call).await
}

/// Shows how many addresses a network has, and how many of them ports have.
#[utoipa::path(get, path = "/v2.0/network-ip-availabilities/{id}", tag = "networks",
    operation_id = "show_network_ip_availability", params(("id" = String, Path, description = "The network's UUID")),
    responses((status = 200, body = api::NetworkIpAvailabilityEnvelope), (status = "default", body = api::NeutronError)))]
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    kind::show::<Availabilities>(&call, &id)
}
