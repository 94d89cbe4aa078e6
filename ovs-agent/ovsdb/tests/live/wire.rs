//! What the real server never does on its own account: silence, nonsense, questions and answers out of order.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use weft_ovsdb::{Error, Event, Events, FrameError, Options};

use crate::server::{PATIENCE, Server, piped};

/// Reads one message of the client.
async fn message(server: &mut DuplexStream) -> Result<serde_json::Value> {
    let mut text = Vec::new();
    loop {
        text.push(tokio::time::timeout(PATIENCE, server.read_u8()).await??);
        if let Ok(value) = serde_json::from_slice(&text) {
            return Ok(value);
        }
    }
}

async fn end(events: &mut Events) -> Result<Error> {
    match tokio::time::timeout(PATIENCE, events.next()).await?.context("no event")? {
        Event::Disconnected(reason) => Ok(reason),
        other => anyhow::bail!("{other:?}"),
    }
}

#[tokio::test]
async fn questions_of_the_server_are_answered() -> Result<()> {
    let (_client, _events, mut server) = piped(Options::default());
    server
        .write_all(br#"{"method":"echo","params":["x"],"id":"echo"}{"method":"dance","params":[],"id":2}"#)
        .await?;
    assert_eq!(
        message(&mut server).await?,
        serde_json::json!({"id": "echo", "result": ["x"], "error": null})
    );
    assert_eq!(
        message(&mut server).await?,
        serde_json::json!({"id": 2, "result": null, "error": "unknown method"})
    );
    Ok(())
}

#[tokio::test]
async fn answers_may_come_in_any_order() -> Result<()> {
    let (client, _events, mut server) = piped(Options::default());
    let answering = async {
        let (first, second) = (message(&mut server).await?, message(&mut server).await?);
        let answer = |to: &serde_json::Value, name: &str| {
            serde_json::json!({"id": to["id"], "result": [name], "error": null}).to_string()
        };
        server.write_all((answer(&second, "second") + &answer(&first, "first")).as_bytes()).await?;
        anyhow::Ok(())
    };
    let (one, two, answered) = tokio::join!(client.list_dbs(), client.list_dbs(), answering);
    answered?;
    assert_eq!((one?, two?), (vec!["first".to_owned()], vec!["second".to_owned()]));
    Ok(())
}

/// The clock is tokio's and goes forward by itself when nothing else can happen.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_probed_and_given_up() -> Result<()> {
    let options = Options { probe_interval: Some(Duration::from_secs(5)), ..Options::default() };
    let (_client, mut events, mut server) = piped(options);
    let start = tokio::time::Instant::now();
    let probe = message(&mut server).await?;
    assert_eq!((probe["method"].as_str(), start.elapsed().as_secs()), (Some("echo"), 5));
    let answer = serde_json::json!({"id": probe["id"], "result": [], "error": null}).to_string();
    server.write_all(answer.as_bytes()).await?;
    assert_eq!(
        (message(&mut server).await?["method"].as_str(), start.elapsed().as_secs()),
        (Some("echo"), 10)
    );
    assert!(matches!(end(&mut events).await?, Error::Silent(_)));
    assert_eq!(start.elapsed().as_secs(), 15);
    Ok(())
}

#[tokio::test]
async fn nonsense_ends_the_session_with_its_reason() -> Result<()> {
    let (client, mut events, mut server) = piped(Options::default());
    server.write_all(b"SSH-2.0-x\r\n").await?;
    assert!(matches!(
        end(&mut events).await?,
        Error::Receive(FrameError::NotAnObject { offset: 0, byte: b'S' })
    ));
    assert!(matches!(client.list_dbs().await, Err(Error::Closed)));

    let (_client, mut events, mut server) = piped(Options::default());
    server.write_all(br#"{"method":7}"#).await?;
    assert!(matches!(end(&mut events).await?, Error::Decode { .. }));

    let (_client, mut events, mut server) = piped(Options { message_limit: 100, ..Options::default() });
    server.write_all(&[b"{\"a\":\"".as_slice(), &[b'x'; 200]].concat()).await?;
    assert!(matches!(end(&mut events).await?, Error::Receive(FrameError::TooLong { limit: 100, .. })));

    let (_client, mut events, mut server) = piped(Options::default());
    server.write_all(b"{\"method\":").await?;
    drop(server);
    assert!(matches!(end(&mut events).await?, Error::Receive(FrameError::Truncated { offset: 10 })));

    let (_client, mut events, server) = piped(Options::default());
    drop(server);
    assert!(matches!(end(&mut events).await?, Error::PeerClosed));
    Ok(())
}

/// When the session ends, nobody waits for an answer that can't come any more.
#[tokio::test]
async fn the_end_reaches_whoever_waits() -> Result<()> {
    let (client, _events, mut server) = piped(Options { in_flight: 1, ..Options::default() });
    let ending = async {
        message(&mut server).await?;
        drop(server);
        anyhow::Ok(())
    };
    // The second one has not even been sent: only one may be under way.
    let (one, two, ended) = tokio::join!(client.echo(), client.echo(), ending);
    ended?;
    assert!(matches!((one, two), (Err(Error::Closed), Err(Error::Closed))));
    Ok(())
}

/// A session that nobody holds any more closes its connection.
#[tokio::test]
async fn dropping_both_ends_closes() -> Result<()> {
    let (client, events, mut server) = piped(Options::default());
    drop((client, events));
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, server.read_to_end(&mut rest)).await??;
    assert!(rest.is_empty());
    Ok(())
}

/// The real server asks for a sign of life too, and keeps a session that gives it.
#[tokio::test]
async fn the_real_server_accepts_our_close() -> Result<()> {
    let server = Server::start().await?;
    let stream = tokio::net::UnixStream::connect(server.socket()).await?;
    let mut lines = BufReader::new(stream);
    lines.write_all(br#"{"method":"echo","params":[],"id":1}"#).await?;
    assert!(!lines.fill_buf().await?.is_empty());
    Ok(())
}
