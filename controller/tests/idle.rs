//! What a connected switch costs while nothing happens. Alone in its program, because it looks at the memory of all of it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use weft_compiler::meters;
use weft_controller::engine::Event;
use weft_controller::metrics::Metrics;
use weft_controller::southbound::advertising::Advertising;
use weft_controller::southbound::crowd::Crowd;
use weft_controller::southbound::meters::METERS;
use weft_controller::southbound::switch::{Context, Pace, serve};
use weft_distributor::SessionId;
use weft_openflow::message::multipart::Reply;
use weft_openflow::message::{Capabilities, DatapathId, Features, Hello, Message};
use weft_openflow::{Writer, Xid};

const SESSIONS: u16 = 2000;
/// The most that an idle session may take, in bytes.
const MOST: u64 = 12 << 10;

/// Memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// What a switch says first: hello, its features, its meters, and 60 kB of echo requests, so that buffers were needed once.
fn greeting(index: u16) -> Vec<u8> {
    let features = Features {
        datapath_id: DatapathId(0x5745_4654_0000_0000 | u64::from(index)),
        buffers: 0,
        tables: 254,
        auxiliary: 0,
        capabilities: Capabilities::empty(),
        reserved: 0,
    };
    let mut greeting = Writer::new();
    Message::Hello(Hello::ours()).encode_into(Xid(1), &mut greeting);
    Message::FeaturesReply(features).encode_into(Xid(2), &mut greeting);
    let meters = Reply::MeterConfig(meters::wanted().collect());
    Message::MultipartReply((&meters).into()).encode_into(METERS, &mut greeting);
    let echo = Message::EchoReply(vec![0; 1000].into());
    (0..60).for_each(|_| echo.encode_into(Xid(3), &mut greeting));
    greeting.into_bytes().to_vec()
}

/// Ten thousand switches are connected most of the time without saying anything: each takes no more than 12 KiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_session_is_small() {
    let (engine, mut events) = mpsc::channel(64);
    let (notices, _inbox) = mpsc::channel(16);
    let (metrics, stop) = (Metrics::default(), CancellationToken::new());
    let (pace, crowd, advertising) = (Pace::default(), Crowd::default(), Advertising::never());
    let context = Context { engine, notices, metrics, pace, crowd, advertising, resolver: None, stop };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mut switches, mut links) = (Vec::new(), Vec::new());
    let mut before = 0;
    for index in 1..=SESSIONS + 100 {
        if index == 101 {
            // The first hundred pay for what all of them share.
            before = resident();
        }
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let session = serve(accepted, SessionId(index.into()), context.clone());
        if index == 1 {
            println!("a session's task is {} bytes", std::mem::size_of_val(&session));
        }
        tokio::spawn(session);
        let (sent, socket) = tokio::task::spawn_blocking(move || {
            let sent = socket.write_all(&greeting(index)).and_then(|()| socket.read(&mut [0; 64]));
            (sent, socket)
        })
        .await
        .unwrap();
        assert!(sent.unwrap() > 0);
        let up = tokio::time::timeout(Duration::from_secs(20), events.recv()).await.unwrap();
        let Some(Event::SwitchUp { link, .. }) = up else { panic!() };
        links.push(link);
        switches.push(socket);
    }
    let each = resident().saturating_sub(before) / u64::from(SESSIONS);
    println!("{each} bytes per idle session");
    assert!(each <= MOST, "{each} bytes per idle session");
    assert_eq!((switches.len(), links.len()), (2100, 2100));
}
