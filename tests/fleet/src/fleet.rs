//! The handle of a running fleet: what tests and benchmarks ask of it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, ensure};
use mio::{Poll, Waker};

use crate::expect::{Condition, Expectation, Hosts};
use crate::limits;
use crate::openflow::counters::Counters;
use crate::openflow::digest::Digest;
use crate::ovsdb::LocalChange;
use crate::spec::{Answers, FleetSpec, HOSTS_MAX};
use crate::worker::control::{Command, Dump, Fault, Status};
use crate::worker::{WAKER, Worker};

/// How long a worker may take to answer before it is taken for dead.
const ANSWER: Duration = Duration::from_secs(120);

/// A running fleet. Dropping it ends it: every connection is closed.
#[derive(Debug)]
pub struct Fleet {
    spec: FleetSpec,
    workers: Vec<Handle>,
}

#[derive(Debug)]
struct Handle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Fleet {
    /// Starts a fleet; its hosts begin to dial at once.
    ///
    /// # Errors
    /// When there are too many hosts for this machine's limits, or a thread cannot be made.
    pub fn start(spec: FleetSpec) -> anyhow::Result<Fleet> {
        ensure!(spec.hosts > 0 && spec.hosts <= HOSTS_MAX, "a fleet has 1 to {HOSTS_MAX} hosts");
        limits::allow_open_files(u64::from(spec.hosts) * 2 + 64)?;
        let count = u32::try_from(spec.threads.max(1)).context("too many threads")?.min(spec.hosts);
        let mut workers = Vec::new();
        for index in 0..count {
            let poll = Poll::new().context("making an epoll instance")?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKER).context("making a waker")?);
            let (commands, queue) = channel();
            let own = spec.clone();
            let thread = std::thread::Builder::new().name(format!("fleet-{index}"));
            let thread = thread.spawn(move || Worker::new(&own, (count, index), poll, queue).run());
            let thread = Some(thread.context("starting a thread")?);
            workers.push(Handle { commands, waker, thread });
        }
        Ok(Fleet { spec, workers })
    }

    /// What it was made of.
    pub fn spec(&self) -> &FleetSpec {
        &self.spec
    }

    /// Arms a condition: what happens from the return of this call on counts, states count also before.
    pub fn expect(&self, hosts: Hosts, condition: Condition) -> Expectation {
        let (sender, stamps) = channel();
        let wanted = hosts.numbers(self.spec.hosts).len();
        let armed =
            self.ask_all(|reply| Command::Expect(hosts.clone(), condition.clone(), sender.clone(), reply));
        drop(armed);
        Expectation { stamps, wanted, met: Vec::new() }
    }

    /// The digests of some hosts, by host. A host without a bridge has an empty one.
    pub fn digests(&self, hosts: Hosts) -> Vec<(u32, Digest)> {
        let parts = self.ask_all(|reply| Command::Digests(hosts.clone(), reply));
        let mut all: Vec<_> = parts.into_iter().flatten().collect();
        all.sort_by_key(|(host, _)| *host);
        all
    }

    /// Flows and groups of a host.
    pub fn dump(&self, host: u32) -> Dump {
        self.ask_one(host, |reply| Command::Dump(host, reply))
    }

    /// What a host's switch was told.
    pub fn counters(&self, host: u32) -> Counters {
        self.ask_one(host, |reply| Command::Counters(host, reply))
    }

    /// How the whole fleet is doing.
    pub fn status(&self) -> Status {
        let mut sum = Status::default();
        for part in self.ask_all(Command::Status) {
            sum.hosts += part.hosts;
            sum.managers += part.managers;
            sum.controllers += part.controllers;
            sum.flows += part.flows;
            sum.groups += part.groups;
            sum.counters.add(&part.counters);
            sum.lag.add(&part.lag);
            sum.busy = (sum.busy.0 + part.busy.0, sum.busy.1 + part.busy.1);
            sum.on_core += part.on_core;
            sum.depot = (sum.depot.0 + part.depot.0, sum.depot.1 + part.depot.1);
            sum.resident += part.resident;
        }
        sum
    }

    /// From now on, switches answer so; [`Answers::AtOnce`] until this is called.
    pub fn set_answers(&self, answers: Answers) {
        self.workers.iter().for_each(|worker| worker.tell(Command::Answers(answers)));
    }

    /// Starts lag and busy times anew, for a measurement.
    pub fn reset_lag(&self) {
        self.workers.iter().for_each(|worker| worker.tell(Command::Reset));
    }

    /// Makes something go wrong; it has when this returns.
    pub fn fault(&self, hosts: Hosts, fault: Fault) {
        self.ask_all(|reply| Command::Fault(hosts.clone(), fault.clone(), reply));
    }

    /// Changes databases as their operators would; the changes are made when this returns.
    pub fn local(&self, changes: Vec<(u32, LocalChange)>) {
        self.ask_all(|reply| Command::Local(changes.clone(), reply));
    }

    /// Plugs a workload in.
    pub fn plug(&self, host: u32, name: &str, iface_id: &str) {
        let change = LocalChange::PlugInterface { name: name.into(), iface_id: iface_id.into() };
        self.local(vec![(host, change)]);
    }

    /// Takes a workload out.
    pub fn unplug(&self, host: u32, name: &str) {
        self.local(vec![(host, LocalChange::Unplug { name: name.into() })]);
    }

    /// Bytes of memory that this whole process holds.
    pub fn resident_bytes(&self) -> u64 {
        limits::resident_bytes()
    }

    fn ask_all<T>(&self, command: impl Fn(Sender<T>) -> Command) -> Vec<T> {
        let ask = |worker: &Handle| {
            let (sender, answer) = channel();
            worker.tell(command(sender));
            answer
        };
        let answers: Vec<Receiver<T>> = self.workers.iter().map(ask).collect();
        answers.into_iter().map(received).collect()
    }

    fn ask_one<T>(&self, host: u32, command: impl FnOnce(Sender<T>) -> Command) -> T {
        assert!(host < self.spec.hosts, "host {host} of {}", self.spec.hosts);
        let (sender, answer) = channel();
        self.workers[host as usize % self.workers.len()].tell(command(sender));
        received(answer)
    }
}

fn received<T>(answer: Receiver<T>) -> T {
    answer.recv_timeout(ANSWER).expect("a worker answers unless it has panicked")
}

impl Handle {
    fn tell(&self, command: Command) {
        // A worker that is gone shows where its answer is waited for.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.tell(Command::Stop);
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join();
            }
        }
    }
}
