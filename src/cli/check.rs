//! `dosed check`.

use super::exit::Exit;

/// Check the configuration and the plans.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
#[must_use]
pub fn run(_args: Args) -> Exit {
    super::terminal::write_stderr("dosed: `check` is not built in\n");
    Exit::Internal
}
