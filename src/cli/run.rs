//! `dosed run`.

use super::exit::Exit;

/// Run the daemon.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
#[must_use]
pub fn run(_args: Args) -> Exit {
    super::terminal::write_stderr("dosed: `run` is not built in\n");
    Exit::Internal
}
