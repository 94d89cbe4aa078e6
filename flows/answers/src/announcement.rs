//! Saying unasked who has an address now: gratuitous ARP (RFC 5227 section 2.3) and unsolicited neighbour advertisements
//! (RFC 4861 section 7.2.6). Switches and neighbours on a physical network learn from it where an address has moved to.

use std::net::{IpAddr, Ipv6Addr};

use crate::frame::{End, IcmpHead, Mac, arp_request, icmp6_frame, under_tag};

/// An address and who has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announcement {
    /// The address.
    pub address: IpAddr,
    /// Who has it.
    pub mac: Mac,
    /// The tag under which the address is on the wire; none for untagged frames.
    pub vlan: Option<u16>,
}

/// All nodes of the link (RFC 4291 section 2.7.1), and the MAC address that goes with it (RFC 2464 section 7).
const ALL_NODES: (Ipv6Addr, Mac) =
    (Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), Mac([0x33, 0x33, 0, 0, 0, 1]));
/// A neighbour advertisement's type, and its flag that says: forget what you knew (RFC 4861 section 4.4).
const ADVERTISEMENT: u8 = 136;
const OVERRIDE: u8 = 0x20;
/// The option with the target's link-layer address (RFC 4861 section 4.6.1): its type, and its length in 8 bytes.
const TARGET: [u8; 2] = [2, 1];

impl Announcement {
    /// The Ethernet frame that says so to everybody on the link.
    pub fn frame(&self) -> Vec<u8> {
        let frame = match self.address {
            // A request for one's own address: whoever has an entry for it takes the sender's MAC over.
            IpAddr::V4(address) => arp_request(self.mac, address, address),
            IpAddr::V6(address) => self.advertisement(address),
        };
        under_tag(frame, self.vlan)
    }

    fn advertisement(&self, address: Ipv6Addr) -> Vec<u8> {
        let (to, to_mac) = ALL_NODES;
        let head = IcmpHead { kind: ADVERTISEMENT, code: 0, rest: [OVERRIDE, 0, 0, 0] };
        let payload = [&address.octets()[..], &TARGET, &self.mac.0].concat();
        let from = End { mac: self.mac, ip: address, port: 0 };
        icmp6_frame(from, End { mac: to_mac, ip: to, port: 0 }, head, &payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);

    #[test]
    fn an_address_is_announced_to_everybody() {
        let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
        let frame = Announcement { address, mac: MAC, vlan: None }.frame();
        assert_eq!(frame.len(), 42);
        assert_eq!(frame[..14], [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 6]);
        assert_eq!(frame[22..32], [2, 0, 0, 0, 0, 9, 203, 0, 113, 7], "the sender");
        assert_eq!(frame[32..], [0, 0, 0, 0, 0, 0, 203, 0, 113, 7], "is whom it asks for");
        let tagged = Announcement { address, mac: MAC, vlan: Some(100) }.frame();
        assert_eq!(tagged[12..18], [0x81, 0, 0, 100, 8, 6]);
        assert_eq!(tagged[18..], frame[14..]);
    }

    #[test]
    fn an_ipv6_address_is_advertised_unasked() {
        let address = "2001:db8::7".parse().expect("an address");
        let frame = Announcement { address, mac: MAC, vlan: None }.frame();
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!((frame[20], frame[21]), (58, 255), "ICMPv6, from this link");
        assert_eq!(frame[54..56], [136, 0]);
        assert_eq!(frame[58], OVERRIDE, "neither a router's nor an answer");
        assert_eq!(frame[78..], [2, 1, 2, 0, 0, 0, 0, 9]);
    }
}
