//! GitLab: in each section the last pattern that matches wins, and each section's owners have to approve. A section may
//! name owners for its entries and how many have to approve; one that begins with `^` asks for nothing.

use super::Entry;
use super::lines::{globs, is_owner, words};

/// A section's heading.
#[derive(Clone, Debug, PartialEq)]
struct Section {
    /// Its name in small letters: sections of one name are one.
    name: String,
    optional: bool,
    approvals: u32,
    owners: Vec<String>,
}

/// The entries, each with what it matches. Those of optional sections are left out.
pub fn entries(text: &str) -> Vec<(Entry, Vec<String>)> {
    let mut found = Vec::new();
    let mut section: Option<Section> = None;
    for (line, number) in text.lines().zip(1_u32..) {
        if let Some(heading) = heading(line) {
            section = Some(heading);
            continue;
        }
        if !section.as_ref().is_some_and(|section| section.optional) {
            found.extend(entry(line, number, section.as_ref()));
        }
    }
    found
}

fn entry(line: &str, number: u32, section: Option<&Section>) -> Option<(Entry, Vec<String>)> {
    let words = words(line);
    let (pattern, owners) = words.split_first()?;
    let (pattern, excludes) = match pattern.strip_prefix('!') {
        Some(excluded) => (excluded, true),
        None => (pattern.as_str(), false),
    };
    let named: Vec<_> = owners.iter().filter(|owner| is_owner(owner)).cloned().collect();
    let inherited = section.map(|section| section.owners.clone()).unwrap_or_default();
    let entry = Entry {
        line: number,
        section: section.map(|section| section.name.clone()),
        owners: if named.is_empty() { inherited } else { named },
        approvals: section.map_or(1, |section| section.approvals),
        excludes,
    };
    Some((entry, globs(pattern, true, false)))
}

/// `[Name]`, `^[Name]`, `[Name][2]`, each with owners behind it.
fn heading(line: &str) -> Option<Section> {
    let line = line.trim();
    let (optional, rest) = line.strip_prefix('^').map_or((false, line), |rest| (true, rest));
    let (name, rest) = rest.strip_prefix('[')?.split_once(']')?;
    let (approvals, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((count, rest)) => (count.trim().parse().ok()?, rest),
        None => (1, rest),
    };
    let owners: Vec<_> = words(rest).into_iter().filter(|word| is_owner(word)).collect();
    let name = name.trim().to_lowercase();
    (!name.is_empty()).then_some(Section { name, optional, approvals, owners })
}
