//! From an event to looks: which targets, at which commit.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::active::BundleConfiguration;
use countersign_core::configuration::index::Followers;
use countersign_core::configuration::{PlacementState, TargetConfiguration};
use countersign_core::facts::Operation;
use countersign_core::keys;
use countersign_core::leaf::Disposition;
use countersign_core::names::{CommitId, FollowedRef, Target};
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::StageError;
use countersign_core::statement::{Command, Says, SignedStatement};
use countersign_core::target::{SeenTip, TargetState};
use countersign_git::error::GitError;

use crate::preview::{Content, Preview};
use crate::reading::{Reading, of_git};
use crate::{Gatherer, Looks};

/// One look at one target.
#[derive(Clone, Debug)]
pub struct Look {
    /// The target.
    pub target: Target,
    /// The commit that is looked at.
    pub commit: CommitId,
    /// How, if it only previews a pull request.
    pub preview: Option<Preview>,
    /// The command that asks for it, if one does.
    pub command: Option<SignedStatement>,
}

/// Why a ref is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It was pushed to.
    Pushed,
    /// Something was said that may count there, or a push was missed.
    Said,
    /// Every one of its targets may have to change.
    EveryTarget,
}

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// Looks at the targets of a ref that its tip touches, and at those whose last look is still under way: whatever
    /// comes of that, it knows neither this tip nor what was said meanwhile.
    pub(crate) async fn ref_looks<'b>(
        &self,
        active: &'b BundleConfiguration,
        follows: FollowedRef,
        due: Due,
    ) -> Result<Option<Looks<'b>>, StageError> {
        let followers = active.index().following(&follows);
        let is_control = active.configuration.control_ref().as_ref() == Some(&follows);
        if followers.is_none() && !is_control {
            return Ok(None);
        }
        let reading = self.read(active, &follows.repository).await?;
        let Some(tip) = reading.repository.tip(&follows.reference).map_err(of_git)? else {
            tracing::warn!(%follows.repository, reference = %follows.reference, "the ref is gone: what runs stays");
            return Ok(None);
        };
        let before: Option<SeenTip> = store::get_json(self.store, &keys::seen_tip(&follows)).await?;
        let bundle = reading.active.bundle;
        let is_seen = before.as_ref().is_some_and(|seen| seen.tip == tip && seen.bundle == bundle);
        if due == Due::Pushed && is_seen {
            tracing::debug!(%follows.repository, reference = %follows.reference, "this push was told of before");
            return Ok(None);
        }
        let touched = match (due, followers) {
            (Due::EveryTarget, _) | (_, None) => None,
            (Due::Pushed | Due::Said, Some(followers)) => {
                self.touched(&reading, &follows, (before.as_ref(), &tip), followers).await?
            }
        };
        let looked_before = before.iter().flat_map(|before| &before.looked);
        let concerned: BTreeSet<&Target> = match &touched {
            Some(touched) => touched.iter().chain(looked_before).collect(),
            None => followers.map(Followers::all).unwrap_or_default().iter().collect(),
        };
        let configured = concerned.into_iter().filter_map(|target| active.configuration.target(target));
        let (mut looks, mut looked) = (Vec::new(), BTreeSet::new());
        for target in configured.filter(|target| target.follows().as_ref() == Some(&follows)) {
            let touched = touched.as_ref().is_none_or(|touched| touched.contains(&target.target));
            let last = before.as_ref().filter(|before| before.looked.contains(&target.target));
            let state = self.state(&target.target).await?;
            let latest = state.as_ref().map(|state| &state.latest.commit);
            let under_way = last.is_some_and(|last| latest != Some(&last.tip));
            // A start asks for what may have been lost as well.
            let on_its_way = due != Due::EveryTarget
                && state.as_ref().is_some_and(|state| state.is_on_its_way(&tip, &bundle));
            let touched = touched && !on_its_way;
            let due =
                under_way || (touched && self.needs_look(&reading, &follows, (&target, state), &tip).await?);
            if due || under_way {
                looked.insert(target.target.clone());
            }
            if due {
                looks.push(Look { target: target.target, commit: tip.clone(), preview: None, command: None });
            }
        }
        if is_control {
            looks.extend(self.control_look(&reading, &tip).await?);
        }
        let seen = SeenTip { tip, bundle, looked, ended: BTreeMap::new() };
        Ok(Some(Looks { reading, looks, seen: Some((follows, seen)), previewed: None }))
    }

    /// The targets that may have changed since the tip that was seen last, and those that are not settled;
    /// none when all may have.
    async fn touched(
        &self,
        reading: &Reading<'_>,
        follows: &FollowedRef,
        (seen, tip): (Option<&SeenTip>, &CommitId),
        followers: &Followers,
    ) -> Result<Option<BTreeSet<Target>>, StageError> {
        let Some(seen) = seen.filter(|seen| seen.bundle == reading.active.bundle) else { return Ok(None) };
        if !reading.repository.has(&seen.tip).map_err(of_git)? {
            return Ok(None);
        }
        let files = match reading.repository.changed_files(Some(&seen.tip), tip, &[]) {
            Ok(files) => files,
            // More files than are listed: any target may be touched, and its own look says what is wrong.
            Err(GitError::Final(_)) => return Ok(None),
            Err(error) => return Err(of_git(error)),
        };
        self.read_inputs(reading, follows).await?;
        let mut touched = reading.touched(follows, followers, files.iter().map(|file| file.path.as_str()));
        touched.extend(self.unsettled(follows).await?);
        Ok(Some(touched))
    }

    async fn unsettled(&self, follows: &FollowedRef) -> Result<Vec<Target>, StageError> {
        let prefix = keys::unsettled_prefix(follows);
        let mut targets = Vec::new();
        for key in self.store.list(&prefix, None, usize::MAX).await? {
            targets.extend(store::get_json::<Target>(self.store, &key).await?);
        }
        Ok(targets)
    }

    /// Notes that everything a tip touches was looked at. It is the tip that was looked at, not the one that
    /// the ref has by now: what was pushed meanwhile is still to come.
    pub(crate) async fn mark_seen(&self, follows: &FollowedRef, seen: &SeenTip) -> Result<(), StageError> {
        Ok(store::put_json(self.store, &keys::seen_tip(follows), seen).await?)
    }

    /// The state tells that nothing has to be done for a target that the tip does not touch.
    async fn needs_look(
        &self,
        reading: &Reading<'_>,
        follows: &FollowedRef,
        (target, state): (&TargetConfiguration<'_>, Option<TargetState>),
        tip: &CommitId,
    ) -> Result<bool, StageError> {
        let Some(state) = state else {
            return Ok(target.placement.state == PlacementState::Active);
        };
        let Some(wanted) = state.wanted.as_ref().filter(|_| state.is_settled()) else { return Ok(true) };
        let removed = wanted.operation == Operation::Remove;
        if target.placement.state == PlacementState::Removed {
            return Ok(!removed);
        }
        let same_bundle = state.latest.bundle == reading.active.bundle;
        if removed || !same_bundle {
            return Ok(true);
        }
        self.read_inputs(reading, follows).await?;
        let known = reading.known_inputs(follows, &target.target);
        let inputs = known.unwrap_or_else(|| BTreeSet::from([target.placement.path.clone()]));
        let content = Content::Commit(&reading.repository, tip.clone());
        Ok(wanted.closure != reading.closure(target, &inputs, &content)?)
    }

    /// Looks at one target again. What is wanted and does not run yet is retried, also beside a denied tip.
    pub(crate) async fn target_look<'b>(
        &self,
        active: &'b BundleConfiguration,
        target: &Target,
        at_tip: bool,
    ) -> Result<Option<Looks<'b>>, StageError> {
        if target.is_control() {
            let Some(follows) = active.configuration.control_ref() else { return Ok(None) };
            return self.ref_looks(active, follows, Due::Said).await;
        }
        let Some(configured) = active.configuration.target(target) else { return Ok(None) };
        let Some(follows) = configured.follows() else { return Ok(None) };
        let reading = self.read(active, &follows.repository).await?;
        let Some(tip) = reading.repository.tip(&follows.reference).map_err(of_git)? else { return Ok(None) };
        let state = self.state(target).await?;
        let wanted = state.as_ref().filter(|_| !at_tip).and_then(|state| wanted_beside_a_denial(state, &tip));
        let commit = match wanted {
            Some(wanted) if reading.repository.has(&wanted).map_err(of_git)? => wanted,
            _ => tip,
        };
        let look = Look { target: target.clone(), commit, preview: None, command: None };
        Ok(Some(Looks { reading, looks: vec![look], seen: None, previewed: None }))
    }

    /// Looks at what a command asks for.
    pub(crate) async fn command_look<'b>(
        &self,
        active: &'b BundleConfiguration,
        statement: &SignedStatement,
    ) -> Result<Option<Looks<'b>>, StageError> {
        let claims = statement
            .claims()
            .map_err(|error| StageError::Final(format!("statement {}: {error}", statement.id())))?;
        let Says::Command { command, .. } = claims.says else { return Ok(None) };
        let (target, recovered) = match command {
            Command::Recover { commit, .. } => (Target::control(), Some(commit)),
            Command::Hold { target, .. } | Command::Release { target } => (target, None),
        };
        let follows = if target.is_control() {
            active.configuration.control_ref()
        } else {
            active.configuration.target(&target).and_then(|configured| configured.follows())
        };
        let Some(follows) = follows else {
            return Err(StageError::Final(format!("{target}: no such target in countersign.yaml")));
        };
        // A command is about its target, not about a tip: it works while the forge is down.
        let reading = match self.read(active, &follows.repository).await {
            Ok(reading) => reading,
            Err(error) => self.read_kept(active, &follows.repository).map_err(|_| error)?,
        };
        let tip = reading.repository.tip(&follows.reference).map_err(of_git)?;
        let Some(commit) = recovered.or(tip) else { return Ok(None) };
        let look = Look { target, commit, preview: None, command: Some(statement.clone()) };
        Ok(Some(Looks { reading, looks: vec![look], seen: None, previewed: None }))
    }

    /// The state of a target, as `record` last wrote it.
    pub(crate) async fn state(&self, target: &Target) -> Result<Option<TargetState>, StageError> {
        Ok(store::get_json(self.store, &keys::target(target)).await?)
    }
}

/// The wanted commit, when it does not run yet and the tip was denied: it must not wait for the tip's mending.
fn wanted_beside_a_denial(state: &TargetState, tip: &CommitId) -> Option<CommitId> {
    let wanted = state.wanted.as_ref()?;
    let runs = state.running.as_ref().is_some_and(|running| running.sequence == wanted.sequence);
    let denied = state.latest.disposition == Disposition::Refused && state.latest.commit == *tip;
    (denied && !runs).then(|| wanted.commit.clone())
}
