//! Bundles with their engines, kept between messages: compiling one costs more than deciding under it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::ports::store::Store;
use countersign_core::stage::StageError;
use countersign_policy::bundle::Bundle;

/// The bundles used last.
#[derive(Default)]
pub struct Bundles(Mutex<BTreeMap<Digest, Arc<Bundle>>>);

/// How many bundles are kept: the active one, and the one that it replaced.
const KEPT: usize = 2;

impl Bundles {
    /// A bundle, compiled.
    ///
    /// # Errors
    /// When the store cannot be read, or holds other bytes than the digest names.
    pub async fn get(&self, store: &impl Store, digest: &Digest) -> Result<Arc<Bundle>, StageError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let configuration = read(store, &keys::bundle_configuration(digest)).await?;
        let policies = read(store, &keys::bundle_policies(digest)).await?;
        let bundle = Bundle::from_stored(digest, &configuration, &policies)
            .map_err(|error| StageError::Final(format!("bundle {digest}: {error}")))?;
        let bundle = Arc::new(bundle);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.len() >= KEPT {
            kept.pop_first();
        }
        kept.insert(*digest, Arc::clone(&bundle));
        Ok(bundle)
    }
}

async fn read(store: &impl Store, key: &str) -> Result<Vec<u8>, StageError> {
    let found = store.get(key).await?;
    Ok(found.ok_or_else(|| StageError::Retry(format!("{key}: not in the store yet")))?.bytes)
}

/// Stores a bundle's two parts under its digest.
///
/// # Errors
/// When the store cannot be written.
pub async fn store(store: &impl Store, bundle: &Bundle) -> Result<(), StageError> {
    let stored = bundle
        .to_stored()
        .map_err(|error| StageError::Final(format!("a bundle cannot be written as JSON: {error}")))?;
    let digest = bundle.digest();
    store.put_if_absent(&keys::bundle_policies(digest), &stored.policies).await?;
    store.put_if_absent(&keys::bundle_configuration(digest), &stored.configuration).await?;
    Ok(())
}
