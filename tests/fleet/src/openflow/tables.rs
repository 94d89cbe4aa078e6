//! The flows, groups and meters of one switch, and what every change was before, so that it can be undone.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashTable;

use super::depot::{Depot, FlowId, KeyId};
use super::error::Code;
use super::flow_mod::{ANY, CHECK_OVERLAP, Command, FlowMod, place};
use super::groups::{ALL_GROUPS, Change, Group, GroupCommand};
use super::oxm::Terms;

/// How many flows a table takes (Open vSwitch: a million by default).
const FLOWS_PER_TABLE: u32 = 1_000_000;

/// What is in one table, as a number and a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableSum {
    /// Which table.
    pub table: u8,
    /// How many flows.
    pub flows: u32,
    /// The sum of their hashes.
    pub digest: u128,
}

/// Why a flow came, changed or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// An add put it there, maybe in place of another.
    Add,
    /// A modification changed it.
    Modify,
    /// A deletion asked for it.
    Delete,
    /// A group that it sends to went.
    GroupDelete,
}

/// One change that was made.
#[derive(Debug, Clone)]
pub enum Done {
    /// A flow came, went or was replaced.
    Flow {
        /// Where.
        key: KeyId,
        /// What stood there before.
        before: Option<FlowId>,
        /// What stands there now.
        after: Option<FlowId>,
        /// Why.
        reason: Reason,
    },
    /// A group came, went or was replaced.
    Group {
        /// Which group.
        id: u32,
        /// What it was before.
        before: Option<Arc<Group>>,
    },
}

/// The state.
#[derive(Debug, Default)]
pub struct Tables {
    flows: HashTable<(KeyId, FlowId)>,
    sums: Vec<TableSum>,
    groups: BTreeMap<u32, Arc<Group>>,
    meters: BTreeMap<u32, Box<[u8]>>,
}

impl Tables {
    /// Does what a flow change asks for; what was changed is appended to `log`, also when an error ends it.
    ///
    /// # Errors
    /// What Open vSwitch answers.
    pub fn change_flows(
        &mut self,
        depot: &mut Depot,
        change: FlowMod<'_>,
        log: &mut Vec<Done>,
    ) -> Result<(), Code> {
        match change.command()? {
            Command::Add => {
                let flow = depot.flow(change)?;
                self.add(depot, flow, change.flags(), log)
            }
            command @ (Command::Modify | Command::ModifyStrict) => self.modify(depot, command, change, log),
            command => {
                let gone = self.select(depot, command, change)?;
                for (key, _) in gone {
                    self.put(depot, key, None, Reason::Delete, log);
                }
                Ok(())
            }
        }
    }

    /// Puts a flow in.
    ///
    /// # Errors
    /// What Open vSwitch answers to an add that decodes and cannot be.
    pub fn add(
        &mut self,
        depot: &mut Depot,
        flow: FlowId,
        flags: u16,
        log: &mut Vec<Done>,
    ) -> Result<(), Code> {
        self.check_named(depot.named(flow))?;
        let key = depot.key_of(flow);
        if flags & CHECK_OVERLAP != 0 && self.flow_at(key).is_none() && self.overlaps(depot, flow) {
            return Err(Code::OVERLAP);
        }
        let table = depot.summary(flow).0;
        if self.sums.iter().any(|sum| sum.table == table && sum.flows >= FLOWS_PER_TABLE)
            && self.flow_at(key).is_none()
        {
            return Err(Code::TABLE_FULL);
        }
        self.put(depot, key, Some(flow), Reason::Add, log);
        Ok(())
    }

    /// Makes room for so many more flows at once.
    pub fn reserve(&mut self, flows: usize) {
        self.flows.reserve(flows, |(key, _)| key.spread());
    }

    fn check_named(&self, (groups, meters): (&[u32], &[u32])) -> Result<(), Code> {
        if meters.iter().any(|meter| !self.meters.contains_key(meter)) {
            return Err(Code::METER_INVALID);
        }
        if groups.iter().any(|group| !self.groups.contains_key(group)) {
            return Err(Code::ACTION_OUT_GROUP);
        }
        Ok(())
    }

    fn modify(
        &mut self,
        depot: &mut Depot,
        command: Command,
        change: FlowMod<'_>,
        log: &mut Vec<Done>,
    ) -> Result<(), Code> {
        let (_, named) = change.check()?;
        let hit = self.select(depot, command, change)?;
        if hit.is_empty() {
            return Ok(());
        }
        self.check_named((&named.groups, &named.meters))?;
        let instructions = change.parts()?.1;
        for (key, before) in hit {
            // The flow as an add would have made it: the old one's head and match, the new instructions.
            let old = depot.bytes(before).body;
            let kept = old.len() - depot.bytes(before).parts()?.1.len();
            let mut body = old[..kept].to_vec();
            body.extend_from_slice(instructions);
            let after = depot.flow(FlowMod::new(&body)?)?;
            self.put(depot, key, Some(after), Reason::Modify, log);
        }
        Ok(())
    }

    /// The flows that a modification or a deletion is about.
    pub fn select(
        &self,
        depot: &mut Depot,
        command: Command,
        change: FlowMod<'_>,
    ) -> Result<Vec<(KeyId, FlowId)>, Code> {
        let (terms, _) = change.check()?;
        let deletes = matches!(command, Command::Delete | Command::DeleteStrict);
        let filter = Filter {
            table: change.table(),
            cookie: change.cookie(),
            mask: change.cookie_mask(),
            out_port: if deletes { change.out_port() } else { ANY },
            out_group: if deletes { change.out_group() } else { ANY },
            terms,
        };
        if matches!(command, Command::Delete | Command::Modify) {
            return Ok(self.matching(depot, &filter));
        }
        let mut scratch = depot.take_scratch();
        let tables = if filter.table == 0xff { 0..=0xfe } else { filter.table..=filter.table };
        let places = tables.map(|table| place(table, change.priority(), &filter.terms, &mut scratch));
        let keys: Vec<KeyId> = places.filter_map(|hash| depot.known_key(hash)).collect();
        depot.give_back(scratch);
        let found = keys.into_iter().filter_map(|key| Some((key, self.flow_at(key)?)));
        Ok(found.filter(|(_, flow)| filter.takes_all_but_match(depot, *flow)).collect())
    }

    /// The flows that a filter takes, in no order.
    pub fn matching(&self, depot: &Depot, filter: &Filter) -> Vec<(KeyId, FlowId)> {
        self.flows.iter().filter(|(_, flow)| self.takes(depot, filter, *flow)).copied().collect()
    }

    /// True if the filter takes this flow.
    pub fn takes(&self, depot: &Depot, filter: &Filter, flow: FlowId) -> bool {
        filter.takes_all_but_match(depot, flow)
            && (filter.terms.0.is_empty()
                || depot.bytes(flow).terms().is_ok_and(|terms| filter.terms.covers(&terms)))
    }

    fn overlaps(&self, depot: &Depot, flow: FlowId) -> bool {
        let new = depot.bytes(flow);
        let Ok(terms) = new.terms() else { return false };
        self.flows.iter().any(|(_, other)| {
            let other = depot.bytes(*other);
            other.table() == new.table()
                && other.priority() == new.priority()
                && other.terms().is_ok_and(|other| other.overlaps(&terms))
        })
    }

    /// What stands at a place.
    pub fn flow_at(&self, key: KeyId) -> Option<FlowId> {
        self.flows.find(key.spread(), |(other, _)| *other == key).map(|(_, flow)| *flow)
    }

    /// Makes a place hold a flow or none.
    fn put(
        &mut self,
        depot: &mut Depot,
        key: KeyId,
        after: Option<FlowId>,
        reason: Reason,
        log: &mut Vec<Done>,
    ) {
        let before = self.set(depot, key, after);
        if let Some(flow) = after {
            if !depot.watches.is_idle() {
                depot.note_came(flow);
            }
        } else if let Some(flow) = before
            && !depot.watches.is_idle()
        {
            depot.note_went(flow);
        }
        log.push(Done::Flow { key, before, after, reason });
    }

    fn set(&mut self, depot: &Depot, key: KeyId, after: Option<FlowId>) -> Option<FlowId> {
        use hashbrown::hash_table::Entry;
        let entry = self.flows.entry(key.spread(), |(other, _)| *other == key, |(other, _)| other.spread());
        let before = match (entry, after) {
            (Entry::Occupied(mut place), Some(flow)) => Some(std::mem::replace(&mut place.get_mut().1, flow)),
            (Entry::Occupied(place), None) => Some(place.remove().0.1),
            (Entry::Vacant(place), Some(flow)) => {
                place.insert((key, flow));
                None
            }
            (Entry::Vacant(_), None) => None,
        };
        for (flow, comes) in [(before, false), (after, true)] {
            let Some((table, digest)) = flow.map(|flow| depot.summary(flow)) else { continue };
            let sum = self.sum_of(table);
            if comes {
                (sum.flows, sum.digest) = (sum.flows + 1, sum.digest.wrapping_add(digest));
            } else {
                (sum.flows, sum.digest) = (sum.flows - 1, sum.digest.wrapping_sub(digest));
            }
        }
        before
    }

    fn sum_of(&mut self, table: u8) -> &mut TableSum {
        let at = match self.sums.binary_search_by_key(&table, |sum| sum.table) {
            Ok(at) => at,
            Err(at) => {
                self.sums.insert(at, TableSum { table, ..TableSum::default() });
                at
            }
        };
        &mut self.sums[at]
    }

    /// Does what a group change asks for; what was changed is appended to `log`, also when an error ends it.
    ///
    /// # Errors
    /// What Open vSwitch answers.
    pub fn change_groups(
        &mut self,
        depot: &mut Depot,
        change: &Change<'_>,
        log: &mut Vec<Done>,
    ) -> Result<(), Code> {
        let before = self.groups.get(&change.group).cloned();
        let after = match (change.command, &before) {
            (GroupCommand::Delete, _) => {
                self.delete_groups(depot, change.group, log);
                return Ok(());
            }
            (GroupCommand::Add, Some(_)) => return Err(Code::GROUP_EXISTS),
            (GroupCommand::Modify | GroupCommand::Insert | GroupCommand::Remove, None) => {
                return Err(Code::GROUP_UNKNOWN);
            }
            _ if !change.has_valid_group() => return Err(Code::GROUP_INVALID),
            (_, None) => depot.group(change.content()),
            (_, Some(before)) => depot.changed(before, change)?,
        };
        self.groups.insert(change.group, after);
        log.push(Done::Group { id: change.group, before });
        Ok(())
    }

    fn delete_groups(&mut self, depot: &mut Depot, which: u32, log: &mut Vec<Done>) {
        let ids: Vec<u32> = match which {
            ALL_GROUPS => self.groups.keys().copied().collect(),
            id => self.groups.contains_key(&id).then_some(id).into_iter().collect(),
        };
        if ids.is_empty() {
            return;
        }
        let sends = |flow: FlowId| depot.named(flow).0.iter().any(|group| ids.binary_search(group).is_ok());
        let orphans: Vec<KeyId> =
            self.flows.iter().filter(|(_, flow)| sends(*flow)).map(|(key, _)| *key).collect();
        for key in orphans {
            self.put(depot, key, None, Reason::GroupDelete, log);
        }
        for id in ids {
            let before = self.groups.remove(&id);
            log.push(Done::Group { id, before });
        }
    }

    /// Takes changes back, the newest first.
    pub fn undo(&mut self, depot: &Depot, log: &mut Vec<Done>) {
        for done in log.drain(..).rev() {
            match done {
                Done::Flow { key, before, .. } => {
                    self.set(depot, key, before);
                }
                Done::Group { id, before: Some(before) } => {
                    self.groups.insert(id, before);
                }
                Done::Group { id, before: None } => {
                    self.groups.remove(&id);
                }
            }
        }
    }

    /// The flows by place, in no order.
    pub fn flows(&self) -> impl Iterator<Item = FlowId> {
        self.flows.iter().map(|(_, flow)| *flow)
    }

    /// How many flows there are.
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// What every table holds, empty ones left out.
    pub fn sums(&self) -> Vec<TableSum> {
        self.sums.iter().filter(|sum| sum.flows > 0).copied().collect()
    }

    /// The groups by number.
    pub fn groups(&self) -> &BTreeMap<u32, Arc<Group>> {
        &self.groups
    }

    /// The meters by number, as the bodies of the messages that made them.
    pub fn meters(&mut self) -> &mut BTreeMap<u32, Box<[u8]>> {
        &mut self.meters
    }

    /// The meters by number.
    pub fn meters_seen(&self) -> &BTreeMap<u32, Box<[u8]>> {
        &self.meters
    }

    /// Removes every flow that passes a meter, as its deletion does.
    pub fn delete_users_of_meter(&mut self, depot: &mut Depot, meter: u32, log: &mut Vec<Done>) {
        let passes = |flow: FlowId| depot.named(flow).1.contains(&meter);
        let gone: Vec<KeyId> =
            self.flows.iter().filter(|(_, flow)| passes(*flow)).map(|(key, _)| *key).collect();
        for key in gone {
            self.put(depot, key, None, Reason::Delete, log);
        }
    }

    /// Everything is gone, as after a restart of the switch.
    pub fn clear(&mut self) {
        *self = Tables::default();
    }

    /// About how many bytes this switch's own part takes; what flows are made of is in the depot.
    pub fn resident_bytes(&self) -> usize {
        self.flows.capacity() * 10 + self.sums.capacity() * size_of::<TableSum>() + self.groups.len() * 40
    }
}

/// Which flows a request is about (`ofp_flow_desc_request` and loose changes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The table, 255 for all.
    pub table: u8,
    /// The bits that the cookie must have.
    pub cookie: u64,
    /// Which of them count.
    pub mask: u64,
    /// A port that the flow must send to, or any.
    pub out_port: u32,
    /// A group that the flow must send to, or any.
    pub out_group: u32,
    /// What the flow's match must lie within.
    pub terms: Terms,
}

impl Filter {
    fn takes_all_but_match(&self, depot: &Depot, flow: FlowId) -> bool {
        let bytes = depot.bytes(flow);
        (self.table == 0xff || bytes.table() == self.table)
            && bytes.cookie() & self.mask == self.cookie & self.mask
            && (self.out_group == ANY || depot.named(flow).0.contains(&self.out_group))
            && (self.out_port == ANY
                || bytes.check().is_ok_and(|(_, named)| named.ports.contains(&self.out_port)))
    }
}
