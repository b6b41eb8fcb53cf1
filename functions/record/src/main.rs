//! `record` on Lambda: the sole writer of the log, which therefore has one instance.

use countersign_aws::kms::KmsSigner;
use countersign_aws::lambda::batch::{Batches, Invocation, queue_of};
use countersign_aws::lambda::{Start, now, root_key, variable};
use countersign_aws::secrets::ManagedSecrets;
use countersign_core::active::ConfigurationCache;
use countersign_core::keys;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::ports::store::Store as _;
use countersign_ledger::genesis;
use countersign_record::{Recorder, Settings};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let (store, queue) = (&start.store(), &start.queue()?);
    let installation = &variable("COUNTERSIGN_INSTALLATION")?;
    let bytes =
        store.get(keys::GENESIS).await?.ok_or("genesis.json is not in the bucket: put it there")?.bytes;
    let genesis = genesis::verify(&bytes, &root_key()?)?;
    let key = variable("COUNTERSIGN_LOG_KEY")?;
    let log_signer = &KmsSigner::open(&start.config, &key, Algorithm::Ed25519).await?;
    let key = variable("COUNTERSIGN_AUTHORIZATION_KEY")?;
    let authorization_signer = &KmsSigner::open(&start.config, &key, Algorithm::EcdsaP256Sha256).await?;
    let pinned = *log_signer.public_key() == genesis.log_key
        && *authorization_signer.public_key() == genesis.authorization_key;
    if !pinned {
        return Err(
            "KMS shows other public keys than genesis.json names: deploy with the keys that it names".into(),
        );
    }
    let secret = variable("COUNTERSIGN_PSEUDONYM_SECRET")?;
    let secret = String::from_utf8(ManagedSecrets::new(&start.config).named(&secret).await?)?;
    let settings = &Settings {
        origin: genesis.origin,
        epoch: genesis.epoch,
        root_key: genesis.root_key,
        pseudonym_secret: secret.trim().to_owned(),
    };
    let configurations = &ConfigurationCache::default();
    let stage = &Recorder { store, queue, log_signer, authorization_signer, settings, configurations };
    let (batches, bytes) = (&Batches::unlimited(queue), &bytes);
    let answer = |event: LambdaEvent<Invocation>| async move {
        let Invocation::Batch(batch) = event.payload else {
            stage.genesis(now(), bytes).await?;
            return Ok(Default::default());
        };
        let name = queue_of(&batch, installation).ok_or("this batch came by a queue of nobody's")?;
        let work = async |batch: &_| stage.handle(&name, now(), batch).await;
        Ok::<_, Error>(batches.answer(&name, &event.context, batch, work).await)
    };
    lambda_runtime::run(service_fn(answer)).await
}
