//! Stages that are broken on purpose, each in one way: what the simulation must find. The stages themselves are
//! untouched; a port between them and the world lies to them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::facts::ObjectKey;
use countersign_core::keys;
use countersign_core::ports::store::{Version, Versioned};
use countersign_core::review::PullRequest;
use countersign_ledger::log::checkpoint_key;
use serde_json::{Value, json};

/// A way in which a stage is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// `record` authorizes before its leaf is in the published log.
    Unlogged,
    /// `record` appends to a log that has grown since it was read.
    Forked,
    /// `record` forgets what it has recorded.
    Forgetful,
    /// `apply` ignores the fence of the inventory.
    Unfenced,
    /// `gather` measures a change from what was last looked at, not from what was last authorized.
    RideAlong,
    /// The forge's reviews are taken for reviews of the present head, also dismissed ones.
    StaleApprovals,
    /// `report` posts what it read first, not what is so by now.
    StaleReports,
    /// The timer takes a due look off before it asks for it.
    LostLooks,
    /// Messages are acknowledged before the work is done.
    EarlyAcknowledgement,
    /// `apply` writes something else than what it verified.
    Stray,
    /// `apply` deletes what is still wanted.
    Uprooting,
    /// `apply` does not wait for the witness.
    Unwitnessed,
    /// Pull requests of forks are taken for those of the repository.
    Forks,
    /// The first configuration holds for ever, whoever has left since.
    Unforgotten,
    /// Nobody looks for drift.
    Undrifted,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Unlogged,
        Self::Forked,
        Self::Forgetful,
        Self::Unfenced,
        Self::RideAlong,
        Self::StaleApprovals,
        Self::StaleReports,
        Self::LostLooks,
        Self::EarlyAcknowledgement,
        Self::Stray,
        Self::Uprooting,
        Self::Unwitnessed,
        Self::Forks,
        Self::Unforgotten,
        Self::Undrifted,
    ];

    /// What a role reads, in the place of what is stored.
    #[must_use]
    pub fn read(self, lies: &Lies, role: &str, key: &str, found: Option<Versioned>) -> Option<Versioned> {
        let checkpoint = key == checkpoint_key();
        match self {
            Self::Unlogged if role == "record" && checkpoint => match (lies.last(key), found) {
                (Some(bytes), Some(found)) => Some(Versioned { bytes, ..found }),
                (_, found) => found,
            },
            Self::Forked if role == "record" && checkpoint => {
                let found = found?;
                Some(Versioned { bytes: lies.frozen(key, &found.bytes), ..found })
            }
            Self::Forgetful if role == "record" && key.starts_with("state/by-name/") => None,
            Self::RideAlong if role == "gather" && key.starts_with(keys::TARGETS) => found.map(measured_anew),
            Self::StaleReports if role == "report" && key.starts_with("reports/") => {
                let found = found?;
                Some(Versioned { bytes: lies.first(key, &found.bytes), ..found })
            }
            Self::Unforgotten if key == keys::ACTIVE_BUNDLE => {
                let found = found?;
                Some(Versioned { bytes: lies.first(key, &found.bytes), ..found })
            }
            _ => found,
        }
    }

    /// Whether a conditional write is said to be done, and is not.
    #[must_use]
    pub fn swaps_blindly(self, lies: &Lies, role: &str, key: &str, bytes: &[u8]) -> Option<Version> {
        (self == Self::Unlogged && role == "record" && key == checkpoint_key()).then(|| {
            lies.remember(key, bytes);
            Version("blind".to_owned())
        })
    }

    /// Whether what a role sends is said to be sent, and is not.
    #[must_use]
    pub fn swallows(self, role: &str) -> bool {
        self == Self::LostLooks && role == "timer"
    }

    /// What is read of a cluster.
    #[must_use]
    pub fn held(self, mut object: Value) -> Value {
        match self {
            Self::Unfenced => rewrite(&mut object, "inventory.json", |inventory| {
                inventory["sequence"]["index"] = 0.into();
            }),
            Self::Unwitnessed => rewrite(&mut object, "trust.json", |trust| {
                trust["witnesses"]["required"] = 0.into();
            }),
            _ => {}
        }
        object
    }

    /// What is written to a cluster in the place of an object.
    #[must_use]
    pub fn applied(self, mut object: Value) -> Value {
        if self == Self::Stray {
            object["metadata"]["labels"] = json!({ "also": "this" });
        }
        object
    }

    /// What is deleted in the place of an object.
    #[must_use]
    pub fn deleted(self, key: &ObjectKey) -> Option<ObjectKey> {
        let uproots = self == Self::Uprooting && key.name == "web-extra";
        uproots.then(|| ObjectKey { name: "web".to_owned(), ..key.clone() })
    }

    /// What the forge tells.
    #[must_use]
    pub fn pull_request(self, mut request: PullRequest) -> PullRequest {
        match self {
            Self::StaleApprovals => {
                for review in &mut request.reviews {
                    review.commit = request.head.clone();
                    review.dismissed = false;
                }
            }
            Self::Forks => request.fork = false,
            _ => {}
        }
        request
    }
}

/// Changes the JSON in a field of a `ConfigMap` that has it.
fn rewrite(object: &mut Value, field: &str, change: impl FnOnce(&mut Value)) {
    if let Some(text) = object["data"][field].as_str()
        && let Ok(mut value) = serde_json::from_str::<Value>(text)
    {
        change(&mut value);
        object["data"][field] = value.to_string().into();
    }
}

/// The state of a target whose next change is measured from the last look.
fn measured_anew(mut found: Versioned) -> Versioned {
    if let Ok(mut state) = serde_json::from_slice::<Value>(&found.bytes)
        && state.get("wanted").is_some()
    {
        state["wanted"]["commit"] = state["latest"]["commit"].clone();
        found.bytes = state.to_string().into_bytes();
    }
    found
}

/// A version and a value for each key.
type Remembered = BTreeMap<String, (u64, Vec<u8>)>;

/// What the lying ports remember.
#[derive(Clone, Default)]
pub struct Lies(Arc<Mutex<Remembered>>);

impl Lies {
    fn with<T>(&self, work: impl FnOnce(&mut Remembered) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, key: &str, bytes: &[u8]) {
        self.with(|lies| drop(lies.insert(key.to_owned(), (0, bytes.to_vec()))));
    }

    fn last(&self, key: &str) -> Option<Vec<u8>> {
        self.with(|lies| lies.get(key).map(|(_, bytes)| bytes.clone()))
    }

    fn first(&self, key: &str, bytes: &[u8]) -> Vec<u8> {
        self.with(|lies| lies.entry(key.to_owned()).or_insert_with(|| (0, bytes.to_vec())).1.clone())
    }

    /// The value as it was some reads ago, now and then.
    fn frozen(&self, key: &str, bytes: &[u8]) -> Vec<u8> {
        self.with(|lies| {
            let (reads, kept) = lies.entry(key.to_owned()).or_insert_with(|| (0, bytes.to_vec()));
            *reads += 1;
            if *reads / 12 % 2 == 0 {
                kept.clear();
                kept.extend_from_slice(bytes);
            }
            kept.clone()
        })
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unlogged => "unlogged",
            Self::Forked => "forked",
            Self::Forgetful => "forgetful",
            Self::Unfenced => "unfenced",
            Self::RideAlong => "ride-along",
            Self::StaleApprovals => "stale-approvals",
            Self::StaleReports => "stale-reports",
            Self::LostLooks => "lost-looks",
            Self::EarlyAcknowledgement => "early-acknowledgement",
            Self::Stray => "stray",
            Self::Uprooting => "uprooting",
            Self::Unwitnessed => "unwitnessed",
            Self::Forks => "forks",
            Self::Unforgotten => "unforgotten",
            Self::Undrifted => "undrifted",
        })
    }
}

impl FromStr for Mutant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|mutant| mutant.to_string()).join(", ");
        let found = Self::ALL.into_iter().find(|mutant| mutant.to_string() == text);
        found.ok_or_else(|| format!("{text:?} is no mutant: use one of {}", known()))
    }
}
