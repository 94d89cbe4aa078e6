//! Packets that a switch sends up with a flow's userdata: answered here and now, on the connection they came by.
//!
//! The engine is not asked, because the userdata says all (`weft-answers`); only what the resolver is asked is looked up in
//! the newest snapshot ([`crate::dns`]). What a switch sends is bounded three times: by a meter for each port, by how many
//! packets of one session are looked at in a second, and by the room in its line.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use weft_answers::{Question, Service, Silence, Way};
use weft_compiler::registers::Register;
use weft_compiler::{pipeline, registers, uplinks};
use weft_openflow::message::nicira::Experimenter;
use weft_openflow::message::{Message, PacketIn2, PacketInFormat, PacketOut};
use weft_openflow::{Action, FieldId, Match, PortNo, Reader, TableId, Xid, oxm};

use super::line::Line;
use crate::dns::{Back, Places, Resolver};
use crate::metrics::{Metrics, Outcome};

/// The xid of our packets, and of the request for theirs.
pub const PACKETS: Xid = Xid(6);
/// How many packets of one switch are looked at in one second; more are dropped unread and counted.
const MOST: u32 = 1000;
/// Ethernet type of a VLAN tag (IEEE 802.1Q).
const ETH_VLAN: u16 = 0x8100;
/// How many of them may be for the resolver, so that these leave room for the others.
const MOST_DNS: u32 = 600;

/// Asks for packets in the form that carries userdata.
pub fn request() -> Message {
    Message::Experimenter(Experimenter::SetPacketInFormat(PacketInFormat::Nxt2))
}

/// True for a packet in that form, by its header alone.
pub fn is_question(frame: &[u8]) -> bool {
    const EXPERIMENTER: u8 = 4;
    /// Nicira, and its number for the message.
    const PACKET_IN2: [u8; 8] = [0, 0, 0x23, 0x20, 0, 0, 0, 30];
    frame.get(1) == Some(&EXPERIMENTER) && frame.get(8..16) == Some(&PACKET_IN2)
}

/// Answers one session's packets.
#[derive(Debug)]
pub struct Desk {
    since: Instant,
    left: u32,
    left_dns: u32,
    /// Nobody who is asked for names when there is none.
    resolver: Option<Resolver>,
    places: Places,
}

impl Desk {
    /// Nothing was asked yet.
    pub fn new(now: Instant, resolver: Option<Resolver>) -> Desk {
        Desk { since: now, left: MOST, left_dns: MOST_DNS, resolver, places: Places::default() }
    }

    /// Answers a packet if it deserves one and there is room.
    pub fn serve(&mut self, frame: &Bytes, line: &Arc<Line>, now: Instant, metrics: &Metrics) {
        metrics.question(self.outcome(frame, line, now));
    }

    fn outcome(&mut self, frame: &Bytes, line: &Arc<Line>, now: Instant) -> Outcome {
        if now.duration_since(self.since) >= Duration::from_secs(1) {
            (self.since, self.left, self.left_dns) = (now, MOST, MOST_DNS);
        }
        if self.left == 0 {
            return Outcome::Dropped;
        }
        self.left -= 1;
        let Ok((_, Message::Experimenter(Experimenter::PacketIn2(packet)))) = Message::decode(frame) else {
            return Outcome::Unreadable;
        };
        match self.answered(&packet, line) {
            Ok(outcome) => outcome,
            Err(Silence::NotAsked) => Outcome::Silent,
            Err(Silence::Userdata | Silence::Packet) => Outcome::Unreadable,
        }
    }

    fn answered(&mut self, packet: &PacketIn2, line: &Arc<Line>) -> Result<Outcome, Silence> {
        let service = packet.userdata.as_ref().and_then(|data| Service::decode(data));
        let message = match service.ok_or(Silence::Userdata)? {
            Service::Dns { port } => return self.resolve(port, packet, line),
            service => answer(&service, packet)?,
        };
        let sent = line.answer(message.encode(PACKETS));
        Ok(if sent.is_ok() { Outcome::Answered } else { Outcome::Dropped })
    }

    /// What a port asks its resolver.
    fn resolve(&mut self, port: u32, packet: &PacketIn2, line: &Arc<Line>) -> Result<Outcome, Silence> {
        let (Some(resolver), true) = (&self.resolver, self.left_dns > 0) else {
            return Ok(Outcome::Dropped);
        };
        self.left_dns -= 1;
        let back = Back::new(line, in_port(&packet.metadata)?, port);
        Ok(resolver.serve(port, &packet.packet, back, &self.places))
    }
}

/// Back out by the port that it came in by, past the pipeline: to a physical network, under its tag. Or out where the answer
/// says. What left a router of this host for the outside has forgotten by which port it came: the answer goes to that router
/// as if it came from the external network.
fn answer(service: &Service, packet: &PacketIn2) -> Result<Message, Silence> {
    // In the form in which every register stands by itself.
    let metadata = packet.metadata.canonical_bytes();
    let metadata = Match::decode_fields(&mut Reader::new(&metadata)).map_err(|_| Silence::Packet)?;
    let value = |field: FieldId| metadata.get(field).and_then(|field| field.value());
    let number = |field: FieldId| value(field).and_then(|value| u32::try_from(value).ok());
    let in_port = in_port(&metadata)?;
    let next_hop = [8, 9, 10, 11].map(|register| number(FieldId::reg(register)).unwrap_or(0));
    let reply = weft_answers::reply(service, &Question { packet: &packet.packet, next_hop })?;
    let (from, actions) = match reply.way {
        Way::Out(port) => (PortNo::CONTROLLER, vec![Action::output(PortNo(u32::from(port)))]),
        Way::Back if in_port == PortNo(0) => {
            let register = |register: Register| number(register.field()).unwrap_or(0);
            let network = Some(register(registers::HOME)).filter(|home| *home != 0);
            let network = registers::NETWORK.is(network.unwrap_or(register(registers::NETWORK)));
            let within = Action::resubmit_table(TableId(pipeline::L2_LOCAL.number));
            (PortNo::CONTROLLER, vec![Action::SetField(network), within])
        }
        Way::Back => {
            let kept = value(oxm::metadata(0).id()).and_then(|kept| u64::try_from(kept).ok()).unwrap_or(0);
            let tag = u16::try_from(registers::SENDER_TAG.of(kept)).ok().filter(|tag| *tag != 0);
            let tag = tag.filter(|_| uplinks::uplink_at(in_port.0).is_some());
            let tagged = tag.map(|tag| [Action::PushVlan(ETH_VLAN), Action::SetField(oxm::vlan_vid(tag))]);
            let source = number(registers::SOURCE.field()).unwrap_or(0);
            (in_port, tagged.into_iter().flatten().chain(back(source)).collect())
        }
    };
    Ok(Message::PacketOut(PacketOut::new(from, actions, reply.frame.into())))
}

/// Back to the port with this key: table deliver knows whether it is behind a tag. To whom no port's key says, by where the
/// packet came in.
pub fn back(source: u32) -> Vec<Action> {
    if source == 0 {
        return vec![Action::output(PortNo::IN_PORT)];
    }
    let deliver = TableId(pipeline::DELIVER.number);
    vec![Action::SetField(registers::SOURCE.is(source)), Action::resubmit_table(deliver)]
}

fn in_port(metadata: &Match) -> Result<PortNo, Silence> {
    let in_port = metadata.get(oxm::in_port(PortNo(0)).id()).and_then(|field| field.value());
    in_port.and_then(|port| u32::try_from(port).ok()).map(PortNo).ok_or(Silence::Packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_openflow::OxmField;

    #[test]
    fn a_packet_is_told_by_its_header() {
        let packet = Experimenter::PacketIn2(PacketIn2::default());
        assert!(is_question(&Message::Experimenter(packet).encode(Xid(0))));
        assert!(!is_question(&request().encode(PACKETS)));
        assert!(!is_question(&Message::BarrierRequest.encode(Xid(0))));
        assert!(!is_question(&[]));
    }

    #[test]
    fn the_answer_goes_back_where_the_packet_came_from() {
        use weft_answers::{IcmpError, Service, Trouble};
        let router = "10.0.0.1".parse().expect("an address");
        let service = Service::IcmpError(IcmpError { router, trouble: Trouble::TimeExceeded });
        // Ethernet, IPv4 without options and four bytes of something.
        let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7, 8, 0];
        packet.extend([0x45, 0, 0, 24, 0, 0, 0, 0, 1, 253, 0, 0, 10, 0, 0, 7, 10, 0, 1, 7, 1, 2, 3, 4]);
        let asked = PacketIn2 {
            packet: packet.into(),
            metadata: Match::new().with(oxm::in_port(PortNo(42))),
            ..PacketIn2::default()
        };
        let Ok(Message::PacketOut(out)) = answer(&service, &asked) else { panic!("no answer") };
        assert_eq!(out.metadata, Match::new().with(oxm::in_port(PortNo(42))));
        assert_eq!(out.actions, [Action::output(PortNo::IN_PORT)]);
        assert_eq!(out.packet[..6], [2, 0, 0, 0, 0, 7]);
        // A port is told by way of its key, which may be behind a tag.
        let known = Match::new().with(oxm::in_port(PortNo(42))).with(registers::SOURCE.is(7));
        let Ok(Message::PacketOut(out)) = answer(&service, &PacketIn2 { metadata: known, ..asked.clone() })
        else {
            panic!("no answer")
        };
        assert_eq!(out.actions, back(7));
        assert_eq!(out.actions.len(), 2);
        // A machine on a physical network is told under its VLAN.
        let outside = oxm::in_port(PortNo(u32::from(uplinks::UPLINK_BASE) + 1));
        let kept = Match::new().with(outside).with(oxm::metadata(100 << 48 | 7));
        let Ok(Message::PacketOut(out)) = answer(&service, &PacketIn2 { metadata: kept, ..asked.clone() })
        else {
            panic!("no answer")
        };
        assert_eq!(out.actions.len(), 3);
        assert_eq!(out.actions[1], Action::SetField(oxm::vlan_vid(100)));
        // Who sent what a router of this host has sent outside is reached by way of the external network.
        let left = Match::new().with(oxm::in_port(PortNo(0))).with(oxm::reg(0, 9));
        let Ok(Message::PacketOut(out)) = answer(&service, &PacketIn2 { metadata: left, ..asked.clone() })
        else {
            panic!("no answer")
        };
        assert_eq!(out.metadata, Match::new().with(oxm::in_port(PortNo::CONTROLLER)));
        let within = Action::resubmit_table(TableId(60));
        assert_eq!(out.actions, [Action::SetField(oxm::reg(0, 9)), within]);
        assert!(answer(&service, &PacketIn2 { metadata: Match::new(), ..asked }).is_err());
    }

    #[test]
    fn a_neighbour_is_asked_for_by_its_uplink_with_the_next_hop_from_the_registers() {
        use weft_answers::{Mac, Neighbour, Service};
        let asker = "10.0.0.1".parse().expect("an address");
        let question = Neighbour { asker_mac: Mac([2; 6]), asker, uplink: 65_101, vlan: None };
        // As Open vSwitch shows them: in pairs.
        let pair = OxmField::masked(FieldId::xreg(4), 8, 0x0a00_0009_u128 << 32, 0xffff_ffff_u128 << 32);
        let asked = PacketIn2 {
            packet: vec![0; 60].into(),
            metadata: Match::new().with(oxm::in_port(PortNo(42))).with(pair),
            ..PacketIn2::default()
        };
        let asked = answer(&Service::Neighbour(question), &asked);
        let Ok(Message::PacketOut(out)) = asked else { panic!("no question") };
        assert_eq!(out.metadata, Match::new().with(oxm::in_port(PortNo::CONTROLLER)));
        assert_eq!(out.actions, [Action::output(PortNo(65_101))]);
        assert_eq!(out.packet[38..], [10, 0, 0, 9]);
    }
}
