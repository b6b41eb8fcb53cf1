//! A repository that two applications live in, and what the stage made of events about it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_core::active::ConfigurationCache;
use countersign_core::decision::Decision;
use countersign_core::digest::Digest;
use countersign_core::event::{Event, EventKind};
use countersign_core::facts::{Facts, ObjectKey};
use countersign_core::keys;
use countersign_core::message::{FactsGathered, Message, QueueName, ReportDue};
use countersign_core::names::{AttemptId, CommitId, Reference, RepositoryId, Target};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::GitCredential;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store};
use countersign_core::review::{PullRequest, Status};
use countersign_core::stage::{Incoming, StageError};
use countersign_core::target::{ActiveBundle, TargetState};
use countersign_core::time::Timestamp;
use countersign_gather::Gatherer;
use countersign_git::mirror::Repositories;
use countersign_git::plain::PlainForge;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;
use countersign_render::budget::Budget;
use serde_json::json;

use crate::meanwhile::Meanwhile;
use crate::watched::Watched;

pub struct World {
    folder: tempfile::TempDir,
    git: git2::Repository,
    pub store: Watched,
    queue: LocalQueue,
    bundle: Digest,
    /// What the forge tells of, beside signed statements.
    pub pull_requests: Vec<PullRequest>,
    /// What programs said, as the forge tells of it.
    pub statuses: Vec<Status>,
    /// What opens the repository.
    pub credential: Option<GitCredential>,
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

pub fn main_branch() -> Reference {
    "refs/heads/main".parse().unwrap()
}

pub fn shop() -> Target {
    "shop/production/east".parse().unwrap()
}

pub fn cart() -> Target {
    "cart/production/east".parse().unwrap()
}

pub fn repository() -> RepositoryId {
    "local/shop".parse().unwrap()
}

/// An object of the shop's namespace.
fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: \"{value}\"\n")
}

impl World {
    pub async fn new() -> Self {
        Self::on("plain").await
    }

    /// On a host of this kind.
    pub async fn on(kind: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = git2::Repository::init_bare(folder.path().join("shop.git")).unwrap();
        let database = Database::open(&folder.path().join("data")).unwrap();
        let store = Watched { inner: LocalStore::new(&database), reads: Mutex::default() };
        let queue = LocalQueue::new(&database, Arc::new(|| at(0)), 1_000);
        let bundle = Digest::of(b"bundle");
        let application = |name: &str| {
            json!({"team": "shop", "repository": "local/shop", "environments": {
                "production": {"path": format!("deploy/{name}"), "branch": "main", "namespaces": ["shop"]},
            }})
        };
        let configuration = json!({
            "version": 1,
            "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
            "hosts": {"local": {"kind": kind, "url": folder.path(), "webhookSecret": "env:S"}},
            "repositories": {"local/shop": {"url": folder.path().join("shop.git")}},
            "applications": {"shop": application("shop"), "cart": application("cart")},
            "environments": {"production": {"approvals": {"count": 1}, "clusters": ["east"]}},
            "clusters": {"east": {"kind": "simulated", "uid": "u"}},
        });
        store::put_json(&store, &keys::bundle_configuration(&bundle), &configuration).await.unwrap();
        let active = ActiveBundle { bundle, index: 0, commit: "0".repeat(40).parse().unwrap() };
        store::put_json(&store, keys::ACTIVE_BUNDLE, &active).await.unwrap();
        Self {
            folder,
            git,
            store,
            queue,
            bundle,
            pull_requests: Vec::new(),
            statuses: Vec::new(),
            credential: None,
        }
    }

    /// Lets the environment ask the owners of what is changed.
    pub async fn ask_owners(&self) {
        let key = keys::bundle_configuration(&self.bundle);
        let mut configuration: serde_json::Value = store::get_json(&self.store, &key).await.unwrap().unwrap();
        configuration["environments"]["production"]["approvals"]["codeOwners"] = json!(true);
        store::put_json(&self.store, &key, &configuration).await.unwrap();
    }

    /// Lets the environment ask for the status `build`, which account 12 sets as `ci/build`.
    pub async fn ask_for_a_status(&self) {
        let key = keys::bundle_configuration(&self.bundle);
        let mut configuration: serde_json::Value = store::get_json(&self.store, &key).await.unwrap().unwrap();
        configuration["statuses"] = json!({"build": {"context": "ci/build", "accounts": {"local": 12}}});
        configuration["environments"]["production"]["statuses"] = json!(["build"]);
        store::put_json(&self.store, &key, &configuration).await.unwrap();
    }

    /// Reads the repository from a server from now on, with this credential.
    pub async fn read_from(&mut self, url: &str, credential: GitCredential) {
        self.configure(|configuration| configuration["repositories"]["local/shop"]["url"] = json!(url)).await;
        self.credential = Some(credential);
    }

    /// Changes the configuration.
    pub async fn configure(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let key = keys::bundle_configuration(&self.bundle);
        let mut configuration: serde_json::Value = store::get_json(&self.store, &key).await.unwrap().unwrap();
        change(&mut configuration);
        store::put_json(&self.store, &key, &configuration).await.unwrap();
    }

    /// Commits both applications' values to a branch, on top of what is there or of `parent`.
    pub fn push(&self, branch: &str, parent: Option<&CommitId>, shop: &str, cart: &str) -> CommitId {
        let blob = |name: &str, value: &str| self.git.blob(config_map(name, value).as_bytes()).unwrap();
        let mut deploy = self.git.treebuilder(None).unwrap();
        for (name, value) in [("shop", shop), ("cart", cart)] {
            let mut folder = self.git.treebuilder(None).unwrap();
            folder.insert("all.yaml", blob(name, value), 0o100_644).unwrap();
            deploy.insert(name, folder.write().unwrap(), 0o040_000).unwrap();
        }
        let mut root = self.git.treebuilder(None).unwrap();
        root.insert("deploy", deploy.write().unwrap(), 0o040_000).unwrap();
        let tree = self.git.find_tree(root.write().unwrap()).unwrap();
        let name = format!("refs/heads/{branch}");
        let before = match parent {
            Some(parent) => Some(git2::Oid::from_str(parent.as_str()).unwrap()),
            None => self.git.refname_to_id(&name).ok(),
        };
        let parents: Vec<_> = before.into_iter().map(|id| self.git.find_commit(id).unwrap()).collect();
        let parents: Vec<_> = parents.iter().collect();
        let who = git2::Signature::new("Ann", "ann@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let made = self.git.commit(None, &who, &who, "a change", &tree, &parents).unwrap();
        self.git.reference(&name, made, true, "pushed").unwrap();
        made.to_string().parse().unwrap()
    }

    /// Commits a tree, made by hand, in place of the shop's folder.
    pub fn push_tree(&self, make: impl FnOnce(&git2::Repository) -> git2::Oid) -> CommitId {
        let before = self.git.refname_to_id("refs/heads/main").unwrap();
        let before = self.git.find_commit(before).unwrap();
        let shop = make(&self.git);
        let mut deploy = self.git.treebuilder(None).unwrap();
        deploy.insert("shop", shop, 0o040_000).unwrap();
        let cart = before.tree().unwrap().get_path(std::path::Path::new("deploy/cart")).unwrap();
        deploy.insert("cart", cart.id(), 0o040_000).unwrap();
        let mut root = self.git.treebuilder(None).unwrap();
        root.insert("deploy", deploy.write().unwrap(), 0o040_000).unwrap();
        let tree = self.git.find_tree(root.write().unwrap()).unwrap();
        let who = git2::Signature::new("Ann", "ann@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let made =
            self.git.commit(Some("refs/heads/main"), &who, &who, "a change", &tree, &[&before]).unwrap();
        made.to_string().parse().unwrap()
    }

    /// Commits one more file at the root of what a branch has.
    pub fn add_file(&self, branch: &str, name: &str, text: &str) -> CommitId {
        let reference = format!("refs/heads/{branch}");
        let before = self.git.find_commit(self.git.refname_to_id(&reference).unwrap()).unwrap();
        let mut root = self.git.treebuilder(Some(&before.tree().unwrap())).unwrap();
        root.insert(name, self.git.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
        let tree = self.git.find_tree(root.write().unwrap()).unwrap();
        let who = git2::Signature::new("Ann", "ann@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let made = self.git.commit(Some(&reference), &who, &who, "a file", &tree, &[&before]).unwrap();
        made.to_string().parse().unwrap()
    }

    /// Lets a branch lead to a commit.
    pub fn point(&self, branch: &str, commit: &CommitId) {
        let id = git2::Oid::from_str(commit.as_str()).unwrap();
        self.git.reference(&format!("refs/heads/{branch}"), id, true, "pushed").unwrap();
    }

    /// Forgets every object that no reference leads to, as a server does after a forced push.
    pub fn forget(&self, commit: &CommitId) {
        let (folder, file) = commit.as_str().split_at(2);
        std::fs::remove_file(self.path().join("objects").join(folder).join(file)).unwrap();
    }

    /// Where the repository is.
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("shop.git")
    }

    pub fn delete_branch(&self, branch: &str) {
        self.git.find_reference(&format!("refs/heads/{branch}")).unwrap().delete().unwrap();
    }

    /// Takes one event; the facts that it announced, by the order of their targets' names.
    pub async fn take(&self, id: &str, kind: EventKind) -> Vec<Facts> {
        self.take_while(id, kind, &|| Ok(())).await.unwrap()
    }

    /// As [`Self::take`], while `happens` happens whenever the forge is asked.
    pub async fn take_while(
        &self,
        id: &str,
        kind: EventKind,
        happens: &(dyn Fn() -> Result<(), PortError> + Sync),
    ) -> Result<Vec<Facts>, StageError> {
        let folders = [(repository(), self.folder.path().join("shop.git"))].into();
        let forge = Meanwhile {
            plain: PlainForge::new(folders),
            pull_requests: self.pull_requests.clone(),
            statuses: self.statuses.clone(),
            happens,
            credential: self.credential.clone(),
        };
        let (configurations, budget) = (ConfigurationCache::default(), Budget::default());
        let repositories = Repositories::new(self.folder.path().join("mirrors"));
        let stage = Gatherer {
            store: &self.store,
            queue: &self.queue,
            forge: &forge,
            repositories: &repositories,
            configurations: &configurations,
            budget: &budget,
            fetch_deadline: || Arc::new(|| false),
        };
        let event = Event { id: id.to_owned(), received: at(0), repository: repository(), actor: None, kind };
        let body = serde_json::to_string(&Message::new("trace", event)).unwrap();
        let message = Incoming { id: id.to_owned(), group: String::new(), body, receive_count: 1 };
        stage.handle(&[message]).await.pop().unwrap()?;
        let mut facts = Vec::new();
        for announced in self.announced().await {
            let key = keys::facts(&announced.attempt);
            facts.push(store::get_json::<Facts>(&self.store, &key).await.unwrap().unwrap());
        }
        facts.sort_by_key(|facts| facts.target.target.to_string());
        Ok(facts)
    }

    /// Takes what is to be reported off its queue.
    pub async fn reports(&self) -> Vec<ReportDue> {
        let (queue, hidden) = (QueueName::Reports, Duration::from_secs(60));
        let found = self.queue.receive(&queue, 10, hidden, Duration::ZERO).await.unwrap();
        let mut bodies = Vec::new();
        for delivery in found {
            bodies.push(delivery.message.parse::<ReportDue>().unwrap().body);
            self.queue.acknowledge(&queue, &delivery.receipt).await.unwrap();
        }
        bodies
    }

    /// Takes what was announced off its queue.
    pub async fn announced(&self) -> Vec<FactsGathered> {
        let mut bodies = Vec::new();
        loop {
            let wait = Duration::ZERO;
            let found =
                self.queue.receive(&QueueName::Facts, 10, Duration::from_secs(60), wait).await.unwrap();
            if found.is_empty() {
                return bodies;
            }
            for delivery in found {
                bodies.push(delivery.message.parse::<FactsGathered>().unwrap().body);
                self.queue.acknowledge(&QueueName::Facts, &delivery.receipt).await.unwrap();
            }
        }
    }

    /// Makes state as if `facts` had been allowed, and, if so, applied.
    pub async fn authorize(&self, facts: &Facts, applied: bool) -> TargetState {
        let target = &facts.target.target;
        let objects: Vec<ObjectKey> = facts.objects.iter().map(|object| object.key.clone()).collect();
        let decision: Decision = serde_json::from_value(json!({
            "v": 1, "attempt": facts.attempt, "target": target, "follows": facts.target.follows,
            "began": facts.time, "preview": false, "operation": "deploy", "commit": facts.change.commit,
            "tree": facts.change.tree, "closure": facts.change.closure, "manifest": facts.manifest,
            "objects": objects, "namespaces": ["shop"], "clusterKinds": [], "adopt": false,
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
            "running": applied.then_some(wanted.clone()),
            "latest": {
                "attempt": facts.attempt, "began": facts.time, "index": 1, "commit": facts.change.commit,
                "closure": facts.change.closure, "bundle": self.bundle, "verdict": "allowed",
                "disposition": "authorized", "reason": "ok", "decision": blob,
            },
        }))
        .unwrap();
        self.set(&state).await;
        state
    }

    pub async fn set(&self, state: &TargetState) {
        store::put_json(&self.store, &keys::target(&state.target), state).await.unwrap();
        let key = keys::unsettled(&state.follows, &state.target);
        match state.is_settled() {
            true => self.store.delete(&key).await.unwrap(),
            false => store::put_json(&self.store, &key, &state.target).await.unwrap(),
        }
    }

    pub async fn stored(&self, cause: &str, target: &Target) -> Option<Vec<u8>> {
        let key = keys::facts(&AttemptId::new(cause, target));
        self.store.get(&key).await.unwrap().map(|found| found.bytes)
    }
}

pub fn pushed(to: &CommitId) -> EventKind {
    EventKind::Pushed { reference: main_branch(), before: None, after: to.clone(), forced: false }
}
