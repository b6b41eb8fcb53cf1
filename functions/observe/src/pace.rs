//! How often health is looked at: soon at first, then less and less. Pure.

use std::time::Duration;

/// After this long without health a rollout is reported as unhealthy. It is followed further all the same.
pub const DEADLINE: Duration = Duration::from_mins(10);

/// After this long nobody looks any more.
const LAST_LOOK: Duration = Duration::from_hours(1);

/// The first look again comes after this.
const FIRST: Duration = Duration::from_millis(100);

/// Looks are never further apart.
const WIDEST: Duration = Duration::from_secs(10);

/// How far apart looks are once nobody looks any more, where the last one found nothing out.
const RARELY: Duration = Duration::from_mins(5);

/// After this long nobody looks any more, also where nothing was found out.
const GIVEN_UP: Duration = Duration::from_hours(7 * 24);

/// As [`next`], after a look that found nothing out: a cluster that is away for longer than a rollout is
/// followed is looked at when it is back, since what it no longer wants is still to be pruned.
pub fn next_unread(looks: u32, elapsed: Duration) -> Option<Duration> {
    next(looks, elapsed).or_else(|| (elapsed < GIVEN_UP).then_some(RARELY))
}

/// How long until the next look, after `looks` looks in `elapsed` time; none when it was the last.
pub fn next(looks: u32, elapsed: Duration) -> Option<Duration> {
    let widening = FIRST.saturating_mul(1_u32 << (looks / 3).min(10));
    (elapsed < LAST_LOOK).then(|| widening.min(WIDEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_widen_and_end() {
        assert_eq!(next(0, Duration::ZERO), Some(FIRST));
        assert_eq!(next(6, Duration::ZERO), Some(Duration::from_millis(400)));
        assert_eq!(next(u32::MAX, Duration::ZERO), Some(WIDEST));
        assert_eq!(next(0, LAST_LOOK), None);
        assert_eq!(next_unread(0, Duration::ZERO), Some(FIRST));
        assert_eq!(next_unread(0, LAST_LOOK), Some(RARELY));
        assert_eq!(next_unread(0, GIVEN_UP), None);
    }
}
