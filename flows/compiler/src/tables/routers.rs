//! Tables to_router to next_hop: routing, on the sender's own host.
//!
//! A packet for a router's interface enters the router (to_router), is answered or refused if it is for the router itself
//! (router_local), gets a network, a source address and a next hop (route, ecmp), and the next hop's address (next_hop).
//! From there on it is a packet of its new network like any other. Echo requests are answered only to who sends them
//! from a network of the router, not to who comes through another one: the answer goes back the way the packet came.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use weft_answers::{IcmpError, Service, Trouble};
use weft_model::{FixedIp, Network, NextHop, Port, Router, Snapshot};
use weft_openflow::action::{CopyField, Multipath, Subfield};
use weft_openflow::{Action, OxmField, PortNo, oxm};

use crate::fields::Fields;
use crate::gateways::Outside;
use crate::meters;
use crate::pipeline::{
    DROP, ECMP, EGRESS_GATE, HOME_NETWORK, HOME_PREFIX, NEIGHBOUR, ROUTE, ROUTER_LOCAL, TO_ROUTER,
};
use crate::reasons::Reason;
use crate::registers::{CHOICE, FLAGS, HOME, NETWORK, NEXT_HOP, REASON, ROUTED, ROUTER};
use crate::sheet::{Sheet, Then};
use crate::tables::gateways::{self, Routes};
use crate::tables::{
    PROTO_ICMP, PROTO_ICMPV6, PROTO_UDP, Side, copy, ipv4, ipv4_of, ipv6, ipv6_of, prefix_field, services,
    with_link_local,
};

/// A router that is down does nothing.
const DOWN: u16 = 400;
/// Echo requests to the router.
const ECHO: u16 = 300;
/// Everything else to the router.
const OWN: u16 = 250;
/// What has been forwarded too often.
const EXPIRED: u16 = 200;
/// What no prefix has, in table route.
const NOWHERE: u16 = 50;
/// What is never forwarded.
const NEVER: u16 = 150;

/// Protocol number of TCP.
const PROTO_TCP: u8 = 6;

/// Types of echo requests and replies (RFC 792, RFC 4443 section 4).
const ECHO_V4: (u8, u8) = (8, 0);
const ECHO_V6: (u8, u8) = (128, 129);
/// The TTL of what a router sends itself (RFC 1700).
const OWN_TTL: u8 = 64;
/// Addresses and ports, so that a connection stays on its path in both directions (`nx_hash_fields`).
const SYMMETRIC_L3L4_UDP: u16 = 3;
/// Highest random weight: another number of next hops moves as few connections as can be (`nx_mp_algorithm`).
const HRW: u16 = 2;

/// A router's interface with all that it is between.
pub(crate) struct Interface<'a> {
    pub network: &'a Network,
    pub port: &'a Port,
    pub router: &'a Router,
}

/// The way into the router. The port knows no host: everything here is network-wide.
pub(crate) fn interface(sheet: &mut Sheet, interface: &Interface<'_>) {
    let Interface { network, port, router } = *interface;
    let to_it = Fields::new().with(NETWORK.is(network.vni.get())).with(oxm::eth_dst(port.mac.0));
    if !port.admin_up {
        sheet.flow(&TO_ROUTER, 100, to_it, Then::drop(Reason::PortDown));
        return;
    }
    let key = router.key.get();
    sheet.flow(&TO_ROUTER, 100, to_it, Then::new().set(ROUTER.is(key)).goto(&ROUTER_LOCAL));
    for ip in &port.fixed_ips {
        // From another router, whose next hop this is.
        let into = Then::new().set(oxm::eth_dst(port.mac.0)).set(ROUTER.is(key)).resubmit(&ROUTER_LOCAL);
        sheet.flow(&NEIGHBOUR, 100, next_hop_is(network, ip.address), into);
    }
}

/// Where routers find the addresses of a bound port; only networks with a router's interface need it.
pub(crate) fn neighbour(sheet: &mut Sheet, network: &Network, port: &Port) {
    for ip in &port.fixed_ips {
        let found = Then::new().set(oxm::eth_dst(port.mac.0)).goto(&EGRESS_GATE);
        sheet.flow(&NEIGHBOUR, 100, next_hop_is(network, ip.address), found);
    }
}

/// What no router forwards.
pub(crate) fn host(sheet: &mut Sheet) {
    for ttl in [0, 1] {
        for family in [ipv4(), ipv6()] {
            let expired = family.with(oxm::ip_ttl(ttl));
            sheet.flow(&ROUTER_LOCAL, EXPIRED, expired, Then::drop(Reason::TtlExpired));
        }
    }
    // Loopback, link-local, multicast and reserved destinations (RFC 1812 section 5.3.7, RFC 3927 section 7); link-local
    // sources of IPv6 (RFC 4291 section 2.5.6).
    for (network, length) in [([127, 0, 0, 0], 8), ([169, 254, 0, 0], 16), ([224, 0, 0, 0], 3)] {
        let mask = Ipv4Addr::from(u32::MAX << (32 - length));
        let never = ipv4().with(oxm::ipv4_dst_masked(network.into(), mask));
        sheet.flow(&ROUTER_LOCAL, NEVER, never, Then::drop(Reason::NoRoute));
    }
    let (link_local, mask) = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), v6_mask(10));
    let multicast = oxm::ipv6_dst_masked(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), v6_mask(8));
    let (from, to) = (oxm::ipv6_src_masked(link_local, mask), oxm::ipv6_dst_masked(link_local, mask));
    for field in [multicast, to] {
        sheet.flow(&ROUTER_LOCAL, NEVER, ipv6().with(field), Then::drop(Reason::NoRoute));
    }
    sheet.flow(&ROUTER_LOCAL, NEVER + 1, ipv6().with(from), Then::drop(Reason::NoRoute));
}

/// Where a router leads directly: one of its addresses, with what it is of.
pub(crate) struct Leg<'a> {
    network: &'a Network,
    port: &'a Port,
    prefix: IpNet,
}

/// All of them.
pub(crate) fn legs<'a>(router: &'a Router, snapshot: &'a Snapshot) -> impl Iterator<Item = Leg<'a>> {
    snapshot.interfaces_of(router.id).flat_map(move |port| {
        let leg = move |ip: &FixedIp| {
            let (subnet, network) = (snapshot.subnet(&ip.subnet)?, snapshot.network(&port.network)?);
            Some(Leg { network, port, prefix: subnet.cidr.trunc() })
        };
        port.fixed_ips.iter().filter_map(leg)
    })
}

/// Where a router sends packets.
pub(crate) fn router(sheet: &mut Sheet, router: &Router, snapshot: &Snapshot) {
    let key = router.key.get();
    if !router.admin_up {
        sheet.flow(&ROUTER_LOCAL, DOWN, Fields::new().with(ROUTER.is(key)), Then::drop(Reason::RouterDown));
        return;
    }
    if let Some(outside) = Outside::of(router, snapshot) {
        gateways::router(sheet, &outside, snapshot);
        gateway_addresses(sheet, &outside);
    }
    for port in snapshot.interfaces_of(router.id).filter(|port| port.admin_up) {
        if let Some(network) = snapshot.network(&port.network).filter(|network| network.admin_up) {
            own_addresses(sheet, &Interface { network, port, router });
            errors(sheet, &Interface { network, port, router });
        }
    }
    let legs: Vec<Leg<'_>> = legs(router, snapshot).collect();
    let outside = Outside::of(router, snapshot);
    let outside = outside.as_ref().map(|outside| Routes::of(outside, snapshot));
    if let Some(outside) = &outside {
        let inside: Vec<IpNet> = legs.iter().map(|leg| leg.prefix).collect();
        outside.write(sheet, &inside, snapshot);
    }
    let outside = outside.as_ref();
    for leg in &legs {
        sheet.flow(&ROUTE, priority(leg.prefix) + 1, within(router, leg.prefix), leave(leg, None));
    }
    let mut static_routes: BTreeMap<IpNet, Vec<NextHop>> = BTreeMap::new();
    for route in &router.routes {
        static_routes.entry(route.destination.trunc()).or_default().push(route.next_hop);
    }
    homes(sheet, router, &legs);
    for (prefix, hops) in static_routes {
        match hops.as_slice() {
            [only] => {
                let then = towards(&legs, outside, *only);
                sheet.flow(&ROUTE, priority(prefix), within(router, prefix), then);
            }
            _ => share(sheet, (router, prefix), &hops, &legs, outside),
        }
    }
}

/// Where what the router forwarded comes from: its interface says that it did, and the source in which of its networks the
/// sender is. Senders beyond another router are of no network here.
fn homes(sheet: &mut Sheet, router: &Router, legs: &[Leg<'_>]) {
    let key = router.key.get();
    let exits: BTreeSet<(u32, [u8; 6])> =
        legs.iter().map(|leg| (leg.network.vni.get(), leg.port.mac.0)).collect();
    for (vni, mac) in exits {
        let forwarded = Fields::new().with(NETWORK.is(vni)).with(oxm::eth_src(mac));
        sheet.flow(&HOME_NETWORK, 100, forwarded, Then::new().set(ROUTER.is(key)).resubmit(&HOME_PREFIX));
    }
    for leg in legs {
        let family = if leg.prefix.addr().is_ipv4() { ipv4() } else { ipv6() };
        let matching = family.with(ROUTER.is(key));
        let matching = match prefix_field(leg.prefix, Side::Source) {
            Some(source) => matching.with(source),
            None => matching,
        };
        sheet.flow(
            &HOME_PREFIX,
            priority(leg.prefix),
            matching,
            Then::new().set(HOME.is(leg.network.vni.get())),
        );
    }
}

/// What is for the router itself, by whichever interface it came in.
fn own_addresses(sheet: &mut Sheet, interface: &Interface<'_>) {
    let Interface { network, port, router } = *interface;
    let key = router.key.get();
    for address in ipv4_of(port) {
        let own = || ipv4().with(ROUTER.is(key)).with(oxm::ipv4_dst(address));
        let echo = own().with(oxm::ip_proto(PROTO_ICMP)).with(oxm::icmpv4_type(ECHO_V4.0));
        sheet.flow(&ROUTER_LOCAL, ECHO, echo.with(FLAGS.lacks(ROUTED)), echo_reply(address));
        sheet.flow(&ROUTER_LOCAL, OWN, own(), Then::drop(Reason::RouterAddress));
    }
    for address in with_link_local(port) {
        let mut matching = ipv6().with(ROUTER.is(key)).with(oxm::ipv6_dst(address));
        if address.is_unicast_link_local() {
            // Two interfaces may have the same one.
            matching = matching.with(NETWORK.is(network.vni.get()));
        }
        let echo = matching.with(oxm::ip_proto(PROTO_ICMPV6)).with(oxm::icmpv6_type(ECHO_V6.0));
        sheet.flow(&ROUTER_LOCAL, ECHO, echo.with(FLAGS.lacks(ROUTED)), echo_reply_v6(address));
        sheet.flow(&ROUTER_LOCAL, OWN, matching, Then::drop(Reason::RouterAddress));
    }
}

/// The gateway's own addresses, seen from inside. Of IPv4 only echo requests end here: everything else may be for somebody
/// whose address has become the gateway's, which only the host knows that serves it.
fn gateway_addresses(sheet: &mut Sheet, outside: &Outside<'_>) {
    let Outside { router, network, port, .. } = *outside;
    if !port.admin_up {
        return;
    }
    for address in ipv4_of(port) {
        let echo = ipv4().with(ROUTER.is(router.key.get())).with(oxm::ipv4_dst(address));
        let echo = echo.with(oxm::ip_proto(PROTO_ICMP)).with(oxm::icmpv4_type(ECHO_V4.0));
        sheet.flow(&ROUTER_LOCAL, ECHO, echo.with(FLAGS.lacks(ROUTED)), echo_reply(address));
    }
    let mut v6 = Port::clone(port);
    v6.fixed_ips.retain(|ip| ip.address.is_ipv6());
    own_addresses(sheet, &Interface { network, port: &v6, router });
}

/// What senders on the router's networks are told when it cannot hand their packets on. One that has passed a router
/// before has lost its sender's Ethernet address, so it ends silently.
fn errors(sheet: &mut Sheet, interface: &Interface<'_>) {
    let Interface { network, port, router } = *interface;
    let told = |router_address: IpAddr, trouble, reason: Reason| {
        let error = IcmpError { router: router_address, trouble };
        let up = services::to_controller(meters::of_router(router.key), &Service::IcmpError(error));
        // Told or not, it is a drop that counts.
        up.set(REASON.is(reason.number())).goto(&DROP)
    };
    let first =
        [ipv4_of(port).first().copied().map(IpAddr::from), ipv6_of(port).first().copied().map(IpAddr::from)];
    for address in first.into_iter().flatten() {
        let family = if address.is_ipv4() { ipv4() } else { ipv6() };
        let first_hop = family.with(ROUTER.is(router.key.get())).with(NETWORK.is(network.vni.get()));
        let first_hop = first_hop.with(FLAGS.lacks(ROUTED));
        let expired = first_hop.with(oxm::ip_ttl(1));
        sheet.flow(
            &ROUTER_LOCAL,
            EXPIRED + 1,
            expired,
            told(address, Trouble::TimeExceeded, Reason::TtlExpired),
        );
        sheet.flow(&ROUTE, NOWHERE, first_hop, told(address, Trouble::NetUnreachable, Reason::NoRoute));
        // Connections to the router itself: there is nobody to take them.
        let own = port.fixed_ips.iter().map(|ip| ip.address).filter(|own| own.is_ipv4() == address.is_ipv4());
        for (own, protocol) in own.flat_map(|own| [(own, PROTO_TCP), (own, PROTO_UDP)]) {
            let to_it = match own {
                IpAddr::V4(own) => oxm::ipv4_dst(own),
                IpAddr::V6(own) => oxm::ipv6_dst(own),
            };
            let refused = first_hop.with(to_it).with(oxm::ip_proto(protocol));
            let then = told(address, Trouble::PortUnreachable, Reason::RouterAddress);
            sheet.flow(&ROUTER_LOCAL, OWN + 1, refused, then);
        }
    }
}

/// Several next hops share a destination.
fn share(
    sheet: &mut Sheet,
    (router, prefix): (&Router, IpNet),
    hops: &[NextHop],
    legs: &[Leg<'_>],
    outside: Option<&Routes<'_>>,
) {
    let choose = Multipath {
        fields: SYMMETRIC_L3L4_UDP,
        basis: 0,
        algorithm: HRW,
        max_link: u16::try_from(hops.len().saturating_sub(1)).unwrap_or(u16::MAX),
        arg: 0,
        dst: Subfield::whole(CHOICE.is(0).header()),
    };
    let then = Then::new().act(Action::Multipath(choose)).goto(&ECMP);
    sheet.flow(&ROUTE, priority(prefix), within(router, prefix), then);
    for (number, hop) in (0..).zip(hops) {
        let chosen = within(router, prefix).with(CHOICE.is(number));
        sheet.flow(&ECMP, priority(prefix), chosen, towards(legs, outside, *hop));
    }
}

/// Longer prefixes first; one more is left for the router's own subnets.
pub(super) fn priority(prefix: IpNet) -> u16 {
    100 + 2 * u16::from(prefix.prefix_len())
}

/// In the router, for a destination within the prefix.
pub(super) fn within(router: &Router, prefix: IpNet) -> Fields {
    let family = if prefix.addr().is_ipv4() { ipv4() } else { ipv6() };
    let matching = family.with(ROUTER.is(router.key.get()));
    let destination = match (prefix.addr(), prefix.netmask()) {
        _ if prefix.prefix_len() == 0 => return matching,
        (IpAddr::V4(ip), _) if prefix.prefix_len() == 32 => oxm::ipv4_dst(ip),
        (IpAddr::V6(ip), _) if prefix.prefix_len() == 128 => oxm::ipv6_dst(ip),
        (IpAddr::V4(ip), IpAddr::V4(mask)) => oxm::ipv4_dst_masked(ip, mask),
        (IpAddr::V6(ip), IpAddr::V6(mask)) => oxm::ipv6_dst_masked(ip, mask),
        // A prefix has one family.
        _ => return matching,
    };
    matching.with(destination)
}

/// Through the interface that reaches a next hop. One that nothing reaches keeps packets from taking a shorter prefix.
fn towards(legs: &[Leg<'_>], outside: Option<&Routes<'_>>, hop: NextHop) -> Then {
    let NextHop::Via(via) = hop else { return Then::drop(Reason::Blackhole) };
    match legs.iter().find(|leg| leg.prefix.contains(&via)) {
        Some(leg) => leave(leg, Some(via)),
        None => match outside.filter(|outside| outside.reaches(via)) {
            Some(outside) => outside.leave(),
            None => Then::drop(Reason::NoRoute),
        },
    }
}

/// Out of an interface: into its network, from its address, to a next hop or else to the destination itself.
fn leave(leg: &Leg<'_>, via: Option<IpAddr>) -> Then {
    if !leg.network.admin_up {
        return Then::drop(Reason::NetworkDown);
    }
    if !leg.port.admin_up {
        return Then::drop(Reason::PortDown);
    }
    let then = Then::new()
        .set(NETWORK.is(leg.network.vni.get()))
        .set(FLAGS.has(ROUTED))
        .set(oxm::eth_src(leg.port.mac.0))
        .act(Action::DecNwTtl);
    let then = match via {
        Some(IpAddr::V4(via)) => then.set(NEXT_HOP.is(via.into())),
        Some(IpAddr::V6(via)) => then.set(oxm::xxreg(2, via.into())),
        None if leg.prefix.addr().is_ipv4() => {
            then.act(copy(oxm::ipv4_dst(Ipv4Addr::UNSPECIFIED), NEXT_HOP.is(0)))
        }
        None => then.act(copy(oxm::ipv6_dst(Ipv6Addr::UNSPECIFIED), oxm::xxreg(2, 0))),
    };
    then.goto(&NEIGHBOUR)
}

/// A routed packet whose next hop has this address of the network.
pub(super) fn next_hop_is(network: &Network, address: IpAddr) -> Fields {
    let family = if address.is_ipv4() { ipv4() } else { ipv6() };
    let matching = family.with(NETWORK.is(network.vni.get()));
    match address {
        IpAddr::V4(address) => matching.with(NEXT_HOP.is(address.into())),
        IpAddr::V6(address) => {
            let number = u128::from(address);
            let part = |shift: u32| u32::try_from(number >> shift & 0xffff_ffff).expect("32 bits");
            let parts = (8..).zip([part(96), part(64), part(32), part(0)]);
            parts.fold(matching, |matching, (register, value)| matching.with(oxm::reg(register, value)))
        }
    }
}

/// Turns an echo request into its reply, and sends it back to who sent it.
fn echo_reply(address: Ipv4Addr) -> Then {
    echo_answer(address).output(PortNo::IN_PORT)
}

/// Turns an echo request into its reply.
pub(super) fn echo_answer(address: Ipv4Addr) -> Then {
    let any = Ipv4Addr::UNSPECIFIED;
    swapped_addresses()
        .act(copy(oxm::ipv4_src(any), oxm::ipv4_dst(any)))
        .set(oxm::ipv4_src(address))
        .set(oxm::icmpv4_type(ECHO_V4.1))
        .act(Action::SetNwTtl(OWN_TTL))
}

fn echo_reply_v6(address: Ipv6Addr) -> Then {
    let any = Ipv6Addr::UNSPECIFIED;
    swapped_addresses()
        .act(copy(oxm::ipv6_src(any), oxm::ipv6_dst(any)))
        .set(oxm::ipv6_src(address))
        .set(oxm::icmpv6_type(ECHO_V6.1))
        .act(Action::SetNwTtl(OWN_TTL))
        .output(PortNo::IN_PORT)
}

/// The Ethernet addresses change places, by way of a register that nothing else needs here: the interface that was asked
/// need not be the one that the address is of.
fn swapped_addresses() -> Then {
    let aside = || Subfield { field: oxm::xxreg(2, 0).header(), offset: 0, n_bits: 48 };
    let (source, destination) = (oxm::eth_src([0; 6]), oxm::eth_dst([0; 6]));
    let whole = |field: &OxmField| Subfield::whole(field.header());
    Then::new()
        .act(Action::CopyField(CopyField::between(whole(&destination), aside())))
        .act(Action::CopyField(CopyField::between(whole(&source), whole(&destination))))
        .act(Action::CopyField(CopyField::between(aside(), whole(&source))))
}

fn v6_mask(length: u32) -> Ipv6Addr {
    Ipv6Addr::from(u128::MAX << (128 - length))
}
