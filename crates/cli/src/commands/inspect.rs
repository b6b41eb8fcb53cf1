//! `countersign inspect`: what was understood of something from outside.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand, ValueEnum};
use countersign_core::configuration::HostKind;
use countersign_core::event::Event;
use countersign_core::names::HostName;
use countersign_forge::headers::Headers;
use countersign_forge::webhook;
use countersign_receive::MAX_BODY;
use serde_json::{Value, json};

use crate::installation::now;
use crate::output::{Conclusion, Paint, Printed, colored, paint};

/// The subcommands of `inspect`.
#[derive(Debug, Subcommand)]
pub enum InspectCommand {
    /// Show what is understood of a webhook's payload. Nothing is verified or sent.
    Webhook(WebhookArguments),
}

/// Arguments of `inspect webhook`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  countersign inspect webhook --host github --event pull_request payload.json\n\n\
    Exit codes: 0 understood, 1 not understood or malformed, 2 error."
)]
pub struct WebhookArguments {
    /// The kind of host that sent it.
    #[arg(long, value_name = "KIND")]
    pub host: Kind,
    /// The event's name as its header gives it: X-GitHub-Event, X-Gitea-Event or X-Gitlab-Event. Plain Git has none.
    #[arg(long, value_name = "NAME", default_value = "push")]
    pub event: String,
    /// The payload; `-` for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// The kinds of host, as `countersign.yaml` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Plain Git with the hooks of this program.
    Plain,
    /// GitHub.
    Github,
    /// Gitea and Forgejo.
    Gitea,
    /// GitLab.
    Gitlab,
}

/// Runs a subcommand.
///
/// # Errors
/// When the file cannot be read.
pub fn run(command: &InspectCommand) -> anyhow::Result<Printed> {
    match command {
        InspectCommand::Webhook(arguments) => webhook(arguments),
    }
}

fn webhook(arguments: &WebhookArguments) -> anyhow::Result<Printed> {
    let body = read(arguments)?;
    let (kind, name, headers) = made_up(arguments.host, &arguments.event);
    let host: HostName = name.parse()?;
    let parsed = match webhook::parse(kind, &host, &headers, &body, now()) {
        Ok(parsed) => parsed,
        Err(error) => {
            let document = json!({ "understood": false, "reason": error.to_string(), "events": [] });
            let text = format!("{}: {error}", paint(Paint::Bad, "malformed", colored()));
            return Ok(Printed { text, document, conclusion: Conclusion::Denied });
        }
    };
    let document = json!({
        "understood": parsed.understood, "name": parsed.name, "delivery": parsed.delivery, "events": parsed.events,
    });
    let (verdict, conclusion) = match parsed.understood {
        true => (paint(Paint::Good, "understood", colored()), Conclusion::Done),
        false => (paint(Paint::Bad, "not understood", colored()), Conclusion::Denied),
    };
    let mut text = format!("{verdict}: event {}, delivery {}", parsed.name, parsed.delivery);
    for event in &parsed.events {
        text += &format!("\n{}", described(event)?);
    }
    if parsed.understood && parsed.events.is_empty() {
        text += "\nit makes nothing due";
    }
    Ok(Printed { text, document, conclusion })
}

fn read(arguments: &WebhookArguments) -> anyhow::Result<Vec<u8>> {
    let place = arguments.file.display();
    let failed = || format!("{place}: the payload cannot be read");
    let limit = MAX_BODY as u64 + 1;
    let mut body = Vec::new();
    if arguments.file.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut body).with_context(failed)?;
    } else {
        File::open(&arguments.file)
            .with_context(failed)?
            .take(limit)
            .read_to_end(&mut body)
            .with_context(failed)?;
    }
    ensure!(body.len() <= MAX_BODY, "{place}: more than {MAX_BODY} bytes, which no webhook may have");
    Ok(body)
}

/// The headers that the forge would have sent with the payload.
fn made_up(kind: Kind, event: &str) -> (HostKind, &'static str, Headers) {
    let (kind, name, header) = match kind {
        Kind::Plain => (HostKind::Plain, "plain", "X-Countersign-Event"),
        Kind::Github => (HostKind::Github, "github", "X-GitHub-Event"),
        Kind::Gitea => (HostKind::Gitea, "gitea", "X-Gitea-Event"),
        Kind::Gitlab => (HostKind::Gitlab, "gitlab", "X-Gitlab-Event"),
    };
    (kind, name, [(header, event)].into_iter().collect())
}

/// One event: its kind, its repository, and the rest of what it says.
fn described(event: &Event) -> anyhow::Result<String> {
    let mut kind = serde_json::to_value(&event.kind)?;
    let name = kind.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut text = format!("\n{} {}", paint(Paint::Bold, &name, colored()), event.repository);
    if let Some(actor) = &event.actor {
        text += &format!("\n  {:<14} {}", "actor", shown(&Value::from(actor.as_str())));
    }
    if let Some(fields) = kind.as_object_mut() {
        fields.remove("type");
        for (field, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            text += &format!("\n  {field:<14} {}", shown(value));
        }
    }
    Ok(text)
}

/// A value on one line, with nothing in it that a terminal would act on.
fn shown(value: &Value) -> String {
    match value.as_str() {
        Some(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_on_lines_of_its_own() {
        let event: Event = serde_json::from_value(json!({
            "id": "a/1/0", "received": "2026-11-20T22:00:00Z", "repository": "github/shop", "actor": "ann\u{1b}[2J",
            "kind": { "type": "deleted", "reference": "refs/heads/a", "before": null },
        }))
        .unwrap();
        let text = described(&event).unwrap();
        assert!(text.contains("deleted github/shop\n  actor          \"ann\\u001b[2J\""), "{text}");
        assert!(text.ends_with("\n  reference      refs/heads/a"), "{text}");
    }
}
