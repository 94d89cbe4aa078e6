//! Benchmarks on real Open vSwitch: how long a change takes until switches have confirmed it, and what it costs.

mod change;
mod floor;
mod numbers;
mod population;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// Measures the way from an API write to flows that switches have confirmed. Needs root and Open vSwitch.
#[derive(Debug, Parser)]
struct Options {
    /// Numbers of hosts, each a real Open vSwitch with a dummy datapath.
    #[arg(long, value_delimiter = ',', default_value = "2,10,25")]
    hosts: Vec<usize>,
    /// Numbers of ports that exist already, bound, spread over the hosts.
    #[arg(long, value_delimiter = ',', default_value = "0,1000,10000")]
    ports: Vec<usize>,
    /// Measured changes per combination.
    #[arg(long, default_value_t = 100)]
    iterations: usize,
    /// Where to leave the results as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut results = Vec::new();
    println!("{}", change::HEADER);
    for hosts in &options.hosts {
        let mut site = population::site(*hosts)?;
        let mut existing = 0;
        for ports in &options.ports {
            population::grow(&mut site, existing, *ports)
                .with_context(|| format!("populating with {ports} ports"))?;
            existing = existing.max(*ports);
            let result = change::measure(&site, *ports, options.iterations)?;
            println!("{result}");
            results.push(result);
        }
    }
    if let Some(path) = options.json {
        std::fs::write(&path, serde_json::to_string_pretty(&results)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
