//! Short names for the fields that a pipeline is made of.

use super::field::OxmField;
use super::id::FieldId;
use crate::ids::PortNo;
use std::net::{Ipv4Addr, Ipv6Addr};

fn mac_number(mac: [u8; 6]) -> u128 {
    mac.iter().fold(0, |acc, &byte| acc << 8 | u128::from(byte))
}

fn v4(address: Ipv4Addr) -> u128 {
    u128::from(u32::from(address))
}

fn v6(address: Ipv6Addr) -> u128 {
    u128::from(address)
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident / $masked:ident ($ty:ty) = $id:expr, $width:literal, $conv:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(value: $ty) -> OxmField {
            OxmField::exact($id, $width, $conv(value))
        }

        $(#[$doc])*
        ///
        /// Only the bits that `mask` sets matter.
        pub fn $masked(value: $ty, mask: $ty) -> OxmField {
            OxmField::masked($id, $width, $conv(value), $conv(mask))
        }
    )*};
}

macro_rules! exact {
    ($($(#[$doc:meta])* $name:ident ($ty:ty) = $id:expr, $width:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(value: $ty) -> OxmField {
            OxmField::exact($id, $width, u128::from(value))
        }
    )*};
}

plain! {
    /// The 64-bit value that tables hand on (`metadata`).
    metadata / metadata_masked (u64) = FieldId::basic(2), 8, u128::from;
    /// Destination MAC address.
    eth_dst / eth_dst_masked ([u8; 6]) = FieldId::basic(3), 6, mac_number;
    /// Source MAC address.
    eth_src / eth_src_masked ([u8; 6]) = FieldId::basic(4), 6, mac_number;
    /// VLAN tag control word as one number; bit 0x1000 says that there is a tag.
    vlan_tci / vlan_tci_masked (u16) = FieldId::nxm0(4), 2, u128::from;
    /// IPv4 source address.
    ipv4_src / ipv4_src_masked (Ipv4Addr) = FieldId::basic(11), 4, v4;
    /// IPv4 destination address.
    ipv4_dst / ipv4_dst_masked (Ipv4Addr) = FieldId::basic(12), 4, v4;
    /// TCP source port.
    tcp_src / tcp_src_masked (u16) = FieldId::basic(13), 2, u128::from;
    /// TCP destination port.
    tcp_dst / tcp_dst_masked (u16) = FieldId::basic(14), 2, u128::from;
    /// UDP source port.
    udp_src / udp_src_masked (u16) = FieldId::basic(15), 2, u128::from;
    /// UDP destination port.
    udp_dst / udp_dst_masked (u16) = FieldId::basic(16), 2, u128::from;
    /// SCTP source port.
    sctp_src / sctp_src_masked (u16) = FieldId::basic(17), 2, u128::from;
    /// SCTP destination port.
    sctp_dst / sctp_dst_masked (u16) = FieldId::basic(18), 2, u128::from;
    /// ARP sender's IPv4 address.
    arp_spa / arp_spa_masked (Ipv4Addr) = FieldId::basic(22), 4, v4;
    /// ARP target's IPv4 address.
    arp_tpa / arp_tpa_masked (Ipv4Addr) = FieldId::basic(23), 4, v4;
    /// ARP sender's MAC address.
    arp_sha / arp_sha_masked ([u8; 6]) = FieldId::basic(24), 6, mac_number;
    /// ARP target's MAC address.
    arp_tha / arp_tha_masked ([u8; 6]) = FieldId::basic(25), 6, mac_number;
    /// IPv6 source address.
    ipv6_src / ipv6_src_masked (Ipv6Addr) = FieldId::basic(26), 16, v6;
    /// IPv6 destination address.
    ipv6_dst / ipv6_dst_masked (Ipv6Addr) = FieldId::basic(27), 16, v6;
    /// Target address of a neighbour solicitation or advertisement.
    nd_target / nd_target_masked (Ipv6Addr) = FieldId::basic(31), 16, v6;
    /// Source link-layer address option of a neighbour solicitation.
    nd_sll / nd_sll_masked ([u8; 6]) = FieldId::basic(32), 6, mac_number;
    /// Target link-layer address option of a neighbour advertisement.
    nd_tll / nd_tll_masked ([u8; 6]) = FieldId::basic(33), 6, mac_number;
    /// Tunnel id: the VNI of VXLAN and Geneve, the key of GRE.
    tun_id / tun_id_masked (u64) = FieldId::basic(38), 8, u128::from;
    /// IPv4 source address of the tunnel.
    tun_src / tun_src_masked (Ipv4Addr) = FieldId::nxm1(31), 4, v4;
    /// IPv4 destination address of the tunnel.
    tun_dst / tun_dst_masked (Ipv4Addr) = FieldId::nxm1(32), 4, v4;
    /// IPv6 source address of the tunnel.
    tun_ipv6_src / tun_ipv6_src_masked (Ipv6Addr) = FieldId::nxm1(109), 16, v6;
    /// IPv6 destination address of the tunnel.
    tun_ipv6_dst / tun_ipv6_dst_masked (Ipv6Addr) = FieldId::nxm1(110), 16, v6;
    /// Packet mark of the datapath.
    pkt_mark / pkt_mark_masked (u32) = FieldId::nxm1(33), 4, u128::from;
    /// State that the connection tracker gave the packet, see [`ct_state_bit`].
    ct_state / ct_state_masked (u32) = FieldId::nxm1(105), 4, u128::from;
    /// Mark of the connection.
    ct_mark / ct_mark_masked (u32) = FieldId::nxm1(107), 4, u128::from;
    /// Label of the connection.
    ct_label / ct_label_masked (u128) = FieldId::nxm1(108), 16, u128::from;
    /// Which fragment of a datagram: bit 0 any fragment, bit 1 not the first.
    ip_frag / ip_frag_masked (u8) = FieldId::nxm1(26), 1, u128::from;
    /// TCP flags, FIN lowest.
    tcp_flags / tcp_flags_masked (u16) = FieldId::basic(42), 2, u128::from;
    /// IPv6 flow label, 20 bits.
    ipv6_label / ipv6_label_masked (u32) = FieldId::basic(28), 4, u128::from;
}

exact! {
    /// Ethernet type of the payload.
    eth_type (u16) = FieldId::basic(5), 2;
    /// Priority in the VLAN tag, 0 to 7.
    vlan_pcp (u8) = FieldId::basic(7), 1;
    /// Differentiated services code point, 0 to 63.
    ip_dscp (u8) = FieldId::basic(8), 1;
    /// Explicit congestion notification, 0 to 3.
    ip_ecn (u8) = FieldId::basic(9), 1;
    /// Protocol number of the IPv4 or IPv6 payload.
    ip_proto (u8) = FieldId::basic(10), 1;
    /// IPv4 time to live, IPv6 hop limit.
    ip_ttl (u8) = FieldId::nxm1(29), 1;
    /// ICMP type over IPv4.
    icmpv4_type (u8) = FieldId::basic(19), 1;
    /// ICMP code over IPv4.
    icmpv4_code (u8) = FieldId::basic(20), 1;
    /// ARP operation: 1 request, 2 reply.
    arp_op (u16) = FieldId::basic(21), 2;
    /// ICMPv6 type.
    icmpv6_type (u8) = FieldId::basic(29), 1;
    /// ICMPv6 code.
    icmpv6_code (u8) = FieldId::basic(30), 1;
    /// First option's type in a neighbour discovery packet.
    nd_options_type (u8) = FieldId { class: FieldId::CLASS_ERICSSON, number: 2, experimenter: 0 }, 1;
    /// Flags and reserved bits of a neighbour discovery packet (0xe0000000 says router, solicited, override).
    nd_reserved (u32) = FieldId { class: FieldId::CLASS_ERICSSON, number: 1, experimenter: 0 }, 4;
    /// Id that a conjunction gives the packets that fulfil it.
    conj_id (u32) = FieldId::nxm1(37), 4;
    /// Zone of the connection tracker.
    ct_zone (u16) = FieldId::nxm1(106), 2;
    /// Packet type: namespace in the high half, type in the low half; 0 is Ethernet.
    packet_type (u32) = FieldId::basic(44), 4;
}

/// The port the packet came in by, to be set: by its oldest name, the only one under which Open vSwitch lets it be. 0, which
/// is no port's number, lets a packet leave by where it came in.
pub fn in_port_to_set(port: u16) -> OxmField {
    OxmField::exact(FieldId::nxm0(0), 2, u128::from(port))
}

/// The port the packet came in by.
pub fn in_port(port: PortNo) -> OxmField {
    OxmField::exact(FieldId::basic(0), 4, u128::from(port.0))
}

/// VLAN id, 0 to 4095, of a packet that has a tag.
pub fn vlan_vid(vid: u16) -> OxmField {
    OxmField::exact(FieldId::basic(6), 2, u128::from(vid & 0xfff | 0x1000))
}

/// A packet without a VLAN tag.
pub fn vlan_none() -> OxmField {
    OxmField::exact(FieldId::basic(6), 2, 0)
}

/// A packet with a VLAN tag, whatever its id.
pub fn vlan_any() -> OxmField {
    OxmField::masked(FieldId::basic(6), 2, 0x1000, 0x1000)
}

/// 32-bit register `n`, 0 to 15.
pub fn reg(n: u8, value: u32) -> OxmField {
    OxmField::exact(FieldId::reg(n), 4, u128::from(value))
}

/// Some bits of the 32-bit register `n`, 0 to 15.
pub fn reg_masked(n: u8, value: u32, mask: u32) -> OxmField {
    OxmField::masked(FieldId::reg(n), 4, u128::from(value), u128::from(mask))
}

/// 64-bit register `n`, 0 to 7: registers `2n` (high half) and `2n + 1`.
pub fn xreg(n: u8, value: u64) -> OxmField {
    OxmField::exact(FieldId::xreg(n), 8, u128::from(value))
}

/// 128-bit register `n`, 0 to 3: registers `4n` (highest) to `4n + 3`.
pub fn xxreg(n: u8, value: u128) -> OxmField {
    OxmField::exact(FieldId::xxreg(n), 16, value)
}

/// The bits of [`ct_state`].
pub mod ct_state_bit {
    /// Beginning of a new connection.
    pub const NEW: u32 = 1 << 0;
    /// Part of an existing connection.
    pub const EST: u32 = 1 << 1;
    /// Related to an existing connection, such as an ICMP error.
    pub const REL: u32 = 1 << 2;
    /// In the direction of the reply.
    pub const RPL: u32 = 1 << 3;
    /// The tracker could not make sense of it.
    pub const INV: u32 = 1 << 4;
    /// It was tracked.
    pub const TRK: u32 = 1 << 5;
    /// Its source address was translated.
    pub const SNAT: u32 = 1 << 6;
    /// Its destination address was translated.
    pub const DNAT: u32 = 1 << 7;
}
