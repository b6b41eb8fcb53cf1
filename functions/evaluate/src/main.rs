//! `evaluate` on Lambda.

use countersign_aws::lambda::batch::Batches;
use countersign_aws::lambda::{Start, max_receives};
use countersign_core::message::QueueName;
use countersign_evaluate::Evaluator;
use countersign_evaluate::bundles::Bundles;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let (store, queue, bundles) = (start.store(), start.queue()?, Bundles::default());
    let batches = Batches::limited(&queue, max_receives()?);
    let stage = &Evaluator { store: &store, queue: &queue, bundles: &bundles };
    let answer = |event: LambdaEvent<_>| async move {
        let work = async |batch: &_| stage.handle(batch).await;
        Ok::<_, Error>(batches.answer(&QueueName::Facts, &event.context, event.payload, work).await)
    };
    lambda_runtime::run(service_fn(answer)).await
}
