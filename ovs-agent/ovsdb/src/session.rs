//! A session with one `ovsdb-server` over any connection: how to start it, and what can be asked of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use uuid::Uuid;

use crate::column::Clause;
use crate::conversation::{Command, Event, MonitorMethod, Purpose, Started};
use crate::driver::Driver;
use crate::error::{Error, Reason, Refusal};
use crate::framing::DEFAULT_MESSAGE_LIMIT;
use crate::mirror::{Mirror, MonitorId};
use crate::plan::{Conditions, conditions};
use crate::replica::{Replica, Start};
use crate::schema::Schema;
use crate::table::Table;
use crate::transaction::{Committed, Transaction};

/// The bounds of a session.
#[derive(Debug, Clone)]
pub struct Options {
    /// The longest message taken or sent, in bytes.
    pub message_limit: usize,
    /// How long the peer may be quiet before it is probed, and how long it then has to answer. None: never probed.
    pub probe_interval: Option<Duration>,
    /// How many requests may be without an answer at once; more of them wait.
    pub in_flight: usize,
    /// How many rows one monitor may show; more of them end the session.
    pub row_limit: usize,
    /// How many events may wait to be taken. Beyond that, changes are folded together row by row.
    pub event_queue: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            message_limit: DEFAULT_MESSAGE_LIMIT,
            probe_interval: Some(Duration::from_secs(5)),
            in_flight: 256,
            row_limit: 1_000_000,
            event_queue: 4,
        }
    }
}

/// Starts sessions.
#[derive(Debug)]
pub struct Session;

impl Session {
    /// Starts a session in a task of its own. A panic there ends this session and nothing else.
    pub fn start<S>(io: S, options: Options) -> (Client, Events)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (client, events, driver) = Session::over(io, options);
        tokio::spawn(driver.run());
        (client, events)
    }

    /// A session that goes as far as its driver is run, for who wants to spawn all tasks in one place.
    pub fn over<S: AsyncRead + AsyncWrite>(io: S, options: Options) -> (Client, Events, Driver<S>) {
        let (command_sender, commands) = mpsc::channel(options.in_flight.max(1));
        let (events, event_receiver) = mpsc::channel(options.event_queue.max(1));
        let shared = Arc::new(Shared {
            next_id: AtomicU64::new(1),
            permits: Arc::new(Semaphore::new(options.in_flight.max(1))),
            message_limit: options.message_limit,
            row_limit: options.row_limit,
        });
        let client = Client { commands: command_sender, shared: Arc::clone(&shared) };
        let events_end = Events { receiver: event_receiver, is_over: false };
        (client, events_end, Driver { io, options, shared, commands, events })
    }
}

/// What the clients of a session and its driver have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    next_id: AtomicU64,
    permits: Arc<Semaphore>,
    message_limit: usize,
    row_limit: usize,
}

impl Shared {
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn close(&self) {
        self.permits.close();
    }
}

/// The events of a session, for one taker.
#[derive(Debug)]
pub struct Events {
    /// Boxed: a channel keeps room for 32 of what it carries, and there are thousands of sessions.
    receiver: mpsc::Receiver<Box<Event>>,
    is_over: bool,
}

impl Events {
    /// The next event; nothing after [`Event::Disconnected`]. Dropping the wait loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        // A driver that was dropped or panicked could not give its reason.
        let event = self.receiver.recv().await.map_or(Event::Disconnected(Error::Closed), |event| *event);
        self.is_over = matches!(event, Event::Disconnected(_));
        Some(event)
    }
}

/// Asks a server for things. Clones share the session; requests of all of them are sent in the order in which they were
/// made, without waiting for answers.
#[derive(Debug, Clone)]
pub struct Client {
    commands: mpsc::Sender<Box<Command>>,
    shared: Arc<Shared>,
}

/// What was learned when a monitor started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// The monitor, as its batches name it.
    pub monitor: MonitorId,
    /// The method that this server knew.
    pub method: MonitorMethod,
    /// Whether the server sent only what the mirror did not know. The first batch is the difference in any case.
    pub is_resumed: bool,
}

/// Whether a lock is ours already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It is.
    Held,
    /// Another session has it; [`Event::Locked`] will tell.
    Awaited,
}

impl Client {
    /// The names of the server's databases.
    pub async fn list_dbs(&self) -> Result<Vec<String>, Error> {
        self.ask("list_dbs", &[(); 0]).await
    }

    /// The schema of a database.
    pub async fn get_schema(&self, database: &str) -> Result<Schema, Error> {
        self.ask("get_schema", &[database]).await
    }

    /// The text of a database's schema: hosts with the same Open vSwitch have the same, and it takes longer to read than to
    /// compare.
    pub async fn schema_text(&self, database: &str) -> Result<Box<RawValue>, Error> {
        let text = self.call("get_schema", &[database]).await?;
        text.ok_or_else(|| Error::Decode {
            what: "get_schema",
            source: serde::de::Error::custom("there is no schema"),
        })
    }

    /// Runs a transaction. An operation that fails makes all of it fail ([`Error::Aborted`]).
    pub async fn transact(&self, transaction: &Transaction) -> Result<Committed, Error> {
        self.submit(transaction).await?.outcome().await
    }

    /// Sends a transaction without waiting for what comes of it.
    pub async fn submit(&self, transaction: &Transaction) -> Result<Submitted, Error> {
        let (answer, receiver) = oneshot::channel();
        let id = self.send("transact", transaction, Purpose::Call(answer)).await?;
        Ok(Submitted { client: self.clone(), id, operations: transaction.len(), receiver })
    }

    /// Starts to monitor what the mirror's plan names, going on from what the mirror holds, by the best method that the
    /// server knows.
    pub async fn monitor(&self, mirror: &Mirror) -> Result<Watch, Error> {
        match self.monitor_by(MonitorMethod::CondSince, mirror).await {
            Err(error) if is_unknown_method(&error) => {}
            result => return result,
        }
        match self.monitor_by(MonitorMethod::Cond, mirror).await {
            // Without conditions a server would show rows that the plan leaves out.
            Err(error) if is_unknown_method(&error) && !mirror.plan.is_conditional() => {}
            result => return result,
        }
        self.monitor_by(MonitorMethod::Plain, mirror).await
    }

    /// Starts to monitor by this method. Conditions of the plan are not sent with [`MonitorMethod::Plain`].
    pub async fn monitor_by(&self, method: MonitorMethod, mirror: &Mirror) -> Result<Watch, Error> {
        let id = MonitorId(self.shared.next_id());
        let replica = Box::new(Replica::from_mirror(mirror, self.shared.row_limit));
        let database = mirror.plan.database();
        let (name, params) = match method {
            MonitorMethod::CondSince => {
                let last = replica.last().map_or(Uuid::nil(), |last| last.0);
                let params = (database, id.0, replica.plan().requests(Conditions::Sent), last);
                ("monitor_cond_since", encode("monitor_cond_since", &params)?)
            }
            MonitorMethod::Cond => {
                let params = (database, id.0, replica.plan().requests(Conditions::Sent));
                ("monitor_cond", encode("monitor_cond", &params)?)
            }
            MonitorMethod::Plain => {
                let params = (database, id.0, replica.plan().requests(Conditions::Unknown));
                ("monitor", encode("monitor", &params)?)
            }
        };
        let (answer, receiver) = oneshot::channel();
        self.send_raw(name, params, Purpose::Monitor { id, replica, method, answer }).await?;
        let Started { start } = receiver.await.map_err(|_| Error::Closed)??;
        Ok(Watch { monitor: id, method, is_resumed: start == Start::Resumed })
    }

    /// Shows other rows of a table from now on: those that meet at least one of the conditions, none if there is none.
    pub async fn monitor_cond_change<T: Table>(
        &self,
        monitor: MonitorId,
        any: &[Clause<T>],
    ) -> Result<(), Error> {
        let any: Vec<_> = any.iter().map(|clause| clause.condition.clone()).collect();
        let request = serde_json::json!({ T::NAME: [{ "where": conditions(&any) }] });
        self.tell("monitor_cond_change", &(monitor.0, monitor.0, request)).await
    }

    /// Ends a monitor. Its changes that were not taken yet are dropped.
    pub async fn monitor_cancel(&self, monitor: MonitorId) -> Result<(), Error> {
        let (answer, receiver) = oneshot::channel();
        self.send("monitor_cancel", &[monitor.0], Purpose::EndMonitor { id: monitor, answer }).await?;
        receiver.await.map_err(|_| Error::Closed)?.map(drop)
    }

    /// Asks for a lock and queues for it.
    pub async fn lock(&self, lock: &str) -> Result<Lock, Error> {
        self.ask_for_lock("lock", lock).await
    }

    /// Takes a lock, from its holder if there is one.
    pub async fn steal(&self, lock: &str) -> Result<Lock, Error> {
        self.ask_for_lock("steal", lock).await
    }

    /// Gives a lock back, or leaves the queue for it.
    pub async fn unlock(&self, lock: &str) -> Result<(), Error> {
        self.tell("unlock", &[lock]).await
    }

    /// Asks the server not to close the session when a database's schema changes or a database comes or goes.
    pub async fn set_db_change_aware(&self) -> Result<(), Error> {
        self.tell("set_db_change_aware", &[true]).await
    }

    /// The identity of the server process: another one after a restart.
    pub async fn get_server_id(&self) -> Result<Uuid, Error> {
        self.ask("get_server_id", &[(); 0]).await
    }

    /// Asks for a sign of life.
    pub async fn echo(&self) -> Result<(), Error> {
        self.tell("echo", &[(); 0]).await
    }

    /// Changes a database's schema to this one, given as the text of a schema file.
    pub async fn convert(&self, database: &str, schema: &RawValue) -> Result<(), Error> {
        self.tell("convert", &(database, schema)).await
    }

    /// Ends the session once everything asked before has been sent.
    pub async fn close(&self) {
        // If it can't be said any more, the session is over already.
        let _ = self.commands.send(Box::new(Command::Close)).await;
    }

    /// Whether the session is over.
    pub fn is_closed(&self) -> bool {
        self.shared.permits.is_closed() || self.commands.is_closed()
    }

    async fn ask_for_lock(&self, method: &'static str, lock: &str) -> Result<Lock, Error> {
        #[derive(serde::Deserialize)]
        struct Wire {
            locked: bool,
        }
        let Wire { locked } = self.ask(method, &[lock]).await?;
        Ok(if locked { Lock::Held } else { Lock::Awaited })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<T, Error> {
        let result = self.call(method, params).await?;
        let text = result.as_deref().map_or("null", RawValue::get);
        serde_json::from_str(text).map_err(|source| Error::Decode { what: method, source })
    }

    async fn tell(&self, method: &'static str, params: &impl Serialize) -> Result<(), Error> {
        self.call(method, params).await.map(drop)
    }

    async fn call(
        &self,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<Option<Box<RawValue>>, Error> {
        let (answer, receiver) = oneshot::channel();
        self.send(method, params, Purpose::Call(answer)).await?;
        receiver.await.map_err(|_| Error::Closed)?
    }

    async fn send(
        &self,
        method: &'static str,
        params: &impl Serialize,
        purpose: Purpose,
    ) -> Result<u64, Error> {
        self.send_raw(method, encode(method, params)?, purpose).await
    }

    async fn send_raw(
        &self,
        method: &'static str,
        params: Box<RawValue>,
        purpose: Purpose,
    ) -> Result<u64, Error> {
        let (size, limit) = (params.get().len(), self.shared.message_limit);
        if size > limit {
            return Err(Error::TooLarge { method, size, limit });
        }
        let permit = self.permit().await?;
        let id = self.shared.next_id();
        let command = Command::Request { id, method, params, purpose, permit };
        self.commands.send(Box::new(command)).await.map_err(|_| Error::Closed)?;
        Ok(id)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.shared.permits).acquire_owned().await.map_err(|_| Error::Closed)
    }
}

/// A transaction on its way.
#[derive(Debug)]
pub struct Submitted {
    client: Client,
    id: u64,
    operations: usize,
    receiver: oneshot::Receiver<Result<Option<Box<RawValue>>, Error>>,
}

impl Submitted {
    /// What came of it.
    pub async fn outcome(self) -> Result<Committed, Error> {
        match self.receiver.await.map_err(|_| Error::Closed)?? {
            Some(result) => Committed::read(&result, self.operations),
            None => Ok(Committed::default()),
        }
    }

    /// Takes it back. What came of it tells whether that was in time: if so, nothing was done and the refusal says
    /// [`Reason::Canceled`].
    pub async fn cancel(self) -> Result<Committed, Error> {
        let command = Command::Cancel { id: self.id, fence: self.client.shared.next_id() };
        self.client.commands.send(Box::new(command)).await.map_err(|_| Error::Closed)?;
        self.outcome().await
    }
}

fn encode(method: &'static str, params: &impl Serialize) -> Result<Box<RawValue>, Error> {
    to_raw_value(params).map_err(|source| Error::Encode { method, source })
}

fn is_unknown_method(error: &Error) -> bool {
    matches!(error, Error::Refused { refusal: Refusal { reason: Reason::UnknownMethod, .. }, .. })
}
