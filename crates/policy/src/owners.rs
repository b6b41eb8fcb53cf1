//! Whom the names in CODEOWNERS files mean, and who of them approved. The file says whose approval is asked for; that
//! an approval counts is decided as everywhere, by account or key.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::configuration::Configuration;
use countersign_core::facts::Facts;
use countersign_core::names::{CommitId, PersonName};
use countersign_core::owners::OwnedFiles;
use schemars::JsonSchema;
use serde::Serialize;

/// Files of a head that somebody owns.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Owned<'a> {
    /// The CODEOWNERS file.
    pub file: &'a str,
    /// What its line says, and the files that differ.
    #[serde(flatten)]
    pub files: &'a OwnedFiles,
    /// Which files, whose, and where that is said, for people.
    pub shown: String,
    /// Owners whose approval of this head counts.
    pub approvers: Vec<&'a PersonName>,
    /// Owners whose approval of this head would count, and who have not given it.
    pub could_approve: Vec<&'a PersonName>,
    /// Owners whom the control repository does not know by that name.
    pub unknown: Vec<&'a str>,
}

/// Whom the names mean: people by their handles and addresses, teams by their handles. Capitals mean nothing.
pub struct Handles<'a>(BTreeMap<String, BTreeSet<&'a PersonName>>);

impl<'a> Handles<'a> {
    /// The names in a configuration.
    #[must_use]
    pub fn of(configuration: &'a Configuration) -> Self {
        let mut handles: BTreeMap<String, BTreeSet<&PersonName>> = BTreeMap::new();
        let mut add = |handle: &str, person| {
            handles.entry(handle.trim().to_lowercase()).or_default().insert(person);
        };
        for (name, person) in &configuration.people {
            person.handles.iter().chain(&person.emails).for_each(|handle| add(handle, name));
        }
        for team in configuration.teams.values() {
            for handle in &team.handles {
                team.members.iter().for_each(|member| add(handle, member));
            }
        }
        Self(handles)
    }

    fn people(&self, owner: &str) -> Option<&BTreeSet<&'a PersonName>> {
        self.0.get(&owner.to_lowercase())
    }

    /// What of a head is owned, and by whom, of whom `approvers` approved it and `could_approve` still could.
    ///
    /// # Errors
    /// Why nobody can tell.
    pub fn owned(
        &self,
        facts: &'a Facts,
        head: &CommitId,
        commit: &CommitId,
        approvers: &[&'a PersonName],
        could_approve: &[&'a PersonName],
    ) -> Result<Vec<Owned<'a>>, &'a str> {
        let found = facts.owners.iter().find(|owners| owners.head == *head && owners.commit == *commit);
        let found = found.ok_or("it was not looked for")?;
        if let Some(problem) = &found.problem {
            return Err(problem.as_str());
        }
        let owned = |files: &'a OwnedFiles| {
            let people: BTreeSet<_> =
                files.owners.iter().filter_map(|owner| self.people(owner)).flatten().copied().collect();
            let of = |people: &BTreeSet<&PersonName>, some: &[&'a PersonName]| {
                some.iter().copied().filter(|person| people.contains(person)).collect()
            };
            let unknown = files.owners.iter().filter(|owner| self.people(owner).is_none());
            let file = found.file.as_deref().unwrap_or_default();
            Owned {
                file,
                files,
                shown: shown(file, files),
                approvers: of(&people, approvers),
                could_approve: of(&people, could_approve),
                unknown: unknown.map(String::as_str).collect(),
            }
        };
        Ok(found.owned.iter().map(owned).collect())
    }
}

fn shown(file: &str, files: &OwnedFiles) -> String {
    let more = match files.more {
        0 => String::new(),
        1 => " and 1 more file".to_owned(),
        more => format!(" and {more} more files"),
    };
    format!("{}{more}, of {} ({file}:{})", files.paths.join(", "), files.owners.join(" "), files.line)
}

#[cfg(test)]
mod tests;
