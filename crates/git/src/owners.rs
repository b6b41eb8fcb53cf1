//! Who owns which files: CODEOWNERS, read as each forge reads it. Pure.
//!
//! Where the file lies and what its lines mean follows GitHub ("About code owners"), GitLab ("Code Owners syntax") and
//! Gitea ("Code owners"); plain Git reads it as GitHub does. A line that the forge skips is skipped here too: the file
//! that would mend it is judged by the one that has it.

mod gitea;
mod github;
mod gitlab;
mod lines;

use std::collections::BTreeMap;

use countersign_core::configuration::HostKind;
use countersign_core::owners::OwnedFiles;
use countersign_core::tree::{Tree, TreeError};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::Regex;

/// The most bytes of a CODEOWNERS file.
pub const MAX_BYTES: u64 = 256 * 1024;

/// The most entries of a CODEOWNERS file.
const MAX_ENTRIES: usize = 5_000;

/// Paths that are listed of one entry before the rest is counted.
const MAX_PATHS: usize = 20;

/// Why nobody can tell whose files they are.
#[derive(Debug, thiserror::Error)]
pub enum OwnersError {
    /// The file is too large, or cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The file is not text.
    #[error("{0}: it is not UTF-8")]
    NotText(String),
    /// The file has more than is read.
    #[error("{0}: it has more than {MAX_ENTRIES} entries: name folders instead of files")]
    TooMany(String),
    /// A line that the forge understands, and that is not understood here.
    #[error("{file}:{line}: the pattern is not understood here: {reason}")]
    Pattern {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u32,
        /// What is wrong.
        reason: String,
    },
}

/// Where a forge looks for the file: the first of these that is there.
#[must_use]
pub fn places(kind: HostKind) -> &'static [&'static str] {
    match kind {
        HostKind::Github => &[".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"],
        HostKind::Gitea => &["CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS"],
        HostKind::Gitlab => &["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"],
        HostKind::Plain => &["CODEOWNERS", "docs/CODEOWNERS"],
    }
}

/// A CODEOWNERS file.
#[derive(Debug)]
pub struct Owners {
    /// Where it lies.
    pub file: String,
    entries: Vec<Entry>,
    patterns: Patterns,
}

/// One line that says who owns something.
#[derive(Debug)]
struct Entry {
    line: u32,
    /// GitLab's section; everything is in one elsewhere.
    section: Option<String>,
    owners: Vec<String>,
    /// How many of the owners have to approve.
    approvals: u32,
    /// Whether it takes what it matches out of its section, whatever else matches.
    excludes: bool,
}

/// What entries match.
#[derive(Debug)]
enum Patterns {
    /// Of each section the last entry that matches owns a path. Globs, each with its entry.
    Last(GlobSet, Vec<usize>),
    /// Every entry that matches owns a path: the entry's pattern, and whether it owns what that does not match.
    Every(Vec<(Regex, bool)>),
}

impl Owners {
    /// The file in `tree`, as a forge of `kind` reads it; none where there is none.
    ///
    /// # Errors
    /// When it is larger than is read, or is not understood.
    pub fn of(kind: HostKind, tree: &impl Tree) -> Result<Option<Self>, OwnersError> {
        for place in places(kind) {
            if let Some(bytes) = tree.read(place, MAX_BYTES)? {
                let text = String::from_utf8(bytes).map_err(|_| OwnersError::NotText((*place).to_owned()))?;
                return Self::parse(kind, place, &text).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads the text of the file at `file`.
    ///
    /// # Errors
    /// When it has too many entries, or one that the forge understands and that is not understood here.
    pub fn parse(kind: HostKind, file: &str, text: &str) -> Result<Self, OwnersError> {
        match kind {
            HostKind::Github | HostKind::Plain => Self::by_globs(file, github::entries(text)),
            HostKind::Gitlab => Self::by_globs(file, gitlab::entries(text)),
            HostKind::Gitea => gitea::parse(file, text),
        }
    }

    fn by_globs(file: &str, found: Vec<(Entry, Vec<String>)>) -> Result<Self, OwnersError> {
        if found.len() > MAX_ENTRIES {
            return Err(OwnersError::TooMany(file.to_owned()));
        }
        let (mut set, mut of, mut entries) = (GlobSetBuilder::new(), Vec::new(), Vec::new());
        for (entry, globs) in found {
            for glob in globs {
                // What is no pattern matches nothing.
                let Ok(glob) = GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build()
                else {
                    continue;
                };
                set.add(glob);
                of.push(entries.len());
            }
            entries.push(entry);
        }
        let set = set.build().map_err(|error| OwnersError::Pattern {
            file: file.to_owned(),
            line: 1,
            reason: format!("together, the patterns are too large ({error})"),
        })?;
        Ok(Self { file: file.to_owned(), entries, patterns: Patterns::Last(set, of) })
    }

    /// Of `paths`, those that are owned, by the entry that says so.
    #[must_use]
    pub fn owned<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Vec<OwnedFiles> {
        let mut owned: BTreeMap<usize, (Vec<String>, usize)> = BTreeMap::new();
        for path in paths {
            for entry in self.entries_of(path) {
                let (listed, more) = owned.entry(entry).or_default();
                if listed.len() < MAX_PATHS {
                    listed.push(path.to_owned());
                } else {
                    *more += 1;
                }
            }
        }
        let files = |(index, (paths, more)): (usize, (Vec<String>, usize))| {
            let entry = self.entries.get(index).filter(|entry| !entry.owners.is_empty())?;
            Some(OwnedFiles {
                line: entry.line,
                section: entry.section.clone(),
                owners: entry.owners.clone(),
                approvals: entry.approvals,
                paths,
                more,
            })
        };
        owned.into_iter().filter_map(files).collect()
    }

    /// The entries that own a path, also such as name nobody.
    fn entries_of(&self, path: &str) -> Vec<usize> {
        match &self.patterns {
            Patterns::Every(patterns) => {
                let matches = |(pattern, inverted): &(Regex, bool)| pattern.is_match(path) != *inverted;
                patterns.iter().enumerate().filter(|(_, one)| matches(one)).map(|(index, _)| index).collect()
            }
            Patterns::Last(set, of) => {
                let mut last: BTreeMap<Option<&str>, (usize, bool)> = BTreeMap::new();
                for index in set.matches(path).into_iter().filter_map(|glob| of.get(glob)) {
                    let Some(entry) = self.entries.get(*index) else { continue };
                    let found = last.entry(entry.section.as_deref()).or_default();
                    *found = (*index.max(&found.0), found.1 || entry.excludes);
                }
                last.into_values().filter(|(_, excluded)| !excluded).map(|(index, _)| index).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;
