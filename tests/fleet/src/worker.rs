//! One thread of the simulator: an epoll loop over its share of the hosts. Nothing in it is shared with another.

pub mod control;
mod expected;
pub mod host;
pub mod link;
mod timers;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use crate::lag::Histogram;
use crate::openflow::ECHO_REQUEST;
use crate::openflow::depot::Depot;
use crate::openflow::wire::message;
use crate::ovsdb::Database;
use crate::spec::{Answers, FleetSpec, OpenFlowSource, Reconnect, source_address};

use control::Command;
use expected::Expected;
use host::{Host, Side, Todo};
use link::{Reading, State, Taken};
use timers::{Timer, Timers};

/// The token of the waker; no connection has it.
pub const WAKER: Token = Token(usize::MAX);
/// After how much silence the peer is asked whether it is there, and how long it then has (Open vSwitch: 5 s).
const PROBE: Duration = Duration::from_secs(5);
/// How much is read at once.
const CHUNK: usize = 256 * 1024;
/// Room for the chunk and the largest half message before it; databases cut their messages themselves.
const BUFFER: usize = CHUNK + 64 * 1024;
/// How many reads of one connection before others get their turn.
const ROUNDS: usize = 8;
/// How long what was read may wait for the others' bytes to be read ([`Answers::WhenAllIsRead`]).
const HELD_MAX: Duration = Duration::from_millis(100);
/// How many switches answer between two looks at what there is to read, likewise.
const ANSWERED_AT_ONCE: usize = 32;

/// The loop and everything it owns.
#[derive(Debug)]
pub struct Worker {
    poll: Poll,
    commands: Receiver<Command>,
    hosts: Vec<Host>,
    /// How many workers there are, and which this is: host h is at h / workers in worker h % workers.
    stride: (u32, u32),
    depot: Depot,
    timers: Timers,
    expected: Expected,
    reconnect: Reconnect,
    buffer: Vec<u8>,
    out: Vec<u8>,
    /// Connections that still had something to read when their turn was over.
    again: Vec<(usize, Side)>,
    answers: Answers,
    /// Switches whose bytes were read and are not looked at yet, with the time at which they were read.
    held: BTreeMap<usize, Instant>,
    lag: Histogram,
    busy: Duration,
    began: Instant,
    stopping: bool,
}

impl Worker {
    /// Makes this worker's share of the hosts.
    pub fn new(spec: &FleetSpec, stride: (u32, u32), poll: Poll, commands: Receiver<Command>) -> Worker {
        let now = Instant::now();
        let (workers, index) = stride;
        let numbers = (index..spec.hosts).step_by(workers as usize);
        let hosts: Vec<Host> = numbers.map(|number| make(spec, number, now)).collect();
        let mut timers = Timers::default();
        for (at, host) in hosts.iter().enumerate() {
            let wait = spec.dials_per_second.map_or(0.0, |rate| f64::from(host.number) / f64::from(rate));
            let first = now + Duration::from_secs_f64(wait);
            for side in [Side::Database, Side::OpenFlow] {
                timers.set(first, at, side, Timer::Dial, 0);
            }
        }
        Worker {
            poll,
            commands,
            expected: Expected::new(stride, hosts.len()),
            hosts,
            stride,
            depot: Depot::new(),
            timers,
            reconnect: spec.reconnect,
            buffer: vec![0; BUFFER],
            out: Vec::new(),
            again: Vec::new(),
            answers: Answers::AtOnce,
            held: BTreeMap::new(),
            lag: Histogram::default(),
            busy: Duration::ZERO,
            began: now,
            stopping: false,
        }
    }

    /// Runs until it is told to stop.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(4096);
        while !self.stopping {
            let now = Instant::now();
            let next = self.timers.next().map(|at| at.saturating_duration_since(now));
            let is_idle = self.again.is_empty() && self.held.is_empty();
            let wait = if is_idle { next } else { Some(Duration::ZERO) };
            if let Err(error) = self.poll.poll(&mut events, wait) {
                assert!(error.kind() == std::io::ErrorKind::Interrupted, "epoll: {error}");
                continue;
            }
            let woke = Instant::now();
            let mut count = 0;
            for event in &events {
                count += 1;
                if event.token() != WAKER {
                    let side = if event.token().0 & 1 == 0 { Side::Database } else { Side::OpenFlow };
                    self.ready(event.token().0 / 2, side);
                }
            }
            for (at, side) in std::mem::take(&mut self.again) {
                self.serve(at, side);
            }
            self.answer_held(count, woke);
            self.take_commands();
            self.fire(woke);
            self.expected.deliver();
            let took = woke.elapsed();
            self.busy += took;
            self.lag.note(took, count.max(1));
        }
    }

    fn take_commands(&mut self) {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.stopping = true;
                    return;
                }
            }
        }
    }

    /// Where a host of the fleet is in this worker, if it is.
    fn place(&self, number: u32) -> Option<usize> {
        let (workers, index) = self.stride;
        let at = usize::try_from(number / workers).ok()?;
        (number % workers == index && at < self.hosts.len()).then_some(at)
    }

    fn ready(&mut self, at: usize, side: Side) {
        let now = Instant::now();
        match self.hosts[at].link(side).came_up(now) {
            Ok(true) => self.greet(at, side, now),
            Ok(false) => {}
            Err(_) => return self.lost(at, side),
        }
        if self.hosts[at].link(side).flush().is_err() {
            return self.lost(at, side);
        }
        if side == Side::OpenFlow && self.answers == Answers::WhenAllIsRead {
            self.hold(at);
        } else {
            self.serve(at, side);
        }
    }

    /// Reads what is there, to be looked at when there is nothing more to read anywhere.
    fn hold(&mut self, at: usize) {
        let link = &mut self.hosts[at].controller;
        if link.reading != Reading::Normal {
            return self.serve(at, Side::OpenFlow);
        }
        if link.partial.len() >= CHUNK {
            // No more is held of one connection: what would not fit any more would look like its end.
            return self.look(at, Instant::now());
        }
        match link.read(&mut self.buffer) {
            Taken::Bytes(count) => {
                link.keep(&self.buffer[..count]);
                self.held.insert(at, Instant::now());
            }
            Taken::Nothing => {}
            Taken::Closed => self.lost(at, Side::OpenFlow),
        }
    }

    /// Some of those whose bytes were read answer, if nothing came in this turn or they have waited for long.
    fn answer_held(&mut self, came: u64, now: Instant) {
        let has_waited = |at: &Instant| now.saturating_duration_since(*at) > HELD_MAX;
        if came > 0 && !self.held.values().any(has_waited) {
            return;
        }
        for _ in 0..ANSWERED_AT_ONCE {
            let Some((at, read_at)) = self.held.pop_first() else { return };
            self.look(at, read_at);
        }
    }

    /// Looks at what was held, and at what has come since.
    fn look(&mut self, at: usize, read_at: Instant) {
        self.held.remove(&at);
        let bytes = std::mem::take(&mut self.hosts[at].controller.partial);
        let todo = self.take((at, Side::OpenFlow), &bytes, read_at);
        if self.carry_out(at, Side::OpenFlow, todo) {
            // An end of the stream that came with the bytes is told only once.
            self.serve(at, Side::OpenFlow);
        }
    }

    /// The connection has just come up.
    fn greet(&mut self, at: usize, side: Side, now: Instant) {
        let host = &mut self.hosts[at];
        if side == Side::OpenFlow
            && let Some(switch) = &mut host.switch
        {
            self.out.clear();
            switch.connected(&mut self.out);
            let _ = host.controller.send(&self.out);
        }
        let epoch = host.link(side).epoch;
        self.timers.set(now + PROBE, at, side, Timer::Probe, epoch);
    }

    /// Reads what is there and answers it.
    fn serve(&mut self, at: usize, side: Side) {
        for _ in 0..ROUNDS {
            let mut buffer = std::mem::take(&mut self.buffer);
            let taken = self.hosts[at].link(side).read(&mut buffer);
            let todo = match taken {
                Taken::Bytes(count) => Some(self.take((at, side), &buffer[..count], Instant::now())),
                Taken::Nothing => None,
                Taken::Closed => Some(Todo { broken: true, ..Todo::default() }),
            };
            self.buffer = buffer;
            let Some(todo) = todo else { return };
            if !self.carry_out(at, side, todo) {
                return;
            }
            if let Reading::Trickle(each) = self.hosts[at].link(side).reading {
                let epoch = self.hosts[at].link(side).epoch;
                return self.timers.set(Instant::now() + each, at, side, Timer::Read, epoch);
            }
        }
        self.again.push((at, side));
    }

    /// Does what follows from bytes that were taken; false when the connection is over.
    fn carry_out(&mut self, at: usize, side: Side, todo: Todo) -> bool {
        let is_over = todo.broken || todo.hang_up;
        if !todo.broken {
            self.act(at, todo);
        }
        if is_over {
            self.lost(at, side);
        }
        !is_over
    }

    fn take(&mut self, (at, side): (usize, Side), bytes: &[u8], read_at: Instant) -> Todo {
        let host = &mut self.hosts[at];
        self.out.clear();
        host.link(side).settled(read_at);
        let todo = match side {
            Side::Database => host.take_ovsdb(bytes, &mut self.out),
            Side::OpenFlow => {
                let (used, todo) = host.take_openflow(&mut self.depot, bytes, &mut self.out);
                host.controller.keep(&bytes[used..]);
                todo
            }
        };
        if !self.out.is_empty() && host.link(side).send(&self.out).is_err() {
            return Todo { broken: true, ..todo };
        }
        if side == Side::OpenFlow && !self.expected.is_empty() {
            self.expected.look(at, host, &mut self.depot, read_at);
        }
        todo
    }

    /// Sends what the switch said unasked, and makes connections come and go as the database wants it.
    fn act(&mut self, at: usize, todo: Todo) {
        let host = &mut self.hosts[at];
        if !host.unasked.is_empty() {
            let unasked = std::mem::take(&mut host.unasked);
            if host.controller.send(&unasked).is_err() {
                return self.lost(at, Side::OpenFlow);
            }
        }
        if todo.close_openflow {
            host.controller.close();
            if let Some(switch) = &mut host.switch {
                switch.disconnected();
            }
        }
        if todo.dial_openflow {
            self.dial(at, Side::OpenFlow);
        }
    }

    fn dial(&mut self, at: usize, side: Side) {
        let host = &mut self.hosts[at];
        let (source, is_away) = (host.source, host.is_away);
        let link = host.link(side);
        if is_away || link.target.is_none() || matches!(link.state, State::Dialling(_) | State::Up(_)) {
            return;
        }
        let token = Token(at * 2 + usize::from(side == Side::OpenFlow));
        if link.dial(source, self.poll.registry(), token).is_err() {
            self.lost(at, side);
        }
    }

    /// The connection is gone: it is dialled again after a while.
    fn lost(&mut self, at: usize, side: Side) {
        let reconnect = self.reconnect;
        let host = &mut self.hosts[at];
        match side {
            Side::Database => host.database.as_mut().into_iter().for_each(Database::disconnected),
            Side::OpenFlow => {
                host.switch.as_mut().into_iter().for_each(crate::openflow::switch::Switch::disconnected);
            }
        }
        let link = host.link(side);
        link.close();
        link.state = State::Waiting;
        let wait = match reconnect {
            Reconnect::BackOff => link.next_wait(),
            Reconnect::AtOnce => Duration::from_millis(20),
        };
        let epoch = link.epoch;
        self.timers.set(Instant::now() + wait, at, side, Timer::Dial, epoch);
    }

    fn fire(&mut self, now: Instant) {
        while let Some(due) = self.timers.due(now) {
            let link = self.hosts[due.at].link(due.side);
            // A fault ends when its time is over, whatever became of the connection.
            if due.epoch != link.epoch && due.timer != Timer::Release {
                continue;
            }
            match due.timer {
                Timer::Dial => self.dial(due.at, due.side),
                Timer::Probe => self.probe(due.at, due.side, now),
                Timer::Read => self.serve(due.at, due.side),
                Timer::Release => {
                    link.reading = Reading::Normal;
                    self.serve(due.at, due.side);
                }
            }
        }
    }

    /// Asks a silent peer whether it is there, and gives it up when it does not answer in time.
    fn probe(&mut self, at: usize, side: Side, now: Instant) {
        let host = &mut self.hosts[at];
        let link = host.link(side);
        // A side that is told not to read cannot hear either; that is what the fault is for.
        let deaf = link.reading != Reading::Normal;
        let silent = now.saturating_duration_since(link.heard);
        let next = if deaf || silent < PROBE {
            now + PROBE - if deaf { Duration::ZERO } else { silent }
        } else if link.probed {
            return self.lost(at, side);
        } else {
            link.probed = true;
            self.out.clear();
            match side {
                Side::OpenFlow => message(&mut self.out, ECHO_REQUEST, 0, |_| {}),
                Side::Database => {
                    self.out.extend_from_slice(br#"{"id":"echo","method":"echo","params":[]}"#);
                }
            }
            if link.send(&self.out).is_err() {
                return self.lost(at, side);
            }
            now + PROBE
        };
        let epoch = link.epoch;
        self.timers.set(next, at, side, Timer::Probe, epoch);
    }
}

fn make(spec: &FleetSpec, number: u32, now: Instant) -> Host {
    let database = spec.database(number);
    let effects = database.as_ref().map(Database::effects_of_restart).unwrap_or_default();
    let mut host = Host::new(number, source_address(number), database, now);
    // There is nobody to dial before a manager has set a controller.
    let _ = host.follow(effects);
    host.manager.target = spec.ovsdb;
    if let OpenFlowSource::Static { controller, datapath_id } = spec.openflow {
        host.set_static(controller, datapath_id(number));
    }
    host
}

/// True when the controller has learnt whose switch it is.
pub(crate) fn is_connected(host: &Host) -> bool {
    host.controller.is_up() && host.switch.as_ref().is_some_and(crate::openflow::switch::Switch::is_known)
}
