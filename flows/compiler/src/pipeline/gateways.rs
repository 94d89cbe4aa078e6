//! The tables of gateways: from a router to an external network and back, with addresses translated on the way.
//!
//! Both directions are alike: the connection tracker translates what belongs to a connection that it knows; a new one is
//! translated by what is served here, and remembered. The zone is that of the router, or of the one floating IP that is
//! served on its workload's own host, and serves both directions.

use weft_openflow::FieldId;

use super::{
    CT_LABEL, CT_MARK, CT_STATE, DELIVER, DROP, ETH_DST, ETH_SRC, ETH_TYPE, Holds, ICMPV4_TYPE, ICMPV6_TYPE,
    IN_PORT_TO_SET, IP_TTL, IPV4_DST, IPV4_SRC, IPV6_DST, IPV6_SRC, L2_REMOTE, Miss, NEIGHBOUR, ROUTER_LOCAL,
    TCP_DST, Table, UDP_DST, Verb, reg,
};
use crate::reasons::Reason;
use crate::registers::{FLAGS, HOME, NETWORK, NEXT_HOP, ROUTER, SOURCE_POLICY, ZONE};

/// The four registers of [`NEXT_HOP`] as one.
const NEXT_HOP_V6: FieldId = FieldId::xxreg(2);

/// Is it translated on its way out?
pub static GATEWAY: Table = Table {
    number: 33,
    name: "gateway",
    purpose: "What a router sends to the outside: IPv4 goes through the connection tracker, unless the router's gateway \
              does not translate, the sender is nobody whose address is translated, and nor is the receiver; IPv6 goes as \
              it is.",
    holds: Holds::HostLocal,
    matches: &[reg(ROUTER), reg(FLAGS), ETH_TYPE, IPV4_SRC, IPV4_DST],
    sets: &[],
    verbs: &[Verb::Track, Verb::Translate],
    next: &[&GATEWAY_KNOWN, &OUTSIDE, &DROP],
    miss: Miss::Drop(Reason::NoPath),
};

/// Is its connection known?
pub static GATEWAY_KNOWN: Table = Table {
    number: 34,
    name: "gateway_known",
    purpose: "Does it belong to a connection of what is served here, by mark and label? A new one leaves with the \
              sender's floating IP, or else with the gateway's address.",
    holds: Holds::HostLocal,
    matches: &[reg(ZONE), CT_STATE, CT_MARK, CT_LABEL, ETH_TYPE, IPV4_SRC, IPV4_DST],
    sets: &[CT_MARK, CT_LABEL],
    verbs: &[Verb::Track, Verb::Translate],
    next: &[&OUTSIDE, &DROP],
    miss: Miss::Drop(Reason::StaleConnection),
};

/// Whose address does it leave with?
pub static OUTSIDE: Table = Table {
    number: 35,
    name: "outside",
    purpose: "From whose MAC does it leave into the external network: that of the gateway, or that of the floating IP? \
              What should have been translated and was not leaves from none.",
    holds: Holds::Both,
    matches: &[reg(ROUTER), ETH_TYPE, IPV4_SRC],
    sets: &[reg(NETWORK), reg(SOURCE_POLICY), ETH_SRC, IN_PORT_TO_SET],
    verbs: &[],
    next: &[&OUTSIDE_ROUTE, &DROP],
    miss: Miss::Drop(Reason::Untranslated),
};

/// Who is next outside?
pub static OUTSIDE_ROUTE: Table = Table {
    number: 36,
    name: "outside_route",
    purpose: "The next hop in the external network: the destination itself, that of a static route, or the gateway of \
              the external subnet.",
    holds: Holds::NetworkWide,
    matches: &[reg(ROUTER), ETH_TYPE, IPV4_DST, IPV6_DST],
    sets: &[reg(NEXT_HOP), NEXT_HOP_V6],
    verbs: &[],
    next: &[&NEIGHBOUR, &DROP],
    miss: Miss::Drop(Reason::NoRoute),
};

/// What is it that came from outside?
pub static EXTERNAL: Table = Table {
    number: 38,
    name: "external",
    purpose: "What came from an external network for a gateway or a floating IP that is served here: what may be \
              translated goes through the connection tracker, the rest to the router as it is. Who sent what has been \
              forwarded too often or is too large is told before it is translated.",
    holds: Holds::HostLocal,
    matches: &[
        reg(ROUTER),
        reg(NETWORK),
        reg(FLAGS),
        ETH_TYPE,
        IP_TTL,
        IPV4_DST,
        IPV6_DST,
        ICMPV4_TYPE,
        ICMPV6_TYPE,
    ],
    sets: &[IN_PORT_TO_SET, ETH_DST, ETH_SRC, IPV6_SRC, IPV6_DST, ICMPV6_TYPE, NEXT_HOP_V6],
    verbs: &[
        Verb::Track,
        Verb::Translate,
        Verb::OutputBack,
        Verb::SetTtl,
        Verb::Resubmit,
        Verb::ToController,
    ],
    next: &[&EXTERNAL_KNOWN, &OUTSIDE, &INWARD, &L2_REMOTE, &DELIVER, &DROP],
    miss: Miss::Drop(Reason::Unsolicited),
};

/// Is its connection known?
pub static EXTERNAL_KNOWN: Table = Table {
    number: 39,
    name: "external_known",
    purpose: "Does it belong to a connection of what is served here, by mark and label? A new one goes to the workload \
              that the floating IP or the forwarded port leads to; the gateway's own address answers echo requests.",
    holds: Holds::HostLocal,
    matches: &[
        reg(ZONE),
        reg(NETWORK),
        reg(FLAGS),
        CT_STATE,
        CT_MARK,
        CT_LABEL,
        ETH_TYPE,
        IPV4_DST,
        ICMPV4_TYPE,
        TCP_DST,
        UDP_DST,
    ],
    sets: &[
        CT_MARK,
        CT_LABEL,
        IN_PORT_TO_SET,
        ETH_DST,
        ETH_SRC,
        IPV4_SRC,
        IPV4_DST,
        ICMPV4_TYPE,
        NEXT_HOP_V6,
    ],
    verbs: &[Verb::Track, Verb::Translate, Verb::OutputBack, Verb::SetTtl, Verb::Resubmit],
    next: &[&OUTSIDE, &INWARD, &L2_REMOTE, &DELIVER, &DROP],
    miss: Miss::Drop(Reason::StaleConnection),
};

/// Into the router.
pub static INWARD: Table = Table {
    number: 40,
    name: "inward",
    purpose: "Into the router, which sends it on like any other packet; but nobody outside has an address of the \
              router's own networks.",
    holds: Holds::HostLocal,
    matches: &[reg(HOME)],
    sets: &[reg(FLAGS)],
    verbs: &[],
    next: &[&ROUTER_LOCAL, &DROP],
    miss: Miss::Drop(Reason::SpoofedInside),
};
