//! Where every match field stands in a packet: which 128-bit slot, from which bit on, how many bits.
//!
//! Fields that share bits on a switch share them here: the registers of 32, 64 and 128 bits, the parts of a VLAN tag, the
//! ports of all transports with the types of ICMP. Facts from OpenFlow 1.5 section 7.2.3 and Open vSwitch's `meta-flow.h`.

use weft_openflow::FieldId;
use weft_openflow::oxm::table;

/// A run of bits of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which slot.
    pub slot: usize,
    /// Its lowest bit in the slot.
    pub shift: u32,
    /// How many bits.
    pub bits: u32,
}

impl Place {
    /// Its bits, at the bottom.
    pub fn ones(self) -> u128 {
        if self.bits >= 128 { u128::MAX } else { (1 << self.bits) - 1 }
    }
}

/// How many slots there are.
pub(crate) const SLOTS: usize = 52;

const VLAN: usize = 5;
const TOS: usize = 6;
const L4_SRC: usize = 10;
const L4_DST: usize = 11;
const REGISTERS: usize = 47;

/// Where a field stands; `None` for one that the interpreter does not know.
pub(crate) fn place(id: FieldId) -> Option<Place> {
    let id = table::twin(id).unwrap_or(id);
    let number = usize::from(id.number);
    let (slot, shift, bits) = match id.class {
        FieldId::CLASS_BASIC => standard(number)?,
        // Ordinary ports have the same number in 16 and in 32 bits.
        FieldId::CLASS_NXM0 if number == 0 => (0, 0, 16),
        FieldId::CLASS_NXM0 if number == 4 => (VLAN, 0, 16),
        FieldId::CLASS_NXM1 => nicira(number)?,
        FieldId::CLASS_PACKET_REGS if number < 8 => {
            (REGISTERS + number / 2, 64 * (1 - number as u32 % 2), 64)
        }
        FieldId::CLASS_ERICSSON if number == 1 => (23, 0, 32),
        FieldId::CLASS_ERICSSON if number == 2 => (24, 0, 8),
        _ => return None,
    };
    Some(Place { slot, shift, bits })
}

fn standard(number: usize) -> Option<(usize, u32, u32)> {
    Some(match number {
        0 => (0, 0, 32),
        2 => (1, 0, 64),
        3 => (2, 0, 48),
        4 => (3, 0, 48),
        5 => (4, 0, 16),
        6 => (VLAN, 0, 13),
        7 => (VLAN, 13, 3),
        8 => (TOS, 2, 6),
        9 => (TOS, 0, 2),
        10 => (7, 0, 8),
        11 => (8, 0, 32),
        12 => (9, 0, 32),
        13 | 15 | 17 => (L4_SRC, 0, 16),
        14 | 16 | 18 => (L4_DST, 0, 16),
        19 | 29 => (L4_SRC, 0, 8),
        20 | 30 => (L4_DST, 0, 8),
        21 => (12, 0, 16),
        22 => (13, 0, 32),
        23 => (14, 0, 32),
        24 => (15, 0, 48),
        25 => (16, 0, 48),
        26 => (17, 0, 128),
        27 => (18, 0, 128),
        28 => (19, 0, 20),
        31 => (20, 0, 128),
        32 => (21, 0, 48),
        33 => (22, 0, 48),
        38 => (25, 0, 64),
        42 => (30, 0, 12),
        44 => (31, 0, 32),
        _ => return None,
    })
}

fn nicira(number: usize) -> Option<(usize, u32, u32)> {
    Some(match number {
        0..=15 => (REGISTERS + number / 4, 32 * (3 - number as u32 % 4), 32),
        26 => (32, 0, 2),
        29 => (33, 0, 8),
        31 => (26, 0, 32),
        32 => (27, 0, 32),
        33 => (34, 0, 32),
        37 => (35, 0, 32),
        104 => (51, 0, 16),
        105 => (36, 0, 32),
        106 => (37, 0, 16),
        107 => (38, 0, 32),
        108 => (39, 0, 128),
        109 => (28, 0, 128),
        110 => (29, 0, 128),
        111..=114 => (REGISTERS + number - 111, 0, 128),
        119 => (40, 0, 8),
        120 => (41, 0, 32),
        121 => (42, 0, 32),
        122 => (43, 0, 128),
        123 => (44, 0, 128),
        124 => (45, 0, 16),
        125 => (46, 0, 16),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_inside_and_as_wide_as_its_field() {
        let mut known = 0;
        for spec in table::all() {
            let Some(place) = place(spec.id()) else { continue };
            known += 1;
            assert!(place.slot < SLOTS && place.shift + place.bits <= 128, "{}", spec.name());
            // The connection's state has fewer bits in use than it has on the wire.
            let bits = u32::from(spec.bits());
            assert!(
                place.bits == bits || matches!(spec.name().as_str(), "ct_state" | "tun_flags"),
                "{}",
                spec.name()
            );
        }
        assert!(known > 90, "{known}");
    }

    #[test]
    fn registers_of_all_widths_share_their_bits() {
        let (wide, middle, low) =
            (place(FieldId::xxreg(2)), place(FieldId::xreg(5)), place(FieldId::reg(11)));
        assert_eq!([wide, middle, low].map(|place| place.map(|p| (p.slot, p.shift))), [Some((49, 0)); 3]);
        assert_eq!(place(FieldId::reg(8)).map(|p| (p.slot, p.shift)), Some((49, 96)));
    }
}
