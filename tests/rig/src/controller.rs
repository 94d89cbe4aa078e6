//! A controller process in the controller's namespace: started, asked, stopped, killed, started again.
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command::Cmd;
use crate::http::http_get;
use crate::netns::Netns;
use crate::process::{Process, tail};
use crate::rig::Rig;

/// What to start and how to know that it is ready.
#[derive(Debug, Clone)]
pub struct ControllerSpec {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// What is added to its environment.
    pub envs: Vec<(OsString, OsString)>,
    /// Its TCP port for HTTP.
    pub http_port: u16,
    /// The path that answers 200 once it is ready.
    pub ready_path: String,
    /// The name of its log file, without the ending.
    pub name: String,
}

impl ControllerSpec {
    /// A program without arguments that serves HTTP on port 9696 and answers `/readyz`.
    pub fn new(program: impl AsRef<Path>) -> Self {
        ControllerSpec {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            envs: Vec::new(),
            http_port: 9696,
            ready_path: "/readyz".to_owned(),
            name: "controller".to_owned(),
        }
    }

    /// Appends arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Adds to the environment.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }
}

/// A controller. Dropping it kills it; if a test is failing just then, the end of its log is printed.
#[derive(Debug)]
pub struct ControllerProc {
    spec: ControllerSpec,
    netns: Netns,
    api: SocketAddr,
    log: PathBuf,
    process: Option<Process>,
}

impl ControllerProc {
    /// Starts it and waits until it is ready.
    pub fn start(rig: &Rig, spec: ControllerSpec, limit: Duration) -> Result<Self> {
        let mut controller = Self::stopped(rig, spec);
        controller.start_again(limit)?;
        Ok(controller)
    }

    /// A controller that has not been started yet.
    pub fn stopped(rig: &Rig, spec: ControllerSpec) -> Self {
        let api = rig.api_addr(spec.http_port);
        let log = rig.run_dir().join(format!("{}.log", spec.name));
        ControllerProc { spec, netns: rig.control().clone(), api, log, process: None }
    }

    /// Starts it after it was stopped or killed, with the same arguments, and waits until it is ready.
    pub fn start_again(&mut self, limit: Duration) -> Result<()> {
        ensure!(self.process.is_none(), "the controller runs already");
        let mut cmd = Cmd::new(&self.spec.program).args(&self.spec.args).within(&self.netns);
        for (key, value) in &self.spec.envs {
            cmd = cmd.env(key, value);
        }
        self.process = Some(Process::start_logged(&cmd, &self.log)?);
        self.wait_ready(limit)
    }

    /// Waits until it answers 200 at its ready path; an error at once if it ends before.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let process = self.process.as_mut().context("the controller does not run")?;
        let (api, path) = (self.api, &self.spec.ready_path);
        process.wait_for("the controller to be ready", limit, |_| {
            let answer = http_get(api, path)?;
            ensure!(answer.status == 200, "{path} answers {}: {}", answer.status, answer.body);
            Ok(true)
        })
    }

    /// Where the test reaches its HTTP port.
    pub fn api_addr(&self) -> SocketAddr {
        self.api
    }

    /// Its process id, if it runs.
    pub fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> Result<bool> {
        self.process.as_mut().map_or(Ok(false), Process::is_running)
    }

    /// Everything it has logged, over all its starts.
    pub fn log(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| format!("reading {}", self.log.display()))
    }

    /// Kills it with SIGKILL.
    pub fn kill9(&mut self) -> Result<()> {
        self.process.take().context("the controller does not run")?.kill9()
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.process.take().context("the controller does not run")?.terminate()
    }

    /// Ends it with SIGTERM and starts it again.
    pub fn restart(&mut self, limit: Duration) -> Result<()> {
        self.terminate()?;
        self.start_again(limit)
    }
}

impl Drop for ControllerProc {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(log) = self.log()
        {
            eprintln!("---- {} ends ----\n{}", self.log.display(), tail(&log));
        }
    }
}
