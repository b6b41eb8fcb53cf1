//! `countersign dlq`: shows messages that could not succeed, and puts them back to work or drops them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use countersign_core::message::QueueName;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::queue::dead::{DeadLetter, Redriven};
use serde_json::{Value, json};

use super::block_on;
use super::reading::Installation;
use super::shown::{clean, prose};
use crate::installation::now;
use crate::output::{Printed, colored};

pub mod letters;

/// The commands below `dlq`. All of them work while `serve` is running.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters: messages that can never succeed as they are, each with the reason.
    List(ListArguments),
    /// Show a dead letter with its body. The body may name people.
    Show(LetterArguments),
    /// Put dead letters at the end of their group again, once what was wrong is mended.
    Redrive(RedriveArguments),
    /// Drop a dead letter that was dealt with. The log keeps its record.
    Dismiss(LetterArguments),
}

/// Arguments of `dlq list`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign dlq list --data /var/lib/countersign")]
pub struct ListArguments {
    /// Only those of this queue.
    #[arg(value_name = "QUEUE")]
    pub queue: Option<String>,
    /// The data folder of the installation.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Which dead letter. `countersign dlq list` lists them.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign dlq show facts 42 --data /var/lib/countersign")]
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

/// Arguments of `dlq redrive`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign dlq redrive facts 42 --data /var/lib/countersign\n  \
    countersign dlq redrive facts --all --data /var/lib/countersign\n\n\
    What is redriven keeps the order of its group: an older dead letter of the group goes first.")]
pub struct RedriveArguments {
    /// The queue that they lie in.
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// The id of one in that queue.
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub id: Option<String>,
    /// All of the queue, oldest first.
    #[arg(long, conflicts_with = "id")]
    pub all: bool,
    /// The data folder of the installation.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Shows, redrives or drops dead letters.
///
/// # Errors
/// When the installation cannot be read or written, or there is no such dead letter.
pub fn run(command: &DlqCommand) -> anyhow::Result<Printed> {
    match command {
        DlqCommand::List(arguments) => list(arguments),
        DlqCommand::Show(arguments) => show(arguments),
        DlqCommand::Redrive(arguments) => redrive(arguments),
        DlqCommand::Dismiss(arguments) => dismiss(arguments),
    }
}

fn list(arguments: &ListArguments) -> anyhow::Result<Printed> {
    let installation = Installation::open(&arguments.data)?;
    let names = match &arguments.queue {
        Some(queue) => vec![named(&arguments.data, queue)?],
        None => names(&installation)?,
    };
    let found = letters::of(&queue(&installation.database), &names)?;
    let document = json!({ "deadLetters": found.iter().map(letters::document).collect::<Vec<_>>() });
    let text = letters::text(&found, colored());
    Printed::done(if text.is_empty() { "there are no dead letters".to_owned() } else { text }, &document)
}

fn show(arguments: &LetterArguments) -> anyhow::Result<Printed> {
    let name = named(&arguments.data, &arguments.queue)?;
    let queue = queue(&Database::open_read_only(&arguments.data)?);
    let mut found = queue.dead_letters(&name)?.into_iter();
    let found = found.find(|letter| letter.id == arguments.id).ok_or_else(|| none(&name, &arguments.id))?;
    let letter = (name.to_string(), found);
    let mut document = letters::document(&letter);
    document["body"] = body(&letter.1);
    Printed::done(text(&letter), &document)
}

/// The body as JSON where it is JSON.
fn body(letter: &DeadLetter) -> Value {
    serde_json::from_str(&letter.body).unwrap_or_else(|_| Value::String(letter.body.clone()))
}

fn text((queue, letter): &(String, DeadLetter)) -> String {
    let body = serde_json::to_string_pretty(&body(letter)).unwrap_or_default();
    let body: Vec<_> = body.lines().map(|line| format!("  {}", clean_end(line))).collect();
    let lines = [
        format!("{queue} {}", letter.id),
        prose(0, "why", &clean(&letter.reason)),
        format!("sent      {}", letter.sent),
        format!("died      {}, received {} times", letter.died, letter.receives),
        format!("group     {}", clean(&letter.group)),
        "body".to_owned(),
        body.join("\n"),
    ];
    lines.join("\n")
}

/// A line of JSON keeps its indent.
fn clean_end(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    format!("{}{}", " ".repeat(indent), clean(line))
}

fn redrive(arguments: &RedriveArguments) -> anyhow::Result<Printed> {
    let name = named(&arguments.data, &arguments.queue)?;
    let queue = queue(&Database::open_beside(&arguments.data)?);
    let ids = match &arguments.id {
        None => queue.redrive_all(&name)?,
        Some(id) => match queue.redrive(&name, id)? {
            Redriven::Sent => vec![id.clone()],
            Redriven::Unknown => return Err(none(&name, id)),
            Redriven::After(older) => bail!(
                "{name} {id}: dead letter {older} of the same group is older: redrive or dismiss that one first, or \
                 redrive all with --all"
            ),
        },
    };
    let text = match ids.len() {
        0 => format!("{name} has no dead letters"),
        _ => format!("{name} {}: redriven", ids.join(", ")),
    };
    Printed::done(text, &json!({ "queue": name.to_string(), "redriven": ids }))
}

fn dismiss(arguments: &LetterArguments) -> anyhow::Result<Printed> {
    let name = named(&arguments.data, &arguments.queue)?;
    let queue = queue(&Database::open_beside(&arguments.data)?);
    if !queue.dismiss(&name, &arguments.id)? {
        return Err(none(&name, &arguments.id));
    }
    let document = json!({ "queue": name.to_string(), "dismissed": [arguments.id] });
    Printed::done(format!("{name} {}: dismissed", arguments.id), &document)
}

fn none(name: &QueueName, id: &str) -> anyhow::Error {
    anyhow!("{name} has no dead letter {id:?}, or not any more: countersign dlq list shows what there is")
}

/// Nothing is received here, so how often a message may come does not matter.
fn queue(database: &Database) -> LocalQueue {
    LocalQueue::new(database, Arc::new(now), u32::MAX)
}

fn names(installation: &Installation) -> anyhow::Result<Vec<QueueName>> {
    let active = block_on(installation.active())?;
    Ok(QueueName::all(active.iter().flat_map(|(_, configuration)| configuration.clusters.keys())))
}

fn named(data: &Path, asked: &str) -> anyhow::Result<QueueName> {
    let all = names(&Installation::open(data)?)?;
    let names = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let found = all.iter().find(|queue| queue.to_string() == asked);
    found.cloned().ok_or_else(|| anyhow!("no queue is named {asked:?}: there are {}", names()))
}
