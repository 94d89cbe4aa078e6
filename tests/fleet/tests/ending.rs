//! How sessions of a simulated host end: the database hangs up on nonsense, a host that leaves is gone until it returns.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use weft_fleet::spec::source_address;
use weft_fleet::{Fault, Fleet, FleetSpec, Hosts, Reconnect, Side};

const WITHIN: Duration = Duration::from_secs(30);

/// A fleet, and the connections of its databases as they come.
fn fleet(hosts: u32) -> (Fleet, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ovsdb = Some(listener.local_addr().unwrap());
    let (sender, connections) = channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_read_timeout(Some(WITHIN)).unwrap();
            if sender.send(stream).is_err() {
                return;
            }
        }
    });
    let spec = FleetSpec { hosts, ovsdb, reconnect: Reconnect::AtOnce, ..FleetSpec::default() };
    (Fleet::start(spec).unwrap(), connections)
}

/// Reads until the other side closes.
fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_database_answers_what_came_before_nonsense_and_hangs_up() {
    let (_fleet, connections) = fleet(1);
    let mut stream = connections.recv_timeout(WITHIN).unwrap();
    stream.write_all(br#"{"id":1,"method":"list_dbs","params":[]} nonsense"#).unwrap();
    let answered = rest(stream);
    assert!(answered.contains("Open_vSwitch"), "{answered}");
    let mut again = connections.recv_timeout(WITHIN).unwrap();
    again.write_all(br#"{"id":2,"method":"list_dbs","params":[]}"#).unwrap();
    let mut first = [0; 1];
    again.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"{", "the next session starts afresh");
}

#[test]
fn a_host_that_left_dials_when_it_returns() {
    let (fleet, connections) = fleet(2);
    let next = || {
        let stream = connections.recv_timeout(WITHIN).unwrap();
        (stream.peer_addr().unwrap().ip(), stream)
    };
    let (mut first, mut second) = (next(), next());
    if first.0 != source_address(0) {
        std::mem::swap(&mut first, &mut second);
    }
    fleet.fault(Hosts::One(0), Fault::Leave);
    rest(first.1);
    assert_eq!(fleet.status().managers, 1);
    // The other's back-off is the same: while it dials five times, the one that left would have dialled too.
    for _ in 0..5 {
        fleet.fault(Hosts::One(1), Fault::Close(Side::Database));
        assert_eq!(next().0, source_address(1), "it dials although it is away");
    }
    fleet.fault(Hosts::One(0), Fault::Return);
    assert_eq!(next().0, source_address(0));
}
