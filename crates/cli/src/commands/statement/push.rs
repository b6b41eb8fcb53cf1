//! Pushing with the person's own `git`, so that their credentials, agents and settings work as always.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use git2::Oid;

use super::clone::{RemoteBranch, WorkingClone};

/// Pushes these refspecs in one push.
///
/// # Errors
/// When `git` cannot be run, or the push fails; its own words are on standard error then.
pub fn push(clone: &WorkingClone, remote: &str, refspecs: &[String]) -> anyhow::Result<()> {
    let status = git(clone)
        .args(["push", "--quiet", "--", remote])
        .args(refspecs)
        .stdout(Stdio::null())
        .status()
        .context("git cannot be run: install it")?;
    if !status.success() {
        bail!("git push to {remote} failed ({status})");
    }
    Ok(())
}

/// The branches of a remote, as they are there now.
///
/// # Errors
/// When the remote cannot be reached.
pub fn branches(clone: &WorkingClone, remote: &str) -> anyhow::Result<Vec<RemoteBranch>> {
    let output = git(clone)
        .args(["ls-remote", "--heads", "--", remote])
        .stderr(Stdio::inherit())
        .output()
        .context("git cannot be run: install it")?;
    if !output.status.success() {
        bail!(
            "the branches of {remote} cannot be listed ({}): check the remote with git remote -v",
            output.status
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(branch).collect())
}

fn branch(line: &str) -> Option<RemoteBranch> {
    let (tip, reference) = line.split_once('\t')?;
    Some(RemoteBranch { reference: reference.to_owned(), tip: Oid::from_str(tip).ok()? })
}

fn git(clone: &WorkingClone) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(clone.git_folder()).stdin(Stdio::null());
    command
}
