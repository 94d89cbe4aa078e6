//! A plain OpenFlow connection to one bridge: install, and read back.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use weft_compiler::{Delta, SeenFlow, SeenGroup, Tallies, encode, meters};
use weft_openflow::message::multipart::{FlowFilter, MeterConfig, Reassembler, Reply, Request};
use weft_openflow::message::{BundleCommand, BundleWriter, Hello, Message, MultipartReply, frame_length};
use weft_openflow::{BundleId, GroupId, MeterId, Writer, Xid};

/// The controller's end.
pub struct Channel {
    stream: UnixStream,
    pending: Vec<u8>,
    next: u32,
}

impl Channel {
    pub fn open(socket: &Path) -> Result<Channel> {
        let stream = UnixStream::connect(socket).context("connect to the bridge")?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut channel = Channel { stream, pending: Vec::new(), next: 1 };
        channel.send(&Message::Hello(Hello::ours()))?;
        match channel.receive()?.1 {
            Message::Hello(_) => Ok(channel),
            other => bail!("expected a hello, got {other:?}"),
        }
    }

    /// Gives the bridge the meters that every switch has, and finds them there as they should be.
    pub fn meters(&mut self) -> Result<()> {
        for change in meters::mend(&self.read_meters()?) {
            self.send(&Message::MeterMod(change))?;
        }
        match meters::mend(&self.read_meters()?) {
            left if left.is_empty() => Ok(()),
            left => bail!("not as wanted: {left:?}"),
        }
    }

    fn read_meters(&mut self) -> Result<Vec<MeterConfig>> {
        let Reply::MeterConfig(seen) = self.ask(Request::MeterConfig(MeterId::ALL))?.decode()? else {
            bail!("not the meters");
        };
        Ok(seen)
    }

    /// Applies deltas in one bundle, all or nothing.
    pub fn apply(&mut self, deltas: &[Delta]) -> Result<()> {
        let bundle = BundleWriter::atomic(BundleId(self.xid().0));
        let mut writer = Writer::new();
        bundle.control(BundleCommand::OpenRequest, self.xid(), &mut writer);
        for change in encode(deltas) {
            change.write(bundle, self.xid(), &mut writer);
        }
        let commit = self.xid();
        bundle.control(BundleCommand::CommitRequest, commit, &mut writer);
        assert!(!writer.is_oversize());
        self.stream.write_all(writer.as_slice())?;
        loop {
            match self.receive()? {
                (_, Message::Error(error)) => bail!("refused: {error:?}"),
                (xid, Message::BundleControl(_)) if xid == commit => return Ok(()),
                _ => {}
            }
        }
    }

    /// Every flow and group that the switch has.
    pub fn read_back(&mut self) -> Result<(Vec<SeenFlow>, Vec<SeenGroup>)> {
        let flows = self.ask(Request::FlowDesc(FlowFilter::all()))?;
        let flows = flows.flows().map(|entry| SeenFlow::from_entry(&entry?)).collect::<Result<_, _>>()?;
        let Reply::GroupDesc(groups) = self.ask(Request::GroupDesc(GroupId::ALL))?.decode()? else {
            bail!("not the groups");
        };
        Ok((flows, groups.iter().map(SeenGroup::from_desc).collect()))
    }

    /// The same as digests, as a session adds them up.
    pub fn tallies(&mut self) -> Result<Tallies> {
        let mut tallies = Tallies::default();
        for entry in self.ask(Request::FlowDesc(FlowFilter::all()))?.flows() {
            tallies.take(&entry?)?;
        }
        let Reply::GroupDesc(groups) = self.ask(Request::GroupDesc(GroupId::ALL))?.decode()? else {
            bail!("not the groups");
        };
        groups.iter().for_each(|desc| tallies.take_desc(desc));
        Ok(tallies)
    }

    fn ask(&mut self, request: Request) -> Result<MultipartReply> {
        let xid = self.send(&Message::from(request))?;
        let mut parts = Reassembler::new(1 << 24, 1);
        loop {
            match self.receive()? {
                (_, Message::Error(error)) => bail!("refused: {error:?}"),
                (at, Message::MultipartReply(part)) if at == xid => {
                    if let Some(whole) = parts.push(at, part)? {
                        return Ok(whole);
                    }
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, message: &Message) -> Result<Xid> {
        let xid = self.xid();
        self.stream.write_all(&message.encode(xid))?;
        Ok(xid)
    }

    fn receive(&mut self) -> Result<(Xid, Message)> {
        loop {
            if let Some(length) = frame_length(&self.pending)?.filter(|length| *length <= self.pending.len())
            {
                let frame: Bytes = self.pending.drain(..length).collect::<Vec<u8>>().into();
                let (header, message) = Message::decode(&frame)?;
                return Ok((header.xid, message));
            }
            let mut buffer = [0; 65536];
            let read = self.stream.read(&mut buffer).context("the bridge does not answer")?;
            if read == 0 {
                bail!("the bridge closed the connection");
            }
            self.pending.extend_from_slice(&buffer[..read]);
        }
    }

    fn xid(&mut self) -> Xid {
        self.next += 1;
        Xid(self.next)
    }
}
