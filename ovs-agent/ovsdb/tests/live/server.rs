//! A private `ovsdb-server` with an empty Open_vSwitch database, and what tests do to and with it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use weft_ovsdb::vswitch::{Bridge, DATABASE, Interface, OpenVSwitch, Port};
use weft_ovsdb::{
    Address, Batch, Client, Event, Events, Id, Mirror, Options, Plan, Session, Table, Target, Transaction,
};

pub const PATIENCE: Duration = Duration::from_secs(20);
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// No test takes this long: then its server is killed, so that whoever waits for an answer hears of the end.
const WATCHDOG: Duration = Duration::from_secs(30);

pub struct Server {
    dir: TempDir,
    child: Arc<Mutex<Child>>,
    /// Dropped with the server, which calls the watchdog off.
    _watched: Sender<()>,
}

impl Server {
    /// A server whose database has its root row and nothing else.
    pub async fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let made =
            Command::new("ovsdb-tool").arg("create").arg(dir.path().join("conf.db")).arg(SCHEMA).status()?;
        ensure!(made.success(), "ovsdb-tool failed");
        let child = Arc::new(Mutex::new(spawn(&dir)?));
        let _watched = watch(Arc::clone(&child));
        let server = Server { dir, child, _watched };
        let (client, _events) = server.connect().await?;
        let mut txn = Transaction::on(DATABASE);
        txn.insert(OpenVSwitch::record());
        client.transact(&txn).await?;
        Ok(server)
    }

    /// Kills the server and starts it again on the same database.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        std::fs::remove_file(self.socket())?;
        *locked(&self.child) = spawn(&self.dir)?;
        self.connect().await.map(drop)
    }

    pub fn kill(&mut self) {
        kill(&self.child);
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("db.sock")
    }

    /// Connects as soon as the server listens.
    pub async fn connect(&self) -> Result<(Client, Events)> {
        self.connect_with(Options::default()).await
    }

    pub async fn connect_with(&self, options: Options) -> Result<(Client, Events)> {
        let address = Address::Unix(self.socket());
        let listening = async {
            loop {
                match weft_ovsdb::connect(&address, options.clone()).await {
                    Ok(session) => return session,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, listening).await.context("the server never listened")
    }

    /// What the tool of Open vSwitch itself says about a table, as JSON text without spaces around.
    pub fn dump(&self, table: &str, columns: &str) -> Result<String> {
        let output = Command::new("ovsdb-client")
            .args(["dump", "--format=json", "--data=json"])
            .arg(format!("unix:{}", self.socket().display()))
            .args([DATABASE, table])
            .args(columns.split_whitespace())
            .output()?;
        ensure!(output.status.success(), "ovsdb-client: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn locked(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill(child: &Mutex<Child>) {
    let mut child = locked(child);
    let _ = child.kill();
    let _ = child.wait();
}

fn watch(child: Arc<Mutex<Child>>) -> Sender<()> {
    let (watched, gone) = channel();
    std::thread::spawn(move || {
        if gone.recv_timeout(WATCHDOG) == Err(RecvTimeoutError::Timeout) {
            kill(&child);
        }
    });
    watched
}

fn spawn(dir: &TempDir) -> Result<Child> {
    let at = |name: &str| dir.path().join(name);
    Command::new("ovsdb-server")
        .arg(at("conf.db"))
        .arg(format!("--remote=punix:{}", at("db.sock").display()))
        .arg("--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
        .arg(format!("--unixctl={}", at("ctl").display()))
        .arg("-vconsole:off")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("could not start ovsdb-server")
}

/// A plan of the four tables that make a bridge with ports.
pub async fn plan(client: &Client) -> Result<Arc<Plan>> {
    let schema = client.get_schema(DATABASE).await?;
    let plan =
        Plan::of(&schema).table::<OpenVSwitch>()?.table::<Bridge>()?.table::<Port>()?.table::<Interface>()?;
    Ok(plan.build())
}

/// The next changes; any other event is a failure.
pub async fn changes(events: &mut Events) -> Result<Batch> {
    match tokio::time::timeout(PATIENCE, events.next()).await.context("no event came")? {
        Some(Event::Changed(batch)) => Ok(batch),
        other => bail!("not a change: {other:?}"),
    }
}

/// Applies changes until the mirror is as wanted.
pub async fn settle(
    events: &mut Events,
    mirror: &mut Mirror,
    wanted: impl Fn(&Mirror) -> bool,
) -> Result<()> {
    while !wanted(mirror) {
        let batch = changes(events).await?;
        mirror.apply(&batch);
    }
    Ok(())
}

/// Adds a bridge to the one root row.
pub async fn add_bridge(client: &Client, name: &str) -> Result<Id<Bridge>> {
    let mut txn = Transaction::on(DATABASE);
    let bridge = txn.insert(Bridge::record().set(Bridge::name(), name));
    txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::bridges().insert([bridge]));
    client.transact(&txn).await?.id(bridge).context("the bridge got no identity")
}

/// Starts a session over one end of a pipe; the other end is the test's to speak for the server.
pub fn piped(options: Options) -> (Client, Events, tokio::io::DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (client, events) = Session::start(ours, options);
    (client, events, theirs)
}
