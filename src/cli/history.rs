//! `dosed history`.

use super::exit::Exit;

/// Show the doses of the past, one line each.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
#[must_use]
pub fn run(_args: Args) -> Exit {
    super::terminal::write_stderr("dosed: `history` is not built in\n");
    Exit::Internal
}
