//! Proves that every file says what it is for and that files and functions stay small enough to read.

use std::fs;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use weft_tidy::{files, shown};

/// The cap on a file, in lines; the aim is half of it.
const FILE_LINES: usize = 800;
/// The cap on a function, in lines, signature and braces included.
const FUNCTION_LINES: usize = 70;
/// A file with one of these names has no noun and so no room.
const NAMELESS: &[&str] = &[
    "utils.rs",
    "util.rs",
    "common.rs",
    "manager.rs",
    "helpers.rs",
    "types.rs",
    "ext.rs",
    "misc.rs",
    "weft.rs",
];

#[test]
fn every_file_says_first_what_it_is_for() {
    let mut wrong = Vec::new();
    for file in files(".rs").unwrap() {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ")
            || first.len() < 15
            || text.contains("(room under construction)") && !shown(&file).contains("tidy")
        {
            wrong.push(shown(&file));
        }
    }
    assert!(wrong.is_empty(), "no `//! <what this room is for>` on the first line of:\n{}", wrong.join("\n"));
}

#[test]
fn files_and_functions_stay_under_their_caps() {
    let mut wrong = Vec::new();
    for file in files(".rs").unwrap() {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        if lines > FILE_LINES {
            wrong.push(format!("{}: {lines} lines, the cap is {FILE_LINES}", shown(&file)));
        }
        let tree = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", shown(&file)));
        let mut functions = Functions { file: shown(&file), wrong: &mut wrong };
        functions.visit_file(&tree);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_nameless() {
    let nameless = |path: &std::path::PathBuf| NAMELESS.iter().any(|name| path.ends_with(name));
    let wrong: Vec<String> = files(".rs").unwrap().iter().filter(|p| nameless(p)).map(|p| shown(p)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_names_a_builder_machine() {
    let mut wrong = Vec::new();
    let banned = [concat!("/work", "/main"), concat!("/work", "/shared"), concat!("/root", "/.cargo")];
    for ending in [".rs", ".md", ".toml", ".yaml", ".py", ".sh", "run", "demo", "install"] {
        for file in files(ending).unwrap() {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            wrong.extend(
                banned
                    .iter()
                    .filter(|word| text.contains(**word))
                    .map(|word| format!("{}: {word}", shown(&file))),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Functions<'a> {
    file: String,
    wrong: &'a mut Vec<String>,
}

impl Functions<'_> {
    fn judge(&mut self, name: &syn::Ident, start: proc_macro2::Span, end: proc_macro2::Span) {
        let lines = end.end().line + 1 - start.start().line;
        if lines > FUNCTION_LINES {
            self.wrong
                .push(format!("{}: fn {name} has {lines} lines, the cap is {FUNCTION_LINES}", self.file));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.judge(&item.sig.ident, item.sig.span(), item.block.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.judge(&item.sig.ident, item.sig.span(), item.block.span());
        visit::visit_impl_item_fn(self, item);
    }
}
