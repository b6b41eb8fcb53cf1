//! What `record` makes of a decision, given what the log holds. Pure.

use countersign_core::authorization;
use countersign_core::decision::{Decision, Verdict};
use countersign_core::facts::Operation;
use countersign_core::leaf::Disposition;
use countersign_core::outcome::OutcomeResult;
use countersign_core::target::{ActiveBundle, TargetState};

/// What the log holds that a decision is held against.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// The active bundle.
    pub active: Option<&'a ActiveBundle>,
    /// The target's state.
    pub target: Option<&'a TargetState>,
    /// A head of the decision that an authorization used already to explain another commit, if any.
    pub head_used_elsewhere: Option<&'a str>,
    /// Whether the command's nonce is spent.
    pub nonce_spent: bool,
    /// The first leaf of the command, if it was superseded before.
    pub first: Option<u64>,
    /// Whether the root key signed this as the recovery of the bundle that is active.
    pub recovers: bool,
    /// Why nothing could follow from the decision, were it allowed.
    pub impossible: Option<String>,
}

/// The verdict that is logged, what follows from it, and why.
#[must_use]
pub fn of(decision: &Decision, standing: &Standing<'_>) -> (Verdict, Disposition, String) {
    let verdict = decision.verdict;
    if decision.preview {
        return (verdict, Disposition::Preview, decision.reason.clone());
    }
    if standing.nonce_spent {
        let why = "the command was carried out before: sign a new one".to_owned();
        return (Verdict::Denied, Disposition::Refused, why);
    }
    if is_outdated(decision, standing) {
        let why =
            "a later hold or release of this target was carried out while this one waited: sign a new one";
        return (Verdict::Denied, Disposition::Refused, why.to_owned());
    }
    if !standing.recovers
        && let Some(why) = superseded(decision, standing)
    {
        return (verdict, Disposition::Superseded, why);
    }
    let allowed = verdict == Verdict::Allowed || standing.recovers;
    if let Some(why) = standing.impossible.as_ref().filter(|_| allowed) {
        return (Verdict::Denied, Disposition::Refused, why.clone());
    }
    if standing.recovers {
        let why = "recovered by the root key, the only way around policy".to_owned();
        return (Verdict::Allowed, Disposition::Authorized, why);
    }
    let disposition = match verdict {
        Verdict::Denied | Verdict::Pending => Disposition::Refused,
        Verdict::Allowed if runs_already(decision, standing) => Disposition::Unchanged,
        Verdict::Allowed => Disposition::Authorized,
    };
    (verdict, disposition, decision.reason.clone())
}

/// Whether this is a hold or a release that was superseded, and a later one was carried out since.
fn is_outdated(decision: &Decision, standing: &Standing<'_>) -> bool {
    let last = standing.target.and_then(|target| target.commanded);
    matches!(decision.operation, Operation::Hold | Operation::Release)
        && standing.first.zip(last).is_some_and(|(first, last)| first < last)
}

/// Why the decision was overtaken while it was made, if it was.
fn superseded(decision: &Decision, standing: &Standing<'_>) -> Option<String> {
    if standing.active.is_none_or(|active| active.bundle != decision.bundle) {
        return Some("another bundle became active meanwhile".to_owned());
    }
    // A hold or a release is about the target, whatever was authorized for it meanwhile.
    if matches!(decision.operation, Operation::Hold | Operation::Release) {
        return None;
    }
    if let Some(head) = standing.head_used_elsewhere {
        return Some(format!("head {head} explained another commit meanwhile"));
    }
    let target = standing.target?;
    if target.latest.began > decision.began {
        return Some("a later look at this target was decided before".to_owned());
    }
    // Policy denies every change of a held target, so whoever allowed this one did not see the hold yet.
    let changes = !matches!(decision.operation, Operation::Activate);
    if changes && target.hold.is_some() && decision.verdict == Verdict::Allowed {
        return Some("the target was held meanwhile".to_owned());
    }
    if target.hold.is_none() && decision.found_held() {
        return Some("the target was released meanwhile".to_owned());
    }
    let moved = target.wanted.as_ref().map(|wanted| wanted.sequence) != decision.based_on;
    moved.then(|| "another change of this target was authorized meanwhile".to_owned())
}

/// Whether what an allowed decision asks for is so already.
fn runs_already(decision: &Decision, standing: &Standing<'_>) -> bool {
    let Some(state) = standing.target else { return false };
    match decision.operation {
        Operation::Hold => state.hold.is_some(),
        Operation::Release => state.hold.is_none(),
        Operation::Activate => {
            standing.active.is_some_and(|active| Some(active.bundle) == decision.new_bundle)
        }
        Operation::Deploy | Operation::Rollback | Operation::Remove => is_wanted_already(decision, state),
    }
}

/// Whether the same manifest runs already, or is on its way under an authorization that is still good.
fn is_wanted_already(decision: &Decision, state: &TargetState) -> bool {
    // Where nothing was ever deployed there is nothing to remove.
    let Some(wanted) = &state.wanted else { return decision.operation == Operation::Remove };
    let removes = |operation| operation == Operation::Remove;
    let same =
        wanted.manifest == decision.manifest && removes(wanted.operation) == removes(decision.operation);
    // What was applied and failed later, before it was healthy, is followed by nobody: it is applied again.
    let told = state.outcome.as_ref().filter(|outcome| outcome.attempt == wanted.attempt);
    let failed =
        told.is_some_and(|told| matches!(told.result, OutcomeResult::Failed | OutcomeResult::Refused { .. }));
    let runs = !failed && state.running.as_ref().is_some_and(|running| running.sequence == wanted.sequence);
    let on_its_way = state.outcome.is_none() && decision.began.since(wanted.time) < authorization::LIFETIME;
    same && (runs || on_its_way)
}

#[cfg(test)]
mod tests;
