//! `witness` on Lambda, in an account of its own.

use countersign_aws::kms::KmsSigner;
use countersign_aws::lambda::deadline::within;
use countersign_aws::lambda::{Scheduled, Start, now, variable};
use countersign_core::ports::signer::Algorithm;
use countersign_ledger::note::NoteKey;
use countersign_witness::{Found, Witness};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let store = start.store();
    let keys = variable("COUNTERSIGN_LOG_VKEY")?;
    let keys = keys.split_whitespace().map(str::parse).collect::<Result<Vec<NoteKey>, _>>()?;
    let signer = variable("COUNTERSIGN_WITNESS_KEY")?;
    let stage = &Witness {
        log: &store,
        own: &store,
        keys: &keys,
        name: &variable("COUNTERSIGN_WITNESS_NAME")?,
        signer: &KmsSigner::open(&start.config, &signer, Algorithm::Ed25519).await?,
    };
    let answer = |event: LambdaEvent<Scheduled>| async move {
        match within(&event.context, stage.handle(now())).await?? {
            Found::Inconsistent(why) => {
                tracing::error!(
                    metric = "Inconsistent",
                    value = 1_u64,
                    why,
                    "this is not the log that was seen before: find out who writes it"
                );
            }
            found => tracing::info!(?found, "looked"),
        }
        Ok::<_, Error>(())
    };
    lambda_runtime::run(service_fn(answer)).await
}
