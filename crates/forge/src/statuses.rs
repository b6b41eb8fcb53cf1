//! What programs said of a commit, in one shape for every forge.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use countersign_core::review::Status;

/// The most pages of one commit's statuses that are read.
pub(crate) const MAX_PAGES: usize = 20;

/// The latest status of each context by each account: what whoever set it says now. Ids grow; the order in which
/// statuses come is another on each forge, and in some releases not the one that was asked for.
pub(crate) fn latest(statuses: impl Iterator<Item = Status>) -> Vec<Status> {
    let mut statuses: Vec<_> = statuses.collect();
    statuses.sort_by_key(|status| Reverse(status.id.parse::<u64>().unwrap_or_default()));
    let mut known = BTreeSet::new();
    statuses.retain(|status| known.insert((status.context.clone(), status.setter.account)));
    statuses
}
