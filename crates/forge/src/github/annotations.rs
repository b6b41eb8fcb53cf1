//! What rules found, as annotations of the lines at fault.

use countersign_core::decision::{RuleOutcome, RuleResult, Severity, Violation};
use countersign_core::ports::forge::Report;
use serde::Serialize;

/// The most annotations of a check run: what is more is in its text.
const MAX_ANNOTATIONS: usize = 500;

/// The most bytes of an annotation's message; GitHub takes 64 KiB.
const MAX_MESSAGE: usize = 8 * 1024;

/// The most characters of a title.
const MAX_TITLE: usize = 255;

/// An annotation of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Annotation {
    path: String,
    start_line: u32,
    end_line: u32,
    annotation_level: &'static str,
    title: String,
    message: String,
}

/// The annotations of a report, those that deny first, each once however many targets have it.
pub(super) fn of(report: &Report) -> Vec<Annotation> {
    let rules = report.targets.iter().flat_map(|target| &target.decision.rules);
    let mut failing: Vec<&RuleResult> = rules
        .filter(|rule| {
            !matches!(rule.outcome, RuleOutcome::Passed | RuleOutcome::Waived | RuleOutcome::Pending)
        })
        .collect();
    failing.sort_by_key(|rule| rule.severity == Severity::Warning);
    let mut annotations = Vec::new();
    for (rule, violation) in failing.iter().flat_map(|rule| rule.violations.iter().map(|one| (*rule, one))) {
        if let Some(annotation) = annotation(rule, violation)
            && !annotations.contains(&annotation)
            && annotations.len() < MAX_ANNOTATIONS
        {
            annotations.push(annotation);
        }
    }
    annotations
}

/// The annotation of a violation that is not waived and has a place.
fn annotation(rule: &RuleResult, violation: &Violation) -> Option<Annotation> {
    let at = violation.at.as_ref().filter(|_| violation.waiver.is_none())?;
    let mut message = violation.message.clone();
    if !rule.remedy.is_empty() {
        message += &format!("\n\nWhat to do: {}", rule.remedy);
    }
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    Some(Annotation {
        path: at.file.clone(),
        start_line: at.line.max(1),
        end_line: at.line.max(1),
        annotation_level: if rule.severity == Severity::Error { "failure" } else { "warning" },
        title: rule.title.chars().take(MAX_TITLE).collect(),
        message,
    })
}
