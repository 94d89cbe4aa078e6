//! Packets, and what must become of them on host 1.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use weft_compiler::Reason;

use crate::daemons::Daemons;

/// A packet in the words of `ofproto/trace`, and what must become of it.
pub struct Case {
    pub name: &'static str,
    pub packet: &'static str,
    pub expected: Outcome,
}

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The OpenFlow ports by which it leaves.
    outputs: BTreeSet<u16>,
    /// Why it is dropped.
    reason: Option<Reason>,
    /// Whether the controller gets it, through a meter.
    goes_up: bool,
}

/// The cases of `packets.txt`.
pub fn cases() -> Result<Vec<Case>> {
    let lines = include_str!("packets.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| case(line).with_context(|| format!("case {line}"))).collect()
}

fn case(line: &'static str) -> Result<Case> {
    let mut parts = line.split(" | ");
    let (Some(name), Some(packet), Some(result)) = (parts.next(), parts.next(), parts.next()) else {
        bail!("needs a name, a packet and an outcome");
    };
    let expected = match result.strip_prefix("drop ") {
        Some(word) => {
            let reason = Reason::ALL.into_iter().find(|reason| reason.name() == word);
            let reason = Some(reason.context("no such reason")?);
            Outcome { outputs: BTreeSet::new(), reason, goes_up: false }
        }
        None if result == "up" => Outcome { outputs: BTreeSet::new(), reason: None, goes_up: true },
        None => {
            let outputs = result.split(',').map(str::parse).collect::<Result<_, _>>()?;
            Outcome { outputs, reason: None, goes_up: false }
        }
    };
    Ok(Case { name, packet, expected })
}

/// Traces a packet and reads off where it leaves and why it is dropped.
pub fn outcome(daemons: &Daemons, bridge: &str, packet: &str) -> Result<Outcome> {
    let numbers = datapath_ports(&daemons.run("ovs-appctl", &["dpif/show"])?);
    let trace = daemons.trace(bridge, packet)?;
    let actions = trace.lines().find_map(|line| line.strip_prefix("Datapath actions: "));
    let actions = actions.with_context(|| format!("no result in {trace}"))?;
    let outputs = top_level(actions)
        .filter_map(|action| action.trim().parse::<u32>().ok())
        .filter_map(|port| numbers.get(&port).copied())
        .collect();
    let reason = trace.lines().find_map(|line| {
        let value = line.trim().strip_prefix("set_field:")?.strip_suffix("->reg6")?;
        let number = u32::from_str_radix(value.trim_start_matches("0x"), 16).ok()?;
        Reason::from_number(number)
    });
    let goes_up =
        actions.contains("meter(") && actions.contains("userspace(") && actions.contains("controller(");
    Ok(Outcome { outputs, reason, goes_up })
}

/// From the datapath's port numbers to OpenFlow's: `name 1/3: (dummy)`.
fn datapath_ports(show: &str) -> BTreeMap<u32, u16> {
    let numbers =
        show.lines().filter_map(|line| line.split_whitespace().nth(1)?.strip_suffix(':')?.split_once('/'));
    numbers
        .filter_map(|(openflow, datapath)| Some((datapath.parse().ok()?, openflow.parse().ok()?)))
        .collect()
}

/// Splits a list of actions at the commas that stand in no parentheses.
fn top_level(actions: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    actions.split(move |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
}
