//! What holds at every step. The watch sees each write the moment it takes effect, and holds it against the log
//! and against what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::authorization::ProvenAuthorization;
use countersign_core::digest::Digest;
use countersign_core::facts::{ObjectKey, Operation};
use countersign_core::keys;
use countersign_core::leaf::{DecisionRecord, Disposition, Leaf, OutcomeRecord, Record};
use countersign_core::manifest::Manifest;
use countersign_core::names::{AttemptId, CommitId, Target};
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::queue::Outgoing;
use countersign_core::ports::store;
use countersign_core::target::TargetState;
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::log::checkpoint_key;
use countersign_ledger::merkle::{empty_root, leaf_hash, node_hash};
use countersign_ledger::note::NoteKey;
use countersign_ledger::proof::LogProof;
use countersign_ledger::view::View;

use super::executor::Sim;
use super::forge::Forge;
use super::immediate;
use super::installation::Prepared;
use super::memory::store::MemoryStore;
use super::people;

mod clusters;

use clusters::canonical;

/// So often in a row may a look at a target be overtaken before it is a loop.
const LONGEST_CHAIN: u32 = 12;

/// Looks on.
pub struct Watch {
    sim: Sim,
    forge: Forge,
    prepared: Arc<Prepared>,
    key: NoteKey,
    seen: Mutex<Seen>,
}

/// What was seen so far.
#[derive(Default)]
pub struct Seen {
    /// Every leaf.
    pub leaves: Vec<Leaf>,
    hashes: Vec<Digest>,
    /// Every checkpoint that was published.
    checkpoints: BTreeSet<String>,
    names: BTreeSet<String>,
    /// Which commit each head explains on a ref.
    heads: BTreeMap<(String, CommitId), CommitId>,
    /// The commit that each target's next change is measured from.
    pub measured_from: BTreeMap<Target, CommitId>,
    /// Every object, in canonical JSON, that a leaf authorizes on a cluster, with the first such leaf.
    objects: BTreeMap<(String, String), u64>,
    /// The names of all objects that each leaf authorizes.
    wanted: BTreeMap<u64, BTreeSet<ObjectKey>>,
    /// The sequence that each inventory holds, by cluster and name.
    inventories: BTreeMap<(String, String), u64>,
    /// How many leaves the witness has cosigned.
    cosigned: u64,
    /// The bundle that is active by the log.
    active: Option<Digest>,
    /// The last report of drift of each attempt.
    drift: BTreeMap<AttemptId, u32>,
    kept: BTreeMap<String, u64>,
    folded: BTreeMap<String, u64>,
    ended: BTreeMap<AttemptId, OutcomeResult>,
    chains: BTreeMap<u64, u32>,
    /// Events that the timer sent.
    sent: BTreeSet<String>,
}

impl Watch {
    /// Looks on from the beginning.
    #[must_use]
    pub fn new(sim: &Sim, forge: &Forge, prepared: &Arc<Prepared>) -> Self {
        let key = prepared.log_key();
        let (sim, forge, prepared) = (sim.clone(), forge.clone(), Arc::clone(prepared));
        Self { sim, forge, prepared, key, seen: Mutex::default() }
    }

    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.sim.violate(what());
        }
    }

    /// A value was stored.
    pub fn stored(&self, store: &MemoryStore, key: &str, bytes: &[u8]) {
        if key == checkpoint_key() {
            self.published(store, bytes);
        } else if key.starts_with("authorizations/") {
            self.authorized(key, bytes);
        } else if key.starts_with(keys::TARGETS) {
            self.folded(key, bytes);
        } else if key == keys::SETTLED {
            let settled: u64 = serde_json::from_slice(bytes).unwrap_or(0);
            let size = self.seen().hashes.len() as u64;
            self.check(settled <= size, || format!("{settled} leaves are settled, the log has {size}"));
        } else if key.starts_with(keys::WITNESS) {
            self.witnessed(key, bytes);
        }
    }

    /// The witness saw or cosigned a checkpoint: one that was published.
    fn witnessed(&self, key: &str, bytes: &[u8]) {
        let Some(size) = self.published_size(&String::from_utf8_lossy(bytes)) else {
            return self.sim.violate(format!("{key} is of no checkpoint that was published"));
        };
        if key != keys::WITNESSED {
            let mut seen = self.seen();
            seen.cosigned = seen.cosigned.max(size);
        }
    }

    /// The size of a checkpoint, whoever cosigned it, if it is of the history that was published.
    fn published_size(&self, text: &str) -> Option<u64> {
        let signed = SignedCheckpoint::verify(text, &self.key).ok()?;
        let checkpoint = signed.checkpoint();
        let seen = self.seen();
        let leaves = seen.hashes.get(..usize::try_from(checkpoint.size).ok()?)?;
        (root_of(leaves) == checkpoint.root).then_some(checkpoint.size)
    }

    /// A checkpoint was published: the log has grown, and every earlier leaf is still in its place.
    fn published(&self, store: &MemoryStore, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let signed = match SignedCheckpoint::verify(&text, &self.key) {
            Ok(signed) => signed,
            Err(error) => {
                return self.sim.violate(format!("a checkpoint is published that is none: {error}"));
            }
        };
        let (size, root) = (signed.checkpoint().size, signed.checkpoint().root);
        let known = self.seen().hashes.len() as u64;
        if size < known {
            return self.sim.violate(format!("the log shrinks from {known} leaves to {size}"));
        }
        let leaves = match immediate(View::new(store, signed).leaves(known..size)) {
            Ok(leaves) => leaves,
            Err(error) => return self.sim.violate(format!("the published log cannot be read: {error}")),
        };
        {
            let mut seen = self.seen();
            seen.hashes.extend(leaves.iter().map(|leaf| leaf_hash(leaf)));
            seen.checkpoints.insert(text);
            let expected = root_of(&seen.hashes);
            drop(seen);
            self.check(root == expected, || {
                format!("the checkpoint of size {size} is of another history: the log forks")
            });
        }
        for (index, bytes) in (known..).zip(leaves) {
            match serde_json::from_slice::<Leaf>(&bytes) {
                Ok(leaf) => self.leaf(store, index, leaf),
                Err(error) => self.sim.violate(format!("leaf {index} is not understood: {error}")),
            }
        }
    }

    fn leaf(&self, store: &MemoryStore, index: u64, leaf: Leaf) {
        let name = leaf.record.name();
        self.sim.note(&["leaf", &index.to_string(), &name, &summary(&leaf.record)]);
        let new = self.seen().names.insert(name.clone());
        self.check(new, || format!("leaf {index} records {name} a second time"));
        match &leaf.record {
            Record::Decision(record) => self.decision(store, index, record),
            Record::Outcome(record) => self.outcome(index, record),
            Record::Rejected(record) => {
                self.sim.violate(format!("leaf {index} rejects a message: {}", record.reason));
            }
            Record::Genesis(_) => self.seen().active = Some(self.prepared.genesis.1.bundle),
            Record::Rotation(_) => {}
        }
        self.seen().leaves.push(leaf);
    }

    fn decision(&self, store: &MemoryStore, index: u64, record: &DecisionRecord) {
        self.chain(store, index, record);
        let takes_effect = matches!(record.disposition, Disposition::Authorized | Disposition::Unchanged);
        let command = matches!(record.operation, Operation::Hold | Operation::Release);
        if !takes_effect || command {
            return;
        }
        let active = self.seen().active;
        self.check(active == Some(record.bundle), || {
            format!("leaf {index} of {} takes effect by a bundle that is not active", record.target)
        });
        if record.new_bundle.is_some() {
            self.seen().active = record.new_bundle;
        }
        for explained in &record.explained {
            let key = (record.follows.key(), explained.head.clone());
            let before = self.seen().heads.insert(key, explained.commit.clone());
            let same = before.is_none_or(|before| before == explained.commit);
            self.check(same, || format!("leaf {index}: head {} explains a second commit", explained.head));
        }
        let from = self.seen().measured_from.get(&record.target).cloned();
        if let Err(why) = people::holds(store, &self.forge, &self.prepared, record, from.as_ref()) {
            self.sim.violate(format!("leaf {index} of {}: {why}", record.target));
        }
        if record.operation == Operation::Remove {
            self.seen().wanted.insert(index, BTreeSet::new());
            return;
        }
        self.seen().measured_from.insert(record.target.clone(), record.commit.clone());
        if record.disposition == Disposition::Authorized
            && let Some(digest) = record.manifest
        {
            let manifest: Result<Manifest, _> = immediate(store::get_blob(store, keys::manifest, &digest));
            let Ok(manifest) = manifest else {
                return self.sim.violate(format!("leaf {index} authorizes a manifest that is not stored"));
            };
            let cluster = record.target.cluster.to_string();
            let mut seen = self.seen();
            for object in &manifest.objects {
                seen.objects.entry((cluster.clone(), canonical(object))).or_insert(index);
            }
            seen.wanted.insert(index, manifest.objects.iter().filter_map(ObjectKey::of).collect());
        }
    }

    /// A look that is overtaken asks for another, which must not be overtaken for ever.
    fn chain(&self, store: &MemoryStore, index: u64, record: &DecisionRecord) {
        if record.disposition != Disposition::Superseded {
            return;
        }
        let facts = people::facts(store, record);
        let before = facts.and_then(|facts| facts.cause.event.strip_prefix("again/")?.parse::<u64>().ok());
        let mut seen = self.seen();
        let length = before.and_then(|before| seen.chains.get(&before)).map_or(1, |length| length + 1);
        seen.chains.insert(index, length);
        drop(seen);
        self.check(length <= LONGEST_CHAIN, || {
            format!("{}: {length} looks in a row were overtaken: {}", record.target, record.reason)
        });
    }

    fn outcome(&self, index: u64, record: &OutcomeRecord) {
        let ends = matches!(
            record.result,
            OutcomeResult::Healthy | OutcomeResult::Removed | OutcomeResult::Overtaken
        );
        let mut seen = self.seen();
        let ended = seen.ended.get(&record.attempt).cloned();
        if ends {
            seen.ended.insert(record.attempt, record.result.clone());
        }
        if let OutcomeResult::Drifted { report, .. } | OutcomeResult::Restored { report } = record.result {
            let last = seen.drift.insert(record.attempt, report).unwrap_or(0);
            drop(seen);
            return self.check(report == last + 1, || {
                format!(
                    "leaf {index}: report {report} of drift of {} comes after report {last}",
                    record.target
                )
            });
        }
        drop(seen);
        // That somebody's authorization was refused is told at any time, and changes nothing.
        let refusal = matches!(record.result, OutcomeResult::Refused { .. });
        self.check(ended.is_none() || refusal, || {
            format!(
                "leaf {index}: the attempt of {} ended {ended:?}, and then {:?}",
                record.target, record.result
            )
        });
    }

    fn authorized(&self, key: &str, bytes: &[u8]) {
        let proven: Option<ProvenAuthorization> = serde_json::from_slice(bytes).ok();
        let proof = proven.and_then(|proven| proven.proof.parse::<LogProof>().ok());
        let Some(proof) = proof else { return self.sim.violate(format!("{key} holds no proof")) };
        let seen = self.seen();
        let published = seen.checkpoints.contains(&proof.checkpoint);
        let attempt = key.strip_prefix("authorizations/").and_then(AttemptId::from_hex);
        let logged = usize::try_from(proof.index).ok().and_then(|index| seen.leaves.get(index));
        let decided = logged.is_some_and(|leaf| {
            matches!(&leaf.record, Record::Decision(record)
                if Some(record.attempt) == attempt && record.disposition == Disposition::Authorized)
        });
        drop(seen);
        self.check(published && decided, || {
            format!("an authorization is issued for leaf {}, which is not in the published log", proof.index)
        });
    }

    fn folded(&self, key: &str, bytes: &[u8]) {
        let Ok(state) = serde_json::from_slice::<TargetState>(bytes) else { return };
        let before = self.seen().folded.insert(key.to_owned(), state.as_of).unwrap_or(0);
        self.check(before <= state.as_of, || {
            format!("the state of {} goes back from leaf {before} to {}", state.target, state.as_of)
        });
    }

    /// Messages were sent.
    pub fn sent(&self, role: &str, messages: &[Outgoing]) {
        if role == "timer" {
            self.seen().sent.extend(messages.iter().map(|message| message.deduplication.clone()));
        }
    }

    /// A value was deleted. A due look is taken off once it was asked for: its target is configured all along.
    pub fn deleted(&self, role: &str, key: &str) {
        if role == "timer" && key.starts_with(keys::DUE) {
            let sent = self.seen().sent.contains(key);
            self.check(sent, || format!("the timer drops the due look {key}"));
        }
    }
}

/// The root of a tree of these leaves (RFC 6962, section 2.1), by its definition.
fn root_of(hashes: &[Digest]) -> Digest {
    match hashes {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let split = hashes.len().next_power_of_two() / 2;
            node_hash(&root_of(&hashes[..split]), &root_of(&hashes[split..]))
        }
    }
}

fn summary(record: &Record) -> String {
    match record {
        Record::Decision(record) => format!(
            "{} {:?} {:?} {:?} {}",
            record.target, record.operation, record.verdict, record.disposition, record.reason
        ),
        Record::Outcome(record) => format!("{} {:?}", record.target, record.result),
        Record::Genesis(_) | Record::Rotation(_) => String::new(),
        Record::Rejected(record) => record.reason.clone(),
    }
}
