//! Messages that can never succeed.

use anyhow::{Context, Result, ensure};
use countersign_core::leaf::Record;
use countersign_core::message::QueueName;
use countersign_core::ports::queue::{Outgoing, Queue as _};
use countersign_core::time::Timestamp;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_tests::survival::development::Development;
use countersign_tests::survival::invariants;

/// Puts a message into a queue beside the server, as a release that is newer than this one might.
fn send(world: &Development, queue: &QueueName, body: &str) -> Result<()> {
    let database = Database::open_beside(&world.installation.data())?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let now = Timestamp::from_millis(i64::try_from(now)?);
    let queues = LocalQueue::new(&database, std::sync::Arc::new(move || now), u32::MAX);
    let message = Outgoing {
        group: "from-the-future".to_owned(),
        deduplication: body.to_owned(),
        body: body.to_owned(),
        delay: std::time::Duration::ZERO,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(queues.send(queue, &[message]))?)
}

#[test]
fn a_dead_letter_is_recorded_shown_counted_and_redriven_beside_the_server() -> Result<()> {
    let world = Development::start(1)?;
    let installation = &world.installation;
    let state = world.state("app-0")?.context("it has a state")?;
    let attempt = state.wanted.context("it is deployed")?.attempt;
    let target = serde_json::to_string(&Development::target("app-0")?)?;
    let named = serde_json::to_string(&attempt)?;
    send(&world, &QueueName::Events, "{\"v\":0,\"trace\":\"t\",\"body\":{}}")?;
    let body = format!("{{\"v\":0,\"trace\":\"t\",\"body\":{{\"attempt\":{named},\"target\":{target}}}}}");
    send(&world, &QueueName::Deploys("local".parse()?), &body)?;

    let leaves = installation.until("both are in the log", || {
        let leaves = invariants::leaves(installation)?;
        let rejected = leaves.iter().any(|(_, leaf)| match &leaf.record {
            Record::Rejected(record) => record.queue == "events" && record.reason.contains("version 0"),
            _ => false,
        });
        // Its attempt has ended well long ago, so it is no failure of that.
        let failed = leaves.iter().any(|(_, leaf)| match &leaf.record {
            Record::Rejected(record) => record.queue == "deploys-local" && record.attempt == Some(attempt),
            _ => false,
        });
        Ok((rejected && failed).then_some(leaves.len()))
    })?;
    let listed = installation.json(&["dlq", "list", "--data", "data"])?;
    ensure!(listed["deadLetters"].as_array().is_some_and(|all| all.len() == 2), "{listed}");
    ensure!(installation.status()?["deadLetters"] == listed["deadLetters"], "status shows others");
    let id = listed["deadLetters"][0]["id"].as_str().context("it has an id")?.to_owned();
    let shown = installation.json(&["dlq", "show", "events", &id, "--data", "data"])?;
    ensure!(
        shown["body"]["v"] == 0 && shown["reason"].as_str().is_some_and(|why| why.contains("version 0")),
        "{shown}"
    );
    let counted = installation.counted("countersign_queue_messages{queue=\"events\",state=\"dead\"}")?;
    ensure!(counted == 1, "{counted} are counted");

    // Nothing was mended, so it dies again, as another letter with a leaf of its own.
    let redriven = installation.json(&["dlq", "redrive", "events", &id, "--data", "data"])?;
    ensure!(redriven["redriven"][0] == id.as_str(), "{redriven}");
    let again = installation.run(&["dlq", "redrive", "events", &id, "--data", "data"])?;
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    ensure!(again.status.code() == Some(2) && said.contains("not any more"), "a repeat: {said}");
    installation.until("it died again", || {
        let listed = installation.json(&["dlq", "list", "events", "--data", "data"])?;
        let other = listed["deadLetters"][0]["id"].as_str().is_some_and(|other| other != id);
        Ok((other && invariants::leaves(installation)?.len() > leaves).then_some(()))
    })?;
    let audit = installation.json(&["audit", "verify", "--data", "data"])?;
    ensure!(audit["clean"] == true, "{audit}");
    Ok(())
}
