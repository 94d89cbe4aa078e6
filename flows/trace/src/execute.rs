//! Running one packet through one switch: lookups, actions, groups, the connection tracker.
//!
//! The semantics are those of Open vSwitch 3.1's `ofproto-dpif-xlate.c`, and what they leave open is a fault, never a guess.

mod act;

use weft_openflow::{Action, Instruction, PortNo, oxm};

use crate::fault::Fault;
use crate::packet::Packet;
use crate::steps::{Branch, Deed, Step};
use crate::switch::{Entry, Switch};
use crate::tracker::Tracker;

/// How many lookups a packet may take on one switch (`MAX_RESUBMITS`).
const MOST_LOOKUPS: u32 = 4096;
/// How deep lookups may be nested (`MAX_DEPTH`).
const MOST_DEPTH: u32 = 64;

/// How many ways of a `multipath` are followed.
const MOST_PATHS: u16 = 256;

/// What is done where a switch chooses by a hash: select groups, and `multipath`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The first live way stands for whichever the switch would take.
    #[default]
    First,
    /// Every way that the switch might take is followed.
    Every,
}

/// One packet's run through one switch.
pub(crate) struct Run<'a> {
    pub switch: &'a Switch,
    pub tracker: &'a mut Tracker,
    pub choice: Choice,
    pub lookups: u32,
    /// The path that a `multipath` takes.
    path: u16,
}

/// Whether work on a packet goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// With the next action.
    On,
    /// Not in this list of actions.
    Stop,
    /// Nowhere.
    Exit,
}

/// Runs a packet through a switch from its first table on. What remains of the packet is what its last flow made of it;
/// copies, and what the connection tracker sent on, have gone their own ways.
///
/// # Errors
/// What the interpreter does not know, and what a switch would not do.
pub fn run(
    switch: &Switch,
    tracker: &mut Tracker,
    choice: Choice,
    packet: &mut Packet,
) -> Result<Vec<Step>, Fault> {
    let mut run = Run { switch, tracker, choice, lookups: 0, path: 0 };
    let mut steps = Vec::new();
    run.tables(First { table: 0, port: packet.in_port() }, 0, packet, &mut steps)?;
    Ok(steps)
}

impl Run<'_> {
    /// Looks a packet up in a table and in those that this leads to.
    fn tables(
        &mut self,
        first: First,
        depth: u32,
        packet: &mut Packet,
        steps: &mut Vec<Step>,
    ) -> Result<Flow, Fault> {
        if depth > MOST_DEPTH {
            return Err(Fault::TooDeep(MOST_DEPTH));
        }
        let First { mut table, port } = first;
        let mut told = Some(port);
        loop {
            self.lookups += 1;
            if self.lookups > MOST_LOOKUPS {
                return Err(Fault::Endless(MOST_LOOKUPS));
            }
            // Flows further on may give the packet another port.
            let came_by = packet.in_port();
            packet.put(&oxm::in_port(told.take().unwrap_or(came_by)));
            let found = self.switch.lookup(table, packet);
            packet.put(&oxm::in_port(came_by));
            let found = found?;
            let Some(entry) = found else {
                steps.push(Step { table, flow: None, deeds: Vec::new() });
                return Ok(Flow::On);
            };
            let mut deeds = Vec::new();
            if let Some(paths) = self.paths(&entry) {
                let ended = self.fork(&entry, paths, depth, packet, &mut deeds);
                steps.push(Step { table, flow: Some(entry), deeds });
                return ended.map(|()| Flow::On);
            }
            let ended = self.instructions(&entry.instructions, table, depth, packet, &mut deeds);
            steps.push(Step { table, flow: Some(entry), deeds });
            match ended? {
                Next::Table(next) if next > table => table = next,
                Next::Table(next) => return Err(Fault::Backwards(table, next)),
                Next::End(flow) => return Ok(flow),
            }
        }
    }

    /// How many ways a flow chooses among, where all of them are to be followed.
    fn paths(&self, entry: &Entry) -> Option<u16> {
        let links = entry.actions().find_map(|action| match action {
            Action::Multipath(multipath) => Some(multipath.max_link),
            _ => None,
        })?;
        (self.choice == Choice::Every).then(|| links.saturating_add(1).min(MOST_PATHS))
    }

    /// Does what a flow says once for every way that it may choose, each with a packet of its own.
    fn fork(
        &mut self,
        entry: &Entry,
        paths: u16,
        depth: u32,
        packet: &Packet,
        deeds: &mut Vec<Deed>,
    ) -> Result<(), Fault> {
        for path in 0..paths {
            let (mut copy, mut inner) = (packet.clone(), Vec::new());
            self.path = path;
            let table = entry.flow.table;
            let next = self.instructions(&entry.instructions, table, depth + 1, &mut copy, &mut inner)?;
            self.path = 0;
            let branch = Branch::Path { path, alternatives: paths };
            deeds.push(Deed::Copy(branch, inner));
            if let Next::Table(next) = next {
                if next <= table {
                    return Err(Fault::Backwards(table, next));
                }
                let mut steps = Vec::new();
                let first = First { table: next, port: packet.in_port() };
                self.tables(first, depth + 1, &mut copy, &mut steps)?;
                deeds.push(Deed::Branch(branch, steps));
            }
        }
        Ok(())
    }

    fn instructions(
        &mut self,
        instructions: &[Instruction],
        table: u8,
        depth: u32,
        packet: &mut Packet,
        deeds: &mut Vec<Deed>,
    ) -> Result<Next, Fault> {
        let mut next = None;
        for instruction in instructions {
            match instruction {
                Instruction::ApplyActions(actions) => {
                    match self.actions(actions, Here { table, depth }, packet, deeds)? {
                        Flow::On => {}
                        // What stops a list of actions stops the way to the next table too.
                        Flow::Stop => return Ok(Next::End(Flow::On)),
                        Flow::Exit => return Ok(Next::End(Flow::Exit)),
                    }
                }
                Instruction::WriteMetadata { metadata, mask } => packet.set_metadata(*metadata, *mask),
                Instruction::GotoTable(table) => next = Some(table.0),
                // A meter lets pass what is within its rate, and one packet is.
                Instruction::Meter(_) => {}
                other => return Err(Fault::UnknownInstruction(format!("{other:?}"))),
            }
        }
        Ok(next.map_or(Next::End(Flow::On), Next::Table))
    }

    fn actions(
        &mut self,
        actions: &[Action],
        here: Here,
        packet: &mut Packet,
        deeds: &mut Vec<Deed>,
    ) -> Result<Flow, Fault> {
        for action in actions {
            match self.act(action, here, packet, deeds)? {
                Flow::On => {}
                ended => return Ok(ended),
            }
        }
        Ok(Flow::On)
    }
}

/// Where lookups begin, and as from which port: only the first lookup is told another one than the packet's own.
#[derive(Debug, Clone, Copy)]
struct First {
    table: u8,
    port: PortNo,
}

/// Where an action stands.
#[derive(Debug, Clone, Copy)]
struct Here {
    table: u8,
    depth: u32,
}

/// What comes after a flow.
enum Next {
    Table(u8),
    End(Flow),
}
