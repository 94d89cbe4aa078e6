//! The command line of `weft-agent`, and what it means.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use weft_agent::{AgentError, AttachSpec, Device, JoinSpec, Place, PortFate, PortWish, Which};
use weft_client::Client;
use weft_ovsdb::Address;

/// Where a controller on the same machine leaves the administrator's token.
const ADMIN_TOKEN: &str = "/var/lib/weft/admin.token";

/// Wires workloads on this host to tenants' ports, and lets the host join a Weft controller.
#[derive(Debug, Parser)]
#[command(name = "weft-agent", version, max_term_width = 100)]
pub struct Cli {
    /// The database of this host's Open vSwitch: unix:PATH or tcp:HOST:PORT.
    #[arg(long, global = true, env = "WEFT_OVS_DB", default_value = "unix:/var/run/openvswitch/db.sock")]
    db: String,
    /// How long each wait may last: for the bridge, for the interface, for the port.
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    pub timeout: Duration,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this host join a controller, and wait until it has.
    Join(Join),
    /// Attach a namespace, a veth or a tap to a port; writes what was attached as JSON.
    Attach(Attach),
    /// Detach it again; nothing attached is no error.
    Detach(Detach),
    /// List what is attached on this host.
    List(List),
}

/// How to reach the controller's API.
#[derive(Debug, Args)]
pub struct Connection {
    /// Where the controller's API is.
    #[arg(long, env = "WEFT_ENDPOINT", default_value = "http://127.0.0.1:9696", help_heading = "Connection")]
    endpoint: String,
    /// The API token [env: WEFT_TOKEN].
    #[arg(long, conflicts_with = "token_file", help_heading = "Connection")]
    token: Option<String>,
    /// A file with the API token [env: WEFT_TOKEN_FILE] [default: /var/lib/weft/admin.token if it can be read].
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    token_file: Option<PathBuf>,
}

/// How to join.
#[derive(Debug, Args)]
pub struct Join {
    /// Where the controller awaits databases, like tcp:192.0.2.1:6640; may be repeated. Managers that others have set
    /// stay.
    #[arg(long, required = true, value_name = "ADDRESS")]
    controller: Vec<String>,
    /// Where other hosts' tunnels find this one; one address of each family at most, separated by a comma.
    #[arg(long, required = true, value_name = "IP", value_delimiter = ',')]
    encap_ip: Vec<IpAddr>,
}

/// What to attach to what.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("wish").args(["network", "port"]).required(true))]
#[command(group = ArgGroup::new("what").args(["netns", "pid", "tap", "veth"]).required(true).multiple(true))]
pub struct Attach {
    /// Make a port in this network, by id or name.
    #[arg(long, value_name = "ID|NAME")]
    network: Option<String>,
    /// Take this port, by id or name.
    #[arg(long, value_name = "ID|NAME", conflicts_with_all = ["ip", "mac", "name"])]
    port: Option<String>,
    /// What to call the port that is made.
    #[arg(long)]
    name: Option<String>,
    /// An address for the port that is made; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
    /// The Ethernet address for the port that is made.
    #[arg(long, value_name = "ADDRESS")]
    mac: Option<String>,
    /// The workload's network namespace: a name of `ip netns`, or a file like /proc/1234/ns/net.
    #[arg(long, value_name = "NAME|PATH", conflicts_with_all = ["pid", "tap"])]
    netns: Option<String>,
    /// The workload's network namespace, by a process that lives in it.
    #[arg(long, conflicts_with = "tap")]
    pid: Option<u32>,
    /// The name of the interface in the namespace.
    #[arg(long, value_name = "NAME", default_value = "eth0", conflicts_with = "tap")]
    ifname: String,
    /// What to call the host's end of the veth pair that is made.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["tap", "veth"])]
    host_ifname: Option<String>,
    /// A tap of this host, instead of a veth pair that is made. What is behind it sets its addresses itself.
    #[arg(long, value_name = "NAME", conflicts_with = "veth")]
    tap: Option<String>,
    /// A veth of this host, instead of one that is made. With --netns or --pid, its other end is --ifname in there and
    /// gets its addresses.
    #[arg(long, value_name = "NAME")]
    veth: Option<String>,
    /// How to reach the controller.
    #[command(flatten)]
    pub connection: Connection,
}

/// What to detach.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["port", "netns", "pid", "host_ifname", "gone"]).required(true))]
pub struct Detach {
    /// What is attached to this port, by id or name.
    #[arg(long, value_name = "ID|NAME")]
    port: Option<String>,
    /// What is attached in this network namespace.
    #[arg(long, value_name = "NAME|PATH")]
    netns: Option<String>,
    /// What is attached in the network namespace of this process.
    #[arg(long)]
    pid: Option<u32>,
    /// The name of the interface in the namespace.
    #[arg(long, value_name = "NAME", default_value = "eth0", conflicts_with_all = ["port", "host_ifname", "gone"])]
    ifname: String,
    /// What is attached by this interface of the host.
    #[arg(long, value_name = "NAME")]
    host_ifname: Option<String>,
    /// Everything whose interface is no longer there, as after a reboot.
    #[arg(long)]
    gone: bool,
    /// Keep the port even if it was made for this.
    #[arg(long, conflicts_with = "delete_port")]
    keep: bool,
    /// Delete the port even if it was there before.
    #[arg(long)]
    delete_port: bool,
    /// How to reach the controller.
    #[command(flatten)]
    pub connection: Connection,
}

/// How to list.
#[derive(Debug, Args)]
pub struct List {
    /// How to write it.
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: ListFormat,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Columns for people.
    Table,
    /// JSON.
    Json,
}

impl Cli {
    /// The host's database.
    ///
    /// # Errors
    /// [`AgentError::Wish`] when it is no address.
    pub fn database(&self) -> Result<Address, AgentError> {
        self.db.parse().map_err(|error| AgentError::Wish(format!("--db {}: {error}", self.db)))
    }
}

impl Connection {
    /// A client of the controller.
    ///
    /// # Errors
    /// [`AgentError::Wish`] when the token file that was named cannot be read, [`AgentError::Api`] when the endpoint is no
    /// address.
    pub fn client(&self) -> Result<Client, AgentError> {
        Ok(Client::new(&self.endpoint, self.token()?.as_deref())?)
    }

    /// The token to show. What the command line says counts before what the environment says, and that before the file
    /// that a controller on this machine leaves.
    fn token(&self) -> Result<Option<String>, AgentError> {
        let environment = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let read = |path: &Path| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
        let named = |path: &Path| {
            read(path)
                .map_err(|error| AgentError::Wish(format!("the token file {}: {error}", path.display())))
        };
        if let Some(token) = &self.token {
            Ok(Some(token.trim().to_owned()))
        } else if let Some(path) = &self.token_file {
            named(path).map(Some)
        } else if let Some(token) = environment("WEFT_TOKEN") {
            Ok(Some(token.trim().to_owned()))
        } else if let Some(path) = environment("WEFT_TOKEN_FILE") {
            named(Path::new(&path)).map(Some)
        } else {
            // Not there or not for us: a controller without tokens may be just as well what is meant.
            Ok(read(Path::new(ADMIN_TOKEN)).ok())
        }
    }
}

impl Join {
    /// What it means.
    pub fn spec(&self, patience: Duration) -> JoinSpec {
        JoinSpec { controllers: self.controller.clone(), encap_ips: self.encap_ip.clone(), patience }
    }
}

impl Attach {
    /// What it means.
    ///
    /// # Errors
    /// [`AgentError::Wish`] when it means nothing.
    pub fn spec(&self, patience: Duration) -> Result<AttachSpec, AgentError> {
        let port = match (&self.port, &self.network) {
            (Some(port), _) => PortWish::Existing(port.clone()),
            (None, Some(network)) => PortWish::New {
                network: network.clone(),
                name: self.name.clone(),
                mac: self.mac.clone(),
                addresses: self.ip.iter().map(ToString::to_string).collect(),
            },
            (None, None) => return Err(AgentError::Wish("name a --network or a --port".to_owned())),
        };
        let device = match self.tap.as_ref().or(self.veth.as_ref()) {
            Some(name) => Device::Taken { host_ifname: name.clone() },
            None => Device::Pair { host_ifname: self.host_ifname.clone() },
        };
        let inside = place(self.netns.as_deref(), self.pid).map(|place| (place, self.ifname.clone()));
        Ok(AttachSpec { port, device, inside, patience })
    }
}

impl Detach {
    /// What it means.
    ///
    /// # Errors
    /// [`AgentError::Wish`] when it means nothing.
    pub fn which(&self) -> Result<Which, AgentError> {
        if self.gone {
            return Ok(Which::Gone);
        }
        let inside = place(self.netns.as_deref(), self.pid);
        match (&self.port, &self.host_ifname, inside) {
            (Some(port), _, _) => Ok(Which::Port(port.clone())),
            (_, Some(name), _) => Ok(Which::HostIfname(name.clone())),
            (_, _, Some(place)) => Ok(Which::Inside(place, self.ifname.clone())),
            _ => Err(AgentError::Wish("name what to detach".to_owned())),
        }
    }

    /// What becomes of the port.
    pub fn fate(&self) -> PortFate {
        match (self.keep, self.delete_port) {
            (true, _) => PortFate::Kept,
            (_, true) => PortFate::Deleted,
            _ => PortFate::AsItCame,
        }
    }
}

fn place(netns: Option<&str>, pid: Option<u32>) -> Option<Place> {
    netns.map(Place::spelled).or(pid.map(Place::Pid))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    match number.parse() {
        Ok(seconds @ 0..=3600) => Ok(Duration::from_secs(seconds)),
        _ => Err("a number of seconds, at most 3600".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(line: &str) -> Result<Cli, String> {
        let words = std::iter::once("weft-agent").chain(line.split_whitespace());
        Cli::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_attached_to_what() {
        let spec = |line: &str| match parsed(line).unwrap_or_else(|e| panic!("{line}: {e}")).command {
            Command::Attach(attach) => attach.spec(Duration::ZERO).expect(line),
            other => panic!("{other:?}"),
        };
        let made = spec(
            "attach --network blue --netns a --ip 10.0.0.5 --ip fd00::5 --mac 02:00:00:00:00:01 --name x",
        );
        assert_eq!(made.inside, Some((Place::Name("a".into()), "eth0".into())));
        assert_eq!(made.device, Device::Pair { host_ifname: None });
        assert!(matches!(made.port, PortWish::New { addresses, .. } if addresses == ["10.0.0.5", "fd00::5"]));
        let tap = spec("attach --port p --tap tap0 --db unix:/x --timeout 5");
        assert_eq!((tap.inside, tap.device), (None, Device::Taken { host_ifname: "tap0".into() }));
        let veth = spec("attach --port p --veth v0 --pid 7 --ifname net0");
        assert_eq!(veth.inside, Some((Place::Pid(7), "net0".into())));
        assert_eq!(veth.device, Device::Taken { host_ifname: "v0".into() });
    }

    #[test]
    fn what_is_detached() {
        let which = |line: &str| match parsed(line).unwrap_or_else(|e| panic!("{line}: {e}")).command {
            Command::Detach(detach) => (detach.which().expect(line), detach.fate()),
            other => panic!("{other:?}"),
        };
        assert_eq!(which("detach --port p --keep"), (Which::Port("p".into()), PortFate::Kept));
        let inside = Which::Inside(Place::Path("/run/netns/a".into()), "eth0".into());
        assert_eq!(which("detach --netns /run/netns/a"), (inside, PortFate::AsItCame));
        assert_eq!(which("detach --gone --delete-port"), (Which::Gone, PortFate::Deleted));
    }

    #[test]
    fn nonsense_is_refused() {
        let lines = [
            "attach",
            "attach --network n",
            "attach --netns a",
            "attach --network n --port p --netns a",
            "attach --port p --netns a --ip 10.0.0.5",
            "attach --network n --netns a --pid 1",
            "attach --network n --netns a --tap t",
            "attach --network n --tap t --ifname eth1",
            "attach --network n --netns a --ip 10.0.0",
            "detach",
            "detach --port p --netns a",
            "detach --port p --ifname eth1",
            "detach --port p --keep --delete-port",
            "join --controller tcp:192.0.2.1:6640",
            "list --timeout 1d",
        ];
        for line in lines {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
