//! `/v1/trace`: where would this packet go. Nothing is sent; the interpreter works on the state of the store.

use std::net::IpAddr;

use axum::http::StatusCode;
use serde_json::json;
use tokio::sync::Semaphore;
use weft_api as api;
use weft_model::{Host, HostIndex, MacAddr, Snapshot};
use weft_trace::{Fault, Object, Probe, Question, Report, Target, Unsent, Verdict, World, ask, report};

use super::call::{Body, Call, Reply, View};
use super::caller::Caller;
use super::failure::Failure;
use super::fields::Fields;
use super::kind::{only_member, visible};
use super::ports::Ports;
use super::turn;

/// One trace at a time: each may compile all that several hosts have.
static TURN: Semaphore = Semaphore::const_new(1);

/// The first port for short-lived use (RFC 6335 section 6).
const SOURCE_PORT: u32 = 49_152;
const DESTINATION_PORT: u32 = 80;
const TTL: u32 = 64;
/// A ping of 56 bytes.
const SIZE: u32 = 98;
const HEADER: u32 = 14;

/// Says where a packet would go, table by table, and why. Nothing is sent.
#[utoipa::path(post, path = "/v1/trace", tag = "progress", operation_id = "trace",
    request_body = super::document::TraceBody,
    responses((status = 200, body = api::TraceEnvelope),
        (status = "default", body = api::Problem, content_type = "application/problem+json")))]
pub(super) async fn trace(call: Call, Body(body): Body) -> Result<Reply, Failure> {
    let values = only_member(body, "trace")?;
    let question = read(Fields::new("", values), &call.view)?;
    let revision = call.view.snapshot.revision();
    let view = call.view.clone();
    let shown = turn::take(&TURN, move || {
        let mut world = World::new(view.snapshot.clone());
        let answer = ask(&mut world, &question)?;
        Ok(Shown { view: &view }.trace(&report(&answer, &view.snapshot)))
    });
    let shown = shown.await?;
    Ok(Reply::ok(revision, json!({ "trace": shown.map_err(|fault| at_fault(&fault))? })))
}

fn at_fault(fault: &Fault) -> Failure {
    match fault {
        Fault::TooLarge(_) => {
            let message = format!("The packet meets too much to be traced: {fault}.");
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "TraceTooLarge", message)
        }
        fault => {
            tracing::error!(%fault, "the pipeline cannot be traced");
            Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn read(mut fields: Fields, view: &View) -> Result<Question, Failure> {
    let port = fields.required::<String>("from_port", "must be the id of a port");
    let to = fields.text("to");
    if to.is_none() {
        fields.fault("to", "must be an IP address or a MAC");
    }
    let target = to.as_deref().map(target);
    if let Some(None) = target {
        fields.fault("to", "must be an IP address or a MAC");
    }
    let source = fields.parsed_or_null::<IpAddr>("source", "must be an IP address").flatten();
    let probe = probe(&mut fields);
    let ttl = within(&mut fields, "ttl", TTL, 0..=255);
    let size = within(&mut fields, "size", SIZE, HEADER..=65_535);
    let (mut faults, unknown) = fields.settle(|_| false);
    faults.extend(unknown);
    let (Some(port), Some(Some(to)), true) = (port, target, faults.is_empty()) else {
        return Err(Failure::invalid(faults));
    };
    let from = visible::<Ports>(view, &port).ok_or_else(|| Failure::not_found("Port", &port))?.id;
    let ttl = u8::try_from(ttl).unwrap_or(u8::MAX);
    Ok(Question { from, to, source, probe, ttl, size: u16::try_from(size).unwrap_or(u16::MAX) })
}

fn target(text: &str) -> Option<Target> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(Target::Address(address)),
        Err(_) => text.parse::<MacAddr>().ok().map(|mac| Target::Mac(mac.0)),
    }
}

fn probe(fields: &mut Fields) -> Probe {
    let protocol = fields.text_or_null("protocol").flatten();
    let (from, to) = (
        within(fields, "source_port", SOURCE_PORT, 0..=65_535),
        within(fields, "destination_port", DESTINATION_PORT, 0..=65_535),
    );
    let port = |number| u16::try_from(number).unwrap_or(u16::MAX);
    let ports = |protocol| Probe::Ports(protocol, port(from), port(to));
    match protocol.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("icmp" | "icmpv6" | "1" | "58") => Probe::Ping,
        Some("tcp" | "6") => ports(6),
        Some("udp" | "17") => ports(17),
        Some("sctp" | "132") => ports(132),
        Some(other) => match other.parse() {
            Ok(number) => Probe::Protocol(number),
            Err(_) => {
                fields.fault("protocol", "must be icmp, tcp, udp, sctp or a number from 0 to 255");
                Probe::Ping
            }
        },
    }
}

fn within(fields: &mut Fields, name: &str, default: u32, range: std::ops::RangeInclusive<u32>) -> u32 {
    let number = fields.number(name).unwrap_or(default);
    if !range.contains(&number) {
        fields.fault(name, format!("must be from {} to {}", range.start(), range.end()));
    }
    number
}

/// A report as one caller may see it.
struct Shown<'v> {
    view: &'v View,
}

impl Shown<'_> {
    fn caller(&self) -> &Caller {
        &self.view.caller
    }

    fn snapshot(&self) -> &Snapshot {
        &self.view.snapshot
    }

    fn trace(&self, report: &Report) -> api::Trace {
        api::Trace {
            verdict: word(report.verdict).to_owned(),
            summary: self.summary(report),
            next_hop: report.next_hop.map(|address| address.to_string()),
            packet: report.sent.clone(),
            steps: report.lines.iter().map(|line| self.step(line)).collect(),
            outcomes: report.endings.iter().map(|ending| self.outcome(ending)).collect(),
            back: report.back.as_ref().map(|back| Box::new(self.trace(back))),
        }
    }

    fn step(&self, line: &weft_trace::Line) -> api::TraceStep {
        api::TraceStep {
            depth: line.depth,
            hop: line.hop,
            host: self.host(line.host),
            table: line.name.to_owned(),
            object: self.object(line.object.as_ref()),
            does: line.does.clone(),
            flow: line.flow.clone().filter(|_| self.caller().is_admin()),
        }
    }

    fn outcome(&self, ending: &weft_trace::Ending) -> api::TraceOutcome {
        api::TraceOutcome {
            verdict: word(ending.verdict).to_owned(),
            text: ending.text.clone(),
            host: self.host(ending.host),
            port: self.object(ending.port.as_ref()),
            reason: ending.reason.map(|reason| reason.name().to_owned()),
            object: self.object(ending.object.as_ref()),
            packet: ending.packet.clone(),
        }
    }

    /// A host, for administrators.
    fn host(&self, index: HostIndex) -> Option<String> {
        let host: &Host = self.snapshot().host_by_index(index)?;
        self.caller().is_admin().then(|| host.id.to_string())
    }

    /// An object, if it is the caller's.
    fn object(&self, object: Option<&Object>) -> Option<api::TraceObject> {
        let object = object?;
        let is_theirs = match &object.tenant {
            Some(tenant) => self.caller().sees(tenant),
            None => self.caller().is_admin(),
        };
        let Object { kind, id, name, .. } = object;
        let (kind, id, name) = ((*kind).to_owned(), id.clone(), name.clone());
        is_theirs.then_some(api::TraceObject { kind, id, name })
    }

    fn summary(&self, report: &Report) -> String {
        if let Some(unsent) = report.unsent {
            let reason = report.endings.iter().find_map(|ending| ending.reason);
            return match unsent {
                Unsent::NotBound => "Not sent: the port is on no host.".to_owned(),
                Unsent::NoAddress => "Not sent: the port has no address of that family.".to_owned(),
                Unsent::NoRoute => {
                    "Not sent: the address is not on the port's subnet, which has no gateway.".to_owned()
                }
                Unsent::Unanswered(address) => {
                    let why = reason.map_or_else(String::new, |reason| format!(" ({})", reason.meaning()));
                    format!("Not sent: nobody answers for the MAC address of {address}{why}.")
                }
            };
        }
        let decisive = report.endings.iter().filter(|ending| ending.verdict == report.verdict);
        let names: Vec<String> =
            decisive.clone().filter_map(|ending| self.called(ending.port.as_ref())).collect();
        match (report.verdict, names.as_slice()) {
            (Verdict::Delivered, []) => "Delivered.".to_owned(),
            (Verdict::Delivered, [one]) => format!("Delivered to port {one}."),
            (Verdict::Delivered, several) => format!("Delivered to {} ports.", several.len()),
            (Verdict::Dropped, _) => {
                let text =
                    decisive.max_by_key(|ending| ending.reason.is_some()).map(|ending| ending.text.as_str());
                let text = text.unwrap_or("met no flow");
                format!("Dropped: {text}.")
            }
            (Verdict::Left, _) => "Left to a physical network, for whoever is there.".to_owned(),
            (Verdict::Answered, _) => "Answered by the network itself.".to_owned(),
            (Verdict::Told, _) => {
                let text = decisive.map(|ending| ending.text.as_str()).next().unwrap_or_default();
                format!("The packet is {text}.")
            }
            (Verdict::Unsent, _) => "Not sent.".to_owned(),
        }
    }

    fn called(&self, object: Option<&Object>) -> Option<String> {
        let shown = self.object(object)?;
        Some(if shown.name.is_empty() { shown.id } else { shown.name })
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Left => "left",
        Verdict::Answered => "answered",
        Verdict::Told => "controller",
        Verdict::Dropped => "dropped",
        Verdict::Unsent => "unsent",
    }
}
