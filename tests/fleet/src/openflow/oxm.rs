//! Matches: which fields there are, what they depend on, and the one form in which equal matches have equal bytes.
//!
//! Field numbers and sizes are those of OpenFlow 1.5 (section 7.2.3.8) and of the NXM fields of Open vSwitch
//! (`include/openvswitch/meta-flow.h`).

use super::error::Code;
use super::wire::Reader;

/// A field as a match names it: class, number, bytes of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// `oxm_class`.
    pub class: u16,
    /// `oxm_field`.
    pub number: u8,
}

const BASIC: u16 = 0x8000;

/// Sizes of the fields of the basic class by number; 0 where Open vSwitch has none.
const BASIC_SIZES: [u8; 45] = [
    4, 0, 8, 6, 6, 2, 2, 1, 1, 1, 1, 4, 4, 2, 2, 2, 2, 2, 2, 1, 1, 2, 4, 4, 6, 6, 16, 16, 4, 1, 1, 16, 6, 6,
    4, 1, 1, 0, 8, 0, 0, 0, 2, 4, 4,
];

/// Fields of the basic class that take no mask.
const UNMASKED: [u8; 18] = [0, 5, 7, 8, 9, 10, 19, 20, 21, 29, 30, 34, 35, 36, 43, 44, 1, 37];

const NXM0_SIZES: [u8; 18] = [2, 6, 6, 2, 2, 1, 1, 4, 4, 2, 2, 2, 2, 1, 1, 2, 4, 4];

/// What the fields of class 0 are called in the basic class; 255 where there is no such field.
const NXM0_BASIC: [u8; 18] = [255, 3, 4, 5, 255, 255, 10, 11, 12, 13, 14, 15, 16, 19, 20, 21, 22, 23];

fn nxm1_size(number: u8) -> u8 {
    match number {
        0..=15 | 27 | 31..=33 | 35..=37 | 105 | 107 | 120 | 121 => 4,
        16 => 8,
        17 | 18 | 24 | 25 => 6,
        19 | 20 | 23 | 108..=114 | 122 | 123 => 16,
        21 | 22 | 26 | 28..=30 | 39 | 119 => 1,
        34 | 38 | 104 | 106 | 124 | 125 => 2,
        _ => 0,
    }
}

fn nxm1_basic(number: u8) -> Option<u8> {
    Some(match number {
        16 => 38,
        17 => 24,
        18 => 25,
        19 => 26,
        20 => 27,
        21 => 29,
        22 => 30,
        23 => 31,
        24 => 32,
        25 => 33,
        27 => 28,
        28 => 9,
        34 => 42,
        _ => return None,
    })
}

/// Bytes of a field's value; nothing for a field that Open vSwitch does not have.
pub fn size(field: Field) -> Option<usize> {
    let size = match field.class {
        BASIC => BASIC_SIZES.get(usize::from(field.number)).copied().unwrap_or(0),
        0x8001 if field.number < 8 => 8,
        // Ericsson's two fields of neighbour discovery: reserved bits, type of the option.
        0x1000 if field.number == 1 => 4,
        0x1000 if field.number == 2 => 1,
        0 => NXM0_SIZES.get(usize::from(field.number)).copied().unwrap_or(0),
        1 => nxm1_size(field.number),
        _ => 0,
    };
    (size > 0).then_some(usize::from(size))
}

fn takes_mask(field: Field) -> bool {
    match field.class {
        BASIC => !UNMASKED.contains(&field.number),
        0 => !matches!(field.number, 0 | 3 | 5 | 6 | 13..=15),
        1 => !matches!(field.number, 21 | 22 | 28..=30 | 36 | 37 | 106 | 119),
        0x1000 => false,
        _ => true,
    }
}

/// The name that stands for all names of a field.
fn one_name(field: Field) -> Field {
    let basic = match field.class {
        0 => NXM0_BASIC.get(usize::from(field.number)).copied().filter(|number| *number != 255),
        1 => nxm1_basic(field.number),
        _ => None,
    };
    basic.map_or(field, |number| Field { class: BASIC, number })
}

/// One constraint of a match: a field, the bits that count, and their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// Which field, under its one name.
    pub field: Field,
    /// Bytes of the value.
    pub size: u8,
    /// The value, right-aligned; bits that do not count are zero.
    pub value: u128,
    /// The bits that count.
    pub mask: u128,
}

/// A match in the form in which equal matches are equal: terms by field, wide registers as narrow ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms(pub Vec<Term>);

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

fn ones(size: usize) -> u128 {
    if size >= 16 { u128::MAX } else { (1 << (size * 8)) - 1 }
}

/// Reads the fields of a match (without `ofp_match`'s header and padding).
///
/// # Errors
/// What Open vSwitch answers to a match that it does not take.
pub fn parse(fields: &[u8]) -> Result<Terms, Code> {
    let mut reader = Reader::new(fields);
    let mut terms = Terms(Vec::with_capacity(8));
    while !reader.rest().is_empty() {
        let term = entry(&mut reader)?;
        prerequisite(&terms, term.field)?;
        if term.mask == 0 {
            continue;
        }
        add(&mut terms, term)?;
    }
    terms.0.sort_unstable();
    Ok(terms)
}

fn entry(reader: &mut Reader<'_>) -> Result<Term, Code> {
    let class = reader.u16().ok_or(Code::MATCH_LENGTH)?;
    let rest = reader.u8().ok_or(Code::MATCH_LENGTH)?;
    let length = usize::from(reader.u8().ok_or(Code::MATCH_LENGTH)?);
    let body = reader.take(length).ok_or(Code::MATCH_LENGTH)?;
    let field = Field { class, number: rest >> 1 };
    let size = size(field).ok_or(Code::MATCH_FIELD)?;
    let masked = rest & 1 == 1;
    if length != size * (1 + usize::from(masked)) {
        // The length is a part of a field's name for Open vSwitch.
        return Err(Code::MATCH_FIELD);
    }
    let mask = if masked { number(&body[size..]) } else { ones(size) };
    if masked && !takes_mask(field) && mask != ones(size) && mask != 0 {
        return Err(Code::MATCH_MASK);
    }
    let value = number(&body[..size]) & mask;
    let size = u8::try_from(size).expect("fields are at most 16 bytes");
    Ok(Term { field: one_name(field), size, value, mask })
}

fn add(terms: &mut Terms, term: Term) -> Result<(), Code> {
    // A wide register is several narrow ones: xreg N is reg 2N and 2N+1, xxreg N is reg 4N to 4N+3.
    let parts: u8 = match (term.field.class, term.field.number) {
        (0x8001, _) => 2,
        (1, 111..=114) => 4,
        _ => {
            if terms.0.iter().any(|other| other.field == term.field) {
                return Err(Code::MATCH_TWICE);
            }
            terms.0.push(term);
            return Ok(());
        }
    };
    let first = if parts == 2 { term.field.number * 2 } else { (term.field.number - 111) * 4 };
    for part in 0..parts {
        let shift = 32 * u32::from(parts - 1 - part);
        let low = |bits: u128| bits >> shift & 0xffff_ffff;
        let field = Field { class: 1, number: first + part };
        if low(term.mask) != 0 {
            add(terms, Term { field, size: 4, value: low(term.value), mask: low(term.mask) })?;
        }
    }
    Ok(())
}

fn exact(terms: &Terms, number: u8) -> Option<u128> {
    let field = Field { class: BASIC, number };
    terms.0.iter().find(|term| term.field == field).map(|term| term.value)
}

/// Checks that the fields before this one say that packets have it.
fn prerequisite(terms: &Terms, field: Field) -> Result<(), Code> {
    if field.class != BASIC && !(field.class == 1 && matches!(field.number, 26 | 29)) {
        return Ok(());
    }
    let ether = || exact(terms, 5);
    let is_ip = || matches!(ether(), Some(0x800 | 0x86dd));
    let over_ip = |protocol: u128| is_ip() && exact(terms, 10) == Some(protocol);
    let over_icmp6 = || ether() == Some(0x86dd) && exact(terms, 10) == Some(58);
    let kind = || exact(terms, 29);
    let met = match (field.class, field.number) {
        (1, _) | (_, 8..=10) => is_ip(),
        (_, 7) => exact(terms, 6).is_some_and(|vid| vid & 0x1000 != 0),
        (_, 11 | 12) => ether() == Some(0x800),
        (_, 13 | 14 | 42) => over_ip(6),
        (_, 15 | 16) => over_ip(17),
        (_, 17 | 18) => over_ip(132),
        (_, 19 | 20) => ether() == Some(0x800) && exact(terms, 10) == Some(1),
        (_, 21..=25) => matches!(ether(), Some(0x806 | 0x8035)),
        (_, 26..=28) => ether() == Some(0x86dd),
        (_, 29 | 30) => over_icmp6(),
        (_, 31) => over_icmp6() && matches!(kind(), Some(135 | 136)),
        (_, 32) => over_icmp6() && kind() == Some(135),
        (_, 33) => over_icmp6() && kind() == Some(136),
        (_, 34..=36) => matches!(ether(), Some(0x8847 | 0x8848)),
        _ => true,
    };
    if met { Ok(()) } else { Err(Code::MATCH_PREREQUISITE) }
}

impl Terms {
    /// True if every packet that `narrower` takes is also taken by this match.
    pub fn covers(&self, narrower: &Terms) -> bool {
        self.0.iter().all(|wide| {
            narrower.0.iter().any(|term| {
                term.field == wide.field
                    && wide.mask & !term.mask == 0
                    && term.value & wide.mask == wide.value
            })
        })
    }

    /// True if some packet is taken by both.
    pub fn overlaps(&self, other: &Terms) -> bool {
        self.0.iter().all(|term| {
            let same = other.0.iter().find(|their| their.field == term.field);
            same.is_none_or(|their| (term.value ^ their.value) & term.mask & their.mask == 0)
        })
    }

    /// Appends the form in which equal matches have equal bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        for term in &self.0 {
            let size = usize::from(term.size);
            out.extend_from_slice(&term.field.class.to_be_bytes());
            out.extend_from_slice(&[term.field.number, u8::from(term.mask != ones(size))]);
            out.extend_from_slice(&term.value.to_be_bytes()[16 - size..]);
            if term.mask != ones(size) {
                out.extend_from_slice(&term.mask.to_be_bytes()[16 - size..]);
            }
        }
    }
}

/// Splits `ofp_match` off the front: its fields, and what follows its padding.
///
/// # Errors
/// What Open vSwitch answers to a match that is cut off or not made of OXMs.
pub fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Code> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u16().ok_or(Code::MATCH_LENGTH)?;
    let length = usize::from(reader.u16().ok_or(Code::MATCH_LENGTH)?);
    if kind > 1 {
        return Err(Code::MATCH_TYPE);
    }
    // The other known type has a fixed length, which this is not.
    if kind == 0 || length < 4 || bytes.len() < length.next_multiple_of(8) {
        return Err(Code::MATCH_LENGTH);
    }
    Ok((&bytes[4..length], &bytes[length.next_multiple_of(8)..]))
}
