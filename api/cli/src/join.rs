//! `weft host join`: the one line that makes a plain Open vSwitch host join, printed or run.

use std::net::{IpAddr, ToSocketAddrs, UdpSocket};
use std::process::{Command, Output};

use clap::Args;

use crate::failure::Failure;
use crate::output;

/// The port on which a controller awaits the databases of its hosts.
const OVSDB_PORT: u16 = 6640;

/// How this machine is to join.
#[derive(Debug, Clone, Args)]
pub struct Join {
    /// Where the host finds the controller: HOST, HOST:PORT or tcp:HOST:PORT [default: the host of --endpoint, port 6640].
    #[arg(long, value_name = "ADDRESS")]
    pub controller: Option<String>,
    /// Where other hosts' tunnels find this one; one address of each family at most, separated by a comma [default: the
    /// address from which this machine reaches the controller].
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub encap_ip: Vec<IpAddr>,
    /// Run the line here instead of printing it.
    #[arg(long)]
    pub run: bool,
    /// The socket of the host's database, like unix:/var/run/openvswitch/db.sock [default: what ovs-vsctl takes].
    #[arg(long, value_name = "SOCKET")]
    pub db: Option<String>,
}

/// Prints or runs the line.
///
/// # Errors
/// [`Failure::Usage`] when an address has to be given, [`Failure::Host`] when the host must not or cannot join.
pub fn run(endpoint: &str, join: &Join) -> Result<(), Failure> {
    let manager = manager(endpoint, join.controller.as_deref())?;
    let encap_ips = match join.encap_ip.as_slice() {
        [] => vec![towards(&manager)?],
        given => given.to_vec(),
    };
    let arguments = arguments(&manager, &encap_ips, join.db.as_deref());
    if !join.run {
        return output::write(&format!("ovs-vsctl {}\n", arguments.join(" ")));
    }
    check(join.db.as_deref(), &manager)?;
    vsctl(&arguments).map(drop)
}

/// The target that `set-manager` gets.
fn manager(endpoint: &str, controller: Option<&str>) -> Result<String, Failure> {
    if let Some(given) = controller {
        if given.starts_with("ssl:") {
            return Ok(given.to_owned());
        }
        let (host, port) = split(given.strip_prefix("tcp:").unwrap_or(given)).ok_or_else(|| {
            Failure::Usage(format!("{given:?} is not an address like 192.0.2.1 or tcp:192.0.2.1:6640"))
        })?;
        return Ok(format!("tcp:{host}:{}", port.unwrap_or(OVSDB_PORT)));
    }
    let authority = endpoint.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let host = split(authority).map(|(host, _)| host).unwrap_or_default();
    let is_here = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if is_here {
        let text = format!("hosts cannot reach the controller at {host}: say where it is with --controller");
        return Err(Failure::Usage(text));
    }
    Ok(format!("tcp:{host}:{OVSDB_PORT}"))
}

/// Splits `HOST[:PORT]`; an IPv6 address stands in brackets, or bare when no port follows.
fn split(text: &str) -> Option<(String, Option<u16>)> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some((if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }, None));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !text.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (text, None),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_[]:%".contains(c);
    let is_host =
        !host.is_empty() && host.chars().all(is_plain) && (!host.contains(':') || host.starts_with('['));
    is_host.then(|| (host.to_owned(), port))
}

/// The address from which this machine would speak to the controller. Nothing is sent.
fn towards(manager: &str) -> Result<IpAddr, Failure> {
    let unknown =
        |_| Failure::Usage("say where other hosts' tunnels find this one with --encap-ip".to_owned());
    let target = manager.split_once(':').map_or(manager, |(_, rest)| rest);
    let target = target.to_socket_addrs().map_err(unknown)?.next().ok_or(()).map_err(|()| {
        Failure::Usage(format!("{manager} has no address: say where this host is with --encap-ip"))
    })?;
    let any: IpAddr = if target.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(target).map(|()| socket));
    let ip = socket.and_then(|socket| socket.local_addr()).map_err(unknown)?.ip();
    if ip.is_loopback() {
        return Err(Failure::Usage(
            "say where other hosts' tunnels find this one with --encap-ip".to_owned(),
        ));
    }
    Ok(ip)
}

fn arguments(manager: &str, encap_ips: &[IpAddr], db: Option<&str>) -> Vec<String> {
    let ips: Vec<String> = encap_ips.iter().map(ToString::to_string).collect();
    let id = format!("external_ids:weft-encap-ip={}", ips.join(","));
    let join = ["set", "Open_vSwitch", ".", &id, "--", "set-manager", manager];
    let db = db.map(|socket| format!("--db={socket}"));
    db.into_iter().chain(join.map(str::to_owned)).collect()
}

/// `set-manager` replaces every manager that is there: someone else's must not be lost by it.
fn check(db: Option<&str>, manager: &str) -> Result<(), Failure> {
    let with_db = |words: &[&str]| {
        let db = db.map(|socket| format!("--db={socket}"));
        db.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect::<Vec<_>>()
    };
    let managers = vsctl(&with_db(&["get-manager"]))?;
    if let Some(other) = managers.lines().map(str::trim).find(|line| !line.is_empty() && *line != manager) {
        let text = format!(
            "this host has another manager, {other}, which the line would remove; `weft-agent join` keeps it, or \
             remove it with `ovs-vsctl del-manager`"
        );
        return Err(Failure::Host(text));
    }
    let id = vsctl(&with_db(&["--if-exists", "get", "Open_vSwitch", ".", "external_ids:system-id"]))?;
    if id.trim().is_empty() {
        let text = "this host has no system-id; `weft-agent join` gives it one, or \
                    `ovs-vsctl set Open_vSwitch . external_ids:system-id=NAME` does";
        return Err(Failure::Host(text.to_owned()));
    }
    Ok(())
}

fn vsctl(arguments: &[String]) -> Result<String, Failure> {
    let command = format!("ovs-vsctl {}", arguments.join(" "));
    let ran = Command::new("ovs-vsctl").arg("--timeout=15").args(arguments).output();
    let Output { status, stdout, stderr } =
        ran.map_err(|source| Failure::Start { command: command.clone(), source })?;
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr).trim().to_owned();
        return Err(Failure::Host(format!("{command} failed: {said}")));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(endpoint: &str, controller: Option<&str>, ips: &str, db: Option<&str>) -> Result<String, String> {
        let manager = manager(endpoint, controller).map_err(|failure| failure.to_string())?;
        let ips: Vec<IpAddr> = ips.split(',').map(|ip| ip.parse().expect("an address")).collect();
        Ok(format!("ovs-vsctl {}", arguments(&manager, &ips, db).join(" ")))
    }

    #[test]
    fn the_line_is_the_documented_one() {
        let join = "ovs-vsctl set Open_vSwitch . external_ids:weft-encap-ip=192.0.2.11 -- set-manager tcp:192.0.2.1:6640";
        assert_eq!(line("http://192.0.2.1:9696", None, "192.0.2.11", None).as_deref(), Ok(join));
        for controller in ["192.0.2.1", "192.0.2.1:6640", "tcp:192.0.2.1:6640", "tcp:192.0.2.1"] {
            assert_eq!(
                line("http://127.0.0.1:9696", Some(controller), "192.0.2.11", None).as_deref(),
                Ok(join)
            );
        }
        let with_db = line("http://c:1", None, "192.0.2.11", Some("unix:/run/x.sock"));
        assert_eq!(
            with_db.as_deref(),
            Ok(
                "ovs-vsctl --db=unix:/run/x.sock set Open_vSwitch . external_ids:weft-encap-ip=192.0.2.11 -- set-manager tcp:c:6640"
            )
        );
    }

    #[test]
    fn addresses_of_ipv6_keep_their_brackets() {
        let expected = "ovs-vsctl set Open_vSwitch . external_ids:weft-encap-ip=192.0.2.11,fd00::b -- set-manager tcp:[fd00::1]:6640";
        for controller in ["fd00::1", "[fd00::1]", "[fd00::1]:6640", "tcp:[fd00::1]:6640"] {
            assert_eq!(
                line("http://c:1", Some(controller), "192.0.2.11,fd00::b", None).as_deref(),
                Ok(expected),
                "{controller}"
            );
        }
        assert_eq!(manager("http://[fd00::1]:9696/", None).ok().as_deref(), Some("tcp:[fd00::1]:6640"));
    }

    #[test]
    fn a_loopback_endpoint_says_nothing_about_where_hosts_find_the_controller() {
        for endpoint in ["http://127.0.0.1:9696", "http://localhost:9696", "http://[::1]:9696"] {
            assert!(matches!(manager(endpoint, None), Err(Failure::Usage(_))), "{endpoint}");
        }
        for wrong in ["", "tcp:", "a b", "x:99999", "tcp:1.2.3.4:"] {
            assert!(matches!(manager("http://c:1", Some(wrong)), Err(Failure::Usage(_))), "{wrong:?}");
        }
    }
}
