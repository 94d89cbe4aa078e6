//! Sending packets through the connection tracker, and translating addresses there (`nx_action_conntrack`,
//! `nx_action_nat`).

use super::nicira::zeros;
use super::{Action, Subfield};
use crate::error::DecodeError;
use crate::ids::TableId;
use crate::oxm::FieldHeader;
use crate::wire::{Reader, Writer};
use std::net::{Ipv4Addr, Ipv6Addr};

bitflags::bitflags! {
    /// How a packet goes through the tracker. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct CtFlags: u16 {
        /// Remember the connection.
        const COMMIT = 1 << 0;
        /// Forget what was remembered of the other direction first.
        const FORCE = 1 << 1;
        const _ = !0;
    }

    /// How addresses are translated. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct NatFlags: u16 {
        /// Translate the source.
        const SRC = 1 << 0;
        /// Translate the destination.
        const DST = 1 << 1;
        /// Choose the same address for the same client each time.
        const PERSISTENT = 1 << 2;
        /// Choose the port by a hash.
        const PROTO_HASH = 1 << 3;
        /// Choose the port at random.
        const PROTO_RANDOM = 1 << 4;
        const _ = !0;
    }
}

/// Sends the packet through the connection tracker.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ct {
    /// Commit and force.
    pub flags: CtFlags,
    /// The zone, within which connections are told apart.
    pub zone: CtZone,
    /// Where the tracked copy goes on; `None` does not make one.
    pub table: Option<TableId>,
    /// The port of the protocol whose helper is wanted (21 for FTP, 69 for TFTP), or 0.
    pub alg: u16,
    /// What to do within the tracker: translate, set the mark and the label.
    pub actions: Vec<Action>,
}

/// Where the zone of a [`Ct`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CtZone {
    /// This zone.
    Value(u16),
    /// The 16 bits that a field holds.
    Field(Subfield),
}

impl Default for CtZone {
    fn default() -> Self {
        CtZone::Value(0)
    }
}

/// "No table" on the wire.
const NO_TABLE: u8 = 0xff;

impl Ct {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Ct, DecodeError> {
        let flags = CtFlags::from_bits_retain(r.u16()?);
        let zone = if r.peek_rest().starts_with(&[0; 4]) {
            zeros(r, 4)?;
            CtZone::Value(r.u16()?)
        } else {
            let field = FieldHeader::decode_short(r)?;
            let (offset, n_bits) = Subfield::unpack(r.u16()?);
            CtZone::Field(Subfield { field, offset, n_bits })
        };
        let table = Some(r.u8()?).filter(|&table| table != NO_TABLE).map(TableId);
        zeros(r, 3)?;
        let alg = r.u16()?;
        let length = r.remaining();
        let mut inner = r.nested(length)?;
        Ok(Ct { flags, zone, table, alg, actions: Action::decode_list(&mut inner, length)? })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> u16 {
        w.u16(self.flags.bits());
        match self.zone {
            CtZone::Value(zone) => {
                w.u32(0);
                w.u16(zone);
            }
            CtZone::Field(subfield) => {
                subfield.field.encode_short(w);
                w.u16(subfield.packed());
            }
        }
        w.u8(self.table.map_or(NO_TABLE, |table| table.0));
        w.zeros(3);
        w.u16(self.alg);
        Action::encode_list(&self.actions, w);
        35
    }
}

/// Translates addresses and ports. With no field set it only applies what the connection already has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nat {
    /// Which side to translate, and how.
    pub flags: NatFlags,
    /// Lowest IPv4 address.
    pub ipv4_min: Option<Ipv4Addr>,
    /// Highest IPv4 address; without it the lowest is the only one.
    pub ipv4_max: Option<Ipv4Addr>,
    /// Lowest IPv6 address.
    pub ipv6_min: Option<Ipv6Addr>,
    /// Highest IPv6 address; without it the lowest is the only one.
    pub ipv6_max: Option<Ipv6Addr>,
    /// Lowest port.
    pub port_min: Option<u16>,
    /// Highest port; without it the lowest is the only one.
    pub port_max: Option<u16>,
}

impl Nat {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Nat, DecodeError> {
        zeros(r, 2)?;
        let flags = NatFlags::from_bits_retain(r.u16()?);
        let present = r.u16()?;
        if present >= 1 << 6 {
            return Err(r.error(crate::error::DecodeErrorKind::BadValue));
        }
        let mut nat = Nat { flags, ..Nat::default() };
        let has = |bit: u16| present & 1 << bit != 0;
        for (bit, slot) in [(0, &mut nat.ipv4_min), (1, &mut nat.ipv4_max)] {
            if has(bit) {
                *slot = Some(Ipv4Addr::from(r.u32()?));
            }
        }
        for (bit, slot) in [(2, &mut nat.ipv6_min), (3, &mut nat.ipv6_max)] {
            if has(bit) {
                *slot = Some(Ipv6Addr::from(r.u128()?));
            }
        }
        for (bit, slot) in [(4, &mut nat.port_min), (5, &mut nat.port_max)] {
            if has(bit) {
                *slot = Some(r.u16()?);
            }
        }
        Ok(nat)
    }

    pub(super) fn encode(&self, w: &mut Writer) -> u16 {
        w.zeros(2);
        w.u16(self.flags.bits());
        let present = [
            self.ipv4_min.is_some(),
            self.ipv4_max.is_some(),
            self.ipv6_min.is_some(),
            self.ipv6_max.is_some(),
            self.port_min.is_some(),
            self.port_max.is_some(),
        ];
        w.u16(present.iter().rev().fold(0, |bits, &set| bits << 1 | u16::from(set)));
        for address in [self.ipv4_min, self.ipv4_max].into_iter().flatten() {
            w.u32(address.into());
        }
        for address in [self.ipv6_min, self.ipv6_max].into_iter().flatten() {
            w.u128(address.into());
        }
        for port in [self.port_min, self.port_max].into_iter().flatten() {
            w.u16(port);
        }
        36
    }
}
