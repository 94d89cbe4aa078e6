//! Flows and groups as text for people: `ovs-ofctl`'s syntax with the names of tables, registers and reasons.

use weft_openflow::text::ActionList;
use weft_openflow::{Action, FieldId, Instruction, Match, OxmField, Reader, TableId};

use crate::flow::{Flow, FlowKey, Group, GroupKind, WatchedBucket};
use crate::pipeline;
use crate::reasons::Reason;
use crate::registers::{self, REASON, Register};

/// One flow as one line, without its cookie and counters.
pub fn flow_text(flow: &Flow) -> String {
    let mut reader = Reader::new(&flow.instructions);
    let instructions = Instruction::decode_list(&mut reader, flow.instructions.len()).unwrap_or_default();
    let place = place_text(flow.table, flow.priority, &flow.match_bytes);
    format!("{place} actions={}", instructions_text(&instructions))
}

/// Where a flow stands, as one line: its table, priority and match.
pub fn key_text(key: &FlowKey) -> String {
    place_text(key.table, key.priority, &key.match_bytes)
}

fn place_text(table: u8, priority: u16, match_bytes: &[u8]) -> String {
    let matching = Match::decode_fields(&mut Reader::new(match_bytes)).unwrap_or_default();
    let table = table_name(TableId(table));
    let mut parts = vec![format!("table={table}"), format!("priority={priority}")];
    parts.extend(match_parts(&matching));
    parts.join(",")
}

/// One group as a line for itself and one for every bucket.
pub fn group_text(group: &Group) -> String {
    let kind = match group.kind {
        GroupKind::All => "all",
        GroupKind::FastFailover => "fast_failover",
    };
    let mut lines = vec![format!("group={:#010x},type={kind}", group.id)];
    for (bucket, actions) in &group.buckets {
        let actions = Action::decode_list(&mut Reader::new(actions), actions.len()).unwrap_or_default();
        let name = match group.kind {
            GroupKind::All => format!("bucket={bucket}"),
            GroupKind::FastFailover => {
                let WatchedBucket { rank, watch } = WatchedBucket::of(*bucket);
                format!("bucket={rank},watch_port={watch}")
            }
        };
        lines.push(format!("  {name},actions={}", actions_text(&actions)));
    }
    lines.join("\n")
}

fn match_parts(matching: &Match) -> Vec<String> {
    let (ours, others): (Vec<_>, Vec<_>) =
        matching.fields().iter().cloned().partition(|field| register(field.id()).is_some());
    let mut parts: Vec<String> = ours.iter().filter_map(register_text).collect();
    let rest = Match::from_iter(others).to_string();
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// `name=value`, with a mask where there is one.
fn register_text(field: &OxmField) -> Option<String> {
    let (register, value) = (register(field.id())?, field.value()?);
    let mask = field.mask().map_or_else(String::new, |mask| format!("/{mask:#x}"));
    Some(format!("{}={}{mask}", register.name, value_text(register, value)))
}

/// The value in words where there are any, else in decimal, as VNIs and keys are spoken of.
fn value_text(register: Register, value: u128) -> String {
    let reason = u32::try_from(value).ok().and_then(Reason::from_number).filter(|_| register == REASON);
    reason.map_or_else(|| value.to_string(), |reason| reason.name().to_owned())
}

fn instructions_text(instructions: &[Instruction]) -> String {
    let texts = instructions.iter().map(|instruction| match instruction {
        Instruction::ApplyActions(actions) => actions_text(actions),
        Instruction::GotoTable(table) => format!("goto_table:{}", table_name(*table)),
        other => format!("{other:?}"),
    });
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() { "drop".to_owned() } else { texts.join(",") }
}

fn actions_text(actions: &[Action]) -> String {
    actions.iter().map(action_text).collect::<Vec<_>>().join(",")
}

fn action_text(action: &Action) -> String {
    match action {
        Action::SetField(field) => match (register(field.id()), field.value()) {
            (Some(register), Some(value)) => {
                let mask = field.mask().map_or_else(String::new, |mask| format!("/{mask:#x}"));
                format!("set_field:{}{mask}->{}", value_text(register, value), register.name)
            }
            _ => ActionList(std::slice::from_ref(action)).to_string(),
        },
        Action::Resubmit(to) => match to.table {
            Some(table) => format!("resubmit(,{})", table_name(table)),
            None => ActionList(std::slice::from_ref(action)).to_string(),
        },
        Action::Group(group) => format!("group:{:#010x}", group.0),
        other => ActionList(std::slice::from_ref(other)).to_string(),
    }
}

fn register(field: FieldId) -> Option<Register> {
    registers::ALL.into_iter().find(|register| register.field() == field)
}

fn table_name(table: TableId) -> String {
    pipeline::table(table.0).map_or_else(|| table.to_string(), |table| table.name.to_owned())
}
