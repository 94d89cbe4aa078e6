//! `weft trace`: where would a packet go, and why.

use std::fmt::Write;
use std::net::IpAddr;

use clap::Args;
use weft_api::{Port, Trace as Traced, TraceAsked, TraceObject, TraceOutcome, TraceStep};

use crate::failure::Failure;
use crate::output::{self, Format, clean};
use crate::session::Session;

/// What to ask.
#[derive(Debug, Args)]
pub struct Trace {
    /// The port that sends.
    #[arg(long, value_name = "ID|NAME")]
    from: String,
    /// Where to: an IP address, a MAC, or another port, whose address is then taken.
    #[arg(long, value_name = "ADDRESS|ID|NAME")]
    to: String,
    /// icmp (a ping), tcp, udp, sctp, or the number of another protocol.
    #[arg(long, value_name = "PROTOCOL", default_value = "icmp")]
    proto: String,
    /// The destination port.
    #[arg(long, value_name = "PORT")]
    dport: Option<u16>,
    /// The source port.
    #[arg(long, value_name = "PORT")]
    sport: Option<u16>,
    /// The source address, if not the one that the port would choose.
    #[arg(long, value_name = "ADDRESS")]
    source: Option<IpAddr>,
    /// Time to live or hop limit.
    #[arg(long)]
    ttl: Option<u8>,
    /// How long the packet is in bytes, Ethernet header included.
    #[arg(long)]
    size: Option<u16>,
    /// Only what becomes of it, not every step.
    #[arg(short, long)]
    brief: bool,
}

/// Asks, and tells the answer.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, asked: Trace) -> Result<(), Failure> {
    let from = session.find::<Port>(&asked.from).await?;
    let to = address(session, &from, &asked.to).await?;
    let question = TraceAsked {
        from_port: from.id.clone(),
        to,
        protocol: Some(asked.proto),
        source: asked.source.map(|ip| ip.to_string()),
        source_port: asked.sport,
        destination_port: asked.dport,
        ttl: asked.ttl,
        size: asked.size,
    };
    let traced = session.client.trace(&question).await?;
    match session.format {
        Format::Json => output::write_json(&traced),
        Format::Id => output::write(&format!("{}\n", traced.verdict)),
        Format::Table => output::write(&text(&traced, asked.brief)),
    }
}

/// The address itself, or that of the port that is called so: one of a family that the sender has too.
async fn address(session: &Session, from: &Port, text: &str) -> Result<String, Failure> {
    let is_mac =
        text.split(':').count() == 6 && text.split(':').all(|byte| u8::from_str_radix(byte, 16).is_ok());
    if is_mac || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    let port = session.find::<Port>(text).await?;
    let is_v4 = |ip: &str| !ip.contains(':');
    let families: Vec<bool> = from.fixed_ips.iter().map(|ip| is_v4(&ip.ip_address)).collect();
    let mut addresses = port.fixed_ips.iter().map(|ip| &ip.ip_address);
    let shared = addresses.find(|ip| families.contains(&is_v4(ip)));
    let missing = || Failure::Usage(format!("port {text} has no address that the sender could reach"));
    shared.cloned().ok_or_else(missing)
}

fn text(traced: &Traced, brief: bool) -> String {
    let mut out = String::new();
    tell(&mut out, traced, brief);
    if let Some(back) = &traced.back {
        out.push_str("\nThe answer's way back\n");
        tell(&mut out, back, brief);
    }
    out
}

fn tell(out: &mut String, traced: &Traced, brief: bool) {
    // Writing to a text cannot fail.
    if let Some(packet) = &traced.packet {
        let _ = writeln!(out, "packet: {}", clean(packet));
    }
    if let Some(next_hop) = &traced.next_hop {
        let _ = writeln!(out, "next hop: {}", clean(next_hop));
    }
    let mut hop = None;
    for step in traced.steps.iter().filter(|_| !brief) {
        if hop != Some(step.hop) {
            hop = Some(step.hop);
            let host = step.host.as_deref().map_or_else(|| format!("host {}", step.hop + 1), clean);
            let _ = writeln!(out, "on {host}");
        }
        line(out, step);
    }
    for outcome in &traced.outcomes {
        end(out, outcome);
    }
    let _ = writeln!(out, "{}: {}", traced.verdict.to_uppercase(), clean(&traced.summary));
}

fn line(out: &mut String, step: &TraceStep) {
    let indent = "  ".repeat(usize::from(step.depth) + 1);
    let object = step.object.as_ref().map_or_else(String::new, |object| format!("  [{}]", called(object)));
    let _ = writeln!(out, "{indent}{:<16} {}{object}", step.table, clean(&step.does));
    if let Some(flow) = &step.flow {
        let _ = writeln!(out, "{indent}    {}", clean(flow));
    }
}

fn end(out: &mut String, outcome: &TraceOutcome) {
    let mut parts = vec![format!("=> {}", clean(&outcome.text))];
    parts.extend(outcome.port.as_ref().map(|port| format!("to {}", called(port))));
    parts.extend(outcome.reason.as_ref().map(|reason| format!("({})", clean(reason))));
    parts.extend(
        outcome
            .object
            .as_ref()
            .filter(|_| outcome.port.is_none())
            .map(|o| format!("because of {}", called(o))),
    );
    parts.extend(outcome.host.as_ref().map(|host| format!("on {}", clean(host))));
    let _ = writeln!(out, "{}", parts.join(" "));
    if let Some(packet) = &outcome.packet {
        let _ = writeln!(out, "   {}", clean(packet));
    }
}

fn called(object: &TraceObject) -> String {
    let name = if object.name.is_empty() { &object.id } else { &object.name };
    format!("{} {}", object.kind, clean(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_reads_from_top_to_bottom() {
        let object = |kind: &str, name: &str| {
            Some(TraceObject { kind: kind.into(), id: "1".into(), name: name.into() })
        };
        let step = |hop, depth, table: &str, does: &str| TraceStep {
            hop,
            depth,
            table: table.into(),
            does: does.into(),
            object: object("port", "web"),
            ..TraceStep::default()
        };
        let outcome = TraceOutcome {
            verdict: "dropped".into(),
            text: "the port is down".into(),
            reason: Some("port_down".into()),
            object: object("port", "web"),
            ..TraceOutcome::default()
        };
        let traced = Traced {
            verdict: "dropped".into(),
            summary: "Dropped.".into(),
            packet: Some("icmp".into()),
            next_hop: Some("10.0.0.1".into()),
            steps: vec![step(0, 0, "classify", "on to drop"), step(1, 1, "drop", "dropped")],
            outcomes: vec![outcome],
            back: None,
        };
        let expected = "packet: icmp\nnext hop: 10.0.0.1\non host 1\n  classify         on to drop  [port web]\n\
                        on host 2\n    drop             dropped  [port web]\n\
                        => the port is down (port_down) because of port web\nDROPPED: Dropped.\n";
        assert_eq!(text(&traced, false), expected);
        assert!(!text(&traced, true).contains("classify"));
    }
}
