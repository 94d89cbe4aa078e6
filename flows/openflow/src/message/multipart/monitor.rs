//! Watching flows change (OpenFlow 1.5 section 7.3.5.19).

use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::{Cookie, GroupId, PortNo, TableId, Xid};
use crate::instruction::Instruction;
use crate::message::FlowRemovedReason;
use crate::message::codec::{Part, open_enum, open_flags, rest_of, share_rest};
use crate::oxm::Match;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// What is done with a monitor (`ofp_flow_monitor_command`).
    pub enum MonitorCommand: u8 {
        /// Start it.
        Add = 0,
        /// Change it.
        Modify = 1,
        /// Stop it.
        Delete = 2,
    }
}

open_flags! {
    /// What a monitor tells (`ofp_flow_monitor_flags`).
    pub struct MonitorFlags: u16 {
        /// The flows that are there at the start.
        INITIAL = 1 << 0;
        /// Flows that come.
        ADD = 1 << 1;
        /// Flows that go.
        REMOVED = 1 << 2;
        /// Flows that change.
        MODIFY = 1 << 3;
        /// Their instructions, too.
        INSTRUCTIONS = 1 << 4;
        /// This connection's own changes in full (Open vSwitch refuses it in 1.5).
        NO_ABBREV = 1 << 5;
        /// Only this connection's own changes.
        ONLY_OWN = 1 << 6;
    }
}

/// Start, change or stop a monitor (`ofp_flow_monitor_request`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorRequest {
    /// The monitor, as the controller numbers it.
    pub monitor: u32,
    /// Flows that output to this port, or anywhere with [`PortNo::ANY`].
    pub out_port: PortNo,
    /// Flows that send to this group, or anywhere with [`GroupId::ANY`].
    pub out_group: GroupId,
    /// What is told.
    pub flags: MonitorFlags,
    /// Flows of this table, or of every table with [`TableId::ALL`].
    pub table: TableId,
    /// What is done.
    pub command: MonitorCommand,
    /// Flows that this match covers.
    pub matching: Match,
}

impl MonitorRequest {
    /// Starts a monitor of every flow in every table.
    pub fn all(monitor: u32, flags: MonitorFlags) -> MonitorRequest {
        MonitorRequest {
            monitor,
            out_port: PortNo::ANY,
            out_group: GroupId::ANY,
            flags,
            table: TableId::ALL,
            command: MonitorCommand::Add,
            matching: Match::new(),
        }
    }
}

impl Part for MonitorRequest {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        Ok(MonitorRequest {
            monitor: r.u32()?,
            out_port: PortNo(r.u32()?),
            out_group: GroupId(r.u32()?),
            flags: MonitorFlags::from_bits_retain(r.u16()?),
            table: TableId(r.u8()?),
            command: MonitorCommand::from_wire(r.u8()?),
            matching: Match::decode(r)?,
        })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.monitor);
        w.u32(self.out_port.0);
        w.u32(self.out_group.0);
        w.u16(self.flags.bits());
        w.u8(self.table.0);
        w.u8(self.command.to_wire());
        self.matching.encode(w);
    }
}

/// What a monitor tells (`ofp_flow_update_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowUpdate {
    /// A flow was there, came, went or changed.
    Flow(UpdateEvent, UpdatedFlow),
    /// What this connection's own request of this transaction id changed.
    Own(Xid),
    /// The connection is too slow: updates stop until [`FlowUpdate::Resumed`].
    Paused,
    /// Updates go on; what was missed comes as additions and removals.
    Resumed,
    /// An event that this crate does not know, with what follows its number.
    Raw(u16, Bytes),
}

/// What happened to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpdateEvent {
    /// It was there when the monitor started.
    Initial,
    /// It came.
    Added,
    /// It went.
    Removed,
    /// It changed.
    Modified,
}

/// The flow that an update is about (`ofp_flow_update_full`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatedFlow {
    /// The table it is in.
    pub table: TableId,
    /// Why it went; without meaning for other events.
    pub reason: FlowRemovedReason,
    /// Seconds without a packet after which it goes; 0 for never.
    pub idle_timeout: u16,
    /// Seconds after which it goes; 0 for never.
    pub hard_timeout: u16,
    /// Its priority.
    pub priority: u16,
    /// The controller's label.
    pub cookie: Cookie,
    /// Which packets it is for.
    pub matching: Match,
    /// What happens to them; empty unless asked for.
    pub instructions: Vec<Instruction>,
}

const EVENTS: [UpdateEvent; 4] =
    [UpdateEvent::Initial, UpdateEvent::Added, UpdateEvent::Removed, UpdateEvent::Modified];
const ABBREVIATED: u16 = 4;
const PAUSED: u16 = 5;
const RESUMED: u16 = 6;

impl Part for FlowUpdate {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let (length, event) = (r.u16()?, r.u16()?);
        let mut body = rest_of(r, &start, length)?;
        let update = match (EVENTS.get(usize::from(event)), event) {
            (Some(&known), _) => FlowUpdate::Flow(known, UpdatedFlow::decode(&mut body, src)?),
            (None, ABBREVIATED) => FlowUpdate::Own(Xid(body.u32()?)),
            (None, PAUSED | RESUMED) => {
                body.skip(4)?;
                if event == PAUSED { FlowUpdate::Paused } else { FlowUpdate::Resumed }
            }
            (None, _) => FlowUpdate::Raw(event, share_rest(&mut body, src)),
        };
        if !body.is_empty() {
            return Err(start.error(DecodeErrorKind::BadLength));
        }
        Ok(update)
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u16(0);
        match self {
            FlowUpdate::Flow(event, flow) => {
                w.u16(*event as u16);
                flow.encode(w);
            }
            FlowUpdate::Own(xid) => {
                w.u16(ABBREVIATED);
                w.u32(xid.0);
            }
            FlowUpdate::Paused | FlowUpdate::Resumed => {
                w.u16(if *self == FlowUpdate::Paused { PAUSED } else { RESUMED });
                w.zeros(4);
            }
            FlowUpdate::Raw(event, data) => {
                w.u16(*event);
                w.bytes(data);
            }
        }
        w.patch_len(mark, mark);
    }
}

impl Part for UpdatedFlow {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        let (table, reason) = (TableId(r.u8()?), FlowRemovedReason::from_wire(r.u8()?));
        let (idle_timeout, hard_timeout, priority) = (r.u16()?, r.u16()?, r.u16()?);
        r.skip(4)?;
        let (cookie, matching) = (Cookie(r.u64()?), Match::decode(r)?);
        let instructions = Instruction::decode_list(r, r.remaining())?;
        Ok(UpdatedFlow {
            table,
            reason,
            idle_timeout,
            hard_timeout,
            priority,
            cookie,
            matching,
            instructions,
        })
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.table.0);
        w.u8(self.reason.to_wire());
        w.u16(self.idle_timeout);
        w.u16(self.hard_timeout);
        w.u16(self.priority);
        w.zeros(4);
        w.u64(self.cookie.0);
        self.matching.encode(w);
        Instruction::encode_list(&self.instructions, w);
    }
}
