//! What is kept of a scope: how much it wants and a digest of that, never the flows themselves.
//!
//! Compiling is pure, so what a scope wanted before a change is compiled again from the snapshot before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use weft_compiler::{Compiled, Delta, GroupDelta, Scope, Tally, compile_scope, diff};
use weft_model::{HostIndex, Snapshot};

use crate::late::{LateGroup, LateId};

/// One scope with everyone who has it.
#[derive(Debug, Default)]
pub struct Subscribed {
    /// The hosts that have it, connected or not.
    pub hosts: BTreeSet<HostIndex>,
    /// What it wants; `None` until somebody connected needs it.
    pub edition: Option<Edition>,
}

/// What a scope wants, as its subscribers were told.
#[derive(Debug, Default)]
pub struct Edition {
    /// How much it is, and the digest of it.
    pub tally: Tally,
    /// When the digest was last held against compiling from scratch.
    pub checked: Option<Instant>,
    /// Switches that could not take a change.
    pub late: BTreeMap<LateId, LateGroup>,
}

/// Adds up what a scope wants; says of how many owners.
pub fn count(scope: Scope, snapshot: &Snapshot) -> (Tally, u64) {
    let (mut tally, mut owners) = (Tally::default(), 0);
    compile_scope(scope, snapshot, |_, compiled| {
        tally.merge(compiled.tally());
        owners += 1;
    });
    (tally, owners)
}

/// `tally` without `before` and with `after`.
pub fn moved(tally: Tally, before: &Compiled, after: &Compiled) -> Tally {
    let (before, after) = (before.tally(), after.tally());
    Tally {
        digest: tally.digest + after.digest - before.digest,
        flows: (tally.flows + after.flows).saturating_sub(before.flows),
        groups: (tally.groups + after.groups).saturating_sub(before.groups),
    }
}

/// As [`diff`], but all flows that are wanted are added, whether they differ or not.
pub fn rewrite(before: &Compiled, after: &Compiled) -> Delta {
    if before.is_empty() {
        return diff(before, after);
    }
    let mut delta = diff(before, after);
    delta.add = after.flows.clone();
    delta
}

/// What takes all of it away.
pub fn removal(had: &Compiled) -> Delta {
    let flows = had.flows.iter().map(weft_compiler::Flow::key).collect();
    let groups = had.groups.iter().map(|group| GroupDelta::Delete { id: group.id }).collect();
    Delta { delete: flows, groups, ..Delta::default() }
}
