//! One host's OVSDB session: reports what the host has, and makes it have what is wanted.
//!
//! The first look takes in everything, and so does every look after something went wrong. Every other look costs what has
//! changed: the rows that came, the claims that these rows make, the tunnels that the engine or the rows concern.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use weft_compiler::TunnelSettings;
use weft_distributor::SessionId;
use weft_model::intent::{Actor, HostReport, Intent};
use weft_model::{HostId, HostIndex, PhysnetKey, PortId, Revision, Snapshot};
use weft_ovsdb::vswitch::{Bridge, DATABASE, Interface};
use weft_ovsdb::{Batch, Client, Error, Event as OvsdbEvent, Events, Id, Mirror, Options, Session};

use super::inventory::{Inventory, News};
use super::plans::Plans;
use super::reconcile::{Inserted, Look, Sight, Upkeep, Verdict};
use super::seats::{PATIENCE, Seat, Seats};
use super::wish::{Pen, Slate, slip};
use crate::desk::{Desk, WriteError};
use crate::engine::Event;
use crate::metrics::Metrics;
use crate::status::TunnelNews;

/// How long to wait before trying again what a host's OVSDB refused for the first time.
const RETRY: Duration = Duration::from_secs(1);
/// How many refusals in a row make the pause longer still, each by as much as the first.
const REFUSALS_MAX: u32 = 30;
/// How long a new bridge may be without a datapath before that is a problem.
const DATAPATH_PATIENCE: Duration = Duration::from_secs(3);
/// The longest message taken from a host: a database of 60,000 interfaces stays well below.
const MESSAGE_LIMIT: usize = 64 << 20;
/// How long a host may be quiet before it is probed. Its `ovsdb-server` probes us after 5 s, so that we hardly ever have to.
const PROBE: Duration = Duration::from_secs(8);
/// How many sessions take their first look at once: each holds a host's whole database as text for a moment.
pub const FIRST_LOOKS: usize = 64;
/// How long a session is kept waiting whose host's name another one has, so that it does not dial again at once.
const TURNED_AWAY: Duration = Duration::from_secs(15);
/// How long it is told that another host has the same name, after the last one that tried.
const RIVAL_TOLD: Duration = Duration::from_secs(60);

/// How many characters of what is wrong with a host go into the log: a reason quotes the host, which may say anything.
const REASON_MAX: usize = 400;
/// How many problems with its tunnels a host is shown with: each is a line for a person to read.
const PROBLEMS_MAX: usize = 50;

/// What every session needs.
#[derive(Debug, Clone)]
pub struct Context {
    /// The way to the store.
    pub desk: Desk,
    /// The way to the engine.
    pub engine: mpsc::Sender<Event>,
    /// What bridges are told to dial, when the operator says so.
    pub openflow_target: Option<String>,
    /// The port to dial when it is derived.
    pub openflow_port: u16,
    /// How tunnels are made.
    pub tunnels: TunnelSettings,
    /// Counters.
    pub metrics: Metrics,
    /// What all sessions share.
    pub shared: Shared,
    /// Ends the session.
    pub stop: CancellationToken,
}

/// What the sessions of one controller share.
#[derive(Debug, Clone)]
pub struct Shared {
    plans: Plans,
    seats: Seats,
    first_looks: Arc<Semaphore>,
}

impl Default for Shared {
    fn default() -> Self {
        let first_looks = Arc::new(Semaphore::new(FIRST_LOOKS));
        Shared { plans: Plans::default(), seats: Seats::default(), first_looks }
    }
}

/// Serves one connection until either side ends it.
pub async fn serve(stream: TcpStream, session: SessionId, context: Context) {
    let target = match (&context.openflow_target, stream.local_addr()) {
        (Some(target), _) => target.clone(),
        (None, Ok(address)) if address.is_ipv6() => {
            format!("tcp:[{}]:{}", address.ip(), context.openflow_port)
        }
        (None, Ok(address)) => format!("tcp:{}:{}", address.ip(), context.openflow_port),
        (None, Err(error)) => return warn!(%error, "connection lost at once"),
    };
    let from = stream.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default();
    let options = Options { message_limit: MESSAGE_LIMIT, probe_interval: Some(PROBE), ..Options::default() };
    let (client, events) = Session::start(stream, options);
    let stop = context.stop.clone();
    let mut host = Box::new(HostSession::new(client.clone(), session, context, Place { target, from }));
    let outcome = tokio::select! {
        outcome = host.run(events) => outcome,
        () = stop.cancelled() => Ok(()),
    };
    client.close().await;
    if let Some(id) = host.announced.take() {
        info!(host = %id, "OVSDB session over");
        drop(host.context.engine.send(Event::OvsdbDown { host: id, session }).await);
    }
    match outcome {
        Ok(()) => debug!("OVSDB session closed"),
        Err(error) => info!(%error, "OVSDB session ended"),
    }
}

/// The revision that the host's OVSDB fulfils, what is wrong, and the physical networks that it does not reach.
type Told = (Option<Revision>, Vec<String>, BTreeSet<PhysnetKey>);

/// Where the two ends of a session are.
#[derive(Debug)]
struct Place {
    /// What the host's bridge shall dial.
    target: String,
    /// The host's address.
    from: String,
}

/// The engine's last wish, without the tunnels that it concerned.
#[derive(Debug, Clone, Copy)]
struct Goal {
    index: HostIndex,
    revision: Revision,
}

/// A transaction that inserted rows which the mirror does not show yet.
#[derive(Debug)]
struct Written {
    inserted: Inserted,
    since: Instant,
}

struct HostSession {
    client: Client,
    session: SessionId,
    context: Context,
    place: Place,
    pen: Option<Pen>,
    slate: Slate,
    /// Held during the first look.
    first_look: Option<OwnedSemaphorePermit>,
    seat: Option<Seat>,
    mirror: Option<Mirror>,
    inventory: Inventory,
    upkeep: Upkeep,
    /// Set once the engine knows the session.
    announced: Option<HostId>,
    /// What was stored last of the host itself; nothing while everything is to be reported.
    reported: Option<HostReport>,
    /// Ports whose claim may differ from what was stored.
    claims_due: BTreeMap<PortId, Option<Id<Interface>>>,
    goal: Option<Goal>,
    told: Option<Told>,
    /// What was last said about why the host cannot take part.
    complained: Option<String>,
    written: Option<Written>,
    /// How many transactions in a row the host's OVSDB has refused.
    refused: u32,
    /// Since when the bridge has been without a datapath.
    no_datapath_since: Option<Instant>,
    /// Who else wants to speak for this host, and when it last tried.
    rival: Option<(String, Instant)>,
}

/// Whether something must be tried again without a further event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Wait,
    Retry,
}

impl HostSession {
    fn new(client: Client, session: SessionId, context: Context, place: Place) -> HostSession {
        let (pen, slate) = slip();
        HostSession {
            client,
            session,
            context,
            place,
            pen: Some(pen),
            slate,
            first_look: None,
            seat: None,
            mirror: None,
            inventory: Inventory::default(),
            upkeep: Upkeep::default(),
            announced: None,
            reported: None,
            claims_due: BTreeMap::new(),
            goal: None,
            told: None,
            complained: None,
            written: None,
            refused: 0,
            no_datapath_since: None,
            rival: None,
        }
    }

    async fn run(&mut self, mut events: Events) -> Result<(), Error> {
        // Ten thousand hosts may dial at once; those that wait here hold nothing but their connection.
        self.first_look = self.context.shared.first_looks.clone().acquire_owned().await.ok();
        let schema = self.client.schema_text(DATABASE).await?;
        let mirror = Mirror::new(self.context.shared.plans.of(schema.get())?);
        drop(schema);
        self.client.monitor(&mirror).await?;
        self.mirror = Some(mirror);
        let (mut complete, mut next) = (false, Next::Wait);
        loop {
            let (pause, told_long_enough) = (self.pause(), self.rival_told_until());
            tokio::select! {
                // Events first: a decision must rest on everything that has arrived.
                biased;
                event = events.next() => match event {
                    Some(OvsdbEvent::Changed(batch)) => {
                        self.follow(&batch);
                        complete = true;
                    }
                    Some(OvsdbEvent::Disconnected(error)) => return Err(error),
                    Some(_) => continue,
                    None => return Ok(()),
                },
                changed = self.slate.changed() => if changed.is_err() {
                    info!("another session of the same system-id took over, or the host was forgotten");
                    return Ok(());
                },
                asker = asked(&mut self.seat) => self.stay(asker).await?,
                () = tokio::time::sleep(pause), if next == Next::Retry => {}
                () = tokio::time::sleep_until(told_long_enough.into()), if self.rival.is_some() => {
                    self.rival = None;
                }
            }
            if complete {
                next = self.consider().await?;
                self.first_look = None;
            }
        }
    }

    /// Takes changed rows in, and notes what is to be looked at for them.
    fn follow(&mut self, batch: &Batch) {
        let Some(mirror) = &mut self.mirror else { return };
        let before = mirror.clone();
        mirror.apply(batch);
        self.context.metrics.ovsdb_rows.inc_by(batch.changes.len() as u64);
        match self.inventory.follow(&before, mirror, &batch.changes) {
            News::All => {
                self.reported = None;
                self.claims_due.clear();
                self.upkeep.concern_all();
            }
            News::Some { tunnels, ports, .. } => {
                self.claims_due.extend(ports);
                self.upkeep.concern(tunnels);
            }
        }
    }

    /// Longer from one refusal to the next: a host that refuses for ever must not keep the controller busy.
    fn pause(&self) -> Duration {
        RETRY * self.refused.clamp(1, REFUSALS_MAX)
    }

    /// One look: report, announce, reconcile, tell. The same for the first contact and for every change.
    async fn consider(&mut self) -> Result<Next, Error> {
        // Taken out for as long as others of our parts change; put back whatever comes.
        let Some(mirror) = self.mirror.take() else { return Ok(Next::Wait) };
        let next = self.consider_rows(&mirror).await;
        self.mirror = Some(mirror);
        next
    }

    async fn consider_rows(&mut self, mirror: &Mirror) -> Result<Next, Error> {
        let identity = match self.inventory.identity(mirror) {
            Ok(identity) => identity,
            Err(reason) => {
                self.complain(&reason.to_string());
                return Ok(Next::Wait);
            }
        };
        if self.seat.as_ref().is_some_and(|seat| *seat.host() != identity.id) {
            // It has a new name, so it is another host: let it dial again.
            self.client.close().await;
            return Ok(Next::Wait);
        }
        if self.seat.is_none() {
            if self.context.shared.seats.is_taken(&identity.id) {
                // Whoever sits there is asked first; others need not wait for that.
                self.first_look = None;
            }
            self.seat = self.context.shared.seats.take(&identity.id, &self.place.from).await;
        }
        if self.seat.is_none() {
            return self.turn_away(&identity.id).await;
        }
        if self.report(identity, mirror).await == Next::Retry {
            return Ok(Next::Retry);
        }
        if let Some(wish) = self.slate.take() {
            if self.goal.is_some_and(|goal| goal.index != wish.index) {
                self.upkeep.concern_all();
            }
            self.goal = Some(Goal { index: wish.index, revision: wish.revision });
            self.upkeep.concern_with(wish.concerned);
        }
        let (Some(goal), Some(host)) = (self.goal, self.announced.clone()) else { return Ok(Next::Wait) };
        let snapshot = self.snapshot_of(goal.revision).await;
        let (settings, target) = (self.context.tunnels, self.place.target.clone());
        let sight = Sight {
            mirror,
            inventory: &self.inventory,
            host: &host,
            index: goal.index,
            target: &target,
            snapshot: &snapshot,
            settings: &settings,
        };
        if let Some(written) = self
            .written
            .take_if(|written| written.inserted.is_shown(&sight) || written.since.elapsed() >= RETRY)
        {
            self.upkeep.concern(written.inserted.into_tunnels());
        }
        if self.written.is_some() {
            return Ok(Next::Retry);
        }
        let look = self.upkeep.look(&sight);
        self.act(look, mirror, goal).await
    }

    async fn act(&mut self, look: Look, mirror: &Mirror, goal: Goal) -> Result<Next, Error> {
        let Look { verdict, inserted, tunnels } = look;
        self.context.metrics.ovsdb_tunnels.inc_by(self.upkeep.take_looked_at());
        match verdict {
            Verdict::Settled => {
                let (problem, next) = self.watch_datapath(mirror);
                let settled = problem.is_none() && self.upkeep.is_settled();
                self.tell(settled.then_some(goal.revision), tunnels, problem).await;
                Ok(next)
            }
            Verdict::Foreign(problem) => {
                self.tell(None, tunnels, Some(problem)).await;
                Ok(Next::Wait)
            }
            Verdict::Change(transaction) => {
                self.context.metrics.ovsdb_transactions.inc();
                match self.client.transact(&transaction).await {
                    Ok(_) => {
                        self.refused = 0;
                        self.written = Some(Written { inserted, since: Instant::now() });
                        if !tunnels.is_none() {
                            self.tell(None, tunnels, None).await;
                        }
                        Ok(Next::Retry)
                    }
                    Err(error) if self.client.is_closed() => Err(error),
                    Err(error) => {
                        self.refused = self.refused.saturating_add(1);
                        self.upkeep.concern_all();
                        warn!(%error, times = self.refused, "the host's OVSDB refused a transaction; trying again");
                        if self.refused > 1 {
                            let problem = format!("its OVSDB refuses what is wanted of it: {error}");
                            let problem = problem.chars().take(REASON_MAX).collect();
                            self.tell(None, tunnels, Some(problem)).await;
                        }
                        Ok(Next::Retry)
                    }
                }
            }
        }
    }

    /// The newest state, at least of this revision: the engine may speak of a commit a moment before it is shown.
    async fn snapshot_of(&self, revision: Revision) -> Snapshot {
        let mut watch = self.context.desk.watch();
        let shown = watch.wait_for(|snapshot| snapshot.revision() >= revision).await;
        // The desk closes only when the controller stops.
        shown.map_or_else(|_| self.context.desk.snapshot(), |snapshot| snapshot.clone())
    }

    /// Stores what the host shows, if that is news, and makes the session known to the engine once that is stored.
    async fn report(&mut self, identity: HostReport, mirror: &Mirror) -> Next {
        let is_known = self.reported.as_ref() == Some(&identity);
        if is_known && self.claims_due.is_empty() {
            return Next::Wait;
        }
        let intent = if is_known {
            self.changed_claims(&identity.id, mirror)
        } else {
            Intent::ReportHost(HostReport {
                interfaces: self.inventory.interfaces(mirror),
                ..identity.clone()
            })
        };
        match self.context.desk.write(Actor::Admin, vec![intent]).await {
            Ok(_) => {}
            Err(WriteError::Rejected(rejected)) => {
                self.reported = None;
                self.complain(&rejected.to_string());
                return Next::Wait;
            }
            Err(error) => {
                warn!(%error, "host report not stored; trying again");
                return Next::Retry;
            }
        }
        self.claims_due.clear();
        if let Some(wanted) = self.pen.take() {
            info!(host = %identity.id, ovs = identity.ovs_version, "host joined over OVSDB");
            self.announced = Some(identity.id.clone());
            self.context.metrics.ovsdb_sessions.inc();
            let up = Event::OvsdbUp { host: identity.id.clone(), session: self.session, wanted };
            drop(self.context.engine.send(up).await);
        }
        self.reported = Some(identity);
        self.complained = None;
        Next::Wait
    }

    fn changed_claims(&self, host: &HostId, mirror: &Mirror) -> Intent {
        let (mut plugged, mut unplugged) = (Vec::new(), Vec::new());
        for (port, likely) in &self.claims_due {
            match self.inventory.claimant(mirror, *port, *likely) {
                Some(interface) => plugged.push(interface),
                None => unplugged.push(*port),
            }
        }
        Intent::ReportInterfaces { host: host.clone(), plugged, unplugged }
    }

    /// A bridge whose datapath type the host cannot make stays without a datapath id, and Open vSwitch says so only in its
    /// log. A new bridge is without one for a moment.
    fn watch_datapath(&mut self, mirror: &Mirror) -> (Option<String>, Next) {
        let Some((_, bridge)) = self.inventory.bridge(mirror) else { return (None, Next::Wait) };
        if bridge.maybe_text(Bridge::datapath_id()).is_some() {
            self.no_datapath_since = None;
            return (None, Next::Wait);
        }
        let since = *self.no_datapath_since.get_or_insert_with(Instant::now);
        if since.elapsed() < DATAPATH_PATIENCE {
            return (None, Next::Retry);
        }
        let kind = bridge.text(Bridge::datapath_type());
        let problem = format!(
            "br-int has no datapath: this host cannot make one of type {kind:?}; choose another with \
             `ovs-vsctl set Open_vSwitch . external_ids:weft-datapath-type=netdev`"
        );
        (Some(problem), Next::Wait)
    }

    async fn tell(&mut self, fulfils: Option<Revision>, tunnels: TunnelNews, problem: Option<String>) {
        let Some(host) = self.announced.clone() else { return };
        let mut problems: Vec<String> = self.upkeep.problems(PROBLEMS_MAX).cloned().collect();
        problems.extend(problem);
        problems.extend(
            self.rival.as_ref().map(|(from, _)| {
                format!("another host, at {from}, has the same system-id and is turned away")
            }),
        );
        let news = (fulfils, problems, self.upkeep.missing().clone());
        if tunnels.is_none() && self.told.as_ref() == Some(&news) {
            return;
        }
        let before = self.told.replace(news.clone());
        let (fulfils, problems, missing) = news;
        for problem in problems.iter().filter(|p| before.as_ref().is_none_or(|(_, old, _)| !old.contains(p)))
        {
            warn!(%host, problem, "host needs attention");
        }
        let seen = Event::OvsdbSeen { host, session: self.session, fulfils, tunnels, problems, missing };
        drop(self.context.engine.send(seen).await);
    }

    /// Another session wants this one's seat: the host shows that it is alive, or the session ends.
    async fn stay(&mut self, asker: String) -> Result<(), Error> {
        match tokio::time::timeout(PATIENCE, self.client.echo()).await {
            Ok(answered) => answered?,
            Err(_) => return Err(Error::Silent(PATIENCE)),
        }
        if let Some(seat) = &self.seat {
            seat.stay();
        }
        self.rival = Some((asker, Instant::now()));
        Ok(())
    }

    async fn turn_away(&mut self, host: &HostId) -> Result<Next, Error> {
        warn!(%host, from = self.place.from, "a second host has this system-id; turned away while the first is alive");
        tokio::time::sleep(TURNED_AWAY).await;
        self.client.close().await;
        Ok(Next::Wait)
    }

    fn rival_told_until(&self) -> Instant {
        self.rival.as_ref().map_or_else(Instant::now, |(_, since)| *since + RIVAL_TOLD)
    }

    fn complain(&mut self, reason: &str) {
        let reason: String = reason.chars().take(REASON_MAX).collect();
        let reason = reason.as_str();
        if self.complained.as_deref() != Some(reason) {
            warn!(reason, "a host dialled in but cannot take part yet");
            self.complained = Some(reason.to_owned());
        }
    }
}

async fn asked(seat: &mut Option<Seat>) -> String {
    match seat {
        Some(seat) => seat.asked().await,
        None => std::future::pending().await,
    }
}
