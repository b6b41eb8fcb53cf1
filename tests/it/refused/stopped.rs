//! An installation that is stopped, with its database open: what a thief of it could do.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_apply::Applier;
use countersign_cluster::{inventory, keep};
use countersign_core::authorization::ProvenAuthorization;
use countersign_core::keys;
use countersign_core::leaf::{DecisionRecord, Disposition, Leaf, Record};
use countersign_core::message::{DeployDue, Message, QueueName};
use countersign_core::names::{AttemptId, ClusterName, Target};
use countersign_core::outcome::Outcome;
use countersign_core::ports::cluster::Cluster as _;
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::signer::Algorithm;
use countersign_core::ports::store::Store as _;
use countersign_core::stage::Incoming;
use countersign_core::time::Timestamp;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::genesis::{self, Genesis};
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::queue::LocalQueue;
use countersign_local::simulated::SimulatedCluster;
use countersign_local::store::LocalStore;
use countersign_tests::installation::{Installation, STAGING};
use serde_json::json;

/// A stopped installation: staging was deployed twice, and a third commit was denied.
pub struct Stopped {
    pub installation: Installation,
    pub database: Database,
    pub store: LocalStore,
    pub genesis: Genesis,
    /// Decisions about staging that were not previews, with their leaves' indices, oldest first.
    pub decisions: Vec<(u64, DecisionRecord)>,
}

/// An outcome, and whether the cluster was written to.
pub struct Presented {
    pub outcome: Outcome,
    pub touched: bool,
}

impl Stopped {
    pub fn new() -> Result<Self> {
        let mut installation = Installation::start()?;
        {
            let shop = installation.clone("shop")?;
            let commit = shop.greet("ada", "staging", "Welcome")?;
            shop.propose("ada")?;
            shop.approve("grace", &commit)?;
            shop.push()?;
            installation.until_runs(STAGING, &commit)?;
            let denied = shop.greet("ada", "staging", "Begone")?;
            shop.push()?;
            installation.reported(&denied, "staging", &["Denied: nothing was deployed."])?;
        }
        installation.stop()?;
        let mut decisions = Vec::new();
        for entry in installation.history()?.into_iter().rev() {
            let leaf: Leaf = serde_json::from_value(entry["leaf"].clone())?;
            if let Record::Decision(record) = leaf.record
                && record.target.to_string() == STAGING
                && record.disposition != Disposition::Preview
            {
                decisions.push((entry["index"].as_u64().context("an index is a number")?, *record));
            }
        }
        let data = installation.data();
        let root = serde_json::from_slice(&fs::read(data.join("keys/root.pub.json"))?)?;
        let genesis = genesis::verify(&fs::read(data.join("genesis.json"))?, &root)?;
        let database = Database::open(&data)?;
        let store = LocalStore::new(&database);
        Ok(Self { installation, store, genesis, database, decisions })
    }

    /// The authorized decisions about staging, oldest first.
    pub fn authorized(&self) -> Vec<&DecisionRecord> {
        let all = self.decisions.iter().map(|(_, record)| record);
        all.filter(|record| record.disposition == Disposition::Authorized).collect()
    }

    /// The decision that was denied, with its leaf's index.
    pub fn denied(&self) -> Result<&(u64, DecisionRecord)> {
        let refused = self.decisions.iter().find(|(_, record)| record.disposition == Disposition::Refused);
        refused.context("nothing was denied")
    }

    /// The authorization of an attempt.
    pub async fn authorization(&self, attempt: &AttemptId) -> Result<ProvenAuthorization> {
        let found = self.store.get(&keys::authorization(attempt)).await?;
        Ok(serde_json::from_slice(&found.context("it was not authorized")?.bytes)?)
    }

    /// One of the two signing keys of the installation.
    pub fn key(&self, name: &str, algorithm: Algorithm) -> Result<KeyFile> {
        Ok(KeyFile::load(&self.installation.data().join(format!("keys/{name}.pem")), algorithm)?)
    }

    pub fn queue(&self, now: Timestamp) -> LocalQueue {
        LocalQueue::new(&self.database, Arc::new(move || now), 100)
    }

    /// A cluster that nothing was deployed to, which trusts this installation.
    pub async fn cluster(&self, name: &str, uid: &str) -> Result<SimulatedCluster> {
        let cluster = SimulatedCluster::open(&self.database, &name.parse()?, uid)?;
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop-staging" } });
        cluster.compare_and_swap(&namespace).await?;
        let trust = Trust::new(&Epochs::new(&self.genesis), uid, Witnesses::default());
        keep::install_trust(&cluster, &serde_json::to_string(&trust)?).await?;
        Ok(cluster)
    }

    /// Presents bytes as the authorization of an attempt to `apply` on a cluster.
    pub async fn present(
        &self,
        cluster: &SimulatedCluster,
        name: &str,
        attempt: AttemptId,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<Presented> {
        self.store.put(&keys::authorization(&attempt), bytes).await?;
        let name: ClusterName = name.parse()?;
        let target: Target = STAGING.parse()?;
        let before = self.objects(cluster).await?;
        let queue = self.queue(now);
        let pause = || tokio::time::sleep(Duration::from_millis(1));
        let stage = Applier { name: &name, store: &self.store, queue: &queue, cluster, pause };
        let body =
            serde_json::to_string(&Message::new("trace", DeployDue { attempt, target: target.clone() }))?;
        let message = Incoming { id: "one".to_owned(), group: target.key(), body, receive_count: 1 };
        for result in stage.handle(now, &[message]).await {
            result?;
        }
        let outcomes = QueueName::Outcomes(name);
        let told = queue.receive(&outcomes, 1, Duration::from_secs(60), Duration::ZERO).await?;
        let told = told.first().context("nothing was told")?;
        let outcome = serde_json::from_str::<Message<Outcome>>(&told.message.body)?.body;
        queue.acknowledge(&outcomes, &told.receipt).await?;
        ensure!(outcome.attempt == attempt, "the outcome is about another attempt");
        Ok(Presented { outcome, touched: self.objects(cluster).await? != before })
    }

    /// Everything that an application could have written, and the inventory.
    async fn objects(&self, cluster: &SimulatedCluster) -> Result<String> {
        let mut found = Vec::new();
        for (version, kind) in [("v1", "ConfigMap"), ("v1", "Service"), ("apps/v1", "Deployment")] {
            found.extend(cluster.list(version, kind, Some("shop-staging"), None).await?);
        }
        let inventory = inventory::read(cluster, &STAGING.parse()?).await?;
        Ok(format!("{found:?} {inventory:?}"))
    }
}
