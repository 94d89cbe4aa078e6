//! What a running Open vSwitch answers, and that it does what the messages say.

use crate::samples;
use crate::switch::{Connection, Switch, decoded};
use bytes::Bytes;
use weft_openflow::message::multipart::*;
use weft_openflow::message::nicira::*;
use weft_openflow::message::*;
use weft_openflow::text::parse_flow;
use weft_openflow::*;

/// Proves that every question is understood and every answer is read, and written exactly as it came.
#[test]
fn every_question_is_answered() {
    let switch = Switch::start();
    let mut c = switch.connect();
    let Message::FeaturesReply(features) = c.call(&Message::FeaturesRequest) else { panic!() };
    assert_eq!((features.tables, features.buffers), (254, 0));
    assert!(features.capabilities.contains(Capabilities::FLOW_STATS | Capabilities::GROUP_STATS));
    let Reply::Desc(desc) = c.ask(&Request::Desc) else { panic!() };
    assert_eq!(desc.hardware.as_str(), Some("Open vSwitch"));

    let Reply::PortDesc(ports) = c.ask(&Request::PortDesc(PortNo::ANY)) else { panic!() };
    let named: Vec<_> = ports.iter().map(|port| (port.port, port.name.to_string())).collect();
    for wanted in [(PortNo(1), "p1"), (PortNo(3), "p3"), (PortNo::LOCAL, "br0")] {
        assert!(named.contains(&(wanted.0, wanted.1.to_owned())), "{named:?}");
    }
    let Reply::PortDesc(one) = c.ask(&Request::PortDesc(PortNo(2))) else { panic!() };
    assert_eq!(one.iter().map(|port| port.port).collect::<Vec<_>>(), [PortNo(2)]);

    let Reply::PortStats(stats) = c.ask(&Request::PortStats(PortNo(1))) else { panic!() };
    assert_eq!(stats[0].port, PortNo(1));
    let Reply::TableStats(tables) = c.ask(&Request::TableStats) else { panic!() };
    assert_eq!(tables.len(), 254);
    let Reply::TableDesc(tables) = c.ask(&Request::TableDesc) else { panic!() };
    assert_eq!(tables.len(), 254);
    let Reply::GroupFeatures(groups) = c.ask(&Request::GroupFeatures) else { panic!() };
    assert_eq!(groups.types, 0xf);
    let Reply::MeterFeatures(meters) = c.ask(&Request::MeterFeatures) else { panic!() };
    assert_eq!(meters.max_meters, 262_144);
    let queues = QueueFilter { port: PortNo(1), queue: u32::MAX };
    let Reply::QueueStats(counted) = c.ask(&Request::QueueStats(queues)) else { panic!() };
    assert_eq!(
        (counted[0].port, counted[0].duration),
        (PortNo(1), None),
        "a dummy port knows nothing of queues"
    );

    let mut features = Vec::new();
    for part in c.ask_parts(&Request::TableFeatures(vec![])) {
        let Reply::TableFeatures(tables) = decoded(&part).unwrap() else { panic!() };
        features.extend(tables);
    }
    assert_eq!(features.len(), 254);
    assert!(features[0].max_entries >= 1_000_000 && features[0].properties.len() > 8);
    assert!(c.barrier().is_empty());
}

/// Opens a bundle, fills it with what `fill` writes, and commits it; gives the errors.
fn bundle(
    c: &mut Connection,
    fill: impl FnOnce(&mut Connection, BundleWriter, &mut Writer),
) -> Vec<(Xid, ErrorCode)> {
    let place = BundleWriter::atomic(BundleId(c.next_xid().0));
    let mut w = Writer::new();
    place.control(BundleCommand::OpenRequest, c.next_xid(), &mut w);
    fill(c, place, &mut w);
    c.send_written(w);
    let errors = c.barrier();
    let commit = BundleControl::new(place.bundle, BundleCommand::CommitRequest, place.flags);
    match c.call(&Message::BundleControl(commit)) {
        Message::BundleControl(reply) => assert_eq!(reply.command, BundleCommand::CommitReply),
        Message::Error(error) => return [errors, c.barrier(), vec![(Xid(0), error.code)]].concat(),
        other => panic!("{other:?}"),
    }
    [errors, c.barrier()].concat()
}

fn flows(c: &mut Connection, filter: FlowFilter) -> Vec<FlowDesc> {
    let mut all = Vec::new();
    for part in c.ask_parts(&Request::FlowDesc(filter)) {
        let Reply::FlowDesc(flows) = decoded(&part).unwrap() else { panic!() };
        let entries: Result<Vec<_>, _> = part.flows().collect();
        for (entry, flow) in entries.unwrap().iter().zip(&flows) {
            assert_eq!(entry.matching().unwrap(), flow.matching);
            assert_eq!(entry.instructions().unwrap(), flow.instructions);
            assert_eq!(entry.stats().unwrap(), flow.stats);
            assert_eq!((entry.cookie, entry.table, entry.priority), (flow.cookie, flow.table, flow.priority));
        }
        all.extend(flows);
    }
    all
}

/// Proves that a bundle of groups and flows takes effect, and that the switch gives back what was wanted.
#[test]
fn what_a_bundle_installs_is_what_is_read_back() {
    let switch = Switch::start();
    let mut c = switch.connect();
    let other = FlowMod { cookie: Cookie(0xff), priority: 7, ..samples::flow() };
    let errors = bundle(&mut c, |c, place, w| {
        place.group_mod(&samples::flood(), c.next_xid(), w);
        place.flow_mod(&samples::flow(), c.next_xid(), w);
        let encoded = Message::FlowMod(other.clone()).encode(c.next_xid());
        place.encoded(&encoded, w).unwrap();
    });
    assert_eq!(errors, []);

    let found = flows(&mut c, FlowFilter::all());
    assert_eq!(found.len(), 2);
    let wanted = samples::flow();
    let flow = found.iter().find(|flow| flow.cookie == wanted.cookie).unwrap();
    assert_eq!(flow.matching.canonical_bytes(), wanted.matching.canonical_bytes());
    assert_eq!(canonical_instructions(&flow.instructions), canonical_instructions(&wanted.instructions));
    assert_eq!((flow.table, flow.priority), (wanted.table, wanted.priority));
    assert_eq!((flow.stats.packets, flow.stats.bytes), (Some(0), Some(0)));

    // The printer does not show a request's cookie, so only this proves that the filter is where it belongs.
    // Value and mask differ so that either taken for the other would find both flows.
    let filtered = flows(&mut c, FlowFilter::cookie(Cookie(1), 3));
    assert_eq!(filtered.iter().map(|flow| flow.cookie).collect::<Vec<_>>(), [wanted.cookie]);
    let outgoing = FlowFilter { out_port: PortNo(10_003), ..FlowFilter::all() };
    assert_eq!(flows(&mut c, outgoing).len(), 2);
    let elsewhere = FlowFilter { out_group: GroupId(8), ..FlowFilter::all() };
    assert_eq!(flows(&mut c, elsewhere).len(), 0);

    let Reply::Aggregate(sum) = c.ask(&Request::Aggregate(FlowFilter::table(TableId(40)))) else { panic!() };
    assert_eq!((sum.flows, sum.packets), (Some(2), Some(0)));
    let Reply::GroupStats(stats) = c.ask(&Request::GroupStats(GroupId::ALL)) else { panic!() };
    assert_eq!((stats[0].group, stats[0].references, stats[0].buckets.len()), (GroupId(9), 2, 2));

    c.send(&Message::FlowMod(
        FlowMod::delete_all(TableId::ALL, Match::new()).only_cookie(Cookie(0xff), u64::MAX),
    ));
    assert_eq!(c.barrier(), []);
    assert_eq!(flows(&mut c, FlowFilter::all()).len(), 1);
    c.send(&Message::FlowMod(FlowMod::delete_strict(wanted.table, wanted.priority, wanted.matching)));
    assert_eq!(c.barrier(), []);
    assert_eq!(flows(&mut c, FlowFilter::all()).len(), 0);
}

fn groups(c: &mut Connection) -> Vec<GroupDesc> {
    let Reply::GroupDesc(mut groups) = c.ask(&Request::GroupDesc(GroupId::ALL)) else { panic!() };
    // Open vSwitch lists them by a hash, in another order each time it runs.
    groups.sort_by_key(|group| group.group);
    groups
}

/// Proves that groups keep their bucket numbers, order and properties, and that buckets come and go alone.
#[test]
fn groups_are_read_back_as_they_were_made() {
    let switch = Switch::start();
    let mut c = switch.connect();
    for (name, message) in samples::all() {
        if ["group add", "group add or modify", "group insert bucket"].contains(&name) {
            c.send(&message);
            assert_eq!(c.barrier(), [], "{name}");
        }
    }
    let found = groups(&mut c);
    assert_eq!(found.iter().map(|group| group.group).collect::<Vec<_>>(), [GroupId(9), GroupId(10)]);
    let ids = |group: &GroupDesc| group.buckets.iter().map(|bucket| bucket.id.0).collect::<Vec<_>>();
    assert_eq!(ids(&found[0]), [3, 1, 7]);
    assert_eq!(found[1].buckets[1].properties, [BucketProperty::Weight(10)]);
    assert!(
        matches!(&found[1].properties[..], [GroupProperty::Selection(s)] if s.method.as_str() == Some("hash"))
    );

    c.send(&Message::GroupMod(GroupMod::remove_bucket(GroupId(9), BucketId(3))));
    c.send(&Message::GroupMod(GroupMod::delete(GroupId(10))));
    assert_eq!(c.barrier(), []);
    assert_eq!(groups(&mut c).iter().map(ids).collect::<Vec<_>>(), [vec![1, 7]]);
    let missing = c.send(&Message::GroupMod(GroupMod::remove_bucket(GroupId(9), BucketId(3))));
    assert_eq!(c.barrier(), [(missing, ErrorCode::UNKNOWN_BUCKET)]);
}

/// Proves that a group as large as allowed is read back whole and leaves the stream in step, however it was made,
/// and that one more bucket does not fit a message.
#[test]
fn the_largest_group_is_read_back_whole() {
    let switch = Switch::start();
    let mut c = switch.connect();
    let to = |id| Bucket::new(BucketId(id), vec![Action::output(PortNo(1000 + id))]);
    let one =
        Message::GroupMod(GroupMod::put(GroupId(1), GroupType::All, vec![to(0)])).encode(Xid(1)).len() - 24;
    let most = u32::try_from(GroupMod::MAX_CONTENT / one).unwrap();
    assert_eq!(most, 2729);
    let made = GroupMod::put(GroupId(1), GroupType::All, (0..2000).map(to).collect());
    c.send(&Message::GroupMod(made));
    c.send(&Message::GroupMod(GroupMod::insert_buckets(
        GroupId(1),
        BucketId::LAST,
        (2000..most).map(to).collect(),
    )));
    assert_eq!(c.barrier(), []);
    let whole: Vec<Bucket> = (0..most).map(to).collect();
    let Reply::GroupDesc(found) = c.ask(&Request::GroupDesc(GroupId(1))) else { panic!() };
    assert!(found.len() == 1 && found[0].buckets == whole, "{} buckets", found[0].buckets.len());
    let Reply::GroupStats(stats) = c.ask(&Request::GroupStats(GroupId(1))) else { panic!() };
    assert_eq!(stats[0].buckets.len(), whole.len());
    assert_eq!(c.barrier(), [], "the stream is in step");

    let too_long =
        Message::GroupMod(GroupMod::put(GroupId(1), GroupType::All, (0..most + 1).map(to).collect()));
    assert!(too_long.try_encode(Xid(1)).is_err());
    assert!(too_long.encode(Xid(1)).is_empty(), "bytes that would break the stream");
}

/// Proves that a bundle with a flow that cannot be is refused whole, and that errors name their requests.
#[test]
fn a_bundle_fails_as_a_whole() {
    let switch = Switch::start();
    let mut c = switch.connect();
    let mut bad = Xid(0);
    let errors = bundle(&mut c, |c, place, w| {
        let good = FlowMod { instructions: vec![], ..samples::flow() };
        place.flow_mod(&good, c.next_xid(), w);
        bad = c.next_xid();
        place.flow_mod(&samples::flow(), bad, w);
    });
    assert_eq!(errors, [(bad, ErrorCode::BAD_OUT_GROUP), (Xid(0), ErrorCode::BUNDLE_MESSAGE_FAILED)]);
    assert_eq!(flows(&mut c, FlowFilter::all()), []);
}

/// Makes a connection receive packets and events, as a controller's own connection does by default.
fn listen(c: &mut Connection) {
    c.send(&Message::SetConfig(SwitchConfig { flags: 0, miss_send_len: 0xffff }));
    let all = [
        (AsyncEvent::PacketIn, 0b11_1111),
        (AsyncEvent::PortStatus, 0b111),
        (AsyncEvent::FlowRemoved, 0b11_1111),
    ];
    let config = all.iter().fold(AsyncConfig::default(), |config, (event, reasons)| {
        config.with(*event, AsyncRole::PrimaryOrEqual, *reasons)
    });
    c.send(&Message::SetAsync(config));
    assert_eq!(c.barrier(), []);
    let Message::GetAsyncReply(told) = c.call(&Message::GetAsyncRequest) else { panic!() };
    for (event, reasons) in all {
        assert_eq!(told.reasons(event, AsyncRole::PrimaryOrEqual), Some(reasons), "{event:?}");
    }
}

/// Proves that a packet comes up with userdata, that its continuation is taken back, and goes on from there.
#[test]
fn a_paused_packet_is_resumed() {
    let switch = Switch::start();
    let mut c = switch.connect();
    listen(&mut c);
    c.send(&Message::Experimenter(Experimenter::SetPacketInFormat(PacketInFormat::Nxt2)));
    let flow = parse_flow("actions=controller(userdata=01.02.03.04.05,pause),output:2").unwrap();
    let matching = Match::new().with(oxm::in_port(PortNo(1)));
    let flow = FlowMod::add(TableId(0), 5, matching, flow.instructions).with_cookie(Cookie(0x77));
    c.send(&Message::FlowMod(flow));
    assert_eq!(c.barrier(), []);

    switch.receive("p1", &samples::frame());
    let is_packet = |_, m: &Message| matches!(m, Message::Experimenter(Experimenter::PacketIn2(_)));
    let (_, Message::Experimenter(Experimenter::PacketIn2(packet))) = c.wait(is_packet) else { panic!() };
    assert_eq!(packet.userdata, Some(Bytes::from_static(&[1, 2, 3, 4, 5])));
    assert_eq!((packet.cookie, packet.reason), (Some(Cookie(0x77)), Some(PacketInReason::ApplyAction)));
    assert_eq!(packet.metadata.get(oxm::in_port(PortNo(1)).id()).and_then(OxmField::value), Some(1));
    assert!(packet.packet.starts_with(&samples::frame()));
    assert!(packet.continuation.is_some());

    let sent = |c: &mut Connection| {
        let Reply::PortStats(stats) = c.ask(&Request::PortStats(PortNo(2))) else { panic!() };
        stats[0].tx_packets
    };
    assert_eq!(sent(&mut c), 0);
    c.send(&Message::Experimenter(Experimenter::Resume(packet)));
    assert_eq!(c.barrier(), []);
    assert_eq!(sent(&mut c), 1);
}

/// Proves that a packet-out is sent, and comes back up in the standard form.
#[test]
fn a_packet_goes_down_and_comes_up() {
    let switch = Switch::start();
    let mut c = switch.connect();
    listen(&mut c);
    let up = vec![Action::SetField(oxm::reg(3, 0x1234)), Action::output(PortNo::CONTROLLER)];
    c.send(&Message::PacketOut(PacketOut::new(PortNo(2), up, samples::frame())));
    let (_, Message::PacketIn(packet)) = c.wait(|_, m| matches!(m, Message::PacketIn(_))) else { panic!() };
    assert_eq!(packet.reason, PacketInReason::PacketOut);
    assert_eq!(packet.packet, samples::frame());
    assert_eq!(usize::from(packet.total_len), samples::frame().len());
    let metadata = packet.metadata.canonical();
    assert_eq!(metadata.get(FieldId::reg(3)).and_then(OxmField::value), Some(0x1234));
    assert_eq!(metadata.get(oxm::in_port(PortNo(2)).id()).and_then(OxmField::value), Some(2));
}

/// Proves that every filter of a deletion is where it belongs, and that timeouts and importance arrive.
#[test]
fn deletions_take_what_they_name() {
    let switch = Switch::start();
    let mut c = switch.connect();
    c.send(&Message::GroupMod(samples::flood()));
    let to = |priority, action| FlowMod {
        priority,
        idle_timeout: 100,
        hard_timeout: 200,
        importance: 300,
        flags: FlowFlags::SEND_FLOW_REM | FlowFlags::NO_BYT_COUNTS,
        instructions: vec![Instruction::ApplyActions(vec![action])],
        ..FlowMod::default()
    };
    for (priority, action) in
        [(1, Action::output(PortNo(9))), (2, Action::Group(GroupId(9))), (3, Action::output(PortNo(3)))]
    {
        c.send(&Message::FlowMod(to(priority, action).with_cookie(Cookie(u64::from(priority)))));
    }
    assert_eq!(c.barrier(), []);
    let priorities = |c: &mut Connection| {
        let mut all: Vec<_> = flows(c, FlowFilter::all()).iter().map(|flow| flow.priority).collect();
        all.sort_unstable();
        all
    };
    let found = flows(&mut c, FlowFilter::all());
    assert!(
        found.iter().all(|flow| (flow.idle_timeout, flow.hard_timeout, flow.importance) == (100, 200, 300))
    );
    assert!(found.iter().all(|flow| flow.flags == FlowFlags::SEND_FLOW_REM | FlowFlags::NO_BYT_COUNTS));
    let all = FlowMod::delete_all(TableId::ALL, Match::new());
    c.send(&Message::FlowMod(FlowMod { out_group: GroupId(9), ..all.clone() }));
    assert_eq!(c.barrier(), []);
    assert_eq!(priorities(&mut c), [1, 3], "port 9 is not group 9");
    c.send(&Message::FlowMod(FlowMod { out_port: PortNo(9), ..all.clone() }));
    assert_eq!(c.barrier(), []);
    assert_eq!(priorities(&mut c), [3]);
    c.send(&Message::FlowMod(all.clone().only_cookie(Cookie(1), 2)));
    assert_eq!(c.barrier(), []);
    assert_eq!(priorities(&mut c), [3], "3 & 2 is not 1 & 2");
    c.send(&Message::FlowMod(all.only_cookie(Cookie(1), 1)));
    assert_eq!(c.barrier(), []);
    assert_eq!(priorities(&mut c), []);
}

/// Proves that ports that come, change and go are told, and flows that go as well.
#[test]
fn events_are_told() {
    let switch = Switch::start();
    let mut c = switch.connect();
    listen(&mut c);
    switch.add_port(4);
    let of_port = |reason| move |_: Xid, m: &Message| matches!(m, Message::PortStatus(s) if s.reason == reason && s.port.port == PortNo(4));
    let (_, Message::PortStatus(status)) = c.wait(of_port(PortReason::Add)) else { panic!() };
    assert_eq!(status.port.name.as_str(), Some("p4"));
    let change = PortMod {
        port: PortNo(4),
        mac: status.port.mac,
        config: PortConfig::NO_FWD,
        mask: PortConfig::NO_FWD,
        properties: vec![],
    };
    c.send(&Message::PortMod(change));
    let changed = |_: Xid, m: &Message| matches!(m, Message::PortStatus(s) if s.port.port == PortNo(4) && s.port.config.contains(PortConfig::NO_FWD));
    c.wait(changed);
    switch.vsctl(&["del-port", "br0", "p4"]);
    c.wait(of_port(PortReason::Delete));

    let flow = FlowMod { instructions: vec![], flags: FlowFlags::SEND_FLOW_REM, ..samples::flow() };
    let delete = FlowMod::delete_strict(flow.table, flow.priority, flow.matching.clone());
    c.send(&Message::FlowMod(flow.clone()));
    c.send(&Message::FlowMod(delete));
    let (_, Message::FlowRemoved(gone)) = c.wait(|_, m| matches!(m, Message::FlowRemoved(_))) else {
        panic!()
    };
    assert_eq!((gone.cookie, gone.priority, gone.table), (flow.cookie, flow.priority, flow.table));
    assert_eq!((gone.reason, gone.stats.packets), (FlowRemovedReason::Delete, Some(0)));
    assert_eq!(gone.matching.canonical_bytes(), flow.matching.canonical_bytes());
}

/// Proves that a monitor tells of the flows that are there, that come and that go.
#[test]
fn a_monitor_tells_of_changes() {
    let switch = Switch::start();
    let (mut c, mut other) = (switch.connect(), switch.connect());
    let actions = vec![Action::output(PortNo(9))];
    let instructions = vec![Instruction::ApplyActions(actions), Instruction::GotoTable(TableId(50))];
    let flow = FlowMod { instructions, idle_timeout: 100, hard_timeout: 200, ..samples::flow() };
    other.send(&Message::FlowMod(flow.clone()));
    assert_eq!(other.barrier(), []);
    let flags =
        MonitorFlags::INITIAL | MonitorFlags::ADD | MonitorFlags::REMOVED | MonitorFlags::INSTRUCTIONS;
    let request = Request::FlowMonitor(vec![MonitorRequest::all(1, flags)]);
    let Reply::FlowMonitor(first) = c.ask(&request) else { panic!() };
    let [FlowUpdate::Flow(UpdateEvent::Initial, found)] = &first[..] else { panic!("{first:?}") };
    assert_eq!((found.cookie, found.priority, found.table), (flow.cookie, flow.priority, flow.table));
    assert_eq!(found.instructions, flow.instructions);

    // The printer shows neither timeouts nor where a monitor looks.
    assert_eq!((found.idle_timeout, found.hard_timeout), (100, 200));
    for (narrowed, count) in [
        (MonitorRequest { table: flow.table, ..MonitorRequest::all(2, flags) }, 1),
        (MonitorRequest { table: TableId(41), ..MonitorRequest::all(3, flags) }, 0),
        (MonitorRequest { out_port: PortNo(9), ..MonitorRequest::all(4, flags) }, 1),
        (MonitorRequest { out_group: GroupId(9), ..MonitorRequest::all(5, flags) }, 0),
    ] {
        let monitor = narrowed.monitor;
        let Reply::FlowMonitor(first) = c.ask(&Request::FlowMonitor(vec![narrowed.clone()])) else {
            panic!()
        };
        assert_eq!(first.len(), count, "monitor {monitor}");
        let stop = MonitorRequest { command: MonitorCommand::Delete, ..narrowed };
        c.send(&Message::from(Request::FlowMonitor(vec![stop])));
        c.barrier();
    }

    let second = FlowMod { priority: 7, ..flow.clone() };
    other.send(&Message::FlowMod(second.clone()));
    other.send(&Message::FlowMod(FlowMod::delete_strict(second.table, 7, second.matching)));
    let mut told = Vec::new();
    while told.len() < 2 {
        let (_, Message::MultipartReply(part)) = c.wait(|_, m| matches!(m, Message::MultipartReply(_)))
        else {
            panic!()
        };
        let Reply::FlowMonitor(updates) = decoded(&part).unwrap() else { panic!() };
        told.extend(updates);
    }
    let events: Vec<_> = told
        .iter()
        .map(|update| match update {
            FlowUpdate::Flow(event, flow) => (*event, flow.priority, flow.reason),
            other => panic!("{other:?}"),
        })
        .collect();
    let (added, removed) = (events[0], events[1]);
    assert_eq!((added.0, added.1), (UpdateEvent::Added, 7));
    assert_eq!(removed, (UpdateEvent::Removed, 7, FlowRemovedReason::Delete));
}

/// Proves that a role is taken, kept against an older election, and lost to a newer one.
#[test]
fn roles_are_elected() {
    let switch = Switch::start();
    let (mut c, mut rival) = (switch.connect(), switch.connect());
    let ask = |role, generation| Message::RoleRequest(RoleRequest { role, short_id: 0, generation });
    let Message::RoleReply(reply) = c.call(&ask(Role::Primary, 5)) else { panic!() };
    assert_eq!((reply.role, reply.generation), (Role::Primary, 5));
    let Message::Error(error) = rival.call(&ask(Role::Primary, 4)) else { panic!() };
    assert_eq!(error.code, ErrorCode::ROLE_STALE);
    let Message::RoleReply(_) = rival.call(&ask(Role::Primary, 6)) else { panic!() };
    let refused = c.send(&Message::FlowMod(FlowMod::default()));
    assert_eq!(c.barrier(), [(refused, ErrorCode::IS_SECONDARY)]);
}

/// Proves that meters, tables, tunnel options and conntrack flushes are understood as they were meant.
#[test]
fn other_changes_take_effect() {
    let switch = Switch::start();
    let mut c = switch.connect();
    let band = MeterBand { rate: 1000, burst: 500, kind: BandKind::Drop };
    let meter = MeterMod {
        command: MeterCommand::Add,
        flags: MeterFlags::PKTPS | MeterFlags::BURST | MeterFlags::STATS,
        meter: MeterId(3),
        bands: vec![band.clone()],
    };
    c.send(&Message::MeterMod(meter));
    assert_eq!(c.barrier(), []);
    let Reply::MeterConfig(meters) = c.ask(&Request::MeterConfig(MeterId::ALL)) else { panic!() };
    assert_eq!((meters[0].meter, &meters[0].bands), (MeterId(3), &vec![band]));
    let Reply::MeterStats(stats) = c.ask(&Request::MeterStats(MeterId(3))) else { panic!() };
    assert_eq!(stats[0].bands.len(), 1);

    let eviction = TableMod { table: TableId(5), config: TableConfig::EVICTION, properties: vec![] };
    c.send(&Message::TableMod(eviction));
    assert_eq!(c.barrier(), []);
    let Reply::TableDesc(tables) = c.ask(&Request::TableDesc) else { panic!() };
    assert!(tables[5].config.contains(TableConfig::EVICTION), "{:?}", tables[5]);
    assert!(!tables[4].config.contains(TableConfig::EVICTION));

    let map = TlvMap { class: 0x0102, kind: 0x80, length: 4, index: 0 };
    let change = TlvTableMod { command: TlvCommand::Add, maps: vec![map] };
    c.send(&Message::Experimenter(Experimenter::TlvTableMod(change)));
    assert_eq!(c.barrier(), []);
    let Message::Experimenter(Experimenter::TlvTableReply(reply)) =
        c.call(&Message::Experimenter(Experimenter::TlvTableRequest))
    else {
        panic!()
    };
    assert_eq!((reply.maps, reply.max_fields), (vec![map], 64));

    c.send(&Message::Experimenter(Experimenter::CtFlushZone(5)));
    c.send(&Message::Experimenter(Experimenter::CtFlush(samples::flush())));
    c.send(&Message::Experimenter(Experimenter::SetControllerId(17)));
    assert_eq!(c.barrier(), []);
}

/// Proves that a long dump is read whole, part by part and put together, and that nothing in it is lost.
#[test]
fn a_long_dump_is_read_whole() {
    const COUNT: u32 = 20_000;
    let switch = Switch::start();
    let mut c = switch.connect();
    let flow = |n: u32| {
        let matching = Match::new().with(oxm::reg(0, n)).with(oxm::eth_dst([2, 0, 0, 0, 0, 1]));
        let actions = vec![Action::SetField(oxm::tun_id(7)), Action::output(PortNo(1))];
        FlowMod::add(TableId(1), 100, matching, vec![Instruction::ApplyActions(actions)])
            .with_cookie(Cookie(u64::from(n)))
    };
    let errors = bundle(&mut c, |c, place, w| {
        for n in 0..COUNT {
            place.flow_mod(&flow(n), c.next_xid(), w);
        }
    });
    assert_eq!(errors, []);
    let parts = c.ask_parts(&Request::FlowDesc(FlowFilter::all()));
    assert!(parts.len() > 10, "{}", parts.len());
    let mut seen = std::collections::BTreeSet::new();
    for entry in parts.iter().flat_map(MultipartReply::flows) {
        let entry = entry.unwrap();
        let n = u32::try_from(entry.cookie.0).unwrap();
        assert_eq!(entry.matching().unwrap().canonical_bytes(), flow(n).matching.canonical_bytes());
        assert!(seen.insert(n), "{n} twice");
    }
    assert_eq!(seen.len(), usize::try_from(COUNT).unwrap());

    let mut whole = None;
    let mut reassembler = Reassembler::new(16 << 20, 1);
    for part in parts {
        assert!(whole.is_none());
        whole = reassembler.push(Xid(1), part).unwrap();
    }
    let whole = whole.unwrap();
    assert!(!whole.has_more());
    assert_eq!(whole.flows().filter(Result::is_ok).count(), seen.len());
}
