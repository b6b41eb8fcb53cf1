//! What goes wrong on the way to AWS, as often as a test asks for.

use std::sync::{Mutex, PoisonError};

use crate::simulation::random::Random;

/// How often something goes wrong, of a thousand calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of the conditional writes of S3 only: another one of the same object is at work.
    pub conflicted: u64,
    /// Calls are throttled.
    pub throttled: u64,
    /// The service fails, and nothing was done.
    pub failed: u64,
    /// What was asked for was done, and the answer is a failure, or breaks off.
    pub lost: u64,
    /// What was asked for was done, and no answer comes.
    pub silent: u64,
    /// KMS does not sign.
    pub kms_denied: bool,
    /// The calls that fail every time, and do nothing.
    pub out_of_order: &'static [&'static str],
    /// The calls, each of one function, that are done and never answered.
    pub unanswered: &'static [(&'static str, &'static str)],
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Nothing is wrong.
    Well,
    /// It is throttled.
    Throttled,
    /// It is a conditional write, and another one of the same object is at work.
    Conflicted,
    /// The service fails, and nothing is done.
    Failed,
    /// It is done, and the service answers that it failed.
    DoneAndFailed,
    /// It is done, and the answer breaks off.
    DoneAndBroken,
    /// It is done, and no answer comes.
    DoneAndSilent,
    /// The role is not allowed to, for now.
    Denied,
}

/// Draws the fate of each call.
#[derive(Debug)]
pub struct Faults(Mutex<(Rates, Random)>);

impl Faults {
    /// None, until a test asks for some.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new((Rates::default(), Random::new(seed, "aws"))))
    }

    /// From now on things go wrong this often.
    pub fn set(&self, rates: Rates) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = rates;
    }

    /// The fate of the next call of this name by a function, as `kms.Sign` by `record`; of S3 it may have a condition.
    pub fn next(&self, function: &str, call: &str, is_conditional: bool) -> Fate {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rates, random) = &mut *drawn;
        if call == "kms.Sign" && rates.kms_denied {
            return Fate::Denied;
        }
        if rates.out_of_order.contains(&call) {
            return Fate::Failed;
        }
        if rates.unanswered.contains(&(function, call)) {
            return Fate::DoneAndSilent;
        }
        let lost = if random.chance(500_000) { Fate::DoneAndFailed } else { Fate::DoneAndBroken };
        let fates = [
            (if is_conditional { rates.conflicted } else { 0 }, Fate::Conflicted),
            (rates.throttled, Fate::Throttled),
            (rates.failed, Fate::Failed),
            (rates.lost, lost),
            (rates.silent, Fate::DoneAndSilent),
        ];
        let (draw, mut end) = (random.below(1000), 0);
        let drawn = fates.into_iter().find(|(rate, _)| {
            end += rate;
            draw < end
        });
        drawn.map_or(Fate::Well, |(_, fate)| fate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(rates: Rates, is_conditional: bool) -> Vec<Fate> {
        let faults = Faults::new(1);
        faults.set(rates);
        (0..200).map(|_| faults.next("record", "s3.PutObject", is_conditional)).collect()
    }

    #[test]
    fn only_a_conditional_write_meets_another_one() {
        let rates = Rates { conflicted: 1000, ..Rates::default() };
        assert_eq!(fates(rates, true), [Fate::Conflicted; 200]);
        assert_eq!(fates(rates, false), [Fate::Well; 200]);
    }

    #[test]
    fn every_fate_is_drawn_as_often_as_was_asked_for() {
        let rates = Rates { throttled: 250, failed: 250, lost: 250, silent: 250, ..Rates::default() };
        let found = fates(rates, false);
        for fate in
            [Fate::Throttled, Fate::Failed, Fate::DoneAndFailed, Fate::DoneAndBroken, Fate::DoneAndSilent]
        {
            assert!(found.contains(&fate), "{fate:?}");
        }
        assert!(!found.contains(&Fate::Well));
    }

    #[test]
    fn what_is_unanswered_is_so_for_one_function() {
        let faults = Faults::new(1);
        faults.set(Rates { unanswered: &[("gather", "s3.PutObject")], ..Rates::default() });
        let fate = |function| faults.next(function, "s3.PutObject", false);
        assert_eq!((fate("gather"), fate("record")), (Fate::DoneAndSilent, Fate::Well));
    }
}
