//! The sheet on which one owner's flows are written: checked, encoded into one buffer, sorted at the end.
//!
//! In debug builds (and so in all tests) every flow is checked against its table's declaration when it is written, and
//! a violation panics. Which fields and verbs a flow uses depends on the code alone and not on a tenant's data, so what
//! the tests reach cannot go wrong in production; release builds skip the check.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::Location;

use bytes::Bytes;
use weft_openflow::canonical::canonical_actions;
use weft_openflow::{Action, Instruction, Match, OxmField, PortNo, TableId, Writer, canonical_instructions};

use crate::cookie::Cookie;
use crate::digest::FlowContent;
use crate::flow::{Compiled, Flow, Group, GroupKind};
use crate::group_id::GroupUse;
use crate::owner::Owner;
use crate::pipeline::{self, Table};
use crate::reasons::Reason;
use crate::registers::REASON;

/// Collects what one owner has.
pub(crate) struct Sheet {
    owner: Owner,
    writer: Writer,
    drafts: Vec<Draft>,
    groups: BTreeMap<u32, Group>,
}

/// A flow whose bytes stand in the writer.
struct Draft {
    table: u8,
    priority: u16,
    matching: Range<usize>,
    instructions: Range<usize>,
    origin: &'static Location<'static>,
}

impl Sheet {
    pub fn new(owner: Owner) -> Sheet {
        Sheet { owner, writer: Writer::new(), drafts: Vec::new(), groups: BTreeMap::new() }
    }

    /// Writes one flow.
    #[track_caller]
    pub fn flow(&mut self, table: &'static Table, priority: u16, matching: Match, then: Then) {
        let origin = Location::caller();
        let matching = matching.canonical();
        let instructions = canonical_instructions(&then.instructions());
        if cfg!(debug_assertions) {
            let checked = pipeline::check_parts(self.owner, table, &matching, &instructions);
            assert!(checked.is_ok(), "{origin}: {checked:?}");
        }
        let start = self.writer.len();
        matching.encode_fields(&mut self.writer);
        let middle = self.writer.len();
        Instruction::encode_list(&instructions, &mut self.writer);
        let end = self.writer.len();
        let (number, matching, instructions) = (table.number, start..middle, middle..end);
        self.drafts.push(Draft { table: number, priority, matching, instructions, origin });
    }

    /// Writes one group whose buckets all get a copy.
    pub fn group(&mut self, group: GroupUse, buckets: impl IntoIterator<Item = (u32, Vec<Action>)>) {
        let encoded = buckets.into_iter().map(|(bucket, actions)| (bucket, encode_actions(actions)));
        let (id, kind, buckets) = (group.id(), GroupKind::All, encoded.collect());
        self.groups.insert(id, Group { id, kind, buckets });
    }

    /// Everything written, in the order of its places.
    pub fn finish(self) -> Compiled {
        let bytes = self.writer.into_bytes();
        let mut flows: Vec<Flow> =
            self.drafts.iter().map(|draft| finished(self.owner, draft, &bytes)).collect();
        flows.sort_by(|a, b| a.place().cmp(&b.place()));
        let twice = flows.windows(2).find(|pair| pair[0].place() == pair[1].place());
        debug_assert!(twice.is_none(), "two flows of {} in one place: {twice:?}", self.owner);
        flows.dedup_by(|later, first| later.place() == first.place());
        Compiled::new(flows, self.groups.into_values().collect())
    }
}

fn finished(owner: Owner, draft: &Draft, bytes: &Bytes) -> Flow {
    let Draft { table, priority, origin, .. } = *draft;
    let (match_bytes, instructions) =
        (bytes.slice(draft.matching.clone()), bytes.slice(draft.instructions.clone()));
    let content = FlowContent { table, priority, match_bytes: &match_bytes, instructions: &instructions };
    let cookie = Cookie::of(owner, content.hash()).0;
    Flow { table, priority, cookie, match_bytes, instructions, origin }
}

/// Actions in the form in which a switch shows them.
fn encode_actions(actions: Vec<Action>) -> Bytes {
    let mut writer = Writer::new();
    Action::encode_list(&canonical_actions(&actions), &mut writer);
    writer.into_bytes()
}

/// What a flow does with its packets: actions, then perhaps on to another table. Nothing at all drops them.
#[derive(Default)]
pub(crate) struct Then {
    actions: Vec<Action>,
    next: Option<TableId>,
}

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
        self.act(Action::resubmit_table(TableId(table.number)))
    }

    pub fn act(mut self, action: Action) -> Then {
        self.actions.push(action);
        self
    }

    pub fn goto(mut self, table: &'static Table) -> Then {
        self.next = Some(TableId(table.number));
        self
    }

    fn instructions(self) -> Vec<Instruction> {
        let apply = (!self.actions.is_empty()).then_some(Instruction::ApplyActions(self.actions));
        apply.into_iter().chain(self.next.map(Instruction::GotoTable)).collect()
    }
}
