//! One change to N subscribers, against a raw writer that hands the same bytes to N sockets.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use weft_fleet::Answers;
use weft_openflow::message::{BundleCommand, BundleWriter, FlowMod};
use weft_openflow::{Action, BundleId, Instruction, Match, PortNo, TableId, Writer, Xid, oxm};

use crate::change::{Kind, Measured, Sample};
use crate::numbers::{Spread, median, milliseconds};
use crate::raw::{RawFanout, RawIntoFleet, Round, Rounds, rate};
use crate::report::{Report, Row};
use crate::size::{Size, System};
use crate::stage::{Stage, Validity};
use crate::world::PORTS_PER_NETWORK;

/// How the simulated hosts share a core, for readers of a table.
pub const ANSWERS: &str = "The simulated hosts look at what they have read, and answer, when nothing is left to read on any connection, as if each had a processor of its own; `confirmed` is therefore the simulator's time more than the controller's.";

/// How many flows the network-wide part of one port has.
const FLOWS: u32 = 3;

/// Runs the benchmark.
pub fn run(size: Size) -> Result<Report> {
    let mut report = Report::new("fanout", "one change to N subscribers");
    report.note(
        "A port of a network that spans N simulated hosts is set up over REST; each host gets one bundle.",
    );
    report.note("Rates are (N - 1) messages over the time from the first reader's to the last reader's, medians over all rounds. The raw writer's bytes are read by a plain reader, and in another series by the simulator, which parses and keeps them as it does with the controller's.");
    report.note(ANSWERS);
    for subscribers in size.subscribers() {
        let system =
            System { ports: subscribers * PORTS_PER_NETWORK, hosts: *subscribers, wide: *subscribers };
        let (stage, _) = Stage::open(system)?;
        let raw = RawFanout::open(*subscribers as usize)?.rounds(&bundle(), size.changes())?;
        let same = RawIntoFleet::open(*subscribers)?.rounds(&bundle(), size.changes())?;
        stage.fleet.set_answers(Answers::WhenAllIsRead);
        stage.fleet.reset_lag();
        let samples = Measured::wide(&stage)?.toggles(size.changes())?;
        let (_, samples) = samples.into_iter().find(|(kind, _)| *kind == Kind::Up).context("ports go up")?;
        report.push(row(*subscribers, (&raw, &same), &samples, stage.validity()));
    }
    Ok(report)
}

fn row(subscribers: u32, (raw, same): (&Rounds, &[Round]), samples: &[Sample], validity: Validity) -> Row {
    let count = subscribers as usize;
    let spread =
        |of: &dyn Fn(&Sample) -> Option<Duration>| Spread::of(samples.iter().filter_map(of).collect());
    let totals: Vec<Duration> = raw.rounds.iter().map(|round| round.total).collect();
    let rates = |rounds: &[Round]| median(rounds.iter().map(|round| rate(count, round.spread)).collect());
    let (raw_rate, same_rate) = (rates(&raw.rounds), rates(same));
    let reads = samples.iter().filter_map(|sample| sample.read);
    let our_rate = median(reads.map(|(first, last)| rate(count, last.saturating_sub(first))).collect());
    let ratio = |raw: Option<f64>| our_rate.zip(raw).map_or(f64::NAN, |(ours, raw)| ours / raw);
    let totals_same: Vec<Duration> = same.iter().map(|round| round.total).collect();
    let cpu: Duration = samples.iter().map(|sample| sample.cpu).sum();
    let cpu_us = milliseconds(cpu) * 1000.0 / (samples.len() * count) as f64;
    let last = spread(&|sample| sample.read.map(|(_, last)| last));
    Row::default()
        .whole("subscribers", subscribers)
        .spread("raw: last byte p50 / p99 ms", Spread::of(totals))
        .spread("raw into simulator: last byte p50 / p99 ms", Spread::of(totals_same))
        .spread("API answer p50 / p99 ms", spread(&|sample| sample.api))
        .spread("last byte p50 / p99 ms", last)
        .spread("confirmed by all p50 / p99 ms", spread(&|sample| sample.confirmed))
        .number("raw: messages/s", raw_rate.unwrap_or(f64::NAN), 0)
        .number("raw into simulator: messages/s", same_rate.unwrap_or(f64::NAN), 0)
        .number("messages/s", our_rate.unwrap_or(f64::NAN), 0)
        .number("of raw", ratio(raw_rate), 2)
        .number("of raw into simulator", ratio(same_rate), 2)
        .number("raw: CPU us per message", raw.cpu_us, 1)
        .number("CPU us per message", cpu_us, 1)
        .text("valid", validity.verdict(last.map_or(0.0, |last| last.p50_ms)))
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
