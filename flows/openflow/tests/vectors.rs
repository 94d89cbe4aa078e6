//! Flows as Open vSwitch writes them: bytes to types to the same bytes, and the same text both ways.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use weft_openflow::text::{InstructionList, parse_flow};
use weft_openflow::{Action, Instruction, Match, Reader, Writer, canonical_instructions};

/// Offset of the match in a flow modification message.
const MATCH_AT: usize = 48;

struct Vector {
    input: String,
    printed: String,
    bytes: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("vectors/flows.txt");
    let blocks = text.split("\n\n").skip(1);
    let read = |block: &str| {
        let mut lines = block.trim().lines().map(str::to_owned);
        let (input, printed, hex) = (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes = (0..hex.len()).step_by(2).map(byte).collect();
        Vector { input, printed, bytes }
    };
    blocks.map(read).collect()
}

fn decode(bytes: &[u8]) -> (Match, Vec<Instruction>) {
    let mut r = Reader::new(bytes);
    r.skip(MATCH_AT).unwrap();
    let matches = Match::decode(&mut r).unwrap();
    let left = r.remaining();
    (matches, Instruction::decode_list(&mut r, left).unwrap())
}

/// Actions of a list, those inside others included.
fn flatten<'a>(actions: &'a [Action], out: &mut Vec<&'a Action>) {
    for action in actions {
        out.push(action);
        match action {
            Action::Clone(inner) => flatten(inner, out),
            Action::Ct(ct) => flatten(&ct.actions, out),
            _ => {}
        }
    }
}

#[test]
fn bytes_survive_and_every_action_is_known() {
    let vectors = vectors();
    assert!(vectors.len() > 60);
    for Vector { input, bytes, .. } in &vectors {
        let (matches, instructions) = decode(bytes);
        let mut w = Writer::new();
        w.bytes(&bytes[..MATCH_AT]);
        matches.encode(&mut w);
        Instruction::encode_list(&instructions, &mut w);
        assert_eq!(w.as_slice(), bytes, "{input}");
        for instruction in &instructions {
            assert!(!matches!(instruction, Instruction::Raw(_)), "{input}: {instruction:?}");
            if let Instruction::ApplyActions(actions) | Instruction::WriteActions(actions) = instruction {
                let mut all = Vec::new();
                flatten(actions, &mut all);
                let raw = all.iter().find(|action| matches!(action, Action::Raw(_)));
                assert!(raw.is_none(), "{input}: {raw:?}");
            }
        }
    }
}

/// The match and the actions of a printed flow modification.
fn printed_parts(printed: &str) -> (String, &str) {
    let (head, actions) = printed.split_once("actions=").unwrap();
    let is_match = |word: &&str| {
        !word.is_empty()
            && !word.contains(':') | word.contains('=')
            && !["ADD", "send_flow_rem", "check_overlap", "reset_counts"].contains(word)
            && !["no_packet_counts", "no_byte_counts"].contains(word)
    };
    let matches = head.split(' ').find(is_match).unwrap_or_default();
    let parts = matches.split(',').filter(|part| !part.starts_with("priority="));
    (parts.collect::<Vec<_>>().join(","), actions)
}

#[test]
fn we_print_what_open_vswitch_prints() {
    for Vector { input, printed, bytes } in vectors() {
        let (matches, instructions) = decode(&bytes);
        let (their_match, their_actions) = printed_parts(&printed);
        assert_eq!(matches.to_string(), their_match, "{input}");
        assert_eq!(InstructionList(&instructions).to_string(), their_actions, "{input}");
    }
}

#[test]
fn we_read_what_people_and_open_vswitch_write() {
    for Vector { input, bytes, .. } in vectors() {
        let (matches, instructions) = decode(&bytes);
        let flow = parse_flow(&input).unwrap_or_else(|error| panic!("{input}: {error}"));
        assert_eq!(flow.matches.canonical(), matches.canonical(), "{input}");
        assert_eq!(
            canonical_instructions(&flow.instructions),
            canonical_instructions(&instructions),
            "{input}"
        );
        let again = parse_flow(&flow.to_string()).unwrap_or_else(|error| panic!("{flow}: {error}"));
        assert_eq!(again.to_string(), flow.to_string(), "{input}");
        assert_eq!(again.matches.canonical(), matches.canonical(), "{input}");
        assert_eq!(
            canonical_instructions(&again.instructions),
            canonical_instructions(&instructions),
            "{flow}"
        );
    }
}
