//! A controller as a child process on loopback, with a data directory of its own.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use weft_rig::{Cmd, Process};

use super::http::Http;
use super::usage;

/// How long a start may take: a million ports have to be read, or a debug build is busy with a fleet that dials.
const START: Duration = Duration::from_secs(240);
/// How many lines of its log are shown.
const LOG_LINES: usize = 30;

/// A running controller; dropping it kills it.
#[derive(Debug)]
pub struct Controller {
    process: Process,
    data: PathBuf,
    listen: Listen,
    /// From its start to the first answer of its API.
    pub listening_after: Duration,
}

/// Where a controller listens; kept over restarts, so that switches find it again.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// REST.
    pub api: SocketAddr,
    /// Hosts' OVSDB.
    pub ovsdb: SocketAddr,
    /// Bridges' OpenFlow.
    pub openflow: SocketAddr,
}

impl Listen {
    /// Three addresses of loopback that nobody has at the moment.
    pub fn free() -> Result<Listen> {
        // Held together, so that they differ.
        let taken = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let [api, ovsdb, openflow] =
            taken.map(|listener| listener.and_then(|listener| listener.local_addr()));
        let none = "looking for a free port";
        Ok(Listen { api: api.context(none)?, ovsdb: ovsdb.context(none)?, openflow: openflow.context(none)? })
    }
}

impl Controller {
    /// Starts one on a data directory, with options besides the usual ones, and waits for its API.
    pub fn start(data: &Path, listen: Listen, options: &[&str]) -> Result<Controller> {
        let command = Cmd::new(crate::program("weft-controller")?).args(arguments(data, listen, options));
        let begin = Instant::now();
        let process = Process::start_logged(&command, &data.join("controller.log"))?;
        let mut controller =
            Controller { process, data: data.to_owned(), listen, listening_after: Duration::ZERO };
        controller.wait_listening()?;
        controller.listening_after = begin.elapsed();
        Ok(controller)
    }

    fn wait_listening(&mut self) -> Result<()> {
        let api = self.listen.api;
        self.process.wait_for("the controller to listen", START, |_| Ok(TcpStream::connect(api).is_ok()))?;
        self.http()?.get("/healthz")?;
        Ok(())
    }

    /// A new connection to its API, with the administrator's token.
    pub fn http(&self) -> Result<Http> {
        // Made at the first start on every store, also on one that a generator has filled.
        let token = std::fs::read_to_string(self.data.join("admin.token"))?;
        Http::connect(self.listen.api, token.trim())
    }

    /// Where it listens.
    pub fn listen(&self) -> Listen {
        self.listen
    }

    /// Processor time that it has used so far.
    pub fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.process.pid())
    }

    /// The same with what ended threads used, to 10 ms.
    pub fn cpu_of_all(&self) -> Result<Duration> {
        usage::cpu_of_all(self.process.pid())
    }

    /// Its resident memory in KiB, now and at most so far.
    pub fn memory_kib(&self) -> Result<(u64, u64)> {
        let pid = self.process.pid();
        Ok((usage::resident_kib(pid)?, usage::peak_kib(pid)?))
    }

    /// The value of one of its metrics.
    pub fn metric(&self, name: &str) -> Result<f64> {
        self.http()?.metric(name)
    }

    /// The end of what it has printed, for a failure's message.
    pub fn log(&self) -> String {
        let text = self.process.log().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill9()
    }
}

fn arguments(data: &Path, listen: Listen, options: &[&str]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--data-dir".into(), data.into()];
    for (option, value) in [
        ("--api-listen", listen.api.to_string()),
        ("--ovsdb-listen", listen.ovsdb.to_string()),
        ("--openflow-listen", listen.openflow.to_string()),
        ("--log", "warn".into()),
    ] {
        arguments.extend([option.into(), value.into()]);
    }
    arguments.extend(options.iter().map(Into::into));
    arguments
}
