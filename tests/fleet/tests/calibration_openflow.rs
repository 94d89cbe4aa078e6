//! Proves that a simulated switch answers as Open vSwitch does: one script, played to both, must have equal answers.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use support::normal::normal;
use support::parties::{Party, Real, Simulated};
use weft_openflow::message::multipart::{FlowFilter, MonitorFlags, MonitorRequest, Request};
use weft_openflow::message::*;
use weft_openflow::text::parse_flow;
use weft_openflow::*;

/// A script: steps with names, each some messages.
#[derive(Default)]
struct Script {
    steps: Vec<(String, Vec<u8>)>,
    xid: u32,
}

impl Script {
    fn raw(&mut self, name: &str, bytes: Vec<u8>) {
        self.steps.push((name.to_owned(), bytes));
    }

    fn next(&mut self) -> Xid {
        self.xid += 1;
        Xid(self.xid)
    }

    fn send(&mut self, name: &str, message: Message) {
        let xid = self.next();
        self.raw(name, message.encode(xid).to_vec());
    }

    fn ask(&mut self, name: &str, request: Request) {
        self.send(name, Message::MultipartRequest((&request).into()));
    }

    /// A message of any type with any body.
    fn odd(&mut self, name: &str, kind: u8, body: &[u8]) {
        let xid = self.next();
        let mut bytes = vec![6, kind];
        bytes.extend(u16::try_from(body.len() + 8).unwrap().to_be_bytes());
        bytes.extend(xid.0.to_be_bytes());
        bytes.extend(body);
        self.raw(name, bytes);
    }

    fn flow(&mut self, name: &str, command: FlowCommand, text: &str) {
        self.send(name, Message::FlowMod(FlowMod { command, ..flow(text) }));
    }

    fn dump(&mut self, name: &str) {
        self.ask(&format!("{name}: flows"), Request::FlowDesc(FlowFilter::all()));
        self.ask(&format!("{name}: groups"), Request::GroupDesc(GroupId(1)));
        self.ask(&format!("{name}: group 2"), Request::GroupDesc(GroupId(2)));
    }

    /// A bundle with these messages; `end` is what is done with it.
    fn bundle(&mut self, name: &str, messages: &[Message], end: &[BundleCommand]) {
        let place = BundleWriter::atomic(BundleId(self.next().0));
        let mut w = Writer::new();
        place.control(BundleCommand::OpenRequest, self.next(), &mut w);
        for message in messages {
            place.message(message, self.next(), &mut w);
        }
        for command in end {
            place.control(*command, self.next(), &mut w);
        }
        self.raw(name, w.into_bytes().to_vec());
    }

    fn check(&self, real: &mut impl Party, simulated: &mut impl Party) {
        let mut wrong = Vec::new();
        for (name, bytes) in &self.steps {
            let (theirs, ours) = (normal(&real.play(bytes)), normal(&simulated.play(bytes)));
            if ours != theirs {
                wrong.push(format!("{name}\n  simulated {ours:?}\n  real      {theirs:?}"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {} steps differ:\n{}",
            wrong.len(),
            self.steps.len(),
            wrong.join("\n")
        );
    }
}

fn flow(text: &str) -> FlowMod {
    let flow = parse_flow(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    FlowMod {
        table: flow.table.unwrap_or(TableId(0)),
        priority: flow.priority,
        cookie: flow.cookie,
        matching: flow.matches,
        instructions: flow.instructions,
        ..FlowMod::default()
    }
}

fn to(id: u32, port: u32) -> Bucket {
    Bucket::new(BucketId(id), vec![Action::output(PortNo(port))])
}

fn alive(id: u32, port: u32) -> Bucket {
    to(id, port).with(BucketProperty::WatchPort(PortNo(port)))
}

fn play(fill: impl FnOnce(&mut Script)) -> Simulated {
    let (real, mut simulated) = (Real::start(), Simulated::start());
    let mut script = Script { xid: 0x1000, ..Script::default() };
    script.raw("hello", Message::Hello(Hello::ours()).encode(Xid(5)).to_vec());
    fill(&mut script);
    // Hellos cross; the real one's xid is its own business.
    let mut connection = real.connect();
    let hello = script.steps.remove(0).1;
    let (theirs, ours) = (connection.play(&hello), simulated.play(&hello));
    assert_eq!((theirs[0][1], &theirs[0][8..]), (ours[0][1], &ours[0][8..]), "hello");
    script.check(&mut connection, &mut simulated);
    simulated
}

const ADD: FlowCommand = FlowCommand::Add;
const COMMIT: &[BundleCommand] = &[BundleCommand::CommitRequest];

#[test]
fn questions_have_the_same_answers() {
    play(|s| {
        s.send("features", Message::FeaturesRequest);
        s.send("echo", Message::EchoRequest(bytes::Bytes::from_static(b"abc")));
        s.send("barrier", Message::BarrierRequest);
        s.ask("description", Request::Desc);
        s.ask("ports", Request::PortDesc(PortNo::ANY));
        s.ask("one port", Request::PortDesc(PortNo(2)));
        s.ask("no such port", Request::PortDesc(PortNo(77)));
        s.ask("port statistics", Request::PortStats(PortNo::ANY));
        s.ask("table statistics", Request::TableStats);
        s.ask("table description", Request::TableDesc);
        s.ask("table features", Request::TableFeatures(vec![]));
        s.ask("group features", Request::GroupFeatures);
        s.ask("meter features", Request::MeterFeatures);
        s.ask("no meters", Request::MeterConfig(MeterId::ALL));
        s.ask("no groups", Request::GroupDesc(GroupId::ALL));
        s.ask("no group statistics", Request::GroupStats(GroupId::ALL));
        s.ask("nothing to add up", Request::Aggregate(FlowFilter::all()));
        s.odd("get config", 7, &[]);
        s.odd("set config", 9, &[0, 0, 0xff, 0xff]);
        s.odd("get config again", 7, &[]);
        for kind in [5, 6, 8, 10, 11, 12, 21, 22, 23, 25, 27, 30, 31, 32, 35, 36, 99, 255] {
            s.odd(&format!("type {kind}"), kind, &[]);
        }
        s.odd("features with a body", 5, &[0; 8]);
        s.odd("short multipart", 18, &[0, 1]);
        for kind in [15u16, 17, 18, 99] {
            let body = [&kind.to_be_bytes()[..], &[0; 14]].concat();
            s.odd(&format!("multipart {kind}"), 18, &body);
        }
        s.odd("short flow request", 18, &[0, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
        s.odd("unknown experimenter", 4, &[0, 0, 0x12, 0x34, 0, 0, 0, 1]);
        s.odd("unknown Nicira message", 4, &[0, 0, 0x23, 0x20, 0, 0, 0x77, 1]);
        s.odd("packet-in format", 4, &[0, 0, 0x23, 0x20, 0, 0, 0, 16, 0, 0, 0, 2]);
        s.odd("controller id", 4, &[0, 0, 0x23, 0x20, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 7]);
        s.odd("flush of a zone", 4, &[0, 0, 0x23, 0x20, 0, 0, 0, 29, 0, 0, 0, 0, 0, 0, 0, 5]);
    });
}

#[test]
fn roles_are_taken_alike() {
    play(|s| {
        let role = |role: u32, generation: u64| {
            [&role.to_be_bytes()[..], &[0; 4], &generation.to_be_bytes()].concat()
        };
        s.odd("what am I", 24, &role(0, 0));
        s.odd("primary", 24, &role(2, 5));
        s.odd("stale", 24, &role(3, 4));
        s.odd("secondary", 24, &role(3, 6));
        s.flow("a secondary adds", ADD, "table=1,priority=5,ip,actions=drop");
        s.bundle("a secondary's bundle", &[], COMMIT);
        s.ask("a secondary may ask", Request::FlowDesc(FlowFilter::all()));
        s.odd("equal", 24, &role(1, 0));
        s.flow("an equal adds", ADD, "table=1,priority=5,ip,actions=drop");
        s.odd("no such role", 24, &role(9, 0));
        s.dump("in the end");
    });
}

/// Flows in two tables, in all the ways that matter.
fn some_flows(s: &mut Script) {
    s.flow("add", ADD, "cookie=1,table=3,priority=9,reg0=5,dl_dst=02:00:00:00:00:01,actions=output:1");
    s.flow("add twice", ADD, "cookie=2,table=3,priority=9,reg0=5,dl_dst=02:00:00:00:00:01,actions=output:2");
    s.flow(
        "same, other order",
        ADD,
        "cookie=3,table=3,priority=9,dl_dst=02:00:00:00:00:01,reg0=5,actions=drop",
    );
    s.flow("wide registers", ADD, "cookie=4,table=3,priority=9,xreg0=0x500000006,actions=goto_table:9");
    s.flow(
        "narrow ones",
        ADD,
        "cookie=5,table=3,priority=9,reg0=5,reg1=6,actions=set_field:7->reg3,output:3",
    );
    s.flow(
        "tcp",
        ADD,
        "cookie=0x10,table=4,priority=1,tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=output:1,output:2",
    );
    s.flow("all of it", ADD, "cookie=0x11,table=4,priority=0,actions=drop");
    s.dump("after adds");
}

#[test]
fn flows_are_added_and_refused_alike() {
    let simulated = play(|s| {
        some_flows(s);
        s.flow("backwards goto", ADD, "table=9,actions=goto_table:3");
        s.flow("unknown group", ADD, "table=9,actions=group:77");
        s.send("all tables", Message::FlowMod(FlowMod { table: TableId::ALL, ..flow("actions=drop") }));
        s.send(
            "overlap",
            Message::FlowMod(FlowMod {
                flags: FlowFlags::CHECK_OVERLAP,
                ..flow("table=4,priority=1,tcp,nw_src=10.1.0.0/16,actions=drop")
            }),
        );
        s.send(
            "no overlap",
            Message::FlowMod(FlowMod {
                flags: FlowFlags::CHECK_OVERLAP | FlowFlags::RESET_COUNTS,
                idle_timeout: 1000,
                hard_timeout: 2000,
                importance: 7,
                ..flow("table=4,priority=1,udp,nw_src=10.1.0.0/16,actions=drop")
            }),
        );
        s.dump("after adds");
        let mut bad = Message::FlowMod(flow("table=1,actions=drop")).encode(Xid(0x77)).to_vec();
        bad[25] = 9;
        s.raw("unknown command", bad.clone());
        (bad[25], bad[44]) = (0, 0x80);
        s.raw("unknown flags", bad);
    });
    assert_eq!(simulated.switch.counters().unsupported, 0);
}

#[test]
fn flows_are_changed_and_deleted_alike() {
    play(|s| {
        some_flows(s);
        s.flow("modify nothing", FlowCommand::Modify, "table=7,actions=output:1");
        s.flow("modify", FlowCommand::Modify, "table=4,ip,actions=output:3");
        s.flow("modify strict", FlowCommand::ModifyStrict, "table=4,priority=0,actions=output:2");
        s.flow("modify to an unknown group", FlowCommand::Modify, "table=4,actions=group:78");
        s.dump("after modifications");
        s.ask("aggregate", Request::Aggregate(FlowFilter::table(TableId(4))));
        s.ask("by cookie", Request::FlowDesc(FlowFilter::cookie(Cookie(0x10), 0x10)));
        s.ask("by port", Request::FlowDesc(FlowFilter { out_port: PortNo(3), ..FlowFilter::all() }));
        s.ask(
            "within a match",
            Request::FlowDesc(FlowFilter {
                matching: flow("tcp,actions=drop").matching,
                ..FlowFilter::all()
            }),
        );
        s.ask("table statistics", Request::TableStats);
        s.send(
            "delete by a cookie that is not there",
            Message::FlowMod(
                FlowMod::delete_strict(TableId(4), 0, Match::new()).only_cookie(Cookie(0x99), u64::MAX),
            ),
        );
        s.flow("delete strict", FlowCommand::DeleteStrict, "table=4,priority=0,actions=drop");
        s.flow("delete loose", FlowCommand::Delete, "table=3,dl_dst=02:00:00:00:00:01,actions=drop");
        s.dump("after deletions");
        s.send("delete all", Message::FlowMod(FlowMod::delete_all(TableId::ALL, Match::new())));
        s.dump("in the end");
    });
}

/// A flow mod with these bytes as the fields of its match and these as its instructions.
fn handmade(fields: &[u8], instructions: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 16];
    body.extend([1, 0, 0, 0, 0, 0, 0, 9]);
    body.extend([0xff; 12]);
    body.extend([0; 4]);
    let length = fields.len() + 4;
    body.extend([0, 1]);
    body.extend(u16::try_from(length).unwrap().to_be_bytes());
    body.extend(fields);
    body.resize(40 + length.next_multiple_of(8), 0);
    body.extend(instructions);
    body
}

fn apply(actions: &[u8]) -> Vec<u8> {
    let length = u16::try_from(actions.len() + 8).unwrap().to_be_bytes();
    [&[0, 4, length[0], length[1], 0, 0, 0, 0], actions].concat()
}

#[test]
fn malformed_flows_have_the_same_errors() {
    let fields: &[(&str, &[u8])] = &[
        ("unknown field", &[0x80, 0, 60 << 1, 1, 0]),
        ("unknown class", &[0x12, 0x34, 0, 1, 0]),
        ("wrong length", &[0x80, 0, 5 << 1, 3, 8, 0, 0]),
        ("cut off", &[0x80, 0, 5 << 1, 2, 8]),
        ("no prerequisite", &[0x80, 0, 11 << 1, 4, 10, 0, 0, 1]),
        ("prerequisite comes later", &[0x80, 0, 11 << 1, 4, 10, 0, 0, 1, 0x80, 0, 5 << 1, 2, 8, 0]),
        ("twice", &[0x80, 0, 5 << 1, 2, 8, 0, 0x80, 0, 5 << 1, 2, 8, 0]),
        ("masked ether type", &[0x80, 0, 5 << 1 | 1, 4, 8, 0, 0xff, 0xf0]),
        ("tcp port of no protocol", &[0x80, 0, 5 << 1, 2, 8, 0, 0x80, 0, 14 << 1, 2, 0, 80]),
        ("fine", &[0x80, 0, 5 << 1, 2, 8, 0, 0x80, 0, 10 << 1, 1, 6, 0x80, 0, 14 << 1, 2, 0, 80]),
    ];
    let actions: &[(&str, &[u8])] = &[
        ("unknown action", &[0, 77, 0, 8, 0, 0, 0, 0]),
        ("short output", &[0, 0, 0, 8, 0, 0, 0, 1]),
        ("action of length 0", &[0, 0, 0, 0, 0, 0, 0, 0]),
        ("action beyond the end", &[0, 0, 0, 16, 0, 0, 0, 1]),
        ("reserved port", &[0, 0, 0, 16, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("port that is not there", &[0, 0, 0, 16, 0, 0, 0x50, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("unknown vendor", &[0xff, 0xff, 0, 16, 0, 0, 0x12, 0x34, 0, 1, 0, 0, 0, 0, 0, 0]),
        ("unknown Nicira action", &[0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0x70, 1, 0, 0, 0, 0, 0, 0]),
        ("set a field that is not there", &[0, 25, 0, 16, 0x80, 0, 60 << 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("unknown group", &[0, 22, 0, 8, 0, 0, 0, 77]),
        (
            "group 77 in a clone",
            &[0xff, 0xff, 0, 24, 0, 0, 0x23, 0x20, 0, 42, 0, 0, 0, 0, 0, 0, 0, 22, 0, 8, 0, 0, 0, 77],
        ),
        ("unknown meter", &[0, 29, 0, 8, 0, 0, 0, 77]),
    ];
    let instructions: &[(&str, &[u8])] = &[
        ("unknown instruction", &[0, 99, 0, 8, 0, 0, 0, 0]),
        ("experimenter instruction", &[0xff, 0xff, 0, 8, 0, 0, 0, 0]),
        ("short instruction", &[0, 1, 0, 4, 0, 0, 0, 0]),
        ("long goto", &[0, 1, 0, 16, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("goto twice", &[0, 1, 0, 8, 9, 0, 0, 0, 0, 1, 0, 8, 10, 0, 0, 0]),
        ("goto beyond", &[0, 1, 0, 8, 254, 0, 0, 0]),
        ("goto itself", &[0, 1, 0, 8, 1, 0, 0, 0]),
    ];
    play(|s| {
        for (name, fields) in fields {
            s.odd(name, 14, &handmade(fields, &[]));
        }
        for (name, actions) in actions {
            s.odd(name, 14, &handmade(&[], &apply(actions)));
        }
        for (name, instructions) in instructions {
            s.odd(name, 14, &handmade(&[], instructions));
        }
        s.odd("too short", 14, &[0; 20]);
        let mut fixed = handmade(&[], &[]);
        fixed[41] = 0;
        s.odd("match of another type", 14, &fixed);
        s.dump("in the end");
    });
}

#[test]
fn groups_that_choose_by_liveness_are_taken_and_refused_alike() {
    play(|s| {
        let group = |g: GroupMod| Message::GroupMod(g);
        let (first, second) = (GroupId(6), BucketId(2));
        s.send(
            "by liveness",
            group(GroupMod::put(first, GroupType::FastFailover, vec![alive(1, 1), alive(2, 2)])),
        );
        s.send(
            "by another order",
            group(GroupMod::put(first, GroupType::FastFailover, vec![alive(2, 2), alive(1, 1)])),
        );
        let insertion = GroupMod::insert_buckets(first, second, vec![alive(3, 3)]);
        s.send("into it", group(GroupMod { kind: GroupType::FastFailover, ..insertion.clone() }));
        s.send("into it as into another kind", group(insertion));
        s.send(
            "one that watches nothing",
            group(GroupMod::add(GroupId(7), GroupType::FastFailover, vec![to(1, 1)])),
        );
        s.send("a copy that watches", group(GroupMod::add(GroupId(8), GroupType::All, vec![alive(1, 1)])));
        s.send("an empty one", group(GroupMod::add(GroupId(9), GroupType::FastFailover, vec![])));
        s.dump("after those that choose by liveness");
    });
}

#[test]
fn groups_are_taken_and_refused_alike() {
    play(|s| {
        let group = |g: GroupMod| Message::GroupMod(g);
        let (one, two) = (GroupId(1), GroupId(2));
        s.send("add", group(GroupMod::add(one, GroupType::All, vec![to(1, 1), to(5, 2)])));
        s.send("add again", group(GroupMod::add(one, GroupType::All, vec![])));
        s.send("modify what is not there", group(GroupMod::modify(two, GroupType::All, vec![])));
        s.send("put", group(GroupMod::put(two, GroupType::All, vec![to(9, 1)])));
        s.send("put again", group(GroupMod::put(two, GroupType::All, vec![to(8, 3)])));
        s.dump("after adds");
        s.send("insert last", group(GroupMod::insert_buckets(one, BucketId::LAST, vec![to(7, 3)])));
        s.send(
            "insert first",
            group(GroupMod::insert_buckets(one, BucketId::FIRST, vec![to(8, 3), to(2, 1)])),
        );
        s.send("insert behind", group(GroupMod::insert_buckets(one, BucketId(1), vec![to(3, 3), to(4, 1)])));
        s.dump("after inserts");
        s.send(
            "insert one that is there",
            group(GroupMod::insert_buckets(one, BucketId::LAST, vec![to(7, 3)])),
        );
        s.send("insert behind nothing", group(GroupMod::insert_buckets(one, BucketId(99), vec![to(70, 3)])));
        s.send(
            "insert into nothing",
            group(GroupMod::insert_buckets(GroupId(3), BucketId::LAST, vec![to(7, 3)])),
        );
        s.send(
            "insert twins",
            group(GroupMod::insert_buckets(one, BucketId::LAST, vec![to(30, 3), to(30, 1)])),
        );
        s.send("remove", group(GroupMod::remove_bucket(one, BucketId(1))));
        s.send("remove again", group(GroupMod::remove_bucket(one, BucketId(1))));
        s.send("remove first", group(GroupMod::remove_bucket(one, BucketId::FIRST)));
        s.send("remove last", group(GroupMod::remove_bucket(one, BucketId::LAST)));
        s.dump("after removals");
        s.send("remove all", group(GroupMod::remove_bucket(two, BucketId::ALL)));
        s.send(
            "an indirect one of two",
            group(GroupMod::add(GroupId(5), GroupType::Indirect, vec![to(1, 1), to(2, 2)])),
        );
        s.send("too high a number", group(GroupMod::add(GroupId(0xffff_ff10), GroupType::All, vec![])));
        s.flow("a flow to group 1", ADD, "cookie=1,table=2,priority=1,actions=group:1");
        s.flow("a flow to none", ADD, "cookie=2,table=2,priority=2,actions=output:1");
        s.ask("who uses it", Request::GroupStats(one));
        s.ask("flows to it", Request::FlowDesc(FlowFilter { out_group: one, ..FlowFilter::all() }));
        s.send("delete what is not there", group(GroupMod::delete(GroupId(55))));
        s.send("delete", group(GroupMod::delete(one)));
        s.dump("after deletion");
        s.send("delete all", group(GroupMod::delete(GroupId::ALL)));
        s.dump("in the end");
        s.odd("too short", 15, &[0; 4]);
        s.odd("unknown command", 15, &[0, 9, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        s.odd("unknown type", 15, &[0, 0, 9, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        s.odd("buckets beyond the end", 15, &[0, 0, 0, 0, 0, 0, 0, 9, 0, 40, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    });
}

#[test]
fn bundles_are_taken_and_refused_alike() {
    play(|s| {
        let add = |text: &str| Message::FlowMod(flow(text));
        let delete =
            |text: &str| Message::FlowMod(FlowMod { command: FlowCommand::DeleteStrict, ..flow(text) });
        let put = Message::GroupMod(GroupMod::put(GroupId(1), GroupType::All, vec![to(1, 1)]));
        let (a, b) =
            ("cookie=1,table=1,priority=1,ip,actions=group:1", "cookie=2,table=1,priority=2,actions=drop");
        s.bundle("flows and a group", &[put, add(a), add(b)], COMMIT);
        s.dump("after the first");
        let close = &[BundleCommand::CloseRequest, BundleCommand::CommitRequest];
        s.bundle("closed first", &[add("table=2,actions=drop")], close);
        s.bundle("discarded", &[add("table=3,actions=drop")], &[BundleCommand::DiscardRequest]);
        let failing = [
            add("table=4,actions=drop"),
            delete(b),
            add("table=4,priority=7,actions=group:9"),
            add("table=5,actions=drop"),
        ];
        s.bundle("unknown group", &failing, COMMIT);
        s.dump("nothing happened");
        s.bundle(
            "undecodable member",
            &[add("table=6,actions=drop"), add("table=9,actions=goto_table:3")],
            COMMIT,
        );
        s.dump("the rest was done");
        s.bundle("barrier inside", &[Message::BarrierRequest, add("table=7,actions=drop")], COMMIT);
        s.bundle("committed twice", &[], &[BundleCommand::CommitRequest, BundleCommand::CommitRequest]);
        s.bundle(
            "closed twice",
            &[],
            &[BundleCommand::CloseRequest, BundleCommand::CloseRequest, BundleCommand::CommitRequest],
        );
        s.bundle("opened twice", &[], &[BundleCommand::OpenRequest, BundleCommand::CommitRequest]);
        s.bundle("a reply as a request", &[], &[BundleCommand::OpenReply, BundleCommand::CommitRequest]);
        let mut w = Writer::new();
        let place = BundleWriter::atomic(BundleId(0x5000));
        place.message(&add("table=8,actions=drop"), s.next(), &mut w);
        place.control(BundleCommand::CommitRequest, s.next(), &mut w);
        s.raw("never opened", w.into_bytes().to_vec());
        let mut w = Writer::new();
        place.control(BundleCommand::OpenRequest, s.next(), &mut w);
        let other = BundleWriter { flags: BundleFlags::ORDERED, ..place };
        other.message(&add("table=10,actions=drop"), s.next(), &mut w);
        place.control(BundleCommand::CommitRequest, s.next(), &mut w);
        s.raw("flags that differ", w.into_bytes().to_vec());
        s.odd("too short", 33, &[0; 4]);
        s.odd("add too short", 34, &[0, 0, 0, 1, 0, 0, 0, 3, 6, 14]);
        s.odd("another version inside", 34, &[0, 0, 0, 1, 0, 0, 0, 3, 4, 14, 0, 8, 0, 0, 0, 1]);
        s.odd("another xid inside", 34, &[0, 0, 0, 1, 0, 0, 0, 3, 6, 14, 0, 8, 0, 0, 0, 1]);
        s.dump("in the end");
    });
}

#[test]
fn meters_are_taken_alike() {
    play(|s| {
        let meter = |command: MeterCommand, id: u32| {
            let band = MeterBand { rate: 1000, burst: 500, kind: BandKind::Drop };
            let bands = if command == MeterCommand::Delete { vec![] } else { vec![band] };
            let flags = MeterFlags::PKTPS | MeterFlags::BURST | MeterFlags::STATS;
            Message::MeterMod(MeterMod { command, flags, meter: MeterId(id), bands })
        };
        s.send("add", meter(MeterCommand::Add, 3));
        s.send("add again", meter(MeterCommand::Add, 3));
        s.send("modify", meter(MeterCommand::Modify, 3));
        s.send("modify what is not there", meter(MeterCommand::Modify, 4));
        s.send("number 0", meter(MeterCommand::Add, 0));
        s.ask("configuration", Request::MeterConfig(MeterId::ALL));
        s.ask("statistics", Request::MeterStats(MeterId::ALL));
        s.ask("not there", Request::MeterConfig(MeterId(9)));
        s.flow("a flow through it", ADD, "table=2,priority=1,actions=meter:3,output:1");
        s.send("delete what is not there", meter(MeterCommand::Delete, 9));
        s.send("delete", meter(MeterCommand::Delete, 3));
        s.dump("in the end");
        let inside = [meter(MeterCommand::Add, 5)];
        s.bundle("in a bundle", &inside, COMMIT);
    });
}

#[test]
fn monitors_tell_alike() {
    let monitor = |id, flags| MonitorRequest::all(id, flags);
    let all = MonitorFlags::INITIAL | MonitorFlags::ADD | MonitorFlags::REMOVED | MonitorFlags::MODIFY;
    let script = |fill: &dyn Fn(&mut Script)| {
        let mut script = Script { xid: 0x1000, ..Script::default() };
        fill(&mut script);
        script
    };
    let setup = script(&|s| {
        s.flow("before", ADD, "cookie=1,table=1,priority=1,reg0=1,actions=output:1");
        s.ask("start", Request::FlowMonitor(vec![monitor(1, all | MonitorFlags::INSTRUCTIONS)]));
        s.flow("own add", ADD, "cookie=2,table=1,priority=2,actions=output:1");
        let bundle = ["cookie=3,table=1,priority=3,actions=drop", "cookie=4,table=1,priority=4,actions=drop"];
        s.bundle("own bundle", &bundle.map(|text| Message::FlowMod(flow(text))), COMMIT);
        let failing = ["cookie=3,table=1,priority=5,actions=drop", "table=1,priority=6,actions=group:9"];
        s.bundle("failed bundle", &failing.map(|text| Message::FlowMod(flow(text))), COMMIT);
    });
    let theirs = script(&|s| {
        s.flow("another's add", ADD, "cookie=9,table=2,priority=2,ip,actions=output:1");
        s.flow("another's change", ADD, "cookie=9,table=2,priority=2,ip,actions=output:2");
        s.flow("another's change of nothing", ADD, "cookie=9,table=2,priority=2,ip,actions=output:2");
        s.flow("another's new cookie", ADD, "cookie=10,table=2,priority=2,ip,actions=output:2");
        s.flow("another's modification", FlowCommand::Modify, "table=2,actions=output:3");
        s.flow("another's deletion", FlowCommand::Delete, "table=1,reg0=1,actions=drop");
    });
    let rest = script(&|s| {
        s.ask(
            "modified",
            Request::FlowMonitor(vec![MonitorRequest {
                command: multipart::MonitorCommand::Modify,
                table: TableId(7),
                ..monitor(1, all)
            }]),
        );
        s.flow("elsewhere", ADD, "cookie=11,table=1,priority=9,actions=drop");
        s.flow("there", ADD, "cookie=11,table=7,priority=9,actions=drop");
        s.ask(
            "stop",
            Request::FlowMonitor(vec![MonitorRequest {
                command: multipart::MonitorCommand::Delete,
                ..monitor(1, all)
            }]),
        );
        s.flow("silence", ADD, "cookie=12,table=7,priority=10,actions=drop");
        s.dump("in the end");
    });
    let (real, mut simulated) = (Real::start(), Simulated::start());
    let (mut first, mut second) = (real.connect(), real.connect());
    let hello = Message::Hello(Hello::ours()).encode(Xid(5));
    for connection in [&mut first, &mut second] {
        connection.play(&hello);
    }
    simulated.play(&hello);
    setup.check(&mut first, &mut simulated);
    for (name, bytes) in &theirs.steps {
        second.play(bytes);
        let mut out = Vec::new();
        simulated.switch.meddle(&mut simulated.depot, &bytes[8..], &mut out).unwrap();
        let ours = if out.is_empty() { vec![] } else { vec![out] };
        assert_eq!(normal(&ours), normal(&first.play(&[])), "{name}: left simulated, right Open vSwitch");
    }
    rest.check(&mut first, &mut simulated);
}
