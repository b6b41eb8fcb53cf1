//! What every forge is told of a report, before it is put in the forge's own shape.

use std::collections::BTreeSet;

use countersign_core::names::CommitId;
use countersign_core::ports::forge::Report;
use countersign_core::report::{headline, markdown};

use crate::comment::Section;

/// What is told.
pub(crate) struct Told {
    /// Names the status of this environment, now and at every later report.
    pub(crate) context: String,
    /// The commits whose pull requests are told: the commit itself, those that it brought along, and their heads.
    pub(crate) commits: BTreeSet<CommitId>,
    /// What the comment says.
    pub(crate) section: Section,
    /// In one line.
    line: String,
}

impl Told {
    /// What is told of `report`.
    pub(crate) fn of(report: &Report) -> Self {
        let explained = report.targets.iter().flat_map(|target| &target.decision.explained);
        let brought = explained.flat_map(|explained| [&explained.head, &explained.commit]);
        let index = report.targets.iter().map(|target| target.state.index).max().unwrap_or_default();
        Self {
            context: format!("countersign/{}", report.environment),
            commits: brought.chain([&report.commit]).cloned().collect(),
            section: Section { environment: report.environment.clone(), index, text: markdown(report) },
            line: line(report),
        }
    }

    /// In one line of at most `limit` characters.
    pub(crate) fn description(&self, limit: usize) -> String {
        if self.line.chars().count() <= limit {
            return self.line.clone();
        }
        let kept: String = self.line.chars().take(limit.saturating_sub(1)).collect();
        format!("{}…", kept.trim_end())
    }
}

/// How the commit stands, and, where one reason says it all, why.
fn line(report: &Report) -> String {
    let reasons: BTreeSet<_> = report.targets.iter().map(|target| target.state.reason.trim()).collect();
    let words = headline(report);
    let line = match (reasons.len(), reasons.first()) {
        (1, Some(reason)) if !reason.is_empty() => format!("{words}: {reason}"),
        _ => words.to_owned(),
    };
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
