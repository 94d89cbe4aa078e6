//! Values of fields as text, both ways.

use super::error::{ParseError, ParseErrorKind};
use super::names::{CT_STATE, TCP_FLAGS, TUN_FLAGS};
use crate::ids::PortNo;
use crate::oxm::table::{Format, Spec};
use std::fmt::{self, Formatter};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A hexadecimal number the way C's `%#x` writes it: zero has no prefix.
pub(super) struct Hex(pub u128);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("0") } else { write!(f, "{:#x}", self.0) }
    }
}

/// Bytes as one hexadecimal number without leading zeros.
pub(super) struct HexBytes<'a>(pub &'a [u8]);

impl fmt::Display for HexBytes<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(first) = self.0.iter().position(|&byte| byte != 0) else { return f.write_str("0") };
        write!(f, "0x{:x}", self.0[first])?;
        self.0[first + 1..].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Bytes as pairs of digits with dots between.
pub(super) struct Dotted<'a>(pub &'a [u8]);

impl fmt::Display for Dotted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if i > 0 { "." } else { "" })?;
        }
        Ok(())
    }
}

/// A MAC address.
pub(super) struct Mac(pub u128);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bytes = self.0.to_be_bytes();
        for (i, byte) in bytes[10..].iter().enumerate() {
            write!(f, "{}{byte:02x}", if i > 0 { ":" } else { "" })?;
        }
        Ok(())
    }
}

/// A value and its mask the way this format writes them; `None` is "all bits".
pub(super) fn write_value(
    f: &mut Formatter<'_>,
    format: Format,
    value: u128,
    mask: Option<u128>,
) -> fmt::Result {
    match format {
        Format::Decimal => {
            write!(f, "{value}")?;
            mask.map_or(Ok(()), |mask| write!(f, "/{}", Hex(mask)))
        }
        Format::Hex => {
            write!(f, "{}", Hex(value))?;
            mask.map_or(Ok(()), |mask| write!(f, "/{}", Hex(mask)))
        }
        Format::Ethernet => {
            write!(f, "{}", Mac(value))?;
            mask.map_or(Ok(()), |mask| write!(f, "/{}", Mac(mask)))
        }
        Format::Ipv4 => write_ipv4(f, value, mask),
        Format::Ipv6 => write_ipv6(f, value, mask),
        Format::Port => write_port(f, value),
        Format::CtState => write_flags(f, CT_STATE, value, mask, 0xff),
        Format::TcpFlags => write_flags(f, TCP_FLAGS, value, mask, 0xfff),
        Format::TunFlags => write_flags(f, TUN_FLAGS, value, Some(mask.unwrap_or(1)), u128::MAX),
        Format::Frag => f.write_str(frag_word(value, mask.unwrap_or(3))),
        Format::PacketType => write!(f, "({},{})", value >> 16, Hex(value & 0xffff)),
    }
}

/// A port by name or number; 16-bit ports are widened by the caller.
fn write_port(f: &mut Formatter<'_>, value: u128) -> fmt::Result {
    write!(f, "{}", PortNo(u32::try_from(value).unwrap_or(u32::MAX)))
}

fn write_ipv4(f: &mut Formatter<'_>, value: u128, mask: Option<u128>) -> fmt::Result {
    let address = |bits: u128| Ipv4Addr::from(u32::try_from(bits & 0xffff_ffff).unwrap_or(0));
    write!(f, "{}", address(value))?;
    match mask {
        None => Ok(()),
        Some(mask) => match prefix(mask, 32) {
            Some(length) => write!(f, "/{length}"),
            None => write!(f, "/{}", address(mask)),
        },
    }
}

fn write_ipv6(f: &mut Formatter<'_>, value: u128, mask: Option<u128>) -> fmt::Result {
    write!(f, "{}", Ipv6Addr::from(value))?;
    match mask {
        None => Ok(()),
        Some(mask) => match prefix(mask, 128) {
            Some(length) => write!(f, "/{length}"),
            None => write!(f, "/{}", Ipv6Addr::from(mask)),
        },
    }
}

/// The length of the prefix that a mask of `bits` bits is, if it is one.
fn prefix(mask: u128, bits: u32) -> Option<u32> {
    let length = (mask << (128 - bits)).leading_ones().min(bits);
    (mask.count_ones() == length).then_some(length)
}

/// Flags as `a|b` when all of `whole` counts, else as `+a-b`.
fn write_flags(
    f: &mut Formatter<'_>,
    names: &[&str],
    value: u128,
    mask: Option<u128>,
    whole: u128,
) -> fmt::Result {
    let mask = mask.unwrap_or(whole);
    let exact = mask & whole == whole;
    if exact && value == 0 {
        return f.write_str("0");
    }
    let mut separator = "";
    for (bit, name) in names.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
        let set = value >> bit & 1 == 1;
        if !exact {
            write!(f, "{}{name}", if set { '+' } else { '-' })?;
        } else if set {
            write!(f, "{separator}{name}")?;
            separator = "|";
        }
    }
    Ok(())
}

const FRAGS: &[(&str, u128, u128)] = &[
    ("no", 0, 3),
    ("yes", 1, 1),
    ("first", 1, 3),
    ("later", 3, 3),
    ("no", 0, 1),
    ("later", 2, 2),
    ("not_later", 0, 2),
];

fn frag_word(value: u128, mask: u128) -> &'static str {
    let mask = mask & 3;
    FRAGS.iter().find(|(_, v, m)| *v == value & mask && *m == mask).map_or("<error>", |(word, ..)| *word)
}

/// Reads a number, decimal or hexadecimal.
pub(super) fn parse_number(text: &str) -> Result<u128, ParseError> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.starts_with('+') => None,
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| ParseErrorKind::BadValue.of(text))
}

/// Reads a number that fits a smaller type.
pub(super) fn parse_int<T: TryFrom<u128>>(text: &str) -> Result<T, ParseError> {
    T::try_from(parse_number(text)?).map_err(|_| ParseErrorKind::OutOfRange.of(text))
}

/// Reads a port by number or name, in either form that numbers of reserved ports have.
pub(super) fn parse_port(text: &str) -> Result<PortNo, ParseError> {
    let named = match text.to_ascii_uppercase().as_str() {
        "IN_PORT" => PortNo::IN_PORT,
        "TABLE" => PortNo::TABLE,
        "NORMAL" => PortNo::NORMAL,
        "FLOOD" => PortNo::FLOOD,
        "ALL" => PortNo::ALL,
        "CONTROLLER" => PortNo::CONTROLLER,
        "LOCAL" => PortNo::LOCAL,
        "ANY" | "NONE" => PortNo::ANY,
        "UNSET" => PortNo::UNSET,
        _ => return parse_int(text).map(PortNo),
    };
    Ok(named)
}

/// Reads a value with an optional mask, in the way this field writes them.
pub(super) fn parse_value(spec: &Spec, text: &str) -> Result<(u128, Option<u128>), ParseError> {
    let bad = || ParseErrorKind::BadValue.of(text);
    match spec.format() {
        Format::CtState => return parse_flags(CT_STATE, text),
        Format::TcpFlags => return parse_flags(TCP_FLAGS, text),
        Format::TunFlags => return parse_flags(TUN_FLAGS, text),
        Format::Frag => {
            let found = FRAGS.iter().find(|(word, ..)| *word == text);
            let (_, value, mask) = found.ok_or_else(bad)?;
            return Ok((*value, Some(*mask)));
        }
        Format::PacketType => return parse_packet_type(text).map(|value| (value, None)),
        _ => {}
    }
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (value, Some(mask)),
        None => (text, None),
    };
    let value = parse_one(spec.format(), value)?;
    let mask = mask.map(|mask| parse_mask(spec.format(), mask)).transpose()?;
    if spec.bits() <= 128 && (value | mask.unwrap_or(0)) & !spec.ones() != 0 && mask != Some(u128::MAX) {
        return Err(ParseErrorKind::OutOfRange.of(text));
    }
    Ok((value, mask.map(|mask| mask & spec.ones())))
}

fn parse_one(format: Format, text: &str) -> Result<u128, ParseError> {
    let bad = || ParseErrorKind::BadValue.of(text);
    match format {
        Format::Ethernet => parse_mac(text),
        Format::Ipv4 => text.parse::<Ipv4Addr>().map(|ip| u128::from(u32::from(ip))).map_err(|_| bad()),
        Format::Ipv6 => text.parse::<Ipv6Addr>().map(u128::from).map_err(|_| bad()),
        Format::Port => parse_port(text).map(|port| u128::from(port.0)),
        _ => parse_number(text),
    }
}

fn parse_mask(format: Format, text: &str) -> Result<u128, ParseError> {
    let bits = match format {
        Format::Ipv4 => 32,
        Format::Ipv6 => 128,
        _ if text == "-1" => return Ok(u128::MAX),
        _ => return parse_one(format, text),
    };
    match text.parse::<u32>() {
        Ok(0) => Ok(0),
        Ok(length) if length <= bits => Ok((u128::MAX << (128 - length)) >> (128 - bits)),
        Ok(_) => Err(ParseErrorKind::OutOfRange.of(text)),
        Err(_) => parse_one(format, text),
    }
}

fn parse_mac(text: &str) -> Result<u128, ParseError> {
    let bad = || ParseErrorKind::BadValue.of(text);
    let mut out = 0;
    let mut parts = text.split(':');
    for _ in 0..6 {
        let part = parts.next().filter(|part| (1..=2).contains(&part.len())).ok_or_else(bad)?;
        out = out << 8 | u128::from_str_radix(part, 16).map_err(|_| bad())?;
    }
    if parts.next().is_some() { Err(bad()) } else { Ok(out) }
}

fn parse_packet_type(text: &str) -> Result<u128, ParseError> {
    let bad = || ParseErrorKind::BadValue.of(text);
    let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(bad)?;
    let (namespace, kind) = inner.split_once(',').ok_or_else(bad)?;
    Ok(u128::from(parse_int::<u16>(namespace)?) << 16 | u128::from(parse_int::<u16>(kind)?))
}

/// Flags as `+a-b`, `a|b`, or numbers with an optional mask.
fn parse_flags(names: &[&str], text: &str) -> Result<(u128, Option<u128>), ParseError> {
    let bad = || ParseErrorKind::BadValue.of(text);
    let bit = |name: &str| names.iter().position(|n| *n == name).map(|bit| 1 << bit).ok_or_else(bad);
    if text.starts_with(['+', '-']) {
        let (mut value, mut mask, mut rest) = (0, 0, text);
        while !rest.is_empty() {
            let set = rest.starts_with('+');
            let end = rest[1..].find(['+', '-']).map_or(rest.len(), |end| end + 1);
            let flag: u128 = bit(&rest[1..end])?;
            mask |= flag;
            value |= if set { flag } else { 0 };
            rest = &rest[end..];
        }
        return Ok((value, Some(mask)));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
        return Ok((parse_number(value)?, mask.map(parse_number).transpose()?));
    }
    // A single tunnel flag by its name leaves other flags free; the others' names say all there is.
    let value = text.split('|').try_fold(0, |acc, name| Ok(acc | bit(name)?))?;
    Ok((value, None))
}
