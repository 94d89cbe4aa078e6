//! What a scope wants right now, and the bytes of it that every newcomer gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_compiler::{Compiled, Delta, Owner, Scope, compile, diff, owners};
use weft_model::Snapshot;

use crate::parcel::{Parcel, ParcelSize, Press};

/// The compiled state of one scope.
#[derive(Debug, Default)]
pub struct Edition {
    owners: BTreeMap<Owner, Compiled>,
    flows: usize,
    /// The whole edition, encoded; made when the first newcomer asks and dropped when anything changes.
    full: Option<Vec<Arc<Parcel>>>,
}

impl Edition {
    /// Compiles a scope from nothing.
    pub fn from_scratch(scope: Scope, snapshot: &Snapshot) -> Edition {
        let mut edition = Edition::default();
        for owner in owners(scope, snapshot) {
            edition.put(owner, compile(owner, snapshot));
        }
        edition
    }

    /// Compiles one owner anew and returns what changed.
    pub fn recompile(&mut self, owner: Owner, snapshot: &Snapshot) -> Delta {
        let after = compile(owner, snapshot);
        let nothing = Compiled::default();
        let delta = diff(self.owners.get(&owner).unwrap_or(&nothing), &after);
        if !delta.is_empty() {
            self.put(owner, after);
        }
        delta
    }

    /// Everything that the scope wants.
    pub fn compiled(&self) -> impl Iterator<Item = &Compiled> {
        self.owners.values()
    }

    /// Its owners with what they want.
    pub fn owners(&self) -> &BTreeMap<Owner, Compiled> {
        &self.owners
    }

    /// How many flows the scope wants.
    pub fn flow_count(&self) -> usize {
        self.flows
    }

    /// The parcels that give a switch the whole scope.
    pub fn full(&mut self, press: &mut Press) -> Vec<Arc<Parcel>> {
        let nothing = Compiled::default();
        let owners = &self.owners;
        let print = || {
            press.print(
                &owners.values().map(|wanted| diff(&nothing, wanted)).collect::<Vec<_>>(),
                ParcelSize::Full,
            )
        };
        self.full.get_or_insert_with(print).clone()
    }

    /// The parcels that take the whole scope away from a switch.
    pub fn removal(&self, press: &mut Press) -> Vec<Arc<Parcel>> {
        let nothing = Compiled::default();
        press
            .print(&self.owners.values().map(|had| diff(had, &nothing)).collect::<Vec<_>>(), ParcelSize::Full)
    }

    fn put(&mut self, owner: Owner, compiled: Compiled) {
        self.full = None;
        self.flows += compiled.flows.len();
        let before = if compiled.is_empty() {
            self.owners.remove(&owner)
        } else {
            self.owners.insert(owner, compiled)
        };
        self.flows -= before.map_or(0, |gone| gone.flows.len());
    }
}
