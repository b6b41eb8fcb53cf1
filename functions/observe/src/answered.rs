//! Which messages were answered already.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use countersign_core::digest::Digest;

/// How many messages are remembered.
const KEPT: usize = 4_096;

/// The messages whose looks were made, and what follows from them sent, by the digests of their bodies.
///
/// A queue may deliver a message more than once. Each copy that is answered by a look more would go on for as long as the
/// rollout does, and be copied as well. What is remembered here is forgotten with the process: then a copy costs
/// looks, and changes nothing.
#[derive(Debug, Default)]
pub struct Answered(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    found: BTreeSet<Digest>,
    oldest_first: VecDeque<Digest>,
}

impl Answered {
    pub(crate) fn holds(&self, body: &Digest) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).found.contains(body)
    }

    pub(crate) fn add(&self, body: Digest) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !recent.found.insert(body) {
            return;
        }
        recent.oldest_first.push_back(body);
        if recent.oldest_first.len() > KEPT {
            let oldest = recent.oldest_first.pop_front();
            oldest.map(|oldest| recent.found.remove(&oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let answered = Answered::default();
        let bodies: Vec<_> = (0..=KEPT).map(|number| Digest::of(number.to_string().as_bytes())).collect();
        for body in bodies.iter().chain(&bodies[KEPT - 1..]) {
            answered.add(*body);
        }
        assert!(!answered.holds(&bodies[0]));
        assert!(bodies[1..].iter().all(|body| answered.holds(body)));
    }
}
