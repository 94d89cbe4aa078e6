//! One message of every kind, filled so that every field and property shows.

use bytes::Bytes;
use std::time::Duration;
use weft_openflow::message::multipart::*;
use weft_openflow::message::nicira::*;
use weft_openflow::message::*;
use weft_openflow::*;

const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x17];

/// Every message with a name for people.
pub fn all() -> Vec<(&'static str, Message)> {
    let mut all = requests();
    all.extend(changes());
    all.extend(events());
    all.extend(extensions());
    all.extend(questions());
    all.extend(answers());
    all
}

fn requests() -> Vec<(&'static str, Message)> {
    let role = RoleRequest { role: Role::Primary, short_id: 0, generation: 7 };
    let config = SwitchConfig { flags: 0, miss_send_len: 128 };
    let masks = AsyncConfig::default()
        .with(AsyncEvent::PacketIn, AsyncRole::PrimaryOrEqual, 0b11_1111)
        .with(AsyncEvent::PortStatus, AsyncRole::Secondary, 0b111)
        .with(AsyncEvent::FlowRemoved, AsyncRole::PrimaryOrEqual, 0b11_1111)
        .with(AsyncEvent::RequestForward, AsyncRole::PrimaryOrEqual, 0b11);
    let features = Features {
        datapath_id: DatapathId(0x17),
        buffers: 0,
        tables: 254,
        auxiliary: 1,
        capabilities: Capabilities::FLOW_STATS | Capabilities::GROUP_STATS | Capabilities::BUNDLES,
        reserved: 0,
    };
    vec![
        ("hello", Message::Hello(Hello::ours())),
        ("echo request", Message::EchoRequest(Bytes::from_static(b"ping"))),
        ("echo reply", Message::EchoReply(Bytes::from_static(b"ping"))),
        ("features request", Message::FeaturesRequest),
        ("features reply", Message::FeaturesReply(features)),
        ("get config request", Message::GetConfigRequest),
        ("get config reply", Message::GetConfigReply(config)),
        ("set config", Message::SetConfig(config)),
        ("barrier request", Message::BarrierRequest),
        ("barrier reply", Message::BarrierReply),
        ("role request", Message::RoleRequest(role)),
        ("role reply", Message::RoleReply(role)),
        ("get async request", Message::GetAsyncRequest),
        ("get async reply", Message::GetAsyncReply(masks.clone())),
        ("set async", Message::SetAsync(masks)),
    ]
}

/// A flow as the compiler writes them.
pub fn flow() -> FlowMod {
    let matching = Match::new().with(oxm::reg(0, 5001)).with(oxm::eth_dst(MAC)).with(oxm::eth_type(0x0806));
    let actions =
        vec![Action::SetField(oxm::tun_id(5001)), Action::Group(GroupId(9)), Action::output(PortNo(10_003))];
    let instructions = vec![Instruction::ApplyActions(actions), Instruction::GotoTable(TableId(50))];
    FlowMod::add(TableId(40), 1000, matching, instructions).with_cookie(Cookie(0x5745_4654_0000_0001))
}

/// A flood group whose bucket numbers are not in order.
pub fn flood() -> GroupMod {
    let to = |id, port| Bucket::new(BucketId(id), vec![Action::output(PortNo(port))]);
    GroupMod::add(GroupId(9), GroupType::All, vec![to(3, 1003), to(1, 1001)])
}

fn select() -> GroupMod {
    let to = |id, port| {
        Bucket::new(BucketId(id), vec![Action::output(PortNo(port))]).with(BucketProperty::Weight(10))
    };
    let fields = Match::new().with(oxm::ipv4_src([255; 4].into())).with(oxm::ip_proto(255));
    let mut group = GroupMod::put(GroupId(10), GroupType::Select, vec![to(0, 1), to(1, 2)]);
    group.properties.push(GroupProperty::Selection(Selection::hash(fields)));
    group
}

fn failover() -> GroupMod {
    let first =
        Bucket::new(BucketId(0), vec![Action::output(PortNo(1))]).with(BucketProperty::WatchPort(PortNo(1)));
    let second = Bucket::new(BucketId(1), vec![Action::output(PortNo(2))])
        .with(BucketProperty::WatchGroup(GroupId(9)));
    GroupMod::modify(GroupId(11), GroupType::FastFailover, vec![first, second])
}

fn meter() -> MeterMod {
    let bands = vec![
        MeterBand { rate: 1000, burst: 0, kind: BandKind::Drop },
        MeterBand { rate: 500, burst: 0, kind: BandKind::DscpRemark(1) },
    ];
    let flags = MeterFlags::KBPS | MeterFlags::STATS;
    MeterMod { command: MeterCommand::Add, flags, meter: MeterId(3), bands }
}

fn changes() -> Vec<(&'static str, Message)> {
    let place = BundleWriter::atomic(BundleId(4));
    let control = |command| Message::BundleControl(BundleControl::new(place.bundle, command, place.flags));
    let add = |message| Message::BundleAdd(BundleAdd::new(place.bundle, place.flags, message));
    let buckets = vec![Bucket::new(BucketId(7), vec![Action::output(PortNo(1007))])];
    let removal = FlowMod::delete_all(TableId::ALL, Match::new()).only_cookie(Cookie(0x10), 0xf0);
    let port = PortMod {
        port: PortNo(3),
        mac: MAC,
        config: PortConfig::NO_FWD,
        mask: PortConfig::NO_FWD | PortConfig::PORT_DOWN,
        properties: vec![PortModProperty::Advertise(0x20)],
    };
    let table = TableMod {
        table: TableId(5),
        config: TableConfig::EVICTION | TableConfig::VACANCY_EVENTS,
        properties: vec![TableProperty::Vacancy(Vacancy { down: 20, up: 80, now: 0 })],
    };
    let mut flagged = table.clone();
    flagged.properties.push(TableProperty::Eviction(2));
    let packet = PacketOut::new(PortNo::CONTROLLER, vec![Action::output(PortNo::TABLE)], frame());
    let everything = FlowMod {
        command: FlowCommand::ModifyStrict,
        cookie_mask: 0xf,
        idle_timeout: 5,
        hard_timeout: 60,
        buffer_id: 0x114,
        out_port: PortNo(4),
        out_group: GroupId(6),
        flags: FlowFlags::SEND_FLOW_REM | FlowFlags::CHECK_OVERLAP,
        importance: 8,
        ..flow()
    };
    let to_port = FlowMod { out_port: PortNo(4), ..FlowMod::delete_all(TableId(3), Match::new()) };
    vec![
        ("flow add", Message::FlowMod(flow())),
        ("flow modify with every field", Message::FlowMod(everything)),
        ("flow delete by port", Message::FlowMod(to_port)),
        ("flow delete by cookie", Message::FlowMod(removal)),
        ("flow delete strict", Message::FlowMod(FlowMod::delete_strict(TableId(40), 1000, flow().matching))),
        ("group add", Message::GroupMod(flood())),
        ("group add or modify", Message::GroupMod(select())),
        ("group modify", Message::GroupMod(failover())),
        (
            "group insert bucket",
            Message::GroupMod(GroupMod::insert_buckets(GroupId(9), BucketId::LAST, buckets)),
        ),
        ("group remove bucket", Message::GroupMod(GroupMod::remove_bucket(GroupId(9), BucketId(3)))),
        ("group delete", Message::GroupMod(GroupMod::delete(GroupId::ALL))),
        ("meter add", Message::MeterMod(meter())),
        ("port mod", Message::PortMod(port)),
        ("table mod", Message::TableMod(table)),
        ("table mod whose eviction flags Open vSwitch 3.1 takes for the state", Message::TableMod(flagged)),
        ("packet out", Message::PacketOut(packet)),
        ("bundle open", control(BundleCommand::OpenRequest)),
        ("bundle add flow", add(Message::FlowMod(flow()))),
        ("bundle add group", add(Message::GroupMod(flood()))),
        ("bundle commit", control(BundleCommand::CommitRequest)),
    ]
}

/// The start of an ARP request.
pub fn frame() -> Bytes {
    let mut frame = vec![0xff; 6];
    frame.extend(MAC);
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(MAC);
    frame.extend([10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    Bytes::from(frame)
}

fn port() -> PortDesc {
    let ethernet = EthernetFeatures {
        current: 0x2840,
        advertised: 0x20,
        supported: 0x60,
        peer: 0x10,
        current_speed: 10_000_000,
        max_speed: 20_000_000,
    };
    PortDesc {
        port: PortNo(3),
        mac: MAC,
        name: PaddedText::new("tap0"),
        config: PortConfig::empty(),
        state: PortState::LIVE,
        properties: vec![PortProperty::Ethernet(ethernet)],
    }
}

fn counters() -> FlowStats {
    FlowStats {
        duration: Some(Duration::new(12, 345_000_000)),
        packets: Some(6),
        bytes: Some(252),
        ..FlowStats::default()
    }
}

fn table() -> TableDesc {
    let vacancy = Vacancy { down: 20, up: 80, now: 50 };
    TableDesc {
        table: TableId(5),
        config: TableConfig::VACANCY_EVENTS,
        properties: vec![TableProperty::Vacancy(vacancy)],
    }
}

fn events() -> Vec<(&'static str, Message)> {
    let metadata = Match::new().with(oxm::in_port(PortNo(3))).with(oxm::reg(1, 4));
    let failed = ErrorMessage {
        code: ErrorCode::BUNDLE_MESSAGE_FAILED,
        data: Message::BarrierRequest.encode(Xid(0x1234)),
    };
    let nicira = ErrorCode::Experimenter { experimenter: NICIRA, code: 2 };
    let request = RequestForward { xid: Xid(77), request: Box::new(Message::GroupMod(flood())) };
    let removed = FlowRemoved {
        table: TableId(40),
        reason: FlowRemovedReason::Delete,
        priority: 1000,
        idle_timeout: 5,
        hard_timeout: 60,
        cookie: Cookie(0x11),
        matching: flow().matching,
        stats: counters(),
    };
    let packet = PacketIn {
        buffer_id: NO_BUFFER,
        total_len: u16::try_from(frame().len()).unwrap(),
        reason: PacketInReason::ApplyAction,
        table: TableId(20),
        cookie: Cookie(0x11),
        metadata,
        packet: frame(),
    };
    let role = RoleStatus {
        role: Role::Secondary,
        reason: RoleReason::PrimaryRequest,
        generation: 8,
        properties: vec![],
    };
    vec![
        ("error", Message::Error(failed)),
        ("error of nicira", Message::Error(ErrorMessage { code: nicira, data: Bytes::new() })),
        ("packet in", Message::PacketIn(packet)),
        ("flow removed", Message::FlowRemoved(removed)),
        ("port status", Message::PortStatus(PortStatus { reason: PortReason::Add, port: port() })),
        ("role status", Message::RoleStatus(role)),
        (
            "table status",
            Message::TableStatus(TableStatus { reason: TableReason::VacancyDown, table: table() }),
        ),
        ("request forward", Message::RequestForward(request)),
    ]
}

/// Zone 5, TCP from 10.0.0.1 to port 80.
pub fn flush() -> CtFlush {
    let from = std::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped();
    let parts = vec![CtTuplePart::Source(from), CtTuplePart::DestinationPort(80)];
    CtFlush { ip_proto: 6, parts: vec![CtFlushPart::Original(CtTuple { parts }), CtFlushPart::Zone(5)] }
}

fn extensions() -> Vec<(&'static str, Message)> {
    let packet = PacketIn2 {
        packet: frame(),
        table: Some(TableId(20)),
        cookie: Some(Cookie(0x11)),
        reason: Some(PacketInReason::ApplyAction),
        metadata: Match::new().with(oxm::in_port(PortNo(3))).with(oxm::tun_id(5001)),
        userdata: Some(Bytes::from_static(&[1, 2, 3, 4, 5])),
        ..PacketIn2::default()
    };
    let map = TlvMap { class: 0x0102, kind: 0x80, length: 4, index: 0 };
    let all = vec![
        ("set packet-in format", Experimenter::SetPacketInFormat(PacketInFormat::Nxt2)),
        ("set controller id", Experimenter::SetControllerId(17)),
        ("packet in 2", Experimenter::PacketIn2(packet.clone())),
        (
            "packet in 2, cut and held",
            Experimenter::PacketIn2(PacketIn2 {
                full_len: Some(1500),
                buffer_id: Some(0x114),
                reason: Some(PacketInReason::NoMatch),
                userdata: None,
                ..packet
            }),
        ),
        (
            "tlv table mod",
            Experimenter::TlvTableMod(TlvTableMod { command: TlvCommand::Add, maps: vec![map] }),
        ),
        ("tlv table request", Experimenter::TlvTableRequest),
        (
            "tlv table reply",
            Experimenter::TlvTableReply(TlvTableReply {
                max_option_space: 256,
                max_fields: 64,
                maps: vec![map],
            }),
        ),
        ("ct flush zone", Experimenter::CtFlushZone(5)),
        ("ct flush", Experimenter::CtFlush(flush())),
    ];
    all.into_iter().map(|(name, message)| (name, Message::Experimenter(message))).collect()
}

fn questions() -> Vec<(&'static str, Message)> {
    let queues = QueueFilter { port: PortNo::ANY, queue: u32::MAX };
    let flags =
        MonitorFlags::INITIAL | MonitorFlags::ADD | MonitorFlags::REMOVED | MonitorFlags::INSTRUCTIONS;
    let all = vec![
        ("ask desc", Request::Desc),
        ("ask flows", Request::FlowDesc(FlowFilter::cookie(Cookie(0x10), 0xf0))),
        ("ask aggregate", Request::Aggregate(FlowFilter::table(TableId(3)))),
        ("ask table stats", Request::TableStats),
        ("ask port stats", Request::PortStats(PortNo::ANY)),
        ("ask queue stats", Request::QueueStats(queues)),
        ("ask group stats", Request::GroupStats(GroupId::ALL)),
        ("ask groups", Request::GroupDesc(GroupId::ALL)),
        ("ask group features", Request::GroupFeatures),
        ("ask meter stats", Request::MeterStats(MeterId::ALL)),
        ("ask meters", Request::MeterConfig(MeterId(3))),
        ("ask meter features", Request::MeterFeatures),
        ("ask table features", Request::TableFeatures(vec![])),
        ("ask ports", Request::PortDesc(PortNo::ANY)),
        ("ask tables", Request::TableDesc),
        ("ask queues", Request::QueueDesc(queues)),
        ("ask flow monitor", Request::FlowMonitor(vec![MonitorRequest::all(5, flags)])),
    ];
    all.into_iter().map(|(name, request)| (name, Message::from(request))).collect()
}

fn described() -> FlowDesc {
    let flow = flow();
    FlowDesc {
        table: flow.table,
        priority: flow.priority,
        idle_timeout: 5,
        hard_timeout: 60,
        flags: FlowFlags::SEND_FLOW_REM,
        importance: 8,
        cookie: flow.cookie,
        matching: flow.matching,
        stats: counters(),
        instructions: flow.instructions,
    }
}

fn updated() -> UpdatedFlow {
    let flow = flow();
    UpdatedFlow {
        table: flow.table,
        reason: FlowRemovedReason::Delete,
        idle_timeout: 5,
        hard_timeout: 60,
        priority: flow.priority,
        cookie: flow.cookie,
        matching: flow.matching,
        instructions: vec![],
    }
}

fn port_stats() -> PortStats {
    PortStats {
        port: PortNo(3),
        duration: Some(Duration::new(5, 6)),
        rx_packets: 1,
        tx_packets: 2,
        rx_bytes: 3,
        tx_bytes: 4,
        rx_dropped: 5,
        tx_dropped: 6,
        rx_errors: 7,
        tx_errors: 8,
        properties: vec![PortStatsProperty::Ethernet(EthernetErrors {
            rx_frame: 9,
            rx_over: 10,
            rx_crc: 11,
            collisions: 12,
        })],
    }
}

fn queue_answers() -> Vec<(&'static str, Reply)> {
    let stats = QueueStats {
        port: PortNo(3),
        queue: 1,
        tx_bytes: 2,
        tx_packets: 3,
        tx_errors: 4,
        duration: Some(Duration::new(5, 6)),
        properties: vec![],
    };
    let desc = QueueDesc {
        port: PortNo(3),
        queue: 1,
        properties: vec![QueueProperty::MinRate(100), QueueProperty::MaxRate(500)],
    };
    vec![
        ("answer queue stats", Reply::QueueStats(vec![stats])),
        ("answer queues", Reply::QueueDesc(vec![desc])),
    ]
}

fn group_answers() -> Vec<(&'static str, Reply)> {
    let counted = Counted { packets: 7, bytes: 700 };
    let stats = GroupStats {
        group: GroupId(9),
        references: 2,
        counted,
        duration: Some(Duration::new(5, 6)),
        buckets: vec![counted, Counted { packets: 0, bytes: 0 }],
    };
    let describe = |group: GroupMod| GroupDesc {
        kind: group.kind,
        group: group.group,
        buckets: group.buckets,
        properties: group.properties,
    };
    let features =
        GroupFeatures { types: 0xf, capabilities: 0x7, max_groups: [0xffff_ff00; 4], actions: [1, 1, 1, 0] };
    vec![
        ("answer group stats", Reply::GroupStats(vec![stats])),
        (
            "answer groups",
            Reply::GroupDesc(vec![describe(flood()), describe(select()), describe(failover())]),
        ),
        ("answer group features", Reply::GroupFeatures(features)),
    ]
}

fn meter_answers() -> Vec<(&'static str, Reply)> {
    let counted = Counted { packets: 7, bytes: 700 };
    let stats = MeterStats {
        meter: MeterId(3),
        references: 2,
        counted,
        duration: Some(Duration::new(5, 6)),
        bands: vec![counted],
    };
    let config = MeterConfig { flags: meter().flags, meter: MeterId(3), bands: meter().bands };
    let features = MeterFeatures {
        max_meters: 100,
        band_types: 2,
        capabilities: 3,
        max_bands: 8,
        max_color: 0,
        features: None,
    };
    vec![
        ("answer meter stats", Reply::MeterStats(vec![stats])),
        ("answer meters", Reply::MeterConfig(vec![config])),
        ("answer meter features", Reply::MeterFeatures(features)),
    ]
}

fn answers() -> Vec<(&'static str, Message)> {
    let desc = SwitchDesc {
        manufacturer: PaddedText::new("Nicira, Inc."),
        software: PaddedText::new("3.1.0"),
        datapath: PaddedText::new("br-int"),
        ..SwitchDesc::default()
    };
    let aggregate = FlowStats { flows: Some(3), duration: None, ..counters() };
    let table_stats = TableStats { table: TableId(0), active: 1, lookups: 2, matches: 3 };
    let updates = vec![
        FlowUpdate::Flow(UpdateEvent::Initial, updated()),
        FlowUpdate::Flow(UpdateEvent::Removed, updated()),
        FlowUpdate::Own(Xid(0x55)),
        FlowUpdate::Paused,
        FlowUpdate::Resumed,
    ];
    let mut all = vec![
        ("answer desc", Reply::Desc(Box::new(desc))),
        ("answer flows", Reply::FlowDesc(vec![described(), described()])),
        ("answer aggregate", Reply::Aggregate(aggregate)),
        ("answer table stats", Reply::TableStats(vec![table_stats])),
        ("answer port stats", Reply::PortStats(vec![port_stats()])),
        ("answer ports", Reply::PortDesc(vec![port(), port()])),
        ("answer tables", Reply::TableDesc(vec![table()])),
        ("answer flow monitor", Reply::FlowMonitor(updates)),
    ];
    all.extend(queue_answers());
    all.extend(group_answers());
    all.extend(meter_answers());
    all.into_iter().map(|(name, reply)| (name, Message::from(reply))).collect()
}
