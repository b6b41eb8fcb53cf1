//! A cluster that is away, slow, and does not always say what it did. Behind it is the simulated one.

use std::sync::Arc;

use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{
    ApplyOptions, Cluster, ClusterError, Preconditions, ServedKind, Swapped,
};
use countersign_local::simulated::SimulatedCluster;
use serde_json::Value;

use super::executor::Sim;
use super::faults::Fault;
use super::invariants::Watch;
use super::mutant::Mutant;

/// A cluster, as one role sees it.
#[derive(Clone)]
pub struct FailingCluster {
    /// Its name.
    pub name: &'static str,
    /// The time, and what goes wrong.
    pub sim: Sim,
    /// What is behind it.
    pub inner: SimulatedCluster,
    /// Who looks on.
    pub watch: Arc<Watch>,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
}

impl FailingCluster {
    async fn call<T>(
        &self,
        what: &[&str],
        effect: impl Future<Output = Result<T, ClusterError>>,
    ) -> Result<T, ClusterError> {
        let unavailable = |what: &str| ClusterError::Unavailable(format!("{what}: simulated"));
        self.sim.step().await;
        if self.sim.is_away(self.name) || self.sim.fault(Fault::Refused, self.name) {
            return Err(unavailable("away"));
        }
        self.sim.note(&[&[self.name], what].concat());
        let answer = effect.await;
        self.sim.step().await;
        if self.sim.fault(Fault::Lost, self.name) {
            return Err(unavailable("the answer was lost"));
        }
        answer
    }
}

impl Cluster for FailingCluster {
    async fn discover(&self) -> Result<Vec<ServedKind>, ClusterError> {
        self.call(&["discover"], self.inner.discover()).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
        let found = self.call(&["get", &key.to_string()], self.inner.get(key)).await?;
        Ok(match self.mutant {
            Some(mutant) => found.map(|object| mutant.held(object)),
            None => found,
        })
    }

    async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError> {
        self.call(&["list", kind], self.inner.list(api_version, kind, namespace, selector)).await
    }

    async fn apply(&self, object: &Value, options: &ApplyOptions) -> Result<Value, ClusterError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let how = if options.dry_run { "dry" } else { "apply" };
        let object = match self.mutant.filter(|_| !options.dry_run) {
            Some(mutant) => &mutant.applied(object.clone()),
            None => object,
        };
        self.call(&[how, name, &options.manager], async {
            let applied = self.inner.apply(object, options).await?;
            if !options.dry_run {
                self.watch.applied(self.name, &options.manager, object);
            }
            Ok(applied)
        })
        .await
    }

    async fn delete(&self, key: &ObjectKey, preconditions: &Preconditions) -> Result<bool, ClusterError> {
        let (key, preconditions) = match self.mutant.and_then(|mutant| mutant.deleted(key)) {
            Some(other) => (&other.clone(), &Preconditions::default()),
            None => (key, preconditions),
        };
        self.call(&["delete", &key.to_string()], async {
            let deleted = self.inner.delete(key, preconditions).await?;
            self.watch.uprooted(self.name, key);
            Ok(deleted)
        })
        .await
    }

    async fn compare_and_swap(&self, object: &Value) -> Result<Swapped, ClusterError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        self.call(&["swap", name], async {
            if self.sim.fault(Fault::Race, name) {
                return Ok(Swapped::Conflict);
            }
            let swapped = self.inner.compare_and_swap(object).await?;
            if matches!(swapped, Swapped::Stored(_)) {
                self.watch.kept(self.name, object);
            }
            Ok(swapped)
        })
        .await
    }
}
