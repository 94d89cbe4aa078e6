//! Bundles: messages that take effect together or not at all (OpenFlow 1.5 section 7.3.9).

use super::codec::{Part, Property, decode_all, encode_all, open_enum, open_flags};
use super::flow_mod::FlowMod;
use super::group::GroupMod;
use super::header::{Header, MessageKind, framed};
use super::{Message, decode_nested};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::{BundleId, Xid};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// What is done to a bundle, or was (`ofp_bundle_ctrl_type`).
    pub enum BundleCommand: u16 {
        /// Start it.
        OpenRequest = 0,
        /// It is started.
        OpenReply = 1,
        /// Nothing more comes; check it.
        CloseRequest = 2,
        /// It is closed.
        CloseReply = 3,
        /// Put it in force (Open vSwitch does so without a close, too).
        CommitRequest = 4,
        /// It is in force.
        CommitReply = 5,
        /// Forget it.
        DiscardRequest = 6,
        /// It is forgotten.
        DiscardReply = 7,
    }
}

open_flags! {
    /// What a bundle promises (`ofp_bundle_flags`). All messages of one bundle carry the same.
    pub struct BundleFlags: u16 {
        /// All of it or nothing, and no packet sees a part of it.
        ATOMIC = 1 << 0;
        /// In the order in which it was filled.
        ORDERED = 1 << 1;
        /// At a given time.
        TIME = 1 << 2;
    }
}

/// Control a bundle (`ofp_bundle_ctrl_msg`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleControl {
    /// Which bundle.
    pub bundle: BundleId,
    /// What is done.
    pub command: BundleCommand,
    /// What it promises.
    pub flags: BundleFlags,
    /// Anything more.
    pub properties: Vec<Property>,
}

impl BundleControl {
    /// A command without properties.
    pub fn new(bundle: BundleId, command: BundleCommand, flags: BundleFlags) -> BundleControl {
        BundleControl { bundle, command, flags, properties: Vec::new() }
    }
}

impl Part for BundleControl {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (bundle, command) = (BundleId(r.u32()?), BundleCommand::from_wire(r.u16()?));
        let flags = BundleFlags::from_bits_retain(r.u16()?);
        Ok(BundleControl { bundle, command, flags, properties: decode_all(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.bundle.0);
        w.u16(self.command.to_wire());
        w.u16(self.flags.bits());
        encode_all(&self.properties, w);
    }
}

/// Put a message into a bundle (`ofp_bundle_add_msg`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleAdd {
    /// Which bundle.
    pub bundle: BundleId,
    /// What it promises.
    pub flags: BundleFlags,
    /// The message; it travels with the same transaction id as this one.
    pub message: Box<Message>,
    /// Anything more.
    pub properties: Vec<Property>,
}

impl BundleAdd {
    /// Puts this message into a bundle.
    pub fn new(bundle: BundleId, flags: BundleFlags, message: Message) -> BundleAdd {
        BundleAdd { bundle, flags, message: Box::new(message), properties: Vec::new() }
    }

    pub(super) fn decode(outer: &Header, r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let bundle = BundleId(r.u32()?);
        r.skip(2)?;
        let flags = BundleFlags::from_bits_retain(r.u16()?);
        let start = r.clone();
        let (inner, message) = decode_nested(r, src)?;
        if inner.xid != outer.xid {
            return Err(start.error(DecodeErrorKind::BadValue));
        }
        let pad = usize::from(inner.length).next_multiple_of(8) - usize::from(inner.length);
        r.skip(pad.min(r.remaining()))?;
        Ok(BundleAdd { bundle, flags, message: Box::new(message), properties: decode_all(r, src)? })
    }

    pub(super) fn encode(&self, xid: Xid, w: &mut Writer) {
        put_place(w, self.bundle, self.flags);
        let mark = w.len();
        self.message.encode_into(xid, w);
        if !self.properties.is_empty() {
            w.pad8(mark);
            encode_all(&self.properties, w);
        }
    }
}

fn put_place(w: &mut Writer, bundle: BundleId, flags: BundleFlags) {
    w.u32(bundle.0);
    w.zeros(2);
    w.u16(flags.bits());
}

/// The bundle that messages are written into, without building [`BundleAdd`]s first.
///
/// Nothing is allocated but what the writer grows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleWriter {
    /// Which bundle.
    pub bundle: BundleId,
    /// What it promises.
    pub flags: BundleFlags,
}

impl BundleWriter {
    /// A bundle that takes effect as a whole and in order, the kind a controller nearly always wants.
    pub fn atomic(bundle: BundleId) -> BundleWriter {
        BundleWriter { bundle, flags: BundleFlags::ATOMIC | BundleFlags::ORDERED }
    }

    /// Writes the message that opens, closes, commits or discards the bundle.
    pub fn control(self, command: BundleCommand, xid: Xid, w: &mut Writer) {
        framed(w, MessageKind::BundleControl, xid, |w| {
            BundleControl::new(self.bundle, command, self.flags).encode(w);
        });
    }

    /// Writes a flow change into the bundle.
    pub fn flow_mod(self, flow: &FlowMod, xid: Xid, w: &mut Writer) {
        self.add(xid, w, |w| framed(w, MessageKind::FlowMod, xid, |w| flow.encode(w)));
    }

    /// Writes a group change into the bundle.
    pub fn group_mod(self, group: &GroupMod, xid: Xid, w: &mut Writer) {
        self.add(xid, w, |w| framed(w, MessageKind::GroupMod, xid, |w| group.encode(w)));
    }

    /// Writes any message into the bundle. Open vSwitch takes flow, group and port changes and packet-outs.
    pub fn message(self, message: &Message, xid: Xid, w: &mut Writer) {
        self.add(xid, w, |w| message.encode_into(xid, w));
    }

    /// Writes a message that is encoded already into the bundle; the transaction id is the one it carries.
    ///
    /// # Errors
    /// `Truncated` or `BadLength` when `encoded` is not exactly one message.
    pub fn encoded(self, encoded: &[u8], w: &mut Writer) -> Result<(), DecodeError> {
        let header = Header::decode(&mut Reader::new(encoded))?;
        if usize::from(header.length) != encoded.len() {
            return Err(DecodeError { at: 2, kind: DecodeErrorKind::BadLength });
        }
        self.add(header.xid, w, |w| w.bytes(encoded));
        Ok(())
    }

    pub(super) fn add(self, xid: Xid, w: &mut Writer, message: impl FnOnce(&mut Writer)) {
        framed(w, MessageKind::BundleAdd, xid, |w| {
            put_place(w, self.bundle, self.flags);
            message(w);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direct_ways_write_what_the_message_writes() {
        let place = BundleWriter::atomic(BundleId(7));
        let (flow, xid) = (FlowMod::default(), Xid(0x55));
        let message = Message::FlowMod(flow.clone());
        let built = BundleAdd::new(place.bundle, place.flags, message.clone());
        let wanted = Message::BundleAdd(built).encode(xid);
        let mut w = Writer::new();
        place.flow_mod(&flow, xid, &mut w);
        place.message(&message, xid, &mut w);
        place.encoded(&message.encode(xid), &mut w).unwrap();
        assert_eq!(w.as_slice(), [&wanted[..], &wanted[..], &wanted[..]].concat());
        assert!(place.encoded(&message.encode(xid)[..50], &mut w).is_err());
    }

    #[test]
    fn an_inner_message_with_another_xid_is_refused() {
        let add = BundleAdd::new(BundleId(1), BundleFlags::ATOMIC, Message::BarrierRequest);
        let mut bytes = Message::BundleAdd(add).encode(Xid(3)).to_vec();
        bytes[23] = 4;
        let error = Message::decode(&Bytes::from(bytes)).unwrap_err();
        assert_eq!(error, DecodeError { at: 16, kind: DecodeErrorKind::BadValue });
    }
}
