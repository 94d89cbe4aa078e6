//! How the model's records look on disk: JSON, one value per record, readable with any tool.
//!
//! The model's types are not serialisable on purpose; these shapes are the parse step. Fields are only ever added, with
//! a default, so that an older file always loads.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use weft_model::{
    AddressRange, Binding, Counters, Encap, EncapIps, FixedIp, Host, HostIndex, HostRoute, Key, Mtu, Network,
    OfPort, Port, PortKey, PortSecurity, Record, Revision, Stamp, Subnet, Tenant, Timestamp, Token,
    TokenRole, Vni,
};

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
pub const TABLES: [&str; 8] =
    ["counters", "tenants", "tokens", "hosts", "networks", "subnets", "ports", "bindings"];

/// Where a record stands: its table and its key there.
pub fn place(key: &Key) -> (&'static str, String) {
    match key {
        Key::Counters => ("counters", "counters".into()),
        Key::Tenant(id) => ("tenants", id.to_string()),
        Key::Token(id) => ("tokens", id.to_string()),
        Key::Host(id) => ("hosts", id.to_string()),
        Key::Network(id) => ("networks", id.to_string()),
        Key::Subnet(id) => ("subnets", id.to_string()),
        Key::Port(id) => ("ports", id.to_string()),
        Key::Binding(port, host) => ("bindings", format!("{port}/{host}")),
    }
}

/// The stored form of a record.
pub fn encode(record: &Record) -> Vec<u8> {
    let written = match record {
        Record::Counters(r) => serde_json::to_vec(&StoredCounters::from(*r)),
        Record::Tenant(r) => serde_json::to_vec(&StoredTenant::from(&**r)),
        Record::Token(r) => serde_json::to_vec(&StoredToken::from(&**r)),
        Record::Host(r) => serde_json::to_vec(&StoredHost::from(&**r)),
        Record::Network(r) => serde_json::to_vec(&StoredNetwork::from(&**r)),
        Record::Subnet(r) => serde_json::to_vec(&StoredSubnet::from(&**r)),
        Record::Port(r) => serde_json::to_vec(&StoredPort::from(&**r)),
        Record::Binding(r) => serde_json::to_vec(&StoredBinding::from(&**r)),
    };
    written.expect("plain structs with string keys always serialise")
}

/// Reads a stored record back.
///
/// # Errors
/// [`Damaged`] names the record and the reason; the caller must not go on with a part of the state.
pub fn decode(table: &'static str, key: &str, value: &[u8]) -> Result<Record, Damaged> {
    let damaged = |reason: String| Damaged { table, key: key.to_owned(), reason };
    fn read<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, String> {
        serde_json::from_slice(value).map_err(|e| e.to_string())
    }
    let record = match table {
        "counters" => read::<StoredCounters>(value).map(|s| Record::Counters(s.into())),
        "tenants" => read::<StoredTenant>(value).and_then(|s| Ok(Record::Tenant(Arc::new(s.parse()?)))),
        "tokens" => read::<StoredToken>(value).and_then(|s| Ok(Record::Token(Arc::new(s.parse()?)))),
        "hosts" => read::<StoredHost>(value).and_then(|s| Ok(Record::Host(Arc::new(s.parse()?)))),
        "networks" => read::<StoredNetwork>(value).and_then(|s| Ok(Record::Network(Arc::new(s.parse()?)))),
        "subnets" => read::<StoredSubnet>(value).and_then(|s| Ok(Record::Subnet(Arc::new(s.parse()?)))),
        "ports" => read::<StoredPort>(value).and_then(|s| Ok(Record::Port(Arc::new(s.parse()?)))),
        "bindings" => read::<StoredBinding>(value).and_then(|s| Ok(Record::Binding(Arc::new(s.parse()?)))),
        _ => Err("no such table".into()),
    }
    .map_err(damaged)?;
    let (_, expected) = place(&record.key());
    if expected == key { Ok(record) } else { Err(damaged(format!("holds the record of {expected}"))) }
}

/// Parses a stored text into one of the model's identifiers.
fn id<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| e.to_string())
}

#[derive(Serialize, Deserialize)]
struct StoredStamp {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    tags: Vec<String>,
    created: u64,
    updated: u64,
    number: u64,
}

impl From<&Stamp> for StoredStamp {
    fn from(s: &Stamp) -> Self {
        StoredStamp {
            name: s.name.clone(),
            description: s.description.clone(),
            tags: s.tags.iter().cloned().collect(),
            created: s.created.0,
            updated: s.updated.0,
            number: s.number,
        }
    }
}

impl From<StoredStamp> for Stamp {
    fn from(s: StoredStamp) -> Self {
        Stamp {
            name: s.name,
            description: s.description,
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
}

impl From<Counters> for StoredCounters {
    fn from(c: Counters) -> Self {
        StoredCounters {
            next_vni: c.next_vni,
            next_port_key: c.next_port_key,
            next_host_index: c.next_host_index,
        }
    }
}

impl From<StoredCounters> for Counters {
    fn from(c: StoredCounters) -> Self {
        Counters { next_vni: c.next_vni, next_port_key: c.next_port_key, next_host_index: c.next_host_index }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredTenant {
    id: String,
    stamp: StoredStamp,
    enabled: bool,
}

impl From<&Tenant> for StoredTenant {
    fn from(t: &Tenant) -> Self {
        StoredTenant { id: t.id.to_string(), stamp: (&t.stamp).into(), enabled: t.enabled }
    }
}

impl StoredTenant {
    fn parse(self) -> Result<Tenant, String> {
        Ok(Tenant { id: id(&self.id)?, stamp: self.stamp.into(), enabled: self.enabled })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredToken {
    id: String,
    role: String,
    tenant: Option<String>,
    digest: [u8; 32],
    description: String,
    created: u64,
    expires: Option<u64>,
}

impl From<&Token> for StoredToken {
    fn from(t: &Token) -> Self {
        let (role, tenant) = match &t.role {
            TokenRole::Admin => ("admin", None),
            TokenRole::Member(tenant) => ("member", Some(tenant.to_string())),
            TokenRole::Reader(tenant) => ("reader", Some(tenant.to_string())),
        };
        StoredToken {
            id: t.id.to_string(),
            role: role.into(),
            tenant,
            digest: t.digest,
            description: t.description.clone(),
            created: t.created.0,
            expires: t.expires.map(|at| at.0),
        }
    }
}

impl StoredToken {
    fn parse(self) -> Result<Token, String> {
        let role = match (self.role.as_str(), self.tenant) {
            ("admin", None) => TokenRole::Admin,
            ("member", Some(tenant)) => TokenRole::Member(id(&tenant)?),
            ("reader", Some(tenant)) => TokenRole::Reader(id(&tenant)?),
            (role, _) => return Err(format!("role {role:?} is not one of admin, member, reader")),
        };
        Ok(Token {
            id: id(&self.id)?,
            role,
            digest: self.digest,
            description: self.description,
            created: Timestamp(self.created),
            expires: self.expires.map(Timestamp),
        })
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
            joined: h.joined.0,
        }
    }
}

impl StoredHost {
    fn parse(self) -> Result<Host, String> {
        Ok(Host {
            id: id(&self.id)?,
            index: HostIndex::new(self.index).ok_or("host index out of range")?,
            hostname: self.hostname,
            encap_ips: EncapIps { v4: self.encap_ipv4, v6: self.encap_ipv6 },
            ovs_version: self.ovs_version,
            datapath_type: self.datapath_type,
            joined: Timestamp(self.joined),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredNetwork {
    id: String,
    tenant: String,
    stamp: StoredStamp,
    vni: u32,
    encap: String,
    mtu: u16,
    admin_up: bool,
    port_security_default: bool,
    #[serde(default)]
    dns_domain: String,
}

impl From<&Network> for StoredNetwork {
    fn from(n: &Network) -> Self {
        StoredNetwork {
            id: n.id.to_string(),
            tenant: n.tenant.to_string(),
            stamp: (&n.stamp).into(),
            vni: n.vni.get(),
            encap: n.encap.name().into(),
            mtu: n.mtu.0,
            admin_up: n.admin_up,
            port_security_default: n.port_security_default,
            dns_domain: n.dns_domain.clone(),
        }
    }
}

impl StoredNetwork {
    fn parse(self) -> Result<Network, String> {
        Ok(Network {
            id: id(&self.id)?,
            tenant: id(&self.tenant)?,
            stamp: self.stamp.into(),
            vni: Vni::new(self.vni).ok_or("VNI out of range")?,
            encap: Encap::from_name(&self.encap).ok_or("unknown encapsulation")?,
            mtu: Mtu(self.mtu),
            admin_up: self.admin_up,
            port_security_default: self.port_security_default,
            dns_domain: self.dns_domain,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredSubnet {
    id: String,
    tenant: String,
    network: String,
    stamp: StoredStamp,
    cidr: String,
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

impl From<&Subnet> for StoredSubnet {
    fn from(s: &Subnet) -> Self {
        StoredSubnet {
            id: s.id.to_string(),
            tenant: s.tenant.to_string(),
            network: s.network.to_string(),
            stamp: (&s.stamp).into(),
            cidr: s.cidr.to_string(),
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

impl StoredSubnet {
    fn parse(self) -> Result<Subnet, String> {
        let route = |(destination, nexthop): (String, IpAddr)| -> Result<HostRoute, String> {
            Ok(HostRoute { destination: id::<IpNet>(&destination)?, nexthop })
        };
        Ok(Subnet {
            id: id(&self.id)?,
            tenant: id(&self.tenant)?,
            network: id(&self.network)?,
            stamp: self.stamp.into(),
            cidr: id(&self.cidr)?,
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
struct StoredPort {
    id: String,
    tenant: String,
    network: String,
    key: u32,
    stamp: StoredStamp,
    mac: String,
    fixed_ips: Vec<(String, IpAddr)>,
    admin_up: bool,
    security: bool,
    #[serde(default)]
    device_id: String,
    #[serde(default)]
    device_owner: String,
    #[serde(default)]
    requested_host: Option<String>,
    #[serde(default)]
    dns_name: String,
}

impl From<&Port> for StoredPort {
    fn from(p: &Port) -> Self {
        StoredPort {
            id: p.id.to_string(),
            tenant: p.tenant.to_string(),
            network: p.network.to_string(),
            key: p.key.get(),
            stamp: (&p.stamp).into(),
            mac: p.mac.to_string(),
            fixed_ips: p.fixed_ips.iter().map(|ip| (ip.subnet.to_string(), ip.address)).collect(),
            admin_up: p.admin_up,
            security: p.security == PortSecurity::Enforced,
            device_id: p.device_id.clone(),
            device_owner: p.device_owner.clone(),
            requested_host: p.requested_host.clone(),
            dns_name: p.dns_name.clone(),
        }
    }
}

impl StoredPort {
    fn parse(self) -> Result<Port, String> {
        let fixed = |(subnet, address): (String, IpAddr)| -> Result<FixedIp, String> {
            Ok(FixedIp { subnet: id(&subnet)?, address })
        };
        Ok(Port {
            id: id(&self.id)?,
            tenant: id(&self.tenant)?,
            network: id(&self.network)?,
            key: PortKey::new(self.key).ok_or("port key out of range")?,
            stamp: self.stamp.into(),
            mac: id(&self.mac)?,
            fixed_ips: self.fixed_ips.into_iter().map(fixed).collect::<Result<_, _>>()?,
            admin_up: self.admin_up,
            security: if self.security { PortSecurity::Enforced } else { PortSecurity::Off },
            device_id: self.device_id,
            device_owner: self.device_owner,
            requested_host: self.requested_host,
            dns_name: self.dns_name,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredBinding {
    port: String,
    host: String,
    interface: String,
    ofport: u16,
    since: u64,
}

impl From<&Binding> for StoredBinding {
    fn from(b: &Binding) -> Self {
        StoredBinding {
            port: b.port.to_string(),
            host: b.host.to_string(),
            interface: b.interface.clone(),
            ofport: b.ofport.get(),
            since: b.since.0,
        }
    }
}

impl StoredBinding {
    fn parse(self) -> Result<Binding, String> {
        Ok(Binding {
            port: id(&self.port)?,
            host: id(&self.host)?,
            interface: self.interface,
            ofport: OfPort::new(self.ofport.into()).ok_or("ofport out of range")?,
            since: Revision(self.since),
        })
    }
}
