//! What goes wrong on the way to AWS, as often as a test asks for.

use std::sync::{Mutex, PoisonError};

use crate::simulation::random::Random;

/// How often something goes wrong, of a thousand calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Calls are throttled.
    pub throttled: u64,
    /// The service fails, and nothing was done.
    pub failed: u64,
    /// What was asked for was done, and the answer is a failure, or breaks off.
    pub lost: u64,
    /// KMS does not sign.
    pub kms_denied: bool,
    /// The calls that fail every time, and do nothing.
    pub out_of_order: &'static [&'static str],
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing is wrong.
    Well,
    /// It is throttled.
    Throttled,
    /// The service fails, and nothing is done.
    Failed,
    /// It is done, and the service answers that it failed.
    DoneAndFailed,
    /// It is done, and the answer breaks off.
    DoneAndBroken,
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

    /// The fate of the next call of this name, as `kms.Sign`.
    pub fn next(&self, call: &str) -> Fate {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rates, random) = &mut *drawn;
        if call.starts_with("kms.") && rates.kms_denied {
            return Fate::Denied;
        }
        if rates.out_of_order.contains(&call) {
            return Fate::Failed;
        }
        let draw = random.below(1000);
        let (throttled, failed) = (rates.throttled, rates.throttled + rates.failed);
        match draw {
            draw if draw < throttled => Fate::Throttled,
            draw if draw < failed => Fate::Failed,
            draw if draw < failed + rates.lost => {
                if random.chance(500_000) {
                    Fate::DoneAndFailed
                } else {
                    Fate::DoneAndBroken
                }
            }
            _ => Fate::Well,
        }
    }
}
