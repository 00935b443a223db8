//! The `bootstorm` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    bootstorm::cli::main()
}
