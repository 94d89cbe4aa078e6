//! `weft port-forwarding`: ports of floating IPs that lead to ports of workloads.

use clap::{Args, Subcommand};
use serde::Serialize;
use weft_api::{FloatingIp, Port, PortForwarding, PortForwardingCreate, PortForwardingUpdate};

use crate::failure::Failure;
use crate::output::{self, Format, Surface};
use crate::session::Session;
use crate::verbs::{One, some_change};

/// What can be done with port forwardings. The first argument is their floating IP, by id or address.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the port forwardings of a floating IP.
    List(One),
    /// Show one port forwarding.
    Show(Which),
    /// Forward ports.
    Create(Create),
    /// Change a port forwarding.
    Set(Set),
    /// Stop forwarding.
    Delete(Which),
}

/// A port forwarding.
#[derive(Debug, Args)]
pub struct Which {
    #[command(flatten)]
    of: One,
    /// The port forwarding's id.
    #[arg(value_name = "FORWARDING")]
    id: String,
}

/// A port forwarding to create.
#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    of: One,
    /// tcp or udp.
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp")]
    protocol: String,
    /// A port of the floating IP, or ports like 8000:8010.
    #[arg(long, value_name = "PORT[:LAST]")]
    external_port: String,
    /// The port that they lead to.
    #[arg(long, value_name = "ID|NAME")]
    port: String,
    /// Which IPv4 address of it; its only one when absent.
    #[arg(long, value_name = "ADDRESS")]
    internal_ip: Option<String>,
    /// To which port there, or as many ports; the same ones when absent.
    #[arg(long, value_name = "PORT[:LAST]")]
    internal_port: Option<String>,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Changes to a port forwarding.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    which: Which,
    /// tcp or udp.
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// Another port of the floating IP, or ports like 8000:8010.
    #[arg(long, value_name = "PORT[:LAST]")]
    external_port: Option<String>,
    /// Another port that they lead to.
    #[arg(long, value_name = "ID|NAME")]
    port: Option<String>,
    /// Another IPv4 address of it.
    #[arg(long, value_name = "ADDRESS")]
    internal_ip: Option<String>,
    /// Another port there, or as many ports.
    #[arg(long, value_name = "PORT[:LAST]")]
    internal_port: Option<String>,
    /// A new free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    let floating_ips = session.client.floating_ips();
    match command {
        Command::List(of) => {
            let of = session.id::<FloatingIp>(&of.object).await?;
            list(session, &floating_ips.port_forwardings(&of).await?.value)
        }
        Command::Show(which) => {
            let of = session.id::<FloatingIp>(&which.of.object).await?;
            show(session, &floating_ips.port_forwarding(&of, &which.id).await?.value)
        }
        Command::Create(new) => {
            let of = session.id::<FloatingIp>(&new.of.object).await?;
            let answer = floating_ips.create_port_forwarding(&of, &new.body(session).await?).await?;
            show(session, &answer.value)?;
            session.settle(answer.revision).await
        }
        Command::Set(set) => {
            let of = session.id::<FloatingIp>(&set.which.of.object).await?;
            let change = some_change(set.body(session).await?)?;
            let answer = floating_ips.update_port_forwarding(&of, &set.which.id, &change).await?;
            show(session, &answer.value)?;
            session.settle(answer.revision).await
        }
        Command::Delete(which) => {
            let of = session.id::<FloatingIp>(&which.of.object).await?;
            session.settle(floating_ips.delete_port_forwarding(&of, &which.id).await?.revision).await
        }
    }
}

impl Create {
    async fn body(&self, session: &Session) -> Result<PortForwardingCreate, Failure> {
        let internal = self.internal_port.as_ref().unwrap_or(&self.external_port);
        Ok(PortForwardingCreate {
            protocol: self.protocol.clone(),
            external_port_range: Some(self.external_port.clone()),
            internal_port_id: session.id::<Port>(&self.port).await?,
            internal_ip_address: self.internal_ip.clone(),
            internal_port_range: Some(internal.clone()),
            description: self.description.clone(),
            ..PortForwardingCreate::default()
        })
    }
}

impl Set {
    async fn body(&self, session: &Session) -> Result<PortForwardingUpdate, Failure> {
        let internal_port_id = match &self.port {
            Some(port) => Some(session.id::<Port>(port).await?),
            None => None,
        };
        Ok(PortForwardingUpdate {
            protocol: self.protocol.clone(),
            external_port_range: self.external_port.clone(),
            internal_port_id,
            internal_ip_address: self.internal_ip.clone(),
            internal_port_range: self.internal_port.clone(),
            description: self.description.clone(),
            ..PortForwardingUpdate::default()
        })
    }
}

fn show(session: &Session, forwarding: &PortForwarding) -> Result<(), Failure> {
    write(session, forwarding, std::slice::from_ref(forwarding), |surface| {
        output::fields(surface, forwarding)
    })
}

fn list(session: &Session, forwardings: &[PortForwarding]) -> Result<(), Failure> {
    let row = |forwarding: &PortForwarding| {
        vec![
            forwarding.id.clone(),
            forwarding.protocol.clone(),
            short(&forwarding.external_port_range),
            forwarding.internal_ip_address.clone(),
            short(&forwarding.internal_port_range),
            forwarding.internal_port_id.clone(),
        ]
    };
    let titles = ["ID", "PROTOCOL", "EXTERNAL", "INTERNAL-IP", "INTERNAL", "PORT"];
    let rows: Vec<Vec<String>> = forwardings.iter().map(row).collect();
    write(session, &forwardings, forwardings, |surface| Ok(output::columns(surface, &titles, &rows)))
}

/// Writes what was asked for: the table, the value itself, or nothing but ids.
fn write(
    session: &Session,
    value: &impl Serialize,
    forwardings: &[PortForwarding],
    table: impl FnOnce(Surface) -> Result<String, Failure>,
) -> Result<(), Failure> {
    match session.format {
        Format::Table => output::write(&table(Surface::of_stdout())?),
        Format::Json => output::write_json(value),
        Format::Id => output::write_ids(forwardings.iter().map(|forwarding| forwarding.id.as_str())),
    }
}

/// A range of one port as that port.
fn short(range: &str) -> String {
    match range.split_once(':') {
        Some((first, last)) if first == last => first.to_owned(),
        _ => range.to_owned(),
    }
}
