//! The `Cluster` port and the verbs on it: every test runs on a simulated cluster and on a real one.

use std::future::Future;
use std::time::{Duration, Instant};

use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_cluster::prune::{self, Pruning};
use countersign_cluster::{apply, diff, health, inventory, keep};
use countersign_core::names::ClusterName;
use countersign_core::ports::cluster::Cluster;
use countersign_core::time::Timestamp;
use countersign_local::database::Database;
use countersign_local::simulated::SimulatedCluster;
use countersign_tests::contract;
use countersign_tests::world::control_plane::ControlPlane;
use serde_json::json;
use tempfile::TempDir;

mod bench;
mod identity;
mod verbs;

/// A simulated cluster, and what keeps it alive: its controllers act every few milliseconds, each time as
/// if a second had passed.
struct Simulated {
    cluster: SimulatedCluster,
    controllers: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.controllers.abort();
    }
}

async fn simulated(namespace: &str) -> Simulated {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = Database::open(folder.path()).expect("a database");
    let name: ClusterName = "east".parse().expect("a name");
    let cluster = SimulatedCluster::open(&database, &name, "uid-of-east").expect("a cluster");
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
    cluster.compare_and_swap(&namespace).await.expect("a namespace");
    let advanced = cluster.clone();
    let controllers = tokio::spawn(async move {
        let mut now = Timestamp::from_millis(1_795_212_000_000);
        loop {
            advanced.advance(now).expect("the controllers act");
            now = now.plus(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    Simulated { cluster, controllers, _folder: folder }
}

/// The control plane that all tests share, and a namespace there.
async fn real(label: &str) -> (KubeCluster, String) {
    let world = ControlPlane::shared().expect("a control plane");
    let namespace = world.namespace(label).await.expect("a namespace");
    let connection = Connection { kubeconfig: Some(world.kubeconfig().to_owned()), context: None };
    (KubeCluster::connect(&connection).await.expect("a connection"), namespace)
}

/// Asks again until it holds.
async fn eventually<F: Future<Output = bool>>(what: &str, mut look: impl FnMut() -> F) {
    let begun = Instant::now();
    while !look().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs each function on a simulated cluster and on a real one.
macro_rules! on_both {
    ($rules:path: $($rule:ident)*) => {
        mod simulated {
            use $rules as rules;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let simulated = $crate::cluster::simulated("shop").await;
                    rules::$rule(&simulated.cluster, "shop").await;
                }
            )*
        }
        mod real {
            use $rules as rules;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let (cluster, namespace) =
                        $crate::cluster::real(&stringify!($rule).replace('_', "-")).await;
                    rules::$rule(&cluster, &namespace).await;
                }
            )*
        }
    };
}
use on_both;

/// Stages run on more than one thread: what the verbs return can be sent to another.
#[expect(dead_code, reason = "it is only compiled")]
fn verbs_can_be_spawned<C: Cluster>(cluster: &C, bench: &bench::Bench<'_, C>, pruning: &Pruning<'_>) {
    fn spawnable(_: impl Future + Send) {}
    let plan = bench.plan(bench::at(1), &[]);
    spawnable(apply::apply(cluster, cluster, &plan, || tokio::time::sleep(Duration::from_millis(1))));
    spawnable(diff::diff(cluster, plan.target, plan.objects));
    spawnable(health::of_all(cluster, &[]));
    spawnable(prune::prune(cluster, cluster, pruning));
    spawnable(inventory::read(cluster, &bench.target));
    spawnable(keep::checkpoint(cluster));
}

mod port {
    super::on_both! { crate::cluster::contract::cluster:
        tells_what_it_serves applies runs_dry merges_managers tells_conflicts counts_generations
        refuses_what_cannot_be deletes_what_was_meant waits_for_finalizers swaps lets_one_win lists
        serves_defined_kinds deletes_namespaces
    }
}
