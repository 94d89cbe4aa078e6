//! The sheet on which one owner's flows are written: checked, encoded into one buffer, sorted at the end.
//!
//! In debug builds (and so in all tests) every flow is checked against its table's declaration when it is written, and
//! a violation panics, and so does anything that is not in canonical form: fields and actions are encoded as they are
//! written, without a detour. Which fields and verbs a flow uses depends on the code alone and not on a tenant's data, so what
//! the tests reach cannot go wrong in production; release builds skip the check.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::Location;

use bytes::Bytes;
use weft_openflow::{Action, OxmField, PortNo, Writer};

use crate::cookie::Cookie;
use crate::digest::{Digest, FlowContent};
use crate::fields::Fields;
use crate::flow::{Compiled, Flow, Group, GroupKind, WatchedBucket};
use crate::group_id::GroupUse;
use crate::owner::Owner;
use crate::pipeline::{self, Table};
use crate::reasons::Reason;
use crate::registers::REASON;
use crate::tallies::Tally;

/// How much an owner's flows usually take, in bytes, and how many there are.
const USUAL: (usize, usize) = (2048, 16);

/// Collects what one owner has.
pub(crate) struct Sheet {
    owner: Owner,
    writer: Writer,
    drafts: Vec<Draft>,
    /// The sum over the drafts.
    flow_digest: Digest,
    groups: BTreeMap<u32, GroupDraft>,
}

/// A flow whose bytes stand in the writer.
struct Draft {
    table: u8,
    priority: u16,
    start: u32,
    middle: u32,
    end: u32,
    cookie: u64,
    origin: &'static Location<'static>,
}

/// A group whose buckets' actions stand in the writer.
struct GroupDraft {
    kind: GroupKind,
    buckets: Vec<(u32, Range<usize>)>,
}

impl Sheet {
    pub fn new(owner: Owner) -> Sheet {
        let (writer, drafts) = (Writer::with_capacity(USUAL.0), Vec::with_capacity(USUAL.1));
        Sheet { owner, writer, drafts, flow_digest: Digest::NOTHING, groups: BTreeMap::new() }
    }

    /// Starts over for another owner, in the memory that is there.
    pub fn reuse(&mut self, owner: Owner) {
        self.owner = owner;
        self.writer.clear();
        self.drafts.clear();
        self.flow_digest = Digest::NOTHING;
        self.groups.clear();
    }

    /// Writes one flow.
    #[track_caller]
    pub fn flow(&mut self, table: &'static Table, priority: u16, matching: Fields, then: Then) {
        let origin = Location::caller();
        // What is hashed stands in one piece, the head in front of the match.
        self.writer.bytes(&FlowContent::head(table.number, priority, matching.as_slice().len()));
        let start = self.position();
        self.writer.bytes(matching.as_slice());
        let middle = self.position();
        then.encode(&mut self.writer);
        let (number, end) = (table.number, self.position());
        let mut draft = Draft { table: number, priority, start, middle, end, cookie: 0, origin };
        let (cookie, digest) = draft.identity(self.owner, self.writer.as_slice());
        draft.cookie = cookie;
        self.flow_digest += digest;
        if cfg!(debug_assertions) {
            let (matching, instructions) = draft.parts(self.writer.as_slice());
            let checked = pipeline::check_bytes(self.owner, table, matching, instructions);
            assert!(checked.is_ok(), "{origin}: {checked:?}");
        }
        self.drafts.push(draft);
    }

    fn position(&self) -> u32 {
        u32::try_from(self.writer.len()).expect("an owner's flows take less than 4 GiB")
    }

    /// Writes one group whose buckets all get a copy.
    pub fn group(&mut self, group: GroupUse, buckets: impl IntoIterator<Item = (u32, Then)>) {
        self.draft_group(group, GroupKind::All, buckets);
    }

    /// Writes one group that hands a packet to the first of its buckets whose port is alive.
    pub fn failover(&mut self, group: GroupUse, buckets: impl IntoIterator<Item = (u16, Then)>) {
        let buckets = buckets.into_iter().zip(1..).map(|((watch, then), rank)| {
            let bucket = WatchedBucket { rank, watch };
            (bucket.id(), then)
        });
        self.draft_group(group, GroupKind::FastFailover, buckets);
    }

    fn draft_group(
        &mut self,
        group: GroupUse,
        kind: GroupKind,
        buckets: impl IntoIterator<Item = (u32, Then)>,
    ) {
        let writer = &mut self.writer;
        let encoded = buckets.into_iter().map(|(bucket, then)| {
            let start = writer.len();
            writer.bytes(then.actions.as_slice());
            (bucket, start..writer.len())
        });
        let buckets = encoded.collect();
        self.groups.insert(group.id(), GroupDraft { kind, buckets });
    }

    /// Whose sheet it is.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Everything written, in the order of its places.
    pub fn finish(&mut self) -> Compiled {
        self.settle();
        let bytes = Bytes::copy_from_slice(self.writer.as_slice());
        let flow = |draft: &Draft| {
            let (matching, instructions) = draft.parts(&bytes);
            let (match_bytes, instructions) = (bytes.slice_ref(matching), bytes.slice_ref(instructions));
            let Draft { table, priority, cookie, origin, .. } = *draft;
            Flow { table, priority, cookie, match_bytes, instructions, origin }
        };
        let group = |(id, draft): (&u32, &GroupDraft)| {
            let buckets = draft.buckets.iter().map(|(bucket, range)| (*bucket, bytes.slice(range.clone())));
            Group { id: *id, kind: draft.kind, buckets: buckets.collect() }
        };
        let flows = self.drafts.iter().map(flow).collect();
        Compiled { flows, groups: self.groups.iter().map(group).collect(), digest: self.digest() }
    }

    /// How much there is, and the digest of it.
    pub fn tally(&mut self) -> Tally {
        self.settle();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Tally { digest: self.digest(), flows: count(self.drafts.len()), groups: count(self.groups.len()) }
    }

    /// Flows in the order of their places, and no two in the same.
    fn settle(&mut self) {
        let bytes = self.writer.as_slice();
        self.drafts.sort_by(|a, b| a.place(bytes).cmp(&b.place(bytes)));
        let drafts = self.drafts.len();
        self.drafts.dedup_by(|later, first| later.place(bytes) == first.place(bytes));
        debug_assert_eq!(drafts, self.drafts.len(), "two flows of {} in one place", self.owner);
        if drafts != self.drafts.len() {
            self.flow_digest = self.drafts.iter().map(|draft| draft.identity(self.owner, bytes).1).sum();
        }
    }

    fn digest(&self) -> Digest {
        let bytes = self.writer.as_slice();
        let groups = self.groups.iter().map(|(id, draft)| {
            let bucket = |(bucket, range): &(u32, Range<usize>)| {
                Digest::of_bucket(*id, *bucket, &bytes[range.clone()])
            };
            draft
                .buckets
                .iter()
                .map(bucket)
                .fold(Digest::of_group(*id, draft.kind), |sum, bucket| sum + bucket)
        });
        groups.fold(self.flow_digest, |sum, group| sum + group)
    }
}

impl Draft {
    /// Its match and its instructions.
    fn parts<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let (start, middle, end) = (self.start as usize, self.middle as usize, self.end as usize);
        (&bytes[start..middle], &bytes[middle..end])
    }

    /// Its cookie and its digest.
    fn identity(&self, owner: Owner, bytes: &[u8]) -> (u64, Digest) {
        let (start, end) = (self.start as usize, self.end as usize);
        let content = FlowContent::hash_of_whole(&bytes[start - FlowContent::HEAD..end]);
        let cookie = Cookie::of(owner, content).0;
        (cookie, Digest::of_flow(content, cookie))
    }

    fn place<'a>(&self, bytes: &'a [u8]) -> (u8, u16, &'a [u8]) {
        (self.table, self.priority, self.parts(bytes).0)
    }
}

/// What a flow does with its packets: actions, then perhaps on to another table. Nothing at all drops them.
#[derive(Default)]
pub(crate) struct Then {
    /// Encoded; what stands here must be canonical, as it is written.
    actions: Writer,
    next: Option<u8>,
}

/// Types and lengths of instructions (OpenFlow 1.5 section 7.2.5).
const APPLY_ACTIONS: u16 = 4;
const GOTO_TABLE: [u8; 4] = [0, 1, 0, 8];

impl Then {
    pub fn new() -> Then {
        Then::default()
    }

    /// Drops with a reason: through the drop table, which counts.
    pub fn drop(reason: Reason) -> Then {
        Then::new().set(REASON.is(reason.number())).goto(&pipeline::DROP)
    }

    pub fn set(self, field: OxmField) -> Then {
        self.act(Action::SetField(field))
    }

    pub fn output(self, port: PortNo) -> Then {
        self.act(Action::output(port))
    }

    pub fn group(self, group: GroupUse) -> Then {
        self.act(Action::Group(group.id().into()))
    }

    pub fn resubmit(self, table: &'static Table) -> Then {
        self.act(Action::resubmit_table(weft_openflow::TableId(table.number)))
    }

    pub fn act(mut self, action: Action) -> Then {
        if self.actions.is_empty() {
            self.actions = Writer::with_capacity(160);
        }
        action.encode(&mut self.actions);
        self
    }

    /// Goes on with what another does; that leads nowhere.
    pub fn then(mut self, other: Then) -> Then {
        self.actions.bytes(other.actions.as_slice());
        self
    }

    pub fn goto(mut self, table: &'static Table) -> Then {
        self.next = Some(table.number);
        self
    }

    /// Writes the instructions in canonical order.
    fn encode(&self, w: &mut Writer) {
        if !self.actions.is_empty() {
            let mark = w.len();
            w.u16(APPLY_ACTIONS);
            w.zeros(6);
            w.bytes(self.actions.as_slice());
            w.patch_len(mark + 2, mark);
        }
        if let Some(table) = self.next {
            w.bytes(&GOTO_TABLE);
            w.bytes(&[table, 0, 0, 0]);
        }
    }
}
