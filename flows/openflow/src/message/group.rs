//! Groups and their buckets (OpenFlow 1.5 section 7.3.4.3), with Netronome's selection method.

use super::bucket::Bucket;
use super::codec::{
    PaddedText, Part, Property, decode_all, encode_all, next_property, open_enum, put_property, share_rest,
};
use crate::error::DecodeError;
use crate::ids::{BucketId, GroupId};
use crate::oxm::Match;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// How groups are changed (`ofp_group_mod_command`).
    pub enum GroupCommand: u16 {
        /// Make a group that is not there yet.
        Add = 0,
        /// Replace a group that is there.
        Modify = 1,
        /// Remove a group, or all with [`GroupId::ALL`]; flows that send to it go with it.
        Delete = 2,
        /// Put buckets into a group, after the bucket that is named.
        InsertBucket = 3,
        /// Take buckets out of a group.
        RemoveBucket = 5,
        /// Make the group or replace it (an Open vSwitch extension).
        AddOrModify = 0x8000,
    }
}

open_enum! {
    /// What a group does with its buckets (`ofp_group_type`).
    pub enum GroupType: u8 {
        /// A copy of the packet goes to every bucket.
        All = 0,
        /// The packet goes to one bucket, chosen by hash and weight.
        Select = 1,
        /// The one bucket is used.
        Indirect = 2,
        /// The packet goes to the first bucket that is alive.
        FastFailover = 3,
    }
}

/// A change of groups (`ofp_group_mod`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMod {
    /// What is done.
    pub command: GroupCommand,
    /// What the group does with its buckets.
    pub kind: GroupType,
    /// Which group.
    pub group: GroupId,
    /// For insert: the bucket behind which the new ones go, or `FIRST` or `LAST`. For remove: which bucket
    /// goes, or `FIRST`, `LAST`, `ALL`. Otherwise `ALL`.
    pub command_bucket: BucketId,
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// What else there is to say about the group.
    pub properties: Vec<GroupProperty>,
}

impl GroupMod {
    /// How many bytes the buckets and properties of one group may take as they travel, all messages that
    /// made it together: 2,729 buckets of one output each.
    ///
    /// A larger group can be made, by [`GroupMod::insert_buckets`], and it forwards; but it must never be.
    /// A switch describes a group in one entry of one message, and Open vSwitch 3.1 does not notice that this
    /// one exceeds 65,535 bytes: lengths wrap around, and asking for the description leaves the connection
    /// out of step. Chain several groups instead.
    pub const MAX_CONTENT: usize = 0xffff - 16 - 16;

    /// Makes a group that is not there yet.
    pub fn add(group: GroupId, kind: GroupType, buckets: Vec<Bucket>) -> GroupMod {
        let (command, command_bucket) = (GroupCommand::Add, BucketId::ALL);
        GroupMod { command, kind, group, command_bucket, buckets, properties: Vec::new() }
    }

    /// Makes the group or replaces it, whichever is needed (Open vSwitch only).
    pub fn put(group: GroupId, kind: GroupType, buckets: Vec<Bucket>) -> GroupMod {
        GroupMod { command: GroupCommand::AddOrModify, ..GroupMod::add(group, kind, buckets) }
    }

    /// Replaces a group that is there.
    pub fn modify(group: GroupId, kind: GroupType, buckets: Vec<Bucket>) -> GroupMod {
        GroupMod { command: GroupCommand::Modify, ..GroupMod::add(group, kind, buckets) }
    }

    /// Removes a group if it is there; [`GroupId::ALL`] removes every group.
    pub fn delete(group: GroupId) -> GroupMod {
        GroupMod { command: GroupCommand::Delete, ..GroupMod::add(group, GroupType::All, Vec::new()) }
    }

    /// Puts buckets into a group behind the bucket `after`. The whole group must stay within
    /// [`GroupMod::MAX_CONTENT`], which no switch checks.
    pub fn insert_buckets(group: GroupId, after: BucketId, buckets: Vec<Bucket>) -> GroupMod {
        let (command, command_bucket) = (GroupCommand::InsertBucket, after);
        GroupMod { command, command_bucket, ..GroupMod::add(group, GroupType::All, buckets) }
    }

    /// Takes one bucket, or with [`BucketId::ALL`] every bucket, out of a group.
    pub fn remove_bucket(group: GroupId, bucket: BucketId) -> GroupMod {
        let (command, command_bucket) = (GroupCommand::RemoveBucket, bucket);
        GroupMod { command, command_bucket, ..GroupMod::add(group, GroupType::All, Vec::new()) }
    }
}

impl Part for GroupMod {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (command, kind) = (GroupCommand::from_wire(r.u16()?), GroupType::from_wire(r.u8()?));
        r.skip(1)?;
        let (group, buckets_len) = (GroupId(r.u32()?), usize::from(r.u16()?));
        r.skip(2)?;
        let command_bucket = BucketId(r.u32()?);
        let buckets = decode_all(&mut r.sub(buckets_len)?, src)?;
        let properties = decode_all(r, src)?;
        Ok(GroupMod { command, kind, group, command_bucket, buckets, properties })
    }

    fn encode(&self, w: &mut Writer) {
        w.u16(self.command.to_wire());
        w.u8(self.kind.to_wire());
        w.zeros(1);
        w.u32(self.group.0);
        let buckets_len = w.len();
        w.u16(0);
        w.zeros(2);
        w.u32(self.command_bucket.0);
        let mark = w.len();
        encode_all(&self.buckets, w);
        w.patch_len(buckets_len, mark);
        encode_all(&self.properties, w);
    }
}

/// More about a group (`ofp_group_prop_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupProperty {
    /// How a select group chooses its bucket.
    Selection(Selection),
    /// A property of another type.
    Raw(Property),
}

/// How a select group chooses its bucket (Netronome's extension, which Open vSwitch implements).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `hash` over the fields, or `dp_hash` for what the datapath computes.
    pub method: PaddedText<16>,
    /// A parameter of the method; for `dp_hash` the algorithm, for `hash` the seed.
    pub parameter: u64,
    /// The fields that are hashed; a value is the mask of the bits that count.
    pub fields: Match,
}

impl Selection {
    /// Chooses by a hash of these fields; each field's value is the mask of the bits that count.
    pub fn hash(fields: Match) -> Selection {
        Selection { method: PaddedText::new("hash"), parameter: 0, fields }
    }

    /// Chooses by the datapath's own hash of the packet.
    pub fn dp_hash() -> Selection {
        Selection { method: PaddedText::new("dp_hash"), ..Selection::default() }
    }
}

const EXPERIMENTER: u16 = 0xffff;
const NETRONOME: u32 = 0x0000_154d;
const SELECTION_METHOD: u32 = 1;

impl Part for GroupProperty {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        let mut peek = body.clone();
        let header = (kind, peek.u32().unwrap_or(0), peek.u32().unwrap_or(0));
        if header != (EXPERIMENTER, NETRONOME, SELECTION_METHOD) {
            return Ok(GroupProperty::Raw(Property { kind, data: share_rest(&mut body, src) }));
        }
        body.skip(12)?;
        let (method, parameter) = (PaddedText::from(body.array()?), body.u64()?);
        let fields = Match::decode_fields(&mut body)?;
        Ok(GroupProperty::Selection(Selection { method, parameter, fields }))
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            GroupProperty::Selection(selection) => put_property(w, EXPERIMENTER, |w| {
                w.u32(NETRONOME);
                w.u32(SELECTION_METHOD);
                w.zeros(4);
                w.bytes(selection.method.as_bytes());
                w.u64(selection.parameter);
                selection.fields.encode_fields(w);
            }),
            GroupProperty::Raw(raw) => raw.encode(w),
        }
    }
}
