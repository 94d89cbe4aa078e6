//! One change to N subscribers, against a raw writer that hands the same bytes to N sockets.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use weft_openflow::message::{BundleCommand, BundleWriter, FlowMod};
use weft_openflow::{Action, BundleId, Instruction, Match, PortNo, TableId, Writer, Xid, oxm};

use crate::numbers::{Spread, median};
use crate::raw::{RawFanout, Rounds, rate};
use crate::report::{Report, Row};
use crate::size::Size;

/// How many flows the network-wide part of one port has.
const FLOWS: u32 = 3;

/// Runs the benchmark.
pub fn run(size: Size) -> Result<Report> {
    let mut report = Report::new("fanout", "one change to N subscribers");
    let message = bundle();
    for subscribers in size.subscribers() {
        let raw = RawFanout::open(*subscribers as usize)?.rounds(&message, size.changes())?;
        report.push(row(*subscribers, message.len(), &raw));
    }
    Ok(report)
}

fn row(subscribers: u32, bytes: usize, raw: &Rounds) -> Row {
    let totals: Vec<Duration> = raw.rounds.iter().map(|round| round.total).collect();
    let rates = raw.rounds.iter().map(|round| rate(subscribers as usize, round.spread)).collect();
    Row::default()
        .whole("subscribers", subscribers)
        .whole("bytes each", bytes)
        .spread("raw: to last byte p50 / p99 ms", Spread::of(totals))
        .number("raw: messages/s", median(rates).unwrap_or(f64::NAN), 0)
        .number("raw: CPU us per message", raw.cpu_us, 1)
}

/// A bundle like the one that tells a port to all members of its network.
pub fn bundle() -> Bytes {
    let place = BundleWriter::atomic(BundleId(1));
    let mut writer = Writer::new();
    place.control(BundleCommand::OpenRequest, Xid(10), &mut writer);
    for flow in 0..FLOWS {
        let matching = Match::new().with(oxm::reg(0, 7)).with(oxm::reg(1, flow));
        let apply = Instruction::ApplyActions(vec![Action::output(PortNo(1))]);
        place.flow_mod(&FlowMod::add(TableId(50), 100, matching, vec![apply]), Xid(11), &mut writer);
    }
    place.control(BundleCommand::CommitRequest, Xid(12), &mut writer);
    writer.into_bytes()
}
