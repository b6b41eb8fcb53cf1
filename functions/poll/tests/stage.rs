//! What no webhook brought is found, on a store and a queue as they are, and repositories in folders.

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
use countersign_core::names::{CommitId, FollowedRef, Reference, RepositoryId, Target};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Evidence, ForgeRead, OpenPullRequest};
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::store::{self, Store as _};
use countersign_core::review::{PullRequest, Status};
use countersign_core::target::{ActiveBundle, Ended, SeenTip};
use countersign_core::time::Timestamp;
use countersign_git::mirror::Repositories;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;
use countersign_poll::Poller;
use serde_json::{Value, json};

const DAY: i64 = 24 * 60 * 60;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

fn main_branch() -> Reference {
    "refs/heads/main".parse().unwrap()
}

/// A forge with these open pull requests, and what it tells of them; nothing where it does not answer that.
#[derive(Default)]
struct Forge {
    open: Mutex<Option<Vec<OpenPullRequest>>>,
    told: Mutex<Option<Vec<PullRequest>>>,
    said: Mutex<Vec<Status>>,
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

struct World {
    folder: tempfile::TempDir,
    store: LocalStore,
    queue: LocalQueue,
    repositories: Repositories,
    configurations: ConfigurationCache,
    forge: Forge,
}

impl World {
    /// With a control repository, and applications whose repositories have these URLs, by `host/name`.
    async fn new(repositories: &[(&str, Value)]) -> Self {
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

    async fn configure(&self, repositories: &[(&str, Value)]) {
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

    fn path(&self, id: &str) -> PathBuf {
        self.folder.path().join(id.split_once('/').unwrap().1)
    }

    /// Pushes to main without telling anyone, and makes the repository if it is not there.
    fn commit(&self, id: &str, text: &str) -> CommitId {
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
    async fn see(&self, id: &str, tip: &CommitId) {
        let follows = FollowedRef { repository: id.parse().unwrap(), reference: main_branch() };
        let seen = SeenTip {
            tip: tip.clone(),
            bundle: Digest::of(b""),
            looked: BTreeSet::new(),
            ended: BTreeMap::new(),
        };
        store::put_json(&self.store, &keys::seen_tip(&follows), &seen).await.unwrap();
    }

    fn poller(&self) -> Poller<'_, LocalStore, LocalQueue, Forge> {
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
    async fn poll(&self, seconds: i64) -> Vec<String> {
        self.poller().handle(at(seconds)).await.unwrap();
        let mut events: Vec<_> = self.events().await.iter().map(shown).collect();
        events.sort();
        events
    }

    async fn events(&self) -> Vec<Event> {
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

fn shown(event: &Event) -> String {
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
fn failing() -> (Value, Arc<AtomicUsize>) {
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

async fn shop() -> (World, CommitId) {
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

#[tokio::test]
async fn a_push_that_no_webhook_brought_is_found_within_its_period_and_told_once() {
    let (world, first) = shop().await;
    let second = world.commit("local/shop", "2");
    assert_eq!(world.poll(100).await, [] as [&str; 0], "its period is not over");
    assert_eq!(world.poll(120).await, ["local/shop refs/heads/main pushed"]);
    assert_eq!(world.poll(180).await, [] as [&str; 0], "gather knows");
    assert_eq!(world.poll(720).await, ["local/shop refs/heads/main pushed"], "nobody looked for ten minutes");
    world.see("local/shop", &second).await;
    assert_eq!(world.poll(780).await, [] as [&str; 0]);
    // Back and forth, each between two looks: each is another event.
    world.commit("local/shop", "1");
    assert_eq!(world.poll(840).await, ["local/shop refs/heads/main pushed"]);
    world.see("local/shop", &first).await;
    world.commit("local/shop", "2");
    assert_eq!(world.poll(900).await, ["local/shop refs/heads/main pushed"]);
}

#[tokio::test]
async fn a_day_of_downtime_is_made_up_for_at_once_and_two_hints_at_one_tip_are_two_events() {
    let (world, _) = shop().await;
    world.commit("local/shop", "2");
    world.poller().handle(at(DAY)).await.unwrap();
    let first = world.events().await;
    world.poller().handle(at(2 * DAY)).await.unwrap();
    let second = world.events().await;
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first[0].id, second[0].id);
    assert_eq!(first[0].received, at(DAY));
}

#[tokio::test]
async fn a_crash_after_the_hint_makes_the_same_event_again() {
    let (world, _) = shop().await;
    world.commit("local/shop", "2");
    let key = keys::polled(&"local/shop".parse().unwrap());
    let before = world.store.get(&key).await.unwrap().unwrap().bytes;
    assert_eq!(world.poll(120).await.len(), 1);
    world.store.put(&key, &before).await.unwrap();
    assert_eq!(world.poll(121).await, [] as [&str; 0], "the queue drops it as a repeat");
}

#[tokio::test]
async fn a_server_that_fails_is_asked_ever_more_rarely_and_hinders_no_other() {
    let (url, count) = failing();
    let world = World::new(&[("down/shop", url), ("local/cart", Value::Null)]).await;
    world.commit("local/cart", "1");
    world.poll(0).await;
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let mut found = Vec::new();
    for minute in 1..=60 {
        let before = count.load(Ordering::SeqCst);
        let hints = world.poll(minute * 60).await;
        assert_eq!(
            hints.contains(&"local/cart refs/heads/main pushed".to_owned()),
            [1, 11, 31].contains(&minute)
        );
        if count.load(Ordering::SeqCst) > before {
            found.push(minute);
        }
    }
    assert_eq!(found, [1, 3, 7, 15, 25, 35, 45, 55], "widening to ten minutes");
    // It is back, by another address: what was pushed meanwhile is found, the newest alone.
    world.commit("local/shop", "1");
    let newest = world.commit("local/shop", "2");
    let path = json!(world.path("local/shop"));
    world.configure(&[("down/shop", path), ("local/cart", Value::Null)]).await;
    world.poller().handle(at(65 * 60)).await.unwrap();
    let events = world.events().await;
    let shop: Vec<_> = events.iter().filter(|event| event.id.contains("down/shop")).collect();
    assert_eq!(shop.len(), 1);
    assert!(shop[0].id.contains(newest.as_str()), "{}", shop[0].id);
}

#[tokio::test]
async fn a_host_that_is_down_costs_a_few_questions_however_many_repositories_it_has() {
    let (url, count) = failing();
    let names: Vec<String> = (0..50).map(|at| format!("down/shop{at}")).collect();
    let repositories: Vec<_> = names.iter().map(|name| (name.as_str(), url.clone())).collect();
    let world = World::new(&repositories).await;
    world.poll(0).await;
    world.poll(60).await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn statements_that_came_unheard_make_a_look_due() {
    let (world, _) = shop().await;
    let git = git2::Repository::open_bare(world.path("local/shop")).unwrap();
    let name = format!("refs/countersign/statements/{}", "0".repeat(64));
    git.reference(&name, git.blob(b"s").unwrap(), true, "").unwrap();
    assert_eq!(world.poll(120).await, ["local/shop refs/heads/main"]);
    assert_eq!(world.poll(180).await, [] as [&str; 0]);
    git.find_reference(&name).unwrap().delete().unwrap();
    assert_eq!(world.poll(240).await, ["local/shop refs/heads/main"], "one that was taken away counts too");
}

#[tokio::test]
async fn pull_requests_that_changed_unheard_are_previewed_and_their_branches_looked_at() {
    let (world, first) = shop().await;
    let open = |version: &str, base: &str| OpenPullRequest {
        id: "7".to_owned(),
        base: base.parse().unwrap(),
        head: first.clone(),
        fork: false,
        version: version.to_owned(),
    };
    let tell = |one| *world.forge.open.lock().unwrap() = Some(vec![one]);
    tell(open("1", "refs/heads/other"));
    assert_eq!(world.poll(120).await, [] as [&str; 0], "nothing follows its base");
    tell(open("1", "refs/heads/main"));
    let all =
        ["local/control #7", "local/control refs/heads/main", "local/shop #7", "local/shop refs/heads/main"];
    assert_eq!(world.poll(180).await, all);
    assert_eq!(world.poll(240).await, [] as [&str; 0]);
    tell(open("2", "refs/heads/main"));
    assert_eq!(world.poll(300).await, all, "the branch may have waited for what was said there");
}

#[tokio::test]
async fn what_a_webhook_told_of_a_pull_request_is_not_previewed_once_more() {
    let (world, first) = shop().await;
    let tell = |version: &str, told: Option<&PullRequest>| {
        *world.forge.open.lock().unwrap() = Some(vec![OpenPullRequest {
            id: "7".to_owned(),
            base: main_branch(),
            head: first.clone(),
            fork: false,
            version: version.to_owned(),
        }]);
        *world.forge.told.lock().unwrap() = told.map(|told| vec![told.clone()]);
    };
    let nothing: [&str; 0] = [];
    let told: PullRequest = serde_json::from_value(json!({
        "id": "7", "title": "Faster", "author": {"account": 1}, "base": main_branch(), "head": first, "fork": false,
        "state": "open", "pushers": [], "reviews": [], "labels": [],
    }))
    .unwrap();
    // As `gather` notes it, when it has previewed what a webhook told of.
    for repository in ["local/control", "local/shop"] {
        let key = keys::previewed(&repository.parse().unwrap(), "7");
        store::put_json(&world.store, &key, &told.fingerprint(&[])).await.unwrap();
    }
    tell("1", Some(&told));
    assert_eq!(world.poll(120).await, nothing, "it was previewed");
    tell("2", None);
    assert_eq!(world.poll(180).await, nothing, "the forge does not say what changed");
    tell("2", Some(&told));
    assert_eq!(world.poll(240).await, nothing, "our own comment changed it, and nothing else");
    let labeled = PullRequest { labels: vec!["urgent".to_owned()], ..told };
    tell("2", Some(&labeled));
    assert_eq!(world.poll(300).await, nothing, "that version is known");
    tell("3", Some(&labeled));
    let both =
        ["local/control #7", "local/control refs/heads/main", "local/shop #7", "local/shop refs/heads/main"];
    assert_eq!(world.poll(360).await, both);
    assert_eq!(world.poll(420).await, nothing);
}

#[tokio::test]
async fn what_is_said_of_a_merged_pull_request_is_found_where_a_target_waits_for_it() {
    let (world, tip) = shop().await;
    let follows = FollowedRef { repository: "local/shop".parse().unwrap(), reference: main_branch() };
    let merged: PullRequest = serde_json::from_value(json!({
        "id": "7", "title": "Faster", "author": {"account": 1}, "base": main_branch(), "head": tip, "fork": false,
        "state": "merged", "pushers": [], "reviews": [], "labels": [],
    }))
    .unwrap();
    let ended = Ended { head: tip.clone(), told: merged.fingerprint(&[]) };
    let seen = SeenTip {
        tip,
        bundle: Digest::of(b""),
        looked: BTreeSet::new(),
        ended: [("7".to_owned(), ended)].into(),
    };
    store::put_json(&world.store, &keys::seen_tip(&follows), &seen).await.unwrap();
    let tell = |told: &PullRequest| *world.forge.told.lock().unwrap() = Some(vec![told.clone()]);
    let nothing: [&str; 0] = [];
    let labeled = |label: &str| PullRequest { labels: vec![label.to_owned()], ..merged.clone() };
    tell(&labeled("late"));
    assert_eq!(world.poll(120).await, nothing, "nothing waits");
    let target: Target = "local-shop/production/east".parse().unwrap();
    store::put_json(&world.store, &keys::unsettled(&follows, &target), &target).await.unwrap();
    tell(&merged);
    assert_eq!(world.poll(180).await, nothing, "nothing new was said");
    tell(&PullRequest { url: Some("https://forge.example/7".to_owned()), ..merged.clone() });
    assert_eq!(world.poll(240).await, nothing, "it is only shown elsewhere");
    tell(&labeled("late"));
    assert_eq!(world.poll(300).await, ["local/shop refs/heads/main"]);
    assert_eq!(world.poll(360).await, nothing, "it was hinted at");
    tell(&labeled("later"));
    assert_eq!(world.poll(420).await, ["local/shop refs/heads/main"]);
}

/// What a program says of a commit.
fn status(commit: &CommitId, id: &str, state: &str) -> Status {
    serde_json::from_value(json!({
        "id": id, "context": "ci/build", "commit": commit, "state": state, "said": state,
        "setter": {"account": 12}, "set": "2026-11-20T12:00:00Z",
    }))
    .unwrap()
}

#[tokio::test]
async fn a_status_that_no_webhook_told_of_is_found_before_and_after_a_merge() {
    let (world, head) = shop().await;
    let follows = FollowedRef { repository: "local/shop".parse().unwrap(), reference: main_branch() };
    let request: PullRequest = serde_json::from_value(json!({
        "id": "7", "title": "Faster", "author": {"account": 1}, "base": main_branch(), "head": head, "fork": false,
        "state": "open", "pushers": [], "reviews": [], "labels": [],
    }))
    .unwrap();
    let one = OpenPullRequest {
        id: "7".to_owned(),
        base: main_branch(),
        head: head.clone(),
        fork: false,
        version: "1".to_owned(),
    };
    let say = |id: &str, state: &str| *world.forge.said.lock().unwrap() = vec![status(&head, id, state)];
    let nothing: [&str; 0] = [];
    say("1", "pending");
    *world.forge.told.lock().unwrap() = Some(vec![request.clone()]);
    *world.forge.open.lock().unwrap() = Some(vec![one]);
    // As `gather` notes what it previewed.
    for repository in ["local/control", "local/shop"] {
        let key = keys::previewed(&repository.parse().unwrap(), "7");
        let statuses =
            if repository == "local/shop" { vec![status(&head, "1", "pending")] } else { Vec::new() };
        store::put_json(&world.store, &key, &request.fingerprint(&statuses)).await.unwrap();
    }
    assert_eq!(world.poll(120).await, nothing, "it was previewed with that status");
    say("2", "success");
    assert_eq!(world.poll(180).await, ["local/shop #7", "local/shop refs/heads/main"]);
    assert_eq!(world.poll(240).await, nothing);

    *world.forge.open.lock().unwrap() = Some(Vec::new());
    let merged: PullRequest = serde_json::from_value(json!({
        "id": "7", "title": "Faster", "author": {"account": 1}, "base": main_branch(), "head": head, "fork": false,
        "state": "merged", "pushers": [], "reviews": [], "labels": [],
    }))
    .unwrap();
    *world.forge.told.lock().unwrap() = Some(vec![merged.clone()]);
    let told = merged.fingerprint(&[status(&head, "2", "success")]);
    let seen = SeenTip {
        tip: head.clone(),
        bundle: Digest::of(b""),
        looked: BTreeSet::new(),
        ended: [("7".to_owned(), Ended { head: head.clone(), told })].into(),
    };
    store::put_json(&world.store, &keys::seen_tip(&follows), &seen).await.unwrap();
    let target: Target = "local-shop/production/east".parse().unwrap();
    store::put_json(&world.store, &keys::unsettled(&follows, &target), &target).await.unwrap();
    assert_eq!(world.poll(300).await, nothing, "it was looked at with that status");
    say("3", "failure");
    assert_eq!(world.poll(360).await, ["local/shop refs/heads/main"]);
    assert_eq!(world.poll(420).await, nothing);
}

#[tokio::test]
async fn what_waits_is_woken_when_its_time_has_come_also_after_the_clock_was_put_back() {
    let (world, _) = shop().await;
    let target: Target = "local-shop/production/east".parse().unwrap();
    let gone: Target = "gone/production/east".parse().unwrap();
    for (when, target) in [(70, &target), (70, &gone), (90, &target)] {
        store::put_json(&world.store, &keys::due(at(when), target), target).await.unwrap();
    }
    assert_eq!(world.poll(69).await, [] as [&str; 0]);
    assert_eq!(world.poll(70).await, ["local/shop local-shop/production/east"]);
    assert_eq!(world.poll(71).await, [] as [&str; 0]);
    assert_eq!(world.poll(-DAY).await, ["local/shop local-shop/production/east"]);
}

#[tokio::test]
async fn a_start_makes_every_followed_reference_due() {
    let (world, _) = shop().await;
    assert_eq!(world.poller().everything(at(7)).await.unwrap(), 2);
    let events = world.events().await;
    assert!(events.iter().all(|event| matches!(event.kind, EventKind::RefDue { every_target: true, .. })));
}
