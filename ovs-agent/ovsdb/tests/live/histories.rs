//! Random histories on the real server: by every method, what the updates lead to is what a fresh look finds.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use proptest::prelude::*;
use uuid::Uuid;
use weft_ovsdb::vswitch::{Bridge, DATABASE, Interface, OpenVSwitch, Port};
use weft_ovsdb::{
    Client, Datum, Error, Events, Id, Mirror, MonitorId, MonitorMethod, Table, Target, Transaction,
};

use crate::server::{Server, changes, plan};

const METHODS: [MonitorMethod; 3] = [MonitorMethod::CondSince, MonitorMethod::Cond, MonitorMethod::Plain];

/// One transaction. Numbers choose among a few names, so that steps meet.
#[derive(Debug, Clone)]
enum Step {
    AddBridge(u8),
    /// All bridges: nothing points at them any more.
    DropBridges,
    AddPort(u8, u8),
    DropPort(u8),
    Put(u8, u8, u8),
    Remove(u8, u8),
    Replace(u8, Vec<(u8, u8)>),
    Protocols(u8, Vec<u8>),
    /// One in, OpenFlow10 out.
    Swap(u8, u8),
    FailMode(u8, Option<bool>),
}

fn step() -> impl Strategy<Value = Step> {
    let (bridge, port, small) = (0u8..3, 0u8..5, 0u8..4);
    prop_oneof![
        3 => bridge.clone().prop_map(Step::AddBridge),
        1 => Just(Step::DropBridges),
        3 => (bridge.clone(), port.clone()).prop_map(|(bridge, port)| Step::AddPort(bridge, port)),
        1 => port.prop_map(Step::DropPort),
        3 => (bridge.clone(), small.clone(), small.clone()).prop_map(|(bridge, k, v)| Step::Put(bridge, k, v)),
        2 => (bridge.clone(), small.clone()).prop_map(|(bridge, k)| Step::Remove(bridge, k)),
        2 => (bridge.clone(), prop::collection::vec((0u8..4, 0u8..4), 0..4)).prop_map(|(b, pairs)| Step::Replace(b, pairs)),
        2 => (bridge.clone(), prop::collection::vec(0u8..6, 0..4)).prop_map(|(bridge, set)| Step::Protocols(bridge, set)),
        2 => (bridge.clone(), 0u8..6).prop_map(|(bridge, one)| Step::Swap(bridge, one)),
        2 => (bridge, any::<Option<bool>>()).prop_map(|(bridge, mode)| Step::FailMode(bridge, mode)),
    ]
}

fn protocol(number: u8) -> String {
    format!("OpenFlow1{number}")
}

fn transaction(step: &Step) -> Transaction {
    let mut txn = Transaction::on(DATABASE);
    let named = |number: &u8| Target::<Bridge>::from(Bridge::name().equals(format!("br{number}")));
    let root = Target::<OpenVSwitch>::every;
    match step {
        Step::AddBridge(number) => {
            let bridge = txn.insert(Bridge::record().set(Bridge::name(), format!("br{number}")));
            txn.mutate(root(), OpenVSwitch::bridges().insert([bridge]));
        }
        Step::DropBridges => {
            txn.update(root(), OpenVSwitch::record().set(OpenVSwitch::bridges(), Vec::<Id<Bridge>>::new()));
        }
        Step::AddPort(bridge, number) => {
            let name = format!("p{number}");
            let interface = txn.insert(
                Interface::record()
                    .set(Interface::name(), name.as_str())
                    .set(Interface::ofport_request(), i64::from(*number) + 1),
            );
            let port = txn
                .insert(Port::record().set(Port::name(), name.as_str()).set(Port::interfaces(), [interface]));
            txn.mutate(named(bridge), Bridge::ports().insert([port]));
        }
        Step::DropPort(bridge) => {
            txn.update(named(bridge), Bridge::record().set(Bridge::ports(), Vec::<Id<Port>>::new()));
        }
        Step::Put(bridge, key, value) => {
            let (key, value) = (format!("k{key}"), format!("v{value}"));
            txn.mutate(named(bridge), Bridge::external_ids().put([(key.as_str(), value.as_str())]));
        }
        Step::Remove(bridge, key) => {
            let key = format!("k{key}");
            txn.mutate(named(bridge), Bridge::external_ids().remove([key.as_str()]));
        }
        Step::Replace(bridge, pairs) => {
            let pairs: BTreeMap<String, String> =
                pairs.iter().map(|(key, value)| (format!("k{key}"), format!("v{value}"))).collect();
            txn.update(named(bridge), Bridge::record().set(Bridge::external_ids(), pairs));
        }
        Step::Protocols(bridge, set) => {
            let set: std::collections::BTreeSet<String> =
                set.iter().map(|number| protocol(*number)).collect();
            txn.update(named(bridge), Bridge::record().set(Bridge::protocols(), set));
        }
        Step::Swap(bridge, number) => {
            let one = protocol(*number);
            txn.mutate(named(bridge), Bridge::protocols().insert([one.as_str()]));
            txn.mutate(named(bridge), Bridge::protocols().delete(["OpenFlow10"]));
        }
        Step::FailMode(bridge, mode) => {
            let mode = mode.map(|secure| if secure { "secure".to_owned() } else { "standalone".to_owned() });
            txn.update(named(bridge), Bridge::record().set(Bridge::fail_mode(), mode));
        }
    }
    txn
}

/// Runs a step; one that the schema does not allow changes nothing, which is as good a test.
async fn run(client: &Client, step: &Step) -> Result<()> {
    match client.transact(&transaction(step)).await {
        Ok(_) | Err(Error::Aborted { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads on until each mirror has seen the last transaction.
async fn catch_up(
    client: &Client,
    events: &mut Events,
    mirrors: &mut BTreeMap<MonitorId, Mirror>,
) -> Result<()> {
    let mut txn = Transaction::on(DATABASE);
    txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::next_cfg().increase(1));
    let selection = txn.select(Target::<OpenVSwitch>::every());
    let last = client.transact(&txn).await?.rows(&selection)[0].1.next_cfg;
    while mirrors.values().any(|mirror| mirror.find::<OpenVSwitch>(|root| root.next_cfg == last).is_none()) {
        let batch = changes(events).await?;
        mirrors.get_mut(&batch.monitor).context("a stranger's batch")?.apply(&batch);
    }
    Ok(())
}

/// A table's rows with all their columns, in order.
type Rows = Vec<(Uuid, Vec<(String, Datum)>)>;

fn content<T: Table>(mirror: &Mirror) -> Rows {
    let ids: Vec<Id<T>> = mirror.rows::<T>().map(|(id, _)| id).collect();
    let row = |id: Id<T>| {
        mirror.raw(id).map(|row| row.columns().map(|(name, datum)| (name.to_owned(), datum)).collect())
    };
    ids.into_iter().map(|id| (id.uuid(), row(id).unwrap_or_default())).collect()
}

/// The same, as the tool of Open vSwitch tells it.
fn dumped<T: Table>(server: &Server, mirror: &Mirror) -> Result<Rows> {
    #[derive(serde::Deserialize)]
    struct Dump {
        headings: Vec<String>,
        data: Vec<Vec<Datum>>,
    }
    let layout = mirror.plan().layouts().find(|layout| layout.table() == T::NAME).context("a layout")?;
    let columns: Vec<&str> = std::iter::once("_uuid").chain(layout.columns()).collect();
    let dump: Dump = serde_json::from_str(&server.dump(T::NAME, &columns.join(" "))?)?;
    let mut rows = Vec::new();
    for data in dump.data {
        let mut row: BTreeMap<String, Datum> = dump.headings.iter().cloned().zip(data).collect();
        let Some(weft_ovsdb::Atom::Uuid(id)) = row.remove("_uuid").and_then(|id| id.single().cloned()) else {
            anyhow::bail!("a row without identity")
        };
        rows.push((id, row.into_iter().collect()));
    }
    rows.sort_by_key(|(id, _): &(Uuid, _)| *id);
    Ok(rows)
}

fn same(server: &Server, method: MonitorMethod, mirror: &Mirror, fresh: &Mirror) -> Result<()> {
    macro_rules! compare {
        ($($table:ty),*) => { $({
            let (followed, looked) = (content::<$table>(mirror), content::<$table>(fresh));
            ensure!(followed == looked, "{method:?} {}: {followed:#?} is not {looked:#?}", <$table>::NAME);
            let told = dumped::<$table>(server, mirror)?;
            ensure!(followed == told, "{method:?} {}: {followed:#?} is not {told:#?}", <$table>::NAME);
        })* };
    }
    compare!(OpenVSwitch, Bridge, Port, Interface);
    Ok(())
}

async fn follow(steps: &[Step]) -> Result<()> {
    let server = Server::start().await?;
    let (client, mut events) = server.connect().await?;
    let plan = plan(&client).await?;
    let mut mirrors = BTreeMap::new();
    let mut methods = BTreeMap::new();
    for method in METHODS {
        let mirror = Mirror::new(plan.clone());
        let watch = client.monitor_by(method, &mirror).await?;
        mirrors.insert(watch.monitor, mirror);
        methods.insert(watch.monitor, method);
    }
    // Caught up in the middle too: batches that fold many changes and batches that fold few must agree.
    for part in steps.chunks(5) {
        for step in part {
            run(&client, step).await?;
        }
        catch_up(&client, &mut events, &mut mirrors).await?;
    }
    let (looker, mut looks) = server.connect().await?;
    let mut fresh = Mirror::new(plan);
    looker.monitor(&fresh).await?;
    fresh.apply(&changes(&mut looks).await?);
    mirrors.iter().try_for_each(|(id, mirror)| same(&server, methods[id], mirror, &fresh))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn following_is_looking(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        if let Err(error) = runtime.block_on(follow(&steps)) {
            return Err(TestCaseError::fail(format!("{error:?}")));
        }
    }
}
