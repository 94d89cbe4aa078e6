//! A switch as far as flows and groups go: it takes changes in the order in which they are encoded.

use std::collections::BTreeMap;

use weft_compiler::{
    Compiled, Delta, Flow, Group, GroupDelta, GroupKind, Mod, Owner, SeenGroup, Tallies, WatchedBucket, diff,
    encode,
};
use weft_openflow::message::multipart::{FlowDesc, Reply};
use weft_openflow::message::{Bucket, BucketProperty, FlowStats, GroupCommand, GroupType, MultipartReply};
use weft_openflow::{Action, BucketId, Cookie, FlowFlags, Instruction, Match, PortNo, Reader, TableId};

type Place = (u8, u16, Vec<u8>);

/// What it has, and what its controller believes that it has.
#[derive(Default)]
pub struct Switch {
    flows: BTreeMap<Place, Flow>,
    groups: BTreeMap<u32, BTreeMap<u32, Vec<u8>>>,
    sent: BTreeMap<Owner, Compiled>,
}

impl Switch {
    /// Sends the differences of all owners at once, as a distributor does, and checks that they lead there.
    pub fn bring_to(&mut self, wanted: &BTreeMap<Owner, &Compiled>) {
        let nothing = Compiled::default();
        let owners =
            wanted.keys().chain(self.sent.keys()).copied().collect::<std::collections::BTreeSet<_>>();
        let mut deltas = Vec::new();
        for owner in owners {
            let had = self.sent.get(&owner).unwrap_or(&nothing);
            deltas.push(diff(had, wanted.get(&owner).copied().unwrap_or(&nothing)));
        }
        for change in encode(&deltas) {
            self.take(&change);
        }
        self.sent = wanted.iter().map(|(owner, compiled)| (*owner, (*compiled).clone())).collect();
        let flows: BTreeMap<Place, Flow> =
            wanted.values().flat_map(|c| &c.flows).map(|flow| (place(flow), flow.clone())).collect();
        assert_eq!(self.flows, flows);
        let groups: BTreeMap<u32, BTreeMap<u32, Vec<u8>>> =
            wanted.values().flat_map(|c| &c.groups).map(|group| (group.id, buckets(group))).collect();
        assert_eq!(self.groups, groups);
    }

    fn take(&mut self, change: &Mod<'_>) {
        match change {
            Mod::AddFlow(flow) => {
                for group in groups_of(flow) {
                    assert!(self.groups.contains_key(&group), "flow added before its group {group:#x}");
                }
                self.flows.insert(place(flow), (*flow).clone());
            }
            Mod::DeleteFlow(key) => {
                let place = (key.table, key.priority, key.match_bytes.to_vec());
                if self.flows.get(&place).is_some_and(|flow| flow.cookie == key.cookie) {
                    self.flows.remove(&place);
                }
            }
            Mod::Group { command, group, command_bucket, buckets, .. } => {
                let listed = buckets.iter().map(|(id, actions)| (id.0, actions.to_vec()));
                match *command {
                    GroupCommand::AddOrModify => drop(self.groups.insert(group.0, listed.collect())),
                    GroupCommand::InsertBucket => {
                        let known =
                            self.groups.get_mut(&group.0).expect("buckets go into a group that is there");
                        for (id, actions) in listed {
                            assert!(known.insert(id, actions).is_none(), "bucket {id} is there already");
                        }
                    }
                    GroupCommand::RemoveBucket => {
                        let known = self.groups.get_mut(&group.0).expect("the group is there");
                        assert!(known.remove(&command_bucket.0).is_some(), "no such bucket");
                    }
                    GroupCommand::Delete => {
                        let used = self.flows.values().any(|flow| groups_of(flow).contains(&group.0));
                        assert!(!used, "a group in use is deleted");
                        self.groups.remove(&group.0);
                    }
                    other => panic!("{other:?} is never sent"),
                }
            }
        }
    }
}

fn place(flow: &Flow) -> Place {
    (flow.table, flow.priority, flow.match_bytes.to_vec())
}

fn buckets(group: &Group) -> BTreeMap<u32, Vec<u8>> {
    group.buckets.iter().map(|(id, actions)| (*id, actions.to_vec())).collect()
}

fn instructions_of(flow: &Flow) -> Vec<Instruction> {
    let mut reader = Reader::new(&flow.instructions);
    Instruction::decode_list(&mut reader, flow.instructions.len()).expect("own bytes decode")
}

fn actions_of(flow: &Flow) -> Vec<Action> {
    let lists = instructions_of(flow).into_iter().filter_map(|instruction| match instruction {
        Instruction::ApplyActions(actions) => Some(actions),
        _ => None,
    });
    lists.flatten().collect()
}

fn groups_of(flow: &Flow) -> Vec<u32> {
    let groups = |action| if let Action::Group(group) = action { Some(group.0) } else { None };
    actions_of(flow).into_iter().filter_map(groups).collect()
}

/// The one port that a flow outputs to.
pub fn output_of(flow: &Flow) -> Option<u32> {
    actions_of(flow).into_iter().find_map(|action| match action {
        Action::Output { port: PortNo(number), .. } => Some(number),
        _ => None,
    })
}

/// Shows one owner's flows and groups as a switch does: fields in another order, counters among them.
pub fn show(compiled: &Compiled, seen: &mut Tallies) {
    let desc = |flow: &Flow| {
        let matching = Match::decode_fields(&mut Reader::new(&flow.match_bytes)).expect("own bytes decode");
        FlowDesc {
            table: TableId(flow.table),
            priority: flow.priority,
            idle_timeout: 0,
            hard_timeout: 0,
            flags: FlowFlags::empty(),
            importance: 0,
            cookie: Cookie(flow.cookie),
            matching: matching.fields().iter().rev().cloned().collect(),
            stats: FlowStats::default(),
            instructions: instructions_of(flow),
        }
    };
    let reply = MultipartReply::from(&Reply::FlowDesc(compiled.flows.iter().map(desc).collect()));
    for entry in reply.flows() {
        seen.take(&entry.expect("own bytes decode")).expect("own bytes decode");
    }
    for group in &compiled.groups {
        let bucket = |(id, actions): (&u32, &bytes::Bytes)| {
            let actions = Action::decode_list(&mut Reader::new(actions), actions.len());
            Bucket::new(BucketId(*id), actions.expect("own bytes decode"))
        };
        let mut buckets: Vec<Bucket> = group.buckets.iter().map(bucket).collect();
        let kind = match group.kind {
            GroupKind::All => {
                buckets.reverse();
                GroupType::All
            }
            GroupKind::FastFailover => {
                for bucket in &mut buckets {
                    let port = u32::from(WatchedBucket::of(bucket.id.0).watch);
                    bucket.properties.push(BucketProperty::WatchPort(PortNo(port)));
                }
                GroupType::FastFailover
            }
        };
        seen.take_group(&SeenGroup::new(group.id.into(), kind, &buckets));
    }
}

/// One owner's flows and groups after a difference is applied.
pub fn patched(had: &Compiled, delta: &Delta) -> Compiled {
    let mut flows: BTreeMap<Place, Flow> = had.flows.iter().map(|flow| (place(flow), flow.clone())).collect();
    for key in &delta.delete {
        flows.remove(&(key.table, key.priority, key.match_bytes.to_vec()));
    }
    flows.extend(delta.add.iter().map(|flow| (place(flow), flow.clone())));
    let mut groups: BTreeMap<u32, Group> = had.groups.iter().map(|group| (group.id, group.clone())).collect();
    for change in &delta.groups {
        match change {
            GroupDelta::Put(group) => drop(groups.insert(group.id, group.clone())),
            GroupDelta::Delete { id } => drop(groups.remove(id)),
            GroupDelta::Insert { id, buckets } => {
                groups.get_mut(id).expect("known").buckets.extend(buckets.clone());
            }
            GroupDelta::Remove { id, buckets } => {
                groups.get_mut(id).expect("known").buckets.retain(|bucket, _| !buckets.contains(bucket));
            }
        }
    }
    Compiled::new(flows.into_values().collect(), groups.into_values().collect())
}
