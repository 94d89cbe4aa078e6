//! Proves that after thousands of random valid changes, alone and in bundles, a simulated switch and Open vSwitch
//! hold the same and have said the same on the way. The changes are the same in every run.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::normal::normal;
use support::parties::{Party, Real, Simulated};
use weft_openflow::message::multipart::{FlowFilter, Request};
use weft_openflow::message::*;
use weft_openflow::*;

/// Few places and few contents, so that changes meet what is there.
fn matching() -> impl Strategy<Value = Match> {
    let field = prop_oneof![
        (0u8..3, 0u32..3).prop_map(|(n, value)| vec![oxm::reg(n, value)]),
        (0u32..4, 0u32..4).prop_map(|(value, mask)| vec![oxm::reg_masked(5, value & mask, mask)]),
        (0u64..2).prop_map(|value| vec![oxm::xreg(1, value << 32 | 1)]),
        (1u8..4).prop_map(|last| vec![oxm::eth_dst([2, 0, 0, 0, 0, last])]),
        Just(vec![oxm::eth_type(0x800)]),
        Just(vec![oxm::eth_type(0x800), oxm::ip_proto(6), oxm::tcp_dst(80)]),
        (1u64..3).prop_map(|value| vec![oxm::tun_id(value)]),
    ];
    proptest::collection::vec(field, 0..3).prop_map(|fields| {
        let mut out = Match::new();
        for field in fields.into_iter().flatten() {
            let clashes = |n: u8| field.id() == FieldId::reg(n) || field.id() == FieldId::xreg(1);
            let wide = out.get(FieldId::xreg(1)).is_some() || out.get(FieldId::reg(2)).is_some();
            if out.get(field.id()).is_none() && !(wide && (clashes(2) || clashes(3))) {
                out.push(field);
            }
        }
        out
    })
}

fn instructions() -> impl Strategy<Value = Vec<Instruction>> {
    let actions = prop_oneof![
        (1u32..5).prop_map(|port| Action::output(PortNo(port))),
        (1u32..4).prop_map(|group| Action::Group(GroupId(group))),
        (0u32..9).prop_map(|value| Action::SetField(oxm::reg(7, value))),
    ];
    (proptest::collection::vec(actions, 0..3), proptest::option::of(100u8..104)).prop_map(
        |(actions, next)| {
            let goto = next.map(|table| Instruction::GotoTable(TableId(table)));
            [Instruction::ApplyActions(actions)].into_iter().chain(goto).collect()
        },
    )
}

fn flow_mod() -> impl Strategy<Value = Message> {
    let command = prop_oneof![
        8 => Just(FlowCommand::Add),
        2 => Just(FlowCommand::Modify),
        2 => Just(FlowCommand::ModifyStrict),
        1 => Just(FlowCommand::Delete),
        4 => Just(FlowCommand::DeleteStrict),
    ];
    let filter = prop_oneof![3 => Just(0u64), 1 => Just(1u64), 1 => Just(u64::MAX)];
    let overlap = prop_oneof![9 => Just(FlowFlags::empty()), 1 => Just(FlowFlags::CHECK_OVERLAP)];
    (command, 0u8..3, 0u16..3, 0u64..4, filter, overlap, matching(), instructions()).prop_map(
        |(command, table, priority, cookie, cookie_mask, flags, matching, instructions)| {
            let (table, cookie) = (TableId(table), Cookie(cookie));
            let flow = FlowMod::add(table, priority, matching, instructions).only_cookie(cookie, cookie_mask);
            Message::FlowMod(FlowMod { command, flags, ..flow })
        },
    )
}

fn group_mod() -> impl Strategy<Value = Message> {
    let bucket = (1u32..6, 1u32..4)
        .prop_map(|(id, port)| Bucket::new(BucketId(id), vec![Action::output(PortNo(port))]));
    let at = prop_oneof![Just(BucketId::FIRST), Just(BucketId::LAST), (1u32..6).prop_map(BucketId)];
    let buckets = proptest::collection::vec(bucket, 0..3);
    (0u8..6, 1u32..4, buckets, at).prop_map(|(command, group, buckets, at)| {
        let group = GroupId(group);
        Message::GroupMod(match command {
            0 => GroupMod::add(group, GroupType::All, buckets),
            1 => GroupMod::modify(group, GroupType::All, buckets),
            // Open vSwitch 3.1 loops for ever in some insertions of no buckets at all.
            2 | 3 if !buckets.is_empty() => GroupMod::insert_buckets(group, at, buckets),
            4 => GroupMod::remove_bucket(group, at),
            _ => GroupMod::delete(group),
        })
    })
}

fn change() -> impl Strategy<Value = Message> {
    prop_oneof![5 => flow_mod(), 2 => group_mod()]
}

/// Open vSwitch 3.1 ends with a failed assertion (`group != NULL`) after some bundles that delete groups which their
/// flows use, and a loose change in a bundle can miss a flow that the same bundle has replaced.
fn is_sound_in_bundles(message: &Message) -> bool {
    match message {
        Message::GroupMod(group) => group.command != GroupCommand::Delete,
        Message::FlowMod(flow) => !matches!(flow.command, FlowCommand::Modify | FlowCommand::Delete),
        _ => true,
    }
}

/// Some changes, alone or in a bundle.
fn step() -> impl Strategy<Value = (Vec<Message>, bool)> {
    (proptest::collection::vec(change(), 1..6), any::<bool>()).prop_map(|(mut messages, together)| {
        messages.retain(|message| !together || is_sound_in_bundles(message));
        for message in &mut messages {
            if let Message::FlowMod(flow) = message {
                flow.instructions.iter_mut().for_each(with_each_group_once);
            }
        }
        (messages, together)
    })
}

/// Open vSwitch 3.1 ends with a failed assertion (`rule->state == RULE_INSERTED`) when a group is deleted that a flow
/// sends to twice.
fn with_each_group_once(instruction: &mut Instruction) {
    let mut seen = Vec::new();
    if let Instruction::ApplyActions(actions) = instruction {
        actions.retain(|action| {
            let Action::Group(group) = action else { return true };
            let first = !seen.contains(group);
            seen.push(*group);
            first
        });
    }
}

#[test]
fn random_changes_leave_the_same() {
    const STEPS: u32 = 4000;
    const DUMP_EVERY: u32 = 5;
    let (real, mut simulated) = (Real::start(), Simulated::start());
    let mut connection = real.connect();
    let hello = Message::Hello(Hello::ours()).encode(Xid(5));
    connection.play(&hello);
    simulated.play(&hello);
    let mut runner = TestRunner::deterministic();
    for number in 0..STEPS {
        let (messages, together) = step().new_tree(&mut runner).unwrap().current();
        let mut w = Writer::new();
        let place = BundleWriter::atomic(BundleId(number));
        if together {
            place.control(BundleCommand::OpenRequest, Xid(number * 100), &mut w);
        }
        for (xid, message) in (number * 100 + 1..).zip(&messages) {
            match message {
                message if together => place.message(message, Xid(xid), &mut w),
                message => w.bytes(&message.encode(Xid(xid))),
            }
        }
        if together {
            place.control(BundleCommand::CommitRequest, Xid(number * 100 + 99), &mut w);
        }
        if number % DUMP_EVERY == 0 {
            for request in [Request::FlowDesc(FlowFilter::all()), Request::GroupDesc(GroupId::ALL)] {
                w.bytes(&Message::MultipartRequest((&request).into()).encode(Xid(number)));
            }
        }
        let bytes = w.into_bytes();
        let (theirs, ours) = (normal(&connection.play(&bytes)), normal(&simulated.play(&bytes)));
        assert!(ours == theirs, "step {number}:\n{}\n{messages:#?}", difference(&ours, &theirs));
    }
    let counters = simulated.switch.counters();
    assert!(counters.errors > 100 && counters.committed > 300, "too little happened: {counters:?}");
}

/// The entries of answers that only one of them has.
fn difference(ours: &[String], theirs: &[String]) -> String {
    let entries = |all: &[String]| all.iter().flat_map(|line| line.split("; ")).map(str::to_owned).collect();
    let (ours, theirs): (Vec<String>, Vec<String>) = (entries(ours), entries(theirs));
    let only = |some: &[String], others: &[String]| -> Vec<String> {
        some.iter().filter(|entry| !others.contains(entry)).cloned().collect()
    };
    format!("simulated only: {:#?}\nreal only: {:#?}", only(&ours, &theirs), only(&theirs, &ours))
}
