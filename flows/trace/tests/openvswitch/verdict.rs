//! What becomes of a packet, once as the interpreter and once as `ofproto/trace` says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
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
    /// The packet as its last flow left it, in words; where it was sent through the tracker, as it left by its only port,
    /// and empty if it did not.
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
    let (mut verdict, mut left) = followed(switch, sent)?;
    verdict.outputs.retain(|port| bridge.has(*port));
    left.retain(|(port, _)| bridge.has(*port));
    if !verdict.zones.is_empty()
        && let [(_, packet)] = &left[..]
    {
        verdict.last = shown(packet);
    }
    Ok(verdict)
}

/// What the interpreter says, whatever ports there are, and the packets that leave.
pub fn followed(switch: &Switch, sent: &Sent<'_>) -> Result<(Verdict, Left)> {
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
    let mut left = Vec::new();
    collect(&steps, &mut verdict, &mut left);
    if verdict.zones.is_empty() {
        verdict.last = shown(&packet);
    }
    Ok((verdict, left))
}

/// Packets that left, and by which ports.
type Left = Vec<(u32, Packet)>;

fn collect(steps: &[Step], verdict: &mut Verdict, left: &mut Left) {
    // What was tracked goes on when all else is done, so zones come in the order of the queue.
    let mut later = Vec::new();
    for step in steps {
        collect_deeds(&step.deeds, verdict, left, &mut later);
    }
    for steps in later {
        collect(steps, verdict, left);
    }
}

fn collect_deeds<'a>(deeds: &'a [Deed], verdict: &mut Verdict, left: &mut Left, later: &mut Vec<&'a [Step]>) {
    for deed in deeds {
        match deed {
            Deed::Branch(weft_trace::Branch::Tracked { zone, .. }, steps) => {
                verdict.zones.push(*zone);
                later.push(steps);
            }
            Deed::Branch(branch, steps) => {
                verdict.chooses |= matches!(branch, weft_trace::Branch::Path { .. });
                steps.iter().for_each(|step| collect_deeds(&step.deeds, verdict, left, later));
            }
            Deed::Copy(branch, deeds) => {
                verdict.chooses |=
                    matches!(branch, weft_trace::Branch::Bucket { alternatives, .. } if *alternatives > 1);
                collect_deeds(deeds, verdict, left, later);
            }
            Deed::Output(sent) => {
                verdict.outputs.insert(sent.port.0);
                left.push((sent.port.0, Packet::clone(&sent.packet)));
            }
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

    /// The ports that it has.
    pub fn ports(&self) -> impl Iterator<Item = u32> {
        self.numbers.values().copied()
    }

    pub fn new(daemons: &'a Daemons, name: &'a str) -> Result<Bridge<'a>> {
        let numbers = datapath_ports(&daemons.run("ovs-appctl", &["dpif/show"])?, name);
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
    let passes = passes(&text)?;
    let all: Vec<&str> = passes.iter().map(|pass| pass.actions).collect();
    let told = all.iter().any(|actions| actions.contains("controller(reason="));
    let zones: Vec<u16> = all.iter().flat_map(|actions| zones(actions)).collect();
    let mut outputs = BTreeSet::new();
    let mut left = Vec::new();
    for pass in &passes {
        let ports = words(pass.actions).filter_map(|word| word.parse::<u32>().ok());
        for port in ports.filter_map(|port| numbers.get(&port).copied()) {
            outputs.insert(port);
            left.push(pass);
        }
    }
    let last = match &left[..] {
        _ if zones.is_empty() => last(passes[0].last_or(sent.text))?,
        [pass] => last(&format!("{}{}", pass.last_or(pass.first), pass.tag()))?,
        _ => String::new(),
    };
    Ok(Verdict { outputs, told, zones, chooses: false, last })
}

/// What a trace says between two passes through the tracker: the packet at first and at last, and what the datapath is to do.
struct Pass<'a> {
    first: &'a str,
    last: &'a str,
    actions: &'a str,
}

impl Pass<'_> {
    fn last_or<'a>(&'a self, sent: &'a str) -> &'a str {
        if self.last == "unchanged" { sent } else { self.last }
    }

    /// The tag with which the packet left, where its flow took it off again for what is done to the packet after that.
    fn tag(&self) -> String {
        let pushed = self.actions.rsplit_once("push_vlan(vid=").map(|(_, rest)| rest);
        let pushed = pushed.filter(|rest| !rest.contains("pop_vlan") && !self.last.contains("dl_vlan="));
        let vid = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
        pushed.map(|rest| format!(",dl_vlan={}", vid(rest))).unwrap_or_default()
    }
}

fn passes(text: &str) -> Result<Vec<Pass<'_>>> {
    let of = |name| text.lines().filter_map(move |line| line.strip_prefix(name)).map(str::trim);
    let (first, last, actions) = (of("Flow: "), of("Final flow: "), of("Datapath actions: "));
    let passes: Vec<Pass<'_>> =
        first.zip(last).zip(actions).map(|((first, last), actions)| Pass { first, last, actions }).collect();
    ensure!(!passes.is_empty(), "no pass in {text}");
    Ok(passes)
}

/// The final packet of a pass, in the words of a trace.
fn last(line: &str) -> Result<String> {
    // Neither the second tag nor the number of the pass is a field of OpenFlow's.
    let is_field = |field: &&str| {
        !["vlan_tci1=", "recirc_id="].iter().any(|name| field.starts_with(name)) && *field != "eth"
    };
    let fields: Vec<&str> = line.split(',').filter(is_field).collect();
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

/// From the datapath's port numbers to OpenFlow's: lines like `name 1/3: (dummy)` below that of the bridge.
fn datapath_ports(show: &str, bridge: &str) -> BTreeMap<u32, u32> {
    let lines = show.lines().skip_while(|line| line.trim() != format!("{bridge}:")).skip(1);
    let numbers = lines.map_while(|line| line.split_whitespace().nth(1)?.strip_suffix(':')?.split_once('/'));
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
