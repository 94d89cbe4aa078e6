//! Tables arp_nd and nd_reply: questions for the addresses of bound ports are answered on the asker's own host.

use std::net::{Ipv4Addr, Ipv6Addr};

use weft_model::{MacAddr, Network, Port};
use weft_openflow::oxm;

use crate::pipeline::{ARP_ND, DELIVER, ND_REPLY, TO_ROUTER};
use crate::registers::{FLAGS, FROM_UPLINK, NETWORK, SOURCE};
use crate::sheet::{Sheet, Then};
use crate::tables::{
    ADVERTISEMENT, Local, SOLICITATION, arp, copy, icmpv6, ipv4_of, ipv6_of, link_local_is_known, neighbours,
    with_link_local,
};

/// Questions that are not ours to answer.
const PASS_OWN: u16 = 200;
const PASS: u16 = 150;
const ANSWER: u16 = 100;

pub(crate) const ARP_REQUEST: u16 = 1;
pub(crate) const ARP_REPLY: u16 = 2;
/// Solicited and override (RFC 4861 section 4.4), at the top of the 32 bits behind the checksum.
const SOLICITED_OVERRIDE: u32 = 0x6000_0000;
/// The same from a router: a host forgets its default route when who gave it says that it is none (section 7.2.5).
pub(crate) const ROUTER_SOLICITED_OVERRIDE: u32 = 0xe000_0000;
/// Option type of the target's link-layer address (RFC 4861 section 4.6.1).
const TARGET_OPTION: u8 = 2;
/// Where solicitations go by multicast (RFC 4291 section 2.7.1 in RFC 2464 section 7), with its mask.
const SOLICITED_NODE: ([u8; 6], [u8; 6]) = ([0x33, 0x33, 0xff, 0, 0, 0], [0xff, 0xff, 0xff, 0, 0, 0]);

/// The answers for a port's addresses, which every member host gives.
pub(crate) fn port(sheet: &mut Sheet, network: &Network, port: &Port) {
    for address in ipv4_of(port) {
        let asked = arp().with(oxm::arp_op(ARP_REQUEST)).with(oxm::arp_tpa(address));
        let answer = arp_reply(port.mac, address).goto(&DELIVER);
        sheet.flow(&ARP_ND, ANSWER, asked.with(NETWORK.is(network.vni.get())), answer);
    }
    // A link-local address is answered for only where port security makes sure that it is the port's; one that was
    // given to a port by hand is left to the port itself.
    let mut addresses = ipv6_of(port);
    addresses.retain(|address| !address.is_unicast_link_local());
    addresses.extend(link_local_is_known(port).then(|| port.mac.link_local()));
    for address in addresses {
        let (group, mask) = SOLICITED_NODE;
        let asked = icmpv6(SOLICITATION).with(oxm::nd_target(address)).with(oxm::eth_dst_masked(group, mask));
        sheet.flow(
            &ARP_ND,
            ANSWER,
            asked.with(NETWORK.is(network.vni.get())),
            advertisement(port.mac, address, SOLICITED_OVERRIDE),
        );
    }
}

/// The answers for the addresses of a router's interface. It is nowhere on a wire, so it cannot answer for itself:
/// every question is answered here, also one that was not sent to many.
pub(crate) fn interface(sheet: &mut Sheet, network: &Network, port: &Port) {
    for address in ipv4_of(port) {
        let asked = arp().with(oxm::arp_op(ARP_REQUEST)).with(oxm::arp_tpa(address));
        let answer = arp_reply(port.mac, address).goto(&DELIVER);
        sheet.flow(&ARP_ND, ANSWER, asked.with(NETWORK.is(network.vni.get())), answer);
    }
    for address in with_link_local(port) {
        let asked = icmpv6(SOLICITATION).with(oxm::nd_target(address));
        sheet.flow(
            &ARP_ND,
            ANSWER,
            asked.with(NETWORK.is(network.vni.get())),
            advertisement(port.mac, address, ROUTER_SOLICITED_OVERRIDE),
        );
    }
}

/// The answer for an address that is the same in every network.
pub(crate) fn own_v4(sheet: &mut Sheet, priority: u16, mac: MacAddr, address: Ipv4Addr) {
    let asked = arp().with(oxm::arp_op(ARP_REQUEST)).with(oxm::arp_tpa(address));
    sheet.flow(&ARP_ND, priority, asked, arp_reply(mac, address).goto(&DELIVER));
}

/// The same for IPv6.
pub(crate) fn own_v6(sheet: &mut Sheet, priority: u16, mac: MacAddr, address: Ipv6Addr) {
    let asked = icmpv6(SOLICITATION).with(oxm::nd_target(address));
    sheet.flow(&ARP_ND, priority, asked, advertisement(mac, address, SOLICITED_OVERRIDE));
}

/// A port's own questions about its own addresses look for somebody else who has them, so they go on.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>) {
    for address in ipv4_of(local.port) {
        let own = arp().with(SOURCE.is(local.port.key.get())).with(oxm::arp_tpa(address));
        sheet.flow(&ARP_ND, PASS_OWN, own, Then::new().goto(&TO_ROUTER));
    }
}

/// What is the same for all answers.
pub(crate) fn host(sheet: &mut Sheet) {
    // Duplicate address detection looks for somebody else who has the address (RFC 4862 section 5.4).
    let probe = icmpv6(SOLICITATION).with(oxm::ipv6_src(Ipv6Addr::UNSPECIFIED));
    sheet.flow(&ARP_ND, PASS, probe, Then::new().goto(&TO_ROUTER));
    // The answer is made from the question, so it needs room for an option.
    let bare = icmpv6(SOLICITATION).with(oxm::nd_sll([0; 6]));
    sheet.flow(&ARP_ND, PASS, bare, Then::new().goto(&TO_ROUTER));
    // The Ethernet source has become the target's address by now.
    let complete = Then::new().act(copy(oxm::eth_src([0; 6]), oxm::nd_tll([0; 6])));
    sheet.flow(&ND_REPLY, 100, icmpv6(ADVERTISEMENT), complete.goto(&DELIVER));
    let complete = Then::new().act(copy(oxm::eth_src([0; 6]), oxm::nd_tll([0; 6])));
    let outside = icmpv6(ADVERTISEMENT).with(FLAGS.has(FROM_UPLINK));
    sheet.flow(&ND_REPLY, 200, outside, neighbours::back_out(complete));
}

/// Turns a request into its reply (RFC 826), which is still to be sent.
pub(crate) fn arp_reply(mac: MacAddr, address: Ipv4Addr) -> Then {
    let (mac, any_mac, any_ip) = (mac.0, [0; 6], Ipv4Addr::UNSPECIFIED);
    Then::new()
        .act(copy(oxm::eth_src(any_mac), oxm::eth_dst(any_mac)))
        .set(oxm::eth_src(mac))
        .set(oxm::arp_op(ARP_REPLY))
        .act(copy(oxm::arp_sha(any_mac), oxm::arp_tha(any_mac)))
        .set(oxm::arp_sha(mac))
        .act(copy(oxm::arp_spa(any_ip), oxm::arp_tpa(any_ip)))
        .set(oxm::arp_spa(address))
}

/// Turns a solicitation into its advertisement, but for the option: that can be set only in a packet that is one. Sends it
/// back to where the question came from.
pub(crate) fn advertisement(mac: MacAddr, address: Ipv6Addr, flags: u32) -> Then {
    let (any_mac, any_ip) = ([0; 6], Ipv6Addr::UNSPECIFIED);
    Then::new()
        .act(copy(oxm::eth_src(any_mac), oxm::eth_dst(any_mac)))
        .set(oxm::eth_src(mac.0))
        .act(copy(oxm::ipv6_src(any_ip), oxm::ipv6_dst(any_ip)))
        .set(oxm::ipv6_src(address))
        .set(oxm::icmpv6_type(ADVERTISEMENT))
        .set(oxm::nd_reserved(flags))
        .set(oxm::nd_options_type(TARGET_OPTION))
        .resubmit(&ND_REPLY)
}
