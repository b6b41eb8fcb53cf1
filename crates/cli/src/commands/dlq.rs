//! `countersign dlq`: shows messages that could not succeed, and puts them back to work or drops them.

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use countersign_core::message::QueueName;
use countersign_local::queue::dead::Redriven;
use serde_json::{Value, json};

use super::place::{Form, Place};
use super::shown::{clean, prose};
use crate::output::{Printed, colored};

use cloud::Cloud;
use embedded::Embedded;
use letters::Letter;

mod cloud;
mod embedded;
pub mod letters;

/// The commands below `dlq`. All of them work while the installation runs.
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
    /// Of which installation.
    #[command(flatten)]
    pub place: Place,
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
    /// Of which installation.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `dlq redrive`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign dlq redrive facts 42 --data /var/lib/countersign\n  \
    countersign dlq redrive facts --all --data /var/lib/countersign\n  \
    countersign dlq redrive facts --all --aws countersign     # in the cloud, with your own credentials\n\n\
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
    /// Of which installation.
    #[command(flatten)]
    pub place: Place,
}

/// The dead letters of an installation, in either form.
trait DeadLetters {
    /// Every queue that this installation has here.
    fn queues(&self) -> anyhow::Result<Vec<QueueName>>;

    /// The dead letters of all of them.
    fn all(&self) -> anyhow::Result<Vec<Letter>>;

    /// The dead letters of a queue, oldest first within a group.
    fn list(&self, queue: &QueueName) -> anyhow::Result<Vec<Letter>>;

    /// Puts one at the end of its group, unless that would turn the order of the group around.
    fn redrive(&self, queue: &QueueName, id: &str) -> anyhow::Result<Redriven>;

    /// Puts all at the end of their groups, in order; returns their ids.
    fn redrive_all(&self, queue: &QueueName) -> anyhow::Result<Vec<String>>;

    /// Drops one; says whether it was there.
    fn dismiss(&self, queue: &QueueName, id: &str) -> anyhow::Result<bool>;
}

/// Shows, redrives or drops dead letters.
///
/// # Errors
/// When the installation cannot be read or written, or there is no such dead letter.
pub fn run(command: &DlqCommand) -> anyhow::Result<Printed> {
    let place = match command {
        DlqCommand::List(arguments) => &arguments.place,
        DlqCommand::Show(arguments) | DlqCommand::Dismiss(arguments) => &arguments.place,
        DlqCommand::Redrive(arguments) => &arguments.place,
    };
    match place.form() {
        Form::Embedded(data) => done(command, &Embedded::open(data)?),
        Form::Cloud(installation) => done(command, &Cloud::open("aws", installation)?),
    }
}

fn done(command: &DlqCommand, dead: &impl DeadLetters) -> anyhow::Result<Printed> {
    match command {
        DlqCommand::List(arguments) => list(arguments, dead),
        DlqCommand::Show(arguments) => show(arguments, dead),
        DlqCommand::Redrive(arguments) => redrive(arguments, dead),
        DlqCommand::Dismiss(arguments) => dismiss(arguments, dead),
    }
}

fn list(arguments: &ListArguments, dead: &impl DeadLetters) -> anyhow::Result<Printed> {
    let found = match &arguments.queue {
        Some(queue) => dead.list(&named(dead, queue)?)?,
        None => dead.all()?,
    };
    let document = json!({ "deadLetters": found.iter().map(letters::document).collect::<Vec<_>>() });
    let text = letters::text(&found, arguments.place.form(), colored());
    Printed::done(if text.is_empty() { "there are no dead letters".to_owned() } else { text }, &document)
}

fn show(arguments: &LetterArguments, dead: &impl DeadLetters) -> anyhow::Result<Printed> {
    let name = named(dead, &arguments.queue)?;
    let letter = dead.list(&name)?.into_iter().find(|letter| letter.id == arguments.id);
    let letter = letter.ok_or_else(|| none(&name, &arguments.id))?;
    let mut document = letters::document(&letter);
    document["body"] = body(&letter);
    Printed::done(text(&letter), &document)
}

/// The body as JSON where it is JSON.
fn body(letter: &Letter) -> Value {
    serde_json::from_str(&letter.body).unwrap_or_else(|_| Value::String(letter.body.clone()))
}

fn text(letter: &Letter) -> String {
    let body = serde_json::to_string_pretty(&body(letter)).unwrap_or_default();
    let body: Vec<_> = body.lines().map(|line| format!("  {}", clean_end(line))).collect();
    let received = letter.receives.map(|receives| format!(", received {receives} times"));
    let mut lines = vec![format!("{} {}", letter.queue, letter.id), prose(0, "why", &clean(&letter.reason))];
    lines.extend(letter.sent.map(|sent| format!("sent      {sent}")));
    lines.push(format!("died      {}{}", letter.died, received.unwrap_or_default()));
    lines.extend([format!("group     {}", clean(&letter.group)), "body".to_owned(), body.join("\n")]);
    lines.join("\n")
}

/// A line of JSON keeps its indent.
fn clean_end(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    format!("{}{}", " ".repeat(indent), clean(line))
}

fn redrive(arguments: &RedriveArguments, dead: &impl DeadLetters) -> anyhow::Result<Printed> {
    let name = named(dead, &arguments.queue)?;
    let ids = match &arguments.id {
        None => dead.redrive_all(&name)?,
        Some(id) => match dead.redrive(&name, id)? {
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

fn dismiss(arguments: &LetterArguments, dead: &impl DeadLetters) -> anyhow::Result<Printed> {
    let name = named(dead, &arguments.queue)?;
    if !dead.dismiss(&name, &arguments.id)? {
        return Err(none(&name, &arguments.id));
    }
    let document = json!({ "queue": name.to_string(), "dismissed": [arguments.id] });
    Printed::done(format!("{name} {}: dismissed", arguments.id), &document)
}

fn none(name: &QueueName, id: &str) -> anyhow::Error {
    anyhow!("{name} has no dead letter {id:?}, or not any more: countersign dlq list shows what there is")
}

fn named(dead: &impl DeadLetters, asked: &str) -> anyhow::Result<QueueName> {
    let all = dead.queues()?;
    let names = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let found = all.iter().find(|queue| queue.to_string() == asked);
    found.cloned().ok_or_else(|| anyhow!("no queue is named {asked:?}: there are {}", names()))
}

#[cfg(test)]
mod tests;
