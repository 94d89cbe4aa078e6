//! What switches were told and what they answered, by number.

/// How many types of messages are counted one by one.
pub const KINDS: usize = 36;

/// What a switch has been told, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Messages by type; the last entry counts types beyond the known ones.
    pub messages: [u32; KINDS],
    /// Bytes of all messages.
    pub bytes: u64,
    /// Flow changes, in bundles or alone.
    pub flow_mods: u64,
    /// Group changes, in bundles or alone.
    pub group_mods: u64,
    /// Bundles that were committed.
    pub committed: u64,
    /// Errors that were answered.
    pub errors: u64,
    /// Messages that the simulator cannot serve although Open vSwitch would.
    pub unsupported: u64,
    /// Conntrack flushes that were asked for.
    pub conntrack_flushes: u64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            messages: [0; KINDS],
            bytes: 0,
            flow_mods: 0,
            group_mods: 0,
            committed: 0,
            errors: 0,
            unsupported: 0,
            conntrack_flushes: 0,
        }
    }
}

impl Counters {
    /// Adds another switch's.
    pub fn add(&mut self, other: &Counters) {
        for (sum, count) in self.messages.iter_mut().zip(&other.messages) {
            *sum = sum.wrapping_add(*count);
        }
        self.bytes += other.bytes;
        self.flow_mods += other.flow_mods;
        self.group_mods += other.group_mods;
        self.committed += other.committed;
        self.errors += other.errors;
        self.unsupported += other.unsupported;
        self.conntrack_flushes += other.conntrack_flushes;
    }
}
