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
    assert_eq!(second.ports(), (1024, 80));
    let mut answer = tcp((2, 80), (1, 1024));
    answer.set_addresses("10.0.0.2".parse().unwrap(), IpAddr::V4(outside));
    let restore = Nat::default();
    tracker.track(&mut answer, &request(1, CtFlags::empty(), Some(&restore)));
    assert_eq!(answer.addresses().unwrap().1, "10.0.0.3".parse::<IpAddr>().unwrap());
    assert_eq!((answer.ports(), answer.ct_state()), ((80, 1000), TRK | EST | RPL | DNAT));
}
