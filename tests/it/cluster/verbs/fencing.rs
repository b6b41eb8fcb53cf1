//! What comes between the stages of a change: a newer change, and a cluster that fails.

use std::sync::Mutex;

use countersign_cluster::apply;
use countersign_cluster::failure::Reason;
use countersign_core::facts::ObjectKey;
use countersign_core::outcome::Action;
use countersign_core::ports::cluster::{
    ApplyOptions, Cluster, ClusterError, Preconditions, ServedKind, Swapped,
};
use serde_json::Value;

use crate::cluster::bench::{Bench, actions, at, config, namespace_object};

/// A cluster that meddles before it writes an object of one name, the first time.
struct Meddled<'a, C, F> {
    cluster: &'a C,
    name: &'a str,
    meddle: Mutex<Option<F>>,
}

impl<C, F> Meddled<'_, C, F> {
    fn meddler(&self, object: &Value, options: &ApplyOptions) -> Option<F> {
        let is_meant = !options.dry_run && object["metadata"]["name"] == self.name;
        self.meddle.lock().expect("nobody panics").take_if(|_| is_meant)
    }
}

impl<C: Cluster, F, W> Cluster for Meddled<'_, C, F>
where
    F: FnOnce() -> W + Send,
    W: Future<Output = Result<(), ClusterError>> + Send,
{
    async fn discover(&self) -> Result<Vec<ServedKind>, ClusterError> {
        self.cluster.discover().await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
        self.cluster.get(key).await
    }

    async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError> {
        self.cluster.list(api_version, kind, namespace, selector).await
    }

    async fn apply(&self, object: &Value, options: &ApplyOptions) -> Result<Value, ClusterError> {
        if let Some(meddle) = self.meddler(object, options) {
            meddle().await?;
        }
        self.cluster.apply(object, options).await
    }

    async fn delete(&self, key: &ObjectKey, preconditions: &Preconditions) -> Result<bool, ClusterError> {
        self.cluster.delete(key, preconditions).await
    }

    async fn compare_and_swap(&self, object: &Value) -> Result<Swapped, ClusterError> {
        self.cluster.compare_and_swap(object).await
    }
}

pub async fn stops_between_stages_when_overtaken(cluster: &impl Cluster, namespace: &str) {
    let inner = format!("{namespace}-inner");
    let mut bench = Bench::new(cluster, namespace);
    bench.namespaces.push(inner.clone());
    bench.cluster_kinds = vec!["Namespace".into()];
    let slow = [namespace_object(&inner), config(namespace, "settings", "slow")];
    let newer = [config(namespace, "settings", "newer")];
    let overtake = || async {
        bench.apply(9, &newer).await.expect("the newer change is applied");
        Ok(())
    };
    let meddled = Meddled { cluster, name: &inner, meddle: Mutex::new(Some(overtake)) };
    let plan = bench.plan(at(1), &slow);
    let failure = apply::apply(cluster, &meddled, &plan, || async {}).await.expect_err("it was overtaken");
    assert_eq!(failure.reason, Reason::Overtaken { by: at(9) });
    assert_eq!(actions(&failure.done), [(inner.as_str(), Action::Created)]);
    assert_eq!(bench.get(&newer[0]).await.expect("there")["data"]["value"], "newer");
}

pub async fn goes_on_after_a_failure(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let objects = [config(namespace, "a", "1"), config(namespace, "b", "1")];
    let fail = || async { Err(ClusterError::Unavailable("the connection broke".into())) };
    let meddled = Meddled { cluster, name: "b", meddle: Mutex::new(Some(fail)) };
    let plan = bench.plan(at(1), &objects);
    let failure = apply::apply(cluster, &meddled, &plan, || async {}).await.expect_err("it broke");
    assert!(failure.is_retry(), "{failure}");
    let told: Vec<_> = failure.outcomes();
    assert_eq!(actions(&told), [("a", Action::Created), ("b", Action::Skipped)]);
    let report = apply::apply(cluster, &meddled, &plan, || async {}).await.expect("applied");
    assert_eq!(actions(&report.objects), [("a", Action::Unchanged), ("b", Action::Created)]);
}
