//! Systems of all sizes, one after the other: cold start, restart, memory and the cost of changes in each of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use weft_fleet::Answers;
use weft_scenarios::simulated::{Controller, Listen};

use crate::change::{Kind, Measured, Sample, Samples};
use crate::fanout::{ANSWERS, bundle};
use crate::numbers::{Spread, median, mib, milliseconds};
use crate::raw::RawFanout;
use crate::report::{Report, Row};
use crate::size::{Size, System};
use crate::stage::{ColdStart, Restart, Stage, Validity};
use crate::world;

/// What the issue allows a change: this many times the raw writer's time, and so many milliseconds more.
const TIMES_RAW: f64 = 1.3;
const PLUS_MS: f64 = 3.0;

/// How long an idle controller is looked at: longer than any of its timers but the audit's.
const IDLE: Duration = Duration::from_secs(6);

/// The reports of one run over all systems.
pub struct Reports {
    /// Starts of a controller whose hosts have nothing yet.
    pub cold_start: Report,
    /// Starts of a controller whose hosts have everything.
    pub restart: Report,
    /// What the controller's memory goes into.
    pub memory: Report,
    /// The cost of a change.
    pub change: Report,
}

/// Which parts are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// Cold start and memory, which every system gives by coming up.
    ColdStart,
}

/// Runs over the systems that are named, or else over all of that size.
pub fn run(size: Size, part: Part, named: &[System]) -> Result<Reports> {
    let mut reports = reports();
    let empty_mib = memory_of_nothing()?;
    for system in if named.is_empty() { size.systems() } else { named } {
        one(*system, (size, part), empty_mib, &mut reports).with_context(|| format!("{system:?}"))?;
    }
    let spans = if named.is_empty() { size.spans() } else { &[] };
    for system in spans {
        let (stage, cold) = Stage::open(*system).with_context(|| format!("{system:?}"))?;
        reports.memory.push(memory_row(&stage, &cold, empty_mib)?);
    }
    Ok(reports)
}

fn one(system: System, (size, part): (Size, Part), empty_mib: f64, reports: &mut Reports) -> Result<()> {
    let (mut stage, cold) = Stage::open(system)?;
    reports.cold_start.push(cold_row(system, &cold).number("idle CPU %", idle_percent(&stage)?, 1));
    reports.memory.push(memory_row(&stage, &cold, empty_mib)?);
    if part == Part::ColdStart {
        return Ok(());
    }
    changes(&stage, size, &mut reports.change)?;
    let restart = stage.restart()?;
    reports.restart.push(restart_row(system, &restart));
    Ok(())
}

/// Changes in a network of the usual size, and in the one that spans many hosts.
fn changes(stage: &Stage, size: Size, report: &mut Report) -> Result<()> {
    let count = size.changes();
    for mut network in [Measured::narrow(stage)?, Measured::wide(stage)?] {
        let subscribers = network.subscribers();
        let raw = RawFanout::open(subscribers)?.rounds(&bundle(), count)?;
        let raw = median(raw.rounds.iter().map(|round| milliseconds(round.total)).collect());
        let raw = raw.unwrap_or(f64::NAN);
        stage.fleet.set_answers(Answers::WhenAllIsRead);
        stage.fleet.reset_lag();
        let mut samples: Samples = network.toggles(count)?;
        samples.extend(network.lives(count)?);
        if subscribers < stage.system.wide as usize {
            samples.extend(network.networks(count)?);
        }
        let validity = stage.validity();
        stage.fleet.set_answers(Answers::AtOnce);
        for (kind, samples) in &samples {
            report.push(change_row(stage.system, (*kind, subscribers), samples, (raw, validity)));
        }
    }
    Ok(())
}

fn change_row(
    system: System,
    (kind, subscribers): (Kind, usize),
    samples: &[Sample],
    (raw, validity): (f64, Validity),
) -> Row {
    let spread = |of: fn(&Sample) -> Option<Duration>| Spread::of(samples.iter().filter_map(of).collect());
    let last = spread(|sample| sample.read.map(|(_, last)| last));
    let p50 = last.map_or(f64::NAN, |last| last.p50_ms);
    let limit = TIMES_RAW * raw + PLUS_MS;
    let within = if p50.is_nan() {
        "-"
    } else if p50 <= limit {
        "yes"
    } else {
        "no"
    };
    let concerned = if matches!(kind, Kind::NetworkCreate | Kind::NetworkDelete) { 0 } else { subscribers };
    let cpu: Duration = samples.iter().map(|sample| sample.cpu).sum();
    Row::default()
        .whole("ports", system.ports)
        .whole("hosts", system.hosts)
        .text("change", kind.name())
        .whole("switches", concerned)
        .spread("API answer p50 / p99 ms", spread(|sample| sample.api))
        .spread("last byte p50 / p99 ms", last)
        .spread("confirmed by all p50 / p99 ms", spread(|sample| sample.confirmed))
        .number("CPU ms", milliseconds(cpu) / samples.len().max(1) as f64, 2)
        .number("raw p50 ms", if concerned > 0 { raw } else { f64::NAN }, 2)
        .text("within 1.3 raw + 3 ms", within)
        .number("simulator busy", validity.busy, 2)
        .text("valid", validity.verdict(p50.max(0.0)))
}

fn cold_row(system: System, cold: &ColdStart) -> Row {
    let [half, most, all] = cold.complete.map(|time| time.as_secs_f64());
    Row::default()
        .whole("ports", system.ports)
        .whole("hosts", system.hosts)
        .number("flows per host", cold.flows as f64 / f64::from(system.hosts), 0)
        .number("API after s", cold.listening.as_secs_f64(), 2)
        .number("50 % s", half, 2)
        .number("99 % s", most, 2)
        .number("100 % s", all, 2)
        .number("confirmed s", cold.confirmed.as_secs_f64(), 2)
        .number("flows/s", cold.flows as f64 / all, 0)
        .number("sent : needed", cold.flow_messages as f64 / cold.flows as f64, 3)
        .number("CPU s", cold.cpu.as_secs_f64(), 2)
        .number("fleet CPU s", cold.fleet_cpu.as_secs_f64(), 2)
        .text("valid", cold.validity.verdict(all * 1000.0))
}

fn restart_row(system: System, restart: &Restart) -> Row {
    Row::default()
        .whole("ports", system.ports)
        .whole("hosts", system.hosts)
        .number("API after s", restart.listening.as_secs_f64(), 2)
        .number("all back s", restart.connected.as_secs_f64(), 2)
        .number("all confirmed s", restart.confirmed.as_secs_f64(), 2)
        .number("CPU s", restart.cpu.as_secs_f64(), 2)
        .number("peak RSS MiB", restart.peak_mib, 0)
        .whole("flow messages", restart.flow_messages)
}

fn memory_row(stage: &Stage, cold: &ColdStart, empty_mib: f64) -> Result<Row> {
    let (now, peak) = stage.controller()?.memory_kib()?;
    let (now, peak) = (mib(now), mib(peak));
    let System { hosts, wide, .. } = stage.system;
    let ports = stage.population.ports();
    let used = (now - empty_mib) * 1024.0;
    Ok(Row::default()
        .whole("ports", ports)
        .whole("hosts", hosts)
        .whole("widest network's hosts", wide)
        .whole("tunnels of all hosts", world::tunnels(&stage.population))
        .number("flows per host", cold.flows as f64 / f64::from(hosts), 0)
        .number("RSS MiB", now, 0)
        .number("peak MiB", peak, 0)
        .number("KiB per port", used / f64::from(ports), 2)
        .number("KiB per host", used / f64::from(hosts), 1)
        .number("bytes per flow on switches", used * 1024.0 / cold.flows as f64, 1)
        .number("whole benchmark MiB", stage.fleet.resident_bytes() as f64 / f64::from(1 << 20), 0))
}

/// How much of one core the controller takes while nothing changes; without audits, whose share is set.
fn idle_percent(stage: &Stage) -> Result<f64> {
    let controller = stage.controller()?;
    let (before, began) = (controller.cpu()?, Instant::now());
    std::thread::sleep(IDLE);
    let cpu = controller.cpu()?.saturating_sub(before);
    Ok(cpu.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0)
}

/// Resident memory of a controller that knows nothing.
fn memory_of_nothing() -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let controller = Controller::start(folder.path(), Listen::free()?, &[])?;
    Ok(mib(controller.memory_kib()?.0))
}

fn reports() -> Reports {
    let mut cold_start = Report::new("coldstart", "a controller meets hosts whose switches are empty");
    cold_start.note("Hosts have their bridge and their workloads when they dial for the first time; times count from there, the controller listens by then (`API after`: its start, reading the store).");
    cold_start.note("Complete is a host whose tables equal, by digest, a compilation from scratch of the same state; every host is compared.");
    let mut restart =
        Report::new("restart", "the controller is killed and starts again; nothing has changed");
    restart.note("Hosts dial again as Open vSwitch does: after 1, 2, 4, 8 s (bridges: every second).");
    let mut memory = Report::new("memory", "resident memory of the controller after a cold start");
    memory.note("Per port and per host: everything beyond the memory of a controller that knows nothing, divided by each.");
    memory.note("In the last rows only the number of hosts that share one network differs, and with it the number of tunnels between them (a mesh).");
    let mut change = Report::new("change", "one change, from the request to all switches concerned");
    change.note("`last byte` is when the last simulated switch had read it; `confirmed` when `GET /v1/applied` answered; both from just before the request, or the plugging.");
    change.note("`raw` is a plain writer that hands one bundle of 3 flows to as many sockets, read by a plain reader, in the same run.");
    change.note(ANSWERS);
    change.note("CPU is the controller's processor time per change.");
    Reports { cold_start, restart, memory, change }
}
