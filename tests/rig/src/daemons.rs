//! A host's two daemons: how each is started, known to be ready, and ended.
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command::Cmd;
use crate::host::{Datapath, Host};
use crate::process::Process;
use crate::tools::SCHEMA;

/// How long a daemon may take to be ready.
const STARTING: Duration = Duration::from_secs(20);

/// `ovsdb-server` and `ovs-vswitchd`, each there while it runs.
#[derive(Debug, Default)]
pub(crate) struct Daemons {
    ovsdb: Option<Process>,
    vswitchd: Option<Process>,
}

impl Daemons {
    /// Makes the empty database that both need.
    pub(crate) fn create_database(host: &Host) -> Result<()> {
        host.tool("ovsdb-tool", &["create", &database(host).to_string_lossy(), SCHEMA]).map(drop)
    }

    pub(crate) fn start_ovsdb(&mut self, host: &Host) -> Result<()> {
        ensure!(self.ovsdb.is_none(), "the ovsdb-server of {} runs already", host.name());
        let socket = host.db_socket();
        let cmd = host.command("ovsdb-server").args([
            database(host).display().to_string(),
            format!("--remote=punix:{}", socket.display()),
            "--remote=db:Open_vSwitch,Open_vSwitch,manager_options".to_owned(),
            "--private-key=db:Open_vSwitch,SSL,private_key".to_owned(),
            "--certificate=db:Open_vSwitch,SSL,certificate".to_owned(),
            "--bootstrap-ca-cert=db:Open_vSwitch,SSL,ca_cert".to_owned(),
        ]);
        let mut process = start(host, cmd, "ovsdb-server")?;
        process.wait_for("ovsdb-server to listen", STARTING, |_| Ok(UnixStream::connect(&socket).is_ok()))?;
        self.ovsdb = Some(process);
        Ok(())
    }

    pub(crate) fn stop_ovsdb(&mut self) -> Result<()> {
        let mut process = self.ovsdb.take().context("ovsdb-server does not run")?;
        process.terminate().map(drop)
    }

    pub(crate) fn start_vswitchd(&mut self, host: &Host) -> Result<()> {
        ensure!(self.vswitchd.is_none(), "the ovs-vswitchd of {} runs already", host.name());
        let remote = format!("unix:{}", host.db_socket().display());
        let cmd = host.command("ovs-vswitchd").args([remote.as_str(), "--disable-system"]);
        let cmd = match host.datapath() {
            Datapath::Netdev => cmd,
            Datapath::Dummy => cmd.args(["--enable-dummy=override", "--disable-system-route"]),
        };
        let mut process = start(host, cmd, "ovs-vswitchd")?;
        let wanted = host.vsctl(&["list-br"])?;
        let pid_file = host.run_dir().join("ovs-vswitchd.pid");
        process.wait_for("ovs-vswitchd to have its bridges", STARTING, |process| {
            // A killed one leaves its pidfile, which would send ovs-appctl to a dead socket.
            ensure!(fs::read_to_string(&pid_file)?.trim() == process.pid().to_string(), "an old pidfile");
            let have = host.appctl(&["ofproto/list"])?;
            Ok(wanted.lines().all(|bridge| have.lines().any(|h| h == bridge)))
        })?;
        self.vswitchd = Some(process);
        Ok(())
    }

    pub(crate) fn stop_vswitchd(&mut self) -> Result<()> {
        let mut process = self.vswitchd.take().context("ovs-vswitchd does not run")?;
        process.terminate().map(drop)
    }

    pub(crate) fn kill9_vswitchd(&mut self) -> Result<()> {
        let mut process = self.vswitchd.take().context("ovs-vswitchd does not run")?;
        process.kill9()
    }

    pub(crate) fn vswitchd_pid(&self) -> Option<i32> {
        self.vswitchd.as_ref().map(Process::pid)
    }
}

fn database(host: &Host) -> PathBuf {
    host.run_dir().join("conf.db")
}

fn start(host: &Host, cmd: Cmd, name: &str) -> Result<Process> {
    let log = host.run_dir().join(format!("{name}.log"));
    let cmd = cmd
        .args(["--pidfile", "-vconsole:off", "--no-chdir"])
        .args([format!("--log-file={}", log.display())]);
    Process::start_logged(&cmd, &host.run_dir().join(format!("{name}.out.log")))
}
