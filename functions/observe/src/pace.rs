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
    }
}
