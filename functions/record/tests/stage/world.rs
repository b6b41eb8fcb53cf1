//! One installation: a log, its keys, a configuration.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::active::ConfigurationCache;
use countersign_core::configuration::Configuration;
use countersign_core::decision::{Approval, DECISION_VERSION, Decision, Verdict};
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::Operation;
use countersign_core::keys;
use countersign_core::leaf::Leaf;
use countersign_core::message::{DecisionMade, DecisionsMade, Message, QueueName};
use countersign_core::names::{AttemptId, ClusterName, CommitId, Target};
use countersign_core::outcome::{Outcome, OutcomeResult};
use countersign_core::ports::queue::{Delivery, Queue};
use countersign_core::ports::signer::{Algorithm, Signer};
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::Incoming;
use countersign_core::target::{CommitReport, TargetState};
use countersign_core::time::Timestamp;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::genesis::{self, GENESIS_VERSION, Genesis};
use countersign_ledger::log;
use countersign_ledger::note::NoteKey;
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;
use countersign_record::{Recorder, Settings};
use serde_json::json;

pub struct World {
    pub folder: tempfile::TempDir,
    pub store: LocalStore,
    pub queue: LocalQueue,
    pub root: KeyFile,
    pub log: KeyFile,
    pub authorization: KeyFile,
    pub settings: Settings,
    pub configurations: ConfigurationCache,
    pub genesis: Genesis,
}

/// A time of `seconds` after the start of a day.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

pub fn commit(digit: char) -> CommitId {
    digit.to_string().repeat(40).parse().unwrap()
}

pub fn target(name: &str) -> Target {
    format!("{name}/production/east").parse().unwrap()
}

pub fn east() -> ClusterName {
    "east".parse().unwrap()
}

fn configuration() -> Configuration {
    let application = json!({"team": "shop", "repository": "local/shop", "environments": {
        "production": {"path": "deploy", "branch": "main", "namespaces": ["shop"]},
    }});
    serde_json::from_value(json!({
        "version": 1,
        "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
        "hosts": {"local": {"kind": "plain", "url": "repositories", "webhookSecret": "env:S"}},
        "people": {"grace": {}},
        "teams": {"shop": {"members": ["grace"]}},
        "repositories": {"local/shop": {}},
        "applications": {"shop": application, "cart": application},
        "environments": {"production": {"approvals": {"count": 1}, "clusters": ["east"]}},
        "clusters": {"east": {"kind": "simulated", "uid": "uid-east"}, "west": {"kind": "simulated", "uid": "u"}},
    }))
    .unwrap()
}

impl World {
    /// A world before its first day.
    pub async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = |name: &str, algorithm| {
            KeyFile::generate(&folder.path().join(name), algorithm, &mut rand_core::OsRng).unwrap()
        };
        let (root, log) = (key("root", Algorithm::Ed25519), key("log", Algorithm::Ed25519));
        let authorization = key("authorization", Algorithm::EcdsaP256Sha256);
        let database = Database::open(&folder.path().join("data")).unwrap();
        let genesis = Genesis {
            v: GENESIS_VERSION,
            origin: "log.example/one".to_owned(),
            epoch: 1,
            root_key: root.public_key().clone(),
            log_key: log.public_key().clone(),
            authorization_key: authorization.public_key().clone(),
            hosts: std::collections::BTreeMap::new(),
            control: serde_json::from_value(
                json!({"repository": "local/control", "reference": "refs/heads/main"}),
            )
            .unwrap(),
            commit: commit('0'),
            bundle: Digest::of(b"bundle"),
            created: at(0),
        };
        let settings = Settings {
            origin: genesis.origin.clone(),
            epoch: 1,
            root_key: genesis.root_key.clone(),
            pseudonym_secret: "secret".to_owned(),
        };
        let store = LocalStore::new(&database);
        let queue = LocalQueue::new(&database, Arc::new(|| at(0)), 1_000);
        let configurations = ConfigurationCache::default();
        let world =
            Self { folder, store, queue, root, log, authorization, settings, configurations, genesis };
        world.store_bundle(&world.genesis.bundle).await;
        world
    }

    /// A world after its first day; what that sent is taken.
    pub async fn new() -> Self {
        let world = Self::empty().await;
        world.recorder().genesis(at(0), &world.signed_genesis().await).await.unwrap();
        world.sent::<serde_json::Value>(&QueueName::Events).await;
        world
    }

    pub async fn signed_genesis(&self) -> Vec<u8> {
        genesis::sign(&self.root, &self.genesis).await.unwrap()
    }

    pub async fn store_bundle(&self, bundle: &Digest) {
        store::put_json(&self.store, &keys::bundle_configuration(bundle), &configuration()).await.unwrap();
    }

    pub fn recorder(&self) -> Recorder<'_, LocalStore, LocalQueue, KeyFile, KeyFile> {
        Recorder {
            store: &self.store,
            queue: &self.queue,
            log_signer: &self.log,
            authorization_signer: &self.authorization,
            settings: &self.settings,
            configurations: &self.configurations,
        }
    }

    pub fn trust(&self) -> Trust {
        Trust::new(&Epochs::new(&self.genesis), "uid-east", Witnesses::default())
    }

    /// An allowed deployment to a target, that was looked at at `seconds`, for one person's approval.
    pub fn decision(&self, target: &Target, digit: char, seconds: i64) -> Decision {
        Decision {
            v: DECISION_VERSION,
            attempt: AttemptId::new(&format!("{digit}{seconds}"), target),
            target: target.clone(),
            follows: serde_json::from_value(
                json!({"repository": "local/shop", "reference": "refs/heads/main"}),
            )
            .unwrap(),
            began: at(seconds),
            based_on: None,
            preview: false,
            operation: Operation::Deploy,
            commit: commit(digit),
            tree: "0".repeat(40).parse().unwrap(),
            closure: Digest::of(&[digit as u8]),
            manifest: Some(Digest::of(&[digit as u8, 1])),
            objects: Vec::new(),
            namespaces: vec!["shop".to_owned()],
            cluster_kinds: Vec::new(),
            adopt: false,
            facts: Digest::of(b"facts"),
            bundle: self.genesis.bundle,
            new_bundle: None,
            hold: None,
            command: None,
            engine: "regorus 0.14.1".to_owned(),
            verdict: Verdict::Allowed,
            reason: "every rule passed".to_owned(),
            rules: Vec::new(),
            statuses: Vec::new(),
            approvals: vec![Approval {
                id: "r1".to_owned(),
                person: Some("grace".parse().unwrap()),
                shown_as: "Grace".to_owned(),
                head: commit(digit),
                signed: true,
                counts: true,
                reason: "counts".to_owned(),
            }],
            explained: Vec::new(),
        }
    }

    /// A message of the decisions queue.
    pub async fn message(&self, decisions: &[&Decision]) -> Incoming {
        let mut made = Vec::new();
        for decision in decisions {
            let blob = store::put_blob(&self.store, keys::blob, *decision).await.unwrap();
            made.push(DecisionMade { decision: blob, trace: "trace".to_owned() });
        }
        incoming(&Message::new("trace", DecisionsMade { decisions: made }))
    }

    /// Records decisions, each in a message of its own.
    pub async fn decide(&self, seconds: i64, decisions: &[&Decision]) {
        let mut batch = Vec::new();
        for decision in decisions {
            batch.push(self.message(&[decision]).await);
        }
        for result in self.recorder().decisions(at(seconds), &batch).await {
            result.unwrap();
        }
    }

    /// Every leaf of the log.
    pub async fn leaves(&self) -> Vec<Leaf> {
        let key = NoteKey::log(&self.settings.origin, self.log.public_key()).unwrap();
        let Some(mut view) = log::open(&self.store, &[key]).await.unwrap() else { return Vec::new() };
        let leaves = view.leaves(0..view.size()).await.unwrap();
        leaves.iter().map(|leaf| serde_json::from_slice(leaf).unwrap()).collect()
    }

    pub async fn state(&self, target: &Target) -> TargetState {
        store::get_json(&self.store, &keys::target(target)).await.unwrap().unwrap()
    }

    pub async fn report(&self, digit: char) -> CommitReport {
        let (repository, environment) = ("local/shop".parse().unwrap(), "production".parse().unwrap());
        let key = keys::commit_report(&repository, &commit(digit), &environment);
        store::get_json(&self.store, &key).await.unwrap().unwrap()
    }

    pub async fn authorization(&self, attempt: &AttemptId) -> Option<Vec<u8>> {
        self.store.get(&keys::authorization(attempt)).await.unwrap().map(|found| found.bytes)
    }

    /// Takes everything off a queue.
    pub async fn sent<T: serde::de::DeserializeOwned>(&self, name: &QueueName) -> Vec<T> {
        let mut bodies = Vec::new();
        loop {
            let found = self.queue.receive(name, 100, Duration::from_secs(60), Duration::ZERO).await.unwrap();
            if found.is_empty() {
                return bodies;
            }
            for Delivery { message, receipt } in found {
                bodies.push(message.parse::<T>().unwrap().body);
                self.queue.acknowledge(name, &receipt).await.unwrap();
            }
        }
    }
}

pub fn incoming(message: &impl serde::Serialize) -> Incoming {
    let body = String::from_utf8(canonical_json(message).unwrap()).unwrap();
    Incoming { id: "1".to_owned(), group: "g".to_owned(), body, receive_count: 1 }
}

/// A message of an outcomes queue.
pub fn outcome(of: &Decision, sequence: Option<u64>, result: OutcomeResult) -> Incoming {
    incoming(&Message::new(
        "trace",
        Outcome {
            attempt: of.attempt,
            target: of.target.clone(),
            sequence,
            time: at(0),
            result,
            summary: "as it went".to_owned(),
            objects: Vec::new(),
        },
    ))
}
