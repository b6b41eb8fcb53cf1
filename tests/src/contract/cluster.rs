//! The rules of [`Cluster`]. Each takes a cluster and a namespace there that is its own.

use std::time::Duration;

use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{ApplyOptions, Cluster, ClusterError, Preconditions, Swapped};
use serde_json::{Value, json};

/// How many race.
const RACERS: usize = 8;
/// How long what happens behind the API may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn key(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: namespace.map(Into::into),
        name: name.into(),
    }
}

fn config_key(namespace: &str, name: &str) -> ObjectKey {
    key("v1", "ConfigMap", Some(namespace), name)
}

fn config(namespace: &str, name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": namespace }, "data": data,
    })
}

fn deployment(namespace: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": namespace },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "registry.example/web:1" }] },
            },
        },
    })
}

fn by(manager: &str) -> ApplyOptions {
    ApplyOptions { manager: manager.into(), force: false, dry_run: false }
}

async fn get(cluster: &impl Cluster, key: &ObjectKey) -> Option<Value> {
    cluster.get(key).await.expect("the cluster is read")
}

async fn apply(cluster: &impl Cluster, object: &Value, manager: &str) -> Value {
    cluster.apply(object, &by(manager)).await.expect("it is applied")
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().expect("it has a version")
}

async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !look().await {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A cluster has a UID, and serves what every Kubernetes does, in namespaces or not.
pub async fn tells_what_it_serves(cluster: &impl Cluster, _: &str) {
    let system =
        get(cluster, &key("v1", "Namespace", None, "kube-system")).await.expect("every cluster has it");
    assert!(system["metadata"]["uid"].as_str().is_some_and(|uid| !uid.is_empty()));
    let served = cluster.rediscover().await.expect("the kinds");
    for (api_version, kind, plural, namespaced) in [
        ("v1", "ConfigMap", "configmaps", true),
        ("v1", "Namespace", "namespaces", false),
        ("apps/v1", "Deployment", "deployments", true),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false),
    ] {
        let found = served.iter().find(|served| served.api_version == api_version && served.kind == kind);
        let found = found.unwrap_or_else(|| panic!("{kind} is not served"));
        assert_eq!((found.plural.as_str(), found.namespaced), (plural, namespaced), "{kind}");
    }
}

/// What is applied is there, and applying it again changes nothing at all.
pub async fn applies(cluster: &impl Cluster, namespace: &str) {
    let (key, wanted) = (config_key(namespace, "a"), config(namespace, "a", json!({ "a": "1" })));
    assert_eq!(get(cluster, &key).await, None);
    let made = apply(cluster, &wanted, "one").await;
    assert_eq!(made["data"], json!({ "a": "1" }));
    assert!(made["metadata"]["uid"].is_string());
    assert_eq!(get(cluster, &key).await.as_ref(), Some(&made));
    assert_eq!(apply(cluster, &wanted, "one").await, made);
    let changed = apply(cluster, &config(namespace, "a", json!({ "a": "2" })), "one").await;
    assert_eq!(changed["metadata"]["uid"], made["metadata"]["uid"]);
    assert_ne!(version(&changed), version(&made));
}

/// A dry run tells what would come out, and changes nothing.
pub async fn runs_dry(cluster: &impl Cluster, namespace: &str) {
    let dry = ApplyOptions { dry_run: true, ..by("one") };
    let key = config_key(namespace, "a");
    let told = cluster.apply(&config(namespace, "a", json!({ "a": "1" })), &dry).await.expect("it could be");
    assert_eq!(told["data"], json!({ "a": "1" }));
    assert_eq!(get(cluster, &key).await, None);
    let made = apply(cluster, &config(namespace, "a", json!({ "a": "1" })), "one").await;
    let told = cluster.apply(&config(namespace, "a", json!({ "a": "2" })), &dry).await.expect("it could be");
    assert_eq!(told["data"], json!({ "a": "2" }));
    assert_eq!(get(cluster, &key).await, Some(made));
}

/// Managers share an object field by field: each adds its own, and takes away what it wants no more.
pub async fn merges_managers(cluster: &impl Cluster, namespace: &str) {
    apply(cluster, &config(namespace, "a", json!({ "a": "1", "both": "0" })), "one").await;
    let merged = apply(cluster, &config(namespace, "a", json!({ "b": "1", "both": "0" })), "two").await;
    assert_eq!(merged["data"], json!({ "a": "1", "b": "1", "both": "0" }));
    let mut managers: Vec<&str> = merged["metadata"]["managedFields"]
        .as_array()
        .expect("it tells who manages it")
        .iter()
        .filter(|entry| entry["operation"] == "Apply")
        .filter_map(|entry| entry["manager"].as_str())
        .collect();
    managers.sort_unstable();
    assert_eq!(managers, ["one", "two"]);
    let less = apply(cluster, &config(namespace, "a", json!({ "c": "1" })), "one").await;
    assert_eq!(less["data"], json!({ "b": "1", "both": "0", "c": "1" }), "what two wants stays");
}

/// A field that another manager owns with another value is a conflict, which changes nothing, or is taken
/// over by force, and then no longer the other's.
pub async fn tells_conflicts(cluster: &impl Cluster, namespace: &str) {
    let made = apply(cluster, &config(namespace, "a", json!({ "a": "1" })), "one").await;
    let wanted = config(namespace, "a", json!({ "a": "2" }));
    let refused = cluster.apply(&wanted, &by("two")).await;
    assert!(matches!(&refused, Err(ClusterError::Conflict(why)) if why.contains("one")), "{refused:?}");
    assert_eq!(get(cluster, &config_key(namespace, "a")).await, Some(made));
    let forced = cluster.apply(&wanted, &ApplyOptions { force: true, ..by("two") }).await.expect("by force");
    assert_eq!(forced["data"], json!({ "a": "2" }));
    let gone = apply(cluster, &config(namespace, "a", json!({})), "two").await;
    assert_eq!(gone["data"].get("a"), None, "one does not own it any more");
}

/// The generation counts changes of what is wanted, and of nothing else.
pub async fn counts_generations(cluster: &impl Cluster, namespace: &str) {
    let made = apply(cluster, &deployment(namespace, 0), "one").await;
    assert_eq!(made["metadata"]["generation"], 1);
    let mut labeled = deployment(namespace, 0);
    labeled["metadata"]["labels"] = json!({ "a": "b" });
    assert_eq!(apply(cluster, &labeled, "one").await["metadata"]["generation"], 1);
    assert_eq!(apply(cluster, &deployment(namespace, 1), "one").await["metadata"]["generation"], 2);
}

/// What cannot be is refused for what it is.
pub async fn refuses_what_cannot_be(cluster: &impl Cluster, namespace: &str) {
    let mut unknown = config(namespace, "a", json!({}));
    unknown["kind"] = json!("NoSuchKind");
    let refused = cluster.apply(&unknown, &by("one")).await;
    assert!(matches!(refused, Err(ClusterError::NotFound(_))), "an unknown kind: {refused:?}");
    let refused = cluster.get(&key("example.com/v9", "ConfigMap", Some(namespace), "a")).await;
    assert!(matches!(refused, Err(ClusterError::NotFound(_))), "an unknown group: {refused:?}");
    let nowhere = config("no-such-namespace", "a", json!({}));
    for dry_run in [true, false] {
        let refused = cluster.apply(&nowhere, &ApplyOptions { dry_run, ..by("one") }).await;
        assert!(matches!(refused, Err(ClusterError::NotFound(_))), "a missing namespace: {refused:?}");
    }
    assert_eq!(get(cluster, &config_key("no-such-namespace", "a")).await, None);
    let mut empty = deployment(namespace, 1);
    empty["spec"]["template"]["spec"]["containers"] = json!([]);
    let mut unplaced = config(namespace, "a", json!({}));
    unplaced["metadata"] = json!({ "name": "a" });
    for invalid in
        [config(namespace, "A_b", json!({})), config(namespace, "a/b", json!({})), empty, unplaced, json!({})]
    {
        let refused = cluster.apply(&invalid, &by("one")).await;
        assert!(matches!(refused, Err(ClusterError::Invalid(_))), "{invalid}: {refused:?}");
    }
}

/// A delete deletes what was meant or nothing, and tells whether it was there.
pub async fn deletes_what_was_meant(cluster: &impl Cluster, namespace: &str) {
    let key = config_key(namespace, "a");
    let none = Preconditions::default();
    assert_eq!(cluster.delete(&key, &none).await, Ok(false));
    let first = apply(cluster, &config(namespace, "a", json!({ "a": "1" })), "one").await;
    let uid = |object: &Value| object["metadata"]["uid"].as_str().map(str::to_owned);
    let wrong = [
        Preconditions { uid: Some("another".into()), resource_version: None },
        Preconditions { uid: uid(&first), resource_version: Some("1".into()) },
    ];
    for wrong in wrong {
        let refused = cluster.delete(&key, &wrong).await;
        assert!(matches!(refused, Err(ClusterError::Conflict(_))), "{refused:?}");
    }
    let right = Preconditions { uid: uid(&first), resource_version: Some(version(&first).into()) };
    assert_eq!(cluster.delete(&key, &right).await, Ok(true));
    assert_eq!(get(cluster, &key).await, None);
    let second = apply(cluster, &config(namespace, "a", json!({ "a": "1" })), "one").await;
    assert_ne!(uid(&first), uid(&second), "an object of the same name is another object");
}

/// An object with a finalizer is marked as being deleted, and goes when the last one is taken away.
pub async fn waits_for_finalizers(cluster: &impl Cluster, namespace: &str) {
    let key = config_key(namespace, "a");
    let mut held = config(namespace, "a", json!({}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    apply(cluster, &held, "one").await;
    assert_eq!(cluster.delete(&key, &Preconditions::default()).await, Ok(true));
    let found = get(cluster, &key).await.expect("it is held");
    assert!(found["metadata"]["deletionTimestamp"].is_string());
    apply(cluster, &config(namespace, "a", json!({})), "one").await;
    assert_eq!(get(cluster, &key).await, None);
}

/// A whole object is stored where none is, or over the very version that it bears.
pub async fn swaps(cluster: &impl Cluster, namespace: &str) {
    let fresh = config(namespace, "a", json!({ "a": "1" }));
    let Swapped::Stored(first) = cluster.compare_and_swap(&fresh).await.expect("answered") else {
        panic!("there is none, so it must be stored");
    };
    assert_eq!(cluster.compare_and_swap(&fresh).await, Ok(Swapped::Conflict), "there is one already");
    let mut next = config(namespace, "a", json!({ "b": "2" }));
    next["metadata"]["resourceVersion"] = json!(version(&first));
    let Swapped::Stored(second) = cluster.compare_and_swap(&next).await.expect("answered") else {
        panic!("the version is right, so it must be stored");
    };
    assert_eq!(second["data"], json!({ "b": "2" }), "it is replaced, not merged");
    assert_eq!(cluster.compare_and_swap(&next).await, Ok(Swapped::Conflict), "the version is old");
    let mut missing = config(namespace, "b", json!({}));
    missing["metadata"]["resourceVersion"] = json!(version(&second));
    assert_eq!(cluster.compare_and_swap(&missing).await, Ok(Swapped::Conflict), "nothing has that version");
    let nowhere = cluster.compare_and_swap(&config("no-such-namespace", "a", json!({}))).await;
    assert!(matches!(nowhere, Err(ClusterError::NotFound(_))), "{nowhere:?}");
}

/// Of many who swap the same version at once, one wins.
pub async fn lets_one_win<C: Cluster + Clone + Send + 'static>(cluster: &C, namespace: &str) {
    let made = apply(cluster, &config(namespace, "a", json!({})), "one").await;
    let racers: Vec<_> = (0..RACERS)
        .map(|racer| {
            let mut next = config(namespace, "a", json!({ "winner": racer.to_string() }));
            next["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
            let cluster = cluster.clone();
            tokio::spawn(async move { cluster.compare_and_swap(&next).await })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        match racer.await.expect("it ends").expect("answered") {
            Swapped::Stored(_) => won += 1,
            Swapped::Conflict => {}
        }
    }
    assert_eq!(won, 1);
}

/// A list holds the objects of a kind, whole, in one namespace or all, with a label or any.
pub async fn lists(cluster: &impl Cluster, namespace: &str) {
    for (name, team) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        let mut object = config(namespace, name, json!({}));
        object["metadata"]["labels"] = json!({ "example.com/team": team });
        apply(cluster, &object, "one").await;
    }
    let list = async |namespace: Option<&str>, selector: Option<&str>| -> Vec<String> {
        let found = cluster.list("v1", "ConfigMap", namespace, selector).await.expect("a list");
        assert!(found.iter().all(|object| object["kind"] == "ConfigMap" && object["apiVersion"] == "v1"));
        let names = found.iter().filter_map(|object| object["metadata"]["name"].as_str().map(str::to_owned));
        let mut names: Vec<_> = names.filter(|name| name != "kube-root-ca.crt").collect();
        names.sort();
        names
    };
    assert_eq!(list(Some(namespace), None).await, ["a", "b", "c"]);
    assert_eq!(list(Some(namespace), Some("example.com/team=red")).await, ["a", "c"]);
    assert_eq!(list(Some("no-such-namespace"), None).await, [] as [&str; 0]);
    assert!(list(None, Some("example.com/team=blue")).await.contains(&"b".to_owned()));
}

/// A kind is served once its definition is established, and no more when that is gone, with all its objects.
pub async fn serves_defined_kinds(cluster: &impl Cluster, namespace: &str) {
    let group = format!("{namespace}.example.com");
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("widgets.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced", "names": { "kind": "Widget", "plural": "widgets" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                } },
            }],
        },
    });
    apply(cluster, &definition, "one").await;
    let api_version = format!("{group}/v1");
    let is_served = async || {
        let served = cluster.rediscover().await.expect("the kinds");
        served.iter().any(|served| served.api_version == api_version && served.namespaced)
    };
    eventually("the kind is served", is_served).await;
    let widget = json!({
        "apiVersion": api_version, "kind": "Widget",
        "metadata": { "name": "a", "namespace": namespace }, "spec": { "size": 1 },
    });
    eventually("an object is taken", async || cluster.apply(&widget, &by("one")).await.is_ok()).await;
    let widget_key = key(&api_version, "Widget", Some(namespace), "a");
    assert_eq!(get(cluster, &widget_key).await.expect("it is there")["spec"], json!({ "size": 1 }));
    let definition_key =
        key("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, &format!("widgets.{group}"));
    assert_eq!(cluster.delete(&definition_key, &Preconditions::default()).await, Ok(true));
    eventually("the definition is gone", async || get(cluster, &definition_key).await.is_none()).await;
    eventually("the kind is not served", async || !is_served().await).await;
    let refused = cluster.get(&widget_key).await;
    assert!(!matches!(refused, Ok(Some(_))), "its objects are gone: {refused:?}");
}

/// A namespace takes with it all that is in it.
pub async fn deletes_namespaces(cluster: &impl Cluster, namespace: &str) {
    apply(cluster, &config(namespace, "a", json!({})), "one").await;
    let namespace_key = key("v1", "Namespace", None, namespace);
    assert_eq!(cluster.delete(&namespace_key, &Preconditions::default()).await, Ok(true));
    eventually("the namespace is gone", async || get(cluster, &namespace_key).await.is_none()).await;
    assert_eq!(get(cluster, &config_key(namespace, "a")).await, None);
}
