//! Transactions that must not happen don't, and say why.

use anyhow::{Context, Result};
use weft_ovsdb::vswitch::{Bridge, DATABASE, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Error, Id, Place, Reason, Table, Target, Transaction};

use crate::server::{Server, add_bridge};

fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> (Place, Reason) {
    match result {
        Err(Error::Aborted { place, refusal }) => (place, refusal.reason),
        other => panic!("not aborted: {other:?}"),
    }
}

#[tokio::test]
async fn a_guard_holds_what_was_read() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    let bridge = add_bridge(&client, "br0").await?;
    let attempt = |expected: &'static str| {
        let client = client.clone();
        async move {
            let mut txn = Transaction::on(DATABASE);
            txn.expect(bridge, Bridge::record().set(Bridge::datapath_type(), expected));
            txn.update(bridge, Bridge::record().set(Bridge::datapath_type(), "netdev"));
            client.transact(&txn).await
        }
    };
    attempt("").await?;
    let stale = attempt("").await;
    assert!(stale.as_ref().is_err_and(Error::is_stale));
    assert_eq!(reason(stale), (Place::Operation(0), Reason::TimedOut));
    attempt("netdev").await?;
    Ok(())
}

#[tokio::test]
async fn guards_on_whole_rows() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    let bridge = add_bridge(&client, "br0").await?;
    let mut txn = Transaction::on(DATABASE);
    txn.expect_row(bridge);
    txn.expect_none(Target::<Bridge>::from(Bridge::name().equals("br1")));
    client.transact(&txn).await?;
    let mut txn = Transaction::on(DATABASE);
    txn.expect_none(Target::<Bridge>::from(Bridge::name().equals("br0")));
    assert!(client.transact(&txn).await.is_err_and(|error| error.is_stale()));
    let mut txn = Transaction::on(DATABASE);
    txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::bridges().delete([bridge]));
    client.transact(&txn).await?;
    let mut txn = Transaction::on(DATABASE);
    txn.expect_row(bridge);
    assert!(client.transact(&txn).await.is_err_and(|error| error.is_stale()));
    Ok(())
}

#[tokio::test]
async fn the_schema_is_enforced_and_the_place_told() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    add_bridge(&client, "br0").await?;
    let twice = add_bridge(&client, "br0").await.err().context("two bridges of one name")?;
    assert_eq!(reason::<()>(Err(twice.downcast()?)), (Place::Commit, Reason::Constraint));

    let mut txn = Transaction::on(DATABASE);
    txn.comment("first");
    txn.insert(Interface::record().set(Interface::name(), "i").set(Interface::ofport_request(), 70_000));
    assert_eq!(reason(client.transact(&txn).await), (Place::Operation(1), Reason::Constraint));

    let mut txn = Transaction::on(DATABASE);
    let nobody = Id::<Port>::new(uuid::Uuid::from_u128(1));
    txn.mutate(Bridge::name().equals("br0"), Bridge::ports().insert([nobody]));
    assert_eq!(reason(client.transact(&txn).await), (Place::Commit, Reason::ReferentialIntegrity));

    let mut txn = Transaction::on(DATABASE);
    txn.abort();
    assert_eq!(reason(client.transact(&txn).await), (Place::Operation(0), Reason::Aborted));
    Ok(())
}
