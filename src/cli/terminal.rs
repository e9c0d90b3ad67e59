//! What the terminal is told: data on stdout, everything else on stderr.

use crate::plan::diagnostic::Colour;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

/// Whether stderr gets colours.
#[must_use]
pub fn stderr_colour() -> Colour {
    colour_of_process(io::stderr().is_terminal())
}

/// Whether stdout gets colours.
#[must_use]
pub fn stdout_colour() -> Colour {
    colour_of_process(io::stdout().is_terminal())
}

/// Writes data to stdout and flushes it. A reader that has gone away (`| head`) is an
/// [`io::ErrorKind::BrokenPipe`], not a panic.
///
/// # Errors
/// Whatever writing to stdout gives.
pub fn write_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Says something to the person at the terminal. Nothing can be done where even that fails.
pub fn write_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn colour_of_process(terminal: bool) -> Colour {
    let var = |name| std::env::var_os(name);
    colour(
        var("NO_COLOR").as_deref(),
        var("CLICOLOR_FORCE").as_deref(),
        var("TERM").as_deref(),
        terminal,
    )
}

/// NO_COLOR (<https://no-color.org>) wins over CLICOLOR_FORCE (<https://bixense.com/clicolors/>),
/// which wins over the kind of the output.
fn colour(
    no_color: Option<&OsStr>,
    clicolor_force: Option<&OsStr>,
    term: Option<&OsStr>,
    terminal: bool,
) -> Colour {
    if no_color.is_some_and(|value| !value.is_empty()) {
        return Colour::None;
    }
    if clicolor_force.is_some_and(|value| !value.is_empty() && value != "0") {
        return Colour::Ansi;
    }
    if terminal && term.is_none_or(|term| term != "dumb") {
        Colour::Ansi
    } else {
        Colour::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_conventions() {
        for (no_color, force, term, terminal, expected) in [
            (None, None, None, true, Colour::Ansi),
            (None, None, None, false, Colour::None),
            (None, None, Some("dumb"), true, Colour::None),
            (Some("1"), None, None, true, Colour::None),
            (Some(""), None, None, true, Colour::Ansi),
            (None, Some("1"), None, false, Colour::Ansi),
            (None, Some("0"), None, false, Colour::None),
            (Some("1"), Some("1"), None, true, Colour::None),
        ] {
            assert_eq!(
                colour(
                    no_color.map(OsStr::new),
                    force.map(OsStr::new),
                    term.map(OsStr::new),
                    terminal
                ),
                expected,
                "{no_color:?} {force:?} {term:?} {terminal}"
            );
        }
    }
}
