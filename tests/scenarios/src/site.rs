//! A site: a rig of hosts that have joined a controller, with clients to speak to it.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::runtime::Runtime;
use weft_client::{Answer, Client, ClientError};
use weft_rig::{
    ControllerProc, ControllerSpec, Host, HostSpec, Rig, Underlay, Workload, WorkloadSpec, http_get,
    wait_until,
};

use crate::drops::drops_text;

/// How long anything may take that should take milliseconds; the machine may be busy.
pub const LIMIT: Duration = Duration::from_secs(30);

/// What to build.
#[derive(Debug, Clone)]
pub struct SiteSpec {
    /// How many hosts.
    pub hosts: usize,
    /// The address family between them.
    pub underlay: Underlay,
    /// Further options of the controller.
    pub options: Vec<String>,
    /// Whether they forward packets.
    pub datapaths: Datapaths,
}

/// What the hosts' bridges are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datapaths {
    /// Userspace datapaths that forward.
    Netdev,
    /// Dummy datapaths.
    Dummy,
}

impl SiteSpec {
    /// Hosts with userspace datapaths over an IPv4 underlay.
    pub fn hosts(hosts: usize) -> SiteSpec {
        SiteSpec { hosts, underlay: Underlay::V4, options: Vec::new(), datapaths: Datapaths::Netdev }
    }

    /// Adds options to the controller's command line.
    pub fn options(mut self, options: &[&str]) -> SiteSpec {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        self
    }
}

/// A rig of hosts that have joined a controller. Everything is removed when it is dropped.
pub struct Site {
    /// The controller.
    pub controller: ControllerProc,
    /// The hosts, `h1` first.
    pub hosts: Vec<Host>,
    /// The administrator's client.
    pub admin: Client,
    /// The administrator's token.
    pub token: String,
    runtime: Runtime,
    /// Last, so that what stands on it goes first.
    pub rig: Rig,
}

/// Where the workspace's programs were built, beside the running test.
pub fn program(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folders = test.ancestors().skip(1).take(3);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| {
        format!("{name} is not built: run `cargo build --workspace --bins` (tests/run does)")
    })
}

impl Site {
    /// Hosts over an IPv4 underlay, joined and connected.
    pub fn start(hint: &str, hosts: usize) -> Result<Site> {
        Site::build(hint, SiteSpec::hosts(hosts))
    }

    /// Builds what the spec says and waits until every host's integration bridge is connected.
    pub fn build(hint: &str, spec: SiteSpec) -> Result<Site> {
        let rig = Rig::with_underlay(hint, spec.underlay)?;
        let data = rig.run_dir().join("data");
        let options = spec.options.iter().cloned();
        let args = ["--data-dir".to_owned(), data.display().to_string()].into_iter().chain(options);
        let controller = ControllerSpec::new(program("weft-controller")?).args(args);
        let controller = ControllerProc::start(&rig, controller, LIMIT)?;
        let kind = |n| match spec.datapaths {
            Datapaths::Netdev => HostSpec::new(&format!("h{n}")),
            Datapaths::Dummy => HostSpec::dummy(&format!("h{n}")),
        };
        let hosts = rig.add_hosts((1..=spec.hosts).map(kind).collect())?;
        let token = std::fs::read_to_string(data.join("admin.token"))?.trim().to_owned();
        let endpoint = format!("http://{}", controller.api_addr());
        let admin = Client::new(&endpoint, Some(&token))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let site = Site { controller, hosts, admin, token, runtime, rig };
        for host in &site.hosts {
            host.join(&site.rig.manager_target())?;
        }
        site.wait_connected()?;
        Ok(site)
    }

    /// Lets every host's `ovsdb-server` dial again within a second of losing the controller; it would be up to eight.
    /// Bridges do so by themselves. For tests that lose the controller more than once.
    pub fn redial_soon(&self) -> Result<()> {
        for host in &self.hosts {
            let manager = host.vsctl(&["--bare", "--columns=_uuid", "list", "Manager"])?;
            host.vsctl(&["set", "Manager", manager.trim(), "max_backoff=1000"])?;
        }
        Ok(())
    }

    /// Runs a call of a client to its end.
    pub fn wait<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Result<T> {
        Ok(self.runtime.block_on(call)?)
    }

    /// Runs a write and waits until it is in force on every switch concerned.
    pub fn apply<T>(&self, call: impl Future<Output = Result<Answer<T>, ClientError>>) -> Result<T> {
        let Answer { value, revision } = self.wait(call)?;
        self.wait_applied(revision)?;
        Ok(value)
    }

    /// Waits until a revision is in force on every switch concerned.
    pub fn wait_applied(&self, revision: u64) -> Result<()> {
        let report = self.wait(self.admin.applied(revision, LIMIT))?;
        ensure!(report.applied, "revision {revision} is not applied; pending: {:?}", report.pending);
        Ok(())
    }

    /// Waits until every host has both sessions and owes nothing.
    pub fn wait_connected(&self) -> Result<()> {
        let wanted = self.hosts.len();
        wait_until("all hosts to be connected", LIMIT, || {
            let hosts = self.wait(self.admin.hosts().list(&[]))?.value;
            let up = hosts.iter().filter(|host| host.ovsdb_connected && host.openflow_connected);
            let bridges =
                self.hosts.iter().filter(|host| host.vsctl(&["br-exists", "br-int"]).is_ok()).count();
            Ok(up.count() == wanted && bridges == wanted)
        })?;
        let revision = self.wait(self.admin.hosts().list(&[]))?.revision;
        self.wait_applied(revision)
    }

    /// What the controller knows of a host.
    pub fn host_status(&self, host: &Host) -> Result<weft_api::Host> {
        Ok(self.wait(self.admin.hosts().show(host.name()))?.value)
    }

    /// Waits until a port is active.
    pub fn wait_active(&self, port: &str) -> Result<()> {
        wait_until("the port to be active", LIMIT, || {
            Ok(self.wait(self.admin.ports().show(port))?.value.status == "ACTIVE")
        })
    }

    /// Plugs a workload for a port into a host: its MAC, its addresses with their subnets' prefix lengths, its
    /// network's MTU. Waits until the port is active.
    pub fn attach(&self, host: &Host, name: &str, port: &weft_api::Port) -> Result<Workload> {
        let workload = self.rig.add_workload(host, self.workload_spec(name, port)?)?;
        self.wait_active(&port.id)?;
        let revision = self.wait(self.admin.ports().show(&port.id))?.revision;
        self.wait_applied(revision)?;
        Ok(workload)
    }

    /// What a workload for a port looks like.
    pub fn workload_spec(&self, name: &str, port: &weft_api::Port) -> Result<WorkloadSpec> {
        let network = self.wait(self.admin.networks().show(&port.network_id))?.value;
        let mut spec = WorkloadSpec::new(name, &port.id, &port.mac_address);
        spec = spec.mtu(u16::try_from(network.mtu)?).without_dad();
        for ip in &port.fixed_ips {
            let subnet = self.wait(self.admin.subnets().show(&ip.subnet_id))?.value;
            let Some((_, length)) = subnet.cidr.split_once('/') else {
                bail!("{} is not a prefix", subnet.cidr)
            };
            spec = spec.address(ip.ip_address.parse::<std::net::IpAddr>()?, length.parse()?);
        }
        Ok(spec)
    }

    /// What a failing test tells besides: what was dropped, which tunnels count as dead, what controllers were asked.
    pub fn diagnosis(&self) -> String {
        let silent = |host: &Host| match host.appctl(&["bfd/show"]) {
            Ok(text) => {
                let ends = text.split("----").filter(|part| part.contains("Forwarding: false"));
                let ends: Vec<&str> =
                    ends.map(|part| part.lines().next().unwrap_or_default().trim()).collect();
                format!("{}: {ends:?}", host.name())
            }
            Err(error) => format!("{}: {error:#}", host.name()),
        };
        let silent: Vec<String> = self.hosts.iter().map(silent).collect();
        let asked = match http_get(self.controller.api_addr(), "/metrics") {
            Ok(answer) => {
                let lines = answer.body.lines().filter(|line| line.starts_with("weft_packet_questions"));
                lines.collect::<Vec<_>>().join(", ")
            }
            Err(error) => format!("{error:#}"),
        };
        format!("{}; not forwarding: {}; asked: {asked}", drops_text(&self.hosts), silent.join(", "))
    }
}
