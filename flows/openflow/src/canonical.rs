//! The normal form of instructions, in which what was sent equals what a switch reads back.

use crate::action::Action;
use crate::instruction::Instruction;
use crate::oxm::OxmField;

/// The normal form of a flow's instructions, in which what was sent to Open vSwitch equals what it dumps.
pub fn canonical_instructions(instructions: &[Instruction]) -> Vec<Instruction> {
    let mut out: Vec<Instruction> = instructions.iter().filter_map(one).collect();
    out.sort_by_key(order);
    out
}

/// Instructions run in a fixed order whatever the order in which they are sent, so Open vSwitch sends
/// them back in that order.
fn order(instruction: &Instruction) -> u8 {
    match instruction {
        Instruction::Meter(_) => 0,
        Instruction::ApplyActions(_) => 1,
        Instruction::ClearActions => 2,
        Instruction::WriteActions(_) => 3,
        Instruction::WriteMetadata { .. } => 4,
        Instruction::GotoTable(_) => 5,
        _ => 6,
    }
}

fn one(instruction: &Instruction) -> Option<Instruction> {
    match instruction {
        Instruction::ApplyActions(actions) if actions.is_empty() => None,
        Instruction::ApplyActions(actions) => Some(Instruction::ApplyActions(canonical_actions(actions))),
        Instruction::WriteActions(actions) => Some(Instruction::WriteActions(canonical_actions(actions))),
        Instruction::WriteMetadata { metadata, mask } => {
            Some(Instruction::WriteMetadata { metadata: metadata & mask, mask: *mask })
        }
        other => Some(other.clone()),
    }
}

/// The normal form of an action list; its order is kept, for it is its meaning.
pub fn canonical_actions(actions: &[Action]) -> Vec<Action> {
    let mut out = Vec::with_capacity(actions.len());
    for action in actions {
        match action {
            Action::SetField(field) => out.extend(field.simplified().map(set_field)),
            Action::Clone(inner) => out.push(Action::Clone(canonical_actions(inner))),
            Action::Ct(ct) => {
                let mut ct = ct.clone();
                ct.actions = canonical_actions(&ct.actions);
                out.push(Action::Ct(ct));
            }
            Action::Note(text) => out.push(Action::note(text)),
            other => out.push(other.clone()),
        }
    }
    out
}

fn set_field(field: OxmField) -> Action {
    Action::SetField(field)
}
