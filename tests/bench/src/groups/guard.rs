//! The security groups of the measured tenant: who wears what, and the rules.

use std::sync::Arc;

use anyhow::{Context, Result};
use uuid::Uuid;
use weft_controller::populate::{Population, port_id, tenant_id};
use weft_model::{
    Change, Counters, Direction, Family, GroupRole, Policy, PolicyKey, Port, Record, Remote, RuleKey,
    SecurityGroup, SecurityGroupId, SecurityRule, SecurityRuleId, Service, Stamp, Tracking,
};

/// Rules of the large group, besides the one by which its members reach each other.
pub const RULES: u16 = 50;

/// A group with its policy, which is the group alone.
#[derive(Debug, Clone, Copy)]
pub struct Worn {
    pub group: SecurityGroupId,
    pub policy: PolicyKey,
}

/// The group of all ports but those of the wide network.
pub fn members() -> Worn {
    worn(1)
}

/// The group that the wide network's ports wear; it lets the members of the other one in.
pub fn others() -> Worn {
    worn(2)
}

fn worn(number: u32) -> Worn {
    let group = SecurityGroupId(Uuid::from_u128(0x7766 << 64 | u128::from(number)));
    Worn { group, policy: PolicyKey::new(number).expect("small numbers are keys") }
}

/// What makes a population's ports wear the two groups.
pub fn changes(population: &Population) -> Result<Vec<Change>> {
    let snapshot = population.snapshot();
    let mut records = Vec::new();
    for Worn { group, policy } in [members(), others()] {
        records.push(Record::SecurityGroup(Arc::new(SecurityGroup {
            id: group,
            tenant: tenant_id(0),
            stamp: Stamp::default(),
            tracking: Tracking::Stateful,
            role: GroupRole::Named,
        })));
        records.push(Record::Policy(Arc::new(Policy { key: policy, groups: [group].into() })));
    }
    let rules = rules();
    let next_rule_key = u32::try_from(rules.len())? + 1;
    records.extend(rules.into_iter().map(|rule| Record::SecurityRule(Arc::new(rule))));
    for port in 0..population.ports() {
        let is_member = port < population.size().ports;
        let policy = Some(if is_member { members().policy } else { others().policy });
        let record = snapshot.port(&port_id(port)).context("a population has its ports")?;
        records.push(Record::Port(Arc::new(Port { policy, ..Port::clone(record) })));
    }
    records.push(Record::Counters(Counters { next_policy_key: 3, next_rule_key, ..snapshot.counters() }));
    Ok(records.into_iter().map(Change::Put).collect())
}

fn rules() -> Vec<SecurityRule> {
    let mut all = Vec::new();
    let mut add = |group: Worn, direction, service, remote| {
        let number = all.len() as u32 + 1;
        all.push(SecurityRule {
            id: SecurityRuleId(Uuid::from_u128(0x7275 << 64 | u128::from(number))),
            group: group.group,
            tenant: tenant_id(0),
            key: RuleKey::new(number).expect("counted from 1"),
            stamp: Stamp::default(),
            direction,
            family: Family::V4,
            service,
            remote,
        });
    };
    for group in [members(), others()] {
        add(group, Direction::Egress, Service::Any, Remote::Any);
        add(group, Direction::Ingress, Service::Any, Remote::Group(members().group));
    }
    for port in 1..RULES {
        let service = Service::Ports { protocol: 6, first: port, last: port };
        add(members(), Direction::Ingress, service, Remote::Any);
    }
    all
}
