//! An installation on AWS as reading commands see it: by what an operator's own credentials may read.

pub mod dead;
#[cfg(test)]
pub mod fake;
pub mod queues;

use anyhow::{Context as _, bail};
use countersign_core::configuration::Configuration;
use countersign_core::keys;
use countersign_core::ports::signer::Algorithm;
use countersign_core::target::{ActiveBundle, TargetState};
use countersign_core::time::Timestamp;
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::genesis::{self, Genesis};
use countersign_ledger::log;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::aws::Aws;
use super::genesis::public_key;

/// The most bytes of one target's state: more was not written by `record`.
const MAX_STATE: u64 = 16 * 1024 * 1024;

/// The core of an installation on AWS.
pub struct Deployed<'a> {
    aws: &'a Aws,
    /// The installation's name.
    pub name: &'a str,
    /// What `record` is told.
    variables: Value,
}

impl<'a> Deployed<'a> {
    /// The installation of this name, by what its `record` is told.
    ///
    /// # Errors
    /// When there is none in this account, or these credentials may not ask.
    pub fn open(aws: &'a Aws, name: &'a str) -> anyhow::Result<Self> {
        let record = format!("{name}-record");
        let mut found = aws.ask(&["lambda", "get-function-configuration", "--function-name", &record])?;
        let variables = found.pointer_mut("/Environment/Variables").map(Value::take).unwrap_or_default();
        Ok(Self { aws, name, variables })
    }

    /// A variable of `record`.
    ///
    /// # Errors
    /// When it is not told.
    pub fn variable(&self, name: &str) -> anyhow::Result<&str> {
        let value = self.variables.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());
        value.with_context(|| {
            format!("{}-record is told no {name}: deploy the core again (make deploy)", self.name)
        })
    }

    /// The bytes of an object of the data bucket, if it is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn object(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        self.aws.object_if_there(self.variable("COUNTERSIGN_BUCKET")?, key)
    }

    /// A document of the data bucket, if it is there.
    ///
    /// # Errors
    /// When it cannot be read, or understood.
    pub fn document<T: DeserializeOwned>(&self, key: &str) -> anyhow::Result<Option<T>> {
        let Some(bytes) = self.object(key)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{key} is not understood: use the release that runs, or a later one"))
    }

    /// The genesis, signed by the root key that `record` is told.
    ///
    /// # Errors
    /// When it is not there, or is not what that key signed.
    pub fn genesis(&self) -> anyhow::Result<Genesis> {
        let root = public_key::parse(self.variable("COUNTERSIGN_ROOT_KEY")?, Algorithm::Ed25519)?;
        let bucket = self.variable("COUNTERSIGN_BUCKET")?;
        Ok(genesis::verify(&self.aws.object(bucket, keys::GENESIS)?, &root)?)
    }

    /// The keys of the log since then, up to the epoch that `record` is told.
    ///
    /// # Errors
    /// When a rotation is not there, or is not what the root key signed.
    pub fn epochs(&self, genesis: &Genesis) -> anyhow::Result<Epochs> {
        let epoch: u32 = self.variable("COUNTERSIGN_EPOCH")?.parse().context("COUNTERSIGN_EPOCH")?;
        let bucket = self.variable("COUNTERSIGN_BUCKET")?;
        let mut epochs = Epochs::new(genesis);
        while epochs.current().epoch < epoch {
            let key = keys::rotation(epochs.current().epoch + 1);
            epochs.rotate(&self.aws.object(bucket, &key)?).context(key)?;
        }
        Ok(epochs)
    }

    /// The log's newest checkpoint, signed by one of its keys, and when it was written; nothing before the first leaf.
    ///
    /// # Errors
    /// When it cannot be read, or is signed by none of them.
    pub fn checkpoint(&self, epochs: &Epochs) -> anyhow::Result<Option<(SignedCheckpoint, Timestamp)>> {
        let (bucket, key) = (self.variable("COUNTERSIGN_LOG_BUCKET")?, log::checkpoint_key());
        let Some(bytes) = self.aws.object_if_there(bucket, &key)? else { return Ok(None) };
        let keys = epochs.checkpoint_keys()?;
        let checkpoint = SignedCheckpoint::verify_by_any(&String::from_utf8_lossy(&bytes), &keys)?;
        Ok(Some((checkpoint, written(self.aws, bucket, &key)?)))
    }

    /// The active bundle with its configuration; nothing before the first leaf.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn active(&self) -> anyhow::Result<Option<(ActiveBundle, Configuration)>> {
        let Some(active) = self.document::<ActiveBundle>(keys::ACTIVE_BUNDLE)? else { return Ok(None) };
        let key = keys::bundle_configuration(&active.bundle);
        let configuration = self.document(&key)?;
        let configuration = configuration.with_context(|| format!("{key}: not in the data bucket"))?;
        Ok(Some((active, configuration)))
    }

    /// The state of every target that has one. Copied by one call: there may be thousands.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn states(&self) -> anyhow::Result<Vec<TargetState>> {
        let folder = tempfile::tempdir().context("a folder for temporary files cannot be made")?;
        self.aws.copy(self.variable("COUNTERSIGN_BUCKET")?, keys::TARGETS, folder.path())?;
        let mut states = Vec::new();
        for entry in std::fs::read_dir(folder.path())? {
            let entry = entry?;
            let key = format!("{}{}", keys::TARGETS, entry.file_name().to_string_lossy());
            if entry.metadata()?.len() > MAX_STATE {
                bail!("{key}: larger than {MAX_STATE} bytes, which no target's state is");
            }
            let state = serde_json::from_slice(&std::fs::read(entry.path())?);
            states.push(state.with_context(|| {
                format!("{key} is not understood: use the release that runs, or a later one")
            })?);
        }
        Ok(states)
    }
}

/// When an object was written.
///
/// # Errors
/// When it is not there, or these credentials may not ask.
pub fn written(aws: &Aws, bucket: &str, key: &str) -> anyhow::Result<Timestamp> {
    let head = aws.ask(&["s3api", "head-object", "--bucket", bucket, "--key", key])?;
    let time = head.get("LastModified").and_then(Value::as_str).unwrap_or_default();
    time.parse().with_context(|| format!("{key}: {time:?} is no time"))
}
