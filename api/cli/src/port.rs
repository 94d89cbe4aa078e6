//! `weft port`: a tenant's attachment points.

use clap::{Args, Subcommand};
use weft_api::{
    AddressPair, ExtraDhcpOpt, FixedIpAsked, Network, Port, PortCreate, PortUpdate, QosPolicy, SecurityGroup,
    Subnet,
};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::{self, AddressAsked, either, replaced};
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with ports.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List ports.
    List(List),
    /// Show one port.
    Show(One),
    /// Create a port.
    Create(Create),
    /// Change a port.
    Set(Set),
    /// Delete ports.
    Delete(Many),
}

/// Which ports to list.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    listing: Listing,
    /// Only those of this network.
    #[arg(long, value_name = "ID|NAME")]
    network: Option<String>,
    /// Only those on this host; administrators only.
    #[arg(long, value_name = "ID")]
    host: Option<String>,
    /// Only those with this status: ACTIVE or DOWN.
    #[arg(long)]
    status: Option<String>,
    /// Only those of this user.
    #[arg(long, value_name = "TEXT")]
    device: Option<String>,
    /// Only the one with this MAC address.
    #[arg(long, value_name = "ADDRESS")]
    mac: Option<String>,
}

/// A port to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: Option<String>,
    /// The network it belongs to.
    #[arg(long, value_name = "ID|NAME")]
    network: String,
    /// Its Ethernet address; made up when not given.
    #[arg(long, value_name = "ADDRESS")]
    mac: Option<String>,
    /// An address: ADDRESS, subnet=SUBNET or subnet=SUBNET,ip=ADDRESS; may be repeated. One of each family that the
    /// network has when not given.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_ip")]
    ip: Vec<AddressAsked>,
    /// No addresses at all.
    #[arg(long)]
    no_ip: bool,
    /// What uses the port.
    #[arg(long, value_name = "TEXT")]
    device: Option<String>,
    /// Which kind of user.
    #[arg(long, value_name = "TEXT")]
    device_owner: Option<String>,
    /// Its host name for DNS.
    #[arg(long, value_name = "NAME")]
    dns_name: Option<String>,
    /// The host it is meant for, as a hint; administrators only.
    #[arg(long, value_name = "ID")]
    host: Option<String>,
    /// Check its sources whatever its network says.
    #[arg(long, conflicts_with = "no_port_security")]
    port_security: bool,
    /// Let it send with any source.
    #[arg(long)]
    no_port_security: bool,
    /// A security group that it wears instead of its tenant's default group; may be repeated.
    #[arg(long, value_name = "ID|NAME", conflicts_with = "no_security_group")]
    security_group: Vec<String>,
    /// No security group at all: nothing but ARP, neighbour discovery and DHCP passes.
    #[arg(long)]
    no_security_group: bool,
    /// An address or prefix that it may send from besides its own: PREFIX or PREFIX=MAC; may be repeated.
    #[arg(long, value_name = "PREFIX", value_parser = spelling::pair)]
    allowed_address: Vec<AddressPair>,
    /// An option that DHCP tells it: NAME=VALUE, or 6:NAME=VALUE for DHCPv6, by name or number; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = spelling::dhcp_option)]
    extra_dhcp_opt: Vec<ExtraDhcpOpt>,
    /// Its QoS policy, instead of its network's.
    #[arg(long, value_name = "ID|NAME")]
    qos: Option<String>,
    /// Let it neither send nor receive until it is enabled.
    #[arg(long)]
    disable: bool,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

/// Changes to a port. Lists that are given replace the present ones.
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
    /// Its Ethernet address.
    #[arg(long, value_name = "ADDRESS")]
    mac: Option<String>,
    /// An address: ADDRESS, subnet=SUBNET or subnet=SUBNET,ip=ADDRESS; may be repeated.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_ip")]
    ip: Vec<AddressAsked>,
    /// No addresses any more.
    #[arg(long)]
    no_ip: bool,
    /// What uses the port.
    #[arg(long, value_name = "TEXT", conflicts_with = "no_device")]
    device: Option<String>,
    /// Nothing uses the port any more.
    #[arg(long)]
    no_device: bool,
    /// Which kind of user.
    #[arg(long, value_name = "TEXT")]
    device_owner: Option<String>,
    /// Its host name for DNS.
    #[arg(long, value_name = "NAME", conflicts_with = "no_dns_name")]
    dns_name: Option<String>,
    /// No host name any more.
    #[arg(long)]
    no_dns_name: bool,
    /// The host it is meant for, as a hint; administrators only.
    #[arg(long, value_name = "ID", conflicts_with = "no_host")]
    host: Option<String>,
    /// Meant for any host.
    #[arg(long)]
    no_host: bool,
    /// Check its sources.
    #[arg(long, conflicts_with = "no_port_security")]
    port_security: bool,
    /// Let it send with any source.
    #[arg(long)]
    no_port_security: bool,
    /// Let it send and receive.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Let it neither send nor receive.
    #[arg(long)]
    disable: bool,
    /// Its QoS policy, instead of its network's.
    #[arg(long, value_name = "ID|NAME", conflicts_with = "no_qos")]
    qos: Option<String>,
    /// No QoS policy of its own any more.
    #[arg(long)]
    no_qos: bool,
    /// Labels instead of the present ones.
    #[arg(long, value_name = "TAG", conflicts_with = "no_tag")]
    tag: Vec<String>,
    /// No labels any more.
    #[arg(long)]
    no_tag: bool,
    /// A security group that it wears instead of the present ones; may be repeated.
    #[arg(long, value_name = "ID|NAME", conflicts_with = "no_security_group")]
    security_group: Vec<String>,
    /// No security group at all: nothing but ARP, neighbour discovery and DHCP passes.
    #[arg(long)]
    no_security_group: bool,
    /// An address or prefix that it may send from besides its own: PREFIX or PREFIX=MAC; may be repeated.
    #[arg(long, value_name = "PREFIX", value_parser = spelling::pair, conflicts_with = "no_allowed_address")]
    allowed_address: Vec<AddressPair>,
    /// No address but its own any more.
    #[arg(long)]
    no_allowed_address: bool,
    /// An option that DHCP tells it: NAME=VALUE, or 6:NAME=VALUE for DHCPv6, by name or number; without
    /// VALUE the option is taken away. May be repeated; options that are not named stay.
    #[arg(long, value_name = "NAME=VALUE", value_parser = spelling::dhcp_option)]
    extra_dhcp_opt: Vec<ExtraDhcpOpt>,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(list) => {
            let network = verbs::network_filter(session, list.network.as_deref()).await?;
            let query = list.listing.query(network.into_iter().chain(list.filters()).collect());
            verbs::list::<Port>(session, query).await
        }
        Command::Show(one) => verbs::show::<Port>(session, &one).await,
        Command::Create(new) => {
            let network_id = session.id::<Network>(&new.network).await?;
            let addresses = asked(session, replaced(&new.ip, new.no_ip)).await?;
            let groups = groups(session, replaced(&new.security_group, new.no_security_group)).await?;
            let qos_policy_id = session.asked::<QosPolicy>(new.qos.as_deref(), false).await?.flatten();
            let body =
                PortCreate { security_groups: groups, qos_policy_id, ..new.body(network_id, addresses) };
            session.show_written(session.client.ports().create(&body).await?).await
        }
        Command::Set(set) => {
            let fixed_ips = asked(session, replaced(&set.ip, set.no_ip)).await?;
            let security_groups =
                groups(session, replaced(&set.security_group, set.no_security_group)).await?;
            let qos_policy_id = session.asked::<QosPolicy>(set.qos.as_deref(), set.no_qos).await?;
            let body = PortUpdate { fixed_ips, security_groups, qos_policy_id, ..set.body() };
            verbs::set::<Port>(session, &set.one, body, replaced(&set.tag, set.no_tag)).await
        }
        Command::Delete(many) => verbs::delete::<Port>(session, &many.objects).await,
    }
}

/// Turns names of security groups into their ids.
async fn groups(session: &Session, groups: Option<Vec<String>>) -> Result<Option<Vec<String>>, Failure> {
    let Some(groups) = groups else { return Ok(None) };
    let mut ids = Vec::with_capacity(groups.len());
    for group in &groups {
        ids.push(session.id::<SecurityGroup>(group).await?);
    }
    Ok(Some(ids))
}

/// Turns names of subnets into their ids.
async fn asked(
    session: &Session,
    addresses: Option<Vec<AddressAsked>>,
) -> Result<Option<Vec<FixedIpAsked>>, Failure> {
    let Some(addresses) = addresses else { return Ok(None) };
    let mut asked = Vec::with_capacity(addresses.len());
    for AddressAsked { subnet, address } in addresses {
        let subnet_id = match subnet {
            Some(text) => Some(session.id::<Subnet>(&text).await?),
            None => None,
        };
        asked.push(FixedIpAsked { subnet_id, ip_address: address });
    }
    Ok(Some(asked))
}

impl List {
    fn filters(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("binding:host_id", &self.host),
            ("status", &self.status),
            ("device_id", &self.device),
            ("mac_address", &self.mac),
        ];
        given.into_iter().filter_map(|(field, value)| Some((field, value.clone()?))).collect()
    }
}

impl Create {
    fn body(self, network_id: String, fixed_ips: Option<Vec<FixedIpAsked>>) -> PortCreate {
        PortCreate {
            extra_dhcp_opts: replaced(&self.extra_dhcp_opt, false),
            network_id,
            name: self.name,
            description: self.description,
            // The network's tenant is the only one it can have.
            project_id: None,
            admin_state_up: self.disable.then_some(false),
            mac_address: self.mac,
            fixed_ips,
            port_security_enabled: either(self.port_security, self.no_port_security),
            security_groups: None,
            allowed_address_pairs: replaced(&self.allowed_address, false),
            device_id: self.device,
            device_owner: self.device_owner,
            dns_name: self.dns_name,
            binding_host_id: self.host,
            qos_policy_id: None,
            tags: replaced(&self.tag, false),
        }
    }
}

impl Set {
    fn body(&self) -> PortUpdate {
        PortUpdate {
            extra_dhcp_opts: replaced(&self.extra_dhcp_opt, false),
            name: self.name.clone(),
            description: self.description.clone(),
            admin_state_up: either(self.enable, self.disable),
            mac_address: self.mac.clone(),
            fixed_ips: None,
            port_security_enabled: either(self.port_security, self.no_port_security),
            security_groups: None,
            allowed_address_pairs: replaced(&self.allowed_address, self.no_allowed_address),
            device_id: self.device.clone().or(self.no_device.then(String::new)),
            device_owner: self.device_owner.clone().or(self.no_device.then(String::new)),
            dns_name: self.dns_name.clone().or(self.no_dns_name.then(String::new)),
            binding_host_id: self.host.clone().map(Some).or(self.no_host.then_some(None)),
            qos_policy_id: None,
        }
    }
}

impl Noun for Port {
    const NOUN: &'static str = "port";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "NETWORK", "MAC", "ADDRESSES", "HOST", "STATUS"];

    fn all(client: &Client) -> Collection<'_, Port> {
        client.ports()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> Option<&str> {
        Some(&self.project_id)
    }

    fn row(&self, names: &Names) -> Vec<String> {
        let addresses: Vec<&str> = self.fixed_ips.iter().map(|ip| ip.ip_address.as_str()).collect();
        vec![
            self.id.clone(),
            or_dash(&self.name),
            called(names, &self.network_id),
            self.mac_address.clone(),
            or_dash(&addresses.join(",")),
            or_dash(self.binding_host_id.as_deref().unwrap_or_default()),
            self.status.clone(),
        ]
    }
}
