//! One connection of a host: dialling, reading, writing what did not fit, waiting to dial again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrStorage, bind, connect, socket,
};

use crate::spec::FIRST_BACKOFF;

/// How much may wait for the socket before nothing more is read, as Open vSwitch does with many unsent answers.
const UNSENT_MAX: usize = 256 * 1024;

/// Whether the peer's bytes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// As they come.
    #[default]
    Normal,
    /// Not at all.
    Stopped,
    /// One byte each time so much time has gone by.
    Trickle(Duration),
}

/// Where a connection stands.
#[derive(Debug, Default)]
pub enum State {
    /// There is none and none is wanted.
    #[default]
    Idle,
    /// It is dialled again when a timer fires.
    Waiting,
    /// It is being dialled.
    Dialling(TcpStream),
    /// It is there.
    Up(TcpStream),
}

/// A connection and what belongs to it.
#[derive(Debug)]
pub struct Link {
    /// Where it stands.
    pub state: State,
    /// Where it is dialled to.
    pub target: Option<SocketAddr>,
    /// The beginning of a message whose end has not come yet.
    pub partial: Vec<u8>,
    unsent: Vec<u8>,
    sent: usize,
    /// When the peer was heard last.
    pub heard: Instant,
    /// Whether it has been asked since whether it is still there.
    pub probed: bool,
    /// Counts connections, so that a timer of an earlier one is told apart.
    pub epoch: u32,
    /// How bytes are taken.
    pub reading: Reading,
    backoff: Duration,
    /// The longest wait between two dials.
    pub longest_backoff: Duration,
}

/// What came of an attempt to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// So many bytes stand in the buffer, those of earlier reads included.
    Bytes(usize),
    /// There is nothing to read now.
    Nothing,
    /// The connection is gone.
    Closed,
}

impl Link {
    /// A connection that nobody has asked for yet.
    pub fn new(now: Instant, longest_backoff: Duration) -> Link {
        Link {
            state: State::Idle,
            target: None,
            partial: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            heard: now,
            probed: false,
            epoch: 0,
            reading: Reading::Normal,
            backoff: Duration::ZERO,
            longest_backoff,
        }
    }

    /// Starts to dial.
    ///
    /// # Errors
    /// When the machine refuses at once.
    pub fn dial(&mut self, source: Ipv4Addr, registry: &Registry, token: Token) -> io::Result<()> {
        let target = self.target.ok_or(ErrorKind::NotConnected)?;
        let mut stream = dial_from(source, target)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.state = State::Dialling(stream);
        self.epoch = self.epoch.wrapping_add(1);
        Ok(())
    }

    /// Looks whether dialling has succeeded; true when the connection has just come up.
    ///
    /// # Errors
    /// When the peer refused.
    pub fn came_up(&mut self, now: Instant) -> io::Result<bool> {
        let State::Dialling(stream) = &self.state else { return Ok(false) };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
            Err(error) => return Err(error),
        }
        let State::Dialling(stream) = std::mem::take(&mut self.state) else { return Ok(false) };
        stream.set_nodelay(true)?;
        self.state = State::Up(stream);
        (self.heard, self.probed) = (now, false);
        Ok(true)
    }

    /// True when it is there.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Ends it. What was half read or unsent is forgotten.
    pub fn close(&mut self) {
        self.state = State::Idle;
        self.epoch = self.epoch.wrapping_add(1);
        (self.partial, self.unsent, self.sent) = (Vec::new(), Vec::new(), 0);
    }

    /// How long to wait before dialling again, longer each time; [`Link::settled`] starts over.
    pub fn next_wait(&mut self) -> Duration {
        self.backoff = (self.backoff * 2).max(FIRST_BACKOFF).min(self.longest_backoff);
        self.backoff
    }

    /// The peer has spoken: the connection works, the next wait is the shortest one.
    pub fn settled(&mut self, now: Instant) {
        (self.heard, self.probed, self.backoff) = (now, false, Duration::ZERO);
    }

    /// Reads into the buffer, after the half message that stands there from before.
    pub fn read(&mut self, buffer: &mut [u8]) -> Taken {
        let State::Up(stream) = &mut self.state else { return Taken::Nothing };
        let limit = match self.reading {
            Reading::Stopped => return Taken::Nothing,
            _ if self.unsent.len() - self.sent > UNSENT_MAX => return Taken::Nothing,
            Reading::Normal => usize::MAX,
            Reading::Trickle(_) => 1,
        };
        let kept = self.partial.len();
        let end = buffer.len().min(kept.saturating_add(limit));
        loop {
            return match stream.read(&mut buffer[kept..end]) {
                Ok(0) => Taken::Closed,
                Ok(count) => {
                    buffer[..kept].copy_from_slice(&self.partial);
                    Taken::Bytes(kept + count)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Taken::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => Taken::Closed,
            };
        }
    }

    /// Keeps the beginning of a message until the rest has come. An empty rest gives the memory back.
    pub fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            if self.partial.capacity() > 0 {
                self.partial = Vec::new();
            }
        } else {
            self.partial.clear();
            self.partial.extend_from_slice(rest);
        }
    }

    /// Hands bytes to the socket; what does not fit waits here.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let State::Up(stream) = &mut self.state else { return Ok(()) };
        let mut rest = bytes;
        while self.unsent.is_empty() && !rest.is_empty() {
            match stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent.extend_from_slice(rest);
        Ok(())
    }

    /// Sends what did not fit before; true when it has made room to read again.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn flush(&mut self) -> io::Result<bool> {
        let State::Up(stream) = &mut self.state else { return Ok(false) };
        if self.unsent.is_empty() {
            return Ok(false);
        }
        while self.sent < self.unsent.len() {
            match stream.write(&self.unsent[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (self.unsent, self.sent) = (Vec::new(), 0);
        Ok(true)
    }

    /// Bytes that its buffers take.
    pub fn resident_bytes(&self) -> usize {
        self.partial.capacity() + self.unsent.capacity()
    }
}

fn dial_from(source: Ipv4Addr, target: SocketAddr) -> io::Result<TcpStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let SocketAddr::V4(_) = target else {
        return Err(io::Error::new(ErrorKind::Unsupported, "hosts of a fleet dial IPv4 addresses only"));
    };
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    // An address of its own for each host; only where the target is on loopback can that be.
    if target.ip().is_loopback() {
        bind(socket.as_raw_fd(), &SockaddrIn::from(std::net::SocketAddrV4::new(source, 0)))?;
    }
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(target)) {
        Ok(()) | Err(nix::Error::EINPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(TcpStream::from_std(std::net::TcpStream::from(socket)))
}
