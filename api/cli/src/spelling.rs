//! How values are spelled on the command line: durations, pools, routes, addresses, filters.

use std::str::FromStr;
use std::time::Duration;

use weft_api::{AddressPair, AllocationPool, ExtraDhcpOpt, HostRoute};

/// The longest time that anything is waited for.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads a duration: `60s`, `500ms`, `2m` or plain seconds.
///
/// # Errors
/// When it is none, or longer than a day.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration like 60s, 500ms or 2m");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "" | "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err(wrong()),
    };
    if duration > LONGEST { Err("the longest time to wait is a day".to_owned()) } else { Ok(duration) }
}

/// Reads an allocation pool: `START-END`.
///
/// # Errors
/// When it is none.
pub fn pool(text: &str) -> Result<AllocationPool, String> {
    match text.split_once('-') {
        Some((start, end)) if !start.is_empty() && !end.is_empty() => {
            Ok(AllocationPool { start: start.to_owned(), end: end.to_owned() })
        }
        _ => Err(format!("{text:?} is not a pool like 192.0.2.10-192.0.2.99")),
    }
}

/// Reads a host route: `DESTINATION=NEXTHOP`.
///
/// # Errors
/// When it is none.
pub fn route(text: &str) -> Result<HostRoute, String> {
    match text.split_once('=') {
        Some((to, via)) if !to.is_empty() && !via.is_empty() => {
            Ok(HostRoute { destination: to.to_owned(), nexthop: via.to_owned() })
        }
        _ => Err(format!("{text:?} is not a route like 198.51.100.0/24=192.0.2.1")),
    }
}

/// Reads a DHCP option: `NAME=VALUE`, or `6:NAME=VALUE` for DHCPv6. Without a value the option is to be taken away.
///
/// # Errors
/// When it is none.
pub fn dhcp_option(text: &str) -> Result<ExtraDhcpOpt, String> {
    let (version, rest) = match text.split_once(':') {
        Some(("4", rest)) => (Some(4), rest),
        Some(("6", rest)) => (Some(6), rest),
        _ => (None, text),
    };
    match rest.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(ExtraDhcpOpt {
            opt_name: name.to_owned(),
            opt_value: (!value.is_empty()).then(|| value.to_owned()),
            ip_version: version,
        }),
        _ => Err(format!("{text:?} is not an option like mtu=1400 or 6:dns-server=fd00::53")),
    }
}

/// Reads an allowed address pair: `PREFIX` or `PREFIX=MAC`.
///
/// # Errors
/// When it is none.
pub fn pair(text: &str) -> Result<AddressPair, String> {
    let (prefix, mac) =
        text.split_once('=').map_or((text, None), |(prefix, mac)| (prefix, Some(mac.to_owned())));
    if prefix.is_empty() {
        return Err(format!("{text:?} is not a pair like 192.0.2.0/28 or 192.0.2.9=02:00:5e:10:00:01"));
    }
    Ok(AddressPair { ip_address: prefix.to_owned(), mac_address: mac })
}

/// Reads a filter: `FIELD=VALUE`.
///
/// # Errors
/// When it is none.
pub fn filter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.is_empty() => Ok((field.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not a filter like status=ACTIVE")),
    }
}

/// A gateway, or that there is to be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gateway {
    /// No gateway.
    Absent,
    /// At this address.
    At(String),
}

impl FromStr for Gateway {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "none" { Gateway::Absent } else { Gateway::At(text.to_owned()) })
    }
}

impl Gateway {
    /// The field as the API takes it: null for none.
    pub fn field(&self) -> Option<String> {
        match self {
            Gateway::Absent => None,
            Gateway::At(address) => Some(address.clone()),
        }
    }
}

/// An address that a port asks for: `ADDRESS`, `subnet=SUBNET`, or `subnet=SUBNET,ip=ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressAsked {
    /// The subnet by id or name.
    pub subnet: Option<String>,
    /// The address.
    pub address: Option<String>,
}

impl FromStr for AddressAsked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut asked = AddressAsked::default();
        for part in text.split(',') {
            let slot = match part.split_once('=') {
                Some(("subnet", value)) if !value.is_empty() => (&mut asked.subnet, value),
                Some(("ip", value)) if !value.is_empty() => (&mut asked.address, value),
                None if !part.is_empty() => (&mut asked.address, part),
                _ => {
                    return Err(format!(
                        "{text:?} is not ADDRESS, subnet=SUBNET or subnet=SUBNET,ip=ADDRESS"
                    ));
                }
            };
            if slot.0.replace(slot.1.to_owned()).is_some() {
                return Err(format!("{text:?} says the same thing twice"));
            }
        }
        Ok(asked)
    }
}

/// A switch of two flags that exclude each other: `--enable`/`--disable` and the like. Nothing when neither is given.
pub fn either(on: bool, off: bool) -> Option<bool> {
    match (on, off) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// A list that is replaced when it is given, emptied when `--no-…` is, and else left alone.
pub fn replaced<T: Clone>(items: &[T], none: bool) -> Option<Vec<T>> {
    (none || !items.is_empty()).then(|| items.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [("60s", 60_000), ("5", 5_000), ("500ms", 500), ("2m", 120_000), ("0", 0)];
        for (text, milliseconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for wrong in ["", "s", "-1", "1h", "1.5s", "99999999999m", "86401"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_asked_for() {
        let asked = |subnet: Option<&str>, address: Option<&str>| AddressAsked {
            subnet: subnet.map(str::to_owned),
            address: address.map(str::to_owned),
        };
        assert_eq!("10.0.0.5".parse(), Ok(asked(None, Some("10.0.0.5"))));
        assert_eq!("fd00::5".parse(), Ok(asked(None, Some("fd00::5"))));
        assert_eq!("subnet=web".parse(), Ok(asked(Some("web"), None)));
        assert_eq!("subnet=web,ip=10.0.0.5".parse(), Ok(asked(Some("web"), Some("10.0.0.5"))));
        assert_eq!("ip=10.0.0.5,subnet=web".parse(), Ok(asked(Some("web"), Some("10.0.0.5"))));
        for wrong in ["", "subnet=", "net=x", "1.1.1.1,2.2.2.2", "subnet=a,subnet=b", ","] {
            assert!(wrong.parse::<AddressAsked>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn pools_routes_filters_and_gateways() {
        let pool_of = |start: &str, end: &str| AllocationPool { start: start.into(), end: end.into() };
        assert_eq!(pool("10.0.0.2-10.0.0.9"), Ok(pool_of("10.0.0.2", "10.0.0.9")));
        assert!(pool("10.0.0.2").is_err() && pool("-").is_err());
        assert_eq!(
            route("0.0.0.0/0=10.0.0.1").map(|r| (r.destination, r.nexthop)),
            Ok(("0.0.0.0/0".into(), "10.0.0.1".into()))
        );
        assert!(route("10.0.0.1").is_err());
        let option = |text: &str| dhcp_option(text).map(|o| (o.opt_name, o.opt_value, o.ip_version));
        assert_eq!(option("mtu=1400"), Ok(("mtu".into(), Some("1400".into()), None)));
        assert_eq!(option("6:23=fd00::1"), Ok(("23".into(), Some("fd00::1".into()), Some(6))));
        assert_eq!(option("mtu="), Ok(("mtu".into(), None, None)));
        assert!(dhcp_option("mtu").is_err() && dhcp_option("6:=x").is_err());
        assert_eq!(filter("name="), Ok(("name".into(), String::new())));
        assert!(filter("=x").is_err());
        assert_eq!("none".parse(), Ok(Gateway::Absent));
        assert_eq!("10.0.0.1".parse(), Ok(Gateway::At("10.0.0.1".into())));
    }

    #[test]
    fn flags_and_lists_that_are_left_alone() {
        assert_eq!(
            (either(true, false), either(false, true), either(false, false)),
            (Some(true), Some(false), None)
        );
        assert_eq!(replaced::<u8>(&[], false), None);
        assert_eq!(replaced::<u8>(&[], true), Some(vec![]));
        assert_eq!(replaced(&[1], false), Some(vec![1]));
    }
}
