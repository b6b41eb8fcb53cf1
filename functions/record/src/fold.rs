//! Folds of leaves into state. Pure, and a repeat changes nothing: state is what the log says, no more.

use std::time::Duration;

use countersign_core::authorization;
use countersign_core::decision::Verdict;
use countersign_core::facts::Operation;
use countersign_core::leaf::{DecisionRecord, Disposition, OutcomeRecord};
use countersign_core::outcome::OutcomeResult;
use countersign_core::target::{
    Authorized, CommitReport, LatestDrift, LatestOutcome, Look, TargetReport, TargetState,
};
use countersign_core::time::Timestamp;

/// The first retry of a target comes after this.
const FIRST_RETRY: Duration = Duration::from_secs(10);
/// Later retries come at most this long after one another.
const LAST_RETRY: Duration = Duration::from_mins(10);
/// The first look at what waits for statuses comes after this: their webhooks bring it sooner.
const FIRST_WAIT: Duration = Duration::from_mins(1);
/// How long after an authorization has ended without an outcome another look is due.
const GRACE: Duration = Duration::from_secs(30);

/// The target's state after a decision at `index`.
#[must_use]
pub fn decision(
    state: Option<&TargetState>,
    index: u64,
    time: Timestamp,
    record: &DecisionRecord,
) -> Option<TargetState> {
    let folded = state.is_some_and(|state| state.as_of > index);
    if folded || record.disposition == Disposition::Preview {
        return state.cloned();
    }
    let look = look(index, record);
    let mut next = state.cloned().unwrap_or_else(|| first(look.clone(), record));
    let asks_for_wanted = is_retry_beside_a_denial(&next, record);
    next.as_of = index + 1;
    next.follows = record.follows.clone();
    let about_commit = !matches!(record.operation, Operation::Hold | Operation::Release);
    if !about_commit && matches!(record.disposition, Disposition::Authorized | Disposition::Unchanged) {
        next.commanded = Some(record.first.unwrap_or(index));
    }
    if about_commit && record.disposition != Disposition::Superseded && !asks_for_wanted {
        next.latest = look;
    }
    match record.disposition {
        Disposition::Authorized => authorize(&mut next, index, time, record),
        Disposition::Unchanged => advance(&mut next, record),
        Disposition::Refused | Disposition::Superseded | Disposition::Preview => {}
    }
    if about_commit && record.disposition != Disposition::Superseded {
        wait(&mut next, state, time, record);
    }
    Some(next)
}

/// What waits for statuses is looked at again also where no webhook tells of them.
fn wait(next: &mut TargetState, before: Option<&TargetState>, time: Timestamp, record: &DecisionRecord) {
    if record.verdict != Verdict::Pending {
        next.waits = 0;
        return;
    }
    if before.is_none_or(|before| before.latest.commit != record.commit) {
        next.waits = 0;
    }
    let again = time.plus(doubled(FIRST_WAIT, next.waits));
    next.due = Some(next.due.filter(|due| *due > time).map_or(again, |due| due.min(again)));
    next.waits = next.waits.saturating_add(1);
}

fn look(index: u64, record: &DecisionRecord) -> Look {
    Look {
        attempt: record.attempt,
        began: record.began,
        index,
        commit: record.commit.clone(),
        closure: record.closure,
        bundle: record.bundle,
        verdict: record.verdict,
        disposition: record.disposition,
        reason: record.reason.clone(),
        decision: record.decision,
    }
}

fn first(latest: Look, record: &DecisionRecord) -> TargetState {
    TargetState {
        target: record.target.clone(),
        follows: record.follows.clone(),
        as_of: 0,
        latest,
        wanted: None,
        running: None,
        outcome: None,
        drift: None,
        hold: None,
        commanded: None,
        failures: 0,
        waits: 0,
        due: None,
    }
}

/// A retry of what is wanted says nothing about a denied tip, which stays the latest look.
fn is_retry_beside_a_denial(state: &TargetState, record: &DecisionRecord) -> bool {
    let running = state.running.as_ref().map(|running| running.sequence);
    let retried = state.wanted.as_ref().filter(|wanted| Some(wanted.sequence) != running);
    state.latest.disposition == Disposition::Refused
        && state.latest.commit != record.commit
        && retried.is_some_and(|wanted| wanted.commit == record.commit)
}

fn authorize(state: &mut TargetState, index: u64, time: Timestamp, record: &DecisionRecord) {
    let mut authorized = Authorized {
        attempt: record.attempt,
        sequence: index,
        operation: record.operation,
        commit: record.commit.clone(),
        closure: record.closure,
        manifest: record.manifest,
        decision: record.decision,
        time,
        since: Some(record.began),
    };
    if let Some(before) = state.wanted.as_ref().filter(|wanted| wanted.commit == record.commit) {
        authorized.since = Some(before.since().min(record.began));
    }
    match record.operation {
        Operation::Hold => state.hold.clone_from(&record.hold),
        Operation::Release => state.hold = None,
        Operation::Activate => {
            state.running = Some(authorized.clone());
            state.wanted = Some(authorized);
        }
        Operation::Deploy | Operation::Rollback | Operation::Remove => {
            // A removal accepts nothing that its commit holds: should the target come back, its next change is
            // measured from what was last deployed.
            let before = state.wanted.as_ref().filter(|_| record.operation == Operation::Remove);
            if let Some(before) = before {
                authorized.commit = before.commit.clone();
            }
            let same = state.wanted.as_ref().is_some_and(|wanted| wanted.manifest == record.manifest);
            if !same {
                state.failures = 0;
            }
            state.wanted = Some(authorized);
            state.outcome = None;
            state.due = Some(time.plus(authorization::LIFETIME + GRACE));
        }
    }
}

/// What is wanted is what this commit asks for: the next change is measured from here. A command and a removal
/// say nothing of what their commit holds, which may be what nobody approved.
fn advance(state: &mut TargetState, record: &DecisionRecord) {
    if matches!(record.operation, Operation::Hold | Operation::Release | Operation::Remove) {
        return;
    }
    let sequence = state.wanted.as_ref().map(|wanted| wanted.sequence);
    for at in [&mut state.wanted, &mut state.running].into_iter().flatten() {
        if Some(at.sequence) == sequence {
            at.commit = record.commit.clone();
            at.closure = record.closure;
        }
    }
}

/// The target's state after an outcome at `index`.
#[must_use]
pub fn outcome(state: &TargetState, index: u64, time: Timestamp, record: &OutcomeRecord) -> TargetState {
    let mut next = state.clone();
    if state.as_of > index {
        return next;
    }
    next.as_of = index + 1;
    if record.result.is_drift() {
        next.drift = drift(state, time, record);
        return next;
    }
    let Some(wanted) = state.wanted.as_ref().filter(|wanted| wanted.attempt == record.attempt) else {
        return next;
    };
    if has_ended(state.outcome.as_ref(), record) {
        return next;
    }
    if !is_late(state.outcome.as_ref(), record) {
        next.outcome = Some(latest_outcome(time, record));
    }
    match record.result {
        // Health is only ever followed of what was applied.
        OutcomeResult::Applied
        | OutcomeResult::Removed
        | OutcomeResult::Healthy
        | OutcomeResult::Unhealthy => {
            // What another change wrote is not what was compared.
            if state.running.as_ref().is_none_or(|running| running.sequence != wanted.sequence) {
                next.drift = None;
            }
            next.running = Some(wanted.clone());
            next.failures = 0;
            // What was denied at the tip may have waited for no more than this.
            let beside =
                state.latest.disposition == Disposition::Refused && state.latest.commit != wanted.commit;
            next.due = beside.then_some(time);
        }
        OutcomeResult::Overtaken | OutcomeResult::Drifted { .. } | OutcomeResult::Restored { .. } => {}
        OutcomeResult::Refused { .. } | OutcomeResult::Failed => {
            next.failures = state.failures.saturating_add(1);
            next.due = Some(time.plus(backoff(next.failures)));
        }
    }
    next
}

/// How what runs differs after a report of drift. One that is not of what runs says nothing of it.
fn drift(state: &TargetState, time: Timestamp, record: &OutcomeRecord) -> Option<LatestDrift> {
    let is_of_running = state.running.as_ref().is_some_and(|running| running.attempt == record.attempt);
    let known = state.drift.clone();
    match record.result {
        OutcomeResult::Drifted { .. } if is_of_running => {
            let since = known.map_or(time, |known| known.since);
            Some(LatestDrift { details: record.details, since })
        }
        OutcomeResult::Restored { .. } if is_of_running => None,
        _ => known,
    }
}

/// Whether all was said of the attempt before: what is logged after that changes nothing.
fn has_ended(known: Option<&LatestOutcome>, record: &OutcomeRecord) -> bool {
    known.is_some_and(|known| known.attempt == record.attempt && known.result.is_end())
}

/// Whether this only says that something was written of which is known already what became of it.
fn is_late(known: Option<&LatestOutcome>, record: &OutcomeRecord) -> bool {
    record.result == OutcomeResult::Applied
        && known.is_some_and(|known| {
            known.attempt == record.attempt
                && (known.result.is_end() || known.result == OutcomeResult::Unhealthy)
        })
}

fn latest_outcome(time: Timestamp, record: &OutcomeRecord) -> LatestOutcome {
    LatestOutcome { attempt: record.attempt, result: record.result.clone(), details: record.details, time }
}

/// How long after the given failure in a row the next look is due: doubling from 10 seconds to 10 minutes.
fn backoff(failures: u32) -> Duration {
    doubled(FIRST_RETRY, failures.saturating_sub(1))
}

/// A time that was doubled so often, up to [`LAST_RETRY`].
fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1_u32 << times.min(10)).min(LAST_RETRY)
}

/// A commit's report after a decision at `index`, which leaves the target in `state`.
#[must_use]
pub fn report(
    report: Option<CommitReport>,
    index: u64,
    record: &DecisionRecord,
    state: Option<&TargetState>,
) -> CommitReport {
    let mut next = report.unwrap_or_else(|| CommitReport {
        repository: record.follows.repository.clone(),
        commit: record.commit.clone(),
        as_of: 0,
        targets: std::collections::BTreeMap::new(),
    });
    // A preview never hides what was decided of the same commit once it was merged.
    let key = record.target.to_string();
    // Nor one that was looked at later, by an event in another group.
    let hides = next.targets.get(&key).is_some_and(|known| {
        record.disposition == Disposition::Preview && (!known.preview || known.began > record.began)
    });
    let command = matches!(record.operation, Operation::Hold | Operation::Release);
    if next.as_of > index || hides || command || record.disposition == Disposition::Superseded {
        return next;
    }
    next.as_of = index + 1;
    // When nothing had to be done, the authorization that brought it about speaks for this commit too.
    let wanted = state.and_then(|state| state.wanted.as_ref());
    let bringing = wanted.filter(|_| record.disposition == Disposition::Unchanged);
    let outcome = state.and_then(|state| state.outcome.clone()).filter(|_| bringing.is_some());
    next.targets.insert(
        key,
        TargetReport {
            attempt: bringing.map_or(record.attempt, |wanted| wanted.attempt),
            index,
            began: record.began,
            preview: record.disposition == Disposition::Preview,
            verdict: record.verdict,
            disposition: record.disposition,
            reason: record.reason.clone(),
            decision: record.decision,
            outcome,
        },
    );
    next
}

/// A commit's report after an outcome at `index`.
#[must_use]
pub fn report_outcome(
    mut report: CommitReport,
    index: u64,
    time: Timestamp,
    record: &OutcomeRecord,
) -> CommitReport {
    if report.as_of > index {
        return report;
    }
    report.as_of = index + 1;
    let target = report.targets.get_mut(&record.target.to_string());
    let target = target.filter(|target| target.attempt == record.attempt);
    let says_more = |target: &&mut TargetReport| {
        let known = target.outcome.as_ref();
        !is_late(known, record) && !has_ended(known, record)
    };
    if let Some(target) = target.filter(says_more) {
        target.outcome = Some(latest_outcome(time, record));
    }
    report
}

#[cfg(test)]
mod tests;
