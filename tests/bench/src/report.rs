//! What a benchmark found: a Markdown table for people, the same rows as JSON for programs.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::numbers::Spread;

/// The findings of one benchmark.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// What was measured, for the heading.
    pub title: String,
    /// What a reader must know to understand the columns.
    pub notes: Vec<String>,
    /// One measurement each.
    pub rows: Vec<Row>,
}

/// One line of a table; all rows of a report have the same columns.
#[derive(Debug, Default)]
pub struct Row(Vec<(&'static str, Cell)>);

#[derive(Debug)]
enum Cell {
    Text(String),
    /// A number, and how many decimals people see.
    Number(f64, usize),
    /// p50 and p99, of which the maximum is in the JSON only.
    Spread(Spread),
    /// Could not be measured here.
    Absent,
}

impl Report {
    /// An empty report.
    pub fn new(name: &'static str, title: impl Into<String>) -> Report {
        Report { name, title: title.into(), notes: Vec::new(), rows: Vec::new() }
    }

    /// Adds a sentence that explains.
    pub fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// Adds a row and shows it at once: a benchmark takes minutes, and a half-done one should be worth something.
    pub fn push(&mut self, row: Row) {
        eprintln!("  {}: {}", self.name, row.line());
        self.rows.push(row);
    }

    /// The table with its heading and notes.
    pub fn markdown(&self) -> String {
        let mut text = format!("\n## {}: {}\n\n", self.name, self.title);
        if let Some(first) = self.rows.first() {
            let names: Vec<&str> = first.0.iter().map(|(name, _)| *name).collect();
            writeln!(text, "| {} |\n|{}", names.join(" | "), "---|".repeat(names.len())).expect(WRITES);
        }
        for row in &self.rows {
            writeln!(text, "{}", row.line()).expect(WRITES);
        }
        for note in &self.notes {
            write!(text, "\n- {note}").expect(WRITES);
        }
        text + "\n"
    }
}

const WRITES: &str = "writing to a String does not fail";

impl Row {
    /// Adds a column with a text.
    pub fn text(mut self, column: &'static str, value: impl ToString) -> Row {
        self.0.push((column, Cell::Text(value.to_string())));
        self
    }

    /// Adds a column with a whole number.
    pub fn whole(self, column: &'static str, value: impl TryInto<u64>) -> Row {
        // More than 2^53 of anything is not measured here.
        self.number(column, value.try_into().unwrap_or(u64::MAX) as f64, 0)
    }

    /// Adds a column with a number, shown with so many decimals.
    pub fn number(mut self, column: &'static str, value: f64, decimals: usize) -> Row {
        let cell = if value.is_finite() { Cell::Number(value, decimals) } else { Cell::Absent };
        self.0.push((column, cell));
        self
    }

    /// Adds a column with a distribution of times.
    pub fn spread(mut self, column: &'static str, value: Option<Spread>) -> Row {
        self.0.push((column, value.map_or(Cell::Absent, Cell::Spread)));
        self
    }

    fn line(&self) -> String {
        let cells: Vec<String> = self.0.iter().map(|(_, cell)| cell.shown()).collect();
        format!("| {} |", cells.join(" | "))
    }
}

impl Cell {
    fn shown(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Number(value, decimals) => format!("{value:.decimals$}"),
            Cell::Spread(spread) => format!("{:.2} / {:.2}", spread.p50_ms, spread.p99_ms),
            Cell::Absent => "-".into(),
        }
    }

    fn value(&self) -> Value {
        match self {
            Cell::Text(text) => json!(text),
            Cell::Number(value, _) => json!(value),
            Cell::Spread(spread) => json!(spread),
            Cell::Absent => Value::Null,
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let map: Map<String, Value> =
            self.0.iter().map(|(column, cell)| ((*column).to_owned(), cell.value())).collect();
        map.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_the_same_in_markdown_and_json() {
        let mut report = Report::new("x", "what x costs");
        let spread = Spread { p50_ms: 1.0, p99_ms: 2.5, max_ms: 3.0 };
        report
            .push(Row::default().whole("hosts", 10_u64).spread("time ms", Some(spread)).number("r", 0.5, 2));
        report.push(Row::default().whole("hosts", 20_u64).spread("time ms", None).number("r", f64::NAN, 2));
        let text = report.markdown();
        assert!(
            text.contains("| hosts | time ms | r |\n|---|---|---|\n| 10 | 1.00 / 2.50 | 0.50 |\n"),
            "{text}"
        );
        assert!(text.contains("| 20 | - | - |"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["rows"][0]["time ms"]["p99_ms"], 2.5);
        assert_eq!(json["rows"][1]["r"], Value::Null);
    }
}
