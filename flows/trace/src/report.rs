//! An answer in words: which table, which object of whom, what was done; the same for everybody, for the shell to show each
//! caller what is theirs.

use std::net::IpAddr;
use std::sync::Arc;

use weft_answers::Trouble;
use weft_compiler::pipeline::{self, DROP, ROUTE};
use weft_compiler::{Owner, Reason};
use weft_model::{HostIndex, Snapshot};
use weft_openflow::oxm::ct_state_bit;
use weft_openflow::{Action, FieldId, Instruction};

use crate::objects::{Object, object_behind, port};
use crate::question::{Answer, Unsent};
use crate::steps::{Branch, Deed, End, Step};
use crate::switch::Entry;
use crate::world::{Fate, Hop, Outcome, Trace};

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In one word.
    pub verdict: Verdict,
    /// Why nothing was sent, if so.
    pub unsent: Option<Unsent>,
    /// Whose MAC was asked for.
    pub next_hop: Option<IpAddr>,
    /// The packet that was sent, in the words of `ofproto/trace`.
    pub sent: Option<String>,
    /// Every lookup, in order.
    pub lines: Vec<Line>,
    /// What became of the packet and of its copies.
    pub endings: Vec<Ending>,
    /// The way back.
    pub back: Option<Box<Report>>,
}

/// What became of a packet in one word: the best of what became of its copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A port got it.
    Delivered,
    /// It left to a physical network.
    Left,
    /// The network itself answered it.
    Answered,
    /// It was handed to the controller, which answers.
    Told,
    /// It went nowhere, for a reason.
    Dropped,
    /// It was never sent.
    Unsent,
}

/// One lookup in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How deep it is nested: lookups of copies stand below what made them.
    pub depth: u16,
    /// The host's place on the way, from 0.
    pub hop: u16,
    /// The host.
    pub host: HostIndex,
    /// The table.
    pub table: u8,
    /// The table's name.
    pub name: &'static str,
    /// What the flow exists for; none where nothing matched.
    pub object: Option<Object>,
    /// The flow as one line, for those who may see it.
    pub flow: Option<String>,
    /// What was done, in short.
    pub does: String,
}

/// One end of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What it is.
    pub verdict: Verdict,
    /// In more words.
    pub text: String,
    /// On which host.
    pub host: HostIndex,
    /// The port that got the packet.
    pub port: Option<Object>,
    /// Why it was dropped.
    pub reason: Option<Reason>,
    /// What the flow that decided exists for.
    pub object: Option<Object>,
    /// The packet as it ended.
    pub packet: Option<String>,
}

/// Tells an answer in words.
pub fn report(answer: &Answer, snapshot: &Snapshot) -> Report {
    let mut teller = Teller { snapshot, lines: Vec::new(), hops: 0 };
    if let Some(trace) = &answer.trace {
        teller.hop(&trace.hop);
    }
    let lines = teller.lines;
    let endings: Vec<Ending> = answer.trace.iter().flat_map(|trace| endings(trace, snapshot)).collect();
    let verdict = match answer.unsent {
        Some(_) => Verdict::Unsent,
        None => endings.iter().map(|ending| ending.verdict).min().unwrap_or(Verdict::Dropped),
    };
    Report {
        verdict,
        unsent: answer.unsent,
        next_hop: answer.next_hop,
        sent: answer.sent.as_ref().map(ToString::to_string),
        lines,
        endings,
        back: answer.back.as_ref().map(|back| Box::new(report(back, snapshot))),
    }
}

/// Writes the lines of a way.
struct Teller<'s> {
    snapshot: &'s Snapshot,
    lines: Vec<Line>,
    hops: u16,
}

/// Where a line stands.
#[derive(Clone, Copy)]
struct Spot {
    depth: u16,
    hop: u16,
    host: HostIndex,
}

impl Teller<'_> {
    fn hop(&mut self, hop: &Hop) {
        let spot = Spot { depth: 0, hop: self.hops, host: hop.host };
        self.hops = self.hops.saturating_add(1);
        self.steps(&hop.steps, spot);
        hop.onward.iter().for_each(|hop| self.hop(hop));
    }

    fn steps(&mut self, steps: &[Step], spot: Spot) {
        for step in steps {
            let entry = step.flow.as_ref();
            self.lines.push(Line {
                depth: spot.depth,
                hop: spot.hop,
                host: spot.host,
                table: step.table,
                name: pipeline::table(step.table).map_or("", |table| table.name),
                object: entry.and_then(|entry| self.object(entry)),
                flow: entry.map(|entry| entry.text()),
                does: does(step),
            });
            self.deeds(&step.deeds, Spot { depth: spot.depth.saturating_add(1), ..spot });
        }
    }

    fn deeds(&mut self, deeds: &[Deed], spot: Spot) {
        for deed in deeds {
            match deed {
                Deed::Branch(_, steps) => self.steps(steps, spot),
                Deed::Copy(_, deeds) => self.deeds(deeds, spot),
                _ => {}
            }
        }
    }

    fn object(&self, entry: &Entry) -> Option<Object> {
        object_behind(entry, self.snapshot)
    }
}

/// What a step did, in short: what it changed in the packet, and where that went.
fn does(step: &Step) -> String {
    let Some(entry) = &step.flow else { return "nothing matched: dropped".to_owned() };
    if step.table == DROP.number {
        return crate::world::reason(entry)
            .map_or_else(|| "dropped".to_owned(), |reason| format!("dropped: {}", reason.meaning()));
    }
    let mut words = Vec::new();
    if step.table == ROUTE.number {
        words.extend(destination(entry).map(|prefix| format!("route to {prefix}")));
    }
    for instruction in &entry.instructions {
        match instruction {
            Instruction::ApplyActions(actions) => words.extend(actions.iter().filter_map(change)),
            Instruction::GotoTable(table) => {
                words.extend(pipeline::table(table.0).map(|table| format!("on to {}", table.name)));
            }
            _ => {}
        }
    }
    let mut copies = 0;
    for deed in &step.deeds {
        match deed {
            Deed::Branch(Branch::Tracked { state, .. }, _) => {
                words.push(format!("tracked: {}", state_words(*state)))
            }
            Deed::Branch(Branch::Resubmit(table), _) => {
                words.extend(pipeline::table(*table).map(|table| format!("looked up in {}", table.name)));
            }
            Deed::Branch(Branch::Path { .. }, _) | Deed::Copy(Branch::Path { .. }, _) => {}
            Deed::Branch(..) | Deed::Copy(..) => copies += 1,
            Deed::Output(sent) if sent.back => words.push("sent back".to_owned()),
            Deed::Output(_) => words.push("sent out".to_owned()),
            Deed::Controller(_) => words.push("handed to the controller".to_owned()),
            Deed::End(End::Ttl) => words.push("its time to live has run out".to_owned()),
            Deed::End(End::SamePort(_)) => words.push("not back to its sender".to_owned()),
            Deed::End(End::NoLiveBucket(_)) => words.push("no way is alive".to_owned()),
        }
    }
    if copies > 0 {
        words.push(format!("{copies} {}", if copies == 1 { "copy" } else { "copies" }));
    }
    if words.is_empty() { "noted".to_owned() } else { words.join(", ") }
}

/// The prefix that a route is for.
fn destination(entry: &Entry) -> Option<String> {
    let field = entry
        .matching
        .fields()
        .iter()
        .find(|field| matches!((field.id().class, field.id().number), (FieldId::CLASS_BASIC, 12 | 27)))?;
    let value = field.value()?;
    let (address, bits) = match field.id().number {
        12 => (IpAddr::V4(u32::try_from(value).ok()?.into()), 32),
        _ => (IpAddr::V6(value.into()), 128),
    };
    let length = field.mask().map_or(bits, u128::count_ones);
    Some(format!("{address}/{length}"))
}

/// A change to the packet itself; registers are the pipeline's own business.
fn change(action: &Action) -> Option<String> {
    match action {
        Action::SetField(field) => name_of(field.id()).map(|name| format!("new {name}")),
        Action::CopyField(copy) => name_of(copy.dst.id).map(|name| format!("new {name}")),
        Action::Multipath(choose) => {
            Some(format!("one of {} ways, by connection", u32::from(choose.max_link) + 1))
        }
        Action::DecNwTtl => Some("one hop less to live".to_owned()),
        Action::PushVlan(_) => Some("VLAN tag put on".to_owned()),
        Action::PopVlan => Some("VLAN tag taken off".to_owned()),
        _ => None,
    }
}

fn name_of(id: FieldId) -> Option<&'static str> {
    Some(match (id.class, id.number) {
        (FieldId::CLASS_BASIC, 3) => "destination MAC",
        (FieldId::CLASS_BASIC, 4) => "source MAC",
        (FieldId::CLASS_BASIC, 11 | 26) => "source address",
        (FieldId::CLASS_BASIC, 12 | 27) => "destination address",
        _ => return None,
    })
}

/// What the connection tracker said.
fn state_words(state: u32) -> String {
    use ct_state_bit::{EST, INV, NEW, REL, RPL};
    let words = [(NEW, "new"), (EST, "established"), (REL, "related"), (RPL, "reply"), (INV, "invalid")];
    let words: Vec<&str> = words.iter().filter(|(bit, _)| state & bit != 0).map(|(_, word)| *word).collect();
    words.join(" ")
}

/// What the controller does with a packet that comes with this userdata.
fn service(userdata: &[u8]) -> (Verdict, String) {
    let answers = |what: &str| (Verdict::Told, format!("handed to the controller, which answers by {what}"));
    match weft_answers::Service::decode(userdata) {
        Some(weft_answers::Service::Neighbour(_)) => {
            // The packet itself goes on, or is dropped, by other means.
            (Verdict::Told, "the next hop is asked for on the physical network".to_owned())
        }
        Some(weft_answers::Service::Dhcp4(_)) => answers("DHCP"),
        Some(weft_answers::Service::Dhcp6(_)) => answers("DHCPv6"),
        Some(weft_answers::Service::Advertisement(_)) => answers("a router advertisement"),
        Some(weft_answers::Service::Dns { .. }) => answers("DNS"),
        Some(weft_answers::Service::IcmpError(error)) => {
            let trouble = match error.trouble {
                Trouble::TimeExceeded => "time exceeded".to_owned(),
                Trouble::NetUnreachable => "network unreachable".to_owned(),
                Trouble::HostUnreachable => "host unreachable".to_owned(),
                Trouble::ProtocolUnreachable => "protocol unreachable".to_owned(),
                Trouble::PortUnreachable => "port unreachable".to_owned(),
                Trouble::Prohibited => "prohibited".to_owned(),
                Trouble::TooBig(mtu) => format!("too big, at most {mtu} bytes"),
            };
            // The packet itself goes no further; its sender learns why.
            (Verdict::Dropped, format!("is answered with an ICMP error: {trouble}"))
        }
        None => (Verdict::Told, "handed to the controller".to_owned()),
    }
}

fn endings(trace: &Trace, snapshot: &Snapshot) -> Vec<Ending> {
    trace.outcomes.iter().filter_map(|outcome| ending(outcome, snapshot)).collect()
}

/// What is worth telling of an outcome: not that a copy did not go back, nor that a host has no tunnel to itself.
fn ending(outcome: &Outcome, snapshot: &Snapshot) -> Option<Ending> {
    let of_host = |entry: &&Arc<Entry>| matches!(entry.owner, Some(Owner::HostBase(_)));
    // Where a flow decided that every host has, what counts is what was asked there.
    let decisive = outcome
        .by
        .as_ref()
        .filter(|entry| !of_host(entry))
        .or(outcome.about.as_ref())
        .or(outcome.by.as_ref());
    let mut end = Ending {
        verdict: Verdict::Dropped,
        text: String::new(),
        host: outcome.host,
        port: None,
        reason: None,
        object: decisive.and_then(|entry| object_behind(entry, snapshot)),
        packet: None,
    };
    match &outcome.fate {
        Fate::Delivered(id, packet) => {
            end.verdict = Verdict::Delivered;
            (end.text, end.port) = ("delivered".to_owned(), port(*id, snapshot));
            end.packet = Some(packet.arrived().to_string());
        }
        Fate::Answered(id, packet) => {
            end.verdict = Verdict::Answered;
            (end.text, end.port) = ("answered by the network itself".to_owned(), port(*id, snapshot));
            end.packet = Some(packet.arrived().to_string());
        }
        Fate::Told(told) => {
            (end.verdict, end.text) = service(&told.userdata);
            end.packet = Some(told.packet.arrived().to_string());
        }
        Fate::Dropped(reason) => {
            end.reason = *reason;
            end.text = reason.map_or("dropped", |reason| reason.meaning()).to_owned();
        }
        Fate::Left(key, packet) => {
            let name = snapshot.physnet(*key).map_or("", |physnet| physnet.name.as_str());
            end.verdict = Verdict::Left;
            end.text = format!("left to the physical network {name}");
            end.packet = Some(packet.arrived().to_string());
        }
        Fate::Astray(..) => end.text = "left by an interface that no port in force is behind".to_owned(),
        Fate::NoWay(_) => end.text = "all ways are down".to_owned(),
        Fate::Unfollowed(_) => end.text = "not followed any further".to_owned(),
        Fate::Reflected | Fate::Nowhere(_) => return None,
    }
    Some(end)
}
