//! The mirror follows the real server, over every kind of update and over reconnections.

use anyhow::{Context, Result};
use weft_ovsdb::vswitch::{Bridge, DATABASE, Interface, OpenVSwitch};
use weft_ovsdb::{Event, Mirror, MonitorMethod, Plan, Table, Target, Transaction};

use crate::server::{PATIENCE, Server, add_bridge, changes, plan, settle};

#[tokio::test]
async fn the_first_batch_is_all_there_is() -> Result<()> {
    let server = Server::start().await?;
    let (client, mut events) = server.connect().await?;
    let bridge = add_bridge(&client, "br0").await?;
    let mut mirror = Mirror::new(plan(&client).await?);
    let watch = client.monitor(&mirror).await?;
    assert_eq!((watch.method, watch.is_resumed), (MonitorMethod::CondSince, false));
    let batch = changes(&mut events).await?;
    assert_eq!(batch.monitor, watch.monitor);
    mirror.apply(&batch);
    assert_eq!(mirror.get(bridge).context("the bridge")?.name, "br0");
    let (_, root) = mirror.find::<OpenVSwitch>(|_| true).context("the root row")?;
    assert!(root.bridges.contains(&bridge));
    assert_eq!(mirror.len(), 2);
    Ok(())
}

/// Each of two sessions sees what the other one does, by each of the three methods.
#[tokio::test]
async fn sessions_see_each_others_changes() -> Result<()> {
    for method in [MonitorMethod::CondSince, MonitorMethod::Cond, MonitorMethod::Plain] {
        let server = Server::start().await?;
        let (client, mut events) = server.connect().await?;
        let (other, _) = server.connect().await?;
        let mut mirror = Mirror::new(plan(&client).await?);
        client.monitor_by(method, &mirror).await?;
        mirror.apply(&changes(&mut events).await?);

        let bridge = add_bridge(&other, "br0").await?;
        let batch = changes(&mut events).await?;
        mirror.apply(&batch);
        let created: Vec<_> = batch.of::<Bridge>().collect();
        assert!(matches!(&created[..], [one] if one.id == bridge && one.before.is_none()), "{created:?}");
        assert!(batch.touches::<OpenVSwitch>() && !batch.touches::<Interface>());

        let mut txn = Transaction::on(DATABASE);
        txn.mutate(bridge, Bridge::external_ids().put([("a", "1"), ("b", "2")]));
        txn.mutate(bridge, Bridge::protocols().insert(["OpenFlow13", "OpenFlow15"]));
        other.transact(&txn).await?;
        mirror.apply(&changes(&mut events).await?);
        let mut txn = Transaction::on(DATABASE);
        txn.mutate(bridge, Bridge::external_ids().put([("a", "3")]));
        txn.mutate(bridge, Bridge::protocols().delete(["OpenFlow13"]));
        txn.update(bridge, Bridge::record().set(Bridge::fail_mode(), "secure"));
        other.transact(&txn).await?;
        let batch = changes(&mut events).await?;
        mirror.apply(&batch);
        let change = batch.of::<Bridge>().next().context("a change")?;
        let (before, after) = (change.before.context("before")?, change.after.context("after")?);
        assert_eq!(
            (before.external_ids["a"].as_str(), before.protocols.len(), before.fail_mode),
            ("1", 2, None)
        );
        assert_eq!((after.external_ids["a"].as_str(), after.protocols.len()), ("3", 1), "{method:?}");
        assert_eq!(after.fail_mode.as_deref(), Some("secure"));
        assert_eq!(after.external_ids["b"], "2");

        let mut txn = Transaction::on(DATABASE);
        txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::bridges().delete([bridge]));
        other.transact(&txn).await?;
        let batch = changes(&mut events).await?;
        mirror.apply(&batch);
        assert!(batch.of::<Bridge>().any(|change| change.after.is_none()));
        assert_eq!(mirror.get(bridge), None);
    }
    Ok(())
}

/// A standalone server remembers nothing over a restart; the watcher hears only what changed meanwhile all the same.
#[tokio::test]
async fn a_reconnection_shows_the_difference() -> Result<()> {
    let mut server = Server::start().await?;
    let (client, mut events) = server.connect().await?;
    let gone = add_bridge(&client, "gone").await?;
    let stays = add_bridge(&client, "stays").await?;
    let mut mirror = Mirror::new(plan(&client).await?);
    client.monitor(&mirror).await?;
    mirror.apply(&changes(&mut events).await?);

    server.restart().await?;
    let last = tokio::time::timeout(PATIENCE, events.next()).await?;
    assert!(matches!(last, Some(Event::Disconnected(_))), "{last:?}");
    assert!(events.next().await.is_none() && client.is_closed());
    assert!(client.echo().await.is_err());

    let (client, mut events) = server.connect().await?;
    let mut txn = Transaction::on(DATABASE);
    txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::bridges().delete([gone]));
    client.transact(&txn).await?;
    let new = add_bridge(&client, "new").await?;
    let mut mirror = mirror.adopt(plan(&client).await?);
    assert!(!client.monitor(&mirror).await?.is_resumed, "a standalone server can't resume");
    let batch = changes(&mut events).await?;
    mirror.apply(&batch);
    let mut touched: Vec<_> =
        batch.of::<Bridge>().map(|change| (change.id, change.after.is_some())).collect();
    touched.sort();
    let mut expected = vec![(gone, false), (new, true)];
    expected.sort();
    assert_eq!(touched, expected, "what stayed the same is no change");
    assert!(mirror.get(stays).is_some());
    Ok(())
}

#[tokio::test]
async fn a_reconnection_without_changes_shows_an_empty_batch() -> Result<()> {
    let server = Server::start().await?;
    let (client, mut events) = server.connect().await?;
    add_bridge(&client, "br0").await?;
    let mut mirror = Mirror::new(plan(&client).await?);
    client.monitor(&mirror).await?;
    mirror.apply(&changes(&mut events).await?);
    drop((client, events));
    let (client, mut events) = server.connect().await?;
    client.monitor(&mirror).await?;
    assert_eq!(changes(&mut events).await?.changes, []);
    Ok(())
}

/// Conditions choose rows, and can be changed while the monitor runs.
#[tokio::test]
async fn conditions_choose_rows() -> Result<()> {
    let server = Server::start().await?;
    let (client, mut events) = server.connect().await?;
    let ours = add_bridge(&client, "br-int").await?;
    let other = add_bridge(&client, "br-other").await?;
    let schema = client.get_schema(DATABASE).await?;
    let plan = Plan::of(&schema)
        .columns::<Bridge>(&["name"])?
        .rows_where_any::<Bridge>([Bridge::name().equals("br-int")])?
        .build();
    let mut mirror = Mirror::new(plan);
    let watch = client.monitor(&mirror).await?;
    settle(&mut events, &mut mirror, |mirror| !mirror.is_empty()).await?;
    assert!(mirror.get(ours).is_some() && mirror.get(other).is_none());
    client.monitor_cond_change::<Bridge>(watch.monitor, &[Bridge::name().equals("br-other")]).await?;
    settle(&mut events, &mut mirror, |mirror| mirror.get(ours).is_none()).await?;
    assert!(mirror.get(other).is_some());
    // A row that meets one of several conditions is shown.
    let both = [Bridge::name().equals("br-int"), Bridge::name().equals("br-other")];
    client.monitor_cond_change(watch.monitor, &both).await?;
    settle(&mut events, &mut mirror, |mirror| mirror.len() == 2).await?;
    client.monitor_cond_change::<Bridge>(watch.monitor, &[]).await?;
    settle(&mut events, &mut mirror, Mirror::is_empty).await?;
    client.monitor_cancel(watch.monitor).await?;
    assert!(client.monitor_cancel(watch.monitor).await.is_err(), "it is gone");
    Ok(())
}

/// A watcher that takes nothing does not hold up the session, and finds each row's changes folded into one.
#[tokio::test]
async fn a_slow_watcher_finds_changes_folded() -> Result<()> {
    let server = Server::start().await?;
    let (client, mut events) = server.connect().await?;
    let mut mirror = Mirror::new(plan(&client).await?);
    client.monitor(&mirror).await?;
    for _ in 0..500 {
        let mut txn = Transaction::on(DATABASE);
        txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::next_cfg().increase(1));
        client.transact(&txn).await?;
    }
    let mut batches = 0;
    while mirror.find::<OpenVSwitch>(|root| root.next_cfg == 500).is_none() {
        mirror.apply(&changes(&mut events).await?);
        batches += 1;
    }
    assert!(batches <= 10, "{batches} batches for 500 changes that nobody waited for");
    Ok(())
}
