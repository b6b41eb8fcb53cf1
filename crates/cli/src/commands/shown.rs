//! How things are shown to people: short ids, aligned columns, and nothing that a terminal would act on.

use countersign_core::decision::Verdict;
use countersign_core::leaf::Disposition;
use countersign_core::outcome::{Check, OutcomeResult};

use crate::output::{Paint, paint};

/// The columns that prose is broken at.
const WIDTH: usize = 100;

/// The digits of an id that are shown; documents for programs hold all.
const DIGITS: usize = 12;

/// The first twelve digits of a commit, an attempt or a digest.
#[must_use]
pub fn short(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..DIGITS).unwrap_or(digits)
}

/// `text` on one line, with nothing in it that a terminal would act on.
#[must_use]
pub fn clean(text: &str) -> String {
    let visible = |letter: char| match letter {
        '\n' | '\r' | '\t' => ' ',
        // Letters that turn the direction of writing could show a text as another.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other if other.is_control() => '\u{fffd}',
        other => other,
    };
    text.trim().chars().map(visible).collect()
}

/// A word with what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The word.
    pub text: String,
    /// Its color, if it has one.
    pub paint: Option<Paint>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, paint: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<(&str, Paint)> for Cell {
    fn from((text, paint): (&str, Paint)) -> Self {
        Self { text: text.to_owned(), paint: Some(paint) }
    }
}

impl Cell {
    /// The text in its color.
    #[must_use]
    pub fn painted(&self, colored: bool) -> String {
        match self.paint {
            Some(meaning) => paint(meaning, &self.text, colored),
            None => self.text.clone(),
        }
    }
}

/// Rows as lines, each column as wide as its longest text; the last one is not filled up.
#[must_use]
pub fn table(rows: &[Vec<Cell>], colored: bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| width(&cell.text)).max().unwrap_or(0)
        })
        .collect();
    let line = |row: &Vec<Cell>| {
        let mut line = String::new();
        for (column, (cell, wide)) in row.iter().zip(&widths).enumerate() {
            line += &cell.painted(colored);
            if column + 1 < row.len() {
                line += &" ".repeat(wide - width(&cell.text) + 2);
            }
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// A heading of a table: dim, in capitals.
#[must_use]
pub fn heading(words: &[&str]) -> Vec<Cell> {
    words.iter().map(|word| Cell::from((word.to_uppercase().as_str(), Paint::Dim))).collect()
}

/// Prose behind a label, broken at words; the lines after the first begin below it.
#[must_use]
pub fn prose(indent: usize, label: &str, text: &str) -> String {
    let start = format!("{}{label:<5}", " ".repeat(indent));
    let mut lines = vec![start.clone()];
    for word in clean(text).split_whitespace() {
        let Some(last) = lines.last_mut() else { continue };
        if width(last) + width(word) + 1 > WIDTH && width(last) > width(&start) {
            lines.push(" ".repeat(width(&start)));
        }
        if let Some(last) = lines.last_mut() {
            *last += &format!(" {word}");
        }
    }
    lines.join("\n")
}

/// A verdict as a word.
#[must_use]
pub fn verdict(verdict: Verdict) -> Cell {
    match verdict {
        Verdict::Allowed => ("allowed", Paint::Good).into(),
        Verdict::Denied => ("denied", Paint::Bad).into(),
        Verdict::Pending => ("pending", Paint::Open).into(),
    }
}

/// What was made of a decision, as a word. A refused one is shown by its verdict.
#[must_use]
pub fn disposition(disposition: Disposition, of: Verdict) -> Cell {
    match disposition {
        Disposition::Authorized => ("authorized", Paint::Good).into(),
        Disposition::Unchanged => ("unchanged", Paint::Good).into(),
        Disposition::Refused => verdict(of),
        Disposition::Preview => Cell { text: format!("preview: {}", verdict(of).text), ..verdict(of) },
        Disposition::Superseded => ("superseded", Paint::Dim).into(),
    }
}

/// An outcome as a word.
#[must_use]
pub fn outcome(result: &OutcomeResult) -> Cell {
    match result {
        OutcomeResult::Applied => ("applied", Paint::Open).into(),
        OutcomeResult::Healthy => ("healthy", Paint::Good).into(),
        OutcomeResult::Unhealthy => ("unhealthy", Paint::Bad).into(),
        OutcomeResult::Removed => ("removed", Paint::Good).into(),
        OutcomeResult::Refused { check } => {
            (format!("refused: {}", checked(*check)).as_str(), Paint::Bad).into()
        }
        OutcomeResult::Failed => ("failed", Paint::Bad).into(),
        OutcomeResult::Overtaken => ("overtaken", Paint::Dim).into(),
        OutcomeResult::Drifted { .. } => ("drifted", Paint::Bad).into(),
        OutcomeResult::Restored { .. } => ("restored", Paint::Good).into(),
    }
}

fn checked(check: Check) -> &'static str {
    match check {
        Check::Shape => "shape",
        Check::Signature => "signature",
        Check::Type => "type",
        Check::Audience => "audience",
        Check::Time => "time",
        Check::Sequence => "sequence",
        Check::Leaf => "leaf",
        Check::Inclusion => "inclusion",
        Check::Checkpoint => "checkpoint",
        Check::Consistency => "consistency",
        Check::Manifest => "manifest",
        Check::Scope => "scope",
        Check::Ownership => "ownership",
    }
}

/// `1 rule`, `2 rules`.
#[must_use]
pub fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_texts_of_others_do_nothing() {
        assert_eq!(short("1234567890abcdef"), "1234567890ab");
        assert_eq!(short("sha256:1234567890abcdef"), "1234567890ab");
        assert_eq!(short("123"), "123");
        assert_eq!(clean(" a\u{1b}[2J\nb\u{202e} "), "a\u{fffd}[2J b\u{fffd}");
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let rows = [heading(&["target", "is"]), vec!["é".into(), ("denied", Paint::Bad).into()]];
        assert_eq!(table(&rows, false), "TARGET  IS\né       denied");
        let colored = table(&rows, true);
        assert!(colored.ends_with("é       \u{1b}[31mdenied\u{1b}[0m"), "{colored:?}");
    }

    #[test]
    fn prose_is_broken_at_words() {
        let text = prose(2, "why", &"word ".repeat(30));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("  why   word word") && lines[0].len() <= WIDTH, "{text}");
        assert!(lines[1].starts_with("        word"), "{text}");
        assert_eq!(prose(0, "fix", ""), "fix  ");
    }
}
