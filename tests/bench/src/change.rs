//! What one change costs: from the API write (or the plugging of an interface) to every switch concerned.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weft_compiler::Subject;
use weft_controller::populate::{network_id, port_id, tenant_id};
use weft_fleet::{Condition, Hosts, Sign};
use weft_model::PortKey;
use weft_scenarios::simulated::Http;

use crate::stage::Stage;

/// How long a change may take until it counts as lost.
const LIMIT: Duration = Duration::from_secs(60);

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bound port is set up over REST: its flows are made everywhere.
    Up,
    /// A bound port is set down over REST.
    Down,
    /// An interface is plugged in: its port is bound, its flows are made everywhere.
    Bind,
    /// The interface appears on another host: everybody sends there.
    Move,
    /// A bound port is deleted over REST.
    Delete,
    /// A network with a subnet is created over REST; no switch is concerned.
    NetworkCreate,
    /// A network with a subnet is deleted over REST.
    NetworkDelete,
}

impl Kind {
    /// How the tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Up => "port up (API)",
            Kind::Down => "port down (API)",
            Kind::Bind => "port add (plugged in)",
            Kind::Move => "port move (plugged in elsewhere)",
            Kind::Delete => "port delete (API)",
            Kind::NetworkCreate => "network create (API)",
            Kind::NetworkDelete => "network delete (API)",
        }
    }
}

/// One measured change; times count from just before it was made.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The API's durable answer, where the API was asked.
    pub api: Option<Duration>,
    /// The first and the last switch concerned had read it.
    pub read: Option<(Duration, Duration)>,
    /// The controller said that it is in force on all of them.
    pub confirmed: Option<Duration>,
    /// Processor time of the controller.
    pub cpu: Duration,
}

/// Samples of each kind, in the order in which they were first made.
pub type Samples = Vec<(Kind, Vec<Sample>)>;

/// A network whose changes are measured.
pub struct Measured<'a> {
    stage: &'a Stage,
    http: Http,
    /// The network's number in the population.
    network: u32,
    /// One of its bound ports.
    port: u32,
    /// Its member hosts.
    hosts: Vec<u32>,
}

impl<'a> Measured<'a> {
    /// The network that has a port on each of the first hosts.
    pub fn wide(stage: &'a Stage) -> Result<Measured<'a>> {
        let size = stage.population.size();
        Measured::new(stage, size.networks, size.ports)
    }

    /// A network like most others.
    pub fn narrow(stage: &'a Stage) -> Result<Measured<'a>> {
        Measured::new(stage, 0, 0)
    }

    fn new(stage: &'a Stage, network: u32, port: u32) -> Result<Measured<'a>> {
        let population = &stage.population;
        let members = (port..population.ports()).take_while(|port| population.network_of(*port) == network);
        let mut hosts: Vec<u32> = members.map(|port| population.place_of(port).0).collect();
        hosts.sort_unstable();
        hosts.dedup();
        ensure!(hosts.len() > 1, "network {network} is on one host only");
        let http = stage.controller()?.http()?;
        Ok(Measured { stage, http, network, port, hosts })
    }

    /// How many switches a change concerns.
    pub fn subscribers(&self) -> usize {
        self.hosts.len()
    }

    /// A bound port goes down and up again, so many times.
    pub fn toggles(&mut self, count: usize) -> Result<Samples> {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let key = self.port + 1;
        let path = format!("/v2.0/ports/{}", port_id(self.port));
        for round in 0..count + WARM {
            let set = |to: bool| {
                let (path, body) = (path.clone(), format!(r#"{{"port":{{"admin_state_up":{to}}}}}"#));
                move |http: &mut Http| Ok(Some(http.put(&path, &body)?.revision))
            };
            let gone = self.observe(Happens::Goes(key), set(false))?;
            let came = self.observe(Happens::Comes(key), set(true))?;
            if round >= WARM {
                down.push(gone);
                up.push(came);
            }
        }
        Ok(vec![(Kind::Up, up), (Kind::Down, down)])
    }

    /// A port is plugged in, moves, and is deleted, so many times.
    pub fn lives(&mut self, count: usize) -> Result<Samples> {
        let (mut binds, mut moves, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
        let (fleet, here, there) = (&self.stage.fleet, self.hosts[0], self.hosts[1]);
        for round in 0..count + WARM {
            let key = self.stage.take_key();
            let body = format!(r#"{{"port":{{"network_id":"{}"}}}}"#, network_id(self.network));
            let port = self.http.post("/v2.0/ports", &body)?.id()?;
            let name = format!("bench{}", round % 10_000);
            let bound = self.observe(Happens::Comes(key), |_| {
                fleet.plug(here, &name, &port);
                Ok(None)
            })?;
            let moved = self.observe(Happens::Comes(key), |_| {
                fleet.plug(there, &name, &port);
                Ok(None)
            })?;
            fleet.unplug(here, &name);
            self.http.applied_newest()?;
            let path = format!("/v2.0/ports/{port}");
            let deleted = self.observe(Happens::Goes(key), |http| Ok(Some(http.delete(&path)?.revision)))?;
            fleet.unplug(there, &name);
            self.http.applied_newest()?;
            if round >= WARM {
                binds.push(bound);
                moves.push(moved);
                deletes.push(deleted);
            }
        }
        Ok(vec![(Kind::Bind, binds), (Kind::Move, moves), (Kind::Delete, deletes)])
    }

    /// A network with a subnet comes and goes, so many times.
    pub fn networks(&mut self, count: usize) -> Result<Samples> {
        let (mut creates, mut deletes) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut id = String::new();
            let body = format!(r#"{{"network":{{"name":"bench","project_id":"{}"}}}}"#, tenant_id(0));
            let created = self.observe(Happens::Nowhere, |http| {
                id = http.post("/v2.0/networks", &body)?.id()?;
                let subnet =
                    format!(r#"{{"subnet":{{"network_id":"{id}","ip_version":4,"cidr":"10.0.0.0/16"}}}}"#);
                Ok(Some(http.post("/v2.0/subnets", &subnet)?.revision))
            })?;
            creates.push(created);
            let path = format!("/v2.0/networks/{id}");
            deletes.push(self.observe(Happens::Nowhere, |http| Ok(Some(http.delete(&path)?.revision)))?);
        }
        Ok(vec![(Kind::NetworkCreate, creates), (Kind::NetworkDelete, deletes)])
    }

    /// Makes a change and waits for everything that follows from it. The change says which revision it made, if it knows.
    fn observe(
        &mut self,
        happens: Happens,
        change: impl FnOnce(&mut Http) -> Result<Option<u64>>,
    ) -> Result<Sample> {
        let expected = happens.sign()?.map(|sign| (self.hosts.iter().copied().collect(), sign));
        observe(self.stage, &mut self.http, expected, change).with_context(|| format!("{happens:?}"))
    }
}

/// Makes a change and waits for everything that follows from it: until it is confirmed, and until the hosts that are named
/// have seen the sign. The change says which revision it made, if it knows.
pub fn observe(
    stage: &Stage,
    http: &mut Http,
    expected: Option<(Hosts, Sign)>,
    change: impl FnOnce(&mut Http) -> Result<Option<u64>>,
) -> Result<Sample> {
    let controller = stage.controller()?;
    let expected = expected.map(|(hosts, sign)| stage.fleet.expect(hosts, Condition::Sees(sign)));
    let before = controller.cpu()?;
    let begin = Instant::now();
    let revision = change(http)?;
    let mut sample = Sample { api: None, read: None, confirmed: None, cpu: Duration::ZERO };
    if let Some(revision) = revision {
        sample.api = Some(begin.elapsed());
        http.applied(revision)?;
        sample.confirmed = Some(begin.elapsed());
    }
    if let Some(expected) = expected {
        let met = expected.wait(LIMIT);
        ensure!(met.is_complete(), "{} switches have not seen it in {LIMIT:?}", met.missing);
        let since = |stamp: Option<Instant>| stamp.map(|at| at.saturating_duration_since(begin));
        sample.read = since(met.first()).zip(since(met.last()));
    }
    if revision.is_none() {
        // Its answers belong to its cost, and must not meet the next change.
        http.applied_newest()?;
    }
    sample.cpu = controller.cpu()?.saturating_sub(before);
    Ok(sample)
}

/// Changes that are made before those that count.
pub const WARM: usize = 3;

/// How the switches concerned see a change.
#[derive(Debug, Clone, Copy)]
enum Happens {
    /// Flows of the port with this key come.
    Comes(u32),
    /// They go.
    Goes(u32),
    /// No switch is concerned.
    Nowhere,
}

impl Happens {
    fn sign(self) -> Result<Option<Sign>> {
        let cookies = |key| {
            let (value, mask) = Subject::Port(PortKey::new(key)?).cookies()?;
            Some((value.0, mask))
        };
        let sign = match self {
            Happens::Comes(key) => cookies(key).map(|(value, mask)| Sign::Cookie { value, mask }),
            Happens::Goes(key) => cookies(key).map(|(value, mask)| Sign::Gone { value, mask }),
            Happens::Nowhere => return Ok(None),
        };
        sign.context("a port has a key and cookies").map(Some)
    }
}
