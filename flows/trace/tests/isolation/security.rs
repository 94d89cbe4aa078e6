//! The security groups of a random deployment, what they allow (written from what the words mean), and their records.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use uuid::Uuid;
use weft_model::{
    AddressGroup, AddressGroupId, Direction, Family, GroupRole, Policy, PolicyKey, Record, Remote, RuleKey,
    SecurityGroup, SecurityGroupId, SecurityRule, SecurityRuleId, Service, Stamp, Tracking,
};
use weft_trace::Packet;

use crate::model::{Model, Port};
use crate::random::Random;

#[derive(Debug, Clone)]
pub struct Group {
    pub stateful: bool,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub egress: bool,
    pub v6: bool,
    pub service: Service,
    pub other: Other,
}

/// The other side of a rule.
#[derive(Debug, Clone)]
pub enum Other {
    Anybody,
    Prefix(IpNet),
    Group(usize),
    /// An address group of its own.
    Addresses(Vec<IpNet>),
}

pub fn groups(random: &mut Random) -> Vec<Group> {
    let count = random.below(5);
    let group = |random: &mut Random| {
        let rules = (0..random.below(5)).map(|_| rule(count, random)).collect();
        Group { stateful: !random.once_in(3), rules }
    };
    (0..count).map(|_| group(random)).collect()
}

fn rule(groups: u64, random: &mut Random) -> Rule {
    let v6 = random.once_in(3);
    let (icmp, port) =
        (if v6 { 128 } else { 8 }, |first, last, protocol| Service::Ports { protocol, first, last });
    let service = match random.below(7) {
        0 | 1 => Service::Any,
        2 => Service::Protocol(6),
        3 => port(80, 443, 6),
        4 => port(50, 60, 17),
        5 => port(1, 65535, 17),
        _ => Service::Icmp { kind: icmp, code: None },
    };
    let other = match random.below(6) {
        0 | 1 => Other::Anybody,
        2 => Other::Prefix(prefix(v6, random)),
        3 => Other::Addresses((0..random.below(4)).map(|_| prefix(v6, random)).collect()),
        _ => Other::Group(usize::try_from(random.below(groups)).expect("an index")),
    };
    Rule { egress: random.once_in(2), v6, service, other }
}

/// A subnet, or one address of it.
fn prefix(v6: bool, random: &mut Random) -> IpNet {
    let (subnet, number) = (random.below(3), 1 + random.below(12));
    let text = match (v6, random.once_in(2)) {
        (false, true) => format!("10.0.{subnet}.0/24"),
        (false, false) => format!("10.0.{subnet}.{number}/32"),
        (true, true) => format!("fd00:0:0:{subnet:x}::/64"),
        (true, false) => format!("fd00:0:0:{subnet:x}::{number:x}/128"),
    };
    text.parse().expect("a prefix")
}

/// Whether the sender's groups let a packet out and the receiver's let it in, as the first of its connection.
pub fn allows(model: &Model, from: &Port, to: &Port, packet: &Packet) -> bool {
    out(model, from, Some(to), packet) && into(model, from, to, packet)
}

/// Whether the sender's groups let a packet out; `to` is who has its destination address.
pub fn out(model: &Model, from: &Port, to: Option<&Port>, packet: &Packet) -> bool {
    let (_, destination) = packet.addresses().expect("an IP packet");
    judged(model, from, true, packet, (destination, to))
}

/// Whether the receiver's groups let a packet in.
pub fn into(model: &Model, from: &Port, to: &Port, packet: &Packet) -> bool {
    let (source, _) = packet.addresses().expect("an IP packet");
    judged(model, to, false, packet, (source, Some(from)))
}

/// The same where the receiver's host cannot tell who the sender is: rules that name a group let nothing in then.
pub fn into_from_anybody(model: &Model, to: &Port, packet: &Packet) -> bool {
    let (source, _) = packet.addresses().expect("an IP packet");
    judged(model, to, false, packet, (source, None))
}

fn judged(
    model: &Model,
    own: &Port,
    egress: bool,
    packet: &Packet,
    (address, other): (IpAddr, Option<&Port>),
) -> bool {
    let Some(groups) = &own.groups else { return true };
    // Nobody is known by an address that is not theirs.
    let other = other.filter(|port| address.is_ipv4() || port.v6);
    let rules =
        groups.iter().flat_map(|group| &model.groups[*group].rules).filter(|rule| rule.egress == egress);
    let fits = |rule: &&Rule| {
        let far = match &rule.other {
            Other::Anybody => true,
            Other::Prefix(prefix) => prefix.contains(&address),
            Other::Addresses(prefixes) => prefixes.iter().any(|prefix| prefix.contains(&address)),
            Other::Group(group) => {
                other.and_then(|port| port.groups.as_ref()).is_some_and(|worn| worn.contains(group))
            }
        };
        far && rule.v6 == address.is_ipv6() && serves(rule.service, packet)
    };
    rules.into_iter().any(|rule| fits(&rule))
}

fn serves(service: Service, packet: &Packet) -> bool {
    let (first_port, second_port) = packet.ports();
    match service {
        Service::Any => true,
        Service::Protocol(protocol) => packet.protocol() == protocol,
        Service::Ports { protocol, first, last } => {
            packet.protocol() == protocol && (first..=last).contains(&second_port)
        }
        Service::Icmp { kind, .. } => matches!(packet.protocol(), 1 | 58) && first_port == u16::from(kind),
    }
}

/// Whether a port's groups remember connections.
pub fn remembers(model: &Model, port: &Port) -> bool {
    port.groups.as_ref().is_some_and(|groups| groups.iter().any(|group| model.groups[*group].stateful))
}

/// Whether an answer comes back, to a packet that was let through.
pub fn answers(model: &Model, from: &Port, to: &Port, answer: &Packet) -> bool {
    let leaves = remembers(model, to) || out(model, to, Some(from), answer);
    let comes = remembers(model, from) || into(model, to, from, answer);
    leaves && comes
}

fn group_id(group: usize) -> SecurityGroupId {
    SecurityGroupId(Uuid::from_u128(0x9000 + group as u128))
}

/// The policies of the model: every set of groups that a port wears, with its key.
pub fn policies(model: &Model) -> BTreeMap<BTreeSet<SecurityGroupId>, PolicyKey> {
    let sets: BTreeSet<BTreeSet<SecurityGroupId>> = model.ports.iter().filter_map(worn).collect();
    let key = |number| PolicyKey::new(number).expect("in range");
    sets.into_iter().zip((1..).map(key)).collect()
}

pub fn worn(port: &Port) -> Option<BTreeSet<SecurityGroupId>> {
    Some(port.groups.as_ref()?.iter().map(|group| group_id(*group)).collect())
}

/// Groups, rules, address groups and policies as records.
pub fn records(model: &Model) -> Vec<Record> {
    let tenant = || "tenant".parse().expect("an id");
    let mut records = Vec::new();
    let mut key = 0;
    for (number, group) in model.groups.iter().enumerate() {
        records.push(Record::SecurityGroup(Arc::new(SecurityGroup {
            id: group_id(number),
            tenant: tenant(),
            stamp: Stamp::default(),
            tracking: if group.stateful { Tracking::Stateful } else { Tracking::Stateless },
            role: GroupRole::Named,
        })));
        for rule in &group.rules {
            key += 1;
            let addresses = AddressGroupId(Uuid::from_u128(0xa000 + u128::from(key)));
            let remote = match &rule.other {
                Other::Anybody => Remote::Any,
                Other::Prefix(prefix) => Remote::Prefix(*prefix),
                Other::Group(group) => Remote::Group(group_id(*group)),
                Other::Addresses(prefixes) => {
                    let prefixes = prefixes.iter().copied().collect();
                    let group =
                        AddressGroup { id: addresses, tenant: tenant(), stamp: Stamp::default(), prefixes };
                    records.push(Record::AddressGroup(Arc::new(group)));
                    Remote::Addresses(addresses)
                }
            };
            records.push(Record::SecurityRule(Arc::new(SecurityRule {
                id: SecurityRuleId(Uuid::from_u128(0xb000 + u128::from(key))),
                group: group_id(number),
                tenant: tenant(),
                key: RuleKey::new(key).expect("not 0"),
                stamp: Stamp::default(),
                direction: if rule.egress { Direction::Egress } else { Direction::Ingress },
                family: if rule.v6 { Family::V6 } else { Family::V4 },
                service: rule.service,
                remote,
            })));
        }
    }
    let policy = |(groups, key)| Record::Policy(Arc::new(Policy { key, groups }));
    records.extend(policies(model).into_iter().map(policy));
    records
}
