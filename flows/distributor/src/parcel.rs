//! A parcel: one bundle of messages, encoded once and sent to any number of switches.
//!
//! Transaction and bundle ids are the same on every connection, so an error's xid leads back to its parcel on any of
//! them (OpenFlow 1.5 section 7.3.9; Open vSwitch wants the outer and the inner xid of a bundle-add to be equal).

use std::sync::Arc;

use bytes::Bytes;
use weft_compiler::{Compiled, Delta, Mod, encode, encode_full, meters};
use weft_openflow::message::{BundleCommand, BundleWriter, Message};
use weft_openflow::{BundleId, Writer, Xid};

/// How many messages one bundle carries at most. A thousand costs a switch no more than a plain stream of messages
/// does, and its packets wait for a few milliseconds at the longest.
pub const MESSAGES_PER_PARCEL: usize = 1000;

/// Bytes of a message that opens or commits a bundle (OpenFlow 1.5, 7.3.9.1).
const CONTROL: usize = 16;

/// Bytes of the two messages that give a switch a meter of one band (OpenFlow 1.5, 7.3.4.4).
const METER: usize = 2 * (16 + 16);

/// Into how many parcels a difference is spread, at the most, when it is to be told apart.
const SMALL_PARCELS: usize = 1000;

/// How much goes into a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParcelSize {
    /// As much as one bundle should carry: the fewest round trips.
    Full,
    /// A single message, or a few when there are very many: what is refused takes the fewest others along.
    Small,
}

/// One bundle, from open to commit.
#[derive(Debug)]
pub struct Parcel {
    /// The encoded messages.
    pub bytes: Bytes,
    /// The xid of the bundle's first message.
    pub first: u32,
    /// The xid of the commit, whose answer confirms the parcel.
    pub commit: u32,
    /// How many flow and group messages it carries.
    pub messages: usize,
}

impl Parcel {
    /// How many bytes of memory it takes, about.
    pub fn footprint(&self) -> usize {
        size_of::<Parcel>() + 32 + self.bytes.len()
    }

    /// True if the xid belongs to one of the parcel's messages.
    pub fn carries(&self, xid: Xid) -> bool {
        // Ids wrap, so compare distances.
        xid.0.wrapping_sub(self.first) <= self.commit.wrapping_sub(self.first)
    }
}

/// Makes parcels; owns the xid and bundle id counters.
#[derive(Debug)]
pub struct Press {
    next_xid: u32,
    next_bundle: u32,
}

impl Default for Press {
    /// Starts above the xids that sessions use for themselves.
    fn default() -> Press {
        Press { next_xid: FIRST_XID, next_bundle: 1 }
    }
}

/// Xids below are left to sessions' own requests (hello, features, read-backs, echoes).
pub const FIRST_XID: u32 = 0x0100_0000;

impl Press {
    /// Encodes the deltas of a scope's owners as bundles. Empty deltas give none.
    pub fn print(&mut self, deltas: &[Delta], size: ParcelSize) -> Vec<Arc<Parcel>> {
        self.pack(&encode(deltas), size)
    }

    /// The xid of the last commit that was printed.
    #[cfg(test)]
    pub fn last_commit(&self) -> u32 {
        self.next_xid - 1
    }

    /// Encodes all of what owners want as bundles.
    pub fn print_full(&mut self, compiled: &[Compiled]) -> Vec<Arc<Parcel>> {
        self.pack(&encode_full(compiled), ParcelSize::Full)
    }

    fn pack(&mut self, mods: &[Mod<'_>], size: ParcelSize) -> Vec<Arc<Parcel>> {
        let most = match size {
            ParcelSize::Full => MESSAGES_PER_PARCEL,
            ParcelSize::Small => mods.len().div_ceil(SMALL_PARCELS).clamp(1, MESSAGES_PER_PARCEL),
        };
        mods.chunks(most).map(|chunk| Arc::new(self.bundle(chunk))).collect()
    }

    fn bundle(&mut self, mods: &[Mod<'_>]) -> Parcel {
        let count = u32::try_from(mods.len()).expect("a parcel has at most MESSAGES_PER_PARCEL messages");
        if self.next_xid.checked_add(count + 2).is_none() {
            self.next_xid = FIRST_XID;
        }
        let first = self.next_xid;
        let commit = first + count + 1;
        let place = BundleWriter::atomic(BundleId(self.next_bundle));
        let meters: Vec<_> = mods.iter().filter_map(Mod::needed_meter).collect();
        let bytes = mods.iter().map(Mod::len_in_bundle).sum::<usize>() + 2 * CONTROL + meters.len() * METER;
        let mut writer = Writer::with_capacity(bytes);
        // Bundles carry no meters, and a flow that names one is refused while it is not there.
        for change in meters.iter().flat_map(meters::put) {
            Message::MeterMod(change).encode_into(meters::XID, &mut writer);
        }
        place.control(BundleCommand::OpenRequest, Xid(first), &mut writer);
        for (xid, change) in (first + 1..).zip(mods) {
            change.write(place, Xid(xid), &mut writer);
        }
        place.control(BundleCommand::CommitRequest, Xid(commit), &mut writer);
        (self.next_xid, self.next_bundle) = (commit + 1, self.next_bundle.wrapping_add(1));
        Parcel { bytes: writer.into_bytes(), first, commit, messages: mods.len() }
    }
}
