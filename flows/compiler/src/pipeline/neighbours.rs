//! The tables of neighbours on physical networks: machines of which the model knows nothing.

use weft_openflow::FieldId;

use super::{
    ARP_OP, ARP_SHA, ARP_SPA, ARP_THA, ARP_TPA, DROP, EGRESS_GATE, ETH_DST, ETH_SRC, ETH_TYPE, Holds,
    ICMPV6_TYPE, IN_PORT_TO_SET, IPV6_DST, IPV6_SRC, L2_LOCAL, L2_REMOTE, Miss, ND_OPTIONS_TYPE, ND_REPLY,
    ND_RESERVED, ND_SLL, ND_TARGET, ND_TLL, TO_ROUTER, Table, Verb, reg,
};
use crate::reasons::Reason;
use crate::registers::{CHOICE, FLAGS, NETWORK, NEXT_HOP};

/// What does a packet from a physical network say of its sender?
pub static UPLINK_IN: Table = Table {
    number: 16,
    name: "uplink_in",
    purpose: "What comes in by an uplink: ARP and neighbour discovery of machines that the model does not know are learned, \
              where a router may want to send to them. Everything goes on.",
    holds: Holds::Both,
    matches: &[reg(NETWORK), ARP_SPA, ARP_SHA, IPV6_SRC, ICMPV6_TYPE, ND_TARGET, ND_SLL, ND_TLL],
    sets: &[],
    verbs: &[Verb::Learn],
    next: &[&UPLINK_OWN],
    miss: Miss::Goto(&UPLINK_OWN),
};

/// Is it for what this host has on the physical network?
pub static UPLINK_OWN: Table = Table {
    number: 17,
    name: "uplink_own",
    purpose: "Is it for an address that this host stands for on the physical network? Questions for it are answered, and \
              packets go into its router.",
    holds: Holds::HostLocal,
    matches: &[reg(NETWORK), ETH_DST, ETH_TYPE, ARP_OP, ARP_TPA, IPV6_SRC, ICMPV6_TYPE, ND_TARGET, ND_SLL],
    sets: &[
        IN_PORT_TO_SET,
        ETH_DST,
        ETH_SRC,
        ARP_OP,
        ARP_SPA,
        ARP_TPA,
        ARP_SHA,
        ARP_THA,
        IPV6_SRC,
        IPV6_DST,
        ICMPV6_TYPE,
        ND_RESERVED,
        ND_OPTIONS_TYPE,
        reg(FLAGS),
    ],
    verbs: &[Verb::Resubmit],
    next: &[&ND_REPLY, &TO_ROUTER, &L2_LOCAL, &L2_REMOTE, &DROP],
    miss: Miss::Goto(&L2_LOCAL),
};

/// What has been learned.
pub static LEARNED: Table = Table {
    number: 18,
    name: "learned",
    purpose: "Neighbours on physical networks, learned by Open vSwitch itself (cookies of kind 15, which nothing here \
              compares or removes): an entry for 20 minutes, above it one for 5 minutes while which nobody needs to ask \
              again, and for a second after a question one that keeps it from being asked again.",
    holds: Holds::HostLocal,
    matches: &[
        reg(NETWORK),
        reg(NEXT_HOP),
        FieldId::reg(9),
        FieldId::reg(10),
        FieldId::reg(11),
        NEXT_HOP_V6,
        ETH_TYPE,
    ],
    sets: &[ETH_DST, reg(CHOICE)],
    verbs: &[],
    next: &[],
    miss: Miss::Back,
};

/// The four registers of [`NEXT_HOP`] as one.
const NEXT_HOP_V6: FieldId = FieldId::xxreg(2);

/// Is the neighbour known?
pub static NEIGHBOUR_STATE: Table = Table {
    number: 49,
    name: "neighbours",
    purpose: "Is a next hop on a physical network known, and for how long not heard of? Who is not known is asked for on the \
              wire, by way of the controller, and the packet is dropped; who has not been heard of lately is asked for as \
              well, and the packet goes on.",
    holds: Holds::HostLocal,
    matches: &[reg(NETWORK), reg(CHOICE), ETH_SRC, ETH_TYPE],
    sets: &[],
    verbs: &[Verb::Learn, Verb::ToController],
    next: &[&EGRESS_GATE, &DROP],
    miss: Miss::Drop(Reason::NoNeighbour),
};
