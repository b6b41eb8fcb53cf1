//! `report` on Lambda.

use std::sync::Arc;

use countersign_aws::lambda::batch::Batches;
use countersign_aws::lambda::{self, Start, max_receives};
use countersign_aws::secrets::ManagedSecrets;
use countersign_core::message::QueueName;
use countersign_forge::hosts::Hosts;
use countersign_report::Reporter;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let (store, queue, secrets) = (start.store(), start.queue()?, ManagedSecrets::new(&start.config));
    let batches = Batches::limited(&queue, max_receives()?);
    let forge = Hosts::new(store.clone(), secrets, Arc::new(lambda::now));
    let stage = &Reporter { store: &store, forge: &forge };
    let answer = |event: LambdaEvent<_>| async move {
        let work = async |batch: &_| stage.handle(batch).await;
        Ok::<_, Error>(batches.answer(&QueueName::Reports, &event.context, event.payload, work).await)
    };
    lambda_runtime::run(service_fn(answer)).await
}
