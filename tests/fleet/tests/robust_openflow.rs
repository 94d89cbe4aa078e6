//! Proves that no bytes make a simulated switch panic: random ones, and good messages with bytes changed.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use proptest::prelude::*;
use weft_fleet::openflow::depot::Depot;
use weft_fleet::openflow::switch::Switch;
use weft_fleet::openflow::wire::{BadLength, first_length};
use weft_fleet::wanted;
use weft_openflow::message::multipart::{FlowFilter, MonitorFlags, MonitorRequest, Request};
use weft_openflow::message::*;
use weft_openflow::text::parse_flow;
use weft_openflow::*;

/// One message of each kind that a switch parses.
fn good() -> Vec<Vec<u8>> {
    let flow =
        parse_flow("reg0=5,tcp,nw_src=10.0.0.0/8,actions=set_field:7->reg3,group:1,clone(output:2)").unwrap();
    let flow = FlowMod::add(TableId(1), 5, flow.matches, flow.instructions);
    let bucket = |id| Bucket::new(BucketId(id), vec![Action::output(PortNo(1))]);
    let group = GroupMod::put(GroupId(1), GroupType::All, vec![bucket(1), bucket(2)]);
    let insert = GroupMod::insert_buckets(GroupId(1), BucketId(1), vec![bucket(3)]);
    let monitor = MonitorRequest::all(1, MonitorFlags::INITIAL | MonitorFlags::ADD);
    let ask = |request: Request| Message::MultipartRequest((&request).into());
    let inside = |message| Message::BundleAdd(BundleAdd::new(BundleId(1), BundleFlags::ATOMIC, message));
    let commit = BundleControl::new(BundleId(1), BundleCommand::CommitRequest, BundleFlags::ATOMIC);
    let messages = vec![
        Message::GroupMod(group.clone()),
        Message::FlowMod(flow.clone()),
        Message::FlowMod(FlowMod { command: FlowCommand::Modify, ..flow.clone() }),
        Message::GroupMod(insert),
        inside(Message::FlowMod(flow.clone())),
        inside(Message::GroupMod(group)),
        Message::BundleControl(commit),
        ask(Request::FlowDesc(FlowFilter::all())),
        ask(Request::GroupDesc(GroupId::ALL)),
        ask(Request::GroupStats(GroupId::ALL)),
        ask(Request::PortDesc(PortNo::ANY)),
        ask(Request::MeterConfig(MeterId::ALL)),
        ask(Request::FlowMonitor(vec![monitor])),
        Message::FlowMod(FlowMod { command: FlowCommand::Delete, ..flow }),
        Message::EchoRequest(bytes::Bytes::from_static(b"x")),
        Message::SetConfig(SwitchConfig { flags: 0, miss_send_len: 9 }),
    ];
    messages.iter().map(|message| message.encode(Xid(7)).to_vec()).collect()
}

/// Plays frames to a switch; whatever is answered must be whole messages.
fn play(frames: &[Vec<u8>]) {
    let (mut depot, mut switch, mut out) = (Depot::new(), Switch::new("br0", 1), Vec::new());
    switch.connected(&mut out);
    for frame in frames {
        switch.handle(&mut depot, frame, &mut out);
        let _ = switch.meddle(&mut depot, frame.get(8..).unwrap_or_default(), &mut out);
    }
    let mut rest = &out[..];
    while !rest.is_empty() {
        let length = first_length(rest).unwrap().unwrap();
        rest = &rest[length..];
    }
    let _ = wanted(frames.iter().map(|frame| &frame[..]));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn random_bytes_do_no_harm(kind in 0u8..40, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let length = u16::try_from(body.len() + 8).unwrap().to_be_bytes();
        let frame = [&[6, kind, length[0], length[1], 0, 0, 0, 1][..], &body].concat();
        play(&[frame, body]);
    }

    #[test]
    fn changed_bytes_do_no_harm(changes in proptest::collection::vec((0usize..16, any::<u16>(), any::<u8>()), 1..12)) {
        let mut frames = good();
        for (which, at, value) in changes {
            let frame = &mut frames[which];
            // The frame's own length stays true: whoever cuts the stream sees to that.
            let at = usize::from(at) % frame.len();
            if !(2..4).contains(&at) {
                frame[at] = value;
            }
        }
        play(&frames);
    }

    #[test]
    fn cut_off_bytes_do_no_harm(which in 0usize..16, keep in 8u16..400) {
        let mut frames = good();
        let kept = usize::from(keep).min(frames[which].len());
        frames[which].truncate(kept);
        frames[which][2..4].copy_from_slice(&u16::try_from(kept).unwrap().to_be_bytes());
        play(&frames);
    }
}

#[test]
fn a_stream_is_cut_where_its_lengths_say() {
    assert_eq!(first_length(&[6, 0, 0]), Ok(None));
    assert_eq!(first_length(&[6, 0, 0, 16, 0]), Ok(Some(16)));
    assert_eq!(first_length(&[6, 0, 0, 7]), Err(BadLength(7)));
}

#[test]
fn what_is_good_is_taken() {
    let (mut depot, mut switch, mut out) = (Depot::new(), Switch::new("br0", 1), Vec::new());
    switch.connected(&mut out);
    for frame in good() {
        switch.handle(&mut depot, &frame, &mut out);
    }
    assert_eq!((switch.counters().errors, switch.counters().unsupported), (0, 0));
}
