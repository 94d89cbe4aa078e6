//! Benchmarks: tables for people, JSON for programs, the floor measured in the same run.

mod api;
mod change;
mod dataplane;
mod fanout;
mod groups;
mod numbers;
mod raw;
mod report;
mod size;
mod stage;
mod switches;
mod systems;
mod world;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use serde_json::json;

use report::Report;
use size::{Size, System};
use systems::Part;

/// Measures Weft on this machine. Build it in release, together with the controller:
/// `cargo build --release -p weft-controller -p weft-bench`.
#[derive(Debug, Parser)]
#[command(name = "weft-bench")]
struct Options {
    /// How much to measure.
    #[arg(value_enum, default_value = "quick")]
    size: Size,
    /// Only these benchmarks.
    #[arg(long, value_enum, value_delimiter = ',', num_args = 1..)]
    only: Vec<Bench>,
    /// The systems of coldstart, restart, memory and change, instead of those of the size: PORTSxHOSTSxWIDE, where one
    /// network more has a port on each of the first WIDE hosts. For example 1000000x9400x100.
    #[arg(long, value_delimiter = ',')]
    systems: Vec<System>,
    /// Where to leave the results as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// One change to N subscribers, against a raw writer.
    Fanout,
    /// The API: creates per second, common calls, what the audit log costs.
    Api,
    /// Start of a controller whose hosts have nothing.
    Coldstart,
    /// Start of a controller whose hosts have everything.
    Restart,
    /// The controller's memory.
    Memory,
    /// The cost of one change in systems of all sizes.
    Change,
    /// Changes on real Open vSwitch (root).
    Switches,
    /// Security groups with thousands of members: what a member more and a rule more cost.
    Groups,
    /// Throughput and round trips on real Open vSwitch, against a bare bridge (root, iperf3).
    Dataplane,
}

/// Benchmarks that are run together: those on one and the same system come from one run of it.
const GROUPS: [&[Bench]; 6] = [
    &[Bench::Fanout],
    &[Bench::Api],
    &[Bench::Coldstart, Bench::Restart, Bench::Memory, Bench::Change],
    &[Bench::Switches],
    &[Bench::Groups],
    &[Bench::Dataplane],
];

fn run(group: &[Bench], size: Size, systems: &[System]) -> Result<Vec<(Bench, Report)>> {
    match group[0] {
        Bench::Fanout => Ok(vec![(Bench::Fanout, fanout::run(size)?)]),
        Bench::Api => {
            let reports = [api::run(size)?, api::calls::run(size)?, api::audit::run(size)?];
            Ok(reports.map(|report| (Bench::Api, report)).into())
        }
        Bench::Switches => Ok(vec![(Bench::Switches, switches::run(size)?)]),
        Bench::Groups => Ok(vec![(Bench::Groups, groups::run(size)?)]),
        Bench::Dataplane => Ok(vec![(Bench::Dataplane, dataplane::run(size)?)]),
        Bench::Coldstart | Bench::Restart | Bench::Memory | Bench::Change => {
            let brief = !group.contains(&Bench::Change) && !group.contains(&Bench::Restart);
            let part = if brief { Part::ColdStart } else { Part::All };
            let reports = systems::run(size, part, systems)?;
            Ok(vec![
                (Bench::Coldstart, reports.cold_start),
                (Bench::Restart, reports.restart),
                (Bench::Memory, reports.memory),
                (Bench::Change, reports.change),
            ])
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    if cfg!(debug_assertions) {
        eprintln!("weft-bench: this is a debug build; its numbers say nothing");
    }
    let (mut reports, mut failed) = (Vec::new(), Vec::new());
    for group in GROUPS {
        let is_asked = |bench: &Bench| options.only.is_empty() || options.only.contains(bench);
        let asked: Vec<Bench> = group.iter().copied().filter(is_asked).collect();
        if asked.is_empty() {
            continue;
        }
        let begin = Instant::now();
        match run(&asked, options.size, &options.systems) {
            Ok(found) => {
                let found = found.into_iter().filter(|(bench, _)| asked.contains(bench));
                reports.extend(
                    found.map(|(_, report)| report).inspect(|report| println!("{}", report.markdown())),
                );
            }
            // The others are still worth running.
            Err(error) => {
                eprintln!("weft-bench: {asked:?} failed: {error:#}");
                failed.push(format!("{asked:?}"));
            }
        }
        eprintln!("  {asked:?} took {:.0} s", begin.elapsed().as_secs_f64());
    }
    if let Some(path) = &options.json {
        let results = json!({ "size": format!("{:?}", options.size), "benchmarks": reports });
        std::fs::write(path, serde_json::to_string_pretty(&results)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}
