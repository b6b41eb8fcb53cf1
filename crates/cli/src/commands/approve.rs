//! `countersign approve`: somebody looked at exactly this commit, and says so.

use anyhow::{Context as _, anyhow};
use clap::Args;
use countersign_core::names::CommitId;
use countersign_core::statement::Says;

use super::statement::clone::WorkingClone;
use super::statement::{self, StatementArguments};
use crate::output::Printed;

/// Arguments of `approve`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  git fetch && countersign approve origin/proposals/1f2e3d4c5b6a --key ~/.ssh/id_ed25519\n  \
    countersign approve COMMIT --server http://127.0.0.1:7466 --repository local/shop\n\n\
    An approval is bound to the commit: it says nothing about a later one."
)]
pub struct ApproveArguments {
    /// The commit; outside of a clone, all of its digits.
    #[arg(value_name = "COMMIT")]
    pub commit: String,
    /// How it is signed and sent.
    #[command(flatten)]
    pub statement: StatementArguments,
}

/// Signs and sends an approval.
///
/// # Errors
/// When the commit is not there, or it cannot be signed or sent.
pub fn run(arguments: &ApproveArguments) -> anyhow::Result<Printed> {
    let clone = WorkingClone::here()?;
    let (head, about) = find(&arguments.commit, clone.as_ref(), arguments.statement.server.is_some())?;
    let says = Says::Approve { head: head.clone() };
    let said = statement::say(&arguments.statement, clone.as_ref(), says, &[])?;
    let headline = format!("approved {head} of {}{about}", said.repository);
    Printed::done(said.text(&headline, ""), &said.document())
}

/// The commit, and a few words about it. What is not here cannot have been looked at here; a server may be
/// told about it all the same, by its full id.
fn find(text: &str, clone: Option<&WorkingClone>, posted: bool) -> anyhow::Result<(CommitId, String)> {
    let found = match clone {
        Some(clone) => clone.resolve(text).and_then(|commit| {
            let (line, author) = clone.describe(&commit)?;
            Ok((commit, format!(": {line} ({author})")))
        }),
        None => Err(anyhow!("this is no Git clone")),
    };
    match (found, text.parse()) {
        (Ok(found), _) => Ok(found),
        (Err(_), Ok(commit)) if posted => Ok((commit, String::new())),
        (Err(error), _) => Err(error)
            .context("run it in a clone that holds the commit, or give all of its digits with --server"),
    }
}
