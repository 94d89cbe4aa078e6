//! A background process that never outlives the value that stands for it.
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::command::Cmd;
use crate::wait::wait_until;

/// How long a process may take to obey SIGTERM.
const OBEDIENCE: Duration = Duration::from_secs(20);
/// How many lines of a log are shown.
const TAIL_LINES: usize = 60;

/// A running background process with its output in a file. Dropping it kills the process and its children.
#[derive(Debug)]
pub struct Process {
    line: String,
    child: Child,
    log: Log,
}

/// Where a process writes: a file with a name, or one that vanishes with the process.
#[derive(Debug)]
enum Log {
    Named(PathBuf),
    Nameless(File),
}

impl Process {
    /// Starts a command in the background; both its output streams go to a nameless file.
    pub fn start(cmd: &Cmd) -> Result<Self> {
        let file = tempfile::tempfile().context("making a file for the output")?;
        let child = cmd.spawn(Stdio::null(), file.try_clone()?.into(), file.try_clone()?.into())?;
        Ok(Process { line: cmd.line(), child, log: Log::Nameless(file) })
    }

    /// Starts a command in the background; both its output streams are appended to `log`.
    pub fn start_logged(cmd: &Cmd, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("opening {}", log.display()))?;
        let child = cmd.spawn(Stdio::null(), file.try_clone()?.into(), file.into())?;
        Ok(Process { line: cmd.line(), child, log: Log::Named(log.to_owned()) })
    }

    /// The process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Everything it has printed so far.
    pub fn log(&self) -> Result<String> {
        let mut bytes = Vec::new();
        match &self.log {
            Log::Named(path) => bytes = fs::read(path)?,
            Log::Nameless(file) => {
                // Re-opened through /proc, so that reading does not move the offset the process writes at.
                let mut own = File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file)))?;
                own.rewind()?;
                own.read_to_end(&mut bytes)?;
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Sends a signal to the process itself.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.pid()), signal)
            .with_context(|| format!("sending {signal} to `{}`", self.line))
    }

    /// Waits for a condition that this process is to bring about; an error at once, with its output, if it ends before.
    pub fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        let mut ended = false;
        let outcome = wait_until(what, limit, || {
            ended = !self.is_running()?;
            Ok(ended || condition(self)?)
        });
        ensure!(!ended, "`{}` ended:\n{}", self.line, tail(&self.log()?));
        outcome.with_context(|| {
            format!("`{}` printed at last:\n{}", self.line, tail(&self.log().unwrap_or_default()))
        })
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("the end of `{}`", self.line);
        let mut status = None;
        wait_until(&what, limit, || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        })?;
        status.context("ended without a status")
    }

    /// Asks it to end (SIGTERM) and waits; if it does not obey, it is killed and that is an error.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        match self.wait(OBEDIENCE) {
            Ok(status) => Ok(status),
            Err(_) => {
                self.kill9()?;
                bail!("`{}` did not obey SIGTERM within {OBEDIENCE:?}", self.line)
            }
        }
    }

    /// Kills it and what it started (SIGKILL to its process group) and waits until it is gone.
    pub fn kill9(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
        }
        self.child.wait()?;
        Ok(())
    }
}

/// The last lines of a log: what a failing test shows of it.
pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill9();
    }
}
