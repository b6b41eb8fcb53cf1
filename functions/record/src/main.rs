//! `record` on Lambda: the sole writer of the log, which therefore has one instance.

use countersign_aws::kms::KmsSigner;
use countersign_aws::lambda::batch::{Batches, Invocation, queue_of};
use countersign_aws::lambda::deadline::within;
use countersign_aws::lambda::{Start, now, root_key, variable};
use countersign_aws::secrets::ManagedSecrets;
use countersign_core::active::ConfigurationCache;
use countersign_core::ports::signer::Algorithm::{EcdsaP256Sha256, Ed25519};
use countersign_ledger::epochs::{self, Epoch};
use countersign_record::{Recorder, Settings};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let (store, queue) = (&start.store(), &start.queue()?);
    let installation = &variable("COUNTERSIGN_INSTALLATION")?;
    let epoch = variable("COUNTERSIGN_EPOCH")?.parse()?;
    let begun = &epochs::read(store, &root_key()?, epoch).await?;
    let signers = async |log: &str, authorization: &str, of: &Epoch| {
        let log = KmsSigner::open(&start.config, &variable(log)?, Ed25519).await?;
        let key = variable(authorization)?;
        let authorization = KmsSigner::open(&start.config, &key, EcdsaP256Sha256).await?;
        of.check(&log, &authorization)?;
        Ok::<_, Error>((log, authorization))
    };
    let (log_signer, authorization_signer) =
        &signers("COUNTERSIGN_LOG_KEY", "COUNTERSIGN_AUTHORIZATION_KEY", begun.epochs.current()).await?;
    let secret = variable("COUNTERSIGN_PSEUDONYM_SECRET")?;
    let secret = String::from_utf8(ManagedSecrets::new(&start.config).named(&secret).await?)?;
    let settings = &Settings::new(&begun.epochs, secret.trim());
    let configurations = &ConfigurationCache::default();
    let stage = &Recorder { store, queue, log_signer, authorization_signer, settings, configurations };
    if let Some(rotation) = &begun.rotation {
        let before = async |of: &Epoch| {
            signers("COUNTERSIGN_PREVIOUS_LOG_KEY", "COUNTERSIGN_PREVIOUS_AUTHORIZATION_KEY", of).await
        };
        stage.begin_epoch(now(), (&begun.epochs, rotation), before).await?;
    }
    let batches = &Batches::unlimited(queue);
    let answer = |event: LambdaEvent<Invocation>| async move {
        let Invocation::Batch(batch) = event.payload else {
            within(&event.context, stage.genesis(now(), &begun.genesis)).await??;
            return Ok(Default::default());
        };
        let name = queue_of(&batch, installation).ok_or("this batch came by a queue of nobody's")?;
        let work = async |batch: &_| stage.handle(&name, now(), batch).await;
        Ok::<_, Error>(batches.answer(&name, &event.context, batch, work).await)
    };
    lambda_runtime::run(service_fn(answer)).await
}
