//! Isolation, by the interpreter: in random models every pair that may talk can, and no packet whatever reaches a port that
//! it must not reach. Who may is said by a predicate (`may.rs`) that knows nothing of the compiler.

mod may;
mod model;
mod packets;
mod random;
mod routing;
#[path = "../../../compiler/tests/state/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the language of the compiler's tests")]
mod state;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use weft_model::PortId;
use weft_trace::{Choice, Fate, Trace, World};

use model::{Model, Port};
use random::Random;

/// How many models are tried; `ISOLATION_CASES` says otherwise.
const CASES: u64 = 300;

/// The ports of a trace's outcomes that got something of it, the sender's own answers left out.
fn reached(trace: &Trace) -> BTreeSet<PortId> {
    for outcome in &trace.outcomes {
        let is_fault = matches!(outcome.fate, Fate::Astray(..) | Fate::Unfollowed(_) | Fate::Dropped(None));
        assert!(!is_fault, "{:?} by {:?}", outcome.fate, outcome.by.as_ref().map(|entry| entry.text()));
    }
    trace.delivered().map(|(port, _)| port).collect()
}

fn cases() -> impl Iterator<Item = u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("ISOLATION_SEED").unwrap_or(1);
    first..first + number("ISOLATION_CASES").unwrap_or(CASES)
}

/// Runs a check on random models; a failure tells the seed and the model.
fn on_random_models(check: impl Fn(&Model, &mut World, &mut Random) + std::panic::RefUnwindSafe) {
    for seed in cases() {
        let mut random = Random::new(seed);
        let model = Model::random(&mut random);
        let snapshot = model.snapshot();
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(snapshot.clone());
            world.choice = Choice::Every;
            check(&model, &mut world, &mut random.clone());
        });
        assert!(outcome.is_ok(), "ISOLATION_SEED={seed}\n{}{:#?}", model.text(), model.routers);
    }
}

#[test]
fn pairs_that_may_talk_can_and_others_can_not() {
    on_random_models(|model, world, random| {
        for _ in 0..60 {
            let (from, to) = (random.pick(&model.ports), random.pick(&model.ports));
            let Some(sender) = world.snapshot().port(&from.id()).cloned() else { continue };
            let Some(packet) = packets::to(from, to, random) else { continue };
            let Ok(trace) = world.send(&sender, &packet) else {
                assert!(model.place(from).is_none(), "{} is bound", from.name);
                continue;
            };
            let expected = may::reach(model, from, to);
            assert_eq!(reached(&trace), expected, "{} to {}: {packet}", from.name, to.name);
        }
    });
}

#[test]
fn broadcasts_reach_all_of_the_network_and_nobody_else() {
    on_random_models(|model, world, random| {
        for _ in 0..20 {
            let from = random.pick(&model.ports);
            let Some(sender) = world.snapshot().port(&from.id()).cloned() else { continue };
            let packet = packets::broadcast(from, random);
            let Ok(trace) = world.send(&sender, &packet) else { continue };
            assert_eq!(reached(&trace), may::broadcast(model, from), "{}: {packet}", from.name);
        }
    });
}

/// A router's interface in the sender's network.
fn a_way_out(model: &Model, from: &Port, random: &mut Random) -> Option<(usize, usize)> {
    let legs = model.routers.iter().enumerate().flat_map(|(n, router)| {
        router
            .legs
            .iter()
            .enumerate()
            .filter(|(_, leg)| leg.network == from.network)
            .map(move |(m, _)| (n, m))
    });
    let legs: Vec<_> = legs.collect();
    (!legs.is_empty()).then(|| *random.pick(&legs))
}

#[test]
fn routers_join_what_they_have_interfaces_in() {
    let (sent, came) = (AtomicUsize::new(0), AtomicUsize::new(0));
    on_random_models(|model, world, random| {
        for _ in 0..60 {
            let (from, to) = (random.pick(&model.ports), random.pick(&model.ports));
            let Some(way) = a_way_out(model, from, random) else { continue };
            let leg = &model.routers[way.0].legs[way.1];
            let sender = world.snapshot().port(&from.id()).expect("of the model").clone();
            let pinged = world.send(&sender, &packets::ping(model, from, leg, random));
            let Ok(pinged) = pinged else { continue };
            let answered = pinged.outcomes.iter().any(|outcome| matches!(outcome.fate, Fate::Answered(..)));
            assert_eq!(answered, may::answered(model, from, way), "{} pings {leg:?}", from.name);
            let target = (to.subnet, to.number);
            let packet = packets::through(from, leg, target, random);
            let trace = world.send(&sender, &packet).expect("no fault");
            let mut expected = may::routed(model, from, way, target);
            if packet.eth_type() == 0x86dd {
                expected.retain(|port| model.port(*port).is_some_and(|port| port.v6));
            }
            assert_eq!(reached(&trace), expected, "{} through {leg:?} to {target:?}: {packet}", from.name);
            sent.fetch_add(1, Relaxed);
            came.fetch_add(expected.len(), Relaxed);
        }
    });
    let (sent, came) = (sent.into_inner(), came.into_inner());
    assert!(sent > 500 && came * 20 > sent && came < sent, "{came} of {sent} packets came through");
}

#[test]
fn no_packet_whatever_reaches_another_network() {
    on_random_models(|model, world, random| {
        for _ in 0..60 {
            let from = random.pick(&model.ports);
            let Some(sender) = world.snapshot().port(&from.id()).cloned() else { continue };
            let packet = packets::anything(model, from, random);
            let Ok(trace) = world.send(&sender, &packet) else { continue };
            let foreign: Vec<_> =
                reached(&trace).into_iter().filter(|port| !may::ever_reach(model, from, *port)).collect();
            assert!(foreign.is_empty(), "{}: {packet} reached {foreign:?}", from.name);
        }
    });
}
