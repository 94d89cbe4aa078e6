//! The two that are compared: a real Open vSwitch with a dummy datapath, and a simulated one.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use weft_fleet::openflow::depot::Depot;
use weft_fleet::openflow::ports::PortEvent;
use weft_fleet::openflow::switch::Switch;
use weft_fleet::openflow::wire::{first_length, message};
use weft_fleet::openflow::{BARRIER_REPLY, BARRIER_REQUEST, ECHO_REPLY, ECHO_REQUEST};

const DEADLINE: Duration = Duration::from_secs(30);

/// Something that takes OpenFlow messages.
pub trait Party {
    /// Sends messages and gives whole answers up to that of a barrier of its own, which is left out.
    fn play(&mut self, messages: &[u8]) -> Vec<Vec<u8>>;
}

/// The transaction id of the barrier that ends a step.
const BARRIER: u32 = 0xbaaa_aaad;

fn barrier() -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, BARRIER_REQUEST, BARRIER, |_| {});
    out
}

fn is_barrier(frame: &[u8]) -> bool {
    frame[1] == BARRIER_REPLY && frame[4..8] == BARRIER.to_be_bytes()
}

/// A running `ovs-vswitchd` with the bridge `br0` and the ports `p1` to `p3`; it ends with the value.
pub struct Real {
    dir: tempfile::TempDir,
    daemons: Vec<Child>,
}

impl Real {
    pub fn start() -> Real {
        let dir = tempfile::Builder::new().prefix("weft-fleet-").tempdir().unwrap();
        let mut real = Real { dir, daemons: Vec::new() };
        let path = |name: &str| real.dir.path().join(name).display().to_string();
        let (conf, db, ctl) = (path("conf.db"), format!("unix:{}", path("db.sock")), path("ctl"));
        real.run("ovsdb-tool", &["create", &conf, "/usr/share/openvswitch/vswitch.ovsschema"]);
        let remote = format!("--remote=p{db}");
        let unixctl = path("db.ctl");
        real.spawn("ovsdb-server", &[&conf, &remote, "--unixctl", &unixctl, "-vconsole:off"]);
        wait_for("the database", || listens(&real.dir.path().join("db.sock")));
        real.vsctl(&["--no-wait", "init"]);
        let dummy = ["--enable-dummy=override", "--disable-system", "--disable-system-route"];
        real.spawn("ovs-vswitchd", &[&[&*db, "--unixctl", &ctl, "-vconsole:err"], &dummy[..]].concat());
        real.vsctl(&["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy"]);
        real.vsctl(&[
            "set",
            "bridge",
            "br0",
            "fail_mode=secure",
            "protocols=OpenFlow10,OpenFlow13,OpenFlow15",
        ]);
        for number in 1..=3 {
            let (name, request) = (format!("p{number}"), format!("ofport_request={number}"));
            real.vsctl(&["add-port", "br0", &name, "--", "set", "interface", &name, "type=dummy", &request]);
        }
        wait_for("the bridge", || listens(&real.socket()));
        real
    }

    pub fn vsctl(&self, args: &[&str]) -> String {
        let db = format!("--db=unix:{}", self.dir.path().join("db.sock").display());
        self.run("ovs-vsctl", &[&[db.as_str(), "--timeout=20"], args].concat())
    }

    pub fn connect(&self) -> RealConnection {
        let stream = UnixStream::connect(self.socket()).unwrap();
        RealConnection { stream, received: Vec::new() }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.dir.path().join("br0.mgmt")
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            command.env(variable, self.dir.path());
        }
        command.args(args).stdin(Stdio::null());
        command
    }

    fn run(&self, program: &str, args: &[&str]) -> String {
        let output = self.command(program, args).output().unwrap_or_else(|e| panic!("{program}: {e}"));
        assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn spawn(&mut self, program: &str, args: &[&str]) {
        let log = |name: &str| std::fs::File::create(self.dir.path().join(name)).unwrap();
        let (out, err) = (log(&format!("{program}.out")), log(&format!("{program}.err")));
        let child = self.command(program, args).stdout(out).stderr(err).spawn();
        self.daemons.push(child.unwrap_or_else(|e| panic!("{program}: {e}; install openvswitch-switch")));
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["ovs-vswitchd.log", "ovs-vswitchd.err"] {
                let text = std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
                let end: Vec<&str> = text.lines().rev().take(30).collect();
                eprintln!("{name}, the last first:\n{}", end.join("\n"));
            }
        }
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn listens(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A connection to the real one.
pub struct RealConnection {
    stream: UnixStream,
    received: Vec<u8>,
}

impl RealConnection {
    fn read_some(&mut self) {
        let mut buffer = [0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the switch hung up"),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn frame(&mut self) -> Option<Vec<u8>> {
        let length = first_length(&self.received).unwrap()?;
        (self.received.len() >= length).then(|| self.received.drain(..length).collect())
    }
}

impl Party for RealConnection {
    fn play(&mut self, messages: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = [messages, &barrier()].concat();
        let mut frames = Vec::new();
        let end = Instant::now() + DEADLINE;
        self.stream.set_nonblocking(true).unwrap();
        loop {
            assert!(Instant::now() < end, "no barrier reply; so far: {frames:02x?}");
            match self.stream.write(&rest) {
                Ok(count) => drop(rest.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            while let Some(frame) = self.frame() {
                match frame[1] {
                    ECHO_REQUEST => message(&mut rest, ECHO_REPLY, 0, |_| {}),
                    _ if is_barrier(&frame) => return frames,
                    _ => frames.push(frame),
                }
            }
            self.read_some();
        }
    }
}

/// The simulated one, with the same ports.
pub struct Simulated {
    pub depot: Depot,
    pub switch: Switch,
    pending: Vec<u8>,
}

impl Simulated {
    pub fn start() -> Simulated {
        let mut switch = Switch::new("br0", 0x1122_3344_5566);
        for number in 1..=3 {
            switch.port(PortEvent::Added, number, &format!("p{number}"), &mut Vec::new());
        }
        let mut pending = Vec::new();
        switch.connected(&mut pending);
        Simulated { depot: Depot::new(), switch, pending }
    }
}

impl Party for Simulated {
    fn play(&mut self, messages: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = messages;
        let mut out = std::mem::take(&mut self.pending);
        while let Some(length) = first_length(rest).unwrap() {
            self.switch.handle(&mut self.depot, &rest[..length], &mut out);
            rest = &rest[length..];
        }
        let mut frames = Vec::new();
        let mut rest = &out[..];
        while let Some(length) = first_length(rest).unwrap() {
            frames.push(rest[..length].to_vec());
            rest = &rest[length..];
        }
        frames
    }
}
