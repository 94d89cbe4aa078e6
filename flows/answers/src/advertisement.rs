//! Router advertisements (RFC 4861 section 4.2), in the name of the router that a link has or would have.

use std::net::Ipv6Addr;

use crate::Silence;
use crate::frame::{End, IcmpHead, Mac, icmp6, icmp6_frame};
use crate::userdata::Advertisement;

const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;
/// Neighbour discovery comes from the link itself if it has passed no router.
const HOP_LIMIT: u8 = 255;
/// What hosts put into their own packets.
const HOPS: u8 = 64;
/// All nodes on the link.
const EVERYBODY: (Mac, Ipv6Addr) =
    (Mac([0x33, 0x33, 0, 0, 0, 1]), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
/// Prefixes stay until they are taken back, and so do resolvers.
const FOR_EVER: [u8; 4] = [0xff; 4];

// Options (RFC 4861 section 4.6, RFC 8106 section 5); lengths are in units of 8 bytes.
const SOURCE_ADDRESS: u8 = 1;
const PREFIX: u8 = 3;
const MTU: u8 = 5;
const RESOLVERS: u8 = 25;
const SEARCH_LIST: u8 = 31;
/// On the link.
const L_FLAG: u8 = 0x80;
/// Hosts make their own addresses.
const A_FLAG: u8 = 0x40;

/// The answer to a router solicitation. A host that has no address yet is answered at everybody's.
pub(crate) fn answer(service: &Advertisement, packet: &[u8]) -> Result<Vec<u8>, Silence> {
    let message = icmp6(packet)?;
    if message.kind != SOLICITATION || message.code != 0 || message.hop_limit != HOP_LIMIT {
        return Err(Silence::Packet);
    }
    if message.from.is_multicast() {
        return Err(Silence::Packet);
    }
    let to = if message.from.is_unspecified() { EVERYBODY } else { (message.from_mac, message.from) };
    Ok(frame(service, to))
}

/// The same to everybody, unasked.
pub(crate) fn to_everybody(service: &Advertisement) -> Vec<u8> {
    frame(service, EVERYBODY)
}

fn frame(service: &Advertisement, (mac, ip): (Mac, Ipv6Addr)) -> Vec<u8> {
    let [high, low] = service.lifetime.to_be_bytes();
    let head = IcmpHead { kind: ADVERTISEMENT, code: 0, rest: [HOPS, service.flags(), high, low] };
    let router = service.router_mac;
    let from = End { mac: router, ip: router.link_local(), port: 0 };
    icmp6_frame(from, End { mac, ip, port: 0 }, head, &body(service))
}

/// Reachable time and retransmission timer are left to the hosts; then options.
fn body(service: &Advertisement) -> Vec<u8> {
    let mut out = vec![0; 8];
    out.extend([SOURCE_ADDRESS, 1]);
    out.extend(service.router_mac.0);
    if service.mtu != 0 {
        out.extend([MTU, 1, 0, 0]);
        out.extend(u32::from(service.mtu).to_be_bytes());
    }
    for prefix in &service.prefixes {
        let flags = if prefix.autonomous { L_FLAG | A_FLAG } else { L_FLAG };
        out.extend([PREFIX, 4, prefix.length, flags]);
        // Valid and preferred.
        out.extend(FOR_EVER);
        out.extend(FOR_EVER);
        out.extend([0; 4]);
        out.extend(prefix.address.octets());
    }
    if !service.dns.is_empty() {
        let length = u8::try_from(1 + 2 * service.dns.len()).expect("a list is short");
        out.extend([RESOLVERS, length, 0, 0]);
        out.extend(FOR_EVER);
        out.extend(service.dns.iter().flat_map(|address| address.octets()));
    }
    if let Some(domain) = &service.domain {
        let name = domain.as_bytes();
        let padded = name.len().next_multiple_of(8);
        out.extend([SEARCH_LIST, u8::try_from(1 + padded / 8).expect("a name is short"), 0, 0]);
        out.extend(FOR_EVER);
        out.extend_from_slice(name);
        out.resize(out.len() + padded - name.len(), 0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DomainName, Managed, Prefix, Service, answer as answer_userdata, unsolicited};
    use etherparse::PacketBuilder;

    const HOST: Mac = Mac([2, 0, 0, 0, 0, 7]);

    fn service() -> Advertisement {
        let prefix = |autonomous| Prefix {
            address: Ipv6Addr::new(0xfd00, 0, 0, u16::from(autonomous), 0, 0, 0, 0),
            length: 64,
            autonomous,
        };
        Advertisement {
            router_mac: Mac([2, 0, 0, 0, 0, 1]),
            managed: Managed::Other,
            lifetime: 9000,
            mtu: 1450,
            prefixes: vec![prefix(true), prefix(false)],
            dns: vec![Ipv6Addr::LOCALHOST],
            domain: DomainName::parse("example.org"),
        }
    }

    fn solicitation(from: Ipv6Addr, hops: u8, kind: u8) -> Vec<u8> {
        let mut out = Vec::new();
        PacketBuilder::ethernet2(HOST.0, [0x33, 0x33, 0, 0, 0, 2])
            .ipv6(from.octets(), [0xff; 16], hops)
            .icmpv6_raw(kind, 0, [0; 4])
            .write(&mut out, &[])
            .unwrap();
        out
    }

    #[test]
    fn a_host_is_told_where_it_is() {
        let userdata = Service::Advertisement(service()).encode();
        assert!(userdata.len() < 150, "{}", userdata.len());
        let frame = answer_userdata(&userdata, &solicitation(HOST.link_local(), 255, 133)).unwrap();
        assert_eq!(frame[..12], [HOST.0, [2, 0, 0, 0, 0, 1]].concat());
        let (ip, icmp) = (&frame[14..54], &frame[54..]);
        assert_eq!((ip[7], &ip[24..40]), (255, &HOST.link_local().octets()[..]));
        assert_eq!((icmp[0], icmp[4], icmp[5], &icmp[6..8]), (134, 64, 0x40, &9000_u16.to_be_bytes()[..]));
        // The options, one after the other.
        let mut options = Vec::new();
        let mut rest = &icmp[16..];
        while let [kind, length, ..] = rest {
            let (option, more) = rest.split_at(usize::from(*length) * 8);
            options.push((*kind, option[2..].to_vec()));
            rest = more;
        }
        assert_eq!(options.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [1, 5, 3, 3, 25, 31]);
        assert_eq!(options[1].1, [0, 0, 0, 0, 5, 0xaa]);
        assert_eq!((options[2].1[..2].to_vec(), options[3].1[1]), (vec![64, 0xc0], 0x80));
        assert_eq!(options[5].1[6..], *b"\x07example\x03org\0\0\0\0");
    }

    #[test]
    fn who_has_no_address_hears_what_everybody_hears() {
        let userdata = Service::Advertisement(service()).encode();
        let asked = answer_userdata(&userdata, &solicitation(Ipv6Addr::UNSPECIFIED, 255, 133)).unwrap();
        assert_eq!(asked[..6], EVERYBODY.0.0);
        assert_eq!(unsolicited(&userdata), Some(asked));
        assert_eq!(unsolicited(b"\x01\x01"), None);
    }

    #[test]
    fn what_is_no_solicitation_of_this_link_is_not_answered() {
        for (hops, kind) in [(254, 133), (255, 134)] {
            assert_eq!(
                answer(&service(), &solicitation(HOST.link_local(), hops, kind)),
                Err(Silence::Packet)
            );
        }
    }
}
