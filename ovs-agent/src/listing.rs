//! What this host has attached.

use std::time::Duration;

use serde::Serialize;
use weft_ovsdb::Address;

use crate::attach::is_gone;
use crate::error::AgentError;
use crate::host_db::HostDb;
use crate::marks::Origin;

/// One attachment, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The id of the port.
    pub port: String,
    /// Its Ethernet address.
    pub mac: String,
    /// The name of the host's end.
    pub host_ifname: String,
    /// The namespace, as it was named; null for a tap.
    pub netns: Option<String>,
    /// The name of the interface there.
    pub ifname: Option<String>,
    /// Its OpenFlow port number; null while Open vSwitch has not taken it.
    pub ofport: Option<i64>,
    /// Whether the agent made the port.
    pub made_port: bool,
    /// Whether the interface is no longer there, as after its namespace has ended.
    pub gone: bool,
}

/// Lists what agents have attached on this host.
///
/// # Errors
/// See [`AgentError`].
pub async fn list(db: &Address, patience: Duration) -> Result<Vec<Listed>, AgentError> {
    let db = HostDb::open(db, patience).await?;
    let mut listed = Vec::new();
    for attachment in db.attachments() {
        let gone = is_gone(&attachment).await?;
        let ofport =
            db.interface(&attachment.host_ifname).and_then(|row| row.ofport).filter(|port| *port > 0);
        let (netns, ifname) = attachment.inside.map(|inside| (inside.path, inside.ifname)).unzip();
        listed.push(Listed {
            port: attachment.port,
            mac: attachment.mac,
            host_ifname: attachment.host_ifname,
            netns,
            ifname,
            ofport,
            made_port: attachment.port_origin == Origin::Made,
            gone,
        });
    }
    Ok(listed)
}

/// The list in columns, for people.
pub fn columns(listed: &[Listed]) -> String {
    let header = ["PORT", "HOST-IFNAME", "OFPORT", "NETNS", "IFNAME", "STATE"].map(str::to_owned);
    let row = |one: &Listed| {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        [
            one.port.clone(),
            one.host_ifname.clone(),
            one.ofport.map_or_else(|| "-".to_owned(), |number| number.to_string()),
            or_dash(&one.netns),
            or_dash(&one.ifname),
            if one.gone { "gone" } else { "attached" }.to_owned(),
        ]
    };
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(listed.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let tap = Listed {
            port: "8f0e3c62".into(),
            mac: "02:00:00:00:00:01".into(),
            host_ifname: "tap0".into(),
            netns: None,
            ifname: None,
            ofport: Some(3),
            made_port: false,
            gone: false,
        };
        let gone = Listed {
            host_ifname: "wp-8f0e3c624d0f".into(),
            netns: Some("/run/netns/a".into()),
            ifname: Some("eth0".into()),
            ofport: None,
            gone: true,
            ..tap.clone()
        };
        assert_eq!(
            columns(&[tap, gone]),
            "PORT      HOST-IFNAME      OFPORT  NETNS         IFNAME  STATE\n\
             8f0e3c62  tap0             3       -             -       attached\n\
             8f0e3c62  wp-8f0e3c624d0f  -       /run/netns/a  eth0    gone\n"
        );
    }
}
