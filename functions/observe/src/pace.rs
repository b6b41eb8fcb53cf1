//! How often health is looked at: soon at first, then less and less. Pure.

use std::time::Duration;

/// After this long without health a rollout is reported as unhealthy, if there were so many looks: a clock that jumps ahead
/// makes no rollout late. It is followed further all the same.
const DEADLINE: (Duration, u32) = (Duration::from_mins(10), 60);

/// After this long, and so many looks, nobody looks any more.
const LAST_LOOK: (Duration, u32) = (Duration::from_hours(1), 300);

/// The first look again comes after this.
const FIRST: Duration = Duration::from_millis(100);

/// Looks are never further apart.
const WIDEST: Duration = Duration::from_secs(10);

/// How far apart looks are once nobody looks any more, where the last one found nothing out.
const RARELY: Duration = Duration::from_mins(5);

/// After this long, and so many looks, nobody looks any more, also where nothing was found out.
const GIVEN_UP: (Duration, u32) = (Duration::from_hours(7 * 24), 2_000);

/// Whether a rollout whose health is read has had its time.
pub fn is_late(looks: u32, elapsed: Duration) -> bool {
    is_past(DEADLINE, looks, elapsed)
}

/// Whether it is to be told that health cannot be read. Looks are few where each waits for an answer, and do not count.
pub fn is_late_unread(elapsed: Duration) -> bool {
    elapsed >= DEADLINE.0
}

/// As [`next`], after a look that found nothing out: a cluster that is away for longer than a rollout is
/// followed is looked at when it is back, since what it no longer wants is still to be pruned.
pub fn next_unread(looks: u32, elapsed: Duration) -> Option<Duration> {
    next(looks, elapsed).or_else(|| (!is_past(GIVEN_UP, looks, elapsed)).then_some(RARELY))
}

/// How long until the next look, after `looks` looks in `elapsed` time; none when it was the last.
pub fn next(looks: u32, elapsed: Duration) -> Option<Duration> {
    let widening = FIRST.saturating_mul(1_u32 << (looks / 3).min(10));
    (!is_past(LAST_LOOK, looks, elapsed)).then(|| widening.min(WIDEST))
}

fn is_past((time, least): (Duration, u32), looks: u32, elapsed: Duration) -> bool {
    elapsed >= time && looks >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_widen_and_end() {
        assert_eq!(next(0, Duration::ZERO), Some(FIRST));
        assert_eq!(next(6, Duration::ZERO), Some(Duration::from_millis(400)));
        assert_eq!(next(u32::MAX, Duration::ZERO), Some(WIDEST));
        let (hour, looks) = LAST_LOOK;
        assert_eq!(next(looks, hour), None);
        assert_eq!(next_unread(0, Duration::ZERO), Some(FIRST));
        assert_eq!(next_unread(looks, hour), Some(RARELY));
        assert_eq!(next_unread(GIVEN_UP.1, GIVEN_UP.0), None);
    }

    #[test]
    fn a_clock_that_jumps_ahead_ends_nothing() {
        let week = GIVEN_UP.0;
        assert!(!is_late(DEADLINE.1 - 1, week));
        assert!(is_late_unread(DEADLINE.0));
        assert_eq!(next(0, week), Some(FIRST));
        assert_eq!(next(LAST_LOOK.1 - 1, week), Some(WIDEST));
        assert_eq!(next_unread(LAST_LOOK.1, week), Some(RARELY));
    }

    /// So many looks are made in less time than what they stand for.
    #[test]
    fn looks_that_are_not_held_up_are_more_than_are_asked_for() {
        let (mut elapsed, mut looks, mut late) = (Duration::ZERO, 0, None);
        while let Some(delay) = next(looks, elapsed) {
            late = late.or(is_late(looks, elapsed).then_some(elapsed));
            elapsed += delay;
            looks += 1;
        }
        assert!(looks > LAST_LOOK.1 && elapsed < LAST_LOOK.0 + WIDEST, "{looks} looks in {elapsed:?}");
        assert!(late.is_some_and(|late| late < DEADLINE.0 + WIDEST), "{late:?}");
    }
}
