//! `countersign hook`: the receive hooks of plain Git repositories.

pub mod install;
pub mod post_receive;
pub mod pre_receive;
mod updates;

use clap::Subcommand;

use crate::output::Printed;

/// The subcommands of `hook`.
#[derive(Debug, Subcommand)]
pub enum HookCommand {
    /// Install the hooks in a bare repository. Hooks that are there already are left as they are.
    Install(install::InstallArguments),
    /// What the installed pre-receive hook calls: guards the references of Countersign.
    PreReceive(pre_receive::PreReceiveArguments),
    /// What the installed post-receive hook calls: tells the server what was pushed.
    PostReceive(post_receive::PostReceiveArguments),
}

/// Runs a subcommand.
///
/// # Errors
/// When it could not do its work.
pub fn run(command: &HookCommand) -> anyhow::Result<Printed> {
    match command {
        HookCommand::Install(arguments) => install::run(arguments),
        HookCommand::PreReceive(arguments) => pre_receive::run(arguments),
        HookCommand::PostReceive(arguments) => post_receive::run(arguments),
    }
}
