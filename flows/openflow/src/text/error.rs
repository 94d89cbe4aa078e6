//! What can be wrong with a flow's text.

/// Why a text could not be read, and which part of it was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: \"{text}\"")]
pub struct ParseError {
    /// What was wrong.
    pub kind: ParseErrorKind,
    /// The part of the text that was wrong, cut to a readable length.
    pub text: Box<str>,
}

/// The kinds of fault in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// No match field, keyword or flag has this name.
    #[error("unknown field or keyword")]
    UnknownField,
    /// No action has this name.
    #[error("unknown action")]
    UnknownAction,
    /// A value is missing or not of the form that its place asks for.
    #[error("bad value")]
    BadValue,
    /// A number does not fit.
    #[error("number out of range")]
    OutOfRange,
    /// A parenthesis has no partner.
    #[error("unbalanced parentheses")]
    Unbalanced,
    /// Actions stand inside each other deeper than allowed.
    #[error("nested too deeply")]
    TooDeep,
}

impl ParseErrorKind {
    /// The error of this kind about this text.
    pub(super) fn of(self, text: &str) -> ParseError {
        ParseError { kind: self, text: text.chars().take(80).collect::<String>().into() }
    }
}
