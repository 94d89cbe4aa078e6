//! Forgetting tracked connections that match (`NXT_CT_FLUSH`).

use crate::error::DecodeError;
use crate::message::codec::{
    Part, Property, decode_all, encode_all, next_property, put_property, share_rest,
};
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use std::net::Ipv6Addr;

/// Forget the connections that match all of this (`nx_ct_flush`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CtFlush {
    /// The IP protocol, 0 for any.
    pub ip_proto: u8,
    /// What else must match.
    pub parts: Vec<CtFlushPart>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CtFlushPart {
    /// The packet that opened the connection.
    Original(CtTuple),
    /// The packets of the answer.
    Reply(CtTuple),
    /// The zone.
    Zone(u16),
    /// A condition of another type.
    Raw(Property),
}

/// The addresses and ports of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CtTuple {
    /// What must match.
    pub parts: Vec<CtTuplePart>,
}

/// One condition on a direction. IPv4 addresses are written as IPv4-mapped ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CtTuplePart {
    /// The source address.
    Source(Ipv6Addr),
    /// The destination address.
    Destination(Ipv6Addr),
    /// The source port.
    SourcePort(u16),
    /// The destination port.
    DestinationPort(u16),
    /// The ICMP id.
    IcmpId(u16),
    /// The ICMP type.
    IcmpType(u8),
    /// The ICMP code.
    IcmpCode(u8),
    /// A condition of another type.
    Raw(Property),
}

impl Part for CtFlush {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let ip_proto = r.u8()?;
        r.skip(7)?;
        Ok(CtFlush { ip_proto, parts: decode_all(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.ip_proto);
        w.zeros(7);
        encode_all(&self.parts, w);
    }
}

const ORIGINAL: u16 = 0;
const REPLY: u16 = 1;
const ZONE: u16 = 2;

impl Part for CtFlushPart {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        Ok(match (kind, body.remaining()) {
            (ORIGINAL, 4..) => CtFlushPart::Original(nested_tuple(&mut body, src)?),
            (REPLY, 4..) => CtFlushPart::Reply(nested_tuple(&mut body, src)?),
            (ZONE, 4) => CtFlushPart::Zone(body.u16()?),
            _ => CtFlushPart::Raw(Property { kind, data: share_rest(&mut body, src) }),
        })
    }

    fn encode(&self, w: &mut Writer) {
        let (kind, tuple) = match self {
            CtFlushPart::Original(tuple) => (ORIGINAL, tuple),
            CtFlushPart::Reply(tuple) => (REPLY, tuple),
            CtFlushPart::Zone(zone) => return put_short(w, ZONE, *zone),
            CtFlushPart::Raw(raw) => return raw.encode(w),
        };
        put_property(w, kind, |w| {
            w.zeros(4);
            encode_all(&tuple.parts, w);
        });
    }
}

fn nested_tuple(body: &mut Reader<'_>, src: &Bytes) -> Result<CtTuple, DecodeError> {
    body.skip(4)?;
    Ok(CtTuple { parts: decode_all(body, src)? })
}

/// Writes a 16-bit property, which by custom is padded to 8 bytes within its length.
fn put_short(w: &mut Writer, kind: u16, value: u16) {
    put_property(w, kind, |w| {
        w.u16(value);
        w.zeros(2);
    });
}

impl Part for CtTuplePart {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        Ok(match (kind, body.remaining()) {
            (0, 16) => CtTuplePart::Source(Ipv6Addr::from(body.array::<16>()?)),
            (1, 16) => CtTuplePart::Destination(Ipv6Addr::from(body.array::<16>()?)),
            (2, 4) => CtTuplePart::SourcePort(body.u16()?),
            (3, 4) => CtTuplePart::DestinationPort(body.u16()?),
            (4, 4) => CtTuplePart::IcmpId(body.u16()?),
            (5, 1 | 4) => CtTuplePart::IcmpType(body.u8()?),
            (6, 1 | 4) => CtTuplePart::IcmpCode(body.u8()?),
            _ => CtTuplePart::Raw(Property { kind, data: share_rest(&mut body, src) }),
        })
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            CtTuplePart::Source(address) => put_property(w, 0, |w| w.bytes(&address.octets())),
            CtTuplePart::Destination(address) => put_property(w, 1, |w| w.bytes(&address.octets())),
            CtTuplePart::SourcePort(port) => put_short(w, 2, *port),
            CtTuplePart::DestinationPort(port) => put_short(w, 3, *port),
            CtTuplePart::IcmpId(id) => put_short(w, 4, *id),
            CtTuplePart::IcmpType(kind) => put_property(w, 5, |w| w.u8(*kind)),
            CtTuplePart::IcmpCode(code) => put_property(w, 6, |w| w.u8(*code)),
            CtTuplePart::Raw(raw) => raw.encode(w),
        }
    }
}
