//! The commands, one file each, with its arguments beside it.

pub mod check;
pub mod diff;
pub mod genesis;
pub mod init;
pub mod policy;
pub mod render;
pub mod rotate;
pub mod validate;

pub mod approve;
pub mod close;
pub mod dismiss;
pub mod hold;
pub mod propose;
pub mod recover;

pub mod audit;
pub mod dlq;
pub mod doctor;
pub mod explain;
pub mod history;
pub mod status;
pub mod witness;

pub mod cluster;
pub mod completion;
pub mod hook;
pub mod inspect;

// What several commands share.
pub mod aws;
pub mod bases;
pub mod control;
pub mod deployed;
#[cfg(test)]
pub mod fixture;
pub mod folder;
pub mod judged;
pub mod place;
pub mod problems;
pub mod reading;
pub mod server;
pub mod shown;
pub mod statement;

use std::future::Future;

use anyhow::Context as _;

use crate::arguments::{Arguments, Command};
use crate::output::{Form, Printed};
use crate::serve;

/// Runs the command that the arguments name.
///
/// # Errors
/// When it could not do its work; what was checked and is not in order is no error.
pub fn run(arguments: Arguments) -> anyhow::Result<Printed> {
    match arguments.command {
        Command::Genesis(command) => genesis::run(&command),
        Command::Rotate(arguments) => rotate::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Propose(arguments) => propose::run(&arguments),
        Command::Approve(arguments) => approve::run(&arguments),
        Command::Dismiss(arguments) => dismiss::run(&arguments),
        Command::Close(arguments) => close::run(&arguments),
        Command::Hold(arguments) => hold::hold(&arguments),
        Command::Release(arguments) => hold::release(&arguments),
        Command::Recover(arguments) => recover::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Render(render) => render::run(&render, arguments.output == Form::Json),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Policy(command) => policy::run(&command),
        Command::Status(arguments) => status::run(&arguments),
        Command::History(arguments) => history::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Audit(command) => audit::run(&command),
        Command::Witness(arguments) => witness::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Dlq(command) => dlq::run(&command),
        Command::Cluster(command) => cluster::run(&command),
        Command::Hook(command) => hook::run(&command),
        Command::Inspect(command) => inspect::run(&command),
        Command::Completion(arguments) => completion::run(&arguments),
    }
}

/// Runs a future to its end on a runtime of its own.
///
/// # Errors
/// When the runtime cannot be started, or the future's own error.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(future)
}
