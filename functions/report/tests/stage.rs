//! The stage on the embedded store: posts the latest state, once.

use std::sync::{Arc, Mutex};

use countersign_core::decision::{Decision, Verdict};
use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::message::{Message, ReportDue};
use countersign_core::names::AttemptId;
use countersign_core::outcome::{Outcome, OutcomeResult};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{ForgeReport, Report};
use countersign_core::ports::store::{self, Store as _};
use countersign_core::stage::{BatchResult, Incoming, StageError};
use countersign_core::target::{CommitReport, TargetReport};
use countersign_local::database::Database;
use countersign_local::store::LocalStore;
use countersign_report::Reporter;
use serde_json::json;

/// A forge that remembers what it was told, and may be down.
#[derive(Clone, Default)]
struct Board {
    posts: Arc<Mutex<Vec<Report>>>,
    down: bool,
}

impl ForgeReport for Board {
    async fn report(&self, report: &Report) -> Result<(), PortError> {
        if self.down {
            return Err(PortError::Unavailable("the forge is down".to_owned()));
        }
        self.posts.lock().unwrap().push(report.clone());
        Ok(())
    }
}

struct World {
    _folder: tempfile::TempDir,
    store: LocalStore,
}

fn due(digit: char) -> ReportDue {
    let commit = digit.to_string().repeat(40).parse().unwrap();
    let (repository, environment) = ("local/shop".parse().unwrap(), "production".parse().unwrap());
    ReportDue { repository, commit, environment }
}

fn message(due: &ReportDue) -> Incoming {
    let body = serde_json::to_string(&Message::new("trace", due)).unwrap();
    Incoming { id: "1".to_owned(), group: "g".to_owned(), body, receive_count: 1 }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::new(&Database::open(folder.path()).unwrap());
        Self { _folder: folder, store }
    }

    /// Stores what is to be told of a commit: one target, with an outcome or without.
    async fn store(&self, due: &ReportDue, result: Option<OutcomeResult>) {
        let target = "shop/production/east".parse().unwrap();
        let (attempt, zeros) = (AttemptId::new("e1", &target), "0".repeat(40));
        let decision: Decision = serde_json::from_value(json!({
            "v": 1, "attempt": attempt, "target": target, "began": "2026-11-20T22:00:00Z", "preview": false,
            "follows": {"repository": "local/shop", "reference": "refs/heads/main"}, "operation": "deploy",
            "commit": due.commit, "tree": zeros, "closure": Digest::of(b"c"), "objects": [], "namespaces": [],
            "clusterKinds": [], "adopt": false, "facts": Digest::of(b"f"), "bundle": Digest::of(b"b"),
            "engine": "regorus", "verdict": "allowed", "reason": "ok", "rules": [], "approvals": [],
            "explained": [],
        }))
        .unwrap();
        let blob = store::put_blob(&self.store, keys::blob, &decision).await.unwrap();
        let mut told = json!({
            "attempt": attempt, "index": 1, "preview": false, "verdict": "allowed",
            "disposition": "authorized", "reason": "ok", "decision": blob,
        });
        if let Some(result) = result {
            let (summary, time) = ("as it went".to_owned(), decision.began);
            let (sequence, objects) = (Some(1), Vec::new());
            let outcome = Outcome { attempt, target, sequence, time, result, summary, objects };
            let details = store::put_blob(&self.store, keys::blob, &outcome).await.unwrap();
            told["outcome"] =
                json!({"attempt": attempt, "result": outcome.result, "details": details, "time": time});
        }
        let report: CommitReport = serde_json::from_value(json!({
            "repository": due.repository, "commit": due.commit, "asOf": 2,
            "targets": {"shop/production/east": told},
        }))
        .unwrap();
        let key = keys::commit_report(&due.repository, &due.commit, &due.environment);
        store::put_json(&self.store, &key, &report).await.unwrap();
    }

    async fn handle(&self, forge: &Board, batch: &[Incoming]) -> BatchResult {
        Reporter { store: &self.store, forge }.handle(batch).await
    }
}

#[tokio::test]
async fn several_messages_about_one_commit_are_one_report_of_the_latest_state() {
    let (world, forge) = (World::new(), Board::default());
    world.store(&due('a'), None).await;
    world.store(&due('b'), None).await;
    world.store(&due('a'), Some(OutcomeResult::Healthy)).await;
    let batch = [message(&due('a')), message(&due('b')), message(&due('a'))];
    assert_eq!(world.handle(&forge, &batch).await, [Ok(()), Ok(()), Ok(())]);
    let posts = forge.posts.lock().unwrap();
    assert_eq!((posts.len(), &posts[0].commit, &posts[1].commit), (2, &due('a').commit, &due('b').commit));
    let told = &posts[0].targets[0];
    assert_eq!(told.target.to_string(), "shop/production/east");
    assert_eq!(told.outcome.as_ref().unwrap().result, OutcomeResult::Healthy);
    assert_eq!(told.outcome.as_ref().unwrap().summary, "as it went");
}

#[tokio::test]
async fn one_bad_message_holds_up_no_other_and_nothing_to_tell_is_no_error() {
    let (world, forge) = (World::new(), Board::default());
    world.store(&due('a'), None).await;
    let garbage = Incoming { body: "{".to_owned(), ..message(&due('a')) };
    let results = world.handle(&forge, &[garbage, message(&due('c')), message(&due('a'))]).await;
    assert!(matches!(results[0], Err(StageError::Final(_))), "{results:?}");
    assert_eq!(results[1..], [Ok(()), Ok(())]);
    assert_eq!(forge.posts.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_targets_those_that_need_somebody_are_told_of_in_full() {
    let (world, forge, due) = (World::new(), Board::default(), due('a'));
    world.store(&due, None).await;
    let key = keys::commit_report(&due.repository, &due.commit, &due.environment);
    let mut report: CommitReport = store::get_json(&world.store, &key).await.unwrap().unwrap();
    let allowed = report.targets["shop/production/east"].clone();
    let denied = TargetReport { verdict: Verdict::Denied, ..allowed.clone() };
    report
        .targets
        .extend((0..40).map(|number| (format!("app-{number:02}/production/east"), allowed.clone())));
    report.targets.insert("zoo/production/east".to_owned(), denied);
    store::put_json(&world.store, &key, &report).await.unwrap();
    assert_eq!(world.handle(&forge, &[message(&due)]).await, [Ok(())]);
    let told = &forge.posts.lock().unwrap()[0];
    assert_eq!((told.targets.len(), told.others.len()), (25, 17));
    assert_eq!(told.targets[0].target.application.as_str(), "zoo");
    assert_eq!(told.verdict(), Verdict::Denied);
}

#[tokio::test]
async fn what_could_not_be_told_comes_again() {
    let world = World::new();
    world.store(&due('a'), None).await;
    let down = Board { down: true, ..Board::default() };
    let results = world.handle(&down, &[message(&due('a')), message(&due('a'))]).await;
    assert!(results.iter().all(|result| matches!(result, Err(StageError::Retry(_)))), "{results:?}");
}

#[tokio::test]
async fn a_decision_that_was_swapped_is_not_told() {
    let (world, forge) = (World::new(), Board::default());
    world.store(&due('a'), None).await;
    let blobs = world.store.list("blobs/", None, 10).await.unwrap();
    world.store.put(&blobs[0], b"{}").await.unwrap();
    let results = world.handle(&forge, &[message(&due('a'))]).await;
    assert!(matches!(&results[0], Err(StageError::Final(why)) if why.contains("other bytes")), "{results:?}");
    assert!(forge.posts.lock().unwrap().is_empty());
}
