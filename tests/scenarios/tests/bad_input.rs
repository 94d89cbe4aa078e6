//! Proves that nothing that arrives at the controller's ports harms it: garbage, lies about lengths, half messages, wrong
//! versions, silence, floods of connections and nonsense in hosts' databases.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use weft_rig::{Host, HostSpec, http_get, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, Traffic};

/// The controller's ports: OVSDB, OpenFlow, REST.
const PORTS: [u16; 3] = [6640, 6653, 9696];
/// How much more memory the controller may have after all of it, in KiB: less than one hostile message claims to be.
const GROWTH_KIB: u64 = 128 << 10;

fn connect(site: &Site, port: u16) -> TcpStream {
    let address: SocketAddr = site.rig.api_addr(port);
    let stream = TcpStream::connect_timeout(&address, LIMIT).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Sends bytes; the other side may hang up in the middle of them.
fn say(stream: &mut TcpStream, bytes: &[u8]) {
    // Being cut off is one of the right answers.
    let _ = stream.write_all(bytes);
}

/// Waits until the other side has closed the connection.
fn hung_up(mut stream: TcpStream) -> Result<()> {
    let mut rest = [0; 65536];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => bail!("it still listens: {error}"),
        }
    }
}

/// Bytes that look like nothing, the same in every run.
fn garbage(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn resident_kib(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn hello() -> Vec<u8> {
    vec![6, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x40]
}

/// A features reply of OpenFlow 1.5 with a datapath id.
fn features(datapath: u64) -> Vec<u8> {
    let mut message = vec![6, 6, 0, 32, 0, 0, 0, 2];
    message.extend(datapath.to_be_bytes());
    message.resize(32, 0);
    message
}

/// What strangers say to the OpenFlow port, each on a connection of its own.
fn openflow_lies() -> Vec<(&'static str, Vec<u8>)> {
    let after_hello = |rest: &[u8]| [&hello(), rest].concat();
    vec![
        ("a length of zero", vec![6, 0, 0, 0, 0, 0, 0, 1]),
        ("a length below the header's", vec![6, 0, 0, 7, 0, 0, 0, 1]),
        ("OpenFlow 1.0", vec![1, 0, 0, 8, 0, 0, 0, 1]),
        ("OpenFlow 255", vec![255, 0, 0, 8, 0, 0, 0, 1]),
        ("a datapath of nobody", after_hello(&features(0x1234))),
        ("a hello whose elements lie", vec![6, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0xff, 0xff, 0, 0, 0, 0x40]),
        ("features cut short", after_hello(&[6, 6, 0, 12, 0, 0, 0, 2, 0, 0, 0, 0])),
        (
            "an answer to nothing",
            after_hello(&[6, 19, 0, 16, 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 6, 0, 0, 3]),
        ),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
    ]
}

/// What strangers say to the OVSDB port.
fn ovsdb_lies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("no JSON", b"}}}}".to_vec()),
        ("JSON that is no message", b"[1,2,3]".to_vec()),
        ("a number", b"42 ".to_vec()),
        ("bytes that are no text", b"\"\xff\xfe\x00\"".to_vec()),
        ("deeper than any stack", b"[".repeat(1 << 20)),
        ("an answer to nothing", br#"{"id":"nobody","result":{},"error":null}"#.to_vec()),
        ("a schema of rubbish", br#"{"id":0,"result":{"tables":7},"error":null}{"id":1,"result":{"tables":{"Bridge":[]}},"error":null}"#.to_vec()),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
    ]
}

/// Garbage, lies, half messages and floods at every port: the same process still runs, answers, holds the state of its
/// switches, and is no bigger for it; not a packet and not a flow message is the consequence.
/// What is known of a host, but for how often it was audited: that goes on by itself.
fn lasting(site: &Site, host: &Host) -> weft_api::Host {
    let mut status = site.host_status(host).unwrap();
    (status.audit.last, status.audit.audits) = Default::default();
    status
}

#[test]
fn nothing_that_arrives_at_a_port_does_harm() {
    let site = Site::start("badinput", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let network = red.network(&NetworkSpec::new("blue", &["10.0.0.0/24"])).unwrap();
    let ports = ["a", "b"].map(|name| red.port(&network, name).unwrap());
    let a = site.attach(&site.hosts[0], "a", &ports[0]).unwrap();
    let b = site.attach(&site.hosts[1], "b", &ports[1]).unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    let traffic = Traffic::start(&a, b.ipv4().unwrap()).unwrap();
    let pid = site.controller.pid().unwrap();
    let before: Vec<_> = site.hosts.iter().map(|host| lasting(&site, host)).collect();
    let size = resident_kib(pid);

    for (what, bytes) in openflow_lies() {
        let mut stream = connect(&site, 6653);
        say(&mut stream, &bytes);
        drop(stream.shutdown(std::net::Shutdown::Write));
        hung_up(stream).unwrap_or_else(|error| panic!("{what} over OpenFlow: {error:#}"));
    }
    for (what, bytes) in ovsdb_lies() {
        let mut stream = connect(&site, 6640);
        say(&mut stream, &bytes);
        drop(stream.shutdown(std::net::Shutdown::Write));
        hung_up(stream).unwrap_or_else(|error| panic!("{what} over OVSDB: {error:#}"));
    }
    for port in PORTS {
        for seed in 1..=20 {
            let mut stream = connect(&site, port);
            say(&mut stream, &garbage(1 << 14, seed * 7919 + u64::from(port)));
            drop(stream.shutdown(std::net::Shutdown::Write));
            hung_up(stream).unwrap_or_else(|error| panic!("garbage {seed} at {port}: {error:#}"));
        }
    }
    endless(&site);
    let started = std::time::Instant::now();
    silent(&site);
    println!("silence took {:?}", started.elapsed());
    flood(&site);

    assert_eq!(site.controller.pid(), Some(pid));
    let answer = http_get(site.controller.api_addr(), "/readyz").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let grown = resident_kib(pid).saturating_sub(size);
    println!("the controller has {size} KiB and grew by {grown} KiB");
    assert!(grown < GROWTH_KIB, "{grown} KiB more than {size}");
    for (host, before) in site.hosts.iter().zip(before) {
        assert_eq!(lasting(&site, host), before);
    }
    traffic.wait_more(10).unwrap();
    // Before a port is plugged in: Open vSwitch drops what misses its cache while it takes a new port.
    assert_eq!(traffic.lost().unwrap(), Vec::<u32>::new());
    let port = red.port(&network, "c").unwrap();
    let c = site.attach(&site.hosts[1], "c", &port).unwrap();
    a.wait_reaches(c.ipv4().unwrap(), LIMIT).unwrap();
}

/// Messages that never end: more than a port takes in one piece, and it hangs up instead of keeping it.
fn endless(site: &Site) {
    let mut ovsdb = connect(site, 6640);
    say(&mut ovsdb, b"{\"id\":\"");
    let piece = vec![b'a'; 1 << 20];
    // Its limit for one message is 64 MiB.
    (0..80).for_each(|_| say(&mut ovsdb, &piece));
    hung_up(ovsdb).expect("an endless message over OVSDB is cut off");

    let mut rest = connect(site, 9696);
    say(&mut rest, b"GET /");
    (0..4).for_each(|_| say(&mut rest, &piece));
    hung_up(rest).expect("an endless request line is cut off");

    let mut rest = connect(site, 9696);
    let head = format!(
        "POST /v2.0/networks HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        site.token,
        u64::from(u32::MAX)
    );
    say(&mut rest, head.as_bytes());
    (0..64).for_each(|_| say(&mut rest, &piece));
    drop(rest.shutdown(std::net::Shutdown::Write));
    hung_up(rest).expect("an endless body is cut off");
}

/// Connections that say nothing, or stop in the middle: they cost a connection, and nobody else waits for them.
fn silent(site: &Site) {
    let mut idle: Vec<TcpStream> = Vec::new();
    for port in PORTS {
        idle.extend((0..50).map(|_| connect(site, port)));
        let mut half = connect(site, port);
        say(&mut half, if port == 6653 { &[6, 0, 0xff, 0xff, 0, 0] } else { b"{\"id\": 1, \"res" });
        idle.push(half);
    }
    let started = std::time::Instant::now();
    assert_eq!(http_get(site.controller.api_addr(), "/readyz").unwrap().status, 200);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // On the two ports of hosts, whoever says nothing is sent away in the end.
    let first = idle.swap_remove(51);
    hung_up(first).expect("silence over OpenFlow ends");
    let first = idle.swap_remove(0);
    hung_up(first).expect("silence over OVSDB ends");
}

/// Thousands of connections, many of them at once.
fn flood(site: &Site) {
    for port in PORTS {
        for _ in 0..3 {
            let held: Vec<TcpStream> = (0..700).map(|_| connect(site, port)).collect();
            drop(held);
        }
    }
}

/// Nonsense in a host's database is said, under the host's name or in the log, and harms neither the host nor others.
#[test]
fn nonsense_in_a_host_database_is_said_and_harms_nobody() {
    let site = Site::start("badrows", 1).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let network = red.network(&NetworkSpec::new("blue", &["10.0.0.0/24"])).unwrap();
    let good = red.port(&network, "good").unwrap();
    let host = site.rig.add_host(HostSpec::new("odd")).unwrap();
    let hosts = || site.wait(site.admin.hosts().list(&[])).map(|hosts| hosts.value.len());
    let logged = |word: &str| {
        wait_until(&format!("{word:?} in the log"), LIMIT, || Ok(site.controller.log()?.contains(word)))
            .unwrap();
    };
    // Who it is.
    host.vsctl(&["remove", "Open_vSwitch", ".", "external_ids", "system-id"]).unwrap();
    host.join(&site.rig.manager_target()).unwrap();
    logged("external_ids:system-id is not set");
    let long = "x".repeat(3000);
    for bad in ["two words", "../../etc", long.as_str()] {
        host.vsctl(&["set", "Open_vSwitch", ".", &format!("external_ids:system-id=\"{bad}\"")]).unwrap();
    }
    logged("external_ids:system-id ");
    // Where its VTEP is.
    let vtep = |ip: &str| {
        let setting = format!("external_ids:weft-encap-ip=\"{ip}\"");
        host.vsctl(&["set", "Open_vSwitch", ".", &setting, "external_ids:system-id=odd"]).unwrap();
    };
    for bad in ["nowhere", "10.1.1.1,10.1.1.2"] {
        vtep(bad);
        logged(bad);
        assert_eq!(hosts().unwrap(), 1);
    }
    vtep(&long);
    logged(&"x".repeat(100));
    let longest = site.controller.log().unwrap().lines().map(str::len).max();
    assert!(longest < Some(1000), "a line of {longest:?} bytes: whoever dials in could fill the log");
    vtep(&host.underlay_ip().to_string());
    wait_until("the host to join", LIMIT, || Ok(hosts()? == 2 && site.host_status(&host)?.status == "UP"))
        .unwrap();

    // What its interfaces claim to be.
    let plug = |name: &str, iface_id: &str| {
        let id = format!("external_ids:iface-id=\"{iface_id}\"");
        host.vsctl(&["add-port", "br-int", name, "--", "set", "Interface", name, "type=internal", &id])
            .unwrap();
    };
    plug("odd1", "not a port");
    plug("odd2", "00000000-0000-0000-0000-000000000000");
    plug("odd3", "11111111-2222-3333-4444-555555555555");
    plug("odd4", &long);
    plug("odd5", &good.id);
    site.wait_active(&good.id).unwrap();
    plug("odd6", &good.id);
    let claimed = |host: &weft_rig::Host| -> Result<(usize, String)> {
        let status = site.host_status(host)?;
        Ok((status.ports, status.status))
    };
    wait_until("the host to be as it was", LIMIT, || {
        let now = claimed(&host)?;
        ensure!(now == (1, "UP".to_owned()), "{now:?}");
        Ok(true)
    })
    .unwrap();
    assert_eq!(claimed(&site.hosts[0]).context("the other host").unwrap(), (0, "UP".to_owned()));
    site.wait_active(&good.id).unwrap();
}
