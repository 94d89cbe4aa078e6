//! Detaching: what attaching made is taken away, what it took stays.

use std::time::Duration;

use serde::Serialize;

use crate::agent::Agent;
use crate::attach::is_gone;
use crate::error::AgentError;
use crate::host_db::HostDb;
use crate::journal::{delete_port, remove_link};
use crate::marks::{Attachment, Origin};
use crate::namespace::{Namespace, Place};

/// Which attachments to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// That of a port, by id or name.
    Port(String),
    /// That of a workload's interface.
    Inside(Place, String),
    /// That of an interface of the host.
    HostIfname(String),
    /// All whose interface is no longer there.
    Gone,
}

/// What becomes of the port itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortFate {
    /// Deleted if the agent made it.
    AsItCame,
    /// Kept in any case.
    Kept,
    /// Deleted in any case.
    Deleted,
}

/// What was detached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detached {
    /// The id of the port.
    pub port: String,
    /// The name of the host's end.
    pub host_ifname: String,
    /// Whether the port was deleted.
    pub port_deleted: bool,
}

/// Detaches; nothing attached is no error, so that it can be repeated.
///
/// # Errors
/// See [`AgentError`].
pub async fn detach(
    agent: &Agent,
    which: &Which,
    fate: PortFate,
    patience: Duration,
) -> Result<Vec<Detached>, AgentError> {
    let mut db = HostDb::open(&agent.db, patience).await?;
    let mut detached = Vec::new();
    for attachment in chosen(agent, &db, which).await? {
        detached.push(one(agent, &mut db, &attachment, fate).await?);
    }
    Ok(detached)
}

async fn one(
    agent: &Agent,
    db: &mut HostDb,
    attachment: &Attachment,
    fate: PortFate,
) -> Result<Detached, AgentError> {
    let port_deleted = match fate {
        PortFate::Kept => false,
        PortFate::Deleted => true,
        PortFate::AsItCame => attachment.port_origin == Origin::Made,
    };
    // The port first: if the controller cannot be reached, all is as before and detaching can be repeated.
    if port_deleted {
        delete_port(agent, &attachment.port).await?;
    }
    db.unplug(&attachment.host_ifname, &attachment.port).await?;
    if attachment.device == Origin::Made {
        remove_link(&attachment.host_ifname).await?;
    }
    Ok(Detached { port: attachment.port.clone(), host_ifname: attachment.host_ifname.clone(), port_deleted })
}

async fn chosen(agent: &Agent, db: &HostDb, which: &Which) -> Result<Vec<Attachment>, AgentError> {
    let all = db.attachments();
    let those = |wanted: &dyn Fn(&Attachment) -> bool| all.iter().filter(|a| wanted(a)).cloned().collect();
    Ok(match which {
        Which::HostIfname(name) => those(&|attachment| attachment.host_ifname == *name),
        Which::Inside(place, ifname) => {
            // Its last process may have ended: then the path still says which one it was.
            let id = Namespace::open(place).ok().map(|namespace| namespace.id().clone());
            let path = place.path().display().to_string();
            let is_it = |attachment: &Attachment| {
                attachment.inside.as_ref().is_some_and(|inside| {
                    let same = id.as_ref().map_or(inside.path == path, |id| *id == inside.id);
                    same && inside.ifname == *ifname
                })
            };
            those(&is_it)
        }
        Which::Port(text) => {
            let by_id: Vec<Attachment> = those(&|attachment| attachment.port == *text);
            if !by_id.is_empty() {
                return Ok(by_id);
            }
            let id = agent.rest.ports().find(text).await?.value.id;
            those(&|attachment| attachment.port == id)
        }
        Which::Gone => {
            let mut gone = Vec::new();
            for attachment in all {
                if is_gone(&attachment).await? {
                    gone.push(attachment);
                }
            }
            gone
        }
    })
}
