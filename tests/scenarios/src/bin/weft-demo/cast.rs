//! Who plays: two tenants with one address plan, three workloads each, made with the real `weft` and `weft-agent`.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use weft_rig::{Cmd, Host, Netns};
use weft_scenarios::{Site, program};

use crate::stage::Stage;

/// How many hosts there are.
pub const HOSTS: usize = 3;
/// What both tenants call their network.
const NETWORK: &str = "office";
/// Where the controller keeps the administrator's token, below its data directory.
const ADMIN_TOKEN: &str = "data/admin.token";
/// The controller as hosts reach it.
const PORT: u16 = 9696;

/// A workload: a network namespace behind one host.
#[derive(Debug)]
pub struct Workload {
    /// What it and its port are called.
    pub name: String,
    /// Its namespace.
    pub netns: Netns,
    /// Its IPv4 and its IPv6 address.
    pub addresses: [IpAddr; 2],
    /// Its Ethernet address.
    pub mac: String,
    /// Where it runs.
    pub host: Host,
}

/// A tenant with its workloads on h1, h2 and h3.
#[derive(Debug)]
pub struct Tenant {
    /// Its name.
    pub name: &'static str,
    /// The file with its token.
    token: PathBuf,
    /// Its workloads; the address of the third is one that the other tenant does not have.
    pub workloads: Vec<Workload>,
}

/// Both tenants, and how they reach the controller.
#[derive(Debug)]
pub struct Cast {
    /// The tenants.
    pub tenants: [Tenant; 2],
    endpoint: String,
    inner_endpoint: String,
    admin_token: PathBuf,
    cli: PathBuf,
    agent: PathBuf,
}

impl Cast {
    /// The tenants as they will be. Nothing is asked of the controller yet.
    pub fn of(site: &Site) -> Result<Cast> {
        Ok(Cast {
            tenants: [Tenant::of(site, "red", [11, 12, 13])?, Tenant::of(site, "blue", [11, 12, 14])?],
            endpoint: site.admin.endpoint().to_owned(),
            inner_endpoint: format!("http://{}:{PORT}", site.rig.controller_ip()),
            admin_token: site.rig.run_dir().join(ADMIN_TOKEN),
            cli: program("weft")?,
            agent: program("weft-agent")?,
        })
    }

    /// Makes the tenants and what they ask for, with the commands that they would type.
    pub fn ask(&self, stage: &Stage) -> Result<()> {
        for tenant in &self.tenants {
            let name = tenant.name;
            self.weft(stage, &self.admin_token, &format!("tenant create {name}"))?;
            let create = format!("token create {name} --secret-only");
            let shown = format!("weft {create} > {name}.token");
            let secret = stage.run("", &shown, &self.command(&self.admin_token, &create))?;
            save_private(&tenant.token, &secret)?;
            self.weft(stage, &tenant.token, &format!("network create {NETWORK}"))?;
            for cidr in ["192.168.1.0/24", "fd00:1::/64"] {
                self.weft(stage, &tenant.token, &format!("subnet create --network {NETWORK} --cidr {cidr}"))?;
            }
            for workload in &tenant.workloads {
                let Workload { name, addresses: [v4, v6], mac, .. } = workload;
                let line = format!("port create {name} --network {NETWORK} --ip {v4} --ip {v6} --mac {mac}");
                self.weft(stage, &tenant.token, &line)?;
            }
        }
        Ok(())
    }

    /// Wires every workload to its port, with the command that somebody on its host would type.
    pub fn attach(&self, stage: &Stage) -> Result<()> {
        let mut active = 0;
        for (tenant, workload) in self.everybody() {
            let Workload { name, netns, host, .. } = workload;
            let db = format!("unix:{}", host.db_socket().display());
            let args = ["attach", "--port", name, "--netns", netns.name(), "--ifname", "eth0", "--db", &db];
            let cmd = Cmd::new(&self.agent).args(args).within(host.netns());
            let cmd = cmd.env("WEFT_ENDPOINT", &self.inner_endpoint).env("WEFT_TOKEN_FILE", &tenant.token);
            let shown = format!("weft-agent attach --port {name} --netns {}", netns.name());
            let printed = stage.run(host.name(), &shown, &cmd)?;
            active += usize::from(printed.contains("\"ACTIVE\""));
        }
        stage.check(
            &format!("{active} of {} ports are active", self.everybody().count()),
            active == 2 * HOSTS,
        );
        Ok(())
    }

    /// The whole picture, as the administrator sees it.
    pub fn show(&self, stage: &Stage) -> Result<()> {
        let text = stage.run("", "weft show", &self.command(&self.admin_token, "show"))?;
        stage.printed(&text);
        let is_complete = self.everybody().all(|(_, workload)| text.contains(&workload.name));
        stage.check("it shows both tenants with all their ports", is_complete);
        Ok(())
    }

    /// Every workload with its tenant.
    pub fn everybody(&self) -> impl Iterator<Item = (&Tenant, &Workload)> {
        self.tenants.iter().flat_map(|tenant| tenant.workloads.iter().map(move |workload| (tenant, workload)))
    }

    /// Runs `weft` in somebody's name.
    fn weft(&self, stage: &Stage, token: &Path, line: &str) -> Result<()> {
        let as_whom = match token.file_name() {
            Some(file) if token != self.admin_token => format!("--token-file {} ", file.display()),
            _ => String::new(),
        };
        let cmd = self.command(token, &format!("-o id {line}"));
        stage.run("", &format!("weft {as_whom}{line}"), &cmd).map(drop)
    }

    /// `weft` with these words, none of which has a space in it.
    fn command(&self, token: &Path, line: &str) -> Cmd {
        let cmd = Cmd::new(&self.cli).args(line.split(' '));
        cmd.env("WEFT_ENDPOINT", &self.endpoint).env("WEFT_TOKEN_FILE", token)
    }
}

impl Tenant {
    fn of(site: &Site, name: &'static str, numbers: [u8; HOSTS]) -> Result<Tenant> {
        let workload = |(index, number): (usize, u8)| {
            let workload = format!("{name}{}", index + 1);
            Ok(Workload {
                netns: site.rig.add_netns(&workload)?,
                name: workload,
                addresses: [
                    IpAddr::from([192, 168, 1, number]),
                    format!("fd00:1::{number}").parse().context("an address")?,
                ],
                // Two digits, so they can be read in it.
                mac: format!("02:00:00:00:01:{number}"),
                host: site.hosts[index].clone(),
            })
        };
        let workloads = numbers.into_iter().enumerate().map(workload).collect::<Result<_>>()?;
        Ok(Tenant { name, token: site.rig.run_dir().join(format!("{name}.token")), workloads })
    }

    /// The workload whose address the other tenant does not have.
    pub fn unique(&self) -> &Workload {
        &self.workloads[HOSTS - 1]
    }
}

fn save_private(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("creating {}", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}
