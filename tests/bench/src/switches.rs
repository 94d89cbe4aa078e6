//! Real Open vSwitch: how long a change takes until switches have confirmed it, and what it costs.

mod change;
mod floor;
mod site;

use anyhow::{Context, Result};

use crate::report::Report;
use crate::size::Size;

/// Runs the benchmark. Needs root and Open vSwitch.
pub fn run(size: Size) -> Result<Report> {
    let title = "a bound port set up over REST, on real Open vSwitch (dummy datapaths)";
    let mut report = Report::new("switches", title);
    report.note("`own host` and `all hosts` are when `GET /v1/applied` answers the client.");
    report.note(
        "`floor` is a bundle with as many flows as one change encodes, straight into one switch's socket, to the commit's answer.",
    );
    let (hosts, ports) = size.switches();
    for hosts in hosts {
        let mut built = site::site(*hosts)?;
        let mut existing = 0;
        for ports in ports {
            site::grow(&mut built, existing, *ports)
                .with_context(|| format!("populating with {ports} ports"))?;
            existing = existing.max(*ports);
            report.push(change::measure(&built, *ports, size.changes() / 2)?.row());
        }
    }
    Ok(report)
}
