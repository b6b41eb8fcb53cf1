//! `countersign dead-letters`: puts messages that could not succeed back to work, or drops them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use countersign_core::message::QueueName;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use serde_json::json;

use super::block_on;
use super::reading::Installation;
use crate::installation::now;
use crate::output::Printed;

/// The commands below `dead-letters`.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// Put a dead letter at the end of its queue, once what was wrong is mended. Stop `serve` first.
    Redrive(LetterArguments),
    /// Drop a dead letter that was dealt with. Stop `serve` first.
    Dismiss(LetterArguments),
}

/// Which dead letter. `countersign status` lists them.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  countersign dead-letters redrive decisions 42 --data /var/lib/countersign"
)]
pub struct LetterArguments {
    /// The queue that it lies in.
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// Its id in that queue.
    #[arg(value_name = "ID")]
    pub id: String,
    /// The data folder of the installation.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Redrives or drops a dead letter.
///
/// # Errors
/// When `serve` is running, or there is no such dead letter.
pub fn run(command: &DeadLettersCommand) -> anyhow::Result<Printed> {
    let (DeadLettersCommand::Redrive(arguments) | DeadLettersCommand::Dismiss(arguments)) = command;
    let name = named(arguments)?;
    let database = Database::open(&arguments.data)?;
    let queue = LocalQueue::new(&database, Arc::new(now), u32::MAX);
    let (found, done) = match command {
        DeadLettersCommand::Redrive(_) => (queue.redrive(&name, &arguments.id)?, "redriven"),
        DeadLettersCommand::Dismiss(_) => (queue.dismiss(&name, &arguments.id)?, "dismissed"),
    };
    if !found {
        bail!("{name} has no dead letter {:?}: countersign status lists them", arguments.id);
    }
    let document = json!({ "queue": name.to_string(), "id": arguments.id, "done": done });
    Printed::done(format!("{name} {}: {done}", arguments.id), &document)
}

fn named(arguments: &LetterArguments) -> anyhow::Result<QueueName> {
    let installation = Installation::open(&arguments.data)?;
    let active = block_on(installation.active())?;
    let all = QueueName::all(active.iter().flat_map(|(_, configuration)| configuration.clusters.keys()));
    let names = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let found = all.iter().find(|queue| queue.to_string() == arguments.queue);
    found.cloned().ok_or_else(|| anyhow!("no queue is named {:?}: there are {}", arguments.queue, names()))
}
