//! Deltas as OpenFlow changes, in an order in which no packet and no message meets something that is not there yet.

use bytes::Bytes;
use weft_openflow::message::multipart::MeterConfig;
use weft_openflow::message::{
    BucketParts, BundleWriter, FlowCommand, FlowParts, GroupCommand, GroupParts, GroupType,
};
use weft_openflow::{BucketId, Cookie, GroupId, PortNo, TableId, Writer, Xid};

use crate::diff::{Delta, GroupDelta, MAX_BUCKETS_PER_MESSAGE};
use crate::flow::{Compiled, Flow, FlowKey, Group, GroupKind, WatchedBucket};
use crate::meters;

/// One change of a flow or a group: one OpenFlow message, but for its transaction id and its bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mod<'a> {
    /// Add or replace the flow.
    AddFlow(&'a Flow),
    /// Delete the flow, if it still has the cookie that is named.
    DeleteFlow(&'a FlowKey),
    /// A change of a group.
    Group {
        /// What is done.
        command: GroupCommand,
        /// How the group chooses.
        kind: GroupKind,
        /// Which group.
        group: GroupId,
        /// Which bucket is removed, or where buckets are inserted.
        command_bucket: BucketId,
        /// The encoded action lists.
        buckets: Vec<(BucketId, &'a [u8])>,
    },
}

/// The changes of several owners as one sequence: groups and buckets that flows will use, then flows to add, then flows
/// to delete, then buckets and groups that no flow uses any more.
///
/// Adding before deleting leaves no gap; a delete cannot hit what was just added, because it names the old cookie.
pub fn encode(deltas: &[Delta]) -> Vec<Mod<'_>> {
    let mut mods = Vec::new();
    let groups = || deltas.iter().flat_map(|delta| &delta.groups);
    for change in groups() {
        match change {
            GroupDelta::Put(group) => put(group, &mut mods),
            GroupDelta::Insert { id, buckets } => {
                let buckets = buckets.iter().map(bucket).collect();
                push_buckets(&mut mods, GroupCommand::InsertBucket, (GroupId(*id), GroupKind::All), buckets);
            }
            GroupDelta::Remove { .. } | GroupDelta::Delete { .. } => {}
        }
    }
    mods.extend(deltas.iter().flat_map(|delta| &delta.add).map(Mod::AddFlow));
    mods.extend(deltas.iter().flat_map(|delta| &delta.delete).map(Mod::DeleteFlow));
    for change in groups() {
        match change {
            GroupDelta::Remove { id, buckets } => {
                let remove =
                    |bucket: &u32| plain(GroupCommand::RemoveBucket, GroupId(*id), BucketId(*bucket));
                mods.extend(buckets.iter().map(remove));
            }
            GroupDelta::Delete { id } => {
                mods.push(plain(GroupCommand::Delete, GroupId(*id), BucketId::ALL));
            }
            GroupDelta::Put(_) | GroupDelta::Insert { .. } => {}
        }
    }
    mods
}

/// Everything that is there as one sequence, as [`encode`] would give it for differences from nothing; copies nothing.
pub fn encode_full(compiled: &[Compiled]) -> Vec<Mod<'_>> {
    let flows = compiled.iter().map(|wanted| wanted.flows.len() + wanted.groups.len()).sum();
    let mut mods = Vec::with_capacity(flows);
    for group in compiled.iter().flat_map(|wanted| &wanted.groups) {
        put(group, &mut mods);
    }
    mods.extend(compiled.iter().flat_map(|wanted| &wanted.flows).map(Mod::AddFlow));
    mods
}

fn put<'a>(group: &'a Group, mods: &mut Vec<Mod<'a>>) {
    let buckets = group.buckets.iter().map(bucket).collect();
    push_buckets(mods, GroupCommand::AddOrModify, (GroupId(group.id), group.kind), buckets);
}

fn bucket<'a>((id, actions): (&u32, &'a Bytes)) -> (BucketId, &'a [u8]) {
    (BucketId(*id), actions)
}

/// A change with buckets, in as many messages as it takes; what follows the first inserts the rest.
fn push_buckets<'a>(
    mods: &mut Vec<Mod<'a>>,
    command: GroupCommand,
    (group, kind): (GroupId, GroupKind),
    buckets: Vec<(BucketId, &'a [u8])>,
) {
    let mut chunks = buckets.chunks(MAX_BUCKETS_PER_MESSAGE);
    // A group without buckets is still a group.
    let first = chunks.next().unwrap_or_default().to_vec();
    let command_bucket = if command == GroupCommand::InsertBucket { BucketId::LAST } else { BucketId::ALL };
    mods.push(Mod::Group { command, kind, group, command_bucket, buckets: first });
    for chunk in chunks {
        let (command, command_bucket) = (GroupCommand::InsertBucket, BucketId::LAST);
        mods.push(Mod::Group { command, kind, group, command_bucket, buckets: chunk.to_vec() });
    }
}

fn plain<'a>(command: GroupCommand, group: GroupId, command_bucket: BucketId) -> Mod<'a> {
    Mod::Group { command, kind: GroupKind::All, group, command_bucket, buckets: Vec::new() }
}

impl Mod<'_> {
    /// The meter that has to be on the switch before the change.
    pub fn needed_meter(&self) -> Option<MeterConfig> {
        match self {
            Mod::AddFlow(flow) => meters::needed(&flow.instructions),
            Mod::DeleteFlow(_) | Mod::Group { .. } => None,
        }
    }

    /// About how many bytes [`Mod::write`] will write, never fewer; for memory that is right from the start.
    pub fn len_in_bundle(&self) -> usize {
        const GROUP: usize = 48;
        match self {
            Mod::AddFlow(flow) => add(flow).len_in_bundle(),
            Mod::DeleteFlow(key) => delete(key).len_in_bundle(),
            Mod::Group { kind, buckets, .. } => {
                let bucket = 8 + if *kind == GroupKind::FastFailover { 8 } else { 0 };
                GROUP + buckets.iter().map(|(_, actions)| bucket + actions.len()).sum::<usize>()
            }
        }
    }

    /// Writes the change into a bundle.
    pub fn write(&self, bundle: BundleWriter, xid: Xid, w: &mut Writer) {
        match self {
            Mod::AddFlow(flow) => bundle.flow_parts(&add(flow), xid, w),
            Mod::DeleteFlow(key) => bundle.flow_parts(&delete(key), xid, w),
            Mod::Group { command, kind, group, command_bucket, buckets } => {
                let (command, group, command_bucket) = (*command, *group, *command_bucket);
                let watch = |id: BucketId| match kind {
                    GroupKind::All => None,
                    GroupKind::FastFailover => Some(PortNo(WatchedBucket::of(id.0).watch.into())),
                };
                let buckets: Vec<BucketParts<'_>> = buckets
                    .iter()
                    .map(|(id, actions)| BucketParts { id: *id, actions, watch: watch(*id) })
                    .collect();
                let kind = match kind {
                    GroupKind::All => GroupType::All,
                    GroupKind::FastFailover => GroupType::FastFailover,
                };
                let parts = GroupParts { command, kind, group, command_bucket, buckets: &buckets };
                bundle.group_parts(&parts, xid, w);
            }
        }
    }
}

fn add(flow: &Flow) -> FlowParts<'_> {
    FlowParts {
        command: FlowCommand::Add,
        table: TableId(flow.table),
        priority: flow.priority,
        cookie: Cookie(flow.cookie),
        cookie_mask: 0,
        match_fields: &flow.match_bytes,
        instructions: &flow.instructions,
    }
}

fn delete(key: &FlowKey) -> FlowParts<'_> {
    FlowParts {
        command: FlowCommand::DeleteStrict,
        table: TableId(key.table),
        priority: key.priority,
        cookie: Cookie(key.cookie),
        cookie_mask: u64::MAX,
        match_fields: &key.match_bytes,
        instructions: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Group, GroupKind};

    #[test]
    fn a_large_group_takes_several_messages_and_none_is_too_long() {
        let actions = Bytes::from_static(&[0; 64]);
        let buckets = (0..2_000).map(|bucket| (bucket, actions.clone())).collect();
        let put = GroupDelta::Put(Group { id: 1, kind: GroupKind::All, buckets });
        let deltas = [Delta { groups: vec![put], ..Delta::default() }];
        let mods = encode(&deltas);
        assert_eq!(mods.len(), 3);
        let mut total = 0;
        for change in &mods {
            let mut w = Writer::new();
            change.write(BundleWriter::atomic(weft_openflow::BundleId(1)), Xid(1), &mut w);
            assert!(!w.is_oversize());
            assert!((w.len()..w.len() + 16).contains(&change.len_in_bundle()));
            let Mod::Group { buckets, .. } = change else { panic!("{change:?}") };
            total += buckets.len();
        }
        assert_eq!(total, 2_000);
    }
}
