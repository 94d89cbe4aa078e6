//! The actions that a flow, a bucket or a packet-out can take (OpenFlow 1.5 section 5.8 and Nicira's own).

mod conntrack;
mod controller;
mod encap;
mod learn;
mod nicira;
mod openflow;
mod sample;
mod select;
mod subfield;

#[cfg(test)]
mod tests;

pub use conntrack::{Ct, CtFlags, CtZone, Nat, NatFlags};
pub use controller::{Controller, Controller2, REASON_ACTION};
pub use encap::{Encap, EncapProperty};
pub use learn::{Learn, LearnFlags, LearnLimit, LearnSource, LearnSpec, LearnTarget};
pub use sample::{Sample, SampleForm, SampleId};
pub use select::{Bundle, Multipath};
pub use subfield::{CopyField, Subfield};

use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::{GroupId, MeterId, PortNo, TableId};
use crate::oxm::{FieldHeader, OxmField};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// `max_len` of an output to the controller that asks for the whole packet (`OFPCML_NO_BUFFER`).
pub const WHOLE_PACKET: u16 = 0xffff;

/// One action. Numbers in the descriptions are the type, or the subtype of Nicira's experimenter actions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Send the packet out of a port (0).
    Output {
        /// Where to.
        port: PortNo,
        /// Bytes of the packet to send when the port is the controller.
        max_len: u16,
    },
    /// Copy the TTL from the next-to-outermost header to the outermost (11).
    CopyTtlOut,
    /// Copy the TTL from the outermost header to the next-to-outermost (12).
    CopyTtlIn,
    /// Set the TTL of the MPLS header (15).
    SetMplsTtl(u8),
    /// Decrement the TTL of the MPLS header (16).
    DecMplsTtl,
    /// Push a VLAN tag with this Ethernet type (17).
    PushVlan(u16),
    /// Pop the outermost VLAN tag (18).
    PopVlan,
    /// Push an MPLS header with this Ethernet type (19).
    PushMpls(u16),
    /// Pop the outermost MPLS header; this is the Ethernet type below it (20).
    PopMpls(u16),
    /// Choose the queue of the output port (21).
    SetQueue(u32),
    /// Run the packet through a group (22).
    Group(GroupId),
    /// Set the IP TTL or hop limit (23).
    SetNwTtl(u8),
    /// Decrement the IP TTL or hop limit (24).
    DecNwTtl,
    /// Set a field, or with a mask some of its bits (25).
    SetField(OxmField),
    /// Push a PBB header with this Ethernet type (26).
    PushPbb(u16),
    /// Pop the outermost PBB header (27).
    PopPbb,
    /// Copy bits from one field to another (28).
    CopyField(CopyField),
    /// Measure by this meter (29).
    Meter(MeterId),
    /// Look the packet up once more, perhaps in another table and as from another port (Nicira 1, 14, 44).
    Resubmit(Resubmit),
    /// Set the low 32 bits of the tunnel id (Nicira 2).
    SetTunnel(u32),
    /// Set the tunnel id (Nicira 9).
    SetTunnel64(u64),
    /// Undo the last queue choice (Nicira 5).
    PopQueue,
    /// Do nothing, but carry a remark (Nicira 8). It is padded with zeros to 6 bytes plus a multiple of 8.
    Note(Bytes),
    /// Choose a link by hash and store its number (Nicira 10).
    Multipath(Multipath),
    /// Choose a port by hash, and output to it or store its number (Nicira 12, 13).
    Bundle(Bundle),
    /// Output to the port whose number a field holds (Nicira 15, 32).
    OutputReg {
        /// Where the port number is.
        src: Subfield,
        /// As in [`Action::Output`].
        max_len: u16,
    },
    /// Add a flow made from this packet (Nicira 16, 45).
    Learn(Box<Learn>),
    /// Stop working on the packet in this table (Nicira 17).
    Exit,
    /// Decrement the TTL; packets whose TTL has run out go to these controllers (Nicira 21).
    DecTtlCntIds(Vec<u16>),
    /// Let the flow expire soon after a TCP connection ends (Nicira 19).
    FinTimeout {
        /// New idle timeout in seconds.
        idle: u16,
        /// New hard timeout in seconds.
        hard: u16,
    },
    /// Send the packet to a controller (Nicira 20).
    Controller(Controller),
    /// Send the packet to a controller with more to say (Nicira 37).
    Controller2(Box<Controller2>),
    /// Set bits of the metadata from within an action list (Nicira 22).
    WriteMetadata {
        /// The bits' values.
        metadata: u64,
        /// The bits that change.
        mask: u64,
    },
    /// Push bits of a field on the stack (Nicira 27).
    StackPush(Subfield),
    /// Pop bits from the stack into a field (Nicira 28).
    StackPop(Subfield),
    /// Sample packets for IPFIX (Nicira 29, 38, 41, 51).
    Sample(Box<Sample>),
    /// Mark the packet as fulfilling one part of a conjunctive match (Nicira 34).
    Conjunction {
        /// The conjunction's id.
        id: u32,
        /// Which part, from 0.
        clause: u8,
        /// How many parts there are.
        clauses: u8,
    },
    /// Send the packet through the connection tracker (Nicira 35).
    Ct(Box<Ct>),
    /// Translate addresses, within [`Action::Ct`] (Nicira 36).
    Nat(Nat),
    /// Output no more than the beginning of the packet (Nicira 39).
    OutputTrunc {
        /// Where to.
        port: PortNo,
        /// Bytes to send.
        max_len: u32,
    },
    /// Do these to a copy (Nicira 42).
    Clone(Vec<Action>),
    /// Forget what the connection tracker said (Nicira 43).
    CtClear,
    /// Put a header around the packet (Nicira 46).
    Encap(Encap),
    /// Take the outermost header off; this is the packet type below it (Nicira 47).
    Decap(u32),
    /// Decrement the TTL of the network service header (Nicira 48).
    DecNshTtl,
    /// Store in one bit whether the packet is longer than a limit (Nicira 49).
    CheckPktLarger {
        /// The limit in bytes.
        length: u16,
        /// The bit's field.
        dst: FieldHeader,
        /// The bit's offset in it.
        offset: u16,
    },
    /// Delete a field, such as a tunnel option (Nicira 50).
    DeleteField(FieldHeader),
    /// An action that is not known, or not written the way it should be.
    Raw(RawAction),
}

/// Where to look a packet up once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resubmit {
    /// The port it shall seem to come from; [`PortNo::IN_PORT`] leaves it as it is.
    pub port: PortNo,
    /// The table to look in; `None` is the current one.
    pub table: Option<TableId>,
    /// Which addresses the lookup sees.
    pub tuple: Tuple,
}

/// Which addresses a lookup sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tuple {
    /// Those of the packet.
    #[default]
    Packet,
    /// Those that the connection tracker remembers from the connection's first packet.
    Tracked,
}

/// An action kept as the bytes that it came as.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawAction {
    /// Its type; 0xffff is an experimenter's, whose id is then in front of the body.
    pub kind: u16,
    /// Everything after type and length.
    pub body: Bytes,
}

impl Action {
    /// Output to a port, with the whole packet if that is the controller.
    pub fn output(port: PortNo) -> Action {
        let max_len = if port == PortNo::CONTROLLER { WHOLE_PACKET } else { 0 };
        Action::Output { port, max_len }
    }

    /// Look the packet up in another table, leaving everything else as it is.
    pub fn resubmit_table(table: TableId) -> Action {
        Action::Resubmit(Resubmit { port: PortNo::IN_PORT, table: Some(table), tuple: Tuple::Packet })
    }

    /// A remark, padded to the size that it takes on the wire so that it compares equal when read back.
    pub fn note(text: &[u8]) -> Action {
        let mut bytes = text.to_vec();
        bytes.resize(nicira::note_len(bytes.len()), 0);
        Action::Note(bytes.into())
    }

    /// Reads actions that fill the next `len` bytes.
    ///
    /// An action that is not known or holds something unexpected becomes [`Action::Raw`].
    ///
    /// # Errors
    /// `BadLength` when an action's length does not fit.
    pub fn decode_list(r: &mut Reader<'_>, len: usize) -> Result<Vec<Action>, DecodeError> {
        let mut list = r.sub(len)?;
        let mut out = Vec::new();
        while !list.is_empty() {
            out.push(decode_one(&mut list)?);
        }
        Ok(out)
    }

    /// Writes actions one after the other.
    pub fn encode_list(actions: &[Action], w: &mut Writer) {
        for action in actions {
            action.encode(w);
        }
    }

    /// Writes this action, padded to a multiple of 8 bytes.
    pub fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u32(0);
        let kind = openflow::encode(self, w, mark);
        w.patch_u16(mark, kind);
        w.pad8(mark);
        w.patch_len(mark + 2, mark);
    }
}

fn decode_one(list: &mut Reader<'_>) -> Result<Action, DecodeError> {
    let bad = list.error(DecodeErrorKind::BadLength);
    let kind = list.u16()?;
    let length = usize::from(list.u16()?);
    if length < 8 || !length.is_multiple_of(8) {
        return Err(bad);
    }
    let body = list.sub(length - 4).map_err(|_| bad)?;
    let bytes = body.peek_rest();
    Ok(openflow::decode(kind, body)
        .unwrap_or_else(|_| Action::Raw(RawAction { kind, body: Bytes::copy_from_slice(bytes) })))
}
