//! A whole flow as text, both ways.

use super::actions_in::parse_with_protocol;
use super::actions_out::InstructionList;
use super::error::{ParseError, ParseErrorKind};
use super::match_in::MatchBuilder;
use super::split::args;
use super::values::parse_int;
use crate::ids::{Cookie, FlowFlags, TableId};
use crate::instruction::Instruction;
use crate::oxm::Match;
use std::fmt::{self, Display, Formatter};

/// A flow as it is written down: what a flow modification carries besides its command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The table; `None` when the text does not say (0 then, or all in a filter).
    pub table: Option<TableId>,
    /// The priority; of all flows that match the highest counts.
    pub priority: u16,
    /// The controller's label.
    pub cookie: Cookie,
    /// In a filter: which bits of the cookie count.
    pub cookie_mask: Option<u64>,
    /// Seconds without a packet after which the flow goes, 0 for never.
    pub idle_timeout: u16,
    /// Seconds after which the flow goes, 0 for never.
    pub hard_timeout: u16,
    /// How much the flow is worth when a table is full.
    pub importance: u16,
    /// What else it asks for.
    pub flags: FlowFlags,
    /// What a packet must look like.
    pub matches: Match,
    /// What is done with it.
    pub instructions: Vec<Instruction>,
}

impl Flow {
    /// The priority that a flow has when its text gives none.
    pub const DEFAULT_PRIORITY: u16 = 0x8000;
}

impl Default for Flow {
    fn default() -> Self {
        Flow {
            table: None,
            priority: Flow::DEFAULT_PRIORITY,
            cookie: Cookie(0),
            cookie_mask: None,
            idle_timeout: 0,
            hard_timeout: 0,
            importance: 0,
            flags: FlowFlags::default(),
            matches: Match::new(),
            instructions: Vec::new(),
        }
    }
}

/// Words of the flags, in the order in which they are printed.
const FLAGS: &[(FlowFlags, &str)] = &[
    (FlowFlags::SEND_FLOW_REM, "send_flow_rem"),
    (FlowFlags::CHECK_OVERLAP, "check_overlap"),
    (FlowFlags::RESET_COUNTS, "reset_counts"),
    (FlowFlags::NO_PKT_COUNTS, "no_packet_counts"),
    (FlowFlags::NO_BYT_COUNTS, "no_byte_counts"),
];

/// In the form that [`parse_flow`] and `ovs-ofctl add-flow` read.
impl Display for Flow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.cookie.0 != 0 || self.cookie_mask.is_some() {
            write!(f, "cookie={}", self.cookie)?;
            self.cookie_mask.map_or(Ok(()), |mask| write!(f, "/{mask:#x}"))?;
            f.write_str(",")?;
        }
        if let Some(table) = self.table {
            write!(f, "table={table},")?;
        }
        for (name, number) in [
            ("idle_timeout", self.idle_timeout),
            ("hard_timeout", self.hard_timeout),
            ("importance", self.importance),
        ] {
            if number != 0 {
                write!(f, "{name}={number},")?;
            }
        }
        for (flag, word) in FLAGS {
            if self.flags.contains(*flag) {
                write!(f, "{word},")?;
            }
        }
        if self.priority != Flow::DEFAULT_PRIORITY {
            write!(f, "priority={},", self.priority)?;
        }
        let matches = self.matches.to_string();
        let blank = if matches.is_empty() { "" } else { " " };
        write!(f, "{matches}{blank}actions={}", InstructionList(&self.instructions))
    }
}

/// Reads a flow such as `table=3,priority=100,ip,reg0=5 actions=resubmit(,7)`.
///
/// Counters and ages, as `dump-flows` prints them, are skipped.
///
/// # Errors
/// The first part that has no meaning, or `BadValue` when there are no `actions=`.
pub fn parse_flow(text: &str) -> Result<Flow, ParseError> {
    let (head, actions) = split_actions(text).ok_or_else(|| ParseErrorKind::BadValue.of(text))?;
    let mut flow = Flow::default();
    let mut matches = MatchBuilder::default();
    for arg in args(head)? {
        if matches.accept(arg)? {
            continue;
        }
        if let Some((flag, _)) = FLAGS.iter().find(|(_, word)| arg.is_word() && *word == arg.name) {
            flow.flags |= *flag;
            continue;
        }
        match arg.name {
            "table" => flow.table = Some(TableId(parse_int(arg.value)?)),
            "priority" => flow.priority = parse_int(arg.value)?,
            "idle_timeout" => flow.idle_timeout = parse_int(arg.value)?,
            "hard_timeout" => flow.hard_timeout = parse_int(arg.value)?,
            "importance" => flow.importance = parse_int(arg.value)?,
            "cookie" => match arg.value.split_once('/') {
                None => flow.cookie = Cookie(parse_int(arg.value)?),
                Some((cookie, mask)) => {
                    flow.cookie = Cookie(parse_int(cookie)?);
                    flow.cookie_mask = Some(if mask == "-1" { u64::MAX } else { parse_int(mask)? });
                }
            },
            "duration" | "n_packets" | "n_bytes" | "idle_age" | "hard_age" => {}
            _ => return Err(ParseErrorKind::UnknownField.of(arg.text)),
        }
    }
    let protocol = matches.protocol();
    flow.matches = matches.finish()?;
    flow.instructions = parse_with_protocol(actions, protocol)?;
    Ok(flow)
}

/// What stands before and after `actions=` (or `action=`), which must begin a word.
fn split_actions(text: &str) -> Option<(&str, &str)> {
    for keyword in ["actions=", "action="] {
        let mut places = text.match_indices(keyword);
        let found = places.find(|(at, _)| text[..*at].chars().last().is_none_or(|c| " ,\t\r\n".contains(c)));
        if let Some((at, _)) = found {
            return Some((&text[..at], text[at + keyword.len()..].trim()));
        }
    }
    None
}
