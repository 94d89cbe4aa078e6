//! What every switch should hold: compiled from scratch, as digests by the simulator's own reckoning.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use weft_compiler::{Compiled, Delta, Scope, compile, diff, encode, owners, subscriptions};
use weft_fleet::Digest;
use weft_model::{HostIndex, Snapshot, Vni};
use weft_openflow::message::{BundleWriter, Message};
use weft_openflow::{BundleId, Writer, Xid};

/// Bytes of an OpenFlow header.
const HEADER: usize = 8;

/// The number of a host in the fleet: its index less one.
pub fn number(index: HostIndex) -> u32 {
    u32::from(index.get()) - 1
}

/// The digest that every host's switch has when it holds what a state says, by the host's number.
pub fn digests(snapshot: &Snapshot) -> Result<BTreeMap<u32, Digest>> {
    let networks: Vec<Vni> = snapshot.networks().map(|network| network.vni).collect();
    let networks: BTreeMap<Vni, Digest> =
        in_parallel(&networks, |vni| Ok((*vni, of_scope(Scope::Network(*vni), snapshot)?)))?;
    let hosts: Vec<HostIndex> = snapshot.hosts().map(|host| host.index).collect();
    let meters = of_meters()?;
    in_parallel(&hosts, |host| {
        let mut sum = meters.clone();
        for scope in subscriptions(*host, snapshot) {
            match scope {
                Scope::Network(vni) => add(&mut sum, &networks[&vni]),
                Scope::Policy(_) | Scope::Router(_) | Scope::Host(_) => {
                    add(&mut sum, &of_scope(scope, snapshot)?)
                }
            }
        }
        Ok((number(*host), sum))
    })
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

/// What every switch holds, whatever its scopes are.
fn of_meters() -> Result<Digest> {
    let bytes = meters();
    weft_fleet::wanted(messages(&bytes)).map_err(|code| anyhow!("a switch would refuse the meters: {code:?}"))
}

/// The messages that make the meters of a switch.
fn meters() -> Vec<u8> {
    let changes = weft_compiler::meters::mend(&[]).into_iter();
    changes.flat_map(|change| Message::MeterMod(change).encode(Xid(1))).collect()
}

/// What a switch that has its meters holds besides when it has been told all of a scope.
fn of_scope(scope: Scope, snapshot: &Snapshot) -> Result<Digest> {
    let nothing = Compiled::default();
    let owners = owners(scope, snapshot).into_iter();
    let deltas: Vec<Delta> = owners.map(|owner| diff(&nothing, &compile(owner, snapshot))).collect();
    let (bundle, mut writer) = (BundleWriter::atomic(BundleId(1)), Writer::new());
    encode(&deltas).iter().for_each(|change| change.write(bundle, Xid(1), &mut writer));
    let bytes = [&meters()[..], &writer.into_bytes()].concat();
    let whole = weft_fleet::wanted(messages(&bytes));
    let whole = whole.map_err(|code| anyhow!("a switch would refuse {scope}: {code:?}"))?;
    Ok(Digest { meters: 0, meter_digest: 0, ..whole })
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

#[cfg(test)]
mod tests {
    use super::*;
    use weft_controller::populate::{Population, Size};

    #[test]
    fn digests_of_scopes_add_up_to_that_of_the_whole() {
        let snapshot = Population::new(Size { hosts: 4, networks: 10, ports: 200, wide: 4 }).snapshot();
        let digests = digests(&snapshot).unwrap();
        assert_eq!(digests.len(), 4);
        let host = snapshot.hosts().next().unwrap();
        let nothing = Compiled::default();
        let all = subscriptions(host.index, &snapshot).into_iter().flat_map(|scope| owners(scope, &snapshot));
        let deltas: Vec<Delta> = all.map(|owner| diff(&nothing, &compile(owner, &snapshot))).collect();
        let (bundle, mut writer) = (BundleWriter::atomic(BundleId(1)), Writer::new());
        encode(&deltas).iter().for_each(|change| change.write(bundle, Xid(1), &mut writer));
        let bytes = [&meters()[..], &writer.into_bytes()].concat();
        let whole = weft_fleet::wanted(messages(&bytes)).unwrap();
        assert!(whole.flows() > 100);
        assert_eq!(digests[&number(host.index)], whole);
    }
}
