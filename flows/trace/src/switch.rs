//! A switch as the interpreter knows it: flows by table, and groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weft_compiler::{Compiled, Flow, GroupKind, Owner, WatchedBucket, flow_text};
use weft_openflow::message::{BucketProperty, GroupMod, GroupType};
use weft_openflow::{Action, Instruction, Match, PortNo, Reader};

use crate::classifier::{Classifier, Pattern};
use crate::fault::Fault;
use crate::packet::Packet;

/// One flow, decoded.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The flow as it was compiled.
    pub flow: Flow,
    /// What it exists for; `None` for a flow that was not compiled from a snapshot.
    pub owner: Option<Owner>,
    /// Its match.
    pub matching: Match,
    /// Its instructions.
    pub instructions: Vec<Instruction>,
}

/// One group, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: u32,
    /// How it chooses.
    pub kind: GroupType,
    /// What it chooses from.
    pub buckets: Vec<Bucket>,
}

/// One way that a group can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its number in the group.
    pub id: u32,
    /// What happens to the packet.
    pub actions: Vec<Action>,
    /// Its share in a select group; 0 is never taken.
    pub weight: u16,
    /// The port that it needs to be alive, in a fast-failover group.
    pub watch: Option<PortNo>,
}

/// The flows and groups of one switch.
#[derive(Debug, Clone, Default)]
pub struct Switch {
    tables: BTreeMap<u8, Classifier>,
    groups: BTreeMap<u32, Arc<Group>>,
    /// Ports without a link, which fast-failover groups avoid.
    pub(crate) dead: BTreeSet<PortNo>,
}

impl Entry {
    /// Decodes a compiled flow.
    ///
    /// # Errors
    /// [`Fault::Malformed`].
    pub fn of(flow: &Flow, owner: Option<Owner>) -> Result<Entry, Fault> {
        let matching = Match::decode_fields(&mut Reader::new(&flow.match_bytes));
        let matching = matching.map_err(|_| Fault::Malformed)?;
        let mut reader = Reader::new(&flow.instructions);
        let instructions = Instruction::decode_list(&mut reader, flow.instructions.len());
        let instructions = instructions.map_err(|_| Fault::Malformed)?;
        Ok(Entry { flow: flow.clone(), owner, matching, instructions })
    }

    /// The flow as one line, with the names of tables and registers.
    pub fn text(&self) -> String {
        flow_text(&self.flow)
    }

    /// The parts of conjunctions that it fulfils: id, which part, of how many.
    pub(crate) fn conjunctions(&self) -> impl Iterator<Item = (u32, u8, u8)> {
        self.actions().filter_map(|action| match action {
            Action::Conjunction { id, clause, clauses } => Some((*id, *clause, *clauses)),
            _ => None,
        })
    }

    /// True if it only says which part of a conjunction a packet fulfils.
    pub(crate) fn is_conjunctive(&self) -> bool {
        self.conjunctions().next().is_some()
    }

    /// All actions that it applies.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.instructions.iter().flat_map(|instruction| match instruction {
            Instruction::ApplyActions(actions) => actions.as_slice(),
            _ => &[],
        })
    }
}

impl Group {
    /// Decodes the groups of an owner.
    ///
    /// # Errors
    /// [`Fault::Malformed`].
    pub fn of(group: &weft_compiler::Group) -> Result<Group, Fault> {
        let bucket = |(id, bytes): (&u32, &bytes::Bytes)| {
            let actions = Action::decode_list(&mut Reader::new(bytes), bytes.len());
            let actions = actions.map_err(|_| Fault::Malformed)?;
            let watch = match group.kind {
                GroupKind::All => None,
                GroupKind::FastFailover => Some(PortNo(WatchedBucket::of(*id).watch.into())),
            };
            Ok(Bucket { id: *id, actions, weight: 1, watch })
        };
        let kind = match group.kind {
            GroupKind::All => GroupType::All,
            GroupKind::FastFailover => GroupType::FastFailover,
        };
        let buckets = group.buckets.iter().map(bucket).collect::<Result<_, _>>()?;
        Ok(Group { id: group.id, kind, buckets })
    }

    /// The group that a message makes.
    pub fn of_message(message: &GroupMod) -> Group {
        let buckets = message.buckets.iter().map(|bucket| {
            let weight = bucket.properties.iter().find_map(|property| match property {
                BucketProperty::Weight(weight) => Some(*weight),
                _ => None,
            });
            let watch = bucket.properties.iter().find_map(|property| match property {
                BucketProperty::WatchPort(port) => Some(*port),
                _ => None,
            });
            Bucket { id: bucket.id.0, actions: bucket.actions.clone(), weight: weight.unwrap_or(1), watch }
        });
        Group { id: message.group.0, kind: message.kind, buckets: buckets.collect() }
    }
}

impl Switch {
    /// A switch without flows.
    pub fn new() -> Switch {
        Switch::default()
    }

    /// Adds all that an owner has.
    ///
    /// # Errors
    /// What a switch would refuse, and what the interpreter does not know.
    pub fn install(&mut self, owner: Owner, compiled: &Compiled) -> Result<(), Fault> {
        for flow in &compiled.flows {
            self.add(Arc::new(Entry::of(flow, Some(owner))?))?;
        }
        for group in &compiled.groups {
            self.add_group(Arc::new(Group::of(group)?));
        }
        Ok(())
    }

    /// Adds a flow, in place of one with the same table, priority and match.
    ///
    /// # Errors
    /// What a switch would refuse, and what the interpreter does not know.
    pub fn add(&mut self, entry: Arc<Entry>) -> Result<(), Fault> {
        let pattern = Pattern::of(&entry.matching)?;
        self.tables.entry(entry.flow.table).or_default().insert(pattern, entry);
        Ok(())
    }

    /// Adds a group, in place of one with the same number.
    pub fn add_group(&mut self, group: Arc<Group>) {
        self.groups.insert(group.id, group);
    }

    /// From now on this port has no link, so that fast-failover groups avoid it.
    pub fn fail(&mut self, port: PortNo) {
        self.dead.insert(port);
    }

    /// The group with that number.
    pub(crate) fn group(&self, id: u32) -> Option<&Arc<Group>> {
        self.groups.get(&id)
    }

    /// The flow that a packet matches in a table.
    pub(crate) fn lookup(&self, table: u8, packet: &Packet) -> Result<Option<Arc<Entry>>, Fault> {
        self.tables.get(&table).map_or(Ok(None), |classifier| classifier.lookup(packet))
    }
}
