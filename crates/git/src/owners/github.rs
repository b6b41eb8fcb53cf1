//! GitHub: the last pattern that matches wins; patterns are those of `.gitignore` without `!`, `[ ]` and `\#`.

use super::Entry;
use super::lines::{globs, is_owner, words};

/// The entries, each with what it matches. A line with an owner or a pattern that GitHub does not take is skipped, as
/// it does.
pub fn entries(text: &str) -> Vec<(Entry, Vec<String>)> {
    text.lines().zip(1_u32..).filter_map(|(line, number)| entry(line, number)).collect()
}

fn entry(line: &str, number: u32) -> Option<(Entry, Vec<String>)> {
    let words = words(line);
    let (pattern, owners) = words.split_first()?;
    let taken = !pattern.starts_with('!') && !pattern.starts_with("\\#") && !pattern.contains(['[', ']']);
    if !taken || !owners.iter().all(|owner| is_owner(owner)) {
        return None;
    }
    let entry = Entry { line: number, section: None, owners: owners.to_vec(), approvals: 1, excludes: false };
    Some((entry, globs(pattern, false, true)))
}
