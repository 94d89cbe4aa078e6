//! Packets that the switch sends up: the standard form and Nicira's, which carries userdata and continuations.

use super::codec::{Part, Property, next_property, open_enum, put_property, share_rest};
use crate::error::DecodeError;
use crate::ids::{Cookie, TableId};
use crate::oxm::Match;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// The buffer id that says "not buffered" (`OFP_NO_BUFFER`).
pub const NO_BUFFER: u32 = 0xffff_ffff;

open_enum! {
    /// Why a packet was sent up (`ofp_packet_in_reason`).
    pub enum PacketInReason: u8 {
        /// A table-miss flow.
        NoMatch = 0,
        /// An output to the controller in an action list.
        ApplyAction = 1,
        /// A TTL that ran out.
        InvalidTtl = 2,
        /// An output to the controller in an action set.
        ActionSet = 3,
        /// An output to the controller in a group's bucket.
        Group = 4,
        /// An output to the controller in a packet-out.
        PacketOut = 5,
    }
}

/// A packet for the controller in the standard form (`ofp_packet_in`, OpenFlow 1.5 section 7.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketIn {
    /// Where the switch holds the packet, [`NO_BUFFER`] when it does not.
    pub buffer_id: u32,
    /// The packet's full length; `packet` may be shorter.
    pub total_len: u16,
    /// Why it was sent.
    pub reason: PacketInReason,
    /// The table whose flow sent it.
    pub table: TableId,
    /// The cookie of that flow.
    pub cookie: Cookie,
    /// The pipeline fields that go with it: ingress port, tunnel, metadata, registers.
    pub metadata: Match,
    /// The packet itself, from the Ethernet header on.
    pub packet: Bytes,
}

impl Part for PacketIn {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (buffer_id, total_len) = (r.u32()?, r.u16()?);
        let (reason, table) = (PacketInReason::from_wire(r.u8()?), TableId(r.u8()?));
        let (cookie, metadata) = (Cookie(r.u64()?), Match::decode(r)?);
        r.skip(2.min(r.remaining()))?;
        let packet = share_rest(r, src);
        Ok(PacketIn { buffer_id, total_len, reason, table, cookie, metadata, packet })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.buffer_id);
        w.u16(self.total_len);
        w.u8(self.reason.to_wire());
        w.u8(self.table.0);
        w.u64(self.cookie.0);
        self.metadata.encode(w);
        w.zeros(2);
        w.bytes(&self.packet);
    }
}

/// A packet for the controller in Nicira's form (`NXT_PACKET_IN2`), and the body of `NXT_RESUME`.
///
/// A connection receives it after `NXT_SET_PACKET_IN_FORMAT` asked for [`super::nicira::PacketInFormat::Nxt2`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketIn2 {
    /// The packet itself, from the Ethernet header on; shorter than `full_len` when it was cut.
    pub packet: Bytes,
    /// The packet's full length, told only when it was cut.
    pub full_len: Option<u32>,
    /// Where the switch holds the packet, if it does.
    pub buffer_id: Option<u32>,
    /// The table whose flow sent it; left out when it is 0 and has no cookie.
    pub table: Option<TableId>,
    /// The cookie of that flow.
    pub cookie: Option<Cookie>,
    /// Why it was sent.
    pub reason: Option<PacketInReason>,
    /// The pipeline fields that go with it: ingress port, tunnel, metadata, registers.
    pub metadata: Match,
    /// What the flow's `controller(userdata=...)` carries.
    pub userdata: Option<Bytes>,
    /// The switch's own state for going on with this packet: to be returned unread in a resume message.
    pub continuation: Option<Bytes>,
    /// Anything more.
    pub properties: Vec<Property>,
}

/// The properties of [`PacketIn2`] (`nx_packet_in2_prop_type`).
mod prop {
    pub const PACKET: u16 = 0;
    pub const FULL_LEN: u16 = 1;
    pub const BUFFER_ID: u16 = 2;
    pub const TABLE_ID: u16 = 3;
    pub const COOKIE: u16 = 4;
    pub const REASON: u16 = 5;
    pub const METADATA: u16 = 6;
    pub const USERDATA: u16 = 7;
    pub const CONTINUATION: u16 = 8;
}

impl Part for PacketIn2 {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let mut message = PacketIn2::default();
        while !r.is_empty() {
            message.decode_property(r, src)?;
        }
        Ok(message)
    }

    fn encode(&self, w: &mut Writer) {
        put_property(w, prop::PACKET, |w| w.bytes(&self.packet));
        if let Some(full_len) = self.full_len {
            put_property(w, prop::FULL_LEN, |w| w.u32(full_len));
        }
        if let Some(buffer_id) = self.buffer_id {
            put_property(w, prop::BUFFER_ID, |w| w.u32(buffer_id));
        }
        if let Some(table) = self.table {
            put_property(w, prop::TABLE_ID, |w| w.u8(table.0));
        }
        if let Some(cookie) = self.cookie {
            put_property(w, prop::COOKIE, |w| {
                w.zeros(4);
                w.u64(cookie.0);
            });
        }
        if let Some(reason) = self.reason {
            put_property(w, prop::REASON, |w| w.u8(reason.to_wire()));
        }
        put_property(w, prop::METADATA, |w| self.metadata.encode_fields(w));
        // Open vSwitch writes the continuation before the userdata.
        if let Some(continuation) = &self.continuation {
            put_property(w, prop::CONTINUATION, |w| w.bytes(continuation));
        }
        if let Some(userdata) = &self.userdata {
            put_property(w, prop::USERDATA, |w| w.bytes(userdata));
        }
        super::codec::encode_all(&self.properties, w);
    }
}

impl PacketIn2 {
    fn decode_property(&mut self, r: &mut Reader<'_>, src: &Bytes) -> Result<(), DecodeError> {
        let (kind, mut body) = next_property(r)?;
        match kind {
            prop::PACKET => self.packet = share_rest(&mut body, src),
            prop::FULL_LEN => self.full_len = Some(body.u32()?),
            prop::BUFFER_ID => self.buffer_id = Some(body.u32()?),
            prop::TABLE_ID => self.table = Some(TableId(body.u8()?)),
            prop::COOKIE => {
                body.skip(4)?;
                self.cookie = Some(Cookie(body.u64()?));
            }
            prop::REASON => self.reason = Some(PacketInReason::from_wire(body.u8()?)),
            prop::METADATA => self.metadata = Match::decode_fields(&mut body)?,
            prop::USERDATA => self.userdata = Some(share_rest(&mut body, src)),
            prop::CONTINUATION => self.continuation = Some(share_rest(&mut body, src)),
            kind => self.properties.push(Property { kind, data: share_rest(&mut body, src) }),
        }
        Ok(())
    }
}
