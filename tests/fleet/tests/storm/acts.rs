//! The acts: what happens to the system, and what each must come to.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use weft_compiler::Subject;
use weft_controller::populate::{NETWORKS_PER_TENANT, host_id};
use weft_fleet::{Condition, Echo, Fault, Hosts, Refuse, Side, Sign};
use weft_model::{NetworkId, Port};
use weft_rig::wait_until;
use weft_scenarios::simulated::Http;

use crate::gusts::{BAD, Gust, Weather};
use crate::world::{LIMIT, World};

/// How much memory a controller may take for the smallest of systems, debug build, in KiB.
const MEMORY_BASE: u64 = 300 << 10;
/// How often two changes are made before one must have met the other.
const ATTEMPTS: usize = 20;
/// Of the ports of the large change, every so manieth is watched.
const SAMPLE: usize = 8;
/// How many audits there are in a quiet spell.
const AUDITS: f64 = 12.0;

/// All hosts dial a controller at once that has everything in its store: each comes to hold exactly what is wanted.
pub fn cold_start(world: &mut World) -> Result<()> {
    let (state, _) = world.settle(&Hosts::All)?;
    world.check_tunnels(&[0, 1, world.hosts() - 1], &state)
}

/// The controller is killed and comes back: every host connects at once, nothing has changed, so nothing is sent.
pub fn restart(world: &mut World) -> Result<()> {
    let mut http = world.http()?;
    http.applied_newest()?;
    let (before, memory) = (world.messages(), world.controller()?.memory_kib()?);
    let digests = world.fleet.digests(Hosts::All);
    let left = world.kill()?;
    world.restart()?;
    let mut http = world.http()?;
    http.applied_newest()?;
    let after = world.controller()?.memory_kib()?;
    eprintln!("memory in KiB, now and peak: {memory:?} before the restart, {after:?} after");
    let sent = world.messages() - before;
    ensure!(sent == 0, "{sent} flow and group messages although nothing changed\n{}", world.log());
    let state = world.state()?;
    ensure!(world.fleet.digests(Hosts::All) == digests, "tables changed");
    ensure!(state.revision() == left.revision(), "{} became {}", left.revision(), state.revision());
    let most = memory.1.max(MEMORY_BASE) * 2;
    ensure!(after.1 <= most, "{} KiB at most after a restart, {most} were expected", after.1);
    Ok(())
}

/// Hosts have trouble of every kind, one host each; nobody asked for anything, so all come back to what they held.
pub fn trouble(world: &mut World) -> Result<()> {
    let (state, wanted) = world.settle(&Hosts::All)?;
    let mut weather = Weather::new(world, 0)?;
    let drift = weather.http.metric("weft_drift_repaired")?;
    let hosts: Vec<u32> = (0..Gust::TROUBLE.len() as u32).map(|n| n * 7).collect();
    for (gust, host) in Gust::TROUBLE.into_iter().zip(&hosts) {
        weather.trouble(gust, *host)?;
    }
    // Those who are there come right while the others are away.
    let gone = weather.gone.clone();
    let there: Hosts = (0..weather.world.hosts()).filter(|host| !gone.contains(host)).collect();
    let met = weather.world.fleet.expect(there.clone(), Condition::Holds(wanted.clone())).wait(LIMIT);
    ensure!(met.is_complete(), "{}", weather.world.describe(&there)?);
    let down = |http: &mut Http| shown(http, gone[0]).map(|host| host["status"] == "DOWN");
    wait_until("the dead host to be seen dead", LIMIT, || down(&mut weather.http))?;
    weather.return_all();
    let Weather { world, mut http, .. } = weather;
    let (after, _) = world.settle(&Hosts::All)?;
    world.check_tunnels(&hosts, &state)?;
    ensure!(differs_only_in_claims(&state, &after), "trouble changed what is wanted");
    let repaired = http.metric("weft_drift_repaired")? - drift;
    ensure!(repaired >= 2.0, "flows were added and deleted by hand, and only {repaired} were put right");
    Ok(())
}

fn differs_only_in_claims(before: &weft_model::Snapshot, after: &weft_model::Snapshot) -> bool {
    let ports = before.ports().all(|port| after.port(&port.id) == Some(port));
    let hosts = before.hosts().all(|host| after.host(&host.id) == Some(host));
    ports && hosts && before.port_count() == after.port_count()
}

/// What `GET /v1/hosts/{id}` shows.
fn shown(http: &mut Http, host: u32) -> Result<serde_json::Value> {
    Ok(http.get(&format!("/v1/hosts/{}", host_id(host)))?.json()?["host"].take())
}

/// Everything at once, in random order, and a crash of the controller in the middle, while some switches are bad: the
/// others come right meanwhile, the bad ones show what is wrong with them, and come right when they are good again.
pub fn storm(world: &mut World, seed: u64) -> Result<()> {
    let bad: [u32; 3] = [3, 11, 19];
    let mute = 27;
    let fleet = &world.fleet;
    for (host, fault) in bad.into_iter().zip(BAD()) {
        fleet.fault(Hosts::One(host), fault);
    }
    fleet.fault(Hosts::One(mute), Fault::Echo(Echo::Ignored));
    let mut weather = Weather::new(world, seed)?;
    weather.spared = bad.to_vec();
    // Every one of the first hosts has something to take in, the bad ones too.
    let wide = weather.world.wide().context("there is a wide network")?;
    weather.set_network(wide, false)?;
    let wishes = Gust::WISHES.into_iter().flat_map(|(gust, count)| vec![gust; count]);
    let trouble = Gust::TROUBLE.into_iter().flat_map(|gust| [gust; 4]);
    let mut gusts: Vec<Gust> = wishes.chain(trouble).collect();
    weather.random.shuffle(&mut gusts);
    let middle = gusts.len() / 2;
    for (n, gust) in gusts.into_iter().enumerate() {
        if n == middle {
            weather.world.crash()?;
            weather.http = weather.world.http()?;
        }
        weather.blow(gust)?;
    }
    weather.return_all();
    let Weather { world, mut http, .. } = weather;
    let others: Hosts = (0..world.hosts()).filter(|host| !bad.contains(host)).collect();
    let (_, wanted) = world.settle(&others)?;
    for (host, has) in world.fleet.digests(bad.into_iter().collect()) {
        ensure!(wanted[&host] != has, "host {host} is as it should be, although its switch is bad");
    }
    let owing = http.get("/v1/applied?timeout=0")?.json()?["pending"].take();
    ensure!(owing == json!(bad.map(|host| host_id(host).to_string())), "{bad:?} are bad, and {owing} owe");
    for host in bad {
        wait_until("the trouble to be shown", LIMIT, || {
            let shown = shown(&mut http, host)?;
            let is_told = shown["problems"].as_array().is_some_and(|problems| !problems.is_empty());
            let (status, problems) = (&shown["status"], &shown["problems"]);
            ensure!(status == "DEGRADED" && is_told, "host {host} is {status}: {problems}");
            eprintln!("host {host} is {status}: {problems}");
            Ok(true)
        })?;
    }
    for host in bad {
        for fault in [Fault::Refuse(Refuse::Nothing), Fault::ReadAgain(Side::OpenFlow)] {
            world.fleet.fault(Hosts::One(host), fault);
        }
    }
    world.fleet.fault(Hosts::One(mute), Fault::Echo(Echo::Answered));
    world.settle(&Hosts::All)?;
    wait_until("all hosts to be up", LIMIT, || {
        for host in bad.into_iter().chain([mute]) {
            let shown = shown(&mut http, host)?;
            ensure!(shown["status"] == "UP", "host {host}: {shown}");
        }
        Ok(true)
    })
}

/// A network of many hosts comes up, tens of thousands of flows; right after it another tenant's port. The port is in
/// force before most of what was still to come of the network.
pub fn fairness(world: &mut World) -> Result<()> {
    let mut weather = Weather::new(world, 0)?;
    // Younger than the wide one: whatever the order of networks, it would not come first by itself.
    // And one of each other tenant, so that the order of tenants does not matter either.
    let own = weather.world.population.size().networks / NETWORKS_PER_TENANT;
    let young: Vec<NetworkId> =
        (0..own).map(|tenant| weather.create_network(tenant)).collect::<Result<_>>()?;
    let (state, _) = weather.world.settle(&Hosts::All)?;
    let bound = |network: &NetworkId| {
        let port = state.ports_of(*network).find(|port| state.binding(port.id).is_some());
        port.cloned().context("a bound port")
    };
    let bound: Vec<Arc<Port>> = young.iter().map(bound).collect::<Result<_>>()?;
    let mut is_shown = false;
    for _ in 0..ATTEMPTS {
        let Some((small, large)) = race(&mut weather, &bound)? else { continue };
        eprintln!(
            "{large} parts of the large change were still to come, {small} of them came after the small one"
        );
        // All of the large one may have been under way in one pass; an engine that takes its turns is fair the next time.
        if small * 2 > large {
            is_shown = true;
            break;
        }
    }
    ensure!(is_shown, "the small change always waited for the large one, or came when that was through");
    weather.world.settle(&Hosts::All)?;
    Ok(())
}

/// How many parts of a large change came after a small one that was written after it, and how many were to come when the
/// small one was written; nothing if hardly any were.
fn race(weather: &mut Weather<'_>, small: &[Arc<Port>]) -> Result<Option<(usize, usize)>> {
    let wide = weather.world.wide().context("there is a wide network")?;
    let size = weather.world.population.size();
    weather.set_network(wide, false)?;
    for port in small {
        weather.set_port(port.id, false)?;
    }
    weather.http.applied_newest()?;
    let sees = |subject: Subject| {
        let (cookie, mask) = subject.cookies().context("it has flows")?;
        Ok::<_, anyhow::Error>(Condition::Sees(Sign::Cookie { value: cookie.0, mask }))
    };
    let key = |port: u32| weft_model::PortKey::new(port + 1).context("ports have keys");
    let fleet = &weather.world.fleet;
    // What all members of its network know of it, as with the large one: a host's own flows go before these anyway.
    let mut seen = Vec::new();
    for port in small {
        let host = weather.world.meant[&port.id].host.context("it is bound")?;
        seen.push(fleet.expect(Hosts::One(host), sees(Subject::Port(port.key))?));
    }
    let mut large = Vec::new();
    for port in (size.ports..size.ports + size.wide).step_by(SAMPLE) {
        large.push(fleet.expect((0..size.wide).collect(), sees(Subject::Port(key(port)?))?));
    }
    weather.set_network(wide, true)?;
    for port in small {
        weather.set_port(port.id, true)?;
    }
    let written = Instant::now();
    let mut last = written;
    for one in seen {
        last = last.max(one.wait(LIMIT).last().context("a small change is not in force")?);
    }
    let stamps: Vec<_> = large.into_iter().flat_map(|one| one.wait(LIMIT).stamps).collect();
    ensure!(stamps.len() >= size.wide as usize, "the large change is not in force");
    let after = |moment| stamps.iter().filter(|stamp| stamp.read_at > moment).count();
    let to_come = after(written);
    Ok((to_come > stamps.len() / 10).then(|| (after(last), to_come)))
}

/// Nothing happens: audits find nothing, nobody is sent anything, nobody owes anything.
pub fn quiet(world: &mut World) -> Result<()> {
    let (_, wanted) = world.settle(&Hosts::All)?;
    let mut http = world.http()?;
    http.applied_newest()?;
    let (messages, drift) = (world.messages(), http.metric("weft_drift_repaired")?);
    let reads = http.metric("weft_read_backs_total")?;
    wait_until("some audits", LIMIT, || Ok(http.metric("weft_read_backs_total")? >= reads + AUDITS))?;
    let sent = world.messages() - messages;
    ensure!(sent == 0, "{sent} messages although nothing happened\n{}", world.log());
    let repaired = http.metric("weft_drift_repaired")? - drift;
    ensure!(repaired == 0.0, "{repaired} flows repaired that nobody had touched");
    ensure!(http.metric("weft_hosts_owing")? == 0.0, "somebody owes something");
    ensure!(http.metric("weft_self_checks_failed_total")? == 0.0, "a self-check failed\n{}", world.log());
    let counters = world.fleet.status().counters;
    ensure!(counters.unsupported == 0, "{} messages that the simulator does not know", counters.unsupported);
    let wanted = Arc::unwrap_or_clone(wanted);
    if world.fleet.digests(Hosts::All).into_iter().collect::<std::collections::BTreeMap<_, _>>() != wanted {
        bail!("{}", world.describe(&Hosts::All)?);
    }
    Ok(())
}
