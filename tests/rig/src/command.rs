//! Running one external command to its end, bounded in time, in a namespace or not.
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::netns::Netns;

/// How long a command may take unless told otherwise.
const LIMIT: Duration = Duration::from_secs(60);

/// A command to run: program, arguments, environment, standard input, namespace and time limit.
#[derive(Debug, Clone)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    netns: Option<Netns>,
    limit: Duration,
}

/// What a finished command left: its exit code (`None` after a signal) and its output.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit code, or `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, as text.
    pub stdout: String,
    /// Standard error, as text.
    pub stderr: String,
}

impl Finished {
    /// Whether the command exited with 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

impl Cmd {
    /// A command without arguments, in the namespace of the caller.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Cmd {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            envs: Vec::new(),
            stdin: Vec::new(),
            netns: None,
            limit: LIMIT,
        }
    }

    /// A command from a whole argument vector; the first word is the program.
    pub fn from_argv(argv: &[&str]) -> Result<Self> {
        let (program, args) = argv.split_first().context("an empty command")?;
        Ok(Cmd::new(program).args(args))
    }

    /// Appends arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets one environment variable.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives the command this standard input; without it, standard input is empty.
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Runs the command inside a network namespace.
    pub fn within(mut self, netns: &Netns) -> Self {
        self.netns = Some(netns.clone());
        self
    }

    /// Sets the time after which the command is killed and counts as failed.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it; anything but exit code 0 is an error that shows what the command printed.
    pub fn run(&self) -> Result<String> {
        let finished = self.output()?;
        if !finished.succeeded() {
            let code = finished.code.map_or("a signal".to_owned(), |c| c.to_string());
            bail!(
                "`{}` ended with {code}: {}{}",
                self.line(),
                finished.stderr.trim(),
                finished.stdout.trim()
            );
        }
        Ok(finished.stdout)
    }

    /// Runs it and returns whatever it answered; an error only if it could not run or took too long.
    pub fn output(&self) -> Result<Finished> {
        let (started, pid) = mpsc::channel();
        let (done, outcome) = mpsc::channel();
        let cmd = self.clone();
        thread::spawn(move || {
            // Nobody listens any more after a time-out: that is the one reason for a failing send.
            let _ = done.send(cmd.to_the_end(&started));
        });
        match outcome.recv_timeout(self.limit) {
            Ok(finished) => finished.with_context(|| format!("running `{}`", self.line())),
            Err(_) => {
                if let Ok(pid) = pid.try_recv() {
                    let _ = killpg(pid, Signal::SIGKILL);
                }
                Err(anyhow!("`{}` took more than {:?}", self.line(), self.limit))
            }
        }
    }

    /// Starts the command with the given standard streams, without waiting for it.
    pub(crate) fn spawn(&self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.envs.iter().map(|(k, v)| (k, v)));
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        // A group of its own: Ctrl-C at the terminal must not end hosts or half of a clean-up.
        command.process_group(0);
        let mut start = move || command.spawn().with_context(|| format!("starting `{}`", self.line()));
        match &self.netns {
            Some(netns) => netns.inside(start),
            None => start(),
        }
    }

    fn to_the_end(&self, started: &mpsc::Sender<Pid>) -> Result<Finished> {
        let stdin = if self.stdin.is_empty() { Stdio::null() } else { Stdio::piped() };
        let mut child = self.spawn(stdin, Stdio::piped(), Stdio::piped())?;
        let _ = started.send(Pid::from_raw(child.id().cast_signed()));
        if let Some(mut pipe) = child.stdin.take() {
            // A command that fails early closes its input: its own message says more than "broken pipe".
            let _ = pipe.write_all(&self.stdin);
        }
        let output = child.wait_with_output()?;
        Ok(Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// The command as a person would type it, for messages.
    pub(crate) fn line(&self) -> String {
        let mut line = self.program.to_string_lossy().into_owned();
        for arg in &self.args {
            line.push(' ');
            line.push_str(&arg.to_string_lossy());
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_code_and_input_are_passed_through() {
        let finished = Cmd::new("sh")
            .args(["-c", "cat; echo $WORD >&2; exit 3"])
            .env("WORD", "no")
            .stdin("yes")
            .output();
        let finished = finished.expect("sh runs");
        assert_eq!(
            (finished.code, finished.stdout.as_str(), finished.stderr.as_str()),
            (Some(3), "yes", "no\n")
        );
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let error = Cmd::new("sh").args(["-c", "echo broken >&2; false"]).run().expect_err("exit code 1");
        assert!(error.to_string().contains("broken"), "{error}");
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let error =
            Cmd::new("sleep").args(["600"]).limit(Duration::from_millis(50)).run().expect_err("too slow");
        assert!(error.to_string().contains("took more than"), "{error}");
    }
}
