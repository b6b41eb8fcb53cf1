//! Queues of SQS, by their names and depths.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};
use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use countersign_local::queue::Depth;
use serde_json::Value;

use crate::commands::aws::Aws;

/// How many are asked about at once: each question is a process.
const AT_ONCE: usize = 8;

/// What is asked of a queue.
const COUNTS: [&str; 3] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];

/// The URLs of a queue.
#[derive(Clone, Debug)]
pub struct Urls {
    /// Of the queue itself.
    pub alive: String,
    /// Of the queue of its dead letters; none where it has no dead letters.
    pub dead: Option<String>,
}

/// The name of a queue in SQS.
#[must_use]
pub fn name(installation: &str, queue: &QueueName) -> String {
    format!("{installation}-{queue}{}", ending(queue))
}

/// The name of the queue of its dead letters in SQS; none for those that tell of dead letters.
#[must_use]
pub fn dead_name(installation: &str, queue: &QueueName) -> Option<String> {
    queue.dead_letters().map(|_| format!("{installation}-dead-{queue}{}", ending(queue)))
}

fn ending(queue: &QueueName) -> &'static str {
    if queue.is_ordered() { ".fifo" } else { "" }
}

/// The queues of an installation that are in this account: of the core, of clusters, or of both.
///
/// # Errors
/// When there are none, or these credentials may not ask.
pub fn of(aws: &Aws, installation: &str) -> anyhow::Result<BTreeMap<QueueName, Urls>> {
    // Without a size of pages SQS ends after a thousand, and does not say so.
    let (prefix, pages) = (format!("{installation}-"), ["--page-size", "1000"]);
    let answer = aws.ask(&[&["sqs", "list-queues", "--queue-name-prefix", &prefix][..], &pages].concat())?;
    let urls = answer.get("QueueUrls").and_then(Value::as_array).into_iter().flatten();
    let named = |url: &str| Some((url.rsplit('/').next()?.to_owned(), url.to_owned()));
    let mut urls: BTreeMap<_, _> = urls.filter_map(Value::as_str).filter_map(named).collect();
    let clusters = urls.keys().filter_map(|name| {
        name.strip_prefix(&format!("{installation}-deploys-"))?.strip_suffix(".fifo")?.parse().ok()
    });
    let clusters: Vec<ClusterName> = clusters.collect();
    let mut found = BTreeMap::new();
    for queue in QueueName::all(&clusters) {
        let Some(alive) = urls.remove(&name(installation, &queue)) else { continue };
        let dead = dead_name(installation, &queue).and_then(|name| urls.remove(&name));
        found.insert(queue, Urls { alive, dead });
    }
    ensure!(
        !found.is_empty(),
        "no queue of an installation {installation:?} is in this account and region: give the name of the stack's \
         parameter Installation, and credentials and region of its core or of a cluster's stack"
    );
    Ok(found)
}

/// The URL of a queue.
///
/// # Errors
/// When there is none of that name in this account, or these credentials may not ask.
pub fn url(aws: &Aws, name: &str) -> anyhow::Result<String> {
    let answer = aws.ask(&["sqs", "get-queue-url", "--queue-name", name])?;
    let url = answer.get("QueueUrl").and_then(Value::as_str);
    url.map(str::to_owned).with_context(|| format!("{name}: SQS gave no URL of it"))
}

/// How many messages a queue holds, about. Whether some are dead letters only its name says.
///
/// # Errors
/// When it is not there, or these credentials may not ask.
pub fn depth(aws: &Aws, url: &str) -> anyhow::Result<Depth> {
    let call = ["sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names"];
    let answer = aws.ask(&[&call[..], &COUNTS].concat())?;
    let count = |name: &str| {
        let found = answer.pointer(&format!("/Attributes/{name}")).and_then(Value::as_str);
        found.and_then(|count| count.parse().ok()).unwrap_or(0)
    };
    let [visible, in_flight, delayed] = COUNTS.map(count);
    Ok(Depth { visible, in_flight, delayed, ..Depth::default() })
}

/// How much waits in each queue, its dead letters among it.
///
/// # Errors
/// As [`depth`].
pub fn depths(aws: &Aws, queues: &BTreeMap<QueueName, Urls>) -> anyhow::Result<Vec<(QueueName, Depth)>> {
    let alive = many(aws, &queues.values().map(|urls| &urls.alive).collect::<Vec<_>>())?;
    let dead = many(aws, &queues.values().filter_map(|urls| urls.dead.as_ref()).collect::<Vec<_>>())?;
    let mut dead = dead.into_iter();
    let counted = queues.iter().zip(alive).map(|((name, urls), depth)| {
        let dead = urls.dead.as_ref().and_then(|_| dead.next()).unwrap_or_default();
        (name.clone(), Depth { dead: dead.visible + dead.in_flight, ..depth })
    });
    Ok(counted.collect())
}

/// The depths of queues, in their order.
fn many(aws: &Aws, urls: &[&String]) -> anyhow::Result<Vec<Depth>> {
    let mut depths = Vec::new();
    for urls in urls.chunks(AT_ONCE) {
        let found: Vec<_> = std::thread::scope(|scope| {
            let asked: Vec<_> = urls.iter().map(|url| scope.spawn(|| depth(aws, url))).collect();
            asked.into_iter().map(|asked| asked.join().map_err(|_| anyhow!("a thread died"))).collect()
        });
        for depth in found {
            depths.push(depth??);
        }
    }
    Ok(depths)
}
