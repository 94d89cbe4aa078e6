//! Benchmarks: tables for people, JSON for programs, the floor measured in the same run.

mod api;
mod controller;
mod fanout;
mod http;
mod numbers;
mod raw;
mod report;
mod size;
mod switches;
mod world;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use serde_json::json;

use report::Report;
use size::Size;

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
    /// Where to leave the results as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// One change to N subscribers, against a raw writer.
    Fanout,
    /// The API: creates per second.
    Api,
    /// Changes on real Open vSwitch (root).
    Switches,
}

impl Bench {
    fn run(self, size: Size) -> Result<Report> {
        match self {
            Bench::Fanout => fanout::run(size),
            Bench::Api => api::run(size),
            Bench::Switches => switches::run(size),
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    if cfg!(debug_assertions) {
        eprintln!("weft-bench: this is a debug build; its numbers say nothing");
    }
    let (mut reports, mut failed) = (Vec::new(), Vec::new());
    for bench in Bench::value_variants() {
        if !options.only.is_empty() && !options.only.contains(bench) {
            continue;
        }
        let begin = Instant::now();
        match bench.run(options.size) {
            Ok(report) => {
                println!("{}", report.markdown());
                reports.push(report);
            }
            // The others are still worth running.
            Err(error) => {
                eprintln!("weft-bench: {bench:?} failed: {error:#}");
                failed.push(format!("{bench:?}"));
            }
        }
        eprintln!("  {bench:?} took {:.0} s", begin.elapsed().as_secs_f64());
    }
    if let Some(path) = &options.json {
        let results = json!({ "size": format!("{:?}", options.size), "benchmarks": reports });
        std::fs::write(path, serde_json::to_string_pretty(&results)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}
