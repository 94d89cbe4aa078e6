//! Groups: what a group change asks for, and what it makes of a group (OpenFlow 1.5 section 7.3.4.3).

use xxhash_rust::xxh3::xxh3_128;

use super::actions::{Named, check_actions};
use super::error::Code;
use super::wire::{Reader, u16_at, u32_at};

/// Every group.
pub const ALL_GROUPS: u32 = 0xffff_fffc;
/// `OFPGT_SELECT`
const SELECT: u8 = 1;
/// `OFPGT_FF`
const FAST_FAILOVER: u8 = 3;
/// The highest number that a group may have.
const GROUP_MAX: u32 = 0xffff_ff00;
const BUCKET_MAX: u32 = 0xffff_ff00;
const BUCKET_FIRST: u32 = 0xffff_fffd;
const BUCKET_LAST: u32 = 0xffff_fffe;
const BUCKET_ALL: u32 = 0xffff_ffff;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupCommand {
    /// `OFPGC_ADD`
    Add,
    /// `OFPGC_MODIFY`
    Modify,
    /// `OFPGC_DELETE`
    Delete,
    /// `OFPGC_INSERT_BUCKET`
    Insert,
    /// `OFPGC_REMOVE_BUCKET`
    Remove,
    /// `OFPGC_ADD_OR_MOD`, of Open vSwitch
    Put,
}

/// A group change as it stands in a message.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// What is done.
    pub command: GroupCommand,
    /// Which group.
    pub group: u32,
    kind: u8,
    command_bucket: u32,
    buckets: &'a [u8],
    properties: &'a [u8],
    body: &'a [u8],
}

/// What a group holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Hash of everything below, byte for byte.
    pub digest: u128,
    /// Hash of what it does: the order of buckets does not count, except in a fast-failover group.
    pub meaning: u128,
    /// `ofp_group_type`.
    pub kind: u8,
    /// Encoded buckets.
    pub buckets: Box<[u8]>,
    /// Encoded properties.
    pub properties: Box<[u8]>,
}

impl<'a> Change<'a> {
    /// Reads the body of a group change and checks it as Open vSwitch does when it decodes it.
    ///
    /// # Errors
    /// What Open vSwitch answers.
    pub fn parse(body: &'a [u8]) -> Result<Change<'a>, Code> {
        let mut reader = Reader::new(body);
        let fixed = reader.take(16).ok_or(Code::BAD_LENGTH)?;
        let (number, kind, group) = (u16_at(fixed, 0), fixed[2], u32_at(fixed, 4));
        let (array, command_bucket) = (u16_at(fixed, 8), u32_at(fixed, 12));
        bucket_in_range(number, command_bucket)?;
        let buckets = reader.take(usize::from(array)).ok_or(Code::BAD_LENGTH)?;
        let (mut ids, mut watching) = (Vec::new(), Vec::new());
        for bucket in Buckets::over(buckets) {
            let bucket = bucket?;
            bucket.check()?;
            if bucket.id > BUCKET_MAX {
                return Err(Code::GROUP_BUCKET);
            }
            ids.push(bucket.id);
            watching.push(bucket.watches());
        }
        let count = ids.len();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Code::GROUP_BUCKET);
        }
        let command = match number {
            _ if kind > 3 => return Err(Code::GROUP_TYPE),
            0 => GroupCommand::Add,
            1 => GroupCommand::Modify,
            2 => GroupCommand::Delete,
            3 => GroupCommand::Insert,
            5 => GroupCommand::Remove,
            0x8000 => GroupCommand::Put,
            _ => return Err(Code::GROUP_COMMAND),
        };
        if kind == 2 && command != GroupCommand::Delete && count != 1 {
            return Err(Code::GROUP_INVALID);
        }
        if command == GroupCommand::Remove && count > 0 {
            return Err(Code::GROUP_BUCKET);
        }
        if kind == FAST_FAILOVER && !watching.iter().all(|watches| *watches) {
            return Err(Code::GROUP_INVALID);
        }
        if kind != FAST_FAILOVER && kind != SELECT && watching.contains(&true) {
            return Err(Code::GROUP_WATCH);
        }
        Ok(Change { command, group, kind, command_bucket, buckets, properties: reader.rest(), body })
    }

    /// A hash of the message.
    pub fn digest(&self) -> u128 {
        xxh3_128(self.body)
    }

    /// The group that an add or a modification asks for.
    pub fn content(&self) -> Group {
        Group::new(self.kind, self.buckets.to_vec(), self.properties.to_vec())
    }

    /// True if a group may have this number.
    pub fn has_valid_group(&self) -> bool {
        self.group <= GROUP_MAX
    }
}

fn bucket_in_range(command: u16, bucket: u32) -> Result<(), Code> {
    let one = bucket <= BUCKET_MAX || bucket == BUCKET_FIRST || bucket == BUCKET_LAST;
    let fits = match command {
        5 => one || bucket == BUCKET_ALL,
        3 => one,
        _ => bucket == BUCKET_ALL,
    };
    if fits { Ok(()) } else { Err(Code::GROUP_BUCKET) }
}

/// One bucket with its bytes.
#[derive(Debug, Clone, Copy)]
struct Bucket<'a> {
    id: u32,
    actions: &'a [u8],
    bytes: &'a [u8],
}

impl Bucket<'_> {
    /// True if a port or a group keeps it alive (`OFPGBPT_WATCH_PORT`, `OFPGBPT_WATCH_GROUP`).
    fn watches(&self) -> bool {
        let mut properties = &self.bytes[8 + self.actions.len()..];
        while properties.len() >= 8 {
            let (kind, length) = (u16_at(properties, 0), usize::from(u16_at(properties, 2)));
            if (kind == 1 || kind == 2) && u32_at(properties, 4) != u32::MAX {
                return true;
            }
            properties = properties.get(length.max(8)..).unwrap_or_default();
        }
        false
    }

    fn check(&self) -> Result<(), Code> {
        check_actions(self.actions, 8, &mut Named::default())
    }
}

struct Buckets<'a> {
    reader: Reader<'a>,
}

impl<'a> Buckets<'a> {
    fn over(bytes: &'a [u8]) -> Buckets<'a> {
        Buckets { reader: Reader::new(bytes) }
    }

    fn bucket(&mut self) -> Option<Bucket<'a>> {
        let rest = self.reader.rest();
        let (length, actions) = (usize::from(u16_at(rest, 0)), usize::from(u16_at(rest, 2)));
        if length < 8 || actions > length - 8 {
            return None;
        }
        let bytes = self.reader.take(length)?;
        Some(Bucket { id: u32_at(bytes, 4), actions: &bytes[8..8 + actions], bytes })
    }
}

impl<'a> Iterator for Buckets<'a> {
    type Item = Result<Bucket<'a>, Code>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.rest().is_empty() {
            return None;
        }
        let bucket = self.bucket();
        if bucket.is_none() {
            self.reader = Reader::new(&[]);
        }
        Some(bucket.ok_or(Code::GROUP_BUCKET))
    }
}

impl Group {
    fn new(kind: u8, buckets: Vec<u8>, properties: Vec<u8>) -> Group {
        let mut all = vec![kind];
        all.extend_from_slice(&(buckets.len() as u64).to_be_bytes());
        all.extend_from_slice(&buckets);
        all.extend_from_slice(&properties);
        let hashes = Buckets::over(&buckets).map_while(Result::ok).map(|bucket| xxh3_128(bucket.bytes));
        let sum = hashes.fold(xxh3_128(&[&[kind][..], &properties].concat()), u128::wrapping_add);
        let digest = xxh3_128(&all);
        let meaning = if kind == FAST_FAILOVER { digest } else { sum };
        Group { digest, meaning, kind, buckets: buckets.into(), properties: properties.into() }
    }

    /// The group after a modification, an insertion or a removal of buckets.
    ///
    /// # Errors
    /// What Open vSwitch answers.
    pub fn changed(&self, change: &Change<'_>) -> Result<Group, Code> {
        let had: Vec<Bucket<'_>> = Buckets::over(&self.buckets).filter_map(Result::ok).collect();
        let find = |id: u32| had.iter().position(|bucket| bucket.id == id);
        let target = change.command_bucket;
        let buckets = match change.command {
            GroupCommand::Insert => {
                let new: Vec<Bucket<'_>> = Buckets::over(change.buckets).filter_map(Result::ok).collect();
                let at = match target {
                    BUCKET_FIRST => 0,
                    BUCKET_LAST => had.len(),
                    id => find(id).ok_or(Code::BUCKET_UNKNOWN)? + 1,
                };
                if new.iter().any(|bucket| find(bucket.id).is_some()) {
                    return Err(Code::BUCKET_EXISTS);
                }
                [&had[..at], &new[..], &had[at..]].concat()
            }
            GroupCommand::Remove => {
                let gone = match target {
                    BUCKET_ALL => 0..had.len(),
                    BUCKET_FIRST => 0..had.len().min(1),
                    BUCKET_LAST => had.len().saturating_sub(1)..had.len(),
                    id => find(id).map(|at| at..at + 1).ok_or(Code::BUCKET_UNKNOWN)?,
                };
                [&had[..gone.start], &had[gone.end..]].concat()
            }
            _ => return Ok(change.content()),
        };
        let bytes = buckets.iter().flat_map(|bucket| bucket.bytes).copied().collect();
        Ok(Group::new(self.kind, bytes, self.properties.to_vec()))
    }

    /// How many buckets it has.
    pub fn bucket_count(&self) -> usize {
        Buckets::over(&self.buckets).count()
    }
}
