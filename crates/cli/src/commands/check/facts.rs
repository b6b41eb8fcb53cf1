//! The facts of a change that only this machine knows: the same document that `gather` makes, with what it
//! reads from the forge and from the log left empty.

use std::collections::BTreeMap;

use anyhow::anyhow;
use countersign_core::configuration::{PlacementState, TargetConfiguration};
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::{
    Cause, Change, FACTS_VERSION, Facts, FileChange, History, Operation, Problem, Range, Relation, Render,
};
use countersign_core::manifest::Manifest;
use countersign_core::names::AttemptId;
use countersign_core::review::CommitFacts;
use countersign_core::time::Timestamp;
use countersign_core::tree::Tree;
use countersign_gather::collect::target_facts;
use countersign_policy::bundle::Bundle;
use countersign_policy::decide::{Mode, decide};
use countersign_provenance::signatures::verify_signatures;
use countersign_render::budget::Budget;
use countersign_render::diff::diff;
use countersign_render::rendered::{Options, Rendered, render_with};

use super::source::Source;
use super::{Judged, Way};
use crate::commands::bases::Bases;

/// The most first-parent commits that one change may span, as in `gather`.
const MAX_RANGE: usize = 1_000;

/// What causes the look.
const CHECK: &str = "check";

/// One target that is checked.
pub struct Subject<'a> {
    /// What is checked.
    pub source: &'a Source,
    /// The bundle that decides.
    pub bundle: &'a Bundle,
    /// The target.
    pub target: &'a TargetConfiguration<'a>,
    /// Where the change begins, and the files that it touches.
    pub way: Option<&'a Way>,
    /// Clones of other repositories that kustomizations are built on.
    pub bases: &'a Bases<'a>,
    /// The time that every rule sees.
    pub time: Timestamp,
}

impl Subject<'_> {
    /// Decides.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn judge(&self, strict: bool) -> anyhow::Result<Judged> {
        let facts = self.facts()?;
        let digest = Digest::of(&canonical_json(&facts)?);
        let signatures = verify_signatures(&facts, self.bundle.configuration());
        let decision = decide(self.bundle, &facts, digest, &signatures, Mode::Check { strict });
        Ok(Judged { from: facts.range.from, decision, diff: facts.diff })
    }

    fn facts(&self) -> anyhow::Result<Facts> {
        let commit = self.source.commit(self.time)?;
        let files = self.files();
        let range = self.range(&commit, &files)?;
        let removed = self.target.placement.state == PlacementState::Removed;
        let operation = match range.relation {
            _ if removed => Operation::Remove,
            Relation::Diverges => Operation::Rollback,
            Relation::Initial | Relation::Same | Relation::Descends => Operation::Deploy,
        };
        let follows = self.target.follows();
        let follows = follows.ok_or_else(|| anyhow!("{}: follows no branch", self.target.target))?;
        let mut facts = Facts {
            v: FACTS_VERSION,
            attempt: AttemptId::new(CHECK, &self.target.target),
            cause: Cause { event: CHECK.to_owned(), kind: CHECK.to_owned(), actor: None },
            time: self.time,
            target: target_facts(self.target, follows),
            bundle: *self.bundle.digest(),
            preview: false,
            change: Change {
                operation,
                closure: Digest::of(commit.tree.as_str().as_bytes()),
                commit: commit.id,
                tree: commit.tree,
                new_bundle: None,
                command: None,
            },
            range,
            files,
            pull_requests: Vec::new(),
            statements: Vec::new(),
            statuses: Vec::new(),
            owners: Vec::new(),
            proposed: BTreeMap::new(),
            render: Render::None,
            objects: Vec::new(),
            images: Vec::new(),
            diff: Vec::new(),
            conflicts: Vec::new(),
            manifest: None,
            reviewed: BTreeMap::new(),
            history: History::default(),
        };
        self.objects(&mut facts)?;
        Ok(facts)
    }

    /// The changed files below the target's path.
    fn files(&self) -> Vec<FileChange> {
        let path = self.target.placement.path.trim_matches('/');
        let below = |file: &&FileChange| {
            let rest = file.path.strip_prefix(path);
            matches!(path, "" | ".") || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.way.iter().flat_map(|way| way.files.iter()).filter(below).cloned().collect()
    }

    /// The way from where the change begins. Nothing explains it yet: that needs reviews.
    fn range(&self, commit: &CommitFacts, files: &[FileChange]) -> anyhow::Result<Range> {
        let from = self.way.and_then(|way| way.from.as_ref());
        if let (Some(repository), Some(committed)) = (self.source.repository(), self.source.committed()) {
            let paths = [self.target.placement.path.clone()];
            return repository.range(from, committed, &paths, MAX_RANGE).map_err(|error| anyhow!("{error}"));
        }
        let relation = match from {
            None => Relation::Initial,
            Some(_) if files.is_empty() => Relation::Same,
            Some(_) => Relation::Descends,
        };
        let (commits, altering) = match relation {
            Relation::Same => (Vec::new(), Vec::new()),
            _ => (vec![commit.clone()], vec![commit.id.clone()]),
        };
        Ok(Range {
            from: from.cloned(),
            from_gone: false,
            relation,
            commits,
            altering,
            explanations: Vec::new(),
        })
    }

    /// Renders both ends, and fills in what is said about objects.
    fn objects(&self, facts: &mut Facts) -> anyhow::Result<()> {
        let before = match &facts.range.from {
            Some(from) => self.manifest(&self.source.tree_of(from)?)?,
            None => None,
        };
        if facts.change.operation == Operation::Remove {
            facts.diff = diff(before.as_ref(), None);
            return Ok(());
        }
        match self.rendered(&self.source.tree()?) {
            Ok(rendered) => {
                facts.render = Render::Rendered;
                facts.manifest = Some(rendered.blob()?.digest);
                facts.objects = rendered.facts();
                facts.images = rendered.images();
                facts.diff = diff(before.as_ref(), Some(&rendered.manifest()));
            }
            Err(problems) => facts.render = Render::Failed { problems },
        }
        Ok(())
    }

    fn rendered(&self, tree: &impl Tree) -> Result<Rendered, Vec<Problem>> {
        let (placement, budget) = (self.target.placement, Budget::default());
        let options = Options { remotes: Some(self.bases), ..Options::new(&placement.namespaces, &budget) };
        render_with(tree, &placement.path, &options)
    }

    /// What a tree renders to; nothing if it does not.
    fn manifest(&self, tree: &impl Tree) -> anyhow::Result<Option<Manifest>> {
        match self.rendered(tree) {
            Ok(rendered) => Ok(Some(rendered.manifest())),
            Err(_) => Ok(None),
        }
    }
}
