//! What every command that signs a statement shares: its arguments, and the way from words to a statement
//! that the others can read.

pub mod clone;
mod key;
pub mod push;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use countersign_core::digest::{Digest, to_hex};
use countersign_core::names::{Reference, RepositoryId};
use countersign_core::statement::{STATEMENTS, Says, SignedStatement, Statement};
use countersign_git::hook;
use rand_core::{OsRng, RngCore as _};
use serde_json::{Value, json};

use super::server;
use crate::installation::now;
use clone::WorkingClone;

/// The version of statements that is written.
const VERSION: u32 = 1;

/// How long a server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How a statement is signed, and where it goes.
#[derive(Debug, Args)]
pub struct StatementArguments {
    /// The repository in countersign.yaml, as local/shop [default: git config countersign.repository, else the
    /// host `local` and the last part of the remote's URL].
    #[arg(long, value_name = "HOST/PATH")]
    pub repository: Option<RepositoryId>,
    /// Your private key, as ~/.ssh/id_ed25519; with its .pub file, the agent signs [default: git config
    /// countersign.key, else user.signingKey].
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The remote to push to.
    #[arg(long, value_name = "NAME", default_value = "origin")]
    pub remote: String,
    /// Post the statement to this server instead of pushing it; works while Git is down.
    #[arg(long, value_name = "URL", conflicts_with = "write")]
    pub server: Option<String>,
    /// Write the statement to a file instead of sending it.
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
}

/// Where a statement went.
#[derive(Debug)]
pub enum Sent {
    /// These references were pushed to a remote.
    Pushed {
        /// The remote.
        remote: String,
        /// The refspecs.
        references: Vec<String>,
    },
    /// A server took it.
    Posted {
        /// The server.
        server: String,
        /// What it said.
        answer: String,
    },
    /// It waits in a file.
    Written {
        /// The file.
        file: PathBuf,
    },
}

/// A statement that was signed and sent.
#[derive(Debug)]
pub struct Said {
    /// The statement.
    pub statement: SignedStatement,
    /// The repository that it speaks of.
    pub repository: RepositoryId,
    /// What it says.
    pub says: Says,
    /// Who signed, as the fingerprint of their key.
    pub signer: String,
    /// Where it went.
    pub sent: Sent,
    /// What the signer should know.
    pub notes: Vec<String>,
}

/// A statement's payload: one line of JSON.
///
/// # Errors
/// Never for a value of this type; the serializer's signature has it.
pub fn payload(repository: &RepositoryId, says: &Says) -> Result<String, serde_json::Error> {
    let mut nonce = [0; 16];
    OsRng.fill_bytes(&mut nonce);
    let statement = Statement {
        v: VERSION,
        repository: repository.clone(),
        time: now(),
        nonce: to_hex(&nonce),
        says: says.clone(),
    };
    serde_json::to_string(&statement)
}

/// Signs what is said, and sends it where the arguments say. `branches` are pushed with it: what is spoken of
/// must be where the others can read it.
///
/// # Errors
/// When no key signs, the repository's name is not known, or it cannot be sent.
pub fn say(
    arguments: &StatementArguments,
    clone: Option<&WorkingClone>,
    says: Says,
    branches: &[String],
) -> anyhow::Result<Said> {
    let (repository, note) = repository(arguments, clone)?;
    let key = key::find(arguments.key.as_deref(), clone)?;
    let payload = payload(&repository, &says)?;
    let (signature, signer) = key::sign(&key, &payload)?;
    let statement = SignedStatement { payload, signature };
    let sent = send(arguments, clone, &statement, branches)?;
    Ok(Said { statement, repository, says, signer, sent, notes: note.into_iter().collect() })
}

/// The repository's name, and a note where it was guessed.
fn repository(
    arguments: &StatementArguments,
    clone: Option<&WorkingClone>,
) -> anyhow::Result<(RepositoryId, Option<String>)> {
    match (&arguments.repository, clone) {
        (Some(named), _) => Ok((named.clone(), None)),
        (None, Some(clone)) => clone.repository(&arguments.remote),
        (None, None) => Err(anyhow!("this is no Git clone: name the repository with --repository HOST/PATH")),
    }
}

fn send(
    arguments: &StatementArguments,
    clone: Option<&WorkingClone>,
    statement: &SignedStatement,
    branches: &[String],
) -> anyhow::Result<Sent> {
    if let Some(file) = &arguments.write {
        write_new(file, statement)?;
        return Ok(Sent::Written { file: file.clone() });
    }
    if let Some(url) = &arguments.server {
        if let Some(clone) = clone.filter(|_| !branches.is_empty()) {
            push::push(clone, &arguments.remote, branches)?;
        }
        return post(url, statement);
    }
    let outside = || anyhow!("this is no Git clone: run it in one, or post to a server with --server URL");
    let clone = clone.ok_or_else(outside)?;
    let reference = keep(clone, statement)?;
    let references: Vec<_> = branches.iter().cloned().chain([reference.to_string()]).collect();
    push::push(clone, &arguments.remote, &references).with_context(|| {
        format!(
            "the statement is kept in this clone; push it later with git push {} {reference}",
            arguments.remote
        )
    })?;
    Ok(Sent::Pushed { remote: arguments.remote.clone(), references })
}

fn keep(clone: &WorkingClone, statement: &SignedStatement) -> anyhow::Result<Reference> {
    hook::write_statement(clone.git_folder(), statement).map_err(|error| anyhow!("{error}"))
}

/// Posts a statement to a server.
///
/// # Errors
/// When the server does not answer, or refuses.
pub fn post(url: &str, statement: &SignedStatement) -> anyhow::Result<Sent> {
    let server = server::base(url)?;
    let headers = [("Content-Type", "text/plain; charset=utf-8")];
    let answer = server::post(&server, "commands", &headers, statement.to_bytes(), TIMEOUT)?;
    Ok(Sent::Posted { server, answer })
}

/// Writes a statement to a new file.
///
/// # Errors
/// When the file is there already, or cannot be written.
pub fn write_new(file: &std::path::Path, statement: &SignedStatement) -> anyhow::Result<()> {
    use std::io::Write as _;
    let failed = || format!("{}: the statement cannot be written there", file.display());
    let mut open =
        std::fs::OpenOptions::new().write(true).create_new(true).open(file).with_context(failed)?;
    open.write_all(&statement.to_bytes()).with_context(failed)
}

impl Said {
    /// What is printed: `headline`, where the statement went, notes, and what comes next.
    #[must_use]
    pub fn text(&self, headline: &str, next: &str) -> String {
        let mut text = format!(
            "{headline}\n  statement  {}\n  signed by  {}\n{}",
            self.statement.id(),
            self.signer,
            self.sent.text()
        );
        for note in &self.notes {
            text += &format!("\n  note       {note}");
        }
        if next.is_empty() { text } else { format!("{text}\n{next}") }
    }

    /// The document, of one shape for every command that signs.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "statement": self.statement.id(), "repository": self.repository, "says": self.says,
            "signer": self.signer, "sent": self.sent.document(), "notes": self.notes,
        })
    }
}

impl Sent {
    /// Where it went, for people.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Pushed { remote, references } => {
                let short: Vec<_> = references.iter().map(|reference| shortened(reference)).collect();
                format!("  pushed to  {remote}: {}", short.join(", "))
            }
            Self::Posted { server, answer } => format!("  posted to  {server}: {answer}"),
            Self::Written { file } => format!("  written to {}", file.display()),
        }
    }

    /// Where it went, for programs.
    #[must_use]
    pub fn document(&self) -> Value {
        match self {
            Self::Pushed { remote, references } => {
                json!({ "by": "push", "remote": remote, "references": references })
            }
            Self::Posted { server, answer } => json!({ "by": "post", "server": server, "answer": answer }),
            Self::Written { file } => json!({ "by": "file", "file": file }),
        }
    }
}

/// A refspec as people name it.
fn shortened(reference: &str) -> &str {
    let to = reference.rsplit(':').next().unwrap_or(reference);
    to.strip_prefix("refs/heads/").unwrap_or(to)
}

/// Reads a statement's id: its digest, with or without `sha256:`, or its reference.
///
/// # Errors
/// When it is none of these.
pub fn parse_id(text: &str) -> Result<Digest, String> {
    let hex = text.strip_prefix(STATEMENTS).or_else(|| text.strip_prefix("sha256:")).unwrap_or(text);
    format!("sha256:{hex}")
        .parse()
        .map_err(|_| "give the statement's full digest, as the command that signed it printed it".to_owned())
}

#[cfg(test)]
mod tests;
