//! The stage on the embedded store and queue: from facts to decisions, and to bundles.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::bundle::{BUNDLE_VERSION, BundleSource};
use countersign_core::decision::{Decision, Verdict};
use countersign_core::digest::Digest;
use countersign_core::facts::{Facts, Operation};
use countersign_core::keys;
use countersign_core::message::{DecisionsMade, FactsGathered, Message, QueueName};
use countersign_core::names::{AttemptId, Target};
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::store::{self, Store as _};
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::time::Timestamp;
use countersign_evaluate::Evaluator;
use countersign_evaluate::bundles::{self, Bundles};
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;
use countersign_policy::bundle::Bundle;
use serde_json::{Value, json};

struct World {
    _folder: tempfile::TempDir,
    store: LocalStore,
    queue: LocalQueue,
    bundles: Bundles,
    bundle: Digest,
}

/// A control repository with one rule, whose body is given.
fn source(rule: &str) -> BundleSource {
    let configuration = json!({
        "version": 1,
        "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1, "teams": ["sre"]}},
        "hosts": {"local": {"kind": "plain", "url": "repositories", "webhookSecret": "env:S"}},
        "people": {"ada": {"emails": ["ada@example.com"]}, "grace": {"emails": ["grace@example.com"]}},
        "teams": {"shop": {"members": ["ada", "grace"]}, "sre": {"members": ["grace"]}},
        "repositories": {"local/shop": {}},
        "applications": {"shop": {"team": "shop", "repository": "local/shop", "environments": {
            "production": {"path": "deploy", "branch": "main", "namespaces": ["shop"]},
        }}},
        "environments": {"production": {"approvals": {"count": 1}, "clusters": ["east"]}},
        "clusters": {"east": {"kind": "simulated", "uid": "u"}},
    });
    let rule = format!(
        "# METADATA\n# title: Named\n# description: Names are good.\n# custom:\n#   severity: error\n#   remedy: Name it.\n#   controls: []\npackage area.rule\nimport rego.v1\n{rule}\n"
    );
    let test = "package area.rule\nimport rego.v1\ntest_it if true\n".to_owned();
    let files = [
        ("countersign.yaml", serde_json::to_string_pretty(&configuration).unwrap()),
        ("policies/area/rule/rule.rego", rule),
        ("policies/area/rule/rule_test.rego", test),
    ];
    let files: BTreeMap<_, _> = files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
    BundleSource { v: BUNDLE_VERSION, files }
}

const GOOD: &str = "deny contains {\"message\": \"it is forbidden\"} if input.change.operation == \"remove\"";

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let store = LocalStore::new(&database);
        let queue = LocalQueue::new(&database, Arc::new(|| Timestamp::from_millis(0)), 1_000);
        let bundle = Bundle::from_source(&source(GOOD)).unwrap_or_else(|problems| panic!("{problems:#?}"));
        bundles::store(&store, &bundle).await.unwrap();
        let bundle = *bundle.digest();
        Self { _folder: folder, store, queue, bundles: Bundles::default(), bundle }
    }

    fn facts(&self, cause: &str, target: Target, change: Value) -> Facts {
        let (zeros, ones) = ("0".repeat(40), "1".repeat(40));
        let mut facts = json!({
            "v": 1, "attempt": AttemptId::new(cause, &target), "time": "2026-11-20T22:00:00Z",
            "cause": {"event": cause, "kind": "pushed"},
            "target": {
                "application": target.application, "environment": target.environment, "cluster": target.cluster,
                "follows": {"repository": "local/shop", "reference": "refs/heads/main"},
                "path": "deploy", "namespaces": ["shop"], "clusterKinds": [], "adopt": false,
            },
            "bundle": self.bundle, "preview": false,
            "change": {"operation": "deploy", "commit": ones, "tree": zeros, "closure": Digest::of(b"c")},
            "range": {"from": zeros, "relation": "same", "commits": [], "altering": [], "explanations": []},
            "files": [], "pullRequests": [], "statements": [], "proposed": {},
            "render": {"result": "rendered"}, "objects": [], "images": [], "diff": [], "conflicts": [],
            "manifest": Digest::of(b"m"), "history": {"usedHeads": {}},
        });
        facts["change"].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(facts).unwrap()
    }

    fn deployment(&self, cause: &str) -> Facts {
        self.facts(cause, "shop/production/east".parse().unwrap(), json!({}))
    }

    fn activation(&self, cause: &str, bundle: Digest) -> Facts {
        let change = json!({"operation": "activate", "newBundle": bundle});
        let mut facts = self.facts(cause, Target::control(), change);
        facts.range.altering = vec![facts.change.commit.clone()];
        facts
    }

    async fn message(&self, facts: &Facts) -> Incoming {
        store::put_json(&self.store, &keys::facts(&facts.attempt), facts).await.unwrap();
        let gathered = FactsGathered { attempt: facts.attempt, target: facts.target.target.clone() };
        incoming(serde_json::to_string(&Message::new(&facts.cause.event, gathered)).unwrap())
    }

    /// Takes a batch; its results, and every decision that was announced, each with its trace.
    async fn handle(&self, batch: &[Incoming]) -> (BatchResult, Vec<(String, Decision)>) {
        let stage = Evaluator { store: &self.store, queue: &self.queue, bundles: &self.bundles };
        let results = stage.handle(batch).await;
        let wait = Duration::from_secs(60);
        let found = self.queue.receive(&QueueName::Decisions, 10, wait, Duration::ZERO).await.unwrap();
        assert!(found.len() <= 1, "the decisions of a batch travel in one message");
        let mut decisions = Vec::new();
        for delivery in found {
            for made in delivery.message.parse::<DecisionsMade>().unwrap().body.decisions {
                let decision = store::get_blob(&self.store, keys::blob, &made.decision).await.unwrap();
                decisions.push((made.trace, decision));
            }
            self.queue.acknowledge(&QueueName::Decisions, &delivery.receipt).await.unwrap();
        }
        (results, decisions)
    }

    async fn is_stored(&self, bundle: &Digest) -> bool {
        self.store.get(&keys::bundle_configuration(bundle)).await.unwrap().is_some()
    }
}

fn incoming(body: String) -> Incoming {
    Incoming { id: "1".to_owned(), group: "g".to_owned(), body, receive_count: 1 }
}

#[tokio::test]
async fn one_bad_message_holds_up_no_other() {
    let world = World::new().await;
    let first = world.message(&world.deployment("e1")).await;
    let garbage = incoming("{".to_owned());
    let missing =
        FactsGathered { attempt: AttemptId::new("lost", &Target::control()), target: Target::control() };
    let missing = incoming(serde_json::to_string(&Message::new("t", missing)).unwrap());
    let last = world.message(&world.deployment("e2")).await;
    let (results, decisions) = world.handle(&[first, garbage, missing, last]).await;
    assert_eq!((&results[0], &results[3]), (&Ok(()), &Ok(())));
    assert!(matches!(&results[1], Err(StageError::Final(_))), "{results:?}");
    assert!(matches!(&results[2], Err(StageError::Retry(why)) if why.contains("not in the store yet")));
    let traces: Vec<_> = decisions.iter().map(|(trace, _)| trace.as_str()).collect();
    assert_eq!(traces, ["e1", "e2"]);
    assert!(decisions.iter().all(|(_, decision)| decision.verdict == Verdict::Allowed));
}

#[tokio::test]
async fn the_same_facts_give_the_same_decision_once() {
    let world = World::new().await;
    let message = world.message(&world.deployment("e1")).await;
    let (_, first) = world.handle(std::slice::from_ref(&message)).await;
    let (results, again) = world.handle(&[message]).await;
    assert_eq!((results, again.len()), (vec![Ok(())], 0), "a repeat is dropped by its name");
    let stage = Evaluator { store: &world.store, queue: &world.queue, bundles: &Bundles::default() };
    let facts = world.deployment("e1");
    let bytes = world.store.get(&keys::facts(&facts.attempt)).await.unwrap().unwrap().bytes;
    assert_eq!(stage.decide(facts, Digest::of(&bytes)).await.unwrap(), first[0].1);
}

#[tokio::test]
async fn what_a_rule_denies_is_denied_with_its_words() {
    let world = World::new().await;
    let removal = world.facts("e1", "shop/production/east".parse().unwrap(), json!({"operation": "remove"}));
    let (_, decisions) = world.handle(&[world.message(&removal).await]).await;
    let decision = &decisions[0].1;
    assert_eq!((decision.verdict, decision.operation), (Verdict::Denied, Operation::Remove));
    assert!(
        decision
            .rules
            .iter()
            .flat_map(|rule| &rule.violations)
            .any(|found| found.message == "it is forbidden")
    );
}

#[tokio::test]
async fn a_control_change_that_compiles_is_stored_before_it_is_decided() {
    let world = World::new().await;
    let next = source("deny contains {\"message\": \"m\"} if false");
    store::put_json(&world.store, &keys::bundle_source(&next.digest()), &next).await.unwrap();
    let (_, decisions) = world.handle(&[world.message(&world.activation("e1", next.digest())).await]).await;
    assert_eq!(decisions[0].1.verdict, Verdict::Allowed, "{}", decisions[0].1.reason);
    assert_eq!(decisions[0].1.new_bundle, Some(next.digest()));
    assert!(world.is_stored(&next.digest()).await);
}

#[tokio::test]
async fn a_control_change_that_does_not_compile_is_a_denial_with_its_problems() {
    let world = World::new().await;
    let broken = source("deny contains {");
    store::put_json(&world.store, &keys::bundle_source(&broken.digest()), &broken).await.unwrap();
    let (results, decisions) =
        world.handle(&[world.message(&world.activation("e1", broken.digest())).await]).await;
    assert_eq!(results, [Ok(())]);
    let decision = &decisions[0].1;
    assert_eq!(decision.verdict, Verdict::Denied);
    let found: Vec<_> = decision.rules.iter().flat_map(|rule| &rule.violations).collect();
    let at = found[0].at.as_ref().expect("the problem names its place");
    assert_eq!(at.file, "policies/area/rule/rule.rego");
    assert!(!world.is_stored(&broken.digest()).await, "what does not compile can never be active");
}

#[tokio::test]
async fn files_that_were_swapped_in_the_store_are_refused() {
    let world = World::new().await;
    let (reviewed, swapped) =
        (source("deny := set()"), source("deny contains {\"message\": \"m\"} if false"));
    store::put_json(&world.store, &keys::bundle_source(&reviewed.digest()), &swapped).await.unwrap();
    let (results, decisions) =
        world.handle(&[world.message(&world.activation("e1", reviewed.digest())).await]).await;
    assert!(matches!(&results[0], Err(StageError::Final(why)) if why.contains("other files")), "{results:?}");
    assert!(decisions.is_empty());
    assert!(!world.is_stored(&swapped.digest()).await && !world.is_stored(&reviewed.digest()).await);
}
