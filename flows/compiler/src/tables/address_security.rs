//! Table address_security: a port speaks for its own addresses only, and is neither router nor DHCP server.
//!
//! The Ethernet source has been checked before. What is the same for every port stands here once per host; a port
//! adds what only it may send.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use weft_model::{MacAddr, Port, PortSecurity};
use weft_openflow::{OxmField, oxm};

use crate::fields::Fields;
use crate::pipeline::{ADDRESS_SECURITY, ARP_ND};
use crate::reasons::Reason;
use crate::registers::SOURCE;
use crate::sheet::{Sheet, Then};
use crate::tables::{
    ADVERTISEMENT, Local, PROTO_UDP, SOLICITATION, Side, arp, icmpv6, ipv4, ipv6, prefix_field,
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
    let speaks = speaks_for(local.port);
    let own = |matching: Fields| matching.with(SOURCE.is(local.port.key.get()));
    for prefix in speaks.iter().map(|(_, prefix)| *prefix).collect::<BTreeSet<IpNet>>() {
        let family = if prefix.addr().is_ipv4() { ipv4() } else { ipv6() };
        if let Some(source) = prefix_field(prefix, Side::Source) {
            pass(sheet, OWN, own(family).with(source));
        }
    }
    for (mac, prefix) in &speaks {
        if let IpNet::V4(prefix) = prefix {
            let spa = match prefix.prefix_len() {
                32 => oxm::arp_spa(prefix.addr()),
                _ => oxm::arp_spa_masked(prefix.network(), prefix.netmask()),
            };
            pass(sheet, OWN, own(arp()).with(oxm::arp_sha(*mac)).with(spa));
        }
    }
    let with_ipv4 = speaks.iter().filter(|(_, prefix)| prefix.addr().is_ipv4());
    for mac in with_ipv4.map(|(mac, _)| *mac).collect::<BTreeSet<[u8; 6]>>() {
        // A probe (RFC 5227) asks without saying who.
        pass(sheet, OWN, own(arp()).with(oxm::arp_sha(mac)).with(oxm::arp_spa(Ipv4Addr::UNSPECIFIED)));
    }
    neighbour_discovery(sheet, local, &speaks);
}

/// From which Ethernet and IP addresses a port may speak: its own, and those of its allowed pairs.
fn speaks_for(port: &Port) -> BTreeSet<([u8; 6], IpNet)> {
    let mac = port.mac.0;
    let mut found: BTreeSet<([u8; 6], IpNet)> =
        port.fixed_ips.iter().map(|ip| (mac, IpNet::from(ip.address))).collect();
    found.insert((mac, link_local(port.mac)));
    for pair in &port.allowed_pairs {
        found.insert((pair.mac.unwrap_or(port.mac).0, pair.prefix));
        found.extend(pair.mac.map(|mac| (mac.0, link_local(mac))));
    }
    found
}

fn link_local(mac: MacAddr) -> IpNet {
    IpNet::from(IpAddr::V6(mac.link_local()))
}

/// Solicitations from an own address and advertisements of it, with the own link-layer address or none (RFC 4861
/// sections 4.3 and 4.4), and the probe for an own address that nobody else should have (RFC 4862 section 5.4.2).
fn neighbour_discovery(sheet: &mut Sheet, local: &Local<'_>, speaks: &BTreeSet<([u8; 6], IpNet)>) {
    let solicitation = || icmpv6(SOLICITATION).with(SOURCE.is(local.port.key.get()));
    let advertisement = || icmpv6(ADVERTISEMENT).with(SOURCE.is(local.port.key.get()));
    let mut pairs: BTreeSet<(Ipv6Net, [u8; 6])> = BTreeSet::new();
    for (mac, prefix) in speaks {
        if let IpNet::V6(prefix) = prefix {
            pairs.extend([(*prefix, *mac), (*prefix, NO_MAC)]);
        }
    }
    for (prefix, mac) in &pairs {
        let source = prefix_field(IpNet::V6(*prefix), Side::Source).expect("never all addresses");
        pass(sheet, OWN_ND, solicitation().with(source).with(oxm::nd_sll(*mac)));
        pass(sheet, OWN_ND, advertisement().with(target(*prefix)).with(oxm::nd_tll(*mac)));
    }
    for prefix in pairs.into_iter().map(|(prefix, _)| prefix).collect::<BTreeSet<Ipv6Net>>() {
        let probe = solicitation().with(oxm::ipv6_src(Ipv6Addr::UNSPECIFIED)).with(oxm::nd_sll(NO_MAC));
        pass(sheet, OWN_ND, probe.with(target(prefix)));
    }
}

fn target(prefix: Ipv6Net) -> OxmField {
    match prefix.prefix_len() {
        128 => oxm::nd_target(prefix.addr()),
        _ => oxm::nd_target_masked(prefix.network(), prefix.netmask()),
    }
}

#[track_caller]
fn pass(sheet: &mut Sheet, priority: u16, matching: Fields) {
    sheet.flow(&ADDRESS_SECURITY, priority, matching, Then::new().goto(&ARP_ND));
}
