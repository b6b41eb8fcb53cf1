//! One fetch into one mirror.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_core::statement::STATEMENTS;
use git2::{ErrorClass, Indexer, ObjectType, Oid};

use super::{Depths, Limits, Source, boundary, packs, references, room};
use crate::error::GitError;
use crate::wire::Trouble;
use crate::wire::request::{Request, Take};
use crate::wire::server::{References, Server};

/// What is mirrored of every repository. What the source no longer has goes here too.
const MIRRORED: [&str; 3] = ["refs/heads/", "refs/tags/", STATEMENTS];

/// How many commits a server is told to be here already, beside those that references lead to.
const HAVES: usize = 256;

/// References of a repository that is fetched as a whole: that many histories are soon all of it.
const MANY: usize = 2_000;

/// Brings the mirror to where its source is. Whether it grew.
///
/// Objects come before the references that lead to them, so that one which is killed leaves a mirror as it was,
/// with at most an unfinished file that the next fetch removes.
pub(super) fn fetch(
    mirror: &Path,
    server: &mut Server,
    source: &Source,
    (limits, depths): (Limits, Depths),
    stop: &AtomicBool,
) -> Result<bool, Trouble> {
    let filling = Filling::open(mirror, limits, stop)?;
    packs::tidy(&filling.repository, mirror).map_err(Trouble::Local)?;
    let listed = server.references(&prefixes(source))?;
    let odb = filling.odb()?;
    let boundary = boundary::read(mirror);
    let cut = boundary.as_ref().map_or(0, BTreeSet::len);
    // A server that was replaced by one without depth would take what is here for whole.
    let anew = mirror.join(ANEW).exists()
        || boundary.is_none()
        || cut > MANY
        || (cut > 0 && !server.abilities()?.depth);
    let kept = if anew { References::new() } else { references::read(mirror) };
    let next = brought(&kept, listed, source);
    let wants: BTreeSet<Oid> =
        next.values().map(|tip| tip.id).filter(|id| anew || !odb.exists(*id)).collect();
    if !wants.is_empty() {
        let mut request = Request { haves: haves(&filling, &odb, &kept), ..Request::default() };
        request.wants.clone_from(&wants);
        if !anew && server.abilities()?.depth {
            request.cut = boundary::now(mirror, &filling.repository, &odb);
            let histories = histories(&next, &wants);
            // What is whole stays so: a push to it brings no more than is new.
            if !request.cut.is_empty() || (kept.is_empty() && histories <= MANY) {
                request.depth = Some(depths.each_of(histories));
            }
        }
        filling.bring(server, &odb, &request)?;
        if let Some(missing) = wants.iter().find(|id| !is_whole(&odb, &filling.repository, **id)) {
            return Err(Trouble::Garbage(format!("its pack lacks {missing}")));
        }
    }
    if next != kept {
        references::write(mirror, &next).map_err(Trouble::Local)?;
    }
    Ok(!wants.is_empty())
}

/// How many of the wanted objects have a history.
fn histories(next: &References, wants: &BTreeSet<Oid>) -> usize {
    let histories = next.iter().filter(|(name, _)| !name.starts_with(STATEMENTS)).map(|(_, tip)| tip.id);
    histories.filter(|id| wants.contains(id)).collect::<BTreeSet<_>>().len()
}

/// The references that are asked for.
pub(super) fn prefixes(source: &Source) -> Vec<String> {
    let also = source.also.iter().map(ToString::to_string);
    MIRRORED.into_iter().map(str::to_owned).chain(also).collect()
}

/// Stands in a mirror in which something is missing that its references say is there.
const ANEW: &str = "fetch-anew";

/// A mirror, while something is fetched into it.
pub(super) struct Filling<'a> {
    mirror: &'a Path,
    pub(super) repository: git2::Repository,
    limits: Limits,
    stop: &'a AtomicBool,
}

impl<'a> Filling<'a> {
    pub(super) fn open(mirror: &'a Path, limits: Limits, stop: &'a AtomicBool) -> Result<Self, Trouble> {
        let repository = open(mirror).map_err(Trouble::Local)?;
        Ok(Self { mirror, repository, limits, stop })
    }

    /// What is here.
    pub(super) fn odb(&self) -> Result<git2::Odb<'_>, Trouble> {
        self.repository.odb().map_err(|error| self.failed(&error))
    }

    /// Brings what is asked for.
    pub(super) fn bring(
        &self,
        server: &mut Server,
        odb: &git2::Odb<'_>,
        request: &Request,
    ) -> Result<(), Trouble> {
        let mut pack = Pack::new(odb, self).map_err(|error| self.failed(&error))?;
        server.pack(request, &mut pack)?;
        let anew = self.mirror.join(ANEW);
        if let Err(trouble) = pack.finish() {
            // What it builds on may be missing here, whatever the references say: the next fetch asks for all.
            let _ = fs::write(&anew, "");
            return Err(trouble);
        }
        odb.refresh().map_err(|error| self.failed(&error))?;
        boundary::settle(self.mirror, &self.repository, odb).map_err(Trouble::Local)?;
        if request.haves.is_empty() && request.depth.is_none() {
            let _ = fs::remove_file(&anew);
        }
        Ok(())
    }

    fn failed(&self, error: &git2::Error) -> Trouble {
        Trouble::Local(GitError::while_doing(format!("{}: reading the mirror", self.mirror.display()), error))
    }
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
pub(super) fn brought(kept: &References, listed: References, source: &Source) -> References {
    let mirrored = |name: &str| MIRRORED.iter().any(|prefix| name.starts_with(prefix));
    let named = |name: &str| source.also.iter().any(|also| also.as_str() == name);
    let mut next: References =
        kept.iter().filter(|(name, _)| !mirrored(name)).map(|(name, tip)| (name.clone(), *tip)).collect();
    next.extend(listed.into_iter().filter(|(name, _)| mirrored(name) || named(name)));
    next
}

/// What the server need not send: where references lead, and commits before branches, for those whose tips the
/// server has rewritten and forgotten.
pub(super) fn haves(filling: &Filling<'_>, odb: &git2::Odb<'_>, kept: &References) -> BTreeSet<Oid> {
    let heads = || kept.iter().filter(|(name, _)| !name.starts_with(STATEMENTS)).map(|(_, tip)| tip.id);
    let mut haves: BTreeSet<Oid> = heads().take(HAVES).filter(|id| odb.exists(*id)).collect();
    for tip in heads().take(8) {
        let Ok(mut commit) = filling.repository.find_commit(tip) else { continue };
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
    filling: &'a Filling<'a>,
    indexer: Indexer<'a>,
    header: Vec<u8>,
    taken: u64,
}

/// The bytes before a pack's objects: a word, a version, and how many objects follow.
const HEADER: usize = 12;

impl<'a> Pack<'a> {
    fn new(odb: &git2::Odb<'a>, filling: &'a Filling<'_>) -> Result<Self, git2::Error> {
        // Its check for missing objects takes submodules for such, so that it cannot be used.
        let mut indexer = Indexer::new(Some(odb), &filling.mirror.join("objects/pack"), 0o444, false)?;
        indexer.progress(|_| !filling.stop.load(Ordering::Relaxed));
        Ok(Self { filling, indexer, header: Vec::new(), taken: 0 })
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if self.filling.stop.load(Ordering::Relaxed) {
            return Err(Trouble::Busy("it is too slow".to_owned()));
        }
        self.taken += bytes.len() as u64;
        if self.taken > self.filling.limits.bytes {
            let text = format!("it sends more than {} bytes at once", self.filling.limits.bytes);
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
        if count > self.filling.limits.objects {
            let most = self.filling.limits.objects;
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

impl Take for Pack<'_> {
    fn cut(&mut self, commits: &BTreeSet<Oid>) -> Result<(), Trouble> {
        boundary::add(self.filling.mirror, commits).map_err(Trouble::Local)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.take(bytes)
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
