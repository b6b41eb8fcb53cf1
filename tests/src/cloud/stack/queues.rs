//! The queues and the mappings of an installation, as the templates make them.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sqs::types::QueueAttributeName;
use countersign_core::message::QueueName;

use super::cluster_name;
use super::roles::lambda_name;
use crate::cloud::contract::Contract;
use crate::cloud::mapping::Mapping;
use crate::world::aws::elasticmq::{ElasticMq, create, redrive};

/// How often a message is received before SQS moves it aside.
const MOST_RECEIVES: u32 = 1000;

/// How long a queue hides a message: so many times the time that its function may take.
const TIMES_THE_TIMEOUT: u32 = 6;

/// How many batches of each function are at work at once, as the templates have it; `record` has two for each of its
/// queues, and one instance.
const CONCURRENCY: [(&str, usize); 6] =
    [("gather", 10), ("evaluate", 10), ("record", 2), ("report", 5), ("apply", 10), ("observe", 5)];

/// Makes every queue with its dead letters.
pub async fn make(
    server: &ElasticMq,
    contract: &Contract,
    installation: &str,
    limit: Option<Duration>,
) -> Result<()> {
    let client = server.client().await;
    for queue in QueueName::all([&cluster_name()?]) {
        let (name, ordered) = (file_name(installation, "", &queue), queue.is_ordered());
        let hidden = visibility(contract, &queue, limit)?.as_secs().to_string();
        let mut attributes = vec![(QueueAttributeName::VisibilityTimeout, hidden)];
        if queue.dead_letters().is_some() {
            let dead = file_name(installation, "dead-", &queue);
            create(&client, &dead, ordered, &[]).await?;
            attributes.push(redrive(&dead, MOST_RECEIVES));
        }
        create(&client, &name, ordered, &attributes).await?;
    }
    Ok(())
}

/// The mapping of every queue.
pub fn mappings(contract: &Contract, installation: &str, limit: Option<Duration>) -> Result<Vec<Mapping>> {
    let server = ElasticMq::shared()?;
    let mapping = |queue: QueueName| {
        let taker = taker(contract, &queue)?;
        let concurrency = CONCURRENCY.iter().find(|(name, _)| *name == taker);
        let name = file_name(installation, "", &queue);
        Ok(Mapping {
            url: format!("{}/000000000000/{name}", server.url()),
            queue: name,
            is_ordered: queue.is_ordered(),
            function: lambda_name(installation, &taker),
            batch: contract.function(&taker)?.batch.with_context(|| format!("{taker} takes no messages"))?,
            concurrency: concurrency.with_context(|| format!("{taker}: no concurrency"))?.1,
            visibility: visibility(contract, &queue, limit)?,
        })
    };
    QueueName::all([&cluster_name()?]).into_iter().map(mapping).collect()
}

/// The URLs of the queues of dead letters.
pub fn dead(installation: &str) -> Result<Vec<String>> {
    let server = ElasticMq::shared()?;
    let queues = QueueName::all([&cluster_name()?]);
    let dead = queues.into_iter().filter(|queue| queue.dead_letters().is_some());
    let url = |queue| format!("{}/000000000000/{}", server.url(), file_name(installation, "dead-", &queue));
    Ok(dead.map(url).collect())
}

fn taker(contract: &Contract, queue: &QueueName) -> Result<String> {
    let name = queue.to_string().replace(super::CLUSTER, "CLUSTER");
    let traffic = contract.queues.get(&name).with_context(|| format!("CONTRACT.md has no queue {name}"))?;
    Ok(traffic.taker.clone())
}

fn visibility(contract: &Contract, queue: &QueueName, limit: Option<Duration>) -> Result<Duration> {
    let timeout = contract.function(&taker(contract, queue)?)?.timeout;
    let visibility = timeout * TIMES_THE_TIMEOUT;
    Ok(limit.map_or(visibility, |limit| visibility.min(limit)))
}

fn file_name(installation: &str, kind: &str, queue: &QueueName) -> String {
    format!("{installation}-{kind}{queue}{}", if queue.is_ordered() { ".fifo" } else { "" })
}
