//! What no field says of itself: that names lead somewhere, that no key belongs to two people, and that
//! nothing is configured that could never be satisfied or would open a hole.

mod applications;
mod hosts;
mod people;
mod rules;
mod statuses;

use std::collections::BTreeSet;

use countersign_core::configuration::Configuration;
use countersign_core::facts::Problem;

use crate::yaml::{Content, MAX_PROBLEMS, Node, problem, suggest};

/// The name of the control repository's own target, which nothing else may bear.
const RESERVED: &str = "control";
/// The version of the format that is read.
const VERSION: u32 = 1;

/// Every mistake between the parts of a configuration. `document` is what it was read from: a name that is
/// written there is known, even where its entry has mistakes of its own.
#[must_use]
pub fn check(file: &str, document: &Node, configuration: &Configuration) -> Vec<Problem> {
    let mut checker = Checker { file, document, problems: Vec::new() };
    if configuration.version != VERSION {
        let message =
            format!("`version` is {}, but this release reads version {VERSION}", configuration.version);
        checker.report(&["version"], message, "write `version: 1`");
    }
    rules::control(&mut checker, configuration);
    hosts::hosts(&mut checker, configuration);
    hosts::repositories(&mut checker, configuration);
    hosts::clusters(&mut checker, configuration);
    people::people(&mut checker, configuration);
    people::teams(&mut checker, configuration);
    rules::environments(&mut checker, configuration);
    statuses::statuses(&mut checker, configuration);
    applications::applications(&mut checker, configuration);
    checker.problems
}

/// Collects mistakes with their lines.
struct Checker<'a> {
    file: &'a str,
    document: &'a Node,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<String>) {
        if self.is_full() {
            return;
        }
        self.problems.push(problem(self.file, self.document.line_of(path), message, help));
    }

    /// Whether enough mistakes are told: looking for the word that was meant costs time.
    fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    /// Whether `section` has an entry of that name.
    fn is_declared(&self, section: &str, name: &str) -> bool {
        self.document.get(section).and_then(|section| section.get(name)).is_some()
    }

    /// Reports `name` at `path`, unless `section` has an entry of that name.
    fn resolve(&mut self, path: &[&str], section: &str, what: &str, name: &str) {
        if self.is_declared(section, name) || self.is_full() {
            return;
        }
        let known = match self.document.get(section).map(|section| &section.content) {
            Some(Content::Map(entries)) => entries.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let help = match suggest::nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it under `{section}`, or correct the name"),
        };
        self.report(path, format!("`{}`: there is no {what} `{name}`", path.join(".")), help);
    }

    /// As [`Self::resolve`], for each name in a list at `path`; reports also what is listed twice.
    fn resolve_all<N: std::fmt::Display + Ord>(
        &mut self,
        path: &[&str],
        section: &str,
        what: &str,
        names: &[N],
    ) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            let position = index.to_string();
            let item: Vec<&str> = path.iter().copied().chain([position.as_str()]).collect();
            self.resolve(&item, section, what, &name.to_string());
            if !seen.insert(name) {
                let message = format!("`{}` lists `{name}` twice", path.join("."));
                self.report(&item, message, "remove one of the two");
            }
        }
    }

    /// Whether the list at `path` was written without items.
    fn is_empty(&self, path: &[&str]) -> bool {
        let node = path.iter().try_fold(self.document, |node, key| node.get(key));
        node.is_some_and(|node| matches!(&node.content, Content::List(items) if items.is_empty()))
    }

    /// Reports a name that is reserved for the control repository's own target.
    fn refuse_reserved(&mut self, section: &str, what: &str, name: &str) {
        if name == RESERVED {
            let message =
                format!("no {what} may be named `{RESERVED}`: the control repository's own target is");
            self.report(&[section, name], message, "choose another name");
        }
    }
}
