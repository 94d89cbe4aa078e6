//! The meters of a switch, their counters, and what meters can do (OpenFlow 1.5 sections 7.3.5.12 to 7.3.5.14).

use super::group::{Counted, decode_duration, encode_duration};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::MeterId;
use crate::message::codec::{Part, decode_all, encode_all, rest_of};
use crate::message::{MeterBand, MeterFlags};
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use std::time::Duration;

/// A meter on a switch (`ofp_meter_desc`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterConfig {
    /// How it counts.
    pub flags: MeterFlags,
    /// Which meter.
    pub meter: MeterId,
    /// What happens at which rate.
    pub bands: Vec<MeterBand>,
}

impl Part for MeterConfig {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let length = r.u16()?;
        let mut body = rest_of(r, &start, length)?;
        let (flags, meter) = (MeterFlags::from_bits_retain(body.u16()?), MeterId(body.u32()?));
        Ok(MeterConfig { flags, meter, bands: decode_all(&mut body, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u16(0);
        w.u16(self.flags.bits());
        w.u32(self.meter.0);
        encode_all(&self.bands, w);
        w.patch_len(mark, mark);
    }
}

/// A meter's counters (`ofp_meter_stats`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterStats {
    /// Which meter.
    pub meter: MeterId,
    /// How many flows use it.
    pub references: u32,
    /// What came in.
    pub counted: Counted,
    /// How long it has been there, if the switch knows.
    pub duration: Option<Duration>,
    /// What each band has treated.
    pub bands: Vec<Counted>,
}

impl Part for MeterStats {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let (meter, length) = (MeterId(r.u32()?), r.u16()?);
        let mut body = rest_of(r, &start, length)?;
        body.skip(6)?;
        let (references, counted) = (body.u32()?, Counted::decode(&mut body, src)?);
        let duration = decode_duration(&mut body)?;
        Ok(MeterStats { meter, references, counted, duration, bands: decode_all(&mut body, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u32(self.meter.0);
        w.zeros(8);
        w.u32(self.references);
        self.counted.encode(w);
        encode_duration(self.duration, w);
        encode_all(&self.bands, w);
        w.patch_len(mark + 4, mark);
    }
}

/// What meters can do (`ofp_meter_features`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterFeatures {
    /// How many meters there may be.
    pub max_meters: u32,
    /// One bit for each kind of band.
    pub band_types: u32,
    /// What meters can do, as [`MeterFlags`] bits.
    pub capabilities: u32,
    /// How many bands a meter may have.
    pub max_bands: u8,
    /// The highest colour; 0 without colours.
    pub max_color: u8,
    /// More of it, which only OpenFlow 1.5 has and Open vSwitch leaves out.
    pub features: Option<u32>,
}

impl Part for MeterFeatures {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        let (max_meters, band_types, capabilities) = (r.u32()?, r.u32()?, r.u32()?);
        let (max_bands, max_color) = (r.u8()?, r.u8()?);
        r.skip(2)?;
        let features = match r.remaining() {
            0 => None,
            8 => Some(r.u32()?),
            _ => return Err(r.error(DecodeErrorKind::BadLength)),
        };
        r.skip(r.remaining())?;
        Ok(MeterFeatures { max_meters, band_types, capabilities, max_bands, max_color, features })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.max_meters);
        w.u32(self.band_types);
        w.u32(self.capabilities);
        w.bytes(&[self.max_bands, self.max_color, 0, 0]);
        if let Some(features) = self.features {
            w.u32(features);
            w.zeros(4);
        }
    }
}
