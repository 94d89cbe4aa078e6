//! A real Open vSwitch with a dummy datapath: no privileges, no namespaces, its own directory.

use bytes::Bytes;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use weft_openflow::message::multipart::{Reply, Request};
use weft_openflow::message::*;
use weft_openflow::{DecodeError, Writer, Xid};

const DEADLINE: Duration = Duration::from_secs(20);

/// A running switch with the bridge `br0` and the ports `p1` to `p3`; it ends with the value.
pub struct Switch {
    dir: tempfile::TempDir,
    daemons: Vec<Child>,
}

impl Switch {
    /// Starts it and waits until the bridge is there.
    pub fn start() -> Switch {
        let dir = tempfile::Builder::new().prefix("weft-of-").tempdir().unwrap();
        let mut switch = Switch { dir, daemons: Vec::new() };
        let path = |name: &str| switch.dir.path().join(name).display().to_string();
        let (conf, db, ctl) = (path("conf.db"), format!("unix:{}", path("db.sock")), path("ctl"));
        switch.run("ovsdb-tool", &["create", &conf, "/usr/share/openvswitch/vswitch.ovsschema"]);
        let remote = format!("--remote=p{db}");
        switch.spawn("ovsdb-server", &[&conf, &remote, "--unixctl", &path("db.ctl"), "-vconsole:off"]);
        wait_for("the database", || listens(&switch.dir.path().join("db.sock")));
        switch.vsctl(&["--no-wait", "init"]);
        let dummy = ["--enable-dummy=override", "--disable-system", "--disable-system-route"];
        switch.spawn(
            "ovs-vswitchd",
            &[&[db.as_str(), "--unixctl", &ctl, "-vconsole:off"], &dummy[..]].concat(),
        );
        switch.vsctl(&["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy"]);
        switch.vsctl(&["set", "bridge", "br0", "fail_mode=secure", "protocols=OpenFlow10,OpenFlow15"]);
        for number in 1..=3 {
            switch.add_port(number);
        }
        wait_for("the bridge", || listens(&switch.socket()));
        switch
    }

    /// Adds the port `p<number>` with that OpenFlow number.
    pub fn add_port(&self, number: u32) {
        let (name, request) = (format!("p{number}"), format!("ofport_request={number}"));
        self.vsctl(&["add-port", "br0", &name, "--", "set", "interface", &name, "type=dummy", &request]);
    }

    /// Runs `ovs-vsctl` against its database.
    pub fn vsctl(&self, args: &[&str]) -> String {
        let db = format!("--db=unix:{}", self.dir.path().join("db.sock").display());
        self.run("ovs-vsctl", &[&[db.as_str(), "--timeout=20"], args].concat())
    }

    /// Runs `ovs-appctl` against the switch.
    pub fn appctl(&self, args: &[&str]) -> String {
        let ctl = self.dir.path().join("ctl").display().to_string();
        self.run("ovs-appctl", &[&["-t", ctl.as_str()], args].concat())
    }

    /// Lets a packet arrive at a port.
    pub fn receive(&self, port: &str, packet: &[u8]) {
        let hex: String = packet.iter().map(|byte| format!("{byte:02x}")).collect();
        self.appctl(&["netdev-dummy/receive", port, &hex]);
    }

    /// Connects as a controller and shakes hands.
    pub fn connect(&self) -> Connection {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut connection = Connection { stream, last: 0, received: Vec::new(), kept: Vec::new() };
        connection.send(&Message::Hello(Hello::ours()));
        let (_, hello) = connection.receive_next();
        let Message::Hello(hello) = hello else { panic!("{hello:?}") };
        assert!(hello.speaks(VERSION), "{hello:?}");
        connection
    }

    fn socket(&self) -> PathBuf {
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
        let output = self.command(program, args).output();
        let output = output.unwrap_or_else(|e| panic!("{program}: {e}; install openvswitch-switch"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn spawn(&mut self, program: &str, args: &[&str]) {
        let log = |name: &str| std::fs::File::create(Path::new(self.dir.path()).join(name)).unwrap();
        let (out, err) = (log(&format!("{program}.out")), log(&format!("{program}.err")));
        let child = self.command(program, args).stdout(out).stderr(err).spawn();
        self.daemons.push(child.unwrap_or_else(|e| panic!("{program}: {e}; install openvswitch-switch")));
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// True when somebody takes connections there: the file alone is there a moment too early.
fn listens(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An OpenFlow connection to a switch.
pub struct Connection {
    stream: UnixStream,
    last: u32,
    received: Vec<u8>,
    kept: Vec<(Xid, Message)>,
}

impl Connection {
    /// Sends a message under a new transaction id.
    pub fn send(&mut self, message: &Message) -> Xid {
        let xid = self.next_xid();
        self.write(&message.try_encode(xid).unwrap());
        xid
    }

    /// Sends what was written.
    pub fn send_written(&mut self, w: Writer) {
        assert!(!w.is_oversize());
        self.write(&w.into_bytes());
    }

    /// A transaction id that was not used before.
    pub fn next_xid(&mut self) -> Xid {
        self.last += 1;
        Xid(self.last)
    }

    /// Sends a request and waits for the message that answers it; events that come first are kept.
    pub fn call(&mut self, message: &Message) -> Message {
        let xid = self.send(message);
        self.wait(|other, _| other == xid).1
    }

    /// Waits until the switch has done everything; gives the errors that came, with their requests' ids.
    pub fn barrier(&mut self) -> Vec<(Xid, ErrorCode)> {
        let xid = self.send(&Message::BarrierRequest);
        assert_eq!(self.wait(|other, _| other == xid).1, Message::BarrierReply);
        let (errors, others) =
            self.kept.drain(..).partition::<Vec<_>, _>(|(_, message)| matches!(message, Message::Error(_)));
        self.kept = others;
        let code = |(xid, message)| match message {
            Message::Error(error) => (xid, error.code),
            other => panic!("{other:?}"),
        };
        errors.into_iter().map(code).collect()
    }

    /// Waits for a message, kept ones first; others that come are kept.
    pub fn wait(&mut self, wanted: impl Fn(Xid, &Message) -> bool) -> (Xid, Message) {
        if let Some(index) = self.kept.iter().position(|(xid, message)| wanted(*xid, message)) {
            return self.kept.remove(index);
        }
        loop {
            let (xid, message) = self.receive_next();
            if wanted(xid, &message) {
                return (xid, message);
            }
            self.kept.push((xid, message));
        }
    }

    /// Asks and gives every part of the answer.
    pub fn ask_parts(&mut self, request: &Request) -> Vec<MultipartReply> {
        let xid = self.send(&Message::MultipartRequest(MultipartRequest::from(request)));
        let mut parts = Vec::new();
        loop {
            match self.wait(|other, _| other == xid).1 {
                Message::MultipartReply(reply) => parts.push(reply),
                other => panic!("{request:?}: {other:?}"),
            }
            if parts.last().is_some_and(|part| !part.has_more()) {
                return parts;
            }
        }
    }

    /// Asks, requires an answer in one part that is written exactly as it came, and gives what it says.
    pub fn ask(&mut self, request: &Request) -> Reply {
        let parts = self.ask_parts(request);
        assert_eq!(parts.len(), 1, "{request:?}");
        decoded(&parts[0]).unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    fn write(&mut self, bytes: &[u8]) {
        // A switch that is full of answers reads no more until some are taken: never write without reading.
        self.stream.set_nonblocking(true).unwrap();
        let mut rest = bytes;
        let end = Instant::now() + DEADLINE;
        while !rest.is_empty() {
            assert!(Instant::now() < end, "the switch takes nothing");
            match self.stream.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if !self.read_some() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        self.stream.set_nonblocking(false).unwrap();
    }

    fn read_some(&mut self) -> bool {
        let mut buf = [0; 65_536];
        match self.stream.read(&mut buf) {
            Ok(0) => panic!("the switch hung up"),
            Ok(count) => self.received.extend_from_slice(&buf[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }

    /// The next message; echo requests are answered on the way.
    fn receive_next(&mut self) -> (Xid, Message) {
        loop {
            let (header, message) = self.frame();
            match message {
                Message::EchoRequest(data) => {
                    self.write(&Message::EchoReply(data).encode(header.xid));
                }
                message => return (header.xid, message),
            }
        }
    }

    fn frame(&mut self) -> (Header, Message) {
        loop {
            if let Some(length) = frame_length(&self.received).unwrap()
                && self.received.len() >= length
            {
                let bytes: Bytes = self.received.drain(..length).collect();
                let (header, message) =
                    Message::decode(&bytes).unwrap_or_else(|e| panic!("{e}: {bytes:02x?}"));
                assert_eq!(message.encode(header.xid), bytes, "{message:?} is written differently");
                return (header, message);
            }
            assert!(self.read_some(), "nothing came within {DEADLINE:?}; kept: {:?}", self.kept);
        }
    }
}

/// What an answer says; it must be written exactly as it came.
pub fn decoded(part: &MultipartReply) -> Result<Reply, DecodeError> {
    let reply = part.decode()?;
    assert_eq!(MultipartReply::from(&reply).body, part.body, "{reply:?} is written differently");
    Ok(reply)
}
