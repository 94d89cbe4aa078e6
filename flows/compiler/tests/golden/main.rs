//! Golden cases: a desired state as text, and the flows of every scope as text. `UPDATE_GOLDEN=1` writes them anew.

#[path = "../state/mod.rs"]
mod state;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use weft_compiler::{
    Owner, Scope, TunnelSettings, UplinkEnd, compile, flow_text, group_text, owners, pipeline, tunnels,
    uplink_ofport, uplinks,
};
use weft_model::Snapshot;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file with what it should hold, or writes it.
fn check(path: &Path, wanted: &str) -> Result<()> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(path, wanted).with_context(|| format!("write {}", path.display()));
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    if found == wanted {
        return Ok(());
    }
    let differs =
        found.lines().zip(wanted.lines()).position(|(a, b)| a != b).unwrap_or(found.lines().count());
    bail!("{} is stale from line {} on; UPDATE_GOLDEN=1 writes it anew", path.display(), differs + 1)
}

/// Everything that lives in a scope, owner by owner.
fn scope_text(scope: Scope, snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for owner in owners(scope, snapshot) {
        let compiled = compile(owner, snapshot);
        writeln!(text, "# {owner}").expect("a String takes everything");
        for group in &compiled.groups {
            writeln!(text, "{}", group_text(group)).expect("a String takes everything");
        }
        for flow in &compiled.flows {
            writeln!(text, "{}", flow_text(flow)).expect("a String takes everything");
        }
        text.push('\n');
    }
    text
}

/// The base is the same on every host, so it is written once.
fn host_text(host: &weft_model::Host, snapshot: &Snapshot) -> String {
    let all = scope_text(Scope::Host(host.index), snapshot);
    let own = all.split_once("\n\n").map_or("", |(_, own)| own);
    let mut text = String::new();
    for tunnel in tunnels(&host.id, snapshot, &TunnelSettings::default()).values() {
        let (name, remote, ofport) = (&tunnel.name, tunnel.remote_ip, tunnel.ofport);
        writeln!(text, "tunnel {name} type={} remote_ip={remote} ofport={ofport}", tunnel.encap.name())
            .expect("a String takes everything");
    }
    for (physnet, bridge) in uplinks(host.index, snapshot) {
        let (inner, bridge) = (UplinkEnd::Inner(physnet), bridge.unwrap_or_else(|| "no bridge".to_owned()));
        writeln!(text, "uplink {} to {bridge} ofport={}", inner.name(), uplink_ofport(physnet))
            .expect("a String takes everything");
    }
    format!("{text}\n{own}")
}

fn case(dir: &Path) -> Result<()> {
    let snapshot = state::parse(&std::fs::read_to_string(dir.join("state.txt"))?)?;
    let mut written = BTreeSet::from(["state.txt".to_owned()]);
    let mut check_file = |name: String, text: &str| {
        let result = check(&dir.join(&name), text);
        written.insert(name);
        result
    };
    for network in snapshot.networks() {
        let text = scope_text(Scope::Network(network.vni), &snapshot);
        check_file(format!("network-{}.flows", network.vni), &text)?;
    }
    for router in snapshot.routers() {
        let text = scope_text(Scope::Router(router.key), &snapshot);
        check_file(format!("router-{}.flows", router.key), &text)?;
    }
    for policy in snapshot.policies() {
        let text = scope_text(Scope::Policy(policy.key), &snapshot);
        check_file(format!("policy-{}.flows", policy.key), &text)?;
    }
    for host in snapshot.hosts() {
        check_file(format!("host-{}.flows", host.index), &host_text(host, &snapshot))?;
    }
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        assert!(written.contains(&name), "{name} in {} belongs to nothing", dir.display());
    }
    Ok(())
}

#[test]
fn flows_are_as_written_down() -> Result<()> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root().join("tests/cases"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    cases.retain(|path| path.is_dir());
    cases.sort();
    assert!(cases.len() >= 3);
    for dir in cases {
        case(&dir).with_context(|| dir.display().to_string())?;
    }
    Ok(())
}

#[test]
fn the_base_of_a_host_is_as_written_down() -> Result<()> {
    let snapshot = state::parse("host h1 index=1 ip=192.0.2.1")?;
    let host = snapshot.hosts().next().context("one host")?;
    check(&root().join("tests/cases/host-base.flows"), &scope_text(Scope::Host(host.index), &snapshot))
}

#[test]
fn the_page_about_the_pipeline_is_up_to_date() -> Result<()> {
    check(&root().join("PIPELINE.md"), &pipeline::markdown())
}

/// More ports of one network on one host than one group description can hold are spread over groups that can.
#[test]
fn a_crowded_host_floods_in_several_groups() -> Result<()> {
    let mut text = "host h1 index=1 ip=192.0.2.1\nnetwork red vni=1\n".to_owned();
    for key in 1..=1500_u32 {
        let mac = format!("02:00:00:00:{:02x}:{:02x}", key >> 8, key & 0xff);
        writeln!(text, "port p{key} network=red key={key} mac={mac}\nbind p{key} h1 of={key}")?;
    }
    let snapshot = state::parse(&text)?;
    let host = snapshot.hosts().next().context("one host")?.index;
    let network = snapshot.networks().next().context("one network")?.vni;
    let compiled = compile(Owner::LocalFlood(host, network), &snapshot);
    assert_eq!((compiled.flows.len(), compiled.groups.len()), (1, 64));
    assert_eq!(compiled.groups.iter().map(|group| group.buckets.len()).sum::<usize>(), 1500);
    assert!(compiled.groups.iter().all(|group| group.buckets.len() <= 24));
    Ok(())
}
