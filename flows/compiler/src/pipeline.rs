//! The pipeline: every table declared once, with all that its flows may match and do.
//!
//! Flows are checked against these declarations ([`check`]) and PIPELINE.md is printed from them ([`markdown`]).
//! Numbers leave gaps for what comes later. The tables of routers are in `routing`, those of gateways in
//! `gateways`, those of security groups in `security`, those of machines on physical networks in `neighbours`.

mod check;
mod failover;
mod gateways;
mod markdown;
mod neighbours;
mod routing;
mod security;

use weft_openflow::FieldId;

use crate::reasons::Reason;
use crate::registers::{
    DESTINATION, FLAGS, HOME, NETWORK, REASON, ROUTER, Register, SOURCE, SOURCE_POLICY, ZONE,
};

pub(crate) use check::check_bytes;
pub use check::{Violation, check, check_compiled};
pub use failover::{ACTIVE, STANDBY};
pub use gateways::{EXTERNAL, EXTERNAL_KNOWN, GATEWAY, GATEWAY_KNOWN, INWARD, OUTSIDE, OUTSIDE_ROUTE};
pub use markdown::markdown;
pub use neighbours::{LEARNED, NEIGHBOUR_STATE, UPLINK_IN, UPLINK_OWN};
pub use routing::{ECMP, NEIGHBOUR, ROUTE, ROUTER_LOCAL, TO_ROUTER};
pub use security::{
    EGRESS_COMMIT, EGRESS_GATE, EGRESS_PEER, EGRESS_REPLY, EGRESS_RULES, HOME_NETWORK, HOME_PREFIX,
    INGRESS_COMMIT, INGRESS_GATE, INGRESS_PEER, INGRESS_REPLY, INGRESS_RULES, RECEIVE,
};

/// One table of the pipeline.
#[derive(Debug)]
pub struct Table {
    /// Its OpenFlow number.
    pub number: u8,
    /// Its name, also on the switch.
    pub name: &'static str,
    /// What it decides.
    pub purpose: &'static str,
    /// Whose flows may stand in it.
    pub holds: Holds,
    /// The fields that its flows may match, besides those that these need (such as `eth_type` for `arp_tpa`).
    pub matches: &'static [FieldId],
    /// The fields that its flows may set or copy to.
    pub sets: &'static [FieldId],
    /// What else its flows may do.
    pub verbs: &'static [Verb],
    /// The tables that its flows may hand packets to.
    pub next: &'static [&'static Table],
    /// What happens to packets that no flow matches; installed by every host's base.
    pub miss: Miss,
}

/// Whose flows may stand in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Only host-local flows.
    HostLocal,
    /// Only network-wide flows, besides the miss.
    NetworkWide,
    /// Both.
    Both,
}

/// What a flow may do besides setting fields and going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Output to a local interface. Only host-local flows may: its number means nothing elsewhere.
    OutputLocal,
    /// Output to a tunnel, whose number is the same on every host.
    OutputTunnel,
    /// Output to a physical network, whose number is the same on every host.
    OutputUplink,
    /// Put a VLAN tag on the packet, or take it off.
    Tag,
    /// Output to where the packet came from.
    OutputBack,
    /// Hold to a meter, with a note of what the meter lets pass.
    Limit,
    /// Hand copies to a group.
    Group,
    /// See whether the packet is larger than a network takes.
    CheckSize,
    /// Decrement the TTL or hop limit.
    DecrementTtl,
    /// Set the TTL or hop limit.
    SetTtl,
    /// Choose one of several by a hash of the connection.
    Choose,
    /// Send the packet through the connection tracker, in the zone of the port whose policy is asked, or remember its
    /// connection there.
    Track,
    /// Translate addresses and ports within the connection tracker.
    Translate,
    /// Be one part of a conjunction.
    Conjunction,
    /// Send the packet to the controller, with userdata that says what for.
    ToController,
    /// Remember something about the packet as a flow in table learned.
    Learn,
    /// Look the packet up in a next table and come back (needed where a rewritten packet must be matched anew).
    Resubmit,
}

/// What happens to packets that no flow of a table matches.
#[derive(Debug, Clone, Copy)]
pub enum Miss {
    /// They are dropped for this reason.
    Drop(Reason),
    /// They go on.
    Goto(&'static Table),
    /// They go on in the table that asked this one; nothing was found out about them.
    Back,
    /// They end here; only the drop table itself does this.
    End,
}

const fn reg(register: Register) -> FieldId {
    register.field()
}

// Standard fields by their numbers in OpenFlow 1.5 section 7.2.3.8; Nicira's and Ericsson's where there is no other.
const IN_PORT: FieldId = FieldId::basic(0);
/// The same field by the name under which it can be set.
const IN_PORT_TO_SET: FieldId = FieldId::nxm0(0);
const ETH_DST: FieldId = FieldId::basic(3);
const ETH_SRC: FieldId = FieldId::basic(4);
const ETH_TYPE: FieldId = FieldId::basic(5);
const VLAN_VID: FieldId = FieldId::basic(6);
const TCP_DST: FieldId = FieldId::basic(14);
const SCTP_DST: FieldId = FieldId::basic(18);
const ICMPV4_TYPE: FieldId = FieldId::basic(19);
const ICMPV4_CODE: FieldId = FieldId::basic(20);
const ICMPV6_CODE: FieldId = FieldId::basic(30);
const CONJ_ID: FieldId = FieldId::nxm1(37);
const CT_STATE: FieldId = FieldId::nxm1(105);
const CT_MARK: FieldId = FieldId::nxm1(107);
const CT_LABEL: FieldId = FieldId::nxm1(108);
/// Where the Ethernet address of who sent what a router got is kept.
const METADATA: FieldId = FieldId::basic(2);
const IP_TTL: FieldId = FieldId::nxm1(29);
const IP_DSCP: FieldId = FieldId::basic(8);
const IPV4_SRC: FieldId = FieldId::basic(11);
const IPV4_DST: FieldId = FieldId::basic(12);
const UDP_SRC: FieldId = FieldId::basic(15);
const UDP_DST: FieldId = FieldId::basic(16);
const ARP_OP: FieldId = FieldId::basic(21);
const ARP_SPA: FieldId = FieldId::basic(22);
const ARP_TPA: FieldId = FieldId::basic(23);
const ARP_SHA: FieldId = FieldId::basic(24);
const ARP_THA: FieldId = FieldId::basic(25);
const IPV6_SRC: FieldId = FieldId::basic(26);
const IPV6_DST: FieldId = FieldId::basic(27);
const ICMPV6_TYPE: FieldId = FieldId::basic(29);
const ND_TARGET: FieldId = FieldId::basic(31);
const ND_SLL: FieldId = FieldId::basic(32);
const ND_TLL: FieldId = FieldId::basic(33);
const TUN_ID: FieldId = FieldId::basic(38);
const ND_RESERVED: FieldId = FieldId { class: FieldId::CLASS_ERICSSON, number: 1, experimenter: 0 };
const ND_OPTIONS_TYPE: FieldId = FieldId { class: FieldId::CLASS_ERICSSON, number: 2, experimenter: 0 };

/// All tables, in the order in which packets pass them.
pub static TABLES: [&Table; 44] = [
    &CLASSIFY,
    &PORT_SECURITY,
    &ADDRESS_SECURITY,
    &UPLINK_IN,
    &UPLINK_OWN,
    &LEARNED,
    &ARP_ND,
    &ND_REPLY,
    &SERVICES,
    &DNS,
    &GATEWAY,
    &GATEWAY_KNOWN,
    &OUTSIDE,
    &OUTSIDE_ROUTE,
    &EXTERNAL,
    &EXTERNAL_KNOWN,
    &INWARD,
    &TO_ROUTER,
    &ROUTER_LOCAL,
    &ROUTE,
    &ECMP,
    &NEIGHBOUR,
    &NEIGHBOUR_STATE,
    &EGRESS_GATE,
    &EGRESS_PEER,
    &EGRESS_RULES,
    &EGRESS_REPLY,
    &EGRESS_COMMIT,
    &ACTIVE,
    &STANDBY,
    &L2_LOCAL,
    &L2_REMOTE,
    &FLOOD,
    &FLOOD_LOCAL,
    &RECEIVE,
    &HOME_NETWORK,
    &HOME_PREFIX,
    &INGRESS_PEER,
    &INGRESS_GATE,
    &INGRESS_RULES,
    &INGRESS_REPLY,
    &INGRESS_COMMIT,
    &DELIVER,
    &DROP,
];

/// Whose packet is this?
pub static CLASSIFY: Table = Table {
    number: 0,
    name: "classify",
    purpose: "Whose packet is this? Local interfaces give it a network and a source port, tunnels and uplinks a network. \
              Behind an interface that is a trunk's, tags tell the ports apart. What a port may send at most is held to \
              here, and its mark put on.",
    holds: Holds::Both,
    matches: &[IN_PORT, VLAN_VID, TUN_ID],
    sets: &[
        reg(NETWORK),
        reg(SOURCE),
        reg(SOURCE_POLICY),
        reg(ZONE),
        reg(FLAGS),
        reg(ROUTER),
        reg(REASON),
        IP_DSCP,
    ],
    verbs: &[Verb::Tag, Verb::Group, Verb::Limit],
    next: &[&PORT_SECURITY, &UPLINK_IN, &GATEWAY, &L2_LOCAL, &DROP],
    miss: Miss::Drop(Reason::UnknownNetwork),
};

/// Is the frame's sender who it says?
pub static PORT_SECURITY: Table = Table {
    number: 10,
    name: "port_security",
    purpose: "Does the port own the Ethernet source? Ports without port security skip the address check as well.",
    holds: Holds::HostLocal,
    matches: &[reg(SOURCE), ETH_SRC],
    sets: &[reg(REASON)],
    verbs: &[],
    next: &[&ADDRESS_SECURITY, &ARP_ND, &DROP],
    miss: Miss::Drop(Reason::SpoofedMac),
};

/// Are the addresses inside the sender's own?
pub static ADDRESS_SECURITY: Table = Table {
    number: 12,
    name: "address_security",
    purpose: "Does the port own the addresses that the packet speaks for (IPv4, ARP, IPv6, neighbour discovery)? \
              Does it play a router or a DHCP server?",
    holds: Holds::HostLocal,
    matches: &[
        reg(SOURCE),
        ETH_TYPE,
        IPV4_SRC,
        IPV4_DST,
        UDP_SRC,
        UDP_DST,
        ARP_SPA,
        ARP_SHA,
        IPV6_SRC,
        IPV6_DST,
        ICMPV6_TYPE,
        ND_TARGET,
        ND_SLL,
        ND_TLL,
    ],
    sets: &[reg(REASON)],
    verbs: &[],
    next: &[&ARP_ND, &DROP],
    miss: Miss::Goto(&ARP_ND),
};

/// Can a question about an address be answered here?
pub static ARP_ND: Table = Table {
    number: 20,
    name: "arp_nd",
    purpose: "Answers ARP requests and neighbour solicitations of local ports for addresses of bound ports.",
    holds: Holds::Both,
    matches: &[reg(NETWORK), reg(SOURCE), ETH_DST, ARP_OP, ARP_TPA, IPV6_SRC, ICMPV6_TYPE, ND_TARGET, ND_SLL],
    sets: &[
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
    ],
    verbs: &[Verb::Resubmit],
    next: &[&ND_REPLY, &SERVICES, &TO_ROUTER, &DELIVER],
    miss: Miss::Goto(&SERVICES),
};

/// The second half of a neighbour advertisement.
pub static ND_REPLY: Table = Table {
    number: 21,
    name: "nd_reply",
    purpose: "Completes a neighbour advertisement: the option can only be set once the packet is one.",
    holds: Holds::HostLocal,
    matches: &[reg(NETWORK), reg(FLAGS), ICMPV6_TYPE],
    sets: &[IN_PORT_TO_SET, ND_TLL, VLAN_VID],
    verbs: &[Verb::Tag],
    next: &[&L2_REMOTE, &DELIVER, &DROP],
    miss: Miss::Drop(Reason::NoPath),
};

/// Does the port ask the network itself?
pub static SERVICES: Table = Table {
    number: 30,
    name: "services",
    purpose: "Does the port ask for its address or for a router (DHCP, DHCPv6, router solicitations)? The controller \
              answers, with nothing but the packet and what the flow tells it. Is it for the resolver, or for another of \
              the network's own addresses, where there is nothing?",
    holds: Holds::HostLocal,
    matches: &[reg(SOURCE), ETH_SRC, IPV4_DST, IPV6_DST, TCP_DST, UDP_SRC, UDP_DST, ICMPV6_TYPE],
    sets: &[reg(REASON)],
    verbs: &[Verb::ToController],
    next: &[&DNS, &TO_ROUTER, &DROP],
    miss: Miss::Goto(&TO_ROUTER),
};

/// Who asks for a name?
pub static DNS: Table = Table {
    number: 32,
    name: "dns",
    purpose: "Which port asks the resolver? The controller looks its question up among the names of the port's network, \
              or hands it on.",
    holds: Holds::HostLocal,
    matches: &[reg(SOURCE)],
    sets: &[],
    verbs: &[Verb::ToController],
    next: &[&DROP],
    miss: Miss::Drop(Reason::NoResolver),
};

/// Is the receiver on this host?
pub static L2_LOCAL: Table = Table {
    number: 60,
    name: "l2_local",
    purpose: "Is the receiver on this host? Broadcast and multicast branch off to flooding; what came out of a tunnel \
              never goes further than here. What a gateway or floating IP that is served here gets or sends goes to the \
              tables of gateways, and whether it may be too large is found out; who asks for its address is answered. What \
              a router forwarded to a physical network leaves under the host's own MAC, but for the host that stands for the router there.",
    holds: Holds::HostLocal,
    matches: &[
        reg(NETWORK),
        reg(FLAGS),
        reg(SOURCE),
        ETH_DST,
        ETH_SRC,
        ETH_TYPE,
        IPV4_SRC,
        ARP_OP,
        ARP_TPA,
        ICMPV6_TYPE,
        ND_TARGET,
        ND_SLL,
    ],
    sets: &[
        reg(DESTINATION),
        reg(ROUTER),
        reg(ZONE),
        reg(HOME),
        reg(FLAGS),
        reg(REASON),
        METADATA,
        TUN_ID,
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
        VLAN_VID,
    ],
    verbs: &[Verb::Resubmit, Verb::OutputBack, Verb::OutputTunnel, Verb::Tag, Verb::Group, Verb::CheckSize],
    next: &[
        &ACTIVE,
        &STANDBY,
        &L2_REMOTE,
        &FLOOD,
        &FLOOD_LOCAL,
        &RECEIVE,
        &DELIVER,
        &GATEWAY,
        &EXTERNAL,
        &HOME_PREFIX,
        &ND_REPLY,
        &DROP,
    ],
    miss: Miss::Goto(&L2_REMOTE),
};

/// On which other host is the receiver?
pub static L2_REMOTE: Table = Table {
    number: 62,
    name: "l2_remote",
    purpose: "On which host is the receiver? The entry exists on that host too, where l2_local wins. On a \
              physical network, unknown receivers are looked for outside.",
    holds: Holds::NetworkWide,
    matches: &[reg(NETWORK), ETH_DST],
    sets: &[TUN_ID, VLAN_VID, reg(REASON)],
    verbs: &[Verb::OutputTunnel, Verb::OutputUplink, Verb::Tag, Verb::Group],
    next: &[&DROP],
    miss: Miss::Drop(Reason::UnknownDestination),
};

/// To which hosts does a broadcast go?
pub static FLOOD: Table = Table {
    number: 64,
    name: "flood",
    purpose: "Copies to every member host, one group per 256 host indexes; the tunnel to oneself does not exist, so \
              that copy is no copy.",
    holds: Holds::NetworkWide,
    matches: &[reg(NETWORK)],
    sets: &[TUN_ID, VLAN_VID],
    verbs: &[Verb::Group, Verb::OutputTunnel, Verb::OutputUplink, Verb::Tag],
    next: &[&FLOOD_LOCAL, &DROP],
    miss: Miss::Drop(Reason::NoPath),
};

/// To which local ports does a broadcast go?
pub static FLOOD_LOCAL: Table = Table {
    number: 66,
    name: "flood_local",
    purpose: "Copies to every port of the network on this host; the sender's own copy ends at its interface.",
    holds: Holds::HostLocal,
    matches: &[reg(NETWORK)],
    sets: &[reg(DESTINATION)],
    verbs: &[Verb::Group, Verb::Resubmit],
    next: &[&RECEIVE, &DROP],
    miss: Miss::Drop(Reason::NotHere),
};

/// The last step.
pub static DELIVER: Table = Table {
    number: 80,
    name: "deliver",
    purpose: "From the destination port's key to its interface, under its tag if that is a trunk's, as much as the port may \
              get at most. An answer has no destination: it goes back to its port.",
    holds: Holds::HostLocal,
    matches: &[reg(SOURCE), reg(DESTINATION), ETH_TYPE, VLAN_VID],
    sets: &[IN_PORT_TO_SET, VLAN_VID, reg(REASON)],
    verbs: &[Verb::OutputLocal, Verb::OutputBack, Verb::Tag, Verb::Limit],
    next: &[&DROP],
    miss: Miss::Drop(Reason::NoPath),
};

/// The end of the unwanted.
pub static DROP: Table = Table {
    number: 90,
    name: "drop",
    purpose: "One flow per reason, so that its packet counter counts the drops for that reason.",
    holds: Holds::HostLocal,
    matches: &[reg(REASON)],
    sets: &[],
    verbs: &[],
    next: &[],
    miss: Miss::End,
};

/// The table with that number.
pub fn table(number: u8) -> Option<&'static Table> {
    TABLES.into_iter().find(|table| table.number == number)
}
