//! What routers say themselves: echo replies, and what they tell senders whose packets they cannot hand on.
//!
//! Every router on a packet's way does, as the Ethernet address of the sender is kept from the first one on
//! ([`SENDER`]); answers leave by the port that the packet came in by.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weft_answers::{IcmpError, Service, Trouble};
use weft_model::{Mtu, Port, RouterKey};
use weft_openflow::action::{CopyField, Subfield};
use weft_openflow::{Action, OxmField, oxm};

use crate::fields::Fields;
use crate::gateways::Outside;
use crate::meters;
use crate::pipeline::{DELIVER, DROP, NEIGHBOUR, ROUTE, ROUTER_LOCAL};
use crate::reasons::Reason;
use crate::registers::{
    FLAGS, FROM_OUTSIDE, FROM_UPLINK, HOME, NETWORK, REASON, ROUTED, ROUTER, SENDER, TOO_BIG,
};
use crate::sheet::{Sheet, Then};
use crate::tables::routers::{EXPIRED, Interface};
use crate::tables::sizes::Sizes;
use crate::tables::{
    PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP, copy, ipv4, ipv4_of, ipv6, ipv6_of, neighbours, security,
    services, with_link_local,
};

/// Echo requests to the router.
const ECHO: u16 = 300;
/// Everything else to the router.
const OWN: u16 = 250;
/// What no prefix has, in table route.
const NOWHERE: u16 = 50;
/// What is too large for where it goes, in table next_hop.
const TOO_LARGE: u16 = 200;
/// What nobody has, in table next_hop; whatever else that table does about it comes first.
const NOBODY: u16 = 5;

/// Types of echo requests and replies (RFC 792, RFC 4443 section 4).
pub(super) const ECHO_V4: (u8, u8) = (8, 0);
pub(super) const ECHO_V6: (u8, u8) = (128, 129);
/// The TTL of what a router sends itself (RFC 1700).
const OWN_TTL: u8 = 64;

/// From where a router's addresses may be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Askers {
    /// From ports.
    Ports,
    /// From ports, and from machines on a physical network.
    Anywhere,
}

/// What is for the router itself, by whichever interface it came in.
pub(crate) fn own_addresses(sheet: &mut Sheet, interface: &Interface<'_>, askers: Askers) {
    let Interface { network, port, router } = *interface;
    let key = router.key.get();
    for address in ipv4_of(port) {
        let own = || ipv4().with(ROUTER.is(key)).with(oxm::ipv4_dst(address));
        let echo = own().with(oxm::ip_proto(PROTO_ICMP)).with(oxm::icmpv4_type(ECHO_V4.0));
        sheet.flow(&ROUTER_LOCAL, ECHO, inside(echo), echo_reply(address));
        if askers == Askers::Anywhere {
            let reply = neighbours::back_out(to_sender().then(echo_of(address)));
            sheet.flow(&ROUTER_LOCAL, ECHO + 1, from_machine(echo), reply);
        }
        sheet.flow(&ROUTER_LOCAL, OWN, own(), Then::drop(Reason::RouterAddress));
    }
    for address in with_link_local(port) {
        let mut matching = ipv6().with(ROUTER.is(key)).with(oxm::ipv6_dst(address));
        if address.is_unicast_link_local() {
            // Two interfaces may have the same one.
            matching = matching.with(NETWORK.is(network.vni.get()));
        }
        let echo = matching.with(oxm::ip_proto(PROTO_ICMPV6)).with(oxm::icmpv6_type(ECHO_V6.0));
        sheet.flow(&ROUTER_LOCAL, ECHO, inside(echo), echo_of_v6(address).goto(&DELIVER));
        if askers == Askers::Anywhere {
            sheet.flow(
                &ROUTER_LOCAL,
                ECHO + 1,
                from_machine(echo),
                neighbours::back_out(echo_of_v6(address)),
            );
        }
        sheet.flow(&ROUTER_LOCAL, OWN, matching, Then::drop(Reason::RouterAddress));
    }
}

/// The gateway's own addresses, seen from inside. Of IPv4 only echo requests end here: everything else may be for somebody
/// whose address has become the gateway's, which only the host knows that serves it.
pub(crate) fn gateway_addresses(sheet: &mut Sheet, outside: &Outside<'_>) {
    let Outside { router, network, port, .. } = *outside;
    if !port.admin_up {
        return;
    }
    for address in ipv4_of(port) {
        let echo = ipv4().with(ROUTER.is(router.key.get())).with(oxm::ipv4_dst(address));
        let echo = echo.with(oxm::ip_proto(PROTO_ICMP)).with(oxm::icmpv4_type(ECHO_V4.0));
        sheet.flow(&ROUTER_LOCAL, ECHO, inside(echo), echo_reply(address));
    }
    let mut v6 = Port::clone(port);
    v6.fixed_ips.retain(|ip| ip.address.is_ipv6());
    own_addresses(sheet, &Interface { network, port: &v6, router }, Askers::Ports);
}

/// Sent by somebody behind one of the router's interfaces, and so by a port of this host.
fn inside(matching: Fields) -> Fields {
    matching.with(FLAGS.lacks(FROM_OUTSIDE))
}

/// Sent by a machine on a physical network, and through no other router.
fn from_machine(matching: Fields) -> Fields {
    matching.with(FLAGS.just(FROM_UPLINK, FROM_UPLINK | FROM_OUTSIDE | ROUTED))
}

/// By which of its networks senders have been told already, in which family (true for IPv4): a router may have several
/// interfaces in one.
pub(crate) type Telling = BTreeSet<(u32, bool)>;

/// What senders are told whose packets came in by this interface when the router cannot hand them on.
pub(crate) fn errors(sheet: &mut Sheet, interface: &Interface<'_>, sizes: &Sizes, telling: &mut Telling) {
    let Interface { network, port, router } = *interface;
    let vni = network.vni.get();
    let told = |address, trouble, reason| told(router.key, address, trouble, reason);
    let first =
        [ipv4_of(port).first().copied().map(IpAddr::from), ipv6_of(port).first().copied().map(IpAddr::from)];
    for address in first.into_iter().flatten() {
        let family = if address.is_ipv4() { ipv4() } else { ipv6() };
        let within = family.with(ROUTER.is(router.key.get()));
        let came = within.with(NETWORK.is(vni));
        // Connections to the router itself: there is nobody to take them.
        let own = port.fixed_ips.iter().map(|ip| ip.address).filter(|own| own.is_ipv4() == address.is_ipv4());
        for (own, protocol) in own.flat_map(|own| [(own, PROTO_TCP), (own, PROTO_UDP)]) {
            let to_it = match own {
                IpAddr::V4(own) => oxm::ipv4_dst(own),
                IpAddr::V6(own) => oxm::ipv6_dst(own),
            };
            let refused = came.with(to_it).with(oxm::ip_proto(protocol));
            let then = told(address, Trouble::PortUnreachable, Reason::RouterAddress);
            sheet.flow(&ROUTER_LOCAL, OWN + 1, refused, then);
        }
        if !telling.insert((vni, address.is_ipv4())) {
            continue;
        }
        let expired = told(address, Trouble::TimeExceeded, Reason::TtlExpired);
        sheet.flow(&ROUTER_LOCAL, EXPIRED + 1, came.with(oxm::ip_ttl(1)), expired);
        sheet.flow(&ROUTE, NOWHERE, came, told(address, Trouble::NetUnreachable, Reason::NoRoute));
        // On its way out already.
        let left = within.with(HOME.is(vni));
        sheet.flow(&NEIGHBOUR, NOBODY, left, told(address, Trouble::HostUnreachable, Reason::NoNeighbour));
        for (to, mtu) in sizes.below(network.mtu) {
            let large = left.with(NETWORK.is(to)).with(FLAGS.has(TOO_BIG));
            sheet.flow(&NEIGHBOUR, TOO_LARGE, large, told_too_big(router.key, address, mtu));
        }
    }
}

/// Tells the sender, from this address of the router. Told or not, it is a drop that counts.
pub(super) fn told(router: RouterKey, address: IpAddr, trouble: Trouble, reason: Reason) -> Then {
    tell(router, address, trouble, reason).goto(&DROP)
}

/// The same of what is too large for a network. What follows `check_pkt_larger` counts packets of either size, so table
/// drop is reached by way of the connection tracker, which nothing is remembered in: past it only what is too large is
/// counted.
pub(super) fn told_too_big(router: RouterKey, address: IpAddr, mtu: Mtu) -> Then {
    tell(router, address, Trouble::TooBig(mtu.0), Reason::TooBig).act(security::track(&DROP))
}

fn tell(router: RouterKey, address: IpAddr, trouble: Trouble, reason: Reason) -> Then {
    let error = Service::IcmpError(IcmpError { router: address, trouble });
    let up = services::question(meters::of_router(router), &error);
    Then::new().act(sender_to(oxm::eth_src([0; 6]))).act(up).set(REASON.is(reason.number()))
}

/// Turns an echo request into its reply, and sends it back to who sent it.
fn echo_reply(address: Ipv4Addr) -> Then {
    to_sender().then(echo_of(address)).goto(&DELIVER)
}

/// Turns an echo request into its reply to where the frame came from.
pub(crate) fn echo_answer(address: Ipv4Addr) -> Then {
    swapped_addresses().then(echo_of(address))
}

fn echo_of(address: Ipv4Addr) -> Then {
    let any = Ipv4Addr::UNSPECIFIED;
    Then::new()
        .act(copy(oxm::ipv4_src(any), oxm::ipv4_dst(any)))
        .set(oxm::ipv4_src(address))
        .set(oxm::icmpv4_type(ECHO_V4.1))
        .act(Action::SetNwTtl(OWN_TTL))
}

/// The same in IPv6, for the sender.
fn echo_of_v6(address: Ipv6Addr) -> Then {
    to_sender().then(echo_v6(address))
}

/// As [`echo_answer`].
pub(crate) fn echo_answer_v6(address: Ipv6Addr) -> Then {
    swapped_addresses().then(echo_v6(address))
}

fn echo_v6(address: Ipv6Addr) -> Then {
    let any = Ipv6Addr::UNSPECIFIED;
    Then::new()
        .act(copy(oxm::ipv6_src(any), oxm::ipv6_dst(any)))
        .set(oxm::ipv6_src(address))
        .set(oxm::icmpv6_type(ECHO_V6.1))
        .act(Action::SetNwTtl(OWN_TTL))
}

/// From the interface that was asked, which need not be the one that the address is of, to the sender.
fn to_sender() -> Then {
    Then::new().act(copy(oxm::eth_dst([0; 6]), oxm::eth_src([0; 6]))).act(sender_to(oxm::eth_dst([0; 6])))
}

/// The Ethernet addresses change places, by way of a register that nothing else needs here: the interface that was asked
/// need not be the one that the address is of.
fn swapped_addresses() -> Then {
    let aside = || Subfield { field: oxm::xxreg(2, 0).header(), offset: 0, n_bits: 48 };
    let whole = |field: OxmField| Subfield::whole(field.header());
    Then::new()
        .act(Action::CopyField(CopyField::between(whole(oxm::eth_dst([0; 6])), aside())))
        .act(copy(oxm::eth_src([0; 6]), oxm::eth_dst([0; 6])))
        .act(Action::CopyField(CopyField::between(aside(), whole(oxm::eth_src([0; 6])))))
}

/// Keeps who sent a packet.
pub(crate) fn keep_sender() -> Action {
    let from = Subfield::whole(oxm::eth_src([0; 6]).header());
    Action::CopyField(CopyField::between(from, SENDER.subfield()))
}

/// Puts who sent a packet back into one of its Ethernet addresses.
fn sender_to(field: OxmField) -> Action {
    Action::CopyField(CopyField::between(SENDER.subfield(), Subfield::whole(field.header())))
}
