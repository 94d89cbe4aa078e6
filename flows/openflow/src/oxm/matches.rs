//! A flow's match: the list of fields a packet must have (`ofp_match`, OpenFlow 1.5 section 7.2.3).

use super::canonical;
use super::field::OxmField;
use super::id::FieldId;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// The only match type that OpenFlow 1.5 sends (`OFPMT_OXM`).
const OXM_MATCH: u16 = 1;

/// What a packet must look like. The order of the fields is kept as it was given or received.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    fields: Vec<OxmField>,
}

impl Match {
    /// The match of every packet.
    pub fn new() -> Match {
        Match::default()
    }

    /// This match narrowed by one more field.
    #[must_use]
    pub fn with(mut self, field: impl Into<OxmField>) -> Match {
        self.fields.push(field.into());
        self
    }

    /// Narrows the match by one more field.
    pub fn push(&mut self, field: impl Into<OxmField>) {
        self.fields.push(field.into());
    }

    /// The fields in the order in which they are sent.
    pub fn fields(&self) -> &[OxmField] {
        &self.fields
    }

    /// The first field with this id.
    pub fn get(&self, id: FieldId) -> Option<&OxmField> {
        self.fields.iter().find(|field| field.id() == id)
    }

    /// Reads an `ofp_match` with its header and the padding after it.
    ///
    /// # Errors
    /// `BadType` for another match type, `BadLength` and `Truncated` as usual. Padding that the end of the
    /// buffer cuts off is tolerated.
    pub fn decode(r: &mut Reader<'_>) -> Result<Match, DecodeError> {
        let header = r.clone();
        if r.u16()? != OXM_MATCH {
            return Err(header.error(DecodeErrorKind::BadType));
        }
        let length = usize::from(r.u16()?);
        let body = length.checked_sub(4).ok_or(header.error(DecodeErrorKind::BadLength))?;
        let fields = Match::decode_fields(&mut r.sub(body)?)?;
        let pad = length.next_multiple_of(8) - length;
        r.skip(pad.min(r.remaining()))?;
        Ok(fields)
    }

    /// Reads fields up to the end of the reader, without any header.
    ///
    /// # Errors
    /// As [`OxmField::decode`].
    pub fn decode_fields(r: &mut Reader<'_>) -> Result<Match, DecodeError> {
        let mut fields = Vec::new();
        while !r.is_empty() {
            fields.push(OxmField::decode(r)?);
        }
        Ok(Match { fields })
    }

    /// Writes the match with its header, padded to a multiple of 8 bytes.
    pub fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u16(OXM_MATCH);
        w.u16(0);
        self.encode_fields(w);
        w.patch_len(mark + 2, mark);
        w.pad8(mark);
    }

    /// Writes the fields only.
    pub fn encode_fields(&self, w: &mut Writer) {
        for field in &self.fields {
            field.encode(w);
        }
    }

    /// The normal form in which two matches that mean the same are equal, whatever way they were
    /// written: registers as 32-bit registers, old Nicira names as standard ones, no needless masks,
    /// sorted, each field once.
    #[must_use]
    pub fn canonical(&self) -> Match {
        Match { fields: canonical::fields(&self.fields) }
    }

    /// The fields of the normal form as bytes, without header or padding: a key by which the match on a
    /// switch and the match that was wanted are found equal.
    pub fn canonical_bytes(&self) -> Bytes {
        let canonical = self.canonical();
        let length = canonical.fields.iter().map(OxmField::encoded_len).sum();
        let mut w = Writer::with_capacity(length);
        canonical.encode_fields(&mut w);
        w.into_bytes()
    }
}

impl FromIterator<OxmField> for Match {
    fn from_iter<I: IntoIterator<Item = OxmField>>(fields: I) -> Match {
        Match { fields: fields.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxm;

    #[test]
    fn a_match_is_padded_and_its_padding_is_not_its_length() {
        let wanted = Match::new().with(oxm::eth_type(0x0806));
        let mut w = Writer::new();
        wanted.encode(&mut w);
        assert_eq!(w.as_slice(), [0, 1, 0, 10, 0x80, 0, 10, 2, 8, 6, 0, 0, 0, 0, 0, 0]);
        let mut r = Reader::new(w.as_slice());
        assert_eq!(Match::decode(&mut r).unwrap(), wanted);
        assert!(r.is_empty());
    }

    #[test]
    fn bad_matches_are_refused() {
        for (bytes, kind) in [
            (&[0, 0, 0, 4][..], DecodeErrorKind::BadType),
            (&[0, 1, 0, 3], DecodeErrorKind::BadLength),
            (&[0, 1, 0, 9, 0, 0, 0, 0], DecodeErrorKind::BadLength),
            (&[0, 1, 0, 7, 0, 0, 0, 0], DecodeErrorKind::Truncated),
        ] {
            assert_eq!(Match::decode(&mut Reader::new(bytes)).unwrap_err().kind, kind, "{bytes:?}");
        }
    }
}
