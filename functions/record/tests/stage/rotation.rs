//! The step to other keys: once, under both, and with everything before it settled.

use countersign_core::keys;
use countersign_core::leaf::Record;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::ports::store::Store as _;
use countersign_core::stage::StageError;
use countersign_ledger::audit::audit;
use countersign_ledger::authorization::{Expected, verify};
use countersign_ledger::epochs::{self, Epoch, Epochs, ROTATION_VERSION, Rotation};
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::key_file::KeyFile;

use crate::world::{World, at, target};

/// An installation, and the keys that the root key vouched for as its next ones.
struct Rotated {
    world: World,
    epochs: Epochs,
    rotation: Vec<u8>,
}

impl Rotated {
    /// The keys are changed while the decision `a` is recorded and nothing else.
    async fn new() -> Self {
        let mut world = World::new().await;
        let decision = world.decision(&target("shop"), 'a', 1);
        world.decide(2, &[&decision]).await;
        let key = |name: &str, algorithm| {
            KeyFile::generate(&world.folder.path().join(name), algorithm, &mut rand_core::OsRng).unwrap()
        };
        let (log, authorization) =
            (key("log-2", Algorithm::Ed25519), key("authorization-2", Algorithm::EcdsaP256Sha256));
        let keys = Epoch {
            epoch: 2,
            log_key: log.public_key().clone(),
            authorization_key: authorization.public_key().clone(),
        };
        let origin = world.genesis.origin.clone();
        let rotation = Rotation { v: ROTATION_VERSION, origin, keys, created: at(3) };
        let rotation = epochs::sign(&world.root, &rotation).await.unwrap();
        let mut epochs = Epochs::new(&world.genesis);
        epochs.rotate(&rotation).unwrap();
        (world.log, world.authorization, world.settings.epoch) = (log, authorization, 2);
        Self { world, epochs, rotation }
    }

    /// Starts anew, with the earlier keys in files of these names.
    async fn begin(&self, log: &str, authorization: &str) -> Result<(), StageError> {
        let signers = async |_: &Epoch| {
            let load = |name, algorithm| {
                KeyFile::load(&self.world.folder.path().join(name), algorithm)
                    .map_err(|error| StageError::Final(error.to_string()))
            };
            Ok((load(log, Algorithm::Ed25519)?, load(authorization, Algorithm::EcdsaP256Sha256)?))
        };
        self.world.recorder().begin_epoch(at(4), (&self.epochs, &self.rotation), signers).await
    }

    fn trust(&self) -> Trust {
        Trust::new(&self.epochs, "uid-east", Witnesses::default())
    }

    /// The epoch of the authorization of a look.
    async fn authorized(&self, application: &str, digit: char, seconds: i64) -> u32 {
        let target = target(application);
        let attempt = self.world.decision(&target, digit, seconds).attempt;
        let bytes = self.world.authorization(&attempt).await.unwrap();
        let trust = self.trust();
        let expected = Expected { trust: &trust, target: &target, now: at(6), held: None, kept: None };
        let authorization = verify(&bytes, &expected, &self.world.store).await.unwrap();
        authorization.predicate().sequence.epoch
    }
}

#[tokio::test]
async fn an_epoch_is_announced_once_and_the_log_goes_on() {
    let rotated = Rotated::new().await;
    rotated.begin("log", "authorization").await.unwrap();
    rotated.begin("not there", "any more").await.unwrap();
    let decision = rotated.world.decision(&target("cart"), 'b', 5);
    rotated.world.decide(5, &[&decision]).await;
    let kinds: Vec<_> = rotated.world.leaves().await.iter().map(|leaf| leaf.record.name()).collect();
    assert_eq!(kinds.iter().filter(|name| *name == "rotation-2").count(), 1, "{kinds:?}");
    assert_eq!((rotated.authorized("shop", 'a', 1).await, rotated.authorized("cart", 'b', 5).await), (1, 2));
    let report = audit(&rotated.world.store, &rotated.epochs.checkpoint_keys().unwrap()).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
}

#[tokio::test]
async fn what_was_decided_before_is_authorized_in_its_own_epoch() {
    let rotated = Rotated::new().await;
    let store = &rotated.world.store;
    // As if record had died before it settled what it appended.
    let attempt = rotated.world.decision(&target("shop"), 'a', 1).attempt;
    store.delete(&keys::authorization(&attempt)).await.unwrap();
    store.delete(keys::SETTLED).await.unwrap();
    rotated.begin("log", "authorization").await.unwrap();
    assert_eq!(rotated.authorized("shop", 'a', 1).await, 1);
}

#[tokio::test]
async fn without_the_earlier_keys_nothing_is_announced() {
    let rotated = Rotated::new().await;
    for (log, authorization) in [("log-2", "authorization"), ("log", "authorization-2"), ("gone", "gone")] {
        let refused = rotated.begin(log, authorization).await;
        assert!(matches!(refused, Err(StageError::Final(_))), "{log}: {refused:?}");
    }
    rotated.begin("log", "authorization").await.unwrap();
    let leaves = rotated.world.leaves().await;
    let Some(Record::Rotation(last)) = leaves.last().map(|leaf| &leaf.record) else {
        panic!("the last leaf is no rotation")
    };
    assert_eq!(last.epoch, 2);
    let kept = store_bytes(&rotated, &last.rotation).await;
    assert_eq!(kept, rotated.rotation, "what the root key signed is kept with the log");
}

async fn store_bytes(rotated: &Rotated, digest: &countersign_core::digest::Digest) -> Vec<u8> {
    rotated.world.store.get(&keys::blob(digest)).await.unwrap().unwrap().bytes
}
