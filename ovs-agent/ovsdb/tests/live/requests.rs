//! Every request of the protocol gets a sensible answer from the real server.

use anyhow::{Context, Result};
use serde_json::value::RawValue;
use weft_ovsdb::vswitch::{
    Bridge, Controller, DATABASE, Interface, Manager, Mirror, OpenVSwitch, Port, Qos, Queue,
};
use weft_ovsdb::{Error, Plan, Reason, Refusal, SchemaMismatch, Table, Target, Transaction};

use crate::server::{Server, add_bridge};

#[tokio::test]
async fn the_server_tells_about_itself() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    let databases = client.list_dbs().await?;
    assert!(
        databases.contains(&DATABASE.to_owned()) && databases.contains(&"_Server".to_owned()),
        "{databases:?}"
    );
    assert_eq!(client.get_schema(DATABASE).await?.name, DATABASE);
    assert!(!client.get_server_id().await?.is_nil());
    client.echo().await?;
    client.set_db_change_aware().await?;
    Ok(())
}

/// All tables that we declare fit the schema of this version of Open vSwitch, and no optional column is misspelt.
#[tokio::test]
async fn declared_tables_fit_the_live_schema() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    let schema = client.get_schema(DATABASE).await?;
    let plan = Plan::of(&schema)
        .table::<OpenVSwitch>()?
        .table::<Bridge>()?
        .table::<Port>()?
        .table::<Interface>()?
        .table::<Controller>()?
        .table::<Manager>()?
        .table::<Mirror>()?
        .table::<Qos>()?
        .table::<Queue>()?
        .build();
    let columns: usize = plan.layouts().map(|layout| layout.columns().count()).sum();
    let declared = OpenVSwitch::COLUMNS.len()
        + Bridge::COLUMNS.len()
        + Port::COLUMNS.len()
        + Interface::COLUMNS.len()
        + Controller::COLUMNS.len()
        + Manager::COLUMNS.len()
        + Mirror::COLUMNS.len()
        + Qos::COLUMNS.len()
        + Queue::COLUMNS.len();
    assert_eq!(columns, declared);
    Ok(())
}

#[tokio::test]
async fn older_and_stranger_schemas_are_told_apart() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    let mut schema = client.get_schema(DATABASE).await?;
    let interface = schema.tables.get_mut("Interface").context("Interface")?;
    interface.columns.remove("mtu_request");
    let plan = Plan::of(&schema).table::<Interface>()?.build();
    assert!(plan.layouts().all(|layout| layout.columns().all(|column| column != "mtu_request")));

    let interface = schema.tables.get_mut("Interface").context("Interface")?;
    let options = interface.columns.remove("options").context("options")?;
    assert!(
        matches!(Plan::of(&schema).table::<Interface>(), Err(SchemaMismatch::NoColumn { column, .. }) if column == "options")
    );
    let interface = schema.tables.get_mut("Interface").context("Interface")?;
    interface.columns.insert("ofport".into(), options);
    assert!(Plan::of(&schema).table::<Interface>().is_err());
    schema.tables.remove("Bridge");
    assert!(matches!(Plan::of(&schema).table::<Bridge>(), Err(SchemaMismatch::NoTable(_))));
    Ok(())
}

/// What one transaction wrote, another reads, and so does the tool of Open vSwitch.
#[tokio::test]
async fn rows_are_written_and_read_back() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    let bridge = add_bridge(&client, "br0").await?;
    let mut txn = Transaction::on(DATABASE);
    let interface = txn.insert(
        Interface::record()
            .set(Interface::name(), "vx1")
            .set(Interface::kind(), "vxlan")
            .set(Interface::options(), [("remote_ip", "192.0.2.1"), ("key", "flow")])
            .set(Interface::ofport_request(), 1001),
    );
    let port = txn.insert(Port::record().set(Port::name(), "vx1").set(Port::interfaces(), [interface]));
    txn.mutate(bridge, Bridge::ports().insert([port]));
    txn.comment("a tunnel");
    txn.durable();
    let committed = client.transact(&txn).await?;
    let (port, interface) =
        (committed.id(port).context("port")?, committed.id(interface).context("interface")?);

    let mut txn = Transaction::on(DATABASE);
    let updated = txn.update(interface, Interface::record().set(Interface::mac(), "02:00:00:00:00:01"));
    let put = txn.mutate(
        interface,
        Interface::options().put([("key", "7")]).and(Interface::options().remove(["nothing"])),
    );
    let interfaces = txn.select(Interface::name().equals("vx1"));
    let ports =
        txn.select(Target::all_of([Port::interfaces().includes([interface]), Port::name().differs("x")]));
    let committed = client.transact(&txn).await?;
    assert_eq!((committed.count(updated), committed.count(put)), (1, 1));
    let [(id, row)] = &committed.rows(&interfaces)[..] else { panic!("{interfaces:?}") };
    assert_eq!((*id, row.options["key"].as_str(), row.ofport_request), (interface, "7", Some(1001)));
    assert_eq!(committed.rows(&ports).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [port]);
    assert!(server.dump("Interface", "name mac options")?.contains("02:00:00:00:00:01"));

    let mut txn = Transaction::on(DATABASE);
    let deleted = txn.delete(Target::<OpenVSwitch>::every());
    let bridges = txn.select(Target::<Bridge>::every());
    let committed = client.transact(&txn).await?;
    assert_eq!((committed.count(deleted), committed.rows(&bridges).len()), (1, 1));
    let mut txn = Transaction::on(DATABASE);
    let bridges = txn.select(Target::<Bridge>::every());
    assert_eq!(client.transact(&txn).await?.rows(&bridges).len(), 0, "nothing points at the bridge any more");
    Ok(())
}

/// Requests don't wait for each other's answers, and every answer finds its request.
#[tokio::test]
async fn requests_are_pipelined() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    let mut submitted = Vec::new();
    for number in 0..200 {
        let mut txn = Transaction::on(DATABASE);
        txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::next_cfg().increase(1));
        let selection = txn.select(Target::<OpenVSwitch>::every());
        submitted.push((number, client.submit(&txn).await?, selection));
    }
    for (number, submitted, selection) in submitted {
        let committed = submitted.outcome().await?;
        assert_eq!(committed.rows(&selection)[0].1.next_cfg, number + 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_schema_can_be_converted() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    client.set_db_change_aware().await?;
    let text = std::fs::read_to_string("/usr/share/openvswitch/vswitch.ovsschema")?;
    let mut schema: serde_json::Value = serde_json::from_str(&text)?;
    schema["version"] = "99.0.0".into();
    client.convert(DATABASE, &RawValue::from_string(schema.to_string())?).await?;
    assert_eq!(client.get_schema(DATABASE).await?.version, "99.0.0");
    Ok(())
}

#[tokio::test]
async fn refusals_are_typed() -> Result<()> {
    let server = Server::start().await?;
    let (client, _events) = server.connect().await?;
    let refused = client.get_schema("nothing").await;
    assert!(
        matches!(
            &refused,
            Err(Error::Refused { refusal: Refusal { reason: Reason::UnknownDatabase, .. }, .. })
        ),
        "{refused:?}"
    );
    // A database of another name fails the same way, and the session goes on.
    client.echo().await?;
    Ok(())
}
