//! The line over real sockets: order, fullness, what is owed.

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use weft_openflow::message::{BundleCommand, BundleWriter};
use weft_openflow::{BundleId, Writer};

use super::*;

/// A line, and the switch's end of it.
async fn pair() -> (Arc<Line>, OwnedReadHalf, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (ours, theirs) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async {
        listener.accept().await.unwrap().0
    });
    let (reader, writer) = ours.unwrap().into_split();
    (Line::new(writer), reader, theirs)
}

/// A parcel that ends with a commit of this xid.
fn parcel(commit: u32, filling: usize) -> Bytes {
    let mut writer = Writer::new();
    writer.bytes(&vec![u8::try_from(commit % 251).unwrap(); filling]);
    BundleWriter::atomic(BundleId(1)).control(BundleCommand::CommitRequest, Xid(commit), &mut writer);
    writer.into_bytes()
}

#[tokio::test]
async fn bytes_come_out_in_order_also_when_the_socket_is_full() {
    let (line, _reader, mut switch) = pair().await;
    let link = line.link();
    let mut sent = Vec::new();
    let mut commit = 1;
    while !line.is_waiting() {
        let one = parcel(commit, 50_000);
        sent.extend_from_slice(&one);
        link.order(ToSwitch::Send(vec![one])).unwrap();
        commit += 1;
        assert!(commit < 1000, "the socket takes everything");
    }
    // A reading that is asked for now stands behind what waits.
    link.order(ToSwitch::Read(ReadId(1), Depth::Tallies)).unwrap();
    let last = parcel(commit, 10);
    link.order(ToSwitch::Send(vec![last.clone(), parcel(commit + 1, 0)])).unwrap();
    line.woken().await;
    let reading = tokio::spawn(async move {
        let mut received = Vec::new();
        while !received.ends_with(&parcel(commit + 1, 0)) {
            assert_ne!(switch.read_buf(&mut received).await.unwrap(), 0);
        }
        received
    });
    while line.is_waiting() {
        line.writable().await.unwrap();
        line.flush().unwrap();
    }
    let received = reading.await.unwrap();
    assert!(received.starts_with(&sent), "what was sent first comes first");
    let rest = &received[sent.len()..];
    assert_eq!((rest[1], rest[7]), (18, 0), "a multipart request with the first reading's xid");
    assert_eq!(&rest[rest.len() - last.len() - COMMIT_LEN..rest.len() - COMMIT_LEN], &last[..]);
}

#[tokio::test]
async fn a_switch_that_does_not_read_costs_a_bounded_queue() {
    let (line, _reader, _switch) = pair().await;
    let link = line.link();
    let big = parcel(7, 1 << 20);
    let taken = (0..10_000).take_while(|_| link.order(ToSwitch::Send(vec![big.clone()])).is_ok()).count();
    assert!((QUEUE..QUEUE + 100).contains(&taken), "{taken}");
    assert_eq!(link.order(ToSwitch::Read(ReadId(1), Depth::Tallies)), Err(Stuck));
    assert!(line.say(Bytes::from_static(b"x")).is_err());
}

#[tokio::test]
async fn what_is_owed_is_known_until_it_is_answered() {
    let (line, _reader, _switch) = pair().await;
    let link = line.link();
    let later = |seconds| Instant::now() + Duration::from_secs(seconds);
    assert_eq!(line.owing(later(100)), None);
    link.order(ToSwitch::Send(vec![parcel(0x0100_0005, 8), parcel(0x0100_0009, 8)])).unwrap();
    assert!(line.owing(later(31)).unwrap() > Duration::from_secs(30));
    assert!(
        !line.settle(Xid(0x0100_0004), later(29)),
        "an error of a message in it is no answer to the commit"
    );
    assert!(line.settle(Xid(0x0100_0005), later(29)));
    assert!(line.owing(later(31)).unwrap() < Duration::from_secs(3), "it does answer");
    assert!(line.settle(Xid(0x0100_0009), later(30)));
    assert_eq!(line.owing(later(100)), None);
    link.order(ToSwitch::Read(ReadId(4), Depth::Tallies)).unwrap();
    let asked = line.asked(Xid(READS + 1)).unwrap();
    assert_eq!((asked.read, asked.flows, asked.groups), (ReadId(4), Xid(READS), Xid(READS + 1)));
    assert!(line.owing(later(31)).is_some());
    line.answered(ReadId(4));
    assert_eq!((line.owing(later(31)), line.asked(Xid(READS)).is_none()), (None, true));
}

#[tokio::test]
async fn what_trickles_is_overdue_and_what_gets_on_is_not() {
    let (line, _reader, _switch) = pair().await;
    let link = line.link();
    let begin = Instant::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let age = |seconds| line.overdue(at(seconds)).map_or(0, |age| age.as_secs());
    // Small bundles, one answered every 25 s: never without an answer for long, and yet it does not get on.
    let order = |commits: std::ops::Range<u32>, filling| {
        link.order(ToSwitch::Send(commits.map(|commit| parcel(commit, filling)).collect())).unwrap();
    };
    order(100..108, 100);
    assert!(line.settle(Xid(100), at(25)) && line.settle(Xid(101), at(50)));
    assert!(line.owing(at(70)).unwrap() < Duration::from_secs(21));
    assert!(age(70) >= 69, "{}", age(70));
    // Four answers in a minute are getting on, and so is one bundle of a first sync.
    assert!(line.settle(Xid(102), at(51)) && line.settle(Xid(103), at(52)));
    assert!(age(70) <= 18, "{}", age(70));
    order(200..203, 20_000);
    for commit in 104..108 {
        line.settle(Xid(commit), at(60));
    }
    for (commit, seconds) in [(200, 110), (201, 160)] {
        assert!(age(seconds) <= 50, "{}", age(seconds));
        line.settle(Xid(commit), at(seconds));
    }
    line.settle(Xid(202), at(161));
    assert_eq!(line.overdue(at(1000)), None);
    // A reading in crumbs.
    link.order(ToSwitch::Read(ReadId(1), Depth::Tallies)).unwrap();
    for second in 0..70 {
        line.progressed(100, at(second));
    }
    assert!(age(70) >= 69, "{}", age(70));
    line.progressed(60_000, at(70));
    assert!(age(71) <= 1, "{}", age(71));
}

#[tokio::test]
async fn a_probe_is_answered_before_what_waits() {
    let (line, _reader, mut switch) = pair().await;
    let link = line.link();
    let mut commit = 1;
    while !line.is_waiting() {
        link.order(ToSwitch::Send(vec![parcel(commit, 50_000)])).unwrap();
        commit += 1;
    }
    for _ in 0..5 {
        link.order(ToSwitch::Send(vec![parcel(commit, 50_000)])).unwrap();
        commit += 1;
    }
    let echo = Message::EchoReply(Bytes::from_static(b"here I am")).encode(Xid(77));
    line.reply(echo.clone()).unwrap();
    let last = parcel(commit - 1, 50_000);
    let reading = tokio::spawn(async move {
        let mut received = Vec::new();
        while !received.ends_with(&last) {
            assert_ne!(switch.read_buf(&mut received).await.unwrap(), 0);
        }
        received
    });
    while line.is_waiting() {
        line.writable().await.unwrap();
        line.flush().unwrap();
    }
    let received = reading.await.unwrap();
    // Whole parcels before it and behind it, and nothing inside one.
    let size = parcel(1, 50_000).len();
    let place = received.windows(echo.len()).position(|window| *window == echo[..]).expect("an answer");
    assert_eq!(place % size, 0, "between two parcels");
    let behind = (received.len() - place - echo.len()) / size;
    assert_eq!((received.len() - echo.len()) % size, 0);
    assert!(behind >= 5, "{behind} behind it");
}

#[tokio::test]
async fn letting_go_of_the_link_wakes_the_session() {
    let (line, _reader, _switch) = pair().await;
    let link = line.link();
    drop(link);
    line.woken().await;
    assert!(line.is_closed());
}
