//! ICMP errors (RFC 792, RFC 1812 section 4.3.2, RFC 4443), in the name of a router that cannot hand a packet on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{LaxNetSlice, LaxSlicedPacket, LinkSlice, TransportSlice};

use crate::Silence;
use crate::frame::{End, IcmpHead, Mac, icmp4_frame, icmp6_frame};
use crate::userdata::{IcmpError, Trouble};

const ETHERNET: usize = 14;
/// The largest error (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 c), without its own headers.
const QUOTED4: usize = 576 - 20 - 8;
const QUOTED6: usize = 1280 - 40 - 8;
/// ICMP types that ask or answer (echo, time stamps, router discovery); about the others no error is sent.
const QUESTIONS4: [u8; 6] = [0, 8, 9, 10, 13, 14];
/// From here on, ICMPv6 messages are no errors (RFC 4443 section 2.1).
const INFORMATIONAL6: u8 = 128;
const REDIRECT6: u8 = 137;

/// The error for a packet, unless it is one that must not be answered with errors.
pub(crate) fn answer(service: &IcmpError, packet: &[u8]) -> Result<Vec<u8>, Silence> {
    let sliced = LaxSlicedPacket::from_ethernet(packet).map_err(|_| Silence::Packet)?;
    let Some(LinkSlice::Ethernet2(ethernet)) = &sliced.link else { return Err(Silence::Packet) };
    if !sliced.link_exts.is_empty() {
        return Err(Silence::Packet);
    }
    let ends = (Mac(ethernet.source()), Mac(ethernet.destination()));
    // To a group or from one (RFC 1812 section 4.3.2.7); packets that are too big are told of anyway in IPv6, but none
    // of them come here.
    if ends.0.0[0] & 1 == 1 || ends.1.0[0] & 1 == 1 {
        return Err(Silence::NotAsked);
    }
    match (&sliced.net, service.router) {
        (Some(LaxNetSlice::Ipv4(ip)), IpAddr::V4(router)) => {
            let header = ip.header();
            let quoted = quote(packet, usize::from(header.total_len()), QUOTED4)?;
            let (from, to) = (header.source_addr(), header.destination_addr());
            let is_later_fragment = header.fragments_offset().value() != 0;
            if is_later_fragment || !is_host4(from) || !is_host4(to) || is_error(&sliced) {
                return Err(Silence::NotAsked);
            }
            let (from, to) =
                (End { mac: ends.1, ip: router, port: 0 }, End { mac: ends.0, ip: from, port: 0 });
            Ok(icmp4_frame(from, to, head4(service.trouble), quoted))
        }
        (Some(LaxNetSlice::Ipv6(ip)), IpAddr::V6(router)) => {
            let header = ip.header();
            let quoted = quote(packet, 40 + usize::from(header.payload_length()), QUOTED6)?;
            let (from, to) = (header.source_addr(), header.destination_addr());
            let is_host = |ip: Ipv6Addr| !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback();
            if !is_host(from) || !is_host(to) || is_error(&sliced) {
                return Err(Silence::NotAsked);
            }
            let (from, to) =
                (End { mac: ends.1, ip: router, port: 0 }, End { mac: ends.0, ip: from, port: 0 });
            Ok(icmp6_frame(from, to, head6(service.trouble), quoted))
        }
        _ => Err(Silence::Packet),
    }
}

/// As much of the packet as an error may quote, without what Ethernet padded.
fn quote(packet: &[u8], length: usize, most: usize) -> Result<&[u8], Silence> {
    let ip = packet.get(ETHERNET..).ok_or(Silence::Packet)?;
    Ok(&ip[..ip.len().min(length).min(most)])
}

fn is_host4(address: Ipv4Addr) -> bool {
    let is_class_e = address.octets()[0] >= 240;
    !address.is_unspecified() && !address.is_multicast() && !address.is_loopback() && !is_class_e
}

/// No errors about errors.
fn is_error(sliced: &LaxSlicedPacket<'_>) -> bool {
    match &sliced.transport {
        Some(TransportSlice::Icmpv4(icmp)) => !QUESTIONS4.contains(&icmp.type_u8()),
        Some(TransportSlice::Icmpv6(icmp)) => icmp.type_u8() < INFORMATIONAL6 || icmp.type_u8() == REDIRECT6,
        _ => false,
    }
}

fn head4(trouble: Trouble) -> IcmpHead {
    let (kind, code, mtu) = match trouble {
        Trouble::TimeExceeded => (11, 0, 0),
        Trouble::NetUnreachable => (3, 0, 0),
        Trouble::HostUnreachable => (3, 1, 0),
        Trouble::ProtocolUnreachable => (3, 2, 0),
        Trouble::PortUnreachable => (3, 3, 0),
        Trouble::Prohibited => (3, 13, 0),
        // RFC 1191 section 4.
        Trouble::TooBig(mtu) => (3, 4, mtu),
    };
    let [high, low] = mtu.to_be_bytes();
    IcmpHead { kind, code, rest: [0, 0, high, low] }
}

fn head6(trouble: Trouble) -> IcmpHead {
    let (kind, code, value) = match trouble {
        Trouble::TimeExceeded => (3, 0, 0),
        Trouble::NetUnreachable => (1, 0, 0),
        Trouble::HostUnreachable => (1, 3, 0),
        // A problem with the field that says which header follows, which is byte 6 (RFC 4443 section 3.4).
        Trouble::ProtocolUnreachable => (4, 1, 6),
        Trouble::PortUnreachable => (1, 4, 0),
        Trouble::Prohibited => (1, 1, 0),
        Trouble::TooBig(mtu) => (2, 0, u32::from(mtu)),
    };
    IcmpHead { kind, code, rest: value.to_be_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Service, answer as answer_userdata};
    use etherparse::{PacketBuilder, SlicedPacket};

    const HOST: Mac = Mac([2, 0, 0, 0, 0, 7]);
    const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const FROM4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
    const TO4: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 7);
    const ROUTER4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const FROM6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7);
    const TO6: Ipv6Addr = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 7);
    const ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);

    fn udp4(from: Ipv4Addr, to: Ipv4Addr, length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let builder = PacketBuilder::ethernet2(HOST.0, ROUTER.0).ipv4(from.octets(), to.octets(), 1);
        builder.udp(1000, 2000).write(&mut out, &vec![9; length]).unwrap();
        out
    }

    fn udp6(length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let builder = PacketBuilder::ethernet2(HOST.0, ROUTER.0).ipv6(FROM6.octets(), TO6.octets(), 1);
        builder.udp(1000, 2000).write(&mut out, &vec![9; length]).unwrap();
        out
    }

    fn ask(router: impl Into<IpAddr>, trouble: Trouble, packet: &[u8]) -> Result<Vec<u8>, Silence> {
        let service = IcmpError { router: router.into(), trouble };
        answer_userdata(&Service::IcmpError(service).encode(), packet)
    }

    #[test]
    fn the_sender_gets_back_what_it_sent_from_the_router() {
        let packet = [udp4(FROM4, TO4, 10), vec![0; 5]].concat();
        let frame = ask(ROUTER4, Trouble::TimeExceeded, &packet).unwrap();
        assert_eq!(frame[..12], [HOST.0, ROUTER.0].concat());
        assert_eq!((&frame[26..30], &frame[30..34]), (&ROUTER4.octets()[..], &FROM4.octets()[..]));
        assert_eq!((frame[34], frame[35]), (11, 0));
        // Without what Ethernet padded.
        assert_eq!(frame[42..], packet[14..packet.len() - 5]);
        let frame = ask(ROUTER6, Trouble::TooBig(1450), &udp6(10)).unwrap();
        assert_eq!((frame[54], frame[55], &frame[58..62]), (2, 0, &[0, 0, 5, 0xaa][..]));
        assert_eq!(frame[62..], udp6(10)[14..]);
        SlicedPacket::from_ethernet(&frame).unwrap();
    }

    #[test]
    fn the_quotation_ends_where_the_error_would_be_too_long() {
        let frame = ask(ROUTER4, Trouble::TooBig(1400), &udp4(FROM4, TO4, 1400)).unwrap();
        assert_eq!(frame.len(), 14 + 576);
        let frame = ask(ROUTER6, Trouble::NetUnreachable, &udp6(1400)).unwrap();
        assert_eq!(frame.len(), 14 + 1280);
    }

    #[test]
    fn there_are_no_errors_about_errors_groups_and_fragments() {
        let error = ask(ROUTER4, Trouble::TimeExceeded, &udp4(FROM4, TO4, 10)).unwrap();
        assert_eq!(ask(ROUTER4, Trouble::TimeExceeded, &error), Err(Silence::NotAsked));
        let error = ask(ROUTER6, Trouble::TimeExceeded, &udp6(10)).unwrap();
        assert_eq!(ask(ROUTER6, Trouble::TimeExceeded, &error), Err(Silence::NotAsked));
        for (from, to) in [(Ipv4Addr::UNSPECIFIED, TO4), (FROM4, Ipv4Addr::new(224, 0, 0, 1))] {
            let packet = udp4(from, to, 1);
            assert_eq!(ask(ROUTER4, Trouble::TimeExceeded, &packet), Err(Silence::NotAsked));
        }
        let mut fragment = udp4(FROM4, TO4, 100);
        fragment[21] = 8;
        assert_eq!(ask(ROUTER4, Trouble::TimeExceeded, &fragment), Err(Silence::NotAsked));
        let mut shouted = udp4(FROM4, TO4, 100);
        shouted[0] = 0xff;
        assert_eq!(ask(ROUTER4, Trouble::TimeExceeded, &shouted), Err(Silence::NotAsked));
        assert_eq!(ask(ROUTER4, Trouble::TimeExceeded, &udp6(1)), Err(Silence::Packet));
    }

    #[test]
    fn an_echo_request_is_no_error() {
        let mut ping = Vec::new();
        PacketBuilder::ethernet2(HOST.0, ROUTER.0)
            .ipv4(FROM4.octets(), TO4.octets(), 1)
            .icmpv4_echo_request(1, 1)
            .write(&mut ping, b"hello")
            .unwrap();
        assert!(ask(ROUTER4, Trouble::TimeExceeded, &ping).is_ok());
    }
}
