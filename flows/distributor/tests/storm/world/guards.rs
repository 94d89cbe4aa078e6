//! Random changes of security groups, their rules, and who wears them, beside everything else.

use std::collections::BTreeSet;

use proptest::prelude::*;
use weft_model::intent::{
    AddressGroupPatch, Intent, Labels, LabelsPatch, NewAddressGroup, NewSecurityGroup, NewSecurityRule,
    PortGroups, PortPatch, SecurityGroupPatch,
};
use weft_model::{
    AddressGroupId, AllowedPair, Direction, Family, PortId, Remote, SecurityGroupId, SecurityRuleId, Service,
    Snapshot, TenantId, Tracking,
};

use super::id;

/// One random change about security. Groups, rules and ports are small numbers.
#[derive(Debug, Clone, Copy)]
pub enum Guard {
    AddGroup {
        group: u8,
        tracking: Tracking,
    },
    Track {
        group: u8,
        tracking: Tracking,
    },
    DeleteGroup(u8),
    AddRule {
        rule: u8,
        group: u8,
        service: Service,
        remote: u8,
        direction: Direction,
    },
    DeleteRule(u8),
    /// Bits say which prefixes are in the one address group; none at all deletes it.
    Addresses(u8),
    /// Bits say which groups a port wears.
    Wear {
        port: u8,
        groups: u8,
    },
    /// Bits say from which prefixes of others a port may send.
    Pairs {
        port: u8,
        bits: u8,
    },
}

const GROUPS: u8 = 3;
const RULES: u8 = 8;

/// What a random change is.
pub fn guard() -> impl Strategy<Value = Guard> {
    let (group, rule, port) = (0..GROUPS, 0..RULES, 0u8..10);
    let tracking = prop_oneof![3 => Just(Tracking::Stateful), 1 => Just(Tracking::Stateless)];
    let direction = prop_oneof![Just(Direction::Ingress), Just(Direction::Egress)];
    prop_oneof![
        4 => (group.clone(), tracking.clone()).prop_map(|(group, tracking)| Guard::AddGroup { group, tracking }),
        1 => (group.clone(), tracking).prop_map(|(group, tracking)| Guard::Track { group, tracking }),
        1 => group.clone().prop_map(Guard::DeleteGroup),
        6 => (rule.clone(), group, service(), 0u8..6, direction).prop_map(
            |(rule, group, service, remote, direction)| Guard::AddRule { rule, group, service, remote, direction }
        ),
        2 => rule.prop_map(Guard::DeleteRule),
        2 => (0u8..8).prop_map(Guard::Addresses),
        8 => (port.clone(), 0u8..8).prop_map(|(port, groups)| Guard::Wear { port, groups }),
        2 => (port, 0u8..4).prop_map(|(port, bits)| Guard::Pairs { port, bits }),
    ]
}

fn service() -> impl Strategy<Value = Service> {
    let ports = |first, last| Just(Service::Ports { protocol: 6, first, last });
    prop_oneof![
        Just(Service::Any),
        Just(Service::Protocol(17)),
        ports(80, 80),
        ports(1000, 1999),
        Just(Service::Icmp { kind: 8, code: None }),
    ]
}

/// What somebody has to ask for so that it happens.
pub fn intent(guard: Guard, tenant: TenantId, snapshot: &Snapshot) -> Intent {
    match guard {
        Guard::AddGroup { group, tracking } => {
            let rule_ids = [0, 1].map(|family| rule_id(100 + group * 2 + family));
            let labels = Labels { name: format!("group {group}"), ..Labels::default() };
            let id = group_id(group);
            Intent::CreateSecurityGroup(NewSecurityGroup {
                id,
                tenant: Some(tenant),
                labels,
                tracking,
                rule_ids,
            })
        }
        Guard::Track { group, tracking } => {
            let patch = SecurityGroupPatch { tracking: Some(tracking), ..SecurityGroupPatch::default() };
            Intent::UpdateSecurityGroup(group_id(group), patch)
        }
        Guard::DeleteGroup(group) => Intent::DeleteSecurityGroup(group_id(group), None),
        Guard::AddRule { rule, group, service, remote, direction } => {
            let new = NewSecurityRule::new(rule_id(rule), group_id(group), direction, Family::V4);
            Intent::CreateSecurityRule(NewSecurityRule { service, remote: who(remote), ..new })
        }
        Guard::DeleteRule(rule) => Intent::DeleteSecurityRule(rule_id(rule)),
        Guard::Addresses(bits) => addresses(bits, tenant, snapshot),
        Guard::Wear { port, groups } => {
            let groups: BTreeSet<_> =
                (0..GROUPS).filter(|bit| groups >> bit & 1 == 1).map(group_id).collect();
            Intent::UpdatePort(port_id(port), PortPatch { groups: Some(groups), ..PortPatch::default() })
        }
        Guard::Pairs { port, bits } => {
            let pair = |prefix: &str| AllowedPair { mac: None, prefix: prefix.parse().unwrap() };
            let pairs = some_of(["10.0.0.200/32", "10.0.0.0/28"], bits).map(pair).collect();
            Intent::UpdatePort(
                port_id(port),
                PortPatch { allowed_pairs: Some(pairs), ..PortPatch::default() },
            )
        }
    }
}

fn addresses(bits: u8, tenant: TenantId, snapshot: &Snapshot) -> Intent {
    let id = addresses_id();
    let prefixes = some_of(["10.0.0.0/30", "10.0.0.8/32", "192.0.2.0/24"], bits);
    let prefixes: Vec<_> = prefixes.map(|prefix| prefix.parse().unwrap()).collect();
    match snapshot.address_group(&id) {
        None => Intent::CreateAddressGroup(NewAddressGroup {
            id,
            tenant: Some(tenant),
            labels: Labels::default(),
            prefixes,
        }),
        Some(_) if prefixes.is_empty() => Intent::DeleteAddressGroup(id, None),
        Some(known) => {
            let remove = known.prefixes.iter().copied().collect();
            let (if_number, labels) = (None, LabelsPatch::default());
            Intent::UpdateAddressGroup(id, AddressGroupPatch { if_number, labels, add: prefixes, remove })
        }
    }
}

/// Which groups a new port wears: half of them are filtered from the beginning.
pub fn of_new_port(port: u8) -> PortGroups {
    if port.is_multiple_of(2) { PortGroups::Default } else { PortGroups::Unfiltered }
}

fn who(remote: u8) -> Remote {
    match remote {
        0 => Remote::Any,
        1 => Remote::Prefix("10.0.0.0/24".parse().unwrap()),
        2 => Remote::Addresses(addresses_id()),
        other => Remote::Group(group_id(other % GROUPS)),
    }
}

fn some_of<const N: usize>(all: [&'static str; N], bits: u8) -> impl Iterator<Item = &'static str> {
    all.into_iter().enumerate().filter(move |(n, _)| bits >> n & 1 == 1).map(|(_, text)| text)
}

fn port_id(port: u8) -> PortId {
    PortId(id(3, port))
}

fn group_id(group: u8) -> SecurityGroupId {
    SecurityGroupId(id(7, group))
}

fn rule_id(rule: u8) -> SecurityRuleId {
    SecurityRuleId(id(8, rule))
}

fn addresses_id() -> AddressGroupId {
    AddressGroupId(id(9, 0))
}
