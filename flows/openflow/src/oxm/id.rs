//! The name of a match field on the wire: its class, its number and, for some, who defined it.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Reader, Writer};

/// Which field: class, number within the class, and the experimenter for class 0xffff (else 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId {
    /// The OXM class, such as 0x8000 for the standard fields.
    pub class: u16,
    /// The field within the class, 0 to 127.
    pub number: u8,
    /// The experimenter of a class 0xffff field, 0 for all other classes.
    pub experimenter: u32,
}

impl FieldId {
    /// Class of the oldest Nicira fields (`NXM_OF_*`).
    pub const CLASS_NXM0: u16 = 0x0000;
    /// Class of the Nicira extension fields (`NXM_NX_*`), registers among them.
    pub const CLASS_NXM1: u16 = 0x0001;
    /// Class of the standard fields (`OXM_OF_*`).
    pub const CLASS_BASIC: u16 = 0x8000;
    /// Class of the packet registers (`OXM_OF_PKT_REG*`), 64 bits each.
    pub const CLASS_PACKET_REGS: u16 = 0x8001;
    /// Class of experimenter fields; four bytes of experimenter id follow the header.
    pub const CLASS_EXPERIMENTER: u16 = 0xffff;
    /// Class that Ericsson's neighbour discovery fields use.
    pub const CLASS_ERICSSON: u16 = 0x1000;
    /// The Open Networking Foundation as experimenter.
    pub const ONF: u32 = 0x4f4e_4600;
    /// Nicira as experimenter.
    pub const NICIRA: u32 = 0x0000_2320;
    /// Nicira's network service header fields as experimenter.
    pub const NSH: u32 = 0x005a_d650;

    /// A standard field.
    pub const fn basic(number: u8) -> FieldId {
        FieldId { class: Self::CLASS_BASIC, number, experimenter: 0 }
    }

    /// An `NXM_OF_*` field.
    pub const fn nxm0(number: u8) -> FieldId {
        FieldId { class: Self::CLASS_NXM0, number, experimenter: 0 }
    }

    /// An `NXM_NX_*` field.
    pub const fn nxm1(number: u8) -> FieldId {
        FieldId { class: Self::CLASS_NXM1, number, experimenter: 0 }
    }

    /// A field that an experimenter defined.
    pub const fn experimenter(experimenter: u32, number: u8) -> FieldId {
        FieldId { class: Self::CLASS_EXPERIMENTER, number, experimenter }
    }

    /// The 32-bit register `n` (0 to 15).
    pub const fn reg(n: u8) -> FieldId {
        Self::nxm1(n)
    }

    /// The 64-bit register `n` (0 to 7), which is registers `2n` (high half) and `2n + 1`.
    pub const fn xreg(n: u8) -> FieldId {
        FieldId { class: Self::CLASS_PACKET_REGS, number: n, experimenter: 0 }
    }

    /// The 128-bit register `n` (0 to 3), which is registers `4n` (highest) to `4n + 3`.
    pub const fn xxreg(n: u8) -> FieldId {
        Self::nxm1(111 + n)
    }

    /// True for Nicira's fields that make sense only in an IP packet (TTL, fragment): sorted by number they would stand
    /// before the Ethernet type that says so, and a switch takes a match only in the order of its reasons.
    pub const fn needs_others(self) -> bool {
        self.class == Self::CLASS_NXM1 && matches!(self.number, 26 | 29)
    }

    /// Bytes of the header on the wire, experimenter included.
    pub const fn header_len(self) -> usize {
        if self.class == Self::CLASS_EXPERIMENTER { 8 } else { 4 }
    }

    /// The field with the value's size in bytes, as actions name it.
    pub const fn sized(self, width: u8) -> FieldHeader {
        FieldHeader { id: self, width }
    }
}

/// A field as an action names it: which field, and the size of its value in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldHeader {
    /// Which field.
    pub id: FieldId,
    /// Size of its value in bytes; `tun_metadata` fields vary, all others are fixed.
    pub width: u8,
}

/// A header as it stands on the wire, before it is known what follows.
pub(crate) struct RawHeader {
    pub id: FieldId,
    pub has_mask: bool,
    /// Bytes that follow the header (and the experimenter), value and mask together.
    pub payload: usize,
}

impl RawHeader {
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<RawHeader, DecodeError> {
        let at = r.at();
        let bad = DecodeError { at, kind: DecodeErrorKind::BadLength };
        let [hi, lo, packed, length] = r.array()?;
        let mut id = FieldId { class: u16::from_be_bytes([hi, lo]), number: packed >> 1, experimenter: 0 };
        let mut payload = usize::from(length);
        if id.class == FieldId::CLASS_EXPERIMENTER {
            payload = payload.checked_sub(4).ok_or(bad)?;
            id.experimenter = r.u32()?;
        }
        Ok(RawHeader { id, has_mask: packed & 1 == 1, payload })
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        let extra = self.id.header_len() - 4;
        let [high, low] = self.id.class.to_be_bytes();
        let packed = self.id.number << 1 | u8::from(self.has_mask);
        w.bytes(&[high, low, packed, u8::try_from(self.payload + extra).unwrap_or(u8::MAX)]);
        if extra > 0 {
            w.u32(self.id.experimenter);
        }
    }
}

impl FieldHeader {
    /// Reads a header that names a field without a value, 4 or 8 bytes.
    ///
    /// # Errors
    /// `Truncated`, or `BadValue` when the header says that a mask follows.
    pub fn decode(r: &mut Reader<'_>) -> Result<FieldHeader, DecodeError> {
        let bad = r.error(DecodeErrorKind::BadValue);
        let raw = RawHeader::decode(r)?;
        match u8::try_from(raw.payload) {
            Ok(width) if !raw.has_mask => Ok(raw.id.sized(width)),
            _ => Err(bad),
        }
    }

    /// Writes the header, 4 or 8 bytes.
    pub fn encode(self, w: &mut Writer) {
        RawHeader { id: self.id, has_mask: false, payload: usize::from(self.width) }.encode(w);
    }

    /// Reads a header where only 4 bytes have room; an experimenter's field cannot stand there.
    ///
    /// # Errors
    /// `Truncated`, or `BadValue` for an experimenter class or a mask.
    pub fn decode_short(r: &mut Reader<'_>) -> Result<FieldHeader, DecodeError> {
        if r.peek_u16(0)? == FieldId::CLASS_EXPERIMENTER {
            return Err(r.error(DecodeErrorKind::BadValue));
        }
        Self::decode(r)
    }

    /// Writes the 4-byte header. An experimenter's field loses its experimenter: such a field cannot be
    /// named where this is used.
    pub fn encode_short(self, w: &mut Writer) {
        let id = FieldId { experimenter: 0, ..self.id };
        w.u16(id.class);
        w.u8(id.number << 1);
        w.u8(self.width);
    }
}
