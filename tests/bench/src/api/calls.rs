//! What the calls cost that clients make all the time: reads, updates and floating IPs, with a tenant's token.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use weft_scenarios::simulated::{self, Controller, Http, Listen};

use super::join;
use crate::numbers::{Spread, milliseconds};
use crate::report::{Report, Row};
use crate::size::{Size, System};
use crate::world;

/// Networks of the tenant: what a page of a list has to show.
const NETWORKS: usize = 1000;
/// Ports of one of them.
const PORTS: usize = 100;

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Whoami,
    ShowNetwork,
    ShowPort,
    ListPage,
    ListByName,
    ListPortsOfNetwork,
    UpdateNetwork,
    CreateFloatingIp,
}

const CALLS: [(Call, &str); 8] = [
    (Call::Whoami, "GET whoami: nothing but the token is looked at"),
    (Call::ShowNetwork, "GET one network"),
    (Call::ShowPort, "GET one port"),
    (Call::ListPage, "GET a page of 1,000 networks"),
    (Call::ListByName, "GET networks of a name, among 1,000"),
    (Call::ListPortsOfNetwork, "GET the 100 ports of a network"),
    (Call::UpdateNetwork, "PUT a network's description"),
    (Call::CreateFloatingIp, "POST a floating IP"),
];

/// What the tenant has.
struct Tenant {
    token: String,
    external: String,
    networks: Vec<String>,
    /// With the ports.
    busy: String,
    ports: Vec<String>,
}

/// Runs the benchmark.
pub fn run(size: Size) -> Result<Report> {
    let mut report = Report::new(
        "api calls",
        "common calls with a tenant's token, writes durable before they are answered",
    );
    report.note("The tenant has 1,001 networks, one of them with 100 ports; nothing is kept between calls.");
    report.note("Clients are threads of the benchmark with one kept connection each, on the same two cores.");
    for ports in size.api_ports() {
        let folder = tempfile::tempdir()?;
        if *ports > 0 {
            let population = world::population(System { ports: *ports, hosts: 10_000, wide: 0 });
            simulated::fill(&population, folder.path())?;
        }
        let controller = Controller::start(folder.path(), Listen::free()?, &["--audit-interval", "3600"])?;
        let tenant = Tenant::make(&mut controller.http()?)?;
        for (call, words) in CALLS {
            for clients in [1, 8, 32] {
                let before = controller.cpu_of_all()?;
                let begin = Instant::now();
                let latencies = measure(&controller, &tenant, (call, clients), begin + size.api_time())?;
                let (took, cpu) = (begin.elapsed(), controller.cpu_of_all()? - before);
                let count = latencies.len() as f64;
                report.push(
                    Row::default()
                        .whole("ports before", *ports)
                        .text("call", words)
                        .whole("clients", clients)
                        .number("calls/s", count / took.as_secs_f64(), 0)
                        .spread("p50 / p99 ms", Spread::of(latencies))
                        .number("CPU us per call", milliseconds(cpu) * 1000.0 / count, 0),
                );
            }
        }
    }
    Ok(report)
}

impl Tenant {
    fn make(operator: &mut Http) -> Result<Tenant> {
        operator.post("/v1/tenants", r#"{"tenant":{"id":"caller","name":"caller"}}"#)?;
        let token = operator.post("/v1/tenants/caller/tokens", r#"{"token":{}}"#)?.json()?;
        let token = token["token"].as_str().context("a token has a secret")?.to_owned();
        let external = r#"{"network":{"name":"out","project_id":"caller","router:external":true,
            "provider:network_type":"flat","provider:physical_network":"bench-outside"}}"#;
        let external = operator.post("/v2.0/networks", external)?.id()?;
        subnet(operator, &external, "100.64.0.0/10")?;
        let busy = network(operator, "busy")?;
        subnet(operator, &busy, "10.0.0.0/16")?;
        let networks = (0..NETWORKS).map(|n| network(operator, &format!("n{n}"))).collect::<Result<_>>()?;
        let port = format!(r#"{{"port":{{"network_id":"{busy}"}}}}"#);
        let ports = (0..PORTS).map(|_| operator.post("/v2.0/ports", &port)?.id()).collect::<Result<_>>()?;
        Ok(Tenant { token, external, networks, busy, ports })
    }

    /// Makes one call; `number` varies what it is about.
    fn make_call(&self, http: &mut Http, call: Call, number: usize) -> Result<()> {
        let network = &self.networks[number % self.networks.len()];
        match call {
            Call::Whoami => http.get("/v1/whoami"),
            Call::ShowNetwork => http.get(&format!("/v2.0/networks/{network}")),
            Call::ShowPort => http.get(&format!("/v2.0/ports/{}", self.ports[number % self.ports.len()])),
            Call::ListPage => http.get("/v2.0/networks?limit=1000"),
            Call::ListByName => http.get(&format!("/v2.0/networks?name=n{}", number % NETWORKS)),
            Call::ListPortsOfNetwork => http.get(&format!("/v2.0/ports?network_id={}", self.busy)),
            Call::UpdateNetwork => {
                let body = format!(r#"{{"network":{{"description":"{number}"}}}}"#);
                http.put(&format!("/v2.0/networks/{network}"), &body)
            }
            Call::CreateFloatingIp => {
                let body = format!(r#"{{"floatingip":{{"floating_network_id":"{}"}}}}"#, self.external);
                http.post("/v2.0/floatingips", &body)
            }
        }
        .map(drop)
    }
}

fn network(http: &mut Http, name: &str) -> Result<String> {
    http.post("/v2.0/networks", &format!(r#"{{"network":{{"name":"{name}","project_id":"caller"}}}}"#))?.id()
}

fn subnet(http: &mut Http, network: &str, cidr: &str) -> Result<()> {
    let body = format!(r#"{{"subnet":{{"network_id":"{network}","ip_version":4,"cidr":"{cidr}"}}}}"#);
    http.post("/v2.0/subnets", &body).map(drop)
}

/// Lets so many clients call until the time is up; how long each call took.
fn measure(
    controller: &Controller,
    tenant: &Tenant,
    (call, clients): (Call, usize),
    end: Instant,
) -> Result<Vec<Duration>> {
    let calling = |client: usize| -> Result<Vec<Duration>> {
        let mut http = Http::connect(controller.listen().api, &tenant.token)?;
        let mut latencies = Vec::new();
        for number in (client..).step_by(clients) {
            let begin = Instant::now();
            if begin >= end {
                break;
            }
            tenant.make_call(&mut http, call, number)?;
            latencies.push(begin.elapsed());
        }
        Ok(latencies)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|client| scope.spawn(move || calling(client))).collect();
        Ok(threads.into_iter().map(join).collect::<Result<Vec<_>>>()?.concat())
    })
}
