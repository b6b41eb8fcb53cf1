//! What people and programs said, each with whether it counts.

use super::list;
use super::markdown::{code, plain, short};
use crate::decision::{Approval, WeighedStatus};

/// Who approved, and whether it counts.
pub fn approvals(approvals: &[Approval]) -> String {
    if approvals.is_empty() {
        return String::new();
    }
    let line = |approval: &Approval| {
        let who = match &approval.person {
            Some(person) => format!("{person} ({})", code(&approval.shown_as)),
            None => code(&approval.shown_as),
        };
        let signed = if approval.signed { "signed" } else { "not signed" };
        let counts = if approval.counts { "counts" } else { "does not count" };
        let head = code(short(approval.head.as_str()));
        format!("- {who} on {head}, {signed}: **{counts}**, {}\n", plain(&approval.reason))
    };
    format!("\n### Approvals\n\n{}", list(approvals, line))
}

/// What programs said, and whether it counts.
pub fn statuses(statuses: &[WeighedStatus]) -> String {
    if statuses.is_empty() {
        return String::new();
    }
    let line = |status: &WeighedStatus| {
        let counts = if status.counts { "counts" } else { "does not count" };
        let (name, head) = (code(&status.context), code(short(status.head.as_str())));
        format!("- {name} on {head}: **{counts}**, {}\n", plain(&status.reason))
    };
    format!("\n### Statuses\n\n{}", list(statuses, line))
}
