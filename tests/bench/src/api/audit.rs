//! What the audit log costs: the same creates by a controller that keeps one and by one that does not, in turns.

use std::time::Duration;

use anyhow::Result;
use weft_scenarios::simulated::{Controller, Listen};

use super::{Kind, Measured, Reads, measure};
use crate::numbers::{median, milliseconds};
use crate::report::{Report, Row};
use crate::size::Size;

/// How often each is measured: the machine's moods must not be taken for a difference.
const ROUNDS: usize = 3;
/// What is created, and by how many clients.
const MEASURED: [(Kind, usize); 4] = [(Kind::Network, 8), (Kind::Port, 1), (Kind::Port, 8), (Kind::Port, 32)];

/// Runs the benchmark.
pub fn run(size: Size) -> Result<Report> {
    let mut report = Report::new("api audit", "creates without and with an audit log");
    report.note("Medians of three rounds in which both controllers take turns, each with a fresh store.");
    for (kind, clients) in MEASURED {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            without.push(once((kind, clients), "0", size.api_time())?);
            with.push(once((kind, clients), "100000", size.api_time())?);
        }
        let (rate_without, rate_with) = (rate(&without), rate(&with));
        report.push(
            Row::default()
                .text("create", format!("{kind:?}").to_lowercase())
                .whole("clients", clients)
                .number("creates/s without", rate_without, 0)
                .number("with", rate_with, 0)
                .number("ratio", rate_with / rate_without, 2)
                .number("CPU us per create without", cpu(&without), 0)
                .number("CPU us with", cpu(&with), 0),
        );
    }
    Ok(report)
}

fn rate(rounds: &[Measured]) -> f64 {
    let each = |round: &Measured| round.latencies.len() as f64 / round.took.as_secs_f64();
    median(rounds.iter().map(each).collect()).unwrap_or(f64::NAN)
}

/// Microseconds of the controller's processor time for one create.
fn cpu(rounds: &[Measured]) -> f64 {
    let each = |round: &Measured| milliseconds(round.cpu) * 1000.0 / round.latencies.len() as f64;
    median(rounds.iter().map(each).collect()).unwrap_or(f64::NAN)
}

fn once((kind, clients): (Kind, usize), entries: &str, time: Duration) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let options = ["--audit-interval", "3600", "--audit-log-entries", entries];
    let controller = Controller::start(folder.path(), Listen::free()?, &options)?;
    controller.http()?.post("/v1/tenants", r#"{"tenant":{"id":"bench","name":"bench"}}"#)?;
    measure(&controller, (kind, clients, Reads::None), time)
}
