//! Queues and their counters (OpenFlow 1.5 sections 7.3.5.7 and 7.3.5.8).

use super::group::{decode_duration, encode_duration};
use crate::error::DecodeError;
use crate::ids::PortNo;
use crate::message::codec::{
    Part, Property, decode_all, encode_all, next_property, put_property, rest_of, share_rest,
};
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use std::time::Duration;

/// Which queues are meant (`ofp_queue_multipart_request`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFilter {
    /// Those of this port, or of every port with [`PortNo::ANY`].
    pub port: PortNo,
    /// The queue, or every queue with all ones.
    pub queue: u32,
}

impl Part for QueueFilter {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        Ok(QueueFilter { port: PortNo(r.u32()?), queue: r.u32()? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.port.0);
        w.u32(self.queue);
    }
}

/// A queue's counters (`ofp_queue_stats`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// The port it belongs to.
    pub port: PortNo,
    /// Which queue.
    pub queue: u32,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets dropped because the queue was full.
    pub tx_errors: u64,
    /// How long it has been there, if the switch knows.
    pub duration: Option<Duration>,
    /// Anything more.
    pub properties: Vec<Property>,
}

impl Part for QueueStats {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let length = r.u16()?;
        let mut body = rest_of(r, &start, length)?;
        body.skip(6)?;
        Ok(QueueStats {
            port: PortNo(body.u32()?),
            queue: body.u32()?,
            tx_bytes: body.u64()?,
            tx_packets: body.u64()?,
            tx_errors: body.u64()?,
            duration: decode_duration(&mut body)?,
            properties: decode_all(&mut body, src)?,
        })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.zeros(8);
        w.u32(self.port.0);
        w.u32(self.queue);
        w.u64(self.tx_bytes);
        w.u64(self.tx_packets);
        w.u64(self.tx_errors);
        encode_duration(self.duration, w);
        encode_all(&self.properties, w);
        w.patch_len(mark, mark);
    }
}

/// A queue (`ofp_queue_desc`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDesc {
    /// The port it belongs to.
    pub port: PortNo,
    /// Which queue.
    pub queue: u32,
    /// What it guarantees.
    pub properties: Vec<QueueProperty>,
}

impl Part for QueueDesc {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let (port, queue, length) = (PortNo(r.u32()?), r.u32()?, r.u16()?);
        let mut body = rest_of(r, &start, length)?;
        body.skip(6)?;
        Ok(QueueDesc { port, queue, properties: decode_all(&mut body, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u32(self.port.0);
        w.u32(self.queue);
        w.zeros(8);
        encode_all(&self.properties, w);
        w.patch_len(mark + 8, mark);
    }
}

/// What a queue guarantees (`ofp_queue_desc_prop_header`); rates are in tenths of a percent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueProperty {
    /// At least this much; more than 1000 for none.
    MinRate(u16),
    /// At most this much; more than 1000 for none.
    MaxRate(u16),
    /// A property of another type.
    Raw(Property),
}

const MIN_RATE: u16 = 1;
const MAX_RATE: u16 = 2;

impl Part for QueueProperty {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        Ok(match (kind, body.remaining()) {
            (MIN_RATE, 4) => QueueProperty::MinRate(body.u16()?),
            (MAX_RATE, 4) => QueueProperty::MaxRate(body.u16()?),
            _ => QueueProperty::Raw(Property { kind, data: share_rest(&mut body, src) }),
        })
    }

    fn encode(&self, w: &mut Writer) {
        let (kind, rate) = match self {
            QueueProperty::MinRate(rate) => (MIN_RATE, *rate),
            QueueProperty::MaxRate(rate) => (MAX_RATE, *rate),
            QueueProperty::Raw(raw) => return raw.encode(w),
        };
        put_property(w, kind, |w| {
            w.u16(rate);
            w.zeros(2);
        });
    }
}
