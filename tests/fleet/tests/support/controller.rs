//! A controller of the simplest kind: takes every switch that comes, and writes what it is told to all of them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use weft_fleet::openflow::wire::{first_length, message, u64_at};
use weft_fleet::openflow::{ECHO_REPLY, ECHO_REQUEST, FEATURES_REPLY, FEATURES_REQUEST, HELLO};

/// The controller. Connections end with it.
pub struct Controller {
    pub address: SocketAddr,
    accepted: Receiver<(u64, TcpStream)>,
    /// Connections by datapath id.
    pub switches: BTreeMap<u64, TcpStream>,
}

impl Controller {
    pub fn listen() -> Controller {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, accepted) = channel();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let known = greet(stream);
                if known.is_some_and(|switch| sender.send(switch).is_err()) {
                    return;
                }
            }
        });
        Controller { address, accepted, switches: BTreeMap::new() }
    }

    /// Waits for so many switches, those that are there included.
    pub fn wait_for(&mut self, count: usize) {
        while self.switches.len() < count {
            let (id, stream) = self.accepted.recv_timeout(Duration::from_secs(30)).unwrap();
            self.switches.insert(id, stream);
        }
    }

    /// Writes the same bytes to every switch.
    pub fn write_all(&mut self, bytes: &[u8]) {
        for stream in self.switches.values_mut() {
            stream.write_all(bytes).unwrap();
        }
    }

    /// Reads messages of one switch until one is of this type; gives its bytes.
    pub fn read_until(&mut self, id: u64, kind: u8) -> Vec<u8> {
        let stream = self.switches.get_mut(&id).unwrap();
        loop {
            let frame = read_frame(stream).unwrap();
            if frame[1] == ECHO_REQUEST {
                let mut out = Vec::new();
                message(&mut out, ECHO_REPLY, 0, |_| {});
                stream.write_all(&out).unwrap();
            }
            if frame[1] == kind {
                return frame;
            }
        }
    }
}

fn read_frame(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; 8];
    stream.read_exact(&mut frame)?;
    let length = first_length(&frame).unwrap().unwrap();
    frame.resize(length, 0);
    stream.read_exact(&mut frame[8..])?;
    Ok(frame)
}

fn greet(mut stream: TcpStream) -> Option<(u64, TcpStream)> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    stream.set_nodelay(true).ok()?;
    let mut out = Vec::new();
    message(&mut out, HELLO, 1, |out| out.extend_from_slice(&[0, 1, 0, 8, 0, 0, 0, 0x40]));
    message(&mut out, FEATURES_REQUEST, 2, |_| {});
    stream.write_all(&out).ok()?;
    loop {
        let frame = read_frame(&mut stream).ok()?;
        if frame[1] == FEATURES_REPLY {
            return Some((u64_at(&frame, 8), stream));
        }
    }
}
