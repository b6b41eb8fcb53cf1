//! How many changes a second arrive, where one repository is pushed to and where many are at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;

use super::{PAUSE, settings};
use crate::bench::figures::{Results, Samples};
use crate::cloud::first_day::Cloud;
use crate::cloud::stack::Settings;
use crate::installation::clone::WorkingClone;

/// How many repositories are pushed to at once, at most.
const MOST: usize = 10;

/// How often each number of repositories is pushed to, after one time that is not counted.
const ROUNDS: usize = 5;

/// What was measured of one time.
struct Took {
    /// From the first webhook until the last change is applied.
    applied: Duration,
    /// From the first webhook to the last: what of it was the forge's.
    told: Duration,
}

/// Measures it.
///
/// # Errors
/// When a change does not arrive.
pub fn measure(results: &mut Results) -> Result<()> {
    eprintln!("bench: deploying {MOST} applications more");
    let cloud = &Cloud::start(Settings { applications: MOST, ..settings() })?;
    let names = (0..MOST).map(|number| format!("app-{number}"));
    let clones = names.map(|name| anyhow::Ok((name.clone(), cloud.clone_of_application("ada", &name)?)));
    let clones = clones.collect::<Result<Vec<_>>>()?;
    for count in [1, MOST] {
        let (mut applied, mut told, mut rates) = (Samples::default(), Samples::default(), Vec::new());
        for round in 0..=ROUNDS {
            let took = at_once(cloud, &clones[..count], round)?;
            if round > 0 {
                applied.push(took.applied);
                told.push(took.told);
                rates.push(f64::from(u32::try_from(count)?) / took.applied.as_secs_f64());
            }
        }
        rates.sort_by(f64::total_cmp);
        let name = |what: &str| format!("cloud.at-once.{count}.{what}");
        results.samples(
            &name("applied"),
            &format!("{count} at once: first webhook until all are applied"),
            &applied,
        );
        results.samples(&name("told"), &format!("{count} at once: first webhook until the last"), &told);
        let median = rates.get(rates.len() / 2).copied().unwrap_or_default();
        results.number(&name("rate"), &format!("{count} at once: changes a second"), median, "/s");
    }
    Ok(())
}

/// What an application greets with in a round.
fn greeting(name: &str, of: usize, round: usize) -> String {
    format!("{name}-{of}-{round}")
}

/// Changes these applications at once.
fn at_once(cloud: &Cloud, clones: &[(String, WorkingClone<'_>)], round: usize) -> Result<Took> {
    let mut wanted = BTreeMap::new();
    let mut commits = Vec::new();
    for (name, clone) in clones {
        let greeting = greeting(name, clones.len(), round);
        commits.push((name, clone.greet("ada", "staging", &greeting)?));
        wanted.insert(name.as_str(), greeting);
    }
    std::thread::scope(|scope| {
        let pushes: Vec<_> = clones.iter().map(|(_, clone)| scope.spawn(|| clone.push())).collect();
        let joined = pushes.into_iter().map(|push| push.join().map_err(|_| anyhow!("a push panicked"))?);
        joined.collect::<Result<()>>()
    })?;
    let applied = cloud.runtime.block_on(until_applied(cloud, &wanted))?;
    for (name, commit) in &commits {
        cloud.until(&format!("{commit} of {name} is healthy"), || {
            let state = cloud.target_of(name, "staging")?;
            let is_healthy = state["outcome"]["result"]["is"] == "healthy";
            ensure!(is_healthy && state["running"]["commit"] == commit.as_str(), "{state}");
            Ok(())
        })?;
    }
    let told = commits.iter().map(|(_, commit)| cloud.stack.api.told_of(commit).context("no webhook came"));
    let told = told.collect::<Result<Vec<_>>>()?;
    let (first, last) = (told.iter().min(), told.iter().max());
    let (first, last) = first.zip(last).context("nothing was pushed")?;
    Ok(Took { applied: applied - *first, told: *last - *first })
}

/// When each of these namespaces greets as it should.
async fn until_applied(cloud: &Cloud, wanted: &BTreeMap<&str, String>) -> Result<Instant> {
    let maps = Api::<ConfigMap>::all(cloud.stack.services.control_plane.client().await?);
    let named = ListParams::default().fields("metadata.name=web");
    loop {
        let found = maps.list(&named).await?.items;
        let is_wanted = |map: &&ConfigMap| {
            let namespace = map.metadata.namespace.as_deref().unwrap_or_default();
            let greets = map.data.as_ref().and_then(|data| data.get("greeting"));
            greets.is_some() && greets == wanted.get(namespace)
        };
        if found.iter().filter(is_wanted).count() == wanted.len() {
            return Ok(Instant::now());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
