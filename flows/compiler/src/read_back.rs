//! What a switch has against what is wanted: the difference that repairs it.
//!
//! This is the one path for first contact, reconnection, drift and a controller's restart.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bytes::Bytes;
use weft_openflow::canonical::canonical_actions;
use weft_openflow::message::multipart::{FlowEntry, GroupDesc};
use weft_openflow::message::{Bucket, BucketProperty, GroupType};
use weft_openflow::{
    Action, Cookie, DecodeError, GroupId, Instruction, Match, PortNo, TableId, Writer, canonical_instructions,
};

use crate::cookie::is_learned;
use crate::diff::{Delta, GroupDelta, diff_group, order};
use crate::digest::{Digest, FlowContent};
use crate::flow::{Compiled, Flow, FlowKey, Group, GroupKind, WatchedBucket};

/// A flow as a switch describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFlow {
    key: FlowKey,
    /// Canonical instructions; `None` when something about the flow is never ours, such as a timeout.
    instructions: Option<Bytes>,
    /// The switch has learned it by itself.
    learned: bool,
}

/// A group as a switch describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenGroup {
    id: u32,
    /// `None` when something about the group is never ours, such as another type.
    group: Option<Group>,
}

/// The numbers by which a switch names a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its table.
    pub table: TableId,
    /// Its priority.
    pub priority: u16,
    /// Its cookie.
    pub cookie: Cookie,
}

impl SeenFlow {
    /// A permanent flow without flags, as it was decoded. The instructions count, not only the cookie: a flow whose
    /// actions were modified by hand keeps its cookie.
    pub fn new(place: Place, matching: &Match, instructions: &[Instruction]) -> SeenFlow {
        let mut writer = Writer::new();
        Instruction::encode_list(&canonical_instructions(instructions), &mut writer);
        SeenFlow { key: key(place, matching), instructions: Some(writer.into_bytes()), learned: false }
    }

    /// A flow that is not ours whatever it does: one with a timeout, flags or an importance.
    pub fn foreign(place: Place, matching: &Match) -> SeenFlow {
        SeenFlow { key: key(place, matching), instructions: None, learned: false }
    }

    /// A flow as it stands in a switch's answer to a flow description request.
    ///
    /// # Errors
    /// When its match or its instructions do not decode.
    pub fn from_entry(entry: &FlowEntry<'_>) -> Result<SeenFlow, DecodeError> {
        let place = Place { table: entry.table, priority: entry.priority, cookie: entry.cookie };
        let matching = entry.matching()?;
        let expires = entry.idle_timeout != 0 || entry.hard_timeout != 0;
        if expires || !entry.flags.is_empty() || entry.importance != 0 {
            let learned = is_learned(entry.table, entry.cookie, entry.hard_timeout);
            return Ok(SeenFlow { learned, ..SeenFlow::foreign(place, &matching) });
        }
        Ok(SeenFlow::new(place, &matching, &entry.instructions()?))
    }

    /// True if the switch has learned it by itself: then it is neither compared nor removed.
    pub fn is_learned(&self) -> bool {
        self.learned
    }

    /// Its cookie, which says whose it is.
    pub fn cookie(&self) -> u64 {
        self.key.cookie
    }

    /// What it adds to a digest: the same as the flow that was wanted if it is exactly that one, and what nothing wanted
    /// ever adds if it is foreign.
    pub fn digest(&self) -> Digest {
        let FlowKey { table, priority, cookie, match_bytes } = &self.key;
        let (table, priority) = (*table, *priority);
        let instructions = self.instructions.as_deref().unwrap_or_default();
        let content = FlowContent { table, priority, match_bytes, instructions }.hash();
        match self.instructions {
            Some(_) => Digest::of_flow(content, *cookie),
            None => Digest::foreign(content, *cookie),
        }
    }

    fn place(&self) -> (u8, u16, &[u8]) {
        (self.key.table, self.key.priority, &self.key.match_bytes)
    }

    fn is(&self, wanted: &Flow) -> bool {
        self.key.cookie == wanted.cookie && self.instructions.as_ref() == Some(&wanted.instructions)
    }
}

fn key(place: Place, matching: &Match) -> FlowKey {
    let Place { table, priority, cookie } = place;
    FlowKey { table: table.0, priority, match_bytes: matching.canonical_bytes(), cookie: cookie.0 }
}

impl SeenGroup {
    /// A group without properties of its own, as it was decoded.
    pub fn new(id: GroupId, kind: GroupType, buckets: &[Bucket]) -> SeenGroup {
        let kind = match kind {
            GroupType::All if buckets.iter().all(|bucket| bucket.properties.is_empty()) => GroupKind::All,
            // The order in which a switch looks at them is the order in which it shows them.
            GroupType::FastFailover if buckets.iter().all(watches) && buckets.is_sorted_by_key(|b| b.id) => {
                GroupKind::FastFailover
            }
            _ => return SeenGroup::foreign(id),
        };
        let actions = buckets.iter().map(|bucket| (bucket.id.0, encoded(&bucket.actions)));
        SeenGroup { id: id.0, group: Some(Group { id: id.0, kind, buckets: actions.collect() }) }
    }

    /// A group as it stands in a switch's answer to a group description request.
    pub fn from_desc(desc: &GroupDesc) -> SeenGroup {
        if desc.properties.is_empty() {
            SeenGroup::new(desc.group, desc.kind, &desc.buckets)
        } else {
            SeenGroup::foreign(desc.group)
        }
    }

    /// Its number, which says whose it is.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What it adds to a digest, as [`SeenFlow::digest`].
    pub fn digest(&self) -> Digest {
        self.group.as_ref().map_or_else(|| Digest::foreign(0, u64::from(self.id)), Group::digest)
    }

    /// A group that is not ours whatever it does: one with properties.
    pub fn foreign(id: GroupId) -> SeenGroup {
        SeenGroup { id: id.0, group: None }
    }
}

/// True if the bucket watches the port that its number names, and nothing else is said of it.
fn watches(bucket: &Bucket) -> bool {
    let port = PortNo(WatchedBucket::of(bucket.id.0).watch.into());
    bucket.properties == [BucketProperty::WatchPort(port)]
}

fn encoded(actions: &[Action]) -> Bytes {
    let mut writer = Writer::new();
    Action::encode_list(&canonical_actions(actions), &mut writer);
    writer.into_bytes()
}

/// What turns a switch that has `flows` and `groups` into one that has exactly what the owners in `wanted` have: what
/// is missing is added, what is different is replaced, everything else is deleted. Empty when nothing differs.
pub fn read_back<'a>(
    wanted: impl IntoIterator<Item = &'a Compiled>,
    mut flows: Vec<SeenFlow>,
    groups: Vec<SeenGroup>,
) -> Delta {
    flows.retain(|flow| !flow.learned);
    let mut wanted_flows: Vec<&Flow> = Vec::new();
    let mut wanted_groups: BTreeMap<u32, &Group> = BTreeMap::new();
    let mut wants = Digest::NOTHING;
    for compiled in wanted {
        wants += compiled.digest();
        wanted_flows.extend(&compiled.flows);
        wanted_groups.extend(compiled.groups.iter().map(|group| (group.id, group)));
    }
    wanted_flows.sort_by(|a, b| a.place().cmp(&b.place()));
    flows.sort_by(|a, b| a.place().cmp(&b.place()));
    let has: Digest = flows.iter().map(SeenFlow::digest).chain(groups.iter().map(SeenGroup::digest)).sum();
    let mut delta = Delta { change: wants - has, ..Delta::default() };
    compare_flows(&wanted_flows, &flows, &mut delta);
    compare_groups(wanted_groups, groups, &mut delta);
    delta
}

fn compare_flows(wanted: &[&Flow], seen: &[SeenFlow], delta: &mut Delta) {
    let (mut new, mut old) = (wanted.iter().peekable(), seen.iter().peekable());
    loop {
        match order(old.peek().map(|flow| flow.place()), new.peek().map(|flow| flow.place())) {
            None => return,
            Some(Ordering::Less) => delta.delete.extend(old.next().map(|flow| flow.key.clone())),
            Some(Ordering::Greater) => delta.add.extend(new.next().map(|flow| (*flow).clone())),
            Some(Ordering::Equal) => {
                if let (Some(seen), Some(wanted)) = (old.next(), new.next())
                    && !seen.is(wanted)
                {
                    delta.add.push((*wanted).clone());
                }
            }
        }
    }
}

fn compare_groups(mut wanted: BTreeMap<u32, &Group>, seen: Vec<SeenGroup>, delta: &mut Delta) {
    for seen in seen {
        match (wanted.remove(&seen.id), seen.group) {
            (None, _) => delta.groups.push(GroupDelta::Delete { id: seen.id }),
            (Some(wanted), None) => delta.groups.push(GroupDelta::Put(wanted.clone())),
            (Some(wanted), Some(had)) => diff_group(&had, wanted, &mut delta.groups),
        }
    }
    delta.groups.extend(wanted.into_values().cloned().map(GroupDelta::Put));
}
