//! State that was lost is folded anew by the program of `record`, on S3, SQS and KMS, from a log that was lived through.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use countersign_core::keys;
use countersign_core::message::QueueName;
use countersign_core::ports::signer::PublicKey;
use countersign_core::ports::store::Store;
use countersign_local::database::Database;
use countersign_local::store::LocalStore;
use countersign_tests::cloud::gateway::Credentials;
use countersign_tests::cloud::lambda::{Function, Lambda};
use countersign_tests::installation::{Installation, built};
use countersign_tests::world::aws::ACCESS;
use countersign_tests::world::aws::elasticmq::ElasticMq;
use countersign_tests::world::aws::kms::Kms;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;

use super::record::Surroundings;

/// What follows from the log alone.
const FOLDED: [&str; 2] = ["state/", "reports/"];

/// The name of the installation in the cloud.
const NAME: &str = "restored";

/// Everything below a prefix.
async fn below(store: &impl Store, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for key in store.list(prefix, None, usize::MAX).await? {
        if let Some(value) = store.get(&key).await? {
            found.insert(key, value.bytes);
        }
    }
    Ok(found)
}

async fn folded(store: &impl Store) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for prefix in FOLDED {
        found.extend(below(store, prefix).await?);
    }
    Ok(found)
}

/// A KMS that holds the keys of an embedded installation.
async fn kms(installation: &Installation) -> Result<Kms> {
    let pem = |name: &str| fs::read_to_string(installation.data().join("keys").join(name));
    let log = ed25519_dalek::SigningKey::from_pkcs8_pem(&pem("log.pem")?)?;
    let authorization = p256::SecretKey::from_pkcs8_pem(&pem("authorization.pem")?)?;
    Kms::with_keys(&log.to_bytes(), &authorization.to_bytes().into()).await
}

#[test]
fn state_that_was_lost_is_folded_anew_by_the_program() -> Result<()> {
    let mut installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    shop.greet("ada", "staging", "Nobody reviewed it")?;
    shop.push()?;
    installation.until("what nobody reviewed is not deployed", || {
        let status = installation.status()?.to_string();
        Ok((status.contains("\"refused\"")).then_some(()))
    })?;
    installation.stop()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let handle = tokio::spawn(async move { folds_anew(&installation).await });
        handle.await?
    })
}

async fn folds_anew(installation: &Installation) -> Result<()> {
    let secret = fs::read_to_string(installation.data().join("keys/pseudonyms"))?;
    let surroundings = Surroundings::new(NAME, kms(installation).await?, secret.trim()).await;
    let (lived, store) =
        (LocalStore::new(&Database::open_read_only(&installation.data())?), surroundings.store().await);
    let wanted = folded(&lived).await?;
    ensure!(wanted.len() > 15, "hardly anything happened: {:?}", wanted.keys());
    for (key, bytes) in below(&lived, "").await? {
        if !FOLDED.iter().any(|prefix| key.starts_with(prefix)) {
            store.put(&key, &bytes).await?;
        }
    }
    store.put(keys::GENESIS, &fs::read(installation.data().join("genesis.json"))?).await?;
    let queues = QueueName::all([&"local".parse()?]);
    ElasticMq::shared()?.queues(NAME, &queues, 1_000).await?;

    let root: PublicKey = serde_json::from_slice(&fs::read(installation.data().join("keys/root.pub.json"))?)?;
    let lambda = Lambda::new(vec![Function {
        name: format!("{NAME}-record"),
        program: built("countersign-record"),
        environment: surroundings.environment(&root),
        credentials: Credentials {
            function: "record".to_owned(),
            access_key: ACCESS.0.to_owned(),
            secret: ACCESS.1.to_owned(),
            token: String::new(),
        },
        timeout: Duration::from_secs(60),
        memory: 512,
        reserved: Some(1),
        log: installation.folder().join("record.log"),
    }]);
    let settled = lambda.invoke(&format!("{NAME}-record"), br#"{"task":"settle"}"#).await;
    let log = || fs::read_to_string(installation.folder().join("record.log")).unwrap_or_default();
    settled.map_err(|failed| anyhow!("{failed:?}: {}", log()))?;
    let found = folded(&store).await?;
    let missing: Vec<_> = wanted.keys().filter(|key| !found.contains_key(*key)).collect();
    ensure!(missing.is_empty(), "{missing:?} are not there: {}", log());
    for (key, bytes) in &found {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let was = wanted.get(key).map(|bytes| text(bytes));
        ensure!(was.as_deref() == Some(text(bytes).as_str()), "{key} is {}, and was {was:?}", text(bytes));
    }
    Ok(())
}
