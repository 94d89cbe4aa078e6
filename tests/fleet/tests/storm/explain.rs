//! In words, what a switch has wrong that holds something else than it should.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use weft_compiler::{
    Compiled, Cookie, Delta, SeenFlow, SeenGroup, compile, owners, read_back, subscriptions,
};
use weft_fleet::Dump;
use weft_model::{HostIndex, Snapshot};
use weft_openflow::message::Message;
use weft_openflow::message::multipart::{MultipartReply, Reply};

/// Bytes of an OpenFlow header.
const HEADER: usize = 8;
/// What is wrong, of one host, at most so many lines of it.
const SHOWN: usize = 12;

/// The first differences between what a host's switch holds and what it should hold, each with its owner.
pub fn explain(host: u32, dump: &Dump, snapshot: &Snapshot) -> Result<String> {
    let index = HostIndex::new(host + 1).context("hosts of the fleet have indexes")?;
    let scopes = subscriptions(index, snapshot).into_iter();
    let owners = scopes.flat_map(|scope| owners(scope, snapshot));
    let wanted: Vec<Compiled> = owners.map(|owner| compile(owner, snapshot)).collect();
    let mut flows: Vec<SeenFlow> = Vec::new();
    for reply in replies(FLOW_DESC, &dump.flows)? {
        flows
            .extend(reply.flows().map(|entry| SeenFlow::from_entry(&entry?)).collect::<Result<Vec<_>, _>>()?);
    }
    let mut groups = Vec::new();
    for reply in replies(GROUP_DESC, &dump.groups)? {
        let Reply::GroupDesc(some) = reply.decode()? else { bail!("not groups") };
        groups.extend(some.iter().map(SeenGroup::from_desc));
    }
    let has = flows.len();
    let delta = read_back(&wanted, flows, groups);
    let count: usize = wanted.iter().map(|compiled| compiled.flows.len()).sum();
    Ok(format!("host {host} has {has} flows, wanted {count}:\n{}", describe(&delta)))
}

fn describe(delta: &Delta) -> String {
    let whose = |cookie: Cookie| cookie.describe().map_or("nobody".to_owned(), |whose| whose.to_string());
    let text = weft_compiler::flow_text;
    let missing =
        delta.add.iter().map(|flow| format!("  missing ({}): {}", whose(Cookie(flow.cookie)), text(flow)));
    let surplus = delta.delete.iter().map(|key| format!("  not wanted: {key:?}"));
    let groups = delta.groups.iter().map(|group| format!("  group: {group:?}"));
    let lines: Vec<String> = missing.chain(surplus).chain(groups).collect();
    let more = lines.len().saturating_sub(SHOWN);
    format!("{}\n  ({more} more)", lines[..lines.len().min(SHOWN)].join("\n"))
}

/// OFPMP_FLOW_DESC and OFPMP_GROUP_DESC (OpenFlow 1.5, 7.3.5).
const FLOW_DESC: u16 = 1;
const GROUP_DESC: u16 = 7;

/// Entries of a dump as answers of a switch, so that our own decoder can read them.
fn replies(kind: u16, entries: &[Vec<u8>]) -> Result<Vec<MultipartReply>> {
    let reply = |entries: &[Vec<u8>]| {
        let body = entries.concat();
        let length = u16::try_from(HEADER * 2 + body.len())?.to_be_bytes();
        let [high, low] = kind.to_be_bytes();
        let head = [6, 19, length[0], length[1], 0, 0, 0, 1, high, low, 0, 0, 0, 0, 0, 0];
        match Message::decode(&Bytes::from([&head[..], &body].concat()))?.1 {
            Message::MultipartReply(reply) => Ok(reply),
            other => bail!("not an answer: {other:?}"),
        }
    };
    // A flow is far below 1 KiB, a group of 256 buckets below 32 KiB.
    entries.chunks(if kind == FLOW_DESC { 60 } else { 1 }).map(reply).collect()
}
