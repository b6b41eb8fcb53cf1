//! What a check found, for people.

use countersign_core::decision::Verdict;
use countersign_core::names::RepositoryId;
use countersign_core::tree::Tree;

use super::source::Source;
use super::{Judged, Selected};
use crate::commands::judged;
use crate::commands::shown::{clean, counted, short, verdict};
use crate::output::{Paint, paint};

/// What was checked, and what came out.
pub struct Checked<'a> {
    /// The repository.
    pub repository: &'a RepositoryId,
    /// What of it was checked.
    pub source: &'a Source,
    /// Which targets.
    pub selected: Selected,
    /// Their decisions.
    pub judged: &'a [Judged],
}

impl Checked<'_> {
    /// Each target, and the whole in one line.
    pub fn text(&self, tree: &impl Tree, overall: Verdict, colored: bool) -> String {
        let line_of = |file: &str, line: u32| judged::line_in(tree, file, line);
        let mut parts: Vec<_> = self.judged.iter().map(|judged| target(judged, &line_of, colored)).collect();
        parts.push(self.conclusion(overall, colored));
        parts.join("\n\n")
    }

    fn conclusion(&self, overall: Verdict, colored: bool) -> String {
        let what = match self.source.committed() {
            Some(commit) => format!("commit {}", short(commit.as_str())),
            None => "the working folder".to_owned(),
        };
        let of = |verdict| self.judged.iter().filter(|judged| judged.decision.verdict == verdict).count();
        let counts = [
            ("denied", of(Verdict::Denied)),
            ("pending", of(Verdict::Pending)),
            ("allowed", of(Verdict::Allowed)),
        ];
        let counts: Vec<_> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let which = match self.selected {
            Selected::Touched => "that it touches",
            Selected::All => "in all",
        };
        let targets = counted(self.judged.len(), "target");
        let mut text = format!(
            "{}: {what} of {}, {targets} {which}: {}",
            verdict(overall).painted(colored),
            self.repository,
            counts.join(", ")
        );
        if overall == Verdict::Pending {
            text += "\nonly reviews or statuses are missing, and they can be given once it is proposed";
        }
        text
    }
}

fn target(judged: &Judged, line_of: &impl Fn(&str, u32) -> Option<String>, colored: bool) -> String {
    let decision = &judged.decision;
    let mut text = format!(
        "{}: {}\n  {}",
        paint(Paint::Bold, &decision.target.to_string(), colored),
        verdict(decision.verdict).painted(colored),
        clean(&decision.reason)
    );
    text += &format!("\n\n{}", judged::rules(decision, line_of, colored));
    let heading = match &judged.from {
        Some(from) => format!("  changes since {}", short(from.as_str())),
        None => "  objects".to_owned(),
    };
    match (&judged.from, judged.diff.is_empty()) {
        (_, false) => {
            text += &format!(
                "\n\n{}\n{}",
                paint(Paint::Bold, &heading, colored),
                judged::diff(&judged.diff, colored)
            )
        }
        (Some(from), true) => text += &format!("\n\n  no object changes since {}", short(from.as_str())),
        (None, true) => {}
    }
    text
}
