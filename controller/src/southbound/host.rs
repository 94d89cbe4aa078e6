//! One host's OVSDB session: reports what the host has, and makes it have what is wanted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use weft_distributor::SessionId;
use weft_model::intent::{Actor, HostReport, Intent};
use weft_model::{HostId, Snapshot};
use weft_ovsdb::vswitch::{Bridge, Controller, DATABASE, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Client, Error, Events, Mirror, Options, Plan, Schema, Session};

use super::inventory::Inventory;
use super::reconcile::{Verdict, has_rows, is_fulfilled, reconcile, tunnel_status};
use crate::desk::{Desk, WriteError};
use crate::engine::{Event, Wanted};
use crate::metrics::Metrics;
use crate::status::TunnelStatus;

/// How long to wait before trying again what a host's OVSDB refused for the first time.
const RETRY: Duration = Duration::from_secs(1);
/// How many refusals in a row make the pause longer still, each by as much as the first.
const REFUSALS_MAX: u32 = 30;
/// How long a new bridge may be without a datapath before that is a problem.
const DATAPATH_PATIENCE: Duration = Duration::from_secs(3);
/// The longest message taken from a host: a database of 60,000 interfaces stays well below.
const MESSAGE_LIMIT: usize = 64 << 20;

/// How many characters of what is wrong with a host go into the log: a reason quotes the host, which may say anything.
const REASON_MAX: usize = 400;

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
    /// Counters.
    pub metrics: Metrics,
    /// Ends the session.
    pub stop: CancellationToken,
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
    let options = Options { message_limit: MESSAGE_LIMIT, ..Options::default() };
    let (client, events) = Session::start(stream, options);
    let stop = context.stop.clone();
    let mut host = HostSession::new(client.clone(), session, context, target);
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

struct HostSession {
    client: Client,
    session: SessionId,
    context: Context,
    target: String,
    wanted_pen: Option<watch::Sender<Option<Arc<Wanted>>>>,
    wanted: watch::Receiver<Option<Arc<Wanted>>>,
    /// Set once the engine knows the session.
    announced: Option<HostId>,
    reported: Option<HostReport>,
    told: Option<(Option<weft_model::Revision>, Vec<TunnelStatus>, Vec<String>)>,
    /// What was last said about why the host cannot take part.
    complained: Option<String>,
    /// What was last written for, and when, until the mirror shows it.
    written: Option<(Arc<Wanted>, Instant)>,
    /// How many transactions in a row the host's OVSDB has refused.
    refused: u32,
    /// Since when the bridge has been without a datapath.
    no_datapath_since: Option<Instant>,
}

/// Whether something must be tried again without a further event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Wait,
    Retry,
}

impl HostSession {
    fn new(client: Client, session: SessionId, context: Context, target: String) -> HostSession {
        let (pen, wanted) = watch::channel(None);
        HostSession {
            client,
            session,
            context,
            target,
            wanted_pen: Some(pen),
            wanted,
            announced: None,
            reported: None,
            told: None,
            complained: None,
            written: None,
            refused: 0,
            no_datapath_since: None,
        }
    }

    async fn run(&mut self, mut events: Events) -> Result<(), Error> {
        let schema = self.client.get_schema(DATABASE).await?;
        let mut mirror = Mirror::new(plan(&schema)?);
        self.client.monitor(&mirror).await?;
        let mut complete = false;
        let mut next = Next::Wait;
        loop {
            let pause = self.pause();
            tokio::select! {
                // Events first: a decision must rest on everything that has arrived.
                biased;
                event = events.next() => match event {
                    Some(weft_ovsdb::Event::Changed(batch)) => {
                        mirror.apply(&batch);
                        complete = true;
                    }
                    Some(weft_ovsdb::Event::Disconnected(error)) => return Err(error),
                    Some(_) => continue,
                    None => return Ok(()),
                },
                changed = self.wanted.changed() => if changed.is_err() {
                    info!("another session of the same system-id took over, or the host was forgotten");
                    return Ok(());
                },
                () = tokio::time::sleep(pause), if next == Next::Retry => {}
            }
            if complete {
                next = self.consider(&mirror).await?;
            }
        }
    }

    /// True while rows that were just inserted are still on their way into the mirror: to decide by what it shows would be
    /// to insert them again, which is refused.
    fn is_behind(&mut self, inventory: &Inventory) -> bool {
        let waits = |(wanted, since): &(Arc<Wanted>, Instant)| {
            !has_rows(inventory, wanted) && since.elapsed() < RETRY
        };
        let is_behind = self.written.as_ref().is_some_and(waits);
        if !is_behind {
            self.written = None;
        }
        is_behind
    }

    /// Longer from one refusal to the next: a host that refuses for ever must not keep the controller busy.
    fn pause(&self) -> Duration {
        RETRY * self.refused.clamp(1, REFUSALS_MAX)
    }

    /// One look at the whole: report, announce, reconcile, tell. The same for the first contact and for every change.
    async fn consider(&mut self, mirror: &Mirror) -> Result<Next, Error> {
        let report = Inventory::of(mirror).and_then(|inventory| Ok((inventory.report()?, inventory)));
        let (report, inventory) = match report {
            Ok(both) => both,
            Err(reason) => {
                self.complain(&reason.to_string());
                return Ok(Next::Wait);
            }
        };
        if self.announced.as_ref().is_some_and(|id| *id != report.id) {
            // It has a new name, so it is another host: let it dial again.
            self.client.close().await;
            return Ok(Next::Wait);
        }
        if self.report(report).await == Next::Retry {
            return Ok(Next::Retry);
        }
        let wanted = self.wanted.borrow_and_update().clone();
        let Some(wanted) = wanted else { return Ok(Next::Wait) };
        if self.is_behind(&inventory) {
            return Ok(Next::Retry);
        }
        let snapshot = self.context.desk.snapshot();
        match reconcile(&inventory, &wanted, &self.target, &snapshot) {
            Verdict::Settled => {
                let (problem, next) = self.watch_datapath(&inventory);
                self.tell(&inventory, &wanted, &snapshot, problem).await;
                Ok(next)
            }
            Verdict::Foreign(problem) => {
                self.tell(&inventory, &wanted, &snapshot, Some(problem)).await;
                Ok(Next::Wait)
            }
            Verdict::Change(transaction) => match self.client.transact(&transaction).await {
                Ok(_) => {
                    self.refused = 0;
                    self.written = Some((wanted, Instant::now()));
                    Ok(Next::Retry)
                }
                Err(error) if self.client.is_closed() => Err(error),
                Err(error) => {
                    self.refused = self.refused.saturating_add(1);
                    warn!(%error, times = self.refused, "the host's OVSDB refused a transaction; trying again");
                    if self.refused > 1 {
                        let problem = format!("its OVSDB refuses what is wanted of it: {error}");
                        let problem = problem.chars().take(REASON_MAX).collect();
                        self.tell(&inventory, &wanted, &snapshot, Some(problem)).await;
                    }
                    Ok(Next::Retry)
                }
            },
        }
    }

    /// Stores what the host shows, if that is news, and makes the session known to the engine once that is stored.
    async fn report(&mut self, report: HostReport) -> Next {
        if self.reported.as_ref() == Some(&report) {
            return Next::Wait;
        }
        let intents = vec![Intent::ReportHost(report.clone())];
        match self.context.desk.write(Actor::Admin, intents).await {
            Ok(_) => {}
            Err(WriteError::Rejected(rejected)) => {
                self.complain(&rejected.to_string());
                return Next::Wait;
            }
            Err(error) => {
                warn!(%error, "host report not stored; trying again");
                return Next::Retry;
            }
        }
        if let Some(wanted) = self.wanted_pen.take() {
            info!(host = %report.id, ovs = report.ovs_version, "host joined over OVSDB");
            self.announced = Some(report.id.clone());
            self.context.metrics.ovsdb_sessions.inc();
            let up = Event::OvsdbUp { host: report.id.clone(), session: self.session, wanted };
            drop(self.context.engine.send(up).await);
        }
        self.reported = Some(report);
        self.complained = None;
        Next::Wait
    }

    /// A bridge whose datapath type the host cannot make stays without a datapath id, and Open vSwitch says so only in its
    /// log. A new bridge is without one for a moment.
    fn watch_datapath(&mut self, inventory: &Inventory) -> (Option<String>, Next) {
        let Some(integration) = &inventory.integration else { return (None, Next::Wait) };
        if integration.bridge.datapath_id.is_some() {
            self.no_datapath_since = None;
            return (None, Next::Wait);
        }
        let since = *self.no_datapath_since.get_or_insert_with(Instant::now);
        if since.elapsed() < DATAPATH_PATIENCE {
            return (None, Next::Retry);
        }
        let kind = &integration.bridge.datapath_type;
        let problem = format!(
            "br-int has no datapath: this host cannot make one of type {kind:?}; choose another with \
             `ovs-vsctl set Open_vSwitch . external_ids:weft-datapath-type=netdev`"
        );
        (Some(problem), Next::Wait)
    }

    async fn tell(
        &mut self,
        inventory: &Inventory,
        wanted: &Wanted,
        snapshot: &Snapshot,
        problem: Option<String>,
    ) {
        let Some(host) = self.announced.clone() else { return };
        let (tunnels, mut problems) = tunnel_status(inventory, wanted, snapshot);
        let settled = problem.is_none() && is_fulfilled(&tunnels, wanted);
        problems.extend(problem);
        let fulfils = settled.then_some(wanted.revision);
        let news = (fulfils, tunnels, problems);
        if self.told.as_ref() == Some(&news) {
            return;
        }
        self.told = Some(news.clone());
        let (fulfils, tunnels, problems) = news;
        for problem in &problems {
            warn!(%host, problem, "host needs attention");
        }
        let seen = Event::OvsdbSeen { host, session: self.session, fulfils, tunnels, problems };
        drop(self.context.engine.send(seen).await);
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

/// The tables and columns that matter; statistics and status change every few seconds and are left out.
fn plan(schema: &Schema) -> Result<Arc<Plan>, Error> {
    let plan = Plan::of(schema)
        .columns::<OpenVSwitch>(&["bridges", "external_ids", "ovs_version", "datapath_types"])?
        .columns::<Bridge>(&[
            "name",
            "datapath_type",
            "datapath_id",
            "ports",
            "controller",
            "protocols",
            "fail_mode",
            "other_config",
            "external_ids",
        ])?
        .columns::<Port>(&["name", "interfaces", "external_ids"])?
        .columns::<Interface>(&[
            "name",
            "type",
            "options",
            "external_ids",
            "ofport",
            "ofport_request",
            "error",
        ])?
        .columns::<Controller>(&[
            "target",
            "max_backoff",
            "inactivity_probe",
            "connection_mode",
            "external_ids",
        ])?
        .build();
    Ok(plan)
}
