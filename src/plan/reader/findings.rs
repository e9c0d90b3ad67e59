//! What is found while a text is read.

use super::{Diagnostic, Source};
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

/// Errors, and warnings, kept of one text; the rest is counted, not listed.
pub(super) const FINDINGS_MAX: usize = 100;

/// What was found while a text was read.
///
/// Shared by all values of a document, hence the inner mutability.
#[derive(Debug)]
pub struct Findings {
    source: Arc<Source>,
    list: RefCell<Vec<Diagnostic>>,
    left_out: Cell<usize>,
    /// Unknown keys that were refused: where their table begins, and what they must be.
    misnamed: RefCell<Vec<(usize, &'static str)>>,
}

impl Findings {
    /// None yet.
    #[must_use]
    pub fn new(source: &Arc<Source>) -> Self {
        Self {
            source: Arc::clone(source),
            list: RefCell::new(Vec::new()),
            left_out: Cell::new(0),
            misnamed: RefCell::new(Vec::new()),
        }
    }

    /// The text that is read.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Counts what is not listed.
    pub(super) fn leave_out(&self, findings: usize) {
        self.left_out.set(findings);
    }

    /// Notes a refusal.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) {
        self.push(Diagnostic::error(&self.source, span, message));
    }

    /// Notes a refusal and what would be right.
    pub fn error_with_help(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Diagnostic::error(&self.source, span, message).with_help(help));
    }

    /// Notes a doubt.
    pub fn warning(&self, span: Range<usize>, message: impl Into<String>) {
        self.push(Diagnostic::warning(&self.source, span, message));
    }

    /// Notes a finding.
    pub fn push(&self, diagnostic: Diagnostic) {
        let mut list = self.list.borrow_mut();
        let alike = |listed: &&Diagnostic| listed.severity() == diagnostic.severity();
        if list.iter().filter(alike).count() < FINDINGS_MAX {
            list.push(diagnostic);
        } else {
            self.left_out.set(self.left_out.get() + 1);
        }
    }

    /// Notes that an unknown key of a table, which was refused, is meant to be a known one.
    pub(super) fn note_misnamed(&self, table: usize, known: &'static str) {
        self.misnamed.borrow_mut().push((table, known));
    }

    /// Whether a key of a table was refused under another name.
    pub(super) fn is_misnamed(&self, table: usize, known: &str) -> bool {
        self.misnamed.borrow().contains(&(table, known))
    }

    /// Whether any key of a table was refused under another name.
    pub(super) fn has_misnamed(&self, table: usize) -> bool {
        let misnamed = self.misnamed.borrow();
        misnamed.iter().any(|(other, _)| *other == table)
    }

    /// How many refusals were found so far.
    #[must_use]
    pub fn errors(&self) -> usize {
        let listed = self.list.borrow();
        listed.iter().filter(|found| found.is_error()).count() + self.left_out.get()
    }

    /// True once something was refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.borrow().iter().any(Diagnostic::is_error)
    }

    /// All of them, in the order of the text.
    #[must_use]
    pub fn into_list(self) -> Vec<Diagnostic> {
        let mut list = self.list.into_inner();
        list.sort_by_cached_key(Diagnostic::sort_key);
        let left_out = self.left_out.get();
        if left_out > 0 {
            let end = self.source.text().len();
            let message = format!("{left_out} more findings are not shown");
            list.push(if list.iter().any(Diagnostic::is_error) {
                Diagnostic::error(&self.source, end..end, message)
            } else {
                Diagnostic::warning(&self.source, end..end, message)
            });
        }
        list
    }
}
