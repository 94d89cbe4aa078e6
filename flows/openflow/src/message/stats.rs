//! Flow counters as a list of fields (`ofp_stats`, the OXS format, OpenFlow 1.5 section 7.2.4).

use super::codec::{Part, share};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use std::time::Duration;

/// The class of the standard counters.
const BASIC: u16 = 0x8002;

/// What is known of a flow, or of several together; what the switch did not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowStats {
    /// How long the flow has been there.
    pub duration: Option<Duration>,
    /// How long no packet has hit it.
    pub idle_time: Option<Duration>,
    /// How many flows were counted (aggregates only).
    pub flows: Option<u32>,
    /// How many packets hit it.
    pub packets: Option<u64>,
    /// How many bytes these packets had.
    pub bytes: Option<u64>,
    /// Counters that this crate does not know.
    pub others: Vec<RawStat>,
}

/// A counter that is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawStat {
    /// Its class.
    pub class: u16,
    /// Its number, in the upper 7 bits, and a reserved bit.
    pub field: u8,
    /// Its value, at most 255 bytes.
    pub value: Bytes,
}

impl Part for FlowStats {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        r.skip(2)?;
        let length = usize::from(r.u16()?);
        let body = length.checked_sub(4).ok_or(start.error(DecodeErrorKind::BadLength))?;
        let mut fields = r.sub(body)?;
        r.skip((length.next_multiple_of(8) - length).min(r.remaining()))?;
        let mut stats = FlowStats::default();
        while !fields.is_empty() {
            stats.decode_field(&mut fields, src)?;
        }
        Ok(stats)
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u32(0);
        for (number, time) in [(0, self.duration), (1, self.idle_time)] {
            if let Some(time) = time {
                put_header(w, number, 8);
                // The wire has 32 bits for seconds; what lasts longer than 136 years is told as that.
                w.u32(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
                w.u32(time.subsec_nanos());
            }
        }
        for (number, count) in [(4, self.packets), (5, self.bytes)] {
            if let Some(count) = count {
                put_header(w, number, 8);
                w.u64(count);
            }
        }
        // Any order will do; Open vSwitch puts the number of flows last, so its bytes come out as they came.
        if let Some(flows) = self.flows {
            put_header(w, 3, 4);
            w.u32(flows);
        }
        for other in &self.others {
            w.u16(other.class);
            w.u8(other.field);
            let value = &other.value[..other.value.len().min(255)];
            w.u8(u8::try_from(value.len()).unwrap_or(u8::MAX));
            w.bytes(value);
        }
        w.patch_len(mark + 2, mark);
        w.pad8(mark);
    }
}

fn put_header(w: &mut Writer, number: u8, length: u8) {
    w.u16(BASIC);
    w.u8(number << 1);
    w.u8(length);
}

impl FlowStats {
    fn decode_field(&mut self, r: &mut Reader<'_>, src: &Bytes) -> Result<(), DecodeError> {
        let (class, field, length) = (r.u16()?, r.u8()?, r.u8()?);
        match (class, field, length) {
            (BASIC, 0, 8) => self.duration = Some(duration(r)?),
            (BASIC, 2, 8) => self.idle_time = Some(duration(r)?),
            (BASIC, 6, 4) => self.flows = Some(r.u32()?),
            (BASIC, 8, 8) => self.packets = Some(r.u64()?),
            (BASIC, 10, 8) => self.bytes = Some(r.u64()?),
            _ => {
                let value = share(r, src, usize::from(length))?;
                self.others.push(RawStat { class, field, value });
            }
        }
        Ok(())
    }
}

fn duration(r: &mut Reader<'_>) -> Result<Duration, DecodeError> {
    let (secs, nanos) = (r.u32()?, r.u32()?);
    // Nanoseconds past a full second mean nothing, and would overflow into the seconds.
    Ok(Duration::new(u64::from(secs), nanos.min(999_999_999)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_survive_with_unknown_ones_among_them() {
        let stats = FlowStats {
            duration: Some(Duration::new(3, 7)),
            packets: Some(9),
            others: vec![RawStat { class: 0xffff, field: 3, value: Bytes::from_static(b"12345") }],
            ..FlowStats::default()
        };
        let mut w = Writer::new();
        stats.encode(&mut w);
        assert_eq!(w.len() % 8, 0);
        let bytes = w.into_bytes();
        assert_eq!(FlowStats::decode(&mut Reader::new(&bytes), &bytes).unwrap(), stats);
    }
}
