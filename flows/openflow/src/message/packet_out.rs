//! A packet from the controller, with what is to be done with it (OpenFlow 1.5 section 7.3.6).

use super::codec::{Part, share_rest};
use super::packet_in::NO_BUFFER;
use crate::action::Action;
use crate::error::DecodeError;
use crate::ids::PortNo;
use crate::oxm::{self, Match};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// Send this packet (`ofp_packet_out`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketOut {
    /// Where the switch holds the packet, [`NO_BUFFER`] when the packet is in here.
    pub buffer_id: u32,
    /// The pipeline fields it starts with; the ingress port must be one of them.
    pub metadata: Match,
    /// What is done with it.
    pub actions: Vec<Action>,
    /// The packet itself, from the Ethernet header on.
    pub packet: Bytes,
}

impl PacketOut {
    /// A packet that enters at `in_port` ([`PortNo::CONTROLLER`] when it enters nowhere).
    pub fn new(in_port: PortNo, actions: Vec<Action>, packet: Bytes) -> PacketOut {
        let metadata = Match::new().with(oxm::in_port(in_port));
        PacketOut { buffer_id: NO_BUFFER, metadata, actions, packet }
    }
}

impl Part for PacketOut {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (buffer_id, actions_len) = (r.u32()?, usize::from(r.u16()?));
        r.skip(2)?;
        let metadata = Match::decode(r)?;
        let actions = Action::decode_list(r, actions_len)?;
        Ok(PacketOut { buffer_id, metadata, actions, packet: share_rest(r, src) })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.buffer_id);
        let actions_len = w.len();
        w.u16(0);
        w.zeros(2);
        self.metadata.encode(w);
        let mark = w.len();
        Action::encode_list(&self.actions, w);
        w.patch_len(actions_len, mark);
        w.bytes(&self.packet);
    }
}
