//! The tables of routers: from the network that a packet is in to the one that it goes to.

use weft_openflow::FieldId;

use super::{
    DELIVER, DROP, ICMPV6_TYPE, IN_PORT_TO_SET, L2_REMOTE, LEARNED, Miss, NEIGHBOUR_STATE, Table, Verb, reg,
};
use super::{
    EGRESS_GATE, ETH_DST, ETH_SRC, ETH_TYPE, Holds, IP_TTL, IPV4_DST, IPV4_SRC, IPV6_DST, IPV6_SRC, METADATA,
};
use crate::reasons::Reason;
use crate::registers::{CHOICE, FLAGS, HOME, NETWORK, NEXT_HOP, ROUTER};

const ICMPV4_TYPE: FieldId = FieldId::basic(19);
/// The four registers of [`NEXT_HOP`] as one.
const NEXT_HOP_V6: FieldId = FieldId::xxreg(2);

/// Is it for a router?
pub static TO_ROUTER: Table = Table {
    number: 44,
    name: "to_router",
    purpose: "Is the Ethernet destination that of a router's interface in the packet's network? Then the packet is in \
              that router now, and who sent it is kept for answers.",
    holds: Holds::NetworkWide,
    matches: &[reg(NETWORK), ETH_DST],
    sets: &[reg(ROUTER), METADATA],
    verbs: &[],
    next: &[&ROUTER_LOCAL, &EGRESS_GATE, &DROP],
    miss: Miss::Goto(&EGRESS_GATE),
};

/// Is it for the router itself?
pub static ROUTER_LOCAL: Table = Table {
    number: 45,
    name: "router_local",
    purpose: "Is the packet for the router itself? Echo requests are answered here; nothing else is. What has been \
              forwarded too often, or never is, ends here too.",
    holds: Holds::Both,
    matches: &[
        reg(ROUTER),
        reg(NETWORK),
        reg(FLAGS),
        ETH_TYPE,
        IPV4_DST,
        IPV6_SRC,
        IPV6_DST,
        IP_TTL,
        ICMPV4_TYPE,
        ICMPV6_TYPE,
    ],
    sets: &[
        IN_PORT_TO_SET,
        ETH_DST,
        ETH_SRC,
        IPV4_SRC,
        IPV4_DST,
        IPV6_SRC,
        IPV6_DST,
        ICMPV4_TYPE,
        ICMPV6_TYPE,
    ],
    verbs: &[Verb::OutputBack, Verb::SetTtl, Verb::ToController],
    next: &[&ROUTE, &L2_REMOTE, &DELIVER, &DROP],
    miss: Miss::Goto(&ROUTE),
};

/// Where does the router send it?
pub static ROUTE: Table = Table {
    number: 46,
    name: "route",
    purpose: "The longest prefix that has the destination: into which network, from which interface, to which next hop. \
              The priority grows with the prefix; subnets of the router win over static routes of the same length. What \
              leads to the outside goes to the router's gateway, by its transit. Where the packet may be too large for \
              its new network, that is found out here.",
    holds: Holds::NetworkWide,
    matches: &[reg(ROUTER), reg(NETWORK), reg(FLAGS), ETH_TYPE, IPV4_DST, IPV6_DST],
    sets: &[reg(NETWORK), reg(HOME), reg(FLAGS), reg(NEXT_HOP), NEXT_HOP_V6, reg(CHOICE), ETH_SRC, ETH_DST],
    verbs: &[Verb::CheckSize, Verb::DecrementTtl, Verb::Choose, Verb::ToController],
    next: &[&ECMP, &NEIGHBOUR, &EGRESS_GATE, &DROP],
    miss: Miss::Drop(Reason::NoRoute),
};

/// Which of several next hops?
pub static ECMP: Table = Table {
    number: 47,
    name: "ecmp",
    purpose: "The next hop that was chosen for the connection, of several that lead to the same destination.",
    holds: Holds::NetworkWide,
    matches: &[reg(ROUTER), reg(CHOICE), ETH_TYPE, IPV4_DST, IPV6_DST],
    sets: &[reg(NETWORK), reg(HOME), reg(FLAGS), reg(NEXT_HOP), NEXT_HOP_V6, ETH_SRC, ETH_DST],
    verbs: &[Verb::CheckSize, Verb::DecrementTtl],
    next: &[&NEIGHBOUR, &EGRESS_GATE, &DROP],
    miss: Miss::Drop(Reason::NoPath),
};

/// Who has the next hop's address?
pub static NEIGHBOUR: Table = Table {
    number: 48,
    name: "next_hop",
    purpose: "Whose is the next hop's address? The model knows; only for machines on physical networks does a router ask \
              on the wire. The address of another router's interface leads into that router. Who sent what nobody has, or what \
              is too large, is told.",
    holds: Holds::Both,
    matches: &[
        reg(NETWORK),
        reg(FLAGS),
        reg(NEXT_HOP),
        FieldId::reg(9),
        FieldId::reg(10),
        FieldId::reg(11),
        reg(ROUTER),
        reg(HOME),
        ETH_TYPE,
    ],
    sets: &[ETH_DST, ETH_SRC, reg(ROUTER), reg(CHOICE)],
    verbs: &[Verb::Resubmit, Verb::ToController, Verb::Track],
    next: &[&ROUTER_LOCAL, &EGRESS_GATE, &LEARNED, &NEIGHBOUR_STATE, &DROP],
    miss: Miss::Drop(Reason::NoNeighbour),
};
