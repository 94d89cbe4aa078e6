//! Table address_security: a port speaks for its own addresses only, and is neither router nor DHCP server.
//!
//! The Ethernet source has been checked before. What is the same for every port stands here once per host; a port
//! adds what only it may send.

use std::net::{Ipv4Addr, Ipv6Addr};

use weft_model::PortSecurity;
use weft_openflow::oxm;

use crate::fields::Fields;
use crate::pipeline::{ADDRESS_SECURITY, ARP_ND};
use crate::reasons::Reason;
use crate::registers::SOURCE;
use crate::sheet::{Sheet, Then};
use crate::tables::{
    ADVERTISEMENT, Local, PROTO_UDP, SOLICITATION, arp, icmpv6, ipv4, ipv4_of, ipv6, ipv6_of,
};

/// Never, from any port.
const FORBIDDEN: u16 = 400;
/// Neighbour discovery that Open vSwitch could not make sense of.
const MALFORMED: u16 = 310;
/// Neighbour discovery that is right.
const OWN_ND: u16 = 300;
/// Neighbour discovery that is not.
const OTHER_ND: u16 = 250;
/// Packets that are right.
const OWN: u16 = 200;
/// Packets that are not; protocols without addresses pass by the table's miss.
const OTHER: u16 = 100;

const NO_MAC: [u8; 6] = [0; 6];
/// Multicast within the link (RFC 4291 section 2.7), with its mask.
const LINK_MULTICAST: (Ipv6Addr, Ipv6Addr) =
    (Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0), Ipv6Addr::new(0xffff, 0, 0, 0, 0, 0, 0, 0));

/// What holds for every port of the host.
pub(crate) fn host(sheet: &mut Sheet) {
    forbidden(sheet);
    let unspecified = |matching: Fields| {
        let (group, mask) = LINK_MULTICAST;
        matching.with(oxm::ipv6_src(Ipv6Addr::UNSPECIFIED)).with(oxm::ipv6_dst_masked(group, mask))
    };
    // A client that has no address yet: DHCP (RFC 2131), router solicitation, multicast listener reports.
    let discover = ipv4().with(oxm::ip_proto(PROTO_UDP)).with(oxm::udp_src(68)).with(oxm::udp_dst(67));
    let discover =
        discover.with(oxm::ipv4_src(Ipv4Addr::UNSPECIFIED)).with(oxm::ipv4_dst(Ipv4Addr::BROADCAST));
    pass(sheet, OWN, discover);
    for kind in [131, 132, 133, 143] {
        pass(sheet, OWN, unspecified(icmpv6(kind)));
    }
    for kind in [SOLICITATION, ADVERTISEMENT] {
        // A malformed packet is shown without target and options, which would look like options left out.
        let malformed = icmpv6(kind).with(oxm::nd_target(Ipv6Addr::UNSPECIFIED));
        sheet.flow(&ADDRESS_SECURITY, MALFORMED, malformed, Then::drop(Reason::SpoofedNd));
        sheet.flow(&ADDRESS_SECURITY, OTHER_ND, icmpv6(kind), Then::drop(Reason::SpoofedNd));
    }
    sheet.flow(&ADDRESS_SECURITY, OTHER, ipv4(), Then::drop(Reason::SpoofedIpv4));
    sheet.flow(&ADDRESS_SECURITY, OTHER, arp(), Then::drop(Reason::SpoofedArp));
    sheet.flow(&ADDRESS_SECURITY, OTHER, ipv6(), Then::drop(Reason::SpoofedIpv6));
}

/// Routers (RFC 4861 sections 4.2 and 4.5) and DHCP servers (RFC 2131, RFC 8415) are Weft's to provide.
fn forbidden(sheet: &mut Sheet) {
    for kind in [134, 137] {
        sheet.flow(&ADDRESS_SECURITY, FORBIDDEN, icmpv6(kind), Then::drop(Reason::RogueRa));
    }
    for (family, server, client) in [(ipv4(), 67, 68), (ipv6(), 547, 546)] {
        let answer =
            family.with(oxm::ip_proto(PROTO_UDP)).with(oxm::udp_src(server)).with(oxm::udp_dst(client));
        sheet.flow(&ADDRESS_SECURITY, FORBIDDEN, answer, Then::drop(Reason::RogueDhcp));
    }
}

/// What a port may send besides.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>) {
    if local.port.security == PortSecurity::Off {
        return;
    }
    let own = |matching: Fields| matching.with(SOURCE.is(local.port.key.get()));
    let addresses = ipv4_of(local.port);
    let mac = local.port.mac.0;
    let sender = |address| own(arp()).with(oxm::arp_sha(mac)).with(oxm::arp_spa(address));
    for address in &addresses {
        pass(sheet, OWN, own(ipv4()).with(oxm::ipv4_src(*address)));
        pass(sheet, OWN, sender(*address));
    }
    if !addresses.is_empty() {
        // A probe (RFC 5227) asks without saying who.
        pass(sheet, OWN, sender(Ipv4Addr::UNSPECIFIED));
    }
    let mut addresses = ipv6_of(local.port);
    addresses.insert(local.port.mac.link_local());
    for address in addresses {
        pass(sheet, OWN, own(ipv6()).with(oxm::ipv6_src(address)));
        neighbour_discovery(sheet, local, address);
    }
}

/// Solicitations from an own address and advertisements of it, with the own link-layer address or none (RFC 4861
/// sections 4.3 and 4.4), and the probe for an own address that nobody else should have (RFC 4862 section 5.4.2).
fn neighbour_discovery(sheet: &mut Sheet, local: &Local<'_>, address: Ipv6Addr) {
    let solicitation = || icmpv6(SOLICITATION).with(SOURCE.is(local.port.key.get()));
    let advertisement = || icmpv6(ADVERTISEMENT).with(SOURCE.is(local.port.key.get()));
    for mac in [local.port.mac.0, NO_MAC] {
        pass(sheet, OWN_ND, solicitation().with(oxm::ipv6_src(address)).with(oxm::nd_sll(mac)));
        pass(sheet, OWN_ND, advertisement().with(oxm::nd_target(address)).with(oxm::nd_tll(mac)));
    }
    let probe = solicitation().with(oxm::ipv6_src(Ipv6Addr::UNSPECIFIED)).with(oxm::nd_sll(NO_MAC));
    pass(sheet, OWN_ND, probe.with(oxm::nd_target(address)));
}

#[track_caller]
fn pass(sheet: &mut Sheet, priority: u16, matching: Fields) {
    sheet.flow(&ADDRESS_SECURITY, priority, matching, Then::new().goto(&ARP_ND));
}
