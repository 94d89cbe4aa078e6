//! Groups, rules, address groups and policies in the tiny language of the test cases.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ipnet::IpNet;
use weft_model::{
    AddressGroup, AddressGroupId, AllowedPair, Direction, Family, GroupRole, Policy, PolicyKey, Record,
    Remote, RuleKey, SecurityGroup, SecurityGroupId, SecurityRule, SecurityRuleId, Service, Stamp, Tracking,
};

use super::{Line, id};

/// The record that a line describes, if it is one of these kinds.
pub(super) fn record(line: &Line<'_>) -> Result<Option<Record>> {
    Ok(Some(match line.kind {
        "group" => Record::SecurityGroup(Arc::new(SecurityGroup {
            id: group_id(line.name),
            tenant: "tenant".parse()?,
            stamp: Stamp { name: line.name.to_owned(), ..Stamp::default() },
            tracking: if line.has("stateless") { Tracking::Stateless } else { Tracking::Stateful },
            role: GroupRole::Named,
        })),
        "addresses" => Record::AddressGroup(Arc::new(AddressGroup {
            id: AddressGroupId(id("addresses", line.name)),
            tenant: "tenant".parse()?,
            stamp: Stamp::default(),
            prefixes: line.value("of")?.split(',').map(str::parse).collect::<Result<_, _>>()?,
        })),
        "policy" => {
            let groups: BTreeSet<SecurityGroupId> =
                line.value("groups")?.split(',').filter(|group| !group.is_empty()).map(group_id).collect();
            Record::Policy(Arc::new(Policy { key: policy_key(line.name)?, groups }))
        }
        "rule" => Record::SecurityRule(Arc::new(rule(line)?)),
        _ => return Ok(None),
    }))
}

fn rule(line: &Line<'_>) -> Result<SecurityRule> {
    let number = |text: &str| -> Result<u16> { Ok(text.parse()?) };
    let service = match line.values.get("service").map(|text| text.split(':').collect::<Vec<_>>()).as_deref()
    {
        None => Service::Any,
        Some(["icmp", kind]) => Service::Icmp { kind: kind.parse()?, code: None },
        Some(["icmp", kind, code]) => Service::Icmp { kind: kind.parse()?, code: Some(code.parse()?) },
        Some([protocol]) => Service::Protocol(protocol.parse()?),
        Some([protocol, first, last]) => {
            let protocol = if *protocol == "tcp" { 6 } else { 17 };
            Service::Ports { protocol, first: number(first)?, last: number(last)? }
        }
        Some(other) => bail!("{other:?} is no service"),
    };
    let remote = match line.values.get("from").and_then(|text| text.split_once(':')) {
        None => Remote::Any,
        Some(("group", name)) => Remote::Group(group_id(name)),
        Some(("addresses", name)) => Remote::Addresses(AddressGroupId(id("addresses", name))),
        Some(("prefix", prefix)) => Remote::Prefix(prefix.parse()?),
        Some((other, _)) => bail!("{other} is no remote"),
    };
    Ok(SecurityRule {
        id: SecurityRuleId(id("rule", line.name)),
        group: group_id(line.value("group")?),
        tenant: "tenant".parse()?,
        key: RuleKey::new(line.name.parse()?).context("key out of range")?,
        stamp: Stamp::default(),
        direction: if line.has("out") { Direction::Egress } else { Direction::Ingress },
        family: if line.has("v6") { Family::V6 } else { Family::V4 },
        service,
        remote,
    })
}

/// What a port wears.
pub(super) fn policy(line: &Line<'_>) -> Result<Option<PolicyKey>> {
    line.values.get("policy").map(|key| policy_key(key)).transpose()
}

/// What a port may send from besides its own addresses.
pub(super) fn pairs(line: &Line<'_>) -> Result<Vec<AllowedPair>> {
    let list = line.values.get("pairs").copied().unwrap_or_default();
    let pair = |text: &str| {
        let (prefix, mac) = text.split_once('@').map_or((text, None), |(prefix, mac)| (prefix, Some(mac)));
        let mac = mac.map(str::parse).transpose()?;
        Ok(AllowedPair { mac, prefix: prefix.parse::<IpNet>()? })
    };
    list.split(',').filter(|text| !text.is_empty()).map(pair).collect()
}

fn policy_key(text: &str) -> Result<PolicyKey> {
    PolicyKey::new(text.parse()?).context("key out of range")
}

fn group_id(name: &str) -> SecurityGroupId {
    SecurityGroupId(id("group", name))
}
