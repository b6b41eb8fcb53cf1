//! Answers that need not be sent again while nothing changed: the forge is asked with their tag, and where it
//! answers that nothing changed, that costs neither its work nor, on GitHub, a request of the limit.

use std::collections::HashMap;

use super::answer::Answer;

/// The most bytes of bodies that are kept.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// A larger body is not kept: it would drive out all others.
const MAX_ENTRY: usize = MAX_BYTES / 8;

/// Answers by address, the one that was used longest ago leaving first.
#[derive(Default)]
pub(super) struct Cache {
    entries: HashMap<String, (u64, Answer)>,
    bytes: usize,
    uses: u64,
}

impl Cache {
    /// What was last answered.
    pub(super) fn get(&mut self, key: &str) -> Option<Answer> {
        self.uses += 1;
        let (used, answer) = self.entries.get_mut(key)?;
        *used = self.uses;
        Some(answer.clone())
    }

    /// Keeps an answer in place of the one before.
    pub(super) fn put(&mut self, key: &str, answer: Answer) {
        self.remove(key);
        let size = key.len() + answer.size();
        if size > MAX_ENTRY {
            return;
        }
        self.uses += 1;
        self.bytes += size;
        self.entries.insert(key.to_owned(), (self.uses, answer));
        while self.bytes > MAX_BYTES {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some((_, answer)) = self.entries.remove(key) {
            self.bytes = self.bytes.saturating_sub(key.len() + answer.size());
        }
    }
}
