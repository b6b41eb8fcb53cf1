//! The store: blobs and small state by key, with conditional writes.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::PortError;
use crate::digest::{Digest, canonical_json};

/// Names one version of a key's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub String);

/// A value with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The value.
    pub bytes: Vec<u8>,
    /// Its version.
    pub version: Version,
}

/// What a conditional write did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The value is stored, with this version.
    Stored(Version),
    /// The condition did not hold; nothing was written.
    Conflict,
}

/// One of several writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Stores a value, whatever was there.
    Put {
        /// The key.
        key: String,
        /// The value.
        bytes: Vec<u8>,
    },
    /// Stores a value if the key has none.
    PutIfAbsent {
        /// The key.
        key: String,
        /// The value.
        bytes: Vec<u8>,
    },
    /// Stores a value if the key's is of this version.
    CompareAndSwap {
        /// The key.
        key: String,
        /// The version that it must be of.
        expected: Version,
        /// The value.
        bytes: Vec<u8>,
    },
    /// Deletes the value, if there is one.
    Delete {
        /// The key.
        key: String,
    },
}

impl Write {
    /// Stores a value as canonical JSON, whatever was there.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn put_json(key: impl Into<String>, value: &impl Serialize) -> Result<Self, PortError> {
        let key = key.into();
        let bytes = to_json(&key, value)?;
        Ok(Self::Put { key, bytes })
    }
}

/// Keys and values.
///
/// - A write is durable when it returns, and every later read sees it or a newer one.
/// - Of several conditional writes that race on one version, exactly one is stored. A swap stores other bytes than are
///   there: a store may know a value again by its bytes, and then a swap for the same is none.
/// - Keys are UTF-8, at most 1,024 bytes; `list` is in the order of their bytes.
pub trait Store: Sync {
    /// The value of `key`, if there is one.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Versioned>, PortError>> + Send;

    /// Stores `bytes`, whatever was there.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn put(&self, key: &str, bytes: &[u8]) -> impl Future<Output = Result<Version, PortError>> + Send;

    /// Stores `bytes` if `key` has no value.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn put_if_absent(
        &self,
        key: &str,
        bytes: &[u8],
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Stores `bytes` if the value of `key` is of version `expected`.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Makes several writes, in their order, and says of each whether it wrote: a put-if-absent does not where
    /// there is a value. A compare-and-swap that finds another version ends it: it and all after it did not.
    ///
    /// When it fails, or the process dies, the first so many of them were made, and no other: nothing is ever
    /// there without what stands before it. A store that can makes all of them at once.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn write_all(&self, writes: &[Write]) -> impl Future<Output = Result<Vec<bool>, PortError>> + Send {
        async move {
            let mut wrote = Vec::with_capacity(writes.len());
            for write in writes {
                let stored = match write {
                    Write::Put { key, bytes } => self.put(key, bytes).await.map(|_| true)?,
                    Write::PutIfAbsent { key, bytes } => {
                        self.put_if_absent(key, bytes).await? != Written::Conflict
                    }
                    Write::CompareAndSwap { key, expected, bytes } => {
                        self.compare_and_swap(key, expected, bytes).await? != Written::Conflict
                    }
                    Write::Delete { key } => self.delete(key).await.map(|()| true)?,
                };
                wrote.push(stored);
                if !stored && matches!(write, Write::CompareAndSwap { .. }) {
                    break;
                }
            }
            wrote.resize(writes.len(), false);
            Ok(wrote)
        }
    }

    /// Up to `limit` keys that begin with `prefix` and come after `after`, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>, PortError>> + Send;

    /// Deletes the value of `key`, if there is one.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Stores a value as canonical JSON under `key`, whatever was there.
///
/// # Errors
/// When it cannot be written as JSON, or the store cannot be written.
pub async fn put_json(
    store: &impl Store,
    key: &str,
    value: &(impl Serialize + Sync),
) -> Result<(), PortError> {
    store.put(key, &to_json(key, value)?).await.map(drop)
}

/// Reads the JSON under `key`.
///
/// # Errors
/// [`PortError::Refused`] when the value is not of this shape, or the store's own error.
pub async fn get_json<T: DeserializeOwned>(store: &impl Store, key: &str) -> Result<Option<T>, PortError> {
    match store.get(key).await? {
        Some(found) => from_json(key, &found.bytes).map(Some),
        None => Ok(None),
    }
}

/// Stores a value as canonical JSON under the key that `key_of` makes of its digest; returns the digest.
///
/// # Errors
/// As [`put_json`].
pub async fn put_blob(
    store: &impl Store,
    key_of: impl Fn(&Digest) -> String + Send,
    value: &(impl Serialize + Sync),
) -> Result<Digest, PortError> {
    let bytes = to_json("blob", value)?;
    put_blob_bytes(store, key_of, &bytes).await
}

/// Stores bytes under the key that `key_of` makes of their digest; returns the digest.
///
/// # Errors
/// When the store cannot be written.
pub async fn put_blob_bytes(
    store: &impl Store,
    key_of: impl Fn(&Digest) -> String + Send,
    bytes: &[u8],
) -> Result<Digest, PortError> {
    let digest = Digest::of(bytes);
    store.put_if_absent(&key_of(&digest), bytes).await?;
    Ok(digest)
}

/// Reads the bytes that `digest` names, and checks that they are those.
///
/// # Errors
/// [`PortError::Refused`] when there are none or they are others, or the store's own error.
pub async fn get_blob_bytes(
    store: &impl Store,
    key_of: impl Fn(&Digest) -> String + Send,
    digest: &Digest,
) -> Result<Vec<u8>, PortError> {
    let key = key_of(digest);
    let found = find_blob_bytes(store, &key, digest).await?;
    found.ok_or_else(|| PortError::Refused(format!("{key}: not in the store")))
}

/// As [`get_blob_bytes`], by the key; none where there are none.
async fn find_blob_bytes(
    store: &impl Store,
    key: &str,
    digest: &Digest,
) -> Result<Option<Vec<u8>>, PortError> {
    let Some(found) = store.get(key).await? else { return Ok(None) };
    if Digest::of(&found.bytes) != *digest {
        return Err(PortError::Refused(format!("{key}: the store holds other bytes than the digest names")));
    }
    Ok(Some(found.bytes))
}

/// Reads the JSON that `digest` names.
///
/// # Errors
/// As [`get_blob_bytes`], or when the value is not of this shape.
pub async fn get_blob<T: DeserializeOwned>(
    store: &impl Store,
    key_of: impl Fn(&Digest) -> String + Send,
    digest: &Digest,
) -> Result<T, PortError> {
    let key = key_of(digest);
    from_json(&key, &get_blob_bytes(store, key_of, digest).await?)
}

/// As [`get_blob`]; none where there is none, as of what may be deleted.
///
/// # Errors
/// When the store holds other bytes or another shape, or the store's own error.
pub async fn find_blob<T: DeserializeOwned>(
    store: &impl Store,
    key_of: impl Fn(&Digest) -> String + Send,
    digest: &Digest,
) -> Result<Option<T>, PortError> {
    let key = key_of(digest);
    let found = find_blob_bytes(store, &key, digest).await?;
    found.map(|bytes| from_json(&key, &bytes)).transpose()
}

fn to_json(key: &str, value: &impl Serialize) -> Result<Vec<u8>, PortError> {
    canonical_json(value)
        .map_err(|error| PortError::Refused(format!("{key}: cannot be written as JSON: {error}")))
}

fn from_json<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, PortError> {
    serde_json::from_slice(bytes)
        .map_err(|error| PortError::Refused(format!("{key}: the stored value is not understood: {error}")))
}
