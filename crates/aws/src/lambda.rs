//! What the `main.rs` of every function shares: its settings, its clients, its log, and the answer to a batch.

#[cfg(feature = "batch")]
pub mod batch;
pub mod deadline;
#[cfg(feature = "batch")]
mod hiding;
mod lines;
mod metrics;

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use aws_config::{BehaviorVersion, SdkConfig};
use countersign_core::ports::signer::{Algorithm, PublicKey};
use countersign_core::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::lines::Lines;
use self::metrics::Metrics;
use crate::s3::{Buckets, S3Store};
#[cfg(feature = "sqs")]
use crate::sqs::{QueueUrls, SqsQueue};

/// What a function finds when it starts. Clients are made of it once, and live as long as the instance.
#[derive(Clone, Debug)]
pub struct Start {
    /// Region, credentials and endpoints.
    pub config: SdkConfig,
}

/// What a schedule invokes a function with.
#[derive(Debug, Deserialize)]
pub struct Scheduled {
    /// What is to be done.
    pub task: String,
}

impl Start {
    /// Starts the log, and reads region and credentials from where Lambda puts them.
    ///
    /// # Errors
    /// When `COUNTERSIGN_LOG_LEVEL` is not a level.
    pub async fn new() -> anyhow::Result<Self> {
        start_log()?;
        Ok(Self { config: aws_config::load_defaults(BehaviorVersion::latest()).await })
    }

    /// The store in the buckets that this function is told.
    #[must_use]
    pub fn store(&self) -> S3Store {
        let buckets = Buckets {
            data: optional("COUNTERSIGN_BUCKET"),
            manifests: optional("COUNTERSIGN_MANIFEST_BUCKET"),
            log: optional("COUNTERSIGN_LOG_BUCKET"),
            witness: optional("COUNTERSIGN_WITNESS_BUCKET"),
        };
        // An endpoint of one's own rarely has a name for each bucket.
        let elsewhere =
            ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].into_iter().any(|name| optional(name).is_some());
        S3Store::new(&self.config, buckets, elsewhere)
    }

    /// The queues of this installation.
    ///
    /// # Errors
    /// When `COUNTERSIGN_QUEUE_PREFIX` is not set, or `COUNTERSIGN_CLUSTERS_ELSEWHERE` is not understood.
    #[cfg(feature = "sqs")]
    pub fn queue(&self) -> anyhow::Result<SqsQueue> {
        let elsewhere = "COUNTERSIGN_CLUSTERS_ELSEWHERE";
        let accounts = QueueUrls::accounts(&optional(elsewhere).unwrap_or_default()).context(elsewhere)?;
        let urls = QueueUrls { prefix: variable("COUNTERSIGN_QUEUE_PREFIX")?, accounts };
        Ok(SqsQueue::new(&self.config, urls))
    }
}

/// A variable that the template sets.
///
/// # Errors
/// When it is not set, or empty.
pub fn variable(name: &str) -> anyhow::Result<String> {
    optional(name)
        .with_context(|| format!("{name} is not set: see infra/CONTRACT.md, and deploy the template again"))
}

/// How often a message is received before it is given up.
///
/// # Errors
/// When `COUNTERSIGN_MAX_RECEIVES` is not set, or no number.
pub fn max_receives() -> anyhow::Result<u32> {
    let text = variable("COUNTERSIGN_MAX_RECEIVES")?;
    text.parse().with_context(|| format!("COUNTERSIGN_MAX_RECEIVES: {text:?} is not a number"))
}

fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The root key that the template names, which alone signs the genesis and recoveries.
///
/// # Errors
/// When `COUNTERSIGN_ROOT_KEY` is not set.
pub fn root_key() -> anyhow::Result<PublicKey> {
    let base64 = variable("COUNTERSIGN_ROOT_KEY")?;
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64.trim());
    Ok(PublicKey { algorithm: Algorithm::Ed25519, pem })
}

/// The time now, as stages are told it. Only the edges of a program read a clock.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_millis(machine_clock().as_millis().saturating_add(ahead()))
}

/// The clock that deadlines of invocations are of.
fn machine_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// How far this function's clock is ahead, in milliseconds, where a test of clocks that differ asks for it.
fn ahead() -> i64 {
    of_a_test("COUNTERSIGN_CLOCK_AHEAD").unwrap_or(0)
}

/// What only a test sets. A release knows nothing of it.
fn of_a_test<T: std::str::FromStr>(name: &str) -> Option<T> {
    optional(name).filter(|_| cfg!(debug_assertions))?.parse().ok()
}

/// Starts the log.
fn start_log() -> anyhow::Result<()> {
    let level = optional("COUNTERSIGN_LOG_LEVEL").unwrap_or_else(|| "info".to_owned());
    let level: LevelFilter = level
        .parse()
        .with_context(|| format!("COUNTERSIGN_LOG_LEVEL: {level:?} is not error, warn, info or debug"))?;
    let ours = Targets::new().with_default(LevelFilter::WARN).with_target("countersign", level);
    let metrics = Metrics::new(optional("COUNTERSIGN_INSTALLATION"), optional("COUNTERSIGN_CLUSTER"));
    // What is counted is counted at every level of the log.
    let counted = Targets::new().with_target("countersign", LevelFilter::INFO);
    let registry = tracing_subscriber::registry().with(metrics.with_filter(counted));
    // A second start in one process changes nothing.
    let _ = registry.with(Lines::new().with_filter(ours)).try_init();
    Ok(())
}

/// Writes a line of the log, in one piece: nothing of another thread or process comes between.
fn write_line(line: &Value) {
    // Nobody could be told of it.
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}
