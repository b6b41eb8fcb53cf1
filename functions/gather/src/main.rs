//! `gather` on Lambda. Repositories are kept while the instance lives.

use std::sync::Arc;
use std::time::Duration;

use countersign_aws::lambda::batch::Batches;
use countersign_aws::lambda::deadline::gives_up_after;
use countersign_aws::lambda::{self, Start, max_receives};
use countersign_aws::secrets::ManagedSecrets;
use countersign_core::active::ConfigurationCache;
use countersign_core::message::QueueName;
use countersign_forge::hosts::Hosts;
use countersign_gather::Gatherer;
use countersign_git::mirror::Repositories;
use countersign_render::budget::Budget;
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// How long one fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(120);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let (store, queue, secrets) = (start.store(), start.queue()?, ManagedSecrets::new(&start.config));
    let batches = Batches::limited(&queue, max_receives()?);
    let stage = &Gatherer {
        store: &store,
        queue: &queue,
        forge: &Hosts::new(store.clone(), secrets, Arc::new(lambda::now)),
        repositories: &Repositories::new(lambda::variable("COUNTERSIGN_REPOSITORIES")?),
        configurations: &ConfigurationCache::default(),
        budget: &Budget::default(),
        fetch_deadline: || gives_up_after(FETCH_TIME),
    };
    let answer = |event: LambdaEvent<_>| async move {
        let work = async |batch: &_| stage.handle(batch).await;
        Ok::<_, Error>(batches.answer(&QueueName::Events, &event.context, event.payload, work).await)
    };
    lambda_runtime::run(service_fn(answer)).await
}
