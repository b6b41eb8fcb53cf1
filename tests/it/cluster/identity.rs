//! What only a real cluster can tell: identities, schemas, and servers that do not answer.

use std::time::{Duration, Instant};

use countersign_cluster::failure::Reason;
use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{ApplyOptions, Cluster, ClusterError};
use serde_json::json;

use super::bench::{Bench, at, by_hand, config, deployment};
use super::real;

#[tokio::test]
async fn a_team_acts_as_itself_in_its_namespaces() {
    let (own, namespace) = real("identity").await;
    let team = own.acting_as("team-a").expect("a connection");
    let bench = Bench::new(&own, &namespace);
    let objects = [config(&namespace, "settings", "1")];
    let plan = bench.plan(at(1), &objects);
    let pause = || tokio::time::sleep(Duration::from_millis(100));
    let failure =
        countersign_cluster::apply::apply(&own, &team, &plan, pause).await.expect_err("no rights yet");
    assert_eq!(failure.reason, Reason::Forbidden, "{failure}");

    let reference = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit" });
    let subject = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "team-a" });
    by_hand(&own, &json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "team-a", "namespace": namespace }, "roleRef": reference, "subjects": [subject],
    }))
    .await;
    // An authorizer learns of a binding a moment after it was made.
    super::eventually("the binding counts", async || {
        countersign_cluster::apply::apply(&own, &team, &plan, pause).await.is_ok()
    })
    .await;
    let trust = ObjectKey {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: Some(countersign_cluster::keep::NAMESPACE.into()),
        name: "trust".into(),
    };
    assert!(matches!(team.get(&trust).await, Err(ClusterError::Forbidden(_))));
}

#[tokio::test]
async fn a_field_that_would_be_dropped_in_silence_is_refused() {
    let (cluster, namespace) = real("strict").await;
    let mut typo = deployment(&namespace, "web:1");
    typo["spec"]["replcas"] = json!(3);
    let options = ApplyOptions { manager: "one".into(), force: false, dry_run: true };
    let refused = cluster.apply(&typo, &options).await;
    assert!(matches!(&refused, Err(ClusterError::Invalid(why)) if why.contains("replcas")), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kubeconfig");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let file = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{ "name": "c", "cluster": { "server": format!("http://{free}") } }],
        "users": [{ "name": "c", "user": {} }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "c" } }],
    });
    std::fs::write(&path, file.to_string()).expect("written");
    let connection = Connection { kubeconfig: Some(path.clone()), context: None };
    let cluster = KubeCluster::connect(&connection).await.expect("nothing is sent yet");
    let begun = Instant::now();
    assert!(matches!(cluster.rediscover().await, Err(ClusterError::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(10), "it was tried again and again");

    let missing = Connection { kubeconfig: Some(path.clone()), context: Some("no-such-context".into()) };
    let error = KubeCluster::connect(&missing).await.expect_err("there is no such context").to_string();
    assert!(error.contains("no-such-context") && error.contains(&path.display().to_string()), "{error}");
}
