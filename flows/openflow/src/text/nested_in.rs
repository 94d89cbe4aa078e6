//! Reading the actions that have arguments of their own.

use super::actions_in::{Context, parse_list};
use super::actions_out::{HEADERS, NAT_FLAGS};
use super::error::{ParseError, ParseErrorKind};
use super::names::{BUNDLE, HASH_FIELDS, HELPERS, MULTIPATH, REASONS, number};
use super::split::{Arg, args};
use super::subfields::parse_subfield;
use super::values::{parse_int, parse_port};
use crate::action::{
    Action, Bundle, Controller, Controller2, Ct, CtFlags, CtZone, Encap, EncapProperty, Multipath, Nat,
    NatFlags, Sample, SampleForm, SampleId,
};
use crate::ids::{MeterId, PortNo, TableId};
use bytes::Bytes;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Reads pairs of digits with dots between, or without.
pub(super) fn parse_hex(text: &str) -> Result<Vec<u8>, ParseError> {
    let bad = || ParseErrorKind::BadValue.of(text);
    let digits: String = text.chars().filter(|c| *c != '.').collect();
    if digits.len() % 2 == 1 || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Err(bad());
    }
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| bad());
    (0..digits.len()).step_by(2).map(pair).collect()
}

/// A number, or a word for one.
fn word_or_number(words: &[(u16, &'static str)], text: &str) -> Result<u16, ParseError> {
    number(words, text).map_or_else(|| parse_int(text), Ok)
}

/// `controller`, `controller:N` and `controller(...)`. Only what needs the newer action uses it; a bare
/// one is an output to the controller's port.
pub(super) fn parse_controller(text: &str) -> Result<Action, ParseError> {
    let port = PortNo::CONTROLLER;
    if text.is_empty() {
        return Ok(Action::output(port));
    }
    if text.bytes().all(|c| c.is_ascii_digit()) {
        return Ok(Action::Output { port, max_len: parse_int(text)? });
    }
    let mut c = Controller2::default();
    for arg in args(text)? {
        match arg.name {
            "reason" => {
                let reason = word_or_number(REASONS, arg.value)?;
                c.reason = u8::try_from(reason).map_err(|_| ParseErrorKind::OutOfRange.of(arg.text))?;
            }
            "max_len" => c.max_len = parse_int(arg.value)?,
            "id" => c.controller_id = parse_int(arg.value)?,
            "userdata" => c.userdata = Bytes::from(parse_hex(arg.value)?),
            "pause" => c.pause = true,
            "meter_id" => c.meter = Some(MeterId(parse_int(arg.value)?)),
            _ => return Err(ParseErrorKind::UnknownField.of(arg.text)),
        }
    }
    if c == (Controller2 { max_len: c.max_len, ..Controller2::default() }) {
        return Ok(Action::Output { port, max_len: c.max_len });
    }
    if c.userdata.is_empty() && !c.pause && c.meter.is_none() {
        let (max_len, controller_id, reason) = (c.max_len, c.controller_id, c.reason);
        return Ok(Action::Controller(Controller { max_len, controller_id, reason }));
    }
    Ok(Action::Controller2(Box::new(c)))
}

/// What stands between the parentheses of `ct(...)`.
pub(super) fn parse_ct(text: &str, context: Context) -> Result<Action, ParseError> {
    let mut ct = Ct::default();
    let mut inner = Vec::new();
    for arg in args(text)? {
        match arg.name {
            "commit" => ct.flags |= CtFlags::COMMIT,
            "force" => ct.flags |= CtFlags::FORCE,
            "table" => ct.table = Some(TableId(parse_int(arg.value)?)),
            "zone" => {
                ct.zone = match parse_int(arg.value) {
                    Ok(zone) => CtZone::Value(zone),
                    Err(_) => CtZone::Field(parse_subfield(arg.value)?),
                };
            }
            "alg" => ct.alg = word_or_number(HELPERS, arg.value)?,
            // The translation comes first wherever it stands.
            "nat" => ct.actions.push(parse_nat(arg.value)?),
            "exec" => inner = parse_list(arg.value, context)?,
            _ => return Err(ParseErrorKind::UnknownField.of(arg.text)),
        }
    }
    ct.actions.append(&mut inner);
    Ok(Action::Ct(Box::new(ct)))
}

/// What stands between the parentheses of `nat(...)`.
pub(super) fn parse_nat(text: &str) -> Result<Action, ParseError> {
    let mut nat = Nat::default();
    for arg in args(text)? {
        if let Some((flag, _)) = NAT_FLAGS.iter().find(|(_, word)| *word == arg.name) {
            nat.flags |= *flag;
            continue;
        }
        nat.flags |= match arg.name {
            "src" => NatFlags::SRC,
            "dst" => NatFlags::DST,
            _ => return Err(ParseErrorKind::UnknownField.of(arg.text)),
        };
        if !arg.value.is_empty() {
            parse_range(arg.value, &mut nat)?;
        }
    }
    Ok(Action::Nat(nat))
}

/// `A`, `A-B`, each with `:P` or `:P-Q` after it; IPv6 addresses with ports are in brackets.
fn parse_range(text: &str, nat: &mut Nat) -> Result<(), ParseError> {
    let bad = || ParseErrorKind::BadValue.of(text);
    let (addresses, ports) = if text.starts_with('[') {
        match text.rsplit_once("]:") {
            Some((addresses, ports)) => (addresses, Some(ports)),
            None => (text, None),
        }
    } else if text.matches(':').count() > 1 {
        (text, None)
    } else {
        text.split_once(':').map_or((text, None), |(addresses, ports)| (addresses, Some(ports)))
    };
    let (min, max) = addresses.split_once('-').map_or((addresses, None), |(min, max)| (min, Some(max)));
    let bare = |text: &str| text.trim_matches(['[', ']']).to_owned();
    if let Ok(min) = min.parse::<Ipv4Addr>() {
        nat.ipv4_min = Some(min);
        nat.ipv4_max = max.map(|max| max.parse().map_err(|_| bad())).transpose()?;
    } else {
        nat.ipv6_min = Some(bare(min).parse::<Ipv6Addr>().map_err(|_| bad())?);
        nat.ipv6_max = max.map(|max| bare(max).parse().map_err(|_| bad())).transpose()?;
    }
    if let Some(ports) = ports {
        let (min, max) = ports.split_once('-').map_or((ports, None), |(min, max)| (min, Some(max)));
        nat.port_min = Some(parse_int(min)?);
        nat.port_max = max.map(parse_int).transpose()?;
    }
    Ok(())
}

/// `fin_timeout(...)`.
pub(super) fn parse_fin_timeout(text: &str) -> Result<Action, ParseError> {
    let (mut idle, mut hard) = (0, 0);
    for arg in args(text)? {
        match arg.name {
            "idle_timeout" => idle = parse_int(arg.value)?,
            "hard_timeout" => hard = parse_int(arg.value)?,
            _ => return Err(ParseErrorKind::UnknownField.of(arg.text)),
        }
    }
    Ok(Action::FinTimeout { idle, hard })
}

/// `multipath(fields,basis,algorithm,n_links,arg,dst)`.
pub(super) fn parse_multipath(arg: Arg<'_>) -> Result<Action, ParseError> {
    let parts: Vec<&str> = arg.value.split(',').map(str::trim).collect();
    let [fields, basis, algorithm, links, argument, dst] = parts[..] else {
        return Err(ParseErrorKind::BadValue.of(arg.text));
    };
    let links: u32 = parse_int(links)?;
    let max_link = links.checked_sub(1).and_then(|max| u16::try_from(max).ok());
    Ok(Action::Multipath(Multipath {
        fields: word_or_number(HASH_FIELDS, fields)?,
        basis: parse_int(basis)?,
        algorithm: word_or_number(MULTIPATH, algorithm)?,
        max_link: max_link.ok_or_else(|| ParseErrorKind::OutOfRange.of(arg.text))?,
        arg: parse_int(argument)?,
        dst: parse_subfield(dst)?,
    }))
}

/// `bundle(fields,basis,algorithm,ofport,members:P,...)` and `bundle_load`, which has a field before the
/// members.
pub(super) fn parse_bundle(arg: Arg<'_>) -> Result<Action, ParseError> {
    let bad = || ParseErrorKind::BadValue.of(arg.text);
    let (head, members) =
        arg.value.split_once("members:").or_else(|| arg.value.split_once("slaves:")).ok_or_else(bad)?;
    let head: Vec<&str> = head.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let (fields, basis, algorithm, dst) = match (arg.name, &head[..]) {
        ("bundle", [fields, basis, algorithm, "ofport"]) => (fields, basis, algorithm, None),
        ("bundle_load", [fields, basis, algorithm, "ofport", dst]) => {
            (fields, basis, algorithm, Some(parse_subfield(dst)?))
        }
        _ => return Err(bad()),
    };
    let ports = members.split(',').map(str::trim).filter(|port| !port.is_empty());
    Ok(Action::Bundle(Bundle {
        algorithm: word_or_number(BUNDLE, algorithm)?,
        fields: word_or_number(HASH_FIELDS, fields)?,
        basis: parse_int(basis)?,
        members: ports.map(parse_port).collect::<Result<_, _>>()?,
        dst,
    }))
}

/// `sample(...)`, in the oldest form that can say it.
pub(super) fn parse_sample(text: &str) -> Result<Action, ParseError> {
    let mut s = Sample {
        form: SampleForm::Plain,
        probability: 0,
        collector_set: 0,
        domain: SampleId::Value(0),
        point: SampleId::Value(0),
        port: PortNo::ANY,
        direction: 0,
    };
    let id = |text: &str| match parse_int(text) {
        Ok(value) => Ok(SampleId::Value(value)),
        Err(_) => parse_subfield(text).map(SampleId::Field),
    };
    for arg in args(text)? {
        match arg.name {
            "probability" => s.probability = parse_int(arg.value)?,
            "collector_set_id" => s.collector_set = parse_int(arg.value)?,
            "obs_domain_id" => s.domain = id(arg.value)?,
            "obs_point_id" => s.point = id(arg.value)?,
            "sampling_port" => s.port = parse_port(arg.value)?,
            "ingress" => s.direction = 1,
            "egress" => s.direction = 2,
            _ => return Err(ParseErrorKind::UnknownField.of(arg.text)),
        }
    }
    let from_field = |id: SampleId| matches!(id, SampleId::Field(_));
    s.form = if from_field(s.domain) || from_field(s.point) {
        SampleForm::Fields
    } else if s.direction != 0 {
        SampleForm::Direction
    } else if s.port != PortNo::ANY {
        SampleForm::Port
    } else {
        SampleForm::Plain
    };
    Ok(Action::Sample(Box::new(s)))
}

/// `encap(HEADER)` and `encap(HEADER(PROPERTIES))`.
pub(super) fn parse_encap(text: &str) -> Result<Action, ParseError> {
    let arg = args(text)?.into_iter().next().ok_or_else(|| ParseErrorKind::BadValue.of(text))?;
    let packet_type = match HEADERS.iter().find(|(_, name)| *name == arg.name) {
        Some((packet_type, _)) => *packet_type,
        None => parse_int(arg.name)?,
    };
    let properties = args(arg.value)?.into_iter().map(parse_property).collect::<Result<_, _>>()?;
    Ok(Action::Encap(Encap { header_size: 0, packet_type, properties }))
}

/// A property of a network service header.
fn parse_property(arg: Arg<'_>) -> Result<EncapProperty, ParseError> {
    let bad = || ParseErrorKind::BadValue.of(arg.text);
    match arg.name {
        "md_type" => {
            let kind: u8 = parse_int(arg.value)?;
            Ok(EncapProperty { class: 4, kind: 1, value: Bytes::from(vec![kind]) })
        }
        "tlv" => {
            let parts: Vec<&str> = arg.value.split(',').collect();
            let [class, kind, data] = parts[..] else { return Err(bad()) };
            let (class, kind): (u16, u8) = (parse_int(class)?, parse_int(kind)?);
            let data = parse_hex(data.strip_prefix("0x").ok_or_else(bad)?)?;
            let length = u8::try_from(data.len()).map_err(|_| bad())?;
            let mut value = class.to_be_bytes().to_vec();
            value.extend([kind, length]);
            value.extend(data);
            // The property's own length counts its padding.
            value.resize((value.len() + 4).next_multiple_of(8) - 4, 0);
            Ok(EncapProperty { class: 4, kind: 2, value: Bytes::from(value) })
        }
        _ => Err(ParseErrorKind::UnknownField.of(arg.text)),
    }
}
