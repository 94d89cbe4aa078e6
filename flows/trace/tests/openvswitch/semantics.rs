//! Every action and every rule of matching that the interpreter knows, in flows made for the purpose (`semantics.txt`).

use std::panic::Location;
use std::sync::Arc;

use anyhow::{Context, Result};
use weft_compiler::Flow;
use weft_openflow::text::{parse_flow, parse_group};
use weft_openflow::{Instruction, Writer};
use weft_trace::{Entry, Group, Switch};

use crate::daemons::Daemons;
use crate::verdict::{Bridge, Sent, followed, ours, theirs};

const BRIDGE: &str = "br1";
const OFCTL: [&str; 2] = ["-O", "OpenFlow15"];

/// Flows and groups, and packets that are sent through them.
#[derive(Default)]
struct Case {
    name: &'static str,
    flows: Vec<&'static str>,
    groups: Vec<&'static str>,
    packets: Vec<&'static str>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("semantics.txt").lines().filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "#" => {}
            "==" => cases.push(Case { name: rest, ..Case::default() }),
            "flow" => cases.last_mut().expect("in a case").flows.push(rest),
            "group" => cases.last_mut().expect("in a case").groups.push(rest),
            "packet" => cases.last_mut().expect("in a case").packets.push(rest),
            other => panic!("{other}"),
        }
    }
    cases
}

/// A flow of text as the interpreter takes it.
#[track_caller]
fn entry(text: &str) -> Result<Entry> {
    let flow = parse_flow(text).with_context(|| text.to_owned())?;
    let mut writer = Writer::new();
    Instruction::encode_list(&flow.instructions, &mut writer);
    let flow = Flow {
        table: flow.table.map_or(0, |table| table.0),
        priority: flow.priority,
        cookie: 0,
        match_bytes: flow.matches.canonical_bytes(),
        instructions: writer.into_bytes(),
        origin: Location::caller(),
    };
    Ok(Entry::of(&flow, None)?)
}

fn load(daemons: &Daemons, case: &Case) -> Result<Switch> {
    let ofctl = |args: &[&str]| daemons.run("ovs-ofctl", &[&OFCTL[..], args].concat());
    ofctl(&["del-flows", BRIDGE])?;
    ofctl(&["del-groups", BRIDGE])?;
    let mut switch = Switch::new();
    for group in &case.groups {
        ofctl(&["add-group", BRIDGE, group])?;
        switch.add_group(Arc::new(Group::of_message(&parse_group(group)?)));
    }
    for flow in &case.flows {
        ofctl(&["add-flow", BRIDGE, flow])?;
        switch.add(Arc::new(entry(flow)?))?;
    }
    Ok(switch)
}

#[test]
fn actions_and_matches_are_those_of_open_vswitch() -> Result<()> {
    let daemons = Daemons::start()?;
    daemons.bridge(BRIDGE, 1..=9)?;
    let bridge = Bridge::new(&daemons, BRIDGE)?;
    let (mut faults, mut packets) = (Vec::new(), 0);
    for case in cases() {
        let switch = load(&daemons, &case).with_context(|| case.name)?;
        for packet in &case.packets {
            packets += 1;
            let (text, states) = packet.split_once(" | ").unwrap_or((packet, ""));
            let states = states.split_whitespace().collect();
            let sent = Sent { text, states };
            let theirs = theirs(&bridge, &sent).with_context(|| case.name)?;
            let ours = ours(&switch, &bridge, &sent).with_context(|| format!("{}: {packet}", case.name))?;
            if !ours.allows(&theirs) {
                faults.push(format!("{}: {packet}\n  ours   {ours:?}\n  theirs {theirs:?}", case.name));
            }
        }
    }
    assert!(packets >= 60, "{packets}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

#[test]
fn what_is_not_known_is_a_fault() -> Result<()> {
    for flow in [
        "actions=NORMAL",
        "actions=push_mpls:0x8847",
        "actions=write_actions(output:1)",
        "actions=sample(probability=1,collector_set_id=1,obs_domain_id=1,obs_point_id=1)",
        "actions=group:7",
        "actions=resubmit(,0)",
    ] {
        let mut switch = Switch::new();
        switch.add(Arc::new(entry(flow)?))?;
        assert!(followed(&switch, &Sent { text: "in_port=1", states: vec![] }).is_err(), "{flow}");
    }
    Ok(())
}
