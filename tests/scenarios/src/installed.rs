//! What a host's switch really has, read over its own management socket, against what a state of the controller says it
//! should have, compiled from scratch.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use weft_compiler::{
    Compiled, Delta, GroupDelta, SeenFlow, SeenGroup, TunnelSettings, compile, flow_text, group_text, owners,
    read_back, subscriptions, tunnels,
};
use weft_controller::vault::Vault;
use weft_model::{HostId, Snapshot};
use weft_openflow::message::multipart::{FlowFilter, Reassembler, Reply, Request};
use weft_openflow::message::{Hello, Message, MultipartReply, frame_length};
use weft_openflow::{GroupId, Xid};
use weft_rig::Host;

/// How long a bridge may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer that is put together.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The state that a store holds. The store must be a copy, or its controller must be gone.
pub fn stored(engine: weft_store::Engine, path: &Path) -> Result<Snapshot> {
    let store = weft_store::open(engine, path, weft_store::Options::default())?;
    Ok(Vault::new(store).load()?)
}

/// Everything that a host's switch should have: the owners of every scope it needs, compiled from scratch.
pub fn wanted(host: &Host, snapshot: &Snapshot) -> Result<Vec<Compiled>> {
    let id: HostId = host.name().parse()?;
    let record = snapshot.host(&id).with_context(|| format!("{id} is not in the state"))?;
    let scopes = subscriptions(record.index, snapshot);
    let owners = scopes.into_iter().flat_map(|scope| owners(scope, snapshot));
    Ok(owners.map(|owner| compile(owner, snapshot)).collect())
}

/// Fails unless the host's `br-int` has exactly the flows, groups and tunnels that the state says: to the byte for flows
/// and groups. The error shows the first differences.
pub fn check_installed(host: &Host, snapshot: &Snapshot) -> Result<()> {
    let wanted = wanted(host, snapshot)?;
    let (flows, groups) = Channel::open(&host.run_dir().join("br-int.mgmt"))?.read_back()?;
    let flow_count: usize = wanted.iter().map(|compiled| compiled.flows.len()).sum();
    let seen = flows.len();
    let delta = read_back(&wanted, flows, groups);
    if !delta.is_empty() {
        bail!("{} has {seen} flows, wanted {flow_count}:\n{}", host.name(), describe(&delta));
    }
    check_tunnels(host, snapshot)
}

/// The interfaces that are tunnels of ours, by name, with their ofports.
fn check_tunnels(host: &Host, snapshot: &Snapshot) -> Result<()> {
    let id: HostId = host.name().parse()?;
    let wanted = tunnels(&id, snapshot, &TunnelSettings::default());
    let mut wanted: Vec<String> =
        wanted.iter().map(|(name, tunnel)| format!("{name} {}", tunnel.ofport)).collect();
    let rows = host.vsctl(&[
        "--bare",
        "--format=csv",
        "--no-headings",
        "--columns=name,ofport",
        "find",
        "Interface",
        "external_ids:weft-owner=weft",
        "type!=internal",
    ])?;
    let mut found: Vec<String> = rows.lines().map(|row| row.replace(',', " ").replace('"', "")).collect();
    wanted.sort();
    found.sort();
    ensure!(wanted == found, "{} has the tunnels {found:?}, wanted {wanted:?}", host.name());
    Ok(())
}

fn describe(delta: &Delta) -> String {
    const SHOWN: usize = 20;
    let missing = delta.add.iter().map(|flow| format!("missing or different: {}", flow_text(flow)));
    let surplus = delta.delete.iter().map(|key| format!("not wanted: {key:?}"));
    let groups = delta.groups.iter().map(|group| match group {
        GroupDelta::Put(group) => format!("missing or different: {}", group_text(group)),
        other => format!("group: {other:?}"),
    });
    let lines: Vec<String> = missing.chain(surplus).chain(groups).collect();
    let more = lines.len().saturating_sub(SHOWN);
    format!("{}\n({more} more)", lines[..lines.len().min(SHOWN)].join("\n"))
}

/// A plain OpenFlow connection to one bridge.
struct Channel {
    stream: UnixStream,
    pending: Vec<u8>,
    next: u32,
}

impl Channel {
    fn open(socket: &Path) -> Result<Channel> {
        let stream =
            UnixStream::connect(socket).with_context(|| format!("connecting to {}", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut channel = Channel { stream, pending: Vec::new(), next: 1 };
        channel.send(&Message::Hello(Hello::ours()))?;
        match channel.receive()?.1 {
            Message::Hello(_) => Ok(channel),
            other => bail!("expected a hello, got {other:?}"),
        }
    }

    /// Every flow and group that the switch has.
    fn read_back(&mut self) -> Result<(Vec<SeenFlow>, Vec<SeenGroup>)> {
        let flows = self.ask(Request::FlowDesc(FlowFilter::all()))?;
        let flows = flows.flows().map(|entry| SeenFlow::from_entry(&entry?)).collect::<Result<_, _>>()?;
        let Reply::GroupDesc(groups) = self.ask(Request::GroupDesc(GroupId::ALL))?.decode()? else {
            bail!("not the groups");
        };
        Ok((flows, groups.iter().map(SeenGroup::from_desc).collect()))
    }

    fn ask(&mut self, request: Request) -> Result<MultipartReply> {
        let xid = self.send(&Message::from(request))?;
        let mut parts = Reassembler::new(ANSWER_BYTES_MAX, 1);
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
        self.next += 1;
        let xid = Xid(self.next);
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
            ensure!(read > 0, "the bridge closed the connection");
            self.pending.extend_from_slice(&buffer[..read]);
        }
    }
}
