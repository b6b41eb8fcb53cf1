//! `countersign hook post-receive`: tells the server what was pushed. It is only a hint, so that a server
//! that is down fails no push: it looks at every reference by itself.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use countersign_core::digest::to_hex;
use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::statement::{STATEMENTS, Says, SignedStatement};
use countersign_forge::plain::{
    PUSH_VERSION, PlainPush, Proposal, PushedStatement, SIGNATURE_HEADER, Update, sign,
};
use countersign_git::repository::Repository;
use rand_core::{OsRng, RngCore as _};
use serde_json::json;

use super::updates::{self, Line};
use crate::commands::server;
use crate::output::Printed;

/// A push does not wait longer than this.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Arguments of `hook post-receive`.
#[derive(Debug, Args)]
#[command(
    after_help = "Called by the script that `countersign hook install` writes; Git gives the references on standard input.\n\
    It always exits with 0: what the server is not told, it finds when it next looks."
)]
pub struct PostReceiveArguments {
    /// The repository in countersign.yaml, as local/shop.
    #[arg(long, value_name = "HOST/PATH")]
    pub repository: RepositoryId,
    /// Where `countersign serve` listens.
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// The file that holds the host's webhook secret.
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,
}

/// Tells the server of every reference that moved.
///
/// # Errors
/// Never: the push is done, whatever becomes of the hint.
pub fn run(arguments: &PostReceiveArguments) -> anyhow::Result<Printed> {
    let (text, told) = match tell(arguments) {
        Ok(answer) => (format!("countersign: {answer}"), true),
        Err(error) => {
            (format!("countersign: {error:#}\ncountersign: the push is kept, and will be found later"), false)
        }
    };
    Printed::done(text, &json!({ "told": told }))
}

fn tell(arguments: &PostReceiveArguments) -> anyhow::Result<String> {
    let lines = updates::read(io::stdin().lock())?;
    let push = push(&updates::repository()?, &arguments.repository, &lines)?;
    let secret = server::read_secret(&arguments.secret_file)?;
    let body = serde_json::to_vec(&push)?;
    let signature = sign(&secret, &body)
        .ok_or_else(|| anyhow!("{}: the webhook secret is empty", arguments.secret_file.display()))?;
    let path = format!("webhooks/{}", arguments.repository.host);
    let headers = [(SIGNATURE_HEADER, signature.as_str()), ("Content-Type", "application/json")];
    server::post(&server::base(&arguments.server)?, &path, &headers, body, TIMEOUT)
}

/// What the server is told.
fn push(folder: &Path, id: &RepositoryId, lines: &[Line]) -> anyhow::Result<PlainPush> {
    let found = Repository::open(folder).map_err(|error| anyhow!("{error}"))?;
    let stated = |line: &&Line| line.reference.starts_with(STATEMENTS);
    let all = match lines.iter().find(stated) {
        Some(_) => said(&found, id)?,
        None => Vec::new(),
    };
    let updates = lines.iter().filter_map(|line| update(&found, &all, line)).collect();
    let mut delivery = [0; 16];
    OsRng.fill_bytes(&mut delivery);
    let pusher = ["REMOTE_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    Ok(PlainPush {
        v: PUSH_VERSION,
        delivery: to_hex(&delivery),
        repository: id.path.clone(),
        pusher,
        updates,
    })
}

/// Every statement of the repository, with what it says.
fn said(found: &Repository, id: &RepositoryId) -> anyhow::Result<Vec<(Says, SignedStatement)>> {
    let statements = found.statements(id).map_err(|error| anyhow!("{error}"))?.found;
    let read = |statement: SignedStatement| Ok((statement.claims()?.says, statement));
    statements
        .into_iter()
        .map(read)
        .collect::<Result<_, countersign_core::statement::NotAStatement>>()
        .context("statements")
}

/// One reference that moved; none for a name that nobody could follow.
fn update(found: &Repository, all: &[(Says, SignedStatement)], line: &Line) -> Option<Update> {
    let reference: Reference = line.reference.parse().ok()?;
    let statement = match line.reference.strip_prefix(STATEMENTS) {
        Some(hex) => {
            let (says, statement) = all.iter().find(|(_, statement)| statement.id().hex() == hex)?;
            Some(pushed(found, all, says, statement))
        }
        None => None,
    };
    let forced = match (&line.old, &line.new) {
        (Some(old), Some(new)) if reference.branch().is_some() => !found.descends(new, old).unwrap_or(false),
        _ => false,
    };
    Some(Update { reference, before: line.old.clone(), after: line.new.clone(), forced, statement })
}

/// A statement, with the proposals and branches that it speaks of.
fn pushed(
    found: &Repository,
    all: &[(Says, SignedStatement)],
    says: &Says,
    statement: &SignedStatement,
) -> PushedStatement {
    let by_id = |id: &countersign_core::digest::Digest| all.iter().find(|(_, other)| other.id() == *id);
    let approved = match says {
        Says::Approve { head } => Some(head),
        Says::Dismiss { approval } => match by_id(approval) {
            Some((Says::Approve { head }, _)) => Some(head),
            _ => None,
        },
        Says::Propose { .. } | Says::Close { .. } | Says::Command { .. } => None,
    };
    let proposals: Vec<_> = match (approved, says) {
        (Some(approved), _) => {
            all.iter().filter_map(proposal).filter(|proposal| proposal.head == *approved).collect()
        }
        (None, Says::Close { proposal: closed }) => by_id(closed).and_then(proposal).into_iter().collect(),
        (None, _) => Vec::new(),
    };
    let branches = match approved {
        Some(approved) if proposals.is_empty() => branches_at(found, approved),
        _ => Vec::new(),
    };
    PushedStatement { statement: statement.clone(), proposals, branches }
}

fn proposal((says, statement): &(Says, SignedStatement)) -> Option<Proposal> {
    let Says::Propose { base, head, .. } = says else { return None };
    Some(Proposal { id: statement.id(), base: base.clone(), head: head.clone() })
}

fn branches_at(found: &Repository, commit: &CommitId) -> Vec<Reference> {
    let references = found.references().unwrap_or_default();
    let here = |(reference, tip): (Reference, CommitId)| {
        (tip == *commit && reference.branch().is_some()).then_some(reference)
    };
    references.into_iter().filter_map(here).collect()
}

#[cfg(test)]
mod tests;
