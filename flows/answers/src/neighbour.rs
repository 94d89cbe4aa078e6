//! Questions on a physical network for the machine that has an address: ARP requests (RFC 826) and neighbour solicitations
//! (RFC 4861 section 4.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Silence;
use crate::frame::{End, IcmpHead, Mac, arp_request, icmp6_frame};
use crate::userdata::Neighbour;

/// ICMPv6 type of a neighbour solicitation.
const SOLICITATION: u8 = 135;
/// Option with the sender's MAC, in units of 8 bytes one long (RFC 4861 section 4.6.1).
const SOURCE_OPTION: [u8; 2] = [1, 1];

/// The question for who has a next hop's address, which stands in four registers.
pub(crate) fn question(asked: &Neighbour, next_hop: [u32; 4]) -> Result<Vec<u8>, Silence> {
    match asked.asker {
        IpAddr::V4(asker) => request(asked.asker_mac, asker, Ipv4Addr::from(next_hop[0])),
        IpAddr::V6(asker) => {
            let number = next_hop.iter().fold(0, |number, part| number << 32 | u128::from(*part));
            solicitation(asked.asker_mac, asker, Ipv6Addr::from(number))
        }
    }
}

fn request(mac: Mac, asker: Ipv4Addr, wanted: Ipv4Addr) -> Result<Vec<u8>, Silence> {
    if wanted.is_unspecified() || wanted.is_multicast() || wanted.is_broadcast() {
        return Err(Silence::NotAsked);
    }
    Ok(arp_request(mac, asker, wanted))
}

fn solicitation(mac: Mac, asker: Ipv6Addr, wanted: Ipv6Addr) -> Result<Vec<u8>, Silence> {
    if wanted.is_unspecified() || wanted.is_multicast() {
        return Err(Silence::NotAsked);
    }
    let [.., a, b, c] = wanted.octets();
    // The solicited-node address, and its place on Ethernet (RFC 4291 section 2.7.1, RFC 2464 section 7).
    let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    let to = End { mac: Mac([0x33, 0x33, 0xff, a, b, c]), ip: group, port: 0 };
    let head = IcmpHead { kind: SOLICITATION, code: 0, rest: [0; 4] };
    let body = [&wanted.octets()[..], &SOURCE_OPTION, &mac.0].concat();
    Ok(icmp6_frame(End { mac, ip: asker, port: 0 }, to, head, &body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Question, Reply, Service, Way, reply};
    use etherparse::{NetSlice, SlicedPacket};

    const MAC: Mac = Mac([0x0e, 0, 0, 0, 0x40, 1]);

    fn ask(asker: &str, vlan: Option<u16>, next_hop: [u32; 4]) -> Result<Reply, Silence> {
        let question = Neighbour { asker_mac: MAC, asker: asker.parse().unwrap(), uplink: 65_101, vlan };
        let packet = [0; 14];
        reply(&Service::Neighbour(question), &Question { packet: &packet, next_hop })
    }

    #[test]
    fn who_has_an_ipv4_address_is_asked_by_arp_in_the_vlan() {
        let Reply { frame, way } = ask("10.0.0.1", Some(100), [0x0a00_0009, 7, 7, 7]).unwrap();
        assert_eq!(way, Way::Out(65_101));
        assert_eq!(frame[..18], [&[0xff; 6][..], &MAC.0, &[0x81, 0, 0, 100, 8, 6]].concat());
        assert_eq!(frame[18..26], [0, 1, 8, 0, 6, 4, 0, 1]);
        assert_eq!(frame[26..], [&MAC.0[..], &[10, 0, 0, 1], &[0; 6], &[10, 0, 0, 9]].concat());
        let bare = ask("0.0.0.0", None, [0x0a00_0009, 0, 0, 0]).unwrap().frame;
        assert_eq!((bare.len(), &bare[12..14], &bare[28..32]), (42, &[8, 6][..], &[0; 4][..]));
    }

    #[test]
    fn who_has_an_ipv6_address_is_solicited() {
        let Reply { frame, .. } =
            ask("fe80::c00:ff:fe00:4001", None, [0xfd00_0000, 0, 0, 0x0012_3456]).unwrap();
        let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
        let Some(NetSlice::Ipv6(ip)) = &sliced.net else { panic!("not IPv6") };
        assert_eq!(ip.header().destination_addr(), "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap());
        assert_eq!((ip.header().hop_limit(), frame[54]), (255, 135));
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        assert_eq!(frame[62..78], "fd00::12:3456".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(frame[78..], [&[1, 1][..], &MAC.0].concat());
    }

    #[test]
    fn nobody_is_asked_for_what_is_no_address_of_a_machine() {
        for next_hop in [[0; 4], [0xe000_0001, 0, 0, 0], [u32::MAX, 0, 0, 0]] {
            assert_eq!(ask("10.0.0.1", None, next_hop), Err(Silence::NotAsked));
        }
        assert_eq!(ask("fe80::1", None, [0xff02_0000, 0, 0, 1]), Err(Silence::NotAsked));
    }
}
