//! The cloud form: how long its programs take to start, what they hold, how long a change takes through them, and how much
//! of AWS it asks for.

mod throughput;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::json;

use super::Options;
use super::figures::{Results, Samples};
use crate::cloud::first_day::Cloud;
use crate::cloud::stack::{FUNCTIONS, Settings};
use crate::installation::clone::WorkingClone;

/// How many changes are made before it is measured.
const WARM_UP: usize = 3;

/// How many objects the application has whose memory is measured.
const MANY_OBJECTS: usize = 200;

/// How often each program is started.
const STARTS: usize = 10;

/// What only schedules invoke: what it asks for is not of a change.
const SCHEDULED: [&str; 3] = ["poll", "drift", "witness"];

/// How long to wait before looking at the cluster again.
const PAUSE: Duration = Duration::from_millis(5);

/// Measures it.
///
/// # Errors
/// When a server cannot be started, or a change does not arrive.
pub fn measure(options: &Options, results: &mut Results) -> Result<()> {
    eprintln!("bench: deploying the sample through the cloud form's programs");
    let cloud = Cloud::start(settings())?;
    results.begin("cloud: the functions' own programs, on servers that speak AWS's protocols");
    let shop = cloud.clone("ada")?;
    one_at_a_time(options, &cloud, &shop, results)?;
    starts(&cloud, &shop, results)?;
    many_objects(&cloud, &shop, results)?;
    packages(results)?;
    drop(cloud);
    throughput::measure(results)
}

/// Nobody has to approve, and nothing is found before its webhook came: a forge may take seconds to send one.
fn settings() -> Settings {
    Settings { approvals: Some(0), poll_seconds: Some(600), ..Settings::default() }
}

/// Changes one after the other: how long each takes, and what it asks of AWS.
fn one_at_a_time(
    options: &Options,
    cloud: &Cloud,
    shop: &WorkingClone<'_>,
    results: &mut Results,
) -> Result<()> {
    for change in 0..WARM_UP {
        changed(cloud, shop, &format!("warm-{change}"))?;
    }
    let before = Asked::of(cloud)?;
    let (mut applied, mut healthy) = (Samples::default(), Samples::default());
    for change in 0..options.samples {
        let took = changed(cloud, shop, &format!("change-{change}"))?;
        applied.push(took.applied);
        healthy.push(took.healthy);
    }
    results.samples("cloud.applied", "webhook until the config map is changed", &applied);
    results.samples("cloud.healthy", "webhook until healthy is recorded", &healthy);
    Asked::of(cloud)?.since(&before).report(options.samples, results);
    Ok(())
}

/// How long one change took, from when its webhook came.
struct Took {
    applied: Duration,
    healthy: Duration,
}

fn changed(cloud: &Cloud, shop: &WorkingClone<'_>, greeting: &str) -> Result<Took> {
    let commit = shop.greet("ada", "staging", greeting)?;
    shop.push()?;
    let applied = cloud.runtime.block_on(async {
        let client = cloud.stack.services.control_plane.client().await?;
        let maps = Api::<ConfigMap>::namespaced(client, "shop-staging");
        loop {
            let data = maps.get("web").await?.data.unwrap_or_default();
            if data.get("greeting").is_some_and(|found| found == greeting) {
                return anyhow::Ok(Instant::now());
            }
            tokio::time::sleep(PAUSE).await;
        }
    })?;
    cloud.until_runs("staging", &commit)?;
    let healthy = Instant::now();
    // The webhook may come before the push returns, and long before anything here looks for it.
    let begun = cloud.stack.api.told_of(&commit).context("poll was faster than the webhook")?;
    Ok(Took { applied: applied - begun, healthy: healthy - begun })
}

/// How long each program takes from its start until it asks for work.
fn starts(cloud: &Cloud, shop: &WorkingClone<'_>, results: &mut Results) -> Result<()> {
    for start in 0..STARTS {
        cloud.stack.lambda.cool_down();
        changed(cloud, shop, &format!("start-{start}"))?;
    }
    for name in FUNCTIONS {
        let mut samples = Samples::default();
        let statistics = cloud.stack.lambda.statistics(&cloud.stack.services.function(name))?;
        statistics.starts.iter().for_each(|start| samples.push(*start));
        results.samples(
            &format!("cloud.start.{name}"),
            &format!("{name}: start until it asks for work"),
            &samples,
        );
    }
    Ok(())
}

/// How large what is uploaded for each function is, where `make package` made it.
fn packages(results: &mut Results) -> Result<()> {
    for name in FUNCTIONS {
        let Ok(found) = std::fs::metadata(format!("dist/{name}.zip")) else { continue };
        let mebibytes = f64::from(u32::try_from(found.len())?) / 1_048_576.0;
        results.number(&format!("cloud.package.{name}"), &format!("{name}: its package"), mebibytes, "MiB");
    }
    Ok(())
}

/// The most memory that each function held, once the application has many objects.
fn many_objects(cloud: &Cloud, shop: &WorkingClone<'_>, results: &mut Results) -> Result<()> {
    for number in 0..MANY_OBJECTS {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": format!("map-{number}") },
            "data": { "value": "x".repeat(500) },
        });
        shop.write(&format!("deploy/staging/map-{number}.yaml"), &map.to_string())?;
    }
    cloud.stack.lambda.cool_down();
    let took = changed(cloud, shop, "many")?;
    results.number(
        "cloud.objects.applied",
        &format!("{MANY_OBJECTS} new objects: webhook until the last is there"),
        took.healthy.as_secs_f64() * 1000.0,
        "ms",
    );
    for name in FUNCTIONS {
        let statistics = cloud.stack.lambda.statistics(&cloud.stack.services.function(name))?;
        let mebibytes = f64::from(u32::try_from(statistics.peak_memory).unwrap_or(u32::MAX)) / 1024.0;
        results.number(
            &format!("cloud.memory.{name}"),
            &format!("{name}: most memory held"),
            mebibytes,
            "MiB",
        );
    }
    Ok(())
}

/// What was asked of AWS, by service and kind of price.
struct Asked(BTreeMap<&'static str, u64>);

impl Asked {
    /// All since the stack was started. What is asked on an empty queue, and by schedules that found nothing to do, is
    /// asked whether anything changes or not, and is not in it where it can be told apart.
    fn of(cloud: &Cloud) -> Result<Self> {
        let mut asked = BTreeMap::new();
        let mut add = |kind, count| *asked.entry(kind).or_default() += count;
        for ((function, call), count) in cloud.stack.services.gateway.counts() {
            if SCHEDULED.contains(&function.as_str()) {
                continue;
            }
            let kind = match call.as_str() {
                "s3.GetObject" => "S3 GET",
                "s3.PutObject" | "s3.ListObjectsV2" => "S3 PUT or LIST",
                "s3.DeleteObject" => "S3 DELETE",
                "kms.Sign" => "KMS signatures",
                call if call.starts_with("sqs.") => "SQS, by functions",
                _ => "others",
            };
            add(kind, count);
        }
        let platform = cloud.stack.mappings.asked();
        add("SQS, by mappings", platform.receives + platform.deletes);
        add("HTTP API", cloud.stack.api.requests());
        for name in FUNCTIONS.iter().filter(|name| !SCHEDULED.contains(name)) {
            let statistics = cloud.stack.lambda.statistics(&cloud.stack.services.function(name))?;
            add("Lambda invocations", statistics.ended.get("done").copied().unwrap_or(0));
        }
        Ok(Self(asked))
    }

    fn since(mut self, before: &Self) -> Self {
        for (kind, count) in &mut self.0 {
            *count -= before.0.get(kind).copied().unwrap_or(0);
        }
        self
    }

    fn report(&self, changes: usize, results: &mut Results) {
        let changes = f64::from(u32::try_from(changes).unwrap_or(1).max(1));
        for (kind, count) in &self.0 {
            let each = f64::from(u32::try_from(*count).unwrap_or(u32::MAX)) / changes;
            let name = format!("cloud.requests.{}", kind.to_lowercase().replace([' ', ','], "-"));
            results.number(&name, &format!("{kind}, for one change"), each, "");
        }
    }
}
