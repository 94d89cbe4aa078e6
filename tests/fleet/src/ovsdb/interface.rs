//! Whether an interface can be set up, and in which words ovs-vswitchd says that it cannot.

use std::net::IpAddr;

use super::columns::{KIND, NAME, OPTIONS};
use super::row::Row;
use super::value::Datum;

/// Whether there is a network device of an interface's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    Present,
    Missing,
}

/// Why an interface does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no device of that name.
    NoDevice,
    /// Nobody knows the type.
    UnknownType,
    /// Another tunnel goes to the same place.
    Exists,
    /// Something is wrong with the options.
    Options(String),
}

const TUNNELS: [&str; 10] =
    ["bareudp", "erspan", "geneve", "gre", "gtpu", "ip6erspan", "ip6gre", "lisp", "stt", "vxlan"];

impl Fault {
    /// What `Interface.error` says.
    pub(super) fn text(&self, name: &str) -> String {
        match self {
            Fault::NoDevice => format!("could not open network device {name} (No such device)"),
            Fault::UnknownType => {
                format!("could not open network device {name} (Address family not supported by protocol)")
            }
            Fault::Exists => format!("could not add network device {name} to ofproto (File exists)"),
            Fault::Options(text) => text.clone(),
        }
    }
}

/// Whether an interface of this row can be set up.
pub(super) fn verify(row: &Row, device: Device) -> Result<(), Fault> {
    let text = |column| row.cell(column).and_then(Datum::as_text).unwrap_or_default();
    let (name, kind) = (text(NAME), text(KIND));
    let option = |key| row.cell(OPTIONS).and_then(|options| options.get(key));
    match kind {
        "" | "system" if device == Device::Missing => Err(Fault::NoDevice),
        "" | "system" | "internal" | "tap" => Ok(()),
        "patch" if option("peer").is_none() => {
            Err(Fault::Options(format!("{name}: patch type requires valid 'peer' argument")))
        }
        "patch" => Ok(()),
        tunnel if TUNNELS.contains(&tunnel) => {
            let missing = format!("{name}: {tunnel} type requires valid 'remote_ip' argument");
            match option("remote_ip") {
                None => Err(Fault::Options(missing)),
                Some("flow") => Ok(()),
                Some(ip) if ip.parse::<IpAddr>().is_ok() => Ok(()),
                Some(_) => Err(Fault::Options(format!("{name}: bad {tunnel} 'remote_ip'\n{missing}"))),
            }
        }
        _ => Err(Fault::UnknownType),
    }
}

/// What no two tunnels of a host may have in common; nothing if it is not a tunnel.
pub(super) fn tunnel_identity(row: &Row) -> Option<String> {
    let kind = row.cell(KIND).and_then(Datum::as_text).filter(|kind| TUNNELS.contains(kind))?;
    let option = |key| row.cell(OPTIONS).and_then(|options| options.get(key)).unwrap_or_default();
    let port = match (kind, option("dst_port")) {
        ("vxlan", "") => "4789",
        ("geneve", "") => "6081",
        (_, port) => port,
    };
    let key = [option("key"), option("in_key")].concat();
    Some(format!("{kind} {} {} {key} {port}", option("remote_ip"), option("local_ip")))
}
