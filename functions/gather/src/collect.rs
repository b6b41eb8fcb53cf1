//! Collects the facts of one look: the range and its explanations, people's evidence, objects, diff, history.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::configuration::{PlacementState, TargetConfiguration};
use countersign_core::digest::Digest;
use countersign_core::event::{Event, EventKind};
use countersign_core::facts::{
    Cause, Change, FACTS_VERSION, Facts, History, Operation, Position, Problem, Range, Relation, Render,
    TargetFacts,
};
use countersign_core::keys;
use countersign_core::names::{AttemptId, CommitId, FollowedRef};
use countersign_core::ports::forge::{Evidence, ForgeRead};
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store};
use countersign_core::review::CommitFacts;
use countersign_core::stage::StageError;
use countersign_core::statement::{Says, SignedStatement};
use countersign_core::target::{Authorized, TargetState};
use countersign_git::error::GitError;

use crate::evidence::{heads, merged_otherwise, taking_part};
use crate::look::Look;
use crate::owners;
use crate::preview::{self, Content};
use crate::reading::{Reading, of_git};
use crate::{Gatherer, MAX_RANGE};

/// What of the configuration a look is about.
pub struct Subject<'a> {
    /// The ref that is followed.
    pub follows: FollowedRef,
    /// Where the range begins.
    pub from: Option<CommitId>,
    /// The paths whose changes matter; none for all.
    pub paths: Vec<String>,
    /// The target's state.
    pub state: Option<&'a TargetState>,
}

/// The range, and what people said about it.
pub struct Way {
    /// The range with its explanations.
    pub range: Range,
    /// Evidence about the heads that take part.
    pub evidence: Evidence,
    /// The commits of those heads.
    pub proposed: BTreeMap<CommitId, Vec<CommitFacts>>,
    /// Heads that explained other commits before.
    pub used_heads: BTreeMap<CommitId, CommitId>,
    /// Why the range could not be measured.
    pub problem: Option<Problem>,
}

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// The facts of one look.
    pub(crate) async fn collect(
        &self,
        reading: &Reading<'_>,
        event: &Event,
        look: &Look,
        attempt: AttemptId,
    ) -> Result<Facts, StageError> {
        let state = self.state(&look.target).await?;
        if look.target.is_control() {
            return self.collect_control(reading, event, look, attempt, state.as_ref()).await;
        }
        let configured = reading.active.configuration.target(&look.target);
        let configured = configured
            .ok_or_else(|| StageError::Final(format!("{}: not in countersign.yaml", look.target)))?;
        let follows = configured
            .follows()
            .ok_or_else(|| StageError::Final(format!("{}: follows no branch", look.target)))?;
        let wanted = state.as_ref().and_then(|state| state.wanted.as_ref());
        let from =
            wanted.map(|wanted| wanted.commit.clone()).or_else(|| configured.placement.baseline.clone());
        let removal = configured.placement.state == PlacementState::Removed;
        let nowhere = removal || look.command.is_some();
        let (content, problem) = Content::of(&reading.repository, look).map_err(of_git)?;
        let mut inputs = BTreeSet::from([configured.placement.path.clone()]);
        let mut paths = inputs.clone();
        let mut made = None;
        if !nowhere {
            let now = self.rendered(reading, &configured, &content).await?;
            inputs.clone_from(&now.inputs);
            paths.clone_from(&inputs);
            paths.extend(self.inputs_before(reading, &configured, &content, &inputs, from.as_ref()).await?);
            if look.preview.is_none() {
                self.read_inputs(reading, &follows).await?;
                reading.note_inputs(&follows, &configured, &inputs);
            }
            made = Some(now);
        }
        let paths = paths.into_iter().collect();
        let subject = Subject { follows: follows.clone(), from, paths, state: state.as_ref() }.shown_to(look);
        let way = match nowhere {
            true => Way::nowhere(&subject),
            false => self.way(reading, look, &subject).await?,
        };
        let operation = operation(look, removal, way.range.relation)?;
        let mut facts = self.facts(reading, event, look, attempt, &subject, way, &content, operation)?;
        facts.target = target_facts(&configured, follows);
        facts.change.closure = match operation {
            Operation::Remove => Digest::of(b"removed"),
            _ => reading.closure(&configured, &inputs, &content)?,
        };
        if let Some(problem) = problem {
            facts.render = Render::Failed { problems: vec![problem] };
        }
        if !nowhere {
            facts.statuses = self.statuses(reading, &configured, &facts).await?;
            if configured.environment.approvals.code_owners {
                facts.owners = owners::of(reading, look, &facts, &content, &subject.paths)?;
            }
        }
        match made {
            Some(made) => self.objects(reading, &configured, &mut facts, made, &subject, look).await?,
            None => self.no_objects(&mut facts, &subject).await?,
        }
        Ok(facts)
    }

    /// The paths that a target was rendered from where the range begins, beside those of now.
    async fn inputs_before(
        &self,
        reading: &Reading<'_>,
        configured: &TargetConfiguration<'_>,
        content: &Content<'_>,
        inputs: &BTreeSet<String>,
        from: Option<&CommitId>,
    ) -> Result<BTreeSet<String>, StageError> {
        let Some(from) = reading.present(from)? else { return Ok(BTreeSet::new()) };
        let before = Content::Commit(&reading.repository, from.clone());
        // The same at all that was read: the same was read.
        if reading.closure(configured, inputs, &before)? == reading.closure(configured, inputs, content)? {
            return Ok(BTreeSet::new());
        }
        Ok(self.rendered(reading, configured, &before).await?.inputs)
    }

    /// Measures the range, and collects what people said about the commits that take part.
    pub(crate) async fn way(
        &self,
        reading: &Reading<'_>,
        look: &Look,
        subject: &Subject<'_>,
    ) -> Result<Way, StageError> {
        let repository = &reading.repository;
        // A preview measures up to its base: the merge is one step more, whatever the head descends from.
        let to = look.preview.as_ref().map_or(&look.commit, |preview| &preview.base);
        let measured = repository.range(subject.from.as_ref(), to, &subject.paths, MAX_RANGE);
        let mut range = match measured {
            Ok(range) => range,
            Err(GitError::Final(why)) => return Ok(Way::unmeasured(subject, &look.commit, why)),
            Err(error) => return Err(of_git(error)),
        };
        let mut commits: Vec<_> = range.commits.iter().map(|commit| commit.id.clone()).collect();
        if !commits.contains(&look.commit) {
            commits.push(look.commit.clone());
        }
        let evidence = self.evidence(reading, &subject.follows.reference, &commits).await?;
        let opened: Vec<_> =
            evidence.pull_requests.iter().map(|request| (request.id.as_str(), &request.head)).collect();
        self.bring(reading, &opened).await?;
        range.explanations = repository.explain(&range, &heads(&evidence)).map_err(of_git)?;
        if look.preview.is_some() {
            preview::add_step(&mut range, repository.commit(&look.commit).map_err(of_git)?);
        }
        let mut parts: BTreeMap<CommitId, BTreeSet<CommitId>> = BTreeMap::new();
        for explanation in &range.explanations {
            parts.entry(explanation.head.clone()).or_default().insert(explanation.after.clone());
        }
        for (head, after) in merged_otherwise(repository, &range, &evidence).map_err(of_git)? {
            parts.entry(head).or_insert_with(|| BTreeSet::from([after]));
        }
        if let Some(preview) = &look.preview {
            // What it brings is what its base has not: the range may begin elsewhere.
            parts.insert(look.commit.clone(), BTreeSet::from([preview.base.clone()]));
        }
        let mut proposed = BTreeMap::new();
        let mut used_heads = BTreeMap::new();
        for (head, after) in &parts {
            // A head that is itself where its run begins was never elsewhere: its own commit is what it brings.
            let hidden: Vec<_> = after.iter().filter(|after| *after != head).cloned().collect();
            let commits = if hidden.is_empty() {
                vec![repository.commit(head).map_err(of_git)?]
            } else {
                repository.proposed(head, &hidden, MAX_RANGE).map_err(of_git)?
            };
            proposed.insert(head.clone(), commits);
            let used = store::get_json(self.store, &keys::used_head(&subject.follows, head)).await?;
            used_heads.extend(used.map(|commit| (head.clone(), commit)));
        }
        let evidence = taking_part(evidence, &proposed);
        Ok(Way { range, evidence, proposed, used_heads, problem: None })
    }

    /// Facts without objects.
    #[expect(clippy::too_many_arguments, reason = "the parts of one document, each used once")]
    pub(crate) fn facts(
        &self,
        reading: &Reading<'_>,
        event: &Event,
        look: &Look,
        attempt: AttemptId,
        subject: &Subject<'_>,
        mut way: Way,
        content: &Content<'_>,
        operation: Operation,
    ) -> Result<Facts, StageError> {
        let from = reading.present(way.range.from.as_ref())?;
        let files = match from.map(|from| content.changed_files(from, &subject.paths)) {
            Some(Ok(files)) => files,
            // More files than anyone can read: the denial says so.
            Some(Err(GitError::Final(why))) => {
                way.problem.get_or_insert(problem(subject, why));
                Vec::new()
            }
            Some(Err(error)) => return Err(of_git(error)),
            None => Vec::new(),
        };
        let mut statements = way.evidence.statements;
        statements.extend(look.command.clone());
        let wanted = subject.state.and_then(|state| state.wanted.as_ref());
        let running = subject.state.and_then(|state| state.running.as_ref());
        Ok(Facts {
            v: FACTS_VERSION,
            attempt,
            cause: Cause {
                event: event.id.clone(),
                kind: kind_of(&event.kind).to_owned(),
                actor: event.actor.clone(),
            },
            time: event.received,
            target: TargetFacts {
                target: look.target.clone(),
                follows: subject.follows.clone(),
                path: subject.paths.first().cloned().unwrap_or_default(),
                namespaces: Vec::new(),
                cluster_kinds: Vec::new(),
                adopt: false,
            },
            bundle: reading.active.bundle,
            preview: look.preview.is_some(),
            change: Change {
                operation,
                commit: look.commit.clone(),
                tree: content.tree_id().map_err(of_git)?,
                closure: Digest::of(b""),
                new_bundle: None,
                command: look.command.as_ref().map(SignedStatement::id),
            },
            range: way.range,
            files,
            pull_requests: way.evidence.pull_requests,
            statements,
            statuses: Vec::new(),
            owners: Vec::new(),
            proposed: way.proposed,
            render: way.problem.map_or(Render::None, |problem| Render::Failed { problems: vec![problem] }),
            objects: Vec::new(),
            images: Vec::new(),
            diff: Vec::new(),
            conflicts: Vec::new(),
            manifest: None,
            reviewed: BTreeMap::new(),
            history: History {
                authorized: wanted.map(|wanted| wanted.commit.clone()),
                authorized_at: wanted.map(Authorized::since),
                sequence: wanted.map(|wanted| wanted.sequence),
                running: running.map(|running| running.commit.clone()),
                running_manifest: running.and_then(|running| running.manifest),
                used_heads: way.used_heads,
                hold: subject.state.and_then(|state| state.hold.clone()),
            },
        })
    }
}

impl Subject<'_> {
    /// As a look may see it: whoever proposes from a fork learns nothing of what runs, so that the change is
    /// measured from its base.
    pub fn shown_to(mut self, look: &Look) -> Self {
        if let Some(preview) = look.preview.as_ref().filter(|preview| preview.fork) {
            self.from = Some(preview.base.clone());
            self.state = None;
        }
        self
    }
}

impl Way {
    /// Nothing lies between: a removal is asked for, and approved, in the control repository; a command by itself.
    pub fn nowhere(subject: &Subject<'_>) -> Self {
        Self {
            range: Range {
                from: subject.from.clone(),
                relation: Relation::Same,
                commits: Vec::new(),
                altering: Vec::new(),
                explanations: Vec::new(),
                from_gone: false,
            },
            evidence: Evidence::default(),
            proposed: BTreeMap::new(),
            used_heads: BTreeMap::new(),
            problem: None,
        }
    }

    /// The range cannot be measured: nothing explains the commit, and the denial says why.
    fn unmeasured(subject: &Subject<'_>, commit: &CommitId, why: String) -> Self {
        let mut way = Self::nowhere(subject);
        way.range.relation = Relation::Diverges;
        way.range.altering = vec![commit.clone()];
        way.problem = Some(problem(subject, why));
        way
    }
}

/// What is wrong with the way itself, shown where the target's files begin.
fn problem(subject: &Subject<'_>, why: String) -> Problem {
    let at = Position { file: subject.paths.first().cloned().unwrap_or_default(), line: 1 };
    Problem { message: why, at, help: None }
}

/// What a look asks for.
fn operation(look: &Look, removal: bool, relation: Relation) -> Result<Operation, StageError> {
    if let Some(command) = &look.command {
        return commanded(command);
    }
    Ok(match relation {
        _ if removal => Operation::Remove,
        Relation::Diverges => Operation::Rollback,
        Relation::Initial | Relation::Same | Relation::Descends => Operation::Deploy,
    })
}

fn commanded(statement: &SignedStatement) -> Result<Operation, StageError> {
    use countersign_core::statement::Command;
    let claims = statement.claims().map_err(|error| StageError::Final(error.to_string()))?;
    match claims.says {
        Says::Command { command: Command::Hold { .. }, .. } => Ok(Operation::Hold),
        Says::Command { command: Command::Release { .. }, .. } => Ok(Operation::Release),
        _ => Err(StageError::Final(format!("statement {}: not a command for a target", statement.id()))),
    }
}

/// The target as configured.
#[must_use]
pub fn target_facts(configured: &TargetConfiguration<'_>, follows: FollowedRef) -> TargetFacts {
    TargetFacts {
        target: configured.target.clone(),
        follows,
        path: configured.placement.path.clone(),
        namespaces: configured.placement.namespaces.clone(),
        cluster_kinds: configured.application.cluster_kinds.iter().cloned().collect(),
        adopt: configured.placement.adopt,
    }
}

fn kind_of(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Pushed { .. } => "pushed",
        EventKind::Deleted { .. } => "deleted",
        EventKind::PullRequest { .. } => "pullRequest",
        EventKind::Review { .. } => "review",
        EventKind::Status { .. } => "status",
        EventKind::Command { .. } => "command",
        EventKind::RefDue { .. } => "refDue",
        EventKind::TargetDue { .. } => "targetDue",
        EventKind::Ping => "ping",
    }
}
