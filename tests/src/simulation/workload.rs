//! What people do meanwhile: propose, review, merge, push, rewrite history, hold, change the rules.

pub mod acting;
pub mod ending;

use super::random::Random;

/// Something that somebody does at some time. Its numbers choose among what there is by then, so that it means
/// something also where others were taken out.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// When, in milliseconds of the run.
    pub at: i64,
    /// What.
    pub kind: Kind,
    numbers: [u64; 4],
}

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Opens a pull request.
    Open,
    /// Pushes to one.
    Amend,
    /// Reviews one.
    Review,
    /// Dismisses a review.
    Dismiss,
    /// Merges one, as a merge, a squash or a fast-forward; sometimes with an edit by hand.
    Merge,
    /// Closes one.
    Close,
    /// Opens, has approved, and merges.
    Good,
    /// Opens, has approved as much as is needed but for something that makes it not count, and merges.
    Bad,
    /// Pushes to the branch.
    Push,
    /// Moves the branch to an earlier commit.
    Force,
    /// Approves the commit that the branch is at.
    ApproveTip,
    /// Holds a target.
    Hold,
    /// Releases a target.
    Release,
    /// Changes the control repository by a pull request that is approved.
    Control,
    /// Changes by hand what runs on a cluster, or deletes it.
    Meddle,
}

/// How often each is done.
const WEIGHTS: [(Kind, u64); 15] = [
    (Kind::Open, 14),
    (Kind::Amend, 8),
    (Kind::Review, 20),
    (Kind::Dismiss, 5),
    (Kind::Merge, 14),
    (Kind::Close, 2),
    (Kind::Good, 14),
    (Kind::Bad, 9),
    (Kind::Push, 8),
    (Kind::Force, 4),
    (Kind::ApproveTip, 3),
    (Kind::Hold, 4),
    (Kind::Release, 5),
    (Kind::Control, 4),
    (Kind::Meddle, 5),
];

/// What people do in the run of a seed, up to a time.
#[must_use]
pub fn plan(seed: u64, until: i64) -> Vec<Action> {
    let mut random = Random::new(seed, "workload");
    let all: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let count = 6 + random.below(14);
    let mut actions: Vec<_> = (0..count)
        .map(|_| {
            let mut drawn = random.below(all);
            let kind = WEIGHTS.iter().find(|(_, weight)| {
                let found = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                found
            });
            // Many things come in bursts.
            let at = match random.below(3) {
                0 => random.between(0, until),
                _ => until / 8 * random.between(0, 8) + random.between(0, 20_000),
            };
            let numbers = [random.number(), random.number(), random.number(), random.number()];
            Action { at, kind: kind.map_or(Kind::Good, |(kind, _)| *kind), numbers }
        })
        .collect();
    actions.sort_by_key(|action| action.at);
    actions
}
