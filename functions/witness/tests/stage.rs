//! The witness on a log that grows, and on one that turns into another.

use std::path::Path;

use countersign_core::keys;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::ports::store::Store as _;
use countersign_core::time::Timestamp;
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::log;
use countersign_ledger::note::NoteKey;
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::store::LocalStore;
use countersign_witness::{Found, Witness};
use rand_core::OsRng;
use tempfile::TempDir;

const ORIGIN: &str = "log.example/one";
const NAME: &str = "witness.example";

/// Stores and keys of one test.
struct World {
    folder: TempDir,
    log_key: KeyFile,
    witness_key: KeyFile,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key =
            |name| KeyFile::generate(&folder.path().join(name), Algorithm::Ed25519, &mut OsRng).unwrap();
        Self { log_key: key("log.pem"), witness_key: key("witness.pem"), folder }
    }

    fn store(&self, name: &str) -> LocalStore {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        LocalStore::new(&Database::open(Path::new(&folder)).unwrap())
    }

    async fn append(&self, log: &LocalStore, leaves: &[&str]) {
        let leaves: Vec<_> = leaves.iter().map(|leaf| leaf.as_bytes().to_vec()).collect();
        log::append(log, &self.log_key, ORIGIN, &leaves, None).await.unwrap();
    }

    async fn look(&self, log: &LocalStore, own: &LocalStore) -> Found {
        self.look_with(log, own, &[&self.log_key]).await
    }

    async fn look_with(&self, log: &LocalStore, own: &LocalStore, pinned: &[&KeyFile]) -> Found {
        let keys: Vec<_> = pinned.iter().map(|key| NoteKey::log(ORIGIN, key.public_key()).unwrap()).collect();
        let stage = Witness { log, own, keys: &keys, name: NAME, signer: &self.witness_key };
        stage.handle(Timestamp::from_millis(1_795_212_000_000)).await.unwrap()
    }

    /// Whether the witness's store holds a cosigned checkpoint of this size.
    async fn cosigned(&self, own: &LocalStore, size: u64) -> bool {
        let Some(found) = own.get(&keys::cosigned(size)).await.unwrap() else { return false };
        let key = NoteKey::log(ORIGIN, self.log_key.public_key()).unwrap();
        let signed = SignedCheckpoint::verify(std::str::from_utf8(&found.bytes).unwrap(), &key).unwrap();
        let witness = NoteKey::witness(NAME, self.witness_key.public_key()).unwrap();
        signed.checkpoint().size == size && signed.count_witnesses(&[witness]).unwrap() == 1
    }
}

#[tokio::test]
async fn a_log_that_grows_is_cosigned_at_each_look() {
    let world = World::new();
    let (log, own) = (world.store("log"), world.store("own"));
    assert_eq!(world.look(&log, &own).await, Found::Nothing);
    let mut size = 0;
    for leaves in [&["1"][..], &["2", "3", "4"], &["5"]] {
        world.append(&log, leaves).await;
        size += leaves.len() as u64;
        for _ in 0..2 {
            assert_eq!(world.look(&log, &own).await, Found::Extended(size));
            assert!(world.cosigned(&own, size).await, "{size}");
        }
    }
    let keys = own.list("", None, 10).await.unwrap();
    assert_eq!(keys, [keys::WITNESSED, "witness/cosigned/1", "witness/cosigned/4", "witness/cosigned/5"]);
}

#[tokio::test]
async fn a_log_that_is_another_is_never_cosigned() {
    let world = World::new();
    let (log, own) = (world.store("log"), world.store("own"));
    world.append(&log, &["1", "2"]).await;
    assert_eq!(world.look(&log, &own).await, Found::Extended(2));
    for (name, leaves) in
        [("forked", &["1", "other", "3"][..]), ("same size", &["1", "x"]), ("shorter", &["1"])]
    {
        let forked = world.store(name);
        world.append(&forked, leaves).await;
        assert!(matches!(world.look(&forked, &own).await, Found::Inconsistent(_)), "{name}");
    }
    let empty = world.store("empty");
    assert!(matches!(world.look(&empty, &own).await, Found::Inconsistent(_)), "gone");
    assert!(!world.cosigned(&own, 3).await && !world.cosigned(&own, 1).await);
    world.append(&log, &["3"]).await;
    assert_eq!(world.look(&log, &own).await, Found::Extended(3), "what was seen is still kept");
}

#[tokio::test]
async fn a_log_whose_key_changes_is_followed_with_both_keys() {
    let world = World::new();
    let (log, own) = (world.store("log"), world.store("own"));
    let next =
        KeyFile::generate(&world.folder.path().join("next.pem"), Algorithm::Ed25519, &mut OsRng).unwrap();
    let both = [&next, &world.log_key];
    world.append(&log, &["1"]).await;
    assert_eq!(world.look_with(&log, &own, &both).await, Found::Extended(1));
    log::rotate(&log, (&world.log_key, &next), ORIGIN, b"2".to_vec(), 1).await.unwrap();
    log::append(&log, &next, ORIGIN, &[b"3".to_vec()], None).await.unwrap();
    assert_eq!(world.look_with(&log, &own, &both).await, Found::Extended(3));
    log::append(&log, &next, ORIGIN, &[b"4".to_vec()], None).await.unwrap();
    assert_eq!(
        world.look_with(&log, &own, &[&next]).await,
        Found::Extended(4),
        "the old key is not needed any more"
    );
}
