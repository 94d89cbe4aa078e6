//! Which port a workload is to have: one that is there, or one that is made for it.

use weft_api::{FixedIpAsked, Network, Port, PortCreate};

use crate::agent::Agent;
use crate::error::AgentError;
use crate::journal::delete_port;

/// What uses the ports that agents make.
const DEVICE_OWNER: &str = "weft:agent";

/// Which port a workload is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortWish {
    /// One that is there, by id or name.
    Existing(String),
    /// One that is made.
    New {
        /// The network, by id or name.
        network: String,
        /// What to call it.
        name: Option<String>,
        /// Its Ethernet address; the controller chooses when not given.
        mac: Option<String>,
        /// Its addresses; the controller chooses when there are none.
        addresses: Vec<String>,
    },
}

/// The port that is attached already, if it is what is wished for.
pub(crate) async fn confirm(
    agent: &Agent,
    wish: &PortWish,
    attached: &str,
) -> Result<Option<Port>, AgentError> {
    let port = match agent.rest.ports().show(attached).await {
        Ok(answer) => answer.value,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let is_wished = match wish {
        PortWish::Existing(text) => agent.rest.ports().find(text).await?.value.id == port.id,
        PortWish::New { network, .. } => fits(wish, &port, &agent.rest.networks().find(network).await?.value),
    };
    Ok(is_wished.then_some(port))
}

/// Makes a port. One that an agent made for the same place and never used, because it was killed, is used or removed.
pub(crate) async fn make(
    agent: &Agent,
    wish: &PortWish,
    device_id: &str,
    used: &[String],
) -> Result<Port, AgentError> {
    let PortWish::New { network, name, mac, addresses } = wish else {
        return Err(AgentError::Wish("the port is there already".to_owned()));
    };
    let network = agent.rest.networks().find(network).await?.value;
    let filters = [("network_id", network.id.as_str()), ("device_id", device_id)];
    for port in agent.rest.ports().list(&filters).await?.value {
        let is_left_over = port.device_id == device_id && port.device_owner == DEVICE_OWNER;
        if !is_left_over || used.contains(&port.id) {
            continue;
        }
        if fits(wish, &port, &network) {
            return Ok(port);
        }
        delete_port(agent, &port.id).await?;
    }
    let asked = |ip: &String| FixedIpAsked { subnet_id: None, ip_address: Some(ip.clone()) };
    let new = PortCreate {
        network_id: network.id,
        name: name.clone(),
        mac_address: mac.clone(),
        fixed_ips: (!addresses.is_empty()).then(|| addresses.iter().map(asked).collect()),
        device_id: Some(device_id.to_owned()),
        device_owner: Some(DEVICE_OWNER.to_owned()),
        ..PortCreate::default()
    };
    Ok(agent.rest.ports().create(&new).await?.value)
}

/// Whether a port is what is wished for.
fn fits(wish: &PortWish, port: &Port, of: &Network) -> bool {
    let PortWish::New { mac, addresses, .. } = wish else { return false };
    let has = |address: &String| {
        let asked: Option<std::net::IpAddr> = address.parse().ok();
        asked.is_some() && port.fixed_ips.iter().any(|fixed| fixed.ip_address.parse().ok() == asked)
    };
    let same_mac = mac.as_ref().is_none_or(|mac| mac.eq_ignore_ascii_case(&port.mac_address));
    port.network_id == of.id && same_mac && addresses.iter().all(has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_api::FixedIp;

    #[test]
    fn a_port_fits_by_network_address_and_mac() {
        let network = Network { id: "n".into(), ..Network::default() };
        let fixed = FixedIp { subnet_id: "s".into(), ip_address: "fd00::5".into() };
        let port = Port {
            network_id: "n".into(),
            mac_address: "02:00:00:00:00:0a".into(),
            fixed_ips: vec![fixed],
            ..Port::default()
        };
        let wish = |mac: Option<&str>, addresses: &[&str]| PortWish::New {
            network: "blue".into(),
            name: None,
            mac: mac.map(str::to_owned),
            addresses: addresses.iter().map(|a| (*a).to_owned()).collect(),
        };
        assert!(fits(&wish(None, &[]), &port, &network));
        assert!(fits(&wish(Some("02:00:00:00:00:0A"), &["fd00:0::5"]), &port, &network));
        assert!(!fits(&wish(Some("02:00:00:00:00:0b"), &[]), &port, &network));
        assert!(!fits(&wish(None, &["fd00::6"]), &port, &network));
        assert!(!fits(&wish(None, &[]), &port, &Network::default()));
    }
}
