//! The 8 bytes that start every message, and how a stream is cut into messages.

use super::codec::open_enum;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::Xid;
use crate::wire::{Reader, Writer};

/// The version number of OpenFlow 1.5, the one this crate speaks.
pub const VERSION: u8 = 0x06;

/// The size of the header, which is also the smallest message.
pub const HEADER_LEN: usize = 8;

/// The largest message: its length is a 16-bit number.
pub const MAX_LEN: usize = 0xffff;

/// The header of a message (`ofp_header`, OpenFlow 1.5 section 7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The protocol version of the sender, [`VERSION`] after the handshake.
    pub version: u8,
    /// What the message is.
    pub kind: MessageKind,
    /// Its length in bytes, this header included.
    pub length: u16,
    /// Ties a reply or an error to its request.
    pub xid: Xid,
}

open_enum! {
    /// What a message is (`ofp_type`, section 7.1.1).
    pub enum MessageKind: u8 {
        /// Version negotiation.
        Hello = 0,
        /// A request could not be carried out.
        Error = 1,
        /// Are you there?
        EchoRequest = 2,
        /// I am here.
        EchoReply = 3,
        /// A message that somebody other than the ONF defined.
        Experimenter = 4,
        /// What are you?
        FeaturesRequest = 5,
        /// What the switch is.
        FeaturesReply = 6,
        /// How are you configured?
        GetConfigRequest = 7,
        /// How the switch is configured.
        GetConfigReply = 8,
        /// Configure yourself so.
        SetConfig = 9,
        /// A packet for the controller.
        PacketIn = 10,
        /// A flow is gone.
        FlowRemoved = 11,
        /// A port came, went or changed.
        PortStatus = 12,
        /// A packet from the controller.
        PacketOut = 13,
        /// Change flows.
        FlowMod = 14,
        /// Change groups.
        GroupMod = 15,
        /// Change a port.
        PortMod = 16,
        /// Change a table.
        TableMod = 17,
        /// Ask for descriptions or counters.
        MultipartRequest = 18,
        /// Descriptions or counters.
        MultipartReply = 19,
        /// Finish everything that came before.
        BarrierRequest = 20,
        /// Everything that came before is finished.
        BarrierReply = 21,
        /// Which role does this connection have, or shall it have?
        RoleRequest = 24,
        /// The role this connection has.
        RoleReply = 25,
        /// Which events do you send me?
        GetAsyncRequest = 26,
        /// The events the switch sends on this connection.
        GetAsyncReply = 27,
        /// Send me these events.
        SetAsync = 28,
        /// Change a meter.
        MeterMod = 29,
        /// The role of this connection was changed.
        RoleStatus = 30,
        /// A table passed a fill threshold.
        TableStatus = 31,
        /// Another controller changed a group or meter.
        RequestForward = 32,
        /// Open, close, commit or discard a bundle.
        BundleControl = 33,
        /// Put a message into a bundle.
        BundleAdd = 34,
        /// The connection of some controller changed.
        ControllerStatus = 35,
    }
}

/// The length of the message at the start of `buf`, which may hold less or more than that message.
///
/// `None` until enough bytes are there to tell. The length counts the header, so it is at least 8.
///
/// # Errors
/// `BadLength` when the header claims fewer than 8 bytes: the stream cannot be followed any further.
pub fn frame_length(buf: &[u8]) -> Result<Option<usize>, DecodeError> {
    let Some(&[_, _, high, low]) = buf.first_chunk::<4>() else { return Ok(None) };
    match usize::from(u16::from_be_bytes([high, low])) {
        short if short < HEADER_LEN => Err(DecodeError { at: 2, kind: DecodeErrorKind::BadLength }),
        length => Ok(Some(length)),
    }
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// `Truncated`, or `BadLength` when the length is smaller than the header.
    pub fn decode(r: &mut Reader<'_>) -> Result<Header, DecodeError> {
        let start = r.clone();
        let version = r.u8()?;
        let kind = MessageKind::from_wire(r.u8()?);
        let length = r.u16()?;
        if usize::from(length) < HEADER_LEN {
            return Err(start.error(DecodeErrorKind::BadLength));
        }
        Ok(Header { version, kind, length, xid: Xid(r.u32()?) })
    }
}

/// Writes a whole message: the header, what `body` writes, and then the length.
pub(super) fn framed(w: &mut Writer, kind: MessageKind, xid: Xid, body: impl FnOnce(&mut Writer)) {
    let start = Start { version: VERSION, kind, xid };
    start.framed(w, body);
}

/// A header whose length is not known yet.
pub(super) struct Start {
    pub version: u8,
    pub kind: MessageKind,
    pub xid: Xid,
}

impl Start {
    pub(super) fn framed(&self, w: &mut Writer, body: impl FnOnce(&mut Writer)) {
        let mark = w.len();
        w.u8(self.version);
        w.u8(self.kind.to_wire());
        w.u16(0);
        w.u32(self.xid.0);
        body(w);
        w.patch_len(mark + 2, mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_at_the_length() {
        assert_eq!(frame_length(&[6, 0, 0]).unwrap(), None);
        assert_eq!(frame_length(&[6, 0, 0, 16]).unwrap(), Some(16));
        assert_eq!(frame_length(&[6, 0, 0, 7]).unwrap_err().kind, DecodeErrorKind::BadLength);
    }
}
