//! From what rules answer to results: places, waivers, and what may still be pending.

use countersign_core::decision::{Needs, RuleOutcome, RuleResult, Severity, Verdict, Violation};
use countersign_core::facts::{Facts, ObjectKey, Position};

use super::{Ground, denies};
use crate::engine::{Answer, Finding, Rule};
use crate::waiver;

/// The results of every rule, in the order of their names.
pub fn of_rules(ground: Ground<'_>, facts: &Facts, input: &serde_json::Value) -> Vec<RuleResult> {
    ground
        .rules
        .evaluate(input)
        .into_iter()
        .map(|(rule, answer)| result(ground, facts, rule, answer))
        .collect()
}

fn result(ground: Ground<'_>, facts: &Facts, rule: &Rule, answer: Answer) -> RuleResult {
    let unanswered = |reason: String| {
        vec![Violation { message: reason, object: None, field: None, at: None, waiver: None }]
    };
    let (outcome, violations) = match answer {
        Answer::Errored(reason) => (RuleOutcome::Errored, unanswered(reason)),
        Answer::OverBudget(reason) => (RuleOutcome::OverBudget, unanswered(reason)),
        Answer::Found(findings) => {
            let found: Vec<_> =
                findings.into_iter().map(|found| violation(ground, facts, &rule.name, found)).collect();
            let waived = found.iter().filter(|violation| violation.waiver.is_some()).count();
            let outcome = match (found.len(), found.len() - waived) {
                (0, _) => RuleOutcome::Passed,
                (_, 0) => RuleOutcome::Waived,
                // What needs something becomes a failure where that can exist.
                _ if rule.metadata.custom.needs.is_some() => RuleOutcome::Pending,
                _ => RuleOutcome::Failed,
            };
            (outcome, found)
        }
    };
    RuleResult {
        rule: rule.name.clone(),
        title: rule.metadata.title.clone(),
        description: rule.metadata.description.clone(),
        remedy: rule.metadata.custom.remedy.clone(),
        severity: rule.metadata.custom.severity,
        controls: rule.metadata.custom.controls.clone(),
        outcome,
        waits_for: rule.metadata.custom.needs.filter(|_| outcome == RuleOutcome::Pending),
        violations,
    }
}

fn violation(ground: Ground<'_>, facts: &Facts, rule: &str, found: Finding) -> Violation {
    let at = found.object.as_ref().and_then(|object| place(facts, object, found.field.as_deref()));
    let mut violation =
        Violation { message: found.message, object: found.object, field: found.field, at, waiver: None };
    let waiver = waiver::excuse(ground.waivers, rule, &facts.target.target, facts.time, &violation);
    violation.waiver = waiver.map(|waiver| waiver.id.clone());
    violation
}

/// Where the cause is: the line of the field or of the nearest field around it, else of the object.
fn place(facts: &Facts, object: &ObjectKey, field: Option<&str>) -> Option<Position> {
    let known = facts.objects.iter().find(|known| known.key.same_object(object))?;
    let mut pointer = field.unwrap_or_default();
    loop {
        if let Some(line) = known.lines.get(pointer).filter(|_| !pointer.is_empty()) {
            let file = known.files.get(pointer).unwrap_or(&known.origin.file);
            return Some(Position { file: file.clone(), line: *line });
        }
        match pointer.rsplit_once('/') {
            Some((around, _)) => pointer = around,
            None => return Some(known.origin.clone()),
        }
    }
}

/// The verdict. A rule that waits for what may not be waited for fails. Without any result, nothing was asked, and
/// nothing is allowed.
pub fn verdict(results: &mut [RuleResult], may_wait: impl Fn(Needs) -> bool) -> Verdict {
    for result in results.iter_mut().filter(|result| result.waits_for.is_some_and(|needs| !may_wait(needs))) {
        result.outcome = RuleOutcome::Failed;
        result.waits_for = None;
    }
    let waits =
        |result: &RuleResult| result.outcome == RuleOutcome::Pending && result.severity == Severity::Error;
    if results.is_empty() || results.iter().any(denies) {
        Verdict::Denied
    } else if results.iter().any(waits) {
        Verdict::Pending
    } else {
        Verdict::Allowed
    }
}
