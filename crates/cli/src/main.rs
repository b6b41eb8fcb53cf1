//! The `countersign` command: parses arguments, runs one command, exits with its code.

use std::process::ExitCode;

use clap::Parser as _;
use countersign_cli::arguments::Arguments;
use countersign_cli::{commands, output};

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => output::end(arguments.output, commands::run(arguments)),
        Err(error) => output::not_understood(&error, std::env::args_os()),
    }
}
