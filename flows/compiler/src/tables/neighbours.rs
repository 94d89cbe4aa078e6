//! Tables uplink_in to learned, and neighbours: machines on physical networks, of which the model knows nothing.
//!
//! Open vSwitch learns them by itself, from what they say (`learn`): address and MAC, for 20 minutes, and for 5 minutes that
//! they are there. So they outlast the controller, and one that changes its MAC is followed at once. Who is not known is asked for
//! by the controller, which needs nothing but the packet's registers and what the flow tells it (`weft-answers`).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use ipnet::IpNet;
use weft_answers::{Mac, Neighbour, Service};
use weft_model::{HostIndex, MacAddr, Network, Port, RouterKey, Segment, Snapshot, Vni};
use weft_openflow::action::{Learn, LearnFlags, LearnLimit, LearnSource, LearnSpec, LearnTarget};
use weft_openflow::oxm::FieldHeader;
use weft_openflow::{Action, FieldId, TableId, oxm};

use crate::cookie::{Cookie, REMEMBERED};
use crate::fields::Fields;
use crate::meters;
use crate::pipeline::{
    EGRESS_GATE, L2_LOCAL, L2_REMOTE, LEARNED, NEIGHBOUR, NEIGHBOUR_STATE, TO_ROUTER, UPLINK_IN, UPLINK_OWN,
};
use crate::reasons::Reason;
use crate::registers::{
    ASKED, CHOICE, FLAGS, FRESH, FROM_TUNNEL, KNOWN, NETWORK, NEXT_HOP, REASON, ROUTED, UNKNOWN,
};
use crate::sheet::{Sheet, Then};
use crate::tables::arp_nd::{ARP_REPLY, ARP_REQUEST, ROUTER_SOLICITED_OVERRIDE, advertisement, arp_reply};
use crate::tables::routers::{Interface, next_hop_is};
use crate::tables::{
    ADVERTISEMENT, ETH_IPV4, ETH_IPV6, GROUP_BIT, SOLICITATION, Side, arp, icmpv6, ipv4, ipv4_of, ipv6,
    ipv6_of, prefix_field, services, with_link_local,
};
use crate::uplinks::{carrier_mac, macs_of_carrier, uplink_ofport};

/// What can never be learned.
const NONSENSE: u16 = 300;
/// Addresses that the model knows.
const OURS: u16 = 200;
const LEARN: u16 = 100;

/// Questions that are not ours to answer.
const PASS: u16 = 250;
const ANSWER: u16 = 200;
/// Answers to questions of our own.
const NOTED: u16 = 150;
const ENTER: u16 = 100;

/// For how many seconds nobody asks for a neighbour that was heard of.
const HEARD: u16 = 300;
/// For how many seconds nobody asks again (RFC 1122 section 2.3.2.1).
const JUST_ASKED: u16 = 1;
/// How many neighbours of a family a switch remembers in one network.
const MOST: u32 = 1024;
/// How many questions it remembers.
const MOST_ASKED: u32 = 128;

/// The next hop's register pair for IPv6.
const NEXT_HOP_V6: u8 = 2;

/// What is learned, by the family of the address: each under its own cookie, so that each has its own bound.
#[derive(Clone, Copy)]
enum Entry {
    /// The MAC, for long.
    Known,
    /// The MAC, and that nobody needs to ask.
    Fresh,
    /// A question for who is not known.
    Asked,
    /// A question for who has not been heard of lately.
    AskedAgain,
}

impl Entry {
    /// Its number in cookies, priority, lifetime and bound, and what it says of the neighbour.
    fn shape(self) -> (u8, u16, u16, u32, u32) {
        match self {
            Entry::Asked => (3, 50, JUST_ASKED, MOST_ASKED, ASKED),
            Entry::Known => (1, 100, REMEMBERED, MOST, KNOWN),
            // A newer MAC counts at once, whoever was just asked.
            Entry::AskedAgain => (4, 150, JUST_ASKED, MOST_ASKED, FRESH),
            Entry::Fresh => (2, 200, HEARD, MOST, FRESH),
        }
    }
}

/// The two families of addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    fn fields(self) -> Fields {
        match self {
            Family::V4 => ipv4(),
            Family::V6 => ipv6(),
        }
    }
}

/// True for a network in which routers may have to find machines that the model does not know.
pub(crate) fn has_strangers(network: &Network, snapshot: &Snapshot) -> bool {
    network.segment.is_some() && (network.external || snapshot.is_routed(network.id))
}

/// What is the same everywhere about such a network: from whom is learned, and that routers look among what was.
pub(crate) fn network(sheet: &mut Sheet, network: &Network, snapshot: &Snapshot) {
    if !has_strangers(network, snapshot) {
        return;
    }
    let vni = network.vni;
    let here = |fields: Fields| fields.with(NETWORK.is(vni.get()));
    let prefixes: BTreeSet<IpNet> = snapshot
        .subnets_of(network.id)
        .map(|subnet| subnet.cidr.trunc())
        .filter(|prefix| prefix.prefix_len() > 0)
        .collect();
    for prefix in prefixes {
        match prefix {
            IpNet::V4(prefix) => {
                let sender = match prefix.prefix_len() {
                    32 => oxm::arp_spa(prefix.addr()),
                    _ => oxm::arp_spa_masked(prefix.network(), prefix.netmask()),
                };
                let then = learning(vni, Family::V4, (ARP_SPA, ARP_SHA));
                sheet.flow(&UPLINK_IN, LEARN, here(arp()).with(sender), then);
            }
            IpNet::V6(v6) => {
                let target = match v6.prefix_len() {
                    128 => oxm::nd_target(v6.addr()),
                    _ => oxm::nd_target_masked(v6.network(), v6.netmask()),
                };
                let then = learning(vni, Family::V6, (ND_TARGET, ND_TLL));
                sheet.flow(&UPLINK_IN, LEARN, here(icmpv6(ADVERTISEMENT)).with(target), then);
                let asker = here(icmpv6(SOLICITATION));
                let asker = match prefix_field(prefix, Side::Source) {
                    Some(source) => asker.with(source),
                    None => asker,
                };
                let then = learning(vni, Family::V6, (IPV6_SRC, ND_SLL));
                sheet.flow(&UPLINK_IN, LEARN, asker, then);
            }
        }
    }
    let ask_what_was_learned = Then::new().set(CHOICE.is(UNKNOWN)).resubmit(&LEARNED).goto(&NEIGHBOUR_STATE);
    sheet.flow(&NEIGHBOUR, 50, here(Fields::new()), ask_what_was_learned);
}

/// Nobody else is learned under an address that the model knows.
pub(crate) fn port(sheet: &mut Sheet, network: &Network, port: &Port) {
    let here = |fields: Fields| fields.with(NETWORK.is(network.vni.get()));
    let pass = || Then::new().goto(&UPLINK_OWN);
    for address in ipv4_of(port) {
        sheet.flow(&UPLINK_IN, OURS, here(arp()).with(oxm::arp_spa(address)), pass());
    }
    for address in ipv6_of(port) {
        sheet.flow(&UPLINK_IN, OURS, here(icmpv6(ADVERTISEMENT)).with(oxm::nd_target(address)), pass());
        sheet.flow(&UPLINK_IN, OURS, here(icmpv6(SOLICITATION)).with(oxm::ipv6_src(address)), pass());
    }
}

/// What is the same for all networks.
pub(crate) fn host(sheet: &mut Sheet, host: HostIndex) {
    // Answers to what this host asks under addresses of its own, whichever router's.
    let (own, mask) = macs_of_carrier(host);
    for answer in [arp().with(oxm::arp_op(ARP_REPLY)), icmpv6(ADVERTISEMENT)] {
        let answer = answer.with(oxm::eth_dst_masked(own.0, mask.0));
        sheet.flow(&UPLINK_OWN, NOTED - 10, answer, Then::drop(Reason::NeighbourNoted));
    }
    let pass = || Then::new().goto(&UPLINK_OWN);
    // A group address is nobody's own.
    let (none, group) = ([0; 6], GROUP_BIT);
    let whose = [
        (arp(), oxm::arp_sha(none), oxm::arp_sha_masked(group, group)),
        (icmpv6(ADVERTISEMENT), oxm::nd_tll(none), oxm::nd_tll_masked(group, group)),
        (icmpv6(SOLICITATION), oxm::nd_sll(none), oxm::nd_sll_masked(group, group)),
    ];
    for (packet, nobody, many) in whose {
        sheet.flow(&UPLINK_IN, NONSENSE, packet.with(nobody), pass());
        sheet.flow(&UPLINK_IN, NONSENSE, packet.with(many), pass());
    }
    // Duplicate address detection, and what has no room for the answer's option, as in table arp_nd.
    for passed in [oxm::ipv6_src(Ipv6Addr::UNSPECIFIED), oxm::nd_sll(none)] {
        sheet.flow(&UPLINK_OWN, PASS, icmpv6(SOLICITATION).with(passed), Then::new().goto(&L2_LOCAL));
    }
    let is = |state| Fields::new().with(CHOICE.is(state));
    for state in [FRESH, KNOWN] {
        sheet.flow(&NEIGHBOUR_STATE, 50, is(state), Then::new().goto(&EGRESS_GATE));
    }
    sheet.flow(&NEIGHBOUR_STATE, 50, is(ASKED), Then::drop(Reason::NoNeighbourYet));
}

/// A router's interface on a host with a way to the physical network that its network is on.
pub(crate) struct Presence<'a> {
    pub host: HostIndex,
    pub segment: Segment,
    pub interface: Interface<'a>,
    /// The host stands for the router there.
    pub stands_in: bool,
}

/// What such a host has.
pub(crate) fn interface(sheet: &mut Sheet, presence: &Presence<'_>) {
    let Presence { host, segment, ref interface, stands_in } = *presence;
    let Interface { network, port, router } = *interface;
    let own = carrier_mac(router.key, host);
    let vni = network.vni.get();
    let forwarded =
        Fields::new().with(NETWORK.is(vni)).with(oxm::eth_src(port.mac.0)).with(FLAGS.has(ROUTED));
    let away = if stands_in { Then::new() } else { Then::new().set(oxm::eth_src(own.0)) };
    sheet.flow(&L2_LOCAL, 40, forwarded, back_out(away));
    let mac = if stands_in { port.mac } else { own };
    let mut first_v4 = ipv4_of(port).into_iter();
    let asker_v4 = match (first_v4.next(), first_v4.next()) {
        // Who asks under another MAC than the router's must not say that it is the router (RFC 5227 section 2.1.1).
        (Some(only), None) if stands_in => only,
        _ => Ipv4Addr::UNSPECIFIED,
    };
    let askers = [
        (!ipv4_of(port).is_empty()).then_some(IpAddr::V4(asker_v4)),
        (!ipv6_of(port).is_empty()).then(|| IpAddr::V6(mac.link_local())),
    ];
    for address in askers.into_iter().flatten() {
        ask(sheet, &Asker { network, segment, forwarded_as: port.mac, mac, address, router: router.key });
    }
    if stands_in {
        let addresses = ipv4_of(port)
            .into_iter()
            .map(IpAddr::V4)
            .chain(with_link_local(port).into_iter().map(IpAddr::V6));
        answer(sheet, network, port.mac, addresses);
        enter(sheet, network, port.mac);
    }
}

/// Machines on the physical network that ask for these addresses of a router are told this MAC.
fn answer(sheet: &mut Sheet, network: &Network, mac: MacAddr, addresses: impl Iterator<Item = IpAddr>) {
    let here = |fields: Fields| fields.with(NETWORK.is(network.vni.get()));
    for address in addresses {
        match address {
            IpAddr::V4(address) => {
                let asked = arp().with(oxm::arp_op(ARP_REQUEST)).with(oxm::arp_tpa(address));
                sheet.flow(&UPLINK_OWN, ANSWER, here(asked), back_out(arp_reply(mac, address)));
            }
            IpAddr::V6(address) => {
                let asked = icmpv6(SOLICITATION).with(oxm::nd_target(address));
                // Its second half knows the way out.
                sheet.flow(
                    &UPLINK_OWN,
                    ANSWER,
                    here(asked),
                    advertisement(mac, address, ROUTER_SOLICITED_OVERRIDE),
                );
            }
        }
    }
}

/// Packets from outside for a router's MAC enter the router. They may go anywhere from there, also back outside.
fn enter(sheet: &mut Sheet, network: &Network, mac: MacAddr) {
    noted(sheet, network, mac);
    let to_it = Fields::new().with(NETWORK.is(network.vni.get())).with(oxm::eth_dst(mac.0));
    let then = Then::new().set(FLAGS.lacks(FROM_TUNNEL)).goto(&TO_ROUTER);
    sheet.flow(&UPLINK_OWN, ENTER, to_it, then);
}

/// Answers to questions under this MAC have done their work.
pub(crate) fn noted(sheet: &mut Sheet, network: &Network, mac: MacAddr) {
    for answer in [arp().with(oxm::arp_op(ARP_REPLY)), icmpv6(ADVERTISEMENT)] {
        let answer = answer.with(NETWORK.is(network.vni.get())).with(oxm::eth_dst(mac.0));
        sheet.flow(&UPLINK_OWN, NOTED, answer, Then::drop(Reason::NeighbourNoted));
    }
}

/// The way out to where packets of the network are for the others, even when it came in there: Open vSwitch would not send it back
/// by its port of entry.
pub(crate) fn back_out(then: Then) -> Then {
    then.set(oxm::in_port_to_set(0)).goto(&L2_REMOTE)
}

/// What the host that serves a port of an external network asks under that port's MAC and addresses, for the packets that
/// leave from it.
pub(crate) fn asking(sheet: &mut Sheet, network: &Network, port: &Port, router: u32) {
    let (Some(segment), Some(router)) = (network.segment, RouterKey::new(router)) else { return };
    let v4 = ipv4_of(port).into_iter().next().map(IpAddr::V4);
    let v6 = (!ipv6_of(port).is_empty()).then(|| IpAddr::V6(port.mac.link_local()));
    for address in v4.into_iter().chain(v6) {
        ask(sheet, &Asker { network, segment, forwarded_as: port.mac, mac: port.mac, address, router });
    }
    noted(sheet, network, port.mac);
}

/// Who asks for neighbours of a network.
pub(crate) struct Asker<'a> {
    pub network: &'a Network,
    pub segment: Segment,
    /// The Ethernet source of the packets for which it is asked.
    pub forwarded_as: MacAddr,
    /// The asker's MAC on the physical network.
    pub mac: MacAddr,
    /// Its address, of the family that is asked for; the unspecified one for who has none to show.
    pub address: IpAddr,
    /// Whose meter bounds the questions.
    pub router: RouterKey,
}

/// Asks on the wire, at most once a second for each neighbour.
pub(crate) fn ask(sheet: &mut Sheet, asker: &Asker<'_>) {
    let Asker { network, segment, forwarded_as, mac, address, router } = *asker;
    let family = Family::of(address);
    let question = Neighbour {
        asker_mac: Mac(mac.0),
        asker: address,
        uplink: uplink_ofport(segment.physnet),
        vlan: segment.vlan.map(|vlan| vlan.get()),
    };
    let up = |entry| {
        let remember = Then::new().act(remember(network.vni, family, entry, None));
        remember.act(services::question(meters::of_router(router), &Service::Neighbour(question)))
    };
    let about = |state| {
        let fields = family.fields().with(NETWORK.is(network.vni.get())).with(oxm::eth_src(forwarded_as.0));
        fields.with(CHOICE.is(state))
    };
    let yet = up(Entry::Asked).set(REASON.is(Reason::NoNeighbourYet.number())).goto(&crate::pipeline::DROP);
    sheet.flow(&NEIGHBOUR_STATE, 100, about(UNKNOWN), yet);
    sheet.flow(&NEIGHBOUR_STATE, 100, about(KNOWN), up(Entry::AskedAgain).goto(&EGRESS_GATE));
}

/// What a switch that has just learned of a neighbour has, for those who play one.
pub(crate) fn known(sheet: &mut Sheet, network: &Network, address: IpAddr, mac: MacAddr) {
    let then = Then::new().set(oxm::eth_dst(mac.0)).set(CHOICE.is(FRESH));
    sheet.flow(&LEARNED, 200, next_hop_is(network, address), then);
}

/// Learns that who has the first field's address has the second one's MAC.
fn learning(network: Vni, family: Family, from: (FieldHeader, FieldHeader)) -> Then {
    let one = |entry| remember(network, family, entry, Some(from));
    Then::new().act(one(Entry::Known)).act(one(Entry::Fresh)).goto(&UPLINK_OWN)
}

/// Remembers something about a neighbour: from a packet of its own, with the fields that say its address and its MAC, or
/// from one that is routed to it.
fn remember(network: Vni, family: Family, entry: Entry, from: Option<(FieldHeader, FieldHeader)>) -> Action {
    let (kind, priority, lifetime, max_flows, says) = entry.shape();
    let (ether, next_hop, bits, kind) = match family {
        Family::V4 => (ETH_IPV4, NEXT_HOP.is(0).header(), 32, kind),
        Family::V6 => (ETH_IPV6, oxm::xxreg(NEXT_HOP_V6, 0).header(), 128, 0x10 | kind),
    };
    let number = |bits, value: u32, bytes: usize, target| {
        let value = Bytes::copy_from_slice(&value.to_be_bytes()[4 - bytes..]);
        LearnSpec { n_bits: bits, source: LearnSource::Value(value), target }
    };
    let field =
        |bits, field, target| LearnSpec { n_bits: bits, source: LearnSource::Field(field, 0), target };
    let (address, mac) = from.unwrap_or((next_hop, ETH_DST));
    let network_register = NETWORK.is(0).header();
    let mut specs = vec![
        field(32, network_register, LearnTarget::Match(network_register, 0)),
        number(16, u32::from(ether), 2, LearnTarget::Match(ETH_TYPE, 0)),
        field(bits, address, LearnTarget::Match(next_hop, 0)),
        number(32, says, 4, LearnTarget::Load(CHOICE.is(0).header(), 0)),
    ];
    if !matches!(entry, Entry::Asked) {
        specs.push(field(48, mac, LearnTarget::Load(ETH_DST, 0)));
    }
    Action::Learn(Box::new(Learn {
        hard_timeout: lifetime,
        priority,
        cookie: weft_openflow::Cookie(Cookie::of_learned(network, kind).0),
        flags: LearnFlags::DELETE_LEARNED,
        table: TableId(LEARNED.number),
        limit: Some(LearnLimit { max_flows, result: None }),
        ..Learn::new(specs)
    }))
}

// `learn` names fields by their oldest names, and so does Open vSwitch when it shows a flow that learns.
const ETH_DST: FieldHeader = FieldId::nxm0(1).sized(6);
const ETH_TYPE: FieldHeader = FieldId::nxm0(3).sized(2);
const ARP_SPA: FieldHeader = FieldId::nxm0(16).sized(4);
const ARP_SHA: FieldHeader = FieldId::nxm1(17).sized(6);
const IPV6_SRC: FieldHeader = FieldId::nxm1(19).sized(16);
const ND_TARGET: FieldHeader = FieldId::nxm1(23).sized(16);
const ND_SLL: FieldHeader = FieldId::nxm1(24).sized(6);
const ND_TLL: FieldHeader = FieldId::nxm1(25).sized(6);
