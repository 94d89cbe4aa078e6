//! Where a database server listens, in the words of `ovs-vsctl --db`, and how to get there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio::net::{TcpStream, UnixStream};

use crate::error::Error;
use crate::session::{Client, Events, Options, Session};

/// The port of OVSDB that IANA assigned.
pub const DEFAULT_PORT: u16 = 6640;

/// Where to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `unix:PATH`
    Unix(PathBuf),
    /// `tcp:HOST[:PORT]`; an IPv6 address stands in brackets.
    Tcp(String, u16),
}

/// The text is no address that we can dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address is unix:PATH or tcp:HOST[:PORT]")]
pub struct NotAnAddress;

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(NotAnAddress) } else { Ok(Address::Unix(path.into())) };
        }
        let rest = text.strip_prefix("tcp:").ok_or(NotAnAddress)?;
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or(NotAnAddress)?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| NotAnAddress)?,
            None if port.is_empty() => DEFAULT_PORT,
            None => return Err(NotAnAddress),
        };
        if host.is_empty() { Err(NotAnAddress) } else { Ok(Address::Tcp(host.to_owned(), port)) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tcp(host, port) if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Address::Tcp(host, port) => write!(f, "tcp:{host}:{port}"),
        }
    }
}

/// Dials a server and starts a session with it.
pub async fn connect(address: &Address, options: Options) -> Result<(Client, Events), Error> {
    let failed = |source| Error::Connect { address: address.to_string(), source };
    match address {
        Address::Unix(path) => Ok(Session::start(UnixStream::connect(path).await.map_err(failed)?, options)),
        Address::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
            // Requests are small and someone waits for each.
            stream.set_nodelay(true).map_err(failed)?;
            Ok(Session::start(stream, options))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["unix:/run/db.sock", "tcp:127.0.0.1:6640", "tcp:[::1]:7", "tcp:host:65535"] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
        assert_eq!("tcp:host".parse(), Ok(Address::Tcp("host".into(), DEFAULT_PORT)));
        assert_eq!("tcp:[::1]".parse(), Ok(Address::Tcp("::1".into(), DEFAULT_PORT)));
    }

    #[test]
    fn other_texts_are_refused() {
        for wrong in [
            "",
            "unix:",
            "tcp:",
            "tcp::1",
            "tcp:h:",
            "tcp:h:70000",
            "tcp:[::1",
            "tcp:[::1]x",
            "ptcp:6640",
            "/run/x",
        ] {
            assert_eq!(wrong.parse::<Address>(), Err(NotAnAddress), "{wrong}");
        }
    }
}
