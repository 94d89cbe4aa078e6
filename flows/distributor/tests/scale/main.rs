//! Proves by counting that a change costs what it changes: not more in a larger system, and encoded once for everyone.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod world;

use std::collections::BTreeSet;

use weft_compiler::{Scope, compile, owners, subscriptions};
use weft_distributor::{Limits, Tuning, Work};
use weft_model::Change;
use world::{Size, WIDE, World, binding, index, port};

/// What one more port in the wide network costs, on a host that has one already.
fn one_port_more(size: Size) -> (World, Work) {
    let mut world = World::settled(size, Tuning::default());
    let n = size.fresh();
    world.commit(vec![port(n, WIDE, true), binding(n, 0)]);
    let work = world.settle();
    (world, work)
}

#[test]
fn encode_once_one_port_costs_the_same_for_any_number_of_subscribers() {
    let costs = [10, 40, 300].map(|wide| {
        let (world, work) = one_port_more(Size { ports: 200, wide });
        assert_eq!(
            work.parcels_queued,
            u64::from(wide) + 1,
            "one for each subscriber, and one for its own host"
        );
        let bytes = |n: u32| world.sent[&index(n)].last.clone();
        let same = (1..wide).all(|n| bytes(n).as_ptr() == bytes(1).as_ptr());
        assert!(same, "the very same bytes go to all {wide}, not copies");
        (work.owners_compiled, work.messages_encoded, work.bytes_encoded)
    });
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

#[test]
fn impact_index_one_port_costs_the_same_in_a_system_of_any_size() {
    let costs = [0, 1_000, 10_000].map(|ports| {
        let (_, work) = one_port_more(Size { ports, wide: 10 });
        work
    });
    assert_eq!(costs[0].owners_compiled, 3, "the port in its network, on its host, and the flooding there");
    assert_eq!((costs[0].scopes_visited, costs[0].hosts_visited), (2, 11));
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

#[test]
fn impact_index_moving_and_deleting_cost_the_same_in_a_system_of_any_size() {
    let costs = [0, 1_000, 10_000].map(|ports| {
        let size = Size { ports, wide: 10 };
        let mut world = World::settled(size, Tuning::default());
        let moved = size.ports + 3;
        world.apply(&[Change::Delete(binding(moved, 3).key()), Change::Put(binding(moved, 4))]);
        let moving = world.settle();
        world
            .apply(&[Change::Delete(port(moved, WIDE, true).key()), Change::Delete(binding(moved, 4).key())]);
        let deleting = world.settle();
        assert_eq!(world.distributor.report(index(3)).unwrap().owed, None);
        (moving, deleting)
    });
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

#[test]
fn encode_once_a_cold_start_encodes_each_scope_once() {
    let size = Size { ports: 4_000, wide: 40 };
    let mut world = World::new(size, Tuning::default());
    world.connect_all(size);
    let work = world.settle();
    let scopes: BTreeSet<Scope> =
        (0..size.hosts()).flat_map(|n| subscriptions(index(n), &world.snapshot)).collect();
    let (mut compiled, mut messages) = (0, 0);
    for scope in &scopes {
        for owner in owners(*scope, &world.snapshot) {
            let wanted = compile(owner, &world.snapshot);
            compiled += 1;
            messages += (wanted.flows.len() + wanted.groups.len()) as u64;
        }
    }
    assert_eq!((work.owners_compiled, work.messages_encoded), (compiled, messages));
    assert_eq!(work.read_backs, u64::from(size.hosts()));
}

#[test]
fn what_is_kept_does_not_grow_with_subscribers() {
    let kept = [20, 200].map(|wide| {
        let world = World::settled(Size { ports: 0, wide }, Tuning::default());
        world.distributor.shelf_bytes() as u64 / u64::from(wide)
    });
    assert!(kept[1] <= kept[0], "bytes per port: {kept:?}");
    assert!(kept[1] <= 700, "bytes per port: {kept:?}");
}

#[test]
fn the_shelf_is_bounded_and_an_evicted_network_is_compiled_again() {
    let tuning = Tuning { shelf_bytes: 20_000, ..Tuning::default() };
    let world = World::settled(Size { ports: 2_000, wide: 20 }, tuning);
    assert!(world.distributor.shelf_bytes() <= 20_000);
    assert!(world.distributor.shelf_bytes() > 10_000, "it is used");
}

#[test]
fn bounded_outbox_a_stuck_switch_costs_the_same_after_any_storm_and_holds_up_nobody() {
    let size = Size { ports: 0, wide: 5 };
    let limits = Limits::default();
    let most = usize::from(limits.window + limits.waiting);
    for storm in [200, 2_000] {
        let mut world = World::settled(size, Tuning::default());
        let (stuck, other) = (index(4), index(3));
        world.stuck.insert(stuck, Vec::new());
        let before = [stuck, other].map(|host| world.parcels(host));
        for n in 0..storm {
            world.commit(vec![port(0, WIDE, n % 2 == 1)]);
            world.settle();
        }
        assert_eq!(world.parcels(other) - before[1], storm, "the others were told of each change");
        assert_eq!(world.distributor.report(other).unwrap().owed, None);
        let (parcels, late) = world.distributor.load(stuck);
        assert!(parcels <= most && late == 1, "{parcels} parcels wait, {late} scopes are late");
        assert!(world.distributor.report(stuck).unwrap().owed.is_some());
        world.unstick(stuck);
        let work = world.settle();
        assert!(work.messages_encoded <= 10, "what was done and undone is not sent: {work:?}");
        assert!(world.parcels(stuck) - before[0] <= most as u64 + 1);
        assert_eq!(world.distributor.report(stuck).unwrap().owed, None);
    }
}

#[test]
fn bounded_outbox_switches_that_are_late_in_the_same_way_share_one_encoding() {
    let size = Size { ports: 0, wide: 100 };
    let mut world = World::settled(size, Tuning::default());
    (1..100).for_each(|n| drop(world.stuck.insert(index(n), Vec::new())));
    for n in 0..100 {
        world.commit(vec![port(0, WIDE, n % 2 == 1)]);
        world.settle();
    }
    (1..100).for_each(|n| world.unstick(index(n)));
    let work = world.settle();
    assert!(work.messages_encoded <= 10, "99 switches caught up: {work:?}");
    assert!((1..100).all(|n| world.distributor.report(index(n)).unwrap().owed.is_none()));
}

#[test]
fn own_host_first_local_flows_are_sent_before_the_others_learn_of_the_port() {
    let size = Size { ports: 0, wide: 3 };
    let mut world = World::settled(size, Tuning::default());
    let now = std::time::Instant::now();
    let n = size.fresh();
    world.commit(vec![port(n, WIDE, true), binding(n, 2)]);
    world.distributor.work(now);
    let first = world.distributor.poll_transmit(now);
    let is_own = matches!(first, Some(weft_distributor::Transmit::Send { host, .. }) if host == index(2));
    assert!(is_own && world.distributor.poll_transmit(now).is_none(), "{first:?}");
    world.distributor.work(now);
    assert!(world.distributor.poll_transmit(now).is_some());
}

#[test]
fn turns_a_storm_of_one_tenant_is_not_in_the_way_of_anothers_change() {
    let size = Size { ports: 40, wide: 600 };
    let tuning = Tuning { slice: 64, ..Tuning::default() };
    let mut world = World::settled(size, tuning);
    let now = std::time::Instant::now();
    let mut records: Vec<_> = (0..600).map(|n| port(size.ports + n, WIDE, false)).collect();
    records.push(port(0, 1, false));
    let before = world.distributor.work_done();
    world.commit(records);
    // The other tenant's host scope and network are two of at most four pieces of work.
    let host = index(0);
    let sent = |world: &World| world.distributor.load(host).0;
    let had = sent(&world);
    let mut pieces = 0;
    while world.distributor.work(now).is_some() && pieces < 4 {
        pieces += 1;
    }
    let after = world.distributor.work_done();
    assert!(sent(&world) >= had + 2, "its own host has both");
    assert!(
        after.owners_compiled - before.owners_compiled < 500,
        "the storm has not been worked off before it"
    );
    assert!(
        world.distributor.distributed() < world.snapshot.revision(),
        "and what waits is not called distributed"
    );
    world.settle();
    assert_eq!(world.distributor.distributed(), world.snapshot.revision());
}
