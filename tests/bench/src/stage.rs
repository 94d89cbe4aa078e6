//! A controller and a fleet of simulated hosts, brought up together on a store that was filled before.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use weft_controller::populate::Population;
use weft_fleet::{Condition, Digest, Fleet, Hosts};
use weft_model::{Change, Revision};
use weft_rig::wait_until;
use weft_scenarios::simulated::{self, Controller, Listen, wanted};

use crate::numbers::{mib, milliseconds};
use crate::size::System;
use crate::world;

/// How long a cold start may take before it counts as failed.
const LIMIT: Duration = Duration::from_secs(300);
/// What every controller of a benchmark is told: audits are measured by nobody here.
const OPTIONS: &[&str] = &["--audit-interval", "3600"];

/// Controller and fleet, all in order.
pub struct Stage {
    /// How large it is.
    pub system: System,
    /// Who is where.
    pub population: Arc<Population>,
    /// The simulated hosts.
    pub fleet: Fleet,
    /// The controller; none only while it is being restarted.
    controller: Option<Controller>,
    folder: TempDir,
    /// The key of the next port that is created.
    next_key: Cell<u32>,
}

/// How a cold start went. Times count from the moment at which the hosts began to dial a controller that listened.
#[derive(Debug)]
pub struct ColdStart {
    /// From the start of the process to the first answer of its API.
    pub listening: Duration,
    /// When half of the hosts, 99 of 100 and all of them held what they should.
    pub complete: [Duration; 3],
    /// When the controller said that everything is in force.
    pub confirmed: Duration,
    /// Processor time of the controller.
    pub cpu: Duration,
    /// Processor time of the fleet.
    pub fleet_cpu: Duration,
    /// Flows that all hosts hold.
    pub flows: u64,
    /// Flow messages that all hosts were sent.
    pub flow_messages: u64,
    /// The fleet's own slowness.
    pub validity: Validity,
}

/// How a restart with nothing changed went. Times count from the start of the new process.
#[derive(Debug)]
pub struct Restart {
    /// When its API answered first.
    pub listening: Duration,
    /// When the last host was back.
    pub connected: Duration,
    /// When the controller said that everything is in force.
    pub confirmed: Duration,
    /// Processor time of the controller.
    pub cpu: Duration,
    /// Flow and group messages that any host got.
    pub flow_messages: u64,
    /// The most memory that it had by then, in MiB.
    pub peak_mib: f64,
}

/// Whether the simulator was fast enough to be believed.
#[derive(Debug, Clone, Copy)]
pub struct Validity {
    /// How long events waited for its loop, p99.
    pub lag: Duration,
    /// The share of the time that its loop was at work.
    pub busy: f64,
}

impl Validity {
    /// A word for the table: the simulator is believed unless it was late by more than 2 ms and a tenth of what was
    /// measured.
    pub fn verdict(self, measured_ms: f64) -> &'static str {
        let late = milliseconds(self.lag);
        if late > 2.0 && late > measured_ms / 10.0 { "no (!)" } else { "yes" }
    }
}

impl Stage {
    /// Fills a store, starts a controller on it, lets the hosts dial, waits until all is as it should be: every host's
    /// tables, compared by digest with a compilation from scratch of the same state.
    pub fn open(system: System) -> Result<(Stage, ColdStart)> {
        Stage::open_with(system, world::population(system), &[])
    }

    /// The same with a population of one's own, and changes of it besides.
    pub fn open_with(
        system: System,
        population: Population,
        changes: &[Change],
    ) -> Result<(Stage, ColdStart)> {
        let population = Arc::new(population);
        let folder = tempfile::tempdir()?;
        simulated::fill_with(&population, changes, folder.path())?;
        let mut snapshot = population.snapshot();
        snapshot.apply(Revision(2), changes);
        let wanted = wanted::digests(&snapshot)?;
        let flows = wanted.values().map(Digest::flows).sum();
        let controller = Controller::start(folder.path(), Listen::free()?, OPTIONS)?;
        let fleet = Fleet::start(simulated::fleet_spec(&population, controller.listen().ovsdb))?;
        let (controller, next_key) = (Some(controller), Cell::new(population.ports() + 1));
        let stage = Stage { system, population, fleet, controller, folder, next_key };
        let cold = stage.cold_start(wanted, flows)?;
        Ok((stage, cold))
    }

    fn cold_start(&self, wanted: BTreeMap<u32, Digest>, flows: u64) -> Result<ColdStart> {
        let wanted = Arc::new(wanted);
        let complete = self.fleet.expect(Hosts::All, Condition::Holds(wanted.clone()));
        // Arming is answered by the loop's first turn, in which the hosts dial.
        let begin = Instant::now();
        let before = self.fleet.status();
        let met = complete.wait(LIMIT);
        if !met.is_complete() {
            bail!("{} hosts are not complete after {LIMIT:?}: {}", met.missing, self.first_wrong(&wanted));
        }
        let controller = self.controller()?;
        controller.http()?.applied_newest()?;
        let confirmed = begin.elapsed();
        let mut after: Vec<Duration> =
            met.stamps.iter().map(|stamp| stamp.read_at.saturating_duration_since(begin)).collect();
        after.sort();
        let at = |percent: usize| after[(after.len() * percent).div_ceil(100).max(1) - 1];
        let status = self.fleet.status();
        ensure!(status.counters.unsupported == 0, "the fleet was asked for something that it cannot do");
        Ok(ColdStart {
            listening: controller.listening_after,
            complete: [at(50), at(99), at(100)],
            confirmed,
            cpu: controller.cpu()?,
            fleet_cpu: status.on_core.saturating_sub(before.on_core),
            flows,
            flow_messages: status.counters.flow_mods,
            validity: self.validity(),
        })
    }

    fn first_wrong(&self, wanted: &BTreeMap<u32, Digest>) -> String {
        let status = self.fleet.status();
        let counts = format!("{} databases and {} bridges connected", status.managers, status.controllers);
        let mut wrong = self.fleet.digests(Hosts::All).into_iter();
        let found = wrong.find(|(host, has)| wanted.get(host) != Some(has));
        match found {
            Some((host, has)) => {
                let wants = wanted.get(&host).map_or(0, Digest::flows);
                format!("{counts}; host {host} has {} of {wants} flows", has.flows())
            }
            None => format!("{counts}; all are complete now"),
        }
    }

    /// The controller.
    pub fn controller(&self) -> Result<&Controller> {
        self.controller.as_ref().context("the controller is being restarted")
    }

    /// The key that the next port will get, told once: they are handed out one after the other.
    pub fn take_key(&self) -> u32 {
        self.next_key.replace(self.next_key.get() + 1)
    }

    /// Kills the controller and starts it again; nothing has changed meanwhile.
    pub fn restart(&mut self) -> Result<Restart> {
        let messages = |fleet: &Fleet| {
            let counters = fleet.status().counters;
            counters.flow_mods + counters.group_mods
        };
        let before = messages(&self.fleet);
        let old = self.controller.take().context("the controller runs")?;
        let listen = old.listen();
        old.kill()?;
        wait_until("the fleet to notice", LIMIT, || Ok(self.fleet.status().controllers == 0))?;
        let back = self.fleet.expect(Hosts::All, Condition::Connected);
        let begin = Instant::now();
        let controller = self.controller.insert(Controller::start(self.folder.path(), listen, OPTIONS)?);
        let met = back.wait(LIMIT);
        ensure!(met.is_complete(), "{} hosts have not come back in {LIMIT:?}", met.missing);
        controller.http()?.applied_newest()?;
        let confirmed = begin.elapsed();
        Ok(Restart {
            listening: controller.listening_after,
            connected: met.last().context("there are hosts")?.saturating_duration_since(begin),
            confirmed,
            cpu: controller.cpu()?,
            flow_messages: messages(&self.fleet) - before,
            peak_mib: mib(controller.memory_kib()?.1),
        })
    }

    /// How the fleet's loop has done since it was last reset.
    pub fn validity(&self) -> Validity {
        let status = self.fleet.status();
        let busy = status.busy.0.as_secs_f64() / status.busy.1.as_secs_f64().max(1e-9);
        Validity { lag: status.lag.quantile(0.99), busy }
    }
}
