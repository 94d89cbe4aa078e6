//! The floor: the same kind of bundle, written straight into one switch's socket, to the commit's answer.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use weft_openflow::message::{
    BundleCommand, BundleWriter, FlowMod, HEADER_LEN, Hello, Message, frame_length,
};
use weft_openflow::{Action, BundleId, Instruction, Match, PortNo, TableId, Writer, Xid, oxm};
use weft_rig::Host;

/// A table that Weft does not use, and that no packet reaches.
const TABLE: TableId = TableId(250);

/// Round trips of bundles with `flows` flow changes each, alternately adding and deleting.
pub fn measure(host: &Host, flows: usize, iterations: usize) -> Result<Vec<Duration>> {
    let mut socket =
        UnixStream::connect(host.run_dir().join("br-int.mgmt")).context("connecting to the bridge")?;
    socket.write_all(&Message::Hello(Hello::ours()).encode(Xid(1)))?;
    let mut samples = Vec::new();
    for n in 0..iterations * 2 {
        let bytes = bundle(u32::try_from(n)?, flows, if n % 2 == 0 { FlowMod::add } else { delete });
        let start = Instant::now();
        socket.write_all(&bytes)?;
        wait_commit(&mut socket)?;
        if n % 2 == 0 {
            samples.push(start.elapsed());
        }
    }
    Ok(samples)
}

fn delete(table: TableId, priority: u16, matching: Match, _: Vec<Instruction>) -> FlowMod {
    FlowMod::delete_strict(table, priority, matching)
}

fn bundle(n: u32, flows: usize, make: impl Fn(TableId, u16, Match, Vec<Instruction>) -> FlowMod) -> Bytes {
    let place = BundleWriter::atomic(BundleId(n));
    let mut writer = Writer::new();
    place.control(BundleCommand::OpenRequest, Xid(10), &mut writer);
    for flow in 0..flows {
        let matching = Match::new().with(oxm::reg(0, 7)).with(oxm::reg(1, u32::try_from(flow).unwrap_or(0)));
        let apply = Instruction::ApplyActions(vec![Action::output(PortNo(1))]);
        place.flow_mod(&make(TABLE, 100, matching, vec![apply]), Xid(11), &mut writer);
    }
    place.control(BundleCommand::CommitRequest, Xid(12), &mut writer);
    writer.into_bytes()
}

fn wait_commit(socket: &mut UnixStream) -> Result<()> {
    loop {
        let mut header = [0; HEADER_LEN];
        socket.read_exact(&mut header)?;
        let length = frame_length(&header)?.context("a header names its length")?;
        let mut message = header.to_vec();
        message.resize(length, 0);
        socket.read_exact(&mut message[HEADER_LEN..])?;
        match Message::decode(&Bytes::from(message))? {
            (_, Message::BundleControl(control)) if control.command == BundleCommand::CommitReply => {
                return Ok(());
            }
            (header, Message::EchoRequest(data)) => {
                socket.write_all(&Message::EchoReply(data).encode(header.xid))?
            }
            (_, Message::Error(error)) => bail!("the switch refused the floor's bundle: {}", error.code),
            _ => {}
        }
    }
}
