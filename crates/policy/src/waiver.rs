//! Waivers: reviewed exceptions with a scope and an end. [`excuse`] is the one place where any path asks.

use countersign_core::configuration::Configuration;
use countersign_core::decision::Violation;
use countersign_core::facts::Problem;
use countersign_core::names::Target;
use countersign_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::Rules;
use crate::yaml;

/// A file of waivers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WaiverFile {
    /// The waivers.
    waivers: Vec<Entry>,
}

/// A waiver as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    id: String,
    rule: String,
    application: String,
    environment: String,
    #[serde(default)]
    object: Option<String>,
    #[serde(default)]
    field: Option<String>,
    until: Timestamp,
    reason: String,
}

/// A reviewed exception: that it stands in the control repository's active bundle is its approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiver {
    /// Its name, unique in the control repository.
    pub id: String,
    /// The rule whose violations it excuses, as `images.pinned`.
    pub rule: String,
    /// A pattern of application names.
    pub application: String,
    /// A pattern of environment names.
    pub environment: String,
    /// A pattern of objects, as `apps/Deployment shop/web-*`. Without one, all that the rule finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// A pattern of fields, as `/spec/replicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// From this time on it excuses nothing.
    pub until: Timestamp,
    /// Why, for the auditor.
    pub reason: String,
    /// The file that it stands in.
    pub file: String,
    /// The line that it begins on.
    pub line: u32,
}

/// Reads a file of waivers.
///
/// # Errors
/// Every mistake in it, at its line.
pub fn parse(file: &str, text: &str) -> Result<Vec<Waiver>, Vec<Problem>> {
    let (read, document) = yaml::read::<WaiverFile>(file, text)?;
    let mut problems = Vec::new();
    let mut waivers = Vec::new();
    for (index, entry) in read.waivers.into_iter().enumerate() {
        let line = document.line_of(&["waivers", &index.to_string()]);
        let texts = [
            ("id", &entry.id),
            ("rule", &entry.rule),
            ("application", &entry.application),
            ("environment", &entry.environment),
            ("reason", &entry.reason),
        ];
        for (name, text) in texts {
            if text.trim().is_empty() {
                let message = format!("the waiver's {name} is empty");
                problems.push(yaml::problem(file, line, message, "say what is excused, where and why"));
            }
        }
        waivers.push(entry.at(file, line));
    }
    if problems.is_empty() { Ok(waivers) } else { Err(problems) }
}

impl Entry {
    fn at(self, file: &str, line: u32) -> Waiver {
        Waiver {
            id: self.id,
            rule: self.rule,
            application: self.application,
            environment: self.environment,
            object: self.object,
            field: self.field,
            until: self.until,
            reason: self.reason,
            file: file.to_owned(),
            line,
        }
    }
}

/// What is wrong with waivers taken together: two of one id, and patterns that can never match.
#[must_use]
pub fn check(waivers: &[Waiver], rules: &Rules, configuration: &Configuration) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, waiver) in waivers.iter().enumerate() {
        let mut wrong = |message: String, help: &str| {
            problems.push(yaml::problem(&waiver.file, waiver.line, message, help));
        };
        if let Some(first) = waivers.iter().take(index).find(|other| other.id == waiver.id) {
            let message = format!("waiver {} stands in {} already", waiver.id, first.file);
            wrong(message, "give every waiver an id of its own: decisions name it");
        }
        if !rules.iter().any(|rule| rule.name == waiver.rule) {
            let message = format!("waiver {}: no rule is named {}", waiver.id, waiver.rule);
            wrong(message, "write the rule's package, as images.pinned");
        }
        let control = Target::control();
        let applications = configuration.applications.keys().chain([&control.application]);
        if !applications.into_iter().any(|name| matches(&waiver.application, name.as_str())) {
            let message = format!("waiver {}: no application matches {}", waiver.id, waiver.application);
            wrong(message, "write an application's name, or a pattern with *");
        }
        let environments = configuration.environments.keys().chain([&control.environment]);
        if !environments.into_iter().any(|name| matches(&waiver.environment, name.as_str())) {
            let message = format!("waiver {}: no environment matches {}", waiver.id, waiver.environment);
            wrong(message, "write an environment's name, or a pattern with *");
        }
    }
    problems
}

/// The waiver that excuses what `rule` found on `target` at `now`, if one does.
#[must_use]
pub fn excuse<'a>(
    waivers: &'a [Waiver],
    rule: &str,
    target: &Target,
    now: Timestamp,
    violation: &Violation,
) -> Option<&'a Waiver> {
    waivers.iter().find(|waiver| {
        waiver.rule == rule
            && now < waiver.until
            && matches(&waiver.application, target.application.as_str())
            && matches(&waiver.environment, target.environment.as_str())
            && covers(waiver.object.as_deref(), violation.object.as_ref().map(ToString::to_string).as_deref())
            && covers(waiver.field.as_deref(), violation.field.as_deref())
    })
}

/// Whether a pattern covers what was found. A pattern never covers a finding that does not say its place.
fn covers(pattern: Option<&str>, found: Option<&str>) -> bool {
    pattern.is_none_or(|pattern| found.is_some_and(|found| matches(pattern, found)))
}

/// Whether `text` is what `pattern` says, where `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests;
