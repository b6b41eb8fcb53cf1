//! What counts as drift, and what does not.

use countersign_cluster::diff::{self, Drift};
use countersign_cluster::failure::Reason;
use countersign_cluster::inventory;
use countersign_cluster::told::{self, Told};
use countersign_core::digest::Digest;
use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{ApplyOptions, Cluster};
use serde_json::{Value, json};

use crate::cluster::bench::{Bench, at, by_hand, config, deployment};

/// Changes fields that are not ours as another manager, who takes nothing from us.
async fn beside(cluster: &impl Cluster, object: &Value, manager: &str) {
    let options = ApplyOptions { manager: manager.into(), force: false, dry_run: false };
    cluster.apply(object, &options).await.expect("fields beside ours");
}

/// Names with how they differ.
async fn drift<C: Cluster>(bench: &Bench<'_, C>, objects: &[Value]) -> Vec<(String, Drift)> {
    let found = diff::diff(bench.cluster, &bench.target, objects).await.expect("compared");
    found.into_iter().map(|drifted| (drifted.key.name, drifted.drift)).collect()
}

fn changed(fields: &[&str], by: &[&str]) -> Drift {
    let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Drift::Changed { fields: all(fields), by: all(by) }
}

/// Defaults, status, fields of others and an autoscaler that owns the replicas are none.
pub async fn is_quiet_about_defaults_and_others<C: Cluster>(cluster: &C, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let mut scaled = deployment(namespace, "web:1");
    scaled["spec"].as_object_mut().expect("a spec").remove("replicas");
    let objects = [scaled.clone(), config(namespace, "a", "1")];
    bench.apply(1, &objects).await.expect("applied");
    bench.healthy(&objects).await;
    assert_eq!(drift(&bench, &objects).await, []);

    let head = |object: &Value| {
        json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"],
            "metadata": { "name": object["metadata"]["name"], "namespace": namespace },
        })
    };
    let mut replicas = head(&scaled);
    replicas["spec"] = json!({ "replicas": 5 });
    beside(cluster, &replicas, "autoscaler").await;
    // A default that somebody set to something else: nothing that was judged says what it is to be.
    let mut history = head(&scaled);
    history["spec"] = json!({ "revisionHistoryLimit": 3 });
    beside(cluster, &history, "operator").await;
    let mut more = head(&objects[1]);
    more["data"] = json!({ "more": "by another" });
    beside(cluster, &more, "another").await;
    assert_eq!(bench.get(&scaled).await.expect("there")["spec"]["replicas"], 5);
    assert_eq!(drift(&bench, &objects).await, []);
}

/// What was changed and what was deleted is found, with where and by whom.
pub async fn finds_what_somebody_changed<C: Cluster>(cluster: &C, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let objects = [config(namespace, "a", "1"), config(namespace, "b", "1"), config(namespace, "c", "1")];
    bench.apply(1, &objects).await.expect("applied");
    by_hand(cluster, &config(namespace, "a", "2")).await;
    let gone = ObjectKey::of(&objects[1]).expect("a key");
    cluster.delete(&gone, &Default::default()).await.expect("deleted by hand");
    let found = drift(&bench, &objects).await;
    let wanted =
        [("a".to_owned(), changed(&["/data/value"], &["kubectl"])), ("b".to_owned(), Drift::Missing)];
    assert_eq!(found, wanted);
    // Applied again, it is as it was.
    bench.apply(1, &objects).await.expect("applied again");
    assert_eq!(drift(&bench, &objects).await, []);
}

/// What was added in our own name is found: nobody hides behind the name of our field manager.
pub async fn finds_what_was_added_in_our_name<C: Cluster>(cluster: &C, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let objects = [config(namespace, "a", "1")];
    bench.apply(1, &objects).await.expect("applied");
    let mut forged = bench.get(&objects[0]).await.expect("there");
    forged["metadata"]
        .as_object_mut()
        .expect("metadata")
        .retain(|name, _| ["name", "namespace", "annotations"].contains(&name.as_str()));
    forged["data"]["added"] = json!("by a thief");
    let options = ApplyOptions {
        manager: countersign_cluster::plan::manager(&bench.target),
        force: false,
        dry_run: false,
    };
    cluster.apply(&forged, &options).await.expect("in our name");
    assert_eq!(drift(&bench, &objects).await, [("a".to_owned(), changed(&["/data/added"], &[]))]);
}

/// What somebody else made in its place is theirs, and told so.
pub async fn tells_whose_an_object_is_now<C: Cluster>(cluster: &C, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let objects = [config(namespace, "a", "1"), config(namespace, "b", "1")];
    bench.apply(1, &objects).await.expect("applied");
    for object in &objects {
        let key = ObjectKey::of(object).expect("a key");
        cluster.delete(&key, &Default::default()).await.expect("deleted by hand");
    }
    by_hand(cluster, &config(namespace, "a", "1")).await;
    let other = Bench::named(cluster, namespace, &format!("{namespace}-other"));
    other.apply(2, &objects[1..]).await.expect("another target's");
    let owner = Some(countersign_cluster::plan::manager(&other.target));
    let wanted =
        [("a".to_owned(), Drift::Foreign { owner: None }), ("b".to_owned(), Drift::Foreign { owner })];
    assert_eq!(drift(&bench, &objects).await, wanted);
}

/// What a cluster keeps of what was told says nothing of another change.
pub async fn keeps_what_was_told<C: Cluster>(cluster: &C, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    bench.apply(1, &[config(namespace, "a", "1")]).await.expect("applied");
    let held = told::read(cluster, &bench.target, at(1)).await.expect("read");
    assert_eq!(held.told, Told::nothing(at(1)));
    let told = Told::nothing(at(1)).and(Some(Digest::of(b"1")), None);
    let written = told::write(cluster, &bench.target, told.clone(), &held).await.expect("written");
    let again =
        told::write(cluster, &bench.target, told.clone(), &held).await.expect_err("it is there already");
    assert_eq!(again.reason, Reason::Conflict);
    let sent = told::write(cluster, &bench.target, told.sent(), &written).await.expect("written again");
    assert!(told.unsent && !sent.told.unsent);
    let told = told.sent();
    assert_eq!(told::read(cluster, &bench.target, at(1)).await.expect("read").told, told);
    assert_eq!(told::read(cluster, &bench.target, at(2)).await.expect("read").told, Told::nothing(at(2)));
    let all = inventory::all(cluster).await.expect("listed");
    let ours = all.into_iter().flatten().filter(|inventory| inventory.target == bench.target);
    assert_eq!(ours.count(), 1, "what was told is no inventory");
}

/// What admission adds to an object is no drift, nor when it would add something else by now. On a real cluster alone:
/// a simulated one admits everything as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_admission_adds_is_no_drift() {
    let (cluster, namespace) = crate::cluster::real("admission").await;
    let limits = |cpu: &str| {
        json!({
            "apiVersion": "v1", "kind": "LimitRange",
            "metadata": { "name": "defaults", "namespace": namespace },
            "spec": { "limits": [{ "type": "Container", "default": { "cpu": cpu } }] },
        })
    };
    let pod = |image: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web", "namespace": namespace },
            "spec": { "containers": [{ "name": "web", "image": image }] },
        })
    };
    let bench = Bench::new(&cluster, &namespace);
    by_hand(&cluster, &limits("200m")).await;
    // A LimitRange is known to admission a moment after it is written.
    let read = async || bench.get(&pod("web:1")).await.expect("there")["spec"]["containers"][0].clone();
    loop {
        bench.apply(1, &[pod("web:1")]).await.expect("applied");
        if read().await["resources"]["limits"]["cpu"] == "200m" {
            break;
        }
        let key = ObjectKey::of(&pod("web:1")).expect("a key");
        cluster.delete(&key, &Default::default()).await.expect("deleted");
        crate::cluster::eventually("the pod is gone", async || bench.get(&pod("web:1")).await.is_none())
            .await;
    }
    assert_eq!(drift(&bench, &[pod("web:1")]).await, []);
    by_hand(&cluster, &limits("300m")).await;
    assert_eq!(drift(&bench, &[pod("web:1")]).await, []);
    by_hand(&cluster, &pod("web:evil")).await;
    let image = changed(&["/spec/containers[name=web]/image"], &["kubectl"]);
    assert_eq!(drift(&bench, &[pod("web:1")]).await, [("web".to_owned(), image)]);
}
