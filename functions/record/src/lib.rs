#![doc = include_str!("../README.md")]

pub mod consequences;
pub mod disposition;
pub mod draft;
#[cfg(test)]
mod fixture;
pub mod fold;
pub mod leaf;
pub mod rotation;
pub mod working;

use std::collections::BTreeSet;
use std::ops::Range;

use countersign_core::active::ConfigurationCache;
use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::leaf::{DecisionRecord, GenesisRecord, Leaf, Record};
use countersign_core::message::QueueName;
use countersign_core::names::{AttemptId, ClusterName};
use countersign_core::ports::queue::Queue;
use countersign_core::ports::signer::{PublicKey, Signer};
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::time::Timestamp;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::genesis::{self, Genesis};
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
    /// The configuration that was read last.
    pub configurations: &'a ConfigurationCache,
}

impl Settings {
    /// Those of an installation in its newest epoch.
    #[must_use]
    pub fn new(epochs: &Epochs, pseudonym_secret: &str) -> Self {
        Self {
            origin: epochs.origin().to_owned(),
            epoch: epochs.current().epoch,
            root_key: epochs.root_key().clone(),
            pseudonym_secret: pseudonym_secret.to_owned(),
        }
    }

    /// The pseudonym of a person: the same in every leaf of this installation, and in no other's.
    fn pseudonym(&self, person: &str) -> String {
        let digest = Digest::of_parts(&["pseudonym", &self.pseudonym_secret, person]);
        format!("p-{}", digest.hex().chars().take(20).collect::<String>())
    }
}

/// How many leaves are settled between two notes of how far that went.
const SETTLE_STEP: u64 = 256;

impl<S: Store, Q: Queue, L: Signer, A: Signer> Recorder<'_, S, Q, L, A> {
    /// Takes a batch of `queue`: what kind of record a message may be follows from the queue that it came by.
    pub async fn handle(&self, queue: &QueueName, now: Timestamp, batch: &[Incoming]) -> BatchResult {
        // In the middle of an upgrade what is newer waits, and holds up nothing else.
        let waits: Vec<_> = batch.iter().map(Incoming::waits_for_update).collect();
        let known = batch.iter().zip(&waits).filter(|(_, waits)| waits.is_none());
        let known: Vec<_> = known.map(|(message, _)| message.clone()).collect();
        let taken = match queue {
            QueueName::Decisions => self.decisions(now, &known).await,
            QueueName::Outcomes(cluster) => self.outcomes(cluster, now, &known).await,
            QueueName::DeadLetters(cluster) => self.dead_letters(cluster.as_ref(), now, &known).await,
            other => all_failed(&known, &StageError::Retry(format!("{other} is not a queue of record's"))),
        };
        let mut taken = taken.into_iter();
        waits
            .into_iter()
            .filter_map(|waits| waits.map_or_else(|| taken.next(), |error| Some(Err(error))))
            .collect()
    }

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

    /// Takes a batch of the `dead-letters` queue of `cluster`, or of what serves none: nothing is silently lost.
    pub async fn dead_letters(
        &self,
        cluster: Option<&ClusterName>,
        now: Timestamp,
        batch: &[Incoming],
    ) -> BatchResult {
        let drafts = batch.iter().map(|message| draft::dead_letter(cluster, now, message)).collect();
        self.take(now, batch, drafts).await
    }

    /// Appends leaf 0 to an empty log, of the bytes of `genesis.json`; nothing if there is one.
    ///
    /// # Errors
    /// [`StageError::Final`] when the root key did not sign these bytes, or for another log; otherwise when the
    /// store, the log or a queue fails, and a repeat continues where this ended.
    pub async fn genesis(&self, now: Timestamp, bytes: &[u8]) -> Result<(), StageError> {
        if self.open().await?.is_none() {
            let Genesis { bundle, commit, origin, .. } = genesis::verify(bytes, &self.settings.root_key)?;
            if origin != self.settings.origin {
                let why = format!("the genesis is of log {origin}, this is {}", self.settings.origin);
                return Err(StageError::Final(why));
            }
            let genesis = store::put_blob_bytes(self.store, keys::blob, bytes).await?;
            let record = Record::Genesis(GenesisRecord { genesis, bundle, commit, origin });
            let (_, leaf) = leaf::of(now, record)?;
            self.append(0, &[leaf]).await?;
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
        let mut log = self.settle_all().await?;
        let size = log.as_ref().map_or(0, View::size);
        let mut working = Working::new(self.store, self.settings, self.configurations);
        let mut leaves = Vec::new();
        for draft in drafts {
            let index = size + leaves.len() as u64;
            let decided = match (&draft, &mut log) {
                (Draft::Outcome(outcome, ..), Some(log)) => {
                    self.decided(log, &working, &outcome.attempt).await?
                }
                _ => None,
            };
            leaves.extend(working.leaf(draft, decided.as_ref(), index, now).await?);
        }
        if leaves.is_empty() {
            return Ok(());
        }
        self.append(size, &leaves).await?;
        self.settle().await
    }

    /// The decision that the log holds of an attempt, with its index.
    pub(crate) async fn decided(
        &self,
        log: &mut View<'_, S>,
        working: &Working<'_, S>,
        attempt: &AttemptId,
    ) -> Result<Option<(u64, DecisionRecord)>, StageError> {
        let Some(index) = working.index_of(&format!("decision-{attempt}")).await? else { return Ok(None) };
        Ok(match understood(index, &log.leaf(index).await?)?.record {
            Record::Decision(decision) => Some((index, *decision)),
            Record::Genesis(_) | Record::Outcome(_) | Record::Rejected(_) | Record::Rotation(_) => None,
        })
    }

    /// Appends leaves to a log of `size` leaves: what was concluded from those still holds, or nothing is
    /// appended.
    async fn append(&self, size: u64, leaves: &[Vec<u8>]) -> Result<(), StageError> {
        let appended =
            log::append(self.store, self.log_signer, &self.settings.origin, leaves, Some(size)).await?;
        let value = leaves.len() as u64;
        tracing::info!(metric = "Appended", value, first = appended.first, "appended to the log");
        Ok(())
    }

    /// Brings every leaf's consequences about, from where that last ended; from leaf 0 on where the state is lost.
    ///
    /// # Errors
    /// When the store, the log or a queue fails; a repeat continues where this ended.
    pub async fn settle(&self) -> Result<(), StageError> {
        self.settle_all().await.map(drop)
    }

    async fn open(&self) -> Result<Option<View<'_, S>>, StageError> {
        Ok(log::open(self.store, &[self.log_key()?]).await?)
    }

    fn log_key(&self) -> Result<NoteKey, StageError> {
        Ok(NoteKey::log(&self.settings.origin, self.log_signer.public_key())?)
    }

    /// Settles every leaf; returns the log, unless there is none yet.
    async fn settle_all(&self) -> Result<Option<View<'_, S>>, StageError> {
        let Some(mut log) = self.open().await? else { return Ok(None) };
        let size = log.size();
        let mut settled: u64 = store::get_json(self.store, keys::SETTLED).await?.unwrap_or(0);
        let mut told = BTreeSet::new();
        let mut begin = settled;
        while begin + SETTLE_STEP < size {
            begin += SETTLE_STEP;
            told.extend(told_of(&leaves(&mut log, begin..size.min(begin + SETTLE_STEP)).await?));
        }
        while settled < size {
            let end = size.min(settled + SETTLE_STEP);
            self.settle_range(&mut log, settled..end, &mut told).await?;
            store::put_json(self.store, keys::SETTLED, &end).await?;
            settled = end;
        }
        Ok(Some(log))
    }

    /// State is written before anything is sent, so that whoever a message wakes finds it. It is written at
    /// once, and so are the messages: each wait for the disk would hold up all of the range.
    async fn settle_range(
        &self,
        log: &mut View<'_, S>,
        range: Range<u64>,
        told: &mut BTreeSet<AttemptId>,
    ) -> Result<(), StageError> {
        let leaves = leaves(log, range).await?;
        let mut working = Working::new(self.store, self.settings, self.configurations);
        told.extend(told_of(&leaves));
        working.told = std::mem::take(told);
        let mut outbox = Outbox::default();
        for (index, leaf) in &leaves {
            self.consequences(log, &mut working, &mut outbox, (*index, leaf)).await?;
        }
        *told = std::mem::take(&mut working.told);
        working.write().await?;
        outbox.send(self.queue).await?;
        Ok(())
    }
}

async fn leaves<S: Store>(log: &mut View<'_, S>, range: Range<u64>) -> Result<Vec<(u64, Leaf)>, StageError> {
    let bytes = log.leaves(range.clone()).await?;
    range.zip(bytes).map(|(index, bytes)| Ok((index, understood(index, &bytes)?))).collect()
}

/// The attempts that a cluster has told of.
fn told_of(leaves: &[(u64, Leaf)]) -> impl Iterator<Item = AttemptId> {
    leaves.iter().filter_map(|(_, leaf)| match &leaf.record {
        Record::Outcome(record) => Some(record.attempt),
        _ => None,
    })
}

fn understood(index: u64, bytes: &[u8]) -> Result<Leaf, StageError> {
    serde_json::from_slice(bytes).map_err(|error| {
        StageError::Retry(format!("leaf {index}: not understood: {error}: update this program"))
    })
}

fn all_failed(batch: &[Incoming], error: &StageError) -> BatchResult {
    batch.iter().map(|_| Err(error.clone())).collect()
}
