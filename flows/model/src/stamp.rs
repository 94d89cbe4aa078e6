//! What every tenant-visible object carries besides its meaning: names, times, its own revision number.

use std::collections::BTreeSet;

/// Seconds since 1970-01-01T00:00:00Z. The pure world never reads a clock: the shell passes the time in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

/// The descriptive part of an object. Flows never depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamp {
    /// What the tenant calls it; need not be unique; at most 255 characters.
    pub name: String,
    /// Free text, at most 255 characters.
    pub description: String,
    /// Labels for filtering, each at most 255 characters.
    pub tags: BTreeSet<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// Grows by one with every change of this object; the API's `revision_number`.
    pub number: u64,
}
