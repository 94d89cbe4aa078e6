//! `weft network`: broadcast domains of ports on any hosts.

use clap::{Args, Subcommand, ValueEnum};
use weft_api::{Network, NetworkCreate, NetworkUpdate, QosPolicy, SubnetIpAvailability};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::{self, Format, Surface, or_dash};
use crate::session::{Names, Noun, Session};
use crate::spelling::{either, replaced};
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with networks.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List networks.
    List(Listing),
    /// Show one network.
    Show(One),
    /// Show how many addresses a network has left.
    Addresses(One),
    /// Create a network.
    Create(Create),
    /// Change a network.
    Set(Set),
    /// Delete networks and their subnets. One that still has ports is refused.
    Delete(Many),
}

/// How packets of a network travel between hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Encap {
    /// RFC 7348.
    Vxlan,
    /// RFC 8926.
    Geneve,
    /// RFC 7637 (with the key as VNI).
    Gre,
}

impl Encap {
    fn word(self) -> String {
        match self {
            Encap::Vxlan => "vxlan",
            Encap::Geneve => "geneve",
            Encap::Gre => "gre",
        }
        .to_owned()
    }
}

/// A network to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: String,
    /// The largest IP packet of its workloads, in bytes; at most what the underlay carries, which is the default.
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,
    /// How its packets travel between hosts; administrators only.
    #[arg(long, value_enum)]
    encap: Option<Encap>,
    /// Its virtual network identifier, 1 to 16777215; administrators only.
    #[arg(long, value_name = "NUMBER")]
    vni: Option<u32>,
    /// The physical network that it is on, instead of tunnels; administrators only.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["encap", "vni"])]
    physical_network: Option<String>,
    /// Its VLAN there, 1 to 4094; without one its frames have no tag.
    #[arg(long, value_name = "NUMBER", requires = "physical_network")]
    vlan: Option<u32>,
    /// Let frames with VLAN tags of the tenant's own pass, from ports without port security.
    #[arg(long, conflicts_with = "physical_network")]
    vlan_transparent: bool,
    /// Let routers of every tenant have their gateway on it; administrators only.
    #[arg(long)]
    external: bool,
    /// Let every tenant have ports on it; administrators only. To share with some: `weft share create`.
    #[arg(long)]
    shared: bool,
    /// Let its ports send with any source unless they say otherwise.
    #[arg(long)]
    no_port_security: bool,
    /// Let no port send or receive until it is enabled.
    #[arg(long)]
    disable: bool,
    /// The QoS policy of its ports that have none of their own; the tenant's default one when not given.
    #[arg(long, value_name = "ID|NAME")]
    qos: Option<String>,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The DNS domain of its ports' names.
    #[arg(long, value_name = "DOMAIN")]
    dns_domain: Option<String>,
    /// A label; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

/// Changes to a network.
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
    /// The largest IP packet of its workloads, in bytes.
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,
    /// Check the sources of ports made from now on.
    #[arg(long, conflicts_with = "no_port_security")]
    port_security: bool,
    /// Do not check the sources of ports made from now on.
    #[arg(long)]
    no_port_security: bool,
    /// Let its ports send and receive.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Let no port send or receive.
    #[arg(long)]
    disable: bool,
    /// Let routers of every tenant have their gateway on it; administrators only.
    #[arg(long, conflicts_with = "internal")]
    external: bool,
    /// Let no router have its gateway on it; administrators only.
    #[arg(long)]
    internal: bool,
    /// Let every tenant have ports on it; administrators only.
    #[arg(long, conflicts_with = "no_shared")]
    shared: bool,
    /// Let only its own tenant, and those it is shared with by name, have ports on it; administrators only.
    #[arg(long)]
    no_shared: bool,
    /// The DNS domain of its ports' names.
    #[arg(long, value_name = "DOMAIN", conflicts_with = "no_dns_domain")]
    dns_domain: Option<String>,
    /// No DNS domain any more.
    #[arg(long)]
    no_dns_domain: bool,
    /// The QoS policy of its ports that have none of their own.
    #[arg(long, value_name = "ID|NAME", conflicts_with = "no_qos")]
    qos: Option<String>,
    /// No QoS policy any more.
    #[arg(long)]
    no_qos: bool,
    /// Labels instead of the present ones.
    #[arg(long, value_name = "TAG", conflicts_with = "no_tag")]
    tag: Vec<String>,
    /// No labels any more.
    #[arg(long)]
    no_tag: bool,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<Network>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<Network>(session, &one).await,
        Command::Addresses(one) => addresses(session, &one).await,
        Command::Create(new) => {
            let qos_policy_id = session.asked::<QosPolicy>(new.qos.as_deref(), false).await?.flatten();
            let body = NetworkCreate { project_id: session.project().await?, qos_policy_id, ..new.body() };
            session.show_written(session.client.networks().create(&body).await?).await
        }
        Command::Set(set) => {
            let qos_policy_id = session.asked::<QosPolicy>(set.qos.as_deref(), set.no_qos).await?;
            let body = NetworkUpdate { qos_policy_id, ..set.body() };
            verbs::set::<Network>(session, &set.one, body, set.tags()).await
        }
        Command::Delete(many) => verbs::delete::<Network>(session, &many.objects).await,
    }
}

async fn addresses(session: &Session, one: &One) -> Result<(), Failure> {
    let id = session.id::<Network>(&one.object).await?;
    let counted = session.client.ip_availability(&id).await?.value;
    match session.format {
        Format::Json => output::write_json(&counted),
        Format::Id => output::write(&format!("{id}\n")),
        Format::Table => {
            let row = |subnet: &SubnetIpAvailability| {
                let (used, total) = (subnet.used_ips.to_string(), subnet.total_ips.to_string());
                vec![subnet.subnet_id.clone(), or_dash(&subnet.subnet_name), subnet.cidr.clone(), used, total]
            };
            let rows: Vec<_> = counted.subnet_ip_availability.iter().map(row).collect();
            let columns = ["SUBNET", "NAME", "CIDR", "USED", "IN POOLS"];
            output::write(&output::columns(Surface::of_stdout(), &columns, &rows))
        }
    }
}

impl Create {
    fn body(self) -> NetworkCreate {
        let on_physical =
            self.physical_network.as_ref().map(|_| if self.vlan.is_some() { "vlan" } else { "flat" });
        NetworkCreate {
            name: Some(self.name),
            description: self.description,
            project_id: None,
            admin_state_up: self.disable.then_some(false),
            mtu: self.mtu,
            port_security_enabled: self.no_port_security.then_some(false),
            dns_domain: self.dns_domain,
            vlan_transparent: self.vlan_transparent.then_some(true),
            router_external: self.external.then_some(true),
            shared: self.shared.then_some(true),
            provider_network_type: self.encap.map(Encap::word).or(on_physical.map(str::to_owned)),
            provider_physical_network: self.physical_network,
            provider_segmentation_id: self.vni.or(self.vlan),
            qos_policy_id: None,
            tags: replaced(&self.tag, false),
        }
    }
}

impl Set {
    fn body(&self) -> NetworkUpdate {
        NetworkUpdate {
            name: self.name.clone(),
            description: self.description.clone(),
            admin_state_up: either(self.enable, self.disable),
            mtu: self.mtu,
            port_security_enabled: either(self.port_security, self.no_port_security),
            dns_domain: self.dns_domain.clone().or(self.no_dns_domain.then(String::new)),
            router_external: either(self.external, self.internal),
            qos_policy_id: None,
            shared: either(self.shared, self.no_shared),
        }
    }

    fn tags(&self) -> Option<Vec<String>> {
        replaced(&self.tag, self.no_tag)
    }
}

impl Noun for Network {
    const NOUN: &'static str = "network";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "TENANT", "MTU", "TYPE", "SEGMENT", "SUBNETS"];

    fn all(client: &Client) -> Collection<'_, Network> {
        client.networks()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> Option<&str> {
        Some(&self.project_id)
    }

    fn row(&self, names: &Names) -> Vec<String> {
        vec![
            self.id.clone(),
            or_dash(&self.name),
            called(names, &self.project_id),
            self.mtu.to_string(),
            or_dash(self.provider_network_type.as_deref().unwrap_or_default()),
            or_dash(&segment(self)),
            self.subnets.len().to_string(),
        ]
    }
}

/// The number that its packets carry, behind the physical network's name where there is one.
pub fn segment(network: &Network) -> String {
    let number = network.provider_segmentation_id.flatten().map(|number| number.to_string());
    let physnet = network.provider_physical_network.clone().flatten();
    physnet.into_iter().chain(number).collect::<Vec<_>>().join(":")
}
