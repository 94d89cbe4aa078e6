//! Tables to_router to next_hop: routing, on the sender's own host.
//!
//! A packet for a router's interface enters the router (to_router), is answered or refused if it is for the router itself
//! (router_local), gets a network, a source address and a next hop (route, ecmp), and the next hop's address (next_hop).
//! From there on it is a packet of its new network like any other. Every router on the way answers echo requests and
//! tells the sender what it cannot hand on: the sender's Ethernet address is kept from the first router on, and answers
//! go back by the port that the packet came in by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use weft_model::{FixedIp, Mtu, Network, NextHop, Port, Router, Snapshot};
use weft_openflow::action::{Multipath, Subfield};
use weft_openflow::{Action, oxm};

use crate::fields::Fields;
use crate::gateways::Outside;
use crate::pipeline::{
    ECMP, EGRESS_GATE, HOME_NETWORK, HOME_PREFIX, NEIGHBOUR, ROUTE, ROUTER_LOCAL, TO_ROUTER,
};
use crate::reasons::Reason;
use crate::registers::{CHOICE, FLAGS, HOME, NETWORK, NEXT_HOP, ROUTED, ROUTER, SENDER_TAG};
use crate::sheet::{Sheet, Then};
use crate::tables::gateways::{self, Routes};
use crate::tables::router_answers::{self, Askers, Telling};
use crate::tables::sizes::{Sizes, check_size};
use crate::tables::{Side, copy, ipv4, ipv6, outside_errors, prefix_field};
use crate::uplinks::carrier_macs;

/// A router that is down does nothing.
const DOWN: u16 = 400;
/// What has been forwarded too often.
pub(super) const EXPIRED: u16 = 200;
/// What is never forwarded.
const NEVER: u16 = 150;

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
    let enter = Then::new().set(ROUTER.is(key)).act(router_answers::keep_sender());
    let enter = match network.segment.and_then(|segment| segment.vlan) {
        Some(vlan) => enter.set(SENDER_TAG.is(u64::from(vlan.get()))),
        None => enter,
    };
    sheet.flow(&TO_ROUTER, 100, to_it, enter.goto(&ROUTER_LOCAL));
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

impl Leg<'_> {
    /// How large IPv4 packets may be there; `None` where there is none.
    pub fn mtu_v4(&self) -> Option<Mtu> {
        self.prefix.addr().is_ipv4().then_some(self.network.mtu)
    }
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
    let legs: Vec<Leg<'_>> = legs(router, snapshot).collect();
    let outside = Outside::of(router, snapshot);
    let sizes = Sizes::of(legs.iter().map(|leg| leg.network), outside.as_ref());
    if let Some(outside) = &outside {
        gateways::router(sheet, outside, snapshot);
        router_answers::gateway_addresses(sheet, outside);
    }
    let mut telling = Telling::new();
    let mut networks = snapshot.interfaces_of(router.id).filter_map(|port| snapshot.network(&port.network));
    let askers =
        if networks.any(|network| network.segment.is_some()) { Askers::Anywhere } else { Askers::Ports };
    for port in snapshot.interfaces_of(router.id).filter(|port| port.admin_up) {
        if let Some(network) = snapshot.network(&port.network).filter(|network| network.admin_up) {
            let interface = Interface { network, port, router };
            router_answers::own_addresses(sheet, &interface, askers);
            router_answers::errors(sheet, &interface, &sizes, &mut telling);
        }
    }
    if let Some(outside) = &outside {
        outside_errors::router(sheet, outside, &sizes, &mut telling);
    }
    let outside = outside.as_ref().map(|outside| Routes::of(outside, sizes.limit_outside(), snapshot));
    if let Some(outside) = &outside {
        let inside: Vec<IpNet> = legs.iter().map(|leg| leg.prefix).collect();
        outside.write(sheet, &inside, snapshot);
    }
    let ways = Ways { legs: &legs, outside: outside.as_ref(), sizes: &sizes };
    for leg in &legs {
        sheet.flow(&ROUTE, priority(leg.prefix) + 1, within(router, leg.prefix), ways.leave(leg, None));
    }
    let mut static_routes: BTreeMap<IpNet, Vec<NextHop>> = BTreeMap::new();
    for route in &router.routes {
        static_routes.entry(route.destination.trunc()).or_default().push(route.next_hop);
    }
    homes(sheet, router, &legs);
    for (prefix, hops) in static_routes {
        match hops.as_slice() {
            [only] => sheet.flow(&ROUTE, priority(prefix), within(router, prefix), ways.towards(*only)),
            _ => share(sheet, router, prefix, &hops, &ways),
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
        let asked = Then::new().set(ROUTER.is(key)).set(HOME.is(0)).resubmit(&HOME_PREFIX);
        sheet.flow(&HOME_NETWORK, 100, forwarded, asked);
    }
    // On a physical network every host sends under an address of its own.
    let outside = legs.iter().filter(|leg| leg.network.segment.is_some()).map(|leg| leg.network.vni.get());
    for vni in outside.collect::<BTreeSet<u32>>() {
        let (value, mask) = carrier_macs(router.key);
        let forwarded = Fields::new().with(NETWORK.is(vni)).with(oxm::eth_src_masked(value.0, mask.0));
        let asked = Then::new().set(ROUTER.is(key)).set(HOME.is(0)).resubmit(&HOME_PREFIX);
        sheet.flow(&HOME_NETWORK, 90, forwarded, asked);
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

/// Several next hops share a destination.
fn share(sheet: &mut Sheet, router: &Router, prefix: IpNet, hops: &[NextHop], ways: &Ways<'_>) {
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
        sheet.flow(&ECMP, priority(prefix), chosen, ways.towards(*hop));
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

/// The ways out of a router.
struct Ways<'a> {
    legs: &'a [Leg<'a>],
    outside: Option<&'a Routes<'a>>,
    sizes: &'a Sizes,
}

impl Ways<'_> {
    /// Through the interface that reaches a next hop. One that nothing reaches keeps packets from taking a shorter prefix.
    fn towards(&self, hop: NextHop) -> Then {
        let NextHop::Via(via) = hop else { return Then::drop(Reason::Blackhole) };
        match self.legs.iter().find(|leg| leg.prefix.contains(&via)) {
            Some(leg) => self.leave(leg, Some(via)),
            None => match self.outside.filter(|outside| outside.reaches(via)) {
                Some(outside) => outside.leave(),
                None => Then::drop(Reason::NoRoute),
            },
        }
    }

    /// Out of an interface: into its network, from its address, to a next hop or else to the destination itself.
    fn leave(&self, leg: &Leg<'_>, via: Option<IpAddr>) -> Then {
        if !leg.network.admin_up {
            return Then::drop(Reason::NetworkDown);
        }
        if !leg.port.admin_up {
            return Then::drop(Reason::PortDown);
        }
        let then = Then::new();
        let mtu = leg.network.mtu;
        let is_v4 = leg.prefix.addr().is_ipv4();
        let then = if self.sizes.exceed(mtu, is_v4) { then.act(check_size(mtu)) } else { then };
        let then = then
            .act(copy(NETWORK.is(0), HOME.is(0)))
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

fn v6_mask(length: u32) -> Ipv6Addr {
    Ipv6Addr::from(u128::MAX << (128 - length))
}
