//! How the model's records look on disk: JSON, one value per record, readable with any tool.
//!
//! The model's types are not serialisable on purpose; these shapes are the parse step. Fields are only ever added, with
//! a default, so that an older file always loads.

mod gateways;
mod identity;
mod physical;
mod pools;
mod qos;
mod quotas;
mod routers;
mod security;
mod trunks;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;
use weft_model::{
    AddressRange, Binding, Counters, DhcpFamily, DhcpOption, Encap, EncapIps, FixedIp, Host, HostId,
    HostIndex, HostRoute, Key, Mtu, Network, NetworkId, OfPort, PolicyKey, Port, PortId, PortKey,
    PortSecurity, QosPolicyId, Record, Revision, Stamp, Subnet, SubnetId, SubnetPoolId, Tenant, TenantId,
    Timestamp, Vni,
};

use gateways::{StoredFloatingIp, StoredForwarding};
use identity::{StoredAppCredential, StoredAssignment, StoredToken, StoredUser};
use physical::{StoredPhysicalNetwork, StoredSegment};
use pools::{StoredPool, StoredRange, StoredRbacPolicy, StoredScope};
use qos::StoredQosPolicy;
use quotas::StoredQuota;
use routers::StoredRouter;
use security::{StoredAddressGroup, StoredGroup, StoredPair, StoredPolicy, StoredRule};
use trunks::{StoredBehind, StoredTrunk};

/// A stored value that is not what this version writes.
#[derive(Debug, Error)]
#[error("record {table}/{key}: {reason}")]
pub struct Damaged {
    /// The table it stands in.
    pub table: &'static str,
    /// Its key.
    pub key: String,
    /// What is wrong.
    pub reason: String,
}

/// The names of the tables, in the order in which they are loaded.
pub const TABLES: [&str; 26] = [
    "counters",
    "tenants",
    "quotas",
    "tokens",
    "users",
    "assignments",
    "app_credentials",
    "hosts",
    "physical_networks",
    "segment_ranges",
    "networks",
    "address_scopes",
    "subnet_pools",
    "subnets",
    "rbac_policies",
    "security_groups",
    "security_rules",
    "address_groups",
    "policies",
    "ports",
    "bindings",
    "routers",
    "floating_ips",
    "port_forwardings",
    "trunks",
    "qos_policies",
];

/// Where a record stands: its table and its key there.
pub fn place(key: &Key) -> (&'static str, String) {
    match key {
        Key::Counters => ("counters", "counters".into()),
        Key::Tenant(id) => ("tenants", id.to_string()),
        Key::Token(id) => ("tokens", id.to_string()),
        Key::User(id) => ("users", id.to_string()),
        Key::Assignment(user, tenant) => ("assignments", format!("{user}/{tenant}")),
        Key::AppCredential(id) => ("app_credentials", id.to_string()),
        Key::Trunk(id) => ("trunks", id.to_string()),
        Key::QosPolicy(id) => ("qos_policies", id.to_string()),
        Key::Host(id) => ("hosts", id.to_string()),
        Key::PhysicalNetwork(key) => ("physical_networks", key.to_string()),
        Key::Network(id) => ("networks", id.to_string()),
        Key::Subnet(id) => ("subnets", id.to_string()),
        Key::Port(id) => ("ports", id.to_string()),
        Key::Router(id) => ("routers", id.to_string()),
        Key::Quota(tenant) => ("quotas", tenant.to_string()),
        Key::FloatingIp(id) => ("floating_ips", id.to_string()),
        Key::PortForwarding(id) => ("port_forwardings", id.to_string()),
        Key::Binding(port, host) => ("bindings", format!("{port}/{host}")),
        Key::SecurityGroup(id) => ("security_groups", id.to_string()),
        Key::SecurityRule(id) => ("security_rules", id.to_string()),
        Key::AddressGroup(id) => ("address_groups", id.to_string()),
        Key::Policy(key) => ("policies", key.to_string()),
        Key::AddressScope(id) => ("address_scopes", id.to_string()),
        Key::SubnetPool(id) => ("subnet_pools", id.to_string()),
        Key::RbacPolicy(id) => ("rbac_policies", id.to_string()),
        Key::SegmentRange(id) => ("segment_ranges", id.to_string()),
    }
}

/// The stored form of a record.
pub fn encode(record: &Record) -> Vec<u8> {
    let written = match record {
        Record::Counters(r) => serde_json::to_vec(&StoredCounters::from(*r)),
        Record::Tenant(r) => serde_json::to_vec(&StoredTenant::from(&**r)),
        Record::Token(r) => serde_json::to_vec(&StoredToken::from(&**r)),
        Record::User(r) => serde_json::to_vec(&StoredUser::from(&**r)),
        Record::Assignment(r) => serde_json::to_vec(&StoredAssignment::from(&**r)),
        Record::AppCredential(r) => serde_json::to_vec(&StoredAppCredential::from(&**r)),
        Record::Trunk(r) => serde_json::to_vec(&StoredTrunk::from(&**r)),
        Record::QosPolicy(r) => serde_json::to_vec(&StoredQosPolicy::from(&**r)),
        Record::Host(r) => serde_json::to_vec(&StoredHost::from(&**r)),
        Record::PhysicalNetwork(r) => serde_json::to_vec(&StoredPhysicalNetwork::from(&**r)),
        Record::Network(r) => serde_json::to_vec(&StoredNetwork::from(&**r)),
        Record::Subnet(r) => serde_json::to_vec(&StoredSubnet::from(&**r)),
        Record::Port(r) => serde_json::to_vec(&StoredPort::from(&**r)),
        Record::Router(r) => serde_json::to_vec(&StoredRouter::from(&**r)),
        Record::Quota(r) => serde_json::to_vec(&StoredQuota::from(&**r)),
        Record::FloatingIp(r) => serde_json::to_vec(&StoredFloatingIp::from(&**r)),
        Record::PortForwarding(r) => serde_json::to_vec(&StoredForwarding::from(&**r)),
        Record::Binding(r) => serde_json::to_vec(&StoredBinding::from(&**r)),
        Record::SecurityGroup(r) => serde_json::to_vec(&StoredGroup::from(&**r)),
        Record::SecurityRule(r) => serde_json::to_vec(&StoredRule::from(&**r)),
        Record::AddressGroup(r) => serde_json::to_vec(&StoredAddressGroup::from(&**r)),
        Record::Policy(r) => serde_json::to_vec(&StoredPolicy::from(&**r)),
        Record::AddressScope(r) => serde_json::to_vec(&StoredScope::from(&**r)),
        Record::SubnetPool(r) => serde_json::to_vec(&StoredPool::from(&**r)),
        Record::RbacPolicy(r) => serde_json::to_vec(&StoredRbacPolicy::from(&**r)),
        Record::SegmentRange(r) => serde_json::to_vec(&StoredRange::from(&**r)),
    };
    written.expect("plain structs with string keys always serialise")
}

/// Reads a stored record back.
///
/// # Errors
/// [`Damaged`] names the record and the reason; the caller must not go on with a part of the state.
pub fn decode(table: &'static str, key: &str, value: &[u8]) -> Result<Record, Damaged> {
    Decoder::default().decode(table, key, value)
}

/// Reads stored records back, and lets those that name the same tenant or host share its name in memory.
#[derive(Debug, Default)]
pub struct Decoder {
    names: Names,
}

impl Decoder {
    /// Reads a stored record back.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn decode(&mut self, table: &'static str, key: &str, value: &[u8]) -> Result<Record, Damaged> {
        let record = self.read(table, value).and_then(|record| {
            let stands = record.key();
            let right = match &stands {
                // The many are compared without making a text.
                Key::Port(id) => is_uuid(key, id.0),
                Key::Binding(port, host) => {
                    key.split_once('/').is_some_and(|(p, h)| is_uuid(p, port.0) && h == host.as_str())
                }
                other => place(other).1 == key,
            };
            if right { Ok(record) } else { Err(format!("holds the record of {}", place(&stands).1)) }
        });
        record.map_err(|reason| Damaged { table, key: key.to_owned(), reason })
    }

    fn read(&mut self, table: &'static str, value: &[u8]) -> Result<Record, String> {
        fn json<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, String> {
            serde_json::from_slice(value).map_err(|e| e.to_string())
        }
        let names = &mut self.names;
        Ok(match table {
            "counters" => Record::Counters(json::<StoredCounters>(value)?.into()),
            "tenants" => Record::Tenant(Arc::new(json::<StoredTenant>(value)?.parse(names)?)),
            "tokens" => Record::Token(Arc::new(json::<StoredToken>(value)?.parse(names)?)),
            "users" => Record::User(Arc::new(json::<StoredUser>(value)?.parse(names)?)),
            "assignments" => Record::Assignment(Arc::new(json::<StoredAssignment>(value)?.parse(names)?)),
            "app_credentials" => {
                Record::AppCredential(Arc::new(json::<StoredAppCredential>(value)?.parse(names)?))
            }
            "hosts" => Record::Host(Arc::new(json::<StoredHost>(value)?.parse(names)?)),
            "trunks" => Record::Trunk(Arc::new(json::<StoredTrunk>(value)?.parse(names)?)),
            "qos_policies" => Record::QosPolicy(Arc::new(json::<StoredQosPolicy>(value)?.parse(names)?)),
            "physical_networks" => {
                Record::PhysicalNetwork(Arc::new(json::<StoredPhysicalNetwork>(value)?.parse()?))
            }
            "networks" => Record::Network(Arc::new(json::<StoredNetwork>(value)?.parse(names)?)),
            "subnets" => Record::Subnet(Arc::new(json::<StoredSubnet>(value)?.parse(names)?)),
            "ports" => Record::Port(Arc::new(json::<StoredPort>(value)?.parse(names)?)),
            "routers" => Record::Router(Arc::new(json::<StoredRouter>(value)?.parse(names)?)),
            "quotas" => Record::Quota(Arc::new(json::<StoredQuota>(value)?.parse(names)?)),
            "floating_ips" => Record::FloatingIp(Arc::new(json::<StoredFloatingIp>(value)?.parse(names)?)),
            "port_forwardings" => Record::PortForwarding(Arc::new(json::<StoredForwarding>(value)?.parse()?)),
            "bindings" => Record::Binding(Arc::new(json::<StoredBinding>(value)?.parse(names)?)),
            "security_groups" => Record::SecurityGroup(Arc::new(json::<StoredGroup>(value)?.parse(names)?)),
            "security_rules" => Record::SecurityRule(Arc::new(json::<StoredRule>(value)?.parse(names)?)),
            "address_groups" => {
                Record::AddressGroup(Arc::new(json::<StoredAddressGroup>(value)?.parse(names)?))
            }
            "address_scopes" => Record::AddressScope(Arc::new(json::<StoredScope>(value)?.parse(names)?)),
            "segment_ranges" => Record::SegmentRange(Arc::new(json::<StoredRange>(value)?.parse(names)?)),
            "subnet_pools" => Record::SubnetPool(Arc::new(json::<StoredPool>(value)?.parse(names)?)),
            "rbac_policies" => Record::RbacPolicy(Arc::new(json::<StoredRbacPolicy>(value)?.parse(names)?)),
            "policies" => Record::Policy(Arc::new(json::<StoredPolicy>(value)?.parse()?)),
            _ => return Err("no such table".into()),
        })
    }
}

fn is_uuid(text: &str, id: Uuid) -> bool {
    text == id.hyphenated().encode_lower(&mut Uuid::encode_buffer())
}

/// The names that have come up, each once in memory.
#[derive(Debug, Default)]
struct Names {
    tenants: HashMap<String, TenantId>,
    hosts: HashMap<String, HostId>,
}

impl Names {
    fn tenant(&mut self, text: &str) -> Result<TenantId, String> {
        known(&mut self.tenants, text)
    }

    fn host(&mut self, text: &str) -> Result<HostId, String> {
        known(&mut self.hosts, text)
    }
}

fn known<T: std::str::FromStr + Clone>(names: &mut HashMap<String, T>, text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    if let Some(found) = names.get(text) {
        return Ok(found.clone());
    }
    let new: T = id(text)?;
    names.insert(text.to_owned(), new.clone());
    Ok(new)
}

/// Parses a stored text into one of the model's identifiers.
fn id<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| e.to_string())
}

#[derive(Serialize, Deserialize)]
struct StoredStamp<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    description: Cow<'a, str>,
    #[serde(default)]
    tags: Vec<String>,
    created: u64,
    updated: u64,
    number: u64,
}

impl<'a> From<&'a Stamp> for StoredStamp<'a> {
    fn from(s: &'a Stamp) -> Self {
        StoredStamp {
            name: s.name.as_str().into(),
            description: s.description.as_str().into(),
            tags: s.tags.iter().cloned().collect(),
            created: s.created.0,
            updated: s.updated.0,
            number: s.number,
        }
    }
}

impl From<StoredStamp<'_>> for Stamp {
    fn from(s: StoredStamp<'_>) -> Self {
        Stamp {
            name: s.name.into_owned(),
            description: s.description.into_owned(),
            tags: s.tags.into_iter().collect(),
            created: Timestamp(s.created),
            updated: Timestamp(s.updated),
            number: s.number,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredCounters {
    next_vni: u32,
    next_port_key: u32,
    next_host_index: u32,
    #[serde(default = "first")]
    next_router_key: u32,
    #[serde(default = "first")]
    next_policy_key: u32,
    #[serde(default = "first")]
    next_rule_key: u32,
    #[serde(default = "first")]
    next_physnet_key: u32,
    #[serde(default = "first")]
    next_gateway_zone: u32,
}

/// Where counters start that an older version did not have.
fn first() -> u32 {
    1
}

impl From<Counters> for StoredCounters {
    fn from(c: Counters) -> Self {
        StoredCounters {
            next_vni: c.next_vni,
            next_port_key: c.next_port_key,
            next_host_index: c.next_host_index,
            next_router_key: c.next_router_key,
            next_policy_key: c.next_policy_key,
            next_rule_key: c.next_rule_key,
            next_physnet_key: c.next_physnet_key,
            next_gateway_zone: c.next_gateway_zone,
        }
    }
}

impl From<StoredCounters> for Counters {
    fn from(c: StoredCounters) -> Self {
        Counters {
            next_vni: c.next_vni,
            next_port_key: c.next_port_key,
            next_host_index: c.next_host_index,
            next_router_key: c.next_router_key,
            next_policy_key: c.next_policy_key,
            next_rule_key: c.next_rule_key,
            next_physnet_key: c.next_physnet_key,
            next_gateway_zone: c.next_gateway_zone,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredTenant<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    enabled: bool,
}

impl<'a> From<&'a Tenant> for StoredTenant<'a> {
    fn from(t: &'a Tenant) -> Self {
        StoredTenant { id: t.id.as_str().into(), stamp: (&t.stamp).into(), enabled: t.enabled }
    }
}

impl StoredTenant<'_> {
    fn parse(self, names: &mut Names) -> Result<Tenant, String> {
        Ok(Tenant { id: names.tenant(&self.id)?, stamp: self.stamp.into(), enabled: self.enabled })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredHost {
    id: String,
    index: u32,
    hostname: String,
    encap_ipv4: Option<std::net::Ipv4Addr>,
    encap_ipv6: Option<std::net::Ipv6Addr>,
    ovs_version: String,
    datapath_type: String,
    #[serde(default)]
    bridge_mappings: BTreeMap<String, String>,
    joined: u64,
}

impl From<&Host> for StoredHost {
    fn from(h: &Host) -> Self {
        StoredHost {
            id: h.id.to_string(),
            index: h.index.get().into(),
            hostname: h.hostname.clone(),
            encap_ipv4: h.encap_ips.v4,
            encap_ipv6: h.encap_ips.v6,
            ovs_version: h.ovs_version.clone(),
            datapath_type: h.datapath_type.clone(),
            bridge_mappings: h.bridge_mappings.clone(),
            joined: h.joined.0,
        }
    }
}

impl StoredHost {
    fn parse(self, names: &mut Names) -> Result<Host, String> {
        Ok(Host {
            id: names.host(&self.id)?,
            index: HostIndex::new(self.index).ok_or("host index out of range")?,
            hostname: self.hostname,
            encap_ips: EncapIps { v4: self.encap_ipv4, v6: self.encap_ipv6 },
            ovs_version: self.ovs_version,
            datapath_type: self.datapath_type,
            bridge_mappings: self.bridge_mappings,
            joined: Timestamp(self.joined),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredNetwork<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    vni: u32,
    encap: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    segment: Option<StoredSegment>,
    mtu: u16,
    admin_up: bool,
    port_security_default: bool,
    #[serde(default)]
    dns_domain: String,
    #[serde(default)]
    vlan_transparent: bool,
    #[serde(default)]
    external: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    qos_policy: Option<Uuid>,
}

impl<'a> From<&'a Network> for StoredNetwork<'a> {
    fn from(n: &'a Network) -> Self {
        StoredNetwork {
            id: n.id.0,
            tenant: n.tenant.as_str().into(),
            stamp: (&n.stamp).into(),
            vni: n.vni.get(),
            encap: n.encap.name().into(),
            segment: n.segment.map(StoredSegment::from),
            mtu: n.mtu.0,
            admin_up: n.admin_up,
            port_security_default: n.port_security_default,
            dns_domain: n.dns_domain.clone(),
            vlan_transparent: n.vlan_transparent,
            external: n.external,
            qos_policy: n.qos_policy.map(|id| id.0),
        }
    }
}

impl StoredNetwork<'_> {
    fn parse(self, names: &mut Names) -> Result<Network, String> {
        Ok(Network {
            id: NetworkId(self.id),
            tenant: names.tenant(&self.tenant)?,
            stamp: self.stamp.into(),
            vni: Vni::new(self.vni).ok_or("VNI out of range")?,
            encap: Encap::from_name(&self.encap).ok_or("unknown encapsulation")?,
            segment: self.segment.map(StoredSegment::parse).transpose()?,
            mtu: Mtu(self.mtu),
            admin_up: self.admin_up,
            port_security_default: self.port_security_default,
            dns_domain: self.dns_domain,
            vlan_transparent: self.vlan_transparent,
            external: self.external,
            qos_policy: self.qos_policy.map(QosPolicyId),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredSubnet<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    network: Uuid,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    cidr: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<Uuid>,
    gateway: Option<IpAddr>,
    pools: Vec<(IpAddr, IpAddr)>,
    dhcp: bool,
    #[serde(default)]
    dns_servers: Vec<IpAddr>,
    #[serde(default)]
    host_routes: Vec<(String, IpAddr)>,
    #[serde(default)]
    ipv6_ra_mode: Option<String>,
    #[serde(default)]
    ipv6_address_mode: Option<String>,
}

impl<'a> From<&'a Subnet> for StoredSubnet<'a> {
    fn from(s: &'a Subnet) -> Self {
        StoredSubnet {
            id: s.id.0,
            tenant: s.tenant.as_str().into(),
            network: s.network.0,
            stamp: (&s.stamp).into(),
            cidr: s.cidr.to_string(),
            pool: s.pool.map(|pool| pool.0),
            gateway: s.gateway,
            pools: s.pools.iter().map(|p| (p.start, p.end)).collect(),
            dhcp: s.dhcp,
            dns_servers: s.dns_servers.clone(),
            host_routes: s.host_routes.iter().map(|r| (r.destination.to_string(), r.nexthop)).collect(),
            ipv6_ra_mode: s.ipv6_ra_mode.clone(),
            ipv6_address_mode: s.ipv6_address_mode.clone(),
        }
    }
}

impl StoredSubnet<'_> {
    fn parse(self, names: &mut Names) -> Result<Subnet, String> {
        let route = |(destination, nexthop): (String, IpAddr)| -> Result<HostRoute, String> {
            Ok(HostRoute { destination: id::<IpNet>(&destination)?, nexthop })
        };
        Ok(Subnet {
            id: SubnetId(self.id),
            tenant: names.tenant(&self.tenant)?,
            network: NetworkId(self.network),
            stamp: self.stamp.into(),
            cidr: id(&self.cidr)?,
            pool: self.pool.map(SubnetPoolId),
            gateway: self.gateway,
            pools: self.pools.into_iter().map(|(start, end)| AddressRange { start, end }).collect(),
            dhcp: self.dhcp,
            dns_servers: self.dns_servers,
            host_routes: self.host_routes.into_iter().map(route).collect::<Result<_, _>>()?,
            ipv6_ra_mode: self.ipv6_ra_mode,
            ipv6_address_mode: self.ipv6_address_mode,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredPort<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    network: Uuid,
    key: u32,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    #[serde(borrow)]
    mac: Cow<'a, str>,
    fixed_ips: Vec<(Uuid, IpAddr)>,
    admin_up: bool,
    security: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowed_pairs: Vec<StoredPair>,
    /// The version of IP, the name and the value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dhcp_options: Vec<(u8, String, String)>,
    #[serde(borrow, default)]
    device_id: Cow<'a, str>,
    #[serde(borrow, default)]
    device_owner: Cow<'a, str>,
    #[serde(default)]
    requested_host: Option<String>,
    #[serde(borrow, default)]
    dns_name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    qos_policy: Option<Uuid>,
}

impl<'a> From<&'a Port> for StoredPort<'a> {
    fn from(p: &'a Port) -> Self {
        StoredPort {
            id: p.id.0,
            tenant: p.tenant.as_str().into(),
            network: p.network.0,
            key: p.key.get(),
            stamp: (&p.stamp).into(),
            mac: p.mac.to_string().into(),
            fixed_ips: p.fixed_ips.iter().map(|ip| (ip.subnet.0, ip.address)).collect(),
            admin_up: p.admin_up,
            security: p.security == PortSecurity::Enforced,
            policy: p.policy.map(PolicyKey::get),
            allowed_pairs: p.allowed_pairs.iter().map(StoredPair::from).collect(),
            dhcp_options: p.dhcp_options.iter().map(stored_option).collect(),
            device_id: p.device_id.as_str().into(),
            device_owner: p.device_owner.as_str().into(),
            requested_host: p.requested_host.clone(),
            dns_name: p.dns_name.as_str().into(),
            qos_policy: p.qos_policy.map(|id| id.0),
        }
    }
}

fn stored_option(option: &DhcpOption) -> (u8, String, String) {
    let version = if option.family() == DhcpFamily::V4 { 4 } else { 6 };
    (version, option.name().to_owned(), option.value().to_owned())
}

fn read_option((version, name, value): (u8, String, String)) -> Result<DhcpOption, String> {
    let family = if version == 4 { DhcpFamily::V4 } else { DhcpFamily::V6 };
    DhcpOption::new(family, &name, &value).map_err(str::to_owned)
}

impl StoredPort<'_> {
    fn parse(self, names: &mut Names) -> Result<Port, String> {
        let fixed = |(subnet, address)| FixedIp { subnet: SubnetId(subnet), address };
        Ok(Port {
            id: PortId(self.id),
            tenant: names.tenant(&self.tenant)?,
            network: NetworkId(self.network),
            key: PortKey::new(self.key).ok_or("port key out of range")?,
            stamp: self.stamp.into(),
            mac: id(&self.mac)?,
            fixed_ips: self.fixed_ips.into_iter().map(fixed).collect(),
            admin_up: self.admin_up,
            security: if self.security { PortSecurity::Enforced } else { PortSecurity::Off },
            policy: match self.policy {
                Some(key) => Some(PolicyKey::new(key).ok_or("policy key out of range")?),
                None => None,
            },
            allowed_pairs: self.allowed_pairs.into_iter().map(StoredPair::parse).collect::<Result<_, _>>()?,
            dhcp_options: self.dhcp_options.into_iter().map(read_option).collect::<Result<_, _>>()?,
            device_id: self.device_id.into_owned(),
            device_owner: self.device_owner.into_owned(),
            requested_host: self.requested_host,
            dns_name: self.dns_name.into_owned(),
            qos_policy: self.qos_policy.map(QosPolicyId),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredBinding<'a> {
    port: Uuid,
    #[serde(borrow)]
    host: Cow<'a, str>,
    #[serde(borrow)]
    interface: Cow<'a, str>,
    ofport: u16,
    since: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<StoredBehind>,
}

impl<'a> From<&'a Binding> for StoredBinding<'a> {
    fn from(b: &'a Binding) -> Self {
        StoredBinding {
            port: b.port.0,
            host: b.host.as_str().into(),
            interface: b.interface.as_str().into(),
            ofport: b.ofport.get(),
            since: b.since.0,
            behind: b.behind.map(StoredBehind::from),
        }
    }
}

impl StoredBinding<'_> {
    fn parse(self, names: &mut Names) -> Result<Binding, String> {
        Ok(Binding {
            port: PortId(self.port),
            host: names.host(&self.host)?,
            interface: self.interface.into_owned(),
            ofport: OfPort::new(self.ofport.into()).ok_or("ofport out of range")?,
            since: Revision(self.since),
            behind: self.behind.map(StoredBehind::parse).transpose()?,
        })
    }
}
