//! The groups of a switch, their counters, and what groups can do (OpenFlow 1.5 sections 7.3.5.9 to 7.3.5.11).

use crate::error::DecodeError;
use crate::ids::GroupId;
use crate::message::codec::{Part, decode_all, encode_all, rest_of};
use crate::message::{Bucket, GroupProperty, GroupType};
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use std::time::Duration;

/// A group on a switch (`ofp_group_desc`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDesc {
    /// What it does with its buckets.
    pub kind: GroupType,
    /// Which group.
    pub group: GroupId,
    /// Its buckets.
    pub buckets: Vec<Bucket>,
    /// What else there is to say about it.
    pub properties: Vec<GroupProperty>,
}

impl Part for GroupDesc {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let length = r.u16()?;
        let mut body = rest_of(r, &start, length)?;
        let kind = GroupType::from_wire(body.u8()?);
        body.skip(1)?;
        let (group, buckets_len) = (GroupId(body.u32()?), usize::from(body.u16()?));
        body.skip(6)?;
        let buckets = decode_all(&mut body.sub(buckets_len)?, src)?;
        Ok(GroupDesc { kind, group, buckets, properties: decode_all(&mut body, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u16(0);
        w.u8(self.kind.to_wire());
        w.zeros(1);
        w.u32(self.group.0);
        w.zeros(8);
        let buckets = w.len();
        encode_all(&self.buckets, w);
        w.patch_len(mark + 8, buckets);
        encode_all(&self.properties, w);
        w.patch_len(mark, mark);
    }
}

/// How much was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets; all ones when the switch does not know.
    pub packets: u64,
    /// Bytes of these packets; all ones when the switch does not know.
    pub bytes: u64,
}

impl Part for Counted {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        Ok(Counted { packets: r.u64()?, bytes: r.u64()? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u64(self.packets);
        w.u64(self.bytes);
    }
}

/// A group's counters (`ofp_group_stats`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStats {
    /// Which group.
    pub group: GroupId,
    /// How many flows and groups send to it.
    pub references: u32,
    /// What went through it.
    pub counted: Counted,
    /// How long it has been there, if the switch knows.
    pub duration: Option<Duration>,
    /// What went through each of its buckets.
    pub buckets: Vec<Counted>,
}

impl Part for GroupStats {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let length = r.u16()?;
        let mut body = rest_of(r, &start, length)?;
        body.skip(2)?;
        let (group, references) = (GroupId(body.u32()?), body.u32()?);
        body.skip(4)?;
        let counted = Counted::decode(&mut body, src)?;
        let duration = decode_duration(&mut body)?;
        Ok(GroupStats { group, references, counted, duration, buckets: decode_all(&mut body, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u32(0);
        w.u32(self.group.0);
        w.u32(self.references);
        w.zeros(4);
        self.counted.encode(w);
        encode_duration(self.duration, w);
        encode_all(&self.buckets, w);
        w.patch_len(mark, mark);
    }
}

/// Reads seconds and nanoseconds, 32 bits each; all ones is how a switch says that it does not know.
pub(super) fn decode_duration(r: &mut Reader<'_>) -> Result<Option<Duration>, DecodeError> {
    let (secs, nanos) = (r.u32()?, r.u32()?);
    if (secs, nanos) == (u32::MAX, u32::MAX) {
        return Ok(None);
    }
    // Nanoseconds past a full second mean nothing, and would overflow into the seconds.
    Ok(Some(Duration::new(u64::from(secs), nanos.min(999_999_999))))
}

/// Writes seconds and nanoseconds, 32 bits each.
pub(super) fn encode_duration(duration: Option<Duration>, w: &mut Writer) {
    match duration {
        Some(duration) => {
            w.u32(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX));
            w.u32(duration.subsec_nanos());
        }
        None => w.u64(u64::MAX),
    }
}

/// What groups can do (`ofp_group_features`). Arrays go by type: all, select, indirect, fast failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupFeatures {
    /// One bit for each type that the switch knows.
    pub types: u32,
    /// What it can do (`ofp_group_capabilities`).
    pub capabilities: u32,
    /// How many groups of each type there may be.
    pub max_groups: [u32; 4],
    /// One bit for each standard action that buckets of each type may hold.
    pub actions: [u32; 4],
}

impl Part for GroupFeatures {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        let (types, capabilities) = (r.u32()?, r.u32()?);
        let mut by_type = || Ok([r.u32()?, r.u32()?, r.u32()?, r.u32()?]);
        Ok(GroupFeatures { types, capabilities, max_groups: by_type()?, actions: by_type()? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.types);
        w.u32(self.capabilities);
        for &value in self.max_groups.iter().chain(&self.actions) {
            w.u32(value);
        }
    }
}
