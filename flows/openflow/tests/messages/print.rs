//! Every message as Open vSwitch's own printer reads it: our bytes must mean to it what we meant.

use crate::samples;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use weft_openflow::Xid;
use weft_openflow::message::multipart::MultipartKind;
use weft_openflow::message::{Message, MessageKind};

/// What `ovs-ofctl` prints for a stream of messages.
fn printed(stream: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("stream");
    std::fs::write(&file, stream).unwrap();
    let output = Command::new("ovs-ofctl")
        .args(["-vconsole:off", "--names", "ofp-parse"])
        .arg(&file)
        .output()
        .expect("ovs-ofctl is needed: install the Debian package openvswitch-switch");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Proves that Open vSwitch reads every message as it was meant, by text that was reviewed once.
#[test]
fn open_vswitch_reads_every_message_as_it_was_meant() {
    let mut actual = String::new();
    for (name, message) in samples::all() {
        let text = printed(&message.try_encode(Xid(0x1001)).unwrap());
        assert!(!text.contains("***") && !text.contains("decode error"), "{name}: {text}");
        writeln!(actual, "## {name}\n{}\n", text.trim_end()).unwrap();
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/messages.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &actual).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap();
    assert!(
        actual == wanted,
        "Open vSwitch reads messages differently (UPDATE_GOLDEN=1 shows where):\n{actual}"
    );
}

/// Proves that the samples leave no kind of message out, so that none goes unread by Open vSwitch.
#[test]
fn every_kind_of_message_has_a_sample() {
    let all = samples::all();
    for number in (0..=34).filter(|number| ![22, 23].contains(number)) {
        let kind = MessageKind::from_wire(number);
        assert!(all.iter().any(|(_, message)| message.kind() == kind), "{kind:?}");
    }
    for number in 0..=16 {
        let kind = MultipartKind::from_wire(number);
        assert!(
            all.iter().any(|(_, m)| matches!(m, Message::MultipartRequest(r) if r.kind == kind)),
            "{kind:?}"
        );
        // What tables can do is taken from a running switch: nobody would write that by hand.
        let answered = all.iter().any(|(_, m)| matches!(m, Message::MultipartReply(r) if r.kind == kind));
        assert!(answered || kind == MultipartKind::TableFeatures, "{kind:?}");
    }
}
