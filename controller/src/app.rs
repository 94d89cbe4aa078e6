//! Puts the controller together. The only file that spawns.
//!
//! ```text
//!  hosts' ovsdb-server --TCP 6640--> host session (1 per host) --ReportHost--\
//!                                        ^ Wish           \--OvsdbSeen--\     v
//!  REST :9696 --write(intents)------------------------> desk -> planner thread -> writer thread -> store
//!      ^ snapshot, board                                                |  (group commit, durable)
//!      |                                                                v
//!      +------------- board <--------- engine thread <---bell+feed-- publish(snapshot, touched)
//!                                        |  |  ^ SwitchUp, Installed, Answered, Suspected
//!                                        |  v  | orders: Read, Send(parcels)
//!                            line (socket) | switch session (1 per host) --Notice--> notices task
//!                                        v  v   \--Errand--> dns task --> other DNS servers, and back by the line
//!  hosts' br-int ------TCP 6653------- what the socket takes at once the engine writes itself
//! ```
//!
//! Shutdown: the API stops taking requests, then sessions end, then the engine, then the writer. Switches keep
//! forwarding all the while.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::serve::ListenerExt;
use nix::sys::socket::{setsockopt, sockopt};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use weft_compiler::TunnelSettings;
use weft_distributor::{SessionId, Tuning};
use weft_model::Snapshot;
use weft_model::intent::Settings;
use weft_store::Store;

use crate::config::{Authentication, Config};
use crate::descriptors;
use crate::desk::{Desk, Hooks};
use crate::dns::{self, Resolver};
use crate::engine::{self, Event};
use crate::feed::Feed;
use crate::first_token::{self, FirstTokenError};
use crate::metrics::Metrics;
use crate::notices;
use crate::rest;
use crate::southbound::advertising::Advertising;
use crate::southbound::crowd::Crowd;
use crate::southbound::{host, listen::Kind, listen::listen, switch};
use crate::status::{Board, Fleet};
use crate::vault::{Vault, VaultError};

/// How many events may wait for the engine before sessions are held back.
const EVENTS: usize = 16_384;

/// Why the controller cannot start, or cannot go on.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data directory cannot be made.
    #[error("making the data directory {path}")]
    DataDir {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error("opening the store in {path}")]
    OpenStore {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: weft_store::StoreError,
    },
    /// The state cannot be loaded.
    #[error("loading the state")]
    Load(#[from] VaultError),
    /// An address cannot be listened on.
    #[error("listening on {address} for {what}")]
    Listen {
        /// Which one.
        address: std::net::SocketAddr,
        /// What for.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The first token cannot be made.
    #[error("making the first token")]
    FirstToken(#[from] FirstTokenError),
    /// A commit failed while the controller ran.
    #[error("the store or its writer failed; start again to see what it holds")]
    StoreFailed,
    /// The operating system refuses a thread.
    #[error("starting a thread")]
    Thread(#[source] std::io::Error),
}

/// Starts everything and runs until `stop`.
///
/// # Errors
/// [`StartError`] says what the controller could not do; nothing runs then.
pub async fn run(config: Config, stop: CancellationToken) -> Result<(), StartError> {
    let metrics = Metrics::default();
    let (vault, loaded) = open_state(&config)?;
    info!(revision = %loaded.revision(), ports = loaded.port_count(), store = ?config.store, "state loaded");

    let (feed, bell) = (Feed::default(), Arc::new(Notify::new()));
    let halt = CancellationToken::new();
    let desk = open_desk(&config, (vault, loaded.clone()), (feed.clone(), bell.clone()), halt.clone())?;
    if config.authentication == Authentication::Off {
        warn!("the API answers without tokens: everyone is administrator");
    } else if let Some(path) = first_token::ensure(&desk, &config.data_dir).await? {
        info!(file = %path.display(), "the administrator's token was made");
    }

    let (pen, board) = Board::new();
    let (events, inbox) = mpsc::channel(EVENTS);
    let sessions = stop.child_token();
    let engine_stop = CancellationToken::new();
    let parts = engine_parts(&config, (loaded, feed, bell), (inbox, pen), metrics.clone());
    let engine = spawn_engine(parts, engine_stop.clone(), stop.clone()).map_err(StartError::Thread)?;

    let mut tasks = JoinSet::new();
    let most = descriptors::raise();
    serve_hosts(&config, (&desk, &events, &metrics), (&sessions, most), &mut tasks).await?;
    let resolver = resolve(&config, (&desk, &metrics), &sessions, &mut tasks);
    let south = (&desk, &events, &metrics);
    serve_switches(&config, (south, resolver), (&sessions, most), &mut tasks).await?;
    serve_api(&config, (desk, board, metrics), &sessions, &mut tasks).await?;
    drop(events);

    tokio::select! {
        () = stop.cancelled() => {}
        () = halt.cancelled() => stop.cancel(),
    }
    info!("stopping; switches keep forwarding");
    while tasks.join_next().await.is_some() {}
    engine_stop.cancel();
    // Its thread ends on its own; waiting keeps the log in order.
    drop(tokio::task::spawn_blocking(move || engine.join()).await);
    if halt.is_cancelled() { Err(StartError::StoreFailed) } else { Ok(()) }
}

fn open_state(config: &Config) -> Result<(Vault, Snapshot), StartError> {
    let vault = Vault::new(open_store(config)?);
    let loaded = vault.load()?;
    Ok((vault, loaded))
}

/// Where the store stands.
pub(crate) fn store_place(config: &Config) -> PathBuf {
    config.data_dir.join("store")
}

/// Opens the store that the settings name, and makes it if it is not there. One process at a time can.
pub(crate) fn open_store(config: &Config) -> Result<Box<dyn Store>, StartError> {
    let path = config.data_dir.clone();
    std::fs::create_dir_all(&path).map_err(|source| StartError::DataDir { path: path.clone(), source })?;
    let file = store_place(config);
    let opened = weft_store::open(
        config.store,
        &file,
        weft_store::Options { cache_bytes: config.store_cache, ..weft_store::Options::default() },
    );
    opened.map_err(|source| StartError::OpenStore { path: file, source })
}

fn open_desk(
    config: &Config,
    (vault, loaded): (Vault, Snapshot),
    (feed, bell): (Feed, Arc<Notify>),
    halt: CancellationToken,
) -> Result<Desk, StartError> {
    let settings = Settings { underlay_mtu: config.underlay_mtu, default_encap: config.encap };
    let publish = Box::new(move |snapshot: &Snapshot, touched: &[weft_model::Key]| {
        feed.publish(snapshot.clone(), touched.iter().cloned());
        bell.notify_one();
    });
    Desk::open(vault, loaded, settings, Hooks { publish, halt }).map_err(StartError::Thread)
}

fn engine_parts(
    config: &Config,
    (loaded, feed, bell): (Snapshot, Feed, Arc<Notify>),
    (events, board): (mpsc::Receiver<Event>, watch::Sender<Fleet>),
    metrics: Metrics,
) -> engine::Parts {
    let audit_share = f64::from(config.audit_share) / 100.0;
    let tuning = Tuning { audit_interval: config.audit_interval, audit_share, ..Tuning::default() };
    engine::Parts { loaded, feed, bell, events, board, tuning, metrics }
}

/// The engine computes; it has a thread of its own so that it never holds up a session, nor they it. If it panics, its
/// state may be wrong: the process ends, and the next start reads every switch back.
fn spawn_engine(
    parts: engine::Parts,
    stop: CancellationToken,
    all: CancellationToken,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name("engine".into()).spawn(move || {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(engine::run(parts, stop))
        }));
        if ended.is_err() {
            error!("the engine panicked; ending the process so that a fresh start sets everything right");
            all.cancel();
            std::process::abort();
        }
    })
}

async fn bind(address: std::net::SocketAddr, what: &'static str) -> Result<TcpListener, StartError> {
    let listener =
        TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, what, source })?;
    info!(%address, what, "listening");
    Ok(listener)
}

/// Numbers connections over the life of the process, so that an old one's last words are never taken for a new one's.
fn session_ids() -> impl Fn() -> SessionId + Send + 'static {
    let next = AtomicU64::new(1);
    move || SessionId(next.fetch_add(1, Ordering::Relaxed))
}

async fn serve_hosts(
    config: &Config,
    (desk, events, metrics): (&Desk, &mpsc::Sender<Event>, &Metrics),
    (stop, most): (&CancellationToken, usize),
    tasks: &mut JoinSet<()>,
) -> Result<(), StartError> {
    let listener = bind(config.ovsdb_listen, "hosts' OVSDB").await?;
    let context = host::Context {
        desk: desk.clone(),
        engine: events.clone(),
        openflow_target: config.openflow_target.clone(),
        openflow_port: config.openflow_listen.port(),
        tunnels: TunnelSettings { vxlan_port: config.vxlan_port, ..TunnelSettings::default() },
        metrics: metrics.clone(),
        shared: host::Shared::default(),
        stop: stop.clone(),
    };
    let (ids, stop) = (session_ids(), stop.clone());
    tasks.spawn(async move {
        let kind = Kind { name: "ovsdb", most };
        listen(kind, listener, stop, |stream| host::serve(stream, ids(), context.clone())).await;
    });
    Ok(())
}

/// Starts the task that asks other DNS servers.
fn resolve(
    config: &Config,
    (desk, metrics): (&Desk, &Metrics),
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Resolver {
    let (resolver, errands) = dns::open(desk.watch(), config.dns_servers.clone(), metrics.clone());
    tasks.spawn(dns::run(errands, stop.clone()));
    resolver
}

async fn serve_switches(
    config: &Config,
    ((desk, events, metrics), resolver): ((&Desk, &mpsc::Sender<Event>, &Metrics), Resolver),
    (stop, most): (&CancellationToken, usize),
    tasks: &mut JoinSet<()>,
) -> Result<(), StartError> {
    let listener = bind(config.openflow_listen, "integration bridges' OpenFlow").await?;
    let (notices, inbox) = mpsc::channel(notices::QUEUE);
    tasks.spawn(notices::run(inbox, metrics.clone()));
    let (engine, metrics) = (events.clone(), metrics.clone());
    let (pace, crowd, stop_all) = (switch::Pace::default(), Crowd::default(), stop.clone());
    let advertising = Advertising { snapshots: Some(desk.watch()), interval: config.advertise_interval };
    let resolver = Some(resolver);
    let context =
        switch::Context { engine, notices, metrics, pace, crowd, advertising, resolver, stop: stop_all };
    let (ids, stop) = (session_ids(), stop.clone());
    tasks.spawn(async move {
        let kind = Kind { name: "openflow", most };
        listen(kind, listener, stop, |stream| switch::serve(stream, ids(), context.clone())).await;
    });
    Ok(())
}

/// How long a client of the API may leave what it was sent untaken, in milliseconds.
const STUCK: u32 = 60_000;

/// Lets the system end a connection whose other end takes nothing any more: no answer waits for it for ever.
fn cut_off_stuck(stream: &mut TcpStream) {
    if let Err(error) = setsockopt(stream, sockopt::TcpUserTimeout, &STUCK) {
        warn!(%error, "a connection of the API has no time limit");
    }
}

async fn serve_api(
    config: &Config,
    (desk, board, metrics): (Desk, Board, Metrics),
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<(), StartError> {
    let listener = bind(config.api_listen, "the REST API").await?;
    let (authentication, stop) = (config.authentication, stop.clone());
    let router = rest::router(desk, board, rest::Config { metrics, authentication, stop: stop.clone() });
    tasks.spawn(async move {
        let served = axum::serve(listener.tap_io(cut_off_stuck), router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await;
        if let Err(error) = served {
            error!(%error, "the REST API ended");
        }
    });
    Ok(())
}
