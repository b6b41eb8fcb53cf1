//! The configuration of the active bundle, read once and kept until another becomes active.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::configuration::Configuration;
use crate::configuration::index::Index;
use crate::digest::Digest;
use crate::keys;
use crate::ports::PortError;
use crate::ports::store::{self, Store};
use crate::target::ActiveBundle;

/// A configuration with the bundle that it belongs to.
#[derive(Clone, Debug)]
pub struct BundleConfiguration {
    /// The bundle.
    pub bundle: Digest,
    /// Its configuration.
    pub configuration: Arc<Configuration>,
    index: Arc<OnceLock<Index>>,
}

impl BundleConfiguration {
    /// Its targets, by what they are looked for by; ordered when they are looked for first.
    #[must_use]
    pub fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(&self.configuration))
    }
}

/// Keeps the configuration that was read last; a bundle's content never changes.
#[derive(Debug, Default)]
pub struct ConfigurationCache(Mutex<Option<BundleConfiguration>>);

impl ConfigurationCache {
    /// The active bundle's configuration; `None` before the genesis.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn active(&self, store: &impl Store) -> Result<Option<BundleConfiguration>, PortError> {
        match store::get_json::<ActiveBundle>(store, keys::ACTIVE_BUNDLE).await? {
            Some(active) => self.of(store, &active.bundle).await.map(Some),
            None => Ok(None),
        }
    }

    /// The configuration of `bundle`.
    ///
    /// # Errors
    /// When the store cannot be read, or does not hold it.
    pub async fn of(&self, store: &impl Store, bundle: &Digest) -> Result<BundleConfiguration, PortError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|kept| kept.bundle == *bundle) {
            return Ok(kept);
        }
        let key = keys::bundle_configuration(bundle);
        let configuration: Configuration = store::get_json(store, &key)
            .await?
            .ok_or_else(|| PortError::Unavailable(format!("{key}: not in the store yet")))?;
        let (bundle, configuration) = (*bundle, Arc::new(configuration));
        let read = BundleConfiguration { bundle, configuration, index: Arc::default() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(read.clone());
        Ok(read)
    }
}
