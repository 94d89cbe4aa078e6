//! One change, measured: a bound port in a network of all hosts goes down and up again over REST.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weft_api::{Port, PortCreate, PortUpdate};
use weft_scenarios::simulated::usage::{cpu, resident_kib};
use weft_scenarios::{LIMIT, Site};

use super::{floor, site as population};
use crate::numbers::{Spread, milliseconds};
use crate::report::Row;

/// What a change came to.
#[derive(Debug)]
pub struct Measured {
    hosts: usize,
    ports: usize,
    /// From the request to the durable answer.
    api: Option<Spread>,
    /// From the request to the confirmation by the port's own host.
    own: Option<Spread>,
    /// From the request to the confirmation by all hosts.
    all: Option<Spread>,
    /// Processor time of the controller per change.
    cpu_ms: f64,
    /// Flow and group messages encoded per change.
    encoded: f64,
    /// Flow and group messages sent per change, over all hosts.
    sent: f64,
    /// A bundle of as many flows straight into one switch's socket, to the commit's answer.
    floor: Option<Spread>,
    /// Resident memory of the controller.
    rss_kib: u64,
}

/// Measures `iterations` changes. Each is a port's `admin_state_up` set to true, after it was set to false unmeasured:
/// all of the port's flows are made, for its own host and for every other.
pub fn measure(site: &Site, ports: usize, iterations: usize) -> Result<Measured> {
    let port = probe(site, ports)?;
    let pid = site.controller.pid().context("the controller does not run")?;
    let (mut api, mut own, mut all) = (Vec::new(), Vec::new(), Vec::new());
    // Warm up connections and caches.
    for _ in 0..3 {
        toggle(site, &port)?;
    }
    let before = (cpu(pid)?, counter(site, "weft_messages_encoded_total")?, sent(site)?);
    for _ in 0..iterations {
        let sample = toggle(site, &port)?;
        api.push(sample.api);
        own.push(sample.own);
        all.push(sample.all);
    }
    let after = (cpu(pid)?, counter(site, "weft_messages_encoded_total")?, sent(site)?);
    // Down and up are two changes.
    let changes = (iterations * 2) as f64;
    let encoded = (after.1 - before.1) / changes;
    Ok(Measured {
        hosts: site.hosts.len(),
        ports,
        api: Spread::of(api),
        own: Spread::of(own),
        all: Spread::of(all),
        cpu_ms: milliseconds(after.0 - before.0) / changes,
        encoded,
        sent: (after.2 - before.2) as f64 / changes,
        floor: Spread::of(floor::measure(&site.hosts[0], encoded.ceil() as usize, iterations)?),
        rss_kib: resident_kib(pid)?,
    })
}

/// A port on the first host, in a network with a port on every host.
fn probe(site: &Site, ports: usize) -> Result<Port> {
    let network = population::network(site, &format!("probe-{ports}"))?;
    let mut first = None;
    for (n, host) in site.hosts.iter().enumerate() {
        let new = PortCreate { network_id: network.clone(), ..PortCreate::default() };
        let port = site.wait(site.admin.ports().create(&new))?.value;
        host.add_dummy_port(&format!("probe{ports}-{n}"), &port.id)?;
        site.wait_active(&port.id)?;
        first.get_or_insert(port);
    }
    first.context("a site has at least one host")
}

struct Sample {
    api: Duration,
    own: Duration,
    all: Duration,
}

fn toggle(site: &Site, port: &Port) -> Result<Sample> {
    let set = |up| PortUpdate { admin_state_up: Some(up), ..PortUpdate::default() };
    let down = site.wait(site.admin.ports().update(&port.id, &set(false)))?.revision;
    site.wait_applied(down)?;
    let host = site.hosts[0].name();
    let start = Instant::now();
    let revision = site.wait(site.admin.ports().update(&port.id, &set(true)))?.revision;
    let api = start.elapsed();
    let (own, all) = site.wait(async {
        let own = async {
            site.admin.applied_on(host, revision, LIMIT).await.map(|report| (report, start.elapsed()))
        };
        let all = async { site.admin.applied(revision, LIMIT).await.map(|report| (report, start.elapsed())) };
        tokio::try_join!(own, all)
    })?;
    ensure!(own.0.applied && all.0.applied, "revision {revision} was not confirmed");
    Ok(Sample { api, own: own.1, all: all.1 })
}

/// Flow and group messages sent to all hosts so far.
fn sent(site: &Site) -> Result<u64> {
    let hosts = site.wait(site.admin.hosts().list(&[]))?.value;
    Ok(hosts.iter().map(|host| host.flow_messages_sent).sum())
}

fn counter(site: &Site, name: &str) -> Result<f64> {
    let page = weft_rig::http_get(site.controller.api_addr(), "/metrics")?;
    let value = page.body.lines().find_map(|line| line.strip_prefix(name));
    Ok(value.with_context(|| format!("no metric {name}"))?.trim().parse()?)
}

impl Measured {
    /// As a line of the table.
    pub fn row(&self) -> Row {
        let p50 = |spread: &Option<Spread>| spread.map_or(f64::NAN, |spread| spread.p50_ms);
        Row::default()
            .whole("hosts", self.hosts)
            .whole("bound ports", self.ports)
            .spread("API write p50 / p99 ms", self.api)
            .spread("own host p50 / p99 ms", self.own)
            .spread("all hosts p50 / p99 ms", self.all)
            .number("CPU ms", self.cpu_ms, 2)
            .number("encoded", self.encoded, 1)
            .number("sent", self.sent, 1)
            .spread("floor p50 / p99 ms", self.floor)
            .number("all : floor", p50(&self.all) / p50(&self.floor), 1)
            .number("RSS MiB", self.rss_kib as f64 / 1024.0, 0)
    }
}
