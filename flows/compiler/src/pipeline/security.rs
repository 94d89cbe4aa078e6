//! The tables of security groups: what leaves a port, and what reaches it.
//!
//! Both directions are alike: a gate that sends filtered packets through the connection tracker, the rules, the replies of
//! known connections, and the memory of new ones. The zone of the tracker is the local port whose policy is asked.

use weft_openflow::FieldId;

use super::{
    CONJ_ID, CT_LABEL, CT_MARK, CT_STATE, DELIVER, DROP, ETH_SRC, ETH_TYPE, Holds, ICMPV4_CODE, ICMPV4_TYPE,
    ICMPV6_CODE, ICMPV6_TYPE, IPV4_DST, IPV4_SRC, IPV6_DST, IPV6_SRC, L2_LOCAL, Miss, SCTP_DST, TCP_DST,
    Table, UDP_DST, UDP_SRC, Verb, reg,
};
use crate::reasons::Reason;
use crate::registers::{
    DESTINATION, DESTINATION_POLICY, HOME, NETWORK, REASON, ROUTER, RULE, SOURCE, SOURCE_POLICY, ZONE,
};

/// Is the sender filtered?
pub static EGRESS_GATE: Table = Table {
    number: 52,
    name: "egress_gate",
    purpose: "Is the sender filtered? ARP, neighbour discovery and DHCP pass for everybody; a sender with a policy goes to \
              its rules, by way of the connection tracker unless the policy is stateless.",
    holds: Holds::Both,
    matches: &[reg(SOURCE_POLICY), ETH_TYPE, ICMPV6_TYPE, UDP_SRC, UDP_DST],
    sets: &[reg(REASON)],
    verbs: &[Verb::Track, Verb::Resubmit],
    next: &[&EGRESS_PEER, &EGRESS_RULES, &L2_LOCAL, &DROP],
    miss: Miss::Drop(Reason::NoPolicy),
};

/// Who gets it?
pub static EGRESS_PEER: Table = Table {
    number: 53,
    name: "egress_peer",
    purpose: "Which policy has the receiver? Asked only for policies whose egress rules name groups, about ports that wear \
              a group so named.",
    holds: Holds::Both,
    matches: &[reg(NETWORK), ETH_TYPE, IPV4_DST, IPV6_DST],
    sets: &[reg(DESTINATION_POLICY)],
    verbs: &[],
    next: &[],
    miss: Miss::Back,
};

/// May it leave?
pub static EGRESS_RULES: Table = Table {
    number: 54,
    name: "egress_rules",
    purpose: "May it leave the port? One flow per rule and mask; sets of peers by conjunction. Replies pass while the policy \
              has the rule that their connection is labelled with.",
    holds: Holds::Both,
    matches: &rule_matches([IPV4_DST, IPV6_DST]),
    sets: &[reg(RULE), reg(REASON)],
    verbs: &[Verb::Conjunction],
    next: &[&EGRESS_REPLY, &EGRESS_COMMIT, &L2_LOCAL, &DROP],
    miss: Miss::Drop(Reason::EgressDenied),
};

/// Is the connection the port's own?
pub static EGRESS_REPLY: Table = Table {
    number: 55,
    name: "egress_reply",
    purpose: "Is the connection of this port, and not of one that had the interface's number before?",
    holds: Holds::HostLocal,
    matches: &[reg(SOURCE), CT_MARK],
    sets: &[reg(REASON)],
    verbs: &[],
    next: &[&L2_LOCAL, &DROP],
    miss: Miss::Drop(Reason::StaleConnection),
};

/// The memory of what left.
pub static EGRESS_COMMIT: Table = Table {
    number: 56,
    name: "egress_commit",
    purpose: "Remembers the connection, with the rule that allowed it as label and the port as mark.",
    holds: Holds::HostLocal,
    matches: &[],
    sets: &[CT_MARK, CT_LABEL],
    verbs: &[Verb::Track],
    next: &[&L2_LOCAL, &DROP],
    miss: Miss::Drop(Reason::NoPath),
};

/// Is the receiver filtered?
pub static RECEIVE: Table = Table {
    number: 67,
    name: "receive",
    purpose: "Is the receiving local port filtered? Then its policy and its zone are what is asked from here on.",
    holds: Holds::HostLocal,
    matches: &[reg(DESTINATION)],
    sets: &[reg(DESTINATION_POLICY), reg(ZONE)],
    verbs: &[],
    next: &[&INGRESS_GATE, &DELIVER],
    miss: Miss::Goto(&DELIVER),
};

/// Where is the sender at home?
pub static HOME_NETWORK: Table = Table {
    number: 68,
    name: "home",
    purpose: "Which network does the sender's address belong to? The packet's own, unless a router forwarded it. Asked only \
              about what no local port sent, for policies whose ingress rules name groups.",
    holds: Holds::Both,
    matches: &[reg(NETWORK), ETH_SRC],
    sets: &[reg(HOME), reg(ROUTER)],
    verbs: &[Verb::Resubmit],
    next: &[&HOME_PREFIX],
    miss: Miss::Back,
};

/// In which of a router's networks is the sender?
pub static HOME_PREFIX: Table = Table {
    number: 69,
    name: "home_prefix",
    purpose: "In which network of the router that forwarded it is the sender? Who is beyond another router is of none.",
    holds: Holds::NetworkWide,
    matches: &[reg(ROUTER), ETH_TYPE, IPV4_SRC, IPV6_SRC],
    sets: &[reg(HOME)],
    verbs: &[],
    next: &[],
    miss: Miss::Back,
};

/// Who sent it?
pub static INGRESS_PEER: Table = Table {
    number: 70,
    name: "ingress_peer",
    purpose: "Which policy has the sender? One entry per address of a port that wears groups.",
    holds: Holds::Both,
    matches: &[reg(HOME), ETH_TYPE, IPV4_SRC, IPV6_SRC],
    sets: &[reg(SOURCE_POLICY)],
    verbs: &[],
    next: &[],
    miss: Miss::Back,
};

/// What always reaches a filtered port.
pub static INGRESS_GATE: Table = Table {
    number: 71,
    name: "ingress_gate",
    purpose: "ARP, neighbour discovery, router advertisements and DHCP pass; the rest goes to the receiver's rules, by way of \
              the connection tracker unless its policy is stateless.",
    holds: Holds::Both,
    matches: &[reg(SOURCE), reg(DESTINATION_POLICY), ETH_TYPE, ICMPV6_TYPE, UDP_SRC, UDP_DST],
    sets: &[reg(REASON)],
    verbs: &[Verb::Track, Verb::Resubmit],
    next: &[&HOME_NETWORK, &INGRESS_PEER, &INGRESS_RULES, &DELIVER, &DROP],
    miss: Miss::Drop(Reason::NoPolicy),
};

/// May it reach the port?
pub static INGRESS_RULES: Table = Table {
    number: 72,
    name: "ingress_rules",
    purpose: "May it reach the port? As egress_rules, seen from the receiver.",
    holds: Holds::Both,
    matches: &rule_matches([IPV4_SRC, IPV6_SRC]),
    sets: &[reg(RULE), reg(REASON)],
    verbs: &[Verb::Conjunction],
    next: &[&INGRESS_REPLY, &INGRESS_COMMIT, &DELIVER, &DROP],
    miss: Miss::Drop(Reason::IngressDenied),
};

/// Is the connection the port's own?
pub static INGRESS_REPLY: Table = Table {
    number: 73,
    name: "ingress_reply",
    purpose: "As egress_reply, seen from the receiver.",
    holds: Holds::HostLocal,
    matches: &[reg(DESTINATION), CT_MARK],
    sets: &[reg(REASON)],
    verbs: &[],
    next: &[&DELIVER, &DROP],
    miss: Miss::Drop(Reason::StaleConnection),
};

/// The memory of what came in.
pub static INGRESS_COMMIT: Table = Table {
    number: 74,
    name: "ingress_commit",
    purpose: "As egress_commit, seen from the receiver.",
    holds: Holds::HostLocal,
    matches: &[],
    sets: &[CT_MARK, CT_LABEL],
    verbs: &[Verb::Track],
    next: &[&DELIVER, &DROP],
    miss: Miss::Drop(Reason::NoPath),
};

/// What rules look at, besides the addresses of the other side.
const fn rule_matches([ipv4, ipv6]: [FieldId; 2]) -> [FieldId; 15] {
    [
        reg(SOURCE_POLICY),
        reg(DESTINATION_POLICY),
        ETH_TYPE,
        ipv4,
        ipv6,
        TCP_DST,
        UDP_DST,
        SCTP_DST,
        ICMPV4_TYPE,
        ICMPV4_CODE,
        ICMPV6_TYPE,
        ICMPV6_CODE,
        CT_STATE,
        CT_LABEL,
        CONJ_ID,
    ]
}
