//! The Git repositories that `init` makes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use countersign_core::names::CommitId;
use git2::{Index, IndexEntry, IndexTime, Oid, Repository, RepositoryInitOptions, Signature, Time};

use super::made::Made;
use super::plan::Plan;
use super::template;
use crate::commands::hook::install::{self, Installation};
use crate::installation::now;

/// The branch that counts, as the template names it.
const BRANCH: &str = "main";
/// Its reference.
const REFERENCE: &str = "refs/heads/main";
/// The name of the host in the template.
const HOST: &str = "local";
/// The mode of a file in a tree.
const FILE: u32 = 0o100_644;

/// Makes the bare repository of the sample application; gives its first commit.
///
/// # Errors
/// When it cannot be made.
pub fn application(plan: &Plan, made: &mut Made) -> anyhow::Result<CommitId> {
    let path = plan.application_repository();
    let repository = bare(plan, made, &path, "shop")?;
    let commit = commit(&repository, &template::application(), "A small shop").with_context(|| at(&path))?;
    Ok(commit.to_string().parse()?)
}

/// Makes the working folder of the control repository, and its first commit.
///
/// # Errors
/// When it cannot be made.
pub fn control(plan: &Plan, made: &mut Made, files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<CommitId> {
    made.folder(&plan.folder)?;
    made.begin(&plan.folder);
    let repository = init(&plan.folder, false)?;
    let commit =
        commit(&repository, files, "Begin the control repository").with_context(|| at(&plan.folder))?;
    Ok(commit.to_string().parse()?)
}

/// Commits the genesis as a file for everyone to read, and pushes to the bare repository, which is made.
///
/// # Errors
/// When it cannot be written or pushed.
pub fn publish_control(plan: &Plan, made: &mut Made, genesis: &[u8]) -> anyhow::Result<CommitId> {
    let repository = Repository::open(&plan.folder).with_context(|| at(&plan.folder))?;
    let files = BTreeMap::from([("genesis.json".to_owned(), genesis.to_vec())]);
    let tip = commit(&repository, &files, "Keep the genesis for everyone to read")
        .with_context(|| at(&plan.folder))?;
    let path = plan.control_repository();
    bare(plan, made, &path, "control")?;
    publish(&repository, &path).with_context(|| format!("{}: cannot be pushed to", path.display()))?;
    Ok(tip.to_string().parse()?)
}

fn publish(repository: &Repository, to: &Path) -> anyhow::Result<()> {
    let url = to.to_str().ok_or_else(|| anyhow!("the path is not UTF-8"))?;
    let mut remote = repository.remote("origin", url)?;
    remote.push(&[format!("{REFERENCE}:{REFERENCE}")], None)?;
    repository.reference(
        &format!("refs/remotes/origin/{BRANCH}"),
        repository.refname_to_id(REFERENCE)?,
        true,
        "init",
    )?;
    let mut config = repository.config()?;
    config.set_str(&format!("branch.{BRANCH}.remote"), "origin")?;
    config.set_str(&format!("branch.{BRANCH}.merge"), REFERENCE)?;
    config.set_str("countersign.repository", &format!("{HOST}/control"))?;
    Ok(())
}

/// Makes a bare repository whose hooks tell the server of this installation.
fn bare(plan: &Plan, made: &mut Made, path: &Path, name: &str) -> anyhow::Result<Repository> {
    made.folder(&plan.repositories)?;
    made.begin(path);
    let repository = init(path, true)?;
    install::install(&Installation {
        path: path.to_owned(),
        id: format!("{HOST}/{name}").parse()?,
        server: plan.server.clone(),
        secret_file: plan.webhook_secret(),
    })?;
    Ok(repository)
}

fn init(path: &Path, bare: bool) -> anyhow::Result<Repository> {
    let mut options = RepositoryInitOptions::new();
    options.bare(bare).initial_head(BRANCH).external_template(false).no_reinit(true).mkpath(true);
    Repository::init_opts(path, &options).with_context(|| at(path))
}

fn at(path: &Path) -> String {
    format!("{}: the repository cannot be written", path.display())
}

/// Commits `files` in addition to what the branch holds; in a working folder they are written there too.
fn commit(repository: &Repository, files: &BTreeMap<String, Vec<u8>>, message: &str) -> anyhow::Result<Oid> {
    let parent = match repository.refname_to_id(REFERENCE) {
        Ok(tip) => Some(repository.find_commit(tip)?),
        Err(_) => None,
    };
    let mut index = Index::new()?;
    if let Some(parent) = &parent {
        index.read_tree(&parent.tree()?)?;
    }
    for (path, bytes) in files {
        // From the bytes, not from the file: no setting of this machine may change what is committed.
        index.add(&entry(path, repository.blob(bytes)?))?;
    }
    let tree = repository.find_tree(index.write_tree_to(repository)?)?;
    let time = Time::new(now().as_millis() / 1000, 0);
    let author = Signature::new("Countersign", "countersign@localhost", &time)?;
    let parents: Vec<_> = parent.iter().collect();
    let commit = repository.commit(Some(REFERENCE), &author, &author, message, &tree, &parents)?;
    if let Some(folder) = repository.workdir() {
        for (path, bytes) in files {
            write(&folder.join(path), bytes)?;
        }
        let mut index = repository.index()?;
        index.read_tree(&tree)?;
        index.write()?;
    }
    Ok(commit)
}

fn entry(path: &str, id: Oid) -> IndexEntry {
    let zero = IndexTime::new(0, 0);
    IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: FILE,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, bytes).with_context(|| format!("{}: the file cannot be written", path.display()))
}
