//! A flow's match while it is written: encoded fields, always in canonical order, without a heap.

use weft_openflow::{FieldId, OxmField};

/// The longest match that any flow of the pipeline has, in bytes, with room to spare.
const CAPACITY: usize = 112;

/// The fields that a packet must have. In whatever order they are added, they stand in canonical order.
#[derive(Clone, Copy)]
pub(crate) struct Fields {
    bytes: [u8; CAPACITY],
    len: u8,
}

impl Fields {
    /// Every packet.
    pub fn new() -> Fields {
        Fields { bytes: [0; CAPACITY], len: 0 }
    }

    /// Narrowed by one more field, which must not be there yet.
    #[must_use]
    #[inline(always)]
    pub fn with(mut self, field: OxmField) -> Fields {
        let end = usize::from(self.len);
        let added = field.encode_to(&mut self.bytes[end..]).expect("a match of ours is shorter");
        let position = self.position_for(end);
        // Most fields are added in order already.
        if position < end {
            self.bytes[position..end + added].rotate_right(added);
        }
        self.len = u8::try_from(end + added).expect("below the capacity");
        self
    }

    /// The encoded fields.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Where the field that stands at `end` belongs.
    #[inline]
    fn position_for(&self, end: usize) -> usize {
        let key = self.key_at(end);
        let mut position = 0;
        while position < end && self.key_at(position) < key {
            position += 4 + usize::from(self.bytes[position + 3]);
        }
        position
    }

    /// Class and number of the field at an offset, which is what canonical order goes by, behind what puts it last.
    #[inline]
    fn key_at(&self, at: usize) -> [u8; 4] {
        let [a, b, c] = [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2]];
        let id = FieldId { class: u16::from_be_bytes([a, b]), number: c >> 1, experimenter: 0 };
        [u8::from(id.needs_others()), a, b, c & 0xfe]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_openflow::{Match, oxm};

    #[test]
    fn fields_stand_in_canonical_order_however_they_are_added() {
        let fields = [
            oxm::eth_dst_masked([1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]),
            oxm::reg(1, 7),
            oxm::eth_type(0x86dd),
            oxm::tun_id(5),
            oxm::reg_masked(5, 1, 1),
            oxm::nd_reserved(9),
            oxm::ip_ttl(1),
            oxm::in_port(weft_openflow::PortNo(3)),
        ];
        for shift in 0..fields.len() {
            let mut order = fields.to_vec();
            order.rotate_left(shift);
            let ours = order.iter().cloned().fold(Fields::new(), Fields::with);
            assert_eq!(ours.as_slice(), order.into_iter().collect::<Match>().canonical_bytes());
        }
    }
}
