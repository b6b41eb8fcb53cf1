//! What a push that changes one application costs among few and among many: facts of one target, and a look at nothing
//! else.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::active::ConfigurationCache;
use countersign_core::decision::Decision;
use countersign_core::digest::Digest;
use countersign_core::event::{Event, EventKind};
use countersign_core::facts::{Facts, ObjectKey};
use countersign_core::keys;
use countersign_core::message::{FactsGathered, Message, QueueName};
use countersign_core::names::CommitId;
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::store;
use countersign_core::stage::Incoming;
use countersign_core::target::{ActiveBundle, TargetState};
use countersign_core::time::Timestamp;
use countersign_gather::Gatherer;
use countersign_git::mirror::Repositories;
use countersign_git::plain::PlainForge;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;
use countersign_render::budget::Budget;
use git2::Oid;
use serde_json::json;

/// How many applications the repository has, where the arguments name no other numbers.
const APPLICATIONS: [usize; 4] = [1, 100, 1_000, 5_000];

/// How many pushes are measured; the first ones are not.
const PUSHES: usize = 100;
const WARM_UP: usize = 10;

/// How many applications share a namespace, as those of one team do.
const PER_NAMESPACE: usize = 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    println!("{:>12} {:>14} {:>22}", "applications", "one push, ms", "each other one, µs");
    let mut alone = None;
    let mut asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if asked.is_empty() {
        asked.extend(APPLICATIONS);
    }
    for applications in asked {
        let took = runtime.block_on(World::new(applications)).pushes(&runtime);
        let alone = *alone.get_or_insert(took);
        let more = took.saturating_sub(alone).as_secs_f64() * 1e6 / applications as f64;
        println!("{applications:>12} {:>14.2} {more:>22.2}", took.as_secs_f64() * 1e3);
    }
}

/// A repository of many applications, all of which run what its tip says.
struct World {
    folder: tempfile::TempDir,
    git: git2::Repository,
    store: LocalStore,
    queue: LocalQueue,
    repositories: Repositories,
    configurations: ConfigurationCache,
    bundle: Digest,
    applications: usize,
    versions: usize,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

fn name(number: usize) -> String {
    format!("app-{number:05}")
}

fn namespace(number: usize) -> String {
    format!("team-{:04}", number / PER_NAMESPACE)
}

impl World {
    async fn new(applications: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("data")).unwrap();
        let bundle = Digest::of(b"bundle");
        let world = Self {
            git: git2::Repository::init_bare(folder.path().join("many.git")).unwrap(),
            store: LocalStore::new(&database),
            queue: LocalQueue::new(&database, Arc::new(|| at(0)), 1_000),
            repositories: Repositories::new(folder.path().join("mirrors")),
            configurations: ConfigurationCache::default(),
            folder,
            bundle,
            applications,
            versions: 0,
        };
        let application = |number| {
            let (path, namespaces) = (format!("apps/{}", name(number)), [namespace(number)]);
            let production = json!({ "path": path, "branch": "main", "namespaces": namespaces });
            let environments = json!({ "production": production });
            (
                name(number),
                json!({ "team": "many", "repository": "local/many", "environments": environments }),
            )
        };
        let all: serde_json::Map<_, _> = (0..applications).map(application).collect();
        let configuration = json!({
            "version": 1,
            "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
            "hosts": {"local": {"kind": "plain", "url": world.folder.path(), "webhookSecret": "env:S"}},
            "repositories": {"local/many": {"url": world.path()}},
            "applications": all,
            "environments": {"production": {"approvals": {"count": 1}, "clusters": ["east"]}},
            "clusters": {"east": {"kind": "simulated", "uid": "u"}},
        });
        store::put_json(&world.store, &keys::bundle_configuration(&bundle), &configuration).await.unwrap();
        let active = ActiveBundle { bundle, index: 0, commit: "0".repeat(40).parse().unwrap() };
        store::put_json(&world.store, keys::ACTIVE_BUNDLE, &active).await.unwrap();
        world.push(None);
        world.take(0).await;
        world.settle().await;
        world
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("many.git")
    }

    /// The median time of a push that changes one application.
    fn pushes(mut self, runtime: &tokio::runtime::Runtime) -> Duration {
        let mut samples = Vec::new();
        for _ in 0..WARM_UP + PUSHES {
            self.versions += 1;
            self.push(Some(0));
            let begun = Instant::now();
            runtime.block_on(self.take(self.versions));
            samples.push(begun.elapsed());
            assert_eq!(runtime.block_on(self.settle()), 1, "one application changed");
        }
        let mut samples = samples.split_off(WARM_UP);
        samples.sort();
        samples[samples.len() / 2]
    }

    /// Commits this version of one application, or of all.
    fn push(&self, changed: Option<usize>) {
        let version = self.versions;
        let before =
            self.git.refname_to_id("refs/heads/main").ok().map(|id| self.git.find_commit(id).unwrap());
        let tree = before.as_ref().map(|commit| commit.tree().unwrap());
        let apps = tree
            .as_ref()
            .map(|tree| self.git.find_tree(tree.get_path(Path::new("apps")).unwrap().id()).unwrap());
        let mut folder = self.git.treebuilder(apps.as_ref()).unwrap();
        let all = 0..self.applications;
        for number in all.filter(|number| changed.is_none_or(|changed| changed == *number)) {
            folder.insert(name(number), self.application(number, version), 0o040_000).unwrap();
        }
        let mut root = self.git.treebuilder(None).unwrap();
        root.insert("apps", folder.write().unwrap(), 0o040_000).unwrap();
        let tree = self.git.find_tree(root.write().unwrap()).unwrap();
        let who = git2::Signature::new("Ann", "ann@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let parents: Vec<_> = before.iter().collect();
        self.git.commit(Some("refs/heads/main"), &who, &who, "a change", &tree, &parents).unwrap();
    }

    fn application(&self, number: usize, version: usize) -> Oid {
        let mut folder = self.git.treebuilder(None).unwrap();
        for object in 0..5 {
            let text = format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}-{object}\n  namespace: {}\ndata:\n  version: \"{version}\"\n",
                name(number),
                namespace(number)
            );
            let blob = self.git.blob(text.as_bytes()).unwrap();
            folder.insert(format!("object-{object}.yaml"), blob, 0o100_644).unwrap();
        }
        folder.write().unwrap()
    }

    /// Takes the event of the last push.
    async fn take(&self, number: usize) {
        let forge = PlainForge::new([("local/many".parse().unwrap(), self.path())].into());
        let budget = Budget::default();
        let stage = Gatherer {
            store: &self.store,
            queue: &self.queue,
            forge: &forge,
            repositories: &self.repositories,
            configurations: &self.configurations,
            budget: &budget,
            fetch_deadline: || Arc::new(|| false),
        };
        let tip: CommitId = self.git.refname_to_id("refs/heads/main").unwrap().to_string().parse().unwrap();
        let reference = "refs/heads/main".parse().unwrap();
        let kind = EventKind::Pushed { reference, before: None, after: tip, forced: false };
        let repository = "local/many".parse().unwrap();
        let event = Event { id: number.to_string(), received: at(0), repository, actor: None, kind };
        let body = serde_json::to_string(&Message::new("trace", event)).unwrap();
        let message = Incoming { id: number.to_string(), group: String::new(), body, receive_count: 1 };
        stage.handle(&[message]).await.pop().unwrap().unwrap();
    }

    /// Makes state as if all that was gathered were authorized and applied; how much that was.
    async fn settle(&self) -> usize {
        let mut count = 0;
        loop {
            let hidden = Duration::from_secs(60);
            let found = self.queue.receive(&QueueName::Facts, 100, hidden, Duration::ZERO).await.unwrap();
            if found.is_empty() {
                return count;
            }
            for delivery in found {
                let announced = delivery.message.parse::<FactsGathered>().unwrap().body;
                let key = keys::facts(&announced.attempt);
                let facts = store::get_json::<Facts>(&self.store, &key).await.unwrap().unwrap();
                self.authorize(&facts).await;
                self.queue.acknowledge(&QueueName::Facts, &delivery.receipt).await.unwrap();
                count += 1;
            }
        }
    }

    async fn authorize(&self, facts: &Facts) {
        let target = &facts.target.target;
        let objects: Vec<ObjectKey> = facts.objects.iter().map(|object| object.key.clone()).collect();
        let decision: Decision = serde_json::from_value(json!({
            "v": 1, "attempt": facts.attempt, "target": target, "follows": facts.target.follows,
            "began": facts.time, "preview": false, "operation": "deploy", "commit": facts.change.commit,
            "tree": facts.change.tree, "closure": facts.change.closure, "manifest": facts.manifest,
            "objects": objects, "namespaces": facts.target.namespaces, "clusterKinds": [], "adopt": false,
            "facts": Digest::of(b"facts"), "bundle": self.bundle, "engine": "regorus", "verdict": "allowed",
            "reason": "ok", "rules": [], "approvals": [], "explained": [],
        }))
        .unwrap();
        let blob = store::put_blob(&self.store, keys::blob, &decision).await.unwrap();
        let wanted = json!({
            "attempt": facts.attempt, "sequence": 1, "operation": "deploy", "commit": facts.change.commit,
            "closure": facts.change.closure, "manifest": facts.manifest, "decision": blob, "time": facts.time,
        });
        let state: TargetState = serde_json::from_value(json!({
            "target": target, "follows": facts.target.follows, "asOf": 2, "failures": 0, "wanted": wanted,
            "running": wanted,
            "latest": {
                "attempt": facts.attempt, "began": facts.time, "index": 1, "commit": facts.change.commit,
                "closure": facts.change.closure, "bundle": self.bundle, "verdict": "allowed",
                "disposition": "authorized", "reason": "ok", "decision": blob,
            },
        }))
        .unwrap();
        store::put_json(&self.store, &keys::target(target), &state).await.unwrap();
    }
}
