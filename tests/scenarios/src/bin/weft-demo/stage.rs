//! What the audience sees: sections, the commands that a user would type, and one line for each check.

use std::cell::Cell;

use anyhow::{Result, bail};
use weft_rig::Cmd;

use crate::interrupt::Interrupt;

/// Prints, counts, and stops between two steps when somebody wants the end.
#[derive(Debug)]
pub struct Stage {
    interrupt: Interrupt,
    checks: Cell<usize>,
    failures: Cell<usize>,
}

impl Stage {
    /// An empty stage.
    pub fn new(interrupt: Interrupt) -> Stage {
        Stage { interrupt, checks: Cell::new(0), failures: Cell::new(0) }
    }

    /// Begins a section.
    pub fn section(&self, title: &str) {
        println!("\n{title}\n");
    }

    /// A remark.
    pub fn note(&self, text: &str) {
        println!("          {text}");
    }

    /// Shows what somebody would type at a machine.
    pub fn typed(&self, machine: &str, line: &str) {
        println!("   {machine:>4} $ {line}");
    }

    /// Shows what a command printed, as it came.
    pub fn printed(&self, text: &str) {
        for line in text.trim_end().lines() {
            println!("          {line}");
        }
    }

    /// A result, and whether it is as it should be.
    pub fn check(&self, what: &str, as_expected: bool) {
        self.checks.set(self.checks.get() + 1);
        if !as_expected {
            self.failures.set(self.failures.get() + 1);
        }
        println!("  {}  {what}", if as_expected { "ok    " } else { "FAILED" });
    }

    /// Runs a command after showing what a user would type for it.
    pub fn run(&self, machine: &str, line: &str, cmd: &Cmd) -> Result<String> {
        self.go_on()?;
        self.typed(machine, line);
        cmd.run()
    }

    /// An error once somebody has asked for the end.
    pub fn go_on(&self) -> Result<()> {
        if self.interrupt.came() {
            bail!("interrupted");
        }
        Ok(())
    }

    /// How many checks failed.
    pub fn failures(&self) -> usize {
        self.failures.get()
    }

    /// The number of checks and how they went.
    pub fn summary(&self) -> String {
        match (self.checks.get(), self.failures.get()) {
            (all, 0) => format!("and all {all} checks are as expected"),
            (all, wrong) => format!("and {wrong} of {all} checks FAILED"),
        }
    }
}
