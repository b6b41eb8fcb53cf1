//! Commands: what a person asks for with a key of theirs.

use countersign_core::configuration::Configuration;
use countersign_core::decision::{RuleResult, Violation};
use countersign_core::facts::{Facts, Hold, Operation};
use countersign_core::signatures::VerifiedSignatures;
use countersign_core::statement::{Command, Says, SignedStatement, Statement};

use super::own::{self, says};
use crate::approval::statements::VERSION;
use crate::approval::votes::{may_command, signatory};

/// The statement that asks for the change, if the facts name one and hold it.
pub fn asked(facts: &Facts) -> Option<&SignedStatement> {
    let wanted = facts.change.command?;
    facts.statements.iter().find(|statement| statement.id() == wanted)
}

/// What an allowed hold holds the target with.
pub fn hold(statement: &SignedStatement, facts: &Facts) -> Option<Hold> {
    match statement.claims().ok()?.says {
        Says::Command { command: Command::Hold { reason, .. }, .. } => {
            Some(Hold { reason, since: facts.time })
        }
        _ => None,
    }
}

/// A recovery goes around policy, so policy never allows one: only the root key's signature does, which
/// `record` verifies.
pub fn recovery(facts: &Facts) -> Option<RuleResult> {
    let statement = asked(facts)?.claims().ok()?;
    let Says::Command { command: Command::Recover { bundle, .. }, .. } = statement.says else { return None };
    let message = format!("policy allows no recovery: only a signature of the root key activates {bundle}");
    Some(result(vec![says(message)]))
}

/// Judges a hold or a release.
pub fn judge(configuration: &Configuration, facts: &Facts, signatures: &VerifiedSignatures) -> RuleResult {
    result(refusal(configuration, facts, signatures).map(says).into_iter().collect())
}

fn result(violations: Vec<Violation>) -> RuleResult {
    own::result(
        "command",
        "A command is signed by someone who may give it",
        "Members of the application's team, and those who approve changes of the control repository, may hold \
         and release its targets.",
        "Sign the command with a key that the control repository knows, and send it before it expires.",
        violations,
    )
}

/// Why a hold or a release is refused.
fn refusal(configuration: &Configuration, facts: &Facts, signatures: &VerifiedSignatures) -> Option<String> {
    let Some(signed) = asked(facts) else {
        return Some("the facts hold no statement that asks for this".to_owned());
    };
    let Some(by) = signatures.statements.get(&signed.id()) else {
        let why = signatures.refused.get(&signed.id().to_string()).map_or("no key made it", String::as_str);
        return Some(format!("the command's signature is not good: {why}"));
    };
    let statement = match signed.claims() {
        Ok(statement) => statement,
        Err(error) => return Some(error.to_string()),
    };
    let person = by.person.as_ref().filter(|person| may_command(facts, configuration).contains(person));
    if person.is_none() {
        let who = signatory(by);
        return Some(format!(
            "{who} is neither in the application's team nor among those who approve changes of the control repository"
        ));
    }
    mismatch(configuration, facts, &statement)
}

/// Why a statement does not ask for this change, here and now.
fn mismatch(configuration: &Configuration, facts: &Facts, statement: &Statement) -> Option<String> {
    if statement.v != VERSION {
        return Some(format!("a command of version {} is not understood", statement.v));
    }
    let repository = &statement.repository;
    if *repository != facts.target.follows.repository && *repository != configuration.control.repository {
        return Some(format!("the command speaks of {repository}"));
    }
    let Says::Command { command, expires } = &statement.says else {
        return Some("the statement is no command".to_owned());
    };
    if facts.time >= *expires {
        return Some(format!("the command expired at {expires}"));
    }
    let (operation, target) = match command {
        Command::Hold { target, .. } => (Operation::Hold, target),
        Command::Release { target } => (Operation::Release, target),
        Command::Recover { .. } => return Some("the command asks for a recovery".to_owned()),
    };
    if operation != facts.change.operation || *target != facts.target.target {
        return Some(format!("the command asks for something else, of {target}"));
    }
    None
}
