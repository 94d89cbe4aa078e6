//! Reading actions and instructions.

use super::actions_out::NEXT_PROTOCOL;
use super::error::{ParseError, ParseErrorKind};
use super::match_in::{by_protocol, field};
use super::nested_in;
use super::split::{Arg, args};
use super::subfields::{parse_field, parse_subfield};
use super::values::{parse_int, parse_number, parse_port};
use crate::action::{Action, CopyField, Resubmit, Tuple, WHOLE_PACKET};
use crate::canonical::canonical_actions;
use crate::ids::{GroupId, MeterId, PortNo, TableId};
use crate::instruction::Instruction;
use crate::oxm::{self, OxmField, table};
use crate::wire::MAX_DEPTH;

/// What a match says of the protocol, which decides what some actions mean.
pub(super) type Protocol = (Option<u128>, Option<u128>);

/// What the text of actions is read with.
#[derive(Clone, Copy, Default)]
pub(super) struct Context {
    protocol: Protocol,
    depth: u8,
}

impl Context {
    /// The same, one level of nesting deeper.
    pub fn deeper(self, text: &str) -> Result<Context, ParseError> {
        if self.depth >= MAX_DEPTH {
            return Err(ParseErrorKind::TooDeep.of(text));
        }
        Ok(Context { depth: self.depth + 1, ..self })
    }
}

/// Reads actions such as `set_field:5->reg0,resubmit(,7)`; `drop` is none.
///
/// # Errors
/// The first action that is unknown or whose argument does not fit; instructions are not actions.
pub fn parse_actions(text: &str) -> Result<Vec<Action>, ParseError> {
    parse_list(text, Context::default())
}

/// Reads what stands after `actions=` in a flow: actions to apply, and instructions.
///
/// # Errors
/// As [`parse_actions`].
pub fn parse_instructions(text: &str) -> Result<Vec<Instruction>, ParseError> {
    parse_with_protocol(text, (None, None))
}

pub(super) fn parse_with_protocol(text: &str, protocol: Protocol) -> Result<Vec<Instruction>, ParseError> {
    let context = Context { protocol, depth: 0 };
    let (mut actions, mut others) = (Vec::new(), Vec::new());
    for arg in args(text)? {
        match arg.name {
            "goto_table" => others.push(Instruction::GotoTable(TableId(parse_int(arg.value)?))),
            "write_metadata" => {
                let (metadata, mask) = parse_metadata(arg.value)?;
                others.push(Instruction::WriteMetadata { metadata, mask });
            }
            "write_actions" => {
                others.push(Instruction::WriteActions(parse_list(arg.value, context.deeper(text)?)?));
            }
            "clear_actions" if arg.is_word() => others.push(Instruction::ClearActions),
            _ => parse_action(arg, context, &mut actions)?,
        }
    }
    let mut out = Vec::new();
    if !actions.is_empty() {
        out.push(Instruction::ApplyActions(actions));
    }
    out.append(&mut others);
    Ok(out)
}

/// Reads a list of actions.
pub(super) fn parse_list(text: &str, context: Context) -> Result<Vec<Action>, ParseError> {
    let mut out = Vec::new();
    for arg in args(text)? {
        parse_action(arg, context, &mut out)?;
    }
    Ok(out)
}

fn parse_metadata(text: &str) -> Result<(u64, u64), ParseError> {
    match text.split_once('/') {
        Some((metadata, mask)) => Ok((parse_int(metadata)?, parse_int(mask)?)),
        None => Ok((parse_int(text)?, u64::MAX)),
    }
}

/// Reads one action and appends it; a few words stand for several actions, `drop` for none.
fn parse_action(arg: Arg<'_>, context: Context, out: &mut Vec<Action>) -> Result<(), ParseError> {
    let value = arg.value;
    out.push(match arg.name {
        "drop" if arg.is_word() => return Ok(()),
        "output" => parse_output(arg)?,
        "controller" | "CONTROLLER" => nested_in::parse_controller(value)?,
        "enqueue" => return parse_enqueue(arg, out),
        "resubmit" => parse_resubmit(arg)?,
        "group" => Action::Group(GroupId(parse_int(value)?)),
        "meter" => Action::Meter(MeterId(parse_int(value)?)),
        "set_field" => Action::SetField(parse_set_field(arg, context)?),
        "load" => Action::SetField(parse_load(arg)?),
        "move" => parse_move(arg)?,
        "note" => Action::note(&nested_in::parse_hex(value)?),
        "conjunction" => parse_conjunction(arg)?,
        "clone" => Action::Clone(parse_list(value, context.deeper(arg.text)?)?),
        "ct" => nested_in::parse_ct(value, context.deeper(arg.text)?)?,
        "nat" => nested_in::parse_nat(value)?,
        "learn" => Action::Learn(Box::new(super::learn::parse_learn(value)?)),
        "multipath" => nested_in::parse_multipath(arg)?,
        "bundle" | "bundle_load" => nested_in::parse_bundle(arg)?,
        "sample" => nested_in::parse_sample(value)?,
        "encap" => nested_in::parse_encap(value)?,
        "decap" => parse_decap(value)?,
        "fin_timeout" => nested_in::parse_fin_timeout(value)?,
        "check_pkt_larger" => parse_check_pkt_larger(arg)?,
        _ => match parse_simple(arg)?.or(parse_old(arg, context)?) {
            Some(action) => action,
            None => {
                Action::output(parse_port(arg.text).map_err(|_| ParseErrorKind::UnknownAction.of(arg.text))?)
            }
        },
    });
    Ok(())
}

/// Actions with no argument or with one number or field.
fn parse_simple(arg: Arg<'_>) -> Result<Option<Action>, ParseError> {
    let value = arg.value;
    Ok(Some(match arg.name {
        "copy_ttl_out" => Action::CopyTtlOut,
        "copy_ttl_in" => Action::CopyTtlIn,
        "set_mpls_ttl" => Action::SetMplsTtl(parse_int(value)?),
        "dec_mpls_ttl" => Action::DecMplsTtl,
        "push_vlan" => Action::PushVlan(parse_int(value)?),
        "pop_vlan" | "strip_vlan" => Action::PopVlan,
        "push_mpls" => Action::PushMpls(parse_int(value)?),
        "pop_mpls" => Action::PopMpls(parse_int(value)?),
        "push_pbb" => Action::PushPbb(parse_int(value)?),
        "pop_pbb" => Action::PopPbb,
        "set_queue" => Action::SetQueue(parse_int(value)?),
        "pop_queue" => Action::PopQueue,
        "mod_nw_ttl" => Action::SetNwTtl(parse_int(value)?),
        "dec_ttl" if arg.is_word() => Action::DecNwTtl,
        "dec_ttl" => {
            let ids = args(value)?.into_iter().map(|arg| parse_int(arg.text));
            Action::DecTtlCntIds(ids.collect::<Result<_, _>>()?)
        }
        "exit" => Action::Exit,
        "ct_clear" => Action::CtClear,
        "dec_nsh_ttl" => Action::DecNshTtl,
        "push" => Action::StackPush(parse_subfield(value)?),
        "pop" => Action::StackPop(parse_subfield(value)?),
        "delete_field" => Action::DeleteField(parse_field(value)?),
        _ => return Ok(None),
    }))
}

/// Older words that set a field.
fn parse_old(arg: Arg<'_>, context: Context) -> Result<Option<Action>, ParseError> {
    let name = match arg.name {
        "mod_dl_src" => "eth_src",
        "mod_dl_dst" => "eth_dst",
        "mod_nw_src" => "ip_src",
        "mod_nw_dst" => "ip_dst",
        "mod_nw_ecn" => "ip_ecn",
        "mod_tp_src" => by_protocol("tp_src", context.protocol),
        "mod_tp_dst" => by_protocol("tp_dst", context.protocol),
        "set_mpls_label" => "mpls_label",
        "set_mpls_tc" => "mpls_tc",
        "set_tunnel" | "set_tunnel64" => "tun_id",
        "mod_nw_tos" => {
            let tos: u8 = parse_int(arg.value)?;
            return Ok(Some(Action::SetField(oxm::ip_dscp(tos >> 2))));
        }
        "mod_vlan_vid" => return Ok(Some(Action::SetField(oxm::vlan_vid(parse_int(arg.value)?)))),
        "mod_vlan_pcp" => return Ok(Some(Action::SetField(oxm::vlan_pcp(parse_int(arg.value)?)))),
        _ => return Ok(None),
    };
    let spec = table::by_name(name).ok_or_else(|| ParseErrorKind::UnknownField.of(name))?;
    let set = field(&spec, arg.value)?.ok_or_else(|| ParseErrorKind::BadValue.of(arg.text))?;
    Ok(Some(Action::SetField(set)))
}

fn parse_output(arg: Arg<'_>) -> Result<Action, ParseError> {
    // In parentheses it is an output of the packet's beginning.
    if arg.text.ends_with(')') {
        let (mut port, mut max_len) = (None, None);
        for part in args(arg.value)? {
            match part.name {
                "port" => port = Some(parse_port(part.value)?),
                "max_len" => max_len = Some(parse_int(part.value)?),
                _ => return Err(ParseErrorKind::UnknownField.of(part.text)),
            }
        }
        return match (port, max_len) {
            (Some(port), Some(max_len)) => Ok(Action::OutputTrunc { port, max_len }),
            _ => Err(ParseErrorKind::BadValue.of(arg.text)),
        };
    }
    match parse_port(arg.value) {
        Ok(port) => Ok(Action::output(port)),
        Err(_) => Ok(Action::OutputReg { src: parse_subfield(arg.value)?, max_len: WHOLE_PACKET }),
    }
}

fn parse_enqueue(arg: Arg<'_>, out: &mut Vec<Action>) -> Result<(), ParseError> {
    let (port, queue) = match arg.value.split_once([':', ',']) {
        Some(parts) => parts,
        None => return Err(ParseErrorKind::BadValue.of(arg.text)),
    };
    let port = parse_port(port)?;
    out.extend([Action::SetQueue(parse_int(queue)?), Action::output(port), Action::PopQueue]);
    Ok(())
}

fn parse_resubmit(arg: Arg<'_>) -> Result<Action, ParseError> {
    let mut parts = arg.value.split(',').map(str::trim);
    let port = match parts.next().filter(|part| !part.is_empty()) {
        Some(port) => parse_port(port)?,
        None => PortNo::IN_PORT,
    };
    if port.to_u16().is_none() {
        return Err(ParseErrorKind::OutOfRange.of(arg.text));
    }
    let table = parts.next().filter(|part| !part.is_empty()).map(parse_int).transpose()?.map(TableId);
    let tuple = match parts.next() {
        None => Tuple::Packet,
        Some("ct") => Tuple::Tracked,
        Some(other) => return Err(ParseErrorKind::BadValue.of(other)),
    };
    if table.is_none() && port == PortNo::IN_PORT {
        return Err(ParseErrorKind::BadValue.of(arg.text));
    }
    Ok(Action::Resubmit(Resubmit { port, table, tuple }))
}

fn split_arrow<'a>(arg: Arg<'a>) -> Result<(&'a str, &'a str), ParseError> {
    arg.value.split_once("->").ok_or_else(|| ParseErrorKind::BadValue.of(arg.text))
}

fn parse_set_field(arg: Arg<'_>, context: Context) -> Result<OxmField, ParseError> {
    let (value, name) = split_arrow(arg)?;
    let name = match name {
        "in_port" => "NXM_OF_IN_PORT",
        name => by_protocol(name, context.protocol),
    };
    let spec = table::by_name(name).ok_or_else(|| ParseErrorKind::UnknownField.of(name))?;
    field(&spec, value)?.ok_or_else(|| ParseErrorKind::BadValue.of(arg.text))
}

fn parse_load(arg: Arg<'_>) -> Result<OxmField, ParseError> {
    let (value, target) = split_arrow(arg)?;
    let (value, dst) = (parse_number(value)?, parse_subfield(target)?);
    let out_of_range = || ParseErrorKind::OutOfRange.of(arg.text);
    let (offset, n_bits) = (u32::from(dst.offset), u32::from(dst.n_bits));
    if offset + n_bits > 128 || n_bits < 128 && value >> n_bits != 0 {
        return Err(out_of_range());
    }
    let ones = u128::MAX >> (128 - n_bits);
    // The old form of a field names it here, but the new form is what OpenFlow 1.5 sets.
    let id = table::twin(dst.field.id).unwrap_or(dst.field.id);
    let set = OxmField::masked(id, dst.field.width, value << offset, ones << offset);
    set.simplified().ok_or_else(out_of_range)
}

fn parse_move(arg: Arg<'_>) -> Result<Action, ParseError> {
    let (src, dst) = split_arrow(arg)?;
    let (src, dst) = (parse_subfield(src)?, parse_subfield(dst)?);
    if src.n_bits != dst.n_bits {
        return Err(ParseErrorKind::OutOfRange.of(arg.text));
    }
    // This action, unlike Nicira's own, names fields in the standard way where there is one.
    Ok(canonical_actions(&[Action::CopyField(CopyField::between(src, dst))]).remove(0))
}

fn parse_conjunction(arg: Arg<'_>) -> Result<Action, ParseError> {
    let bad = || ParseErrorKind::BadValue.of(arg.text);
    let (id, part) = arg.value.split_once(',').ok_or_else(bad)?;
    let (clause, clauses) = part.trim().split_once('/').ok_or_else(bad)?;
    let clause: u8 = parse_int(clause)?;
    let clauses = parse_int(clauses)?;
    Ok(Action::Conjunction { id: parse_int(id)?, clause: clause.checked_sub(1).ok_or_else(bad)?, clauses })
}

fn parse_decap(text: &str) -> Result<Action, ParseError> {
    let Some(arg) = args(text)?.into_iter().next() else { return Ok(Action::Decap(NEXT_PROTOCOL)) };
    let (mut namespace, mut kind) = (0_u16, 0_u16);
    for part in args(arg.value)? {
        match (arg.name, part.name) {
            ("packet_type", "ns") => namespace = parse_int(part.value)?,
            ("packet_type", "type") => kind = parse_int(part.value)?,
            _ => return Err(ParseErrorKind::UnknownField.of(arg.text)),
        }
    }
    Ok(Action::Decap(u32::from(namespace) << 16 | u32::from(kind)))
}

fn parse_check_pkt_larger(arg: Arg<'_>) -> Result<Action, ParseError> {
    let bad = || ParseErrorKind::BadValue.of(arg.text);
    let dst = parse_subfield(arg.rest.strip_prefix("->").ok_or_else(bad)?)?;
    if dst.n_bits != 1 {
        return Err(bad());
    }
    Ok(Action::CheckPktLarger { length: parse_int(arg.value)?, dst: dst.field, offset: dst.offset })
}
