//! What may not be recorded, and what becomes of an authorization that was refused.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_core::keys;
use countersign_core::message::{DeployDue, Message, QueueName};
use countersign_core::names::Target;
use countersign_core::outcome::{Outcome, OutcomeResult};
use countersign_core::ports::queue::{Outgoing, Queue as _};
use countersign_core::ports::store::Store as _;
use countersign_core::time::Timestamp;
use countersign_tests::installation::{Installation, STAGING};
use serde::Serialize;
use serde_json::Value;

use super::stopped::Stopped;

/// Puts a message on a queue, as somebody could who may only do that.
async fn send<T: Serialize>(stopped: &Stopped, queue: QueueName, target: &Target, body: T) -> Result<()> {
    let body = serde_json::to_string(&Message::new("forged", body))?;
    let outgoing =
        Outgoing { group: target.key(), deduplication: "forged".to_owned(), body, delay: Duration::ZERO };
    Ok(stopped.queue(Timestamp::from_millis(0)).send(&queue, &[outgoing]).await?)
}

/// Starts what was stopped, and waits for a record.
async fn until_recorded(
    stopped: Stopped,
    what: &'static str,
    is: fn(&Value) -> bool,
) -> Result<(Installation, Value)> {
    let Stopped { mut installation, database, store, .. } = stopped;
    drop((database, store));
    tokio::task::spawn_blocking(move || {
        installation.serve()?;
        let found = installation.until(what, || {
            let history = installation.history()?;
            Ok(history.into_iter().map(|entry| entry["leaf"]["record"].clone()).find(is))
        })?;
        let audit = installation.json(&["audit", "verify", "--data", "data"])?;
        ensure!(audit["clean"] == true, "{audit}");
        Ok((installation, found))
    })
    .await?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_authorization_is_an_outcome_in_the_log() -> Result<()> {
    let stopped = tokio::task::spawn_blocking(Stopped::new).await??;
    let attempt = stopped.authorized().last().context("nothing was authorized")?.attempt;
    let mut forged = stopped.authorization(&attempt).await?;
    forged.envelope.payload = forged.envelope.payload.replacen('A', "B", 1);
    stopped.store.put(&keys::authorization(&attempt), &serde_json::to_vec(&forged)?).await?;
    let target: Target = STAGING.parse()?;
    send(
        &stopped,
        QueueName::Deploys(target.cluster.clone()),
        &target,
        DeployDue { attempt, target: target.clone() },
    )
    .await?;
    let is = |record: &Value| record["kind"] == "outcome" && record["result"]["is"] == "refused";
    let (_, record) = until_recorded(stopped, "the refusal is recorded", is).await?;
    ensure!(record["result"]["check"] == "signature" && record["sequence"].is_null(), "{record}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_of_another_cluster_is_rejected() -> Result<()> {
    let stopped = tokio::task::spawn_blocking(Stopped::new).await??;
    let record = *stopped.authorized().last().context("nothing was authorized")?;
    let elsewhere: Target = "shop/staging/elsewhere".parse()?;
    let outcome = Outcome {
        attempt: record.attempt,
        target: elsewhere.clone(),
        sequence: None,
        time: record.began,
        result: OutcomeResult::Unhealthy,
        summary: "so they say".to_owned(),
        objects: Vec::new(),
    };
    send(&stopped, QueueName::Outcomes("local".parse()?), &elsewhere, outcome).await?;
    let is = |record: &Value| record["kind"] == "rejected";
    let (installation, record) = until_recorded(stopped, "the rejection is recorded", is).await?;
    let reason = record["reason"].as_str().unwrap_or_default();
    ensure!(record["queue"] == "outcomes-local" && reason.contains("shop/staging/elsewhere"), "{record}");
    ensure!(installation.target(STAGING)?["outcome"]["result"]["is"] == "healthy", "it was believed");
    Ok(())
}
