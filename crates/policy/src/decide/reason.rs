//! Why, in one sentence.

use std::collections::BTreeSet;

use countersign_core::decision::{Needs, RuleOutcome, RuleResult, Verdict};
use countersign_core::names::PersonName;

use super::denies;
use crate::approval::Evidence;
use crate::path::Path;

/// The most characters of a message that the sentence repeats.
const MAX_MESSAGE: usize = 300;

/// Why `results` come to `verdict`.
pub fn of(verdict: Verdict, results: &[RuleResult], evidence: &Evidence, path: &Path) -> String {
    match verdict {
        Verdict::Denied => first("Denied by", results.iter().filter(|result| denies(result)))
            .unwrap_or_else(|| "Denied: no rule was asked.".to_owned()),
        Verdict::Pending => {
            let waiting = || results.iter().filter(|result| result.outcome == RuleOutcome::Pending);
            let for_reviews = waiting().any(|result| result.waits_for == Some(Needs::Review));
            let start = if for_reviews { "Waiting for reviews" } else { "Waiting for statuses" };
            first(&format!("{start}, by"), waiting()).unwrap_or_else(|| format!("{start}."))
        }
        Verdict::Allowed => allowed(results, evidence, path),
    }
}

/// The first finding that is not waived, and how many more there are.
fn first<'a>(start: &str, results: impl Iterator<Item = &'a RuleResult>) -> Option<String> {
    let found = results.flat_map(|result| {
        let open = result.violations.iter().filter(|violation| violation.waiver.is_none());
        open.map(|violation| (result.rule.as_str(), violation))
    });
    let mut found = found;
    let (rule, violation) = found.next()?;
    let place = violation.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    let message: String = violation.message.split_whitespace().collect::<Vec<_>>().join(" ");
    let message: String = message.chars().take(MAX_MESSAGE).collect();
    let more = match found.count() {
        0 => String::new(),
        1 => " (and 1 more finding)".to_owned(),
        more => format!(" (and {more} more findings)"),
    };
    Some(format!("{start} {rule}{place}: {}{more}.", message.trim_end_matches('.')))
}

fn allowed(results: &[RuleResult], evidence: &Evidence, path: &Path) -> String {
    let count = |outcome| results.iter().filter(|result| result.outcome == outcome).count();
    let (passed, waived) = (count(RuleOutcome::Passed), count(RuleOutcome::Waived));
    let warned = count(RuleOutcome::Failed) + count(RuleOutcome::Errored) + count(RuleOutcome::OverBudget);
    let rules = if passed == 1 { "rule" } else { "rules" };
    let mut text = format!("Allowed: {passed} {rules} passed");
    if waived > 0 {
        text.push_str(&format!(", {waived} waived"));
    }
    if warned > 0 {
        text.push_str(&format!(", {warned} warned"));
    }
    let approvers: BTreeSet<_> = path.heads.iter().flat_map(|used| evidence.approvers(&used.head)).collect();
    if !approvers.is_empty() {
        let names = approvers.into_iter().map(PersonName::as_str).collect::<Vec<_>>().join(", ");
        text.push_str(&format!("; approved by {names}"));
    }
    text.push('.');
    text
}
