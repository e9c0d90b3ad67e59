//! Findings for the person who wrote the text: where, what is wrong, what would be right.
//!
//! A [`Diagnostic`] carries its [`Source`], so that it can show the line it speaks of wherever it
//! ends up. Lines and columns count from 1, columns in characters, not bytes.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// Most columns of a source line that are shown; longer lines are cut around the finding.
const SHOWN_COLUMNS_MAX: usize = 160;
/// Columns kept in front of the finding when a line is cut.
const SHOWN_COLUMNS_BEFORE: usize = 60;

/// A text with the path under which its writer knows it.
///
/// `Debug` shows the path alone: the text is medical data and must not slip into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    text: String,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A place in a source: both count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Character within the line, from 1.
    pub column: usize,
}

impl Source {
    /// A text that is known to be one; a byte order mark at its start is dropped.
    ///
    /// `path` is shown as given.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Arc::new(Self {
            path: path.into(),
            text,
        })
    }

    /// The bytes of a file as a text: UTF-8, with or without a byte order mark.
    ///
    /// # Errors
    /// A diagnostic at the first byte that is not UTF-8; its source shows such bytes as `�`.
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Arc<Self>, Diagnostic> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(path, text)),
            Err(error) => {
                let mut bad = error.utf8_error().valid_up_to();
                let byte = error.as_bytes()[bad];
                let text = String::from_utf8_lossy(error.as_bytes());
                if text.starts_with('\u{feff}') {
                    bad -= '\u{feff}'.len_utf8();
                }
                let source = Self::new(path, text);
                Err(Diagnostic::error(
                    &source,
                    bad..bad + char::REPLACEMENT_CHARACTER.len_utf8(),
                    format!("the file is not UTF-8: byte 0x{byte:02X} cannot stand here"),
                )
                .with_help("save the file with the encoding UTF-8"))
            }
        }
    }

    /// The path as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text, without a byte order mark; spans are byte offsets into it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part of the text that a span covers; empty where the span does not lie in the text.
    #[must_use]
    pub fn slice(&self, span: Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }

    /// Line and column of a byte offset. An offset past the end is the end; one within a
    /// character is that character.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.floor(offset);
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The line that holds `offset`, without its line break.
    #[must_use]
    pub fn line_at(&self, offset: usize) -> &str {
        &self.text[self.line_around(offset)]
    }

    /// The byte range of the line that holds `offset`, without its line break.
    fn line_around(&self, offset: usize) -> Range<usize> {
        let offset = self.floor(offset);
        let start = self.text[..offset]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let end = self.text[offset..]
            .find('\n')
            .map_or(self.text.len(), |length| offset + length);
        let line = &self.text[start..end];
        start..start + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// The nearest character boundary at or before `offset`.
    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The text is refused.
    Error,
    /// The text is accepted; its writer may have meant something else.
    Warning,
}

impl Severity {
    /// The word in messages and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// Whether a rendering uses colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Terminal colours.
    Ansi,
    /// Plain text.
    None,
}

/// One finding at one place of one source.
///
/// `Display` is its first line. The message may quote the text; a log that must not carry
/// medical data shows [`Diagnostic::place`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    span: Option<Range<usize>>,
    help: Option<String>,
    source: Arc<Source>,
}

impl Diagnostic {
    /// A refusal at a place. `message` is one sentence without a full stop.
    #[must_use]
    pub fn error(source: &Arc<Source>, span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, source, Some(span), message)
    }

    /// A doubt at a place. `message` is one sentence without a full stop.
    #[must_use]
    pub fn warning(source: &Arc<Source>, span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, source, Some(span), message)
    }

    /// A finding about a file as a whole, e.g. one that could not be read: shown at 1:1, without
    /// a source line.
    #[must_use]
    pub fn about_file(
        severity: Severity,
        path: impl Into<PathBuf>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(severity, &Source::new(path, ""), None, message)
    }

    fn new(
        severity: Severity,
        source: &Arc<Source>,
        span: Option<Range<usize>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            message: message.into(),
            span,
            help: None,
            source: Arc::clone(source),
        }
    }

    /// The same with a word on what would be right.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same as a doubt.
    #[must_use]
    pub fn into_warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// True for [`Severity::Error`].
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would be right.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The text it speaks of.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The bytes it speaks of; `None` for a finding about the file as a whole.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    /// Line and column of its start; 1:1 for a finding about the file as a whole.
    #[must_use]
    pub fn position(&self) -> Position {
        self.source
            .position(self.span.as_ref().map_or(0, |span| span.start))
    }

    /// `PATH:LINE:COL`: all that a log may say of a finding in a plan.
    #[must_use]
    pub fn place(&self) -> String {
        let Position { line, column } = self.position();
        format!("{}:{line}:{column}", self.source.path.display())
    }

    /// The order in which findings are listed: by path, place, errors first.
    #[must_use]
    pub fn sort_key(&self) -> impl Ord + use<> {
        (
            self.source.path.clone(),
            self.span.as_ref().map(|span| span.start),
            self.severity,
        )
    }

    /// The form of `check --json`:
    /// `{"path","line","column","severity","message","help"}`; `help` is null where there is none.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let Position { line, column } = self.position();
        serde_json::json!({
            "path": self.source.path.display().to_string(),
            "line": line,
            "column": column,
            "severity": self.severity.name(),
            "message": self.message,
            "help": self.help,
        })
    }

    /// The form for people: the first line, the source line with a caret below the place, the
    /// help. Ends with a line break.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let paint = |style: &str, text: &str| match colour {
            Colour::Ansi => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
            Colour::None => text.to_owned(),
        };
        let style = match self.severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
        };
        let mut out = format!(
            "{}: {}: {}\n",
            paint("1", &self.place()),
            paint(style, self.severity.name()),
            one_line(&self.message),
        );
        out += &self.lines(&paint, style);
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{} {}", paint("1;36", "help:"), one_line(help));
        }
        out
    }

    /// The source line with a caret below the place, as [`Diagnostic::render`] has them; empty for
    /// a finding about the file as a whole. Ends with a line break.
    #[must_use]
    pub fn excerpt(&self) -> String {
        self.lines(&|_, text| text.to_owned(), "")
    }

    fn lines(&self, paint: &dyn Fn(&str, &str) -> String, style: &str) -> String {
        let mut out = String::new();
        if let Some(span) = self.span.as_ref().filter(|_| !self.source.text.is_empty()) {
            let line = self.source.position(span.start).line.to_string();
            let excerpt = Excerpt::cut(&self.source, span);
            let gutter = " ".repeat(line.len());
            let bar = paint("2", "|");
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{gutter} {bar}");
            let _ = writeln!(out, "{} {bar} {}", paint("2", &line), excerpt.text);
            let _ = writeln!(
                out,
                "{gutter} {bar} {}{}",
                " ".repeat(excerpt.indent),
                paint(style, &"^".repeat(excerpt.carets))
            );
        }
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: {}",
            self.place(),
            self.severity.name(),
            one_line(&self.message)
        )
    }
}

/// A source line as a terminal shows it, with the carets' place in columns.
struct Excerpt {
    text: String,
    indent: usize,
    carets: usize,
}

impl Excerpt {
    fn cut(source: &Source, span: &Range<usize>) -> Self {
        let line = source.line_around(span.start);
        let start = source.floor(span.start).min(line.end);
        let end = source.floor(span.end).clamp(start, line.end);
        let before = visible(&source.text[line.start..start]);
        let marked = visible(&source.text[start..end]);
        let after = visible(&source.text[end..line.end]);

        let whole = before.width() + marked.width() + after.width();
        if whole <= SHOWN_COLUMNS_MAX {
            return Self {
                indent: before.width(),
                carets: marked.width().max(1),
                text: format!("{before}{marked}{after}").trim_end().to_owned(),
            };
        }
        let before = match last_columns(&before, SHOWN_COLUMNS_BEFORE) {
            kept if kept.len() == before.len() => before.into_owned(),
            kept => format!("…{kept}"),
        };
        let room = SHOWN_COLUMNS_MAX - before.width();
        let rest = format!("{marked}{after}");
        let rest = match first_columns(&rest, room) {
            kept if kept.len() == rest.len() => rest,
            kept => format!("{kept}…"),
        };
        Self {
            indent: before.width(),
            carets: marked.width().clamp(1, room),
            text: format!("{before}{rest}"),
        }
    }
}

/// The text with tabs as four spaces and every other control character as `�`, so that no text
/// can move the cursor of the terminal it is shown on.
fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\t' => out.push_str("    "),
            control if control.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// A message on one line, without control characters.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    )
}

/// The longest start of `text` of at most `columns` columns.
fn first_columns(text: &str, columns: usize) -> &str {
    let mut end = 0;
    for (offset, character) in text.char_indices() {
        let next = offset + character.len_utf8();
        if text[..next].width() > columns {
            break;
        }
        end = next;
        // A line of a megabyte is measured only as far as it can be shown.
        if end > columns * 16 {
            break;
        }
    }
    &text[..end]
}

/// The longest end of `text` of at most `columns` columns.
fn last_columns(text: &str, columns: usize) -> &str {
    let mut start = text.len();
    for (offset, _) in text.char_indices().rev() {
        if text[offset..].width() > columns || text.len() - offset > columns * 16 {
            break;
        }
        start = offset;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &Arc<Source>, needle: &str) -> Range<usize> {
        let start = source.text().find(needle).unwrap();
        start..start + needle.len()
    }

    #[test]
    fn positions_count_characters_from_one() {
        let source = Source::new("a.toml", "name = \"王秀兰\"\r\nat = 1\nlast");
        for (needle, line, column) in [
            ("name", 1, 1),
            ("王", 1, 9),
            ("兰", 1, 11),
            ("at", 2, 1),
            ("1", 2, 6),
            ("last", 3, 1),
        ] {
            let offset = source.text().find(needle).unwrap();
            assert_eq!(
                source.position(offset),
                Position { line, column },
                "{needle}"
            );
        }
        assert_eq!(source.position(usize::MAX), Position { line: 3, column: 5 });
        assert_eq!(
            source.position(9),
            Position { line: 1, column: 9 },
            "inside of 王"
        );
    }

    #[test]
    fn byte_order_mark_is_dropped_and_does_not_move_columns() {
        let source = Source::from_bytes("a.toml", b"\xef\xbb\xbfname = 1".to_vec()).unwrap();
        assert_eq!(source.text(), "name = 1");
    }

    #[test]
    fn first_byte_that_is_not_utf8_is_named_with_its_place() {
        for (bytes, place, byte) in [
            (b"name = \"\xcd\xf5\"".to_vec(), "a.toml:1:9", "0xCD"),
            (b"\xff\xfen\0a\0".to_vec(), "a.toml:1:1", "0xFF"),
            (b"\xef\xbb\xbfa\nbc\x80".to_vec(), "a.toml:2:3", "0x80"),
        ] {
            let diagnostic = Source::from_bytes("a.toml", bytes).unwrap_err();
            assert_eq!(diagnostic.place(), place);
            assert!(diagnostic.message().contains(byte), "{diagnostic}");
            assert!(diagnostic.help().unwrap().contains("UTF-8"));
        }
    }

    #[test]
    fn caret_stands_below_the_place_under_full_width_text() {
        let source = Source::new("plans.d/a.toml", "x = 1\nname = \"王秀兰\" oops # 好\n");
        let diagnostic = Diagnostic::error(&source, at(&source, "oops"), "unexpected text")
            .with_help("remove it");
        assert_eq!(
            diagnostic.render(Colour::None),
            concat!(
                "plans.d/a.toml:2:14: error: unexpected text\n",
                "  |\n",
                "2 | name = \"王秀兰\" oops # 好\n",
                "  |                 ^^^^\n",
                "help: remove it\n",
            )
        );
        let diagnostic = Diagnostic::warning(&source, at(&source, "王秀兰"), "a name");
        assert!(
            diagnostic
                .render(Colour::None)
                .contains("\n  |         ^^^^^^\n")
        );
    }

    #[test]
    fn rendering_is_total_for_any_span() {
        let source = Source::new("a", "\t王\u{7}\r\n\nb");
        for start in 0..12 {
            for end in start..12 {
                let text = Diagnostic::error(&source, start..end, "m").render(Colour::None);
                assert!(text.starts_with("a:"), "{text}");
                assert!(!text.contains(['\u{7}', '\t', '\r']), "{text}");
                assert!(text.contains('^'), "{text}");
            }
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_finding() {
        let source = Source::new(
            "a",
            format!("{}HERE{}", "王".repeat(4000), "x".repeat(4000)),
        );
        let text = Diagnostic::error(&source, at(&source, "HERE"), "m").render(Colour::None);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].width() <= SHOWN_COLUMNS_MAX + 8, "{}", lines[2]);
        let caret = lines[3].find('^').unwrap();
        let shown = lines[2].find("HERE").unwrap();
        assert_eq!(lines[2][..shown].width(), lines[3][..caret].width());
        assert_eq!(text.matches('^').count(), 4);
    }

    #[test]
    fn finding_about_a_file_has_a_place_and_no_line() {
        let diagnostic = Diagnostic::about_file(Severity::Error, "b.toml", "cannot be read");
        assert_eq!(
            diagnostic.render(Colour::None),
            "b.toml:1:1: error: cannot be read\n"
        );
        assert_eq!(
            diagnostic.to_json(),
            serde_json::json!({"path": "b.toml", "line": 1, "column": 1, "severity": "error",
                "message": "cannot be read", "help": null})
        );
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let source = Source::new("a", "x = 1");
        let diagnostic = Diagnostic::error(&source, 0..1, "m").with_help("h");
        let coloured = diagnostic.render(Colour::Ansi);
        let mut plain = coloured.clone();
        for code in ["0", "1", "2", "1;31", "1;36"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_ne!(coloured, plain);
        assert_eq!(plain, diagnostic.render(Colour::None));
    }

    #[test]
    fn debug_of_a_source_does_not_show_its_text() {
        let source = Source::new("a.toml", "name = \"王秀兰\"");
        let diagnostic = Diagnostic::error(&source, 0..4, "m");
        assert!(!format!("{source:?} {diagnostic:?}").contains("王秀兰"));
    }
}
