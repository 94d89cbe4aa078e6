//! Answers in a form in which those of the real switch and of the simulated one must be equal.

use bytes::Bytes;
use weft_openflow::message::multipart::MultipartKind;
use weft_openflow::message::multipart::{FlowUpdate, MultipartReply, Reply};
use weft_openflow::message::{Message, PortDesc, PortState};
use weft_openflow::{Instruction, PortNo, Writer, canonical_instructions};

/// Normal forms of answers, in order; entries of tables within an answer are sorted, since their order means nothing,
/// and the parts of one answer are one.
pub fn normal(frames: &[Vec<u8>]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut entries: Vec<String> = Vec::new();
    for frame in frames {
        let (header, message) = Message::decode(&Bytes::from(frame.clone())).unwrap();
        match message {
            Message::MultipartReply(part) => {
                entries.extend(part_of(&part));
                if !part.has_more() {
                    entries.sort();
                    out.push(format!("{} {:?} {}", header.xid.0, part.kind, entries.join("; ")));
                    entries.clear();
                }
            }
            other => out.push(format!("{} {}", header.xid.0, plain(other))),
        }
    }
    assert!(entries.is_empty(), "an answer without an end");
    out
}

fn plain(message: Message) -> String {
    match message {
        // Another bridge has another number.
        Message::FeaturesReply(mut features) => {
            features.datapath_id.0 = 0;
            format!("{features:?}")
        }
        Message::PortStatus(status) => format!("port status {:?} {:?}", status.reason, status.port.port),
        other => format!("{other:?}"),
    }
}

fn instructions(list: &[Instruction]) -> String {
    let mut w = Writer::new();
    Instruction::encode_list(&canonical_instructions(list), &mut w);
    format!("{:02x?}", w.as_slice())
}

fn part_of(part: &MultipartReply) -> Vec<String> {
    // Names, versions, counters and limits of one machine are not those of another.
    let shallow = matches!(
        part.kind,
        MultipartKind::Desc
            | MultipartKind::TableFeatures
            | MultipartKind::TableDesc
            | MultipartKind::QueueStats
    );
    if shallow {
        return Vec::new();
    }
    match part.decode().unwrap_or_else(|error| panic!("{error}: {part:?}")) {
        Reply::FlowDesc(flows) => flows
            .iter()
            .map(|flow| {
                format!(
                    "{:?} {} {:?} {:02x?} {} {} {} {:?} {} counted {:?}/{:?}",
                    flow.table,
                    flow.priority,
                    flow.cookie,
                    flow.matching.canonical_bytes(),
                    flow.idle_timeout,
                    flow.hard_timeout,
                    flow.importance,
                    flow.flags,
                    instructions(&flow.instructions),
                    flow.stats.packets,
                    flow.stats.bytes,
                )
            })
            .collect(),
        // A bridge's own port is up on a dummy datapath and down on a real one until somebody sets it up.
        Reply::PortDesc(ports) => {
            let state =
                |port: &PortDesc| if port.port == PortNo::LOCAL { PortState::LIVE } else { port.state };
            ports.iter().map(|port| format!("{:?} {} {:?}", port.port, port.name, state(port))).collect()
        }
        Reply::PortStats(ports) => ports.iter().map(|port| format!("{:?}", port.port)).collect(),
        Reply::TableStats(tables) => {
            tables.iter().map(|table| format!("{:?} {}", table.table, table.active)).collect()
        }
        Reply::GroupDesc(groups) => groups.iter().map(|group| format!("{group:?}")).collect(),
        Reply::GroupStats(groups) => {
            let shown = groups.iter().map(|g| format!("{:?} {} {}", g.group, g.references, g.buckets.len()));
            shown.collect()
        }
        Reply::MeterStats(meters) => {
            meters.iter().map(|m| format!("{:?} {}", m.meter, m.bands.len())).collect()
        }
        Reply::FlowMonitor(updates) => updates.iter().map(update).collect(),
        other => vec![format!("{other:?}")],
    }
}

fn update(update: &FlowUpdate) -> String {
    match update {
        FlowUpdate::Flow(event, flow) => format!(
            "{event:?} {:?} {:?} {} {:?} {:02x?} {}",
            flow.table,
            flow.reason,
            flow.priority,
            flow.cookie,
            flow.matching.canonical_bytes(),
            instructions(&flow.instructions),
        ),
        other => format!("{other:?}"),
    }
}
