//! How many addresses networks have left, as `/v2.0/network-ip-availabilities` shows it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many addresses a network has, and how many of them ports have. Numbers above 2^64-1 are shown as that.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NetworkIpAvailability {
    /// Which network.
    pub network_id: String,
    /// What it is called.
    pub network_name: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// Its subnets, one by one.
    pub subnet_ip_availability: Vec<SubnetIpAvailability>,
    /// How many addresses ports have.
    pub used_ips: u64,
    /// How many addresses its allocation pools have.
    pub total_ips: u64,
    /// The same, with and without what is outside of pools.
    pub ip_availability_details: IpAvailabilityDetails,
}

/// How many addresses a subnet has, and how many of them ports have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubnetIpAvailability {
    /// Which subnet.
    pub subnet_id: String,
    /// What it is called.
    pub subnet_name: String,
    /// 4 or 6.
    pub ip_version: u8,
    /// Its prefix.
    pub cidr: String,
    /// How many addresses ports have.
    pub used_ips: u64,
    /// How many addresses its allocation pools have.
    pub total_ips: u64,
    /// The same, with and without what is outside of pools.
    pub ip_availability_details: IpAvailabilityDetails,
}

/// Numbers of addresses, with and without those outside of allocation pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct IpAvailabilityDetails {
    /// Addresses that a port could have.
    pub total_ips_in_subnet: u64,
    /// Those of them that are in pools.
    pub total_ips_in_allocation_pool: u64,
    /// Addresses that ports have.
    pub used_ips_in_subnet: u64,
    /// Those of them that are in pools.
    pub used_ips_in_allocation_pool: u64,
}

/// One network, in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct NetworkIpAvailabilityEnvelope {
    /// The one.
    pub network_ip_availability: NetworkIpAvailability,
}

/// Many networks, in their envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct NetworkIpAvailabilityList {
    /// All of them, or one page.
    pub network_ip_availabilities: Vec<NetworkIpAvailability>,
}
