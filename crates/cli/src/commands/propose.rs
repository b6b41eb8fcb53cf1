//! `countersign propose`: plain Git's pull request.

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;
use countersign_core::names::{CommitId, Reference};
use countersign_core::statement::Says;

use super::statement::clone::{RemoteBranch, WorkingClone};
use super::statement::{self, StatementArguments, push};
use crate::output::Printed;

/// The digits of a commit's id in the name of the branch that brings it.
const SHORT: usize = 12;

/// The most characters of a title.
const MAX_TITLE: usize = 200;

/// Arguments of `propose`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign propose --key ~/.ssh/id_ed25519\n  \
    countersign propose --base release --head fix --title 'Mend the price'\n\n\
    The head is pushed too, as the branch proposals/COMMIT, unless the remote has it already.")]
pub struct ProposeArguments {
    /// The branch to change.
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    pub base: String,
    /// What to bring there.
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub head: String,
    /// One line for people [default: the first line of the commit's message].
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// How it is signed and sent.
    #[command(flatten)]
    pub statement: StatementArguments,
}

/// Signs and sends a proposal.
///
/// # Errors
/// When this is no clone, the head or the base is not there, or it cannot be signed or sent.
pub fn run(arguments: &ProposeArguments) -> anyhow::Result<Printed> {
    let clone = WorkingClone::here()?
        .ok_or_else(|| anyhow!("this is no Git clone: run it in the clone that holds the commit"))?;
    let base = branch(&arguments.base)?;
    let head = clone.resolve(&arguments.head).context("--head")?;
    let title = match &arguments.title {
        Some(title) => title.clone(),
        None => clone.describe(&head)?.0,
    };
    let title = one_line(&title)?;
    let remote = look(arguments, &clone, &base, &head)?;
    let says = Says::Propose { base, head: head.clone(), title: title.clone() };
    let mut said = statement::say(&arguments.statement, Some(&clone), says, &remote.push)?;
    said.notes.extend(remote.notes);
    let headline = format!("proposed {head} for {} of {}: {title}", arguments.base, said.repository);
    let next = "a colleague approves it with:\n  git fetch && countersign approve ";
    Printed::done(said.text(&headline, &format!("{next}{head}")), &said.document())
}

/// What the remote lacks, and what the proposer should know.
#[derive(Default)]
struct Remote {
    push: Vec<String>,
    notes: Vec<String>,
}

fn look(
    arguments: &ProposeArguments,
    clone: &WorkingClone,
    base: &Reference,
    head: &CommitId,
) -> anyhow::Result<Remote> {
    if arguments.statement.write.is_some() {
        return Ok(Remote::default());
    }
    let name = &arguments.statement.remote;
    let branches = push::branches(clone, name)?;
    let base_branch = branches.iter().find(|branch| branch.reference == base.as_str());
    let base_branch = base_branch
        .ok_or_else(|| anyhow!("{name} has no branch {}: name one with --base", arguments.base))?;
    let mut remote = Remote::default();
    if clone.containing(std::slice::from_ref(base_branch), head).is_some() {
        remote.notes.push(format!("{} has this commit already", arguments.base));
    } else if clone.containing(&branches, head).is_none() {
        let short = head.as_str().get(..SHORT).unwrap_or(head.as_str());
        remote.push.push(format!("{head}:refs/heads/proposals/{short}"));
    }
    remote.notes.extend(unsigned(clone, head, base_branch)?);
    Ok(remote)
}

/// Without a forge, only signatures say who wrote a commit.
fn unsigned(clone: &WorkingClone, head: &CommitId, base: &RemoteBranch) -> anyhow::Result<Option<String>> {
    let unsigned = clone.unsigned(head, Some(base))?;
    let Some(first) = unsigned.first() else { return Ok(None) };
    let which = match unsigned.len() {
        1 => format!("commit {first} is not signed"),
        many => format!("{many} commits are not signed, {first} among them"),
    };
    Ok(Some(format!(
        "{which}: on a plain Git host nobody can approve it; sign with: git config gpg.format ssh, \
         git config user.signingKey ~/.ssh/id_ed25519, git commit --amend -S"
    )))
}

/// A branch by its short or full name.
fn branch(name: &str) -> anyhow::Result<Reference> {
    let full = if name.starts_with("refs/") { name.to_owned() } else { format!("refs/heads/{name}") };
    full.parse().context("--base")
}

fn one_line(title: &str) -> anyhow::Result<String> {
    let title = title.trim();
    ensure!(!title.is_empty(), "the title is empty: give one with --title");
    ensure!(
        title.chars().count() <= MAX_TITLE && !title.chars().any(char::is_control),
        "the title is not one line of at most {MAX_TITLE} characters: give one with --title"
    );
    Ok(title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_branch_and_a_title_is_a_line() {
        assert_eq!(branch("main").unwrap().as_str(), "refs/heads/main");
        assert_eq!(branch("refs/heads/a/b").unwrap().as_str(), "refs/heads/a/b");
        assert!(branch("a b").is_err());
        assert_eq!(one_line(" Mend it\n").unwrap(), "Mend it");
        assert!(one_line("a\nb").is_err() && one_line(" ").is_err() && one_line(&"x".repeat(201)).is_err());
    }
}
