//! The `countersign` command: parses arguments, runs one command, exits with its code.

use std::process::ExitCode;

use clap::Parser as _;
use countersign_cli::arguments::Arguments;
use countersign_cli::{commands, output};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    output::end(arguments.output, commands::run(arguments))
}
