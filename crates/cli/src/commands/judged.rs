//! A decision as people read it: each rule that did not pass with its reason, place and remedy.

use countersign_core::decision::{
    Approval, Decision, RuleOutcome, RuleResult, Severity, Violation, WeighedStatus,
};
use countersign_core::facts::{ChangeKind, FieldDiff, ObjectDiff, Problem};
use countersign_core::tree::Tree;
use serde_json::Value;

use super::problems;
use super::shown::{Cell, clean, counted, prose, short, table};
use crate::output::{Paint, paint};

/// Findings of one rule, objects, and fields of one object that are listed before the rest is counted.
const MAX_LISTED: usize = 20;

/// The most bytes of a file whose lines are shown.
const MAX_FILE: u64 = 1024 * 1024;

/// The most characters of a value that are shown.
const MAX_VALUE: usize = 60;

/// Every rule that did not pass, the heaviest first, and how many passed. `line_of` gives a file's line.
#[must_use]
pub fn rules(decision: &Decision, line_of: &impl Fn(&str, u32) -> Option<String>, colored: bool) -> String {
    let mut open: Vec<_> = decision.rules.iter().filter(|rule| rule.outcome != RuleOutcome::Passed).collect();
    open.sort_by_key(|rule| weight(rule));
    let mut parts: Vec<_> = open.iter().map(|rule| rule_text(rule, line_of, colored)).collect();
    let passed = decision.rules.len() - open.len();
    if passed > 0 {
        parts.push(format!("  {} {}", paint(Paint::Good, "passes ", colored), counted(passed, "rule")));
    }
    parts.join("\n")
}

fn weight(rule: &RuleResult) -> u8 {
    match (rule.outcome, rule.severity) {
        (RuleOutcome::Passed, _) => 4,
        (RuleOutcome::Waived, _) => 3,
        (_, Severity::Warning) => 2,
        (RuleOutcome::Pending, Severity::Error) => 1,
        (RuleOutcome::Failed | RuleOutcome::Errored | RuleOutcome::OverBudget, Severity::Error) => 0,
    }
}

fn word(rule: &RuleResult) -> Cell {
    match weight(rule) {
        0 => ("denies", Paint::Bad).into(),
        1 => ("pending", Paint::Open).into(),
        2 => ("warns", Paint::Open).into(),
        3 => ("waived", Paint::Dim).into(),
        _ => ("passes", Paint::Good).into(),
    }
}

fn rule_text(rule: &RuleResult, line_of: &impl Fn(&str, u32) -> Option<String>, colored: bool) -> String {
    let word = word(rule);
    let fill = " ".repeat(7_usize.saturating_sub(word.text.len()));
    let mut text = format!(
        "  {}{fill} {}  {}",
        word.painted(colored),
        paint(Paint::Bold, &rule.rule, colored),
        clean(&rule.title)
    );
    match rule.outcome {
        RuleOutcome::Errored => text += " (it did not answer, which denies)",
        RuleOutcome::OverBudget => text += " (it did more work than its budget allows, which denies)",
        RuleOutcome::Passed | RuleOutcome::Failed | RuleOutcome::Waived | RuleOutcome::Pending => {}
    }
    for violation in rule.violations.iter().take(MAX_LISTED) {
        text += &format!("\n{}", indented(&violation_text(violation, line_of, colored), 4));
    }
    text += &more(rule.violations.len(), 4);
    if rule.outcome == RuleOutcome::Waived {
        return text;
    }
    for (label, prose_text) in [("why", &rule.description), ("fix", &rule.remedy)] {
        if !prose_text.is_empty() {
            text += &format!("\n{}", paint(Paint::Dim, &prose(4, label, prose_text), colored));
        }
    }
    if !rule.controls.is_empty() {
        text += &format!("\n{}", paint(Paint::Dim, &prose(4, "for", &rule.controls.join(", ")), colored));
    }
    text
}

/// A finding: its place with the line that is there, what is wrong, and of which object.
fn violation_text(
    violation: &Violation,
    line_of: &impl Fn(&str, u32) -> Option<String>,
    colored: bool,
) -> String {
    let mut message = clean(&violation.message);
    if let Some(waiver) = &violation.waiver {
        message += &format!(" (waived by {})", clean(waiver));
    }
    let mut text = match &violation.at {
        Some(at) => {
            let problem = Problem { message, at: at.clone(), help: None };
            problems::text(&[problem], line_of, colored)
        }
        None => message,
    };
    let object = violation.object.as_ref().map(ToString::to_string);
    let field = violation.field.as_ref().map(|field| format!("field {}", clean(field)));
    let place: Vec<_> = object.into_iter().chain(field).collect();
    if !place.is_empty() {
        text += &format!("\n  {}", paint(Paint::Dim, &clean(&place.join(", ")), colored));
    }
    text
}

/// Every approval: whose, of what, and whether it counts.
#[must_use]
pub fn approvals(approvals: &[Approval], colored: bool) -> String {
    let row = |approval: &Approval| {
        let who = approval.person.as_ref().map_or_else(|| clean(&approval.shown_as), ToString::to_string);
        let signed = if approval.signed { "signed" } else { "not signed" };
        let head = short(approval.head.as_str());
        vec![
            Cell::from(format!("    {who}")),
            head.into(),
            signed.into(),
            counted_or_not(approval.counts),
            clean(&approval.reason).into(),
        ]
    };
    table(&approvals.iter().map(row).collect::<Vec<_>>(), colored)
}

/// Every status of other programs: which, on what, and whether it counts.
#[must_use]
pub fn statuses(statuses: &[WeighedStatus], colored: bool) -> String {
    let row = |status: &WeighedStatus| {
        vec![
            Cell::from(format!("    {}", clean(&status.context))),
            short(status.head.as_str()).into(),
            counted_or_not(status.counts),
            clean(&status.reason).into(),
        ]
    };
    table(&statuses.iter().map(row).collect::<Vec<_>>(), colored)
}

fn counted_or_not(counts: bool) -> Cell {
    if counts { ("counts", Paint::Good).into() } else { ("does not count", Paint::Bad).into() }
}

/// What differs, object by object and field by field.
#[must_use]
pub fn diff(objects: &[ObjectDiff], colored: bool) -> String {
    let lines: Vec<_> = objects.iter().take(MAX_LISTED).map(|object| object_text(object, colored)).collect();
    lines.join("\n") + &more(objects.len(), 4)
}

fn object_text(object: &ObjectDiff, colored: bool) -> String {
    let (mark, meaning) = match object.change {
        ChangeKind::Added => ("+", Paint::Good),
        ChangeKind::Changed => ("~", Paint::Open),
        ChangeKind::Removed => ("-", Paint::Bad),
    };
    let mut text = paint(meaning, &format!("    {mark} {}", clean(&object.key.to_string())), colored);
    for field in object.fields.iter().take(MAX_LISTED) {
        text += &format!("\n        {}", field_text(field));
    }
    text + &more(object.fields.len(), 8)
}

fn field_text(field: &FieldDiff) -> String {
    let name = clean(&field.field);
    match (&field.before, &field.after) {
        (Some(before), Some(after)) => format!("{name}: {} → {}", value(before), value(after)),
        (None, Some(after)) => format!("{name}: new, {}", value(after)),
        (Some(before), None) => format!("{name}: gone, was {}", value(before)),
        (None, None) => name,
    }
}

fn value(value: &Value) -> String {
    let text = clean(&value.to_string());
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A line of a file of `tree`, as far as it can be read.
#[must_use]
pub fn line_in(tree: &impl Tree, file: &str, line: u32) -> Option<String> {
    let text = String::from_utf8(tree.read(file, MAX_FILE).ok()??).ok()?;
    text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?).map(str::to_owned)
}

/// How many of `count` are not listed.
fn more(count: usize, indent: usize) -> String {
    match count.checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        Some(more) => format!("\n{}and {more} more", " ".repeat(indent)),
        None => String::new(),
    }
}

fn indented(text: &str, by: usize) -> String {
    let start = " ".repeat(by);
    text.lines().map(|line| format!("{start}{line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
