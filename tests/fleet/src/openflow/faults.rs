//! How a switch misbehaves when a test wants it to.

/// How a switch misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Which flow changes are refused (TABLE_FULL), although nothing is wrong with them.
    pub refuse: Refuse,
    /// How many of the next commits fail as a whole.
    pub failing_commits: u32,
    /// Whether echo requests are answered.
    pub echo: Echo,
}

/// Which flow changes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refuse {
    /// None.
    #[default]
    Nothing,
    /// All.
    Everything,
    /// The one that comes after this many others, and then no more.
    After(u32),
}

/// Whether echo requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echo {
    /// They are.
    #[default]
    Answered,
    /// They are not.
    Ignored,
}
