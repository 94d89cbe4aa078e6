//! Flow and group changes whose variable parts are encoded already: what a controller keeps and sends again and again.
//!
//! The parts are copied between the fixed fields; nothing is decoded and nothing is allocated.

use super::bucket::BucketProperty;
use super::bundle::BundleWriter;
use super::codec::Part;

use super::flow_mod::FlowCommand;
use super::group::{GroupCommand, GroupType};
use super::header::{MessageKind, VERSION, framed};
use super::packet_in::NO_BUFFER;
use crate::ids::{BucketId, Cookie, FlowFlags, GroupId, PortNo, TableId, Xid};
use crate::wire::Writer;

/// A flow change around an encoded match and encoded instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowParts<'a> {
    /// What is done: [`FlowCommand::Add`] or one of the others.
    pub command: FlowCommand,
    /// In which table.
    pub table: TableId,
    /// The flow's priority.
    pub priority: u16,
    /// The cookie to write (add) or to filter by (all others).
    pub cookie: Cookie,
    /// Which bits of the cookie a flow must share to be deleted; 0 for an add.
    pub cookie_mask: u64,
    /// The match's fields, without the match header and its padding.
    pub match_fields: &'a [u8],
    /// The list of instructions; empty for a delete.
    pub instructions: &'a [u8],
}

/// Bytes of an OpenFlow header.
const HEADER: usize = 8;
/// Bytes of `ofp_bundle_add_msg` in front of the message in it.
const BUNDLE_ADD: usize = HEADER + 8;
/// Bytes of `ofp_flow_mod` in front of the match's fields, the match's own header included.
const FLOW_MOD: usize = HEADER + 40 + 4;

impl FlowParts<'_> {
    /// Bytes that the change takes in a bundle.
    pub fn len_in_bundle(&self) -> usize {
        BUNDLE_ADD + self.len()
    }

    /// Bytes of the whole `ofp_flow_mod`.
    fn len(&self) -> usize {
        FLOW_MOD - 4 + (4 + self.match_fields.len()).next_multiple_of(8) + self.instructions.len()
    }

    /// Everything in front of the match's fields, in one piece: this is what a cold start writes by the million.
    fn head(&self, bundle: BundleWriter, xid: Xid) -> [u8; BUNDLE_ADD + FLOW_MOD] {
        let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let mut head = [0; BUNDLE_ADD + FLOW_MOD];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            head[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&[VERSION, MessageKind::BundleAdd.to_wire()]);
        put(&short(self.len_in_bundle()));
        put(&xid.0.to_be_bytes());
        put(&bundle.bundle.0.to_be_bytes());
        put(&[0; 2]);
        put(&bundle.flags.bits().to_be_bytes());
        put(&[VERSION, MessageKind::FlowMod.to_wire()]);
        put(&short(self.len()));
        put(&xid.0.to_be_bytes());
        put(&self.cookie.0.to_be_bytes());
        put(&self.cookie_mask.to_be_bytes());
        put(&[self.table.0, self.command.to_wire()]);
        put(&[0; 4]); // Idle and hard timeout: none.
        put(&self.priority.to_be_bytes());
        put(&NO_BUFFER.to_be_bytes());
        put(&PortNo::ANY.0.to_be_bytes());
        put(&GroupId::ANY.0.to_be_bytes());
        put(&FlowFlags::empty().bits().to_be_bytes());
        put(&[0; 2]); // Importance.
        put(&[0, 1]); // OFPMT_OXM
        put(&short(4 + self.match_fields.len()));
        head
    }
}

/// A group change around encoded buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupParts<'a> {
    /// What is done.
    pub command: GroupCommand,
    /// The group's type.
    pub kind: GroupType,
    /// Which group.
    pub group: GroupId,
    /// Where buckets are inserted, or which one is removed; [`BucketId::ALL`] when that does not apply.
    pub command_bucket: BucketId,
    /// The buckets.
    pub buckets: &'a [BucketParts<'a>],
}

/// One bucket whose actions are encoded already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketParts<'a> {
    /// Its number, unique in the group.
    pub id: BucketId,
    /// Its encoded action list.
    pub actions: &'a [u8],
    /// The port that keeps it alive, in fast-failover groups.
    pub watch: Option<PortNo>,
}

impl GroupParts<'_> {
    /// Writes the body of the group change (`ofp_group_mod` without the header).
    fn encode(&self, w: &mut Writer) {
        w.u16(self.command.to_wire());
        w.u8(self.kind.to_wire());
        w.zeros(1);
        w.u32(self.group.0);
        let length = w.len();
        w.u16(0);
        w.zeros(2);
        w.u32(self.command_bucket.0);
        let mark = w.len();
        for BucketParts { id, actions, watch } in self.buckets {
            let bucket = w.len();
            w.u32(0);
            w.u32(id.0);
            let list = w.len();
            w.bytes(actions);
            w.patch_len(bucket + 2, list);
            if let Some(port) = watch {
                BucketProperty::WatchPort(*port).encode(w);
            }
            w.patch_len(bucket, bucket);
        }
        w.patch_len(length, mark);
    }
}

impl BundleWriter {
    /// Writes a flow change into the bundle.
    pub fn flow_parts(self, parts: &FlowParts<'_>, xid: Xid, w: &mut Writer) {
        let mark = w.len();
        w.bytes(&parts.head(self, xid));
        w.bytes(parts.match_fields);
        w.pad8(mark + BUNDLE_ADD + FLOW_MOD - 4);
        w.bytes(parts.instructions);
        // Remembers a length that does not fit.
        w.patch_len(mark + 2, mark);
    }

    /// Writes a group change into the bundle.
    pub fn group_parts(self, parts: &GroupParts<'_>, xid: Xid, w: &mut Writer) {
        self.add(xid, w, |w| framed(w, MessageKind::GroupMod, xid, |w| parts.encode(w)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::bucket::Bucket;
    use super::super::flow_mod::FlowMod;
    use super::super::group::GroupMod;
    use super::*;
    use crate::{Action, BundleId, Instruction, Match, oxm};

    #[test]
    fn encoded_parts_give_the_bytes_of_the_typed_change() {
        let matching = Match::new().with(oxm::reg(0, 7)).with(oxm::eth_dst([2, 0, 0, 0, 0, 1]));
        let actions = vec![Action::output(PortNo(10_007))];
        let instructions = vec![Instruction::ApplyActions(actions.clone())];
        let (mut fields, mut list, mut bucket) = (Writer::new(), Writer::new(), Writer::new());
        matching.encode_fields(&mut fields);
        Instruction::encode_list(&instructions, &mut list);
        Action::encode_list(&actions, &mut bucket);
        let (table, priority, cookie) = (TableId(62), 100, Cookie(0x1234));
        let parts = FlowParts {
            command: FlowCommand::Add,
            table,
            priority,
            cookie,
            cookie_mask: 0,
            match_fields: fields.as_slice(),
            instructions: list.as_slice(),
        };
        let group = GroupParts {
            command: GroupCommand::InsertBucket,
            kind: GroupType::All,
            group: GroupId(5),
            command_bucket: BucketId::LAST,
            buckets: &[BucketParts { id: BucketId(3), actions: bucket.as_slice(), watch: None }],
        };
        let watched = BucketParts { watch: Some(PortNo(33_001)), ..group.buckets[0] };
        let failover = GroupParts {
            command: GroupCommand::AddOrModify,
            kind: GroupType::FastFailover,
            command_bucket: BucketId::ALL,
            buckets: &[watched],
            ..group
        };
        let place = BundleWriter::atomic(BundleId(1));
        let (mut ours, mut theirs) = (Writer::new(), Writer::new());
        place.flow_parts(&parts, Xid(9), &mut ours);
        place.group_parts(&group, Xid(10), &mut ours);
        place.group_parts(&failover, Xid(11), &mut ours);
        place.flow_mod(
            &FlowMod::add(table, priority, matching, instructions).with_cookie(cookie),
            Xid(9),
            &mut theirs,
        );
        let typed = GroupMod::insert_buckets(
            GroupId(5),
            BucketId::LAST,
            vec![Bucket::new(BucketId(3), actions.clone())],
        );
        place.group_mod(&typed, Xid(10), &mut theirs);
        let bucket = Bucket::new(BucketId(3), actions).with(BucketProperty::WatchPort(PortNo(33_001)));
        let typed = GroupMod::put(GroupId(5), GroupType::FastFailover, vec![bucket]);
        place.group_mod(&typed, Xid(11), &mut theirs);
        assert_eq!(ours.as_slice(), theirs.as_slice());
    }
}
