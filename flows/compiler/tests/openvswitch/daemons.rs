//! A private Open vSwitch without any datapath of its own: for flow tables and packet traces only.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// Bytes in front of the first record of a capture file.
const PCAP_HEADER: usize = 24;
const DEADLINE: Duration = Duration::from_secs(30);

/// `ovsdb-server` and `ovs-vswitchd` with dummy devices; gone when dropped.
pub struct Daemons {
    dir: TempDir,
}

impl Daemons {
    /// Starts both and waits until they answer.
    pub fn start() -> Result<Daemons> {
        let daemons = Daemons { dir: tempfile::Builder::new().prefix("wt-compiler-").tempdir()? };
        let (db, socket) = (daemons.path("conf.db"), daemons.path("db.sock"));
        daemons.run("ovsdb-tool", &["create", &db, SCHEMA])?;
        let remote = format!("--remote=punix:{socket}");
        daemons
            .run("ovsdb-server", &[&db, &remote, "--pidfile", "--log-file", "-vconsole:off", "--detach"])?;
        daemons.run("ovs-vsctl", &["--no-wait", "init"])?;
        let dummy = ["--enable-dummy=override", "--disable-system", "--disable-system-route"];
        let mut args = vec![format!("unix:{socket}")];
        args.extend(
            dummy
                .iter()
                .chain(&["--pidfile", "--log-file", "-vconsole:off", "--detach"])
                .map(|s| s.to_string()),
        );
        daemons.run("ovs-vswitchd", &args.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(daemons)
    }

    /// A bridge with interfaces at these OpenFlow port numbers, and the socket on which it speaks OpenFlow.
    pub fn bridge(&self, name: &str, ofports: impl IntoIterator<Item = u16>) -> Result<PathBuf> {
        let mut args: Vec<String> = words(&format!(
            "add-br {name} -- set bridge {name} datapath_type=dummy fail_mode=secure \
             protocols=OpenFlow10,OpenFlow15 other-config:disable-in-band=true"
        ));
        for ofport in ofports {
            let (interface, sent) = (format!("{name}p{ofport}"), self.path(&format!("{name}p{ofport}.pcap")));
            args.extend(words(&format!(
                "-- add-port {name} {interface} -- set interface {interface} type=dummy \
                 ofport_request={ofport} options:tx_pcap={sent}"
            )));
        }
        self.run("ovs-vsctl", &args.iter().map(String::as_str).collect::<Vec<_>>())?;
        let socket = PathBuf::from(self.path(&format!("{name}.mgmt")));
        let end = Instant::now() + DEADLINE;
        while !socket.exists() {
            if Instant::now() > end {
                bail!("{name} does not open its OpenFlow socket");
            }
            std::thread::yield_now();
        }
        Ok(socket)
    }

    /// What would happen to a packet.
    pub fn trace(&self, bridge: &str, packet: &str) -> Result<String> {
        self.run("ovs-appctl", &["ofproto/trace", bridge, packet])
    }

    /// Lets a frame in by an interface and waits for the first one that leaves by it.
    pub fn answer(&self, interface: &str, frame: &[u8]) -> Result<Vec<u8>> {
        self.pass(interface, frame, interface)
    }

    /// Lets a frame in by an interface and waits for the first one that leaves by another.
    pub fn pass(&self, interface: &str, frame: &[u8], out: &str) -> Result<Vec<u8>> {
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let before = self.left(out).len();
        self.run("ovs-appctl", &["netdev-dummy/receive", interface, &hex])?;
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            if let Some(frame) = self.left(out).into_iter().nth(before) {
                return Ok(frame);
            }
            std::thread::yield_now();
        }
        bail!("nothing left by {out}")
    }

    /// All frames that have left by an interface.
    pub fn left(&self, interface: &str) -> Vec<Vec<u8>> {
        let bytes = std::fs::read(self.path(&format!("{interface}.pcap"))).unwrap_or_default();
        let mut rest = bytes.get(PCAP_HEADER..).unwrap_or_default();
        let mut frames = Vec::new();
        // A record is a header of four numbers, the third of them the length, and the frame.
        while let Some((header, after)) = rest.split_at_checked(16) {
            let length = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]) as usize;
            let Some((frame, after)) = after.split_at_checked(length) else { break };
            frames.push(frame.to_vec());
            rest = after;
        }
        frames
    }

    /// Runs one of Open vSwitch's tools against these daemons.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        let dir = self.dir.path();
        let mut command = tool(program);
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            command.env(variable, dir);
        }
        let output = command.args(args).current_dir(dir).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("start {program}"))?;
        if !output.status.success() {
            bail!("{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        for daemon in ["ovs-vswitchd", "ovsdb-server"] {
            let pid = std::fs::read_to_string(self.path(&format!("{daemon}.pid")));
            if let Some(pid) = pid.ok().and_then(|text| text.trim().parse::<i32>().ok()) {
                // Nothing can be done about a daemon that is gone already.
                let _ = Command::new("kill").arg("-9").arg(pid.to_string()).status();
            }
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A tool by name; the daemons live where an ordinary user's path does not look.
fn tool(program: &str) -> Command {
    let administrative = Path::new("/usr/sbin").join(program);
    if administrative.exists() { Command::new(administrative) } else { Command::new(program) }
}
