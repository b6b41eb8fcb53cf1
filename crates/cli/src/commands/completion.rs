//! `countersign completion`: the completion script of a shell.

use clap::{Args, CommandFactory as _};
use serde_json::json;

use crate::arguments::Arguments;
use crate::output::Printed;

/// Arguments of `completion`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign completion bash > /etc/bash_completion.d/countersign")]
pub struct CompletionArguments {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Writes the script.
///
/// # Errors
/// Never in practice: the script is UTF-8.
pub fn run(arguments: &CompletionArguments) -> anyhow::Result<Printed> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "countersign", &mut script);
    let script = String::from_utf8(script)?;
    let document = json!({ "shell": arguments.shell.to_string(), "script": script });
    Printed::done(script.trim_end(), &document)
}
