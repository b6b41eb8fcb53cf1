//! A report as text for people: why a commit is where it is, and what to do next. Markdown that reads well
//! as a comment on a pull request and in a terminal.

mod changes;
mod evidence;
mod markdown;
mod rules;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::decision::{Decision, Needs, RuleOutcome, RuleResult, Severity, Verdict};
use crate::leaf::Disposition;
use crate::names::Target;
use crate::outcome::{Action, Outcome, OutcomeResult};
use crate::ports::forge::{Report, ReportedTarget};
use crate::target::TargetReport;
use markdown::{code, plain, short};

/// The most bytes of a report: comments and check runs take 65,535 characters.
const MAX_REPORT: usize = 60_000;

/// Findings of one rule, approvals, objects, or targets that are listed before the rest is counted.
const MAX_LISTED: usize = 25;

/// Applications that a title names before the rest is counted.
const MAX_NAMED: usize = 5;

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
    text += &others(report);
    cut(text)
}

/// How a commit stands in an environment: what a forge shows as one mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Policy denies.
    Denied,
    /// Only reviews are missing, or reviews and statuses.
    Waiting,
    /// Only statuses are missing, which other programs set.
    Checking,
    /// It waited when its pull request ended: nobody waits for reviews any more.
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
            Self::Checking => "waiting for statuses",
            Self::Abandoned => "ended while it waited",
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
    let all = |test: fn(&Target, &TargetReport) -> bool| {
        report.states().next().is_some() && report.states().all(|(target, state)| test(target, state))
    };
    match report.verdict() {
        Verdict::Denied => Standing::Denied,
        Verdict::Pending if awaited(report.targets.iter().map(|target| &target.decision)) == "statuses" => {
            Standing::Checking
        }
        Verdict::Pending => Standing::Waiting,
        Verdict::Allowed if report.states().any(|(_, state)| state.has_failed()) => Standing::Failed,
        Verdict::Allowed if all(|_, state| state.preview) => Standing::WouldBeAllowed,
        Verdict::Allowed if all(|target, state| status(target, state).1) => Standing::Deployed,
        Verdict::Allowed if all(|target, state| status(target, state).1 || is_overtaken(state)) => {
            Standing::Overtaken
        }
        Verdict::Allowed => Standing::Allowed,
    }
}

/// What pending decisions wait for, in words.
fn awaited<'a>(decisions: impl Iterator<Item = &'a Decision>) -> &'static str {
    let rules = decisions.flat_map(|decision| &decision.rules);
    let pending = rules.filter(|rule| rule.severity == Severity::Error);
    let awaited: BTreeSet<_> = pending.filter_map(|rule| rule.waits_for).collect();
    match (awaited.contains(&Needs::Review), awaited.contains(&Needs::Status)) {
        (true, true) => "reviews and statuses",
        (false, true) => "statuses",
        (_, false) => "reviews",
    }
}

/// Whether nothing more comes of a target's decision: what follows is another commit's or another look's.
fn is_overtaken(state: &TargetReport) -> bool {
    let result = state.outcome.as_ref().map(|outcome| &outcome.result);
    state.disposition == Disposition::Superseded || matches!(result, Some(OutcomeResult::Overtaken))
}

fn applications(report: &Report) -> String {
    let mut names: Vec<_> = report.states().map(|(target, _)| target.application.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let named = names.get(..MAX_NAMED).unwrap_or(&names).join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// The targets that are told of by how they stand alone, together where they stand alike.
fn others(report: &Report) -> String {
    let mut alike: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
    for (target, state) in &report.others {
        alike.entry(status(target, state).0).or_default().push(target);
    }
    if alike.is_empty() {
        return String::new();
    }
    let mut text = format!("\n## {} more targets\n", report.others.len());
    for (status, targets) in alike {
        let line = |target: &&Target| format!("- {}\n", code(&target.to_string()));
        text += &format!("\n**{status}** {} targets.\n\n{}", targets.len(), list(&targets, line));
    }
    text
}

/// How a target stands, in a sentence that says what is awaited.
fn sentence(target: &ReportedTarget) -> Cow<'static, str> {
    let missing = || awaited(std::iter::once(&target.decision));
    match (target.state.disposition, target.state.verdict) {
        (Disposition::Preview, Verdict::Pending) => {
            format!("Preview: only {} are missing.", missing()).into()
        }
        (Disposition::Refused, Verdict::Pending) => {
            format!("Not deployed: only {} are missing.", missing()).into()
        }
        _ => status(&target.target, &target.state).0.into(),
    }
}

/// How a target stands, in a sentence, and whether the commit runs there as it should.
fn status(target: &Target, state: &TargetReport) -> (&'static str, bool) {
    let control = target.is_control();
    let result = state.outcome.as_ref().map(|outcome| &outcome.result);
    match (state.disposition, state.verdict) {
        (Disposition::Authorized, _) if control => ("Activated: every target is looked at again.", true),
        (Disposition::Refused, Verdict::Denied) if control => ("Denied: nothing was activated.", false),
        (Disposition::Preview, Verdict::Allowed) => ("Preview: policy would allow this change.", false),
        (Disposition::Preview, Verdict::Pending) => ("Preview: something is still awaited.", false),
        (Disposition::Refused, Verdict::Pending) => ("Not deployed: something is still awaited.", false),
        (Disposition::Preview, _) => ("Preview: policy would deny this change.", false),
        (Disposition::Superseded, _) => {
            ("Superseded: the target or the policy moved meanwhile, another look follows.", false)
        }
        (Disposition::Refused, _) => ("Denied: nothing was deployed.", false),
        (Disposition::Unchanged, _) if !matches!(result, Some(OutcomeResult::Healthy)) => {
            ("Allowed: what it asks for runs already.", true)
        }
        (Disposition::Authorized | Disposition::Unchanged, _) => match result {
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
        format!("\n## {}\n\n**{}** {}\n", target.target, sentence(target), plain(&decision.reason));
    let failing = |rule: &&RuleResult| !matches!(rule.outcome, RuleOutcome::Passed | RuleOutcome::Waived);
    let mut rules: Vec<_> = decision.rules.iter().filter(failing).collect();
    rules.sort_by_key(|rule| (rule.severity == Severity::Warning, rule.outcome == RuleOutcome::Pending));
    for rule in rules {
        text += &rules::failing(rule);
    }
    text += &rules::waived(decision);
    text += &rules::passed(decision);
    text += &evidence::approvals(&decision.approvals);
    text += &evidence::statuses(&decision.statuses);
    text += &outcome(target.outcome.as_ref());
    text + &changes::changes(target)
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
