//! What is remembered of a repository between two looks. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::digest::Digest;
use countersign_core::names::{CommitId, Reference};
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A server that fails is asked again at least this often, however long it has failed.
const WIDEST_RETRY: Duration = Duration::from_mins(10);

/// A tip that stays unseen is hinted at again after this, and after twice the time of the last one.
const FIRST_REPEAT: Duration = Duration::from_mins(10);

/// It is never left longer: whatever kept it from being seen may be mended by then.
const WIDEST_REPEAT: Duration = Duration::from_hours(6);

/// One repository, as it was last asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// When it is asked about again.
    pub next: Timestamp,
    /// How often in a row its server failed.
    #[serde(default)]
    pub failures: u32,
    /// How many hints were ever sent: it tells two hints at one tip apart.
    #[serde(default)]
    pub sent: u64,
    /// Tips that were hinted at and that nobody has looked at yet.
    #[serde(default)]
    pub hinted: BTreeMap<Reference, Hint>,
    /// The names of all statements, hashed.
    #[serde(default)]
    pub statements: Option<Digest>,
    /// Open pull requests, with what changes whenever they do.
    #[serde(default)]
    pub pull_requests: BTreeMap<String, String>,
    /// What was found of pull requests that had ended, of each reference where that was new.
    #[serde(default)]
    pub ended: BTreeMap<Reference, Digest>,
}

/// A hint that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hint {
    /// The tip.
    pub tip: CommitId,
    /// How often.
    pub times: u32,
    /// When it is sent again, if the tip is still unseen.
    pub next: Timestamp,
}

impl Repository {
    /// One that was never asked about: everything is looked at when it is configured, and at every start.
    pub fn new(now: Timestamp, period: Duration) -> Self {
        Self {
            next: now.plus(period),
            failures: 0,
            sent: 0,
            hinted: BTreeMap::new(),
            statements: None,
            pull_requests: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    /// Whether it is to be asked about at `now`. Where that is further away than the wait is long, the clock was put
    /// back since, or the period was made shorter.
    pub fn is_due(&self, now: Timestamp, period: Duration) -> bool {
        let longest = if self.failures == 0 { period } else { period.max(WIDEST_RETRY) };
        self.next <= now || self.next > now.plus(longest)
    }

    /// Notes that its server failed.
    pub fn failed(&mut self, now: Timestamp, period: Duration) {
        self.failures = self.failures.saturating_add(1);
        let wait = period.saturating_mul(1 << self.failures.min(16)).min(WIDEST_RETRY).max(period);
        self.next = now.plus(wait);
    }

    /// Notes that its server answered.
    pub fn answered(&mut self, now: Timestamp, period: Duration) {
        self.failures = 0;
        self.next = now.plus(period);
    }

    /// Whether a tip that differs from what was seen is to be hinted at now; notes that it was.
    pub fn hint(&mut self, reference: &Reference, tip: &CommitId, now: Timestamp) -> bool {
        let known = self.hinted.get(reference).filter(|hint| hint.tip == *tip);
        let times = match known {
            Some(hint) if hint.next > now && hint.next <= now.plus(WIDEST_REPEAT) => return false,
            Some(hint) => hint.times.saturating_add(1),
            None => 0,
        };
        let next = now.plus(FIRST_REPEAT.saturating_mul(1 << times.min(16)).min(WIDEST_REPEAT));
        self.hinted.insert(reference.clone(), Hint { tip: tip.clone(), times, next });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_server_that_fails_is_asked_less_and_less_often_and_at_once_again_when_it_answers() {
        let mut repository = Repository::new(at(0), PERIOD);
        let waits: Vec<_> = (0..6)
            .map(|_| {
                repository.failed(at(0), PERIOD);
                repository.next.since(at(0)).as_secs()
            })
            .collect();
        assert_eq!(waits, [120, 240, 480, 600, 600, 600]);
        repository.answered(at(0), PERIOD);
        assert_eq!(repository.next, at(60));
        let hourly = Duration::from_hours(1);
        repository.failed(at(0), hourly);
        assert_eq!(repository.next, at(3600), "never more often than asked for");
    }

    #[test]
    fn a_clock_that_was_put_back_holds_up_nothing() {
        let mut repository = Repository::new(at(1_000_000), PERIOD);
        assert!(repository.is_due(at(0), PERIOD));
        repository.answered(at(0), PERIOD);
        assert!(!repository.is_due(at(59), PERIOD) && repository.is_due(at(60), PERIOD));
        assert!(repository.is_due(at(1), Duration::from_secs(5)), "the period was made shorter");
    }

    #[test]
    fn a_tip_is_hinted_at_once_and_then_ever_more_rarely() {
        let mut repository = Repository::new(at(0), PERIOD);
        let (main, other) = ("refs/heads/main".parse().unwrap(), "refs/heads/other".parse().unwrap());
        let tip = |c: char| c.to_string().repeat(40).parse::<CommitId>().unwrap();
        let hinted: Vec<_> = (0..200)
            .map(|minute| minute * 60)
            .filter(|now| repository.hint(&main, &tip('a'), at(*now)))
            .collect();
        assert_eq!(hinted, [0, 600, 1800, 4200, 9000]);
        assert!(repository.hint(&other, &tip('a'), at(9001)));
        assert!(repository.hint(&main, &tip('b'), at(9001)), "another tip is told at once");
        assert!(repository.hint(&main, &tip('a'), at(9002)), "and back again");
    }
}
