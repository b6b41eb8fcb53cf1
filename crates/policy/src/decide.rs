//! From facts and a bundle to a decision. Total: whatever goes wrong is a part of the result, and denies.

use countersign_core::configuration::Configuration;
use countersign_core::decision::{
    DECISION_VERSION, Decision, Needs, RuleOutcome, RuleResult, Severity, Verdict,
};
use countersign_core::digest::Digest;
use countersign_core::facts::{FACTS_VERSION, Facts, Operation, Render};
use countersign_core::signatures::VerifiedSignatures;
use countersign_core::statement::SignedStatement;

use crate::approval::{Evidence, Requirement};
use crate::bundle::Bundle;
use crate::engine::{ENGINE, Rules};
use crate::input::Input;
use crate::path::{self, Path};
use crate::waiver::Waiver;

mod command;
mod findings;
mod own;
mod reason;

/// What the decision is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It may be authorized.
    Enforce,
    /// A pull request is previewed: what needs reviews may still be pending.
    Preview,
    /// Someone asks on a laptop.
    Check {
        /// Whether what needs reviews or statuses fails, instead of being pending.
        strict: bool,
    },
}

/// The parts of a bundle that decide.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub digest: Digest,
    pub configuration: &'a Configuration,
    pub rules: &'a Rules,
    pub waivers: &'a [Waiver],
}

/// Decides on `facts`, whose blob is named `facts_digest`, under `bundle`.
///
/// The same facts, bundle and signatures give the same decision, byte for byte.
#[must_use]
pub fn decide(
    bundle: &Bundle,
    facts: &Facts,
    facts_digest: Digest,
    signatures: &VerifiedSignatures,
    mode: Mode,
) -> Decision {
    let ground = Ground {
        digest: *bundle.digest(),
        configuration: bundle.configuration(),
        rules: bundle.rules(),
        waivers: bundle.waivers(),
    };
    decide_on(ground, facts, facts_digest, signatures, mode)
}

/// Decides on `facts` under the parts of a bundle.
pub(crate) fn decide_on(
    ground: Ground<'_>,
    facts: &Facts,
    facts_digest: Digest,
    signatures: &VerifiedSignatures,
    mode: Mode,
) -> Decision {
    let preview = facts.preview || mode == Mode::Preview;
    let mut judged = Judged::default();
    judge(ground, facts, signatures, &mut judged);
    judged.rules.sort_by(|a, b| a.rule.cmp(&b.rule));
    let verdict = findings::verdict(&mut judged.rules, |needs| match needs {
        Needs::Review => preview || mode == Mode::Check { strict: false },
        Needs::Status => mode != Mode::Check { strict: true },
    });
    let reason = reason::of(verdict, &judged.rules, &judged.evidence, &judged.path);
    let held = facts.change.operation == Operation::Hold && verdict == Verdict::Allowed;
    Decision {
        v: DECISION_VERSION,
        attempt: facts.attempt,
        target: facts.target.target.clone(),
        follows: facts.target.follows.clone(),
        began: facts.time,
        based_on: facts.history.sequence,
        preview,
        operation: facts.change.operation,
        commit: facts.change.commit.clone(),
        tree: facts.change.tree.clone(),
        closure: facts.change.closure,
        manifest: facts.manifest,
        objects: facts.objects.iter().map(|object| object.key.clone()).collect(),
        namespaces: facts.target.namespaces.clone(),
        cluster_kinds: facts.target.cluster_kinds.clone(),
        adopt: facts.target.adopt,
        facts: facts_digest,
        bundle: ground.digest,
        new_bundle: facts.change.new_bundle,
        hold: judged.command.as_ref().filter(|_| held).and_then(|statement| command::hold(statement, facts)),
        command: judged.command,
        engine: ENGINE.to_owned(),
        verdict,
        reason,
        rules: judged.rules,
        approvals: judged.evidence.approvals,
        statuses: judged.evidence.statuses,
        explained: judged.path.heads,
    }
}

/// What a decision is put together from.
#[derive(Default)]
struct Judged {
    rules: Vec<RuleResult>,
    evidence: Evidence,
    path: Path,
    command: Option<SignedStatement>,
}

/// Finds everything that speaks for and against a change. What makes all further questions pointless
/// ends it.
fn judge(ground: Ground<'_>, facts: &Facts, signatures: &VerifiedSignatures, judged: &mut Judged) {
    judged.command = command::asked(facts).cloned();
    if facts.v != FACTS_VERSION {
        let message =
            format!("facts of version {} are not understood: this release reads {FACTS_VERSION}", facts.v);
        return judged.rules.push(own::facts(&message));
    }
    if facts.bundle != ground.digest {
        let message =
            format!("the facts were gathered under {}, and {} decides", facts.bundle, ground.digest);
        return judged.rules.push(own::facts(&message));
    }
    if let Operation::Hold | Operation::Release = facts.change.operation {
        return judged.rules.push(command::judge(ground.configuration, facts, signatures));
    }
    if let Some(recovery) = command::recovery(facts) {
        return judged.rules.push(recovery);
    }
    if let Render::Failed { problems } = &facts.render {
        return judged.rules.push(own::render(problems));
    }
    let Some(requirement) = Requirement::of(ground.configuration, facts) else {
        let message = format!("{} is not configured, or its cluster is retired", facts.target.target);
        return judged.rules.push(own::facts(&message));
    };
    judged.evidence = Evidence::weigh(ground.configuration, facts, signatures, &requirement);
    judged.path = path::choose(facts, &judged.evidence, requirement.exact);
    judged.rules.extend(own::hold(facts));
    judged.rules.extend(own::activation(facts));
    judged.rules.extend(requirement.exact.then(|| own::exact(facts, &judged.path)));
    if ground.rules.is_empty() {
        return judged.rules.push(own::no_rules());
    }
    let input =
        Input::of(ground.configuration, facts, signatures, &requirement, &judged.evidence, &judged.path);
    match serde_json::to_value(&input) {
        Ok(input) => judged.rules.extend(findings::of_rules(ground, facts, &input)),
        Err(error) => {
            judged.rules.push(own::facts(&format!("the facts cannot be shown to policies: {error}")))
        }
    }
}

/// Whether a result denies.
fn denies(result: &RuleResult) -> bool {
    let bad = matches!(result.outcome, RuleOutcome::Failed | RuleOutcome::Errored | RuleOutcome::OverBudget);
    bad && result.severity == Severity::Error
}

#[cfg(test)]
mod tests;
