//! Digests of what a switch has or should have: sums over flows and groups, so that they follow a change without a look
//! at the rest.
//!
//! Equal digests mean equal content: what goes into the sum is 128 bits of hash for everything by which a switch could
//! tell two flows or groups apart. The sum does not depend on an order, the parts of a scope can be added up one after
//! the other, and a change is the digest after it minus the digest before.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use weft_openflow::message::multipart::FlowEntry;
use weft_openflow::received;
use xxhash_rust::xxh3::xxh3_128;

use crate::flow::{Flow, Group, GroupKind};

/// A sum of 128-bit hashes of flows and groups; zero for nothing at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(u128);

/// What is hashed; the first byte of every hash's input, so that none is taken for another.
#[derive(Clone, Copy)]
enum Kind {
    Flow = 1,
    Group = 2,
    Bucket = 3,
    Foreign = 4,
}

/// The bytes of one flow.
#[derive(Debug, Clone, Copy)]
pub struct FlowContent<'a> {
    /// The table it stands in.
    pub table: u8,
    /// Its priority.
    pub priority: u16,
    /// Its canonical match.
    pub match_bytes: &'a [u8],
    /// Its canonical instructions.
    pub instructions: &'a [u8],
}

impl FlowContent<'_> {
    /// Bytes in front of a flow's match and instructions when all of it is hashed.
    pub(crate) const HEAD: usize = 8;

    /// What stands in front of a match of this length.
    pub(crate) fn head(table: u8, priority: u16, match_length: usize) -> [u8; 8] {
        let length = u16::try_from(match_length).expect("a match fits into a message");
        let ([p0, p1], [l0, l1]) = (priority.to_be_bytes(), length.to_be_bytes());
        // The length keeps a match's last bytes from being taken for the first instruction's.
        [table, p0, p1, l0, l1, 0, 0, 0]
    }

    /// The same as [`FlowContent::hash`] of head, match and instructions that stand in one piece.
    pub(crate) fn hash_of_whole(bytes: &[u8]) -> u128 {
        xxh3_128(bytes)
    }

    /// 128 bits that depend on every part.
    pub fn hash(&self) -> u128 {
        let head = Self::head(self.table, self.priority, self.match_bytes.len());
        hash(&[&head, self.match_bytes, self.instructions])
    }

    /// The hash of a flow as a switch shows it, if it can be told without decoding anything.
    pub(crate) fn hash_of_entry(entry: &FlowEntry<'_>) -> Option<u128> {
        if !received::are_canonical_instructions(entry.instructions) {
            return None;
        }
        let mut buffer = [0; SMALL];
        let length = received::canonical_fields(entry.match_fields, &mut buffer[Self::HEAD..])?;
        buffer[..Self::HEAD].copy_from_slice(&Self::head(entry.table.0, entry.priority, length));
        let end = Self::HEAD + length + entry.instructions.len();
        buffer.get_mut(Self::HEAD + length..end)?.copy_from_slice(entry.instructions);
        Some(xxh3_128(&buffer[..end]))
    }
}

/// Flows that take no more than this are put together on the stack.
const SMALL: usize = 512;

impl Digest {
    /// What nothing at all amounts to.
    pub const NOTHING: Digest = Digest(0);

    /// A flow with the given content ([`FlowContent::hash`]) and cookie.
    pub(crate) fn of_flow(content: u128, cookie: u64) -> Digest {
        Digest(mixed(Kind::Flow, content, cookie))
    }

    /// Something that no owner of ours ever has: a flow with a timeout, a group of another type.
    pub(crate) fn foreign(content: u128, name: u64) -> Digest {
        Digest(mixed(Kind::Foreign, content, name))
    }

    /// A group without its buckets.
    pub(crate) fn of_group(id: u32, kind: GroupKind) -> Digest {
        let chooses = match kind {
            GroupKind::All => 0,
            GroupKind::FastFailover => 1,
        };
        Digest(mixed(Kind::Group, chooses, u64::from(id)))
    }

    /// One bucket with its canonical actions; what a group adds up from.
    pub(crate) fn of_bucket(group: u32, bucket: u32, actions: &[u8]) -> Digest {
        let name = u64::from(group) << 32 | u64::from(bucket);
        Digest(mixed(Kind::Bucket, xxh3_128(actions), name))
    }

    /// The digest of flows and groups.
    pub(crate) fn of(flows: &[Flow], groups: &[Group]) -> Digest {
        flows.iter().map(Flow::digest).chain(groups.iter().map(Group::digest)).sum()
    }
}

fn mixed(kind: Kind, content: u128, name: u64) -> u128 {
    let mut input = [0; 25];
    input[0] = kind as u8;
    input[1..17].copy_from_slice(&content.to_be_bytes());
    input[17..].copy_from_slice(&name.to_be_bytes());
    xxh3_128(&input)
}

/// Hashes parts as one: hashing in one go is several times faster than feeding a hasher.
fn hash(parts: &[&[u8]]) -> u128 {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if length > SMALL {
        return xxh3_128(&parts.concat());
    }
    let mut buffer = [0; SMALL];
    let mut at = 0;
    for part in parts {
        buffer[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    xxh3_128(&buffer[..length])
}

impl Add for Digest {
    type Output = Digest;

    fn add(self, other: Digest) -> Digest {
        Digest(self.0.wrapping_add(other.0))
    }
}

impl Sub for Digest {
    type Output = Digest;

    fn sub(self, other: Digest) -> Digest {
        Digest(self.0.wrapping_sub(other.0))
    }
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Digest) {
        *self = *self + other;
    }
}

impl SubAssign for Digest {
    fn sub_assign(&mut self, other: Digest) {
        *self = *self - other;
    }
}

impl Sum for Digest {
    fn sum<I: Iterator<Item = Digest>>(digests: I) -> Digest {
        digests.fold(Digest::NOTHING, Add::add)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_and_order_does_not() {
        let base = FlowContent { table: 1, priority: 2, match_bytes: &[1, 2], instructions: &[3] };
        let others = [
            FlowContent { table: 2, ..base },
            FlowContent { priority: 3, ..base },
            FlowContent { match_bytes: &[1], instructions: &[2, 3], ..base },
            FlowContent { instructions: &[4], ..base },
        ];
        let flow = Digest::of_flow(base.hash(), 7);
        assert!(others.iter().all(|other| Digest::of_flow(other.hash(), 7) != flow));
        let distinct = [
            Digest::of_flow(base.hash(), 8),
            Digest::foreign(base.hash(), 7),
            Digest::of_group(7, GroupKind::All),
            Digest::of_group(7, GroupKind::FastFailover),
            Digest::of_bucket(7, 1, &[1]),
            Digest::of_bucket(7, 2, &[1]),
            Digest::of_bucket(7, 1, &[2]),
            Digest::NOTHING,
        ];
        for (at, digest) in distinct.iter().enumerate() {
            assert!(*digest != flow && !distinct[at + 1..].contains(digest));
        }
        assert_eq!(distinct[0] + flow - distinct[0], flow);
        assert_eq!(distinct.iter().copied().sum::<Digest>(), distinct.iter().rev().copied().sum());
    }

    #[test]
    fn long_flows_are_hashed_whole() {
        let long = vec![9; 2000];
        let content = FlowContent { table: 1, priority: 1, match_bytes: &[], instructions: &long };
        let shorter = FlowContent { instructions: &long[..1999], ..content };
        assert_ne!(content.hash(), shorter.hash());
    }
}
