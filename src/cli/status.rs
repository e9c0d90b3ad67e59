//! `dosed status`.

use super::exit::Exit;

/// Show how the running daemon is.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
#[must_use]
pub fn run(_args: Args) -> Exit {
    super::terminal::write_stderr("dosed: `status` is not built in\n");
    Exit::Internal
}
