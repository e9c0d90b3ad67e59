//! TOML read with the place of every value.
//!
//! A thin layer over [`toml::de::DeTable`]: values come out typed and with their span; whatever
//! does not fit is noted in [`Findings`] with what was expected and how to write it, and reading
//! goes on, so that one run shows all that is wrong.
//!
//! ```
//! use dosed::plan::diagnostic::Source;
//! use dosed::plan::reader::{Document, Keys};
//!
//! const KEYS: Keys = Keys::new(&["name", "at"]);
//!
//! let source = Source::new("a.toml", "name = 7\nat = 08:00\nnmae = \"x\"");
//! let document = Document::parse(&source);
//! let root = document.root().expect("the syntax is right");
//! root.check_keys(&KEYS);
//! assert_eq!(root.text("name"), None);
//! assert_eq!(root.get("at").unwrap().text_or_time().unwrap().into_inner(), "08:00");
//! let places: Vec<String> = document.finish().iter().map(|found| found.place()).collect();
//! assert_eq!(places, ["a.toml:1:8", "a.toml:3:1"]);
//! ```

mod findings;
mod names;
mod syntax;
mod table;
mod typed;
mod value;

use super::diagnostic::{Diagnostic, Source};
use findings::FINDINGS_MAX;
pub use findings::Findings;
use jiff::civil;
pub use names::nearest;
pub use serde_spanned::Spanned;
use std::collections::HashSet;
use std::sync::Arc;
pub use table::Table;
use toml::de::DeTable;
pub use value::Value;

/// A TOML text, parsed.
#[derive(Debug)]
pub struct Document<'s> {
    /// `None` where the syntax is wrong: what a recovering parser makes of such a text is not
    /// what its writer meant.
    tree: Option<Spanned<DeTable<'s>>>,
    findings: Findings,
}

impl<'s> Document<'s> {
    /// Parses the text; syntax errors are findings, at most one a line.
    #[must_use]
    pub fn parse(source: &'s Arc<Source>) -> Self {
        let findings = Findings::new(source);
        let (tree, errors) = DeTable::parse_recoverable(source.text());
        let mut lines = HashSet::new();
        // What follows an open header seems to belong to the table above.
        let open_header = errors
            .iter()
            .position(|error| error.message().starts_with("unclosed"));
        for (index, error) in errors.iter().enumerate() {
            if error.message() == "duplicate key" && open_header.is_some_and(|open| open < index) {
                continue;
            }
            if lines.len() == FINDINGS_MAX {
                // To find the line of each of a million would take a day.
                findings.leave_out(errors.len() - FINDINGS_MAX);
                break;
            }
            if error.message().contains("recurs") {
                let found = syntax::too_deep(source, error.span());
                if lines.insert(found.position().line) {
                    findings.push(found);
                }
                continue;
            }
            let span = error.span().unwrap_or(0..0);
            // One slip often makes the parser stumble again on the same line.
            if lines.insert(source.position(span.start).line) {
                findings.push(syntax::error(source, span, error.message()));
            }
        }
        Self {
            tree: errors.is_empty().then_some(tree),
            findings,
        }
    }

    /// The top level; `None` when the syntax is wrong.
    #[must_use]
    pub fn root(&self) -> Option<Table<'_>> {
        let tree = self.tree.as_ref()?;
        Some(Table {
            findings: &self.findings,
            entries: tree.get_ref(),
            span: tree.span(),
        })
    }

    /// What was found so far, and a place for more.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// All that was found, in the order of the text.
    #[must_use]
    pub fn finish(self) -> Vec<Diagnostic> {
        self.findings.into_list()
    }
}

/// The keys a table may have.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Keys that are read.
    pub known: &'static [&'static str],
    /// Keys of the grammar that this release refuses by name.
    pub not_yet: &'static [&'static str],
}

impl Keys {
    /// Keys all of which are read.
    #[must_use]
    pub const fn new(known: &'static [&'static str]) -> Self {
        Self {
            known,
            not_yet: &[],
        }
    }

    /// The same with keys that are refused by name.
    #[must_use]
    pub const fn with_not_yet(self, not_yet: &'static [&'static str]) -> Self {
        Self { not_yet, ..self }
    }
}

/// A date, or a date with a time, in no particular zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalDate {
    /// `2026-03-02`
    Date(civil::Date),
    /// `2026-03-02T06:00:00`
    DateTime(civil::DateTime),
}

#[cfg(test)]
mod tests;
