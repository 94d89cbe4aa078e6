//! Random userdata and packets, from nonsense to nearly right: nothing panics, nothing grows, what is answered is whole.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use weft_answers::{
    Advertisement, Dhcp4, Dhcp6, DomainName, IcmpError, Mac, Managed, Neighbour, Options4, Options6, Prefix,
    Service, Trouble, fuzz,
};

fn mac() -> impl Strategy<Value = Mac> {
    any::<[u8; 6]>().prop_map(Mac)
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(Ipv6Addr::from)
}

fn service() -> impl Strategy<Value = Service> {
    let list = || vec(v6(), 0..4);
    let options = || vec((any::<u8>(), vec(any::<u8>(), 0..300)), 0..6);
    let dhcp4 =
        (mac(), any::<[u8; 4]>(), any::<[u8; 4]>(), options()).prop_map(|(mac, server, address, list)| {
            let mut options = Options4::new();
            list.iter().for_each(|(code, value)| options.put(*code, value));
            let (server, address) = (Ipv4Addr::from(server), Ipv4Addr::from(address));
            Service::Dhcp4(Dhcp4 { server_mac: mac, server, address, options })
        });
    let dhcp6 = (mac(), list(), options()).prop_map(|(server_mac, addresses, list)| {
        let mut options = Options6::new();
        list.iter().for_each(|(code, value)| options.put(u16::from(*code), value));
        Service::Dhcp6(Dhcp6 { server_mac, addresses, options })
    });
    let managed = prop_oneof![Just(Managed::Nothing), Just(Managed::Other), Just(Managed::Addresses)];
    let prefixes = vec(
        (v6(), 0..=128_u8, any::<bool>()).prop_map(|(address, length, autonomous)| Prefix {
            address,
            length,
            autonomous,
        }),
        0..4,
    );
    let domain = proptest::option::of("[a-z]{1,63}(\\.[a-z]{1,10}){0,3}");
    let numbers = (any::<u16>(), any::<u16>());
    let advertisement = (mac(), managed, numbers, prefixes, list(), domain).prop_map(
        |(router_mac, managed, (lifetime, mtu), prefixes, dns, domain)| {
            let domain = domain.and_then(|text| DomainName::parse(&text));
            Service::Advertisement(Advertisement {
                router_mac,
                managed,
                lifetime,
                mtu,
                prefixes,
                dns,
                domain,
            })
        },
    );
    let trouble = prop_oneof![
        Just(Trouble::TimeExceeded),
        Just(Trouble::NetUnreachable),
        Just(Trouble::Prohibited),
        any::<u16>().prop_map(Trouble::TooBig)
    ];
    let error = (any::<IpAddr>(), trouble)
        .prop_map(|(router, trouble)| Service::IcmpError(IcmpError { router, trouble }));
    let vlan = proptest::option::of(1..=4094_u16);
    let neighbour =
        (mac(), any::<IpAddr>(), any::<u16>(), vlan).prop_map(|(asker_mac, asker, uplink, vlan)| {
            Service::Neighbour(Neighbour { asker_mac, asker, uplink, vlan })
        });
    let dns = any::<u32>().prop_map(|port| Service::Dns { port });
    prop_oneof![dhcp4, dhcp6, advertisement, error, neighbour, dns]
}

/// Frames whose headers say what a service looks for, with anything behind.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    use etherparse::PacketBuilder;
    let options = vec((0..70_u8, vec(any::<u8>(), 0..20)), 0..8).prop_map(|list| {
        list.into_iter()
            .flat_map(|(code, value)| [vec![code, value.len() as u8], value].concat())
            .collect::<Vec<u8>>()
    });
    let dhcp4 = (any::<[u8; 28]>(), options).prop_map(|(fixed, options)| {
        let mut message = [fixed.to_vec(), vec![2, 0, 0, 0, 0, 7]].concat();
        message[..3].copy_from_slice(&[1, 1, 6]);
        message[24..28].fill(0);
        message.resize(236, 0);
        message.extend([99, 130, 83, 99, 53, 1, 1 + fixed[0] % 8]);
        message.extend(options);
        let mut out = Vec::new();
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 7], [0xff; 6]);
        builder.ipv4([0; 4], [255; 4], 64).udp(68, 67).write(&mut out, &message).unwrap();
        out
    });
    let options = vec((0..30_u16, vec(any::<u8>(), 0..60)), 0..8).prop_map(|list| {
        let one = |(code, value): (u16, Vec<u8>)| {
            [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), &value].concat()
        };
        list.into_iter().flat_map(one).collect::<Vec<u8>>()
    });
    let dhcp6 = (0..14_u8, options).prop_map(|(kind, options)| {
        let message = [vec![kind, 1, 2, 3, 0, 1, 0, 4, 0, 3, 0, 1], options].concat();
        let mut out = Vec::new();
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 7], [0x33; 6]);
        builder.ipv6([0xfe; 16], [0xff; 16], 64).udp(546, 547).write(&mut out, &message).unwrap();
        out
    });
    let icmp = (any::<u8>(), vec(any::<u8>(), 0..2000)).prop_map(|(kind, payload)| {
        let mut out = Vec::new();
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 7], [2, 0, 0, 0, 0, 1]);
        builder
            .ipv6([0xfe; 16], [0xfd; 16], 255)
            .icmpv6_raw(kind, 0, [0; 4])
            .write(&mut out, &payload)
            .unwrap();
        out
    });
    (prop_oneof![dhcp4, dhcp6, icmp, vec(any::<u8>(), 0..400)], any::<Option<(u16, u8)>>()).prop_map(
        |(mut packet, flip)| {
            if let (Some((at, with)), false) = (flip, packet.is_empty()) {
                let at = usize::from(at) % packet.len();
                packet[at] ^= with;
            }
            packet
        },
    )
}

/// A message that is nearly a question, by the bytes of its header, its name and what is behind.
fn dns_message() -> impl Strategy<Value = Vec<u8>> {
    let labels = vec(
        prop_oneof!["[a-z]{1,8}", "[0-9]{1,3}", Just("arpa".to_owned()), Just("in-addr".to_owned())],
        0..8,
    );
    let edns = prop_oneof![Just(Vec::new()), Just(vec![0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 0])];
    let numbers =
        (prop_oneof![Just(1_u8), Just(12), Just(28), Just(255), any::<u8>()], 0..3_u8, any::<[u8; 2]>());
    (labels, edns, numbers, vec(any::<u8>(), 0..20)).prop_map(|(labels, edns, (kind, class, flags), rest)| {
        let mut out =
            vec![0, 7, flags[0] & 0x83, flags[1] & 0x3f, 0, 1, 0, 0, 0, 0, 0, u8::from(!edns.is_empty())];
        for label in labels {
            out.push(label.len() as u8);
            out.extend(label.bytes());
        }
        out.extend([0, 0, kind, 0, class]);
        out.extend(edns);
        out.extend(rest);
        out
    })
}

/// Such a message in a datagram or in a segment of TCP with any flags, and another one as an answer to it.
fn resolver_packet() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    use etherparse::PacketBuilder;
    let numbers = (any::<u32>(), any::<u32>(), 0..32_u8);
    let packet =
        (dns_message(), any::<bool>(), numbers).prop_map(|(message, is_stream, (seq, ack, flags))| {
            let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 7], [2, 0, 0, 0, 0, 1]);
            let builder = builder.ipv4([10, 0, 0, 7], [169, 254, 169, 253], 64);
            let mut out = Vec::new();
            if !is_stream {
                builder.udp(1000, 53).write(&mut out, &message).unwrap();
                return out;
            }
            let mut tcp = builder.tcp(1000, 53, seq, 1000);
            tcp = if flags & 1 == 0 { tcp.ack(ack) } else { tcp };
            tcp = if flags & 2 == 0 { tcp } else { tcp.syn() };
            tcp = if flags & 4 == 0 { tcp } else { tcp.fin() };
            tcp = if flags & 24 == 24 { tcp.rst() } else { tcp };
            let payload = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
            tcp.write(&mut out, &payload).unwrap();
            out
        });
    (packet, dns_message())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_reads_as_the_same(service in service()) {
        let bytes = service.encode();
        prop_assert_eq!(Service::decode(&bytes), Some(service));
        fuzz::userdata(&bytes);
        // With a byte more or less, it is nothing or something else, and never a panic.
        fuzz::userdata(&bytes[..bytes.len() - 1]);
        fuzz::userdata(&[bytes, vec![0]].concat());
    }

    #[test]
    fn any_packet_may_come_to_any_service(service in service(), packet in packet()) {
        fuzz::packet(&service.encode(), &packet);
    }

    #[test]
    fn any_question_may_come_to_the_resolver((packet, answer) in resolver_packet()) {
        fuzz::dns(&packet, &answer);
    }

    #[test]
    fn nonsense_is_borne(userdata in vec(any::<u8>(), 0..200), packet in vec(any::<u8>(), 0..400)) {
        fuzz::userdata(&userdata);
        for kinds in [1, 14] {
            let kind = kinds + userdata.len() as u8 % 4;
            fuzz::packet(&[&[1, kind], &userdata[..]].concat(), &packet);
            fuzz::userdata(&[&[1, kind], &userdata[..]].concat());
        }
    }
}
