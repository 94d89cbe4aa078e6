//! `weft host`: the machines that joined. Nobody creates them: they appear when they dial in.

use clap::Subcommand;
use weft_api::Host;
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::join::{self, Join};
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::verbs::{self, Listing, Many, One};

/// What can be done with hosts; by administrators.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List hosts.
    List(Listing),
    /// Show one host with its tunnels.
    Show(One),
    /// Forget hosts that are gone for good. One that is connected is refused.
    Delete(Many),
    /// Print, or run, the line that makes this machine join.
    Join(Join),
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says; for `join`, what Open vSwitch says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<Host>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<Host>(session, &one).await,
        Command::Delete(many) => verbs::delete::<Host>(session, &many.objects).await,
        Command::Join(wish) => join::run(session.client.endpoint(), &wish),
    }
}

impl Noun for Host {
    const NOUN: &'static str = "host";
    const IS_OWNED: bool = false;
    const COLUMNS: &'static [&'static str] =
        &["ID", "HOSTNAME", "STATUS", "ENCAP-IP", "PORTS", "TUNNELS", "FLOWS", "CONFIRMED", "OVS"];

    fn all(client: &Client) -> Collection<'_, Host> {
        client.hosts()
    }

    fn name(&self) -> &str {
        &self.hostname
    }

    fn owner(&self) -> Option<&str> {
        None
    }

    fn named(_: &str) -> Vec<(&'static str, &str)> {
        vec![]
    }

    fn row(&self, _: &Names) -> Vec<String> {
        vec![
            self.id.clone(),
            or_dash(&self.hostname),
            self.status.clone(),
            or_dash(&self.encap_ips.join(",")),
            self.ports.to_string(),
            self.tunnels.len().to_string(),
            self.flows.to_string(),
            self.confirmed_revision.to_string(),
            or_dash(&self.ovs_version),
        ]
    }
}
