//! `dosed preview`.

use super::exit::Exit;

/// Show what is due when, without sending anything.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
#[must_use]
pub fn run(_args: Args) -> Exit {
    super::terminal::write_stderr("dosed: `preview` is not built in\n");
    Exit::Internal
}
