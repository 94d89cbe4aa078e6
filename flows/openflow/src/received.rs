//! Normal form straight from received bytes, without building fields and actions first.
//!
//! A controller that compares a million flows with what it wants spends its time here. Only what surely means the same
//! is taken; for everything else the answer is "decode it", and [`crate::Match::canonical_bytes`] and
//! [`crate::canonical_instructions`] say what it means. The two ways never differ (see [`crate::fuzz`]).

use crate::ids::{PortNo, TableId};
use crate::oxm::{FieldId, OxmField};
use crate::wire::Reader;

/// Writes the normal form of encoded match fields into the front of `out` and returns its length. `None` when they must
/// be decoded to be understood, or `out` is too short.
pub fn canonical_fields(raw: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut sorted = Sorted { out, end: 0 };
    let mut rest = raw;
    while !rest.is_empty() {
        let header = rest.first_chunk::<4>()?;
        let (class, number) = (u16::from_be_bytes([header[0], header[1]]), header[2] >> 1);
        let (has_mask, length) = (header[2] & 1 == 1, usize::from(header[3]));
        let (field, after) = rest.split_at_checked(4 + length)?;
        rest = after;
        match (class, number) {
            (FieldId::CLASS_PACKET_REGS, 0..8) => sorted.registers(number, has_mask, &field[4..])?,
            // The packet type: "Ethernet" goes without saying.
            (FieldId::CLASS_BASIC, 44) if !has_mask && field[4..] == [0; 4] => {}
            (FieldId::CLASS_BASIC, 44) => return None,
            (FieldId::CLASS_BASIC | FieldId::CLASS_ERICSSON, _)
            | (FieldId::CLASS_NXM1, 0..16 | 26 | 29 | 37 | 105..=108) => {
                if has_mask {
                    sorted.masked(field)?;
                } else {
                    sorted.push(field)?;
                }
            }
            _ => return None,
        }
    }
    Some(sorted.end)
}

/// Encoded fields in canonical order.
struct Sorted<'a> {
    out: &'a mut [u8],
    end: usize,
}

impl Sorted<'_> {
    /// Adds an encoded field in its place. `None` when the same field is there already.
    fn push(&mut self, field: &[u8]) -> Option<()> {
        self.out.get_mut(self.end..self.end + field.len())?.copy_from_slice(field);
        self.settle(field.len())
    }

    /// Moves the field that stands at the end into its place.
    fn settle(&mut self, length: usize) -> Option<()> {
        let (key, mut at) = (self.key(self.end), 0);
        while at < self.end {
            let other = self.key(at);
            if other == key {
                return None;
            }
            if other > key {
                self.out[at..self.end + length].rotate_right(length);
                break;
            }
            at += 4 + usize::from(self.out[at + 3]);
        }
        self.end += length;
        Some(())
    }

    fn key(&self, at: usize) -> [u8; 4] {
        let [a, b, c] = [self.out[at], self.out[at + 1], self.out[at + 2]];
        let id = FieldId { class: u16::from_be_bytes([a, b]), number: c >> 1, experimenter: 0 };
        [u8::from(id.needs_others()), a, b, c & 0xfe]
    }

    /// A mask may say too little or too much.
    fn masked(&mut self, field: &[u8]) -> Option<()> {
        let field = OxmField::decode(&mut Reader::new(field)).ok()?;
        match field.simplified() {
            Some(field) => {
                let length = field.encode_to(self.out.get_mut(self.end..)?)?;
                self.settle(length)
            }
            None => Some(()),
        }
    }

    /// A 64-bit register as two of 32 bits.
    fn registers(&mut self, number: u8, has_mask: bool, body: &[u8]) -> Option<()> {
        let word = |at: usize| body.get(at..at + 4)?.first_chunk().copied().map(u32::from_be_bytes);
        if body.len() != if has_mask { 16 } else { 8 } {
            return None;
        }
        for half in 0..2 {
            let mask = if has_mask { word(8 + 4 * half)? } else { u32::MAX };
            let value = word(4 * half)? & mask;
            let class = FieldId::CLASS_NXM1.to_be_bytes();
            let register = (number * 2 + u8::from(half == 1)) << 1;
            let mut field = [0; 12];
            field[4..8].copy_from_slice(&value.to_be_bytes());
            field[8..].copy_from_slice(&mask.to_be_bytes());
            match mask {
                0 => {}
                u32::MAX => {
                    field[..4].copy_from_slice(&[class[0], class[1], register, 4]);
                    self.push(&field[..8])?;
                }
                _ => {
                    field[..4].copy_from_slice(&[class[0], class[1], register | 1, 8]);
                    self.push(&field)?;
                }
            }
        }
        Some(())
    }
}

/// True when encoded instructions surely stand in normal form already. False says nothing.
pub fn are_canonical_instructions(raw: &[u8]) -> bool {
    canonical_instructions(raw).is_some()
}

/// Apply-actions, then goto-table, each at most once.
fn canonical_instructions(raw: &[u8]) -> Option<()> {
    const APPLY: u16 = 4;
    const GOTO: u16 = 1;
    let mut rest = raw;
    if let Some((APPLY, body, after)) = next(rest) {
        // An empty list is no list.
        let actions = body.strip_prefix(&[0; 4]).filter(|actions| !actions.is_empty())?;
        canonical_actions(actions)?;
        rest = after;
    }
    if let Some((GOTO, [_, 0, 0, 0], after)) = next(rest) {
        rest = after;
    }
    rest.is_empty().then_some(())
}

/// Type and body of the instruction or action in front, and what follows it.
fn next(list: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let header = list.first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if length < 8 || !length.is_multiple_of(8) {
        return None;
    }
    let (one, after) = list.split_at_checked(length)?;
    Some((u16::from_be_bytes([header[0], header[1]]), &one[4..], after))
}

fn canonical_actions(mut list: &[u8]) -> Option<()> {
    while !list.is_empty() {
        let (kind, body, after) = next(list)?;
        let is_canonical = match kind {
            0 => is_output(body),
            // A VLAN tag, put on or taken off.
            17 => body.len() == 4 && body[2..] == [0; 2],
            18 => body == [0; 4],
            22 => body.len() == 4,
            // The TTL, set or decremented.
            23 => body.len() == 4 && body[1..] == [0; 3],
            24 => body == [0; 4],
            25 => is_set_field(body),
            28 => is_copy_field(body),
            0xffff => {
                is_resubmit(body)
                    || is_multipath(body)
                    || is_conjunction(body)
                    || is_ct(body)
                    || is_ct_clear(body)
                    || is_nat(body)
                    || is_question(body)
            }
            _ => false,
        };
        if !is_canonical {
            return None;
        }
        list = after;
    }
    Some(())
}

/// Not to the controller, and without a length, which only the controller would ask for.
fn is_output(body: &[u8]) -> bool {
    body.len() == 12 && body[..4] != PortNo::CONTROLLER.0.to_be_bytes() && body[4..] == [0; 8]
}

/// A whole field, or some bits of a register that the mask covers.
fn is_set_field(body: &[u8]) -> bool {
    let Some(header) = body.first_chunk::<4>() else { return false };
    let used = 4 + usize::from(header[3]);
    let fits = (4 + used).next_multiple_of(8) == 4 + body.len();
    if !fits || body[used..].iter().any(|byte| *byte != 0) {
        return false;
    }
    let class = u16::from_be_bytes([header[0], header[1]]);
    if header[2] & 1 == 0 {
        // An experimenter's field has a longer header; nobody sends one here.
        return class != FieldId::CLASS_EXPERIMENTER;
    }
    let is_register = class == FieldId::CLASS_NXM1 && header[2] >> 1 < 16 && used == 12;
    let word = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
    is_register && !matches!(word(8), 0 | u32::MAX) && word(4) & !word(8) == 0
}

/// Between fields that have one name only.
fn is_copy_field(body: &[u8]) -> bool {
    let has_one_name = |at: usize| {
        let class = u16::from_be_bytes([body[at], body[at + 1]]);
        let number = body[at + 2] >> 1;
        matches!(class, FieldId::CLASS_BASIC | FieldId::CLASS_ERICSSON)
            || class == FieldId::CLASS_NXM1 && matches!(number, 0..16 | 105..=108 | 111..115)
    };
    body.len() == 20 && has_one_name(8) && has_one_name(12)
}

/// Nicira's resubmit to another table.
fn is_resubmit(body: &[u8]) -> bool {
    const TO_TABLE: [u8; 2] = [0, 14];
    body.len() == 12
        && body[..4] == FieldId::NICIRA.to_be_bytes()
        && body[4..6] == TO_TABLE
        && body[8] != TableId::ALL.0
        && body[9..] == [0; 3]
}

/// Nicira's choice of a link, with its number into a whole register.
fn is_multipath(body: &[u8]) -> bool {
    const MULTIPATH: [u8; 2] = [0, 10];
    const WHOLE: [u8; 2] = [0, 31];
    let class = FieldId::CLASS_NXM1.to_be_bytes();
    body.len() == 28
        && body[..4] == FieldId::NICIRA.to_be_bytes()
        && body[4..6] == MULTIPATH
        && body[10..12] == [0; 2]
        && body[20..22] == [0; 2]
        && body[22..24] == WHOLE
        && body[24..26] == class
        && body[26] >> 1 < 16
        && body[26] & 1 == 0
        && body[27] == 4
}

/// Nicira's part of a conjunction.
fn is_conjunction(body: &[u8]) -> bool {
    body.len() == 12 && body[..4] == FieldId::NICIRA.to_be_bytes() && body[4..6] == [0, 34]
}

/// Nicira's way through the connection tracker, with a zone that stands here or in a register.
fn is_ct(body: &[u8]) -> bool {
    if body.len() < 20 || body[..4] != FieldId::NICIRA.to_be_bytes() || body[4..6] != [0, 35] {
        return false;
    }
    let is_register = body[8..10] == FieldId::CLASS_NXM1.to_be_bytes() && body[10] >> 1 < 16;
    let known_zone = body[8..12] == [0; 4] || (is_register && body[10] & 1 == 0 && body[11] == 4);
    known_zone && body[15..18] == [0; 3] && canonical_actions(&body[20..]).is_some()
}

/// Nicira's forgetting of what the connection tracker said.
fn is_ct_clear(body: &[u8]) -> bool {
    body.len() == 12
        && body[..4] == FieldId::NICIRA.to_be_bytes()
        && body[4..6] == [0, 43]
        && body[6..] == [0; 6]
}

/// Nicira's translation within a way through the connection tracker: each part that its bits announce, and no other.
fn is_nat(body: &[u8]) -> bool {
    const PARTS: [usize; 6] = [4, 4, 16, 16, 2, 2];
    if body.len() < 12 || body[..4] != FieldId::NICIRA.to_be_bytes() || body[4..8] != [0, 36, 0, 0] {
        return false;
    }
    let present = usize::from(body[11]);
    let parts = PARTS.iter().enumerate().filter(|(bit, _)| present >> bit & 1 == 1).map(|(_, length)| length);
    let used = 12 + parts.sum::<usize>();
    let fits = (4 + used).next_multiple_of(8) == 4 + body.len();
    body[10] == 0 && present >> PARTS.len() == 0 && fits && body[used..].iter().all(|byte| *byte == 0)
}

/// To the controller with userdata, perhaps through a meter, and nothing besides.
fn is_question(body: &[u8]) -> bool {
    const CONTROLLER2: [u8; 2] = [0, 37];
    const USERDATA: [u8; 2] = [0, 3];
    /// Its type and its length.
    const METER: [u8; 4] = [0, 5, 0, 8];
    let Some((head, properties)) = body.split_at_checked(12) else { return false };
    if head[..4] != FieldId::NICIRA.to_be_bytes() || head[4..6] != CONTROLLER2 || head[6..] != [0; 6] {
        return false;
    }
    let Some((first, _)) = properties.split_first_chunk::<4>() else { return false };
    let length = usize::from(u16::from_be_bytes([first[2], first[3]]));
    let Some((userdata, meter)) = properties.split_at_checked(length.next_multiple_of(8)) else {
        return false;
    };
    let is_userdata =
        first[..2] == USERDATA && length > 4 && userdata[length..].iter().all(|byte| *byte == 0);
    let is_meter = |meter: &[u8]| meter.len() == 8 && meter[..4] == METER && meter[4..] != [0xff; 4];
    is_userdata && (meter.is_empty() || is_meter(meter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Controller2, Multipath, Nat, Subfield};
    use crate::oxm;
    use crate::{Action, Instruction, Match, MeterId, Writer};

    /// A match as Open vSwitch shows it, in its order and with its register pairs.
    #[test]
    fn what_open_vswitch_shows_needs_no_decoding() {
        let shown = Match::new()
            .with(oxm::eth_type(0x86dd))
            .with(oxm::ipv6_src_masked("ff02::1".parse().unwrap(), "ffff::".parse().unwrap()))
            .with(oxm::tun_id(7))
            .with(OxmField::masked(FieldId::xreg(2), 8, 1, 1))
            .with(OxmField::masked(FieldId::xreg(0), 8, 5001 << 32, 0xffff_ffff << 32))
            .with(OxmField::exact(FieldId::xreg(1), 8, 1 << 32 | 2));
        let (mut w, mut out) = (Writer::new(), [0; 256]);
        shown.encode_fields(&mut w);
        let length = canonical_fields(w.as_slice(), &mut out).unwrap();
        assert_eq!(out[..length], shown.canonical_bytes()[..]);
        assert_eq!(canonical_fields(w.as_slice(), &mut out[..20]), None);
    }

    /// For each: whether it is taken as it stands. What is not canonical never is.
    #[test]
    fn only_lists_in_canonical_order_are_taken_as_they_stand() {
        let goto = Instruction::GotoTable(TableId(3));
        for (list, taken) in [
            (vec![], true),
            (vec![goto.clone()], true),
            (vec![Instruction::ApplyActions(vec![])], false),
            (vec![goto.clone(), Instruction::ApplyActions(vec![Action::output(PortNo(1))])], false),
            (vec![Instruction::ApplyActions(vec![Action::output(PortNo(1))]), goto], true),
            (vec![Instruction::ClearActions], false),
        ] {
            let mut w = Writer::new();
            Instruction::encode_list(&list, &mut w);
            assert_eq!(are_canonical_instructions(w.as_slice()), taken, "{list:?}");
            crate::fuzz::fields(w.as_slice());
        }
    }

    #[test]
    fn only_what_is_canonical_is_taken_as_it_stands() {
        let copy = |src: OxmField, dst: OxmField| {
            Action::CopyField(crate::action::CopyField::whole(src.header(), dst.header()))
        };
        let multipath = |dst: OxmField| Multipath {
            fields: 3,
            basis: 0,
            algorithm: 2,
            max_link: 1,
            arg: 0,
            dst: Subfield::whole(dst.header()),
        };
        let question = |userdata: &'static [u8], meter: u32| Controller2 {
            userdata: userdata.into(),
            meter: Some(MeterId(meter)),
            ..Controller2::default()
        };
        let paused = Controller2 { pause: true, ..question(b"x", 5) };
        let unmetered = Controller2 { meter: None, ..question(b"1234", 5) };
        let old_name = OxmField::exact(FieldId::nxm0(2), 6, 0);
        for (action, taken) in [
            (Action::output(PortNo(7)), true),
            (Action::Output { port: PortNo(7), max_len: 64 }, false),
            (Action::output(PortNo::CONTROLLER), false),
            (Action::Group(5.into()), true),
            (Action::PushVlan(0x8100), true),
            (Action::PopVlan, true),
            (Action::resubmit_table(TableId(21)), true),
            (Action::resubmit_table(TableId::ALL), false),
            (Action::SetField(oxm::eth_src([2; 6])), true),
            (Action::SetField(oxm::reg_masked(5, 1, 1)), true),
            (Action::SetField(oxm::reg_masked(5, 1, 0)), false),
            (Action::SetField(oxm::reg_masked(5, 1, u32::MAX)), false),
            (Action::SetField(oxm::eth_src_masked([2; 6], [2; 6])), false),
            (copy(oxm::eth_src([0; 6]), oxm::eth_dst([0; 6])), true),
            (copy(old_name, oxm::eth_dst([0; 6])), false),
            (copy(oxm::ipv6_dst(std::net::Ipv6Addr::UNSPECIFIED), oxm::xxreg(2, 0)), true),
            (Action::DecNwTtl, true),
            (Action::SetNwTtl(64), true),
            (Action::Multipath(multipath(oxm::reg(15, 0))), true),
            (Action::Multipath(multipath(oxm::tun_id(0))), false),
            (Action::PopPbb, false),
            (Action::CtClear, true),
            (
                Action::Nat(Nat {
                    ipv4_min: Some([10, 0, 0, 1].into()),
                    port_min: Some(7),
                    ..Nat::default()
                }),
                true,
            ),
            (Action::Nat(Nat::default()), true),
            (Action::Controller2(Box::new(question(b"userdata", 5))), true),
            (Action::Controller2(Box::new(unmetered)), true),
            (Action::Controller2(Box::new(question(b"", 5))), false),
            (Action::Controller2(Box::new(paused)), false),
        ] {
            let mut w = Writer::new();
            Instruction::encode_list(&[Instruction::ApplyActions(vec![action.clone()])], &mut w);
            assert_eq!(are_canonical_instructions(w.as_slice()), taken, "{action:?}");
            crate::fuzz::fields(w.as_slice());
        }
    }
}
