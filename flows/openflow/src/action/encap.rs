//! Putting headers around packets (`nx_action_encap`).

use super::nicira::zeros;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// Puts a header around the packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Encap {
    /// Size of the header in bytes, 0 to let the switch choose.
    pub header_size: u16,
    /// The header, as the packet type that results: namespace in the high half, type in the low half.
    pub packet_type: u32,
    /// What to put into the header.
    pub properties: Vec<EncapProperty>,
}

/// One value for the header of an [`Encap`] (`ofp_ed_prop_header`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncapProperty {
    /// Whose property (4 is the network service header's).
    pub class: u16,
    /// Which property.
    pub kind: u8,
    /// Its value, at most 251 bytes.
    pub value: Bytes,
}

impl Encap {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Encap, DecodeError> {
        let mut out = Encap { header_size: r.u16()?, packet_type: r.u32()?, properties: Vec::new() };
        while !r.is_empty() {
            let bad = r.error(DecodeErrorKind::BadLength);
            let (class, kind, length) = (r.u16()?, r.u8()?, usize::from(r.u8()?));
            let value = r.bytes(length.checked_sub(4).ok_or(bad)?)?;
            zeros(r, length.next_multiple_of(8) - length)?;
            out.properties.push(EncapProperty { class, kind, value: Bytes::copy_from_slice(value) });
        }
        Ok(out)
    }

    pub(super) fn encode(&self, w: &mut Writer) -> u16 {
        w.u16(self.header_size);
        w.u32(self.packet_type);
        for property in &self.properties {
            let mark = w.len();
            let value = &property.value[..property.value.len().min(251)];
            w.u16(property.class);
            w.u8(property.kind);
            w.u8(u8::try_from(value.len() + 4).unwrap_or(u8::MAX));
            w.bytes(value);
            w.pad8(mark);
        }
        46
    }
}
