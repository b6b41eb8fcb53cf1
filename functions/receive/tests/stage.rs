//! The stage on the embedded store, queue and secrets: from requests to answers and events.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::active::ConfigurationCache;
use countersign_core::digest::Digest;
use countersign_core::event::{Event, EventKind, PullRequestAction};
use countersign_core::keys;
use countersign_core::message::QueueName;
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer as _};
use countersign_core::ports::store::{self, Store as _};
use countersign_core::statement::{Command, NAMESPACE, Says, SignedStatement, Statement};
use countersign_core::target::ActiveBundle;
use countersign_core::time::Timestamp;
use countersign_forge::headers::Headers;
use countersign_forge::plain::{SIGNATURE_HEADER, sign};
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::queue::LocalQueue;
use countersign_local::secrets::LocalSecrets;
use countersign_local::store::LocalStore;
use countersign_provenance::root;
use countersign_receive::{Answer, MAX_BODY, Receiver, Request};
use serde_json::{Value, json};

const SECRET: &[u8] = b"a secret";

struct World {
    _folder: tempfile::TempDir,
    store: LocalStore,
    queue: LocalQueue,
    /// The same file, open for reading only: every write fails.
    broken_store: LocalStore,
    broken_queue: LocalQueue,
    configurations: ConfigurationCache,
    root: KeyFile,
    ada: KeyFile,
    stranger: KeyFile,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

/// An Ed25519 key as OpenSSH writes it.
fn openssh(key: &PublicKey) -> String {
    let base64: String = key.pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).unwrap();
    let parts = [&b"ssh-ed25519"[..], &der[der.len() - 32..]];
    let wire: Vec<u8> = parts
        .iter()
        .flat_map(|part| u32::try_from(part.len()).unwrap().to_be_bytes().into_iter().chain(part.to_vec()))
        .collect();
    format!("ssh-ed25519 {}", STANDARD.encode(wire))
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        let key = |name: &str| {
            KeyFile::generate(&folder.path().join(name), Algorithm::Ed25519, &mut rand_core::OsRng).unwrap()
        };
        let (root, ada, stranger) = (key("root"), key("ada"), key("stranger"));
        let database = Database::open(&folder.path().join("data")).unwrap();
        let broken = Database::open_read_only(&folder.path().join("data")).unwrap();
        let store = LocalStore::new(&database);
        let secret = format!("file:{}", folder.path().join("secret").display());
        let environment = json!({"path": "deploy", "branch": "main", "namespaces": ["shop"]});
        let configuration = json!({
            "version": 1,
            "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
            "hosts": {
                "local": {"kind": "plain", "url": "repositories", "webhookSecret": secret},
                "hub": {"kind": "github", "url": "https://hub.example", "webhookSecret": secret},
                "lost": {"kind": "plain", "url": "repositories", "webhookSecret": "file:/no/such/secret"},
            },
            "people": {"ada": {"keys": [openssh(ada.public_key())]}},
            "repositories": {"local/shop": {}, "hub/team/shop": {}},
            "statuses": {"build": {"context": "ci/build", "accounts": {"hub": 12}}},
            "applications": {
                "shop": {"team": "t", "repository": "local/shop", "environments": {"production": environment}},
                "web": {"team": "t", "repository": "hub/team/shop", "environments": {
                    "production": environment,
                    "checked": {"path": "deploy", "branch": "release", "namespaces": ["web"]},
                }},
            },
            "environments": {
                "production": {"approvals": {"count": 1}, "clusters": ["east"]},
                "checked": {"approvals": {"count": 1}, "clusters": ["east"], "statuses": ["build"]},
            },
            "clusters": {"east": {"kind": "simulated", "uid": "u"}},
        });
        let bundle = Digest::of(b"bundle");
        store::put_json(&store, &keys::bundle_configuration(&bundle), &configuration).await.unwrap();
        let active = ActiveBundle { bundle, index: 0, commit: "0".repeat(40).parse().unwrap() };
        store::put_json(&store, keys::ACTIVE_BUNDLE, &active).await.unwrap();
        let queue = |database| LocalQueue::new(database, Arc::new(|| at(0)), 1_000);
        Self {
            store,
            queue: queue(&database),
            broken_store: LocalStore::new(&broken),
            broken_queue: queue(&broken),
            configurations: ConfigurationCache::default(),
            root,
            ada,
            stranger,
            _folder: folder,
        }
    }

    fn receiver<'a>(
        &'a self,
        store: &'a LocalStore,
        queue: &'a LocalQueue,
    ) -> Receiver<'a, LocalStore, LocalQueue, LocalSecrets> {
        let root_key = self.root.public_key();
        Receiver { store, queue, secrets: &LocalSecrets, configurations: &self.configurations, root_key }
    }

    async fn webhook(&self, host: &str, body: &[u8], headers: &[(&str, String)]) -> Answer {
        let headers: Headers = headers.iter().map(|(name, value)| (*name, value.clone())).collect();
        let request = Request { host, headers: &headers, body, received: at(1) };
        self.receiver(&self.store, &self.queue).webhook(request).await
    }

    async fn signed(&self, host: &str, body: &[u8]) -> Answer {
        self.webhook(host, body, &[(SIGNATURE_HEADER, sign(SECRET, body).unwrap())]).await
    }

    async fn statement(&self, by: &KeyFile, repository: &str, says: Says) -> (Vec<u8>, Answer) {
        let (repository, nonce) = (repository.parse().unwrap(), "n".to_owned());
        let statement = Statement { v: 1, repository, time: at(0), nonce, says };
        let payload = serde_json::to_string(&statement).unwrap();
        let signature = root::sign(by, NAMESPACE, payload.as_bytes()).await.unwrap();
        let bytes = SignedStatement { payload, signature }.to_bytes();
        let answer = self.receiver(&self.store, &self.queue).statement(&bytes, at(1)).await;
        (bytes, answer)
    }

    /// Takes every event off the queue.
    async fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let (queue, wait) = (QueueName::Events, Duration::from_secs(60));
            let found = self.queue.receive(&queue, 10, wait, Duration::ZERO).await.unwrap();
            if found.is_empty() {
                return events;
            }
            for delivery in found {
                events.push(delivery.message.parse::<Event>().unwrap().body);
                self.queue.acknowledge(&queue, &delivery.receipt).await.unwrap();
            }
        }
    }
}

fn push(delivery: &str, repository: &str) -> Vec<u8> {
    let (before, after) = ("1".repeat(40), "2".repeat(40));
    let update = json!({"reference": "refs/heads/main", "before": before, "after": after});
    let push: Value = json!({"v": 1, "delivery": delivery, "repository": repository, "updates": [update]});
    serde_json::to_vec(&push).unwrap()
}

#[tokio::test]
async fn every_way_to_end_is_an_answer() {
    let world = World::new().await;
    let body = push("d1", "shop");
    let expect = |answer: Answer, status: u16, counted: &str| {
        assert_eq!((answer.status, answer.counted_as), (status, counted), "{}", answer.text);
    };
    expect(world.signed("local", &vec![b'a'; MAX_BODY + 1]).await, 413, "too_large");
    expect(world.signed("nowhere", &body).await, 404, "unknown_host");
    expect(world.signed("No/Name", &body).await, 404, "unknown_host");
    expect(world.webhook("local", &body, &[]).await, 401, "bad_signature");
    let other = sign(b"another", &body).unwrap();
    expect(world.webhook("local", &body, &[(SIGNATURE_HEADER, other)]).await, 401, "bad_signature");
    expect(world.signed("local", b"{").await, 400, "malformed");
    expect(world.signed("local", &push("d2", "secret-project")).await, 202, "unknown_repository");
    expect(world.signed("lost", &body).await, 503, "unavailable");
    let star = b"{\"repository\": {\"full_name\": \"a/b\"}}";
    let headers = [
        ("X-Hub-Signature-256", sign(SECRET, star).unwrap()),
        ("X-GitHub-Event", "star".to_owned()),
        ("X-GitHub-Delivery", "d3".to_owned()),
    ];
    expect(world.webhook("hub", star, &headers).await, 200, "unknown_event");
    assert!(world.events().await.is_empty(), "none of these is an event");
    expect(world.signed("local", &body).await, 200, "accepted");
    world.store.delete(keys::ACTIVE_BUNDLE).await.unwrap();
    expect(world.signed("local", &push("d4", "shop")).await, 503, "unavailable");
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_taken_once() {
    let world = World::new().await;
    let body = push("d1", "shop");
    assert_eq!(world.signed("local", &body).await.counted_as, "accepted");
    let events = world.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].received, events[0].repository.to_string()), (at(1), "local/shop".to_owned()));
    assert!(matches!(events[0].kind, EventKind::Pushed { forced: false, .. }));
    assert_eq!(world.signed("local", &body).await.counted_as, "repeated");
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn a_delivery_is_marked_only_once_it_is_enqueued() {
    let world = World::new().await;
    let body = push("d1", "shop");
    let headers: Headers = [(SIGNATURE_HEADER, sign(SECRET, &body).unwrap())].into_iter().collect();
    let request = Request { host: "local", headers: &headers, body: &body, received: at(1) };
    let without_queue = world.receiver(&world.store, &world.broken_queue).webhook(request).await;
    assert_eq!(without_queue.status, 503, "{}", without_queue.text);
    let without_mark = world.receiver(&world.broken_store, &world.queue).webhook(request).await;
    assert_eq!(without_mark.status, 503, "{}", without_mark.text);
    // Delivered again, as forges do after a 5xx: it is an event already, and stays one.
    assert_eq!(world.signed("local", &body).await.counted_as, "accepted");
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn only_known_keys_put_a_statement_anywhere() {
    let world = World::new().await;
    let approve = || Says::Approve { head: "2".repeat(40).parse().unwrap() };
    let garbage = world.receiver(&world.store, &world.queue).statement(b"hello", at(1)).await;
    assert_eq!((garbage.status, garbage.counted_as), (400, "malformed"));
    let long = vec![b'a'; countersign_core::statement::MAX_STATEMENT + 1];
    let large = world.receiver(&world.store, &world.queue).statement(&long, at(1)).await;
    assert_eq!((large.status, large.counted_as), (413, "too_large"));
    let (mut forged, refused) = world.statement(&world.stranger, "local/shop", approve()).await;
    assert_eq!((refused.status, refused.counted_as), (401, "bad_signature"));
    assert!(refused.text.contains("countersign.yaml"), "{}", refused.text);
    let unknown = world.statement(&world.ada, "local/other", approve()).await.1;
    assert_eq!((unknown.status, unknown.counted_as), (404, "unknown_repository"));
    let prefix = keys::statements(&"local/shop".parse().unwrap());
    assert!(world.store.list(&prefix, None, 10).await.unwrap().is_empty());
    assert!(world.events().await.is_empty());
    let (bytes, taken) = world.statement(&world.ada, "local/shop", approve()).await;
    assert_eq!(taken.counted_as, "accepted", "{}", taken.text);
    let key = &world.store.list(&prefix, None, 10).await.unwrap()[0];
    assert_eq!(world.store.get(key).await.unwrap().unwrap().bytes, bytes);
    // A signature of Ada's under other words.
    forged.clone_from(&bytes);
    let place = forged.windows(3).position(|found| found == b"222").unwrap();
    forged[place] = b'3';
    let answer = world.receiver(&world.store, &world.queue).statement(&forged, at(1)).await;
    assert_eq!((answer.status, answer.counted_as), (401, "bad_signature"));
}

#[tokio::test]
async fn a_statement_makes_due_what_it_could_change() {
    let world = World::new().await;
    let head = || "2".repeat(40).parse().unwrap();
    let main = || "refs/heads/main".parse().unwrap();
    let due = EventKind::RefDue { reference: main(), every_target: false };
    let kinds = async || world.events().await.into_iter().map(|event| event.kind).collect::<Vec<_>>();
    world.statement(&world.ada, "local/shop", Says::Approve { head: head() }).await;
    assert_eq!(kinds().await, std::slice::from_ref(&due));
    let proposal = Says::Propose { base: main(), head: head(), title: "Faster".to_owned() };
    world.statement(&world.ada, "local/shop", proposal).await;
    let found = kinds().await;
    assert!(found.contains(&due) && found.len() == 2, "{found:?}");
    assert!(found.iter().any(|kind| matches!(kind,
        EventKind::PullRequest { action: PullRequestAction::Opened, fork: false, base, .. } if *base == main())));
    let target = "shop/production/east".parse().unwrap();
    let command = Says::Command { command: Command::Release { target }, expires: at(100) };
    let (bytes, _) = world.statement(&world.root, "local/control", command.clone()).await;
    let statement = SignedStatement::from_bytes(&bytes).unwrap();
    assert_eq!(kinds().await, [EventKind::Command { statement }]);
    assert_eq!(world.statement(&world.root, "local/control", command).await.1.status, 200);
    assert!(kinds().await.is_empty(), "a repeat is no second command");
}

#[tokio::test]
async fn a_status_makes_due_what_asks_for_it_and_nothing_else() {
    let world = World::new().await;
    let head = "2".repeat(40);
    let status = async |context: &str| {
        let body = json!({"sha": head, "context": context, "repository": {"full_name": "team/shop"}});
        let body = serde_json::to_vec(&body).unwrap();
        let headers = [
            ("X-Hub-Signature-256", sign(SECRET, &body).unwrap()),
            ("X-GitHub-Event", "status".to_owned()),
            ("X-GitHub-Delivery", format!("d-{}", context.replace('/', "-"))),
        ];
        world.webhook("hub", &body, &headers).await
    };
    let nothing = status("coverage").await;
    assert_eq!((nothing.status, nothing.counted_as), (200, "unasked_status"));
    assert!(world.events().await.is_empty());
    assert_eq!(status("ci/build").await.counted_as, "accepted");
    let mut events = world.events().await;
    events.sort_by(|a, b| a.id.cmp(&b.id));
    let kinds: Vec<_> = events.iter().map(|event| event.kind.clone()).collect();
    let due = EventKind::RefDue { reference: "refs/heads/release".parse().unwrap(), every_target: false };
    let said = EventKind::Status { commit: head.parse().unwrap(), context: Some("ci/build".to_owned()) };
    assert_eq!(kinds, [said, due]);
    assert_eq!(events[1].id, format!("{}/refs/heads/release", events[0].id));
}
