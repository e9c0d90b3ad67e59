//! `dosed man` and `dosed completions`: both made from the definition of the command line.

use super::exit::Exit;
use super::terminal;
use std::io;
use std::path::PathBuf;

/// Write the manual pages.
///
/// Without `--out` the page of the whole program goes to stdout; with it, that page and one of
/// each subcommand go to files in the directory.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Directory for the pages, e.g. /usr/local/share/man/man1.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Write the completions of a shell to stdout.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: clap_complete::Shell,
}

/// Runs `dosed man`.
#[must_use]
pub fn man(args: &ManArgs) -> Exit {
    let Some(directory) = &args.out else {
        let mut page = Vec::new();
        return match clap_mangen::Man::new(super::command()).render(&mut page) {
            Ok(()) => to_stdout(&page),
            Err(error) => failed("the manual page cannot be written", &error),
        };
    };
    match clap_mangen::generate_to(super::command(), directory) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            terminal::write_stderr(&format!("dosed: {}: {error}\n", directory.display()));
            Exit::CannotCreate
        }
    }
}

/// Runs `dosed completions`.
#[must_use]
pub fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "dosed", &mut script);
    to_stdout(&script)
}

fn to_stdout(bytes: &[u8]) -> Exit {
    match terminal::write_stdout(&String::from_utf8_lossy(bytes)) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => failed("stdout", &error),
    }
}

fn failed(what: &str, error: &io::Error) -> Exit {
    terminal::write_stderr(&format!("dosed: {what}: {error}\n"));
    Exit::Io
}
