//! `dosed reload`.

use super::exit::Exit;

/// Make the running daemon read its configuration and plans again.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
#[must_use]
pub fn run(_args: Args) -> Exit {
    super::terminal::write_stderr("dosed: `reload` is not built in\n");
    Exit::Internal
}
