//! Reading a match.

use super::error::{ParseError, ParseErrorKind};
use super::names::PROTOCOLS;
use super::split::{Arg, args};
use super::values::{parse_number, parse_value};
use crate::oxm::table::{self, Prereq, Spec};
use crate::oxm::{FieldId, Match, OxmField};

const ETH_TYPE: FieldId = FieldId::basic(5);
const IP_PROTO: FieldId = FieldId::basic(10);

/// Reads a match such as `tcp,nw_src=10.0.0.0/8,tp_dst=80`.
///
/// # Errors
/// The first part that is not a field, or whose value does not fit it.
pub fn parse_match(text: &str) -> Result<Match, ParseError> {
    let mut builder = MatchBuilder::default();
    for arg in args(text)? {
        if !builder.accept(arg)? {
            return Err(ParseErrorKind::UnknownField.of(arg.text));
        }
    }
    builder.finish()
}

/// Collects the parts of a match; some names mean a field that depends on the others.
#[derive(Default)]
pub(super) struct MatchBuilder<'a> {
    fields: Vec<OxmField>,
    vlan: Option<(u128, u128)>,
    /// Fields whose meaning depends on the protocol, with their values as text.
    later: Vec<Arg<'a>>,
}

impl<'a> MatchBuilder<'a> {
    /// Takes an argument if it is part of a match.
    pub fn accept(&mut self, arg: Arg<'a>) -> Result<bool, ParseError> {
        if arg.is_word() {
            if let Some((_, eth_type, proto)) = PROTOCOLS.iter().find(|(name, ..)| *name == arg.name) {
                self.fields.push(OxmField::exact(ETH_TYPE, 2, u128::from(*eth_type)));
                self.fields.extend(proto.map(|proto| OxmField::exact(IP_PROTO, 1, u128::from(proto))));
                return Ok(true);
            }
            return Ok(arg.name == "eth");
        }
        match arg.name {
            "dl_vlan" | "dl_vlan_pcp" | "vlan_tci" | "vlan_vid" | "vlan_pcp" => self.vlan(arg)?,
            "tp_src" | "tp_dst" | "icmp_type" | "icmp_code" | "nw_src" | "nw_dst" | "ip_src" | "ip_dst" => {
                self.later.push(arg);
            }
            _ => return self.plain(arg),
        }
        Ok(true)
    }

    /// A field whose name is enough to know it, or a part of one.
    fn plain(&mut self, arg: Arg<'a>) -> Result<bool, ParseError> {
        if arg.name.contains('[') {
            let part = super::subfields::parse_subfield(arg.name)?;
            let (value, bits) = (parse_number(arg.value)?, u32::from(part.n_bits.min(128)));
            let ones = u128::MAX >> (128 - bits.max(1));
            let shift = u32::from(part.offset);
            if value > ones || shift + bits > 128 {
                return Err(ParseErrorKind::OutOfRange.of(arg.text));
            }
            // A field without a length of its own becomes as long as the part needs it to be.
            let needed = u8::try_from((shift + bits).div_ceil(8)).unwrap_or(part.field.width);
            let id = part.field.id;
            let width = if super::match_out::is_long(id) { needed } else { part.field.width };
            self.fields.push(OxmField::masked(id, width, value << shift, ones << shift));
            return Ok(true);
        }
        let name = arg.name.strip_prefix("gtpu_").map(|rest| format!("tun_gtpu_{rest}"));
        let Some(spec) = table::by_name(name.as_deref().unwrap_or(arg.name)) else { return Ok(false) };
        self.fields.extend(field(&spec, arg.value)?);
        Ok(true)
    }

    /// Collects what is said of the VLAN as tag control word and mask.
    fn vlan(&mut self, arg: Arg<'a>) -> Result<(), ParseError> {
        let (value, mask) = match arg.value.split_once('/') {
            Some((value, mask)) => (parse_number(value)?, Some(parse_number(mask)?)),
            None => (parse_number(arg.value)?, None),
        };
        let limit = match arg.name {
            "dl_vlan_pcp" | "vlan_pcp" => 7,
            "vlan_vid" => 0x1fff,
            _ => 0xffff,
        };
        if value > limit || mask.is_some_and(|mask| mask > 0xffff) {
            return Err(ParseErrorKind::OutOfRange.of(arg.text));
        }
        let (value, mask) = match arg.name {
            "dl_vlan" if value == 0xffff => (0, 0x1fff),
            "dl_vlan" => (value & 0xfff | 0x1000, 0x1fff),
            "dl_vlan_pcp" | "vlan_pcp" => (value << 13 | 0x1000, 0xf000),
            "vlan_vid" => (value, mask.unwrap_or(0x1fff) & 0x1fff),
            _ => (value, mask.unwrap_or(0xffff)),
        };
        let (old_value, old_mask) = self.vlan.unwrap_or((0, 0));
        self.vlan = Some((old_value & !mask | value & mask, old_mask | mask));
        Ok(())
    }

    fn number(&self, id: FieldId) -> Option<u128> {
        self.fields.iter().find(|field| field.id() == id)?.value()
    }

    /// The Ethernet type and payload protocol that the match asks for.
    pub fn protocol(&self) -> (Option<u128>, Option<u128>) {
        (self.number(ETH_TYPE), self.number(IP_PROTO))
    }

    /// The whole match, its fields in an order in which each comes after what it needs.
    pub fn finish(mut self) -> Result<Match, ParseError> {
        for arg in std::mem::take(&mut self.later) {
            let name = by_protocol(arg.name, self.protocol());
            let spec = table::by_name(name).ok_or_else(|| ParseErrorKind::UnknownField.of(arg.text))?;
            self.fields.extend(field(&spec, arg.value)?);
        }
        if let Some((value, mask)) = self.vlan {
            let tci = OxmField::masked(FieldId::nxm0(4), 2, value, mask);
            self.fields.extend(Match::new().with(tci).canonical().fields().iter().cloned());
        }
        self.fields.sort_by_key(rank);
        Ok(self.fields.into_iter().collect())
    }
}

/// The field that a name means with this protocol.
pub(super) fn by_protocol(name: &str, (eth_type, proto): (Option<u128>, Option<u128>)) -> &str {
    let arp = matches!(eth_type, Some(0x0806 | 0x8035));
    match (name, proto) {
        ("nw_src" | "ip_src", _) if arp => "arp_spa",
        ("nw_dst" | "ip_dst", _) if arp => "arp_tpa",
        ("tp_src", Some(17)) => "udp_src",
        ("tp_dst", Some(17)) => "udp_dst",
        ("tp_src", Some(132)) => "sctp_src",
        ("tp_dst", Some(132)) => "sctp_dst",
        ("tp_src" | "icmp_type", Some(58)) => "icmpv6_type",
        ("tp_dst" | "icmp_code", Some(58)) => "icmpv6_code",
        ("tp_src", Some(1)) => "icmp_type",
        ("tp_dst", Some(1)) => "icmp_code",
        ("tp_src", _) => "tcp_src",
        ("tp_dst", _) => "tcp_dst",
        _ => name,
    }
}

/// A field with the value in this text; none when no bit of it matters.
pub(super) fn field(spec: &Spec, text: &str) -> Result<Option<OxmField>, ParseError> {
    let (id, width) = (spec.id(), spec.bytes());
    if width > 16 {
        return parse_long(id, text).map(Some);
    }
    if text == "ANY" || text == "*" {
        return Ok(None);
    }
    let read = match parse_value(spec, text)? {
        (value, None) => Some(OxmField::exact(id, width, value)),
        (value, Some(mask)) => OxmField::masked(id, width, value, mask).simplified(),
    };
    if !spec.maskable() && read.as_ref().is_some_and(OxmField::has_mask) {
        return Err(ParseErrorKind::BadValue.of(text));
    }
    Ok(read)
}

/// A `tun_metadata` field, which is as long as the number in the text is.
fn parse_long(id: FieldId, text: &str) -> Result<OxmField, ParseError> {
    let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
    let digits = |text: &str| -> Result<Vec<u8>, ParseError> {
        let bad = || ParseErrorKind::BadValue.of(text);
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if !digits.bytes().all(|c| c.is_ascii_hexdigit()) || digits.len() > 2 * OxmField::MAX_WIDTH {
            return Err(bad());
        }
        let even = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
        let pairs = (0..even.len()).step_by(2).map(|at| u8::from_str_radix(&even[at..at + 2], 16));
        pairs.collect::<Result<Vec<u8>, _>>().map_err(|_| bad())
    };
    let (mut value, mut mask) = (digits(value)?, mask.map(digits).transpose()?);
    // Value and mask share one length, and numbers are aligned to the right.
    let length = value.len().max(mask.as_ref().map_or(0, Vec::len));
    for bytes in [Some(&mut value), mask.as_mut()].into_iter().flatten() {
        let missing = length - bytes.len();
        bytes.splice(0..0, std::iter::repeat_n(0, missing));
    }
    Ok(OxmField::from_bytes(id, &value, mask.as_deref()))
}

/// How many others a field may need before it: a switch refuses fields that come too early.
fn rank(field: &OxmField) -> u8 {
    let id = field.id();
    match table::spec(id).map(|spec| spec.prereq()) {
        _ if id == FieldId::basic(44) => 0,
        Some(Prereq::Any) => 1,
        Some(Prereq::Ethernet) => 2,
        Some(Prereq::Ip | Prereq::VlanVid | Prereq::Arp | Prereq::Ip4 | Prereq::Ip6 | Prereq::Mpls) => 3,
        Some(Prereq::Icmp4 | Prereq::Icmp6 | Prereq::Tcp | Prereq::Udp | Prereq::Sctp) => 4,
        _ => 5,
    }
}
