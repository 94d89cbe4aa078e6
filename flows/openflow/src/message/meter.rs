//! Meters: rate limits that flows can share (OpenFlow 1.5 section 7.3.4.5).

use super::codec::{Part, decode_all, encode_all, open_enum, open_flags, rest_of, share_rest};
use crate::error::DecodeError;
use crate::ids::MeterId;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// How a meter is changed (`ofp_meter_mod_command`).
    pub enum MeterCommand: u16 {
        /// Make a meter that is not there yet.
        Add = 0,
        /// Replace a meter that is there.
        Modify = 1,
        /// Remove a meter, or all with [`MeterId::ALL`]; flows that use it go with it.
        Delete = 2,
    }
}

open_flags! {
    /// How a meter counts (`ofp_meter_flags`).
    pub struct MeterFlags: u16 {
        /// Rates are in kilobits per second.
        KBPS = 1 << 0;
        /// Rates are in packets per second.
        PKTPS = 1 << 1;
        /// Burst sizes mean something.
        BURST = 1 << 2;
        /// It keeps counters.
        STATS = 1 << 3;
    }
}

/// A change of meters (`ofp_meter_mod`). Open vSwitch takes it outside bundles only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterMod {
    /// What is done.
    pub command: MeterCommand,
    /// How the meter counts.
    pub flags: MeterFlags,
    /// Which meter.
    pub meter: MeterId,
    /// What happens at which rate.
    pub bands: Vec<MeterBand>,
}

impl Part for MeterMod {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (command, flags) = (MeterCommand::from_wire(r.u16()?), MeterFlags::from_bits_retain(r.u16()?));
        Ok(MeterMod { command, flags, meter: MeterId(r.u32()?), bands: decode_all(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u16(self.command.to_wire());
        w.u16(self.flags.bits());
        w.u32(self.meter.0);
        encode_all(&self.bands, w);
    }
}

/// What happens to packets above a rate (`ofp_meter_band_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterBand {
    /// The rate from which on the band is used, in the meter's unit.
    pub rate: u32,
    /// How much may pass at once, in kilobits or packets.
    pub burst: u32,
    /// What happens.
    pub kind: BandKind,
}

/// What a band does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BandKind {
    /// The packet is dropped.
    Drop,
    /// The drop precedence in the packet's DSCP is raised by this many levels.
    DscpRemark(u8),
    /// Another kind, by its number, with what follows the burst size.
    Raw(u16, Bytes),
}

const DROP: u16 = 1;
const DSCP_REMARK: u16 = 2;

impl Part for MeterBand {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let (kind, length) = (r.u16()?, r.u16()?);
        let mut body = rest_of(r, &start, length)?;
        let (rate, burst) = (body.u32()?, body.u32()?);
        let kind = match (kind, body.remaining()) {
            (DROP, 4) => BandKind::Drop,
            (DSCP_REMARK, 4) => BandKind::DscpRemark(body.u8()?),
            _ => BandKind::Raw(kind, share_rest(&mut body, src)),
        };
        Ok(MeterBand { rate, burst, kind })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u16(match self.kind {
            BandKind::Drop => DROP,
            BandKind::DscpRemark(_) => DSCP_REMARK,
            BandKind::Raw(kind, _) => kind,
        });
        w.u16(0);
        w.u32(self.rate);
        w.u32(self.burst);
        match &self.kind {
            BandKind::Drop => w.zeros(4),
            BandKind::DscpRemark(levels) => w.bytes(&[*levels, 0, 0, 0]),
            BandKind::Raw(_, data) => w.bytes(data),
        }
        w.patch_len(mark + 2, mark);
    }
}
