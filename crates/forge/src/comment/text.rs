//! The text of a comment: sections between marks, each with what it tells of and a digest of its text.

use std::collections::BTreeMap;

use countersign_core::digest::Digest;
use countersign_core::names::EnvironmentName;

/// What begins every section. The text inside never holds a line that begins so: Markdown of others is escaped.
const MARK: &str = "<!-- countersign:section ";

/// What ends a mark.
const END: &str = " -->";

/// What is said where a section had to be shortened.
const SHORTENED: &str = "\n\nThe rest does not fit here: the log holds the whole decision.\n";

/// Bytes of a digest in a mark.
const DIGITS: usize = 16;

/// What one environment's report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// The environment.
    pub(crate) environment: EnvironmentName,
    /// The log's index of the newest decision in it: an older report never replaces a newer one.
    pub(crate) index: u64,
    /// The report.
    pub(crate) text: String,
}

impl Section {
    fn digest(&self) -> String {
        digest(&self.text)
    }
}

/// Forges change white space at will, so a digest is of the words alone.
fn digest(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    Digest::of(words.join(" ").as_bytes()).hex().chars().take(DIGITS).collect()
}

/// A section as it was found.
#[derive(Clone, Debug)]
struct Found {
    index: u64,
    /// What its mark says of its text as it was reported, before it was shortened.
    reported: String,
    /// What its mark says of its text as it was written.
    shown: String,
    text: String,
}

/// The sections of a comment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sections(BTreeMap<EnvironmentName, Found>);

impl Sections {
    /// Whether a comment is one of ours.
    pub(crate) fn are_in(body: &str) -> bool {
        body.lines().any(|line| line.starts_with(MARK))
    }

    /// The sections of all `bodies`, of each environment the newest.
    pub(crate) fn merged<'a>(bodies: impl Iterator<Item = &'a str>) -> Self {
        let mut merged: BTreeMap<EnvironmentName, Found> = BTreeMap::new();
        for (environment, found) in bodies.flat_map(parse) {
            match merged.get(&environment) {
                Some(known) if known.index >= found.index => {}
                _ => {
                    merged.insert(environment, found);
                }
            }
        }
        Self(merged)
    }

    /// Whether `section`, or a newer one, is there.
    pub(crate) fn shows(&self, section: &Section) -> bool {
        self.0.get(&section.environment).is_some_and(|found| {
            found.index > section.index
                || (found.index == section.index && found.reported == section.digest())
        })
    }

    /// Whether `section`, or a newer one, is there as it was written: people with power over the repository
    /// can edit any comment.
    pub(crate) fn shows_unedited(&self, section: &Section) -> bool {
        let edited = |found: &Found| digest(&found.text) != found.shown;
        self.shows(section) && !self.0.get(&section.environment).is_some_and(edited)
    }

    /// With `section` in place of an older one.
    pub(crate) fn with(mut self, section: &Section) -> Self {
        let newer = self.0.get(&section.environment).is_some_and(|found| found.index > section.index);
        if !newer {
            let (index, reported, text) = (section.index, section.digest(), section.text.clone());
            let found = Found { index, shown: reported.clone(), reported, text };
            self.0.insert(section.environment.clone(), found);
        }
        self
    }

    /// The comment, of at most `limit` bytes.
    pub(crate) fn text(&self, limit: usize) -> String {
        let each = limit.checked_div(self.0.len()).unwrap_or(limit).saturating_sub(200);
        let fits = self.0.values().map(|found| found.text.len() + 200).sum::<usize>() <= limit;
        let section = |(environment, found): (&EnvironmentName, &Found)| {
            let text = if fits { found.text.clone() } else { shortened(&found.text, each) };
            let (index, reported, shown) = (found.index, &found.reported, digest(&text));
            format!("{MARK}{environment} {index} {reported} {shown}{END}\n{}\n", text.trim_end())
        };
        self.0.iter().map(section).collect::<Vec<_>>().join("\n")
    }
}

fn parse(body: &str) -> Vec<(EnvironmentName, Found)> {
    let mut sections: Vec<(EnvironmentName, Found)> = Vec::new();
    for line in body.lines() {
        if let Some(mark) = line.strip_prefix(MARK) {
            sections.extend(mark.trim_end().strip_suffix(END).and_then(parse_mark));
        } else if let Some((_, found)) = sections.last_mut() {
            found.text += line;
            found.text.push('\n');
        }
    }
    sections
}

fn parse_mark(mark: &str) -> Option<(EnvironmentName, Found)> {
    let parts: Vec<_> = mark.split(' ').collect();
    let [environment, index, reported, shown] = parts.as_slice() else { return None };
    let (reported, shown) = ((*reported).to_owned(), (*shown).to_owned());
    let found = Found { index: index.parse().ok()?, reported, shown, text: String::new() };
    Some((environment.parse().ok()?, found))
}

/// The lines that fit into `limit` bytes, and that there was more.
fn shortened(text: &str, limit: usize) -> String {
    let text = text.trim_end().strip_suffix(SHORTENED.trim()).unwrap_or(text);
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(SHORTENED.len()));
    let kept = text.get(..end).unwrap_or_default();
    let kept = kept.rfind('\n').and_then(|line| kept.get(..line)).unwrap_or(kept);
    format!("{}{SHORTENED}", kept.trim_end())
}
