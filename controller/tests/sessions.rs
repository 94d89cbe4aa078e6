//! Switches that misbehave, at the level of sockets: each ends or is kept within bounds, and others are served as before.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weft_compiler::meters;
use weft_controller::engine::{Event, ToSwitch};
use weft_controller::metrics::Metrics;
use weft_controller::notices::Notice;
use weft_controller::southbound::advertising::Advertising;
use weft_controller::southbound::crowd::Crowd;
use weft_controller::southbound::line::Link;
use weft_controller::southbound::meters::METERS;
use weft_controller::southbound::switch::{Context, Pace, serve};
use weft_distributor::{Answer, SessionId};
use weft_openflow::message::multipart::{FlowUpdate, MultipartReply, Reply};
use weft_openflow::message::{
    BundleCommand, BundleControl, BundleFlags, BundleWriter, Capabilities, DatapathId, Features, GroupMod,
    Hello, Message, PortStatus, RequestForward,
};
use weft_openflow::{BundleId, GroupId, Writer, Xid};

/// How long anything may take that should take milliseconds.
const LIMIT: Duration = Duration::from_secs(20);
/// "WEFT", any tag, host 7.
const DATAPATH: u64 = 0x5745_4654_1234_0007;
const COMMIT: Xid = Xid(0x0100_0001);

/// The controller's side without an engine.
struct Controller {
    listener: TcpListener,
    context: Context,
    events: mpsc::Receiver<Event>,
    notices: mpsc::Receiver<Notice>,
    next: u64,
}

/// A switch whose handshake is done.
struct Switch {
    socket: TcpStream,
    session: JoinHandle<()>,
    link: Option<Link>,
}

impl Controller {
    async fn start(pace: Pace) -> Controller {
        let (engine, events) = mpsc::channel(64);
        let (notice, notices) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let (metrics, crowd, advertising) = (Metrics::default(), Crowd::default(), Advertising::never());
        let context =
            Context { engine, notices: notice, metrics, pace, crowd, advertising, resolver: None, stop };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Controller { listener, context, events, notices, next: 1 }
    }

    async fn dial(&mut self) -> (TcpStream, JoinHandle<()>) {
        let socket = TcpStream::connect(self.listener.local_addr().unwrap());
        let (socket, accepted) = tokio::join!(socket, self.listener.accept());
        let id = SessionId(self.next);
        self.next += 1;
        (socket.unwrap(), tokio::spawn(serve(accepted.unwrap().0, id, self.context.clone())))
    }

    /// A switch that has said whose it is.
    async fn switch(&mut self) -> Switch {
        let (mut socket, session) = self.dial().await;
        let features = Features {
            datapath_id: DatapathId(DATAPATH),
            buffers: 0,
            tables: 254,
            auxiliary: 0,
            capabilities: Capabilities::empty(),
            reserved: 0,
        };
        let mut hello = Writer::new();
        Message::Hello(Hello::ours()).encode_into(Xid(1), &mut hello);
        Message::FeaturesReply(features).encode_into(Xid(2), &mut hello);
        let meters = Reply::MeterConfig(meters::wanted().collect());
        Message::MultipartReply((&meters).into()).encode_into(METERS, &mut hello);
        socket.write_all(hello.as_slice()).await.unwrap();
        let Event::SwitchUp { link, .. } = self.event().await else { panic!() };
        Switch { socket, session, link: Some(link) }
    }

    async fn event(&mut self) -> Event {
        timeout(LIMIT, self.events.recv()).await.expect("an event").unwrap()
    }

    /// How the session of a switch ended, which it does now.
    async fn fault(&mut self) -> Option<String> {
        loop {
            if let Event::SwitchDown { fault, .. } = self.event().await {
                return fault;
            }
        }
    }
}

impl Switch {
    async fn say(&mut self, message: Message, xid: Xid) {
        self.socket.write_all(&message.encode(xid)).await.unwrap();
    }

    fn order(&self, parcel: Bytes) -> bool {
        self.link.as_ref().unwrap().order(ToSwitch::Send(vec![parcel])).is_ok()
    }

    async fn ended(self) {
        timeout(LIMIT, self.session).await.expect("the session to end").unwrap();
    }
}

fn parcel(size: usize) -> Bytes {
    let mut writer = Writer::new();
    let echo = Message::EchoReply(Bytes::from(vec![0; 1000]));
    while writer.len() < size {
        echo.encode_into(Xid(0), &mut writer);
    }
    BundleWriter::atomic(BundleId(1)).control(BundleCommand::CommitRequest, COMMIT, &mut writer);
    writer.into_bytes()
}

fn committed() -> Message {
    let flags = BundleFlags::ATOMIC | BundleFlags::ORDERED;
    Message::BundleControl(BundleControl::new(BundleId(1), BundleCommand::CommitReply, flags))
}

fn told(updates: Vec<FlowUpdate>) -> Message {
    Message::MultipartReply(MultipartReply::from(&Reply::FlowMonitor(updates)))
}

/// A switch that answers probes but no commit is let go of, with words for it; one that answers late but steadily is not.
#[tokio::test]
async fn a_switch_that_never_answers_a_commit_is_let_go_of() {
    let pace = Pace { quiet: Duration::from_millis(200), patience: Duration::from_millis(400) };
    let mut controller = Controller::start(pace).await;
    let mut switch = controller.switch().await;
    assert!(switch.order(parcel(10)));
    // Alive, as far as probes go.
    let (mut reader, mut writer) = switch.socket.split();
    let probing = async {
        let mut buffer = [0; 4096];
        while reader.read(&mut buffer).await.is_ok_and(|length| length > 0) {
            drop(writer.write_all(&Message::EchoRequest(Bytes::new()).encode(Xid(9))).await);
        }
    };
    let fault = tokio::select! { () = probing => None, fault = controller.fault() => fault };
    assert!(fault.as_ref().is_some_and(|fault| fault.contains("owed answers")), "{fault:?}");
    drop(switch.link.take());
    switch.ended().await;

    // Two commits at a time, one answered now and then: there is always one owed, but never for long.
    let mut steady = controller.switch().await;
    assert!(steady.order(parcel(10)));
    for _ in 0..12 {
        assert!(steady.order(parcel(10)));
        let ended = timeout(pace.patience / 4, controller.events.recv()).await;
        assert!(ended.is_err(), "{ended:?}");
        steady.say(committed(), COMMIT).await;
        let event = controller.event().await;
        assert!(matches!(event, Event::Answered { answer: Answer::Committed(COMMIT), .. }), "{event:?}");
    }
}

/// A switch that reads nothing takes a bounded number of orders, and ends when it has kept everyone waiting.
#[tokio::test]
async fn a_switch_that_does_not_read_is_bounded_and_then_let_go_of() {
    let pace = Pace { quiet: Duration::from_millis(50), patience: Duration::from_millis(300) };
    let mut controller = Controller::start(pace).await;
    let mut deaf = controller.switch().await;
    let big = parcel(1 << 20);
    let taken = (0..2000).take_while(|_| deaf.order(big.clone())).count();
    assert!(taken < 1000, "{taken} MiB wait for a switch that does not read");
    // It keeps talking.
    let echo = Message::EchoRequest(Bytes::new()).encode(Xid(9));
    let talking = async {
        while deaf.socket.write_all(&echo).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let fault = tokio::select! { () = talking => None, fault = controller.fault() => fault };
    assert!(fault.as_ref().is_some_and(|fault| fault.contains("does not read")), "{fault:?}");
    drop(deaf.link.take());
    deaf.ended().await;
}

/// While the engine takes nothing, probes are answered all the same; what it was not told it is told later, in order, and
/// a switch is not blamed for answers that were not heard.
#[tokio::test]
async fn probes_are_answered_while_the_engine_is_busy() {
    let pace = Pace { quiet: Duration::from_millis(50), patience: Duration::from_millis(100) };
    let mut controller = Controller::start(pace).await;
    let mut switch = controller.switch().await;
    // Far more answers than the engine's queue holds.
    assert!(switch.order(parcel(10)));
    for n in 0..500 {
        switch.say(committed(), Xid(COMMIT.0 + 1 + n)).await;
    }
    switch.say(committed(), COMMIT).await;
    let mut heard = bytes::BytesMut::new();
    for n in 0..20 {
        // Longer in all than it may owe anything.
        let probe = Xid(0x9000 + n);
        switch.say(Message::EchoRequest(Bytes::from_static(b"there?")), probe).await;
        let mut is_answered = false;
        while !is_answered {
            let read = timeout(LIMIT, switch.socket.read_buf(&mut heard)).await.expect("an answer");
            assert_ne!(read.unwrap(), 0, "the session ended");
            while let Some(length) =
                weft_openflow::message::frame_length(&heard).unwrap().filter(|length| heard.len() >= *length)
            {
                let frame = heard.split_to(length);
                is_answered |= frame[1] == 3 && frame[4..8] == probe.0.to_be_bytes();
            }
        }
        let ended = timeout(pace.patience / 4, &mut switch.session).await;
        assert!(ended.is_err(), "the session ended");
    }
    for n in (0..500).map(|n| COMMIT.0 + 1 + n).chain([COMMIT.0]) {
        let event = controller.event().await;
        assert!(
            matches!(&event, Event::Answered { answer: Answer::Committed(xid), .. } if xid.0 == n),
            "{event:?}"
        );
    }
}

/// A switch that answers something now and then, never late, but does not get on, is let go of however well it echoes.
#[tokio::test]
async fn a_switch_that_trickles_is_let_go_of() {
    let pace = Pace { quiet: Duration::from_millis(100), patience: Duration::from_millis(600) };
    let mut controller = Controller::start(pace).await;
    let mut switch = controller.switch().await;
    for _ in 0..8 {
        assert!(switch.order(parcel(10)));
    }
    let (mut reader, mut writer) = switch.socket.split();
    let trickling = async {
        let mut buffer = [0; 4096];
        loop {
            drop(writer.write_all(&committed().encode(COMMIT)).await);
            let next = tokio::time::Instant::now() + pace.patience * 3 / 4;
            while let Ok(Ok(1..)) = tokio::time::timeout_at(next, reader.read(&mut buffer)).await {
                drop(writer.write_all(&Message::EchoRequest(Bytes::new()).encode(Xid(9))).await);
            }
        }
    };
    let fault = tokio::select! { () = trickling => None, fault = controller.fault() => fault };
    assert!(fault.as_ref().is_some_and(|fault| fault.contains("hardly gives any")), "{fault:?}");
    drop(switch.link.take());
    switch.ended().await;
}

/// A flood of what nobody asked for is dropped and counted, the switch's answers and other switches are heard.
#[tokio::test]
async fn a_flood_is_dropped_and_counted() {
    let mut controller = Controller::start(Pace::default()).await;
    let mut loud = controller.switch().await;
    let mut other = controller.switch().await;
    let mut flood = Writer::new();
    let status =
        Message::PortStatus(PortStatus { reason: weft_openflow::message::PortReason::Add, port: port() });
    for _ in 0..2000 {
        status.encode_into(Xid(0), &mut flood);
    }
    loud.socket.write_all(flood.as_slice()).await.unwrap();
    loud.say(committed(), COMMIT).await;
    other.say(committed(), COMMIT).await;
    for _ in 0..2 {
        let event = controller.event().await;
        assert!(matches!(event, Event::Answered { answer: Answer::Committed(COMMIT), .. }), "{event:?}");
    }
    let (mut heard, dropped) = (0, controller.context.metrics.notices_dropped.get());
    while controller.notices.try_recv().is_ok() {
        heard += 1;
    }
    assert_eq!((heard, dropped), (16, 1984), "as many as the queue holds");
    assert!(!loud.session.is_finished() && !other.session.is_finished());
}

fn port() -> weft_openflow::message::PortDesc {
    weft_openflow::message::PortDesc {
        port: weft_openflow::PortNo(1),
        mac: [0; 6],
        name: Default::default(),
        config: weft_openflow::message::PortConfig::empty(),
        state: weft_openflow::message::PortState::empty(),
        properties: Vec::new(),
    }
}

/// Garbage ends the connection: at once where the stream is out of step, after a while where it is not.
#[tokio::test]
async fn garbage_ends_the_connection() {
    let mut controller = Controller::start(Pace::default()).await;
    let (mut socket, session) = controller.dial().await;
    socket.write_all(b"GET / HTTP/1.1\r\nHost: weft\r\n\r\n").await.unwrap();
    drop(socket);
    timeout(LIMIT, session).await.unwrap().unwrap();

    let mut babbler = controller.switch().await;
    // Port status messages that are too short to be any, with a sound header.
    let babble = [6, 33, 0, 9, 0, 0, 0, 7, 1].repeat(200);
    babbler.socket.write_all(&babble).await.unwrap();
    let fault = controller.fault().await.unwrap();
    assert!(fault.contains("cannot be read"), "{fault}");
    drop(babbler.link.take());
    babbler.ended().await;

    let mut broken = controller.switch().await;
    broken.socket.write_all(&[6, 0, 0, 3, 0, 0, 0, 7]).await.unwrap();
    assert_eq!(controller.fault().await, None, "a broken stream may be anybody's fault");
    drop(broken.link.take());
    broken.ended().await;
}

/// What others change is told to the engine, many changes as few events; what we changed is not.
#[tokio::test]
async fn changes_by_others_are_told_and_own_ones_are_not() {
    let mut controller = Controller::start(Pace::default()).await;
    let mut switch = controller.switch().await;
    switch.say(told(vec![]), Xid(5)).await;
    let event = controller.event().await;
    assert!(matches!(event, Event::Watching { .. }), "{event:?}");
    for _ in 0..10 {
        switch.say(told(vec![FlowUpdate::Own(COMMIT)]), Xid(0)).await;
    }
    for _ in 0..1000 {
        switch.say(told(vec![FlowUpdate::Paused]), Xid(0)).await;
        switch.say(told(vec![FlowUpdate::Resumed]), Xid(0)).await;
    }
    let group = Message::GroupMod(GroupMod::delete(GroupId(7)));
    let forwarded = RequestForward { xid: Xid(3), request: Box::new(group) };
    switch.say(Message::RequestForward(forwarded), Xid(0)).await;
    switch.say(committed(), COMMIT).await;
    let mut suspicions = 0;
    loop {
        match controller.event().await {
            Event::Suspected { .. } => suspicions += 1,
            Event::Answered { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert!((1..100).contains(&suspicions), "{suspicions}");
    // The last one is told, however soon it followed.
    if suspicions == 1 {
        assert!(matches!(controller.event().await, Event::Suspected { .. }));
    }
}
