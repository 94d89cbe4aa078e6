//! Tables egress_rules and ingress_rules: one policy's rules as flows, the same on every host where a port wears it.
//!
//! A rule with one peer or none is a flow per mask of its ports. A rule with a set of peers (a group, an address group) is a
//! conjunction of two lists: who, and what. So the flows grow with rules and with members, never with their product.
//! The conjunction's id is the rule's key: the policy is part of both lists, so the same rule in another policy is no
//! other conjunction to a packet.

use std::collections::BTreeMap;

use ipnet::IpNet;
use weft_model::{
    Direction, Family, Policy, Remote, RuleKey, SecurityGroupId, SecurityRule, Service, Snapshot, Tracking,
};
use weft_openflow::{Action, OxmField, oxm};

use crate::fields::Fields;
use crate::pipeline::{
    DELIVER, EGRESS_COMMIT, EGRESS_GATE, EGRESS_PEER, EGRESS_REPLY, EGRESS_RULES, HOME_NETWORK,
    INGRESS_COMMIT, INGRESS_GATE, INGRESS_PEER, INGRESS_REPLY, INGRESS_RULES, L2_LOCAL, Table,
};
use crate::reasons::Reason;
use crate::registers::{DESTINATION_POLICY, RULE, Register, SOURCE, SOURCE_POLICY};
use crate::sheet::{Sheet, Then};
use crate::tables::security::{RELATED, REPLY, TRACKED, state, track};
use crate::tables::{Side, ipv4, ipv6, prefix_field};

/// Replies of connections that a rule of the policy allowed.
const KNOWN: u16 = 900;
/// Replies of all others.
const UNKNOWN: u16 = 800;
/// Rules with one peer or none.
const PLAIN: u16 = 200;
/// Rules with a set of peers.
const CONJUNCTIVE: u16 = 100;

/// Everything that differs between what leaves and what comes in.
struct Way {
    direction: Direction,
    gate: &'static Table,
    rules: &'static Table,
    reply: &'static Table,
    commit: &'static Table,
    end: &'static Table,
    /// Whose policy is asked.
    own: Register,
    /// The policy of the other side.
    peer: Register,
    /// Where the other side's address stands.
    side: Side,
}

const EGRESS: Way = Way {
    direction: Direction::Egress,
    gate: &EGRESS_GATE,
    rules: &EGRESS_RULES,
    reply: &EGRESS_REPLY,
    commit: &EGRESS_COMMIT,
    end: &L2_LOCAL,
    own: SOURCE_POLICY,
    peer: DESTINATION_POLICY,
    side: Side::Destination,
};

const INGRESS: Way = Way {
    direction: Direction::Ingress,
    gate: &INGRESS_GATE,
    rules: &INGRESS_RULES,
    reply: &INGRESS_REPLY,
    commit: &INGRESS_COMMIT,
    end: &DELIVER,
    own: DESTINATION_POLICY,
    peer: SOURCE_POLICY,
    side: Side::Source,
};

/// All flows of a policy.
pub(crate) fn policy(sheet: &mut Sheet, policy: &Policy, snapshot: &Snapshot) {
    let mut rules: Vec<&SecurityRule> =
        policy.groups.iter().flat_map(|group| snapshot.rules_of(*group)).map(AsRef::as_ref).collect();
    rules.sort_by_key(|rule| rule.key);
    let tracking = tracking(policy, snapshot);
    for way in [EGRESS, INGRESS] {
        let (own, other): (Vec<&SecurityRule>, Vec<_>) =
            rules.iter().partition(|rule| rule.direction == way.direction);
        gate(sheet, &way, policy, tracking, &own);
        if tracking == Tracking::Stateful {
            replies(sheet, &way, policy, &own, &other);
        }
        let then = if tracking == Tracking::Stateful { way.commit } else { way.end };
        Lists::of(&way, policy, &own, snapshot).write(sheet, &way, policy, then);
    }
}

/// Stateful if any of its groups is.
fn tracking(policy: &Policy, snapshot: &Snapshot) -> Tracking {
    let stateful = |group: &SecurityGroupId| {
        snapshot.security_group(group).is_some_and(|group| group.tracking == Tracking::Stateful)
    };
    if policy.groups.iter().any(stateful) { Tracking::Stateful } else { Tracking::Stateless }
}

/// The way to the rules, past the tables that know the other side where a rule asks for it.
fn gate(sheet: &mut Sheet, way: &Way, policy: &Policy, tracking: Tracking, rules: &[&SecurityRule]) {
    let asks = rules.iter().any(|rule| matches!(rule.remote, Remote::Group(_)));
    let to_rules = |then: Then| match tracking {
        Tracking::Stateful => then.act(track(way.rules)),
        Tracking::Stateless => then.goto(way.rules),
    };
    let own = || way.own.is(policy.key.get());
    for family in [ipv4, ipv6] {
        let then = match way.direction {
            Direction::Egress if asks => Then::new().resubmit(&EGRESS_PEER),
            _ => Then::new(),
        };
        sheet.flow(way.gate, 100, family().with(own()), to_rules(then));
        if way.direction == Direction::Ingress && asks {
            // Whatever no local port sent: out of a tunnel or from a physical network.
            let remote = family().with(own()).with(SOURCE.is(0));
            let then = Then::new().resubmit(&HOME_NETWORK).resubmit(&INGRESS_PEER);
            sheet.flow(way.gate, 110, remote, to_rules(then));
        }
    }
    sheet.flow(way.gate, 50, Fields::new().with(own()), Then::drop(Reason::OtherProtocol));
}

/// What belongs to a known connection: replies to what the other direction allowed, and errors about either direction.
/// Each rule has its flow, so that a rule that goes takes the connections along that it allowed.
fn replies(sheet: &mut Sheet, way: &Way, policy: &Policy, own: &[&SecurityRule], other: &[&SecurityRule]) {
    let of_rule = |key: RuleKey, bits, mask| {
        let label = oxm::ct_label_masked(key.get().into(), u32::MAX.into());
        Fields::new().with(way.own.is(policy.key.get())).with(state(bits, mask)).with(label)
    };
    for rule in other {
        let reply = of_rule(rule.key, TRACKED | REPLY, TRACKED | REPLY);
        sheet.flow(way.rules, KNOWN, reply, Then::new().goto(way.reply));
    }
    for rule in own {
        let error = of_rule(rule.key, TRACKED | RELATED, TRACKED | RELATED | REPLY);
        sheet.flow(way.rules, KNOWN, error, Then::new().goto(way.reply));
    }
    for bits in [TRACKED | REPLY, TRACKED | RELATED] {
        let unknown = Fields::new().with(way.own.is(policy.key.get())).with(state(bits, bits));
        sheet.flow(way.rules, UNKNOWN, unknown, Then::drop(Reason::RevokedRule));
    }
}

/// One direction's rules as lists of matches. Of rules with the same match the one with the lowest key counts.
#[derive(Default)]
struct Lists {
    plain: BTreeMap<Vec<u8>, (Fields, RuleKey)>,
    /// By match: of which conjunctions it is which part.
    parts: BTreeMap<Vec<u8>, (Fields, Vec<Part>)>,
    conjunctions: Vec<RuleKey>,
}

/// A conjunction, by the rule that it is for, and one of its parts.
type Part = (RuleKey, u8);

/// The parts of a conjunction, counted from 0.
const WHO: u8 = 0;
const WHAT: u8 = 1;
const PARTS: u8 = 2;

impl Lists {
    fn of(way: &Way, policy: &Policy, rules: &[&SecurityRule], snapshot: &Snapshot) -> Lists {
        let mut lists = Lists::default();
        for rule in rules {
            let services = services(rule);
            match peers(way, rule, snapshot) {
                None => services.into_iter().for_each(|what| lists.add_plain(way, policy, what, rule.key)),
                Some(peers) if peers.len() == 1 => {
                    for what in services {
                        lists.add_plain(way, policy, what.with(peers[0].1.clone()), rule.key);
                    }
                }
                Some(peers) if peers.is_empty() => {}
                Some(peers) => {
                    lists.conjunctions.push(rule.key);
                    for (family, peer) in peers {
                        lists.add_part(way, policy, family.with(peer), (rule.key, WHO));
                    }
                    for what in services {
                        lists.add_part(way, policy, what, (rule.key, WHAT));
                    }
                }
            }
        }
        lists
    }

    fn add_plain(&mut self, way: &Way, policy: &Policy, matching: Fields, key: RuleKey) {
        let matching = matching.with(way.own.is(policy.key.get()));
        self.plain.entry(matching.as_slice().to_vec()).or_insert((matching, key));
    }

    fn add_part(&mut self, way: &Way, policy: &Policy, matching: Fields, part: (RuleKey, u8)) {
        let matching = matching.with(way.own.is(policy.key.get()));
        let (_, parts) = self.parts.entry(matching.as_slice().to_vec()).or_insert((matching, Vec::new()));
        if !parts.contains(&part) {
            parts.push(part);
        }
    }

    fn write(self, sheet: &mut Sheet, way: &Way, policy: &Policy, then: &'static Table) {
        let allowed = |key: RuleKey| Then::new().set(RULE.is(key.get())).goto(then);
        for (matching, key) in self.plain.into_values() {
            sheet.flow(way.rules, PLAIN, matching, allowed(key));
        }
        for (matching, parts) in self.parts.into_values() {
            let part = |then: Then, (key, clause): (RuleKey, u8)| {
                then.act(Action::Conjunction { id: key.get(), clause, clauses: PARTS })
            };
            sheet.flow(way.rules, CONJUNCTIVE, matching, parts.into_iter().fold(Then::new(), part));
        }
        for key in self.conjunctions {
            let met = Fields::new().with(way.own.is(policy.key.get())).with(oxm::conj_id(key.get()));
            sheet.flow(way.rules, CONJUNCTIVE, met, allowed(key));
        }
    }
}

/// Who the other side may be, as fields with the family that these need; `None` for anybody.
fn peers(way: &Way, rule: &SecurityRule, snapshot: &Snapshot) -> Option<Vec<(Fields, OxmField)>> {
    let address = |prefix: &IpNet| {
        let family = if prefix.addr().is_ipv4() { ipv4() } else { ipv6() };
        prefix_field(*prefix, way.side).map(|field| (family, field))
    };
    match rule.remote {
        Remote::Any => None,
        Remote::Prefix(prefix) => address(&prefix).map(|peer| vec![peer]),
        Remote::Group(group) => {
            let worn = snapshot.policies_with(group);
            Some(worn.map(|policy| (Fields::new(), way.peer.is(policy.key.get()))).collect())
        }
        Remote::Addresses(group) => {
            let prefixes = snapshot.address_group(&group).map(|group| &group.prefixes);
            let of_family: Vec<&IpNet> =
                prefixes.into_iter().flatten().filter(|p| Family::of(p.addr()) == rule.family).collect();
            if of_family.iter().any(|prefix| prefix.prefix_len() == 0) {
                return None;
            }
            Some(of_family.into_iter().filter_map(address).collect())
        }
    }
}

/// Which packets a rule is about, one match per mask.
fn services(rule: &SecurityRule) -> Vec<Fields> {
    let family = match rule.family {
        Family::V4 => ipv4(),
        Family::V6 => ipv6(),
    };
    match rule.service {
        Service::Any => vec![family],
        Service::Protocol(protocol) => vec![family.with(oxm::ip_proto(protocol))],
        // Port 0 is nobody's, so a range that begins with 1 may as well begin with 0.
        Service::Ports { protocol, first: 0 | 1, last: u16::MAX } => {
            vec![family.with(oxm::ip_proto(protocol))]
        }
        Service::Ports { protocol, first, last } => {
            let port =
                |(value, mask)| family.with(oxm::ip_proto(protocol)).with(port_field(protocol, value, mask));
            masks(first, last).into_iter().map(port).collect()
        }
        Service::Icmp { kind, code } => {
            let family = family.with(oxm::ip_proto(Service::icmp(rule.family)));
            let (of_kind, of_code) = match rule.family {
                Family::V4 => (oxm::icmpv4_type(kind), code.map(oxm::icmpv4_code)),
                Family::V6 => (oxm::icmpv6_type(kind), code.map(oxm::icmpv6_code)),
            };
            let matching = family.with(of_kind);
            vec![match of_code {
                Some(code) => matching.with(code),
                None => matching,
            }]
        }
    }
}

pub(super) fn port_field(protocol: u8, value: u16, mask: u16) -> OxmField {
    match (protocol, mask) {
        (6, u16::MAX) => oxm::tcp_dst(value),
        (6, _) => oxm::tcp_dst_masked(value, mask),
        (17, u16::MAX) => oxm::udp_dst(value),
        (17, _) => oxm::udp_dst_masked(value, mask),
        (_, u16::MAX) => oxm::sctp_dst(value),
        _ => oxm::sctp_dst_masked(value, mask),
    }
}

/// The fewest values with masks that stand for exactly the ports from `first` to `last`; at most 30.
pub(super) fn masks(first: u16, last: u16) -> Vec<(u16, u16)> {
    let (mut next, end) = (u32::from(first), u32::from(last));
    let mut found = Vec::new();
    while next <= end {
        // The largest block that begins here and does not go beyond the end.
        let aligned = if next == 0 { 16 } else { next.trailing_zeros().min(16) };
        let room = (end - next + 1).ilog2();
        let size = 1u32 << aligned.min(room);
        let mask = 0xffff & !(size - 1);
        found.push((u16::try_from(next).expect("a port"), u16::try_from(mask).expect("16 bits")));
        next += size;
    }
    found
}

/// True if some rule asks whether what a port with this policy gets was sent to a group that it wears.
pub(crate) fn is_asked_about(policy: &Policy, snapshot: &Snapshot) -> bool {
    let asked =
        |group: &SecurityGroupId| snapshot.rules_with_remote(*group, Direction::Egress).next().is_some();
    policy.groups.iter().any(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: u16, last: u16) {
        let found = masks(first, last);
        for port in 0..=u16::MAX {
            let times = found.iter().filter(|(value, mask)| port & mask == *value).count();
            assert_eq!(times, usize::from((first..=last).contains(&port)), "port {port} of {first}-{last}");
        }
        assert!(found.len() <= 30, "{} masks", found.len());
    }

    #[test]
    fn masks_are_exactly_the_range() {
        for (first, last) in [
            (0, 0),
            (22, 22),
            (80, 81),
            (1, 65534),
            (0, 65535),
            (1, 65535),
            (1000, 2000),
            (65535, 65535),
            (32768, 65535),
        ] {
            check(first, last);
        }
        assert_eq!(masks(1024, 65535).len(), 6);
    }
}
