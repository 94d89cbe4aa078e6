//! The rows of the field table, and which fields say the same in two ways.
//!
//! Facts from OpenFlow 1.5 section 7.2.3.8 and Open vSwitch's `meta-flow.h`.

use super::Format::{self, *};
use super::Prereq::{self, *};
use crate::oxm::FieldId;

/// One row of the table; it covers `count` fields with consecutive numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub id: FieldId,
    pub count: u8,
    /// The index in the name of the first field of the row.
    pub first: u8,
    pub bits: u16,
    pub bytes: u8,
    pub maskable: bool,
    pub writable: bool,
    pub format: Format,
    pub prereq: Prereq,
    /// Names in text, the preferred one first.
    pub names: &'static [&'static str],
    /// Name in the specification, used in subfields such as `NXM_NX_REG0[0..3]`.
    pub wire: &'static str,
}

const fn row(id: FieldId, bits: u16, format: Format, prereq: Prereq, names: &'static [&'static str]) -> Row {
    let bytes = match bits {
        0..=8 => 1,
        9..=16 => 2,
        17..=32 => 4,
        33..=48 => 6,
        49..=64 => 8,
        65..=128 => 16,
        _ => 124,
    };
    let (count, first) = (1, 0);
    Row { id, count, first, bits, bytes, maskable: true, writable: true, format, prereq, names, wire: "" }
}

impl Row {
    const fn wire(mut self, wire: &'static str) -> Row {
        self.wire = wire;
        self
    }

    const fn times(mut self, count: u8, first: u8) -> Row {
        self.count = count;
        self.first = first;
        self
    }

    /// For a field whose size is not the least that its bits need.
    const fn sized(mut self, bytes: u8) -> Row {
        self.bytes = bytes;
        self
    }

    const fn exact(mut self) -> Row {
        self.maskable = false;
        self
    }

    const fn read_only(mut self) -> Row {
        self.writable = false;
        self
    }
}

const fn b(n: u8) -> FieldId {
    FieldId::basic(n)
}

const fn n0(n: u8) -> FieldId {
    FieldId::nxm0(n)
}

const fn n1(n: u8) -> FieldId {
    FieldId::nxm1(n)
}

const fn nx(n: u8) -> FieldId {
    FieldId::experimenter(FieldId::NICIRA, n)
}

const fn nsh(n: u8) -> FieldId {
    FieldId::experimenter(FieldId::NSH, n)
}

const fn onf(n: u8) -> FieldId {
    FieldId::experimenter(FieldId::ONF, n)
}

const fn eric(number: u8) -> FieldId {
    FieldId { class: FieldId::CLASS_ERICSSON, number, experimenter: 0 }
}

/// The standard fields. Row `i` is field `i` up to [`BASIC_GAP`], so that a lookup is an index.
pub(super) static BASIC: &[Row] = &[
    row(b(0), 32, Port, Any, &["in_port", "in_port_oxm"]).exact().wire("OXM_OF_IN_PORT"),
    row(b(1), 32, Port, Any, &["in_phy_port"]).exact().read_only().wire("OXM_OF_IN_PHY_PORT"),
    row(b(2), 64, Hex, Any, &["metadata"]).wire("OXM_OF_METADATA"),
    row(b(3), 48, Format::Ethernet, Prereq::Ethernet, &["eth_dst", "dl_dst"]).wire("OXM_OF_ETH_DST"),
    row(b(4), 48, Format::Ethernet, Prereq::Ethernet, &["eth_src", "dl_src"]).wire("OXM_OF_ETH_SRC"),
    row(b(5), 16, Hex, Prereq::Ethernet, &["eth_type", "dl_type"])
        .exact()
        .read_only()
        .wire("OXM_OF_ETH_TYPE"),
    row(b(6), 13, Decimal, Prereq::Ethernet, &["vlan_vid"]).wire("OXM_OF_VLAN_VID"),
    row(b(7), 3, Decimal, VlanVid, &["vlan_pcp"]).exact().wire("OXM_OF_VLAN_PCP"),
    row(b(8), 6, Decimal, Ip, &["ip_dscp"]).exact().wire("OXM_OF_IP_DSCP"),
    row(b(9), 2, Decimal, Ip, &["nw_ecn", "ip_ecn"]).exact().wire("OXM_OF_IP_ECN"),
    row(b(10), 8, Decimal, Ip, &["nw_proto", "ip_proto"]).exact().read_only().wire("OXM_OF_IP_PROTO"),
    row(b(11), 32, Ipv4, Ip4, &["ip_src", "nw_src"]).wire("OXM_OF_IPV4_SRC"),
    row(b(12), 32, Ipv4, Ip4, &["ip_dst", "nw_dst"]).wire("OXM_OF_IPV4_DST"),
    row(b(13), 16, Decimal, Tcp, &["tcp_src"]).wire("OXM_OF_TCP_SRC"),
    row(b(14), 16, Decimal, Tcp, &["tcp_dst"]).wire("OXM_OF_TCP_DST"),
    row(b(15), 16, Decimal, Udp, &["udp_src"]).wire("OXM_OF_UDP_SRC"),
    row(b(16), 16, Decimal, Udp, &["udp_dst"]).wire("OXM_OF_UDP_DST"),
    row(b(17), 16, Decimal, Sctp, &["sctp_src"]).wire("OXM_OF_SCTP_SRC"),
    row(b(18), 16, Decimal, Sctp, &["sctp_dst"]).wire("OXM_OF_SCTP_DST"),
    row(b(19), 8, Decimal, Icmp4, &["icmp_type"]).exact().wire("OXM_OF_ICMPV4_TYPE"),
    row(b(20), 8, Decimal, Icmp4, &["icmp_code"]).exact().wire("OXM_OF_ICMPV4_CODE"),
    row(b(21), 16, Decimal, Arp, &["arp_op"]).exact().wire("OXM_OF_ARP_OP"),
    row(b(22), 32, Ipv4, Arp, &["arp_spa"]).wire("OXM_OF_ARP_SPA"),
    row(b(23), 32, Ipv4, Arp, &["arp_tpa"]).wire("OXM_OF_ARP_TPA"),
    row(b(24), 48, Format::Ethernet, Arp, &["arp_sha"]).wire("OXM_OF_ARP_SHA"),
    row(b(25), 48, Format::Ethernet, Arp, &["arp_tha"]).wire("OXM_OF_ARP_THA"),
    row(b(26), 128, Ipv6, Ip6, &["ipv6_src"]).wire("OXM_OF_IPV6_SRC"),
    row(b(27), 128, Ipv6, Ip6, &["ipv6_dst"]).wire("OXM_OF_IPV6_DST"),
    row(b(28), 20, Hex, Ip6, &["ipv6_label"]).wire("OXM_OF_IPV6_FLABEL"),
    row(b(29), 8, Decimal, Icmp6, &["icmpv6_type"]).exact().wire("OXM_OF_ICMPV6_TYPE"),
    row(b(30), 8, Decimal, Icmp6, &["icmpv6_code"]).exact().wire("OXM_OF_ICMPV6_CODE"),
    row(b(31), 128, Ipv6, Nd, &["nd_target"]).wire("OXM_OF_IPV6_ND_TARGET"),
    row(b(32), 48, Format::Ethernet, NdSolicit, &["nd_sll"]).wire("OXM_OF_IPV6_ND_SLL"),
    row(b(33), 48, Format::Ethernet, NdAdvert, &["nd_tll"]).wire("OXM_OF_IPV6_ND_TLL"),
    row(b(34), 20, Decimal, Mpls, &["mpls_label"]).exact().wire("OXM_OF_MPLS_LABEL"),
    row(b(35), 3, Decimal, Mpls, &["mpls_tc"]).exact().wire("OXM_OF_MPLS_TC"),
    row(b(36), 1, Decimal, Mpls, &["mpls_bos"]).exact().read_only().wire("OXM_OF_MPLS_BOS"),
    row(b(37), 24, Hex, Prereq::Ethernet, &["pbb_isid"]).sized(3).wire("OXM_OF_PBB_ISID"),
    row(b(38), 64, Hex, Any, &["tun_id", "tunnel_id"]).wire("OXM_OF_TUNNEL_ID"),
    row(b(39), 9, Hex, Ip6, &["ipv6_exthdr"]).read_only().wire("OXM_OF_IPV6_EXTHDR"),
    row(b(41), 1, Decimal, Prereq::Ethernet, &["pbb_uca"]).exact().wire("OXM_OF_PBB_UCA"),
    row(b(42), 12, TcpFlags, Tcp, &["tcp_flags"]).read_only().wire("OXM_OF_TCP_FLAGS"),
    row(b(43), 32, Port, Any, &["actset_output"]).exact().read_only().wire("OXM_OF_ACTSET_OUTPUT"),
    row(b(44), 32, PacketType, Any, &["packet_type"]).exact().read_only().wire("OXM_OF_PACKET_TYPE"),
];

/// The first standard field whose row is not at its own index, because number 40 is not assigned.
pub(super) const BASIC_GAP: u8 = 40;

/// The oldest Nicira fields; most have a standard twin, see [`twin`].
pub(super) static NXM0: &[Row] = &[
    row(n0(0), 16, Port, Any, &["in_port"]).exact().wire("NXM_OF_IN_PORT"),
    row(n0(1), 48, Format::Ethernet, Prereq::Ethernet, &["eth_dst", "dl_dst"]).wire("NXM_OF_ETH_DST"),
    row(n0(2), 48, Format::Ethernet, Prereq::Ethernet, &["eth_src", "dl_src"]).wire("NXM_OF_ETH_SRC"),
    row(n0(3), 16, Hex, Prereq::Ethernet, &["eth_type", "dl_type"])
        .exact()
        .read_only()
        .wire("NXM_OF_ETH_TYPE"),
    row(n0(4), 16, Hex, Prereq::Ethernet, &["vlan_tci"]).wire("NXM_OF_VLAN_TCI"),
    row(n0(5), 8, Decimal, Ip, &["nw_tos"]).exact().wire("NXM_OF_IP_TOS"),
    row(n0(6), 8, Decimal, Ip, &["nw_proto", "ip_proto"]).exact().read_only().wire("NXM_OF_IP_PROTO"),
    row(n0(7), 32, Ipv4, Ip4, &["ip_src", "nw_src"]).wire("NXM_OF_IP_SRC"),
    row(n0(8), 32, Ipv4, Ip4, &["ip_dst", "nw_dst"]).wire("NXM_OF_IP_DST"),
    row(n0(9), 16, Decimal, Tcp, &["tcp_src"]).wire("NXM_OF_TCP_SRC"),
    row(n0(10), 16, Decimal, Tcp, &["tcp_dst"]).wire("NXM_OF_TCP_DST"),
    row(n0(11), 16, Decimal, Udp, &["udp_src"]).wire("NXM_OF_UDP_SRC"),
    row(n0(12), 16, Decimal, Udp, &["udp_dst"]).wire("NXM_OF_UDP_DST"),
    row(n0(13), 8, Decimal, Icmp4, &["icmp_type"]).exact().wire("NXM_OF_ICMP_TYPE"),
    row(n0(14), 8, Decimal, Icmp4, &["icmp_code"]).exact().wire("NXM_OF_ICMP_CODE"),
    row(n0(15), 16, Decimal, Arp, &["arp_op"]).exact().wire("NXM_OF_ARP_OP"),
    row(n0(16), 32, Ipv4, Arp, &["arp_spa"]).wire("NXM_OF_ARP_SPA"),
    row(n0(17), 32, Ipv4, Arp, &["arp_tpa"]).wire("NXM_OF_ARP_TPA"),
];

/// The Nicira extension fields.
pub(super) static NXM1: &[Row] = &[
    row(n1(0), 32, Hex, Any, &["reg"]).times(16, 0).wire("NXM_NX_REG"),
    row(n1(16), 64, Hex, Any, &["tun_id", "tunnel_id"]).wire("NXM_NX_TUN_ID"),
    row(n1(17), 48, Format::Ethernet, Arp, &["arp_sha"]).wire("NXM_NX_ARP_SHA"),
    row(n1(18), 48, Format::Ethernet, Arp, &["arp_tha"]).wire("NXM_NX_ARP_THA"),
    row(n1(19), 128, Ipv6, Ip6, &["ipv6_src"]).wire("NXM_NX_IPV6_SRC"),
    row(n1(20), 128, Ipv6, Ip6, &["ipv6_dst"]).wire("NXM_NX_IPV6_DST"),
    row(n1(21), 8, Decimal, Icmp6, &["icmpv6_type"]).exact().wire("NXM_NX_ICMPV6_TYPE"),
    row(n1(22), 8, Decimal, Icmp6, &["icmpv6_code"]).exact().wire("NXM_NX_ICMPV6_CODE"),
    row(n1(23), 128, Ipv6, Nd, &["nd_target"]).wire("NXM_NX_ND_TARGET"),
    row(n1(24), 48, Format::Ethernet, NdSolicit, &["nd_sll"]).wire("NXM_NX_ND_SLL"),
    row(n1(25), 48, Format::Ethernet, NdAdvert, &["nd_tll"]).wire("NXM_NX_ND_TLL"),
    row(n1(26), 2, Frag, Ip, &["ip_frag", "nw_frag"]).read_only().wire("NXM_NX_IP_FRAG"),
    row(n1(27), 20, Hex, Ip6, &["ipv6_label"]).wire("NXM_NX_IPV6_LABEL"),
    row(n1(28), 2, Decimal, Ip, &["nw_ecn", "ip_ecn"]).exact().wire("NXM_NX_IP_ECN"),
    row(n1(29), 8, Decimal, Ip, &["nw_ttl"]).exact().wire("NXM_NX_IP_TTL"),
    row(n1(30), 8, Decimal, Mpls, &["mpls_ttl"]).exact().wire("NXM_NX_MPLS_TTL"),
    row(n1(31), 32, Ipv4, Any, &["tun_src"]).wire("NXM_NX_TUN_IPV4_SRC"),
    row(n1(32), 32, Ipv4, Any, &["tun_dst"]).wire("NXM_NX_TUN_IPV4_DST"),
    row(n1(33), 32, Hex, Any, &["pkt_mark"]).wire("NXM_NX_PKT_MARK"),
    row(n1(34), 12, TcpFlags, Tcp, &["tcp_flags"]).read_only().wire("NXM_NX_TCP_FLAGS"),
    row(n1(35), 32, Hex, Any, &["dp_hash"]).read_only().wire("NXM_NX_DP_HASH"),
    row(n1(36), 32, Decimal, Any, &["recirc_id"]).exact().read_only().wire("NXM_NX_RECIRC_ID"),
    row(n1(37), 32, Decimal, Any, &["conj_id"]).exact().read_only().wire("NXM_NX_CONJ_ID"),
    row(n1(38), 16, Decimal, Any, &["tun_gbp_id"]).wire("NXM_NX_TUN_GBP_ID"),
    row(n1(39), 8, Hex, Any, &["tun_gbp_flags"]).wire("NXM_NX_TUN_GBP_FLAGS"),
    row(n1(40), 992, Hex, Any, &["tun_metadata"]).times(64, 0).wire("NXM_NX_TUN_METADATA"),
    row(n1(104), 1, TunFlags, Any, &["tun_flags"]).sized(2).wire("NXM_NX_TUN_FLAGS"),
    row(n1(105), 8, CtState, Any, &["ct_state"]).sized(4).read_only().wire("NXM_NX_CT_STATE"),
    row(n1(106), 16, Hex, Any, &["ct_zone"]).exact().read_only().wire("NXM_NX_CT_ZONE"),
    row(n1(107), 32, Hex, Any, &["ct_mark"]).wire("NXM_NX_CT_MARK"),
    row(n1(108), 128, Hex, Any, &["ct_label"]).wire("NXM_NX_CT_LABEL"),
    row(n1(109), 128, Ipv6, Any, &["tun_ipv6_src"]).wire("NXM_NX_TUN_IPV6_SRC"),
    row(n1(110), 128, Ipv6, Any, &["tun_ipv6_dst"]).wire("NXM_NX_TUN_IPV6_DST"),
    row(n1(111), 128, Hex, Any, &["xxreg"]).times(4, 0).wire("NXM_NX_XXREG"),
    row(n1(119), 8, Decimal, Ct, &["ct_nw_proto"]).exact().read_only().wire("NXM_NX_CT_NW_PROTO"),
    row(n1(120), 32, Ipv4, Ct, &["ct_nw_src"]).read_only().wire("NXM_NX_CT_NW_SRC"),
    row(n1(121), 32, Ipv4, Ct, &["ct_nw_dst"]).read_only().wire("NXM_NX_CT_NW_DST"),
    row(n1(122), 128, Ipv6, Ct, &["ct_ipv6_src"]).read_only().wire("NXM_NX_CT_IPV6_SRC"),
    row(n1(123), 128, Ipv6, Ct, &["ct_ipv6_dst"]).read_only().wire("NXM_NX_CT_IPV6_DST"),
    row(n1(124), 16, Decimal, Ct, &["ct_tp_src"]).read_only().wire("NXM_NX_CT_TP_SRC"),
    row(n1(125), 16, Decimal, Ct, &["ct_tp_dst"]).read_only().wire("NXM_NX_CT_TP_DST"),
];

/// Everything else: packet registers, and the fields of experimenters.
pub(super) static OTHER: &[Row] = &[
    row(FieldId::xreg(0), 64, Hex, Any, &["xreg"]).times(8, 0).wire("OXM_OF_PKT_REG"),
    row(eric(1), 32, Decimal, Nd, &["nd_reserved"]).exact().wire("ERICOXM_OF_ICMPV6_ND_RESERVED"),
    row(eric(2), 8, Decimal, Nd, &["nd_options_type"]).exact().wire("ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE"),
    row(onf(42), 12, TcpFlags, Tcp, &["tcp_flags"]).read_only().wire("ONFOXM_ET_TCP_FLAGS"),
    row(onf(43), 32, Port, Any, &["actset_output"]).exact().read_only().wire("ONFOXM_ET_ACTSET_OUTPUT"),
    row(nx(0), 32, Hex, Any, &["dp_hash"]).read_only().wire("NXOXM_ET_DP_HASH"),
    row(nx(11), 20, Hex, Any, &["tun_erspan_idx"]).wire("NXOXM_ET_ERSPAN_IDX"),
    row(nx(12), 4, Decimal, Any, &["tun_erspan_ver"]).wire("NXOXM_ET_ERSPAN_VER"),
    row(nx(13), 1, Decimal, Any, &["tun_erspan_dir"]).wire("NXOXM_ET_ERSPAN_DIR"),
    row(nx(14), 6, Hex, Any, &["tun_erspan_hwid"]).wire("NXOXM_ET_ERSPAN_HWID"),
    row(nx(15), 8, Hex, Any, &["tun_gtpu_flags"]).read_only().wire("NXOXM_ET_GTPU_FLAGS"),
    row(nx(16), 8, Decimal, Any, &["tun_gtpu_msgtype"]).read_only().wire("NXOXM_ET_GTPU_MSGTYPE"),
    row(nsh(1), 8, Decimal, Nsh, &["nsh_flags"]).wire("NXOXM_NSH_FLAGS"),
    row(nsh(2), 8, Decimal, Nsh, &["nsh_mdtype"]).exact().read_only().wire("NXOXM_NSH_MDTYPE"),
    row(nsh(3), 8, Decimal, Nsh, &["nsh_np"]).exact().read_only().wire("NXOXM_NSH_NP"),
    row(nsh(4), 24, Hex, Nsh, &["nsh_spi", "nsp"]).exact().wire("NXOXM_NSH_SPI"),
    row(nsh(5), 8, Decimal, Nsh, &["nsh_si", "nsi"]).exact().wire("NXOXM_NSH_SI"),
    row(nsh(6), 32, Hex, Nsh, &["nsh_c", "nshc"]).times(4, 1).wire("NXOXM_NSH_C"),
    row(nsh(10), 8, Decimal, Nsh, &["nsh_ttl"]).exact().wire("NXOXM_NSH_TTL"),
];

/// The standard field that says the same as an old Nicira one with the same value, and the other way
/// round in [`nicira_twin`]. Fields whose values differ in form are not listed.
pub(super) static TWINS: &[(FieldId, FieldId)] = &[
    (n0(1), b(3)),
    (n0(2), b(4)),
    (n0(3), b(5)),
    (n0(6), b(10)),
    (n0(7), b(11)),
    (n0(8), b(12)),
    (n0(9), b(13)),
    (n0(10), b(14)),
    (n0(11), b(15)),
    (n0(12), b(16)),
    (n0(13), b(19)),
    (n0(14), b(20)),
    (n0(15), b(21)),
    (n0(16), b(22)),
    (n0(17), b(23)),
    (n1(16), b(38)),
    (n1(17), b(24)),
    (n1(18), b(25)),
    (n1(19), b(26)),
    (n1(20), b(27)),
    (n1(21), b(29)),
    (n1(22), b(30)),
    (n1(23), b(31)),
    (n1(24), b(32)),
    (n1(25), b(33)),
    (n1(27), b(28)),
    (n1(28), b(9)),
    (n1(34), b(42)),
    (onf(42), b(42)),
    (onf(43), b(43)),
    (nx(0), n1(35)),
];
