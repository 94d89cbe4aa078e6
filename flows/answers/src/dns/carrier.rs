//! How questions come and answers go: datagrams, and TCP without a state (RFC 7766, RFC 9293).
//!
//! A connection's first sequence number is made from its addresses and ports, which the next packet brings again. A
//! question is taken when it comes whole in one segment, as stub resolvers send it, and the answer is followed by the end
//! of the connection. What comes in pieces is not acknowledged, so it comes again, in one piece then. Nothing is protected
//! by the number: who may send at all, port security has decided.

use std::net::IpAddr;

use etherparse::{IpHeaders, TcpSlice};
use etherparse::{NetSlice, PacketBuilder, PacketBuilderStep, TcpOptionElement, TransportSlice};

use super::PORT;
use crate::Silence;
use crate::frame::{End, Mac, destination, sliced, source, udp4_frame, udp6_frame};

/// Most questions that come in one segment: a stub resolver asks for both families at once.
pub const MOST_QUESTIONS: usize = 4;
/// Bytes in one segment of an answer, and in one that is asked for: any link of IPv6 takes it whole.
const SEGMENT: u16 = 1200;
/// Most segments of an answer.
const SEGMENTS: usize = 16;
/// How many routers an answer may pass.
const HOPS: u8 = 64;

/// Somebody who asks, and how to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    asker: (Mac, IpAddr, u16),
    resolver: (Mac, IpAddr),
    /// The sequence number and the acknowledgement of an answer over TCP.
    stream: Option<(u32, u32)>,
}

/// What a packet for the resolver is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Questions: one in a datagram, or as many as a segment has.
    Asked(Call, Vec<&'a [u8]>),
    /// A part of a connection, which this frame goes on with.
    Connection(Vec<u8>),
}

/// Hears a packet that was sent to the resolver.
///
/// # Errors
/// [`Silence`] when nothing is to be sent.
pub fn hear(packet: &[u8]) -> Result<Heard<'_>, Silence> {
    let sliced = sliced(packet)?;
    let (from, to) = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => {
            (IpAddr::from(ip.header().source_addr()), IpAddr::from(ip.header().destination_addr()))
        }
        Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => return Err(Silence::Packet),
    };
    if from.is_unspecified() || from.is_multicast() {
        return Err(Silence::Packet);
    }
    let (mac, resolver) = (source(&sliced)?, (destination(&sliced)?, to));
    match &sliced.transport {
        Some(TransportSlice::Udp(udp)) if udp.destination_port() == PORT => {
            let call = Call { asker: (mac, from, udp.source_port()), resolver, stream: None };
            Ok(Heard::Asked(call, vec![udp.payload()]))
        }
        Some(TransportSlice::Tcp(tcp)) if tcp.destination_port() == PORT => {
            Call { asker: (mac, from, tcp.source_port()), resolver, stream: None }.segment(tcp)
        }
        _ => Err(Silence::Packet),
    }
}

impl Call {
    /// True if the answer goes over TCP.
    pub fn is_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// The frames that carry the answers to the questions of one packet, in their order.
    pub fn frames(&self, answers: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let Some((sequence, acknowledged)) = self.stream else {
            return answers.iter().map(|answer| self.datagram(answer)).collect();
        };
        let mut bytes = Vec::new();
        for answer in answers {
            let Ok(length) = u16::try_from(answer.len()) else { continue };
            bytes.extend(length.to_be_bytes());
            bytes.extend_from_slice(answer);
        }
        let parts: Vec<&[u8]> = bytes.chunks(SEGMENT.into()).collect();
        if parts.is_empty() || parts.len() > SEGMENTS {
            return vec![self.frame(Flags::RESET, (sequence, acknowledged), &[])];
        }
        let (mut frames, last, mut sequence) = (Vec::new(), parts.len() - 1, sequence);
        for (number, part) in parts.into_iter().enumerate() {
            let flags = if number == last { Flags::LAST } else { Flags::PUSH };
            frames.push(self.frame(flags, (sequence, acknowledged), part));
            sequence = sequence.wrapping_add(u32::try_from(part.len()).expect("a segment is short"));
        }
        frames
    }

    /// One step of a connection.
    fn segment<'a>(mut self, tcp: &TcpSlice<'a>) -> Result<Heard<'a>, Silence> {
        let (theirs, ours, payload) = (tcp.sequence_number(), tcp.acknowledgment_number(), tcp.payload());
        let first = self.first_number();
        if tcp.rst() {
            return Err(Silence::NotAsked);
        }
        if tcp.syn() {
            if tcp.ack() || !payload.is_empty() {
                return Err(Silence::Packet);
            }
            let numbers = (first, theirs.wrapping_add(1));
            return Ok(Heard::Connection(self.frame(Flags::OPEN, numbers, &[])));
        }
        if !tcp.ack() {
            return Err(Silence::Packet);
        }
        let is_unanswered = ours == first.wrapping_add(1);
        let length = u32::try_from(payload.len()).map_err(|_| Silence::Packet)?;
        if payload.is_empty() {
            if !tcp.fin() {
                return Err(Silence::NotAsked);
            }
            // Who hangs up without a question is answered in kind; after an answer our end is closed already.
            let flags = if is_unanswered { Flags::LAST } else { Flags::PLAIN };
            return Ok(Heard::Connection(self.frame(flags, (ours, theirs.wrapping_add(1)), &[])));
        }
        if !is_unanswered {
            // Our end of it is closed, or it was never open.
            return Ok(Heard::Connection(self.frame(Flags::RESET, (ours, theirs.wrapping_add(length)), &[])));
        }
        let questions = split(payload).ok_or(Silence::NotAsked)?;
        let end = length + u32::from(tcp.fin());
        self.stream = Some((ours, theirs.wrapping_add(end)));
        Ok(Heard::Asked(self, questions))
    }

    /// The first sequence number of the connection: the same for the same two ends (FNV-1a).
    fn first_number(&self) -> u32 {
        let (mac, ip, port) = self.asker;
        let address = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let bytes =
            mac.0.into_iter().chain(address(ip)).chain(port.to_be_bytes()).chain(address(self.resolver.1));
        let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, step);
        u32::try_from(hash >> 32).expect("half of it")
    }

    fn datagram(&self, answer: &[u8]) -> Vec<u8> {
        let ((mac, ip, port), (own_mac, own)) = (self.asker, self.resolver);
        match (own, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                udp4_frame(End { mac: own_mac, ip: own, port: PORT }, End { mac, ip, port }, answer)
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                udp6_frame(End { mac: own_mac, ip: own, port: PORT }, End { mac, ip, port }, answer)
            }
            // A packet has one family.
            _ => Vec::new(),
        }
    }

    fn frame(&self, flags: Flags, (sequence, acknowledged): (u32, u32), payload: &[u8]) -> Vec<u8> {
        let ((mac, ip, port), (own_mac, own)) = (self.asker, self.resolver);
        let ethernet = PacketBuilder::ethernet2(own_mac.0, mac.0);
        let packet: PacketBuilderStep<IpHeaders> = match (own, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => ethernet.ipv4(own.octets(), ip.octets(), HOPS),
            (IpAddr::V6(own), IpAddr::V6(ip)) => ethernet.ipv6(own.octets(), ip.octets(), HOPS),
            _ => return Vec::new(),
        };
        // No more than one segment is asked for, so that a question comes in one.
        let mut tcp = packet.tcp(PORT, port, sequence, SEGMENT).ack(acknowledged);
        if flags.syn {
            let size = [TcpOptionElement::MaximumSegmentSize(SEGMENT)];
            tcp = tcp.syn().options(&size).expect("one option has room");
        }
        tcp = if flags.psh { tcp.psh() } else { tcp };
        tcp = if flags.fin { tcp.fin() } else { tcp };
        tcp = if flags.rst { tcp.rst() } else { tcp };
        let mut out = Vec::with_capacity(tcp.size(payload.len()));
        tcp.write(&mut out, payload).expect("a segment is far below 64 KiB");
        out
    }
}

/// What a segment says besides its acknowledgement.
#[derive(Clone, Copy, Default)]
struct Flags {
    syn: bool,
    psh: bool,
    fin: bool,
    rst: bool,
}

impl Flags {
    const PLAIN: Flags = Flags { syn: false, psh: false, fin: false, rst: false };
    const OPEN: Flags = Flags { syn: true, ..Flags::PLAIN };
    const PUSH: Flags = Flags { psh: true, ..Flags::PLAIN };
    const LAST: Flags = Flags { psh: true, fin: true, ..Flags::PLAIN };
    const RESET: Flags = Flags { rst: true, ..Flags::PLAIN };
}

/// The messages of a stream, each behind its length (RFC 1035 section 4.2.2), which must take all of it.
fn split(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (message, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        if found.len() == MOST_QUESTIONS {
            return None;
        }
        found.push(message);
        bytes = rest;
    }
    Some(found)
}
