//! `dosed demo`.

use super::exit::Exit;

/// Show a day of reminders on a phone page in the browser.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
#[must_use]
pub fn run(_args: Args) -> Exit {
    super::terminal::write_stderr("dosed: `demo` is not built in\n");
    Exit::Internal
}
