//! What a host's switch has dropped, by reason: the counters of the flows of table `drop`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use weft_compiler::Reason;
use weft_compiler::pipeline::DROP;
use weft_rig::{Host, wait_until};

use crate::site::LIMIT;

/// What kernels cause by themselves, whenever they think of it: their group reports and router solicitations reach other
/// ports that are filtered.
const BACKGROUND: Reason = Reason::ForRouters;

/// Packets dropped so far, by reason; every reason is there.
pub type Drops = BTreeMap<Reason, u64>;

/// Reads the counters. They lag behind the packets by up to a second: Open vSwitch collects them now and then.
pub fn drops(host: &Host) -> Result<Drops> {
    let text = host.ofctl(&["dump-flows", "br-int", &format!("table={}", DROP.number)])?;
    let flows = text.lines().filter(|line| line.contains("reg6="));
    let drops: Drops = flows.map(read).collect::<Result<_>>()?;
    if drops.len() != Reason::ALL.len() {
        bail!("{} has {} of {} drop reasons:\n{text}", host.name(), drops.len(), Reason::ALL.len());
    }
    Ok(drops)
}

/// Waits until exactly this many packets more than before have been dropped for each reason given, and none for any
/// other reason but [`BACKGROUND`].
pub fn wait_drops(host: &Host, before: &Drops, more: &Drops) -> Result<()> {
    let wanted: Drops =
        before.iter().map(|(reason, count)| (*reason, count + more.get(reason).unwrap_or(&0))).collect();
    wait_until(&format!("drops on {}", host.name()), LIMIT, || {
        let now = drops(host)?;
        let wrong = now.iter().filter(|(reason, count)| wanted[reason] != **count && **reason != BACKGROUND);
        let wrong: Vec<String> = wrong
            .map(|(reason, count)| {
                format!(
                    "{}: {} more, wanted {} more",
                    reason.name(),
                    count - before[reason],
                    wanted[reason] - before[reason]
                )
            })
            .collect();
        if wrong.is_empty() { Ok(true) } else { bail!("{}", wrong.join("; ")) }
    })
}

/// What the switches of these hosts have dropped and why, in one line: for the message of a failing test.
pub fn drops_text(hosts: &[Host]) -> String {
    let one = |host: &Host| match drops(host) {
        Ok(drops) => {
            let some = drops.iter().filter(|(_, count)| **count > 0);
            let some: Vec<String> =
                some.map(|(reason, count)| format!("{} {count}", reason.name())).collect();
            format!("{}: {}", host.name(), some.join(", "))
        }
        Err(error) => format!("{}: {error:#}", host.name()),
    };
    format!("dropped on {}", hosts.iter().map(one).collect::<Vec<_>>().join("; "))
}

fn read(line: &str) -> Result<(Reason, u64)> {
    let field = |name: &str| {
        let (_, rest) = line.split_once(name)?;
        rest.split([',', ' ']).next()
    };
    let number = field("reg6=0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let reason = number.and_then(Reason::from_number).with_context(|| format!("no reason: {line}"))?;
    let count = field("n_packets=").and_then(|count| count.parse().ok());
    Ok((reason, count.with_context(|| format!("no counter: {line}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_of_the_drop_table_is_read() {
        let line = " cookie=0x30, duration=1.5s, table=90, n_packets=12, n_bytes=720, priority=100,reg6=0x7 actions=drop";
        assert_eq!(read(line).expect("a drop flow"), (Reason::SpoofedIpv4, 12));
    }
}
