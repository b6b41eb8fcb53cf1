//! The store.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::ports::PortError;
use countersign_core::ports::store::{Store, Version, Versioned, Written};

/// The most bytes that a key may have.
const MAX_KEY: usize = 1_024;

/// Keys and values in memory; clones share them.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Values>>);

#[derive(Default)]
struct Values {
    by_key: BTreeMap<String, (u64, Vec<u8>)>,
    version: u64,
}

impl Values {
    fn set(&mut self, key: &str, bytes: &[u8]) -> Result<Version, PortError> {
        if key.len() > MAX_KEY {
            return Err(PortError::Refused(format!(
                "the key has {} bytes, at most {MAX_KEY} are kept",
                key.len()
            )));
        }
        self.version += 1;
        self.by_key.insert(key.to_owned(), (self.version, bytes.to_vec()));
        Ok(Version(self.version.to_string()))
    }
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key.
    #[must_use]
    pub fn peek(&self, key: &str) -> Option<Vec<u8>> {
        self.lock().by_key.get(key).map(|(_, bytes)| bytes.clone())
    }

    /// Every key that begins so.
    #[must_use]
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let values = self.lock();
        let from = (Bound::Included(prefix.to_owned()), Bound::Unbounded);
        values
            .by_key
            .range(from)
            .map(|(key, _)| key.clone())
            .take_while(|key| key.starts_with(prefix))
            .collect()
    }
}

impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        let versioned = |(version, bytes): &(u64, Vec<u8>)| Versioned {
            bytes: bytes.clone(),
            version: Version(version.to_string()),
        };
        Ok(self.lock().by_key.get(key).map(versioned))
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<Version, PortError> {
        self.lock().set(key, bytes)
    }

    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Written, PortError> {
        let mut values = self.lock();
        if values.by_key.contains_key(key) {
            return Ok(Written::Conflict);
        }
        values.set(key, bytes).map(Written::Stored)
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        let mut values = self.lock();
        match values.by_key.get(key) {
            Some((version, _)) if version.to_string() == expected.0 => {
                values.set(key, bytes).map(Written::Stored)
            }
            _ => Ok(Written::Conflict),
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, PortError> {
        let values = self.lock();
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after.to_owned()),
            None => Bound::Included(prefix.to_owned()),
        };
        let keys = values.by_key.range((from, Bound::Unbounded)).map(|(key, _)| key.clone());
        Ok(keys.take_while(|key| key.starts_with(prefix)).take(limit).collect())
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.lock().by_key.remove(key);
        Ok(())
    }
}
