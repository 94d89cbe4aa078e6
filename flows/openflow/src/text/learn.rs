//! The `learn` action as text, both ways.

use super::error::{ParseError, ParseErrorKind};
use super::match_out::Plain;
use super::split::{Arg, args};
use super::subfields::{parse_field, parse_subfield};
use super::values::{HexBytes, parse_int, parse_number, parse_value};
use crate::action::{Learn, LearnFlags, LearnLimit, LearnSource, LearnSpec, LearnTarget, Subfield};
use crate::ids::{Cookie, TableId};
use crate::oxm::{OxmField, table};
use bytes::Bytes;
use std::fmt::{self, Display, Formatter};

impl Display for Learn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "learn(table={}", self.table)?;
        for (name, number) in [
            ("idle_timeout", self.idle_timeout),
            ("hard_timeout", self.hard_timeout),
            ("fin_idle_timeout", self.fin_idle_timeout),
            ("fin_hard_timeout", self.fin_hard_timeout),
        ] {
            if number != 0 {
                write!(f, ",{name}={number}")?;
            }
        }
        if self.priority != 0x8000 {
            write!(f, ",priority={}", self.priority)?;
        }
        for (flag, word) in FLAGS {
            if self.flags.contains(*flag) {
                write!(f, ",{word}")?;
            }
        }
        if self.cookie.0 != 0 {
            write!(f, ",cookie={}", self.cookie)?;
        }
        if let Some(limit) = self.limit {
            if limit.max_flows != 0 {
                write!(f, ",limit={}", limit.max_flows)?;
            }
            if let Some((field, offset)) = limit.result {
                write!(f, ",result_dst={}", Subfield { field, offset, n_bits: 1 })?;
            }
        }
        self.specs.iter().try_for_each(|spec| write!(f, ",{spec}"))?;
        f.write_str(")")
    }
}

const FLAGS: &[(LearnFlags, &str)] =
    &[(LearnFlags::SEND_FLOW_REM, "send_flow_rem"), (LearnFlags::DELETE_LEARNED, "delete_learned")];

impl Display for LearnSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let n_bits = self.n_bits;
        let part = |field, offset| Subfield { field, offset, n_bits };
        match (&self.source, self.target) {
            (LearnSource::Value(value), LearnTarget::Match(field, offset)) => {
                match table::spec(field.id).filter(|_| part(field, offset) == Subfield::whole(field)) {
                    Some(spec) => {
                        let skip = value.len().saturating_sub(usize::from(field.width));
                        let whole = OxmField::from_bytes(field.id, &value[skip..], None);
                        write!(f, "{}={}", spec.name(), Plain(&whole))
                    }
                    None => write!(f, "{}={}", part(field, offset), HexBytes(value)),
                }
            }
            (LearnSource::Field(src, from), LearnTarget::Match(field, offset)) => {
                write!(f, "{}", part(field, offset))?;
                if (*src, *from) == (field, offset) { Ok(()) } else { write!(f, "={}", part(*src, *from)) }
            }
            (LearnSource::Value(value), LearnTarget::Load(field, offset)) => {
                write!(f, "load:{}->{}", HexBytes(value), part(field, offset))
            }
            (LearnSource::Field(src, from), LearnTarget::Load(field, offset)) => {
                write!(f, "load:{}->{}", part(*src, *from), part(field, offset))
            }
            (LearnSource::Field(src, from), LearnTarget::Output) => {
                write!(f, "output:{}", part(*src, *from))
            }
            (LearnSource::Value(value), LearnTarget::Output) => write!(f, "output:{}", HexBytes(value)),
        }
    }
}

/// Reads what stands between the parentheses of `learn(...)`.
pub(super) fn parse_learn(text: &str) -> Result<Learn, ParseError> {
    let mut learn = Learn::new(Vec::new());
    let (mut max_flows, mut result) = (0, None);
    for arg in args(text)? {
        match arg.name {
            "table" => learn.table = TableId(parse_int(arg.value)?),
            "priority" => learn.priority = parse_int(arg.value)?,
            "idle_timeout" => learn.idle_timeout = parse_int(arg.value)?,
            "hard_timeout" => learn.hard_timeout = parse_int(arg.value)?,
            "fin_idle_timeout" => learn.fin_idle_timeout = parse_int(arg.value)?,
            "fin_hard_timeout" => learn.fin_hard_timeout = parse_int(arg.value)?,
            "cookie" => learn.cookie = Cookie(parse_int(arg.value)?),
            "send_flow_rem" => learn.flags |= LearnFlags::SEND_FLOW_REM,
            "delete_learned" => learn.flags |= LearnFlags::DELETE_LEARNED,
            "limit" => max_flows = parse_int(arg.value)?,
            "result_dst" => {
                let dst = parse_subfield(arg.value)?;
                if dst.n_bits != 1 {
                    return Err(ParseErrorKind::OutOfRange.of(arg.text));
                }
                result = Some((dst.field, dst.offset));
            }
            _ => learn.specs.push(parse_spec(arg)?),
        }
    }
    if learn.table == TableId::ALL {
        return Err(ParseErrorKind::OutOfRange.of(text));
    }
    if max_flows != 0 || result.is_some() {
        learn.limit = Some(LearnLimit { max_flows, result });
    }
    Ok(learn)
}

fn parse_spec(arg: Arg<'_>) -> Result<LearnSpec, ParseError> {
    match arg.name {
        "load" => parse_load(arg),
        "output" => {
            let Subfield { field, offset, n_bits } = parse_subfield(arg.value)?;
            Ok(LearnSpec { n_bits, source: LearnSource::Field(field, offset), target: LearnTarget::Output })
        }
        _ => parse_match(arg),
    }
}

fn parse_load(arg: Arg<'_>) -> Result<LearnSpec, ParseError> {
    let (source, target) = arg.value.split_once("->").ok_or_else(|| ParseErrorKind::BadValue.of(arg.text))?;
    let dst = parse_subfield(target)?;
    let target = LearnTarget::Load(dst.field, dst.offset);
    let source = match parse_number(source) {
        Ok(value) => immediate(value, dst.n_bits, arg)?,
        Err(_) => same_width(parse_subfield(source)?, dst, arg)?,
    };
    Ok(LearnSpec { n_bits: dst.n_bits, source, target })
}

fn parse_match(arg: Arg<'_>) -> Result<LearnSpec, ParseError> {
    let dst = parse_subfield(arg.name)?;
    let target = LearnTarget::Match(dst.field, dst.offset);
    let source = if arg.value.is_empty() {
        LearnSource::Field(dst.field, dst.offset)
    } else if let Ok(src) = parse_subfield(arg.value) {
        same_width(src, dst, arg)?
    } else if dst == Subfield::whole(dst.field) {
        let field = parse_field(arg.name.split('[').next().unwrap_or(arg.name))?;
        let spec = table::spec(field.id).ok_or_else(|| ParseErrorKind::UnknownField.of(arg.text))?;
        immediate(parse_value(&spec, arg.value)?.0, dst.n_bits, arg)?
    } else {
        immediate(parse_number(arg.value)?, dst.n_bits, arg)?
    };
    Ok(LearnSpec { n_bits: dst.n_bits, source, target })
}

fn same_width(src: Subfield, dst: Subfield, arg: Arg<'_>) -> Result<LearnSource, ParseError> {
    if src.n_bits == dst.n_bits {
        Ok(LearnSource::Field(src.field, src.offset))
    } else {
        Err(ParseErrorKind::OutOfRange.of(arg.text))
    }
}

/// A value right-aligned in the even number of bytes that it takes on the wire.
fn immediate(value: u128, n_bits: u16, arg: Arg<'_>) -> Result<LearnSource, ParseError> {
    if n_bits < 128 && value >> n_bits != 0 {
        return Err(ParseErrorKind::OutOfRange.of(arg.text));
    }
    let length = 2 * usize::from(n_bits.div_ceil(16));
    let mut bytes = vec![0; length.saturating_sub(16)];
    bytes.extend(&value.to_be_bytes()[16 - length.min(16)..]);
    Ok(LearnSource::Value(Bytes::from(bytes)))
}
