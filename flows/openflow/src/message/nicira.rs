//! The messages that Nicira added and Open vSwitch speaks (`nicira-ext.h`), and all other experimenters' raw.

mod ct_flush;
mod tlv_table;

pub use ct_flush::{CtFlush, CtFlushPart, CtTuple, CtTuplePart};
pub use tlv_table::{TlvCommand, TlvMap, TlvTableMod, TlvTableReply};

use super::codec::{Part, open_enum, share_rest};
use super::packet_in::PacketIn2;
use crate::error::DecodeError;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// Nicira as an experimenter.
pub const NICIRA: u32 = 0x0000_2320;

/// A message that somebody other than the ONF defined (`ofp_experimenter_msg`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Experimenter {
    /// Send packets up in this form from now on.
    SetPacketInFormat(PacketInFormat),
    /// This connection's id, by which `controller(id=...)` actions choose it.
    SetControllerId(u16),
    /// A packet for the controller.
    PacketIn2(PacketIn2),
    /// Go on with a packet that was paused, as changed in here.
    Resume(PacketIn2),
    /// Change which tunnel options stand in which `tun_metadata` field.
    TlvTableMod(TlvTableMod),
    /// Which tunnel options stand in which field?
    TlvTableRequest,
    /// The tunnel options and their fields.
    TlvTableReply(TlvTableReply),
    /// Forget all connections of a conntrack zone.
    CtFlushZone(u16),
    /// Forget the connections that match (Open vSwitch 3.1 and later).
    CtFlush(CtFlush),
    /// A message that this crate does not know.
    Raw {
        /// Who defined it.
        experimenter: u32,
        /// Which of theirs it is.
        subtype: u32,
        /// What follows.
        data: Bytes,
    },
}

open_enum! {
    /// In which form packets are sent up (`ofputil_packet_in_format`).
    pub enum PacketInFormat: u32 {
        /// The standard's.
        Standard = 0,
        /// Nicira's first, without userdata.
        Nxt = 1,
        /// Nicira's second, with userdata and continuations.
        Nxt2 = 2,
    }
}

mod subtype {
    pub const SET_PACKET_IN_FORMAT: u32 = 16;
    pub const SET_CONTROLLER_ID: u32 = 20;
    pub const TLV_TABLE_MOD: u32 = 24;
    pub const TLV_TABLE_REQUEST: u32 = 25;
    pub const TLV_TABLE_REPLY: u32 = 26;
    pub const RESUME: u32 = 28;
    pub const CT_FLUSH_ZONE: u32 = 29;
    pub const PACKET_IN2: u32 = 30;
    pub const CT_FLUSH: u32 = 32;
}

impl Part for Experimenter {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (experimenter, subtype) = (r.u32()?, r.u32()?);
        if experimenter != NICIRA {
            return Ok(Experimenter::Raw { experimenter, subtype, data: share_rest(r, src) });
        }
        Ok(match subtype {
            subtype::SET_PACKET_IN_FORMAT => {
                Experimenter::SetPacketInFormat(PacketInFormat::from_wire(r.u32()?))
            }
            subtype::SET_CONTROLLER_ID => Experimenter::SetControllerId(short_after_zeros(r)?),
            subtype::PACKET_IN2 => Experimenter::PacketIn2(PacketIn2::decode(r, src)?),
            subtype::RESUME => Experimenter::Resume(PacketIn2::decode(r, src)?),
            subtype::TLV_TABLE_MOD => Experimenter::TlvTableMod(TlvTableMod::decode(r, src)?),
            subtype::TLV_TABLE_REQUEST => Experimenter::TlvTableRequest,
            subtype::TLV_TABLE_REPLY => Experimenter::TlvTableReply(TlvTableReply::decode(r, src)?),
            subtype::CT_FLUSH_ZONE => Experimenter::CtFlushZone(short_after_zeros(r)?),
            subtype::CT_FLUSH => Experimenter::CtFlush(CtFlush::decode(r, src)?),
            subtype => Experimenter::Raw { experimenter, subtype, data: share_rest(r, src) },
        })
    }

    fn encode(&self, w: &mut Writer) {
        let (experimenter, subtype) = self.id();
        w.u32(experimenter);
        w.u32(subtype);
        match self {
            Experimenter::SetPacketInFormat(format) => w.u32(format.to_wire()),
            Experimenter::SetControllerId(number) | Experimenter::CtFlushZone(number) => {
                w.zeros(6);
                w.u16(*number);
            }
            Experimenter::PacketIn2(packet) | Experimenter::Resume(packet) => packet.encode(w),
            Experimenter::TlvTableMod(change) => change.encode(w),
            Experimenter::TlvTableRequest => {}
            Experimenter::TlvTableReply(reply) => reply.encode(w),
            Experimenter::CtFlush(flush) => flush.encode(w),
            Experimenter::Raw { data, .. } => w.bytes(data),
        }
    }
}

impl Experimenter {
    fn id(&self) -> (u32, u32) {
        let subtype = match self {
            Experimenter::SetPacketInFormat(_) => subtype::SET_PACKET_IN_FORMAT,
            Experimenter::SetControllerId(_) => subtype::SET_CONTROLLER_ID,
            Experimenter::PacketIn2(_) => subtype::PACKET_IN2,
            Experimenter::Resume(_) => subtype::RESUME,
            Experimenter::TlvTableMod(_) => subtype::TLV_TABLE_MOD,
            Experimenter::TlvTableRequest => subtype::TLV_TABLE_REQUEST,
            Experimenter::TlvTableReply(_) => subtype::TLV_TABLE_REPLY,
            Experimenter::CtFlushZone(_) => subtype::CT_FLUSH_ZONE,
            Experimenter::CtFlush(_) => subtype::CT_FLUSH,
            Experimenter::Raw { experimenter, subtype, .. } => return (*experimenter, *subtype),
        };
        (NICIRA, subtype)
    }
}

/// A 16-bit number at the end of 8 bytes, the form in which some messages carry just that.
fn short_after_zeros(r: &mut Reader<'_>) -> Result<u16, DecodeError> {
    r.skip(6)?;
    r.u16()
}
