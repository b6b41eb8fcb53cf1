//! What every worker of the process shares.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use countersign_core::active::ConfigurationCache;
use countersign_evaluate::bundles::Bundles;
use countersign_git::mirror::Repositories;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::genesis::Genesis;
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::queue::{Clock, LocalQueue};
use countersign_local::secrets::LocalSecrets;
use countersign_local::store::LocalStore;
use countersign_record::{Recorder, Settings};
use countersign_render::budget::Budget;
use tokio::sync::Mutex;

use super::forges::HostForges;
use super::metrics::Metrics;
use crate::arguments::ServeArguments;
use crate::installation::{DataFolder, now};
use crate::remote::Remote;

/// A message that was received this often becomes a dead letter: two days of retries at their widest.
const MAX_RECEIVES: u32 = 288;

/// What every worker of the process shares.
pub struct Node {
    /// The one file.
    pub database: Database,
    /// Everything that is kept.
    pub store: LocalStore,
    /// Everything that waits.
    pub queue: LocalQueue,
    /// The root-signed beginning, as bytes and as read.
    pub genesis: (Vec<u8>, Genesis),
    /// The keys since then.
    pub epochs: Epochs,
    /// What `record` is told once.
    pub settings: Settings,
    /// Signs checkpoints.
    pub log_signer: KeyFile,
    /// Signs authorizations.
    pub authorization_signer: KeyFile,
    /// The configuration that was read last.
    pub configurations: ConfigurationCache,
    /// Bundles with their engines.
    pub bundles: Bundles,
    /// Bare copies of repositories.
    pub repositories: Repositories,
    /// What rendering may cost.
    pub budget: Budget,
    /// Webhook secrets.
    pub secrets: LocalSecrets,
    /// What people say, and where they are told.
    pub forges: HostForges,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// There is one log: `record` works alone.
    pub recording: Mutex<()>,
    /// Whether requests can be taken.
    pub ready: AtomicBool,
    /// The witness whose cosignatures are brought to where `apply` looks for them.
    pub witness: Option<Remote>,
    /// How often what runs is compared with what was authorized.
    pub drift_every: Duration,
}

impl Node {
    /// Opens the installation in the data folder.
    ///
    /// # Errors
    /// When something of it is missing, damaged, or in use.
    pub fn open(arguments: &ServeArguments) -> anyhow::Result<Self> {
        let folder = DataFolder::new(&arguments.data);
        let genesis = folder.read_genesis()?;
        let epochs = folder.read_epochs(&genesis.1)?;
        let (log_signer, authorization_signer) = folder.signers(epochs.current())?;
        let settings = folder.settings(&epochs)?;
        let database = Database::open(folder.path())?;
        let store = LocalStore::new(&database);
        let metrics = Arc::new(Metrics::default());
        let counts = Arc::clone(&metrics);
        let queue = LocalQueue::new(&database, steady(), MAX_RECEIVES)
            .watched(Arc::new(move |queue, waited| counts.waited(queue, waited)));
        queue.release()?;
        Ok(Self {
            forges: HostForges::new(store.clone(), Arc::new(now)),
            database,
            store,
            queue,
            genesis,
            epochs,
            settings,
            log_signer,
            authorization_signer,
            configurations: ConfigurationCache::default(),
            bundles: Bundles::default(),
            repositories: Repositories::new(folder.repositories()),
            budget: Budget::default(),
            secrets: LocalSecrets,
            metrics,
            recording: Mutex::new(()),
            ready: AtomicBool::new(false),
            witness: arguments.witness.as_deref().map(Remote::witness).transpose().context("--witness")?,
            drift_every: Duration::from_secs(arguments.drift_seconds),
        })
    }

    /// The `record` stage on this node's ports. Hold [`Node::recording`] while it works.
    #[must_use]
    pub fn recorder(&self) -> Recorder<'_, LocalStore, LocalQueue, KeyFile, KeyFile> {
        Recorder {
            store: &self.store,
            queue: &self.queue,
            log_signer: &self.log_signer,
            authorization_signer: &self.authorization_signer,
            settings: &self.settings,
            configurations: &self.configurations,
        }
    }
}

/// The time for queues. It goes on evenly whatever happens to the machine's clock: were that put back, everything
/// that is delayed would wait for so much longer.
fn steady() -> Clock {
    let (begun, since) = (now(), Instant::now());
    Arc::new(move || begun.plus(since.elapsed()))
}
