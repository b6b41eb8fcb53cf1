#![doc = include_str!("../README.md")]

pub mod consequences;
pub mod disposition;
pub mod draft;
pub mod fold;
pub mod working;

use std::ops::Range;

use countersign_core::digest::{Digest, canonical_json};
use countersign_core::keys;
use countersign_core::leaf::{LEAF_VERSION, Leaf, MAX_LEAF, Record, RejectedRecord};
use countersign_core::names::{ClusterName, CommitId};
use countersign_core::ports::queue::Queue;
use countersign_core::ports::signer::{PublicKey, Signer};
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::time::Timestamp;
use countersign_ledger::log;
use countersign_ledger::note::NoteKey;
use countersign_ledger::view::View;

use crate::consequences::Outbox;
use crate::draft::Draft;
use crate::working::Working;

/// What an installation's `record` is told once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The log's origin.
    pub origin: String,
    /// The log's epoch: one more after each rotation of its key.
    pub epoch: u32,
    /// The offline key that alone can sign a recovery.
    pub root_key: PublicKey,
    /// Makes pseudonyms of names, so that leaves hold no name.
    pub pseudonym_secret: String,
}

/// The stage, with the ports that it touches the world through.
pub struct Recorder<'a, S, Q, L, A> {
    /// Log, blobs and state.
    pub store: &'a S,
    /// Where consequences are sent.
    pub queue: &'a Q,
    /// Signs checkpoints.
    pub log_signer: &'a L,
    /// Signs authorizations.
    pub authorization_signer: &'a A,
    /// What it is told once.
    pub settings: &'a Settings,
}

impl Settings {
    /// The pseudonym of a person: the same in every leaf of this installation, and in no other's.
    fn pseudonym(&self, person: &str) -> String {
        let digest = Digest::of_parts(&["pseudonym", &self.pseudonym_secret, person]);
        format!("p-{}", digest.hex().chars().take(20).collect::<String>())
    }
}

/// How many leaves are settled between two notes of how far that went.
const SETTLE_STEP: u64 = 256;

impl<S: Store, Q: Queue, L: Signer, A: Signer> Recorder<'_, S, Q, L, A> {
    /// Takes a batch of the `decisions` queue.
    pub async fn decisions(&self, now: Timestamp, batch: &[Incoming]) -> BatchResult {
        let mut drafts = Vec::new();
        for message in batch {
            match draft::decisions(self.store, message).await {
                Ok(found) => drafts.extend(found),
                Err(error) => return all_failed(batch, &error),
            }
        }
        self.take(now, batch, drafts).await
    }

    /// Takes a batch of the `outcomes` queue of `cluster`. An outcome of another cluster is rejected.
    pub async fn outcomes(&self, cluster: &ClusterName, now: Timestamp, batch: &[Incoming]) -> BatchResult {
        let drafts = batch.iter().map(|message| draft::outcome(cluster, message)).collect();
        self.take(now, batch, drafts).await
    }

    /// Appends leaf 0 to an empty log; nothing if there is one.
    ///
    /// # Errors
    /// When the store, the log or a queue fails; a repeat continues where this ended.
    pub async fn genesis(&self, now: Timestamp, genesis: &[u8], bundle: Digest, commit: CommitId) -> Result<(), StageError> {
        if self.open().await?.is_none() {
            let genesis = store::put_blob_bytes(self.store, keys::blob, genesis).await?;
            let origin = self.settings.origin.clone();
            let record = Record::Genesis(countersign_core::leaf::GenesisRecord { genesis, bundle, commit, origin });
            self.append(now, 0, vec![record]).await?;
        }
        self.settle().await
    }

    /// Everything of one batch goes under one checkpoint, so it fails, and comes again, as one.
    async fn take(&self, now: Timestamp, batch: &[Incoming], drafts: Vec<Draft>) -> BatchResult {
        match self.record(now, drafts).await {
            Ok(()) => batch.iter().map(|_| Ok(())).collect(),
            // Whatever is wrong by now is wrong with the log or the store, never with one message of the batch.
            Err(error) => all_failed(batch, &StageError::Retry(error.to_string())),
        }
    }

    async fn record(&self, now: Timestamp, drafts: Vec<Draft>) -> Result<(), StageError> {
        // What an earlier call appended and did not finish comes first: the state below builds on it.
        let size = self.settle_all().await?;
        let mut working = Working::new(self.store, self.settings);
        let mut records = Vec::new();
        for draft in drafts {
            let index = size + records.len() as u64;
            if let Some(record) = working.record(draft, index, now).await? {
                records.push(record);
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        self.append(now, size, records).await?;
        self.settle().await
    }

    /// Appends records to a log of `size` leaves: what was concluded from those still holds, or nothing is
    /// appended.
    async fn append(&self, now: Timestamp, size: u64, records: Vec<Record>) -> Result<(), StageError> {
        let leaves = records
            .into_iter()
            .map(|record| leaf_bytes(now, record))
            .collect::<Result<Vec<_>, _>>()?;
        let appended = log::append(self.store, self.log_signer, &self.settings.origin, &leaves, Some(size)).await?;
        tracing::info!(first = appended.first, count = leaves.len(), "appended to the log");
        Ok(())
    }

    /// Brings every leaf's consequences about, from where that last ended.
    ///
    /// # Errors
    /// When the store, the log or a queue fails; a repeat continues where this ended.
    pub async fn settle(&self) -> Result<(), StageError> {
        self.settle_all().await.map(drop)
    }

    async fn open(&self) -> Result<Option<View<'_, S>>, StageError> {
        let key = NoteKey::log(&self.settings.origin, self.log_signer.public_key())?;
        Ok(log::open(self.store, &key).await?)
    }

    /// Settles every leaf; returns the log's size.
    async fn settle_all(&self) -> Result<u64, StageError> {
        let Some(mut log) = self.open().await? else { return Ok(0) };
        let size = log.size();
        let mut settled: u64 = store::get_json(self.store, keys::SETTLED).await?.unwrap_or(0);
        while settled < size {
            let end = size.min(settled + SETTLE_STEP);
            self.settle_range(&mut log, settled..end).await?;
            store::put_json(self.store, keys::SETTLED, &end).await?;
            settled = end;
        }
        Ok(size)
    }

    /// State is written before anything is sent, so that whoever a message wakes finds it.
    async fn settle_range(&self, log: &mut View<'_, S>, range: Range<u64>) -> Result<(), StageError> {
        let leaves = log.leaves(range.clone()).await?;
        let mut working = Working::new(self.store, self.settings);
        let mut outbox = Outbox::default();
        for (index, bytes) in range.zip(leaves) {
            let leaf: Leaf = serde_json::from_slice(&bytes).map_err(|error| {
                StageError::Retry(format!("leaf {index}: not understood: {error}: update this program"))
            })?;
            self.consequences(log, &mut working, &mut outbox, (index, &leaf)).await?;
        }
        working.write().await?;
        outbox.send(self.queue).await?;
        Ok(())
    }
}

/// The canonical bytes of a leaf; a record that is too large for one is rejected instead of lost.
fn leaf_bytes(now: Timestamp, record: Record) -> Result<Vec<u8>, StageError> {
    let not_json = |error| StageError::Final(format!("a leaf cannot be written as JSON: {error}"));
    let name = record.name();
    let bytes =
        canonical_json(&Leaf { v: LEAF_VERSION, time: now, record }).map_err(not_json)?;
    if bytes.len() <= MAX_LEAF {
        return Ok(bytes);
    }
    let rejected = Record::Rejected(RejectedRecord {
        id: Digest::of(name.as_bytes()),
        queue: "decisions".to_owned(),
        reason: format!("{name}: {} bytes, a leaf has at most {MAX_LEAF}: explain fewer commits at once", bytes.len()),
        body: Digest::of(&bytes),
    });
    canonical_json(&Leaf { v: LEAF_VERSION, time: now, record: rejected }).map_err(not_json)
}

fn all_failed(batch: &[Incoming], error: &StageError) -> BatchResult {
    batch.iter().map(|_| Err(error.clone())).collect()
}

