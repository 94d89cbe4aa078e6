//! One action at a time.

use weft_openflow::action::{CopyField, Ct, CtZone, REASON_ACTION, Resubmit, Subfield, Tuple};
use weft_openflow::message::GroupType;
use weft_openflow::text::ActionList;
use weft_openflow::{Action, FieldId, OxmField, PortNo, oxm};

use super::{Choice, First, Flow, Here, Run};
use crate::fault::Fault;
use crate::packet::Packet;
use crate::steps::{Branch, Deed, End, REASON_INVALID_TTL, Sent, Told};
use crate::switch::{Bucket, Group};
use crate::tracker::Request;

const CT_MARK: FieldId = FieldId::nxm1(107);
const CT_LABEL: FieldId = FieldId::nxm1(108);

impl Run<'_> {
    pub(super) fn act(
        &mut self,
        action: &Action,
        here: Here,
        packet: &mut Packet,
        deeds: &mut Vec<Deed>,
    ) -> Result<Flow, Fault> {
        match action {
            Action::Output { port, .. } => return output(*port, packet, deeds),
            Action::OutputReg { src, .. } => {
                let port = packet.get_part(*src).ok_or(Fault::UnknownField(src.field.id))?;
                return output(PortNo(u32::try_from(port).unwrap_or(u32::MAX)), packet, deeds);
            }
            Action::Resubmit(resubmit) => return self.resubmit(*resubmit, here, packet, deeds),
            Action::Group(group) => self.group(group.0, here, packet, deeds)?,
            // What ends a clone ends the packet too, other than a bucket.
            Action::Clone(actions) => return self.copy(Branch::Clone, actions, here, packet, deeds),
            Action::Ct(ct) => self.track(ct, here, packet, deeds)?,
            Action::Multipath(choose) => {
                let path = u128::from(self.path.min(choose.max_link));
                packet.put_part(choose.dst, path).ok_or(Fault::UnknownField(choose.dst.field.id))?;
            }
            Action::DecNwTtl => return Ok(dec_ttl(packet, deeds)),
            Action::DecTtlCntIds(_) => return Ok(dec_ttl(packet, deeds)),
            Action::Exit => return Ok(Flow::Exit),
            Action::Controller(controller) => {
                tell(deeds, packet, controller.reason, bytes::Bytes::new(), false);
            }
            Action::Controller2(controller) => {
                let (userdata, pause) = (controller.userdata.clone(), controller.pause);
                tell(deeds, packet, controller.reason, userdata, pause);
                // What waits for a controller is not worked on until it comes back.
                return Ok(if pause { Flow::Exit } else { Flow::On });
            }
            other => change(other, packet)?,
        }
        Ok(Flow::On)
    }

    fn resubmit(
        &mut self,
        to: Resubmit,
        here: Here,
        packet: &mut Packet,
        deeds: &mut Vec<Deed>,
    ) -> Result<Flow, Fault> {
        if to.tuple != Tuple::Packet {
            return Err(unknown(&Action::Resubmit(to)));
        }
        let table = to.table.map_or(here.table, |table| table.0);
        let port = if to.port == PortNo::IN_PORT { packet.in_port() } else { to.port };
        let mut steps = Vec::new();
        let ended = self.tables(First { table, port }, here.depth + 1, packet, &mut steps);
        deeds.push(Deed::Branch(Branch::Resubmit(table), steps));
        Ok(match ended? {
            Flow::Exit => Flow::Exit,
            Flow::On | Flow::Stop => Flow::On,
        })
    }

    /// Does something to a copy.
    fn copy(
        &mut self,
        branch: Branch,
        actions: &[Action],
        here: Here,
        packet: &Packet,
        deeds: &mut Vec<Deed>,
    ) -> Result<Flow, Fault> {
        let mut copy = packet.clone();
        let mut inner = Vec::new();
        let here = Here { depth: here.depth + 1, ..here };
        if here.depth > super::MOST_DEPTH {
            return Err(Fault::TooDeep(super::MOST_DEPTH));
        }
        let ended = self.actions(actions, here, &mut copy, &mut inner)?;
        deeds.push(Deed::Copy(branch, inner));
        Ok(if ended == Flow::Exit { Flow::Exit } else { Flow::On })
    }

    fn group(&mut self, id: u32, here: Here, packet: &Packet, deeds: &mut Vec<Deed>) -> Result<(), Fault> {
        let group = self.switch.group(id).ok_or(Fault::NoGroup(id))?.clone();
        let (buckets, alternatives) = self.chosen(&group);
        if buckets.is_empty() && !group.buckets.is_empty() {
            deeds.push(Deed::End(End::NoLiveBucket(id)));
        }
        for bucket in buckets {
            let branch = Branch::Bucket { group: id, bucket: bucket.id, alternatives };
            self.copy(branch, &bucket.actions, here, packet, deeds)?;
        }
        Ok(())
    }

    /// The buckets that a packet goes to, and among how many ways the switch chooses.
    fn chosen<'g>(&self, group: &'g Group) -> (Vec<&'g Bucket>, usize) {
        let is_live = |bucket: &&Bucket| bucket.watch.is_none_or(|port| !self.switch.dead.contains(&port));
        match group.kind {
            GroupType::Select => {
                let live: Vec<_> = group.buckets.iter().filter(is_live).filter(|b| b.weight > 0).collect();
                let ways = live.len();
                let taken = if self.choice == Choice::First { ways.min(1) } else { ways };
                (live.into_iter().take(taken).collect(), ways)
            }
            GroupType::FastFailover => (group.buckets.iter().filter(is_live).take(1).collect(), 1),
            GroupType::Indirect => (group.buckets.iter().take(1).collect(), 1),
            _ => (group.buckets.iter().collect(), 1),
        }
    }

    /// Sends the packet through the connection tracker; a tracked copy goes on in another table.
    fn track(
        &mut self,
        ct: &Ct,
        here: Here,
        packet: &mut Packet,
        deeds: &mut Vec<Deed>,
    ) -> Result<(), Fault> {
        let zone = match ct.zone {
            CtZone::Value(zone) => zone,
            CtZone::Field(part) => part_of(packet, part)?,
        };
        let request = Request { zone, flags: ct.flags, nat: None, mark: (0, 0), label: (0, 0) };
        let mut tracked = packet.clone();
        let request = executed(ct, request, packet)?;
        self.tracker.track(&mut tracked, &request);
        // What `ct` finds out is seen in the table that it names and nowhere else (`flow_clear_conntrack`); what it
        // translates is translated for good.
        if let (Some((source, destination)), true) = (tracked.addresses(), request.nat.is_some()) {
            let (from, to) = tracked.ports();
            packet.set_addresses(source, destination);
            packet.set_ports(from, to);
        }
        packet.untrack();
        if let Some(table) = ct.table {
            let state = tracked.ct_state();
            let mut steps = Vec::new();
            let first = First { table: table.0, port: packet.in_port() };
            let ended = self.tables(first, here.depth + 1, &mut tracked, &mut steps);
            deeds.push(Deed::Branch(Branch::Tracked { zone, state }, steps));
            ended?;
        }
        Ok(())
    }
}

/// What the actions within `ct` ask for: translation, mark and label.
fn executed<'a>(ct: &'a Ct, request: Request<'a>, packet: &Packet) -> Result<Request<'a>, Fault> {
    let mut request = request;
    for action in &ct.actions {
        match action {
            Action::Nat(nat) => request.nat = Some(nat),
            Action::SetField(field) => {
                let bits = field.mask().unwrap_or(u128::MAX);
                set_in_connection(&mut request, field.id(), (field.value().unwrap_or(0), bits))?;
            }
            Action::CopyField(copy) => {
                let value = part_of_any(
                    packet,
                    Subfield { field: copy.src, offset: copy.src_offset, n_bits: copy.n_bits },
                )?;
                let ones = if copy.n_bits >= 128 { u128::MAX } else { (1 << copy.n_bits) - 1 };
                let (value, bits) = (value << copy.dst_offset, ones << copy.dst_offset);
                set_in_connection(&mut request, copy.dst.id, (value, bits))?;
            }
            other => return Err(unknown(other)),
        }
    }
    Ok(request)
}

fn set_in_connection(
    request: &mut Request<'_>,
    id: FieldId,
    (value, bits): (u128, u128),
) -> Result<(), Fault> {
    let low = |number: u128| u32::try_from(number & 0xffff_ffff).expect("32 bits");
    match id {
        CT_MARK => {
            let (old, set) = request.mark;
            request.mark = (old & !low(bits) | low(value & bits), set | low(bits));
        }
        CT_LABEL => {
            let (old, set) = request.label;
            request.label = (old & !bits | value & bits, set | bits);
        }
        other => return Err(Fault::UnknownField(other)),
    }
    Ok(())
}

/// Actions that only change the packet.
fn change(action: &Action, packet: &mut Packet) -> Result<(), Fault> {
    match action {
        Action::SetField(field) => set(packet, field)?,
        Action::CopyField(copy) => move_bits(packet, *copy)?,
        Action::SetNwTtl(ttl) if packet.has(FieldId::basic(10)) => packet.set_ttl(*ttl),
        Action::SetTunnel(id) => set(packet, &weft_openflow::oxm::tun_id(u64::from(*id)))?,
        Action::SetTunnel64(id) => set(packet, &weft_openflow::oxm::tun_id(*id))?,
        Action::WriteMetadata { metadata, mask } => packet.set_metadata(*metadata, *mask),
        Action::PushVlan(_) => packet.push_tag(),
        Action::PopVlan => packet.pop_tag(),
        Action::CtClear => packet.untrack(),
        Action::CheckPktLarger { length, dst, offset } => {
            let bit = Subfield { field: *dst, offset: *offset, n_bits: 1 };
            let larger = u128::from(packet.size > *length);
            packet.put_part(bit, larger).ok_or(Fault::UnknownField(dst.id))?;
        }
        // A remark, a queue, a meter within its rate, something learned: nothing that shows in this packet.
        Action::Note(_)
        | Action::Learn(_)
        | Action::SetQueue(_)
        | Action::PopQueue
        | Action::Meter(_)
        | Action::SetNwTtl(_)
        | Action::Conjunction { .. } => {}
        other => return Err(unknown(other)),
    }
    Ok(())
}

/// Sets a field where the packet has it.
fn set(packet: &mut Packet, field: &OxmField) -> Result<(), Fault> {
    let in_port = oxm::in_port_to_set(0).id();
    if let (true, Some(port)) = (field.id() == in_port, field.value()) {
        let port = PortNo::from_u16(u16::try_from(port).unwrap_or(u16::MAX));
        packet.put(&oxm::in_port(port));
        return Ok(());
    }
    if packet.get(field.id()).is_none() || field.value().is_none() {
        return Err(Fault::UnknownField(field.id()));
    }
    if packet.has(field.id()) {
        packet.put(field);
    }
    Ok(())
}

fn move_bits(packet: &mut Packet, copy: CopyField) -> Result<(), Fault> {
    let from = Subfield { field: copy.src, offset: copy.src_offset, n_bits: copy.n_bits };
    let to = Subfield { field: copy.dst, offset: copy.dst_offset, n_bits: copy.n_bits };
    let value = part_of_any(packet, from)?;
    part_of_any(packet, to)?;
    if packet.has(copy.src.id) && packet.has(copy.dst.id) {
        packet.put_part(to, value);
    }
    Ok(())
}

fn part_of_any(packet: &Packet, part: Subfield) -> Result<u128, Fault> {
    packet.get_part(part).ok_or(Fault::UnknownField(part.field.id))
}

fn part_of(packet: &Packet, part: Subfield) -> Result<u16, Fault> {
    Ok(u16::try_from(part_of_any(packet, part)? & 0xffff).expect("16 bits"))
}

/// Lets the packet out by a port.
fn output(port: PortNo, packet: &Packet, deeds: &mut Vec<Deed>) -> Result<Flow, Fault> {
    let sent = |port, back| Deed::Output(Sent { port, packet: Box::new(packet.clone()), back });
    match port {
        PortNo::IN_PORT => deeds.push(sent(packet.in_port(), true)),
        PortNo::CONTROLLER => tell(deeds, packet, REASON_ACTION, bytes::Bytes::new(), false),
        PortNo::LOCAL => deeds.push(sent(port, false)),
        reserved if reserved > PortNo::MAX => return Err(unknown(&Action::output(reserved))),
        same if same == packet.in_port() => deeds.push(Deed::End(End::SamePort(same))),
        other => deeds.push(sent(other, false)),
    }
    Ok(Flow::On)
}

/// One hop less to go; a packet that has none left goes to the controller, and no further.
fn dec_ttl(packet: &mut Packet, deeds: &mut Vec<Deed>) -> Flow {
    if !packet.has(FieldId::basic(10)) {
        return Flow::On;
    }
    if packet.ttl() > 1 {
        packet.set_ttl(packet.ttl() - 1);
        return Flow::On;
    }
    tell(deeds, packet, REASON_INVALID_TTL, bytes::Bytes::new(), false);
    deeds.push(Deed::End(End::Ttl));
    Flow::Stop
}

fn tell(deeds: &mut Vec<Deed>, packet: &Packet, reason: u8, userdata: bytes::Bytes, pause: bool) {
    deeds.push(Deed::Controller(Told { reason, userdata, pause, packet: Box::new(packet.clone()) }));
}

fn unknown(action: &Action) -> Fault {
    Fault::UnknownAction(ActionList(std::slice::from_ref(action)).to_string())
}
