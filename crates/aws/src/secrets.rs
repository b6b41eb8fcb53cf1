//! [`Secrets`] in Secrets Manager, read again after a minute, so that a rotated one is picked up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::Client;
use countersign_core::configuration::SecretReference;
use countersign_core::ports::PortError;
use countersign_core::ports::secrets::Secrets;

use crate::failure::Failure;

/// How long a secret is used before it is read again.
const LIFE: Duration = Duration::from_secs(60);

/// What no later try can mend.
const REFUSALS: [&str; 2] = ["InvalidParameterException", "ValidationException"];

/// Secrets in Secrets Manager; clones share what was read. Its `Debug` form shows none.
#[derive(Clone)]
pub struct ManagedSecrets {
    client: Client,
    life: Duration,
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
}

#[derive(Clone)]
struct Kept {
    read: Instant,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for ManagedSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManagedSecrets").field("life", &self.life).finish_non_exhaustive()
    }
}

impl ManagedSecrets {
    /// The secrets of this account and region, each used for a minute before it is read again.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self::with_life(config, LIFE)
    }

    /// The same, with another life of what was read.
    #[must_use]
    pub fn with_life(config: &SdkConfig, life: Duration) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(8))
            .build();
        let config = aws_sdk_secretsmanager::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config), life, kept: Arc::default() }
    }

    /// The current version of the secret of this name or ARN, without a final newline.
    ///
    /// # Errors
    /// When it is not there or may not be read. The message holds the name, never the value.
    pub async fn named(&self, name: &str) -> Result<Vec<u8>, PortError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(kept) = kept.filter(|kept| kept.read.elapsed() < self.life) {
            return Ok(kept.bytes);
        }
        let what = format!("secrets: read {name}");
        let found = self.client.get_secret_value().secret_id(name).send().await;
        let found = found.map_err(|error| Failure::new(&what, &error).refused_if(&REFUSALS))?;
        let binary = found.secret_binary.map(aws_sdk_secretsmanager::primitives::Blob::into_inner);
        let mut bytes = found.secret_string.map(String::into_bytes).or(binary).unwrap_or_default();
        while bytes.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
            bytes.pop();
        }
        if bytes.is_empty() {
            return Err(PortError::Unavailable(format!("{what}: it is empty: give it a value")));
        }
        let read = Kept { read: Instant::now(), bytes: bytes.clone() };
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), read);
        Ok(bytes)
    }
}

impl Secrets for ManagedSecrets {
    async fn read(&self, reference: &SecretReference) -> Result<Vec<u8>, PortError> {
        match reference {
            SecretReference::Managed(name) => self.named(name).await,
            SecretReference::Environment(_) | SecretReference::File(_) => {
                let text = String::from(reference.clone());
                Err(PortError::Refused(format!(
                    "the secret {text}: a cloud function has no such: write secret:NAME, with its name in Secrets Manager"
                )))
            }
        }
    }
}
