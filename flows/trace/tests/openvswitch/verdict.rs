//! What becomes of a packet, once as the interpreter and once as `ofproto/trace` says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use weft_openflow::text::parse_match;
use weft_openflow::{FieldId, Match, PortNo};
use weft_trace::{Choice, Deed, Packet, Step, Switch, Tracker, run};

use crate::daemons::Daemons;

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The ports by which it leaves.
    pub outputs: BTreeSet<u32>,
    /// Whether a controller gets it.
    pub told: bool,
    /// What states the connection tracker is asked for, in order of the zones' appearance.
    pub zones: Vec<u16>,
    /// Whether a switch chooses among ways: then it takes one of those that stand here.
    pub chooses: bool,
    /// The packet as its last flow left it, in words; empty when it was sent through the tracker.
    pub last: String,
}

impl Verdict {
    /// Whether Open vSwitch did what the interpreter says; where there is a choice, one of the things it says.
    pub fn allows(&self, theirs: &Verdict) -> bool {
        if self.chooses {
            !theirs.outputs.is_empty() && theirs.outputs.is_subset(&self.outputs)
        } else {
            self == theirs
        }
    }
}

/// A packet in words, and the states that the connection tracker is to say.
pub struct Sent<'a> {
    pub text: &'a str,
    pub states: Vec<&'a str>,
}

/// What the interpreter says, on a switch with the bridge's ports.
pub fn ours(switch: &Switch, bridge: &Bridge<'_>, sent: &Sent<'_>) -> Result<Verdict> {
    let mut verdict = judged(switch, sent)?;
    verdict.outputs.retain(|port| bridge.has(*port));
    Ok(verdict)
}

/// What the interpreter says, whatever ports there are.
pub fn judged(switch: &Switch, sent: &Sent<'_>) -> Result<Verdict> {
    let fields = parse_match(sent.text)?.canonical();
    let mut packet = Packet::of(&fields).context("a field that is not known")?;
    let states = sent.states.iter().map(|text| state(text)).collect::<Result<Vec<u32>>>()?;
    let mut tracker = Tracker::assuming(states);
    let steps = run(switch, &mut tracker, Choice::Every, &mut packet)?;
    let mut verdict = Verdict {
        outputs: BTreeSet::new(),
        told: false,
        zones: Vec::new(),
        chooses: false,
        last: String::new(),
    };
    collect(&steps, &mut verdict);
    if verdict.zones.is_empty() {
        verdict.last = shown(&packet);
    }
    Ok(verdict)
}

fn collect(steps: &[Step], verdict: &mut Verdict) {
    // What was tracked goes on when all else is done, so zones come in the order of the queue.
    let mut later = Vec::new();
    for step in steps {
        collect_deeds(&step.deeds, verdict, &mut later);
    }
    for steps in later {
        collect(steps, verdict);
    }
}

fn collect_deeds<'a>(deeds: &'a [Deed], verdict: &mut Verdict, later: &mut Vec<&'a [Step]>) {
    for deed in deeds {
        match deed {
            Deed::Branch(weft_trace::Branch::Tracked { zone, .. }, steps) => {
                verdict.zones.push(*zone);
                later.push(steps);
            }
            Deed::Branch(branch, steps) => {
                verdict.chooses |= matches!(branch, weft_trace::Branch::Path { .. });
                steps.iter().for_each(|step| collect_deeds(&step.deeds, verdict, later));
            }
            Deed::Copy(branch, deeds) => {
                verdict.chooses |=
                    matches!(branch, weft_trace::Branch::Bucket { alternatives, .. } if *alternatives > 1);
                collect_deeds(deeds, verdict, later);
            }
            Deed::Output(sent) => drop(verdict.outputs.insert(sent.port.0)),
            Deed::Controller(_) => verdict.told = true,
            Deed::End(_) => {}
        }
    }
}

/// A bridge that traces.
pub struct Bridge<'a> {
    pub daemons: &'a Daemons,
    pub name: &'a str,
    /// From the datapath's port numbers to OpenFlow's.
    numbers: BTreeMap<u32, u32>,
}

impl<'a> Bridge<'a> {
    /// Whether it has a port of this number; output to one that it does not have does nothing.
    pub fn has(&self, port: u32) -> bool {
        self.numbers.values().any(|number| *number == port)
    }

    pub fn new(daemons: &'a Daemons, name: &'a str) -> Result<Bridge<'a>> {
        let numbers = datapath_ports(&daemons.run("ovs-appctl", &["dpif/show"])?);
        Ok(Bridge { daemons, name, numbers })
    }
}

/// What Open vSwitch says.
pub fn theirs(bridge: &Bridge<'_>, sent: &Sent<'_>) -> Result<Verdict> {
    let Bridge { daemons, name, numbers } = bridge;
    let mut args = vec!["ofproto/trace".to_owned(), (*name).to_owned(), sent.text.to_owned()];
    for states in &sent.states {
        args.extend(["--ct-next".to_owned(), (*states).to_owned()]);
    }
    let text = daemons.run("ovs-appctl", &args.iter().map(String::as_str).collect::<Vec<_>>())?;
    let passes: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("Datapath actions: ")).map(str::trim).collect();
    let all = passes.join(",");
    let outputs = words(&all).filter_map(|word| word.parse::<u32>().ok());
    let outputs = outputs.filter_map(|port| numbers.get(&port).copied()).collect();
    let zones: Vec<u16> = passes.iter().flat_map(|pass| zones(pass)).collect();
    let last = if zones.is_empty() { last(&text, sent.text)? } else { String::new() };
    Ok(Verdict { outputs, told: all.contains("controller(reason="), zones, chooses: false, last })
}

/// The final packet of a trace of one pass.
fn last(text: &str, sent: &str) -> Result<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("Final flow: "));
    let line = line.with_context(|| format!("no final flow in {text}"))?;
    let line = if line == "unchanged" { sent } else { line };
    // The second tag is no field of OpenFlow's.
    let fields: Vec<&str> = line.split(',').filter(|field| !field.starts_with("vlan_tci1=")).collect();
    let fields = fields.join(",");
    let packet = Packet::of(&parse_match(&fields).with_context(|| fields.clone())?.canonical());
    Ok(packet.with_context(|| format!("a field that is not known in {fields}"))?).map(|packet| shown(&packet))
}

/// What `ofproto/trace` shows of a packet: not the parts of neighbour discovery that few switches know.
fn shown(packet: &Packet) -> String {
    let fields = packet.fields();
    let fields = fields.fields().iter().filter(|field| field.id().class != FieldId::CLASS_ERICSSON);
    fields.cloned().collect::<Match>().to_string()
}

/// The zones of the tracker's actions that the packet comes back from.
fn zones(actions: &str) -> Vec<u16> {
    // Without a zone and anything else it has no parentheses.
    let actions = actions.replace("ct,", "ct(),");
    let parts: Vec<&str> = actions.split("ct(").skip(1).collect();
    let tracked = parts.iter().filter(|part| part.contains("recirc("));
    let zone = |part: &&&str| {
        let digits: String = part.split_once("zone=")?.1.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    tracked.map(|part| zone(&part).unwrap_or(0)).collect()
}

/// The actions of a list and of the lists in it, but not the arguments of actions: ports are lone numbers. Those of
/// `clone(...)` count, those of `tnl_push(...)` have names.
fn words(actions: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let mut opened: Vec<bool> = Vec::new();
    let mut start = 0;
    let mut found = Vec::new();
    for (at, c) in actions.char_indices() {
        match c {
            '(' => {
                let name = actions[start..at].trim();
                opened.push(matches!(name, "clone" | "gt" | "le" | "check_pkt_len"));
                depth += i32::from(!opened.last().copied().unwrap_or(false));
                start = at + 1;
            }
            ')' | ',' => {
                if depth == 0 {
                    found.push(actions[start..at].trim());
                }
                if c == ')' {
                    depth -= i32::from(!opened.pop().unwrap_or(true));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(actions[start.min(actions.len())..].trim());
    found.into_iter()
}

/// From the datapath's port numbers to OpenFlow's: `name 1/3: (dummy)`.
fn datapath_ports(show: &str) -> BTreeMap<u32, u32> {
    let numbers =
        show.lines().filter_map(|line| line.split_whitespace().nth(1)?.strip_suffix(':')?.split_once('/'));
    let local = |port: u32| if port == 65534 { PortNo::LOCAL.0 } else { port };
    numbers
        .filter_map(|(openflow, datapath)| Some((datapath.parse().ok()?, local(openflow.parse().ok()?))))
        .collect()
}

/// `trk,est,rpl` as bits.
fn state(text: &str) -> Result<u32> {
    use weft_openflow::oxm::ct_state_bit as bit;
    let mut bits = 0;
    for word in text.split(',') {
        bits |= match word {
            "new" => bit::NEW,
            "est" => bit::EST,
            "rel" => bit::REL,
            "rpl" => bit::RPL,
            "inv" => bit::INV,
            "trk" => bit::TRK,
            "snat" => bit::SNAT,
            "dnat" => bit::DNAT,
            other => anyhow::bail!("no state {other}"),
        };
    }
    Ok(bits)
}
