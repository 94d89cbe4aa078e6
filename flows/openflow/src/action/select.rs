//! Choosing among links or ports by a hash of the packet (`nx_action_multipath`, `nx_action_bundle`).

use super::Subfield;
use super::nicira::{short_port, zeros};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::PortNo;
use crate::oxm::FieldHeader;
use crate::wire::{Reader, Writer};

/// Chooses a link by a hash, and stores its number in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multipath {
    /// Which fields to hash (`nx_hash_fields`).
    pub fields: u16,
    /// Start value of the hash.
    pub basis: u16,
    /// How the hash chooses (`nx_mp_algorithm`).
    pub algorithm: u16,
    /// The highest number to store.
    pub max_link: u16,
    /// The algorithm's argument.
    pub arg: u32,
    /// Where to store the number.
    pub dst: Subfield,
}

impl Multipath {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Multipath, DecodeError> {
        let (fields, basis) = (r.u16()?, r.u16()?);
        zeros(r, 2)?;
        let (algorithm, max_link, arg) = (r.u16()?, r.u16()?, r.u32()?);
        zeros(r, 2)?;
        let (offset, n_bits) = Subfield::unpack(r.u16()?);
        let dst = Subfield { field: FieldHeader::decode_short(r)?, offset, n_bits };
        Ok(Multipath { fields, basis, algorithm, max_link, arg, dst })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> u16 {
        for number in [self.fields, self.basis, 0, self.algorithm, self.max_link] {
            w.u16(number);
        }
        w.u32(self.arg);
        w.u16(0);
        w.u16(self.dst.packed());
        self.dst.field.encode_short(w);
        10
    }
}

/// Chooses a port by a hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bundle {
    /// How the hash chooses (`nx_bd_algorithm`).
    pub algorithm: u16,
    /// Which fields to hash (`nx_hash_fields`).
    pub fields: u16,
    /// Start value of the hash.
    pub basis: u16,
    /// The ports to choose from.
    pub members: Vec<PortNo>,
    /// Where to store the port's number; `None` outputs to the port instead.
    pub dst: Option<Subfield>,
}

/// The only kind of member there is: a 16-bit port number, named by its field's header.
const MEMBER_TYPE: u32 = 0x0000_0002;

impl Bundle {
    pub(super) fn decode(subtype: u16, r: &mut Reader<'_>) -> Result<Bundle, DecodeError> {
        let (algorithm, fields, basis) = (r.u16()?, r.u16()?, r.u16()?);
        if r.u32()? != MEMBER_TYPE {
            return Err(r.error(DecodeErrorKind::BadValue));
        }
        let count = usize::from(r.u16()?);
        let dst = if subtype == 13 {
            let (offset, n_bits) = Subfield::unpack(r.u16()?);
            Some(Subfield { field: FieldHeader::decode_short(r)?, offset, n_bits })
        } else {
            zeros(r, 6)?;
            None
        };
        zeros(r, 4)?;
        let mut ports = r.sub(count * 2)?;
        let mut members = Vec::with_capacity(count);
        while !ports.is_empty() {
            members.push(PortNo::from_u16(ports.u16()?));
        }
        Ok(Bundle { algorithm, fields, basis, members, dst })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> u16 {
        for number in [self.algorithm, self.fields, self.basis] {
            w.u16(number);
        }
        w.u32(MEMBER_TYPE);
        w.u16(u16::try_from(self.members.len()).unwrap_or(u16::MAX));
        match self.dst {
            Some(dst) => {
                w.u16(dst.packed());
                dst.field.encode_short(w);
            }
            None => w.zeros(6),
        }
        w.zeros(4);
        for port in &self.members {
            w.u16(short_port(*port));
        }
        if self.dst.is_some() { 13 } else { 12 }
    }
}
