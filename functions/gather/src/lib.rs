#![doc = include_str!("../README.md")]

pub mod bases;
pub mod candidates;
pub mod collect;
mod conflicts;
mod control;
mod ended;
mod evidence;
mod look;
mod objects;
mod owners;
mod preview;
mod reading;
mod reviewed;
mod statuses;

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::active::{BundleConfiguration, ConfigurationCache};
use countersign_core::event::{Event, EventKind, PullRequestAction};
use countersign_core::facts::Facts;
use countersign_core::message::{FactsGathered, Message, QueueName};
use countersign_core::names::{AttemptId, FollowedRef, Target};
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::{self, Store, Write};
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::target::{Ended, SeenTip};
use countersign_core::{digest, keys};
use countersign_git::mirror::{GiveUp, Repositories};
use countersign_render::budget::Budget;

use crate::look::{Due, Look};
use crate::preview::Proposed;
use crate::reading::Reading;

/// The stage, with the ports that it touches the world through.
pub struct Gatherer<'a, S, Q, F> {
    /// State, facts, manifests.
    pub store: &'a S,
    /// Where facts are announced.
    pub queue: &'a Q,
    /// What people said.
    pub forge: &'a F,
    /// Bare repositories, kept between events.
    pub repositories: &'a Repositories,
    /// The configuration that was read last.
    pub configurations: &'a ConfigurationCache,
    /// What rendering may cost.
    pub budget: &'a Budget,
    /// Starts the time of one fetch, and tells when it is over.
    pub fetch_deadline: fn() -> GiveUp,
}

/// The most first-parent commits that one change may span.
const MAX_RANGE: usize = 1_000;

/// The facts of this many looks are stored, and announced, at once: they are decided while others are gathered.
const TOGETHER: usize = 16;

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// Takes a batch of the `events` queue.
    pub async fn handle(&self, batch: &[Incoming]) -> BatchResult {
        let mut results = Vec::with_capacity(batch.len());
        for message in batch {
            results.push(self.message(message).await);
        }
        results
    }

    async fn message(&self, message: &Incoming) -> Result<(), StageError> {
        let parsed = message.parse::<Event>()?;
        let active = self.configurations.active(self.store).await?;
        let active = active.ok_or_else(|| StageError::Retry("no bundle is active yet".to_owned()))?;
        let event = &parsed.body;
        tracing::debug!(trace = parsed.trace, event = event.id, "gather");
        if !active.configuration.knows(&event.repository) {
            tracing::info!(trace = parsed.trace, repository = %event.repository, "not configured any more");
            return Ok(());
        }
        if let EventKind::PullRequest {
            action: PullRequestAction::Closed | PullRequestAction::Merged,
            base,
            head,
            ..
        } = &event.kind
        {
            let base = FollowedRef { repository: event.repository.clone(), reference: base.clone() };
            return self.report_end(&parsed.trace, event, &active, &base, head).await;
        }
        if let EventKind::Status { commit, context } = &event.kind {
            let looks = self.status_looks(&active, &event.repository, commit, context.as_deref()).await?;
            for looks in looks {
                self.gather_all(&parsed, looks).await?;
            }
            return Ok(());
        }
        match self.looks(event, &active).await? {
            Some(looks) => self.gather_all(&parsed, looks).await,
            None => Ok(()),
        }
    }

    /// Gathers what an event makes due, and notes that it was looked at.
    async fn gather_all(&self, message: &Message<Event>, looks: Looks<'_>) -> Result<(), StageError> {
        let Looks { reading, looks, seen, previewed } = looks;
        let mut all_of_tip = true;
        for looks in looks.chunks(TOGETHER) {
            all_of_tip &= self.gather(&reading, message, looks).await?;
        }
        tracing::info!(trace = message.trace, event = message.body.id, looks = looks.len(), "gathered");
        // Where an earlier try looked at an older tip, this one is still to be looked at.
        if let Some((follows, seen)) = seen.filter(|_| all_of_tip) {
            let mut ended = BTreeMap::new();
            for request in reading.ended() {
                let told = request.fingerprint(&self.statuses_of(&reading, &request.head).await?);
                ended.insert(request.id, Ended { head: request.head, told });
            }
            self.mark_seen(&follows, &SeenTip { ended, ..seen }).await?;
        }
        // `poll` compares it with what it finds: a report's own comment changes nothing that is previewed.
        if let Some(told) = previewed.and_then(|id| reading.told(&id)) {
            let key = keys::previewed(&reading.id, &told.id);
            let told = told.fingerprint(&self.statuses_of(&reading, &told.head).await?);
            store::put_json(self.store, &key, &told).await?;
        }
        Ok(())
    }

    /// The looks that an event makes due; none when nothing is there to look at.
    async fn looks<'b>(
        &self,
        event: &Event,
        active: &'b BundleConfiguration,
    ) -> Result<Option<Looks<'b>>, StageError> {
        let follows = |reference: &countersign_core::names::Reference| FollowedRef {
            repository: event.repository.clone(),
            reference: reference.clone(),
        };
        match &event.kind {
            EventKind::Pushed { reference, .. } => {
                self.ref_looks(active, follows(reference), Due::Pushed).await
            }
            EventKind::RefDue { reference, every_target } => {
                let due = if *every_target { Due::EveryTarget } else { Due::Said };
                self.ref_looks(active, follows(reference), due).await
            }
            EventKind::TargetDue { target, at_tip } => self.target_look(active, target, *at_tip).await,
            EventKind::PullRequest { pull_request, base, head, fork, .. } => {
                let proposed = Proposed { id: pull_request, head: Some(head), fork: Some(*fork) };
                self.preview_looks(active, follows(base), proposed).await
            }
            EventKind::Review { pull_request, base, head, .. } => {
                let proposed = Proposed { id: pull_request, head: head.as_ref(), fork: None };
                self.preview_looks(active, follows(base), proposed).await
            }
            EventKind::Command { statement } => self.command_look(active, statement).await,
            // A deleted branch removes nothing: removal is asked for in the control repository.
            EventKind::Deleted { .. } | EventKind::Ping | EventKind::Status { .. } => Ok(None),
        }
    }

    /// Stores the facts of some looks, of each unless an earlier try has (the first write wins), and announces
    /// them. Whether all that is stored is of the looks' commits.
    async fn gather(
        &self,
        reading: &Reading<'_>,
        message: &Message<Event>,
        looks: &[Look],
    ) -> Result<bool, StageError> {
        let mut all_of_tip = true;
        let (mut writes, mut ours, mut announced) = (Vec::new(), Vec::new(), Vec::new());
        for look in looks {
            let attempt = AttemptId::new(&message.body.id, &look.target);
            let key = keys::facts(&attempt);
            if let Some(facts) = store::get_json::<Facts>(self.store, &key).await? {
                all_of_tip &= facts.change.commit == look.commit;
            } else {
                let facts = self.collect(reading, &message.body, look, attempt).await?;
                let bytes = digest::canonical_json(&facts).map_err(|error| {
                    StageError::Final(format!("facts cannot be written as JSON: {error}"))
                })?;
                writes.extend(reading.take_writes());
                ours.push(writes.len());
                writes.push(Write::PutIfAbsent { key, bytes });
            }
            announced.push(announcement(&message.trace, attempt, &look.target)?);
        }
        // What targets are rendered from comes first: a retry that finds the facts would not note it again.
        let mut all = reading.take_inputs()?;
        let before = all.len();
        all.append(&mut writes);
        let wrote = self.store.write_all(&all).await?;
        self.queue.send(&QueueName::Facts, &announced).await?;
        Ok(all_of_tip && ours.iter().all(|at| wrote.get(before + at) == Some(&true)))
    }
}

/// What an event makes due.
struct Looks<'a> {
    reading: Reading<'a>,
    looks: Vec<Look>,
    /// The ref with its tip, which is seen once these looks are announced.
    seen: Option<(FollowedRef, SeenTip)>,
    /// The pull request that is previewed.
    previewed: Option<String>,
}

fn announcement(trace: &str, attempt: AttemptId, target: &Target) -> Result<Outgoing, StageError> {
    let message = Message::new(trace, FactsGathered { attempt, target: target.clone() });
    let body = serde_json::to_string(&message)
        .map_err(|error| StageError::Final(format!("a message cannot be written as JSON: {error}")))?;
    Ok(Outgoing { group: target.key(), deduplication: attempt.hex(), body, delay: Duration::ZERO })
}
