//! Cutting a text into its arguments: `name`, `name=value`, `name:value`, `name(value)rest`.

use super::error::{ParseError, ParseErrorKind};

/// One argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arg<'a> {
    /// The whole argument.
    pub text: &'a str,
    /// What stands before the first of `=`, `:` and `(`.
    pub name: &'a str,
    /// What stands after it; for `(` what is inside. Empty when there is none.
    pub value: &'a str,
    /// What follows the closing parenthesis.
    pub rest: &'a str,
}

impl Arg<'_> {
    /// True when the argument is a word and nothing else.
    pub fn is_word(&self) -> bool {
        self.name.len() == self.text.len()
    }
}

/// Cuts a text at commas and blanks that are not within parentheses.
pub(super) fn args(text: &str) -> Result<Vec<Arg<'_>>, ParseError> {
    let (mut out, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).ok_or_else(|| ParseErrorKind::Unbalanced.of(text))?,
            ',' | ' ' | '\t' | '\r' | '\n' if depth == 0 => {
                out.extend(arg(&text[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    if depth != 0 {
        return Err(ParseErrorKind::Unbalanced.of(text));
    }
    out.extend(arg(&text[start..]));
    Ok(out)
}

fn arg(text: &str) -> Option<Arg<'_>> {
    if text.is_empty() {
        return None;
    }
    let Some(at) = text.find(['=', ':', '(']) else {
        return Some(Arg { text, name: text, value: "", rest: "" });
    };
    let (name, tail) = text.split_at(at);
    if !tail.starts_with('(') {
        return Some(Arg { text, name, value: &tail[1..], rest: "" });
    }
    // The parentheses are balanced, so the partner of the first is where the depth comes back to zero.
    let mut depth = 0;
    for (end, c) in tail.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 {
            return Some(Arg { text, name, value: &tail[1..end], rest: &tail[end + 1..] });
        }
    }
    Some(Arg { text, name, value: &tail[1..], rest: "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_cut_outside_parentheses() {
        let cut = args("a, b=c(d,e) f(g,h(i))->j,k:l=m").unwrap();
        let parts: Vec<_> = cut.iter().map(|arg| (arg.name, arg.value, arg.rest)).collect();
        let expected = [("a", "", ""), ("b", "c(d,e)", ""), ("f", "g,h(i)", "->j"), ("k", "l=m", "")];
        assert_eq!(parts, expected);
        assert!(cut[0].is_word() && !cut[1].is_word());
        assert_eq!(args("a(b").unwrap_err().kind, ParseErrorKind::Unbalanced);
        assert_eq!(args("a)b").unwrap_err().kind, ParseErrorKind::Unbalanced);
    }
}
