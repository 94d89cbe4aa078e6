//! The database as the controller's own OVSDB client sees it, and its limits: bytes per host, any input at all.

mod faults;
mod limits;

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use weft_ovsdb::vswitch::{Bridge, Controller, DATABASE, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Client, Event, Events, Mirror, Options, Plan, Session as Client2, Table as _, Transaction};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn identity(number: u32) -> HostIdentity {
    HostIdentity {
        number,
        system_id: format!("host-{number:05}"),
        hostname: format!("host-{number:05}"),
        encap_ip: std::net::Ipv4Addr::from(0x7f01_0000 + number).into(),
    }
}

pub(super) fn database() -> Database {
    Database::new(&identity(7), &Template::default())
}

/// A database behind one end of a pipe, and what it told the rest of the host.
struct Served {
    task: tokio::task::JoinHandle<Result<(Database, Vec<Effect>)>>,
}

impl Served {
    fn start(mut database: Database, mut pipe: DuplexStream) -> Served {
        let task = tokio::spawn(async move {
            let (mut effects, mut out, mut buffer) = (Vec::new(), Vec::new(), vec![0; 1000]);
            loop {
                let read = pipe.read(&mut buffer).await?;
                if read == 0 {
                    return Ok((database, effects));
                }
                effects.extend(database.handle(&buffer[..read], &mut out));
                pipe.write_all(&out).await?;
                out.clear();
            }
        });
        Served { task }
    }
}

async fn controller_plan(client: &Client) -> Result<std::sync::Arc<Plan>> {
    let schema = client.get_schema(DATABASE).await?;
    let plan = Plan::of(&schema).table::<OpenVSwitch>()?.table::<Bridge>()?.table::<Port>()?;
    Ok(plan.table::<Interface>()?.table::<Controller>()?.build())
}

async fn settle(events: &mut Events, mirror: &mut Mirror, wanted: impl Fn(&Mirror) -> bool) -> Result<()> {
    loop {
        match tokio::time::timeout(PATIENCE, events.next()).await.context("no event came")? {
            Some(Event::Changed(batch)) => mirror.apply(&batch),
            other => anyhow::bail!("not a change: {other:?}"),
        };
        if wanted(mirror) {
            return Ok(());
        }
    }
}

fn bridge_transaction(mirror: &Mirror) -> Result<Transaction> {
    let (root, _) = mirror.find::<OpenVSwitch>(|_| true).context("no root row")?;
    let mut txn = Transaction::on(DATABASE);
    txn.expect_row(root);
    txn.expect_none::<Bridge>(weft_ovsdb::Target::all_of([Bridge::name().equals("br-int")]));
    let controller = txn.insert(
        Controller::record()
            .set(Controller::target(), "tcp:127.0.0.1:6653")
            .set(Controller::max_backoff(), Some(1000)),
    );
    let interface =
        txn.insert(Interface::record().set(Interface::name(), "br-int").set(Interface::kind(), "internal"));
    let port = txn.insert(Port::record().set(Port::name(), "br-int").set(Port::interfaces(), [interface]));
    let settings = [("datapath-id".to_owned(), "5745465400010007".to_owned())];
    let bridge = txn.insert(
        Bridge::record()
            .set(Bridge::name(), "br-int")
            .set(Bridge::datapath_type(), "netdev")
            .set(Bridge::other_config(), std::collections::BTreeMap::from(settings))
            .set(Bridge::controller(), [controller])
            .set(Bridge::ports(), [port]),
    );
    txn.mutate(root, OpenVSwitch::bridges().insert([bridge]));
    Ok(txn)
}

#[tokio::test]
async fn the_controllers_client_brings_a_host_up() -> Result<()> {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let mut database = database();
    let plug = |name: &str| LocalChange::PlugInterface { name: name.into(), iface_id: format!("id-{name}") };
    assert!(database.local(plug("tap1"), &mut Vec::new()).is_empty(), "there is no bridge yet");
    let served = Served::start(database, theirs);
    let (client, mut events) = Client2::start(ours, Options::default());
    let mut mirror = Mirror::new(controller_plan(&client).await?);
    client.monitor(&mirror).await?;
    settle(&mut events, &mut mirror, |mirror| mirror.find::<OpenVSwitch>(|_| true).is_some()).await?;
    client.transact(&bridge_transaction(&mirror)?).await?;
    let is_up = |name: &'static str, ofport: i64| {
        move |mirror: &Mirror| {
            mirror
                .find::<Interface>(|interface| interface.name == name && interface.ofport == Some(ofport))
                .is_some()
        }
    };
    settle(&mut events, &mut mirror, is_up("tap1", 1)).await?;
    let (bridge, row) = mirror.find::<Bridge>(|bridge| bridge.name == "br-int").context("the bridge")?;
    assert_eq!(row.datapath_id.as_deref(), Some("5745465400010007"));

    let mut txn = Transaction::on(DATABASE);
    let mut ports = Vec::new();
    for (name, ofport, ip) in [("wv-1", 33_001, "127.1.0.1"), ("wv-2", 33_002, "127.1.0.2")] {
        let options = [("key".to_owned(), "flow".to_owned()), ("remote_ip".to_owned(), ip.to_owned())];
        let interface = txn.insert(
            Interface::record()
                .set(Interface::name(), name)
                .set(Interface::kind(), "vxlan")
                .set(Interface::options(), std::collections::BTreeMap::from(options))
                .set(Interface::ofport_request(), Some(ofport)),
        );
        ports.push(txn.insert(Port::record().set(Port::name(), name).set(Port::interfaces(), [interface])));
    }
    txn.mutate(bridge, Bridge::ports().insert(ports));
    client.transact(&txn).await?;
    settle(&mut events, &mut mirror, is_up("wv-2", 33_002)).await?;
    assert!(is_up("wv-1", 33_001)(&mirror));

    let (port, _) = mirror.find::<Port>(|port| port.name == "wv-1").context("the port")?;
    let mut txn = Transaction::on(DATABASE);
    txn.mutate(bridge, Bridge::ports().delete([port]));
    client.transact(&txn).await?;
    settle(&mut events, &mut mirror, |mirror| mirror.find::<Port>(|port| port.name == "wv-1").is_none())
        .await?;
    assert!(mirror.find::<Interface>(|interface| interface.name == "wv-1").is_none(), "nothing points at it");
    drop((client, events));
    let (database, effects) = tokio::time::timeout(PATIENCE, served.task).await???;
    let bridge = || "br-int".to_owned();
    let added = |ofport, name: &str| Effect::PortAdded { bridge: bridge(), ofport, name: name.into() };
    let controller = Effect::BridgeController {
        bridge: bridge(),
        target: Some("tcp:127.0.0.1:6653".into()),
        datapath_id: 0x5745_4654_0001_0007,
        max_backoff: 1000,
    };
    let expected = [
        controller.clone(),
        added(65_534, "br-int"),
        added(1, "tap1"),
        added(33_001, "wv-1"),
        added(33_002, "wv-2"),
        Effect::PortRemoved { bridge: bridge(), ofport: 33_001, name: "wv-1".into() },
    ];
    assert_eq!(effects, expected);
    let restart = [controller, added(65_534, "br-int"), added(1, "tap1"), added(33_002, "wv-2")];
    assert_eq!(database.effects_of_restart(), restart);
    Ok(())
}
