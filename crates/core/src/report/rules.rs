//! What rules came to.

use super::list;
use super::markdown::{code, plain};
use crate::decision::{Decision, Needs, RuleOutcome, RuleResult, Severity, Violation};

/// One rule that did not pass: what, where, why, and what to do.
pub fn failing(rule: &RuleResult) -> String {
    let how = match (rule.outcome, rule.severity) {
        (RuleOutcome::Pending, _) if rule.waits_for == Some(Needs::Status) => "waits for statuses",
        (RuleOutcome::Pending, _) => "waits for reviews",
        (RuleOutcome::Errored, _) => "did not answer, which denies",
        (RuleOutcome::OverBudget, _) => "did more work than its budget allows, which denies",
        (_, Severity::Error) => "denies",
        (_, Severity::Warning) => "warns",
    };
    let mut text = format!("\n### {}: {how}\n\n", plain(&rule.title));
    text += &list(&rule.violations, violation);
    if !rule.description.is_empty() {
        text += &format!("\nWhy: {}\n", plain(&rule.description));
    }
    if !rule.remedy.is_empty() {
        text += &format!("\nWhat to do: {}\n", plain(&rule.remedy));
    }
    let controls = if rule.controls.is_empty() {
        String::new()
    } else {
        format!(", {}", plain(&rule.controls.join(", ")))
    };
    text + &format!("\nRule {}{controls}\n", code(&rule.rule))
}

fn violation(violation: &Violation) -> String {
    let mut text = String::from("- ");
    if let Some(at) = &violation.at {
        text += &format!("{}: ", code(&at.to_string()));
    }
    text += &plain(&violation.message);
    let object = violation.object.as_ref().map(|object| code(&object.to_string()));
    let field = violation.field.as_ref().map(|field| format!("field {}", code(field)));
    let place: Vec<_> = [object, field].into_iter().flatten().collect();
    if !place.is_empty() {
        text += &format!(" ({})", place.join(", "));
    }
    if let Some(waiver) = &violation.waiver {
        text += &format!(", waived by {}", code(waiver));
    }
    text + "\n"
}

/// What was found, and is excused.
pub fn waived(decision: &Decision) -> String {
    let waived: Vec<_> = decision
        .rules
        .iter()
        .filter(|rule| rule.outcome == RuleOutcome::Waived)
        .flat_map(|rule| &rule.violations)
        .collect();
    if waived.is_empty() {
        String::new()
    } else {
        format!("\n### Waived\n\n{}", list(&waived, |found| violation(found)))
    }
}

/// How many rules passed.
pub fn passed(decision: &Decision) -> String {
    let passed = decision.rules.iter().filter(|rule| rule.outcome == RuleOutcome::Passed).count();
    match passed {
        0 => String::new(),
        1 => "\n1 rule passed.\n".to_owned(),
        more => format!("\n{more} rules passed.\n"),
    }
}
