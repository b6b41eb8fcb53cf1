//! Flux beside us: the same change of the same objects, on the same API server, from the same Git server, in the same
//! run. It is told at once, as we are, and knows neither policy nor approvals nor a log.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_core::ports::cluster::{ApplyOptions, Cluster as _};
use serde_json::{Value, json};

use super::field::{self, Field, Plan};
use super::figures::{Results, Samples};
use super::process;
use super::sources::{self, LABEL};
use super::watch::Watch;
use crate::installation::clone::WorkingClone;
use crate::world::flux::Flux;

/// How long the first deployment of everything may take, and any later one.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many changes are made before it is measured.
const WARM_UP: usize = 2;

/// What kinds its objects are of.
const SOURCE: &str = "source.toolkit.fluxcd.io/v1";
const DEPLOYMENT: &str = "kustomize.toolkit.fluxcd.io/v1";

/// What is measured.
#[derive(Debug)]
pub struct Race {
    /// The repository, with names of its own.
    pub plan: Plan,
    /// How many of its applications one push changes.
    pub changed: usize,
    /// How often.
    pub samples: usize,
    /// What the same took us, in milliseconds.
    pub ours: f64,
}

/// Measures it, and how we stand to it.
///
/// # Errors
/// When a controller cannot be started, or a change does not arrive.
pub async fn beside(field: &Field<'_>, race: Race, results: &mut Results) -> Result<()> {
    let name = race.plan.name.clone();
    eprintln!("bench: deploying {} applications by Flux for {name:?}", race.plan.applications);
    let changed: Vec<_> = (0..race.changed).collect();
    let mut player = Player::start(field, race.plan).await?;
    for _ in 0..if race.samples > 1 { WARM_UP } else { 0 } {
        player.change(&changed).await?;
    }
    let (mut shown, mut processor) = (Samples::default(), Samples::default());
    for _ in 0..race.samples {
        let before = player.processor_time()?;
        shown.push(player.change(&changed).await?);
        processor.push_millis(player.processor_time()? - before);
    }
    results.samples(&format!("{name}.shown"), "Flux: end of the push until all objects are changed", &shown);
    results.samples(&format!("{name}.processor"), "Flux: processor time of both controllers", &processor);
    results.number(&format!("{name}.memory"), "Flux: memory of both controllers", player.memory()?, "MiB");
    results.ratio(&format!("{name}.ratio"), "ours to Flux's", race.ours, shown.median());
    Ok(())
}

struct Player<'a> {
    field: &'a Field<'a>,
    plan: Plan,
    flux: Flux,
    cluster: KubeCluster,
    watch: Watch,
    version: u64,
}

impl<'a> Player<'a> {
    /// Makes everything, and waits until every application runs.
    async fn start(field: &'a Field<'a>, plan: Plan) -> Result<Self> {
        let world = field.world();
        field::repository(field.installation(), &plan.name)?;
        for namespace in sources::namespaces(&plan).iter().chain([&plan.name]) {
            world.create_namespace(namespace).await?;
        }
        let flux = Flux::start(world, &format!("{LABEL}={}", plan.name)).await?;
        let connection = Connection { kubeconfig: Some(world.kubeconfig().to_owned()), context: None };
        let cluster = KubeCluster::connect(&connection).await?;
        let watch = Watch::start(world.client().await?, &plan).await?;
        let mut player = Self { field, plan, flux, cluster, watch, version: 0 };
        let all: Vec<_> = (0..player.plan.applications).collect();
        for index in &all {
            player.apply(&player.deployment(*index)).await?;
        }
        player.change(&all).await?;
        Ok(player)
    }

    /// Changes these applications by one push, and tells of it; returns how long it took from the end of the push until
    /// the API server showed it. Then waits until nothing is left to do.
    async fn change(&mut self, applications: &[usize]) -> Result<Duration> {
        self.version += 1;
        let clone = self.field.installation().clone(&self.plan.name)?;
        for index in applications {
            sources::write(&clone, &self.plan, *index, self.version)?;
        }
        let commit = clone.commit_all("ada", &format!("Version {}", self.version))?;
        self.push(&clone)?;
        let ended = Instant::now();
        self.apply(&self.source()).await?;
        let shown = self.watch.until(&self.plan, applications, self.version, PATIENCE).await;
        let Ok(shown) = shown else { bail!("{:?}\n{}", shown, self.flux.log_tails()) };
        std::fs::remove_dir_all(clone.folder())?;
        self.until_settled(&commit).await?;
        Ok(shown - ended)
    }

    fn push(&self, clone: &WorkingClone<'_>) -> Result<()> {
        self.field.push(clone, &self.plan.name)
    }

    /// Waits until every application is at a commit: only then does Flux look at none of them.
    async fn until_settled(&self, commit: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let all = self.cluster.list(DEPLOYMENT, "Kustomization", Some(&self.plan.name), None).await?;
            let revision = |object: &Value| {
                object["status"]["lastAppliedRevision"].as_str().is_some_and(|at| at.ends_with(commit))
            };
            if all.iter().all(revision) {
                return Ok(());
            }
            self.flux.check()?;
            ensure!(begun.elapsed() < PATIENCE, "it does not settle:\n{}", self.flux.log_tails());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn apply(&self, object: &Value) -> Result<()> {
        let options = ApplyOptions { manager: "bench".to_owned(), force: true, dry_run: false };
        self.cluster.apply(object, &options).await?;
        Ok(())
    }

    /// The repository, to be looked at again now.
    fn source(&self) -> Value {
        json!({
            "apiVersion": SOURCE, "kind": "GitRepository",
            "metadata": {
                "name": "bench", "namespace": self.plan.name, "labels": { (LABEL): self.plan.name },
                "annotations": { "reconcile.fluxcd.io/requestedAt": self.version.to_string() },
            },
            "spec": {
                "interval": "1h", "ref": { "branch": "main" },
                "url": format!("{}/{}.git", self.field.git_url(), self.plan.name),
            },
        })
    }

    /// An application.
    fn deployment(&self, index: usize) -> Value {
        let name = sources::application(&self.plan, index);
        json!({
            "apiVersion": DEPLOYMENT, "kind": "Kustomization",
            "metadata": { "name": name, "namespace": self.plan.name, "labels": { (LABEL): self.plan.name } },
            "spec": {
                "interval": "1h", "prune": true, "path": format!("./apps/{name}"),
                "sourceRef": { "kind": "GitRepository", "name": "bench" },
                "targetNamespace": sources::namespace(&self.plan, index),
            },
        })
    }

    fn processor_time(&self) -> Result<f64> {
        self.flux.processes()?.into_iter().map(process::processor_time).sum()
    }

    fn memory(&self) -> Result<f64> {
        self.flux.processes()?.into_iter().map(process::memory).sum()
    }
}
