//! What may come after what in a log: the meaning of leaves, followed from the first.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use countersign_core::decision::Verdict;
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::Operation;
use countersign_core::leaf::{
    DecisionRecord, Disposition, LEAF_VERSION, Leaf, OutcomeRecord, Record, RotationRecord,
};
use countersign_core::names::{AttemptId, CommitId, Target};
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::signer::PublicKey;
use countersign_core::time::Timestamp;

use crate::epochs::FIRST_EPOCH;
use crate::error::LedgerError;
use crate::note::NoteKey;

/// How far back a leaf's time may lie before the latest so far: clocks are set right now and then.
const BACKWARD: Duration = Duration::from_secs(5 * 60);

/// What earlier leaves said that later ones must agree with.
pub(super) struct Rules {
    origin: String,
    latest: Timestamp,
    active: Option<Digest>,
    names: HashSet<Digest>,
    nonces: HashSet<Digest>,
    authorized: HashMap<AttemptId, (u64, Target)>,
    heads: HashMap<Digest, CommitId>,
    epoch: u32,
    log_key: Option<PublicKey>,
}

impl Rules {
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            latest: Timestamp::from_millis(i64::MIN),
            active: None,
            names: HashSet::new(),
            nonces: HashSet::new(),
            authorized: HashMap::new(),
            heads: HashMap::new(),
            epoch: FIRST_EPOCH,
            log_key: None,
        }
    }

    /// The key of the last epoch that a leaf began.
    pub fn rotated_to(&self) -> Option<Result<NoteKey, LedgerError>> {
        self.log_key.as_ref().map(|key| NoteKey::log(&self.origin, key))
    }

    /// Follows one leaf: tells `problem` what is wrong with it, and returns what kind it is.
    pub fn follow(&mut self, index: u64, bytes: &[u8], problem: &mut impl FnMut(String)) -> String {
        let leaf = match parse(bytes) {
            Ok(leaf) => leaf,
            Err(why) => {
                problem(why);
                return "not understood".to_owned();
            }
        };
        if leaf.time < self.latest.minus(BACKWARD) {
            problem(format!("its time {} lies before that of an earlier leaf, {}", leaf.time, self.latest));
        }
        self.latest = self.latest.max(leaf.time);
        let name = leaf.record.name();
        if !self.names.insert(Digest::of(name.as_bytes())) {
            problem(format!("{name} was recorded before"));
        }
        let is_genesis = matches!(leaf.record, Record::Genesis(_));
        if is_genesis != (index == 0) {
            problem("genesis must be the first leaf and no other".to_owned());
        }
        match leaf.record {
            Record::Genesis(genesis) => {
                if genesis.origin != self.origin {
                    problem(format!(
                        "genesis is of log {:?}, the checkpoint of {:?}",
                        genesis.origin, self.origin
                    ));
                }
                self.active = Some(genesis.bundle);
                "genesis".to_owned()
            }
            Record::Decision(record) => {
                self.decision(index, &record, problem);
                format!("decision {}", word(&record.disposition))
            }
            Record::Outcome(record) => {
                self.outcome(&record, problem);
                format!("outcome {}", outcome_word(&record.result))
            }
            Record::Rejected(_) => "rejected".to_owned(),
            Record::Rotation(record) => {
                self.rotation(record, problem);
                "rotation".to_owned()
            }
        }
    }

    fn rotation(&mut self, record: RotationRecord, problem: &mut impl FnMut(String)) {
        if record.epoch != self.epoch + 1 {
            problem(format!("it begins epoch {} after epoch {}", record.epoch, self.epoch));
        }
        self.epoch = record.epoch;
        self.log_key = Some(record.log_key);
    }

    fn decision(&mut self, index: u64, record: &DecisionRecord, problem: &mut impl FnMut(String)) {
        let takes_effect = record.disposition == Disposition::Authorized;
        let is_allowed = record.verdict == Verdict::Allowed;
        if (takes_effect || record.disposition == Disposition::Unchanged) && !is_allowed {
            problem(format!("a decision that is {} was given effect", word(&record.verdict)));
        }
        let by_active_bundle = self.active == Some(record.bundle);
        if (takes_effect || record.disposition == Disposition::Unchanged) && !by_active_bundle {
            problem(format!("it was decided under bundle {}, which was not the active one", record.bundle));
        }
        if !takes_effect {
            return;
        }
        self.spend(record, problem);
        self.use_heads(record, problem);
        match record.operation {
            Operation::Deploy | Operation::Rollback | Operation::Remove => {
                if record.manifest.is_none() && record.operation != Operation::Remove {
                    problem("a deployment was authorized without a manifest".to_owned());
                }
                self.authorized.insert(record.attempt, (index, record.target.clone()));
            }
            Operation::Activate => self.activate(record, problem),
            Operation::Hold | Operation::Release => {}
        }
        if record.operation != Operation::Activate && record.new_bundle.is_some() {
            problem("it names a new bundle, and activates none".to_owned());
        }
    }

    fn activate(&mut self, record: &DecisionRecord, problem: &mut impl FnMut(String)) {
        if !record.target.is_control() {
            problem(format!("a bundle was activated by a decision on {}", record.target));
        }
        match record.new_bundle {
            Some(bundle) => self.active = Some(bundle),
            None => problem("an activation names no new bundle".to_owned()),
        }
    }

    fn spend(&mut self, record: &DecisionRecord, problem: &mut impl FnMut(String)) {
        let Some(nonce) = &record.nonce else { return };
        if !self.nonces.insert(*nonce) {
            problem("its command's nonce was spent before: the command was carried out twice".to_owned());
        }
    }

    /// A head that explained a commit once explains no other on that ref: old approvals bring nothing back.
    fn use_heads(&mut self, record: &DecisionRecord, problem: &mut impl FnMut(String)) {
        for used in &record.explained {
            let key = Digest::of_parts(&["head", &record.follows.key(), used.head.as_str()]);
            let first = self.heads.entry(key).or_insert_with(|| used.commit.clone());
            if *first != used.commit {
                problem(format!("head {} explains {}, and explained {first} before", used.head, used.commit));
            }
        }
    }

    fn outcome(&self, record: &OutcomeRecord, problem: &mut impl FnMut(String)) {
        let Some(sequence) = record.sequence else {
            // What could not be believed has no sequence; whatever was believed has one.
            if !matches!(record.result, OutcomeResult::Refused { .. } | OutcomeResult::Failed) {
                problem("an outcome other than refused or failed names no sequence".to_owned());
            }
            return;
        };
        match self.authorized.get(&record.attempt) {
            Some((index, target)) if *index == sequence && *target == record.target => {}
            Some((index, target)) => problem(format!(
                "an outcome of {} with sequence {sequence}, but its attempt was authorized for {target} with {index}",
                record.target
            )),
            None => problem(format!("an outcome of attempt {}, which was never authorized", record.attempt)),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Leaf, String> {
    let not_understood = |error: serde_json::Error| format!("not understood: {error}");
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(not_understood)?;
    if canonical_json(&value).map_err(not_understood)? != bytes {
        return Err("not canonical JSON: keys out of order, or white space".to_owned());
    }
    let leaf: Leaf = serde_json::from_value(value).map_err(not_understood)?;
    if leaf.v != LEAF_VERSION {
        return Err(format!("version {} is not understood, this release reads {LEAF_VERSION}", leaf.v));
    }
    Ok(leaf)
}

/// The word that a leaf spells a value with.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}

/// The word that a leaf spells a result with, without its details.
fn outcome_word(result: &OutcomeResult) -> String {
    let value = serde_json::to_value(result).unwrap_or_default();
    value.get("is").and_then(|word| word.as_str()).unwrap_or("unknown").to_owned()
}
