//! Switches that are not in order: what is shown of them, from when, and until when.

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use weft_distributor::ReadId;
use weft_openflow::Xid;
use weft_openflow::message::{BundleCommand, Message, frame_length};

use super::*;
use crate::southbound::line::{Line, READS};

/// The switch's end of a session that the engine knows.
struct Switch {
    id: SessionId,
    line: Arc<Line>,
    socket: TcpStream,
    buffer: bytes::BytesMut,
}

impl Rig {
    fn index(&self, n: u8) -> HostIndex {
        self.snapshot.host(&host(n)).unwrap().index
    }

    async fn switch_up(&mut self, n: u8) -> Switch {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dial = TcpStream::connect(listener.local_addr().unwrap());
        let (ours, theirs) = tokio::join!(dial, listener.accept());
        let line = Line::new(ours.unwrap().into_split().1);
        let (id, tag) = (SessionId(self.next_session), HostTag::of(&host(n)));
        self.next_session += 1;
        let up = Event::SwitchUp { host: self.index(n), tag, session: id, link: line.link() };
        self.engine.handle(up);
        self.engine.pass();
        Switch { id, line, socket: theirs.unwrap().0, buffer: bytes::BytesMut::new() }
    }

    fn switch_down(&mut self, n: u8, switch: &Switch, reason: &str, fault: Option<&str>) {
        let (reason, fault) = (Some(reason.to_owned()), fault.map(str::to_owned));
        self.engine.handle(Event::SwitchDown { host: self.index(n), session: switch.id, reason, fault });
        self.engine.pass();
    }

    /// The switch has empty tables, and takes what it is sent until it owes nothing.
    async fn comes_right(&mut self, n: u8, switch: &mut Switch) {
        let index = self.index(n);
        let read: ReadId = switch.line.asked(Xid(READS)).expect("it is read").read;
        let from = ReadFrom { host: index, session: switch.id, read };
        let installed = Box::new(Installed::Tables { flows: Vec::new(), groups: Vec::new() });
        self.engine.handle(Event::Installed { from, installed, cost: Duration::ZERO });
        self.engine.pass();
        self.takes_all(n, switch).await;
    }

    /// The switch takes what it is sent until it owes nothing.
    async fn takes_all(&mut self, n: u8, switch: &mut Switch) {
        let index = self.index(n);
        while self.engine.distributor.report(index).unwrap().owed.is_some() {
            let xid = switch.commit().await;
            let (session, answer) = (switch.id, Answer::Committed(xid));
            self.engine.handle(Event::Answered { host: index, session, answer });
            self.engine.pass();
        }
    }

    fn shown(&self, n: u8) -> HostStatus {
        self.engine.scribe.fleet.hosts.get(&host(n)).unwrap().clone()
    }

    /// Everything that is wrong with a host; a host that is connected by half never shows nothing.
    fn wrong(&self, n: u8) -> Vec<String> {
        let status = self.shown(n);
        let all: Vec<String> = status.ailments.iter().cloned().chain(status.problems()).collect();
        assert!(status.ovsdb_connected == status.openflow_connected || !all.is_empty(), "no reason");
        all
    }

    fn later(&mut self, seconds: u64) {
        self.engine.look_at_the_late(Instant::now() + Duration::from_secs(seconds));
    }
}

impl Switch {
    /// The xid of the next commit that it is sent.
    async fn commit(&mut self) -> Xid {
        loop {
            if let Some(length) = frame_length(&self.buffer).unwrap().filter(|l| self.buffer.len() >= *l) {
                let (header, message) = Message::decode(&self.buffer.split_to(length).freeze()).unwrap();
                match message {
                    Message::BundleControl(control) if control.command == BundleCommand::CommitRequest => {
                        return header.xid;
                    }
                    _ => continue,
                }
            }
            let read = self.socket.read_buf(&mut self.buffer);
            let read = tokio::time::timeout(Duration::from_secs(20), read).await.expect("a commit");
            assert_ne!(read.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn a_fault_is_a_problem_until_the_switch_is_in_order_again() {
    let mut rig = Rig::with_hosts(1);
    rig.commit(&[report(1, &[1])]);
    rig.settled(1);
    let first = rig.switch_up(1).await;
    rig.switch_down(1, &first, "it owes", Some("it owes"));
    assert_eq!(rig.shown(1).problems(), ["OpenFlow session ended: it owes"]);
    let mut second = rig.switch_up(1).await;
    assert_eq!(rig.shown(1).problems().len(), 1, "being back is not being in order");
    rig.comes_right(1, &mut second).await;
    assert_eq!(rig.wrong(1), [""; 0]);
    // The last words of a session that is over blame nobody.
    rig.switch_down(1, &first, "it owes", Some("it owes"));
    assert_eq!(rig.wrong(1), [""; 0]);
}

#[tokio::test]
async fn a_bridge_that_is_away_is_shown_with_the_reason() {
    let mut rig = Rig::with_hosts(1);
    rig.settled(1);
    let wrong = rig.wrong(1);
    assert!(wrong.len() == 1 && wrong[0].contains("no connection of it has got through"), "{wrong:?}");
    let mut first = rig.switch_up(1).await;
    rig.comes_right(1, &mut first).await;
    assert_eq!(rig.wrong(1), [""; 0]);
    rig.switch_down(1, &first, "the switch is silent", None);
    let wrong = rig.wrong(1);
    let is_told = wrong[0].starts_with("its integration bridge is not connected since ")
        && wrong[0].ends_with("last reason: the switch is silent");
    assert!(wrong.len() == 1 && is_told, "{wrong:?}");
    rig.commit(&[Intent::DeleteHost(host(1))]);
    rig.engine.pass();
    assert!(rig.engine.ailments.of(HostIndex::new(1).unwrap()).is_empty());
}

#[tokio::test]
async fn a_switch_that_owes_for_long_shows_what() {
    let mut rig = Rig::with_hosts(1);
    rig.settled(1);
    let mut switch = rig.switch_up(1).await;
    rig.comes_right(1, &mut switch).await;
    let revision = rig.commit(&[report(1, &[1])]);
    rig.later(5);
    assert_eq!(rig.wrong(1), [""; 0]);
    assert!(rig.engine.poll_timeout().is_some_and(|due| due <= Instant::now() + ailments::PATIENCE));
    rig.later(11);
    let wrong = rig.wrong(1);
    let is_told = wrong.len() == 1 && wrong[0].starts_with(&format!("it owes revision {revision} since "));
    assert!(is_told, "{wrong:?}");
    rig.takes_all(1, &mut switch).await;
    assert_eq!(rig.wrong(1), [""; 0]);
}
