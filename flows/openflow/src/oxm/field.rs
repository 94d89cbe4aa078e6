//! One match field with its value and, for some, its mask.

use super::id::{FieldHeader, FieldId, RawHeader};
use super::table;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// A field, the value it must have, and the bits of it that matter.
///
/// Values of up to 16 bytes are held as numbers; longer ones (`tun_metadata`) as bytes. Unknown fields
/// are held the same way, so they are written again as they were read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OxmField {
    id: FieldId,
    body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Body {
    Number { width: u8, value: u128, mask: Option<u128> },
    Bytes { value: Bytes, mask: Option<Bytes> },
}

impl OxmField {
    /// The largest value that fits, in bytes: a header counts value and mask in one byte.
    pub const MAX_WIDTH: usize = 124;

    /// A field that must have exactly this value. Bits above `width` bytes (at most 16) are dropped.
    pub fn exact(id: FieldId, width: u8, value: u128) -> OxmField {
        let width = width.min(16);
        OxmField { id, body: Body::Number { width, value: value & ones(width), mask: None } }
    }

    /// A field that must have this value in the bits that `mask` sets. `width` is in bytes, at most 16.
    /// Bits of the value outside the mask are dropped: a switch refuses them.
    pub fn masked(id: FieldId, width: u8, value: u128, mask: u128) -> OxmField {
        let width = width.min(16);
        let (value, mask) = (value & mask & ones(width), Some(mask & ones(width)));
        OxmField { id, body: Body::Number { width, value, mask } }
    }

    /// A field with a value of any width up to [`OxmField::MAX_WIDTH`] bytes (longer ones are cut), and
    /// a mask of the same length (made so when it is not).
    pub fn from_bytes(id: FieldId, value: &[u8], mask: Option<&[u8]>) -> OxmField {
        let value = &value[..value.len().min(Self::MAX_WIDTH)];
        let resized = mask.map(|mask| {
            let mut bytes = mask.to_vec();
            bytes.resize(value.len(), 0);
            bytes
        });
        if value.len() <= 16 {
            let width = u8::try_from(value.len()).unwrap_or(16);
            let mask = resized.map(|bytes| number(&bytes));
            return OxmField { id, body: Body::Number { width, value: number(value), mask } };
        }
        let value = Bytes::copy_from_slice(value);
        OxmField { id, body: Body::Bytes { value, mask: resized.map(Bytes::from) } }
    }

    /// Which field this is.
    pub fn id(&self) -> FieldId {
        self.id
    }

    /// The size of the value in bytes.
    pub fn width(&self) -> usize {
        match &self.body {
            Body::Number { width, .. } => usize::from(*width),
            Body::Bytes { value, .. } => value.len(),
        }
    }

    /// The field and the size of its value, as actions name it.
    pub fn header(&self) -> FieldHeader {
        self.id.sized(u8::try_from(self.width()).unwrap_or(u8::MAX))
    }

    /// The value as a number, unless it is longer than 16 bytes.
    pub fn value(&self) -> Option<u128> {
        match self.body {
            Body::Number { value, .. } => Some(value),
            Body::Bytes { .. } => None,
        }
    }

    /// The mask as a number; `None` without a mask and for values longer than 16 bytes.
    pub fn mask(&self) -> Option<u128> {
        match self.body {
            Body::Number { mask, .. } => mask,
            Body::Bytes { .. } => None,
        }
    }

    /// True when only some bits matter (or the sender said so by a mask).
    pub fn has_mask(&self) -> bool {
        match &self.body {
            Body::Number { mask, .. } => mask.is_some(),
            Body::Bytes { mask, .. } => mask.is_some(),
        }
    }

    /// The value's bytes, big-endian.
    pub fn value_bytes(&self) -> Vec<u8> {
        match &self.body {
            Body::Number { width, value, .. } => tail(*value, *width),
            Body::Bytes { value, .. } => value.to_vec(),
        }
    }

    /// The mask's bytes, big-endian.
    pub fn mask_bytes(&self) -> Option<Vec<u8>> {
        match &self.body {
            Body::Number { width, mask, .. } => mask.map(|mask| tail(mask, *width)),
            Body::Bytes { mask, .. } => mask.as_ref().map(|mask| mask.to_vec()),
        }
    }

    /// The same match written in the simplest way: value bits outside the mask are zero, and a mask that
    /// covers the whole field is left out. `None` when no bit matters at all.
    pub fn simplified(&self) -> Option<OxmField> {
        let id = self.id;
        match &self.body {
            Body::Number { mask: None, .. } | Body::Bytes { mask: None, .. } => Some(self.clone()),
            Body::Number { width, value, mask: Some(mask) } => {
                let all = table::spec(id)
                    .filter(|spec| spec.bytes() == *width)
                    .map_or(ones(*width), |spec| spec.ones());
                match mask & all {
                    0 => None,
                    whole if whole == all => Some(OxmField::exact(id, *width, value & all)),
                    part => Some(OxmField::masked(id, *width, value & part, part)),
                }
            }
            Body::Bytes { value, mask: Some(mask) } => {
                if mask.iter().all(|&byte| byte == 0) {
                    return None;
                }
                let whole = mask.iter().all(|&byte| byte == 0xff);
                let value: Vec<u8> = value.iter().zip(mask.iter()).map(|(v, m)| v & m).collect();
                Some(OxmField::from_bytes(id, &value, if whole { None } else { Some(mask) }))
            }
        }
    }

    /// Reads one field.
    ///
    /// # Errors
    /// `Truncated`, or `BadLength` when value and mask cannot share what the header announces.
    pub fn decode(r: &mut Reader<'_>) -> Result<OxmField, DecodeError> {
        let at = r.at();
        let RawHeader { id, has_mask, payload } = RawHeader::decode(r)?;
        if has_mask && payload % 2 == 1 {
            return Err(DecodeError { at, kind: DecodeErrorKind::BadLength });
        }
        let width = if has_mask { payload / 2 } else { payload };
        let value = r.bytes(width)?;
        let mask = if has_mask { Some(r.bytes(width)?) } else { None };
        if width <= 16 {
            let width = u8::try_from(width).unwrap_or(16);
            let body = Body::Number { width, value: number(value), mask: mask.map(number) };
            return Ok(OxmField { id, body });
        }
        let value = Bytes::copy_from_slice(value);
        Ok(OxmField { id, body: Body::Bytes { value, mask: mask.map(Bytes::copy_from_slice) } })
    }

    /// Writes the field. Allocates nothing beyond the writer's own growth.
    pub fn encode(&self, w: &mut Writer) {
        let width = self.width();
        let payload = if self.has_mask() { 2 * width } else { width };
        RawHeader { id: self.id, has_mask: self.has_mask(), payload }.encode(w);
        match &self.body {
            Body::Number { value, mask, .. } => {
                w.uint(*value, width);
                if let Some(mask) = mask {
                    w.uint(*mask, width);
                }
            }
            Body::Bytes { value, mask } => {
                w.bytes(value);
                if let Some(mask) = mask {
                    w.bytes(mask);
                }
            }
        }
    }

    /// Writes a field of up to 16 bytes into the front of `out` and returns how long it is, as [`OxmField::encode`] does
    /// it but without a writer. `None`, with nothing of use written, when it is longer or `out` too short.
    #[inline]
    pub fn encode_to(&self, out: &mut [u8]) -> Option<usize> {
        let Body::Number { width, value, mask } = &self.body else { return None };
        let (width, header) = (usize::from(*width), self.id.header_len());
        let payload = if mask.is_some() { 2 * width } else { width };
        let out = out.get_mut(..header + payload)?;
        let [high, low] = self.id.class.to_be_bytes();
        let packed = self.id.number << 1 | u8::from(mask.is_some());
        out[..4].copy_from_slice(&[high, low, packed, u8::try_from(payload + header - 4).ok()?]);
        if header == 8 {
            out[4..8].copy_from_slice(&self.id.experimenter.to_be_bytes());
        }
        out[header..header + width].copy_from_slice(&value.to_be_bytes()[16 - width..]);
        if let Some(mask) = mask {
            out[header + width..].copy_from_slice(&mask.to_be_bytes()[16 - width..]);
        }
        Some(header + payload)
    }

    /// Bytes that [`OxmField::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        self.id.header_len() + self.width() * if self.has_mask() { 2 } else { 1 }
    }
}

/// All bits of a number of `width` bytes.
pub(crate) fn ones(width: u8) -> u128 {
    if width >= 16 { u128::MAX } else { (1 << (8 * u32::from(width))) - 1 }
}

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).fold(0, |acc, &byte| acc << 8 | u128::from(byte))
}

fn tail(value: u128, width: u8) -> Vec<u8> {
    value.to_be_bytes()[16 - usize::from(width.min(16))..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(bytes: &[u8]) -> OxmField {
        let mut r = Reader::new(bytes);
        let field = OxmField::decode(&mut r).unwrap();
        r.finish().unwrap();
        let mut w = Writer::new();
        field.encode(&mut w);
        assert_eq!(w.as_slice(), bytes);
        assert_eq!(field.encoded_len(), bytes.len());
        let mut small = [0; 64];
        match field.encode_to(&mut small) {
            Some(length) => assert_eq!(&small[..length], bytes),
            None => assert!(field.width() > 16),
        }
        assert_eq!(field.encode_to(&mut small[..bytes.len().min(64) - 1]), None);
        field
    }

    #[test]
    fn fields_survive_as_they_were_sent() {
        let masked = round_trip(&[0x00, 0x01, 0x01, 8, 0, 0, 0, 5, 0, 0, 0, 0xf]);
        assert_eq!((masked.value(), masked.mask()), (Some(5), Some(0xf)));
        // An experimenter's field with an experimenter that nobody knows.
        round_trip(&[0xff, 0xff, 0x02, 6, 1, 2, 3, 4, 9, 9]);
        // A value longer than a number, with a mask.
        let mut long = vec![0x00, 0x01, 40 << 1 | 1, 40];
        long.extend([7; 40]);
        round_trip(&long);
        round_trip(&[0x12, 0x34, 0x00, 0]);
    }

    #[test]
    fn a_mask_needs_half_of_the_bytes() {
        let error = OxmField::decode(&mut Reader::new(&[0, 1, 1, 3, 1, 2, 3])).unwrap_err();
        assert_eq!(error, DecodeError { at: 0, kind: DecodeErrorKind::BadLength });
        let short = OxmField::decode(&mut Reader::new(&[0xff, 0xff, 2, 3, 1, 2, 3, 4])).unwrap_err();
        assert_eq!(short.kind, DecodeErrorKind::BadLength);
    }
}
