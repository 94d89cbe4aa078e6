//! A parcel: one bundle of messages, encoded once and sent to any number of switches.
//!
//! Transaction and bundle ids are the same on every connection, so an error's xid leads back to its parcel on any of
//! them (OpenFlow 1.5 section 7.3.9; Open vSwitch wants the outer and the inner xid of a bundle-add to be equal).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use weft_compiler::{Delta, Flow, FlowKey, GroupDelta};
use weft_openflow::message::{
    BundleCommand, BundleWriter, FlowCommand, FlowParts, GroupCommand, GroupParts, GroupType,
};
use weft_openflow::{BucketId, BundleId, Cookie, GroupId, TableId, Writer, Xid};

/// How many messages one bundle carries at most. A thousand costs a switch no more than a plain stream of messages
/// does, and its packets wait for a few milliseconds at the longest.
pub const MESSAGES_PER_PARCEL: usize = 1000;
/// How many buckets one message carries at most: a bucket takes some 50 bytes and a message 65,535.
const BUCKETS_PER_MESSAGE: usize = 900;

/// One bundle, from open to commit.
#[derive(Debug)]
pub struct Parcel {
    /// The encoded messages.
    pub bytes: Bytes,
    /// The xid of the bundle's first message.
    pub first: u32,
    /// The xid of the commit, whose answer confirms the parcel.
    pub commit: u32,
    /// How many flow and group messages it carries.
    pub messages: usize,
}

impl Parcel {
    /// True if the xid belongs to one of the parcel's messages.
    pub fn carries(&self, xid: Xid) -> bool {
        // Ids wrap, so compare distances.
        xid.0.wrapping_sub(self.first) <= self.commit.wrapping_sub(self.first)
    }
}

/// Makes parcels; owns the xid and bundle id counters.
#[derive(Debug)]
pub struct Press {
    next_xid: u32,
    next_bundle: u32,
}

impl Default for Press {
    /// Starts above the xids that sessions use for themselves.
    fn default() -> Press {
        Press { next_xid: FIRST_XID, next_bundle: 1 }
    }
}

/// Xids below are left to sessions' own requests (hello, features, read-backs, echoes).
pub const FIRST_XID: u32 = 0x0100_0000;

/// One message of a delta, in the order in which a switch can take them: groups before the flows that use them,
/// deletes before adds (a place may change its owner), and groups go last.
enum Step<'a> {
    PutGroup(u32, Vec<(BucketId, &'a [u8])>),
    InsertBuckets(u32, Vec<(BucketId, &'a [u8])>),
    DeleteFlow(&'a FlowKey),
    AddFlow(&'a Flow),
    RemoveBucket(u32, BucketId),
    DeleteGroup(u32),
}

impl Press {
    /// Encodes a delta as few bundles as its size allows. An empty delta gives none.
    pub fn print(&mut self, delta: &Delta) -> Vec<Arc<Parcel>> {
        let steps = steps(delta);
        steps.chunks(MESSAGES_PER_PARCEL).map(|chunk| Arc::new(self.bundle(chunk))).collect()
    }

    fn bundle(&mut self, steps: &[Step<'_>]) -> Parcel {
        let count = u32::try_from(steps.len()).expect("a parcel has at most MESSAGES_PER_PARCEL steps");
        if self.next_xid.checked_add(count + 2).is_none() {
            self.next_xid = FIRST_XID;
        }
        let first = self.next_xid;
        let commit = first + count + 1;
        let place = BundleWriter::atomic(BundleId(self.next_bundle));
        let mut writer = Writer::new();
        place.control(BundleCommand::OpenRequest, Xid(first), &mut writer);
        for (xid, step) in (first + 1..).zip(steps) {
            step.write(place, Xid(xid), &mut writer);
        }
        place.control(BundleCommand::CommitRequest, Xid(commit), &mut writer);
        (self.next_xid, self.next_bundle) = (commit + 1, self.next_bundle.wrapping_add(1));
        Parcel { bytes: writer.into_bytes(), first, commit, messages: steps.len() }
    }
}

fn steps(delta: &Delta) -> Vec<Step<'_>> {
    let mut steps = Vec::with_capacity(delta.len());
    for group in &delta.groups {
        match group {
            GroupDelta::Put(group) => put_group(group.id, &group.buckets, &mut steps),
            GroupDelta::Insert { id, buckets } => insert_buckets(*id, &listed(buckets), &mut steps),
            GroupDelta::Remove { .. } | GroupDelta::Delete { .. } => {}
        }
    }
    steps.extend(delta.delete.iter().map(Step::DeleteFlow));
    steps.extend(delta.add.iter().map(Step::AddFlow));
    for group in &delta.groups {
        match group {
            GroupDelta::Remove { id, buckets } => {
                steps.extend(buckets.iter().map(|bucket| Step::RemoveBucket(*id, BucketId(*bucket))));
            }
            GroupDelta::Delete { id } => steps.push(Step::DeleteGroup(*id)),
            GroupDelta::Put(_) | GroupDelta::Insert { .. } => {}
        }
    }
    steps
}

fn listed(buckets: &BTreeMap<u32, Bytes>) -> Vec<(BucketId, &[u8])> {
    buckets.iter().map(|(id, actions)| (BucketId(*id), &actions[..])).collect()
}

fn put_group<'a>(id: u32, buckets: &'a BTreeMap<u32, Bytes>, steps: &mut Vec<Step<'a>>) {
    let mut all = listed(buckets);
    let rest = all.split_off(all.len().min(BUCKETS_PER_MESSAGE));
    steps.push(Step::PutGroup(id, all));
    insert_buckets(id, &rest, steps);
}

fn insert_buckets<'a>(id: u32, buckets: &[(BucketId, &'a [u8])], steps: &mut Vec<Step<'a>>) {
    steps.extend(buckets.chunks(BUCKETS_PER_MESSAGE).map(|chunk| Step::InsertBuckets(id, chunk.to_vec())));
}

impl Step<'_> {
    fn write(&self, place: BundleWriter, xid: Xid, writer: &mut Writer) {
        let group = |command,
                     id: &u32,
                     command_bucket,
                     buckets: &[(BucketId, &[u8])],
                     writer: &mut Writer| {
            let parts =
                GroupParts { command, kind: GroupType::All, group: GroupId(*id), command_bucket, buckets };
            place.group_parts(&parts, xid, writer);
        };
        match self {
            Step::PutGroup(id, buckets) => {
                group(GroupCommand::AddOrModify, id, BucketId::ALL, buckets, writer)
            }
            Step::InsertBuckets(id, buckets) => {
                group(GroupCommand::InsertBucket, id, BucketId::LAST, buckets, writer)
            }
            Step::RemoveBucket(id, bucket) => group(GroupCommand::RemoveBucket, id, *bucket, &[], writer),
            Step::DeleteGroup(id) => group(GroupCommand::Delete, id, BucketId::ALL, &[], writer),
            Step::AddFlow(flow) => {
                let parts = FlowParts {
                    command: FlowCommand::Add,
                    table: TableId(flow.table),
                    priority: flow.priority,
                    cookie: Cookie(flow.cookie),
                    cookie_mask: 0,
                    match_fields: &flow.match_bytes,
                    instructions: &flow.instructions,
                };
                place.flow_parts(&parts, xid, writer);
            }
            Step::DeleteFlow(key) => {
                let parts = FlowParts {
                    command: FlowCommand::DeleteStrict,
                    table: TableId(key.table),
                    priority: key.priority,
                    cookie: Cookie(key.cookie),
                    cookie_mask: u64::MAX,
                    match_fields: &key.match_bytes,
                    instructions: &[],
                };
                place.flow_parts(&parts, xid, writer);
            }
        }
    }
}
