//! `weft trunk`: ports behind VLAN tags of another port's interface.

use clap::{Args, Subcommand};
use weft_api::{Port, SubPort, Trunk, TrunkCreate, TrunkUpdate};
use weft_client::{Answer, Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::either;
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with trunks.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List trunks.
    List(Listing),
    /// Show one trunk.
    Show(One),
    /// Create a trunk.
    Create(Create),
    /// Change a trunk: its name, its description, or by adding subports.
    Set(Set),
    /// Take subports out of a trunk.
    Unset(Unset),
    /// Delete trunks; their ports stay.
    Delete(Many),
}

/// A trunk to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: Option<String>,
    /// The parent, whose frames have no tag.
    #[arg(long, value_name = "ID|NAME")]
    port: String,
    /// A port behind a tag: VLAN=PORT; may be repeated.
    #[arg(long, value_name = "VLAN=PORT", value_parser = subport)]
    subport: Vec<(u16, String)>,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Changes to a trunk.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    one: One,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// A new free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Let it be changed.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Let nothing about it be changed.
    #[arg(long)]
    disable: bool,
    /// A port to put behind a tag, besides those that are there: VLAN=PORT; may be repeated.
    #[arg(long, value_name = "VLAN=PORT", value_parser = subport)]
    subport: Vec<(u16, String)>,
}

/// Subports to take away.
#[derive(Debug, Args)]
pub struct Unset {
    #[command(flatten)]
    one: One,
    /// A port to take out; may be repeated.
    #[arg(long, value_name = "ID|NAME", required = true)]
    subport: Vec<String>,
}

/// Reads a subport: `VLAN=PORT`.
fn subport(text: &str) -> Result<(u16, String), String> {
    let wrong = || format!("{text:?} is not a subport like 100=web-1");
    let (vlan, port) = text.split_once('=').filter(|(_, port)| !port.is_empty()).ok_or_else(wrong)?;
    Ok((vlan.parse().map_err(|_| wrong())?, port.to_owned()))
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    let trunks = session.client.trunks();
    match command {
        Command::List(listing) => verbs::list::<Trunk>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<Trunk>(session, &one).await,
        Command::Create(new) => {
            let body = TrunkCreate {
                port_id: session.id::<Port>(&new.port).await?,
                name: new.name,
                description: new.description,
                sub_ports: Some(subports(session, &new.subport).await?),
                ..TrunkCreate::default()
            };
            session.show_written(trunks.create(&body).await?).await
        }
        Command::Set(set) => change(session, set).await,
        Command::Unset(unset) => {
            let id = session.id::<Trunk>(&unset.one.object).await?;
            let mut ports = Vec::with_capacity(unset.subport.len());
            for port in &unset.subport {
                ports.push(session.id::<Port>(port).await?);
            }
            session.show_written(trunks.remove_subports(&id, ports).await?).await
        }
        Command::Delete(many) => verbs::delete::<Trunk>(session, &many.objects).await,
    }
}

/// Turns names of ports into their ids.
async fn subports(session: &Session, asked: &[(u16, String)]) -> Result<Vec<SubPort>, Failure> {
    let mut found = Vec::with_capacity(asked.len());
    for (vlan, port) in asked {
        found.push(SubPort {
            port_id: session.id::<Port>(port).await?,
            segmentation_type: "vlan".to_owned(),
            segmentation_id: *vlan,
        });
    }
    Ok(found)
}

async fn change(session: &Session, set: Set) -> Result<(), Failure> {
    let admin_state_up = either(set.enable, set.disable);
    let words = TrunkUpdate { name: set.name, description: set.description, admin_state_up };
    if set.subport.is_empty() {
        return verbs::set::<Trunk>(session, &set.one, words, None).await;
    }
    let trunks = session.client.trunks();
    let id = session.id::<Trunk>(&set.one.object).await?;
    let sub_ports = subports(session, &set.subport).await?;
    let mut answer: Answer<Trunk> = trunks.add_subports(&id, sub_ports).await?;
    if words != TrunkUpdate::default() {
        answer = trunks.update(&id, &words).await?;
    }
    session.show_written(answer).await
}

impl Noun for Trunk {
    const NOUN: &'static str = "trunk";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "TENANT", "PARENT", "SUBPORTS", "STATUS"];

    fn all(client: &Client) -> Collection<'_, Trunk> {
        client.trunks()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> Option<&str> {
        Some(&self.project_id)
    }

    fn row(&self, names: &Names) -> Vec<String> {
        let subport = |one: &SubPort| format!("{}={}", one.segmentation_id, one.port_id);
        let subports: Vec<String> = self.sub_ports.iter().map(subport).collect();
        vec![
            self.id.clone(),
            or_dash(&self.name),
            called(names, &self.project_id),
            self.port_id.clone(),
            or_dash(&subports.join(",")),
            self.status.clone(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subport_is_a_tag_and_a_port() {
        assert_eq!(subport("100=web"), Ok((100, "web".to_owned())));
        for wrong in ["100", "x=web", "100=", "70000=web"] {
            assert!(subport(wrong).is_err(), "{wrong}");
        }
    }
}
