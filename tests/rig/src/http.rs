//! One HTTP GET over a plain socket: enough to ask a controller whether it is ready.
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// How long one request may take to connect, and then each read.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Status and body of an HTTP answer.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status code, for example 200.
    pub status: u16,
    /// Everything after the header.
    pub body: String,
}

/// Sends `GET path` and reads the whole answer. For probes, not for the API proper: a chunked body stays chunked.
pub fn http_get(address: SocketAddr, path: &str) -> Result<HttpAnswer> {
    let mut stream =
        TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("connecting to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut bytes)
        .with_context(|| format!("reading http://{address}{path}"))?;
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> Result<HttpAnswer> {
    let (head, body) = text.split_once("\r\n\r\n").context("the answer has no end of header")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok(HttpAnswer { status: status.context("the answer has no status")?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_split_and_nonsense_is_refused() {
        let answer = parse("HTTP/1.1 503 Busy\r\nA: b\r\n\r\nnot yet").expect("well formed");
        assert_eq!((answer.status, answer.body.as_str()), (503, "not yet"));
        assert!(parse("hello").is_err());
        assert!(parse("HTTP/1.1 x\r\n\r\n").is_err());
    }
}
