//! An installation whose environment `development` asks for no approval, so that every push is deployed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use countersign_core::facts::ObjectKey;
use countersign_core::keys;
use countersign_core::names::Target;
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::cluster::Cluster as _;
use countersign_core::ports::store;
use countersign_core::target::TargetState;
use countersign_core::time::Timestamp;
use countersign_local::database::Database;
use countersign_local::simulated::SimulatedCluster;
use countersign_local::store::LocalStore;
use serde_json::Value;

use crate::installation::Installation;
use crate::installation::clone::WorkingClone;

/// An installation whose environment `development` asks for no approval.
#[derive(Debug)]
pub struct Development {
    /// The installation.
    pub installation: Installation,
    applications: Vec<String>,
}

impl Development {
    /// Makes it with so many applications, `app-0` and so on, each with a repository of its own; it runs, and each
    /// application is deployed as its repository begins.
    ///
    /// # Errors
    /// When it does not get there.
    pub fn start(applications: usize) -> Result<Self> {
        let mut installation = Installation::start()?;
        installation.faults()?;
        let applications: Vec<_> = (0..applications).map(|number| format!("app-{number}")).collect();
        for name in &applications {
            installation.copy_repository("shop", name)?;
        }
        let commit = installation.change_control("Add applications for development", |control| {
            let places: Vec<_> = applications.iter().map(|name| installation.repository(name)).collect();
            let mut repositories = "\nrepositories:\n".to_owned();
            let mut entries = "\napplications:\n".to_owned();
            for (name, place) in applications.iter().zip(&places) {
                write!(repositories, "  local/{name}:\n    url: {:?}\n", place.display().to_string())?;
                write!(
                    entries,
                    "  {name}:\n    team: platform\n    repository: local/{name}\n    environments:\n      \
                     development:\n        path: deploy/staging\n        branch: main\n        namespaces: [{name}]\n"
                )?;
            }
            control.replace("countersign.yaml", "\nrepositories:\n", &repositories)?;
            control.replace("countersign.yaml", "\napplications:\n", &entries)?;
            let environment =
                "\nenvironments:\n  development:\n    approvals:\n      count: 0\n    clusters: [local]\n";
            control.replace("countersign.yaml", "\nenvironments:\n", environment)
        })?;
        installation.until_active(&commit)?;
        // A simulated cluster makes the namespaces that are configured when it is connected.
        installation.stop()?;
        installation.serve()?;
        let made = Self { installation, applications };
        for name in &made.applications {
            let repository = made.installation.clone(name)?;
            made.until_runs(name, &repository.head()?)?;
        }
        Ok(made)
    }

    /// The names of the applications.
    #[must_use]
    pub fn applications(&self) -> &[String] {
        &self.applications
    }

    /// The target of an application.
    ///
    /// # Errors
    /// When the name is none.
    pub fn target(application: &str) -> Result<Target> {
        Ok(format!("{application}/development/local").parse()?)
    }

    /// The state of an application's target, read beside the server.
    ///
    /// # Errors
    /// When the data folder cannot be read.
    pub fn state(&self, application: &str) -> Result<Option<TargetState>> {
        Self::state_in(&self.reader()?, application)
    }

    /// The server's database, for whoever reads it often.
    ///
    /// # Errors
    /// When the data folder cannot be read.
    pub fn reader(&self) -> Result<Database> {
        Ok(Database::open_read_only(&self.installation.data())?)
    }

    /// As [`Development::state`], of a database that is open already.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn state_in(database: &Database, application: &str) -> Result<Option<TargetState>> {
        let key = keys::target(&Self::target(application)?);
        Ok(at_once(store::get_json(&LocalStore::new(database), &key))??)
    }

    /// Whether a commit of an application runs, and is healthy.
    ///
    /// # Errors
    /// When the data folder cannot be read.
    pub fn runs(&self, application: &str, commit: &str) -> Result<bool> {
        let Some(state) = self.state(application)? else { return Ok(false) };
        let running = state.running.as_ref().is_some_and(|running| running.commit.as_str() == commit);
        Ok(running && state.outcome.is_some_and(|outcome| outcome.result == OutcomeResult::Healthy))
    }

    /// Waits until a commit of an application runs, and is healthy.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn until_runs(&self, application: &str, commit: &str) -> Result<()> {
        self.installation.until(&format!("{application} runs {commit}"), || {
            ensure!(self.runs(application, commit)?, "{:?}", self.state(application)?);
            Ok(Some(()))
        })
    }

    /// Commits change number `round` of an application as [`Development::alter`] makes it; returns the commit.
    ///
    /// # Errors
    /// When git fails.
    pub fn change(clone: &WorkingClone<'_>, round: u64) -> Result<String> {
        Self::alter(clone, round)?;
        clone.git(&["add", "--all"])?;
        clone.git_as(
            "ada",
            &["-c", "commit.gpgSign=false", "commit", "-q", "-m", &format!("Round {round}")],
        )?;
        clone.head()
    }

    /// Alters each object of an application but the service, otherwise than in the round before.
    ///
    /// # Errors
    /// When a file is not as it should be.
    pub fn alter(clone: &WorkingClone<'_>, round: u64) -> Result<()> {
        let folder = "deploy/staging";
        let map = clone.read(&format!("{folder}/configmap.yaml"))?;
        let line = map.lines().find(|line| line.trim_start().starts_with("greeting:"));
        let line = line.context("it greets nobody")?.to_owned();
        clone.replace(&format!("{folder}/configmap.yaml"), &line, &format!("  greeting: round {round}"))?;
        let path = format!("{folder}/deployment.yaml");
        let text = clone.read(&path)?;
        let replicas = text.lines().find(|line| line.starts_with("  replicas:")).context("no replicas")?;
        let (replicas, next) = (replicas.to_owned(), format!("  replicas: {}", 1 + round % 3));
        clone.replace(&path, &replicas, &next)
    }

    /// An object of an application as the simulated cluster keeps it.
    ///
    /// # Errors
    /// When the data folder cannot be read, or holds no such object.
    pub fn object(&self, application: &str, api_version: &str, kind: &str) -> Result<Value> {
        let database = Database::open_read_only(&self.installation.data())?;
        let cluster = SimulatedCluster::kept(&database, &"local".parse()?);
        let key = ObjectKey {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(application.to_owned()),
            name: "web".to_owned(),
        };
        at_once(cluster.get(&key))??.with_context(|| format!("{application} has no {kind}"))
    }

    /// The names of an application's objects of a kind, as the simulated cluster keeps them.
    ///
    /// # Errors
    /// When the data folder cannot be read.
    pub fn names(&self, application: &str, api_version: &str, kind: &str) -> Result<BTreeSet<String>> {
        let database = Database::open_read_only(&self.installation.data())?;
        let cluster = SimulatedCluster::kept(&database, &"local".parse()?);
        let found = at_once(cluster.list(api_version, kind, Some(application), None))??;
        Ok(found.iter().filter_map(|object| object["metadata"]["name"].as_str().map(str::to_owned)).collect())
    }
}

/// The right time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What a future gives that waits for nothing but this process's own database.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => bail!("it waits for something"),
    }
}
