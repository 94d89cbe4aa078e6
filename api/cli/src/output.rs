//! What goes to standard output: tables for people, JSON and bare ids for programs.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Columns for people; without any decoration when the output is not a terminal.
    #[default]
    Table,
    /// JSON as the API has it.
    Json,
    /// Nothing but ids, one a line.
    Id,
}

/// Where a table is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// A terminal: lines around, cells wrapped to its width.
    Terminal,
    /// A pipe or a file: columns and nothing else, no line is ever wrapped.
    Plain,
}

impl Surface {
    /// What standard output is.
    pub fn of_stdout() -> Surface {
        if std::io::stdout().is_terminal() { Surface::Terminal } else { Surface::Plain }
    }
}

/// Writes text to standard output.
///
/// # Errors
/// [`Failure::Write`], also when nobody reads any more.
pub fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Write)
}

/// Writes ids, one a line.
///
/// # Errors
/// As [`write`].
pub fn write_ids<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    write(&ids.map(|id| format!("{id}\n")).collect::<String>())
}

/// Writes a value as indented JSON.
///
/// # Errors
/// [`Failure::Write`] or [`Failure::Json`].
pub fn write_json(value: &impl Serialize) -> Result<(), Failure> {
    write(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// A table of many objects, one a line.
pub fn columns(surface: Surface, header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = styled(surface);
    table.set_header(header.iter().map(|title| heading(surface, title)));
    table.add_rows(rows.iter().map(|row| row.iter().map(|cell| Cell::new(clean(cell))).collect::<Vec<_>>()));
    // An id that is broken over two lines cannot be copied.
    if let Some(ids) = table.column_mut(0) {
        ids.set_constraint(ColumnConstraint::ContentWidth);
    }
    finish(&table)
}

/// A table of one object's fields.
///
/// # Errors
/// [`Failure::Json`].
pub fn fields(surface: Surface, object: &impl Serialize) -> Result<String, Failure> {
    let Value::Object(members) = serde_json::to_value(object)? else { return Ok(String::new()) };
    let mut table = styled(surface);
    table.set_header(["FIELD", "VALUE"].map(|title| heading(surface, title)));
    for (name, value) in &members {
        table.add_row([clean(name), plain(value)]);
    }
    Ok(finish(&table))
}

/// A JSON value as people write it: lists with commas, `-` for nothing.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => clean(text),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.is_empty() => "-".to_owned(),
        Value::Object(members) => {
            let pairs = members.iter().map(|(name, value)| format!("{}={}", clean(name), plain(value)));
            pairs.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// Names are chosen by tenants: one with control characters must not reach an administrator's terminal as it is.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A short form of something that may be empty.
pub fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn styled(surface: Surface) -> Table {
    let mut table = Table::new();
    match surface {
        Surface::Terminal => {
            table.load_style(presets::UTF8_BORDERS_ONLY);
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        Surface::Plain => {
            table.load_style(presets::NOTHING);
            table.force_no_tty();
        }
    }
    table
}

fn heading(surface: Surface, title: &str) -> Cell {
    match surface {
        Surface::Terminal => Cell::new(title).add_attribute(Attribute::Bold),
        Surface::Plain => Cell::new(title),
    }
}

fn finish(table: &Table) -> String {
    let lines: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    // Without borders the padding of the first column is all that is left of them.
    let is_indented = lines.lines().all(|line| line.starts_with(' '));
    if is_indented { lines.lines().map(|line| format!("{}\n", &line[1..])).collect() } else { lines }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_columns_are_aligned_and_bare() {
        let rows =
            vec![vec!["1".to_owned(), "blue".to_owned()], vec!["22".to_owned(), "a\u{1b}[31m".to_owned()]];
        assert_eq!(
            columns(Surface::Plain, &["ID", "NAME"], &rows),
            "ID  NAME\n1   blue\n22  a\u{fffd}[31m\n"
        );
        assert_eq!(columns(Surface::Plain, &["ID", "NAME"], &[]), "ID  NAME\n");
    }

    #[test]
    fn long_cells_are_never_wrapped_in_a_pipe() {
        let long = "x".repeat(500);
        let text = columns(Surface::Plain, &["NAME"], &[vec![long.clone()]]);
        assert_eq!(text, format!("NAME\n{long}\n"));
    }

    #[test]
    fn fields_show_nothing_as_a_dash_and_lists_with_commas() {
        let object =
            json!({"id": "x", "tags": ["a", "b"], "gone": null, "fixed_ips": [{"ip": "1.2.3.4", "n": 5}]});
        assert_eq!(
            fields(Surface::Plain, &object).expect("an object"),
            "FIELD      VALUE\nid         x\ntags       a, b\ngone       -\nfixed_ips  ip=1.2.3.4 n=5\n"
        );
    }
}
