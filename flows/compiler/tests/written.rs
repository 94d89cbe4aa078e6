//! Tables of PERFORMANCE.md that tests count: they must say what is counted, and `UPDATE_GOLDEN=1` makes them.

use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Checks the lines between `<!-- counted: NAME -->` and the next `<!-- end -->`, the table's two head lines left out.
pub fn check(name: &str, lines: &[String]) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../PERFORMANCE.md");
    let text = std::fs::read_to_string(&path)?;
    let begin = format!("<!-- counted: {name} -->\n");
    let (before, rest) = text.split_once(&begin).with_context(|| format!("PERFORMANCE.md has no {begin}"))?;
    let (table, after) = rest.split_once("<!-- end -->").context("the table does not end")?;
    let head: String =
        table.split_inclusive('\n').skip_while(|line| line.trim().is_empty()).take(2).collect();
    let wanted = format!("\n{head}{}\n\n", lines.join("\n"));
    if table != wanted && std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{before}{begin}{wanted}<!-- end -->{after}"))?;
        return Ok(());
    }
    ensure!(
        table == wanted,
        "PERFORMANCE.md says something else than is counted (UPDATE_GOLDEN=1 writes it):\n{wanted}"
    );
    Ok(())
}
