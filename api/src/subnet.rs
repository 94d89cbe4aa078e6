//! Subnets, as `/v2.0/subnets` shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An inclusive range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AllocationPool {
    /// The first address.
    pub start: String,
    /// The last address.
    pub end: String,
}

/// A route handed to workloads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct HostRoute {
    /// Where to, as a prefix.
    pub destination: String,
    /// Through which address.
    pub nexthop: String,
}

/// The addresses that ports of a network may have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Subnet {
    /// Its UUID.
    pub id: String,
    /// What the tenant calls it; need not be unique.
    pub name: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// The network whose ports it addresses.
    pub network_id: String,
    /// 4 or 6.
    pub ip_version: u8,
    /// The subnet pool that its prefix is cut from, or null.
    pub subnetpool_id: Option<String>,
    /// Whether DHCP is answered on it.
    pub enable_dhcp: bool,
    /// How IPv6 workloads learn their route: `slaac`, `dhcpv6-stateful`, `dhcpv6-stateless` or null.
    pub ipv6_ra_mode: Option<String>,
    /// How IPv6 workloads learn their address: the same words.
    pub ipv6_address_mode: Option<String>,
    /// The default gateway told to workloads, or null.
    pub gateway_ip: Option<String>,
    /// The prefix.
    pub cidr: String,
    /// Where automatic addresses come from.
    pub allocation_pools: Vec<AllocationPool>,
    /// Further routes told to workloads.
    pub host_routes: Vec<HostRoute>,
    /// Resolvers told to workloads.
    pub dns_nameservers: Vec<String>,
    /// Free text.
    pub description: String,
    /// Whether its network leads outside.
    #[serde(rename = "router:external")]
    pub router_external: bool,
    /// Always empty.
    pub service_types: Vec<String>,
    /// Always false.
    pub dns_publish_fixed_ip: bool,
    /// Always null.
    pub segment_id: Option<String>,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the object.
    pub revision_number: u64,
}

/// A subnet to create; what is absent takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubnetCreate {
    /// The network whose ports it is to address.
    pub network_id: String,
    /// The prefix, like `192.0.2.0/24`; may be absent when a pool is named.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cidr: String,
    /// The subnet pool to cut the prefix from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnetpool_id: Option<String>,
    /// Cut the prefix from the default subnet pool of `ip_version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_default_subnetpool: Option<bool>,
    /// How long a prefix to cut from the pool; the pool's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixlen: Option<u8>,
    /// 4 or 6, of the same family as `cidr`; derived from it when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_version: Option<u8>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be: the network's tenant when absent; only an administrator may name another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The first usable address when absent; none when null.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::envelope::nullable")]
    #[schema(value_type = Option<String>)]
    pub gateway_ip: Option<Option<String>>,
    /// Every usable address but the gateway when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocation_pools: Option<Vec<AllocationPool>>,
    /// Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_dhcp: Option<bool>,
    /// At most 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_nameservers: Option<Vec<String>>,
    /// At most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_routes: Option<Vec<HostRoute>>,
    /// `slaac`, `dhcpv6-stateful` or `dhcpv6-stateless`; IPv6 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_ra_mode: Option<String>,
    /// The same words; IPv6 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_address_mode: Option<String>,
    /// At most 50 of at most 60 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Changes to a subnet; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubnetUpdate {
    /// See [`SubnetCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`SubnetCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Null for none.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::envelope::nullable")]
    #[schema(value_type = Option<String>)]
    pub gateway_ip: Option<Option<String>>,
    /// The whole new list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocation_pools: Option<Vec<AllocationPool>>,
    /// See [`SubnetCreate::enable_dhcp`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_dhcp: Option<bool>,
    /// The whole new list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_nameservers: Option<Vec<String>>,
    /// The whole new list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_routes: Option<Vec<HostRoute>>,
}
