//! `poll` on Lambda: wakes what waits every minute, and looks for what no webhook brought every five.

use std::sync::Arc;
use std::time::Duration;

use countersign_aws::lambda::deadline::{gives_up_after, within};
use countersign_aws::lambda::{Scheduled, Start, now};
use countersign_aws::secrets::ManagedSecrets;
use countersign_core::active::ConfigurationCache;
use countersign_forge::hosts::Hosts;
use countersign_git::mirror::Repositories;
use countersign_poll::Poller;
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// How long one question to a server may take.
const QUESTION: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let (store, queue, secrets) = (start.store(), start.queue()?, ManagedSecrets::new(&start.config));
    let stage = &Poller {
        store: &store,
        queue: &queue,
        forge: &Hosts::new(store.clone(), secrets, Arc::new(now)),
        // Only tips are asked for: nothing is kept.
        repositories: &Repositories::new(std::env::temp_dir()),
        configurations: &ConfigurationCache::default(),
        deadline: || gives_up_after(QUESTION),
    };
    let answer = |event: LambdaEvent<Scheduled>| async move {
        let polled = match event.payload.task.as_str() {
            "due" => within(&event.context, stage.wake(now())).await??,
            "refs" => within(&event.context, stage.look(now())).await??.hints,
            other => return Err(format!("{other}: poll knows the tasks `due` and `refs`").into()),
        };
        tracing::info!(hints = polled, "polled");
        Ok::<_, Error>(())
    };
    lambda_runtime::run(service_fn(answer)).await
}
