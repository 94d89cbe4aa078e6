//! What clients ask, and what they are told.

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};

use super::*;
use crate::options::Options4;
use crate::{Service, answer as answer_userdata};

const CLIENT_MAC: Mac = Mac([2, 0, 0, 0, 0, 7]);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn service() -> Dhcp4 {
    let mut options = Options4::new();
    options.put(code4::MASK, &[255, 255, 255, 0]);
    options.put_addresses(code4::ROUTER, [GATEWAY]);
    options.put(code4::LEASE, &86_400_u32.to_be_bytes());
    Dhcp4 { server_mac: Mac([2, 0, 0, 0, 0, 1]), server: GATEWAY, address: OURS, options }
}

/// A client's message and where it comes from.
struct Client {
    kind: u8,
    from: Ipv4Addr,
    current: Ipv4Addr,
    flags: u8,
    options: Vec<u8>,
}

impl Client {
    fn new(kind: u8) -> Client {
        Client { kind, from: NOBODY, current: NOBODY, flags: 0, options: Vec::new() }
    }

    fn with(mut self, code: u8, value: &[u8]) -> Client {
        put(&mut self.options, code, value);
        self
    }

    fn message(&self) -> Vec<u8> {
        let mut out = vec![0; FIXED];
        out[0] = BOOT_REQUEST;
        out[1..3].copy_from_slice(&HARDWARE);
        out[4..8].copy_from_slice(&[9, 8, 7, 6]);
        out[10] = self.flags;
        out[12..16].copy_from_slice(&self.current.octets());
        out[28..34].copy_from_slice(&CLIENT_MAC.0);
        out.extend(COOKIE);
        out.push(PAD);
        put(&mut out, MESSAGE_TYPE, &[self.kind]);
        out.extend_from_slice(&self.options);
        out.push(END);
        out
    }

    fn frame(&self) -> Vec<u8> {
        frame(self.from, &self.message())
    }
}

fn frame(from: Ipv4Addr, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ethernet2(CLIENT_MAC.0, [0xff; 6])
        .ipv4(from.octets(), [255; 4], 64)
        .udp(CLIENT_PORT, SERVER_PORT)
        .write(&mut out, message)
        .unwrap();
    out
}

/// What a client makes of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    kind: u8,
    to: (Mac, Ipv4Addr),
    current: Ipv4Addr,
    yours: Ipv4Addr,
    codes: Vec<u8>,
}

fn hear(frame: &[u8]) -> Heard {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(TransportSlice::Udp(udp)) = &sliced.transport else { panic!("no datagram") };
    assert_eq!((udp.source_port(), udp.destination_port()), (SERVER_PORT, CLIENT_PORT));
    let Some(etherparse::NetSlice::Ipv4(ip)) = &sliced.net else { panic!("no IPv4") };
    assert_eq!(ip.header().source_addr(), GATEWAY);
    let message = udp.payload();
    assert!(message.len() >= SHORTEST && message[0] == BOOT_REPLY && message[4..8] == [9, 8, 7, 6]);
    let part = |at: usize| Ipv4Addr::new(message[at], message[at + 1], message[at + 2], message[at + 3]);
    let options: Vec<_> = unpadded(&message[FIXED + 4..]).map(Result::unwrap).collect();
    let kind = options.iter().find(|(code, _)| *code == MESSAGE_TYPE).unwrap().1[0];
    assert!(options.contains(&(SERVER, &GATEWAY.octets()[..])));
    Heard {
        kind,
        to: (Mac(frame[..6].try_into().unwrap()), ip.header().destination_addr()),
        current: part(12),
        yours: part(16),
        codes: options.iter().map(|(code, _)| *code).collect(),
    }
}

fn ask(client: &Client) -> Result<Heard, Silence> {
    answer_userdata(&Service::Dhcp4(service()).encode(), &client.frame()).map(|frame| hear(&frame))
}

#[test]
fn a_client_without_an_address_is_offered_its_own_and_gets_it() {
    let told = vec![MESSAGE_TYPE, SERVER, code4::MASK, code4::ROUTER, code4::LEASE];
    let to = (CLIENT_MAC, OURS);
    let offer = Heard { kind: OFFER, to, current: NOBODY, yours: OURS, codes: told.clone() };
    assert_eq!(ask(&Client::new(DISCOVER)), Ok(offer));
    let chosen = Client::new(REQUEST).with(REQUESTED_ADDRESS, &OURS.octets());
    let chosen = chosen.with(SERVER, &GATEWAY.octets()).with(CLIENT, &[1, 2]);
    let codes = [told, vec![CLIENT]].concat();
    assert_eq!(ask(&chosen), Ok(Heard { kind: ACK, to, current: NOBODY, yours: OURS, codes }));
}

#[test]
fn one_that_cannot_be_spoken_to_yet_is_shouted_at() {
    let shouted = ask(&Client { flags: BROADCAST_FLAG, ..Client::new(DISCOVER) }).unwrap();
    assert_eq!(shouted.to, (Mac::BROADCAST, Ipv4Addr::BROADCAST));
}

#[test]
fn a_client_that_renews_is_answered_where_it_is() {
    let renewing = Client { from: OURS, current: OURS, ..Client::new(REQUEST) };
    let heard = ask(&renewing).unwrap();
    assert_eq!((heard.kind, heard.to, heard.yours), (ACK, (CLIENT_MAC, OURS), OURS));
}

#[test]
fn a_wrong_address_is_refused_to_everybodys_ears() {
    let wrong = Client::new(REQUEST).with(REQUESTED_ADDRESS, &[10, 0, 0, 99]);
    let to = (Mac::BROADCAST, Ipv4Addr::BROADCAST);
    let codes = vec![MESSAGE_TYPE, SERVER];
    assert_eq!(ask(&wrong), Ok(Heard { kind: NAK, to, current: NOBODY, yours: NOBODY, codes }));
}

#[test]
fn who_informs_itself_gets_no_address_and_no_lease() {
    let inform = Client { from: OURS, current: OURS, ..Client::new(INFORM) };
    let heard = ask(&inform).unwrap();
    assert_eq!((heard.kind, heard.yours, heard.current), (ACK, NOBODY, OURS));
    assert!(!heard.codes.contains(&code4::LEASE) && heard.codes.contains(&code4::ROUTER));
}

#[test]
fn what_is_for_others_or_nobody_stays_unanswered() {
    let other = Client::new(REQUEST).with(SERVER, &[10, 0, 0, 2]).with(REQUESTED_ADDRESS, &OURS.octets());
    for quiet in [other, Client::new(4), Client::new(7), Client::new(0), Client::new(99)] {
        assert_eq!(ask(&quiet), Err(Silence::NotAsked), "kind {}", quiet.kind);
    }
    let mut relayed = Client::new(DISCOVER).message();
    relayed[27] = 1;
    assert_eq!(answer(&service(), &frame(NOBODY, &relayed)), Err(Silence::NotAsked));
    let mut stranger = Client::new(DISCOVER).message();
    stranger[33] = 8;
    assert_eq!(answer(&service(), &frame(NOBODY, &stranger)), Err(Silence::NotAsked));
}

#[test]
fn what_is_malformed_is_not_understood() {
    let whole = Client::new(DISCOVER).message();
    for length in [0, 1, FIXED, FIXED + 3] {
        assert_eq!(answer(&service(), &frame(NOBODY, &whole[..length])), Err(Silence::Packet));
    }
    let cut = &whole[..FIXED + 7];
    assert_eq!(answer(&service(), &frame(NOBODY, cut)), Err(Silence::Packet));
}
