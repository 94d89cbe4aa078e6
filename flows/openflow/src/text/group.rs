//! Groups and their buckets as text, both ways.

use super::actions_in::parse_actions;
use super::actions_out::ActionList;
use super::error::{ParseError, ParseErrorKind};
use super::match_in::field;
use super::match_out::Plain;
use super::split::{Arg, args};
use super::values::{parse_int, parse_port};
use crate::ids::{BucketId, GroupId};
use crate::message::{Bucket, BucketProperty, GroupCommand, GroupMod, GroupProperty, GroupType};
use crate::message::{PaddedText, Selection};
use crate::oxm::{Match, OxmField, table};
use std::fmt::{self, Display, Formatter};

const TYPES: &[(GroupType, &str)] = &[
    (GroupType::All, "all"),
    (GroupType::Select, "select"),
    (GroupType::Indirect, "indirect"),
    (GroupType::FastFailover, "ff"),
];

/// As `ovs-ofctl` prints a group, without the word for what is done to it.
impl Display for GroupMod {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let on_buckets = matches!(self.command, GroupCommand::InsertBucket | GroupCommand::RemoveBucket);
        if on_buckets {
            write!(f, "command_bucket_id:{},", BucketName(self.command_bucket))?;
        }
        write!(f, "group_id={}", self.group)?;
        if !on_buckets {
            let word = TYPES.iter().find(|(kind, _)| *kind == self.kind).map_or("unknown", |(_, word)| word);
            write!(f, ",type={word}")?;
        }
        for property in &self.properties {
            if let GroupProperty::Selection(selection) = property {
                write_selection(f, selection)?;
            }
        }
        let default_weight = if self.kind == GroupType::Select { 1 } else { 0 };
        self.buckets.iter().try_for_each(|bucket| write_bucket(f, bucket, default_weight))
    }
}

/// A bucket's number, or the word that stands for it.
struct BucketName(BucketId);

impl Display for BucketName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            BucketId::FIRST => f.write_str("first"),
            BucketId::LAST => f.write_str("last"),
            BucketId::ALL => f.write_str("all"),
            BucketId(number) => write!(f, "{number}"),
        }
    }
}

fn write_selection(f: &mut Formatter<'_>, selection: &Selection) -> fmt::Result {
    write!(f, ",selection_method={}", selection.method)?;
    if selection.parameter != 0 {
        write!(f, ",selection_method_param={}", selection.parameter)?;
    }
    let name = |field: &OxmField| {
        let spec = table::spec(field.id());
        let name = spec.map_or_else(|| "?".to_owned(), |spec| spec.name());
        let whole = spec.is_some_and(|spec| field.value().is_some_and(|v| v & spec.ones() == spec.ones()));
        if whole { name } else { format!("{name}={}", Plain(field)) }
    };
    let names: Vec<String> = selection.fields.fields().iter().map(name).collect();
    match &names[..] {
        [] => Ok(()),
        [one] => write!(f, ",fields={one}"),
        many => write!(f, ",fields({})", many.join(",")),
    }
}

fn write_bucket(f: &mut Formatter<'_>, bucket: &Bucket, default_weight: u16) -> fmt::Result {
    write!(f, ",bucket=bucket_id:{},", BucketName(bucket.id))?;
    for property in &bucket.properties {
        match property {
            BucketProperty::Weight(weight) if *weight == default_weight => {}
            BucketProperty::Weight(weight) => write!(f, "weight:{weight},")?,
            BucketProperty::WatchPort(port) => write!(f, "watch_port:{port},")?,
            BucketProperty::WatchGroup(group) => write!(f, "watch_group:{group},")?,
            BucketProperty::Raw(_) => {}
        }
    }
    write!(f, "actions={}", ActionList(&bucket.actions))
}

/// Reads a group such as `group_id=5,type=all,bucket=output:1,bucket=weight:2,actions=output:2` as the
/// message that adds it. Buckets without a number get their index.
///
/// # Errors
/// The first part that has no meaning, or `BadValue` without an id.
pub fn parse_group(text: &str) -> Result<GroupMod, ParseError> {
    let (mut group, mut kind) = (None, GroupType::All);
    let mut selection = Selection::default();
    let mut buckets: Vec<BucketText> = Vec::new();
    for arg in args(text)? {
        if arg.name == "bucket" {
            buckets.push(BucketText::default());
        }
        let part = if arg.name == "bucket" { arg.value } else { arg.text };
        if let Some(bucket) = buckets.last_mut() {
            args(part)?.into_iter().try_for_each(|part| bucket.accept(part))?;
            continue;
        }
        match arg.name {
            "group_id" => group = Some(GroupId(parse_int(arg.value)?)),
            "type" => {
                let word = if arg.value == "fast_failover" { "ff" } else { arg.value };
                let found = TYPES.iter().find(|(_, name)| *name == word);
                kind = found.ok_or_else(|| ParseErrorKind::BadValue.of(arg.text))?.0;
            }
            "selection_method" => selection.method = PaddedText::new(arg.value),
            "selection_method_param" => selection.parameter = parse_int(arg.value)?,
            "fields" => selection.fields = parse_fields(arg.value)?,
            _ => return Err(ParseErrorKind::UnknownField.of(arg.text)),
        }
    }
    let group = group.ok_or_else(|| ParseErrorKind::BadValue.of(text))?;
    let number = |(index, bucket): (usize, BucketText)| {
        bucket.finish(u32::try_from(index).map_or(BucketId::MAX, BucketId), kind)
    };
    let buckets = buckets.into_iter().enumerate().map(number).collect::<Result<_, _>>()?;
    let mut out = GroupMod::add(group, kind, buckets);
    if selection != Selection::default() {
        out.properties.push(GroupProperty::Selection(selection));
    }
    Ok(out)
}

/// Fields to hash; a value is the mask of the bits that count, and without one all do.
fn parse_fields(text: &str) -> Result<Match, ParseError> {
    let one = |arg: Arg<'_>| {
        let spec = table::by_name(arg.name).ok_or_else(|| ParseErrorKind::UnknownField.of(arg.text))?;
        if arg.is_word() {
            return Ok(OxmField::exact(spec.id(), spec.bytes(), u128::MAX));
        }
        field(&spec, arg.value)?.ok_or_else(|| ParseErrorKind::BadValue.of(arg.text))
    };
    args(text)?.into_iter().map(one).collect()
}

/// A bucket while it is read: what is not a property is an action.
#[derive(Default)]
struct BucketText {
    id: Option<BucketId>,
    properties: Vec<BucketProperty>,
    actions: String,
}

impl BucketText {
    fn accept(&mut self, part: Arg<'_>) -> Result<(), ParseError> {
        match part.name {
            "bucket_id" => self.id = Some(BucketId(parse_int(part.value)?)),
            "weight" => self.properties.push(BucketProperty::Weight(parse_int(part.value)?)),
            "watch_port" => self.properties.push(BucketProperty::WatchPort(parse_port(part.value)?)),
            "watch_group" => {
                self.properties.push(BucketProperty::WatchGroup(GroupId(parse_int(part.value)?)));
            }
            "actions" | "action" => self.actions.push_str(part.value),
            _ => {
                self.actions.push(',');
                self.actions.push_str(part.text);
            }
        }
        Ok(())
    }

    fn finish(mut self, index: BucketId, kind: GroupType) -> Result<Bucket, ParseError> {
        // A bucket that is chosen by weight always says how much it weighs.
        let weighs = self.properties.iter().any(|p| matches!(p, BucketProperty::Weight(_)));
        if kind == GroupType::Select && !weighs {
            self.properties.insert(0, BucketProperty::Weight(1));
        }
        let actions = parse_actions(&self.actions)?;
        Ok(Bucket { id: self.id.unwrap_or(index), actions, properties: self.properties })
    }
}
