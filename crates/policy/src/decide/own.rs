//! What the program itself finds: results that no policy can change, named `countersign.*`.

use countersign_core::decision::{RuleOutcome, RuleResult, Severity, Violation};
use countersign_core::facts::{Facts, Operation, Problem};

use crate::approval::short;
use crate::path::{Path, is_as_reviewed};

/// A result of the program's own.
pub fn result(
    name: &str,
    title: &str,
    description: &str,
    remedy: &str,
    violations: Vec<Violation>,
) -> RuleResult {
    RuleResult {
        rule: format!("countersign.{name}"),
        title: title.to_owned(),
        description: description.to_owned(),
        remedy: remedy.to_owned(),
        severity: Severity::Error,
        controls: Vec::new(),
        outcome: if violations.is_empty() { RuleOutcome::Passed } else { RuleOutcome::Failed },
        waits_for: None,
        violations,
    }
}

/// A violation with no place.
pub fn says(message: impl Into<String>) -> Violation {
    Violation { message: message.into(), object: None, field: None, at: None, waiver: None }
}

/// Facts that no decision can be made from.
pub fn facts(message: &str) -> RuleResult {
    result(
        "facts",
        "Facts can be decided on",
        "A decision is made from facts of a known version, gathered under the bundle that decides.",
        "Nothing needs to be changed: the target is looked at again under the active bundle.",
        vec![says(message)],
    )
}

/// Manifests that do not render.
pub fn render(problems: &[Problem]) -> RuleResult {
    let violation = |problem: &Problem| Violation {
        message: match &problem.help {
            Some(help) => format!("{} ({help})", problem.message),
            None => problem.message.clone(),
        },
        object: None,
        field: None,
        at: Some(problem.at.clone()),
        waiver: None,
    };
    let mut violations: Vec<_> = problems.iter().map(violation).collect();
    if violations.is_empty() {
        violations.push(says("the manifests do not render"));
    }
    result(
        "render",
        "Manifests render",
        "What cannot be rendered cannot be judged.",
        "Correct the file at the line that is named.",
        violations,
    )
}

/// A bundle without rules.
pub fn no_rules() -> RuleResult {
    result(
        "rules",
        "Rules are loaded",
        "A change that no rule was asked about is never allowed.",
        "Add rules below policies/ in the control repository.",
        vec![says("the bundle has no rules")],
    )
}

/// A target that takes no change.
pub fn hold(facts: &Facts) -> Option<RuleResult> {
    let hold = facts.history.hold.as_ref()?;
    let changes =
        matches!(facts.change.operation, Operation::Deploy | Operation::Rollback | Operation::Remove);
    changes.then(|| {
        result(
            "hold",
            "The target is not held",
            "A held target takes no change until it is released.",
            "Ask those who hold it to release it: countersign release TARGET.",
            vec![says(format!("{} is held since {}: {}", facts.target.target, hold.since, hold.reason))],
        )
    })
}

/// In an exact environment, what is applied is what was reviewed, not a merge of it with something else.
pub fn exact(facts: &Facts, path: &Path) -> RuleResult {
    let other = path.heads.last().filter(|used| !is_as_reviewed(facts, &used.head));
    let violation = other.map(|used| {
        let (head, commit) = (short(&used.head), short(&facts.change.commit));
        says(format!("{head} was reviewed, and {commit}, which would be applied, renders to other objects"))
    });
    result(
        "exact",
        "The objects are those that were reviewed",
        "This environment takes only objects that its reviewers saw as they are, not a merge of them with \
         something else.",
        "Bring the proposal up to date with its base, and have it reviewed again.",
        violation.into_iter().collect(),
    )
}

/// Another bundle can only become active on the control repository's own target, and must be named.
pub fn activation(facts: &Facts) -> Option<RuleResult> {
    let control = facts.target.target.is_control();
    let activates = facts.change.operation == Operation::Activate;
    let another = facts.change.new_bundle.is_some_and(|bundle| bundle != facts.bundle);
    let message = match (activates, control, facts.change.new_bundle.is_some()) {
        // Facts that show no altering commit leave nothing that an approval could be bound to.
        (true, true, true) if another && facts.range.altering.is_empty() => {
            "no commit in the range brings the new bundle".to_owned()
        }
        (true, true, true) | (false, false, _) => return None,
        (true, true, false) => "the facts name no bundle that is to be active".to_owned(),
        (true, false, _) => format!("{} is not the control repository", facts.target.target),
        (false, true, _) => "the control repository takes no other change than an activation".to_owned(),
    };
    Some(result(
        "activation",
        "An activation is one of the control repository",
        "Which bundle is active is decided on the control repository's own target, and nowhere else.",
        "Change the control repository, and let that change be reviewed.",
        vec![says(message)],
    ))
}
