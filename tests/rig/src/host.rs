//! One host: an `ovsdb-server` and an `ovs-vswitchd` of its own, and the ways to use, stop and break them.
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};

use crate::command::{Cmd, Finished};
use crate::daemons::Daemons;
use crate::netns::Netns;
use crate::openflow_log::OpenFlowLog;
use crate::plan::{self, UNDERLAY_MTU, Underlay};

/// What moves a host's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datapath {
    /// The userspace datapath: real packets, a namespace of its own.
    Netdev,
    /// Open vSwitch's own stand-in: OVSDB and OpenFlow are real, packets are not. Lives in the controller's
    /// namespace and costs two processes and nothing else.
    Dummy,
}

/// The state of a host's link to the underlay or to the management network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Carries frames.
    Up,
    /// Carries nothing.
    Down,
}

/// What to build.
#[derive(Debug, Clone)]
pub struct HostSpec {
    /// Up to 13 letters, digits and dashes; also the host's system-id.
    pub name: String,
    /// What moves its packets.
    pub datapath: Datapath,
}

impl HostSpec {
    /// A host with the userspace datapath.
    pub fn new(name: &str) -> Self {
        HostSpec { name: name.to_owned(), datapath: Datapath::Netdev }
    }

    /// A host that forwards nothing.
    pub fn dummy(name: &str) -> Self {
        HostSpec { name: name.to_owned(), datapath: Datapath::Dummy }
    }
}

/// A handle to a host; clones mean the same host. The rig ends it.
#[derive(Debug, Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    spec: HostSpec,
    number: u16,
    vtep: IpAddr,
    run_dir: PathBuf,
    netns: Netns,
    underlay: Netns,
    daemons: Mutex<Daemons>,
}

impl Host {
    pub(crate) fn start(
        spec: HostSpec,
        number: u16,
        family: Underlay,
        rig_dir: &Path,
        netns: Netns,
        underlay: Netns,
    ) -> Result<Self> {
        let run_dir = rig_dir.join(&spec.name);
        fs::create_dir(&run_dir)?;
        let vtep = plan::vtep(family, number);
        let daemons = Mutex::default();
        let host = Host { inner: Arc::new(Inner { spec, number, vtep, run_dir, netns, underlay, daemons }) };
        Daemons::create_database(&host)?;
        host.start_ovsdb()?;
        // What the package's start script records, and the daemons by themselves do not.
        let version = host.tool("ovs-vswitchd", &["--version"])?;
        let version = version.lines().next().and_then(|line| line.split(' ').next_back()).unwrap_or_default();
        let name = host.name();
        host.vsctl(&[
            "--no-wait",
            "init",
            "--",
            "set",
            "Open_vSwitch",
            ".",
            &format!("external_ids:system-id={name}"),
            &format!("external_ids:hostname={name}"),
            &format!("ovs_version={version}"),
        ])?;
        host.start_vswitchd()?;
        if host.datapath() == Datapath::Netdev {
            host.add_vtep(family)?;
        }
        Ok(host)
    }

    /// Its name, which is also its system-id.
    pub fn name(&self) -> &str {
        &self.inner.spec.name
    }

    /// Its number in the rig, from 1; its addresses follow from it.
    pub fn number(&self) -> u16 {
        self.inner.number
    }

    /// What moves its packets.
    pub fn datapath(&self) -> Datapath {
        self.inner.spec.datapath
    }

    /// Its namespace; a dummy host shares the controller's. `eth0` is its link to the underlay.
    pub fn netns(&self) -> &Netns {
        &self.inner.netns
    }

    /// The name of its namespace, as `ip netns` shows it.
    pub fn netns_name(&self) -> &str {
        self.inner.netns.name()
    }

    /// The unix socket of its `ovsdb-server`. It can be reached from every namespace.
    pub fn db_socket(&self) -> PathBuf {
        self.inner.run_dir.join("db.sock")
    }

    /// The folder of its sockets, pidfiles, logs and database (`OVS_RUNDIR`).
    pub fn run_dir(&self) -> &Path {
        &self.inner.run_dir
    }

    /// Its VTEP address. A dummy host announces one that nobody answers at.
    pub fn underlay_ip(&self) -> IpAddr {
        self.inner.vtep
    }

    /// Runs `ovs-vsctl`; without `--no-wait` it returns when `ovs-vswitchd` has done it.
    pub fn vsctl(&self, args: &[&str]) -> Result<String> {
        let mut all = vec!["--timeout=30"];
        all.extend(args);
        self.tool("ovs-vsctl", &all)
    }

    /// Runs `ovs-ofctl` with OpenFlow 1.5.
    pub fn ofctl(&self, args: &[&str]) -> Result<String> {
        let mut all = vec!["-O", "OpenFlow15", "--timeout=30"];
        all.extend(args);
        self.tool("ovs-ofctl", &all)
    }

    /// Runs `ovs-appctl` against `ovs-vswitchd`.
    pub fn appctl(&self, args: &[&str]) -> Result<String> {
        let mut all = vec!["--timeout=30"];
        all.extend(args);
        self.tool("ovs-appctl", &all)
    }

    /// Runs any command of Open vSwitch here, with the environment that makes it find this host's daemons.
    pub fn tool(&self, program: &str, args: &[&str]) -> Result<String> {
        self.command(program).args(args).run().with_context(|| format!("on host {}", self.name()))
    }

    /// Runs a command in the host's namespace and in the environment of its Open vSwitch.
    pub fn exec(&self, argv: &[&str]) -> Result<String> {
        let (program, args) = argv.split_first().context("an empty command")?;
        self.tool(program, args)
    }

    /// Like [`Host::exec`], but a failing command is an answer and not an error.
    pub fn output(&self, argv: &[&str]) -> Result<Finished> {
        let (program, args) = argv.split_first().context("an empty command")?;
        self.command(program).args(args).output()
    }

    /// A command in the host's namespace and environment, for those who want to add to it or start it themselves.
    pub fn command(&self, program: &str) -> Cmd {
        let mut cmd = Cmd::new(program).within(&self.inner.netns);
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            cmd = cmd.env(variable, &self.inner.run_dir);
        }
        cmd
    }

    /// Joins the host to a controller with the documented line; `manager` is for example `tcp:10.99.0.1:6640`.
    pub fn join(&self, manager: &str) -> Result<()> {
        let encap = format!("external_ids:weft-encap-ip={}", self.underlay_ip());
        self.vsctl(&["set", "Open_vSwitch", ".", &encap, "--", "set-manager", manager])?;
        Ok(())
    }

    /// Takes the host away from its controller: no manager any more. What is installed stays.
    pub fn leave(&self) -> Result<()> {
        self.vsctl(&["del-manager"]).map(drop)
    }

    /// Makes `br-int` by hand, for tests of the rig that have no controller.
    pub fn add_bridge(&self, name: &str) -> Result<()> {
        self.vsctl(&[
            "add-br",
            name,
            "--",
            "set",
            "Bridge",
            name,
            "datapath_type=netdev",
            "fail_mode=secure",
            "other_config:disable-in-band=true",
        ])?;
        Ok(())
    }

    /// The flows of a bridge as `ovs-ofctl dump-flows` prints them, without counters and ages.
    pub fn flows(&self, bridge: &str) -> Result<Vec<String>> {
        let text = self.ofctl(&["--no-stats", "dump-flows", bridge])?;
        Ok(text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect())
    }

    /// Starts `ovsdb-server` and waits until it listens.
    pub fn start_ovsdb(&self) -> Result<()> {
        self.daemons().start_ovsdb(self)
    }

    /// Ends `ovsdb-server` with SIGTERM. Its database stays.
    pub fn stop_ovsdb(&self) -> Result<()> {
        self.daemons().stop_ovsdb()
    }

    /// Ends and starts `ovsdb-server`; every OVSDB connection breaks and can be made again.
    pub fn restart_ovsdb(&self) -> Result<()> {
        self.stop_ovsdb()?;
        self.start_ovsdb()
    }

    /// Starts `ovs-vswitchd` and waits until every bridge of the database exists.
    pub fn start_vswitchd(&self) -> Result<()> {
        self.daemons().start_vswitchd(self)
    }

    /// Ends `ovs-vswitchd` with SIGTERM: flows, groups and meters are gone, the database stays.
    pub fn stop_vswitchd(&self) -> Result<()> {
        self.daemons().stop_vswitchd()
    }

    /// Kills `ovs-vswitchd` with SIGKILL.
    pub fn kill9_vswitchd(&self) -> Result<()> {
        self.daemons().kill9_vswitchd()
    }

    /// Ends and starts `ovs-vswitchd`.
    pub fn restart_vswitchd(&self) -> Result<()> {
        self.stop_vswitchd()?;
        self.start_vswitchd()
    }

    /// The process id of its `ovs-vswitchd`, if it runs.
    pub fn vswitchd_pid(&self) -> Option<i32> {
        self.daemons().vswitchd_pid()
    }

    /// From now on, what its bridges hear over OpenFlow is written down and can be counted.
    pub fn watch_openflow(&self) -> Result<OpenFlowLog> {
        OpenFlowLog::start(self)
    }

    /// Plugs or cuts the cable to the underlay: tunnels stop, the controller stays reachable.
    pub fn set_underlay_link(&self, link: Link) -> Result<()> {
        set_link(&self.inner.underlay, &format!("h{}", self.number()), link)
    }

    /// Plugs or cuts the cable to the management network: the controller is unreachable, tunnels go on.
    pub fn set_management_link(&self, link: Link) -> Result<()> {
        ensure!(self.datapath() == Datapath::Netdev, "a dummy host has no cable");
        set_link(self.netns(), "mgmt0", link)
    }

    /// Gives `br-int` a port that stands for nothing but its binding: all a dummy host can have.
    pub fn add_dummy_port(&self, interface: &str, port_id: &str) -> Result<()> {
        let iface_id = format!("external_ids:iface-id={port_id}");
        self.vsctl(&[
            "add-port",
            "br-int",
            interface,
            "--",
            "set",
            "Interface",
            interface,
            "type=dummy",
            &iface_id,
        ])?;
        Ok(())
    }

    /// Makes `br-phy`: the underlay link and the VTEP address.
    fn add_vtep(&self, family: Underlay) -> Result<()> {
        let mac = format!("other_config:hwaddr={}", plan::vtep_mac(self.number()));
        self.vsctl(&[
            "add-br",
            "br-phy",
            "--",
            "set",
            "Bridge",
            "br-phy",
            "datapath_type=netdev",
            "fail_mode=standalone",
            &mac,
            "--",
            "add-port",
            "br-phy",
            "eth0",
        ])?;
        if family == Underlay::V6 {
            self.netns().sysctls(&[("ipv6/conf/br-phy/disable_ipv6", "0")])?;
        }
        let mut lines = format!(
            "link set br-phy mtu {UNDERLAY_MTU} up\naddr add {}/16 dev br-phy\n",
            plan::vtep4(self.number())
        );
        if family == Underlay::V6 {
            // Nobody else has this address, and a tunnel should not wait for the proof of it.
            lines += &format!("addr add {}/64 dev br-phy nodad\n", plan::vtep6(self.number()));
        }
        self.netns().ip(&lines)
    }

    fn daemons(&self) -> MutexGuard<'_, Daemons> {
        self.inner.daemons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set_link(netns: &Netns, interface: &str, link: Link) -> Result<()> {
    let state = match link {
        Link::Up => "up",
        Link::Down => "down",
    };
    netns.ip(&format!("link set dev {interface} {state}\n"))
}
