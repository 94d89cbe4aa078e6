//! Random changes of groups, rules, policies and what ports wear, also such as lead nowhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;
use proptest::prelude::*;
use uuid::Uuid;
use weft_model::{
    AddressGroup, AddressGroupId, AllowedPair, Change, Direction, Family, GroupRole, Key, MacAddr, Policy,
    PolicyKey, Port, PortSecurity, Record, Remote, RuleKey, SecurityGroup, SecurityGroupId, SecurityRule,
    SecurityRuleId, Service, Snapshot, Stamp, Tracking,
};

use crate::world::{PORTS, port_id, tenant};

/// One random change about security.
#[derive(Debug, Clone, Copy)]
pub enum Guard {
    Group { group: u8, stateful: bool },
    DeleteGroup(u8),
    Rule { rule: u8, group: u8, service: u8, remote: u8, ingress: bool },
    DeleteRule(u8),
    Addresses { bits: u8 },
    DeleteAddresses,
    Policy(u8),
    DeletePolicy(u8),
    Wear { port: u8, groups: u8 },
    Pairs { port: u8, bits: u8 },
}

const GROUPS: u8 = 3;
const RULES: u8 = 8;

pub fn guard() -> impl Strategy<Value = Guard> {
    let (group, port) = (0..GROUPS, 0..PORTS);
    prop_oneof![
        2 => (group.clone(), any::<bool>()).prop_map(|(group, stateful)| Guard::Group { group, stateful }),
        1 => group.clone().prop_map(Guard::DeleteGroup),
        6 => (0..RULES, group, 0..7u8, 0..8u8, any::<bool>()).prop_map(|(rule, group, service, remote, ingress)|
            Guard::Rule { rule, group, service, remote, ingress }),
        2 => (0..RULES).prop_map(Guard::DeleteRule),
        1 => (0..8u8).prop_map(|bits| Guard::Addresses { bits }),
        1 => Just(Guard::DeleteAddresses),
        5 => (0..8u8).prop_map(Guard::Policy),
        1 => (0..8u8).prop_map(Guard::DeletePolicy),
        8 => (port.clone(), 0..9u8).prop_map(|(port, groups)| Guard::Wear { port, groups }),
        3 => (port, 0..8u8).prop_map(|(port, bits)| Guard::Pairs { port, bits }),
    ]
}

pub fn change(snapshot: &Snapshot, guard: Guard) -> Option<Change> {
    Some(match guard {
        Guard::Group { group, stateful } => Change::Put(Record::SecurityGroup(Arc::new(SecurityGroup {
            id: group_id(group),
            tenant: tenant(),
            stamp: Stamp::default(),
            tracking: if stateful { Tracking::Stateful } else { Tracking::Stateless },
            role: GroupRole::Named,
        }))),
        Guard::DeleteGroup(group) => Change::Delete(Key::SecurityGroup(group_id(group))),
        Guard::Rule { rule, group, service, remote, ingress } => {
            Change::Put(Record::SecurityRule(Arc::new(rule_record(rule, group, service, remote, ingress)?)))
        }
        Guard::DeleteRule(rule) => Change::Delete(Key::SecurityRule(rule_id(rule))),
        Guard::Addresses { bits } => Change::Put(Record::AddressGroup(Arc::new(AddressGroup {
            id: addresses_id(),
            tenant: tenant(),
            stamp: Stamp::default(),
            prefixes: some_of(["10.0.0.0/30", "10.0.0.8/32", "fd00::/64"], bits).map(prefix).collect(),
        }))),
        Guard::DeleteAddresses => Change::Delete(Key::AddressGroup(addresses_id())),
        Guard::Policy(bits) => {
            let groups: BTreeSet<SecurityGroupId> = some_of([0, 1, 2], bits).map(group_id).collect();
            Change::Put(Record::Policy(Arc::new(Policy { key: policy_key(bits)?, groups })))
        }
        Guard::DeletePolicy(bits) => Change::Delete(Key::Policy(policy_key(bits)?)),
        Guard::Wear { port, groups } => {
            let mut record = Port::clone(snapshot.port(&port_id(port))?);
            record.policy = if groups == 8 { None } else { policy_key(groups) };
            Change::Put(Record::Port(Arc::new(record)))
        }
        Guard::Pairs { port, bits } => {
            let mut record = Port::clone(snapshot.port(&port_id(port))?);
            let mac = Some(MacAddr([2, 0, 0, 0, 9, 9]));
            let pairs = [(None, "10.0.0.200/32"), (None, "10.0.0.3/32"), (mac, "fd00::100/120")];
            record.allowed_pairs = some_of(pairs, bits)
                .map(|(mac, text)| AllowedPair { mac, prefix: prefix(text) })
                .filter(|_| record.security == PortSecurity::Enforced)
                .collect();
            Change::Put(Record::Port(Arc::new(record)))
        }
    })
}

fn rule_record(rule: u8, group: u8, service: u8, remote: u8, ingress: bool) -> Option<SecurityRule> {
    let family = if rule % 3 == 2 { Family::V6 } else { Family::V4 };
    let text = if family == Family::V4 { "10.0.0.0/24" } else { "fd00::/64" };
    Some(SecurityRule {
        id: rule_id(rule),
        group: group_id(group),
        tenant: tenant(),
        key: RuleKey::new(u32::from(rule) + 1)?,
        stamp: Stamp::default(),
        direction: if ingress { Direction::Ingress } else { Direction::Egress },
        family,
        service: match service {
            0 => Service::Any,
            1 => Service::Protocol(17),
            2 => Service::Ports { protocol: 6, first: 80, last: 80 },
            3 => Service::Ports { protocol: 6, first: 1000, last: 1999 },
            4 => Service::Ports { protocol: 132, first: 1, last: 65535 },
            5 => Service::Icmp { kind: 8, code: None },
            _ => Service::Icmp { kind: 3, code: Some(4) },
        },
        remote: match remote {
            0 => Remote::Any,
            1 => Remote::Prefix(prefix(text)),
            2 => Remote::Addresses(addresses_id()),
            other => Remote::Group(group_id(other % GROUPS)),
        },
    })
}

fn some_of<T: Copy>(all: [T; 3], bits: u8) -> impl Iterator<Item = T> {
    all.into_iter().enumerate().filter(move |(n, _)| bits >> n & 1 == 1).map(|(_, one)| one)
}

fn prefix(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn policy_key(bits: u8) -> Option<PolicyKey> {
    PolicyKey::new(u32::from(bits) + 1)
}

fn group_id(group: u8) -> SecurityGroupId {
    SecurityGroupId(Uuid::from_u128(0x4_0000 + u128::from(group)))
}

fn rule_id(rule: u8) -> SecurityRuleId {
    SecurityRuleId(Uuid::from_u128(0x5_0000 + u128::from(rule)))
}

fn addresses_id() -> AddressGroupId {
    AddressGroupId(Uuid::from_u128(0x6_0000))
}
