//! Locks: held, awaited, handed over, stolen and asserted.

use anyhow::{Context, Result};
use weft_ovsdb::vswitch::DATABASE;
use weft_ovsdb::{Error, Event, Events, Lock, Reason, Transaction};

use crate::server::{PATIENCE, Server};

async fn event(events: &mut Events) -> Result<Event> {
    tokio::time::timeout(PATIENCE, events.next()).await?.context("the session is over")
}

#[tokio::test]
async fn locks_pass_from_one_to_the_other() -> Result<()> {
    let server = Server::start().await?;
    let (one, mut ones) = server.connect().await?;
    let (two, mut twos) = server.connect().await?;
    assert_eq!(one.lock("weft").await?, Lock::Held);
    assert_eq!(two.lock("weft").await?, Lock::Awaited);
    one.unlock("weft").await?;
    assert!(matches!(event(&mut twos).await?, Event::Locked(lock) if lock == "weft"));
    assert_eq!(one.steal("weft").await?, Lock::Held);
    assert!(matches!(event(&mut twos).await?, Event::Stolen(lock) if lock == "weft"));

    let mut txn = Transaction::on(DATABASE);
    txn.assert_lock("weft");
    one.transact(&txn).await?;
    let refused = two.transact(&txn).await;
    assert!(
        matches!(&refused, Err(Error::Aborted { refusal, .. }) if refusal.reason == Reason::NotOwner),
        "{refused:?}"
    );
    two.close().await;
    assert!(matches!(event(&mut twos).await?, Event::Disconnected(Error::Closed)));
    drop(one);
    drop(twos);
    // The first session still has a taker of events and goes on without clients.
    assert!(futures::FutureExt::now_or_never(ones.next()).is_none());
    Ok(())
}
