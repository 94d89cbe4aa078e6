//! Packets that ports send: honest ones, and anything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weft_openflow::oxm;
use weft_trace::Packet;

use crate::model::{Model, Port};
use crate::random::Random;
use crate::routing::Leg;

fn frame(from: [u8; 6], to: [u8; 6], kind: u16) -> Packet {
    Packet::new().with(oxm::eth_src(from)).with(oxm::eth_dst(to)).with(oxm::eth_type(kind))
}

fn ipv4(packet: Packet, from: Ipv4Addr, to: Ipv4Addr, protocol: u8) -> Packet {
    let packet = packet.with(oxm::ipv4_src(from)).with(oxm::ipv4_dst(to));
    packet.with(oxm::ip_proto(protocol)).with(oxm::ip_ttl(64))
}

fn ipv6(packet: Packet, from: Ipv6Addr, to: Ipv6Addr, protocol: u8) -> Packet {
    let packet = packet.with(oxm::ipv6_src(from)).with(oxm::ipv6_dst(to));
    packet.with(oxm::ip_proto(protocol)).with(oxm::ip_ttl(64))
}

/// An honest packet to a port, by IPv4 or, where both have it, IPv6. None to oneself.
pub fn to(from: &Port, to: &Port, random: &mut Random) -> Option<Packet> {
    if from.number == to.number || from.subnet != to.subnet {
        return None;
    }
    if from.v6 && random.once_in(2) {
        let packet = ipv6(frame(from.mac(), to.mac(), 0x86dd), from.ipv6(), to.ipv6(), 6);
        if random.once_in(3) {
            let packet = ipv6(frame(from.mac(), to.mac(), 0x86dd), from.ipv6(), to.ipv6(), 58);
            return Some(packet.with(oxm::icmpv6_type(128)));
        }
        return Some(packet.with(oxm::tcp_src(40_000)).with(oxm::tcp_dst(80)));
    }
    if random.once_in(3) {
        let packet = ipv4(frame(from.mac(), to.mac(), 0x0800), from.ipv4(), to.ipv4(), 1);
        return Some(packet.with(oxm::icmpv4_type(8)));
    }
    let packet = ipv4(frame(from.mac(), to.mac(), 0x0800), from.ipv4(), to.ipv4(), 17);
    Some(packet.with(oxm::udp_src(40_000)).with(oxm::udp_dst(53)))
}

/// An honest packet through a router to an address of another subnet, by IPv4 or IPv6.
pub fn through(from: &Port, leg: &Leg, (subnet, number): (u8, u8), random: &mut Random) -> Packet {
    if from.v6 && random.once_in(2) {
        let to = Ipv6Addr::new(0xfd00, 0, 0, u16::from(subnet), 0, 0, 0, u16::from(number));
        let packet = ipv6(frame(from.mac(), leg.mac(), 0x86dd), from.ipv6(), to, 17);
        return packet.with(oxm::udp_src(40_000)).with(oxm::udp_dst(53));
    }
    let to = Ipv4Addr::new(10, 0, subnet, number);
    let packet = ipv4(frame(from.mac(), leg.mac(), 0x0800), from.ipv4(), to, 6);
    packet.with(oxm::tcp_src(40_000)).with(oxm::tcp_dst(80))
}

/// A ping to a router.
pub fn ping(model: &Model, from: &Port, leg: &Leg, random: &mut Random) -> Packet {
    let network = &model.networks[leg.network];
    if from.v6 && random.once_in(2) {
        let packet = ipv6(frame(from.mac(), leg.mac(), 0x86dd), from.ipv6(), leg.ipv6(network), 58);
        return packet.with(oxm::icmpv6_type(128));
    }
    ipv4(frame(from.mac(), leg.mac(), 0x0800), from.ipv4(), leg.ipv4(network), 1).with(oxm::icmpv4_type(8))
}

/// The answer to a packet of the network's own link.
pub fn answer(got: &Packet) -> Packet {
    let packet = frame(got.eth_dst(), got.eth_src(), got.eth_type());
    let packet = match got.addresses().expect("an IP packet") {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4(packet, to, from, got.protocol()),
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6(packet, to, from, got.protocol()),
        _ => packet,
    };
    let (from, to) = got.ports();
    match got.protocol() {
        1 => packet.with(oxm::icmpv4_type(0)),
        58 => packet.with(oxm::icmpv6_type(129)),
        6 => packet.with(oxm::tcp_src(to)).with(oxm::tcp_dst(from)).with(oxm::tcp_flags(0x12)),
        _ => packet.with(oxm::udp_src(to)).with(oxm::udp_dst(from)),
    }
}

/// True for echo replies, and for TCP's answer to the opening of a connection.
pub fn begins_nothing(packet: &Packet) -> bool {
    match packet.protocol() {
        1 | 58 => true,
        6 => packet.get(weft_openflow::FieldId::basic(42)) == Some(0x12),
        _ => false,
    }
}

/// A broadcast or multicast that is nobody's question: everybody gets it.
pub fn broadcast(from: &Port, random: &mut Random) -> Packet {
    let group = *random.pick(&[[0xff; 6], [1, 0, 0x5e, 0, 0, 5], [0x33, 0x33, 0, 0, 0, 1]]);
    let packet = ipv4(frame(from.mac(), group, 0x0800), from.ipv4(), Ipv4Addr::BROADCAST, 17);
    packet.with(oxm::udp_src(40_000)).with(oxm::udp_dst(53))
}

/// Anything at all: any MAC that somebody has, any type, any addresses, tags, ARP and neighbour discovery with any content.
pub fn anything(model: &Model, from: &Port, random: &mut Random) -> Packet {
    let somebody = |random: &mut Random| random.pick(&model.ports).clone();
    let source = if random.once_in(2) { from.clone() } else { somebody(random) };
    let target = somebody(random);
    let legs: Vec<&Leg> = model.routers.iter().flat_map(|router| &router.legs).collect();
    let mac = match random.below(6) {
        4 | 5 if !legs.is_empty() => random.pick(&legs).mac(),
        0 => [0xff; 6],
        1 => [0x33, 0x33, 0xff, 0, 0, target.number],
        2 => [random.byte(), random.byte(), random.byte(), 0, 0, random.byte()],
        _ => target.mac(),
    };
    let kind = *random.pick(&[0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x0806, 0x88cc, 0x8100]);
    let mut packet = frame(source.mac(), mac, kind);
    packet = match kind {
        0x0800 => {
            let packet = ipv4(packet, source.ipv4(), target.ipv4(), *random.pick(&[1, 6, 17, 47]));
            packet
                .with(oxm::udp_src(*random.pick(&[67, 68, 53, 1])))
                .with(oxm::udp_dst(*random.pick(&[67, 68, 53])))
        }
        0x86dd => {
            let packet = ipv6(packet, source.ipv6(), target.ipv6(), *random.pick(&[58, 58, 6, 17]));
            let packet = packet.with(oxm::icmpv6_type(*random.pick(&[128, 133, 134, 135, 136])));
            packet.with(oxm::nd_target(target.ipv6())).with(oxm::nd_sll(source.mac()))
        }
        0x0806 => packet
            .with(oxm::arp_op(*random.pick(&[1, 2])))
            .with(oxm::arp_spa(source.ipv4()))
            .with(oxm::arp_tpa(target.ipv4()))
            .with(oxm::arp_sha(source.mac())),
        _ => packet,
    };
    if random.once_in(6) {
        packet = packet.with(oxm::vlan_vid(u16::from(random.byte())));
    }
    packet
}
