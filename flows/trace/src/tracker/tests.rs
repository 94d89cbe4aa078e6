//! Connections, told apart by zone and direction, and translated.

use std::net::Ipv4Addr;

use weft_openflow::oxm;

use super::*;

fn tcp(from: (u8, u16), to: (u8, u16)) -> Packet {
    let address = |last| Ipv4Addr::new(10, 0, 0, last);
    Packet::new()
        .with(oxm::eth_type(0x0800))
        .with(oxm::ip_proto(6))
        .with(oxm::ipv4_src(address(from.0)))
        .with(oxm::ipv4_dst(address(to.0)))
        .with(oxm::tcp_src(from.1))
        .with(oxm::tcp_dst(to.1))
}

fn request(zone: u16, flags: CtFlags, nat: Option<&Nat>) -> Request<'_> {
    Request { zone, flags, nat, mark: (0, 0), label: (0, 0) }
}

#[test]
fn a_connection_is_known_in_its_zone_and_in_both_directions() {
    let mut tracker = Tracker::default();
    let mut say = |packet: Packet, zone, flags| {
        let mut packet = packet;
        let mut asked = request(zone, flags, None);
        asked.label = (7, u128::MAX);
        tracker.track(&mut packet, &asked);
        (packet.ct_state(), packet.get(weft_openflow::FieldId::nxm1(108)))
    };
    let (there, back) = (tcp((1, 1000), (2, 80)), tcp((2, 80), (1, 1000)));
    assert_eq!(say(there.clone(), 5, CtFlags::empty()), (TRK | NEW, Some(0)));
    assert_eq!(say(back.clone(), 5, CtFlags::empty()), (TRK | NEW, Some(0)), "nothing was remembered");
    assert_eq!(say(there.clone(), 5, CtFlags::COMMIT), (TRK | NEW, Some(7)));
    assert_eq!(say(back.clone(), 6, CtFlags::empty()), (TRK | NEW, Some(0)), "another zone");
    assert_eq!(say(back, 5, CtFlags::empty()), (TRK | EST | RPL, Some(7)));
    assert_eq!(say(there, 5, CtFlags::empty()), (TRK | EST, Some(7)));
}

#[test]
fn translation_goes_and_comes_back() {
    let outside: Ipv4Addr = "192.0.2.1".parse().unwrap();
    let nat = Nat { flags: NatFlags::SRC, ipv4_min: Some(outside), ..Nat::default() };
    let mut tracker = Tracker::default();
    let mut first = tcp((1, 1000), (2, 80));
    tracker.track(&mut first, &request(1, CtFlags::COMMIT, Some(&nat)));
    assert_eq!(first.addresses().unwrap().0, IpAddr::V4(outside));
    assert_eq!((first.ports(), first.ct_state()), ((1000, 80), TRK | NEW | SNAT));
    // Another one that would look the same outside gets another port.
    let mut second = tcp((3, 1000), (2, 80));
    tracker.track(&mut second, &request(1, CtFlags::COMMIT, Some(&nat)));
    assert_eq!(second.ports(), (1001, 80));
    let mut answer = tcp((2, 80), (1, 1001));
    answer.set_addresses("10.0.0.2".parse().unwrap(), IpAddr::V4(outside));
    let restore = Nat::default();
    tracker.track(&mut answer, &request(1, CtFlags::empty(), Some(&restore)));
    assert_eq!(answer.addresses().unwrap().1, "10.0.0.3".parse::<IpAddr>().unwrap());
    assert_eq!((answer.ports(), answer.ct_state()), ((80, 1000), TRK | EST | RPL | DNAT));
}

#[test]
fn who_is_translated_to_the_same_destination_differs_by_its_own_port() {
    let inside = "10.0.0.9".parse().unwrap();
    let nat = Nat { flags: NatFlags::DST, ipv4_min: Some(inside), port_min: Some(80), ..Nat::default() };
    let mut tracker = Tracker::default();
    let mut said = |from, to| {
        let mut packet = tcp(from, to);
        tracker.track(&mut packet, &request(1, CtFlags::COMMIT, Some(&nat)));
        (packet.ports(), packet.ct_state())
    };
    assert_eq!(said((1, 1023), (2, 80)), ((1023, 80), TRK | NEW | DNAT));
    assert_eq!(said((1, 1023), (3, 81)), ((600, 80), TRK | NEW | DNAT | SNAT));
    assert_eq!(said((1, 600), (4, 80)), ((601, 80), TRK | NEW | DNAT | SNAT));
    assert_eq!(said((1, u16::MAX), (2, 80)), ((u16::MAX, 80), TRK | NEW | DNAT));
    assert_eq!(said((1, u16::MAX), (3, 80)), ((1024, 80), TRK | NEW | DNAT | SNAT));
}

#[test]
fn echoes_that_would_look_the_same_are_not_translated() {
    let outside: Ipv4Addr = "192.0.2.1".parse().unwrap();
    let nat = Nat { flags: NatFlags::SRC, ipv4_min: Some(outside), ..Nat::default() };
    let mut tracker = Tracker::default();
    let mut said = |from, id| {
        let mut packet = tcp((from, 8), (2, 0)).with(oxm::ip_proto(1));
        packet.echo = id;
        let asked = Request { mark: (5, u32::MAX), ..request(1, CtFlags::COMMIT, Some(&nat)) };
        tracker.track(&mut packet, &asked);
        let mark = packet.get(weft_openflow::FieldId::nxm1(107));
        (packet.addresses().unwrap().0, packet.ct_state(), mark)
    };
    let translated = (IpAddr::V4(outside), TRK | NEW | SNAT, Some(5));
    assert_eq!(said(1, 7), translated);
    assert_eq!(said(3, 7), ("10.0.0.3".parse().unwrap(), TRK | NEW, Some(0)));
    assert_eq!(said(3, 8), translated);
}

#[test]
fn what_is_assumed_is_marked_and_translated_as_the_action_says() {
    let inside: Ipv4Addr = "10.0.0.9".parse().unwrap();
    let nat = Nat { flags: NatFlags::DST, ipv4_min: Some(inside), port_min: Some(8080), ..Nat::default() };
    let mut tracker = Tracker::assuming([TRK | EST, TRK | NEW]);
    let mut packet = tcp((1, 1000), (2, 80));
    let looked_up = Nat::default();
    tracker.track(&mut packet, &request(1, CtFlags::empty(), Some(&looked_up)));
    assert_eq!((packet.ct_state(), packet.ports()), (TRK | EST, (1000, 80)), "nothing says to what");
    let committed =
        Request { mark: (5, 0xff), label: (7, u128::MAX), ..request(1, CtFlags::COMMIT, Some(&nat)) };
    tracker.track(&mut packet, &committed);
    let known = |number| packet.get(weft_openflow::FieldId::nxm1(number));
    assert_eq!((packet.ct_state(), known(107), known(108)), (TRK | NEW, Some(5), Some(7)));
    assert_eq!(packet.addresses().unwrap().1, IpAddr::V4(inside));
    assert_eq!(packet.ports(), (1000, 8080));
}
