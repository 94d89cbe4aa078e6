//! One bucket of a group (`ofp_bucket`, OpenFlow 1.5 section 7.3.4.3.1).

use super::codec::{
    Part, Property, decode_all, encode_all, next_property, put_property, rest_of, share_rest,
};
use crate::action::Action;
use crate::error::DecodeError;
use crate::ids::{BucketId, GroupId, PortNo};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// One way that a group can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its number, unique in the group and at most [`BucketId::MAX`].
    pub id: BucketId,
    /// What happens to the packet (or to its copy).
    pub actions: Vec<Action>,
    /// When and how often it is taken.
    pub properties: Vec<BucketProperty>,
}

impl Bucket {
    /// A bucket without properties.
    pub fn new(id: BucketId, actions: Vec<Action>) -> Bucket {
        Bucket { id, actions, properties: Vec::new() }
    }

    /// The same bucket with one more property.
    #[must_use]
    pub fn with(mut self, property: BucketProperty) -> Bucket {
        self.properties.push(property);
        self
    }
}

impl Part for Bucket {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let (length, actions_len) = (r.u16()?, usize::from(r.u16()?));
        let mut body = rest_of(r, &start, length)?;
        let id = BucketId(body.u32()?);
        let actions = Action::decode_list(&mut body, actions_len)?;
        Ok(Bucket { id, actions, properties: decode_all(&mut body, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u32(0);
        w.u32(self.id.0);
        let actions = w.len();
        Action::encode_list(&self.actions, w);
        w.patch_len(mark + 2, actions);
        encode_all(&self.properties, w);
        w.patch_len(mark, mark);
    }
}

/// When and how often a bucket is taken (`ofp_group_bucket_prop_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketProperty {
    /// Its share of the traffic, in select groups.
    Weight(u16),
    /// It is alive while this port is, in fast-failover groups.
    WatchPort(PortNo),
    /// It is alive while this group is, in fast-failover groups.
    WatchGroup(GroupId),
    /// A property of another type.
    Raw(Property),
}

const WEIGHT: u16 = 0;
const WATCH_PORT: u16 = 1;
const WATCH_GROUP: u16 = 2;

impl Part for BucketProperty {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        Ok(match (kind, body.remaining()) {
            (WEIGHT, 4) => BucketProperty::Weight(body.u16()?),
            (WATCH_PORT, 4) => BucketProperty::WatchPort(PortNo(body.u32()?)),
            (WATCH_GROUP, 4) => BucketProperty::WatchGroup(GroupId(body.u32()?)),
            _ => BucketProperty::Raw(Property { kind, data: share_rest(&mut body, src) }),
        })
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            BucketProperty::Weight(weight) => put_property(w, WEIGHT, |w| {
                w.u16(*weight);
                w.zeros(2);
            }),
            BucketProperty::WatchPort(port) => put_property(w, WATCH_PORT, |w| w.u32(port.0)),
            BucketProperty::WatchGroup(group) => put_property(w, WATCH_GROUP, |w| w.u32(group.0)),
            BucketProperty::Raw(raw) => raw.encode(w),
        }
    }
}
