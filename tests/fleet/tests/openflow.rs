//! Proves that a fleet shakes hands, takes flows, stamps and checks them, goes wrong as told, and stays small.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use std::time::{Duration, Instant};

use support::controller::Controller;
use weft_fleet::openflow::{BUNDLE_CONTROL, ERROR, MULTIPART_REPLY};
use weft_fleet::*;
use weft_openflow::message::multipart::{FlowFilter, Request};
use weft_openflow::message::{BundleCommand, BundleWriter, FlowMod, Message};
use weft_openflow::{Action, BundleId, Cookie, Instruction, Match, PortNo, TableId, Writer, Xid, oxm};

const WITHIN: Duration = Duration::from_secs(30);

fn flow(number: u32) -> FlowMod {
    let matching = Match::new().with(oxm::reg(0, number)).with(oxm::eth_dst([2, 0, 0, 0, 0, 1]));
    let actions = vec![Action::SetField(oxm::tun_id(7)), Action::output(PortNo(1))];
    FlowMod::add(TableId(4), 100, matching, vec![Instruction::ApplyActions(actions)])
        .with_cookie(Cookie(u64::from(number)))
}

fn bundle(flows: &[FlowMod], xid: u32) -> Vec<u8> {
    let place = BundleWriter::atomic(BundleId(xid));
    let mut w = Writer::new();
    place.control(BundleCommand::OpenRequest, Xid(xid), &mut w);
    for flow in flows {
        place.flow_mod(flow, Xid(xid), &mut w);
    }
    place.control(BundleCommand::CommitRequest, Xid(xid), &mut w);
    w.into_bytes().to_vec()
}

fn start(hosts: u32, threads: usize) -> (Controller, Fleet) {
    let mut controller = Controller::listen();
    let openflow =
        OpenFlowSource::Static { controller: controller.address, datapath_id: |host| u64::from(host) + 1 };
    let spec = FleetSpec { hosts, threads, openflow, reconnect: Reconnect::AtOnce, ..FleetSpec::default() };
    let fleet = Fleet::start(spec).unwrap();
    controller.wait_for(hosts as usize);
    (controller, fleet)
}

#[test]
fn what_is_told_to_all_is_held_and_stamped_by_all() {
    for answers in [Answers::AtOnce, Answers::WhenAllIsRead] {
        what_is_told_is_held(answers);
    }
}

fn what_is_told_is_held(answers: Answers) {
    let (mut controller, fleet) = start(40, 2);
    fleet.set_answers(answers);
    let flows: Vec<FlowMod> = (0..50).map(flow).collect();
    let seen = fleet.expect(Hosts::All, Condition::Sees(Sign::Cookie { value: 49, mask: u64::MAX }));
    let committed = fleet.expect(Hosts::All, Condition::Sees(Sign::Committed));
    let before = Instant::now();
    controller.write_all(&bundle(&flows, 0x100));
    let (seen, committed) = (seen.wait(WITHIN), committed.wait(WITHIN));
    assert!(seen.is_complete() && committed.is_complete(), "{} {}", seen.missing, committed.missing);
    assert!(seen.first().unwrap() >= before && seen.last() <= seen.last_answer());
    for id in 1..=40 {
        assert_eq!(controller.read_until(id, BUNDLE_CONTROL)[8..14], [0, 0, 1, 0, 0, 1]);
    }

    let encoded: Vec<_> = flows.iter().map(|flow| Message::FlowMod(flow.clone()).encode(Xid(9))).collect();
    let same = wanted(encoded.iter().map(|bytes| &bytes[..])).unwrap();
    let digests = fleet.digests(Hosts::All);
    assert_eq!(digests.len(), 40);
    assert!(digests.iter().all(|(_, digest)| *digest == same), "{:?} {same:?}", digests[0]);
    let other = wanted(encoded[1..].iter().map(|bytes| &bytes[..])).unwrap();
    assert!(digests.iter().all(|(_, digest)| *digest != other));
    assert_eq!(fleet.dump(39).flows.len(), 50);

    let status = fleet.status();
    assert_eq!((status.hosts, status.controllers, status.flows), (40, 40, 2000));
    assert_eq!((status.counters.flow_mods, status.counters.committed), (2000, 40));
    assert_eq!((status.counters.unsupported, status.counters.errors), (0, 0));
    assert!(status.depot.0 == 100, "a flow is stored once per thread: {}", status.depot.0);
}

#[test]
fn more_than_is_held_at_once_is_answered_on_the_same_connection() {
    let (mut controller, fleet) = start(2, 1);
    fleet.set_answers(Answers::WhenAllIsRead);
    let flows: Vec<FlowMod> = (0..500).map(flow).collect();
    let bundles: Vec<u8> = (0..40).flat_map(|number| bundle(&flows, 0x100 + number)).collect();
    assert!(bundles.len() > 1 << 20);
    controller.write_all(&bundles);
    let is_committed = || Ok(fleet.status().counters.committed == 2 * 40);
    weft_rig::wait_until("all bundles are committed", WITHIN, is_committed).unwrap();
}

#[test]
fn a_dump_tells_everything_in_parts() {
    let (mut controller, _fleet) = start(1, 1);
    let flows: Vec<FlowMod> = (0..3000).map(flow).collect();
    controller.write_all(&bundle(&flows, 5));
    let ask = Message::MultipartRequest((&Request::FlowDesc(FlowFilter::all())).into()).encode(Xid(7));
    controller.write_all(&ask);
    let (mut found, mut more) = (0, true);
    while more {
        let part = controller.read_until(1, MULTIPART_REPLY);
        let (_, message) = Message::decode(&bytes::Bytes::from(part)).unwrap();
        let Message::MultipartReply(part) = message else { panic!("{message:?}") };
        found += part.flows().map(Result::unwrap).count();
        more = part.has_more();
    }
    assert_eq!(found, 3000);
}

#[test]
fn faults_come_and_go() {
    let (mut controller, fleet) = start(3, 1);
    // One that does not read gets nothing, the others go on.
    fleet.fault(Hosts::One(1), Fault::StopReading(Side::OpenFlow, None));
    let mut seen = fleet.expect(Hosts::All, Condition::Flows(1));
    controller.write_all(&bundle(&[flow(1)], 1));
    let others = fleet.expect([0, 2].into_iter().collect(), Condition::Flows(1));
    assert!(others.wait(WITHIN).is_complete());
    assert_eq!(seen.left(), 1);
    fleet.fault(Hosts::One(1), Fault::ReadAgain(Side::OpenFlow));
    assert!(seen.wait(WITHIN).is_complete());

    // One that reads a byte at a time gets there, too.
    fleet.fault(Hosts::One(0), Fault::ReadOneBytePer(Side::OpenFlow, Duration::from_micros(100)));
    let two = fleet.expect(Hosts::All, Condition::Flows(2));
    controller.write_all(&bundle(&[flow(2)], 2));
    assert!(two.wait(WITHIN).is_complete());
    fleet.fault(Hosts::One(0), Fault::ReadAgain(Side::OpenFlow));

    // A refused flow, a failed commit: errors, and nothing changes.
    fleet.fault(Hosts::One(0), Fault::Refuse(Refuse::Everything));
    fleet.fault(Hosts::One(2), Fault::FailCommits(1));
    let third = fleet.expect(Hosts::One(1), Condition::Flows(3));
    controller.write_all(&bundle(&[flow(3)], 3));
    assert_eq!(controller.read_until(1, ERROR)[8..12], [0, 5, 0, 1]);
    assert_eq!(controller.read_until(1, ERROR)[8..12], [0, 17, 0, 13]);
    assert_eq!(controller.read_until(3, ERROR)[8..12], [0, 17, 0, 13]);
    assert!(third.wait(WITHIN).is_complete());
    let flows = |digests: Vec<(u32, Digest)>| digests.iter().map(|(_, d)| d.flows()).collect::<Vec<_>>();
    assert_eq!(flows(fleet.digests(Hosts::All)), [2, 3, 2]);

    // A restart: the flows are gone and the switch comes back.
    fleet.fault(Hosts::One(1), Fault::RestartSwitch);
    controller.switches.remove(&2);
    controller.wait_for(3);
    assert_eq!(flows(fleet.digests(Hosts::All)), [2, 0, 2]);
}

/// Measures memory per host: 1,000 hosts with 1,000 flows of which 90 % are shared, and says what it found.
#[test]
fn a_thousand_hosts_are_small() {
    const HOSTS: u32 = 1000;
    let before = limits::resident_bytes();
    let (mut controller, fleet) = start(HOSTS, 1);
    let empty = fleet.resident_bytes();
    let shared: Vec<FlowMod> = (0..900).map(flow).collect();
    controller.write_all(&bundle(&shared, 1));
    for (at, (_, stream)) in (0u32..).zip(&mut controller.switches) {
        use std::io::Write;
        let own: Vec<FlowMod> = (0..100).map(|n| flow(10_000 + at * 100 + n)).collect();
        stream.write_all(&bundle(&own, 2)).unwrap();
    }
    let complete = fleet.expect(Hosts::All, Condition::Flows(1000));
    assert!(complete.wait(WITHIN).is_complete());
    let full = fleet.resident_bytes();
    let each = |bytes: u64| bytes / u64::from(HOSTS);
    println!(
        "bytes per host: {} with connections alone, {} with 1,000 flows; the depot holds {} flows in {} bytes",
        each(empty.saturating_sub(before)),
        each(full.saturating_sub(before)),
        fleet.status().depot.0,
        fleet.status().depot.1,
    );
    assert!(each(full.saturating_sub(before)) < 100_000);
}
