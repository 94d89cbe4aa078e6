//! The host's own Open vSwitch database, as far as attaching and joining need it.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use weft_ovsdb::vswitch::{Bridge, DATABASE, Interface, Manager, OpenVSwitch, Port};
use weft_ovsdb::{
    Address, Client, Event, Events, Id, Lock, Mirror, Options, Plan, Table, Target, Transaction,
};

use crate::error::AgentError;
use crate::marks::{Attachment, IFACE_ID, OWNER};

/// The bridge that the controller makes on every host.
pub const BRIDGE: &str = "br-int";
/// How often a change is tried again that met another one.
const ATTEMPTS: usize = 10;

/// A session with the host's database and a copy of what matters in it.
#[derive(Debug)]
pub struct HostDb {
    client: Client,
    events: Events,
    mirror: Mirror,
    locks: BTreeSet<String>,
}

impl HostDb {
    /// Connects and reads.
    ///
    /// # Errors
    /// [`AgentError::Database`], [`AgentError::EmptyDatabase`].
    pub async fn open(address: &Address, patience: Duration) -> Result<HostDb, AgentError> {
        let (client, events) = weft_ovsdb::connect(address, Options::default()).await?;
        let schema = client.get_schema(DATABASE).await?;
        let plan = Plan::of(&schema)
            .table::<OpenVSwitch>()
            .and_then(|plan| plan.table::<Bridge>())
            .and_then(|plan| plan.table::<Port>())
            .and_then(|plan| plan.table::<Interface>())
            .and_then(|plan| plan.table::<Manager>())
            .map_err(weft_ovsdb::Error::from)?
            .build();
        let mirror = Mirror::new(plan);
        client.monitor(&mirror).await?;
        let mut db = HostDb { client, events, mirror, locks: BTreeSet::new() };
        match db.until(patience, |mirror| mirror.find::<OpenVSwitch>(|_| true)).await? {
            Some(_) => Ok(db),
            None => Err(AgentError::EmptyDatabase),
        }
    }

    /// What the database holds, as of the last change that was taken in.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// Waits until the database holds something; nothing when the time is up. May be given up at any time.
    ///
    /// # Errors
    /// [`AgentError::Database`] when the session ends.
    pub async fn until<T>(
        &mut self,
        patience: Duration,
        wanted: impl Fn(&Mirror) -> Option<T>,
    ) -> Result<Option<T>, AgentError> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(found) = wanted(&self.mirror) {
                return Ok(Some(found));
            }
            if !self.take(deadline).await? {
                return Ok(None);
            }
        }
    }

    /// Takes the next event in; false when none came in time.
    async fn take(&mut self, deadline: Instant) -> Result<bool, AgentError> {
        match timeout_at(deadline, self.events.next()).await {
            Err(_) => return Ok(false),
            Ok(None) => return Err(weft_ovsdb::Error::Closed.into()),
            Ok(Some(Event::Disconnected(error))) => return Err(error.into()),
            Ok(Some(Event::Changed(batch))) => self.mirror.apply(&batch),
            Ok(Some(Event::Locked(lock))) => drop(self.locks.insert(lock)),
            Ok(Some(Event::Stolen(lock))) => drop(self.locks.remove(&lock)),
        }
        Ok(true)
    }

    /// Keeps other agents away from a place until this session ends or [`HostDb::unlock`] is called.
    ///
    /// # Errors
    /// [`AgentError::Busy`] when another one stays there.
    pub async fn lock(&mut self, place: &str, patience: Duration) -> Result<(), AgentError> {
        let name = lock_name(place);
        if self.client.lock(&name).await? == Lock::Held {
            return Ok(());
        }
        let deadline = Instant::now() + patience;
        while !self.locks.contains(&name) {
            if !self.take(deadline).await? {
                return Err(AgentError::Busy { place: place.to_owned(), patience });
            }
        }
        Ok(())
    }

    /// Lets other agents in again.
    ///
    /// # Errors
    /// [`AgentError::Database`].
    pub async fn unlock(&mut self, place: &str) -> Result<(), AgentError> {
        Ok(self.client.unlock(&lock_name(place)).await?)
    }

    /// Changes the root row: the change is computed again and tried again while others change it too.
    ///
    /// # Errors
    /// [`AgentError::Database`].
    pub async fn change_root(
        &mut self,
        change: impl Fn(&Mirror, Id<OpenVSwitch>, &OpenVSwitch, &mut Transaction) -> bool,
    ) -> Result<bool, AgentError> {
        for attempt in 1.. {
            let (root, row) = self.root()?;
            let mut txn = Transaction::on(DATABASE);
            let same = OpenVSwitch::record()
                .set(OpenVSwitch::external_ids(), row.external_ids.clone())
                .set(OpenVSwitch::manager_options(), row.manager_options.clone());
            txn.expect(root, same);
            if !change(&self.mirror, root, &row, &mut txn) {
                return Ok(false);
            }
            match self.client.transact(&txn).await {
                Ok(_) => return Ok(true),
                // Someone was faster; what they did is on its way to us.
                Err(error) if error.is_stale() && attempt < ATTEMPTS => {
                    self.take(Instant::now() + Duration::from_secs(1)).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the loop ends by returning")
    }

    /// The root row.
    ///
    /// # Errors
    /// [`AgentError::EmptyDatabase`].
    pub fn root(&self) -> Result<(Id<OpenVSwitch>, OpenVSwitch), AgentError> {
        self.mirror.find::<OpenVSwitch>(|_| true).ok_or(AgentError::EmptyDatabase)
    }

    /// Everything that agents have attached on this host.
    pub fn attachments(&self) -> Vec<Attachment> {
        let rows = self.mirror.rows::<Interface>();
        let mut found: Vec<_> =
            rows.filter_map(|(_, row)| Attachment::read(&row.name, &row.external_ids)).collect();
        found.sort_by(|a, b| a.host_ifname.cmp(&b.host_ifname));
        found
    }

    /// The integration bridge, for which it waits.
    ///
    /// # Errors
    /// [`AgentError::NoBridge`] when there is none in time.
    pub async fn bridge(&mut self, patience: Duration) -> Result<Bridge, AgentError> {
        let find = |mirror: &Mirror| mirror.find::<Bridge>(|bridge| bridge.name == BRIDGE);
        match self.until(patience, find).await? {
            Some((_, bridge)) => Ok(bridge),
            None => Err(AgentError::NoBridge { bridge: BRIDGE, patience, managers: self.managers() }),
        }
    }

    /// Waits until Open vSwitch has taken an interface; its OpenFlow port number.
    ///
    /// # Errors
    /// [`AgentError::Interface`] when it cannot, [`AgentError::NoOfport`] when nothing happens.
    pub async fn ofport(&mut self, name: &str, patience: Duration) -> Result<i64, AgentError> {
        let settled = |mirror: &Mirror| {
            let (_, row) = mirror.find::<Interface>(|row| row.name == name)?;
            match (row.ofport, row.error) {
                (Some(number), _) if number > 0 => Some(Ok(number)),
                (Some(_), reason) => Some(Err(reason.unwrap_or_else(|| "no reason given".to_owned()))),
                (None, _) => None,
            }
        };
        match self.until(patience, settled).await? {
            Some(Ok(number)) => Ok(number),
            Some(Err(reason)) => Err(AgentError::Interface { name: name.to_owned(), reason }),
            None => Err(AgentError::NoOfport { name: name.to_owned(), patience }),
        }
    }

    /// The interface row of a name.
    pub fn interface(&self, name: &str) -> Option<Interface> {
        self.mirror.find::<Interface>(|row| row.name == name).map(|(_, row)| row)
    }

    /// Plugs an interface into the integration bridge.
    ///
    /// # Errors
    /// [`AgentError::Elsewhere`] when another interface is bound to the port, [`AgentError::Database`] when the name is
    /// taken or the bridge is gone.
    pub async fn plug(&mut self, attachment: &Attachment) -> Result<(), AgentError> {
        let Some((bridge, _)) = self.mirror.find::<Bridge>(|bridge| bridge.name == BRIDGE) else {
            return Err(AgentError::NoBridge {
                bridge: BRIDGE,
                patience: Duration::ZERO,
                managers: String::new(),
            });
        };
        let bound = Interface::external_ids().includes([(IFACE_ID, attachment.port.as_str())]);
        let mut txn = Transaction::on(DATABASE);
        txn.expect_none(Target::<Interface>::from(bound));
        let name = attachment.host_ifname.as_str();
        let interface = txn.insert(
            Interface::record()
                .set(Interface::name(), name)
                .set(Interface::external_ids(), attachment.external_ids()),
        );
        let ids = [(OWNER, attachment.port.as_str())];
        let port = txn.insert(
            Port::record()
                .set(Port::name(), name)
                .set(Port::interfaces(), [interface])
                .set(Port::external_ids(), ids),
        );
        txn.mutate(bridge, Bridge::ports().insert([port]));
        txn.comment(format!("weft-agent: attach {name}"));
        match self.client.transact(&txn).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_stale() => {
                let place = self.bound_to(&attachment.port);
                Err(AgentError::Elsewhere { port: attachment.port.clone(), place })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The interface that is bound to a port, in words.
    fn bound_to(&self, port: &str) -> String {
        let is_bound = |row: &Interface| row.external_ids.get(IFACE_ID).is_some_and(|id| id == port);
        self.mirror.find(is_bound).map_or_else(|| "another interface".to_owned(), |(_, row)| row.name)
    }

    /// Takes what an agent has plugged for a port off its bridge; nothing plugged is no error.
    ///
    /// # Errors
    /// [`AgentError::Database`].
    pub async fn unplug(&mut self, host_ifname: &str, port: &str) -> Result<(), AgentError> {
        let is_ours =
            |row: &Port| row.name == host_ifname && row.external_ids.get(OWNER).is_some_and(|id| id == port);
        let Some((id, _)) = self.mirror.find::<Port>(is_ours) else { return Ok(()) };
        let mut txn = Transaction::on(DATABASE);
        // Rows of ports go when no bridge has them any more.
        txn.mutate(Target::<Bridge>::every(), Bridge::ports().delete([id]));
        txn.comment(format!("weft-agent: detach {host_ifname}"));
        self.client.transact(&txn).await?;
        Ok(())
    }

    /// What the database says about its managers, for messages: `; manager tcp:... is not connected (...)`.
    pub fn managers(&self) -> String {
        let mut text = String::new();
        for (_, manager) in self.mirror.rows::<Manager>() {
            let state = if manager.is_connected { "is connected" } else { "is not connected" };
            let why = manager.status.get("last_error").map(|error| format!(" ({error})")).unwrap_or_default();
            text.push_str(&format!("; manager {} {state}{why}", manager.target));
        }
        if text.is_empty() { "; it has no manager".to_owned() } else { text }
    }
}

/// Locks of the protocol are named like variables.
fn lock_name(place: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("weft_agent_{}", place.chars().map(plain).collect::<String>())
}
