//! The task that asks other servers: all errands side by side, each bounded in time and tries.
//!
//! Every question goes out under a number and from a port that nobody can guess (RFC 5452 section 9), and only what the
//! server that was asked says about just this question is taken. The same question of one network that is asked over and over
//! while it is under way comes round in a circle, by a server that asks us again, and is given up.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use weft_answers::dns::{MOST_DATAGRAM, Question, Rcode, relayed};
use weft_model::NetworkId;

use super::servers::{Choice, Server, any_of};
use super::{Errand, Part};
use crate::metrics::{DnsOutcome, Metrics};

/// How many errands are under way at the most; more wait.
const UNDER_WAY: usize = 1024;
/// How many times one network may have the same question under way.
const SAME: usize = 16;
/// How long a server has for an answer; stub resolvers wait five seconds for all of it.
const PATIENCE: Duration = Duration::from_millis(1400);

/// What the task works on.
#[derive(Debug)]
pub struct Errands {
    inbox: mpsc::Receiver<Errand>,
    metrics: Metrics,
}

impl Errands {
    pub(super) fn new(inbox: mpsc::Receiver<Errand>, metrics: Metrics) -> Errands {
        Errands { inbox, metrics }
    }
}

/// What makes two questions the same.
type Sameness = (NetworkId, String, u16);

/// Does errands until there are no more, or the controller stops.
pub async fn run(errands: Errands, stop: CancellationToken) {
    let Errands { mut inbox, metrics } = errands;
    let mut under_way = FuturesUnordered::new();
    let mut asked: HashMap<Sameness, usize> = HashMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            errand = inbox.recv(), if under_way.len() < UNDER_WAY => {
                let Some(mut errand) = errand else { return };
                let begun = begin(&mut errand, &mut asked, &metrics);
                let metrics = &metrics;
                under_way.push(async move {
                    finish(errand, metrics).await;
                    begun
                });
            }
            Some(done) = under_way.next(), if !under_way.is_empty() => {
                for sameness in done {
                    release(&mut asked, sameness);
                }
            }
        }
    }
}

/// Counts an errand's questions; those that are under way too often already are answered at once.
fn begin(errand: &mut Errand, asked: &mut HashMap<Sameness, usize>, metrics: &Metrics) -> Vec<Sameness> {
    let mut begun = Vec::new();
    for part in &mut errand.parts {
        let Part::Ask(question, _) = part else { continue };
        let sameness = (errand.network, question.name().to_ascii_lowercase(), question.number());
        let count = asked.entry(sameness.clone()).or_default();
        if *count >= SAME {
            metrics.dns(DnsOutcome::Failed);
            *part = Part::Answer(question.refused(Rcode::ServFail));
            continue;
        }
        *count += 1;
        begun.push(sameness);
    }
    begun
}

fn release(asked: &mut HashMap<Sameness, usize>, sameness: Sameness) {
    if let Some(count) = asked.get_mut(&sameness) {
        *count -= 1;
        if *count == 0 {
            asked.remove(&sameness);
        }
    }
}

async fn finish(errand: Errand, metrics: &Metrics) {
    let Errand { parts, call, back, .. } = errand;
    let is_stream = call.is_stream();
    let answers = join_all(parts.into_iter().map(|part| async move {
        match part {
            Part::Answer(answer) => answer,
            Part::Ask(question, servers) => {
                let answer = ask_all(&question, &servers, is_stream).await;
                metrics.dns(if answer.is_some() { DnsOutcome::Forwarded } else { DnsOutcome::Failed });
                answer.unwrap_or_else(|| question.refused(Rcode::ServFail))
            }
        }
    }));
    // Whether there is still somebody to take it, nobody minds.
    back.send(call.frames(&answers.await));
}

/// One server after the other; the first that answers is believed, unless it only says that it cannot.
async fn ask_all(question: &Question, servers: &[Server], is_stream: bool) -> Option<Vec<u8>> {
    let mut unwilling = None;
    for server in servers {
        let until = Instant::now() + PATIENCE;
        let asking = async {
            if is_stream {
                ask_stream(question, *server).await
            } else {
                ask_datagram(question, *server).await
            }
        };
        match timeout_at(until, asking).await {
            Ok(Ok(answer)) if is_unwilling(&answer) => unwilling = unwilling.or(Some(answer)),
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => debug!(server = %server.address, %error, "a DNS server cannot be asked"),
            Err(_) => debug!(server = %server.address, "a DNS server does not answer"),
        }
    }
    unwilling
}

/// True for an answer that it could not or would not (RFC 1035 section 4.1.1).
fn is_unwilling(answer: &[u8]) -> bool {
    answer.get(3).is_none_or(|flags| matches!(flags & 0x0f, 2 | 5))
}

async fn ask_datagram(question: &Question, server: Server) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind(any_of(server.address)).await?;
    // From here on the kernel takes datagrams of this server only.
    socket.connect(server.address).await?;
    refuse_ourselves(server, socket.local_addr()?.ip())?;
    let id = draw()?;
    socket.send(&question.onward(id)).await?;
    let mut buffer = [0; MOST_DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = relayed(question, id, &buffer[..length], question.room()) {
            return Ok(answer);
        }
    }
}

async fn ask_stream(question: &Question, server: Server) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server.address).await?;
    refuse_ourselves(server, stream.local_addr()?.ip())?;
    let id = draw()?;
    let message = question.onward(id);
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes()[..], &message].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await?;
    let room = question.room_in_stream();
    relayed(question, id, &answer, room).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Who talks to itself has the same address at both ends.
fn refuse_ourselves(server: Server, own: IpAddr) -> io::Result<()> {
    if server.choice == Choice::Tenant && own == server.address.ip() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is this machine"));
    }
    Ok(())
}

fn draw() -> io::Result<u16> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(u16::from_be_bytes(bytes))
}
