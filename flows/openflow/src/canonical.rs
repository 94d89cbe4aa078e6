//! The normal form of instructions, in which what was sent equals what a switch reads back.

use crate::action::{Action, CopyField, Resubmit};
use crate::ids::{PortNo, TableId};
use crate::instruction::Instruction;
use crate::oxm::{FieldHeader, OxmField, table};

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
        // Also a list of which nothing is left, such as a field set in none of its bits.
        Instruction::ApplyActions(actions) => {
            Some(canonical_actions(actions)).filter(|left| !left.is_empty()).map(Instruction::ApplyActions)
        }
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
            // How much of a packet to send only matters to the controller.
            Action::Output { port, .. } if *port != PortNo::CONTROLLER => out.push(Action::output(*port)),
            Action::Note(text) => out.push(Action::note(text)),
            Action::Resubmit(resubmit) => {
                let table = resubmit.table.filter(|&table| table != TableId::ALL);
                out.push(Action::Resubmit(Resubmit { table, ..*resubmit }));
            }
            Action::CopyField(copy) => {
                out.push(Action::CopyField(CopyField {
                    src: standard(copy.src),
                    dst: standard(copy.dst),
                    ..*copy
                }));
            }
            other => out.push(other.clone()),
        }
    }
    out
}

/// A field by its standard name, which is the one that Open vSwitch sends in OpenFlow 1.5.
fn standard(field: FieldHeader) -> FieldHeader {
    FieldHeader { id: table::twin(field.id).unwrap_or(field.id), ..field }
}

fn set_field(field: OxmField) -> Action {
    Action::SetField(field)
}
