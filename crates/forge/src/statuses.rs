//! What programs said of a commit, in one shape for every forge.

use std::collections::BTreeSet;

use countersign_core::review::Status;

/// The most pages of one commit's statuses that are read, newest first.
pub(crate) const MAX_PAGES: usize = 20;

/// Of statuses that come newest first, the latest of each context by each account: what whoever set it says now.
pub(crate) fn latest(newest_first: impl Iterator<Item = Status>) -> Vec<Status> {
    let mut known = BTreeSet::new();
    newest_first.filter(|status| known.insert((status.context.clone(), status.setter.account))).collect()
}
