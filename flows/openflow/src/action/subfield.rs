//! Parts of fields, as actions name them.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::oxm::FieldHeader;
use crate::wire::{Reader, Writer};

/// A run of bits within a field; bit 0 is the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subfield {
    /// The field.
    pub field: FieldHeader,
    /// The lowest bit.
    pub offset: u16,
    /// How many bits.
    pub n_bits: u16,
}

/// Copies bits from one field to another (`ofp_action_copy_field`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CopyField {
    /// The field to read.
    pub src: FieldHeader,
    /// The lowest bit to read.
    pub src_offset: u16,
    /// The field to write.
    pub dst: FieldHeader,
    /// The lowest bit to write.
    pub dst_offset: u16,
    /// How many bits.
    pub n_bits: u16,
}

impl Subfield {
    /// All bits of a known field; of an unknown one all that its size has room for.
    pub fn whole(field: FieldHeader) -> Subfield {
        let n_bits = crate::oxm::table::spec(field.id)
            .filter(|spec| spec.bytes() == field.width)
            .map_or(u16::from(field.width) * 8, |spec| spec.bits());
        Subfield { field, offset: 0, n_bits }
    }

    /// Reads `(offset << 6) | (n_bits - 1)`.
    pub(super) fn unpack(packed: u16) -> (u16, u16) {
        (packed >> 6, (packed & 0x3f) + 1)
    }

    /// Writes `(offset << 6) | (n_bits - 1)`.
    pub(super) fn packed(self) -> u16 {
        self.offset << 6 | self.n_bits.saturating_sub(1) & 0x3f
    }
}

impl CopyField {
    /// Copies one run of bits onto another; the shorter one decides how many.
    pub fn between(src: Subfield, dst: Subfield) -> CopyField {
        CopyField {
            src: src.field,
            src_offset: src.offset,
            dst: dst.field,
            dst_offset: dst.offset,
            n_bits: src.n_bits.min(dst.n_bits),
        }
    }

    /// Copies a whole field onto another.
    pub fn whole(src: FieldHeader, dst: FieldHeader) -> CopyField {
        CopyField::between(Subfield::whole(src), Subfield::whole(dst))
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<CopyField, DecodeError> {
        let (n_bits, src_offset, dst_offset) = (r.u16()?, r.u16()?, r.u16()?);
        if r.u16()? != 0 {
            return Err(r.error(DecodeErrorKind::BadValue));
        }
        let (src, dst) = (FieldHeader::decode(r)?, FieldHeader::decode(r)?);
        Ok(CopyField { src, src_offset, dst, dst_offset, n_bits })
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        for number in [self.n_bits, self.src_offset, self.dst_offset, 0] {
            w.u16(number);
        }
        self.src.encode(w);
        self.dst.encode(w);
    }
}
