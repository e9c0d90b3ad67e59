//! The `dosed` binary: parses arguments, calls [`dosed::cli`], maps the result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    dosed::cli::main()
}
