//! Where a scenario is played: an installation with the released program, a repository with many applications,
//! a Git server, and a namespace for each team on a real API server.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt as _};

use super::sources::{self, CLUSTER, ENVIRONMENT};
use super::watch::Watch;
use super::{forge, process};
use crate::installation::Installation;
use crate::installation::clone::WorkingClone;
use crate::installation::http::pushed;
use crate::world::control_plane::ControlPlane;

/// How long the first deployment of everything may take.
const FIRST: Duration = Duration::from_secs(1_800);

/// How long a change may take.
const CHANGE: Duration = Duration::from_secs(300);

/// What is played with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of the scenario, with which every name in the field begins.
    pub name: String,
    /// How many applications the repository has.
    pub applications: usize,
    /// How many objects the first one has.
    pub first_objects: usize,
    /// How many objects every other has.
    pub objects: usize,
}

/// The field.
pub struct Field<'a> {
    plan: Plan,
    installation: Installation,
    world: &'a ControlPlane,
    watch: Watch,
    url: String,
    version: u64,
    idle_memory: f64,
}

/// How one change went.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// From before `git push` until it ended.
    pub push: Duration,
    /// From the end of the push until the API server showed all objects changed.
    pub shown: Duration,
    /// The processor time that `serve` used for it, until all that it caused had ended.
    pub processor: f64,
    /// From the end of the push until nothing waited in any queue: healthy, recorded, reported.
    pub settled: Duration,
}

impl<'a> Field<'a> {
    /// Makes everything, and waits until every application runs.
    ///
    /// # Errors
    /// When something cannot be made or does not arrive.
    pub async fn start(world: &'a ControlPlane, plan: Plan) -> Result<Self> {
        let mut installation = Installation::new()?;
        repository(&installation, "bench")?;
        let url = forge::serve(&installation.folder().join("repositories"))?;
        for namespace in sources::namespaces(&plan) {
            world.create_namespace(&namespace).await?;
        }
        installation.serve_with(&["--log-json"])?;
        for target in [crate::installation::STAGING, crate::installation::PRODUCTION] {
            installation.until_healthy(target)?;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle_memory = process::memory(installation.server_id()?)?;
        let watch = Watch::start(world.client().await?, &plan).await?;
        let mut field = Self { plan, installation, world, watch, url, version: 1, idle_memory };
        field.first().await?;
        Ok(field)
    }

    /// Commits the first version of everything, and adds it to the control repository.
    async fn first(&mut self) -> Result<()> {
        let clone = self.installation.clone("bench")?;
        for index in 0..self.plan.applications {
            sources::write(&clone, &self.plan, index, self.version)?;
        }
        let baseline = clone.commit_all("ada", "Begin")?;
        clone.push()?;
        let uid = self.add_cluster().await?;
        let kubeconfig = self.world.kubeconfig().to_str().context("the path is not UTF-8")?;
        let applications = sources::configured(&self.plan, &baseline);
        let repository = self.installation.repository("bench");
        self.installation.change_control("Deploy many applications", |control| {
            let cluster = format!(
                "clusters:\n  {CLUSTER}:\n    kind: kubernetes\n    uid: {uid}\n    kubeconfig: \"file:{kubeconfig}\"\n"
            );
            control.replace("countersign.yaml", "\nclusters:\n", &format!("\n{cluster}"))?;
            let environment = format!(
                "\nenvironments:\n  {ENVIRONMENT}:\n    approvals:\n      count: 1\n    clusters: [{CLUSTER}]\n"
            );
            control.replace("countersign.yaml", "\nenvironments:\n", &environment)?;
            let entry = format!("\nrepositories:\n  local/bench:\n    url: {}\n", repository.display());
            control.replace("countersign.yaml", "\nrepositories:\n", &entry)?;
            control.replace("countersign.yaml", "\napplications:\n", &format!("\napplications:\n{applications}"))
        })?;
        let all: Vec<_> = (0..self.plan.applications).collect();
        self.watch.until(&self.plan, &all, self.version, FIRST).await?;
        self.until_quiet(FIRST).await
    }

    async fn add_cluster(&self) -> Result<String> {
        let system = Api::<Namespace>::all(self.world.client().await?).get("kube-system").await?;
        let uid = system.uid().context("kube-system has no UID")?;
        let kubeconfig = self.world.kubeconfig().to_str().context("the path is not UTF-8")?;
        let add = ["cluster", "add", CLUSTER, "--data", "data", "--replace", "--kubeconfig", kubeconfig];
        let added = self.installation.json(&add)?;
        ensure!(added["uid"] == uid.as_str(), "{added}");
        Ok(uid)
    }

    /// Changes these applications by one push over HTTP, proposed and approved as it should be.
    ///
    /// # Errors
    /// When the change does not arrive.
    pub async fn change(&mut self, applications: &[usize]) -> Result<Change> {
        self.version += 1;
        let clone = self.installation.clone("bench")?;
        for index in applications {
            sources::write(&clone, &self.plan, *index, self.version)?;
        }
        let commit = clone.commit_all("ada", &format!("Version {}", self.version))?;
        clone.propose("ada")?;
        clone.approve("grace", &commit)?;
        let id = self.installation.server_id()?;
        let before = process::processor_time(id)?;
        let begun = Instant::now();
        self.push(&clone, "bench")?;
        let ended = Instant::now();
        let body = pushed(&format!("bench-{}", self.version), "bench", &commit);
        let answer = self.installation.webhook(&serde_json::to_vec(&body)?)?;
        ensure!(answer.status == 200, "{}", answer.text());
        let shown = self.watch.until(&self.plan, applications, self.version, CHANGE).await?;
        std::fs::remove_dir_all(clone.folder())?;
        self.until_quiet(CHANGE).await?;
        let settled = ended.elapsed();
        let processor = process::processor_time(id)? - before;
        Ok(Change { push: ended - begun, shown: shown - ended, processor, settled })
    }

    /// Pushes what is checked out to a repository's `main`, over HTTP.
    ///
    /// # Errors
    /// When it is refused.
    pub fn push(&self, clone: &WorkingClone<'_>, repository: &str) -> Result<()> {
        let url = format!("{}/{repository}.git", self.url);
        clone.git(&["push", "-q", &url, "HEAD:refs/heads/main"]).map(drop)
    }

    /// Waits until nothing waits in any queue.
    ///
    /// # Errors
    /// When something still does in the end.
    pub async fn until_quiet(&self, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let waiting = self.waiting("")?;
            if waiting == 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < patience, "{waiting} messages still wait");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many messages wait or are at work in the queue of this name; in all where it is empty.
    ///
    /// # Errors
    /// When the server does not say so.
    pub fn waiting(&self, queue: &str) -> Result<u64> {
        let text = self.metrics()?;
        let lines = text.lines().filter(|line| line.starts_with("countersign_queue_messages{"));
        let lines = lines.filter(|line| !line.contains("state=\"dead\""));
        let lines = lines.filter(|line| queue.is_empty() || line.contains(&format!("queue=\"{queue}\"")));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// What the server counts.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&self) -> Result<String> {
        Ok(self.installation.get("/metrics")?.text())
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The installation.
    #[must_use]
    pub const fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The base URL of the Git server.
    #[must_use]
    pub fn git_url(&self) -> &str {
        &self.url
    }

    /// The control plane.
    #[must_use]
    pub const fn world(&self) -> &ControlPlane {
        self.world
    }

    /// The folder of the installation.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.installation.folder()
    }

    /// The memory that the server held when it had nothing to do yet, in MiB.
    #[must_use]
    pub const fn idle_memory(&self) -> f64 {
        self.idle_memory
    }

    /// The memory that the server holds now, in MiB.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<f64> {
        process::memory(self.installation.server_id()?)
    }
}

/// Makes an empty bare repository that can be pushed to.
///
/// # Errors
/// When git fails.
pub fn repository(installation: &Installation, name: &str) -> Result<()> {
    let path = installation.repository(name);
    let path = path.to_str().context("the path is not UTF-8")?;
    installation.git(&["init", "-q", "--bare", "--initial-branch=main", path])?;
    // Otherwise a push now and then packs everything, and that is what would be measured.
    for setting in [["gc.auto", "0"], ["receive.autogc", "false"], ["http.receivepack", "true"]] {
        installation.git(&["-C", path, "config", setting[0], setting[1]])?;
    }
    Ok(())
}
