//! The store itself: conditions, revisions and the change log, the same over every engine.

use std::{
    io::{Read, Write as Output},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use crate::{
    batch::{Batch, Condition, Op, validate_key},
    contract::{CheckReport, Compaction, Snapshot, Store, Watch},
    error::{Conflict, Damage, StoreError},
    frame,
    history::{History, Reach},
    layout, log,
    medium::{Medium, Pair, View, Write},
    place::Lock,
    record::{Record, Revision, Span, Table},
    transfer, upgrade,
    watch::{LogWatch, Pulse},
};

/// A store over one engine.
pub(crate) struct Records {
    medium: Arc<dyn Medium>,
    writer: Mutex<Writer>,
    pulse: Arc<Pulse>,
    // After the medium: whoever gets the lock next must find the engine closed.
    lock: Arc<Lock>,
}

/// What only the one who writes may touch.
struct Writer {
    history: History,
    halted: bool,
}

impl Records {
    /// Takes over an opened medium, new or not; `lock` is held as long as the store lives.
    pub(crate) fn open(
        medium: Arc<dyn Medium>,
        reach: Reach,
        lock: Arc<Lock>,
    ) -> Result<Records, StoreError> {
        if medium.view()?.get(layout::FORMAT_KEY)?.is_none() {
            found(medium.as_ref())?;
        }
        let view = medium.view()?;
        let format = view.get(layout::FORMAT_KEY)?.ok_or(StoreError::Damaged(Damage::Header))?;
        let view = match layout::parse_number(&format)? {
            layout::FORMAT => view,
            upgrade::FORMAT => {
                drop(view);
                upgrade::from_1(medium.as_ref())?;
                medium.view()?
            }
            _ => return Err(StoreError::Damaged(Damage::Format)),
        };
        let history = read_history(view.as_ref(), reach)?;
        check_newest_change(view.as_ref(), &history)?;
        let pulse = Arc::new(Pulse::default());
        pulse.announce(history.newest());
        Ok(Records { medium, writer: Mutex::new(Writer { history, halted: false }), pulse, lock })
    }

    fn shot(&self) -> Result<Shot, StoreError> {
        let view = self.medium.view()?;
        let revision = read_revision(view.as_ref())?;
        Ok(Shot { view, revision, _lock: self.lock.clone() })
    }
}

impl Store for Records {
    fn revision(&self) -> Revision {
        self.pulse.newest()
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(self.shot()?))
    }

    fn apply(&self, batch: &Batch) -> Result<Revision, StoreError> {
        batch.validate()?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.halted {
            return Err(StoreError::Halted);
        }
        if !batch.conditions().is_empty() {
            check_conditions(self.medium.view()?.as_ref(), batch, writer.history.newest())?;
        }
        let entry = frame::encode(batch.ops());
        let (size, surplus) = (entry.len(), writer.history.surplus(entry.len()));
        let revision = writer.history.newest().next();
        // Should the engine panic in the middle, the store stays halted: nobody knows what is on disk.
        writer.halted = true;
        self.medium.write(plan(batch, revision, &entry, &surplus))?;
        writer.halted = false;
        writer.history.drop_oldest(surplus.len());
        writer.history.push(size);
        self.pulse.announce(revision);
        Ok(revision)
    }

    fn watch(&self, from: Revision) -> Result<Box<dyn Watch>, StoreError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (oldest, newest) = (writer.history.oldest(), writer.history.newest());
        if from > newest {
            return Err(StoreError::NotYet { from, newest });
        }
        if from < oldest {
            return Err(StoreError::Compacted { oldest });
        }
        Ok(Box::new(LogWatch {
            medium: self.medium.clone(),
            pulse: self.pulse.clone(),
            seen: from,
            _lock: self.lock.clone(),
        }))
    }

    fn export(&self, to: &mut dyn Output) -> Result<Revision, StoreError> {
        let shot = self.shot()?;
        transfer::write(&shot, to)?;
        Ok(shot.revision)
    }

    fn import(&self, from: &mut dyn Read) -> Result<Revision, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.halted {
            return Err(StoreError::Halted);
        }
        let revision = writer.history.newest();
        if revision != Revision::ZERO {
            return Err(StoreError::NotEmpty { revision });
        }
        let mut lines = transfer::Lines::start(from)?;
        let revision = lines.revision();
        let header = (Bytes::from_static(layout::REVISION_KEY), Bytes::from(layout::number(revision.0)));
        let records = lines.by_ref().map(|line| {
            let (table, record) = line?;
            Ok((Bytes::from(layout::record_key(table, &record.key)), record.value))
        });
        self.medium.load(&mut records.chain([Ok(header)]))?;
        writer.history.restart(revision);
        self.pulse.announce(revision);
        Ok(revision)
    }

    fn check(&self) -> Result<CheckReport, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let sound = self.medium.check();
        // Nothing more is written on top of damage.
        writer.halted |= matches!(sound, Err(StoreError::Damaged(_)));
        sound?;
        let shot = self.shot()?;
        let log = read_history(shot.view.as_ref(), writer.history.reach())?;
        if (log.newest(), log.oldest()) != (writer.history.newest(), writer.history.oldest()) {
            return Err(StoreError::Damaged(Damage::LogGap));
        }
        check_newest_change(shot.view.as_ref(), &log)?;
        for entry in log::entries(shot.view.as_ref())? {
            frame::decode(entry?.1)?;
        }
        let (mut records, mut record_bytes) = (0, 0);
        for pair in shot.view.range(layout::records_after(None))? {
            let (full, value) = pair?;
            let (_, key) = layout::split_record_key(&full)?;
            records += 1;
            record_bytes += (key.len() + value.len()) as u64;
        }
        Ok(CheckReport { revision: shot.revision, records, record_bytes, log_entries: log.len() as u64 })
    }

    fn compact(&self) -> Result<Compaction, StoreError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes_before = self.medium.size()?;
        self.medium.compact()?;
        Ok(Compaction { bytes_before, bytes_after: self.medium.size()? })
    }
}

/// Writes the headers of a new store.
fn found(medium: &dyn Medium) -> Result<(), StoreError> {
    let everything = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    if medium.view()?.range(everything)?.next().is_some() {
        return Err(StoreError::Damaged(Damage::Format));
    }
    medium.write(vec![
        Write::Put(layout::FORMAT_KEY.to_vec(), layout::number(layout::FORMAT).into()),
        Write::Put(layout::REVISION_KEY.to_vec(), layout::number(0).into()),
    ])
}

/// Everything that changes on disk when a batch makes `revision`.
fn plan(batch: &Batch, revision: Revision, entry: &Bytes, surplus: &[(Revision, usize)]) -> Vec<Write> {
    let mut writes = Vec::with_capacity(batch.ops().len() + surplus.len() + 2);
    let is_same = |a: &Op, b: &Op| a.table() == b.table() && a.key() == b.key();
    // Of two operations on one record that stand side by side the log has both, the state only the second.
    let stands = |n: usize, op: &Op| batch.ops().get(n + 1).is_none_or(|next| !is_same(op, next));
    let standing = batch.ops().iter().enumerate().filter(|(n, op)| stands(*n, op));
    writes.extend(standing.map(|(_, op)| {
        let key = layout::record_key(op.table(), op.key());
        match op.value() {
            Some(value) => Write::Put(key, value.clone()),
            None => Write::Delete(key),
        }
    }));
    writes.extend(surplus.iter().copied().flat_map(log::delete));
    writes.extend(log::put(revision, entry));
    writes.push(Write::Put(layout::REVISION_KEY.to_vec(), layout::number(revision.0).into()));
    writes
}

fn check_conditions(view: &dyn View, batch: &Batch, newest: Revision) -> Result<(), StoreError> {
    for condition in batch.conditions() {
        let (table, key) = match condition {
            Condition::RevisionIs(expected) if *expected == newest => continue,
            Condition::RevisionIs(expected) => {
                return Err(StoreError::Conflict(Conflict::Revision { expected: *expected, found: newest }));
            }
            Condition::Absent { table, key }
            | Condition::Present { table, key }
            | Condition::ValueIs { table, key, .. } => (*table, key),
        };
        let found = view.get(&layout::record_key(table, key))?;
        let holds = match condition {
            Condition::RevisionIs(_) => true,
            Condition::Absent { .. } => found.is_none(),
            Condition::Present { .. } => found.is_some(),
            Condition::ValueIs { value, .. } => found.as_ref() == Some(value),
        };
        if !holds {
            return Err(StoreError::Conflict(Conflict::Record { table, key: key.clone(), found }));
        }
    }
    Ok(())
}

fn read_revision(view: &dyn View) -> Result<Revision, StoreError> {
    let value = view.get(layout::REVISION_KEY)?.ok_or(StoreError::Damaged(Damage::Header))?;
    Ok(Revision(layout::parse_number(&value)?))
}

/// Reads the sizes of the log entries and makes sure that they end at the store's revision without a gap.
fn read_history(view: &dyn View, reach: Reach) -> Result<History, StoreError> {
    let newest = read_revision(view)?;
    let mut history: Option<History> = None;
    for entry in log::entries(view)? {
        let (revision, entry) = entry?;
        let before = Revision(revision.0.checked_sub(1).ok_or(StoreError::Damaged(Damage::LogGap))?);
        let history = history.get_or_insert_with(|| History::empty(reach, before));
        if history.newest() != before {
            return Err(StoreError::Damaged(Damage::LogGap));
        }
        history.push(entry.len());
    }
    let history = history.unwrap_or_else(|| History::empty(reach, newest));
    if history.newest() != newest {
        return Err(StoreError::Damaged(Damage::LogGap));
    }
    Ok(history)
}

/// Makes sure that the newest change in the log is what the records show: no batch is half applied.
fn check_newest_change(view: &dyn View, history: &History) -> Result<(), StoreError> {
    let Some(entry) = log::get(view, history.newest())? else {
        return Ok(());
    };
    let last_ops: std::collections::BTreeMap<_, _> =
        frame::decode(entry)?.into_iter().map(|op| ((op.table(), op.key().clone()), op)).collect();
    for op in last_ops.values() {
        if view.get(&layout::record_key(op.table(), op.key()))?.as_ref() != op.value() {
            return Err(StoreError::Damaged(Damage::Record));
        }
    }
    Ok(())
}

/// A view with its revision.
struct Shot {
    view: Box<dyn View>,
    revision: Revision,
    _lock: Arc<Lock>,
}

impl Snapshot for Shot {
    fn revision(&self) -> Revision {
        self.revision
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        validate_key(table, key)?;
        self.view.get(&layout::record_key(table, key))
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        span: &Span,
    ) -> Result<Box<dyn Iterator<Item = Result<Record, StoreError>> + 'a>, StoreError> {
        validate_key(table, &[])?;
        let stretch = layout::record_stretch(table, span);
        if layout::is_empty(&stretch) {
            return Ok(Box::new(std::iter::empty()));
        }
        let in_table = layout::record_key(table, &[]).len();
        Ok(Box::new(self.view.range(stretch)?.map(move |pair: Result<Pair, StoreError>| {
            let (full, value) = pair?;
            Ok(Record { key: full.slice(in_table..), value })
        })))
    }

    fn tables(&self) -> Result<Vec<Table>, StoreError> {
        let mut tables: Vec<Table> = Vec::new();
        // One seek per table, however many records it has.
        while let Some(pair) = self.view.range(layout::records_after(tables.last().copied()))?.next() {
            tables.push(layout::split_record_key(&pair?.0)?.0);
        }
        Ok(tables)
    }
}
