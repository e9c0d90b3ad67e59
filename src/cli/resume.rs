//! `dosed resume`.

use super::exit::Exit;
use std::path::PathBuf;

/// Make the running daemon go on sending after so many messages that it stopped by itself.
///
/// The daemon holds all messages but critical ones when more have left within an hour than
/// `messaging.hourly_max` allows. Look into the log and the history first: a flood has a cause.
/// The count begins anew. Exit code 0: sending goes on; 1: it was not held; 69: no daemon answers.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::clock::release(
        &args.config,
        "/resume",
        "sending goes on; the count of the hour begins anew\n",
        "sending was not held for its count; nothing has changed\n",
    )
}
