//! Does a flow keep to what its table declares?

use weft_openflow::action::{Learn, LearnTarget};
use weft_openflow::oxm::FieldHeader;
use weft_openflow::oxm::table::twin;
use weft_openflow::{
    Action, FieldId, Instruction, Match, PortNo, Reader, TableId, Writer, canonical_instructions,
};

use super::{Holds, Table, Verb, table};
use crate::flow::{Compiled, Flow};
use crate::group_id::GroupUse;
use crate::owner::{Owner, Scope};
use crate::registers;
use crate::tunnels;
use crate::uplinks;

/// What a flow does that its table does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// There is no such table.
    #[error("table {0} is not declared")]
    UnknownTable(u8),
    /// A network-wide flow in a host-local table, or the other way round.
    #[error("{owner} has no business in table {table}")]
    WrongScope {
        /// Whose flow.
        owner: Owner,
        /// In which table.
        table: &'static str,
    },
    /// A match field that the table does not declare.
    #[error("table {table} does not match {field:?}")]
    Match {
        /// In which table.
        table: &'static str,
        /// Which field.
        field: FieldId,
    },
    /// A field that the table does not set.
    #[error("table {table} does not set {field:?}")]
    Set {
        /// In which table.
        table: &'static str,
        /// Which field.
        field: FieldId,
    },
    /// A way on that the table does not have.
    #[error("table {table} does not lead to table {next}")]
    Next {
        /// In which table.
        table: &'static str,
        /// Where to.
        next: u8,
    },
    /// Anything else that the table does not do.
    #[error("table {table} does not do {what}")]
    Verb {
        /// In which table.
        table: &'static str,
        /// What it is.
        what: String,
    },
    /// The bytes are not in canonical form, so a switch would show them differently.
    #[error("flow of table {0} is not canonical")]
    Form(&'static str),
    /// The bytes are not what the codec would write.
    #[error("flow of table {0} does not decode")]
    Bytes(&'static str),
}

/// Checks one compiled flow from its bytes.
///
/// # Errors
/// The first violation found.
pub fn check(owner: Owner, flow: &Flow) -> Result<(), Violation> {
    let table = table(flow.table).ok_or(Violation::UnknownTable(flow.table))?;
    check_bytes(owner, table, &flow.match_bytes, &flow.instructions)
}

/// Checks an encoded match and encoded instructions, which must be in canonical form.
pub(crate) fn check_bytes(
    owner: Owner,
    table: &'static Table,
    match_bytes: &[u8],
    instruction_bytes: &[u8],
) -> Result<(), Violation> {
    let bytes = |_| Violation::Bytes(table.name);
    let matching = Match::decode_fields(&mut Reader::new(match_bytes)).map_err(bytes)?;
    let mut reader = Reader::new(instruction_bytes);
    let instructions = Instruction::decode_list(&mut reader, instruction_bytes.len()).map_err(bytes)?;
    let mut canonical = Writer::new();
    Instruction::encode_list(&canonical_instructions(&instructions), &mut canonical);
    if matching.canonical_bytes() != match_bytes || canonical.as_slice() != instruction_bytes {
        return Err(Violation::Form(table.name));
    }
    check_parts(owner, table, &matching, &instructions)
}

/// Checks all that an owner has, the actions of its groups included.
///
/// # Errors
/// The first violation found.
pub fn check_compiled(owner: Owner, compiled: &Compiled) -> Result<(), Violation> {
    for flow in &compiled.flows {
        check(owner, flow)?;
    }
    // A group's buckets act in place of the flow that uses it.
    for group in &compiled.groups {
        let table: &'static Table = match GroupUse::describe(group.id) {
            Some(GroupUse::Flood { .. }) => &super::FLOOD,
            Some(GroupUse::Outward { .. }) => &super::L2_REMOTE,
            Some(GroupUse::Handover { .. } | GroupUse::Active { .. }) => &super::L2_LOCAL,
            Some(GroupUse::LocalFlood { .. }) | None => &super::FLOOD_LOCAL,
        };
        for actions in group.buckets.values() {
            let decoded = Action::decode_list(&mut Reader::new(actions), actions.len());
            check_actions(owner, table, &decoded.map_err(|_| Violation::Bytes(table.name))?)?;
        }
    }
    Ok(())
}

/// Checks a flow before it is encoded.
fn check_parts(
    owner: Owner,
    table: &'static Table,
    matching: &Match,
    instructions: &[Instruction],
) -> Result<(), Violation> {
    let network_wide = !matches!(owner.scope(), Scope::Host(_));
    let misplaced = match table.holds {
        Holds::Both => false,
        Holds::HostLocal => network_wide,
        // The host's base brings every table's miss.
        Holds::NetworkWide => !network_wide && !matching.fields().is_empty(),
    };
    if misplaced {
        return Err(Violation::WrongScope { owner, table: table.name });
    }
    for field in matching.fields().iter().map(|field| field.id()) {
        let needed = field == super::ETH_TYPE || field == super::ICMPV6_TYPE || field == IP_PROTO;
        if !table.matches.contains(&field) && !needed {
            return Err(Violation::Match { table: table.name, field });
        }
    }
    for instruction in instructions {
        match instruction {
            Instruction::GotoTable(next) => check_next(table, *next)?,
            Instruction::ApplyActions(actions) => check_actions(owner, table, actions)?,
            other => return Err(verb(table, other)),
        }
    }
    Ok(())
}

/// The protocol number, which fields of the layers above need.
const IP_PROTO: FieldId = FieldId::basic(10);

fn check_actions(owner: Owner, table: &'static Table, actions: &[Action]) -> Result<(), Violation> {
    for action in actions {
        match action {
            Action::SetField(field) => check_set(table, field.id())?,
            Action::CopyField(copy) => check_set(table, copy.dst.id)?,
            Action::Output { port, .. } => check_output(owner, table, *port)?,
            Action::DecNwTtl if table.verbs.contains(&Verb::DecrementTtl) => {}
            Action::CheckPktLarger { dst, .. } if table.verbs.contains(&Verb::CheckSize) => {
                check_set(table, dst.id)?;
            }
            Action::SetNwTtl(_) if table.verbs.contains(&Verb::SetTtl) => {}
            Action::Multipath(choice) if table.verbs.contains(&Verb::Choose) => {
                check_set(table, choice.dst.field.id)?;
            }
            Action::Conjunction { .. } if table.verbs.contains(&Verb::Conjunction) => {}
            Action::Ct(ct) if table.verbs.contains(&Verb::Track) => {
                ct.table.map_or(Ok(()), |next| check_next(table, next))?;
                check_actions(owner, table, &ct.actions)?;
            }
            Action::CtClear if table.verbs.contains(&Verb::Track) => {}
            Action::Nat(_) if table.verbs.contains(&Verb::Translate) => {}
            Action::PushVlan(_) | Action::PopVlan if table.verbs.contains(&Verb::Tag) => {}
            Action::Learn(learn) if table.verbs.contains(&Verb::Learn) => check_learn(table, learn)?,
            Action::Meter(_) | Action::Note(_) if table.verbs.contains(&Verb::Limit) => {}
            Action::Controller2(_) if table.verbs.contains(&Verb::ToController) => {}
            Action::Group(_) if table.verbs.contains(&Verb::Group) => {}
            Action::Resubmit(to) if table.verbs.contains(&Verb::Resubmit) => {
                check_next(table, to.table.unwrap_or(TableId(table.number)))?;
            }
            other => return Err(verb(table, other)),
        }
    }
    Ok(())
}

/// What is learned keeps to what the table declares that it is learned into.
fn check_learn(table: &'static Table, learn: &Learn) -> Result<(), Violation> {
    let into = &super::LEARNED;
    let is_ours = learn.table.0 == into.number
        && crate::cookie::is_learned(learn.table, learn.cookie, learn.hard_timeout);
    if !is_ours || learn.limit.is_none_or(|limit| limit.max_flows == 0) {
        return Err(verb(table, learn));
    }
    for spec in &learn.specs {
        let allowed =
            |field: FieldHeader, fields: &[FieldId]| fields.contains(&twin(field.id).unwrap_or(field.id));
        let fits = match spec.target {
            LearnTarget::Match(field, _) => allowed(field, into.matches),
            LearnTarget::Load(field, _) => allowed(field, into.sets),
            LearnTarget::Output => false,
        };
        if !fits {
            return Err(verb(table, learn));
        }
    }
    Ok(())
}

fn check_set(table: &'static Table, field: FieldId) -> Result<(), Violation> {
    let drops = field == registers::REASON.field();
    if drops || table.sets.contains(&field) {
        Ok(())
    } else {
        Err(Violation::Set { table: table.name, field })
    }
}

fn check_next(table: &'static Table, next: TableId) -> Result<(), Violation> {
    let known = table.next.iter().any(|to| to.number == next.0);
    if known { Ok(()) } else { Err(Violation::Next { table: table.name, next: next.0 }) }
}

/// A network-wide flow may only name ports that have the same number everywhere.
fn check_output(owner: Owner, table: &'static Table, port: PortNo) -> Result<(), Violation> {
    let wanted = match (port, owner.scope()) {
        (PortNo::IN_PORT, _) => Verb::OutputBack,
        _ if tunnels::is_tunnel_ofport(port.0) => Verb::OutputTunnel,
        (_, Scope::Network(_)) if uplinks::uplink_at(port.0).is_some() => Verb::OutputUplink,
        (_, Scope::Host(_)) => Verb::OutputLocal,
        _ => return Err(verb(table, &port)),
    };
    if table.verbs.contains(&wanted) { Ok(()) } else { Err(verb(table, &port)) }
}

fn verb(table: &'static Table, what: &impl std::fmt::Debug) -> Violation {
    Violation::Verb { table: table.name, what: format!("{what:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{ARP_ND, CLASSIFY, DELIVER, FLOOD, L2_REMOTE};
    use weft_model::{HostIndex, PortKey, Vni};
    use weft_openflow::oxm;

    fn check(owner: Owner, table: &'static Table, matching: Match, action: Action) -> Option<Violation> {
        check_parts(owner, table, &matching, &[Instruction::ApplyActions(vec![action])]).err()
    }

    #[test]
    fn what_a_table_does_not_declare_is_refused() {
        let key = PortKey::new(1).expect("in range");
        let wide = Owner::Port(Vni::MIN, key);
        let local = Owner::LocalPort(HostIndex::new(1).expect("in range"), key);
        let tunnel = Action::output(PortNo(33_001));
        assert_eq!(check(wide, &L2_REMOTE, Match::new(), tunnel.clone()), None);
        // An interface's number means nothing on another host.
        let interface = Action::output(PortNo(7));
        assert!(matches!(
            check(wide, &L2_REMOTE, Match::new(), interface.clone()),
            Some(Violation::Verb { .. })
        ));
        assert_eq!(check(local, &DELIVER, Match::new(), interface.clone()), None);
        assert!(matches!(check(wide, &DELIVER, Match::new(), interface), Some(Violation::WrongScope { .. })));
        let named = Match::new().with(oxm::eth_dst([2; 6]));
        assert!(matches!(check(local, &FLOOD, named, tunnel.clone()), Some(Violation::WrongScope { .. })));
        let vlan = Match::new().with(oxm::vlan_none());
        assert!(matches!(check(wide, &L2_REMOTE, vlan, tunnel), Some(Violation::Match { .. })));
        let set = Action::SetField(oxm::eth_src([2; 6]));
        assert_eq!(check(wide, &ARP_ND, Match::new(), set.clone()), None);
        assert!(matches!(check(wide, &CLASSIFY, Match::new(), set), Some(Violation::Set { .. })));
        let back = check_parts(local, &DELIVER, &Match::new(), &[Instruction::GotoTable(TableId(0))]);
        assert!(matches!(back, Err(Violation::Next { next: 0, .. })));
    }
}
