//! Isolation, by the interpreter: in random models every pair that may talk can, and no packet whatever reaches a port that
//! it must not reach. Who may is said by a predicate (`may.rs`) that knows nothing of the compiler.

mod forwards;
mod may;
mod model;
mod outside;
mod packets;
mod random;
mod routing;
mod security;
#[path = "../../../compiler/tests/state/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the language of the compiler's tests")]
mod state;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use weft_model::PortId;
use weft_trace::{Choice, Deed, Fate, Hop, Packet, Step, Trace, World};

use model::{Model, Port};
use outside::Outside;
use random::Random;

/// How many models are tried; `ISOLATION_CASES` says otherwise.
const CASES: u64 = 150;

/// The ports of a trace's outcomes that got something of it, the sender's own answers left out.
fn reached(trace: &Trace) -> BTreeSet<PortId> {
    for outcome in &trace.outcomes {
        let is_fault = matches!(outcome.fate, Fate::Astray(..) | Fate::Unfollowed(_) | Fate::Dropped(None));
        assert!(!is_fault, "{:?} by {:?}", outcome.fate, outcome.by.as_ref().map(|entry| entry.text()));
    }
    trace.delivered().map(|(port, _)| port).collect()
}

/// The same of a packet that goes everywhere: nobody gets it twice.
fn reached_once(trace: &Trace) -> BTreeSet<PortId> {
    let reached = reached(trace);
    assert_eq!(trace.delivered().count(), reached.len(), "somebody got it twice\n{}", told(trace));
    reached
}

/// The flows on a packet's way, for failures.
fn told(trace: &Trace) -> String {
    let mut lines = Vec::new();
    hop(&trace.hop, &mut lines);
    lines.join("\n")
}

fn hop(hop: &Hop, lines: &mut Vec<String>) {
    lines.push(format!("on host {}", hop.host));
    steps(&hop.steps, lines);
    hop.onward.iter().for_each(|onward| self::hop(onward, lines));
}

fn steps(steps: &[Step], lines: &mut Vec<String>) {
    for step in steps {
        lines.push(step.flow.as_ref().map_or_else(|| format!("{} missed", step.table), |entry| entry.text()));
        deeds(&step.deeds, lines);
    }
}

fn deeds(of: &[Deed], lines: &mut Vec<String>) {
    for deed in of {
        match deed {
            Deed::Branch(branch, inner) => {
                lines.push(format!("  {branch:?}"));
                steps(inner, lines);
            }
            Deed::Copy(branch, inner) => {
                lines.push(format!("  {branch:?}"));
                deeds(inner, lines);
            }
            other => lines.push(format!("  {other:?}")),
        }
    }
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
        assert!(
            outcome.is_ok(),
            "ISOLATION_SEED={seed}\n{}{:#?}",
            model.text(),
            (&model.routers, &model.groups, &model.ports)
        );
    }
}

#[test]
fn pairs_that_may_talk_can_and_others_can_not() {
    let (came, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    on_random_models(|model, world, random| {
        for _ in 0..60 {
            let (from, to) = (random.pick(&model.ports), random.pick(&model.ports));
            let Some(sender) = world.snapshot().port(&from.id()).cloned() else { continue };
            let Some(packet) = packets::to(from, to, random) else { continue };
            world.forget();
            let Ok(trace) = world.send(&sender, &packet) else {
                assert!(model.place(from).is_none(), "{} is bound", from.name);
                continue;
            };
            let expected = may::reach(model, from, to, &packet);
            assert_eq!(reached(&trace), expected, "{} to {}: {packet}\n{}", from.name, to.name, told(&trace));
            let (back, refused) = answered(model, world, from, &trace);
            came.fetch_add(back, Relaxed);
            stopped.fetch_add(refused, Relaxed);
        }
    });
    let (came, stopped) = (came.into_inner(), stopped.into_inner());
    assert!(
        came > 200 && stopped > 20,
        "{came} answers came, {stopped} were stopped that nobody had asked for"
    );
}

#[test]
fn broadcasts_reach_all_of_the_network_and_nobody_else() {
    on_random_models(|model, world, random| {
        for _ in 0..20 {
            let from = random.pick(&model.ports);
            let Some(sender) = world.snapshot().port(&from.id()).cloned() else { continue };
            let packet = packets::broadcast(from, random);
            world.forget();
            let Ok(trace) = world.send(&sender, &packet) else { continue };
            assert_eq!(
                reached_once(&trace),
                may::broadcast(model, from, &packet),
                "{}: {packet}\n{}",
                from.name,
                told(&trace)
            );
        }
    });
}

/// The one port that got a packet answers it: whether that comes back, and whether it would without the packet. How often
/// it came back, and how often it did not come unasked.
fn answered(model: &Model, world: &mut World, from: &Port, trace: &Trace) -> (usize, usize) {
    let Some((receiver, got)) = trace.delivered().next() else { return (0, 0) };
    let to = model.port(receiver).expect("of the model");
    if got.eth_type() == 0x86dd && !to.v6 {
        return (0, 0);
    }
    let sender = world.snapshot().port(&receiver).expect("of the model").clone();
    let answer = packets::answer(got);
    let back = world.send(&sender, &answer).expect("no fault");
    let expected: BTreeSet<PortId> =
        Some(from.id()).filter(|_| security::answers(model, from, to, &answer)).into_iter().collect();
    assert_eq!(
        reached(&back),
        expected,
        "the answer of {} to {}: {answer}\n{}",
        to.name,
        from.name,
        told(&back)
    );
    world.forget();
    let unasked = world.send(&sender, &answer).expect("no fault");
    // What only answers is no beginning where connections are remembered.
    let is_only_answer = packets::begins_nothing(&answer);
    let refused = is_only_answer && (security::remembers(model, from) || security::remembers(model, to));
    let expected: BTreeSet<PortId> = Some(from.id())
        .filter(|_| !refused && security::allows(model, to, from, &answer))
        .into_iter()
        .collect();
    assert_eq!(
        reached(&unasked),
        expected,
        "unasked, {} to {}: {answer}\n{}",
        to.name,
        from.name,
        told(&unasked)
    );
    (reached(&back).len(), 1 - reached(&unasked).len())
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
            world.forget();
            let trace = world.send(&sender, &packet).expect("no fault");
            let mut expected = may::routed(model, from, way, target);
            if packet.eth_type() == 0x86dd {
                expected.retain(|port| model.port(*port).is_some_and(|port| port.v6));
            }
            expected.retain(|port| security::allows(model, from, model.port(*port).expect("it"), &packet));
            // A host knows a sender on another host behind one router, and not behind several: there, rules that name
            // a group must stay closed.
            let certain = |id: &&PortId| {
                let port = model.port(**id).expect("it");
                let is_here =
                    model.place(from).map(|host| host.index) == model.place(port).map(|host| host.index);
                is_here
                    || may::is_next_door(model, from, way.0, target.0)
                    || security::into_from_anybody(model, port, &packet)
            };
            let certain: BTreeSet<PortId> = expected.iter().filter(certain).copied().collect();
            let reached = reached(&trace);
            assert!(
                certain.is_subset(&reached) && reached.is_subset(&expected),
                "{} through {leg:?} to {target:?}: {reached:?} instead of {certain:?} to {expected:?}\n{packet}\n{}",
                from.name,
                told(&trace)
            );
            sent.fetch_add(1, Relaxed);
            came.fetch_add(expected.len(), Relaxed);
        }
    });
    let (sent, came) = (sent.into_inner(), came.into_inner());
    let is_short = cases().count() < 100;
    assert!(
        is_short || sent > 300 && came * 20 > sent && came < sent,
        "{came} of {sent} packets came through"
    );
}

#[test]
fn no_packet_whatever_reaches_another_network() {
    on_random_models(|model, world, random| {
        for _ in 0..60 {
            let from = random.pick(&model.ports);
            let Some(sender) = world.snapshot().port(&from.id()).cloned() else { continue };
            let packet = packets::anything(model, from, random);
            world.forget();
            let Ok(trace) = world.send(&sender, &packet) else { continue };
            let foreign: Vec<_> =
                reached(&trace).into_iter().filter(|port| !may::ever_reach(model, from, *port)).collect();
            assert!(foreign.is_empty(), "{}: {packet} reached {foreign:?}", from.name);
        }
    });
}

/// The same with an outside, on the models in which a host has a way there.
fn with_an_outside(check: impl Fn(&Model, &Outside, &mut World, &mut Random) + std::panic::RefUnwindSafe) {
    on_random_models(|model, _, random| {
        let Some(outside) = Outside::random(model, random) else { return };
        let mut snapshot = model.snapshot();
        outside::complete(&outside, model, &mut snapshot);
        let mut world = World::new(snapshot);
        world.choice = Choice::Every;
        let outcome = std::panic::AssertUnwindSafe(|| check(model, &outside, &mut world, random));
        if let Err(panicked) = std::panic::catch_unwind(outcome) {
            eprintln!("{outside:#?}");
            std::panic::resume_unwind(panicked);
        }
    });
}

#[test]
fn from_outside_floating_ips_are_reached_and_nobody_else() {
    let (sent, came) = (AtomicUsize::new(0), AtomicUsize::new(0));
    with_an_outside(|model, outside, world, random| {
        let machine = world.snapshot().port(&outside::machine()).expect("it is there").clone();
        let mut send = |packet: &Packet| {
            world.forget();
            let trace = world.send(&machine, packet).expect("no fault");
            (reached(&trace), trace)
        };
        for floating in &outside.floating {
            let packet = outside::sent(floating.number, outside::address(floating.number));
            let (reached, trace) = send(&packet);
            let to = Some(model.ports[floating.port].id());
            let expected: BTreeSet<PortId> =
                to.filter(|_| outside.comes_in(model, floating, &packet)).into_iter().collect();
            assert_eq!(reached, expected, "{floating:?}: {packet}\n{}", told(&trace));
            sent.fetch_add(1, Relaxed);
            came.fetch_add(reached.len(), Relaxed);
        }
        let doors = outside.doors();
        if doors.is_empty() {
            return;
        }
        for _ in 0..30 {
            // Past anything on the external network to anybody's own address.
            let inside = outside::sent(*random.pick(&doors), random.pick(&model.ports).ipv4());
            let (reached, trace) = send(&inside);
            let is_open = reached.iter().all(|port| outside.is_open(model, *port));
            assert!(is_open, "{inside} reached {reached:?}\n{}", told(&trace));
            // To an address there, past another's.
            let other = outside::sent(*random.pick(&doors), outside::address(*random.pick(&doors)));
            let (reached, trace) = send(&other);
            let is_named = reached.iter().all(|port| outside.stands_for(model, *port));
            assert!(is_named, "{other} reached {reached:?}\n{}", told(&trace));
        }
    });
    let (sent, came) = (sent.into_inner(), came.into_inner());
    let is_short = cases().count() < 100;
    assert!(is_short || came * 20 > sent && came < sent, "{came} of {sent} packets came in");
}

#[test]
fn to_the_outside_leave_those_whose_routers_lead_there() {
    let (sent, left, back) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    with_an_outside(|model, outside, world, random| {
        let machine = world.snapshot().port(&outside::machine()).expect("it is there").clone();
        for _ in 0..40 {
            let Some((way, leg)) = outside.a_way(model, random) else { return };
            let entered = &model.routers[outside.gateways[way].router].legs[leg];
            let from = random.pick(&model.ports);
            let Some(sender) = world.snapshot().port(&from.id()).cloned() else { continue };
            let packet = outside::leaving(from, entered);
            world.forget();
            let Ok(trace) = world.send(&sender, &packet) else { continue };
            let seen: Vec<_> =
                trace.delivered().map(|(to, got)| (to, got.addresses().expect("ip").0)).collect();
            let expected = outside.goes_out(model, from, (way, leg), &packet);
            let wanted: Vec<_> =
                expected.map(|address| (outside::machine(), address.into())).into_iter().collect();
            assert_eq!(seen, wanted, "{} by {entered:?}: {packet}\n{}", from.name, told(&trace));
            reached(&trace);
            sent.fetch_add(1, Relaxed);
            let Some((_, got)) = trace.delivered().next() else { continue };
            left.fetch_add(1, Relaxed);
            let answer = packets::answer(got);
            let answered = world.send(&machine, &answer).expect("no fault");
            let expected: BTreeSet<PortId> = Some(from.id())
                .filter(|_| outside.comes_back(model, from, way, &answer))
                .into_iter()
                .collect();
            assert_eq!(
                reached(&answered),
                expected,
                "the answer to {}: {answer}\n{}",
                from.name,
                told(&answered)
            );
            back.fetch_add(expected.len(), Relaxed);
            world.forget();
            let unasked = world.send(&machine, &answer).expect("no fault");
            let is_known = |port: &PortId| outside.is_open(model, *port) || outside.stands_for(model, *port);
            assert!(reached(&unasked).iter().all(is_known), "unasked: {answer}\n{}", told(&unasked));
        }
    });
    let (sent, left, back) = (sent.into_inner(), left.into_inner(), back.into_inner());
    let is_short = cases().count() < 100;
    assert!(
        is_short || left * 20 > sent && left < sent && back * 2 > left,
        "{left} of {sent} packets left, {back} answers came back"
    );
}
