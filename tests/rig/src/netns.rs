//! One network namespace: entering it, running things in it, setting its sysctls.
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::command::{Cmd, Finished};
use crate::process::Process;

/// A named network namespace, as `ip netns` knows it. A cheap handle: dropping it removes nothing.
#[derive(Debug, Clone)]
pub struct Netns {
    name: Arc<str>,
}

impl Netns {
    /// A handle to the namespace of this name; it is not created.
    pub fn named(name: &str) -> Self {
        Netns { name: name.into() }
    }

    /// The name that `ip netns` shows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for the namespace.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&*self.name)
    }

    /// Runs `work` on a thread of its own inside this namespace.
    ///
    /// Sockets that `work` makes and processes that it starts belong to the namespace for good.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let namespace =
            File::open(self.path()).with_context(|| format!("opening namespace {}", self.name))?;
        let outcome = thread::scope(|scope| {
            let thread = scope.spawn(move || {
                setns(&namespace, CloneFlags::CLONE_NEWNET).context("entering the namespace (needs root)")?;
                work()
            });
            thread.join()
        });
        outcome.map_err(|_| anyhow!("work inside namespace {} panicked", self.name))?
    }

    /// Runs a command here; anything but exit code 0 is an error.
    pub fn exec(&self, argv: &[&str]) -> Result<String> {
        Cmd::from_argv(argv)?.within(self).run()
    }

    /// Runs a command here and returns whatever it answered.
    pub fn output(&self, argv: &[&str]) -> Result<Finished> {
        Cmd::from_argv(argv)?.within(self).output()
    }

    /// Starts a command here in the background; it is killed when the returned value is dropped.
    /// Its output is kept and can be read with [`Process::log`].
    pub fn spawn(&self, argv: &[&str]) -> Result<Process> {
        Process::start(&Cmd::from_argv(argv)?.within(self))
    }

    /// Runs several `ip` commands here in one process, one per line and without the word `ip`.
    pub fn ip(&self, lines: &str) -> Result<()> {
        ip_batch(Some(self), lines)
    }

    /// Writes a `net.*` sysctl of this namespace, for example `("ipv4/conf/all/arp_ignore", "1")`.
    pub(crate) fn sysctls(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.inside(|| {
            for (key, value) in settings {
                let path = format!("/proc/sys/net/{key}");
                fs::write(&path, value).with_context(|| format!("writing {value} to {path}"))?;
            }
            Ok(())
        })
    }
}

/// Runs several `ip` commands in one process, in a namespace or in the caller's.
pub(crate) fn ip_batch(netns: Option<&Netns>, lines: &str) -> Result<()> {
    let cmd = Cmd::new("ip").args(["-batch", "-"]).stdin(lines);
    let cmd = match netns {
        Some(netns) => cmd.within(netns),
        None => cmd,
    };
    cmd.run().with_context(|| format!("ip batch:\n{lines}"))?;
    Ok(())
}
