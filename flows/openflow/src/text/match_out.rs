//! A match as `ovs-ofctl` prints it.

use super::values::{Dotted, Hex, write_value};
use crate::oxm::table::{self, Format};
use crate::oxm::{FieldId, Match, OxmField};
use std::fmt::{self, Display, Formatter};

const ETH_TYPE: FieldId = FieldId::basic(5);
const IP_PROTO: FieldId = FieldId::basic(10);
const VLAN_VID: FieldId = FieldId::basic(6);
const VLAN_PCP: FieldId = FieldId::basic(7);

const fn eric(number: u8) -> FieldId {
    FieldId { class: FieldId::CLASS_ERICSSON, number, experimenter: 0 }
}

const fn nsh(number: u8) -> FieldId {
    FieldId::experimenter(FieldId::NSH, number)
}

/// How a field is written where it differs from its format.
#[derive(Clone, Copy)]
enum Style {
    /// As its format says.
    Own,
    /// Decimal; with a mask both in hexadecimal with `0x` even for zero.
    Masked16,
    /// Hexadecimal.
    Hex,
    /// Both with five hexadecimal digits.
    Label,
    /// A value to be multiplied by four.
    Tos,
}
use Style::{Label, Masked16, Own, Tos};

/// Fields in front of the protocol's name.
const BEFORE: &[(FieldId, &str, Style)] = &[
    (FieldId::nxm1(33), "pkt_mark", Own),
    (FieldId::nxm1(36), "recirc_id", Style::Hex),
    (FieldId::nxm1(35), "dp_hash", Own),
    (FieldId::nxm1(37), "conj_id", Own),
    (FieldId::basic(43), "actset_output", Own),
    (FieldId::nxm1(105), "ct_state", Own),
    (FieldId::nxm1(106), "ct_zone", Masked16),
    (FieldId::nxm1(107), "ct_mark", Own),
    (FieldId::nxm1(108), "ct_label", Own),
    (FieldId::nxm1(120), "ct_nw_src", Own),
    (FieldId::nxm1(122), "ct_ipv6_src", Own),
    (FieldId::nxm1(121), "ct_nw_dst", Own),
    (FieldId::nxm1(123), "ct_ipv6_dst", Own),
    (FieldId::nxm1(119), "ct_nw_proto", Own),
    (FieldId::nxm1(124), "ct_tp_src", Masked16),
    (FieldId::nxm1(125), "ct_tp_dst", Masked16),
    (FieldId::basic(44), "packet_type", Own),
];

/// Fields between the registers and the VLAN.
const MIDDLE: &[(FieldId, &str, Style)] = &[
    (FieldId::basic(38), "tun_id", Own),
    (FieldId::nxm1(31), "tun_src", Own),
    (FieldId::nxm1(32), "tun_dst", Own),
    (FieldId::nxm1(109), "tun_ipv6_src", Own),
    (FieldId::nxm1(110), "tun_ipv6_dst", Own),
    (FieldId::nxm1(38), "tun_gbp_id", Masked16),
    (FieldId::nxm1(39), "tun_gbp_flags", Own),
    (FieldId::experimenter(FieldId::NICIRA, 12), "tun_erspan_ver", Own),
    (FieldId::experimenter(FieldId::NICIRA, 11), "tun_erspan_idx", Own),
    (FieldId::experimenter(FieldId::NICIRA, 13), "tun_erspan_dir", Own),
    (FieldId::experimenter(FieldId::NICIRA, 14), "tun_erspan_hwid", Own),
    (FieldId::experimenter(FieldId::NICIRA, 15), "gtpu_flags", Own),
    (FieldId::experimenter(FieldId::NICIRA, 16), "gtpu_msgtype", Own),
    (FieldId::nxm1(104), "tun_flags", Own),
];

/// Fields between the tunnel's options and the VLAN.
const INPUT: &[(FieldId, &str, Style)] =
    &[(FieldId::basic(2), "metadata", Own), (FieldId::basic(0), "in_port", Own)];

/// Fields after the VLAN, up to the Ethernet type.
const LINK: &[(FieldId, &str, Style)] =
    &[(FieldId::basic(4), "dl_src", Own), (FieldId::basic(3), "dl_dst", Own)];

/// Fields after the Ethernet type. Of those with the same name a match has only one.
const AFTER: &[(FieldId, &str, Style)] = &[
    (FieldId::basic(26), "ipv6_src", Own),
    (FieldId::basic(27), "ipv6_dst", Own),
    (FieldId::basic(28), "ipv6_label", Label),
    (FieldId::basic(22), "arp_spa", Own),
    (FieldId::basic(23), "arp_tpa", Own),
    (nsh(1), "nsh_flags", Own),
    (nsh(10), "nsh_ttl", Own),
    (nsh(2), "nsh_mdtype", Own),
    (nsh(3), "nsh_np", Own),
    (nsh(4), "nsh_spi", Own),
    (nsh(5), "nsh_si", Own),
    (nsh(6), "nsh_c1", Own),
    (nsh(7), "nsh_c2", Own),
    (nsh(8), "nsh_c3", Own),
    (nsh(9), "nsh_c4", Own),
    (FieldId::basic(11), "nw_src", Own),
    (FieldId::basic(12), "nw_dst", Own),
    (IP_PROTO, "nw_proto", Own),
    (FieldId::basic(21), "arp_op", Own),
    (FieldId::basic(24), "arp_sha", Own),
    (FieldId::basic(25), "arp_tha", Own),
    (FieldId::basic(8), "nw_tos", Tos),
    (FieldId::basic(9), "nw_ecn", Own),
    (FieldId::nxm1(29), "nw_ttl", Own),
    (FieldId::basic(34), "mpls_label", Own),
    (FieldId::basic(35), "mpls_tc", Own),
    (FieldId::nxm1(30), "mpls_ttl", Own),
    (FieldId::basic(36), "mpls_bos", Own),
    (FieldId::nxm1(26), "nw_frag", Own),
    (FieldId::basic(19), "icmp_type", Own),
    (FieldId::basic(20), "icmp_code", Own),
    (FieldId::basic(29), "icmp_type", Own),
    (FieldId::basic(30), "icmp_code", Own),
    (FieldId::basic(31), "nd_target", Own),
    (FieldId::basic(32), "nd_sll", Own),
    (FieldId::basic(33), "nd_tll", Own),
    (eric(1), "nd_reserved", Own),
    (eric(2), "nd_options_type", Own),
    (FieldId::basic(13), "tp_src", Masked16),
    (FieldId::basic(14), "tp_dst", Masked16),
    (FieldId::basic(15), "tp_src", Masked16),
    (FieldId::basic(16), "tp_dst", Masked16),
    (FieldId::basic(17), "tp_src", Masked16),
    (FieldId::basic(18), "tp_dst", Masked16),
    (FieldId::basic(42), "tcp_flags", Own),
];

/// A printer that puts commas between, and knows what it has already printed.
struct Printer<'a, 'f> {
    f: &'a mut Formatter<'f>,
    left: Vec<OxmField>,
    separator: &'static str,
}

impl Printer<'_, '_> {
    /// The field of this id, which then counts as printed.
    fn take(&mut self, id: FieldId) -> Option<OxmField> {
        let at = self.left.iter().position(|field| field.id() == id)?;
        Some(self.left.remove(at))
    }

    fn peek(&self, id: FieldId) -> Option<u128> {
        self.left.iter().find(|field| field.id() == id)?.value()
    }

    fn word(&mut self, word: impl Display) -> fmt::Result {
        write!(self.f, "{}{word}", self.separator)?;
        self.separator = ",";
        Ok(())
    }

    fn all(&mut self, order: &[(FieldId, &str, Style)]) -> fmt::Result {
        for (id, name, style) in order {
            while let Some(field) = self.take(*id) {
                self.word(format_args!("{name}={}", Styled(&field, *style)))?;
            }
        }
        Ok(())
    }

    /// The name of the protocol, which stands for the Ethernet type and perhaps the payload's protocol.
    fn protocol(&mut self) -> fmt::Result {
        let Some(eth_type) = self.peek(ETH_TYPE) else { return Ok(()) };
        let payload = self.peek(IP_PROTO);
        let named = |word| (word, payload.is_some());
        let (word, with_payload) = match (eth_type, payload) {
            (0x0800, Some(1)) => named("icmp"),
            (0x0800, Some(6)) => named("tcp"),
            (0x0800, Some(17)) => named("udp"),
            (0x0800, Some(132)) => named("sctp"),
            (0x0800, _) => ("ip", false),
            (0x86dd, Some(58)) => named("icmp6"),
            (0x86dd, Some(6)) => named("tcp6"),
            (0x86dd, Some(17)) => named("udp6"),
            (0x86dd, Some(132)) => named("sctp6"),
            (0x86dd, _) => ("ipv6", false),
            (0x0806, _) => ("arp", false),
            (0x8035, _) => ("rarp", false),
            (0x8847, _) => ("mpls", false),
            (0x8848, _) => ("mplsm", false),
            _ => return Ok(()),
        };
        self.take(ETH_TYPE);
        if with_payload {
            self.take(IP_PROTO);
        }
        self.word(word)
    }

    fn registers(&mut self) -> fmt::Result {
        for n in 0..16 {
            while let Some(field) = self.take(FieldId::reg(n)) {
                self.word(format_args!("reg{n}={}", Styled(&field, Own)))?;
            }
        }
        Ok(())
    }

    /// The VLAN in whichever of three ways says it best.
    fn vlan(&mut self) -> fmt::Result {
        let (vid, pcp) = (self.take(VLAN_VID), self.take(VLAN_PCP));
        let (mut value, mut mask) = (0, 0);
        if let Some(vid) = &vid {
            value |= vid.value().unwrap_or(0) & 0x1fff;
            mask |= vid.mask().unwrap_or(0x1fff) & 0x1fff;
        }
        if let Some(pcp) = &pcp {
            // A priority is only asked of a tag that is there, unless the VLAN id says otherwise.
            let present = 0x1000 & !mask;
            value |= pcp.value().unwrap_or(0) << 13 & 0xe000 | present;
            mask |= 0xe000 | present;
        }
        let whole = |part: u128| mask & part == 0 || mask & part == part;
        if mask == 0 {
            Ok(())
        } else if value & mask & 0x1000 != 0 && whole(0xfff) && whole(0xe000) && mask & 0xefff != 0 {
            if mask & 0xfff != 0 {
                self.word(format_args!("dl_vlan={}", value & 0xfff))?;
            }
            if mask & 0xe000 != 0 { self.word(format_args!("dl_vlan_pcp={}", value >> 13)) } else { Ok(()) }
        } else if mask == 0xffff {
            self.word(format_args!("vlan_tci=0x{value:04x}"))
        } else {
            self.word(format_args!("vlan_tci=0x{value:04x}/0x{mask:04x}"))
        }
    }

    /// Whatever Open vSwitch has no place for, so that nothing is hidden.
    fn rest(&mut self) -> fmt::Result {
        for field in std::mem::take(&mut self.left) {
            match table::spec(field.id()) {
                Some(spec) => self.word(format_args!("{}={}", spec.name(), Styled(&field, Own)))?,
                None => self.word(Unknown(&field))?,
            }
        }
        Ok(())
    }
}

impl Display for Match {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let left = self.canonical().fields().to_vec();
        let mut p = Printer { f, left, separator: "" };
        p.all(BEFORE)?;
        p.protocol()?;
        p.registers()?;
        p.all(MIDDLE)?;
        for n in 40..104 {
            let id = FieldId::nxm1(n);
            p.all(&[(id, &format!("tun_metadata{}", n - 40), Own)])?;
        }
        p.all(INPUT)?;
        p.vlan()?;
        p.all(LINK)?;
        p.all(&[(ETH_TYPE, "dl_type", Own)])?;
        p.all(AFTER)?;
        p.rest()
    }
}

/// A field's value and mask in a style.
struct Styled<'a>(&'a OxmField, Style);

impl Display for Styled<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Styled(field, style) = self;
        let (Some(value), mask) = (field.value(), field.mask()) else { return write!(f, "{}", Plain(field)) };
        match (style, mask) {
            (Style::Hex, _) => write!(f, "{}", Hex(value)),
            (Masked16, None) => write!(f, "{value}"),
            (Masked16, Some(mask)) => write!(f, "0x{value:x}/0x{mask:x}"),
            (Label, None) => write!(f, "0x{value:05x}"),
            (Label, Some(mask)) => write!(f, "0x{value:05x}/0x{mask:05x}"),
            (Tos, _) => write!(f, "{}", value << 2),
            (Own, _) if field.id() == ETH_TYPE => write!(f, "0x{value:04x}"),
            (Own, _) => write!(f, "{}", Plain(field)),
        }
    }
}

/// A field's value and mask as its format says; actions write them so.
pub(super) struct Plain<'a>(pub &'a OxmField);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let field = self.0;
        let format = table::spec(field.id()).map_or(Format::Hex, |spec| spec.format());
        match (field.value(), field.simplified()) {
            (_, None) => f.write_str("ANY"),
            (Some(value), _) if format == Format::Port && field.width() == 2 => {
                let port = crate::ids::PortNo::from_u16(u16::try_from(value).unwrap_or(u16::MAX));
                write!(f, "{port}")
            }
            (Some(value), Some(simple)) if !is_long(field.id()) => {
                write_value(f, format, value, simple.mask())
            }
            // A field whose length only its digits tell keeps all of them.
            (_, Some(simple)) => {
                write!(f, "{}", Digits(&field.value_bytes()))?;
                let mask = simple.mask_bytes();
                mask.map_or(Ok(()), |mask| write!(f, "/{}", Digits(&mask)))
            }
        }
    }
}

/// Bytes as one hexadecimal number that tells how many there are: only a zero in front of the very first digit is left
/// out, as Open vSwitch does.
struct Digits<'a>(&'a [u8]);

impl Display for Digits<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else { return f.write_str("0") };
        write!(f, "0x{first:x}")?;
        rest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A field that has no length of its own: `tun_metadata`.
pub(super) fn is_long(id: FieldId) -> bool {
    id.class == FieldId::CLASS_NXM1 && (40..104).contains(&id.number)
}

/// A field that is not in the table.
struct Unknown<'a>(&'a OxmField);

impl Display for Unknown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let FieldId { class, number, experimenter } = self.0.id();
        write!(f, "<field {class:#x}:{number}:{experimenter:#x}>={}", Dotted(&self.0.value_bytes()))?;
        self.0.mask_bytes().map_or(Ok(()), |mask| write!(f, "/{}", Dotted(&mask)))
    }
}

/// One field by itself: name and value.
impl Display for OxmField {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match table::spec(self.id()) {
            Some(spec) => write!(f, "{}={}", spec.name(), Plain(self)),
            None => write!(f, "{}", Unknown(self)),
        }
    }
}
