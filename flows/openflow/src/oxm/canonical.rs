//! The normal form of a list of match fields, in which equal meanings are equal bytes.
//!
//! Open vSwitch dumps a flow in its own words: registers come back in pairs as 64-bit ones, VLAN tags as
//! two fields, a packet type is put in front when nothing else says "Ethernet". Here all of that is undone.

use super::field::OxmField;
use super::id::FieldId;
use super::table;
use crate::ids::PortNo;

const VLAN_TCI: FieldId = FieldId::nxm0(4);
const IP_TOS: FieldId = FieldId::nxm0(5);
const IN_PORT_16: FieldId = FieldId::nxm0(0);
const PACKET_TYPE: FieldId = FieldId::basic(44);

/// Presence bit of a VLAN tag, as in `OFPVID_PRESENT`.
const VLAN_PRESENT: u128 = 0x1000;

/// The normal form: split, translated, simplified, sorted by field, each field once.
pub(super) fn fields(fields: &[OxmField]) -> Vec<OxmField> {
    let mut out = Vec::with_capacity(fields.len());
    for field in fields {
        push(field, &mut out);
    }
    // A stable sort keeps the first of two that speak of the same field in front.
    out.sort_by_key(|field| (field.id().needs_others(), field.id()));
    out.dedup();
    out
}

/// The parts of one field in normal form, which may be none.
pub(crate) fn push(field: &OxmField, out: &mut Vec<OxmField>) {
    let Some(field) = field.simplified() else { return };
    let Some(value) = field.value() else {
        out.push(field);
        return;
    };
    let id = field.id();
    match (id.class, id.number) {
        _ if id == PACKET_TYPE && value == 0 && !field.has_mask() => {}
        _ if id == VLAN_TCI => push_vlan(&field, value, out),
        _ if id == IP_TOS => out.push(OxmField::exact(FieldId::basic(8), 1, value >> 2)),
        _ if id == IN_PORT_16 => {
            let port = PortNo::from_u16(u16::try_from(value).unwrap_or(u16::MAX));
            out.push(OxmField::exact(FieldId::basic(0), 4, u128::from(port.0)));
        }
        (FieldId::CLASS_PACKET_REGS, n @ 0..8) if field.width() == 8 => {
            push_regs(&field, value, n * 2, 2, out)
        }
        (FieldId::CLASS_NXM1, n @ 111..115) if field.width() == 16 => {
            push_regs(&field, value, (n - 111) * 4, 4, out);
        }
        _ => out.push(translated(&field, table::twin(id).unwrap_or(id))),
    }
}

/// The same value and mask under another name.
fn translated(field: &OxmField, id: FieldId) -> OxmField {
    match (field.value(), field.mask(), u8::try_from(field.width())) {
        (Some(value), Some(mask), Ok(width)) => OxmField::masked(id, width, value, mask),
        (Some(value), None, Ok(width)) => OxmField::exact(id, width, value),
        _ => field.clone(),
    }
}

/// A wide register as `count` 32-bit ones, the highest bits first.
fn push_regs(field: &OxmField, value: u128, first: u8, count: u8, out: &mut Vec<OxmField>) {
    let mask = field.mask().unwrap_or(u128::MAX);
    for i in 0..count {
        let shift = 32 * u32::from(count - 1 - i);
        let part = |bits: u128| (bits >> shift) & 0xffff_ffff;
        let reg = OxmField::masked(FieldId::reg(first + i), 4, part(value), part(mask));
        out.extend(reg.simplified());
    }
}

/// A tag control word as VLAN id and priority, the way Open vSwitch splits it.
fn push_vlan(field: &OxmField, value: u128, out: &mut Vec<OxmField>) {
    let mask = field.mask().unwrap_or(0xffff);
    let vid = OxmField::masked(FieldId::basic(6), 2, value & 0x1fff, mask & 0x1fff);
    out.extend(vid.simplified());
    // Without a tag there is no priority, so it is left out as Open vSwitch leaves it out.
    if value & mask & (VLAN_PRESENT | 0xfff) != 0 && mask & 0xe000 != 0 {
        out.push(OxmField::exact(FieldId::basic(7), 1, value >> 13));
    }
}

#[cfg(test)]
mod tests {
    use crate::oxm::{self, FieldId, Match, OxmField};

    fn same(left: Match, right: Match) {
        assert_eq!(left.canonical_bytes(), right.canonical_bytes(), "{left:?} {right:?}");
    }

    #[test]
    fn registers_compare_equal_however_they_are_grouped() {
        let wide =
            Match::new().with(OxmField::masked(FieldId::xreg(0), 8, 0x1_0000_0002, 0xffff_ffff_0000_00ff));
        same(wide, Match::new().with(oxm::reg_masked(1, 2, 0xff)).with(oxm::reg(0, 1)));
        let widest = Match::new().with(OxmField::masked(FieldId::xxreg(3), 16, 5, 0xffff_ffff));
        same(widest, Match::new().with(oxm::reg(15, 5)));
    }

    #[test]
    fn needless_masks_and_bits_vanish() {
        same(
            Match::new().with(oxm::reg_masked(3, 0xff, 0)).with(oxm::reg_masked(2, 7, u32::MAX)),
            Match::new().with(oxm::reg(2, 7)),
        );
        same(
            Match::new().with(oxm::reg_masked(3, 0xff, 0x0f)),
            Match::new().with(oxm::reg_masked(3, 0x0f, 0x0f)),
        );
        same(Match::new().with(OxmField::exact(FieldId::basic(44), 4, 0)), Match::new());
    }

    #[test]
    fn old_names_mean_the_same_as_new_ones() {
        let tci = OxmField::exact(FieldId::nxm0(4), 2, 0x3005);
        let split = Match::new().with(oxm::vlan_vid(5)).with(oxm::vlan_pcp(1));
        same(Match::new().with(tci), split);
        same(
            Match::new().with(OxmField::exact(FieldId::nxm0(2), 6, 9)),
            Match::new().with(oxm::eth_src([0, 0, 0, 0, 0, 9])),
        );
        same(
            Match::new().with(OxmField::exact(FieldId::nxm0(0), 2, 0xfffe)),
            Match::new().with(oxm::in_port(crate::PortNo::LOCAL)),
        );
    }

    #[test]
    fn different_matches_stay_different() {
        let one = Match::new().with(oxm::reg(1, 1)).canonical_bytes();
        assert_ne!(one, Match::new().with(oxm::reg(1, 2)).canonical_bytes());
        assert_ne!(one, Match::new().with(oxm::reg_masked(1, 1, 1)).canonical_bytes());
    }
}
