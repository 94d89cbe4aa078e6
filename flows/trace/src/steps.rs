//! What was seen on the way of a packet: a tree of lookups, and what came of each.

use std::sync::Arc;

use bytes::Bytes;
use weft_openflow::PortNo;

use crate::packet::Packet;
use crate::switch::Entry;

/// One lookup in one table.
#[derive(Debug, Clone)]
pub struct Step {
    /// The table.
    pub table: u8,
    /// The flow that the packet matched; `None` when there was none, which drops it.
    pub flow: Option<Arc<Entry>>,
    /// What the flow did, apart from changing the packet and handing it on: the next step of the list is where it went.
    pub deeds: Vec<Deed>,
}

/// Something a flow did that leads further, or nowhere.
#[derive(Debug, Clone)]
pub enum Deed {
    /// The packet, or a copy of it, was looked up elsewhere and then work went on here.
    Branch(Branch, Vec<Step>),
    /// This was done to a copy.
    Copy(Branch, Vec<Deed>),
    /// The packet left.
    Output(Sent),
    /// A controller got it.
    Controller(Told),
    /// The packet ended here, for a reason of the switch's own.
    End(End),
}

/// Why there is a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// Looked up again in this table.
    Resubmit(u8),
    /// A copy for a bucket of a group, one of `alternatives` among which a switch chooses; 1 when all get one.
    Bucket {
        /// The group.
        group: u32,
        /// The bucket.
        bucket: u32,
        /// Among how many ways the switch chooses by a hash.
        alternatives: usize,
    },
    /// One of the ways among which a switch chooses by a hash and remembers the choice in a register.
    Path {
        /// Which, from 0.
        path: u16,
        /// Of how many.
        alternatives: u16,
    },
    /// A copy.
    Clone,
    /// The connection tracker looked at it.
    Tracked {
        /// In this zone.
        zone: u16,
        /// And said this of it (`ct_state`).
        state: u32,
    },
}

/// A packet on its way out of the switch.
#[derive(Debug, Clone)]
pub struct Sent {
    /// By this port.
    pub port: PortNo,
    /// As it left.
    pub packet: Box<Packet>,
    /// Whether it was sent back on purpose to where it came from.
    pub back: bool,
}

/// A packet for a controller.
#[derive(Debug, Clone)]
pub struct Told {
    /// The reason that was given (`ofp_packet_in_reason`).
    pub reason: u8,
    /// What the flow says along.
    pub userdata: Bytes,
    /// Whether it waits there until it is sent on.
    pub pause: bool,
    /// As it was.
    pub packet: Box<Packet>,
}

/// Why a packet ends at a switch without being dropped by a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its time to live ran out.
    Ttl,
    /// It was to leave by where it came in, which a switch does only when told so.
    SamePort(PortNo),
    /// No way of a group is alive.
    NoLiveBucket(u32),
}

/// `OFPR_INVALID_TTL`, the reason given for packets whose time to live has run out.
pub const REASON_INVALID_TTL: u8 = 2;
