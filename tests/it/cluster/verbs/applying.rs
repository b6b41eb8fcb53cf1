//! Apply.

use countersign_cluster::failure::Reason;
use countersign_cluster::inventory::{self, InventoryState};
use countersign_core::outcome::{Action, Check};
use countersign_core::ports::cluster::Cluster;
use serde_json::json;

use crate::cluster::bench::{Bench, actions, at, by_hand, config, deployment, namespace_object};

pub async fn reports_what_it_did(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let mut objects = vec![deployment(namespace, "web:1"), config(namespace, "settings", "1")];
    let report = bench.apply(1, &objects).await.expect("applied");
    let created = [("settings", Action::Created), ("web", Action::Created)];
    assert_eq!(actions(&report.objects), created, "configuration comes before what reads it");
    bench.healthy(&objects).await;

    objects[1]["data"]["value"] = json!("2");
    let report = bench.apply(2, &objects).await.expect("applied");
    assert_eq!(actions(&report.objects), [("settings", Action::Configured), ("web", Action::Unchanged)]);
    let inventory = inventory::read(cluster, &bench.target).await.expect("read").expect("there is one");
    assert_eq!((inventory.sequence, inventory.state), (at(2), InventoryState::Applied));
    assert_eq!(inventory.objects.len(), 2);
    assert_eq!(inventory.manifest, bench.plan(at(2), &objects).manifest);
}

pub async fn writes_nothing_of_a_stage_that_fails(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let mut wrong = deployment(namespace, "web:1");
    wrong["spec"]["selector"]["matchLabels"] = json!({ "app": "other" });
    let objects = [config(namespace, "settings", "1"), wrong];
    let failure = bench.apply(1, &objects).await.expect_err("the deployment is invalid");
    assert_eq!(failure.reason, Reason::Invalid, "{failure}");
    assert_eq!(failure.problems.len(), 1);
    assert!(failure.to_string().contains("Deployment"), "{failure}");
    assert_eq!(bench.get(&objects[0]).await, None);
    let outside = [config("kube-system", "settings", "1")];
    let failure = bench.apply(2, &outside).await.expect_err("the namespace is not its own");
    assert_eq!(failure.check(), Some(Check::Scope), "{failure}");
    assert_eq!(bench.get(&outside[0]).await, None);
}

pub async fn leaves_what_others_own(cluster: &impl Cluster, namespace: &str) {
    let first = Bench::new(cluster, namespace);
    let mut second = Bench::named(cluster, namespace, &format!("{namespace}-second"));
    second.adopt = true;
    let shared = config(namespace, "shared", "first");
    first.apply(1, std::slice::from_ref(&shared)).await.expect("applied");
    let objects = [config(namespace, "own", "second"), config(namespace, "shared", "second")];
    let failure = second.apply(2, &objects).await.expect_err("it belongs to the first");
    assert_eq!(failure.check(), Some(Check::Ownership));
    assert!(failure.to_string().contains(&format!("countersign:{namespace}/staging")), "{failure}");
    assert_eq!(second.get(&objects[0]).await, None, "nothing is written where anything is refused");
    assert_eq!(first.get(&shared).await.expect("there")["data"]["value"], "first");
    let inventory = inventory::read(cluster, &second.target).await.expect("read");
    assert_eq!(inventory, None, "nothing was claimed");
}

pub async fn takes_over_what_exists_only_when_told(cluster: &impl Cluster, namespace: &str) {
    let mut bench = Bench::new(cluster, namespace);
    by_hand(cluster, &config(namespace, "settings", "by hand")).await;
    let wanted = [config(namespace, "settings", "ours")];
    let failure = bench.apply(1, &wanted).await.expect_err("it exists");
    assert_eq!(failure.check(), Some(Check::Ownership), "{failure}");
    assert!(failure.to_string().contains("adopt"), "{failure}");
    bench.adopt = true;
    let report = bench.apply(2, &wanted).await.expect("adopted");
    assert_eq!(actions(&report.objects), [("settings", Action::Configured)]);
    assert_eq!(bench.get(&wanted[0]).await.expect("there")["data"]["value"], "ours");
    bench.adopt = false;
    bench.apply(3, &wanted).await.expect("it is ours now");
}

pub async fn lets_no_older_change_pass(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let newer = [config(namespace, "settings", "newer")];
    bench.apply(5, &newer).await.expect("applied");
    let older = [config(namespace, "settings", "older")];
    let failure = bench.apply(4, &older).await.expect_err("it is older");
    assert_eq!(failure.reason, Reason::Overtaken { by: at(5) });
    assert_eq!(bench.get(&newer[0]).await.expect("there")["data"]["value"], "newer");
    let failure = bench.apply(5, &older).await.expect_err("the same sequence with other bytes");
    assert_eq!(failure.reason, Reason::Invalid, "{failure}");
    assert!(inventory::still_mine(cluster, &bench.target, at(5)).await.is_ok());
    assert!(inventory::still_mine(cluster, &bench.target, at(4)).await.is_err());
}

pub async fn may_be_repeated_at_any_time(cluster: &impl Cluster, namespace: &str) {
    let bench = Bench::new(cluster, namespace);
    let objects = [config(namespace, "settings", "1")];
    bench.release(1, &objects).await;
    let before = inventory::read(cluster, &bench.target).await.expect("read");
    by_hand(cluster, &config(namespace, "settings", "by hand")).await;
    let report = bench.apply(1, &objects).await.expect("applied again");
    assert_eq!(actions(&report.objects), [("settings", Action::Configured)]);
    let report = bench.apply(1, &objects).await.expect("and again");
    assert_eq!(actions(&report.objects), [("settings", Action::Unchanged)]);
    assert_eq!(inventory::read(cluster, &bench.target).await.expect("read"), before);
}

pub async fn brings_namespaces_and_definitions_first(cluster: &impl Cluster, namespace: &str) {
    let mut bench = Bench::new(cluster, namespace);
    let (inner, group) = (format!("{namespace}-inner"), format!("{namespace}.example.com"));
    bench.namespaces.push(inner.clone());
    bench.cluster_kinds = vec!["Namespace".into(), "apiextensions.k8s.io/CustomResourceDefinition".into()];
    let schema = json!({ "type": "object", "properties": { "spec": {
        "type": "object", "properties": { "size": { "type": "integer" } },
    } } });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("widgets.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced", "names": { "kind": "Widget", "plural": "widgets" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        },
    });
    let widget = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Widget",
        "metadata": { "name": "a", "namespace": inner }, "spec": { "size": 1 },
    });
    let objects = [widget.clone(), config(&inner, "settings", "1"), definition, namespace_object(&inner)];
    let report = super::until_served(&bench, 1, &objects).await;
    let definition_name = format!("widgets.{group}");
    let names: Vec<&str> = report.objects.iter().map(|outcome| outcome.key.name.as_str()).collect();
    assert_eq!(names, [inner.as_str(), &definition_name, "settings", "a"]);
    assert_eq!(bench.get(&widget).await.expect("there")["spec"], json!({ "size": 1 }));
    bench.release(2, &[]).await;
    assert_eq!(bench.get(&objects[3]).await, None);
}
