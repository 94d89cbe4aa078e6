//! What has been done on the way to an attachment, so that all of it can be undone when the rest fails.

use std::time::Duration;

use tracing::warn;
use weft_client::ClientError;

use crate::agent::Agent;
use crate::error::AgentError;
use crate::host_db::HostDb;
use crate::links;
use crate::namespace::Namespace;

/// How long undoing may wait for the host's database.
const PATIENCE: Duration = Duration::from_secs(5);

/// One thing to undo. Undoing what never came to be, or is gone, is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undo {
    /// A port that is known by what uses it: noted before it is made, as the answer may get lost.
    MadePort {
        /// Its `device_id`.
        device_id: String,
    },
    /// An interface of the host, with its other end.
    MadeLink(String),
    /// A port of the bridge.
    Plugged {
        /// Its name.
        host_ifname: String,
        /// The port it is bound to.
        port: String,
    },
}

/// What has been done, in that order.
#[derive(Debug, Default)]
pub(crate) struct Journal(Vec<Undo>);

impl Journal {
    /// Notes something.
    pub(crate) fn note(&mut self, undo: Undo) {
        self.0.push(undo);
    }

    /// Undoes everything, last first; what cannot be undone is logged and the rest is undone all the same.
    pub(crate) async fn undo(self, agent: &Agent) {
        for undo in self.0.into_iter().rev() {
            if let Err(error) = one(agent, &undo).await {
                warn!(?undo, error = error.chain(), "could not be undone");
            }
        }
    }
}

async fn one(agent: &Agent, undo: &Undo) -> Result<(), AgentError> {
    match undo {
        Undo::MadePort { device_id } => {
            for port in agent.rest.ports().list(&[("device_id", device_id)]).await?.value {
                if port.device_id == *device_id {
                    delete_port(agent, &port.id).await?;
                }
            }
            Ok(())
        }
        Undo::MadeLink(name) => remove_link(name).await,
        Undo::Plugged { host_ifname, port } => {
            // A session of its own: the one that was used may be what failed.
            HostDb::open(&agent.db, PATIENCE).await?.unplug(host_ifname, port).await
        }
    }
}

/// Deletes a port of the controller; none is no error.
pub(crate) async fn delete_port(agent: &Agent, id: &str) -> Result<(), AgentError> {
    match agent.rest.ports().delete(id).await {
        Ok(_) => Ok(()),
        Err(error) if ClientError::is_not_found(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes an interface of the host; none is no error.
pub(crate) async fn remove_link(name: &str) -> Result<(), AgentError> {
    let name = name.to_owned();
    Namespace::here()?.within(async move |handle| links::remove(handle, &name).await).await
}
