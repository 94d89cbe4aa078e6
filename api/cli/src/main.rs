//! The `weft` command: what a person asks of a Weft controller. One file for each noun; this one only picks.

mod address_group;
mod address_scope;
mod apply;
mod audit;
mod events;
mod failure;
mod floating_ip;
mod host;
mod join;
mod network;
mod output;
mod picture;
mod plan;
mod port;
mod port_forwarding;
mod progress;
mod qos;
mod quota;
mod router;
mod security;
mod segment_range;
mod session;
mod share;
mod show;
mod spelling;
mod subnet;
mod subnet_pool;
mod tenant;
#[cfg(test)]
mod tests;
mod token;
mod trace;
mod trunk;
mod user;
mod verbs;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use failure::Failure;
use session::{Options, Session};

/// Tenant networks over Open vSwitch: asks and tells the Weft controller.
///
/// Objects are named by id or, where it is unique, by name. Exit code 0: done; 1: the controller refused, or could not be
/// reached, or the time was up; 2: the command line is wrong. Data goes to standard output, everything else to
/// standard error.
#[derive(Debug, Parser)]
#[command(name = "weft", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// The owners of networks and ports.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Broadcast domains of ports on any hosts.
    #[command(subcommand)]
    Network(network::Command),
    /// The addresses that ports of a network may have.
    #[command(subcommand)]
    Subnet(subnet::Command),
    /// A tenant's attachment points.
    #[command(subcommand)]
    Port(port::Command),
    /// What joins a tenant's networks.
    #[command(subcommand)]
    Router(router::Command),
    /// Addresses of external networks that stand for ports.
    #[command(subcommand)]
    FloatingIp(floating_ip::Command),
    /// Ports of floating IPs that lead to ports of workloads.
    #[command(subcommand)]
    PortForwarding(port_forwarding::Command),
    /// What tenants let in and out of their ports.
    #[command(subcommand)]
    SecurityGroup(security::Command),
    /// Named sets of addresses for the rules of security groups.
    #[command(subcommand)]
    AddressGroup(address_group::Command),
    /// How much tenants may have.
    #[command(subcommand)]
    Quota(quota::Command),
    /// Ports behind VLAN tags of another port.
    #[command(subcommand)]
    Trunk(trunk::Command),
    /// How much ports may send and get.
    #[command(subcommand)]
    Qos(qos::Command),
    /// Prefixes that subnets are cut from.
    #[command(subcommand)]
    SubnetPool(subnet_pool::Command),
    /// Spaces of addresses in which no two subnet pools meet.
    #[command(subcommand)]
    AddressScope(address_scope::Command),
    /// Which virtual network identifiers networks get; administrators only.
    #[command(subcommand)]
    SegmentRange(segment_range::Command),
    /// Which tenants may use what is another's.
    #[command(subcommand)]
    Share(share::Command),
    /// The machines that joined.
    #[command(subcommand)]
    Host(host::Command),
    /// What tenants show to be let in.
    #[command(subcommand)]
    Token(token::Command),
    /// Who wrote what.
    Audit(audit::Audit),
    /// Who can log in, and what they may do.
    #[command(subcommand)]
    User(user::Command),
    /// Log in with a password; writes a token: `export WEFT_TOKEN=$(weft login ann)`.
    Login(user::Login),
    /// The whole picture at a glance.
    Show(show::Show),
    /// Where would a packet go, and why. Nothing is sent.
    Trace(trace::Trace),
    /// Show what applying a file would do.
    Plan(apply::File),
    /// Make a tenant's objects what a file says they are, after showing what that changes.
    Apply(apply::Apply),
    /// Follow what happens to objects.
    Events(events::Follow),
    /// Wait until a revision is in force on every switch that it concerns.
    Applied(progress::Applied),
    /// Who the token speaks for.
    Whoami,
    /// Versions of this command and of the controller.
    Version,
    /// Write a completion script for a shell: `weft completions bash > /etc/bash_completion.d/weft`.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let format = cli.options.output;
    let Err(failure) = run(cli).await else { return ExitCode::SUCCESS };
    let Err(failure) = plan::settled(format, failure) else { return ExitCode::SUCCESS };
    if let Some(message) = failure.message() {
        eprintln!("{message}");
    }
    ExitCode::from(failure.code())
}

async fn run(cli: Cli) -> Result<(), Failure> {
    if let Noun::Completions { shell } = cli.noun {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "weft", &mut script);
        return output::write(&String::from_utf8_lossy(&script));
    }
    let session = Session::open(&cli.options)?;
    match cli.noun {
        Noun::Tenant(command) => tenant::run(&session, command).await,
        Noun::Network(command) => network::run(&session, command).await,
        Noun::Subnet(command) => subnet::run(&session, command).await,
        Noun::Port(command) => port::run(&session, command).await,
        Noun::Router(command) => router::run(&session, command).await,
        Noun::FloatingIp(command) => floating_ip::run(&session, command).await,
        Noun::PortForwarding(command) => port_forwarding::run(&session, command).await,
        Noun::SecurityGroup(command) => security::run(&session, command).await,
        Noun::AddressGroup(command) => address_group::run(&session, command).await,
        Noun::Quota(command) => quota::run(&session, command).await,
        Noun::Trunk(command) => trunk::run(&session, command).await,
        Noun::Qos(command) => qos::run(&session, command).await,
        Noun::SubnetPool(command) => subnet_pool::run(&session, command).await,
        Noun::AddressScope(command) => address_scope::run(&session, command).await,
        Noun::SegmentRange(command) => segment_range::run(&session, command).await,
        Noun::Share(command) => share::run(&session, command).await,
        Noun::Host(command) => host::run(&session, command).await,
        Noun::Token(command) => token::run(&session, command).await,
        Noun::Audit(wanted) => audit::run(&session, wanted).await,
        Noun::User(command) => user::run(&session, command).await,
        Noun::Login(login) => user::log_in(&session, &login).await,
        Noun::Show(wish) => show::run(&session, &wish).await,
        Noun::Trace(asked) => trace::run(&session, asked).await,
        Noun::Plan(file) => apply::plan(&session, &file).await,
        Noun::Apply(wish) => apply::apply(&session, &wish).await,
        Noun::Events(wish) => events::follow(&session, &wish).await,
        Noun::Applied(wanted) => progress::applied(&session, &wanted).await,
        Noun::Whoami => progress::whoami(&session).await,
        Noun::Version => progress::version(&session).await,
        Noun::Completions { .. } => Ok(()),
    }
}
