//! Multipart answers: what a switch tells about itself and its tables, in parts below 64 kB (section 7.3.5).

use super::MULTIPART_REPLY;
use super::actions::{TABLES, write_in_order};
use super::depot::{Depot, FlowId};
use super::error::Code;
use super::groups::{ALL_GROUPS, Group};
use super::oxm;
use super::ports::Ports;
use super::tables::{Filter, Tables};
use super::wire::{pad8, patch_length, u16_at, u32_at, u64_at};

/// `OFPMP_FLOW_MONITOR`
pub const MULTIPART_FLOW_MONITOR: u16 = 16;

/// The parts of an answer under way. The last one is complete at every moment, with no more to follow.
#[derive(Debug)]
pub struct Parts {
    kind: u16,
    xid: u32,
    mark: usize,
}

const PART_MAX: usize = u16::MAX as usize;

impl Parts {
    /// Starts the first part.
    pub fn start(out: &mut Vec<u8>, kind: u16, xid: u32) -> Parts {
        let mark = out.len();
        out.extend_from_slice(&[6, MULTIPART_REPLY, 0, 16]);
        out.extend_from_slice(&xid.to_be_bytes());
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0; 6]);
        Parts { kind, xid, mark }
    }

    /// Appends an entry; starts another part first when it does not fit.
    pub fn entry(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        write(out);
        if out.len() - self.mark > PART_MAX {
            let entry = out.split_off(start);
            out[self.mark + 11] |= 1;
            *self = Parts::start(out, self.kind, self.xid);
            out.extend_from_slice(&entry);
        }
        patch_length(out, self.mark + 2, self.mark);
    }
}

/// Writes a match with its header and padding.
pub fn write_match(fields: &[u8], out: &mut Vec<u8>) {
    let mark = out.len();
    out.extend_from_slice(&[0, 1, 0, 0]);
    out.extend_from_slice(fields);
    patch_length(out, mark + 2, mark);
    pad8(out, mark);
}

/// What a switch looks at to answer.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What flows are made of.
    pub depot: &'a Depot,
    /// What the switch holds.
    pub tables: &'a Tables,
    /// Its ports.
    pub ports: &'a Ports,
}

/// Answers a multipart request (all but those for monitors).
///
/// # Errors
/// What Open vSwitch answers.
pub fn answer(view: View<'_>, request: &[u8], out: &mut Vec<u8>) -> Result<(), Code> {
    let xid = u32_at(request, 4);
    if request.len() < 16 {
        return Err(Code::BAD_LENGTH);
    }
    let (kind, body) = (u16_at(request, 8), &request[16..]);
    let needs = match kind {
        1 | 2 => 32 + 8,
        4..=7 | 9 | 10 | 13 | 15 => 8,
        _ => 0,
    };
    if body.len() < needs {
        return Err(Code::BAD_LENGTH);
    }
    match kind {
        0 => describe(out, xid),
        1 => flows(view, body, xid, out)?,
        2 => aggregate(view, body, xid, out)?,
        3 => each_table(out, (kind, xid), |table, out| {
            let active = view.tables.sums().iter().find(|sum| sum.table == table).map_or(0, |sum| sum.flows);
            out.extend_from_slice(&[table, 0, 0, 0]);
            out.extend_from_slice(&active.to_be_bytes());
            out.extend_from_slice(&[0; 16]);
        }),
        4 => {
            let mut parts = Parts::start(out, kind, xid);
            for port in view.ports.asked(u32_at(body, 0)) {
                parts.entry(out, |out| view.ports.write_statistics(port, out));
            }
        }
        // No port has queues.
        5 => drop(Parts::start(out, kind, xid)),
        6 | 7 => groups(view, (kind, xid), u32_at(body, 0), out),
        8 => group_features(out, xid),
        9 | 10 => meters(view, (kind, xid), u32_at(body, 0), out)?,
        11 => meter_features(out, xid),
        12 => each_table(out, (kind, xid), table_features),
        13 => {
            let mut parts = Parts::start(out, kind, xid);
            for port in view.ports.asked(u32_at(body, 0)) {
                parts.entry(out, |out| view.ports.write_description(port, out));
            }
        }
        14 => each_table(out, (kind, xid), |table, out| {
            out.extend_from_slice(&[0, 8, table, 0, 0, 0, 0, 0]);
        }),
        15 if view.ports.asked(u32_at(body, 0)).is_empty() => return Err(Code::QUEUE_PORT),
        15 => drop(Parts::start(out, kind, xid)),
        0xffff => return Err(Code::BAD_VENDOR),
        _ => return Err(Code::BAD_STAT),
    }
    Ok(())
}

fn describe(out: &mut Vec<u8>, xid: u32) {
    let mut parts = Parts::start(out, 0, xid);
    parts.entry(out, |out| {
        for (text, size) in
            [("Nicira, Inc.", 256), ("Open vSwitch", 256), ("3.1.0", 256), ("None", 32), ("None", 256)]
        {
            out.extend_from_slice(text.as_bytes());
            out.resize(out.len() + size - text.len(), 0);
        }
    });
}

fn each_table(out: &mut Vec<u8>, (kind, xid): (u16, u32), write: impl Fn(u8, &mut Vec<u8>)) {
    let mut parts = Parts::start(out, kind, xid);
    for table in 0..TABLES {
        parts.entry(out, |out| write(table, out));
    }
}

/// `ofp_table_features` without properties.
fn table_features(table: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 64, table, 0, 0, 0, 0, 0]);
    let mut name = [0; 32];
    let text = format!("table{table}");
    name[..text.len()].copy_from_slice(text.as_bytes());
    out.extend_from_slice(&name);
    out.extend_from_slice(&[0xff; 16]);
    out.extend_from_slice(&0u32.to_be_bytes());
    out.extend_from_slice(&1_000_000u32.to_be_bytes());
}

/// `ofp_flow_stats_request` and `ofp_aggregate_stats_request`.
fn filter(body: &[u8]) -> Result<Filter, Code> {
    let (fields, _) = oxm::split(&body[32..])?;
    Ok(Filter {
        table: body[0],
        out_port: u32_at(body, 4),
        out_group: u32_at(body, 8),
        cookie: u64_at(body, 16),
        mask: u64_at(body, 24),
        terms: oxm::parse(fields)?,
    })
}

fn flows(view: View<'_>, body: &[u8], xid: u32, out: &mut Vec<u8>) -> Result<(), Code> {
    let filter = filter(body)?;
    let mut parts = Parts::start(out, 1, xid);
    for (_, flow) in view.tables.matching(view.depot, &filter) {
        parts.entry(out, |out| describe_flow(view.depot, flow, out));
    }
    Ok(())
}

/// Writes `ofp_flow_desc` with counters at zero.
pub fn describe_flow(depot: &Depot, flow: FlowId, out: &mut Vec<u8>) {
    let flow = depot.bytes(flow);
    let mark = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, flow.table(), 0]);
    out.extend_from_slice(&flow.priority().to_be_bytes());
    out.extend_from_slice(&flow.body[18..22]);
    out.extend_from_slice(&flow.kept_flags().to_be_bytes());
    out.extend_from_slice(&flow.importance().to_be_bytes());
    out.extend_from_slice(&flow.cookie().to_be_bytes());
    let (fields, instructions) = flow.parts().unwrap_or_default();
    write_match(fields, out);
    // Duration, idle time, packets, bytes.
    write_counters(&[(0, 8), (1, 8), (4, 8), (5, 8)], 0, out);
    write_in_order(instructions, out);
    patch_length(out, mark, mark);
}

/// Writes `ofp_stats`: each field by number and size; the one of four bytes counts flows.
fn write_counters(fields: &[(u8, u8)], flows: u32, out: &mut Vec<u8>) {
    let mark = out.len();
    out.extend_from_slice(&[0; 4]);
    for (number, size) in fields {
        out.extend_from_slice(&[0x80, 0x02, number << 1, *size]);
        if *size == 4 {
            out.extend_from_slice(&flows.to_be_bytes());
        } else {
            out.extend_from_slice(&[0; 8]);
        }
    }
    patch_length(out, mark + 2, mark);
    pad8(out, mark);
}

fn aggregate(view: View<'_>, body: &[u8], xid: u32, out: &mut Vec<u8>) -> Result<(), Code> {
    let count = view.tables.matching(view.depot, &filter(body)?).len();
    let mut parts = Parts::start(out, 2, xid);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    parts.entry(out, |out| write_counters(&[(3, 4), (4, 8), (5, 8)], count, out));
    Ok(())
}

fn groups(view: View<'_>, (kind, xid): (u16, u32), which: u32, out: &mut Vec<u8>) {
    let mut parts = Parts::start(out, kind, xid);
    let asked = view.tables.groups().iter().filter(|(id, _)| which == ALL_GROUPS || **id == which);
    for (id, group) in asked {
        parts.entry(out, |out| match kind {
            7 => describe_group(*id, group, out),
            _ => {
                let users = view.tables.flows().filter(|flow| view.depot.named(*flow).0.contains(id)).count();
                group_statistics(*id, group, u32::try_from(users).unwrap_or(u32::MAX), out);
            }
        });
    }
}

/// Writes `ofp_group_desc`.
pub fn describe_group(id: u32, group: &Group, out: &mut Vec<u8>) {
    let mark = out.len();
    out.extend_from_slice(&[0, 0, group.kind, 0]);
    out.extend_from_slice(&id.to_be_bytes());
    let length = u16::try_from(group.buckets.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&group.buckets);
    out.extend_from_slice(&group.properties);
    patch_length(out, mark, mark);
}

fn group_statistics(id: u32, group: &Group, users: u32, out: &mut Vec<u8>) {
    let mark = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&users.to_be_bytes());
    out.resize(out.len() + 28 + group.bucket_count() * 16, 0);
    patch_length(out, mark, mark);
}

fn group_features(out: &mut Vec<u8>, xid: u32) {
    let mut parts = Parts::start(out, 8, xid);
    parts.entry(out, |out| {
        out.extend_from_slice(&0xfu32.to_be_bytes());
        out.extend_from_slice(&7u32.to_be_bytes());
        for _ in 0..4 {
            out.extend_from_slice(&0xffff_ff00u32.to_be_bytes());
        }
        for _ in 0..4 {
            out.extend_from_slice(&0x03ff_8001u32.to_be_bytes());
        }
    });
}

fn meter_features(out: &mut Vec<u8>, xid: u32) {
    let mut parts = Parts::start(out, 11, xid);
    parts.entry(out, |out| {
        for word in [262_144u32, 1 << 1, 0xf] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        // Eight bands, no colours.
        out.extend_from_slice(&[8, 0, 0, 0]);
    });
}

const ALL_METERS: u32 = 0xffff_ffff;

fn meters(view: View<'_>, (kind, xid): (u16, u32), which: u32, out: &mut Vec<u8>) -> Result<(), Code> {
    let all = view.tables.meters_seen();
    if which != ALL_METERS && !all.contains_key(&which) {
        return Err(Code::METER_UNKNOWN);
    }
    let mut parts = Parts::start(out, kind, xid);
    for (id, body) in all.iter().filter(|(id, _)| which == ALL_METERS || **id == which) {
        parts.entry(out, |out| {
            let mark = out.len();
            if kind == 10 {
                out.extend_from_slice(&[0, 0]);
                out.extend_from_slice(&body[2..]);
                patch_length(out, mark, mark);
            } else {
                out.extend_from_slice(&id.to_be_bytes());
                out.resize(out.len() + 36 + (body.len() - 8) / 16 * 16, 0);
                patch_length(out, mark + 4, mark);
            }
        });
    }
    Ok(())
}
