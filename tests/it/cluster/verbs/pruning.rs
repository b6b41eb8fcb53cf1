//! Prune.

use countersign_cluster::failure::Reason;
use countersign_cluster::health::{self, Status};
use countersign_cluster::inventory::{self, InventoryState};
use countersign_cluster::plan;
use countersign_cluster::prune::{self, Pruning};
use countersign_core::facts::Operation;
use countersign_core::outcome::Action;
use countersign_core::ports::cluster::{ApplyOptions, Cluster};
use serde_json::json;

use crate::cluster::bench::{Bench, actions, at, by_hand, config, deployment, namespace_object};
use crate::cluster::eventually;

pub async fn deletes_what_is_no_longer_wanted(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let both = [config(namespace, "a", "1"), deployment(namespace, "web:1")];
    bench.release(1, &both).await;
    let one = [config(namespace, "a", "2")];
    let failure = bench.prune(2, &one).await.expect_err("the change is not applied");
    assert_eq!(failure.reason, Reason::Conflict, "{failure}");
    bench.apply(2, &one).await.expect("applied");
    assert!(bench.get(&both[1]).await.is_some(), "nothing is deleted before the new state is healthy");
    let report = bench.prune(2, &one).await.expect("pruned");
    assert_eq!(actions(&report.objects), [("web", Action::Deleted)]);
    assert!(report.is_done());
    assert_eq!(bench.get(&both[1]).await, None);
    let inventory = inventory::read(cluster, &bench.target).await.expect("read").expect("there");
    assert_eq!((inventory.state, inventory.objects.len()), (InventoryState::Pruned, 1));
}

pub async fn keeps_what_is_not_ours_to_delete(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let mut kept = config(namespace, "kept", "1");
    kept["metadata"]["annotations"] = json!({ "countersign.example/prune": "disabled" });
    let objects = [
        config(namespace, "a", "1"),
        kept,
        config(namespace, "taken", "1"),
        config(namespace, "remade", "1"),
    ];
    bench.release(1, &objects).await;
    let other = ApplyOptions { manager: "countersign:other/staging".into(), force: true, dry_run: false };
    cluster.apply(&objects[2], &other).await.expect("another target takes it");
    let remade = countersign_core::facts::ObjectKey::of(&objects[3]).expect("a key");
    cluster.delete(&remade, &Default::default()).await.expect("deleted by hand");
    by_hand(cluster, &objects[3]).await;

    bench.apply(2, &objects[..1]).await.expect("applied");
    let report = bench.prune(2, &objects[..1]).await.expect("pruned");
    let skipped = [("kept", Action::Skipped), ("remade", Action::Skipped), ("taken", Action::Skipped)];
    assert_eq!(actions(&report.objects), skipped);
    assert!(
        report.objects[2].message.as_deref().is_some_and(|why| why.contains("countersign:other/staging"))
    );
    for object in &objects {
        assert!(bench.get(object).await.is_some(), "{object}");
    }
}

pub async fn removes_everything_only_when_asked(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let objects = [config(namespace, "a", "1"), deployment(namespace, "web:1")];
    bench.release(1, &objects).await;
    let mut empty = bench.plan(at(2), &[]);
    empty.operation = Operation::Deploy;
    let failure = bench.apply_plan(&empty).await.expect_err("an empty manifest");
    assert_eq!(failure.reason, Reason::Invalid);
    let nothing = health::of_all(cluster, &[]).await.expect("health").healthy().expect("nothing is ill");
    for operation in [Operation::Deploy, Operation::Rollback] {
        let pruning = Pruning { target: &bench.target, sequence: at(1), operation, healthy: &nothing };
        let failure = prune::prune(cluster, cluster, &pruning).await.expect_err("an empty manifest");
        assert_eq!(failure.reason, Reason::Invalid);
    }
    assert!(bench.get(&objects[0]).await.is_some());
    bench.release(3, &[]).await;
    for object in &objects {
        assert_eq!(bench.get(object).await, None);
    }
    let inventory = inventory::read(cluster, &bench.target).await.expect("read").expect("the fence stays");
    assert_eq!((inventory.sequence, inventory.objects), (at(3), Vec::new()));
    let late = bench.apply(2, &objects).await.expect_err("what was removed does not come back");
    assert_eq!(late.reason, Reason::Overtaken { by: at(3) });
}

pub async fn waits_for_what_is_slow_to_go(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let mut slow = config(namespace, "slow", "1");
    slow["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let objects = [config(namespace, "a", "1"), slow];
    bench.release(1, &objects).await;
    bench.apply(2, &objects[..1]).await.expect("applied");
    for _ in 0..2 {
        let report = bench.prune(2, &objects[..1]).await.expect("pruned");
        assert_eq!((report.is_done(), report.waiting.len(), report.objects.len()), (false, 1, 0));
    }
    let overview = health::of_all(cluster, &plan::keys(&objects[1..]).expect("keys")).await.expect("health");
    assert_eq!(overview.objects[0].health.status, Status::Terminating);
    let held = inventory::read(cluster, &bench.target).await.expect("read").expect("there");
    assert_eq!((held.state, held.objects.len()), (InventoryState::Applied, 2), "it is not forgotten");

    let mut free = config(namespace, "slow", "1");
    free["metadata"]["finalizers"] = json!([]);
    free["metadata"]["resourceVersion"] =
        bench.get(&objects[1]).await.expect("held")["metadata"]["resourceVersion"].clone();
    cluster.compare_and_swap(&free).await.expect("let go");
    assert!(bench.prune(2, &objects[..1]).await.expect("pruned").is_done());
}

pub async fn stops_when_it_is_overtaken(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let objects = [config(namespace, "a", "1"), config(namespace, "b", "1")];
    bench.release(1, &objects).await;
    bench.apply(2, &objects[..1]).await.expect("applied");
    bench.apply(3, &objects).await.expect("a newer one wants both again");
    let failure = bench.prune(2, &objects[..1]).await.expect_err("it was overtaken");
    assert_eq!(failure.reason, Reason::Overtaken { by: at(3) });
    assert!(bench.get(&objects[1]).await.is_some());
}

pub async fn keeps_namespaces_that_others_use(cluster: &impl Cluster, namespace: &str) {
    let shared = format!("{namespace}-shared");
    let mut first = Bench::new(cluster, namespace);
    first.namespaces.push(shared.clone());
    first.cluster_kinds = vec!["Namespace".into()];
    let objects = [config(namespace, "a", "1"), namespace_object(&shared)];
    first.release(1, &objects).await;
    let second = Bench::named(cluster, &shared, &format!("{namespace}-second"));
    let theirs = [config(&shared, "b", "1")];
    second.apply(2, &theirs).await.expect("applied");
    first.apply(3, &objects[..1]).await.expect("applied");
    let report = first.prune(3, &objects[..1]).await.expect("pruned");
    assert_eq!(actions(&report.objects), [(shared.as_str(), Action::Skipped)]);
    assert!(report.objects[0].message.as_deref().is_some_and(|why| why.contains("-second/staging")));
    assert!(second.get(&theirs[0]).await.is_some());
}

pub async fn never_deletes_what_a_failed_change_only_named(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let first = [config(namespace, "a", "1")];
    bench.release(1, &first).await;
    // The second change claims `b`, and fails before it writes it; then somebody makes it by hand.
    let mut wrong = deployment(namespace, "web:1");
    wrong["spec"]["selector"]["matchLabels"] = json!({ "app": "other" });
    let second = [config(namespace, "a", "1"), config(namespace, "b", "1"), wrong];
    bench.apply(2, &second).await.expect_err("the deployment is invalid");
    assert!(inventory::read(cluster, &bench.target).await.expect("read").expect("there").objects.len() > 1);
    by_hand(cluster, &second[1]).await;
    bench.apply(3, &first).await.expect("applied");
    let report = bench.prune(3, &first).await.expect("pruned");
    assert!(actions(&report.objects).contains(&("b", Action::Skipped)), "{report:?}");
    assert!(bench.get(&second[1]).await.is_some());
}

pub async fn finds_what_was_applied_in_a_version_that_is_gone(cluster: &impl Cluster, namespace: &str) {
    let mut bench = Bench::new(cluster, namespace);
    bench.cluster_kinds = vec!["apiextensions.k8s.io/CustomResourceDefinition".into()];
    let group = format!("{namespace}.example.com");
    let definition = |old_is_served: bool| {
        let schema =
            json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("widgets.{group}") },
            "spec": {
                "group": group, "scope": "Namespaced", "names": { "kind": "Widget", "plural": "widgets" },
                "versions": [
                    { "name": "v1", "served": true, "storage": true, "schema": schema },
                    { "name": "v1beta1", "served": old_is_served, "storage": false, "schema": schema },
                ],
            },
        })
    };
    let widget = |version: &str| {
        let metadata = json!({ "name": "a", "namespace": namespace });
        json!({ "apiVersion": format!("{group}/{version}"), "kind": "Widget", "metadata": metadata })
    };
    let objects = [definition(true), widget("v1beta1")];
    super::until_served(&bench, 1, &objects).await;
    let objects = [definition(false)];
    super::until_served(&bench, 2, &objects).await;
    let is_gone =
        async || bench.cluster.get(&plan::keys(&[widget("v1beta1")]).expect("a key")[0]).await.is_err();
    eventually("the old version is not served", is_gone).await;
    assert!(bench.get(&widget("v1")).await.is_some(), "it is there in the other version");
    let report = bench.prune(2, &objects).await.expect("pruned");
    assert_eq!(actions(&report.objects), [("a", Action::Deleted)]);
    assert_eq!(report.objects[0].message, None, "it was not taken to be gone");
    assert_eq!(bench.get(&widget("v1")).await, None);
}
