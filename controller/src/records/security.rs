//! How security groups, their rules, address groups and policies look on disk.

use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use weft_model::{
    AddressGroup, AddressGroupId, AllowedPair, Direction, Family, GroupRole, MacAddr, Policy, PolicyKey,
    Remote, RuleKey, SecurityGroup, SecurityGroupId, SecurityRule, SecurityRuleId, Service, Tracking,
};

use super::{Names, StoredStamp, id};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredGroup<'a> {
    id: Uuid,
    tenant: String,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    stateful: bool,
    is_default: bool,
}

impl<'a> From<&'a SecurityGroup> for StoredGroup<'a> {
    fn from(g: &'a SecurityGroup) -> Self {
        StoredGroup {
            id: g.id.0,
            tenant: g.tenant.to_string(),
            stamp: (&g.stamp).into(),
            stateful: g.tracking == Tracking::Stateful,
            is_default: g.role == GroupRole::Default,
        }
    }
}

impl StoredGroup<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<SecurityGroup, String> {
        Ok(SecurityGroup {
            id: SecurityGroupId(self.id),
            tenant: names.tenant(&self.tenant)?,
            stamp: self.stamp.into(),
            tracking: if self.stateful { Tracking::Stateful } else { Tracking::Stateless },
            role: if self.is_default { GroupRole::Default } else { GroupRole::Named },
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRule<'a> {
    id: Uuid,
    group: Uuid,
    tenant: String,
    key: u32,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    ingress: bool,
    ipv6: bool,
    #[serde(default)]
    protocol: Option<u8>,
    #[serde(default)]
    ports: Option<(u16, u16)>,
    #[serde(default)]
    icmp: Option<(u8, Option<u8>)>,
    #[serde(default)]
    remote_prefix: Option<String>,
    #[serde(default)]
    remote_group: Option<Uuid>,
    #[serde(default)]
    remote_addresses: Option<Uuid>,
}

impl<'a> From<&'a SecurityRule> for StoredRule<'a> {
    fn from(r: &'a SecurityRule) -> Self {
        let mut stored = StoredRule {
            id: r.id.0,
            group: r.group.0,
            tenant: r.tenant.to_string(),
            key: r.key.get(),
            stamp: (&r.stamp).into(),
            ingress: r.direction == Direction::Ingress,
            ipv6: r.family == Family::V6,
            protocol: None,
            ports: None,
            icmp: None,
            remote_prefix: None,
            remote_group: None,
            remote_addresses: None,
        };
        match r.service {
            Service::Any => {}
            Service::Protocol(protocol) => stored.protocol = Some(protocol),
            Service::Ports { protocol, first, last } => {
                (stored.protocol, stored.ports) = (Some(protocol), Some((first, last)));
            }
            Service::Icmp { kind, code } => stored.icmp = Some((kind, code)),
        }
        match r.remote {
            Remote::Any => {}
            Remote::Prefix(prefix) => stored.remote_prefix = Some(prefix.to_string()),
            Remote::Group(group) => stored.remote_group = Some(group.0),
            Remote::Addresses(group) => stored.remote_addresses = Some(group.0),
        }
        stored
    }
}

impl StoredRule<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<SecurityRule, String> {
        let service = match (self.protocol, self.ports, self.icmp) {
            (None, None, None) => Service::Any,
            (Some(protocol), None, None) => Service::Protocol(protocol),
            (Some(protocol), Some((first, last)), None) => Service::Ports { protocol, first, last },
            (None, None, Some((kind, code))) => Service::Icmp { kind, code },
            _ => return Err("protocol, ports and icmp do not go together".into()),
        };
        let remote = match (self.remote_prefix, self.remote_group, self.remote_addresses) {
            (None, None, None) => Remote::Any,
            (Some(prefix), None, None) => Remote::Prefix(id::<IpNet>(&prefix)?),
            (None, Some(group), None) => Remote::Group(SecurityGroupId(group)),
            (None, None, Some(group)) => Remote::Addresses(AddressGroupId(group)),
            _ => return Err("a rule has one remote at most".into()),
        };
        Ok(SecurityRule {
            id: SecurityRuleId(self.id),
            group: SecurityGroupId(self.group),
            tenant: names.tenant(&self.tenant)?,
            key: RuleKey::new(self.key).ok_or("rule key out of range")?,
            stamp: self.stamp.into(),
            direction: if self.ingress { Direction::Ingress } else { Direction::Egress },
            family: if self.ipv6 { Family::V6 } else { Family::V4 },
            service,
            remote,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredAddressGroup<'a> {
    id: Uuid,
    tenant: String,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    prefixes: Vec<String>,
}

impl<'a> From<&'a AddressGroup> for StoredAddressGroup<'a> {
    fn from(g: &'a AddressGroup) -> Self {
        StoredAddressGroup {
            id: g.id.0,
            tenant: g.tenant.to_string(),
            stamp: (&g.stamp).into(),
            prefixes: g.prefixes.iter().map(ToString::to_string).collect(),
        }
    }
}

impl StoredAddressGroup<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<AddressGroup, String> {
        Ok(AddressGroup {
            id: AddressGroupId(self.id),
            tenant: names.tenant(&self.tenant)?,
            stamp: self.stamp.into(),
            prefixes: self.prefixes.iter().map(|prefix| id::<IpNet>(prefix)).collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredPolicy {
    key: u32,
    groups: Vec<Uuid>,
}

impl From<&Policy> for StoredPolicy {
    fn from(p: &Policy) -> Self {
        StoredPolicy { key: p.key.get(), groups: p.groups.iter().map(|group| group.0).collect() }
    }
}

impl StoredPolicy {
    pub(super) fn parse(self) -> Result<Policy, String> {
        let groups = self.groups.into_iter().map(SecurityGroupId).collect();
        Ok(Policy { key: PolicyKey::new(self.key).ok_or("policy key out of range")?, groups })
    }
}

/// An allowed address pair of a port: prefix, and MAC if it is not the port's own.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredPair(String, Option<String>);

impl From<&AllowedPair> for StoredPair {
    fn from(p: &AllowedPair) -> Self {
        StoredPair(p.prefix.to_string(), p.mac.map(|mac| mac.to_string()))
    }
}

impl StoredPair {
    pub(super) fn parse(self) -> Result<AllowedPair, String> {
        let mac = self.1.map(|mac| MacAddr::from_str(&mac).map_err(|e| e.to_string())).transpose()?;
        Ok(AllowedPair { mac, prefix: id(&self.0)? })
    }
}
