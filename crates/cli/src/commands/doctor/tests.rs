//! What is wrong is put there, and found.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_cluster::keep;
use countersign_core::configuration::Cluster as Configured;
use countersign_core::ports::cluster::Cluster as _;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_ledger::epochs::{Epochs, FIRST_EPOCH};
use countersign_ledger::genesis::Genesis;
use countersign_ledger::log::append;
use countersign_ledger::note::NoteKey;
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::queue::Depth;
use countersign_local::simulated::SimulatedCluster;
use countersign_local::store::LocalStore;
use futures_util::FutureExt as _;
use rand_core::OsRng;

use super::*;
use crate::commands::fixture;
use crate::installation::{DataFolder, now};

/// A data folder with its keys and genesis, and a log of a few leaves that mean nothing.
struct World {
    folder: tempfile::TempDir,
    genesis: Genesis,
    log: KeyFile,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::new(folder.path());
        fs::create_dir(folder.path().join("keys")).unwrap();
        for path in [folder.path().to_owned(), folder.path().join("keys")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let key = |path: PathBuf, algorithm| KeyFile::generate(&path, algorithm, &mut OsRng).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let root = key(elsewhere.path().join("root.pem"), Algorithm::Ed25519);
        let log = key(data.log_key(FIRST_EPOCH), Algorithm::Ed25519);
        let authorization = key(data.authorization_key(FIRST_EPOCH), Algorithm::EcdsaP256Sha256);
        fs::write(data.pseudonym_secret(), "0".repeat(64)).unwrap();
        let keys = [root.public_key(), log.public_key(), authorization.public_key()];
        let genesis = fixture::genesis("log.example/one", keys);
        let signed = countersign_ledger::genesis::sign(&root, &genesis).now_or_never().unwrap().unwrap();
        fs::write(data.genesis(), signed).unwrap();
        fs::write(data.root_public_key(), serde_json::to_vec(root.public_key()).unwrap()).unwrap();
        fs::copy(elsewhere.path().join("root.pem"), folder.path().join("root.for-later")).unwrap();
        Self { folder, genesis, log }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What is found of the files.
    fn folder(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        folder::look(self.path(), &mut findings);
        findings.all()
    }

    /// Appends leaves to the log.
    async fn append(&self, store: &LocalStore, leaves: &[&str]) {
        let leaves: Vec<_> = leaves.iter().map(|leaf| leaf.as_bytes().to_vec()).collect();
        append(store, &self.log, &self.genesis.origin, &leaves, None).await.unwrap();
    }
}

#[track_caller]
fn problem<'a>(findings: &'a [Finding], area: &str, words: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| {
        finding.grade == Grade::Problem && finding.area == area && finding.what.contains(words)
    });
    found.unwrap_or_else(|| panic!("{area}: {words} is not among {findings:?}"))
}

fn problems(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.grade == Grade::Problem).count()
}

#[test]
fn a_folder_as_init_makes_it_is_in_order() {
    assert_eq!(problems(&World::new().folder()), 0);
}

#[test]
fn whoever_else_may_read_the_folder_is_named() {
    let world = World::new();
    fs::set_permissions(world.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let found = world.folder();
    let mend = problem(&found, "folder", "others than its owner").mend.clone().unwrap();
    assert!(mend.starts_with("chmod 700 "), "{mend}");
}

#[test]
fn keys_that_are_lost_swapped_or_too_open_are_named() {
    let world = World::new();
    let data = DataFolder::new(world.path());
    fs::set_permissions(data.log_key(FIRST_EPOCH), fs::Permissions::from_mode(0o644)).unwrap();
    problem(&world.folder(), "key", "owner");
    fs::remove_file(data.log_key(FIRST_EPOCH)).unwrap();
    assert_eq!(problems(&world.folder()), 1);
    KeyFile::generate(&data.log_key(FIRST_EPOCH), Algorithm::Ed25519, &mut OsRng).unwrap();
    problem(&world.folder(), "key", "another key than the epoch began with");
    fs::write(data.pseudonym_secret(), "short").unwrap();
    problem(&world.folder(), "key", "too short");
    fs::remove_file(data.pseudonym_secret()).unwrap();
    problem(&world.folder(), "key", "cannot be read");
}

#[test]
fn a_root_key_beside_the_others_is_named() {
    let world = World::new();
    fs::rename(world.path().join("root.for-later"), world.path().join("keys/root.pem")).unwrap();
    problem(&world.folder(), "key", "the root key lies in the data folder");
}

#[test]
fn a_folder_without_genesis_or_with_a_lost_database_is_named() {
    let world = World::new();
    fs::write(world.path().join("log-has-begun"), "x").unwrap();
    problem(&world.folder(), "folder", "there is no database");
    fs::write(DataFolder::new(world.path()).genesis(), "{}").unwrap();
    problem(&world.folder(), "folder", "not what the root key signed");
    let nothing = tempfile::tempdir().unwrap();
    let place = Place { data: Some(nothing.path().to_owned()), aws: None };
    let printed = run(&DoctorArguments { place, clusters: Vec::new(), witness: false });
    let printed = printed.unwrap();
    assert_eq!(printed.conclusion, Conclusion::Denied);
    assert!(printed.document["problems"].as_u64() >= Some(2), "{}", printed.document);
    assert!(printed.text.contains("mend"), "{}", printed.text);
}

#[test]
fn little_room_warns_and_less_is_wrong() {
    let judge = |free| {
        let mut findings = Findings::default();
        machine::room(free, Path::new("data"), &mut findings);
        findings.all()[0].grade
    };
    let mib = 1024 * 1024;
    assert_eq!(
        [judge(10 * mib), judge(1000 * mib), judge(10_000 * mib)],
        [Grade::Problem, Grade::Warning, Grade::Good]
    );
}

#[test]
fn a_process_that_does_not_run_or_was_killed_warns() {
    let world = World::new();
    let look = || {
        let mut findings = Findings::default();
        machine::look(world.path(), &mut findings);
        findings.all().into_iter().find(|finding| finding.area == "process").unwrap()
    };
    assert_eq!((look().grade, look().what.as_str()), (Grade::Warning, "does not run"));
    fs::write(world.path().join("countersign.lock"), "4294967295").unwrap();
    assert!(look().what.contains("ended without letting go"));
    fs::write(world.path().join("countersign.lock"), std::process::id().to_string()).unwrap();
    assert_eq!(look().grade, Grade::Good);
    fs::write(world.path().join("repositories"), "").unwrap();
    let mut findings = Findings::default();
    machine::look(world.path(), &mut findings);
    problem(&findings.all(), "mirrors", "not a folder");
}

#[test]
fn dead_letters_are_wrong_and_long_waits_warn() {
    let judge = |name: &str, depth: Depth| {
        let mut findings = Findings::default();
        queues::judge(name, &depth, &mut findings);
        findings.all().remove(0)
    };
    let dead = judge("facts", Depth { dead: 2, ..Depth::default() });
    assert_eq!(dead.grade, Grade::Problem);
    assert!(dead.mend.unwrap().contains("countersign dlq redrive facts"));
    let old = Depth { visible: 1, oldest: Some(now().minus(Duration::from_secs(900))), ..Depth::default() };
    assert_eq!(judge("facts", old).grade, Grade::Warning);
    assert_eq!(judge("observations-east", old).grade, Grade::Good, "they wait on purpose");
    assert_eq!(judge("facts", Depth::default()).grade, Grade::Good);
}

#[test]
fn a_clock_behind_the_log_is_wrong() {
    let judge = |ahead: u64| {
        let mut findings = Findings::default();
        log::clock(now().plus(Duration::from_secs(ahead)), now(), &mut findings);
        findings.all().remove(0).grade
    };
    assert_eq!((judge(10), judge(600)), (Grade::Good, Grade::Problem));
}

#[test]
fn a_log_whose_edge_does_not_verify_is_wrong() {
    let world = World::new();
    let database = Database::open(world.path()).unwrap();
    let store = LocalStore::new(&database);
    block_on(async {
        world.append(&store, &["no leaf of ours"]).await;
        Ok(())
    })
    .unwrap();
    let installation = Installation::open(world.path()).unwrap();
    let mut findings = Findings::default();
    let view = block_on(async { Ok(log::look(&installation, &mut findings).await.is_some()) }).unwrap();
    assert!(!view);
    problem(&findings.all(), "log", "leaf 0");
}

/// What is found of a cluster, after `change` did something to it.
async fn cluster_found(
    world: &World,
    uid: &str,
    change: impl AsyncFnOnce(&SimulatedCluster, &LocalStore),
) -> Vec<Finding> {
    let database = Database::open(world.path()).unwrap();
    let store = LocalStore::new(&database);
    if countersign_ledger::log::read_checkpoint(&store, &[world.log_key()]).await.unwrap().is_none() {
        world.append(&store, &["1", "2", "3"]).await;
    }
    let cluster = SimulatedCluster::open(&database, &"east".parse().unwrap(), "uid-east").unwrap();
    change(&cluster, &store).await;
    let installation = Installation::open(world.path()).unwrap();
    let configured: Configured = serde_json::from_value(json!({ "kind": "simulated", "uid": uid })).unwrap();
    let mut view = installation.log().await.unwrap();
    let mut findings = Findings::default();
    let name = "east".parse().unwrap();
    clusters::one(&installation, &name, &configured, &cluster, Some(&mut view), &mut findings).await;
    findings.all()
}

impl World {
    fn log_key(&self) -> NoteKey {
        NoteKey::log(&self.genesis.origin, self.log.public_key()).unwrap()
    }

    fn trust(&self, uid: &str) -> String {
        serde_json::to_string(&Trust::new(&Epochs::new(&self.genesis), uid, Witnesses::default())).unwrap()
    }
}

#[tokio::test]
async fn a_cluster_that_is_another_or_trusts_another_is_wrong() {
    let world = World::new();
    problem(&cluster_found(&world, "uid-west", async |_, _| ()).await, "cluster", "uid-east");
    problem(&cluster_found(&world, "uid-east", async |_, _| ()).await, "trust", "nothing is installed");
    let other = World::new();
    let found = cluster_found(&world, "uid-east", async |cluster, _| {
        keep::install_trust(cluster, &other.trust("uid-east")).await.unwrap();
    });
    problem(&found.await, "trust", "other keys");
    let found = cluster_found(&world, "uid-east", async |cluster, _| {
        keep::install_trust(cluster, "{}").await.unwrap();
    });
    problem(&found.await, "trust", "");
    let found = cluster_found(&world, "uid-east", async |cluster, _| {
        keep::install_trust(cluster, &world.trust("uid-east")).await.unwrap();
    });
    assert_eq!(problems(&found.await), 0);
}

#[tokio::test]
async fn a_cluster_that_has_seen_more_or_another_log_is_wrong() {
    let world = World::new();
    let keep_of = async |cluster: &SimulatedCluster, leaves: &[&str]| {
        keep::install_trust(cluster, &world.trust("uid-east")).await.unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let store = LocalStore::new(&Database::open(elsewhere.path()).unwrap());
        world.append(&store, leaves).await;
        let seen =
            countersign_ledger::log::read_checkpoint(&store, &[world.log_key()]).await.unwrap().unwrap();
        let kept = keep::checkpoint(cluster).await.unwrap();
        assert!(keep::keep_checkpoint(cluster, seen.text(), kept.as_ref()).await.unwrap());
        assert!(cluster.discover().await.is_ok());
    };
    let found =
        cluster_found(&world, "uid-east", async |cluster, _| keep_of(cluster, &["1", "2"]).await).await;
    assert_eq!(problems(&found), 0, "{found:?}");
    let newer = &["1", "2", "3", "4"];
    let found = cluster_found(&world, "uid-east", async |cluster, _| keep_of(cluster, newer).await).await;
    problem(&found, "checkpoint", "has seen 4 leaves, this log has 3");
    let found =
        cluster_found(&world, "uid-east", async |cluster, _| keep_of(cluster, &["1", "x"]).await).await;
    problem(&found, "checkpoint", "another log");
    let found = cluster_found(&world, "uid-east", async |cluster, _| {
        let kept = keep::checkpoint(cluster).await.unwrap();
        keep::keep_checkpoint(cluster, "nonsense", kept.as_ref()).await.unwrap();
    });
    problem(&found.await, "checkpoint", "");
}
