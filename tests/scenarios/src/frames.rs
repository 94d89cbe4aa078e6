//! Ethernet frames that a scenario's workloads send by hand: honest ones and others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType, PacketBuilder};
use weft_rig::Workload;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// To everybody.
pub const BROADCAST: Mac = [0xff; 6];
/// Bytes of an Ethernet header without tags.
const ETHERNET_LEN: usize = 14;
/// Neighbour discovery counts only with this hop limit (RFC 4861 section 7.1).
const HOP_LIMIT: u8 = 255;
/// The option with the sender's link-layer address (RFC 4861 section 4.6.1).
pub const SOURCE_OPTION: u8 = 1;
/// The option with the target's link-layer address.
pub const TARGET_OPTION: u8 = 2;

/// One end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its IP address.
    pub ip: IpAddr,
}

impl End {
    /// An end.
    pub fn new(mac: Mac, ip: impl Into<IpAddr>) -> End {
        End { mac, ip: ip.into() }
    }

    /// A workload with its IPv4 address.
    pub fn v4(workload: &Workload) -> End {
        End::new(mac(&workload.spec().mac), workload.ipv4().expect("an IPv4 address"))
    }

    /// A workload with its IPv6 address.
    pub fn v6(workload: &Workload) -> End {
        End::new(mac(&workload.spec().mac), workload.ipv6().expect("an IPv6 address"))
    }

    /// The same end with another Ethernet address.
    pub fn with_mac(self, mac: Mac) -> End {
        End { mac, ..self }
    }

    /// The same end with another IP address.
    pub fn with_ip(self, ip: impl Into<IpAddr>) -> End {
        End { ip: ip.into(), ..self }
    }

    fn ip4(&self) -> Ipv4Addr {
        match self.ip {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => panic!("{ip} is not an IPv4 address"),
        }
    }

    fn ip6(&self) -> Ipv6Addr {
        match self.ip {
            IpAddr::V6(ip) => ip,
            IpAddr::V4(ip) => panic!("{ip} is not an IPv6 address"),
        }
    }
}

/// Reads an Ethernet address as `ip link` prints it.
pub fn mac(text: &str) -> Mac {
    let bytes: Vec<u8> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits")).collect();
    bytes.try_into().expect("six bytes")
}

/// The multicast address of a group of hosts (RFC 1112 section 6.4, RFC 2464 section 7).
pub fn multicast(group: impl Into<IpAddr>) -> End {
    let group = group.into();
    let mac = match group {
        IpAddr::V4(group) => {
            let [_, a, b, c] = group.octets();
            [0x01, 0x00, 0x5e, a & 0x7f, b, c]
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            [0x33, 0x33, a, b, c, d]
        }
    };
    End::new(mac, group)
}

/// Where the question for an address goes (RFC 4291 section 2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> End {
    let [.., a, b, c] = address.octets();
    let tail = [u16::from_be_bytes([0xff, a]), u16::from_be_bytes([b, c])];
    multicast(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, tail[0], tail[1]))
}

/// A UDP packet of either family; the ports are the source's and the destination's.
pub fn udp(from: End, to: End, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let ethernet = PacketBuilder::ethernet2(from.mac, to.mac);
    let packet = match from.ip {
        IpAddr::V4(_) => ethernet.ipv4(from.ip4().octets(), to.ip4().octets(), 64),
        IpAddr::V6(_) => ethernet.ipv6(from.ip6().octets(), to.ip6().octets(), 64),
    };
    let mut frame = Vec::new();
    packet.udp(ports.0, ports.1).write(&mut frame, payload).expect("a vector takes all bytes");
    frame
}

/// An ARP packet: what the Ethernet header says, and what the packet says. Sender and target are its four fields.
#[derive(Debug, Clone, Copy)]
pub struct Arp {
    /// Ethernet source.
    pub eth_src: Mac,
    /// Ethernet destination.
    pub eth_dst: Mac,
    /// Request or reply.
    pub operation: ArpOperation,
    /// Sender hardware and protocol address.
    pub sender: End,
    /// Target hardware and protocol address.
    pub target: End,
}

impl Arp {
    /// Asks everybody who has an address.
    pub fn request(sender: End, address: Ipv4Addr) -> Arp {
        let target = End::new([0; 6], address);
        let (eth_src, eth_dst) = (sender.mac, BROADCAST);
        Arp { eth_src, eth_dst, operation: ArpOperation::REQUEST, sender, target }
    }

    /// Tells a target that the sender has its address.
    pub fn reply(sender: End, target: End) -> Arp {
        let (eth_src, eth_dst) = (sender.mac, target.mac);
        Arp { eth_src, eth_dst, operation: ArpOperation::REPLY, sender, target }
    }

    /// The frame.
    pub fn frame(&self) -> Vec<u8> {
        let (spa, tpa) = (self.sender.ip4().octets(), self.target.ip4().octets());
        let packet = ArpPacket::new(
            ArpHardwareId::ETHERNET,
            EtherType::IPV4,
            self.operation,
            &self.sender.mac,
            &spa,
            &self.target.mac,
            &tpa,
        )
        .expect("the lengths are those of Ethernet and IPv4");
        let mut frame = Vec::new();
        let ethernet = PacketBuilder::ethernet2(self.eth_src, self.eth_dst);
        ethernet.arp(packet).write(&mut frame).expect("a vector takes all bytes");
        frame
    }
}

/// An ICMPv6 packet of a type, with all that follows its checksum.
pub fn icmpv6(from: End, to: End, kind: u8, body: &[u8]) -> Vec<u8> {
    let (word, rest) = body.split_first_chunk::<4>().expect("at least the word behind the checksum");
    let ethernet = PacketBuilder::ethernet2(from.mac, to.mac);
    let packet = ethernet.ipv6(from.ip6().octets(), to.ip6().octets(), HOP_LIMIT);
    let mut frame = Vec::new();
    packet.icmpv6_raw(kind, 0, *word).write(&mut frame, rest).expect("a vector takes all bytes");
    frame
}

/// A neighbour solicitation for `target`, with the sender's link-layer address or without.
pub fn solicitation(from: End, to: End, target: Ipv6Addr, link_layer: Option<Mac>) -> Vec<u8> {
    icmpv6(from, to, 135, &discovery([0; 4], target, link_layer.map(|mac| (SOURCE_OPTION, mac))))
}

/// A neighbour advertisement of `target`, with the override flag.
pub fn advertisement(from: End, to: End, target: Ipv6Addr, link_layer: Option<Mac>) -> Vec<u8> {
    let option = link_layer.map(|mac| (TARGET_OPTION, mac));
    icmpv6(from, to, 136, &discovery([0x20, 0, 0, 0], target, option))
}

fn discovery(word: [u8; 4], target: Ipv6Addr, option: Option<(u8, Mac)>) -> Vec<u8> {
    let mut body = [&word[..], &target.octets()].concat();
    if let Some((kind, mac)) = option {
        body.extend([kind, 1]);
        body.extend(mac);
    }
    body
}

/// The router advertisement of a router that wants to be everybody's (RFC 4861 section 4.2).
pub fn router_advertisement(from: End) -> Vec<u8> {
    let mut body = vec![64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    body.extend([SOURCE_OPTION, 1]);
    body.extend(from.mac);
    icmpv6(from, multicast(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)), 134, &body)
}

/// The frame with a VLAN tag in front of its EtherType; `tag` is the tag's own EtherType.
pub fn tagged(frame: &[u8], tag: u16, vid: u16) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    [addresses, &tag.to_be_bytes(), &vid.to_be_bytes(), rest].concat()
}

/// The IPv6 frame with an empty destination options header before what it carries (RFC 8200 section 4.6).
pub fn behind_options(frame: &[u8]) -> Vec<u8> {
    /// Offsets in an IPv6 header: payload length, next header, end.
    const LENGTH: usize = 4;
    const NEXT: usize = 6;
    const END: usize = 40;
    let mut frame = frame.to_vec();
    let header = &mut frame[ETHERNET_LEN..];
    let length = u16::from_be_bytes([header[LENGTH], header[LENGTH + 1]]) + 8;
    header[LENGTH..LENGTH + 2].copy_from_slice(&length.to_be_bytes());
    // Next header, length 0 (eight bytes), and padding: PadN with four bytes.
    let options = [header[NEXT], 0, 1, 4, 0, 0, 0, 0];
    header[NEXT] = 60;
    let at = ETHERNET_LEN + END;
    frame.splice(at..at, options);
    frame
}

/// The frame as IEEE 802.3 with LLC and SNAP in place of an EtherType (RFC 1042).
pub fn snap(frame: &[u8]) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    let length = u16::try_from(rest.len() + 6).expect("frames are short");
    [addresses, &length.to_be_bytes(), &[0xaa, 0xaa, 0x03, 0, 0, 0], rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_leave_a_packet_that_parses() {
        let from = End::new([2, 0, 0, 0, 0, 1], Ipv6Addr::LOCALHOST);
        let frame = behind_options(&router_advertisement(from));
        let parsed = etherparse::SlicedPacket::from_ethernet(&frame).expect("a packet");
        let Some(etherparse::TransportSlice::Icmpv6(icmp)) = parsed.transport else { panic!("no ICMPv6") };
        assert_eq!(icmp.type_u8(), 134);
        let octets = Ipv6Addr::LOCALHOST.octets();
        let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).octets();
        assert!(icmp.is_checksum_valid(octets, all_nodes));
    }

    #[test]
    fn questions_go_to_the_group_of_their_target() {
        let group = solicited_node(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0x12, 0x3456));
        assert_eq!(
            group,
            End::new(
                [0x33, 0x33, 0xff, 0x12, 0x34, 0x56],
                "ff02::1:ff12:3456".parse::<IpAddr>().expect("an address")
            )
        );
    }
}
