//! What every switch should hold, compiled from scratch, and in words what one that holds something else has wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use weft_compiler::{
    Compiled, Cookie, Delta, Scope, SeenFlow, SeenGroup, compile, diff, encode, owners, read_back,
    subscriptions,
};
use weft_fleet::{Digest, Dump};
use weft_model::{HostIndex, Snapshot, Vni};
use weft_openflow::message::multipart::{MultipartReply, Reply};
use weft_openflow::message::{BundleWriter, Message};
use weft_openflow::{BundleId, Writer, Xid};

/// Bytes of an OpenFlow header.
const HEADER: usize = 8;
/// What is wrong, of one host, at most so many lines of it.
const SHOWN: usize = 12;

/// The digest of every host's switch, by the host's number (its index less one).
pub type Digests = Arc<BTreeMap<u32, Digest>>;

/// The number of a host in the fleet.
pub fn number(index: HostIndex) -> u32 {
    u32::from(index.get()) - 1
}

/// The digests that switches have when they hold what a state says.
pub fn digests(snapshot: &Snapshot) -> Result<Digests> {
    let vnis: Vec<Vni> = snapshot.networks().map(|network| network.vni).collect();
    let networks: BTreeMap<Vni, Digest> =
        in_parallel(&vnis, |vni| Ok((*vni, of_scope(Scope::Network(*vni), snapshot)?)))?;
    let hosts: Vec<HostIndex> = snapshot.hosts().map(|host| host.index).collect();
    let digests = in_parallel(&hosts, |host| {
        let mut sum = Digest::default();
        for scope in subscriptions(*host, snapshot) {
            match scope {
                Scope::Network(vni) => add(&mut sum, &networks[&vni]),
                Scope::Host(_) => add(&mut sum, &of_scope(scope, snapshot)?),
            }
        }
        Ok((number(*host), sum))
    });
    Ok(Arc::new(digests?))
}

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

/// On as many threads as there are cores.
fn in_parallel<T: Sync, K: Ord + Send, V: Send>(
    items: &[T],
    each: impl Fn(&T) -> Result<(K, V)> + Sync,
) -> Result<BTreeMap<K, V>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let chunks = items.chunks(share);
        let threads: Vec<_> =
            chunks.map(|chunk| scope.spawn(|| chunk.iter().map(&each).collect::<Result<Vec<_>>>())).collect();
        let mut all = BTreeMap::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow!("a compiling thread panicked"))??);
        }
        Ok(all)
    })
}

/// What an empty switch holds when it has been told all of a scope.
fn of_scope(scope: Scope, snapshot: &Snapshot) -> Result<Digest> {
    let nothing = Compiled::default();
    let owners = owners(scope, snapshot).into_iter();
    let deltas: Vec<Delta> = owners.map(|owner| diff(&nothing, &compile(owner, snapshot))).collect();
    let (bundle, mut writer) = (BundleWriter::atomic(BundleId(1)), Writer::new());
    encode(&deltas).iter().for_each(|change| change.write(bundle, Xid(1), &mut writer));
    let bytes = writer.into_bytes();
    weft_fleet::wanted(messages(&bytes)).map_err(|code| anyhow!("a switch would refuse {scope}: {code:?}"))
}

/// Cuts a stream into messages.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        let (message, rest) = bytes.split_at_checked(length.max(HEADER))?;
        bytes = rest;
        Some(message)
    })
}

/// What a switch holds that holds both.
fn add(sum: &mut Digest, other: &Digest) {
    for table in &other.tables {
        match sum.tables.binary_search_by_key(&table.table, |known| known.table) {
            Ok(at) => {
                sum.tables[at].flows += table.flows;
                sum.tables[at].digest = sum.tables[at].digest.wrapping_add(table.digest);
            }
            Err(at) => sum.tables.insert(at, *table),
        }
    }
    sum.groups += other.groups;
    sum.group_digest = sum.group_digest.wrapping_add(other.group_digest);
    sum.meters += other.meters;
    sum.meter_digest = sum.meter_digest.wrapping_add(other.meter_digest);
}
