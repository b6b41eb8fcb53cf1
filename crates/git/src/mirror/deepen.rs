//! More of a mirror's history than was fetched at first.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use git2::Oid;

use super::fetch::{Filling, brought, haves, prefixes};
use super::{Limits, Source, boundary, references};
use crate::wire::Trouble;
use crate::wire::request::{Request, WHOLE};
use crate::wire::server::{Server, shallow_copy};

/// What is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing {
    /// The commit.
    pub(crate) commit: Oid,
    /// How many commits to bring with it; none for the whole history of the repository.
    pub(crate) depth: Option<u32>,
}

/// What came of asking for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    /// It is here.
    Here,
    /// The server does not have it.
    Unknown,
    /// The server gives no single commits.
    NotSingly,
}

/// Brings what is missing into a mirror. The references stay as they are.
pub(super) fn deepen(
    mirror: &Path,
    server: &mut Server,
    source: &Source,
    (limits, stop): (Limits, &AtomicBool),
    missing: Missing,
) -> Result<Brought, Trouble> {
    let filling = Filling::open(mirror, limits, stop)?;
    let odb = filling.odb()?;
    if odb.exists(missing.commit) {
        return Ok(Brought::Here);
    }
    let boundary = boundary::now(mirror, &filling.repository, &odb);
    if boundary.is_empty() {
        return Ok(Brought::Unknown);
    }
    let abilities = server.abilities()?;
    let kept = references::read(mirror);
    let before = |commit: &&Oid| {
        boundary::missing_parents(&filling.repository, &odb, **commit).contains(&missing.commit)
    };
    let child = boundary.iter().find(before).copied();
    let Some(depth) = missing.depth else {
        let next = brought(&kept, server.references(&prefixes(source))?, source);
        let wants = next.values().map(|tip| tip.id).collect();
        let request = match abilities.depth {
            true => Request { wants, haves: haves(&filling, &odb, &kept), cut: boundary, depth: Some(WHOLE) },
            false => Request { wants, ..Request::default() },
        };
        filling.bring(server, &odb, &request)?;
        return match odb.exists(missing.commit) {
            true => Ok(Brought::Here),
            false if has(&filling, &odb, server, child)? => Err(shallow_copy()),
            false => Ok(Brought::Unknown),
        };
    };
    if !abilities.depth || !abilities.any_commit {
        return Ok(Brought::NotSingly);
    }
    let mut haves = haves(&filling, &odb, &kept);
    haves.extend(child);
    let request = Request { wants: [missing.commit].into(), haves, cut: boundary, depth: Some(depth) };
    match filling.bring(server, &odb, &request) {
        Ok(_) => Ok(Brought::Here),
        Err(Trouble::Unknown(_)) => Ok(Brought::Unknown),
        Err(Trouble::Missing(_)) => Ok(Brought::NotSingly),
        Err(trouble) => Err(trouble),
    }
}

/// Whether the server has a commit, asked so that nothing of it comes.
fn has(
    filling: &Filling<'_>,
    odb: &git2::Odb<'_>,
    server: &mut Server,
    commit: Option<Oid>,
) -> Result<bool, Trouble> {
    let Some(commit) = commit.filter(|_| server.abilities().is_ok_and(|able| able.depth && able.any_commit))
    else {
        return Ok(false);
    };
    let one = BTreeSet::from([commit]);
    let request = Request { wants: one.clone(), haves: one, depth: Some(1), ..Request::default() };
    match filling.bring(server, odb, &request) {
        Ok(()) => Ok(true),
        Err(Trouble::Unknown(_) | Trouble::Missing(_)) => Ok(false),
        Err(trouble) => Err(trouble),
    }
}
