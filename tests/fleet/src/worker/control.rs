//! What the handle asks of a worker, and how the worker does it.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::expect::{Condition, Hosts, Stamp};
use crate::lag::Histogram;
use crate::limits::thread_time;
use crate::openflow::counters::Counters;
use crate::openflow::digest::Digest;
use crate::openflow::faults::{Echo, Faults, Refuse};
use crate::openflow::groups::Group;
use crate::openflow::multipart::{describe_flow, describe_group};
use crate::openflow::switch::Switch;
use crate::ovsdb::LocalChange;
use crate::spec::Answers;

use super::host::Side;
use super::link::Reading;
use super::timers::Timer;
use super::{Worker, is_connected};

/// Something that goes wrong with a host, or right again. How a side reads stays so when it connects anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Reads nothing from one connection for so long, or until [`Fault::ReadAgain`].
    StopReading(Side, Option<Duration>),
    /// Reads one byte each time so much time has gone by.
    ReadOneBytePer(Side, Duration),
    /// Reads as always.
    ReadAgain(Side),
    /// Closes a connection; it is dialled again after the back-off.
    Close(Side),
    /// Is switched off: both connections close and none is dialled, until [`Fault::Return`].
    Leave,
    /// Is there again, with the tables and the database that it had, and dials at once.
    Return,
    /// Falls silent on both connections without closing them, until [`Fault::ReadAgain`].
    HalfOpen,
    /// The switch's daemon restarts: flows, groups and meters are gone, the database is kept.
    RestartSwitch,
    /// Refuses flow changes.
    Refuse(Refuse),
    /// The next so many commits fail.
    FailCommits(u32),
    /// Answers echo requests or does not.
    Echo(Echo),
    /// Somebody changes flows behind the controller's back: the body of a flow change.
    Meddle(Vec<u8>),
}

/// Flows and groups of a host, as a switch describes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dump {
    /// `ofp_flow_desc`, one each, sorted.
    pub flows: Vec<Vec<u8>>,
    /// `ofp_group_desc`, one each, by group.
    pub groups: Vec<Vec<u8>>,
}

/// How a fleet or a part of it is doing.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Hosts.
    pub hosts: u32,
    /// Connections of databases that are there.
    pub managers: u32,
    /// Connections of bridges whose controller knows them.
    pub controllers: u32,
    /// Flows in all tables of all hosts.
    pub flows: u64,
    /// Groups of all hosts.
    pub groups: u64,
    /// What all switches were told, together.
    pub counters: Counters,
    /// How long events waited for the loop, at most.
    pub lag: Histogram,
    /// Time that the loops were at work, and time that they have run.
    pub busy: (Duration, Duration),
    /// Time on a core.
    pub on_core: Duration,
    /// Different flows, and bytes that they take.
    pub depot: (usize, usize),
    /// Bytes that hosts take by themselves.
    pub resident: usize,
}

/// What the handle asks.
#[derive(Debug)]
pub enum Command {
    /// Arm an expectation; the second sender says that it is armed.
    Expect(Hosts, Condition, Sender<Vec<Stamp>>, Sender<()>),
    /// Digests of some hosts.
    Digests(Hosts, Sender<Vec<(u32, Digest)>>),
    /// The tables of a host.
    Dump(u32, Sender<Dump>),
    /// Counters of a host.
    Counters(u32, Sender<Counters>),
    /// How everything is doing.
    Status(Sender<Status>),
    /// Faults of some hosts; the sender says that they are in force.
    Fault(Hosts, Fault, Sender<()>),
    /// Local changes of databases; the sender says that they are made.
    Local(Vec<(u32, LocalChange)>, Sender<()>),
    /// From now on, answer so.
    Answers(Answers),
    /// Start lag and times anew.
    Reset,
    /// End.
    Stop,
}

impl Worker {
    pub(super) fn obey(&mut self, command: Command) {
        // Whoever asked may have gone away meanwhile; that is their business.
        match command {
            Command::Expect(hosts, condition, stamps, armed) => {
                self.expected.forget_unheard(&mut self.depot);
                self.expected.arm(&self.hosts, &hosts, condition, stamps, &mut self.depot);
                let _ = armed.send(());
            }
            Command::Digests(hosts, reply) => {
                let of = |host: &super::Host| host.switch.as_ref().map(Switch::digest).unwrap_or_default();
                let wanted = self.places(&hosts).into_iter().map(|at| &self.hosts[at]);
                let _ = reply.send(wanted.map(|host| (host.number, of(host))).collect());
            }
            Command::Dump(host, reply) => {
                if let Some(at) = self.place(host) {
                    let _ = reply.send(self.dump(at));
                }
            }
            Command::Counters(host, reply) => {
                if let Some(at) = self.place(host) {
                    let counters = self.hosts[at].switch.as_ref().map(|switch| switch.counters().clone());
                    let _ = reply.send(counters.unwrap_or_default());
                }
            }
            Command::Status(reply) => drop(reply.send(self.status())),
            Command::Fault(hosts, fault, done) => {
                for at in self.places(&hosts) {
                    self.fault(at, &fault);
                }
                let _ = done.send(());
            }
            Command::Local(changes, done) => {
                for (number, change) in changes {
                    if let Some(at) = self.place(number) {
                        self.local(at, change);
                    }
                }
                let _ = done.send(());
            }
            Command::Answers(answers) => self.answers = answers,
            Command::Reset => {
                self.lag = Histogram::default();
                (self.busy, self.began) = (Duration::ZERO, Instant::now());
            }
            Command::Stop => self.stopping = true,
        }
    }

    /// Where the hosts of a set are that this worker has.
    fn places(&self, hosts: &Hosts) -> Vec<usize> {
        if let Hosts::All = hosts {
            return (0..self.hosts.len()).collect();
        }
        hosts.numbers(0).into_iter().filter_map(|number| self.place(number)).collect()
    }

    fn dump(&self, at: usize) -> Dump {
        let Some(switch) = &self.hosts[at].switch else { return Dump::default() };
        let described = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            out
        };
        let flows = switch.tables().flows();
        let flows = flows.map(|flow| described(&|out| describe_flow(&self.depot, flow, out)));
        let mut flows: Vec<_> = flows.collect();
        flows.sort_unstable();
        let group =
            |(id, group): (&u32, &std::sync::Arc<Group>)| described(&|out| describe_group(*id, group, out));
        Dump { flows, groups: switch.tables().groups().iter().map(group).collect() }
    }

    fn status(&self) -> Status {
        let mut status = Status {
            hosts: u32::try_from(self.hosts.len()).unwrap_or(u32::MAX),
            lag: self.lag.clone(),
            busy: (self.busy, self.began.elapsed()),
            on_core: thread_time(),
            depot: self.depot.size(),
            ..Status::default()
        };
        for host in &self.hosts {
            status.managers += u32::from(host.manager.is_up());
            status.controllers += u32::from(is_connected(host));
            status.resident += host.resident_bytes();
            if let Some(switch) = &host.switch {
                status.flows += switch.tables().flow_count() as u64;
                status.groups += switch.tables().groups().len() as u64;
                status.counters.add(switch.counters());
            }
        }
        status
    }

    fn local(&mut self, at: usize, change: LocalChange) {
        let host = &mut self.hosts[at];
        let Some(database) = &mut host.database else { return };
        self.out.clear();
        let effects = database.local(change, &mut self.out);
        if host.manager.send(&self.out).is_err() {
            return self.lost(at, Side::Database);
        }
        let todo = self.hosts[at].follow(effects);
        self.act(at, todo);
    }

    fn fault(&mut self, at: usize, fault: &Fault) {
        let host = &mut self.hosts[at];
        match fault {
            Fault::StopReading(side, how_long) => {
                let link = host.link(*side);
                link.reading = Reading::Stopped;
                let epoch = link.epoch;
                if let Some(how_long) = how_long {
                    self.timers.set(Instant::now() + *how_long, at, *side, Timer::Release, epoch);
                }
            }
            Fault::ReadOneBytePer(side, each) => {
                host.link(*side).reading = Reading::Trickle(*each);
                self.serve(at, *side);
            }
            Fault::ReadAgain(side) => {
                host.link(*side).reading = Reading::Normal;
                self.serve(at, *side);
            }
            Fault::Close(side) => {
                if host.link(*side).is_up() {
                    self.lost(at, *side);
                }
            }
            Fault::Leave => {
                host.is_away = true;
                self.lost(at, Side::Database);
                self.lost(at, Side::OpenFlow);
            }
            Fault::Return => {
                host.is_away = false;
                self.dial(at, Side::Database);
                self.dial(at, Side::OpenFlow);
            }
            Fault::HalfOpen => {
                for side in [Side::Database, Side::OpenFlow] {
                    host.link(side).reading = Reading::Stopped;
                }
            }
            Fault::RestartSwitch => {
                if let Some(switch) = &mut host.switch {
                    switch.restart();
                }
                host.controller.close();
                self.dial(at, Side::OpenFlow);
            }
            Fault::Refuse(refuse) => self.set_faults(at, |faults| faults.refuse = *refuse),
            Fault::FailCommits(count) => self.set_faults(at, |faults| faults.failing_commits = *count),
            Fault::Echo(echo) => self.set_faults(at, |faults| faults.echo = *echo),
            Fault::Meddle(body) => {
                self.out.clear();
                if let Some(switch) = &mut host.switch {
                    let _ = switch.meddle(&mut self.depot, body, &mut self.out);
                }
                if host.controller.send(&self.out).is_err() {
                    self.lost(at, Side::OpenFlow);
                }
            }
        }
    }

    fn set_faults(&mut self, at: usize, set: impl FnOnce(&mut Faults)) {
        if let Some(switch) = &mut self.hosts[at].switch {
            set(switch.faults());
        }
    }
}
