//! A report as text for people: why a commit is where it is, and what to do next. Markdown that reads well
//! as a comment on a pull request and in a terminal.

mod changes;
mod markdown;

use crate::decision::{Approval, Decision, RuleOutcome, RuleResult, Severity, Verdict, Violation};
use crate::leaf::Disposition;
use crate::outcome::{Action, Outcome, OutcomeResult};
use crate::ports::forge::{Report, ReportedTarget};
use markdown::{code, plain, short};

/// The most bytes of a report: comments and check runs take 65,535 characters.
const MAX_REPORT: usize = 60_000;

/// Findings of one rule, approvals, or objects that are listed before the rest is counted.
const MAX_LISTED: usize = 25;

/// The report as Markdown. The same report gives the same text.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut text = format!("# {} in {}: {}\n\n", applications(report), report.environment, headline(report));
    text += &format!(
        "Commit {} of {}.\n",
        code(short(report.commit.as_str())),
        code(&report.repository.to_string())
    );
    for target in &report.targets {
        text += &section(target);
    }
    cut(text)
}

/// How a commit stands in an environment: what a forge shows as one mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Policy denies.
    Denied,
    /// Only reviews are missing.
    Waiting,
    /// Only reviews were missing when its pull request ended: nobody waits for them any more.
    Abandoned,
    /// It is allowed, and the cluster does not run it as it should.
    Failed,
    /// A pull request that policy would allow.
    WouldBeAllowed,
    /// It runs as it should.
    Deployed,
    /// A newer change or look took its place: nothing more comes of it.
    Overtaken,
    /// It is allowed, and on its way.
    Allowed,
}

impl Standing {
    /// In a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Waiting => "waiting for reviews",
            Self::Abandoned => "ended without its reviews",
            Self::Failed => "failed",
            Self::WouldBeAllowed => "would be allowed",
            Self::Deployed => "deployed",
            Self::Overtaken => "overtaken",
            Self::Allowed => "allowed",
        }
    }
}

/// In a few words: how the commit stands in this environment.
#[must_use]
pub fn headline(report: &Report) -> &'static str {
    standing(report).words()
}

/// How the commit stands in this environment.
#[must_use]
pub fn standing(report: &Report) -> Standing {
    let all =
        |test: fn(&ReportedTarget) -> bool| !report.targets.is_empty() && report.targets.iter().all(test);
    match report.verdict() {
        Verdict::Denied => Standing::Denied,
        Verdict::Pending => Standing::Waiting,
        Verdict::Allowed if report.targets.iter().any(has_failed) => Standing::Failed,
        Verdict::Allowed if all(|target| target.state.preview) => Standing::WouldBeAllowed,
        Verdict::Allowed if all(|target| status(target).1) => Standing::Deployed,
        Verdict::Allowed if all(|target| status(target).1 || is_overtaken(target)) => Standing::Overtaken,
        Verdict::Allowed => Standing::Allowed,
    }
}

fn result(target: &ReportedTarget) -> Option<&OutcomeResult> {
    target.state.outcome.as_ref().map(|outcome| &outcome.result)
}

fn has_failed(target: &ReportedTarget) -> bool {
    matches!(
        result(target),
        Some(OutcomeResult::Unhealthy | OutcomeResult::Failed | OutcomeResult::Refused { .. })
    )
}

/// Whether nothing more comes of this target's decision: what follows is another commit's or another look's.
fn is_overtaken(target: &ReportedTarget) -> bool {
    target.state.disposition == Disposition::Superseded
        || matches!(result(target), Some(OutcomeResult::Overtaken))
}

fn applications(report: &Report) -> String {
    let mut names: Vec<_> = report.targets.iter().map(|target| target.target.application.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// How a target stands, in a sentence, and whether the commit runs there as it should.
fn status(target: &ReportedTarget) -> (&'static str, bool) {
    let state = &target.state;
    let control = target.target.is_control();
    match (state.disposition, state.verdict) {
        (Disposition::Authorized, _) if control => ("Activated: every target is looked at again.", true),
        (Disposition::Refused, Verdict::Denied) if control => ("Denied: nothing was activated.", false),
        (Disposition::Preview, Verdict::Allowed) => ("Preview: policy would allow this change.", false),
        (Disposition::Preview, Verdict::Pending) => ("Preview: only reviews are missing.", false),
        (Disposition::Preview, Verdict::Denied) => ("Preview: policy would deny this change.", false),
        (Disposition::Superseded, _) => {
            ("Superseded: the target or the policy moved meanwhile, another look follows.", false)
        }
        (Disposition::Refused, Verdict::Pending) => ("Not deployed: only reviews are missing.", false),
        (Disposition::Refused, _) => ("Denied: nothing was deployed.", false),
        (Disposition::Unchanged, _) => ("Allowed: what it asks for runs already.", true),
        (Disposition::Authorized, _) => match state.outcome.as_ref().map(|outcome| &outcome.result) {
            None => ("Authorized: not applied yet.", false),
            Some(OutcomeResult::Applied) => ("Applied: waiting for it to become healthy.", false),
            Some(OutcomeResult::Healthy | OutcomeResult::Restored { .. }) => ("Deployed and healthy.", true),
            Some(OutcomeResult::Drifted { .. }) => ("Deployed, and changed by other means since.", false),
            Some(OutcomeResult::Unhealthy) => ("Applied, but it did not become healthy.", false),
            Some(OutcomeResult::Removed) => ("Removed: everything that it owned is deleted.", true),
            Some(OutcomeResult::Refused { .. }) => {
                ("Authorized, but the cluster's side refused it: nothing was written.", false)
            }
            Some(OutcomeResult::Failed) => {
                ("Authorized, but applying failed: another attempt follows.", false)
            }
            Some(OutcomeResult::Overtaken) => ("Overtaken by a newer change.", false),
        },
    }
}

fn section(target: &ReportedTarget) -> String {
    let decision = &target.decision;
    let mut text =
        format!("\n## {}\n\n**{}** {}\n", target.target, status(target).0, plain(&decision.reason));
    let failing = |rule: &&RuleResult| !matches!(rule.outcome, RuleOutcome::Passed | RuleOutcome::Waived);
    let mut rules: Vec<_> = decision.rules.iter().filter(failing).collect();
    rules.sort_by_key(|rule| (rule.severity == Severity::Warning, rule.outcome == RuleOutcome::Pending));
    for rule in rules {
        text += &rule_text(rule);
    }
    text += &waived(decision);
    text += &passed(decision);
    text += &approvals(&decision.approvals);
    text += &outcome(target.outcome.as_ref());
    text + &changes::changes(target)
}

/// One rule that did not pass: what, where, why, and what to do.
fn rule_text(rule: &RuleResult) -> String {
    let how = match (rule.outcome, rule.severity) {
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

fn waived(decision: &Decision) -> String {
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

fn passed(decision: &Decision) -> String {
    let passed = decision.rules.iter().filter(|rule| rule.outcome == RuleOutcome::Passed).count();
    match passed {
        0 => String::new(),
        1 => "\n1 rule passed.\n".to_owned(),
        more => format!("\n{more} rules passed.\n"),
    }
}

fn approvals(approvals: &[Approval]) -> String {
    if approvals.is_empty() {
        return String::new();
    }
    let line = |approval: &Approval| {
        let who = match &approval.person {
            Some(person) => format!("{person} ({})", code(&approval.shown_as)),
            None => code(&approval.shown_as),
        };
        let signed = if approval.signed { "signed" } else { "not signed" };
        let counts = if approval.counts { "counts" } else { "does not count" };
        let head = code(short(approval.head.as_str()));
        format!("- {who} on {head}, {signed}: **{counts}**, {}\n", plain(&approval.reason))
    };
    format!("\n### Approvals\n\n{}", list(approvals, line))
}

fn outcome(outcome: Option<&Outcome>) -> String {
    let Some(outcome) = outcome else { return String::new() };
    let line = |object: &crate::outcome::ObjectOutcome| {
        let action = match object.action {
            Action::Created => "created",
            Action::Configured => "configured",
            Action::Unchanged => "unchanged",
            Action::Deleted => "deleted",
            Action::Skipped => "skipped",
            Action::Observed => "observed",
        };
        let message =
            object.message.as_deref().map(|message| format!(": {}", plain(message))).unwrap_or_default();
        format!("- {} {action}{message}\n", code(&object.key.to_string()))
    };
    let telling: Vec<_> = outcome
        .objects
        .iter()
        .filter(|object| object.action != Action::Unchanged || object.message.is_some())
        .collect();
    let list = list(&telling, |object| line(object));
    format!(
        "\n### On the cluster\n\n{}\n{}{list}",
        plain(&outcome.summary),
        if list.is_empty() { "" } else { "\n" }
    )
}

/// The first of `items` as lines, and how many more there are.
fn list<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    let mut text: String = items.iter().take(MAX_LISTED).map(line).collect();
    if let Some(more) = items.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        text += &format!("- and {more} more\n");
    }
    text
}

/// Cuts at the end of a line, and says so.
fn cut(mut text: String) -> String {
    if text.len() > MAX_REPORT {
        let end = text.floor_char_boundary(MAX_REPORT);
        text.truncate(text.get(..end).and_then(|kept| kept.rfind('\n')).map_or(end, |line| line + 1));
        text += "\nThe rest is left out: the log holds the whole decision.\n";
    }
    text
}

#[cfg(test)]
mod tests;
