//! The least HTTP client that will do: one kept connection, one request at a time, blocking.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// How long an answer may take; `GET /v1/applied` waits itself.
const PATIENCE: Duration = Duration::from_secs(300);

/// A connection to the controller's API, with the administrator's token.
pub struct Http {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

/// An answer with a status below 400.
pub struct Answer {
    /// The revision that `Weft-Revision` names.
    pub revision: u64,
    /// The body as JSON; null when there is none.
    pub body: Value,
}

impl Http {
    /// Connects.
    pub fn connect(api: SocketAddr, token: &str) -> Result<Http> {
        let stream = TcpStream::connect(api).with_context(|| format!("connecting to {api}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!("Host: {api}\r\nX-Auth-Token: {token}\r\nContent-Type: application/json\r\n");
        Ok(Http { stream, head, buffer: Vec::new() })
    }

    /// `GET path`.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.call("GET", path, &Value::Null)
    }

    /// `POST path` with a body.
    pub fn post(&mut self, path: &str, body: &Value) -> Result<Answer> {
        self.call("POST", path, body)
    }

    /// Sends a request and reads its whole answer; an answer that says no is an error.
    pub fn call(&mut self, method: &str, path: &str, body: &Value) -> Result<Answer> {
        let (status, revision, body) = self.ask(method, path, body)?;
        if status >= 400 {
            bail!("{method} {path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        Ok(Answer { revision, body })
    }

    /// The value of one of the controller's metrics.
    pub fn metric(&mut self, name: &str) -> Result<f64> {
        let page = String::from_utf8(self.ask("GET", "/metrics", &Value::Null)?.2)?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no metric {name}"))?.trim().parse()?)
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Result<(u16, u64, Vec<u8>)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (head, length) = (&self.head, body.len());
        let request = format!("{method} {path} HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{body}");
        self.stream.write_all(request.as_bytes())?;
        self.buffer.clear();
        let end = loop {
            match self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more()?,
            }
        };
        let head = String::from_utf8(self.buffer[..end].to_vec())?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no status")?;
        let number = |name| header(&head, name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let length = usize::try_from(number("content-length"))?;
        while self.buffer.len() < end + length {
            self.more()?;
        }
        Ok((status, number("weft-revision"), self.buffer[end..end + length].to_vec()))
    }

    fn more(&mut self) -> Result<()> {
        let mut chunk = [0; 16 << 10];
        let count = self.stream.read(&mut chunk).context("waiting for an answer")?;
        ensure!(count > 0, "the controller closed the connection");
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
