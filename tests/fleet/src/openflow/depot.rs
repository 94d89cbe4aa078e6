//! What the switches of one thread have in common: every flow and every group content once, however many hold it.
//!
//! A network-wide flow is the same bytes on every switch. The first switch that is told it pays for decoding; for all
//! others it is one hash of the bytes and one look-up. Nothing is ever given back: a depot lives as long as a run.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Weak};

use hashbrown::HashTable;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::error::Code;
use super::flow_mod::FlowMod;
use super::groups::{Change, Group};
use super::tables::Done;
use super::watch::Watches;

/// A flow with everything about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(u32);

/// A place in the tables of a switch: table, priority and match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u32);

impl KeyId {
    /// A hash good enough for a table of places.
    pub fn spread(self) -> u64 {
        let mixed = u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }
}

#[derive(Debug, Clone, Copy)]
struct Record {
    digest: [u64; 2],
    /// Where its bytes are: chunk and offset.
    chunk: u32,
    offset: u32,
    length: u16,
    table: u8,
    /// Index into `named`; 0 when it names no group.
    named: u32,
    key: KeyId,
}

/// The groups and the meters that a flow names.
type Numbers = (Box<[u32]>, Box<[u32]>);

const CHUNK: usize = 1 << 20;
const TRANSITIONS_MAX: usize = 1 << 14;

/// The store.
#[derive(Debug)]
pub struct Depot {
    records: Vec<Record>,
    chunks: Vec<Vec<u8>>,
    /// Flows by their bytes: half of the hash, so that growing looks at no bytes, and the flow.
    by_bytes: HashTable<(u32, u32)>,
    /// Places by the first 96 bits of their hash.
    keys: HashTable<([u32; 3], u32)>,
    /// Groups and meters that flows name, by `Record::named`.
    named: Vec<Numbers>,
    groups: HashMap<u128, Weak<Group>, BuildHasherDefault<Xxh3Default>>,
    groups_swept: usize,
    transitions: HashMap<(u128, u128), Arc<Group>, BuildHasherDefault<Xxh3Default>>,
    scratch: Vec<u8>,
    /// A buffer for what a change did, kept for its room.
    pub(super) log: Vec<Done>,
    /// What somebody waits for.
    pub watches: Watches,
}

impl Default for Depot {
    fn default() -> Depot {
        Depot::new()
    }
}

impl Depot {
    /// An empty depot.
    pub fn new() -> Depot {
        Depot {
            records: Vec::new(),
            chunks: Vec::new(),
            by_bytes: HashTable::new(),
            keys: HashTable::new(),
            named: vec![Default::default()],
            groups: HashMap::default(),
            groups_swept: 1024,
            transitions: HashMap::default(),
            scratch: Vec::new(),
            log: Vec::new(),
            watches: Watches::default(),
        }
    }

    /// The flow that an add asks for.
    ///
    /// # Errors
    /// What Open vSwitch answers to a message that does not decode.
    pub fn flow(&mut self, add: FlowMod<'_>) -> Result<FlowId, Code> {
        let hash = xxh3_64(add.body) as u32;
        let Depot { records, chunks, .. } = self;
        let same = |(half, id): &(u32, u32)| *half == hash && bytes_of(records, chunks, *id) == add.body;
        match self.by_bytes.find(widen(hash), same) {
            Some((_, id)) => Ok(FlowId(*id)),
            None => self.new_flow(add, hash),
        }
    }

    #[cold]
    fn new_flow(&mut self, add: FlowMod<'_>, hash: u32) -> Result<FlowId, Code> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let meaning = add.meaning(&mut scratch);
        self.scratch = scratch;
        let meaning = meaning?;
        let key = self.key(meaning.key);
        let named = if meaning.named.groups.is_empty() && meaning.named.meters.is_empty() {
            0
        } else {
            self.named.push((meaning.named.groups.into(), meaning.named.meters.into()));
            u32::try_from(self.named.len() - 1).expect("fewer than 2^32 flows")
        };
        if self.chunks.last().is_none_or(|chunk| chunk.len() + add.body.len() > CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunk = self.chunks.last_mut().expect("one was pushed");
        let offset = chunk.len();
        chunk.extend_from_slice(add.body);
        let record = Record {
            digest: split(meaning.digest),
            chunk: u32::try_from(self.chunks.len() - 1).expect("fewer than 2^32 chunks"),
            offset: u32::try_from(offset).expect("chunks are small"),
            length: u16::try_from(add.body.len()).expect("a message is at most 65,535 bytes"),
            table: add.table(),
            named,
            key,
        };
        let id = u32::try_from(self.records.len()).expect("fewer than 2^32 flows");
        self.records.push(record);
        self.by_bytes.insert_unique(widen(hash), (hash, id), |(half, _)| widen(*half));
        Ok(FlowId(id))
    }

    fn key(&mut self, hash: u128) -> KeyId {
        let short = shorten(hash);
        let next = u32::try_from(self.keys.len()).expect("fewer than 2^32 places");
        let spread = |short: &[u32; 3]| u64::from(short[0]) << 32 | u64::from(short[1]);
        let entry = self.keys.entry(spread(&short), |(other, _)| *other == short, |(other, _)| spread(other));
        KeyId(entry.or_insert((short, next)).get().1)
    }

    /// The place with this hash, if any flow has ever stood there.
    pub fn known_key(&self, hash: u128) -> Option<KeyId> {
        let short = shorten(hash);
        let spread = u64::from(short[0]) << 32 | u64::from(short[1]);
        self.keys.find(spread, |(other, _)| *other == short).map(|(_, id)| KeyId(*id))
    }

    /// The bytes of the add that made a flow.
    pub fn bytes(&self, flow: FlowId) -> FlowMod<'_> {
        FlowMod { body: bytes_of(&self.records, &self.chunks, flow.0) }
    }

    /// Where a flow stands.
    pub fn key_of(&self, flow: FlowId) -> KeyId {
        self.records[flow.0 as usize].key
    }

    /// The table and the hash of a flow.
    pub fn summary(&self, flow: FlowId) -> (u8, u128) {
        let record = &self.records[flow.0 as usize];
        (record.table, join(record.digest))
    }

    /// The groups and meters that a flow's instructions name.
    pub fn named(&self, flow: FlowId) -> (&[u32], &[u32]) {
        let (groups, meters) = &self.named[self.records[flow.0 as usize].named as usize];
        (groups, meters)
    }

    /// Tells those who wait for it that a flow was put in force.
    pub fn note_came(&mut self, flow: FlowId) {
        let body = bytes_of(&self.records, &self.chunks, flow.0);
        self.watches.came(FlowMod { body });
    }

    /// Tells those who wait for it that a flow has gone.
    pub fn note_went(&mut self, flow: FlowId) {
        let body = bytes_of(&self.records, &self.chunks, flow.0);
        self.watches.went(FlowMod { body });
    }

    /// A scratch buffer, to be given back with [`Depot::give_back`].
    pub fn take_scratch(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.scratch)
    }

    /// Takes the scratch buffer back.
    pub fn give_back(&mut self, scratch: Vec<u8>) {
        self.scratch = scratch;
    }

    /// The one copy of a group's content.
    pub fn group(&mut self, group: Group) -> Arc<Group> {
        if let Some(known) = self.groups.get(&group.digest).and_then(Weak::upgrade) {
            return known;
        }
        if self.groups.len() > self.groups_swept {
            self.groups.retain(|_, group| group.strong_count() > 0);
            self.groups_swept = self.groups.len() * 2 + 1024;
        }
        let shared = Arc::new(group);
        self.groups.insert(shared.digest, Arc::downgrade(&shared));
        shared
    }

    /// What a change makes of a group, remembered for the other switches that will be told the same.
    ///
    /// # Errors
    /// What Open vSwitch answers.
    pub fn changed(&mut self, before: &Group, change: &Change<'_>) -> Result<Arc<Group>, Code> {
        let name = (before.digest, change.digest());
        if let Some(known) = self.transitions.get(&name) {
            return Ok(known.clone());
        }
        let after = self.group(before.changed(change)?);
        if self.transitions.len() >= TRANSITIONS_MAX {
            self.transitions.clear();
        }
        self.transitions.insert(name, after.clone());
        Ok(after)
    }

    /// How many different flows there are, and about how many bytes they take.
    pub fn size(&self) -> (usize, usize) {
        let records = self.records.capacity() * size_of::<Record>();
        let tables = self.by_bytes.capacity() * 10 + self.keys.capacity() * 17;
        (self.records.len(), records + tables + self.chunks.len() * CHUNK)
    }
}

fn bytes_of<'a>(records: &[Record], chunks: &'a [Vec<u8>], id: u32) -> &'a [u8] {
    let record = &records[id as usize];
    let offset = record.offset as usize;
    &chunks[record.chunk as usize][offset..offset + usize::from(record.length)]
}

/// 64 bits from 32: a hash table takes its buckets from the low end and its tags from the high end.
fn widen(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// As halves, so that a record needs no more than 8-byte alignment.
fn split(digest: u128) -> [u64; 2] {
    [(digest >> 64) as u64, digest as u64]
}

fn join([high, low]: [u64; 2]) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

fn shorten(hash: u128) -> [u32; 3] {
    [hash as u32, (hash >> 32) as u32, (hash >> 64) as u32]
}
