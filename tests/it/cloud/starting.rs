//! `record` does not start with other keys than the root key vouched for.

use std::process::Stdio;
use std::time::Duration;

use countersign_aws::kms::KmsSigner;
use countersign_core::configuration::HostKind;
use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer as _};
use countersign_core::ports::store::Store as _;
use countersign_core::time::Timestamp;
use countersign_ledger::genesis::{self, GENESIS_VERSION, Genesis};
use countersign_local::key_file::KeyFile;
use countersign_tests::installation::built;
use countersign_tests::world::aws::kms::{ED25519_KEY, Kms, NEXT_ED25519_KEY, NEXT_P256_KEY, P256_KEY};
use countersign_tests::world::aws::{ACCESS, config};
use rand_core::OsRng;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::cloud::record::Surroundings;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `record` stands on, with the genesis of keys in KMS.
struct World {
    folder: tempfile::TempDir,
    root: PublicKey,
    surroundings: Surroundings,
}

/// How a start ended.
#[derive(Debug)]
enum Ended {
    /// It asks for work.
    Started,
    /// It gave up, and said this.
    GaveUp(String),
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = KeyFile::generate(&folder.path().join("root.pem"), Algorithm::Ed25519, &mut OsRng);
        let root = root.expect("a root key");
        let kms = Kms::start().await.expect("KMS");
        let keys_of = config(&kms.url).await;
        let public = async |arn, algorithm| {
            KmsSigner::open(&keys_of, arn, algorithm).await.expect("a key").public_key().clone()
        };
        let genesis = Genesis {
            v: GENESIS_VERSION,
            origin: "countersign.example/starting".to_owned(),
            epoch: 1,
            root_key: root.public_key().clone(),
            log_key: public(ED25519_KEY, Algorithm::Ed25519).await,
            authorization_key: public(P256_KEY, Algorithm::EcdsaP256Sha256).await,
            hosts: [("gitea".parse().expect("a name"), HostKind::Gitea)].into(),
            control: serde_json::from_str(r#"{"repository":"gitea/a/b","reference":"refs/heads/main"}"#)
                .expect("a reference"),
            commit: "1".repeat(40).parse().expect("a commit"),
            bundle: Digest::of(b"bundle"),
            created: Timestamp::default(),
        };
        let signed = genesis::sign(&root, &genesis).await.expect("signed");
        let surroundings = Surroundings::new("starting", kms, &"5e".repeat(32)).await;
        surroundings.store().await.put(keys::GENESIS, &signed).await.expect("put");
        Self { folder, root: root.public_key().clone(), surroundings }
    }

    /// Starts `record` with these keys, and that root key.
    async fn start(&self, log: &str, authorization: &str, root: &PublicKey) -> Ended {
        let runtime = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let api = runtime.local_addr().expect("an address").to_string();
        let mut command = Command::new(built("countersign-record"));
        command.env_clear().current_dir(self.folder.path()).envs([
            ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "starting-record"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "log"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "log"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", ACCESS.0),
            ("AWS_SECRET_ACCESS_KEY", ACCESS.1),
        ]);
        command.envs(self.surroundings.environment(root));
        command.env("COUNTERSIGN_LOG_KEY", log).env("COUNTERSIGN_AUTHORIZATION_KEY", authorization);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let running = command.spawn().expect("countersign-record is built");
        let ended = async {
            tokio::select! {
                asked = runtime.accept() => {
                    asked.expect("a connection");
                    Ended::Started
                }
                output = running.wait_with_output() => {
                    let output = output.expect("it ends");
                    assert!(!output.status.success(), "it ended as if all were well");
                    let said = [output.stdout, output.stderr].concat();
                    Ended::GaveUp(String::from_utf8_lossy(&said).into_owned())
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("it starts or ends")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn record_starts_with_the_keys_that_the_root_key_vouched_for_alone() {
    let world = World::new().await;
    let started = world.start(ED25519_KEY, P256_KEY, &world.root).await;
    assert!(matches!(started, Ended::Started), "{started:?}");
    for (log, authorization, words) in [
        (NEXT_ED25519_KEY, P256_KEY, "another log key than epoch 1 began with"),
        (ED25519_KEY, NEXT_P256_KEY, "another authorization key than epoch 1 began with"),
    ] {
        let ended = world.start(log, authorization, &world.root).await;
        assert!(matches!(&ended, Ended::GaveUp(said) if said.contains(words)), "{words}: {ended:?}");
    }
    let other = KeyFile::generate(&world.folder.path().join("other.pem"), Algorithm::Ed25519, &mut OsRng);
    let ended = world.start(ED25519_KEY, P256_KEY, other.expect("a key").public_key()).await;
    assert!(
        matches!(&ended, Ended::GaveUp(said) if said.contains("the key that is trusted here")),
        "{ended:?}"
    );
    let log = world.surroundings.store().await.list(keys::LOG, None, 10).await.expect("listed");
    assert_eq!(log, Vec::<String>::new(), "nothing was written");
}
