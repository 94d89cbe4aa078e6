//! Proves that questions are read and answered as stub resolvers expect, over UDP and over TCP without a state.

use std::net::IpAddr;

use domain::base::iana::{Rcode as Code, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::AllRecordData;
use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};

use super::{Found, Heard, Question, Rcode, Reading, hear, relayed};
use crate::Silence;

const HOST: [u8; 6] = [2, 0, 0, 0, 0, 7];
const RESOLVER: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A question as dig asks it, with EDNS of so many bytes unless there are none.
fn query(name: &str, rtype: Rtype, edns: u16) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(0x4711);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((Name::vec_from_str(name).unwrap(), rtype)).unwrap();
    let mut builder = builder.additional();
    if edns > 0 {
        builder
            .opt(|opt| {
                opt.set_udp_payload_size(edns);
                Ok(())
            })
            .unwrap();
    }
    builder.finish()
}

fn question(name: &str, rtype: Rtype, edns: u16) -> Question {
    Question::read(&query(name, rtype, edns)).question().unwrap()
}

fn addresses(list: &[&str]) -> Found {
    let addresses = list.iter().map(|ip| ip.parse().unwrap()).collect();
    Found::Addresses { domain: "red.example".to_owned(), addresses }
}

/// Code, records of the answer and of the authority as text.
fn shown(message: &[u8]) -> (Code, Vec<String>, Vec<String>) {
    let message = Message::from_slice(message).unwrap();
    assert!(message.header().qr() && message.header().ra() && message.header().rd());
    assert_eq!(message.header().id(), 0x4711);
    let text = |section: domain::base::RecordSection<'_, [u8]>| {
        let records = section.limit_to::<AllRecordData<_, _>>();
        records
            .map(|record| record.unwrap())
            .map(|record| format!("{} {}", record.rtype(), record.data()))
            .collect()
    };
    (message.header().rcode(), text(message.answer().unwrap()), text(message.authority().unwrap()))
}

#[test]
fn the_type_decides_which_addresses_are_told() {
    let found = addresses(&["10.0.0.1", "10.0.0.2", "fd00::1"]);
    let told = |rtype| shown(&question("a.red.example", rtype, 0).answer(&found, 512));
    assert_eq!(told(Rtype::A), (Code::NOERROR, vec!["A 10.0.0.1".into(), "A 10.0.0.2".into()], vec![]));
    assert_eq!(told(Rtype::AAAA), (Code::NOERROR, vec!["AAAA fd00::1".into()], vec![]));
    assert_eq!(told(Rtype::ANY).1.len(), 3);
    let soa = "SOA ns.red.example. hostmaster.red.example. 1 3600 3600 86400 10";
    assert_eq!(told(Rtype::MX), (Code::NOERROR, vec![], vec![soa.to_owned()]));
    let missing = Found::Nothing { domain: Some("red.example".to_owned()) };
    // The code stands in the header with EDNS as well, which could carry more of it.
    for edns in [0, 1232] {
        let (code, answer, authority) =
            shown(&question("b.red.example", Rtype::A, edns).answer(&missing, 512));
        assert_eq!((code, answer.len(), authority), (Code::NXDOMAIN, 0, vec![soa.to_owned()]));
    }
    let apex = question("red.example", Rtype::SOA, 0).answer(&addresses(&[]), 512);
    assert_eq!(shown(&apex), (Code::NOERROR, vec![soa.to_owned()], vec![]));
}

#[test]
fn addresses_stand_backwards_in_names() {
    let of = |name: &str| question(name, Rtype::PTR, 0).address().map(|ip| ip.to_string());
    assert_eq!(of("7.0.0.10.IN-ADDR.arpa").as_deref(), Some("10.0.0.7"));
    let v6 = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";
    assert_eq!(of(v6).as_deref(), Some("fd00::5"));
    for other in [
        "0.0.10.in-addr.arpa",
        "07.0.0.10.in-addr.arpa",
        "256.0.0.1.in-addr.arpa",
        "f.ip6.arpa",
        "+1.0.0.10.in-addr.arpa",
    ] {
        assert_eq!(of(other), None, "{other}");
    }
    let named =
        question("7.0.0.10.in-addr.arpa", Rtype::PTR, 0).answer(&Found::Name("a.red.example".into()), 512);
    assert_eq!(shown(&named).1, ["PTR a.red.example."]);
}

#[test]
fn what_has_no_room_is_said_to_be_cut() {
    let many: Vec<String> = (0..60).map(|n| format!("10.0.0.{n}")).collect();
    let found = addresses(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let is_cut = |edns| {
        let question = question("a.red.example", Rtype::A, edns);
        let answer = question.answer(&found, question.room());
        assert!(answer.len() <= question.room());
        let message = Message::from_slice(&answer).unwrap();
        assert_eq!(message.opt().is_some(), edns > 0);
        message.header().tc()
    };
    assert!(is_cut(0) && is_cut(100) && is_cut(600));
    assert!(!is_cut(1100) && !is_cut(u16::MAX));
}

#[test]
fn what_is_no_question_is_refused_or_not_heard() {
    let code = |message: &[u8]| match Question::read(message) {
        Reading::Refused(refusal) => Message::from_slice(&refusal).unwrap().opt_rcode().to_int(),
        other => panic!("{other:?}"),
    };
    let mut update = query("a.", Rtype::SOA, 0);
    update[2] |= 5 << 3;
    assert_eq!(code(&update), 4);
    let mut none = query("a.", Rtype::A, 0);
    none[5] = 0;
    assert_eq!(code(&none), 1);
    assert_eq!(code(&query("red.example", Rtype::AXFR, 0)), 5);
    let mut version = query("a.", Rtype::A, 1232);
    let at = version.len() - 5;
    version[at] = 1;
    assert_eq!(code(&version), 16);
    let mut answer = query("a.", Rtype::A, 0);
    answer[2] |= 0x80;
    assert_eq!((Question::read(&answer), Question::read(&[0; 11])), (Reading::Nothing, Reading::Nothing));
}

#[test]
fn another_servers_answer_is_taken_only_for_what_was_asked() {
    let asked = question("www.example.org", Rtype::A, 1232);
    let onward = asked.onward(99);
    let again = Question::read(&onward).question().unwrap();
    assert_eq!((again.name(), again.room()), ("www.example.org".to_owned(), 1232));
    let reply = |name: &str, id: u16| {
        let mut query = query(name, Rtype::A, 1232);
        query[..2].copy_from_slice(&id.to_be_bytes());
        let question = Question::read(&query).question().unwrap();
        question.answer(&addresses(&["192.0.2.1"]), 1232)
    };
    let taken = relayed(&asked, 99, &reply("WWW.example.org", 99), 1232).unwrap();
    assert_eq!(shown(&taken).1, ["A 192.0.2.1"]);
    assert_eq!(relayed(&asked, 99, &reply("www.example.org", 98), 1232), None);
    assert_eq!(relayed(&asked, 99, &reply("www.example.com", 99), 1232), None);
    assert_eq!(relayed(&asked, 99, &onward, 1232), None);
    let cut = relayed(&asked, 99, &reply("www.example.org", 99), 50).unwrap();
    assert!(Message::from_slice(&cut).unwrap().header().tc());
    assert_eq!(shown(&asked.refused(Rcode::ServFail)).0, Code::SERVFAIL);
}

#[test]
fn a_datagram_is_answered_to_where_it_came_from() {
    for (from, to) in [("10.0.0.7", "169.254.169.253"), ("fe80::7", "fe80::a9fe:a9fd")] {
        let [from, to]: [IpAddr; 2] = [from, to].map(|ip| ip.parse().unwrap());
        let builder = PacketBuilder::ethernet2(HOST, RESOLVER);
        let builder = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => builder.ipv4(from.octets(), to.octets(), 64),
            (IpAddr::V6(from), IpAddr::V6(to)) => builder.ipv6(from.octets(), to.octets(), 64),
            _ => unreachable!(),
        };
        let mut packet = Vec::new();
        builder.udp(5353, 53).write(&mut packet, b"question").unwrap();
        let Ok(Heard::Asked(call, messages)) = hear(&packet) else { panic!("not heard") };
        assert_eq!((messages, call.is_stream()), (vec![&b"question"[..]], false));
        let frames = call.frames(&[b"answer".to_vec()]);
        assert_eq!((frames.len(), &frames[0][..12]), (1, &[HOST, RESOLVER].concat()[..]));
        let sliced = SlicedPacket::from_ethernet(&frames[0]).unwrap();
        let Some(TransportSlice::Udp(udp)) = sliced.transport else { panic!("no datagram") };
        assert_eq!((udp.source_port(), udp.destination_port(), udp.payload()), (53, 5353, &b"answer"[..]));
    }
}

/// A segment of the asker's.
fn segment(flags: &str, (sequence, acknowledged): (u32, u32), payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(HOST, RESOLVER).ipv4([10, 0, 0, 7], [169, 254, 169, 253], 64);
    let mut tcp = builder.tcp(40_000, 53, sequence, 64_000);
    for flag in flags.chars() {
        tcp = match flag {
            'S' => tcp.syn(),
            'A' => tcp.ack(acknowledged),
            'F' => tcp.fin(),
            'P' => tcp.psh(),
            _ => tcp.rst(),
        };
    }
    let mut packet = Vec::new();
    tcp.write(&mut packet, payload).unwrap();
    packet
}

/// Flags, numbers and payload of a segment of ours.
fn read(frame: &[u8]) -> (String, u32, u32, Vec<u8>) {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no segment") };
    let flags = [(tcp.syn(), 'S'), (tcp.ack(), 'A'), (tcp.psh(), 'P'), (tcp.fin(), 'F'), (tcp.rst(), 'R')];
    let flags = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| *flag).collect();
    (flags, tcp.sequence_number(), tcp.acknowledgment_number(), tcp.payload().to_vec())
}

fn step(packet: &[u8]) -> (String, u32, u32, Vec<u8>) {
    match hear(packet) {
        Ok(Heard::Connection(frame)) => read(&frame),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_needs_no_state() {
    let (flags, first, acknowledged, _) = step(&segment("S", (700, 0), &[]));
    assert_eq!((flags.as_str(), acknowledged), ("SA", 701));
    assert_eq!(hear(&segment("A", (701, first + 1), &[])), Err(Silence::NotAsked));
    // A length alone is not taken, so it comes again together with its message.
    assert_eq!(hear(&segment("AP", (701, first + 1), &[0, 8])), Err(Silence::NotAsked));
    let asked = segment("AP", (701, first + 1), b"\x00\x08question\x00\x05other");
    let Ok(Heard::Asked(call, messages)) = hear(&asked) else { panic!("not heard") };
    assert_eq!(messages, [&b"question"[..], b"other"]);
    assert!(call.is_stream());
    let long = vec![7; 3000];
    let frames: Vec<_> =
        call.frames(&[b"short".to_vec(), long.clone()]).iter().map(|frame| read(frame)).collect();
    let flags: Vec<_> = frames.iter().map(|(flags, ..)| flags.as_str()).collect();
    assert_eq!(flags, ["AP", "AP", "APF"]);
    let mut expected = first + 1;
    for (_, sequence, acknowledged, payload) in &frames {
        assert_eq!((*sequence, *acknowledged), (expected, 701 + 17));
        expected += payload.len() as u32;
    }
    let stream: Vec<u8> = frames.into_iter().flat_map(|(.., payload)| payload).collect();
    assert_eq!(stream, [&b"\x00\x05short\x0b\xb8"[..], &long].concat());
    // The asker's end closes after ours.
    let (flags, sequence, acknowledged, _) = step(&segment("AF", (718, expected + 1), &[]));
    assert_eq!((flags.as_str(), sequence, acknowledged), ("A", expected + 1, 719));
}

#[test]
fn what_belongs_to_no_connection_is_reset_and_who_hangs_up_is_let_go() {
    let (_, first, ..) = step(&segment("S", (700, 0), &[]));
    let (flags, sequence, ..) = step(&segment("AP", (701, first + 77), b"\x00\x01q"));
    assert_eq!((flags.as_str(), sequence), ("AR", first + 77));
    let (flags, sequence, acknowledged, _) = step(&segment("AF", (701, first + 1), &[]));
    assert_eq!((flags.as_str(), sequence, acknowledged), ("APF", first + 1, 702));
    assert_eq!(hear(&segment("R", (701, 0), &[])), Err(Silence::NotAsked));
    assert_eq!(hear(&segment("SA", (701, 0), &[])), Err(Silence::Packet));
    assert_eq!(hear(&segment("", (701, 0), &[])), Err(Silence::Packet));
    // More than fits.
    let asked = segment("AP", (701, first + 1), b"\x00\x01q");
    let Ok(Heard::Asked(call, _)) = hear(&asked) else { panic!("not heard") };
    let frames = call.frames(&[vec![0; 30_000]]);
    assert_eq!((frames.len(), read(&frames[0]).0.as_str()), (1, "AR"));
}
