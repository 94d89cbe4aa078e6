//! What messages ask for, as the digests that a switch has when it has taken them: "wanted" to compare with "installed".

use super::depot::Depot;
use super::error::Code;
use super::flow_mod::FlowMod;
use super::groups::Change;
use super::tables::{TableSum, Tables};
use super::wire::{HEADER, first_length, u16_at, u32_at};
use super::{BUNDLE_ADD, FLOW_MOD, GROUP_MOD, METER_MOD};
use xxhash_rust::xxh3::xxh3_128;

/// The contents of a switch as numbers and hashes; equal exactly when the contents are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digest {
    /// Per table, empty ones left out.
    pub tables: Vec<TableSum>,
    /// How many groups.
    pub groups: u32,
    /// The sum of their hashes.
    pub group_digest: u128,
    /// How many meters.
    pub meters: u32,
    /// The sum of their hashes.
    pub meter_digest: u128,
}

impl Digest {
    /// How many flows in all tables.
    pub fn flows(&self) -> u64 {
        self.tables.iter().map(|table| u64::from(table.flows)).sum()
    }
}

impl Tables {
    /// The contents as numbers and hashes.
    pub fn digest(&self) -> Digest {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let group = |(id, content): (&u32, &u128)| {
            xxh3_128(&[&id.to_be_bytes()[..], &content.to_be_bytes()].concat())
        };
        let add = |sum: u128, hash: u128| sum.wrapping_add(hash);
        Digest {
            tables: self.sums(),
            groups: count(self.groups().len()),
            group_digest: self.groups().iter().map(|(id, held)| group((id, &held.meaning))).fold(0, add),
            meters: count(self.meters_seen().len()),
            // The first two bytes are the command, which is no part of the meter.
            meter_digest: self.meters_seen().values().map(|body| xxh3_128(&body[2..])).fold(0, add),
        }
    }
}

/// The digest of a switch that starts empty and is told these messages: meters to add, flow and group changes, alone or
/// in bundle-adds; anything else is passed over.
///
/// # Errors
/// When a switch would refuse one of them.
pub fn wanted<'a>(messages: impl IntoIterator<Item = &'a [u8]>) -> Result<Digest, Code> {
    let (mut depot, mut tables, mut log) = (Depot::new(), Tables::default(), Vec::new());
    for bytes in messages {
        let bytes =
            if bytes.get(1) == Some(&BUNDLE_ADD) { bytes.get(16..).unwrap_or_default() } else { bytes };
        let length = usize::from(u16_at(bytes, 2));
        if first_length(bytes).is_err() || bytes.len() < length || length < HEADER {
            return Err(Code::BAD_LENGTH);
        }
        let body = &bytes[HEADER..length];
        match bytes[1] {
            FLOW_MOD => tables.change_flows(&mut depot, FlowMod::new(body)?, &mut log)?,
            GROUP_MOD => tables.change_groups(&mut depot, &Change::parse(body)?, &mut log)?,
            METER_MOD if body.len() >= 8 => drop(tables.meters().insert(u32_at(body, 4), body.into())),
            _ => {}
        }
        log.clear();
    }
    Ok(tables.digest())
}
