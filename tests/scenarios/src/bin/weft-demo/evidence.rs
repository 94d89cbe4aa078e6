//! What proves the claim: pings, and the counters of every namespace that say which workload answered them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use weft_rig::{Host, Netns, Ping, wait_until};
use weft_scenarios::{LIMIT, Site};

use crate::cast::{Cast, HOSTS, Tenant, Workload};
use crate::stage::Stage;

/// How many echo requests a check sends.
const PINGS: u64 = 3;

/// The time between two of the pings that run all the while.
const INTERVAL: Duration = Duration::from_millis(50);
/// Every message that could change a table.
const CHANGES: [&str; 5] =
    ["OFPT_FLOW_MOD", "OFPT_GROUP_MOD", "OFPT_METER_MOD", "OFPT_BUNDLE_CONTROL", "OFPT_BUNDLE_ADD_MESSAGE"];

/// Echo requests that each workload has received so far, of both families together.
type Echoes = BTreeMap<String, u64>;

/// Every first workload reaches the others of its tenant, and nobody else hears of it.
pub fn within(stage: &Stage, cast: &Cast) -> Result<()> {
    for tenant in &cast.tenants {
        let from = &tenant.workloads[0];
        for to in &tenant.workloads[1..] {
            for address in to.addresses {
                stage.go_on()?;
                // The first packets of a tunnel wait for the hosts to find each other; IPv6 proves its addresses.
                let what = format!("{} to reach {address}", from.name);
                wait_until(&what, LIMIT, || Ok(ping(&from.netns, address, 1)? == 1))?;
                answered_by(stage, cast, from, (to, address))?;
            }
        }
    }
    Ok(())
}

/// Pings, and checks that all were answered and that the one that is meant received all of them and nobody else any.
fn answered_by(
    stage: &Stage,
    cast: &Cast,
    from: &Workload,
    (to, address): (&Workload, IpAddr),
) -> Result<()> {
    let before = echoes(cast)?;
    let answered = ping(&from.netns, address, PINGS)?;
    let arrived = difference(&before, &echoes(cast)?);
    let expected = Echoes::from([(to.name.clone(), PINGS)]);
    let heard = match arrived.len() {
        0 => "nobody".to_owned(),
        _ => {
            arrived.iter().map(|(name, count)| format!("{name} ({count})")).collect::<Vec<_>>().join(" and ")
        }
    };
    let what = format!(
        "{} on {} pings {address}: {answered} of {PINGS} answered; received by {heard}",
        from.name,
        from.host.name()
    );
    stage.check(&what, answered == PINGS && arrived == expected);
    Ok(())
}

/// Nobody reaches an address that only the other tenant has, not even with the right MAC told by hand.
pub fn between(stage: &Stage, cast: &Cast) -> Result<()> {
    let [red, blue] = &cast.tenants;
    stage.note(&format!(
        "{} is only in {}, {} only in {}; all else is the same in both.",
        red.unique().addresses[0],
        red.name,
        blue.unique().addresses[0],
        blue.name
    ));
    stage.note("Each sender is told the other's MAC by hand, so that its packets really leave it.");
    not_reached(stage, cast, red, blue)?;
    not_reached(stage, cast, blue, red)
}

fn not_reached(stage: &Stage, cast: &Cast, tenant: &Tenant, other: &Tenant) -> Result<()> {
    let (from, to) = (&tenant.workloads[0], other.unique());
    for address in to.addresses {
        stage.go_on()?;
        let entry = format!("neigh replace {address} lladdr {} dev eth0 nud permanent\n", to.mac);
        from.netns.ip(&entry)?;
        let (before, sent) = (echoes(cast)?, sent(&from.netns)?);
        let answered = ping(&from.netns, address, PINGS)?;
        let arrived = difference(&before, &echoes(cast)?);
        let left = self::sent(&from.netns)? - sent;
        from.netns.ip(&format!("neigh del {address} dev eth0\n"))?;
        let what = format!(
            "{} on {} pings {address} of {}: {left} packets left it, {answered} were answered, {} arrived anywhere",
            from.name,
            from.host.name(),
            to.name,
            arrived.values().sum::<u64>()
        );
        stage.check(&what, left >= PINGS && answered == 0 && arrived.is_empty());
    }
    Ok(())
}

/// The first host has one tunnel to each other host and no more.
pub fn tunnels(stage: &Stage, site: &Site) -> Result<()> {
    let host = &site.hosts[0];
    stage.typed(host.name(), "ovs-vsctl show");
    let text = host.vsctl(&["show"])?;
    stage.printed(&text);
    let to_others =
        site.hosts[1..].iter().filter(|peer| text.contains(&format!("\"{}\"", peer.underlay_ip())));
    let tunnels = text.matches("type: vxlan").count();
    let is_complete = to_others.count() == HOSTS - 1 && tunnels == HOSTS - 1;
    stage.check(
        &format!("{tunnels} VXLAN tunnels, one to each host that shares a network with h1"),
        is_complete,
    );
    Ok(())
}

/// Pings go on while the controller is dead, and the one that is started sends no switch anything to install.
pub fn without_controller(stage: &Stage, site: &mut Site, cast: &Cast) -> Result<()> {
    stage.go_on()?;
    let [from, to] = [&cast.tenants[0].workloads[0], &cast.tenants[0].workloads[1]];
    let heard = site.hosts.iter().map(Host::watch_openflow).collect::<Result<Vec<_>>>()?;
    let traffic = Ping::start(&from.netns, to.addresses[0], INTERVAL)?;
    let more = |count| {
        let wanted = traffic.received()? + count;
        wait_until("pings", LIMIT, || Ok(traffic.received()? >= wanted))
    };
    more(5)?;
    stage.typed("", &format!("kill -9 {}", site.controller.pid().context("the controller does not run")?));
    site.controller.kill9()?;
    more(25)?;
    stage.typed("", "weft-controller --data-dir ...");
    site.controller.start_again(LIMIT)?;
    site.wait_connected()?;
    more(5)?;
    let result = traffic.finish()?;
    let what = format!(
        "{} pings {} all the while: {} of {} answered",
        from.name, to.name, result.received, result.sent
    );
    // One that was under way when the pinging was ended counts as sent.
    stage.check(&what, result.lost() <= 1);
    let changes = heard.iter().map(|log| log.count(&CHANGES)).sum::<Result<usize>>()?;
    stage.check(
        &format!("all hosts are connected again and were sent {changes} changes of flows"),
        changes == 0,
    );
    Ok(())
}

/// Sends echo requests 100 ms apart, waits one second for the last answer, and counts the answers.
fn ping(netns: &Netns, to: IpAddr, count: u64) -> Result<u64> {
    let (count, to) = (count.to_string(), to.to_string());
    let argv = ["ping", "-n", "-q", "-i", "0.1", "-W", "1", "-c", &count, &to];
    let finished = netns.output(&argv)?;
    let line = finished.stdout.lines().find(|line| line.contains("packets transmitted"));
    let answered = line.and_then(|line| line.split(", ").nth(1)?.split(' ').next()?.parse().ok());
    answered.with_context(|| format!("ping {to}: {}", finished.stderr.trim()))
}

/// What every workload's kernel has counted.
fn echoes(cast: &Cast) -> Result<Echoes> {
    let one = |workload: &Workload| {
        let v4 = counter(&workload.netns, "/proc/net/snmp", "InEchos")?;
        Ok((workload.name.clone(), v4 + counter(&workload.netns, "/proc/net/snmp6", "Icmp6InEchos")?))
    };
    cast.everybody().map(|(_, workload)| one(workload)).collect()
}

/// Packets that have left a namespace by its interface.
fn sent(netns: &Netns) -> Result<u64> {
    /// Of the numbers in a line of this file, the first eight are about receiving.
    const TRANSMITTED: usize = 9;
    let text = netns.exec(&["cat", "/proc/net/dev"])?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:"));
    let count = line.and_then(|numbers| numbers.split_whitespace().nth(TRANSMITTED)?.parse().ok());
    count.with_context(|| format!("{} has no eth0", netns.name()))
}

fn difference(before: &Echoes, after: &Echoes) -> Echoes {
    let more = after.iter().map(|(name, count)| (name.clone(), count - before.get(name).unwrap_or(count)));
    more.filter(|(_, count)| *count > 0).collect()
}

/// A counter of a namespace's kernel. One file has titles in one line and numbers in the next, the other one a pair a line.
fn counter(netns: &Netns, file: &str, name: &str) -> Result<u64> {
    let text = netns.exec(&["cat", file])?;
    find(&text, name).with_context(|| format!("{file} has no {name}"))
}

fn find(text: &str, name: &str) -> Option<u64> {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let number = lines.iter().enumerate().find_map(|(index, words)| {
        if words.first() == Some(&name) {
            return words.get(1);
        }
        let column = words.iter().position(|word| *word == name)?;
        lines.get(index + 1)?.get(column)
    });
    number?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_in_both_forms() {
        let v4 = "Ip: Forwarding InEchos\nIp: 1 2\nIcmp: InMsgs InEchos InErrors\nIcmp: 7 8 9\n";
        assert_eq!(find(v4, "InErrors"), Some(9));
        assert_eq!(find(v4, "InMsgs"), Some(7));
        assert_eq!(find("Ip6InReceives \t 4\nIcmp6InEchos  \t5\n", "Icmp6InEchos"), Some(5));
        assert_eq!(find(v4, "OutEchos"), None);
    }

    #[test]
    fn only_who_received_something_is_in_the_difference() {
        let count = |a, b| Echoes::from([("a".to_owned(), a), ("b".to_owned(), b)]);
        assert_eq!(difference(&count(1, 1), &count(1, 4)), Echoes::from([("b".to_owned(), 3)]));
    }
}
