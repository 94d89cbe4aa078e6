//! Ports' counters (OpenFlow 1.5 section 7.3.5.6).

use super::group::{decode_duration, encode_duration};
use crate::error::DecodeError;
use crate::ids::PortNo;
use crate::message::codec::{
    Part, Property, decode_all, encode_all, next_property, put_property, rest_of, share_rest,
};
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use std::time::Duration;

/// A port's counters (`ofp_port_stats`); all ones when the switch does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStats {
    /// Which port.
    pub port: PortNo,
    /// How long it has been there, if the switch knows.
    pub duration: Option<Duration>,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets dropped on receiving.
    pub rx_dropped: u64,
    /// Packets dropped on sending.
    pub tx_dropped: u64,
    /// Errors on receiving.
    pub rx_errors: u64,
    /// Errors on sending.
    pub tx_errors: u64,
    /// Counters of its medium.
    pub properties: Vec<PortStatsProperty>,
}

impl Part for PortStats {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let length = r.u16()?;
        let mut body = rest_of(r, &start, length)?;
        body.skip(2)?;
        let (port, duration) = (PortNo(body.u32()?), decode_duration(&mut body)?);
        Ok(PortStats {
            port,
            duration,
            rx_packets: body.u64()?,
            tx_packets: body.u64()?,
            rx_bytes: body.u64()?,
            tx_bytes: body.u64()?,
            rx_dropped: body.u64()?,
            tx_dropped: body.u64()?,
            rx_errors: body.u64()?,
            tx_errors: body.u64()?,
            properties: decode_all(&mut body, src)?,
        })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u32(0);
        w.u32(self.port.0);
        encode_duration(self.duration, w);
        for count in [self.rx_packets, self.tx_packets, self.rx_bytes, self.tx_bytes] {
            w.u64(count);
        }
        for count in [self.rx_dropped, self.tx_dropped, self.rx_errors, self.tx_errors] {
            w.u64(count);
        }
        encode_all(&self.properties, w);
        w.patch_len(mark, mark);
    }
}

/// Counters of a port's medium (`ofp_port_stats_prop_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortStatsProperty {
    /// Those of an Ethernet port.
    Ethernet(EthernetErrors),
    /// A property of another type; Open vSwitch's counters by packet size are one.
    Raw(Property),
}

/// What went wrong on an Ethernet port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EthernetErrors {
    /// Badly aligned frames.
    pub rx_frame: u64,
    /// Overruns on receiving.
    pub rx_over: u64,
    /// Bad checksums.
    pub rx_crc: u64,
    /// Collisions.
    pub collisions: u64,
}

const ETHERNET: u16 = 0;

impl Part for PortStatsProperty {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        if (kind, body.remaining()) != (ETHERNET, 36) {
            return Ok(PortStatsProperty::Raw(Property { kind, data: share_rest(&mut body, src) }));
        }
        body.skip(4)?;
        Ok(PortStatsProperty::Ethernet(EthernetErrors {
            rx_frame: body.u64()?,
            rx_over: body.u64()?,
            rx_crc: body.u64()?,
            collisions: body.u64()?,
        }))
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            PortStatsProperty::Ethernet(errors) => put_property(w, ETHERNET, |w| {
                w.zeros(4);
                w.u64(errors.rx_frame);
                w.u64(errors.rx_over);
                w.u64(errors.rx_crc);
                w.u64(errors.collisions);
            }),
            PortStatsProperty::Raw(raw) => raw.encode(w),
        }
    }
}
