//! Who pushed what a pull request brings.
//!
//! Forges tell of pushes one by one, newest first, each with the commits that the branch was at before and after.
//! They are followed back from the head, over every commit that the branch was at, until a push created the branch or
//! found it at a commit that the base has. Where a push is missing, someone who is not known took part.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use countersign_core::names::CommitId;
use countersign_core::review::Identity;
use countersign_core::time::Timestamp;
use serde::de::DeserializeOwned;

use crate::candidates::distinct;
use crate::client::failure::Failure;
use crate::client::pages::Pages;

/// How long after a push a forge may not tell of it yet.
const DELAY: Duration = Duration::from_secs(10);

/// How often a forge is asked whether the base has a commit, for one pull request.
pub(crate) const MAX_QUESTIONS: usize = 10;

/// A push to a branch.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    /// Who pushed.
    pub(crate) by: Identity,
    /// Where the branch was before; none where the push created it.
    pub(crate) before: Option<CommitId>,
    /// Where it was afterwards.
    pub(crate) after: CommitId,
    /// Whether the forge says that the branch kept all that it had.
    pub(crate) only_adds: bool,
}

impl Push {
    /// A push as a forge tells of it, which names no commit by nothing or by zeros. None where it left no branch, or where
    /// what it names cannot be read.
    pub(crate) fn of(
        by: Identity,
        before: Option<&str>,
        after: Option<&str>,
        only_adds: bool,
    ) -> Option<Self> {
        let named = |commit: Option<&str>| {
            let commit = commit.filter(|text| text.bytes().any(|byte| byte != b'0'));
            commit.map(str::parse::<CommitId>).transpose().ok()
        };
        Some(Self { by, before: named(before)?, after: named(after)??, only_adds })
    }
}

/// What a forge tells of the pushes to one branch.
pub(crate) trait Told {
    /// The pushes that were read so far.
    fn pushes(&self) -> Vec<Push>;

    /// Reads on; whether there was anything left that is read.
    ///
    /// # Errors
    /// When the forge cannot be read.
    fn read_on(&mut self) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// Whether the base had this commit before it got anything of the pull request.
    ///
    /// # Errors
    /// When the forge cannot be read.
    fn base_has(&self, commit: &CommitId) -> impl Future<Output = Result<bool, Failure>> + Send;
}

/// A pull request, as far as its pushes can be told by it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    /// All commits that it brings, as far as they are known.
    pub(crate) brought: BTreeSet<CommitId>,
    /// Commits that its base had before it, and some that it had not.
    pub(crate) base: BTreeSet<CommitId>,
    pub(crate) beside: BTreeSet<CommitId>,
    /// When it got its head, as far as that is known.
    pub(crate) arrived: Option<Timestamp>,
    /// How often the forge may be asked whether the base had a commit; then it is taken to have had none.
    pub(crate) questions: usize,
}

/// Where a trail leads.
enum Way {
    /// To its end: nobody else pushed.
    Whole(Vec<Identity>),
    /// To a commit that may be the base's.
    Question(CommitId),
    /// To a commit that no push is told of.
    Lost(CommitId, Vec<Identity>),
}

impl Trail {
    /// Everyone who pushed to the branch what `head` has and its base had not, or what `head` took the place of; one who
    /// is not known among them where the forge does not tell of every push.
    ///
    /// # Errors
    /// When the forge cannot be read, or may tell of the head's push in a moment.
    pub(crate) async fn pushers(
        mut self,
        head: &CommitId,
        told: &mut impl Told,
        now: Timestamp,
    ) -> Result<Vec<Identity>, Failure> {
        loop {
            match self.follow(head, &told.pushes()) {
                Way::Whole(pushers) => return Ok(distinct(pushers.into_iter())),
                Way::Question(commit) => {
                    self.questions -= 1;
                    let side = if told.base_has(&commit).await? { &mut self.base } else { &mut self.beside };
                    side.insert(commit);
                }
                Way::Lost(at, pushers) => {
                    if told.read_on().await? {
                        continue;
                    }
                    if at == *head && self.came_lately(now) {
                        return Err(Failure::later(format!(
                            "the forge does not tell yet who pushed {head}: it is tried again"
                        )));
                    }
                    return Ok(distinct(pushers.into_iter().chain([unknown()])));
                }
            }
        }
    }

    fn follow(&self, head: &CommitId, pushes: &[Push]) -> Way {
        let mut to: BTreeMap<&CommitId, Vec<&Push>> = BTreeMap::new();
        for push in pushes {
            to.entry(&push.after).or_default().push(push);
        }
        let (mut pushers, mut lost, mut question) = (Vec::new(), None, None);
        let (mut reached, mut open) = (BTreeSet::from([head]), vec![head]);
        while let Some(commit) = open.pop() {
            let Some(pushes) = to.get(commit) else {
                lost.get_or_insert(commit);
                continue;
            };
            for push in pushes {
                pushers.push(push.by.clone());
                let Some(before) = &push.before else { continue };
                match self.ends_at(before, push, head) {
                    Some(true) => {}
                    None => question = Some(before),
                    Some(false) => open.extend(reached.insert(before).then_some(before)),
                }
            }
        }
        match (lost, question) {
            (Some(commit), _) => Way::Lost(commit.clone(), pushers),
            (None, Some(commit)) => Way::Question(commit.clone()),
            (None, None) => Way::Whole(pushers),
        }
    }

    /// Whether a trail ends at `before`, where a push found the branch: whether the base had that commit. None where
    /// only the forge knows.
    fn ends_at(&self, before: &CommitId, push: &Push, head: &CommitId) -> Option<bool> {
        if self.base.contains(before) {
            return Some(true);
        }
        if self.brought.contains(before) || self.beside.contains(before) {
            return Some(false);
        }
        // What the head has and the pull request does not bring is the base's.
        if push.only_adds && (push.after == *head || self.brought.contains(&push.after)) {
            return Some(true);
        }
        if self.questions == 0 { Some(false) } else { None }
    }

    /// Whether the forge may not tell of the head's push yet. Clocks need not agree.
    fn came_lately(&self, now: Timestamp) -> bool {
        self.arrived.is_some_and(|time| now.since(time) < DELAY && time.since(now) < DELAY)
    }
}

/// Someone of whom nothing is known, who may be anyone.
fn unknown() -> Identity {
    Identity::default()
}

/// What a forge tells, page by page, newest first.
pub(crate) struct Feed<'a, W> {
    pages: Pages<'a>,
    /// How many more pages are read at most.
    left: usize,
    /// What was read so far.
    pub(crate) told: Vec<W>,
}

impl<'a, W: DeserializeOwned> Feed<'a, W> {
    /// A feed of which at most `most` pages are read.
    pub(crate) fn new(pages: Pages<'a>, most: usize) -> Self {
        Self { pages, left: most, told: Vec::new() }
    }

    /// Reads one more page; whether there was one. A forge that has no such feed, or does not know the branch that it
    /// is asked for, tells nothing.
    ///
    /// # Errors
    /// When the forge cannot be read.
    pub(crate) async fn read_on(&mut self) -> Result<bool, Failure> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let page = self.pages.next(|items: Option<Vec<W>>| items.unwrap_or_default()).await;
        match page {
            Ok(Some(found)) => {
                self.told.extend(found);
                Ok(true)
            }
            Err(failure) if !failure.is(404) && !failure.is(422) => Err(failure),
            Ok(None) | Err(_) => {
                self.left = 0;
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests;
