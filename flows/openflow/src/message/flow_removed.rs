//! A flow is gone (OpenFlow 1.5 section 7.4.2).

use super::codec::{Part, open_enum};
use super::stats::FlowStats;
use crate::error::DecodeError;
use crate::ids::{Cookie, TableId};
use crate::oxm::Match;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// Why a flow is gone (`ofp_flow_removed_reason`).
    pub enum FlowRemovedReason: u8 {
        /// No packet hit it for its idle timeout.
        IdleTimeout = 0,
        /// Its hard timeout passed.
        HardTimeout = 1,
        /// A controller deleted it.
        Delete = 2,
        /// The group it sent to was deleted.
        GroupDelete = 3,
        /// The meter it used was deleted.
        MeterDelete = 4,
        /// The switch needed its place.
        Eviction = 5,
    }
}

/// A flow that was added with `SEND_FLOW_REM` is gone (`ofp_flow_removed`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRemoved {
    /// The table it was in.
    pub table: TableId,
    /// Why it is gone.
    pub reason: FlowRemovedReason,
    /// The priority it had.
    pub priority: u16,
    /// The idle timeout it was added with, in seconds.
    pub idle_timeout: u16,
    /// The hard timeout it was added with, in seconds.
    pub hard_timeout: u16,
    /// The cookie it had.
    pub cookie: Cookie,
    /// Which packets it was for.
    pub matching: Match,
    /// What it had counted.
    pub stats: FlowStats,
}

impl Part for FlowRemoved {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (table, reason) = (TableId(r.u8()?), FlowRemovedReason::from_wire(r.u8()?));
        let (priority, idle_timeout, hard_timeout) = (r.u16()?, r.u16()?, r.u16()?);
        let (cookie, matching) = (Cookie(r.u64()?), Match::decode(r)?);
        let stats = FlowStats::decode(r, src)?;
        Ok(FlowRemoved { table, reason, priority, idle_timeout, hard_timeout, cookie, matching, stats })
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.table.0);
        w.u8(self.reason.to_wire());
        w.u16(self.priority);
        w.u16(self.idle_timeout);
        w.u16(self.hard_timeout);
        w.u64(self.cookie.0);
        self.matching.encode(w);
        self.stats.encode(w);
    }
}
