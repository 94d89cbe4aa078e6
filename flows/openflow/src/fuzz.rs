//! What must hold for any bytes and any text at all: the bodies of the fuzz targets.
//!
//! The targets in `fuzz/` call these functions, and so do ordinary tests, with a corpus and random input.

use crate::action::Action;
use crate::canonical::canonical_instructions;
use crate::instruction::Instruction;
use crate::oxm::Match;
use crate::received;
use crate::text::{ActionList, InstructionList, parse_flow};
use crate::wire::{Reader, Writer};

/// Matches, actions and instructions: whatever can be read is written and read again as the same, and can
/// be printed and brought into normal form.
///
/// # Panics
/// When that does not hold.
pub fn fields(data: &[u8]) {
    if let Ok(matches) = Match::decode(&mut Reader::new(data)) {
        check_match(&matches);
    }
    let mut out = [0; 1024];
    let direct = received::canonical_fields(data, &mut out);
    if let Ok(matches) = Match::decode_fields(&mut Reader::new(data)) {
        check_match(&matches);
        if let Some(length) = direct {
            assert_eq!(out[..length], matches.canonical_bytes()[..]);
        }
    } else {
        assert_eq!(direct, None);
    }
    if let Ok(actions) = Action::decode_list(&mut Reader::new(data), data.len()) {
        let mut w = Writer::new();
        Action::encode_list(&actions, &mut w);
        let again = Action::decode_list(&mut Reader::new(w.as_slice()), w.len());
        assert_eq!(again.as_ref(), Ok(&actions));
        let _ = ActionList(&actions).to_string();
    }
    if let Ok(instructions) = Instruction::decode_list(&mut Reader::new(data), data.len()) {
        let mut w = Writer::new();
        Instruction::encode_list(&instructions, &mut w);
        let again = Instruction::decode_list(&mut Reader::new(w.as_slice()), w.len());
        assert_eq!(again.as_ref(), Ok(&instructions));
        let _ = InstructionList(&instructions).to_string();
        let canonical = canonical_instructions(&instructions);
        assert_eq!(canonical_instructions(&canonical), canonical);
        if received::are_canonical_instructions(data) {
            let mut w = Writer::new();
            Instruction::encode_list(&canonical, &mut w);
            assert_eq!(w.as_slice(), data);
        }
    } else {
        assert!(!received::are_canonical_instructions(data));
    }
}

fn check_match(matches: &Match) {
    let mut w = Writer::new();
    matches.encode(&mut w);
    if !w.is_oversize() {
        assert_eq!(Match::decode(&mut Reader::new(w.as_slice())).as_ref(), Ok(matches));
    }
    let canonical = matches.canonical();
    assert_eq!(canonical.canonical(), canonical);
    let _ = matches.to_string();
}

/// Flows as text: whatever can be read prints as text that reads as the same.
///
/// # Panics
/// When that does not hold.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(flow) = parse_flow(text) else { return };
    let printed = flow.to_string();
    let again = parse_flow(&printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(again.matches.canonical(), flow.matches.canonical(), "{printed}");
    let (again, flow) = (&again.instructions, &flow.instructions);
    assert_eq!(canonical_instructions(again), canonical_instructions(flow), "{printed}");
}
