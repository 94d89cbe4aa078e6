//! Ethernet frames: the parts of those that come which answers need, and those that go.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{LinkSlice, NetSlice, PacketBuilder, SlicedPacket, TransportSlice};

use crate::Silence;

/// An Ethernet address in network order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Everybody.
    pub(crate) const BROADCAST: Mac = Mac([0xff; 6]);

    /// The link-local address that it makes (modified EUI-64, RFC 4291 appendix A).
    pub(crate) fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A frame in a VLAN (IEEE 802.1Q), or as it is.
pub(crate) fn under_tag(mut frame: Vec<u8>, vlan: Option<u16>) -> Vec<u8> {
    if let Some(vlan) = vlan {
        let [high, low] = vlan.to_be_bytes();
        frame.splice(12..12, [0x81, 0, high, low]);
    }
    frame
}

/// Ethernet type of ARP, hardware type Ethernet, protocol type IPv4, their address lengths, and the operation "request".
const ARP_REQUEST: [u8; 10] = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1];

/// The question to everybody for who has an address (RFC 826).
pub(crate) fn arp_request(mac: Mac, asker: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    let parts: [&[u8]; 7] =
        [&Mac::BROADCAST.0, &mac.0, &ARP_REQUEST, &mac.0, &asker.octets(), &[0; 6], &wanted.octets()];
    parts.concat()
}

/// A UDP datagram that came.
pub(crate) struct Datagram<'a, A> {
    pub from_mac: Mac,
    pub from: A,
    pub payload: &'a [u8],
}

/// One over IPv4, sent to this port.
pub(crate) fn udp4(packet: &[u8], to: u16) -> Result<Datagram<'_, Ipv4Addr>, Silence> {
    let sliced = sliced(packet)?;
    let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Udp(udp))) = (&sliced.net, &sliced.transport) else {
        return Err(Silence::Packet);
    };
    if udp.destination_port() != to {
        return Err(Silence::Packet);
    }
    let from = ip.header().source_addr();
    Ok(Datagram { from_mac: source(&sliced)?, from, payload: udp.payload() })
}

/// One over IPv6, sent to this port.
pub(crate) fn udp6(packet: &[u8], to: u16) -> Result<Datagram<'_, Ipv6Addr>, Silence> {
    let sliced = sliced(packet)?;
    let (Some(NetSlice::Ipv6(ip)), Some(TransportSlice::Udp(udp))) = (&sliced.net, &sliced.transport) else {
        return Err(Silence::Packet);
    };
    if udp.destination_port() != to {
        return Err(Silence::Packet);
    }
    let from = ip.header().source_addr();
    Ok(Datagram { from_mac: source(&sliced)?, from, payload: udp.payload() })
}

/// An ICMPv6 message that came.
pub(crate) struct Message6 {
    pub from_mac: Mac,
    pub from: Ipv6Addr,
    pub hop_limit: u8,
    pub kind: u8,
    pub code: u8,
}

pub(crate) fn icmp6(packet: &[u8]) -> Result<Message6, Silence> {
    let sliced = sliced(packet)?;
    let (Some(NetSlice::Ipv6(ip)), Some(TransportSlice::Icmpv6(icmp))) = (&sliced.net, &sliced.transport)
    else {
        return Err(Silence::Packet);
    };
    let (from, hop_limit) = (ip.header().source_addr(), ip.header().hop_limit());
    let (kind, code) = (icmp.type_u8(), icmp.code_u8());
    Ok(Message6 { from_mac: source(&sliced)?, from, hop_limit, kind, code })
}

pub(crate) fn sliced(packet: &[u8]) -> Result<SlicedPacket<'_>, Silence> {
    SlicedPacket::from_ethernet(packet).map_err(|_| Silence::Packet)
}

/// To whom it was sent, who is to answer it.
pub(crate) fn destination(sliced: &SlicedPacket<'_>) -> Result<Mac, Silence> {
    let Some(LinkSlice::Ethernet2(ethernet)) = &sliced.link else { return Err(Silence::Packet) };
    let mac = ethernet.destination();
    if mac[0] & 1 == 0 { Ok(Mac(mac)) } else { Err(Silence::Packet) }
}

pub(crate) fn source(sliced: &SlicedPacket<'_>) -> Result<Mac, Silence> {
    let Some(LinkSlice::Ethernet2(ethernet)) = &sliced.link else { return Err(Silence::Packet) };
    let mac = ethernet.source();
    // A group address is nobody's.
    if mac[0] & 1 == 0 { Ok(Mac(mac)) } else { Err(Silence::Packet) }
}

/// One end of a packet that goes.
#[derive(Clone, Copy)]
pub(crate) struct End<A> {
    pub mac: Mac,
    pub ip: A,
    /// UDP port; unused otherwise.
    pub port: u16,
}

/// How many routers an answer may pass: neighbour discovery asks for 255 (RFC 4861 section 4.2), the rest does not mind.
const HOPS: u8 = 255;

pub(crate) fn udp4_frame(from: End<Ipv4Addr>, to: End<Ipv4Addr>, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(from.mac.0, to.mac.0)
        .ipv4(from.ip.octets(), to.ip.octets(), HOPS)
        .udp(from.port, to.port);
    let mut out = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut out, payload).expect("a payload of ours is far below 64 KiB");
    out
}

pub(crate) fn udp6_frame(from: End<Ipv6Addr>, to: End<Ipv6Addr>, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(from.mac.0, to.mac.0)
        .ipv6(from.ip.octets(), to.ip.octets(), HOPS)
        .udp(from.port, to.port);
    let mut out = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut out, payload).expect("a payload of ours is far below 64 KiB");
    out
}

/// Type, code and the four bytes behind the checksum.
#[derive(Clone, Copy)]
pub(crate) struct IcmpHead {
    pub kind: u8,
    pub code: u8,
    pub rest: [u8; 4],
}

pub(crate) fn icmp4_frame(from: End<Ipv4Addr>, to: End<Ipv4Addr>, head: IcmpHead, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(from.mac.0, to.mac.0)
        .ipv4(from.ip.octets(), to.ip.octets(), HOPS)
        .icmpv4_raw(head.kind, head.code, head.rest);
    let mut out = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut out, payload).expect("a payload of ours is far below 64 KiB");
    out
}

pub(crate) fn icmp6_frame(from: End<Ipv6Addr>, to: End<Ipv6Addr>, head: IcmpHead, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(from.mac.0, to.mac.0)
        .ipv6(from.ip.octets(), to.ip.octets(), HOPS)
        .icmpv6_raw(head.kind, head.code, head.rest);
    let mut out = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut out, payload).expect("a payload of ours is far below 64 KiB");
    out
}
