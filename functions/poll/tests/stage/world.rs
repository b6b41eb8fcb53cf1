//! An installation as `poll` sees it, with a forge that tells what a test says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_core::active::ConfigurationCache;
use countersign_core::digest::Digest;
use countersign_core::event::{Event, EventKind};
use countersign_core::keys;
use countersign_core::message::QueueName;
use countersign_core::names::{CommitId, FollowedRef, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Evidence, ForgeRead, OpenPullRequest};
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::store;
use countersign_core::review::{PullRequest, Status};
use countersign_core::target::{ActiveBundle, SeenTip};
use countersign_core::time::Timestamp;
use countersign_git::mirror::Repositories;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;
use countersign_poll::Poller;
use serde_json::{Value, json};

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

pub fn main_branch() -> Reference {
    "refs/heads/main".parse().unwrap()
}

/// A forge with these open pull requests, and what it tells of them; nothing where it does not answer that.
#[derive(Default)]
pub struct Forge {
    pub open: Mutex<Option<Vec<OpenPullRequest>>>,
    pub told: Mutex<Option<Vec<PullRequest>>>,
    pub said: Mutex<Vec<Status>>,
}

impl ForgeRead for Forge {
    async fn open_pull_requests(&self, _: &RepositoryId) -> Result<Option<Vec<OpenPullRequest>>, PortError> {
        Ok(self.open.lock().unwrap().clone())
    }

    async fn evidence(&self, _: &RepositoryId, _: &Reference, _: &[CommitId]) -> Result<Evidence, PortError> {
        let told = self.told.lock().unwrap().clone();
        let pull_requests = told.ok_or_else(|| PortError::Unavailable("the forge is away".to_owned()))?;
        Ok(Evidence { pull_requests, statements: Vec::new() })
    }

    async fn statuses(
        &self,
        _: &RepositoryId,
        commit: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, PortError> {
        let said = self.said.lock().unwrap();
        let asked = |status: &&Status| status.commit == *commit && contexts.contains(&status.context);
        Ok(said.iter().filter(asked).cloned().collect())
    }
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub store: LocalStore,
    pub queue: LocalQueue,
    pub repositories: Repositories,
    pub configurations: ConfigurationCache,
    pub forge: Forge,
}

impl World {
    /// With a control repository, and applications whose repositories have these URLs, by `host/name`.
    pub async fn new(repositories: &[(&str, Value)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("data")).unwrap();
        let store = LocalStore::new(&database);
        let queue = LocalQueue::new(&database, Arc::new(|| at(0)), 1_000);
        let mirrors = folder.path().join("mirrors");
        let world = Self {
            store,
            queue,
            repositories: Repositories::new(mirrors),
            configurations: ConfigurationCache::default(),
            forge: Forge::default(),
            folder,
        };
        world.commit("local/control", "0");
        world.configure(repositories).await;
        world
    }

    pub async fn configure(&self, repositories: &[(&str, Value)]) {
        let host = |_: &str| json!({"kind": "plain", "url": self.folder.path(), "webhookSecret": "env:S"});
        let name = |id: &str| id.replace('/', "-");
        let application = |id: &str| {
            let placement = json!({"path": "deploy", "branch": "main", "namespaces": ["n"]});
            json!({"team": "t", "repository": id, "environments": {"production": placement}})
        };
        let mut hosts: serde_json::Map<_, _> =
            repositories.iter().map(|(id, _)| (id.split('/').next().unwrap().to_owned(), host(id))).collect();
        hosts.insert("local".to_owned(), host("local"));
        let configuration = json!({
            "version": 1,
            "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
            "hosts": hosts,
            "repositories": repositories.iter().map(|(id, url)| ((*id).to_owned(), json!({"url": url}))).collect::<serde_json::Map<_, _>>(),
            "applications": repositories.iter().map(|(id, _)| (name(id), application(id))).collect::<serde_json::Map<_, _>>(),
            "statuses": {"build": {"context": "ci/build", "accounts": {"local": 12}}},
            "environments": {"production": {"approvals": {"count": 1}, "clusters": ["east"], "statuses": ["build"]}},
            "clusters": {"east": {"kind": "simulated", "uid": "u"}},
        });
        let bundle = Digest::of(configuration.to_string().as_bytes());
        store::put_json(&self.store, &keys::bundle_configuration(&bundle), &configuration).await.unwrap();
        let active = ActiveBundle { bundle, index: 0, commit: "0".repeat(40).parse().unwrap() };
        store::put_json(&self.store, keys::ACTIVE_BUNDLE, &active).await.unwrap();
    }

    pub fn path(&self, id: &str) -> PathBuf {
        self.folder.path().join(id.split_once('/').unwrap().1)
    }

    /// Pushes to main without telling anyone, and makes the repository if it is not there.
    pub fn commit(&self, id: &str, text: &str) -> CommitId {
        let git = git2::Repository::init_bare(self.path(id)).unwrap();
        let mut tree = git.treebuilder(None).unwrap();
        tree.insert("a", git.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
        let tree = git.find_tree(tree.write().unwrap()).unwrap();
        let who = git2::Signature::new("Ann", "ann@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let made = git.commit(None, &who, &who, text, &tree, &[]).unwrap();
        git.reference("refs/heads/main", made, true, "pushed").unwrap();
        made.to_string().parse().unwrap()
    }

    /// As `gather` does when it has looked.
    pub async fn see(&self, id: &str, tip: &CommitId) {
        let follows = FollowedRef { repository: id.parse().unwrap(), reference: main_branch() };
        let seen = SeenTip {
            tip: tip.clone(),
            bundle: Digest::of(b""),
            looked: BTreeSet::new(),
            ended: BTreeMap::new(),
        };
        store::put_json(&self.store, &keys::seen_tip(&follows), &seen).await.unwrap();
    }

    pub fn poller(&self) -> Poller<'_, LocalStore, LocalQueue, Forge> {
        Poller {
            store: &self.store,
            queue: &self.queue,
            forge: &self.forge,
            repositories: &self.repositories,
            configurations: &self.configurations,
            deadline: || Arc::new(|| false),
        }
    }

    /// What one call hints at, as `repository kind`.
    pub async fn poll(&self, seconds: i64) -> Vec<String> {
        self.poller().handle(at(seconds)).await.unwrap();
        let mut events: Vec<_> = self.events().await.iter().map(shown).collect();
        events.sort();
        events
    }

    pub async fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let found = self
                .queue
                .receive(&QueueName::Events, 10, Duration::from_secs(60), Duration::ZERO)
                .await
                .unwrap();
            if found.is_empty() {
                return events;
            }
            for delivery in found {
                events.push(delivery.message.parse::<Event>().unwrap().body);
                self.queue.acknowledge(&QueueName::Events, &delivery.receipt).await.unwrap();
            }
        }
    }
}

pub fn shown(event: &Event) -> String {
    let what = match &event.kind {
        EventKind::Pushed { reference, .. } => format!("{reference} pushed"),
        EventKind::RefDue { reference, every_target: false } => reference.to_string(),
        EventKind::TargetDue { target, .. } => target.to_string(),
        EventKind::PullRequest { pull_request, .. } => format!("#{pull_request}"),
        other => format!("{other:?}"),
    };
    format!("{} {what}", event.repository)
}

/// A server that answers everything with a status, and counts.
pub fn failing() -> (Value, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/shop", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (json!(url), count)
}

pub async fn shop() -> (World, CommitId) {
    let world = World::new(&[("local/shop", Value::Null)]).await;
    let control = git2::Repository::open_bare(world.path("local/control")).unwrap();
    let control = control.refname_to_id("refs/heads/main").unwrap().to_string().parse().unwrap();
    world.see("local/control", &control).await;
    let first = world.commit("local/shop", "1");
    world.see("local/shop", &first).await;
    assert_eq!(world.poll(0).await, [] as [&str; 0], "what is new is looked at by itself");
    assert_eq!(world.poll(60).await, [] as [&str; 0], "what was seen is not hinted at");
    (world, first)
}
