//! People and teams: a key, an account or an address belongs to one person, or it says nothing.

use std::collections::BTreeMap;

use countersign_core::configuration::Configuration;

use super::Checker;
use crate::configuration::key;
use crate::yaml::{Content, shorten};

pub fn people(checker: &mut Checker<'_>, configuration: &Configuration) {
    let mut keys = Owners::new("key");
    let mut accounts = Owners::new("account");
    let mut emails = Owners::new("e-mail address");
    let mut handles = Owners::new("handle");
    for (name, person) in &configuration.people {
        let name = name.as_str();
        for (index, text) in person.keys.iter().enumerate() {
            let index = index.to_string();
            let path = ["people", name, "keys", &index];
            match key::blob(text) {
                Ok(blob) => keys.claim(checker, &path, blob),
                Err(bad) => checker.report(&path, format!("`people.{name}.keys`: {bad}"), bad.help()),
            }
        }
        for (host, id) in &person.accounts {
            let path = ["people", name, "accounts", host.as_str()];
            checker.resolve(&path, "hosts", "host", host.as_str());
            accounts.claim(checker, &path, format!("{host}/{id}").into_bytes());
        }
        for handle in &person.handles {
            let path = ["people", name, "handles"];
            if is_handle(checker, &path, handle) {
                handles.claim(checker, &path, handle.to_lowercase().into_bytes());
            }
        }
        for (index, email) in person.emails.iter().enumerate() {
            let index = index.to_string();
            let path = ["people", name, "emails", &index];
            let is_address = email.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && !host.is_empty() && !email.contains(|letter: char| letter.is_whitespace())
            });
            if is_address {
                emails.claim(checker, &path, email.to_lowercase().into_bytes());
            } else {
                let message =
                    format!("`people.{name}.emails`: {:?} is not an e-mail address", shorten(email));
                checker.report(&path, message, "write it as in Git's `user.email`");
            }
        }
    }
}

/// Reports a handle that no CODEOWNERS file could hold.
fn is_handle(checker: &mut Checker<'_>, path: &[&str], handle: &str) -> bool {
    let named = handle.strip_prefix('@').is_some_and(|name| !name.is_empty());
    let is_handle = named && !handle.contains(|letter: char| letter.is_whitespace());
    if !is_handle {
        let message =
            format!("`{}`: {:?} is not a name as CODEOWNERS files have it", path.join("."), shorten(handle));
        checker.report(path, message, "write it as `@ada`, or for a team as `@acme/sre`");
    }
    is_handle
}

/// Who was first to name something.
struct Owners {
    what: &'static str,
    by: BTreeMap<Vec<u8>, String>,
}

impl Owners {
    fn new(what: &'static str) -> Self {
        Self { what, by: BTreeMap::new() }
    }

    /// Notes that the person at `path` (`people`, their name, …) has `thing`; reports who had it before.
    fn claim(&mut self, checker: &mut Checker<'_>, path: &[&str], thing: Vec<u8>) {
        let person = path.get(1).copied().unwrap_or_default();
        let Some(owner) = self.by.get(&thing) else {
            self.by.insert(thing, person.to_owned());
            return;
        };
        let what = self.what;
        if owner == person {
            checker.report(path, format!("`people.{person}` has this {what} twice"), "remove one of the two");
        } else {
            let message = format!("`people.{person}` has the same {what} as `people.{owner}`");
            checker.report(path, message, "it must say who someone is: leave it with one of the two");
        }
    }
}

pub fn teams(checker: &mut Checker<'_>, configuration: &Configuration) {
    for (name, team) in &configuration.teams {
        for handle in &team.handles {
            is_handle(checker, &["teams", name.as_str(), "handles"], handle);
        }
        let path = ["teams", name.as_str(), "members"];
        if checker.is_empty(&path) {
            let message = format!("team `{name}` has no members: what it must approve could never pass");
            checker.report(&path, message, "name its members, or remove the team");
        }
        for member in &team.members {
            if checker.is_declared("people", member.as_str()) || checker.is_full() {
                continue;
            }
            // A set has lost the order of the list, so that the line is found by the name.
            let index = checker.index_of(&path, member.as_str());
            let path = ["teams", name.as_str(), "members", index.as_str()];
            checker.resolve(&path, "people", "person", member.as_str());
        }
    }
}

impl Checker<'_> {
    /// The position of a text in the list at `path`; empty if it is not there.
    fn index_of(&self, path: &[&str], text: &str) -> String {
        let list = path.iter().try_fold(self.document, |node, key| node.get(key)).map(|node| &node.content);
        let Some(Content::List(items)) = list else { return String::new() };
        let found =
            items.iter().position(|item| matches!(&item.content, Content::Scalar(value) if value == text));
        found.map(|index| index.to_string()).unwrap_or_default()
    }
}
