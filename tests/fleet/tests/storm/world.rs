//! The system that storms: a real controller process on a filled store, and a fleet of simulated hosts in this process.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use weft_controller::populate::{Population, Size, host_id, network_id, port_id};
use weft_fleet::{Condition, Digest, Fleet, FleetSpec, Hosts, Reconnect};
use weft_model::{NetworkId, PortId, Snapshot};
use weft_rig::wait_until;
use weft_scenarios::simulated::{self, Controller, Http, Listen, wanted};

use crate::explain::explain;

/// How long anything may take. A debug build on a busy machine is slow; nothing is waited for longer than it takes.
pub const LIMIT: Duration = Duration::from_secs(240);
/// How long the fleet is watched for a state before it is asked anew which state it should come to.
const LOOK: Duration = Duration::from_secs(4);
/// How many wrong hosts are described.
const DESCRIBED: usize = 3;

/// What every switch should hold, by the host's number.
pub type Digests = Arc<BTreeMap<u32, Digest>>;

/// Where a port should be and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meant {
    /// Its network.
    pub network: NetworkId,
    /// Its administrative state.
    pub is_up: bool,
    /// On which host its interface is plugged in, if on any.
    pub host: Option<u32>,
}

/// Controller, fleet, and what was asked of both.
pub struct World {
    /// Who is where at the beginning.
    pub population: Arc<Population>,
    /// The simulated hosts.
    pub fleet: Fleet,
    /// What was asked for: every port that exists. The stored state has to come to this.
    pub meant: BTreeMap<PortId, Meant>,
    controller: Option<Controller>,
    folder: TempDir,
    listen: Listen,
    /// The last state that was compiled, and what it came to.
    known: RefCell<Option<(u64, Digests)>>,
}

impl World {
    /// Fills a store, starts a controller on it and lets the hosts dial.
    pub fn open(size: Size) -> Result<World> {
        let population = Arc::new(Population::new(size));
        let folder = tempfile::tempdir()?;
        simulated::fill(&population, folder.path())?;
        let listen = Listen::free()?;
        let controller = Some(Controller::start(folder.path(), listen, &[])?);
        let hosts = simulated::fleet_spec(&population, listen.ovsdb);
        let fleet = Fleet::start(FleetSpec { reconnect: Reconnect::AtOnce, ..hosts })?;
        let meant = |port| {
            let (network, host) = (network_id(population.network_of(port)), population.place_of(port).0);
            (port_id(port), Meant { network, is_up: true, host: Some(host) })
        };
        let meant = (0..population.ports()).map(meant).collect();
        let known = RefCell::default();
        Ok(World { population, fleet, meant, controller, folder, listen, known })
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> u32 {
        self.population.size().hosts
    }

    /// The network that has a port on each of the first hosts.
    pub fn wide(&self) -> Option<NetworkId> {
        let size = self.population.size();
        (size.wide > 0).then(|| network_id(size.networks))
    }

    /// The names of the tunnels of a host that the controller sees in its database.
    pub fn tunnels(&self, http: &mut Http, host: u32) -> Result<Vec<String>> {
        let shown = http.get(&format!("/v1/hosts/{}", host_id(host)))?.json()?;
        let tunnels = shown["host"]["tunnels"].as_array().context("a host has tunnels")?;
        Ok(tunnels.iter().filter_map(|tunnel| Some(tunnel["name"].as_str()?.to_owned())).collect())
    }

    /// The controller.
    pub fn controller(&self) -> Result<&Controller> {
        self.controller.as_ref().context("the controller runs")
    }

    /// A new connection to the API.
    pub fn http(&self) -> Result<Http> {
        self.controller()?.http()
    }

    /// What the controller prints, for a failure's message.
    pub fn log(&self) -> String {
        self.controller.as_ref().map(Controller::log).unwrap_or_default()
    }

    /// Processor time of the controller and of the fleet so far, and how often hosts have dialled, in words.
    pub fn effort(&self) -> Result<String> {
        let cpu = self.controller()?.cpu()?;
        let mut http = self.http()?;
        Ok(format!(
            "controller {:.1} s, fleet {:.1} s on a core; {} and {} sessions",
            cpu.as_secs_f64(),
            self.fleet.status().on_core.as_secs_f64(),
            http.metric("weft_ovsdb_sessions_total")?,
            http.metric("weft_openflow_sessions_total")?
        ))
    }

    /// Flow and group messages that all switches were sent, ever.
    pub fn messages(&self) -> u64 {
        let counters = self.fleet.status().counters;
        counters.flow_mods + counters.group_mods
    }

    /// Ends the controller as a crash would; gives the state that it leaves behind, once every host has noticed.
    pub fn kill(&mut self) -> Result<Snapshot> {
        self.controller.take().context("the controller runs")?.kill()?;
        wait_until("the fleet to notice", LIMIT, || {
            let status = self.fleet.status();
            Ok(status.controllers == 0 && status.managers == 0)
        })?;
        weft_scenarios::stored(weft_store::Engine::Redb, &self.folder.path().join("store"))
    }

    /// The controller crashes and is started again at once, whatever is under way.
    pub fn crash(&mut self) -> Result<()> {
        self.controller.take().context("the controller runs")?.kill()?;
        self.controller = Some(self.start()?);
        Ok(())
    }

    fn start(&self) -> Result<Controller> {
        Controller::start(self.folder.path(), self.listen, &[])
    }

    /// Starts it again and waits until every host is connected.
    pub fn restart(&mut self) -> Result<()> {
        let back = self.fleet.expect(Hosts::All, Condition::Connected);
        self.controller = Some(self.start()?);
        let missing = back.wait(LIMIT).missing;
        ensure!(missing == 0, "{missing} hosts have not come back");
        Ok(())
    }

    /// The state of the running controller: a copy of its store, made while nothing was written.
    pub fn state(&self) -> Result<Snapshot> {
        let mut http = self.http()?;
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            let before = http.get("/healthz")?.revision;
            let copy = tempfile::tempdir()?;
            copy_folder(&self.folder.path().join("store"), &copy.path().join("store"))?;
            if http.get("/healthz")?.revision == before {
                let state = weft_scenarios::stored(weft_store::Engine::Redb, &copy.path().join("store"))?;
                ensure!(
                    state.revision().0 == before,
                    "revision {before} is not durable: {}",
                    state.revision()
                );
                return Ok(state);
            }
        }
        bail!("the controller has written without a pause for {LIMIT:?}")
    }

    /// Waits until the stored state is what was asked for, and these hosts hold what it says, to the last flow.
    pub fn settle(&self, hosts: &Hosts) -> Result<(Snapshot, Digests)> {
        let (mut http, end) = (self.http()?, Instant::now() + LIMIT);
        loop {
            let state = self.state()?;
            let wrong = self.differences(&state);
            if wrong.is_empty() {
                let wanted = self.wanted(&state)?;
                let left = end.saturating_duration_since(Instant::now()).min(LOOK);
                let met = self.fleet.expect(hosts.clone(), Condition::Holds(wanted.clone())).wait(left);
                if met.is_complete() && http.get("/healthz")?.revision == state.revision().0 {
                    return Ok((state, wanted));
                }
            }
            if Instant::now() > end {
                ensure!(
                    wrong.is_empty(),
                    "the stored state is not what was asked for:\n{}",
                    wrong.join("\n")
                );
                bail!("{}\n{}", self.describe(hosts)?, self.log());
            }
        }
    }

    /// What every switch should hold in a state.
    fn wanted(&self, state: &Snapshot) -> Result<Digests> {
        let revision = state.revision().0;
        if let Some((_, wanted)) = self.known.borrow().as_ref().filter(|(known, _)| *known == revision) {
            return Ok(wanted.clone());
        }
        let wanted = Arc::new(wanted::digests(state)?);
        *self.known.borrow_mut() = Some((revision, wanted.clone()));
        Ok(wanted)
    }

    /// Fails unless the tunnels of these hosts are those that the state says.
    pub fn check_tunnels(&self, hosts: &[u32], state: &Snapshot) -> Result<()> {
        let mut http = self.http()?;
        for host in hosts {
            let wanted =
                weft_compiler::tunnels(&host_id(*host), state, &weft_compiler::TunnelSettings::default());
            let wanted: Vec<String> = wanted.keys().map(ToString::to_string).collect();
            wait_until("tunnels", LIMIT, || {
                let (mut has, mut wanted) = (self.tunnels(&mut http, *host)?, wanted.clone());
                has.sort();
                wanted.sort();
                ensure!(has == wanted, "host {host} has the tunnels {has:?}, wanted {wanted:?}");
                Ok(true)
            })?;
        }
        Ok(())
    }

    /// What the stored state has otherwise than was asked for, in words; the first few.
    fn differences(&self, state: &Snapshot) -> Vec<String> {
        let has = |port: &Arc<weft_model::Port>| {
            let host = state.bound_host(port.id).map(|host| wanted::number(host.index));
            (port.id, Meant { network: port.network, is_up: port.admin_up, host })
        };
        let has: BTreeMap<PortId, Meant> = state.ports().map(has).collect();
        let ports = has.keys().chain(self.meant.keys());
        let wrong = ports.filter(|port| has.get(port) != self.meant.get(port));
        wrong
            .take(10)
            .map(|port| format!("{port}: {:?}, asked for {:?}", has.get(port), self.meant.get(port)))
            .collect()
    }

    /// What is wrong with the first of these hosts that hold something else than the state says.
    pub fn describe(&self, hosts: &Hosts) -> Result<String> {
        let state = self.state()?;
        let wanted = self.wanted(&state)?;
        let held = self.fleet.digests(hosts.clone());
        let wrong: Vec<u32> =
            held.iter().filter(|(host, has)| wanted.get(host) != Some(has)).map(|(host, _)| *host).collect();
        let status = self.fleet.status();
        let mut text = format!(
            "{} of {} hosts are wrong; {} databases and {} bridges are connected\n",
            wrong.len(),
            held.len(),
            status.managers,
            status.controllers
        );
        for host in wrong.iter().take(DESCRIBED) {
            text += &explain(*host, &self.fleet.dump(*host), &state)?;
            let has = held.iter().find(|(held, _)| held == host).map(|(_, has)| has);
            text += &format!("\n  in numbers, it has {has:?}, wanted {:?}", wanted.get(host));
            let shown = self.http()?.get(&format!("/v1/hosts/{}", host_id(*host)))?.json()?;
            text += &format!("\n  the controller says: {shown}\n");
        }
        Ok(text)
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    if from.is_file() {
        std::fs::copy(from, to)?;
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        copy_folder(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
