//! What the first look of a new instance costs at a repository with a long history, and the look after one push, beside
//! what `git clone` takes of the same server.

#[path = "../../../crates/git/src/testing/server.rs"]
mod server;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign_core::active::ConfigurationCache;
use countersign_core::digest::Digest;
use countersign_core::event::{Event, EventKind};
use countersign_core::facts::{Facts, Relation};
use countersign_core::keys;
use countersign_core::message::{FactsGathered, Message, QueueName};
use countersign_core::names::CommitId;
use countersign_core::ports::queue::Queue as _;
use countersign_core::ports::store;
use countersign_core::stage::Incoming;
use countersign_core::target::ActiveBundle;
use countersign_core::time::Timestamp;
use countersign_gather::Gatherer;
use countersign_git::mirror::{Depths, Repositories};
use countersign_git::plain::PlainForge;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;
use countersign_render::budget::Budget;
use serde_json::json;

/// How many commits the repository has, where the arguments name no other number.
const COMMITS: usize = 50_000;

/// How many applications it has, each of five files.
const APPLICATIONS: usize = 200;

/// How often each is measured; the median counts.
const SAMPLES: usize = 3;

/// Everything at once, as without depth.
const WHOLE: Depths = Depths { first: 0x7fff_ffff, one: 0x7fff_ffff, step: 1, most: 1 };

fn main() {
    let commits = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(COMMITS);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let origin = Origin::new(commits);
    println!("{commits} commits, {} on the server", mib(size(&origin.path())));
    println!(
        "{:<34} {:>8} {:>10} {:>12} {:>12} {:>9}",
        "", "ms", "of CPU", "received", "on disk", "requests"
    );
    let ways = [("just behind", 10), ("300 commits behind", 300), ("900 commits behind", 900)];
    for (name, behind) in ways.into_iter().filter(|(_, behind)| *behind < commits) {
        origin.show(&format!("first look, {name}"), || {
            let instance = Instance::new(Depths::default());
            (runtime.block_on(instance.look(&origin, behind)), size(instance.folder.path()))
        });
    }
    origin.show("first look, with the whole history", || {
        let instance = Instance::new(WHOLE);
        (runtime.block_on(instance.look(&origin, 10)), size(instance.folder.path()))
    });
    let warm = Instance::new(Depths::default());
    runtime.block_on(warm.look(&origin, 10));
    origin.show("look after one push", || {
        origin.push();
        (runtime.block_on(warm.look(&origin, 10)), size(warm.folder.path()))
    });
    origin.show("git clone --bare", || origin.clone(&[]));
    origin.show("git clone --bare --depth 1", || origin.clone(&["--depth", "1"]));
}

/// The processor time of this process and of those that it started and that ended, the server's too: a busy machine
/// disturbs it less than the clock.
fn processor_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    // A tick is 10 ms.
    after_name.split_whitespace().skip(11).take(4).map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum()
}

/// The bytes of all files below a folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { size(&path) } else { path.metadata().unwrap().len() }).sum()
}

fn mib(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / 1024.0 / 1024.0)
}

/// A repository with a long history, and its server.
struct Origin {
    folder: tempfile::TempDir,
    served: server::Served,
    url: String,
    /// What the server sent.
    sent: Arc<AtomicU64>,
}

impl Origin {
    fn new(commits: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.git");
        git(&["init", "--quiet", "--bare", path.to_str().unwrap()]);
        write_history(&path, commits);
        // As a server keeps it.
        git(&["-C", path.to_str().unwrap(), "repack", "-a", "-d", "-q", "--write-bitmap-index"]);
        let served = server::serve(&path);
        let (port, sent) = counted(&served.base);
        Self { folder, served, url: format!("http://127.0.0.1:{port}/good"), sent }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("long.git")
    }

    fn commit(&self, back: usize) -> CommitId {
        let name = format!("main~{back}");
        let id = git(&["-C", self.path().to_str().unwrap(), "rev-parse", &name]);
        id.trim().parse().unwrap()
    }

    /// One more commit, which changes the application.
    fn push(&self) {
        let repository = git2::Repository::open_bare(self.path()).unwrap();
        let tip = repository.refname_to_id("refs/heads/main").unwrap();
        let tip = repository.find_commit(tip).unwrap();
        let file = repository.blob(manifest(0, 0, &tip.id().to_string()).as_bytes()).unwrap();
        let mut update = git2::build::TreeUpdateBuilder::new();
        update.upsert(place(0, 0), file, git2::FileMode::Blob);
        let tree = update.create_updated(&repository, &tip.tree().unwrap()).unwrap();
        let (tree, who) = (repository.find_tree(tree).unwrap(), tip.author());
        repository.commit(Some("refs/heads/main"), &who, &who, "a push", &tree, &[&tip]).unwrap();
    }

    /// Measures something that says how long it took and what it left on the disk.
    fn show(&self, name: &str, mut take: impl FnMut() -> (Duration, u64)) {
        let mut samples = Vec::new();
        for _ in 0..SAMPLES {
            self.sent.store(0, Ordering::Relaxed);
            self.served.requests.lock().unwrap().clear();
            let worked = processor_ms();
            let (took, disk) = take();
            let worked = processor_ms() - worked;
            let requests = self.served.requests.lock().unwrap().len();
            samples.push((took, worked, self.sent.load(Ordering::Relaxed), disk, requests));
        }
        samples.sort();
        let (took, worked, sent, disk, requests) = samples[SAMPLES / 2];
        let (ms, sent, disk) = (took.as_secs_f64() * 1e3, mib(sent), mib(disk));
        println!("{name:<34} {ms:>8.0} {worked:>10} {sent:>12} {disk:>12} {requests:>9}");
    }

    fn clone(&self, words: &[&str]) -> (Duration, u64) {
        let folder = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let place = folder.path().to_str().unwrap();
        git(&[&["clone", "--quiet", "--bare", "--branch", "main"], words, &[&self.url, place]].concat());
        (begun.elapsed(), size(folder.path()))
    }
}

fn git(words: &[&str]) -> String {
    let done = Command::new("git").args(words).output().unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn place(application: usize, file: usize) -> String {
    format!("apps/app-{application:03}/object-{file}.yaml")
}

fn manifest(application: usize, file: usize, version: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app-{application:03}-{file}\n  namespace: team\ndata:\n  version: \"{version}\"\n"
    )
}

/// Writes all commits at once: each changes a file of one application, and every tenth is merged from the side.
fn write_history(path: &Path, commits: usize) {
    let mut importing = Command::new("git");
    importing.arg("-C").arg(path).args(["fast-import", "--quiet"]).stdin(Stdio::piped());
    let mut child = importing.spawn().unwrap();
    let mut input = std::io::BufWriter::new(child.stdin.take().unwrap());
    let mut write = |text: &str| input.write_all(text.as_bytes()).unwrap();
    let file = |application: usize, file: usize, version: usize| {
        let text = manifest(application, file, &version.to_string());
        format!("M 644 inline {}\ndata {}\n{text}\n", place(application, file), text.len())
    };
    for at in 1..=commits {
        let who = format!("Ann <ann@example.com> {} +0000", 1_500_000_000 + at * 600);
        let message = format!("Change application {} for the {at}th time\n", at % APPLICATIONS);
        let length = message.len();
        write(&format!(
            "commit refs/heads/main\nmark :{at}\nauthor {who}\ncommitter {who}\ndata {length}\n{message}"
        ));
        // A commit beside the one before, which the next one merges.
        match at % 10 {
            9 if at > 10 => write(&format!("from :{}\n", at - 2)),
            0 if at > 10 => write(&format!("from :{}\nmerge :{}\n", at - 2, at - 1)),
            _ if at > 1 => write(&format!("from :{}\n", at - 1)),
            _ => {}
        }
        if at == 1 {
            for application in 0..APPLICATIONS {
                (0..5).for_each(|number| write(&file(application, number, 0)));
            }
        }
        write(&file(at % APPLICATIONS, at / APPLICATIONS % 5, at));
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// Stands before a server, and counts what it sends.
fn counted(base: &str) -> (u16, Arc<AtomicU64>) {
    let to = base.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, sent) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&sent);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (server, counter) = (TcpStream::connect(&to).unwrap(), Arc::clone(&counter));
            let (mut asks, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut asks, &mut asked));
            std::thread::spawn(move || pass_on(server, client, &counter));
        }
    });
    (port, sent)
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// One that begins without anything but what is in the store.
struct Instance {
    folder: tempfile::TempDir,
    repositories: Repositories,
}

impl Instance {
    fn new(depths: Depths) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { repositories: Repositories::new(folder.path()).reaching(depths), folder }
    }

    /// How long it takes from an event until its facts are stored, where what was authorized last is so many commits
    /// behind.
    async fn look(&self, origin: &Origin, behind: usize) -> Duration {
        let (kept, tip) = (tempfile::tempdir().unwrap(), origin.commit(0));
        let database = Database::open(kept.path()).unwrap();
        let now = || Timestamp::from_millis(1_795_200_000_000);
        let (store, queue) = (LocalStore::new(&database), LocalQueue::new(&database, Arc::new(now), 1_000));
        let placement = json!({
            "path": "apps/app-000", "branch": "main", "namespaces": ["team"], "baseline": origin.commit(behind),
        });
        let application =
            json!({"team": "t", "repository": "local/long", "environments": {"production": placement}});
        let configuration = json!({
            "version": 1,
            "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
            "hosts": {"local": {"kind": "plain", "url": origin.folder.path(), "webhookSecret": "env:S"}},
            "repositories": {"local/long": {"url": origin.url}},
            "applications": {"app": application},
            "environments": {"production": {"approvals": {"count": 1}, "clusters": ["east"]}},
            "clusters": {"east": {"kind": "simulated", "uid": "u"}},
        });
        let bundle = Digest::of(b"bundle");
        store::put_json(&store, &keys::bundle_configuration(&bundle), &configuration).await.unwrap();
        let active = ActiveBundle { bundle, index: 0, commit: "0".repeat(40).parse().unwrap() };
        store::put_json(&store, keys::ACTIVE_BUNDLE, &active).await.unwrap();
        let stage = Gatherer {
            store: &store,
            queue: &queue,
            forge: &PlainForge::new([("local/long".parse().unwrap(), origin.path())].into()),
            repositories: &self.repositories,
            configurations: &ConfigurationCache::default(),
            budget: &Budget::default(),
            fetch_deadline: || Arc::new(|| false),
        };
        let reference = "refs/heads/main".parse().unwrap();
        let kind = EventKind::Pushed { reference, before: None, after: tip, forced: false };
        let repository = "local/long".parse().unwrap();
        let event = Event { id: "push".to_owned(), received: now(), repository, actor: None, kind };
        let body = serde_json::to_string(&Message::new("trace", event)).unwrap();
        let message = Incoming { id: "push".to_owned(), group: String::new(), body, receive_count: 1 };
        let begun = Instant::now();
        stage.handle(&[message]).await.pop().unwrap().unwrap();
        let took = begun.elapsed();
        let hidden = Duration::from_secs(60);
        let found = queue.receive(&QueueName::Facts, 1, hidden, Duration::ZERO).await.unwrap();
        let announced = found[0].message.parse::<FactsGathered>().unwrap().body;
        let facts: Facts = store::get_json(&store, &keys::facts(&announced.attempt)).await.unwrap().unwrap();
        assert_ne!(facts.range.relation, Relation::Initial);
        took
    }
}
