//! An HTTP client that costs next to nothing: one kept connection, one request at a time, blocking.
//!
//! Whoever measures with it shares the cores with what is measured, so it must not be what is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// How long an answer may take; `GET /v1/applied` waits for up to 300 s.
const PATIENCE: Duration = Duration::from_secs(330);
/// Most bytes of an answer.
const ANSWER: usize = 256 << 20;

/// A connection to the controller's API.
#[derive(Debug)]
pub struct Http {
    stream: TcpStream,
    /// The header lines that every request has.
    head: String,
    request: Vec<u8>,
    /// Bytes read, of which the current answer is the beginning.
    buffer: Vec<u8>,
}

/// An answer with a status below 400.
#[derive(Debug)]
pub struct Answer {
    /// The revision that `Weft-Revision` names.
    pub revision: u64,
    /// The body, as it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("reading an answer")
    }

    /// The `id` of the only resource in the body.
    pub fn id(&self) -> Result<String> {
        let value = self.json()?;
        let resource = value.as_object().and_then(|map| map.values().next()).context("no resource")?;
        Ok(resource["id"].as_str().context("a resource has an id")?.to_owned())
    }
}

impl Http {
    /// Connects.
    pub fn connect(api: SocketAddr, token: &str) -> Result<Http> {
        let stream = TcpStream::connect(api).with_context(|| format!("connecting to {api}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!("Host: {api}\r\nX-Auth-Token: {token}\r\nContent-Type: application/json\r\n");
        Ok(Http { stream, head, request: Vec::new(), buffer: Vec::new() })
    }

    /// `GET path`.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.call("GET", path, "")
    }

    /// `POST path` with a body.
    pub fn post(&mut self, path: &str, body: &str) -> Result<Answer> {
        self.call("POST", path, body)
    }

    /// Sends a request and reads its whole answer; an answer that says no is an error.
    fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Answer> {
        self.request.clear();
        let length = body.len();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\n{}Content-Length: {length}\r\n\r\n{body}",
            self.head
        )?;
        self.stream.write_all(&self.request)?;
        let (status, answer) = self.answer()?;
        if status >= 400 {
            bail!("{method} {path}: {status}: {}", String::from_utf8_lossy(&answer.body));
        }
        Ok(answer)
    }

    /// `PUT path` with a body.
    pub fn put(&mut self, path: &str, body: &str) -> Result<Answer> {
        self.call("PUT", path, body)
    }

    /// `DELETE path`.
    pub fn delete(&mut self, path: &str) -> Result<Answer> {
        self.call("DELETE", path, "")
    }

    /// The value of one of the controller's metrics.
    pub fn metric(&mut self, name: &str) -> Result<f64> {
        let page = String::from_utf8(self.get("/metrics")?.body)?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no metric {name}"))?.trim().parse()?)
    }

    /// Waits until a revision is in force everywhere.
    pub fn applied(&mut self, revision: u64) -> Result<()> {
        let report = self.get(&format!("/v1/applied?revision={revision}&timeout=300"))?.json()?;
        ensure!(report["applied"] == true, "revision {revision} is not in force after 300 s: {report}");
        Ok(())
    }

    /// Waits until everything that was written is in force everywhere; gives the revision of the last of it.
    pub fn applied_newest(&mut self) -> Result<u64> {
        let newest = self.get("/healthz")?.revision;
        self.applied(newest)?;
        Ok(newest)
    }

    fn answer(&mut self) -> Result<(u16, Answer)> {
        self.buffer.clear();
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.more()?;
        };
        let head = std::str::from_utf8(&self.buffer[..end]).context("the head of an answer")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no status")?;
        let revision = header(head, "weft-revision").and_then(|text| text.parse().ok()).unwrap_or(0);
        let length = match header(head, "content-length") {
            Some(text) => text.parse().context("the length of an answer")?,
            None if status == 204 => 0,
            None => bail!("an answer without a length"),
        };
        ensure!(length <= ANSWER, "an answer of {length} bytes");
        while self.buffer.len() < end + length {
            self.more()?;
        }
        Ok((status, Answer { revision, body: self.buffer[end..end + length].to_vec() }))
    }

    fn more(&mut self) -> Result<()> {
        let mut chunk = [0; 16 << 10];
        let count = self.stream.read(&mut chunk).context("waiting for an answer")?;
        ensure!(count > 0, "the controller closed the connection");
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn answers_in_pieces_on_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            assert!(stream.read(&mut asked).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Len").unwrap();
            stream.write_all(b"gth: 27\r\nWeft-Revision: 7\r\n\r\n{\"port\":{\"id\":").unwrap();
            stream.write_all(b"\"an-id\"    }}").unwrap();
            assert!(stream.read(&mut asked).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        });
        let mut http = Http::connect(api, "secret").unwrap();
        let answer = http.post("/v2.0/ports", "{}").unwrap();
        assert_eq!((answer.revision, answer.id().unwrap().as_str()), (7, "an-id"));
        assert!(http.get("/x").unwrap_err().to_string().contains("409"));
        server.join().unwrap();
    }
}
