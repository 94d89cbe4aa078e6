//! What the real server never does on its own account: silence, nonsense, questions and answers out of order.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use weft_ovsdb::fuzz::Shapes;
use weft_ovsdb::{
    Error, Event, Events, FrameError, Mirror, MonitorMethod, Options, Plan, Reason, Refusal, Schema,
};

use crate::server::{PATIENCE, Server, changes, piped};

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

/// A server that remembers (a clustered one) goes on where the mirror stood; an older one is asked in older words.
#[tokio::test]
async fn resuming_and_falling_back() -> Result<()> {
    let schema: Schema = serde_json::from_str(weft_ovsdb::fuzz::SCHEMA)?;
    let mut mirror = Mirror::new(Plan::of(&schema).table::<Shapes>()?.build());
    let id = "00000000-0000-0000-0000-000000000009";
    let (client, mut events, mut server) = piped(Options::default());
    let first = serde_json::json!([false, id, {"Shapes": {id: {"initial": {"one": "a", "maybe": 1}}}}]);
    let (watch, asked) = tokio::join!(client.monitor(&mirror), answer(&mut server, first));
    assert_eq!(asked?["params"][3], "00000000-0000-0000-0000-000000000000");
    assert!(!watch?.is_resumed);
    mirror.apply(&changes(&mut events).await?);

    let (client, mut events, mut server) = piped(Options::default());
    let later =
        serde_json::json!([true, id, {"Shapes": {id: {"modify": {"one": "b", "many": ["uuid", id]}}}}]);
    let (watch, asked) = tokio::join!(client.monitor(&mirror), answer(&mut server, later));
    assert_eq!(asked?["params"][3], id, "the last transaction seen is named");
    assert!(watch?.is_resumed);
    mirror.apply(&changes(&mut events).await?);
    let (_, row) = mirror.find::<Shapes>(|_| true).context("the row")?;
    assert_eq!((row.one.as_str(), row.maybe, row.many.len()), ("b", Some(1), 1));

    let (client, mut events, mut server) = piped(Options::default());
    let old = async {
        for method in ["monitor_cond_since", "monitor_cond"] {
            let asked = message(&mut server).await?;
            assert_eq!(asked["method"], method);
            let refusal =
                serde_json::json!({"id": asked["id"], "result": null, "error": {"error": "unknown method"}});
            server.write_all(refusal.to_string().as_bytes()).await?;
        }
        answer(&mut server, serde_json::json!({"Shapes": {}})).await
    };
    let (watch, asked) = tokio::join!(client.monitor(&mirror), old);
    assert_eq!((watch?.method, asked?["method"].as_str()), (MonitorMethod::Plain, Some("monitor")));
    mirror.apply(&changes(&mut events).await?);
    assert!(mirror.is_empty(), "what a full dump does not show is gone");
    Ok(())
}

/// Answers the next request and returns it.
async fn answer(server: &mut DuplexStream, result: serde_json::Value) -> Result<serde_json::Value> {
    let asked = message(server).await?;
    let reply = serde_json::json!({"id": asked["id"], "result": result, "error": null});
    server.write_all(reply.to_string().as_bytes()).await?;
    Ok(asked)
}

/// Changes to rows that were never shown, and more rows than agreed, end the session: the mirror would be wrong.
#[tokio::test]
async fn a_mirror_that_can_not_be_right_is_given_up() -> Result<()> {
    let schema: Schema = serde_json::from_str(weft_ovsdb::fuzz::SCHEMA)?;
    let mirror = Mirror::new(Plan::of(&schema).table::<Shapes>()?.build());
    let ids: Vec<String> = (1..=3).map(|number| uuid::Uuid::from_u128(number).to_string()).collect();
    let row = |id: &String, word: &str| serde_json::json!({"Shapes": {id: {word: {}}}});

    let (client, mut events, mut server) = piped(Options::default());
    let (watch, asked) = tokio::join!(
        client.monitor_by(MonitorMethod::Cond, &mirror),
        answer(&mut server, row(&ids[0], "initial"))
    );
    watch?;
    changes(&mut events).await?;
    let update = serde_json::json!({"id": null, "method": "update2", "params": [asked?["params"][1], row(&ids[1], "modify")]});
    server.write_all(update.to_string().as_bytes()).await?;
    assert!(matches!(end(&mut events).await?, Error::Desynchronised { .. }));

    let (client, mut events, mut server) = piped(Options { row_limit: 2, ..Options::default() });
    let rows: serde_json::Map<_, _> =
        ids.iter().map(|id| (id.clone(), serde_json::json!({"initial": {}}))).collect();
    let (watch, asked) = tokio::join!(
        client.monitor_by(MonitorMethod::Cond, &mirror),
        answer(&mut server, serde_json::json!({"Shapes": rows}))
    );
    asked?;
    assert!(matches!(watch, Err(Error::Closed)));
    assert!(matches!(end(&mut events).await?, Error::TooManyRows { limit: 2 }));
    Ok(())
}

/// The words by which the real server says that it does not know a method are those that we fall back on.
#[tokio::test]
async fn unknown_methods_are_recognised() -> Result<()> {
    let server = Server::start().await?;
    let mut stream = tokio::net::UnixStream::connect(server.socket()).await?;
    stream.write_all(br#"{"method":"monitor_of_tomorrow","params":[],"id":1}"#).await?;
    let mut text = Vec::new();
    let reply = loop {
        stream.read_buf(&mut text).await?;
        if let Ok(reply) = serde_json::from_slice::<serde_json::Value>(&text) {
            break reply;
        }
    };
    let refusal: Refusal = serde_json::from_value(reply["error"].clone())?;
    assert_eq!(refusal.reason, Reason::UnknownMethod, "{reply}");
    Ok(())
}
