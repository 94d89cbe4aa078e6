//! A switch that takes the very bytes of a connection: bundles, flows, groups, read-backs. Strict where Open vSwitch is.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use weft_compiler::{Compiled, Place, SeenFlow, SeenGroup, Tallies};
use weft_distributor::{Answer, Depth, Installed};
use weft_openflow::message::{
    Bucket, BundleCommand, FlowCommand, FlowMod, GroupCommand, GroupMod, GroupType, Message, frame_length,
};
use weft_openflow::{Action, Cookie, Instruction, Match, TableId, Writer, Xid};

/// What a flow is found by.
pub type FlowPlace = (u8, u16, Bytes);

/// A flow of the fake switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub cookie: u64,
    pub matching: Match,
    pub instructions: Vec<Instruction>,
}

/// Tables and groups, as `installed` and `wanted` are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    pub flows: BTreeMap<FlowPlace, Entry>,
    pub groups: BTreeMap<u32, FakeGroup>,
}

/// A group of the fake switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeGroup {
    kind: GroupType,
    buckets: BTreeMap<u32, Bucket>,
}

/// Flows and groups as bytes, so that what is wanted and what is installed can be compared.
pub type Content = (BTreeMap<FlowPlace, (u64, Bytes)>, BTreeMap<u32, BTreeMap<u32, Bytes>>);

/// A switch behind a connection.
#[derive(Debug, Default)]
pub struct FakeSwitch {
    pub tables: Tables,
    /// Messages that it was sent, not counting bundle control.
    pub messages: usize,
    /// Refuse the n-th message from now on, once.
    pub refuse_in: Option<usize>,
    /// Refuse every flow of the owner with these upper 32 bits of a cookie, whenever it comes.
    pub cursed: Option<u64>,
    bundle: Vec<(Xid, Message)>,
}

impl FakeSwitch {
    /// Takes bytes and answers, as a switch would: one answer per commit, errors before it.
    pub fn receive(&mut self, mut bytes: Bytes) -> Vec<Answer> {
        let mut answers = Vec::new();
        while bytes.has_remaining() {
            let length = frame_length(&bytes).unwrap().expect("whole messages only");
            let (header, message) = Message::decode(&bytes.split_to(length)).unwrap();
            self.handle(header.xid, message, &mut answers);
        }
        answers
    }

    fn handle(&mut self, xid: Xid, message: Message, answers: &mut Vec<Answer>) {
        match message {
            Message::BundleAdd(add) => {
                self.messages += 1;
                match self.refuse_in {
                    Some(0) => {
                        self.refuse_in = None;
                        answers.push(Answer::Refused(xid, "OFPBAC_BAD_TYPE".into()));
                    }
                    left => {
                        self.refuse_in = left.map(|n| n - 1);
                        self.bundle.push((xid, *add.message));
                    }
                }
            }
            Message::BundleControl(control) => match control.command {
                BundleCommand::OpenRequest => assert!(self.bundle.is_empty(), "a bundle was left open"),
                BundleCommand::CommitRequest => answers.extend(self.commit(xid)),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// All of the bundle or nothing.
    fn commit(&mut self, xid: Xid) -> Vec<Answer> {
        let mut next = self.tables.clone();
        for (inner, message) in std::mem::take(&mut self.bundle) {
            let outcome = match message {
                Message::FlowMod(flow)
                    if flow.command == FlowCommand::Add && self.cursed == Some(flow.cookie.0 >> 32) =>
                {
                    Err("OFPFMFC_TABLE_FULL")
                }
                Message::FlowMod(flow) => next.flow_mod(&flow),
                Message::GroupMod(group) => next.group_mod(&group),
                other => panic!("{other:?}"),
            };
            if let Err(error) = outcome {
                let failed = Answer::Refused(xid, "OFPBFC_MSG_FAILED".into());
                return vec![Answer::Refused(inner, error.into()), failed];
            }
        }
        self.tables = next;
        vec![Answer::Committed(xid)]
    }

    /// What a read-back shows.
    pub fn installed(&self, depth: Depth) -> Installed {
        let flow = |((table, priority, _), entry): (&FlowPlace, &Entry)| {
            let place = Place { table: TableId(*table), priority: *priority, cookie: Cookie(entry.cookie) };
            SeenFlow::new(place, &entry.matching, &entry.instructions)
        };
        let group = |(id, group): (&u32, &FakeGroup)| {
            let buckets: Vec<Bucket> = group.buckets.values().cloned().collect();
            SeenGroup::new((*id).into(), group.kind, &buckets)
        };
        let flows: Vec<SeenFlow> = self.tables.flows.iter().map(flow).collect();
        let groups: Vec<SeenGroup> = self.tables.groups.iter().map(group).collect();
        if depth == Depth::Tables {
            return Installed::Tables { flows, groups };
        }
        let mut tallies = Tallies::default();
        flows.iter().for_each(|flow| tallies.take_flow(flow));
        groups.iter().for_each(|group| tallies.take_group(group));
        Installed::Tallies(tallies)
    }
}

impl Tables {
    fn flow_mod(&mut self, flow: &FlowMod) -> Result<(), &'static str> {
        let place = (flow.table.0, flow.priority, flow.matching.canonical_bytes());
        match flow.command {
            FlowCommand::Add => {
                if groups_used(&flow.instructions).any(|group| !self.groups.contains_key(&group)) {
                    return Err("OFPBAC_BAD_OUT_GROUP");
                }
                let entry = Entry {
                    cookie: flow.cookie.0,
                    matching: flow.matching.clone(),
                    instructions: flow.instructions.clone(),
                };
                self.flows.insert(place, entry);
            }
            FlowCommand::DeleteStrict => {
                let covered = |entry: &Entry| (entry.cookie ^ flow.cookie.0) & flow.cookie_mask == 0;
                if self.flows.get(&place).is_some_and(covered) {
                    self.flows.remove(&place);
                }
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }

    fn group_mod(&mut self, group: &GroupMod) -> Result<(), &'static str> {
        let id = group.group.0;
        let buckets = group.buckets.iter().map(|bucket| (bucket.id.0, bucket.clone()));
        match group.command {
            GroupCommand::AddOrModify => {
                let fresh = FakeGroup { kind: group.kind, buckets: buckets.collect() };
                self.groups.insert(id, fresh);
            }
            GroupCommand::InsertBucket => {
                let known = self.groups.get_mut(&id).ok_or("OFPGMFC_UNKNOWN_GROUP")?;
                for (id, bucket) in buckets {
                    if known.buckets.insert(id, bucket).is_some() {
                        return Err("OFPGMFC_BUCKET_EXISTS");
                    }
                }
            }
            GroupCommand::RemoveBucket => {
                let known = self.groups.get_mut(&id).ok_or("OFPGMFC_UNKNOWN_GROUP")?;
                known.buckets.remove(&group.command_bucket.0).ok_or("OFPGMFC_UNKNOWN_BUCKET")?;
            }
            GroupCommand::Delete => {
                self.groups.remove(&id);
                // Open vSwitch takes the flows along that still use the group.
                self.flows.retain(|_, entry| groups_used(&entry.instructions).all(|used| used != id));
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }

    /// Everything as bytes.
    pub fn content(&self) -> Content {
        let flow = |(place, entry): (&FlowPlace, &Entry)| {
            let mut writer = Writer::new();
            Instruction::encode_list(
                &weft_openflow::canonical_instructions(&entry.instructions),
                &mut writer,
            );
            (place.clone(), (entry.cookie, writer.into_bytes()))
        };
        let bucket = |(id, bucket): (&u32, &Bucket)| {
            let mut writer = Writer::new();
            Action::encode_list(&bucket.actions, &mut writer);
            (*id, writer.into_bytes())
        };
        let groups = self.groups.iter().map(|(id, group)| (*id, group.buckets.iter().map(bucket).collect()));
        (self.flows.iter().map(flow).collect(), groups.collect())
    }
}

/// What a set of owners wants, in the same shape.
pub fn content_of<'a>(wanted: impl IntoIterator<Item = &'a Compiled>) -> Content {
    let mut content = Content::default();
    for compiled in wanted {
        for flow in &compiled.flows {
            let place = (flow.table, flow.priority, flow.match_bytes.clone());
            let twice = content.0.insert(place, (flow.cookie, flow.instructions.clone()));
            assert!(twice.is_none(), "two owners want the same place: {flow:?}");
        }
        for group in &compiled.groups {
            assert!(
                content.1.insert(group.id, group.buckets.clone()).is_none(),
                "two owners want group {}",
                group.id
            );
        }
    }
    content
}

fn groups_used(instructions: &[Instruction]) -> impl Iterator<Item = u32> {
    let applied = instructions.iter().filter_map(|instruction| match instruction {
        Instruction::ApplyActions(actions) => Some(actions),
        _ => None,
    });
    applied.flatten().filter_map(|action| match action {
        Action::Group(group) => Some(group.0),
        _ => None,
    })
}
