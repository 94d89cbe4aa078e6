//! What we write, Open vSwitch's own tool reads, and it prints it as we do.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod generate;

use generate::{flow, flow_mod, samples};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::process::Command;
use weft_openflow::text::{InstructionList, parse_flow, parse_instructions, parse_match};
use weft_openflow::{Instruction, Match, Reader, Writer, canonical_instructions};

/// What `ovs-ofctl` prints of messages, by transaction id.
fn printed_by_ovs(messages: &[u8]) -> BTreeMap<u32, String> {
    let dir = tempdir();
    let file = dir.join("messages");
    std::fs::write(&file, messages).unwrap();
    let output = Command::new("ovs-ofctl").arg("ofp-parse").arg(&file).output().expect("ovs-ofctl runs");
    std::fs::remove_dir_all(&dir).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let (_, rest) = line.split_once("(xid=0x")?;
        let (xid, rest) = rest.split_once("): ")?;
        Some((u32::from_str_radix(xid, 16).ok()?, rest.trim_end().to_owned()))
    };
    let read: BTreeMap<u32, String> = text.lines().filter_map(line).collect();
    assert!(!read.is_empty(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    read
}

/// A directory of this process's own.
fn tempdir() -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("weft-openflow-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn ovs_prints_our_bytes_as_we_do() {
    let flows = samples(flow(), 4000);
    let messages: Vec<u8> =
        (0..).zip(&flows).flat_map(|(xid, flow)| flow_mod(xid, 0, 0x8000, flow)).collect();
    let printed = printed_by_ovs(&messages);
    let mut wrong = Vec::new();
    for (xid, (matches, instructions)) in (0..).zip(&flows) {
        let matches = matches.to_string();
        let space = if matches.is_empty() { "" } else { " " };
        let ours = format!("ADD {matches}{space}actions={}", InstructionList(instructions));
        let theirs = printed.get(&xid).map_or("nothing", String::as_str);
        if ours != theirs {
            wrong.push(format!("ours:   {ours}\ntheirs: {theirs}\n"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        flows.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
}

#[test]
fn ovs_refuses_a_match_whose_field_comes_before_what_it_needs() {
    let some = samples(generate::matches(), 2000);
    let reversed: Vec<Match> = some.iter().map(|m| m.fields().iter().rev().cloned().collect()).collect();
    let all: Vec<Match> = some.into_iter().chain(reversed).collect();
    let messages = (0..).zip(&all).flat_map(|(xid, m)| flow_mod(xid, 0, 0x8000, &(m.clone(), vec![])));
    let printed = printed_by_ovs(&messages.collect::<Vec<u8>>());
    for (xid, matches) in (0..).zip(&all) {
        let refused = printed[&xid].contains("OFPBMC_BAD_PREREQ");
        assert_eq!(
            matches.unmet().is_some(),
            refused,
            "{matches:?}: {:?} {}",
            matches.unmet(),
            printed[&xid]
        );
    }
    assert!(all.iter().filter(|m| m.unmet().is_some()).count() > 100);
}

proptest! {
    #[test]
    fn what_we_print_we_read((matches, instructions) in flow()) {
        let read = parse_match(&matches.to_string()).unwrap();
        prop_assert_eq!(read.canonical(), matches.canonical(), "{}", matches);
        let text = InstructionList(&instructions).to_string();
        let read = parse_instructions(&text).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        prop_assert_eq!(canonical_instructions(&read), canonical_instructions(&instructions), "{}", text);
        let whole = format!("table=3,{matches} actions={text}");
        prop_assert_eq!(parse_flow(&whole).unwrap().matches.canonical(), matches.canonical());
    }

    #[test]
    fn what_we_write_we_read(flow in flow()) {
        let bytes = flow_mod(1, 2, 3, &flow);
        let mut r = Reader::new(&bytes);
        r.skip(48).unwrap();
        let matches = Match::decode(&mut r).unwrap();
        let left = r.remaining();
        let instructions = Instruction::decode_list(&mut r, left).unwrap();
        prop_assert_eq!(&matches, &flow.0);
        prop_assert_eq!(&instructions, &flow.1);
        let again = canonical_instructions(&instructions);
        prop_assert_eq!(canonical_instructions(&again), again.clone());
        prop_assert_eq!(matches.canonical().canonical_bytes(), matches.canonical_bytes());
        let mut w = Writer::new();
        Instruction::encode_list(&instructions, &mut w);
        prop_assert_eq!(w.as_slice(), &bytes[bytes.len() - left..]);
    }
}
