//! A store whose reads a test can count.

use std::sync::Mutex;

use countersign_core::ports::PortError;
use countersign_core::ports::store::{Store, Version, Versioned, Written};
use countersign_local::store::LocalStore;

/// A store that remembers what was read.
pub struct Watched {
    pub inner: LocalStore,
    pub reads: Mutex<Vec<String>>,
}

impl Watched {
    /// How often a key was read since this was asked last.
    pub fn reads_of(&self, key: &str) -> usize {
        std::mem::take(&mut *self.reads.lock().unwrap()).iter().filter(|read| *read == key).count()
    }
}

impl Store for Watched {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        self.reads.lock().unwrap().push(key.to_owned());
        self.inner.get(key).await
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<Version, PortError> {
        self.inner.put(key, bytes).await
    }

    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Written, PortError> {
        self.inner.put_if_absent(key, bytes).await
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        self.inner.compare_and_swap(key, expected, bytes).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, PortError> {
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.inner.delete(key).await
    }
}
