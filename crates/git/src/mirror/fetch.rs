//! One fetch into one mirror.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_core::statement::STATEMENTS;
use git2::{ErrorClass, Indexer, ObjectType, Oid};

use super::{Limits, Source, packs, references, room};
use crate::error::GitError;
use crate::wire::Trouble;
use crate::wire::server::{References, Server};

/// What is mirrored of every repository. What the source no longer has goes here too.
const MIRRORED: [&str; 3] = ["refs/heads/", "refs/tags/", STATEMENTS];

/// How many commits a server is told to be here already, beside those that references lead to.
const HAVES: usize = 256;

/// Brings the mirror to where its source is. Whether it grew.
///
/// Objects come before the references that lead to them, so that one which is killed leaves a mirror as it was,
/// with at most an unfinished file that the next fetch removes.
pub(super) fn fetch(
    mirror: &Path,
    server: &mut Server,
    source: &Source,
    limits: Limits,
    stop: &AtomicBool,
) -> Result<bool, Trouble> {
    let repository = open(mirror).map_err(Trouble::Local)?;
    packs::tidy(&repository, mirror).map_err(Trouble::Local)?;
    let mut prefixes: Vec<String> = MIRRORED.map(str::to_owned).into();
    prefixes.extend(source.also.iter().map(ToString::to_string));
    let listed = server.references(&prefixes)?;
    let anew = mirror.join("fetch-anew");
    let kept = if anew.exists() { References::new() } else { references::read(mirror) };
    let next = brought(&kept, listed, source);
    let local = |error: git2::Error| {
        Trouble::Local(GitError::while_doing(format!("{}: reading the mirror", mirror.display()), &error))
    };
    let odb = repository.odb().map_err(local)?;
    let wants: BTreeSet<Oid> =
        next.values().map(|tip| tip.id).filter(|id| anew.exists() || !odb.exists(*id)).collect();
    if !wants.is_empty() {
        let haves = haves(&repository, &odb, &kept);
        let mut pack = Pack::new(&odb, mirror, limits, stop).map_err(local)?;
        server.pack(&wants, &haves, |bytes| pack.take(bytes))?;
        if let Err(trouble) = pack.finish() {
            // What it builds on may be missing here, whatever the references say: the next fetch asks for all.
            let _ = fs::write(&anew, "");
            return Err(trouble);
        }
        odb.refresh().map_err(local)?;
        let _ = fs::remove_file(&anew);
        if let Some(missing) = wants.iter().find(|id| !is_whole(&odb, &repository, **id)) {
            return Err(Trouble::Garbage(format!("its pack lacks {missing}")));
        }
    }
    if next != kept {
        references::write(mirror, &next).map_err(Trouble::Local)?;
    }
    Ok(!wants.is_empty())
}

/// The mirror's repository. One that is broken is made anew: it holds nothing that its source has not.
fn open(mirror: &Path) -> Result<git2::Repository, GitError> {
    let failed = |error: &git2::Error| GitError::while_doing(mirror.display(), error);
    match git2::Repository::open_bare(mirror) {
        Ok(repository) => {
            // Without this folder the library would not look for packs later either.
            let packs = mirror.join("objects/pack");
            fs::create_dir_all(&packs).map_err(|error| room::cannot_keep(&packs, &error))?;
            Ok(repository)
        }
        Err(error) if error.class() == ErrorClass::Os && mirror.exists() => Err(failed(&error)),
        Err(_) => {
            room::remove(mirror);
            git2::Repository::init_bare(mirror).map_err(|error| failed(&error))
        }
    }
}

/// The references that the mirror is to have: those listed, and heads of pull requests that it had.
fn brought(kept: &References, listed: References, source: &Source) -> References {
    let mirrored = |name: &str| MIRRORED.iter().any(|prefix| name.starts_with(prefix));
    let named = |name: &str| source.also.iter().any(|also| also.as_str() == name);
    let mut next: References =
        kept.iter().filter(|(name, _)| !mirrored(name)).map(|(name, tip)| (name.clone(), *tip)).collect();
    next.extend(listed.into_iter().filter(|(name, _)| mirrored(name) || named(name)));
    next
}

/// What the server need not send: where references lead, and commits before branches, for those whose tips the
/// server has rewritten and forgotten.
fn haves(repository: &git2::Repository, odb: &git2::Odb<'_>, kept: &References) -> BTreeSet<Oid> {
    let heads = || kept.iter().filter(|(name, _)| !name.starts_with(STATEMENTS)).map(|(_, tip)| tip.id);
    let mut haves: BTreeSet<Oid> = heads().take(HAVES).filter(|id| odb.exists(*id)).collect();
    for tip in heads().take(8) {
        let Ok(mut commit) = repository.find_commit(tip) else { continue };
        for step in 1..=64_u32 {
            let Ok(parent) = commit.parent(0) else { break };
            commit = parent;
            if step.is_power_of_two() {
                haves.insert(commit.id());
            }
        }
    }
    haves
}

/// Whether an object is here and, of a commit, its tree.
fn is_whole(odb: &git2::Odb<'_>, repository: &git2::Repository, id: Oid) -> bool {
    match odb.read_header(id) {
        Ok((_, ObjectType::Commit)) => {
            repository.find_commit(id).is_ok_and(|commit| odb.exists(commit.tree_id()))
        }
        found => found.is_ok(),
    }
}

/// A pack as it comes in: indexed while it does, so that what it takes of memory does not follow its size.
struct Pack<'a> {
    indexer: Indexer<'a>,
    header: Vec<u8>,
    taken: u64,
    limits: Limits,
    stop: &'a AtomicBool,
}

/// The bytes before a pack's objects: a word, a version, and how many objects follow.
const HEADER: usize = 12;

impl<'a> Pack<'a> {
    fn new(
        odb: &git2::Odb<'a>,
        mirror: &Path,
        limits: Limits,
        stop: &'a AtomicBool,
    ) -> Result<Self, git2::Error> {
        // Its check for missing objects takes submodules for such, so that it cannot be used.
        let mut indexer = Indexer::new(Some(odb), &mirror.join("objects/pack"), 0o444, false)?;
        indexer.progress(move |_| !stop.load(Ordering::Relaxed));
        Ok(Self { indexer, header: Vec::new(), taken: 0, limits, stop })
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Trouble::Busy("it is too slow".to_owned()));
        }
        self.taken += bytes.len() as u64;
        if self.taken > self.limits.bytes {
            let text = format!("it sends more than {} bytes at once", self.limits.bytes);
            return Err(Trouble::Excess(text));
        }
        if self.header.len() < HEADER {
            self.header.extend(bytes.iter().take(HEADER - self.header.len()));
            self.check_count()?;
        }
        self.indexer.write_all(bytes).map_err(|error| {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<git2::Error>());
            inner.map_or_else(|| not_kept(&error.to_string()), damaged)
        })
    }

    fn check_count(&self) -> Result<(), Trouble> {
        let Some((_, count)) = self.header.split_last_chunk::<4>().filter(|_| self.header.len() == HEADER)
        else {
            return Ok(());
        };
        let count = u32::from_be_bytes(*count) as usize;
        if count > self.limits.objects {
            let most = self.limits.objects;
            return Err(Trouble::Excess(format!(
                "it sends {count} objects at once, at most {most} are taken"
            )));
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Trouble> {
        self.indexer.commit().map(drop).map_err(|error| damaged(&error))
    }
}

fn damaged(error: &git2::Error) -> Trouble {
    match error.class() {
        ErrorClass::Os | ErrorClass::NoMemory => not_kept(error.message()),
        _ => Trouble::Garbage(format!("its pack is damaged: {}", error.message())),
    }
}

/// A pack that cannot be written, mostly for want of space.
fn not_kept(why: &str) -> Trouble {
    Trouble::Local(GitError::Retry(format!(
        "a mirror cannot be written: {why}: free space, or give another folder"
    )))
}
