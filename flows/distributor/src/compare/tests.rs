//! A kept digest that is wrong is found by compiling from scratch, counted and replaced.

use std::sync::Arc;
use std::time::Duration;

use weft_model::{EncapIps, Host, Record, Revision, Snapshot, Timestamp};
use weft_openflow::Xid;

use super::*;
use crate::ledger::Tuning;
use crate::switch::{Answer, SessionId, Transmit};

const SESSION: SessionId = SessionId(1);

fn host() -> HostIndex {
    HostIndex::new(1).unwrap()
}

fn distributor(tuning: Tuning) -> Distributor {
    let record = Host {
        id: "h1".parse().unwrap(),
        index: host(),
        hostname: String::new(),
        encap_ips: EncapIps { v4: Some([192, 0, 2, 1].into()), v6: None },
        ovs_version: String::new(),
        datapath_type: "system".into(),
        bridge_mappings: Default::default(),
        joined: Timestamp(0),
    };
    Distributor::new(Snapshot::from_records(Revision(1), [Record::Host(Arc::new(record))]), tuning)
}

/// Answers readings with nothing at all and commits everything, until nothing is left to do.
fn serve(distributor: &mut Distributor, now: Instant) {
    loop {
        match distributor.poll_transmit(now) {
            Some(Transmit::Read { host, session, read, depth }) => {
                let installed = match depth {
                    crate::Depth::Tallies => Installed::Tallies(Tallies::default()),
                    crate::Depth::Tables => Installed::Tables { flows: Vec::new(), groups: Vec::new() },
                };
                distributor.handle_installed(ReadFrom { host, session, read }, installed, Duration::ZERO);
            }
            Some(Transmit::Send { host, session, parcels }) => {
                for _ in parcels {
                    let commit = Xid(distributor.press.last_commit());
                    distributor.handle_answer(host, session, Answer::Committed(commit), now);
                }
            }
            None if distributor.work(now).is_none() => return,
            None => {}
        }
    }
}

#[test]
fn self_check_a_wrong_digest_is_found_counted_and_replaced() {
    let tuning = Tuning { audit_interval: Duration::from_secs(10), ..Tuning::default() };
    let (mut distributor, mut now) = (distributor(tuning), Instant::now());
    distributor.handle_connected(host(), SESSION);
    serve(&mut distributor, now);
    assert_eq!(distributor.report(host()).unwrap().owed, None);
    let scope = Scope::Host(host());
    let right = distributor.tally(scope);
    assert_ne!(right.flows, 0);
    distributor.scopes.edition_mut(scope).unwrap().tally.flows += 1;
    now += tuning.audit_interval * 2;
    distributor.handle_timeout(now);
    serve(&mut distributor, now);
    let report = distributor.report(host()).unwrap();
    assert_eq!((report.self_check_failed, report.audits), (1, 1));
    assert_eq!((distributor.tally(scope), distributor.work_done().self_checks_failed), (right, 1));
    assert_eq!(distributor.poll_drift().map(|drift| drift.found), Some(right.flows as usize));
    now += tuning.audit_interval * 2;
    distributor.handle_timeout(now);
    serve(&mut distributor, now);
    assert_eq!(distributor.report(host()).unwrap().self_check_failed, 1, "it is right now");
}
