//! Finding the flow of a table that a packet matches: highest priority first, with conjunctive matches.
//!
//! Flows that look at the same bits at the same priority stand in one ordered map, so that a lookup costs as many steps as
//! there are kinds of flows and not as there are flows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weft_openflow::oxm::OxmField;
use weft_openflow::{Match, oxm};

use crate::fault::Fault;
use crate::packet::Packet;
use crate::place::place;
use crate::switch::Entry;

/// The flows of one table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Classifier {
    /// By falling priority.
    tuples: Vec<Tuple>,
}

/// The flows of one priority that look at the same bits.
#[derive(Debug, Clone)]
struct Tuple {
    priority: u16,
    /// The bits they look at, by slot.
    masks: Vec<(usize, u128)>,
    /// By the values of these bits.
    rows: BTreeMap<Vec<u128>, Arc<Entry>>,
}

/// A match by slots: the bits that count and their values.
pub(crate) struct Pattern {
    masks: Vec<(usize, u128)>,
    values: Vec<u128>,
}

impl Pattern {
    /// The pattern of a match.
    ///
    /// # Errors
    /// [`Fault::UnknownField`], and [`Fault::Prerequisite`] for what a switch would refuse.
    pub fn of(matching: &Match) -> Result<Pattern, Fault> {
        let example = Packet::of(matching);
        for field in matching.fields() {
            match &example {
                None => return Err(Fault::UnknownField(field.id())),
                Some(packet) if !packet.has(field.id()) => return Err(Fault::Prerequisite(field.id())),
                Some(_) => {}
            }
        }
        let mut slots: BTreeMap<usize, (u128, u128)> = BTreeMap::new();
        for field in matching.fields() {
            let (slot, mask, value) = bits(field).ok_or(Fault::UnknownField(field.id()))?;
            let found = slots.entry(slot).or_default();
            *found = (found.0 | mask, found.1 | value);
        }
        let masks = slots.iter().filter(|(_, (mask, _))| *mask != 0).map(|(slot, (mask, _))| (*slot, *mask));
        let values = slots.values().filter(|(mask, _)| *mask != 0).map(|(_, value)| *value);
        Ok(Pattern { masks: masks.collect(), values: values.collect() })
    }
}

fn bits(field: &OxmField) -> Option<(usize, u128, u128)> {
    let (place, value) = (place(field.id())?, field.value()?);
    let mask = field.mask().unwrap_or(u128::MAX) & place.ones();
    Some((place.slot, mask << place.shift, (value & mask) << place.shift))
}

impl Classifier {
    /// Adds a flow, in place of one with the same priority and match.
    pub fn insert(&mut self, pattern: Pattern, entry: Arc<Entry>) {
        let priority = entry.flow.priority;
        let at = self.tuples.partition_point(|tuple| tuple.priority > priority);
        let same = self.tuples[at..].iter_mut().take_while(|tuple| tuple.priority == priority);
        if let Some(tuple) = same.into_iter().find(|tuple| tuple.masks == pattern.masks) {
            tuple.rows.insert(pattern.values, entry);
            return;
        }
        let rows = BTreeMap::from([(pattern.values, entry)]);
        self.tuples.insert(at, Tuple { priority, masks: pattern.masks, rows });
    }

    /// The flow that a packet matches.
    ///
    /// Conjunctive matches as `classifier_lookup` of Open vSwitch has them: when flows of one priority fulfil all parts of
    /// a conjunction and no plain flow of that or a higher priority matches, the packet is looked up once more with the
    /// conjunction's id, among plain flows only.
    ///
    /// # Errors
    /// [`Fault::Ambiguous`] when flows of two owners match at the same priority and do different things: which one a switch
    /// takes is not defined.
    pub fn lookup(&self, packet: &Packet) -> Result<Option<Arc<Entry>>, Fault> {
        let hard = self.plain(packet)?;
        let floor = hard.map(|entry| entry.flow.priority);
        let mut clauses: BTreeMap<u32, (u8, BTreeSet<u8>)> = BTreeMap::new();
        let mut level = None;
        for entry in self.matching(packet).take_while(|entry| floor.is_none_or(|p| entry.flow.priority > p)) {
            if level != Some(entry.flow.priority) {
                if let Some(found) = self.conjunctive(&clauses, packet)? {
                    return Ok(Some(found));
                }
                clauses.clear();
                level = Some(entry.flow.priority);
            }
            for (id, clause, count) in entry.conjunctions() {
                clauses.entry(id).or_insert((count, BTreeSet::new())).1.insert(clause);
            }
        }
        if let Some(found) = self.conjunctive(&clauses, packet)? {
            return Ok(Some(found));
        }
        Ok(hard.cloned())
    }

    /// The plain flow that a packet matches.
    fn plain<'a>(&'a self, packet: &'a Packet) -> Result<Option<&'a Arc<Entry>>, Fault> {
        let mut plain = self.matching(packet).filter(|entry| !entry.is_conjunctive());
        let Some(first) = plain.next() else { return Ok(None) };
        let rival = plain.take_while(|entry| entry.flow.priority == first.flow.priority);
        for rival in rival {
            // One owner's own flows may overlap where it does not matter which of them counts, as those of two rules do
            // that allow the same.
            let is_own = rival.owner.is_some() && rival.owner == first.owner;
            if rival.flow.instructions != first.flow.instructions && !is_own {
                return Err(Fault::Ambiguous(first.text(), rival.text()));
            }
        }
        Ok(Some(first))
    }

    /// All flows that match, by falling priority.
    fn matching<'a>(&'a self, packet: &'a Packet) -> impl Iterator<Item = &'a Arc<Entry>> {
        let mut key = Vec::with_capacity(8);
        self.tuples.iter().filter_map(move |tuple| {
            key.clear();
            key.extend(tuple.masks.iter().map(|(slot, mask)| packet.slot(*slot) & mask));
            tuple.rows.get(key.as_slice())
        })
    }

    /// The flow for the first conjunction of which all parts are there.
    fn conjunctive(
        &self,
        clauses: &BTreeMap<u32, (u8, BTreeSet<u8>)>,
        packet: &Packet,
    ) -> Result<Option<Arc<Entry>>, Fault> {
        for (id, (count, found)) in clauses {
            if found.len() == usize::from(*count) {
                let with_id = packet.clone().with(oxm::conj_id(*id));
                if let Some(entry) = self.plain(&with_id)? {
                    return Ok(Some(entry.clone()));
                }
            }
        }
        Ok(None)
    }
}
