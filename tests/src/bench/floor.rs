//! The floor: what the parts cost by themselves that no delivery can do without, on the same machine, in the same
//! run: applying the objects, one durable write, fetching one commit.

use std::time::{Duration, Instant};

use anyhow::Result;
use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_core::ports::cluster::{ApplyOptions, Cluster as _};
use countersign_core::ports::store::Store as _;
use countersign_local::database::Database;
use countersign_local::store::LocalStore;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::field::Field;
use super::figures::{Results, Samples};

/// How many requests are in flight, as in the product.
const IN_FLIGHT: usize = 8;

/// The floor of one change.
#[derive(Debug)]
pub struct Floor {
    /// Applying all objects.
    pub apply: Samples,
    /// One durable commit.
    pub commit: Samples,
    /// Fetching one commit.
    pub fetch: Samples,
}

impl Floor {
    /// The least that a change of this many objects can take, in milliseconds.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.apply.median() + self.commit.median() + self.fetch.median()
    }

    /// Adds it to the results.
    pub fn report(&self, name: &str, objects: usize, results: &mut Results) {
        let what = format!("floor: {objects} server-side applies, {IN_FLIGHT} in flight");
        results.samples(&format!("{name}.floor.apply"), &what, &self.apply);
        results.samples(&format!("{name}.floor.commit"), "floor: one durable SQLite commit", &self.commit);
        results.samples(
            &format!("{name}.floor.fetch"),
            "floor: git fetch of one commit over HTTP",
            &self.fetch,
        );
    }
}

/// Measures the floor of a change of `objects` objects.
///
/// # Errors
/// When a part fails.
pub async fn measure(field: &Field<'_>, objects: usize, samples: usize) -> Result<Floor> {
    let connection = Connection { kubeconfig: Some(field.world().kubeconfig().to_owned()), context: None };
    let cluster = KubeCluster::connect(&connection).await?;
    let namespace = format!("{}-floor", field.plan().name);
    field.world().create_namespace(&namespace).await?;
    let mut floor =
        Floor { apply: Samples::default(), commit: Samples::default(), fetch: Samples::default() };
    for version in 0..samples {
        floor.apply.push(apply(&cluster, &namespace, objects, version).await?);
    }
    let folder = tempfile::tempdir_in(field.folder())?;
    let store = LocalStore::new(&Database::open(folder.path())?);
    for version in 0..samples {
        let begun = Instant::now();
        store.put("key", format!("{version:0>1000}").as_bytes()).await?;
        floor.commit.push(begun.elapsed());
    }
    fetch(field, samples.min(20), &mut floor.fetch)?;
    Ok(floor)
}

async fn apply(cluster: &KubeCluster, namespace: &str, objects: usize, version: usize) -> Result<Duration> {
    let object = |index: usize| -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": format!("floor-{index:05}"), "namespace": namespace },
            "data": { "version": version.to_string(), "text": "what an object of some size holds beside that" },
        })
    };
    let objects: Vec<_> = (0..objects).map(object).collect();
    let options = ApplyOptions { manager: "floor".to_owned(), force: true, dry_run: false };
    let begun = Instant::now();
    let mut applied =
        futures_util::stream::iter(objects.iter().map(|object| cluster.apply(object, &options)))
            .buffer_unordered(IN_FLIGHT);
    while let Some(answer) = applied.next().await {
        answer?;
    }
    Ok(begun.elapsed())
}

/// Fetches the newest commit into a clone that lacks it, as any reader of a push must.
fn fetch(field: &Field<'_>, samples: usize, into: &mut Samples) -> Result<()> {
    let folder = tempfile::tempdir_in(field.folder())?;
    let path = folder.path().to_string_lossy().into_owned();
    let url = format!("{}/bench.git", field.git_url());
    let installation = field.installation();
    installation.git(&["clone", "-q", "--bare", &url, &path])?;
    for sample in 0..samples {
        let clone = installation.clone("bench")?;
        clone.write(".bench/floor", &sample.to_string())?;
        clone.commit_all("ada", "Nothing that an application reads")?;
        clone.git(&["push", "-q", &url, "HEAD:refs/heads/floor", "--force"])?;
        let begun = Instant::now();
        installation.git(&["-C", &path, "fetch", "-q", "origin", "+refs/heads/floor:refs/heads/floor"])?;
        into.push(begun.elapsed());
        std::fs::remove_dir_all(clone.folder())?;
    }
    Ok(())
}
