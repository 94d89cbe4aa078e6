//! Packets of IPv4 as bytes, and as the interpreter has them: UDP, TCP and ICMP echoes, with sums that a tracker accepts.

use anyhow::{Context, Result};
use weft_openflow::oxm;
use weft_trace::Packet;

pub const UDP: u8 = 17;
pub const TCP: u8 = 6;
pub const ICMP: u8 = 1;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// A packet: its MACs, addresses and ports, source and destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wire {
    pub protocol: u8,
    pub macs: [[u8; 6]; 2],
    pub ips: [[u8; 4]; 2],
    /// Of an ICMP message its type, 8 for an echo and 0 for its answer, and its identifier.
    pub ports: [u16; 2],
    pub ttl: u8,
    pub vlan: Option<u16>,
    /// The flags of TCP.
    pub flags: u8,
}

impl Wire {
    /// Without a tag, and with flags as the first packet of a connection has them.
    pub fn new(protocol: u8, macs: [[u8; 6]; 2], ips: [[u8; 4]; 2], ports: [u16; 2]) -> Wire {
        let flags = if protocol == TCP { SYN } else { 0 };
        Wire { protocol, macs, ips, ports, ttl: 64, vlan: None, flags }
    }

    /// What who gets it answers.
    pub fn answer(&self) -> Wire {
        let [a, b] = self.ports;
        Wire {
            macs: [self.macs[1], self.macs[0]],
            ips: [self.ips[1], self.ips[0]],
            ports: if self.protocol == ICMP { [8 - a, b] } else { [b, a] },
            ttl: 64,
            flags: if self.flags == SYN { SYN | ACK } else { self.flags },
            ..self.clone()
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let tag = self.vlan.map(|vlan| [&[0x81, 0][..], &vlan.to_be_bytes()].concat()).unwrap_or_default();
        let inner = self.inner();
        let length = u8::try_from(20 + inner.len()).expect("short");
        let mut ip = vec![0x45, 0, 0, length, 0, 0, 0, 0, self.ttl, self.protocol, 0, 0];
        ip.extend(self.ips.concat());
        let checksum = sum(&ip);
        ip[10..12].copy_from_slice(&checksum);
        let frame = [&self.macs[1][..], &self.macs[0], &tag, &[8, 0], &ip, &inner].concat();
        [frame, vec![0; 18]].concat()
    }

    /// What is in the IP packet.
    fn inner(&self) -> Vec<u8> {
        let [from, to] = self.ports.map(u16::to_be_bytes);
        match self.protocol {
            ICMP => {
                let mut message = [&[from[1], 0, 0, 0][..], &to, &[0, 1]].concat();
                let checksum = sum(&message);
                message[2..4].copy_from_slice(&checksum);
                message
            }
            TCP => {
                let head = [&from[..], &to, &[0, 0, 0, 1, 0, 0, 0, 2, 0x50, self.flags, 0xff, 0xff]].concat();
                let mut segment = [&head[..], &[0; 4]].concat();
                let pseudo = [&self.ips.concat()[..], &[0, TCP, 0, 20]].concat();
                let checksum = sum(&[&pseudo[..], &segment].concat());
                segment[16..18].copy_from_slice(&checksum);
                segment
            }
            // Without a checksum, which UDP over IPv4 may do.
            _ => [&from[..], &to, &[0, 8, 0, 0]].concat(),
        }
    }

    /// `None` if it is something else.
    pub fn read(frame: &[u8]) -> Option<Wire> {
        let (vlan, at) = match frame.get(12..16)? {
            [0x81, 0, high, low] => (Some(u16::from_be_bytes([*high, *low]) & 0xfff), 18),
            _ => (None, 14),
        };
        let number = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
        let mac = |at: usize| frame.get(at..at + 6)?.try_into().ok();
        let ip = |at: usize| frame.get(at..at + 4)?.try_into().ok();
        let protocol = *frame.get(at + 9).filter(|_| number(at - 2) == Some(0x0800))?;
        let (ports, flags) = match protocol {
            ICMP => ([u16::from(*frame.get(at + 20)?), number(at + 24)?], 0),
            TCP => ([number(at + 20)?, number(at + 22)?], *frame.get(at + 33)?),
            UDP => ([number(at + 20)?, number(at + 22)?], 0),
            _ => return None,
        };
        let (macs, ips, ttl) = ([mac(6)?, mac(0)?], [ip(at + 12)?, ip(at + 16)?], *frame.get(at + 8)?);
        Some(Wire { protocol, macs, ips, ports, ttl, vlan, flags })
    }

    pub fn packet(&self) -> Packet {
        let packet = Packet::new().with(oxm::eth_src(self.macs[0])).with(oxm::eth_dst(self.macs[1]));
        let packet = packet.with(oxm::eth_type(0x0800)).with(oxm::ip_proto(self.protocol));
        let packet = packet.with(oxm::ipv4_src(self.ips[0].into())).with(oxm::ipv4_dst(self.ips[1].into()));
        let [from, to] = self.ports;
        let mut packet = match self.protocol {
            ICMP => packet.with(oxm::icmpv4_type(u8::try_from(from).expect("a type"))),
            TCP => {
                packet.with(oxm::tcp_src(from)).with(oxm::tcp_dst(to)).with(oxm::tcp_flags(self.flags.into()))
            }
            _ => packet.with(oxm::udp_src(from)).with(oxm::udp_dst(to)),
        };
        packet.echo = if self.protocol == ICMP { to } else { 0 };
        let packet = packet.with(oxm::ip_ttl(self.ttl));
        self.vlan.into_iter().fold(packet, |packet, vlan| packet.with(oxm::vlan_vid(vlan)))
    }

    pub fn of(packet: &Packet) -> Result<Wire> {
        let (from, to) = packet.addresses().context("addresses")?;
        let v4 = |ip| match ip {
            std::net::IpAddr::V4(ip) => Ok(ip.octets()),
            std::net::IpAddr::V6(ip) => anyhow::bail!("{ip}"),
        };
        let protocol = packet.protocol();
        let (a, b) = packet.ports();
        let number =
            |field: weft_openflow::OxmField| packet.get(field.id()).and_then(|bits| u16::try_from(bits).ok());
        let vlan = number(oxm::vlan_vid(0)).filter(|vid| *vid != 0).map(|vid| vid & 0xfff);
        let flags = number(oxm::tcp_flags(0)).filter(|_| protocol == TCP).unwrap_or(0);
        Ok(Wire {
            protocol,
            macs: [packet.eth_src(), packet.eth_dst()],
            ips: [v4(from)?, v4(to)?],
            ports: if protocol == ICMP { [a, packet.echo] } else { [a, b] },
            ttl: packet.ttl(),
            vlan,
            flags: flags.to_be_bytes()[1],
        })
    }
}

/// The sum of the Internet's protocols (RFC 1071).
fn sum(bytes: &[u8]) -> [u8; 2] {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (!u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded")).to_be_bytes()
}
