//! As the controller meets it: the host's server dials us, and asks for signs of life.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use weft_ovsdb::vswitch::{Bridge, DATABASE, Manager, OpenVSwitch};
use weft_ovsdb::{Mirror, Options, Plan, Session, Table, Target, Transaction};

use crate::server::{PATIENCE, Server, add_bridge, changes, plan, settle};

async fn set_manager(server: &Server, target: &str) -> Result<()> {
    let (client, _events) = server.connect().await?;
    let mut txn = Transaction::on(DATABASE);
    let manager =
        txn.insert(Manager::record().set(Manager::target(), target).set(Manager::inactivity_probe(), 1000));
    txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::manager_options().insert([manager]));
    client.transact(&txn).await.map(drop).context("set the manager")
}

/// A host joins: it dials, we learn what it is, make its bridge and see our own change come back.
#[tokio::test]
async fn a_host_that_dials_is_managed() -> Result<()> {
    let server = Server::start().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    set_manager(&server, &format!("tcp:{}", listener.local_addr()?)).await?;
    let (stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await??;
    let (client, mut events) = Session::start(stream, Options::default());

    let schema = client.get_schema(DATABASE).await?;
    let plan = Plan::of(&schema).table::<OpenVSwitch>()?.table::<Bridge>()?.table::<Manager>()?.build();
    let mut mirror = Mirror::new(plan);
    client.monitor(&mirror).await?;
    mirror.apply(&changes(&mut events).await?);
    let (root, host) = mirror.find::<OpenVSwitch>(|_| true).context("the root row")?;
    assert_eq!(host.manager_options.len(), 1);

    let mut txn = Transaction::on(DATABASE);
    txn.expect(root, OpenVSwitch::record().set(OpenVSwitch::bridges(), host.bridges));
    let bridge = txn.insert(
        Bridge::record()
            .set(Bridge::name(), "br-int")
            .set(Bridge::fail_mode(), "secure")
            .set(Bridge::protocols(), ["OpenFlow15"])
            .set(Bridge::external_ids(), [("owner", "weft")]),
    );
    txn.mutate(root, OpenVSwitch::bridges().insert([bridge]));
    let id = client.transact(&txn).await?.id(bridge).context("an identity")?;
    settle(&mut events, &mut mirror, |mirror| mirror.get(id).is_some()).await?;
    assert_eq!(mirror.get(id).context("the bridge")?.external_ids["owner"], "weft");
    assert!(client.transact(&txn).await.is_err_and(|error| error.is_stale()), "the guard has become untrue");
    Ok(())
}

/// The real server's own probe, after a second of quiet, is answered; afterwards the session still works.
#[tokio::test]
async fn the_servers_probe_is_answered() -> Result<()> {
    let server = Server::start().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    set_manager(&server, &format!("tcp:{}", listener.local_addr()?)).await?;
    let (mut host, _) = tokio::time::timeout(PATIENCE, listener.accept()).await??;
    let (mut middle, ours) = tokio::io::duplex(1 << 16);
    let options = Options { probe_interval: None, ..Options::default() };
    let (client, _events) = Session::start(ours, options);

    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    let probed = async {
        // The client has asked nothing, so whatever it says is an answer.
        while answered.is_empty() {
            host.read_buf(&mut asked).await?;
            middle.write_all(&asked).await?;
            middle.read_buf(&mut answered).await?;
            host.write_all(&answered).await?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, probed).await.context("no probe came")??;
    let (asked, answered): (serde_json::Value, serde_json::Value) =
        (serde_json::from_slice(&asked)?, serde_json::from_slice(&answered)?);
    assert_eq!((asked["method"].as_str(), &asked["id"]), (Some("echo"), &answered["id"]));
    let relay = tokio::spawn(async move { tokio::io::copy_bidirectional(&mut host, &mut middle).await });
    assert!(client.list_dbs().await?.contains(&DATABASE.to_owned()));
    relay.abort();
    Ok(())
}

/// Ten megabytes in one row come through whole, both ways.
#[tokio::test]
async fn a_row_of_ten_megabytes_passes() -> Result<()> {
    let server = Server::start().await?;
    let (client, mut events) = server.connect().await?;
    let mut mirror = Mirror::new(plan(&client).await?);
    client.monitor(&mirror).await?;
    let bridge = add_bridge(&client, "br0").await?;
    let long = "\"[{\\é".repeat(1_700_000);
    assert!(long.len() > 10_000_000);
    let mut txn = Transaction::on(DATABASE);
    txn.mutate(bridge, Bridge::external_ids().put([("long", long.as_str())]));
    client.transact(&txn).await?;
    settle(&mut events, &mut mirror, |mirror| {
        mirror.get(bridge).is_some_and(|row| row.external_ids.get("long") == Some(&long))
    })
    .await?;

    let small = Options { message_limit: 1_000_000, ..Options::default() };
    let (client, _events) = server.connect_with(small.clone()).await?;
    assert!(matches!(client.transact(&txn).await, Err(weft_ovsdb::Error::TooLarge { limit: 1_000_000, .. })));
    let stream = UnixStream::connect(server.socket()).await?;
    let (client, mut events) = Session::start(stream, small);
    assert!(client.monitor(&Mirror::new(plan(&client).await?)).await.is_err());
    let end = tokio::time::timeout(PATIENCE, events.next()).await?;
    assert!(matches!(end, Some(weft_ovsdb::Event::Disconnected(weft_ovsdb::Error::Receive(_)))), "{end:?}");
    Ok(())
}

/// A transaction that waits can be taken back, and holds up nobody meanwhile.
#[tokio::test]
async fn a_waiting_transaction_can_be_cancelled() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    let bridge = add_bridge(&client, "br0").await?;
    let mut txn = Transaction::on(DATABASE);
    txn.expect_within(
        bridge,
        Bridge::record().set(Bridge::datapath_type(), "netdev"),
        Duration::from_secs(3600),
    );
    let waiting = client.submit(&txn).await?;
    client.echo().await?;
    let outcome = tokio::time::timeout(PATIENCE, waiting.cancel()).await?;
    assert!(
        matches!(&outcome, Err(weft_ovsdb::Error::Refused { refusal, .. })
            if refusal.reason == weft_ovsdb::Reason::Canceled),
        "{outcome:?}"
    );

    let waiting = client.submit(&txn).await?;
    let mut other = Transaction::on(DATABASE);
    other.update(bridge, Bridge::record().set(Bridge::datapath_type(), "netdev"));
    client.transact(&other).await?;
    tokio::time::timeout(PATIENCE, waiting.outcome()).await??;

    let done = client.submit(&other).await?;
    client.echo().await?;
    assert!(done.cancel().await.is_ok(), "what is done can't be taken back");
    Ok(())
}
