//! The controller under measurement: a release build as a child process with a data directory of its own.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use weft_rig::{Cmd, Process};

use crate::http::Http;
use crate::numbers;

/// How long a start may take: a million ports have to be read.
const START: Duration = Duration::from_secs(180);

/// A running controller; dropping it kills it.
#[derive(Debug)]
pub struct Controller {
    process: Process,
    data: PathBuf,
    ports: Ports,
    /// From its start to the first answer of its API.
    pub listening_after: Duration,
}

/// Where a controller listens, on 127.0.0.1; kept over restarts, so that switches find it again.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// REST.
    pub api: u16,
    /// Hosts' OVSDB.
    pub ovsdb: u16,
    /// Bridges' OpenFlow.
    pub openflow: u16,
}

impl Ports {
    /// Three that nobody has at the moment.
    pub fn free() -> Result<Ports> {
        // Held together, so that they differ.
        let taken = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let mut numbers = taken.iter().map(|listener| match listener {
            Ok(listener) => Ok(listener.local_addr()?.port()),
            Err(error) => Err(anyhow::anyhow!("looking for a free port: {error}")),
        });
        let mut next = || numbers.next().context("there are three")?;
        Ok(Ports { api: next()?, ovsdb: next()?, openflow: next()? })
    }
}

impl Controller {
    /// Starts one on a data directory and waits for its API.
    pub fn start(data: &Path, ports: Ports, options: &[&str]) -> Result<Controller> {
        let program = weft_scenarios::program("weft-controller")?;
        let log = data.join("controller.log");
        let begin = Instant::now();
        let process = Process::start_logged(&Cmd::new(program).args(arguments(data, ports, options)), &log)?;
        let mut controller =
            Controller { process, data: data.to_owned(), ports, listening_after: Duration::ZERO };
        controller.wait_listening()?;
        controller.listening_after = begin.elapsed();
        Ok(controller)
    }

    fn wait_listening(&mut self) -> Result<()> {
        let api = self.api();
        self.process
            .wait_for("the controller to listen", START, |_| Ok(std::net::TcpStream::connect(api).is_ok()))?;
        self.http()?.get("/healthz")?;
        Ok(())
    }

    /// A new connection to its API, with the administrator's token.
    pub fn http(&self) -> Result<Http> {
        // Made at the first start on every store, also on one that a generator has filled.
        let token = std::fs::read_to_string(self.data.join("admin.token"))?;
        Http::connect(self.api(), token.trim())
    }

    /// Where its API listens.
    pub fn api(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.api))
    }

    /// Where it listens.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// Processor time that it has used so far.
    pub fn cpu(&self) -> Result<Duration> {
        numbers::cpu(self.process.pid())
    }

    /// Its resident memory in MiB, now and at most so far.
    pub fn memory_mib(&self) -> Result<(f64, f64)> {
        let pid = self.process.pid();
        Ok((numbers::resident_kib(pid)? as f64 / 1024.0, numbers::peak_kib(pid)? as f64 / 1024.0))
    }

    /// The value of one of its metrics.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let page = String::from_utf8(self.http()?.get("/metrics")?.body)?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no metric {name}"))?.trim().parse()?)
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill9()
    }
}

fn arguments(data: &Path, ports: Ports, options: &[&str]) -> Vec<OsString> {
    let local = |port: u16| format!("127.0.0.1:{port}");
    let mut arguments: Vec<OsString> = vec!["--data-dir".into(), data.into()];
    for (option, value) in [
        ("--api-listen", local(ports.api)),
        ("--ovsdb-listen", local(ports.ovsdb)),
        ("--openflow-listen", local(ports.openflow)),
        ("--log", "warn".into()),
    ] {
        arguments.extend([option.into(), value.into()]);
    }
    arguments.extend(options.iter().map(Into::into));
    arguments
}
