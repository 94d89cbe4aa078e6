//! What clients ask, and what they are told.

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};

use super::*;
use crate::options::{Options6, code6};
use crate::{Service, answer as answer_userdata};

const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 7]);
const SERVER: Mac = Mac([2, 0, 0, 0, 0, 1]);
const ME: &[u8] = &[0, 3, 0, 1, 2, 0, 0, 0, 0, 7];
const IA: [u8; 4] = [0, 0, 0, 9];
const OURS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7);
const OTHER: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 8);

fn service(addresses: &[Ipv6Addr]) -> Dhcp6 {
    let mut options = Options6::new();
    options.put_addresses(code6::DNS, [OTHER]);
    Dhcp6 { server_mac: SERVER, addresses: addresses.to_vec(), options }
}

fn message(kind: u8, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = vec![kind, 1, 2, 3];
    for (code, value) in options {
        put6(&mut out, *code, value);
    }
    out
}

fn frame(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ethernet2(CLIENT.0, [0x33, 0x33, 0, 1, 0, 2])
        .ipv6(CLIENT.link_local().octets(), [0xff; 16], 1)
        .udp(CLIENT_PORT, SERVER_PORT)
        .write(&mut out, message)
        .unwrap();
    out
}

/// The kind of an answer and its options.
type Heard = (u8, Vec<(u16, Vec<u8>)>);

fn ask(service: Dhcp6, message: &[u8]) -> Result<Heard, Silence> {
    let answered = answer_userdata(&Service::Dhcp6(service).encode(), &frame(message))?;
    let sliced = SlicedPacket::from_ethernet(&answered).unwrap();
    let Some(TransportSlice::Udp(udp)) = &sliced.transport else { panic!("no datagram") };
    assert_eq!((udp.source_port(), udp.destination_port()), (SERVER_PORT, CLIENT_PORT));
    let Some(etherparse::NetSlice::Ipv6(ip)) = &sliced.net else { panic!("no IPv6") };
    assert_eq!(ip.header().source_addr(), SERVER.link_local());
    assert_eq!(ip.header().destination_addr(), CLIENT.link_local());
    assert_eq!(udp.payload()[1..4], [1, 2, 3]);
    let options = list6(&udp.payload()[4..]).map(Result::unwrap);
    Ok((udp.payload()[0], options.map(|(code, value)| (code, value.to_vec())).collect()))
}

fn association(addresses: &[(Ipv6Addr, u32)], times: [u32; 2]) -> Vec<u8> {
    let mut body = IA.to_vec();
    times.iter().for_each(|time| body.extend(time.to_be_bytes()));
    addresses.iter().for_each(|(address, lifetime)| put_address(&mut body, *address, *lifetime));
    body
}

const ASKED: [u32; 2] = [0, 0];
const GIVEN: [u32; 2] = [RENEW, REBIND];

#[test]
fn a_client_is_offered_its_addresses_and_gets_them() {
    let us = duid(SERVER);
    let asked = association(&[], ASKED);
    let (kind, options) =
        ask(service(&[OURS]), &message(SOLICIT, &[(CLIENT_ID, ME), (IA_NA, &asked)])).unwrap();
    let wanted = vec![
        (SERVER_ID, us.to_vec()),
        (CLIENT_ID, ME.to_vec()),
        (IA_NA, association(&[(OURS, LIFETIME)], GIVEN)),
        (code6::DNS, OTHER.octets().to_vec()),
    ];
    assert_eq!((kind, &options), (ADVERTISE, &wanted));
    let request = message(REQUEST, &[(CLIENT_ID, ME), (SERVER_ID, &us), (IA_NA, &asked)]);
    assert_eq!(ask(service(&[OURS]), &request), Ok((REPLY, wanted)));
}

#[test]
fn who_is_in_a_hurry_gets_it_at_once() {
    let options: [(u16, &[u8]); 3] =
        [(CLIENT_ID, ME), (RAPID_COMMIT, &[]), (IA_NA, &association(&[], ASKED))];
    let (kind, options) = ask(service(&[OURS]), &message(SOLICIT, &options)).unwrap();
    assert_eq!(kind, REPLY);
    assert!(options.contains(&(RAPID_COMMIT, Vec::new())));
}

#[test]
fn addresses_that_are_not_the_clients_any_more_are_taken_back() {
    let asked = association(&[(OTHER, 5)], ASKED);
    let renewal = message(RENEWAL, &[(CLIENT_ID, ME), (SERVER_ID, &duid(SERVER)), (IA_NA, &asked)]);
    let (_, options) = ask(service(&[OURS]), &renewal).unwrap();
    assert!(options.contains(&(IA_NA, association(&[(OURS, LIFETIME), (OTHER, 0)], GIVEN))));
    let confirm = |address| {
        let asked = association(&[(address, 5)], ASKED);
        let (_, options) =
            ask(service(&[OURS]), &message(CONFIRM, &[(CLIENT_ID, ME), (IA_NA, &asked)])).unwrap();
        options.into_iter().find(|(code, _)| *code == STATUS).unwrap().1
    };
    assert_eq!((confirm(OURS), confirm(OTHER)), (vec![0, 0], vec![0, 4]));
}

#[test]
fn without_addresses_there_is_still_the_rest() {
    let (kind, options) = ask(service(&[]), &message(INFORMATION_REQUEST, &[])).unwrap();
    assert_eq!(kind, REPLY);
    assert!(options.contains(&(code6::DNS, OTHER.octets().to_vec())));
    let asked = association(&[], ASKED);
    let (kind, options) = ask(service(&[]), &message(SOLICIT, &[(CLIENT_ID, ME), (IA_NA, &asked)])).unwrap();
    let mut none = association(&[], ASKED);
    put_status(&mut none, NO_ADDRESSES);
    assert_eq!(kind, ADVERTISE);
    assert!(options.contains(&(IA_NA, none)));
}

#[test]
fn what_is_for_others_or_nobody_stays_unanswered() {
    let other = [0, 3, 0, 1, 9, 9, 9, 9, 9, 9];
    let quiet = [
        message(SOLICIT, &[]),
        message(SOLICIT, &[(CLIENT_ID, ME), (SERVER_ID, &duid(SERVER))]),
        message(REQUEST, &[(CLIENT_ID, ME)]),
        message(REQUEST, &[(CLIENT_ID, ME), (SERVER_ID, &other)]),
        message(CONFIRM, &[(CLIENT_ID, ME)]),
        message(ADVERTISE, &[(CLIENT_ID, ME)]),
        message(12, &[]),
    ];
    for message in quiet {
        assert_eq!(ask(service(&[OURS]), &message), Err(Silence::NotAsked), "{message:?}");
    }
    for malformed in [&[][..], &[SOLICIT, 1, 2], &[SOLICIT, 1, 2, 3, 0, 1, 0, 9, 1]] {
        assert_eq!(ask(service(&[OURS]), malformed), Err(Silence::Packet));
    }
}
