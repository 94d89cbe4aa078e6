//! Reading the fields of a request's object: every fault is collected, nothing is taken for something else.

use std::str::FromStr;

use serde_json::{Map, Value};
use weft_model::intent::Fault;

/// The fields of one object that have not been read yet, and what was wrong with those that have.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where the object stands in the body: empty, or like `fixed_ips.0.`.
    prefix: String,
    values: Map<String, Value>,
    faults: Vec<Fault>,
    /// Faults that say only that there is no such field.
    unknown: Vec<Fault>,
}

impl Fields {
    pub(super) fn new(prefix: impl Into<String>, values: Map<String, Value>) -> Fields {
        Fields { prefix: prefix.into(), values, faults: Vec::new(), unknown: Vec::new() }
    }

    /// Notes what is wrong with a field.
    pub(super) fn fault(&mut self, name: &str, reason: impl Into<String>) {
        self.faults.push(Fault { path: format!("{}{name}", self.prefix), reason: reason.into() });
    }

    /// True if the object has the field, be it null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.values.shift_remove(name)
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => self.wrong(name, "must be a text", &other),
        }
    }

    /// A text, or null.
    pub(super) fn text_or_null(&mut self, name: &str) -> Option<Option<String>> {
        match self.values.get(name)? {
            Value::Null => self.take(name).map(|_| None),
            _ => self.text(name).map(Some),
        }
    }

    /// A text, or a number as its decimal digits. Null counts as absent.
    pub(super) fn word(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            other => self.wrong(name, "must be a text or a number", &other),
        }
    }

    /// A truth value, in any form that OpenStack clients give it.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?;
        match (&value, value.as_i64()) {
            (Value::Bool(flag), _) => Some(*flag),
            (_, Some(0)) => Some(false),
            (_, Some(1)) => Some(true),
            (Value::String(text), _) if text.eq_ignore_ascii_case("true") || text == "1" => Some(true),
            (Value::String(text), _) if text.eq_ignore_ascii_case("false") || text == "0" => Some(false),
            _ => self.wrong(name, "must be true or false", &value),
        }
    }

    /// A number that is not negative, as a number or as decimal digits. Null counts as absent.
    pub(super) fn number(&mut self, name: &str) -> Option<u32> {
        let value = self.take(name)?;
        let number = match &value {
            Value::Null => return None,
            Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        number.or_else(|| self.wrong(name, "must be a whole number that is not negative", &value))
    }

    /// A text that reads as a `T`; `reason` says what that looks like.
    pub(super) fn parsed<T: FromStr>(&mut self, name: &str, reason: &str) -> Option<T> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) => self.wrong(name, reason, &Value::String(text)),
        }
    }

    /// The same, or null.
    pub(super) fn parsed_or_null<T: FromStr>(&mut self, name: &str, reason: &str) -> Option<Option<T>> {
        match self.values.get(name)? {
            Value::Null => self.take(name).map(|_| None),
            _ => self.parsed(name, reason).map(Some),
        }
    }

    /// The same, and it must be there.
    pub(super) fn required<T: FromStr>(&mut self, name: &str, reason: &str) -> Option<T> {
        if !self.has(name) {
            self.fault(name, "is missing");
        }
        self.parsed(name, reason)
    }

    /// A list of texts that read as `T`s. Null counts as absent.
    pub(super) fn parsed_list<T: FromStr>(&mut self, name: &str, reason: &str) -> Option<Vec<T>> {
        let entries = self.entries(name)?;
        let mut read = Vec::with_capacity(entries.len());
        for (position, entry) in entries.iter().enumerate() {
            match entry.as_str().and_then(|text| text.parse().ok()) {
                Some(value) => read.push(value),
                None => drop(self.wrong::<T>(&format!("{name}.{position}"), reason, entry)),
            }
        }
        Some(read)
    }

    /// A list of objects, each read by `read`. Null counts as absent.
    pub(super) fn objects<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Fields) -> Option<T>,
    ) -> Option<Vec<T>> {
        let entries = self.entries(name)?;
        let mut objects = Vec::with_capacity(entries.len());
        for (position, entry) in entries.into_iter().enumerate() {
            match entry {
                Value::Object(values) => {
                    let mut fields = Fields::new(format!("{}{name}.{position}.", self.prefix), values);
                    objects.extend(read(&mut fields));
                    fields.reject_rest(|_| false);
                    self.faults.append(&mut fields.faults);
                    self.faults.append(&mut fields.unknown);
                }
                other => drop(self.wrong::<T>(&format!("{name}.{position}"), "must be an object", &other)),
            }
        }
        Some(objects)
    }

    /// An object, read by `read`, or null.
    pub(super) fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields) -> T) -> Option<Option<T>> {
        match self.take(name)? {
            Value::Null => Some(None),
            Value::Object(values) => {
                let mut fields = Fields::new(format!("{}{name}.", self.prefix), values);
                let object = read(&mut fields);
                fields.reject_rest(|_| false);
                self.faults.append(&mut fields.faults);
                self.faults.append(&mut fields.unknown);
                Some(Some(object))
            }
            other => self.wrong(name, "must be an object", &other),
        }
    }

    fn entries(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take(name)? {
            Value::Null => None,
            Value::Array(entries) => Some(entries),
            other => self.wrong(name, "must be a list", &other),
        }
    }

    /// A field that clients send although it means nothing here: fine as long as its value asks for what there is.
    pub(super) fn only(&mut self, name: &str, allowed: &[Value]) {
        let Some(value) = self.take(name) else { return };
        if !value.is_null() && !allowed.contains(&value) {
            let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
            let allowed = if allowed.is_empty() { "null".to_owned() } else { allowed.join(" or ") };
            let reason = format!("is not supported with that value, only {allowed}");
            self.fault(name, reason);
        }
    }

    /// Ends the reading: what was not read must not be there. `is_known` tells fields of the resource that cannot be set
    /// from fields that do not exist. Gives the faults, first those of existing fields.
    pub(super) fn settle(mut self, is_known: impl Fn(&str) -> bool) -> (Vec<Fault>, Vec<Fault>) {
        self.reject_rest(is_known);
        (self.faults, self.unknown)
    }

    fn reject_rest(&mut self, is_known: impl Fn(&str) -> bool) {
        for (name, _) in std::mem::take(&mut self.values) {
            let path = format!("{}{}", self.prefix, clip(&name));
            if is_known(&name) {
                self.faults.push(Fault { path, reason: "cannot be set here".into() });
            } else {
                self.unknown.push(Fault { path, reason: "is not an attribute".into() });
            }
        }
    }

    fn wrong<T>(&mut self, name: &str, reason: &str, got: &Value) -> Option<T> {
        self.fault(name, format!("{reason}, not {}", clip(&got.to_string())));
        None
    }
}

/// Nobody needs all of a long wrong value back.
fn clip(text: &str) -> String {
    if text.chars().count() <= 80 {
        return text.to_owned();
    }
    text.chars().take(80).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weft_model::MacAddr;

    use super::*;

    fn check(body: Value, read: impl Fn(&mut Fields) -> String, result: &str, faults: &[&str]) {
        let Value::Object(values) = body else { panic!("an object") };
        let mut fields = Fields::new("", values);
        assert_eq!(read(&mut fields), result);
        let (mut found, unknown) = fields.settle(|name| name == "id");
        found.extend(unknown);
        let found: Vec<String> =
            found.iter().map(|fault| format!("{} {}", fault.path, fault.reason)).collect();
        assert_eq!(found, faults);
    }

    #[test]
    fn values_are_what_they_say_or_a_fault() {
        let flag = |fields: &mut Fields| format!("{:?}", fields.flag("x"));
        check(json!({"x": true}), flag, "Some(true)", &[]);
        check(json!({"x": "False"}), flag, "Some(false)", &[]);
        check(json!({"x": 1}), flag, "Some(true)", &[]);
        check(json!({"x": 2}), flag, "None", &["x must be true or false, not 2"]);
        check(json!({"x": null}), flag, "None", &["x must be true or false, not null"]);
        let number = |fields: &mut Fields| format!("{:?}", fields.number("x"));
        check(json!({"x": "1450"}), number, "Some(1450)", &[]);
        check(json!({"x": null}), number, "None", &[]);
        check(json!({"x": -1}), number, "None", &["x must be a whole number that is not negative, not -1"]);
        check(json!({"x": 1.5}), number, "None", &["x must be a whole number that is not negative, not 1.5"]);
        let mac =
            |fields: &mut Fields| format!("{:?}", fields.parsed::<MacAddr>("x", "must be a MAC").is_some());
        check(json!({"x": "02:00:00:00:00:01"}), mac, "true", &[]);
        check(json!({"x": 7}), mac, "false", &["x must be a text, not 7"]);
        check(json!({"x": "7"}), mac, "false", &["x must be a MAC, not \"7\""]);
    }

    #[test]
    fn what_is_left_over_is_named_by_its_whole_path() {
        let list = |fields: &mut Fields| {
            format!("{:?}", fields.objects("ips", |entry| entry.text("a").map(|_| ())).map(|list| list.len()))
        };
        let body = json!({"ips": [{"a": "1"}, {"a": 2, "b": 3}, 4], "id": "x", "colour": "red"});
        let faults = [
            "ips.1.a must be a text, not 2",
            "ips.1.b is not an attribute",
            "ips.2 must be an object, not 4",
            "id cannot be set here",
            "colour is not an attribute",
        ];
        check(body, list, "Some(1)", &faults);
    }

    #[test]
    fn harmless_fields_may_only_ask_for_what_there_is() {
        let shared = |fields: &mut Fields| {
            fields.only("shared", &[json!(false)]);
            String::new()
        };
        check(json!({"shared": false}), shared, "", &[]);
        check(json!({"shared": null}), shared, "", &[]);
        check(json!({"shared": true}), shared, "", &["shared is not supported with that value, only false"]);
    }
}
