//! `countersign cluster`: what a cluster must know before anything can be applied to it.

pub mod add;

use clap::Subcommand;

use crate::output::Printed;

/// The subcommands of `cluster`.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Install on a cluster what it is to trust: the keys, the log, and its own UID.
    Add(add::AddArguments),
}

/// Runs a subcommand.
///
/// # Errors
/// When it could not do its work.
pub fn run(command: &ClusterCommand) -> anyhow::Result<Printed> {
    match command {
        ClusterCommand::Add(arguments) => add::run(arguments),
    }
}
