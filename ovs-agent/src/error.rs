//! What can go wrong on a host, named after what was being done.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use weft_client::ClientError;

/// Why something on a host failed.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The host's database could not be reached or spoken to.
    #[error("speaking to the host's Open vSwitch database")]
    Database(#[from] weft_ovsdb::Error),
    /// A call of the controller's API failed.
    #[error(transparent)]
    Api(#[from] ClientError),
    /// The namespace could not be opened or entered.
    #[error("entering the network namespace {}", path.display())]
    Namespace {
        /// The file that stands for it.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The kernel refused something about an interface, an address or a route.
    #[error("{doing}")]
    Kernel {
        /// What was being done.
        doing: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// An interface that should be there is not.
    #[error("there is no interface {name:?} {place}")]
    NoInterface {
        /// Its name.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// An interface is there that is in the way.
    #[error("there is an interface {name:?} {place} already that Weft did not put there")]
    InTheWay {
        /// Its name.
        name: String,
        /// Where it is.
        place: String,
    },
    /// The controller has not made the integration bridge.
    #[error(
        "there is no bridge {bridge} after {patience:?}: has this host joined a controller (`weft-agent join`), and is it reachable?{managers}"
    )]
    NoBridge {
        /// The bridge.
        bridge: &'static str,
        /// How long it was waited for.
        patience: Duration,
        /// What the database says about its managers.
        managers: String,
    },
    /// The controller is not connected.
    #[error("the controller is not connected after {patience:?}{managers}")]
    NotConnected {
        /// How long it was waited for.
        patience: Duration,
        /// What the database says about its managers.
        managers: String,
    },
    /// Something else is attached at that place.
    #[error("{place} is attached to port {port} already: detach it first")]
    Occupied {
        /// The place.
        place: String,
        /// What is attached.
        port: String,
    },
    /// The port is attached at another place of this host.
    #[error("port {port} is attached to {place} already: detach it first")]
    Elsewhere {
        /// The port.
        port: String,
        /// The place.
        place: String,
    },
    /// Open vSwitch could not take the interface.
    #[error("Open vSwitch cannot use {name}: {reason}")]
    Interface {
        /// The interface.
        name: String,
        /// What it says.
        reason: String,
    },
    /// The interface did not come up in time.
    #[error("Open vSwitch did not take {name} within {patience:?}: does ovs-vswitchd run?")]
    NoOfport {
        /// The interface.
        name: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// The controller did not report the port active in time.
    #[error("port {port} is still {status} after {patience:?}")]
    NotActive {
        /// The port.
        port: String,
        /// Its status.
        status: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// Another agent is busy at the same place.
    #[error("another weft-agent has been busy with {place} for {patience:?}")]
    Busy {
        /// The place.
        place: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// The controller's answer cannot be carried out.
    #[error("port {port} has {what} {value:?}, which this host cannot use")]
    Unusable {
        /// The port.
        port: String,
        /// Which of its properties.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// The wish itself makes no sense.
    #[error("{0}")]
    Wish(String),
    /// The database has no root row: no Open vSwitch has been initialised there.
    #[error("the database is empty: `ovs-vsctl init` has not been run on this host")]
    EmptyDatabase,
    /// Someone asked us to stop.
    #[error("interrupted")]
    Interrupted,
}

impl AgentError {
    /// The message with everything that led to it, on one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Some libraries repeat their source in their own message.
            if !text.ends_with(&cause_text) {
                text.push_str(&format!(": {cause_text}"));
            }
            source = cause.source();
        }
        text
    }

    /// An error of the kernel about what was being done.
    pub(crate) fn kernel(doing: impl Into<String>) -> impl FnOnce(io::Error) -> AgentError {
        let doing = doing.into();
        move |source| AgentError::Kernel { doing, source }
    }
}
