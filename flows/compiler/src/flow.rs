//! Compiled flows and groups: bytes with the few numbers that comparing and replacing them needs.

use std::collections::BTreeMap;
use std::panic::Location;

use bytes::Bytes;

use crate::digest::{Digest, FlowContent};

/// One OpenFlow entry, ready to be sent.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The table it stands in.
    pub table: u8,
    /// Its priority; the larger one wins.
    pub priority: u16,
    /// Its owner and a hash of its content, see [`crate::cookie`].
    pub cookie: u64,
    /// The fields of the match in canonical form, without header or padding
    /// ([`weft_openflow::Match::canonical_bytes`]).
    pub match_bytes: Bytes,
    /// The encoded instructions, in canonical form ([`weft_openflow::canonical_instructions`]).
    pub instructions: Bytes,
    /// The source line that made it, for people who ask why it is there; never sent.
    pub origin: &'static Location<'static>,
}

/// What makes a flow this flow: replacing and deleting go by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowKey {
    /// The table it stands in.
    pub table: u8,
    /// Its priority.
    pub priority: u16,
    /// Its canonical match.
    pub match_bytes: Bytes,
    /// The cookie it has now. A delete names it, so that it never hits a flow of another owner that has
    /// meanwhile taken the same place.
    pub cookie: u64,
}

/// How a group chooses among its buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupKind {
    /// Every bucket gets a copy of the packet (`OFPGT_ALL`).
    All,
    /// The packet goes to the first bucket that is alive (`OFPGT_FF`): the first in the order of their ids, each of which
    /// says which port keeps its bucket alive, see [`WatchedBucket`].
    FastFailover,
}

/// A bucket of a fast-failover group. Its id says all that there is to know besides its actions, so that buckets are kept,
/// hashed and compared like those of any other group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchedBucket {
    /// Its place in the order: the smallest that is alive is taken.
    pub rank: u16,
    /// The OpenFlow port number that keeps it alive.
    pub watch: u16,
}

impl WatchedBucket {
    /// Its number in the group: the rank in the upper 16 bits, the port in the lower.
    pub fn id(self) -> u32 {
        u32::from(self.rank) << 16 | u32::from(self.watch)
    }

    /// The bucket with that number.
    pub fn of(id: u32) -> WatchedBucket {
        let [a, b, c, d] = id.to_be_bytes();
        WatchedBucket { rank: u16::from_be_bytes([a, b]), watch: u16::from_be_bytes([c, d]) }
    }
}

/// One OpenFlow group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number, see [`crate::group_id`].
    pub id: u32,
    /// How it chooses.
    pub kind: GroupKind,
    /// The encoded action list of every bucket by bucket id, in canonical form.
    pub buckets: BTreeMap<u32, Bytes>,
}

/// Everything that one owner has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// Its flows, sorted by table, priority and match; no two have the same three.
    pub flows: Vec<Flow>,
    /// Its groups, sorted by id.
    pub groups: Vec<Group>,
    pub(crate) digest: Digest,
}

impl Flow {
    /// What a delete of this flow names.
    pub fn key(&self) -> FlowKey {
        let match_bytes = self.match_bytes.clone();
        FlowKey { table: self.table, priority: self.priority, match_bytes, cookie: self.cookie }
    }

    /// Everything by which a switch could tell it from another.
    pub fn digest(&self) -> Digest {
        let Flow { table, priority, match_bytes, instructions, .. } = self;
        let (table, priority) = (*table, *priority);
        Digest::of_flow(FlowContent { table, priority, match_bytes, instructions }.hash(), self.cookie)
    }

    /// What two flows on one switch cannot share; flows are sorted by it.
    pub fn place(&self) -> (u8, u16, &[u8]) {
        (self.table, self.priority, &self.match_bytes)
    }
}

/// Flows are equal when a switch could not tell them apart; where in the source they come from does not count.
impl PartialEq for Flow {
    fn eq(&self, other: &Flow) -> bool {
        self.place() == other.place()
            && self.cookie == other.cookie
            && self.instructions == other.instructions
    }
}

impl Eq for Flow {}

impl Group {
    /// Everything by which a switch could tell it from another.
    pub fn digest(&self) -> Digest {
        let buckets =
            self.buckets.iter().map(|(bucket, actions)| Digest::of_bucket(self.id, *bucket, actions));
        buckets.fold(Digest::of_group(self.id, self.kind), |sum, bucket| sum + bucket)
    }
}

impl Compiled {
    /// Flows sorted by place and groups sorted by id, no two in the same place.
    pub fn new(flows: Vec<Flow>, groups: Vec<Group>) -> Compiled {
        let digest = Digest::of(&flows, &groups);
        Compiled { flows, groups, digest }
    }

    /// The digest of all of it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// True when there is nothing to install.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty() && self.groups.is_empty()
    }
}
