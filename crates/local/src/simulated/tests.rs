use std::time::Duration;

use serde_json::json;

use super::*;

const UID: &str = "8a5b7f6e-0000-4000-8000-000000000001";

fn open(folder: &tempfile::TempDir) -> SimulatedCluster {
    let database = Database::open(folder.path()).unwrap();
    SimulatedCluster::open(&database, &"east".parse().unwrap(), UID).unwrap()
}

fn options(manager: &str, force: bool) -> ApplyOptions {
    ApplyOptions { manager: manager.into(), force, dry_run: false }
}

fn config(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}, "data": data})
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": 2, "progressDeadlineSeconds": 60, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]}},
        },
    })
}

fn progressing(cluster: &Value) -> &str {
    let conditions = cluster["status"]["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == "Progressing").unwrap()["reason"]
        .as_str()
        .unwrap()
}

#[tokio::test]
async fn a_cluster_is_there_again_and_keeps_its_uid() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = open(&folder);
    cluster.apply(&config(json!({"a": "1"})), &options("m", false)).await.unwrap();
    let again = SimulatedCluster::open(&cluster.database, &"east".parse().unwrap(), UID).unwrap();
    let system = again.get(&objects::key("v1", "Namespace", None, "kube-system")).await.unwrap().unwrap();
    assert_eq!(system["metadata"]["uid"], UID);
    let found = again.get(&objects::key("v1", "ConfigMap", Some("default"), "a")).await.unwrap().unwrap();
    assert_eq!(found["data"], json!({"a": "1"}));
    let other = SimulatedCluster::open(&cluster.database, &"east".parse().unwrap(), "another");
    assert!(matches!(other, Err(PortError::Refused(why)) if why.contains(UID)));
}

#[tokio::test]
async fn clusters_of_one_database_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let east = open(&folder);
    let west = SimulatedCluster::open(&east.database, &"west".parse().unwrap(), "uid-of-west").unwrap();
    east.apply(&config(json!({"a": "1"})), &options("m", false)).await.unwrap();
    assert_eq!(west.list("v1", "ConfigMap", None, None).await.unwrap(), [] as [Value; 0]);
}

#[tokio::test]
async fn a_workload_runs_at_the_next_tick() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = open(&folder);
    cluster.apply(&deployment("web:1"), &options("m", false)).await.unwrap();
    cluster.advance(Timestamp::from_millis(1_000)).unwrap();
    let key = objects::key("apps/v1", "Deployment", Some("default"), "web");
    let found = cluster.get(&key).await.unwrap().unwrap();
    assert_eq!(found["status"]["availableReplicas"], 2);
    assert_eq!(found["metadata"]["generation"], 1);
    cluster.advance(Timestamp::from_millis(2_000)).unwrap();
    assert_eq!(cluster.get(&key).await.unwrap().unwrap(), found, "nothing is to be done, so nothing changes");
}

#[tokio::test]
async fn an_image_that_does_not_start_misses_the_deadline_while_the_old_one_serves() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = open(&folder);
    let start = Timestamp::from_millis(1_000_000);
    cluster.apply(&deployment("web:1"), &options("m", false)).await.unwrap();
    cluster.advance(start).unwrap();
    cluster.apply(&deployment("web:does-not-start"), &options("m", false)).await.unwrap();
    let key = objects::key("apps/v1", "Deployment", Some("default"), "web");
    for (after, reason) in
        [(1, "ReplicaSetUpdated"), (60, "ReplicaSetUpdated"), (61, "ProgressDeadlineExceeded")]
    {
        cluster.advance(start.plus(Duration::from_secs(after))).unwrap();
        let found = cluster.get(&key).await.unwrap().unwrap();
        assert_eq!(progressing(&found), reason, "after {after} s");
        assert_eq!(found["status"]["availableReplicas"], 2);
    }
    cluster.apply(&deployment("web:2"), &options("m", false)).await.unwrap();
    cluster.advance(start.plus(Duration::from_secs(62))).unwrap();
    assert_eq!(progressing(&cluster.get(&key).await.unwrap().unwrap()), "NewReplicaSetAvailable");
}

#[tokio::test]
async fn a_workload_that_could_never_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = open(&folder);
    let mut wrong = deployment("web:1");
    wrong["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
    let refused = cluster.apply(&wrong, &options("m", false)).await;
    assert!(matches!(refused, Err(ClusterError::Invalid(why)) if why.contains("selector")));
}

#[test]
fn fields_read_back_as_they_were_written() {
    let mut object = config(json!({"a.b/c": "1", "d": ""}));
    object["metadata"]["labels"] = json!({"app": "web"});
    object["binaryData"] = json!({});
    let managed = fields::Managed {
        manager: "m".into(),
        operation: "Apply".into(),
        time: json!("now"),
        fields: fields::owned(&object),
    };
    assert_eq!(managed.fields.len(), 4);
    fields::write(&mut object, vec![managed.clone()]);
    assert_eq!(fields::read(&object), [managed]);
}
