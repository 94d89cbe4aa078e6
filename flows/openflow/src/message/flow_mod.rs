//! Changing flows (OpenFlow 1.5 section 7.3.4.2).

use super::codec::{Part, open_enum};
use super::packet_in::NO_BUFFER;
use crate::error::DecodeError;
use crate::ids::{Cookie, FlowFlags, GroupId, PortNo, TableId};
use crate::instruction::Instruction;
use crate::oxm::Match;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// How flows are changed (`ofp_flow_mod_command`).
    pub enum FlowCommand: u8 {
        /// Put a flow in, in place of one with the same match and priority; its counters stay unless
        /// `RESET_COUNTS` is asked for.
        Add = 0,
        /// Change the instructions of every flow that the match covers.
        Modify = 1,
        /// Change the instructions of the one flow with exactly this match and priority.
        ModifyStrict = 2,
        /// Remove every flow that the match covers.
        Delete = 3,
        /// Remove the one flow with exactly this match and priority.
        DeleteStrict = 4,
    }
}

/// A change of flows (`ofp_flow_mod`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowMod {
    /// What is done.
    pub command: FlowCommand,
    /// In which table; [`TableId::ALL`] only when deleting.
    pub table: TableId,
    /// Among flows that match the same packet the highest priority wins.
    pub priority: u16,
    /// The controller's label of the flow. Only an add writes it; other commands use it as a filter.
    pub cookie: Cookie,
    /// Which bits of `cookie` a flow must share to be modified or deleted; 0 filters nothing.
    pub cookie_mask: u64,
    /// Seconds without a packet after which the flow goes; 0 for never.
    pub idle_timeout: u16,
    /// Seconds after which the flow goes; 0 for never.
    pub hard_timeout: u16,
    /// A held packet that the flow is applied to, or [`NO_BUFFER`].
    pub buffer_id: u32,
    /// Delete only flows that output to this port; [`PortNo::ANY`] filters nothing.
    pub out_port: PortNo,
    /// Delete only flows that send to this group; [`GroupId::ANY`] filters nothing.
    pub out_group: GroupId,
    /// What else is asked.
    pub flags: FlowFlags,
    /// Which flows are evicted first when the table is full: the less important.
    pub importance: u16,
    /// Which packets the flow is for.
    pub matching: Match,
    /// What happens to them.
    pub instructions: Vec<Instruction>,
}

impl Default for FlowMod {
    /// An add of a permanent flow at priority 0 in table 0 that matches everything and does nothing.
    fn default() -> Self {
        FlowMod {
            command: FlowCommand::Add,
            table: TableId(0),
            priority: 0,
            cookie: Cookie(0),
            cookie_mask: 0,
            idle_timeout: 0,
            hard_timeout: 0,
            buffer_id: NO_BUFFER,
            out_port: PortNo::ANY,
            out_group: GroupId::ANY,
            flags: FlowFlags::empty(),
            importance: 0,
            matching: Match::new(),
            instructions: Vec::new(),
        }
    }
}

impl FlowMod {
    /// Puts a permanent flow in.
    pub fn add(table: TableId, priority: u16, matching: Match, instructions: Vec<Instruction>) -> FlowMod {
        FlowMod { table, priority, matching, instructions, ..FlowMod::default() }
    }

    /// Removes the one flow with exactly this match and priority, if it is there.
    pub fn delete_strict(table: TableId, priority: u16, matching: Match) -> FlowMod {
        FlowMod { command: FlowCommand::DeleteStrict, table, priority, matching, ..FlowMod::default() }
    }

    /// Removes every flow of a table (or of all tables) that the match covers.
    pub fn delete_all(table: TableId, matching: Match) -> FlowMod {
        FlowMod { command: FlowCommand::Delete, table, matching, ..FlowMod::default() }
    }

    /// The same change with this cookie; an add labels its flow with it.
    #[must_use]
    pub fn with_cookie(self, cookie: Cookie) -> FlowMod {
        FlowMod { cookie, ..self }
    }

    /// The same change, only for flows whose cookie has these bits under this mask.
    #[must_use]
    pub fn only_cookie(self, cookie: Cookie, cookie_mask: u64) -> FlowMod {
        FlowMod { cookie, cookie_mask, ..self }
    }
}

impl Part for FlowMod {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        let (cookie, cookie_mask) = (Cookie(r.u64()?), r.u64()?);
        let (table, command) = (TableId(r.u8()?), FlowCommand::from_wire(r.u8()?));
        let (idle_timeout, hard_timeout, priority) = (r.u16()?, r.u16()?, r.u16()?);
        let (buffer_id, out_port, out_group) = (r.u32()?, PortNo(r.u32()?), GroupId(r.u32()?));
        let (flags, importance) = (FlowFlags::from_bits_retain(r.u16()?), r.u16()?);
        let matching = Match::decode(r)?;
        let instructions = Instruction::decode_list(r, r.remaining())?;
        Ok(FlowMod {
            command,
            table,
            priority,
            cookie,
            cookie_mask,
            idle_timeout,
            hard_timeout,
            buffer_id,
            out_port,
            out_group,
            flags,
            importance,
            matching,
            instructions,
        })
    }

    fn encode(&self, w: &mut Writer) {
        w.u64(self.cookie.0);
        w.u64(self.cookie_mask);
        w.u8(self.table.0);
        w.u8(self.command.to_wire());
        w.u16(self.idle_timeout);
        w.u16(self.hard_timeout);
        w.u16(self.priority);
        w.u32(self.buffer_id);
        w.u32(self.out_port.0);
        w.u32(self.out_group.0);
        w.u16(self.flags.bits());
        w.u16(self.importance);
        self.matching.encode(w);
        Instruction::encode_list(&self.instructions, w);
    }
}
