//! Gitea and Forgejo: patterns are regular expressions over the whole path, and every one that matches counts; `!`
//! before one means what it does not match.

use regex::RegexBuilder;

use super::{Entry, MAX_ENTRIES, Owners, OwnersError, Patterns};

/// What one expression may take when it is compiled, in bytes.
const MAX_EXPRESSION: usize = 64 * 1024;

pub fn parse(file: &str, text: &str) -> Result<Owners, OwnersError> {
    let (mut entries, mut patterns) = (Vec::new(), Vec::new());
    for (line, number) in text.lines().zip(1_u32..) {
        let words = words(line);
        let Some((pattern, owners)) = words.split_first().filter(|(_, owners)| !owners.is_empty()) else {
            continue;
        };
        if entries.len() == MAX_ENTRIES {
            return Err(OwnersError::TooMany(file.to_owned()));
        }
        let (pattern, inverted) = match pattern.strip_prefix('!') {
            Some(pattern) => (pattern, true),
            None => (pattern.as_str(), false),
        };
        let expression = format!("^(?:{})$", pattern.strip_prefix('/').unwrap_or(pattern));
        let compiled = RegexBuilder::new(&expression).size_limit(MAX_EXPRESSION).build();
        // Gitea's engine knows more, as looking ahead: what it would match is not known here.
        let compiled = compiled.map_err(|error| OwnersError::Pattern {
            file: file.to_owned(),
            line: number,
            reason: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
        })?;
        // The `@` may be left out.
        let owners = owners.iter().map(|owner| match owner.contains('@') {
            true => owner.clone(),
            false => format!("@{owner}"),
        });
        patterns.push((compiled, inverted));
        entries.push(Entry {
            line: number,
            section: None,
            owners: owners.collect(),
            approvals: 1,
            excludes: false,
        });
    }
    Ok(Owners { file: file.to_owned(), entries, patterns: Patterns::Every(patterns) })
}

/// The words of a line. A backslash takes the next letter as it is and is gone, so that an expression has two for one;
/// `#` begins a comment wherever it stands.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut escaped) = (Vec::new(), String::new(), false);
    for letter in line.trim().chars() {
        match letter {
            _ if std::mem::take(&mut escaped) => word.push(letter),
            '\\' => escaped = true,
            '#' => break,
            ' ' | '\t' => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(letter),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}
