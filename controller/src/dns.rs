//! The resolver of every network: questions that ports send up, answered from the snapshot or handed on.
//!
//! A session answers what is in its tenant's networks at once. The rest is an errand for the one task that asks other
//! servers ([`forward`]); how many errands a switch may have under way is bounded, and so is how many there are at all.

mod forward;
mod servers;

use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use weft_answers::Silence;
use weft_answers::dns::{Call, Found, Heard, Kind, Question, Rcode, Reading, hear};
use weft_model::{Named, NetworkId, Port, PortKey, Snapshot};
use weft_openflow::PortNo;
use weft_openflow::message::{Message, PacketOut};

use crate::metrics::{DnsOutcome, Metrics, Outcome};
use crate::southbound::line::Line;
use crate::southbound::questions::{PACKETS, back};

pub use forward::run;
pub use servers::{Servers, Unfit};

/// How many errands may wait to be begun.
const QUEUE: usize = 256;
/// How many errands one switch may have under way.
const ERRANDS_OF_SWITCH: usize = 64;

/// A handle to the resolver; clones share it.
#[derive(Debug, Clone)]
pub struct Resolver {
    snapshots: watch::Receiver<Snapshot>,
    errands: mpsc::Sender<Errand>,
    servers: Arc<Servers>,
    metrics: Metrics,
}

/// Questions of one packet, of which at least one has to be handed on.
#[derive(Debug)]
struct Errand {
    /// In the order in which they came.
    parts: Vec<Part>,
    /// Whose question it is: what counts where the same is asked again and again.
    network: NetworkId,
    call: Call,
    back: Back,
    /// Gives its place back to the switch when it is done.
    _place: OwnedSemaphorePermit,
}

/// One question of a packet.
#[derive(Debug)]
enum Part {
    /// Its answer.
    Answer(Vec<u8>),
    /// Whom to ask.
    Ask(Question, Vec<servers::Server>),
}

/// The way back to where a packet came from.
#[derive(Debug, Clone)]
pub struct Back {
    line: Weak<Line>,
    in_port: PortNo,
    /// Whose packet it was, by its key.
    port: u32,
}

/// How many more errands a switch may have.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Places {
        Places(Arc::new(Semaphore::new(ERRANDS_OF_SWITCH)))
    }
}

/// The resolver, and the errands that [`run`] does for it.
pub fn open(
    snapshots: watch::Receiver<Snapshot>,
    servers: Servers,
    metrics: Metrics,
) -> (Resolver, forward::Errands) {
    let (errands, inbox) = mpsc::channel(QUEUE);
    let resolver = Resolver { snapshots, errands, servers: Arc::new(servers), metrics: metrics.clone() };
    (resolver, forward::Errands::new(inbox, metrics))
}

impl Resolver {
    /// Answers a packet of a port, now or later.
    pub fn serve(&self, port: u32, packet: &[u8], back: Back, places: &Places) -> Outcome {
        let (call, messages) = match hear(packet) {
            Ok(Heard::Asked(call, messages)) => (call, messages),
            Ok(Heard::Connection(frame)) => return back.send([frame]),
            Err(Silence::NotAsked) => return Outcome::Silent,
            Err(Silence::Packet | Silence::Userdata) => return Outcome::Unreadable,
        };
        let (parts, network) = {
            let snapshot = self.snapshots.borrow();
            let port = PortKey::new(port).and_then(|key| snapshot.port_by_key(key));
            // A port that is gone has no more questions.
            let Some(port) = port else { return Outcome::Silent };
            let parts = messages.iter().filter_map(|message| self.part(message, &call, port, &snapshot));
            (parts.collect::<Vec<Part>>(), port.network)
        };
        if parts.is_empty() {
            return Outcome::Silent;
        }
        if parts.iter().all(|part| matches!(part, Part::Answer(_))) {
            return back.send(call.frames(&Part::answers(parts)));
        }
        let Ok(place) = places.0.clone().try_acquire_owned() else { return self.too_many() };
        let errand = Errand { parts, network, call, back, _place: place };
        if self.errands.try_send(errand).is_err() {
            return self.too_many();
        }
        Outcome::Answered
    }

    /// Who asks again later is answered then.
    fn too_many(&self) -> Outcome {
        self.metrics.dns(DnsOutcome::Dropped);
        Outcome::Dropped
    }

    fn part(&self, message: &[u8], call: &Call, port: &Port, snapshot: &Snapshot) -> Option<Part> {
        let question = match Question::read(message) {
            Reading::Question(question) => question,
            Reading::Refused(refusal) => return Some(self.answered(refusal, DnsOutcome::Refused)),
            Reading::Nothing => return None,
        };
        let room = if call.is_stream() { question.room_in_stream() } else { question.room() };
        if let Some(found) = find(&question, port.network, snapshot) {
            return Some(self.answered(question.answer(&found, room), DnsOutcome::Known));
        }
        let servers = self.servers.of(port, snapshot);
        if servers.is_empty() {
            return Some(self.answered(question.refused(Rcode::Refused), DnsOutcome::Refused));
        }
        Some(Part::Ask(question, servers))
    }

    fn answered(&self, answer: Vec<u8>, outcome: DnsOutcome) -> Part {
        self.metrics.dns(outcome);
        Part::Answer(answer)
    }
}

impl Part {
    fn answers(parts: Vec<Part>) -> Vec<Vec<u8>> {
        let answer = |part| if let Part::Answer(answer) = part { Some(answer) } else { None };
        parts.into_iter().filter_map(answer).collect()
    }
}

impl Back {
    /// Back by the line of a session, out of the port that a packet came in by.
    pub fn new(line: &Arc<Line>, in_port: PortNo, port: u32) -> Back {
        Back { line: Arc::downgrade(line), in_port, port }
    }

    /// Sends frames, past the pipeline.
    fn send(&self, frames: impl IntoIterator<Item = Vec<u8>>) -> Outcome {
        let Some(line) = self.line.upgrade() else { return Outcome::Dropped };
        for frame in frames {
            let out = PacketOut::new(self.in_port, back(self.port), Bytes::from(frame));
            if line.answer(Message::PacketOut(out).encode(PACKETS)).is_err() {
                return Outcome::Dropped;
            }
        }
        Outcome::Answered
    }
}

/// What the network knows of what is asked for; nothing where others have to be asked.
fn find(question: &Question, network: NetworkId, snapshot: &Snapshot) -> Option<Found> {
    let named = match question.address() {
        Some(address) => snapshot.name_of_address(network, address),
        None => {
            let name = question.name();
            // Of one label, only hosts are ours; what else there is below the root, others know.
            if !name.contains('.') && !matches!(question.kind(), Kind::A | Kind::Aaaa | Kind::Any) {
                return None;
            }
            snapshot.addresses_of_name(network, &name)
        }
    };
    match named {
        Named::Addresses { domain, addresses } => Some(Found::Addresses { domain, addresses }),
        Named::Name(name) => Some(Found::Name(name)),
        Named::Nothing { domain } => Some(Found::Nothing { domain }),
        Named::Elsewhere => None,
    }
}
