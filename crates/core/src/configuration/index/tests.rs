use serde_json::json;

use super::*;

/// Applications, each with its path, branch, namespace and cluster-scoped kinds.
fn configuration(applications: &[(&str, &str, &str, &str, &[&str])]) -> Configuration {
    let application = |(name, path, branch, namespace, kinds): &(&str, &str, &str, &str, &[&str])| {
        let placement = json!({"path": path, "branch": branch, "namespaces": [namespace]});
        let application = json!({
            "team": "t", "repository": "local/shop", "clusterKinds": kinds,
            "environments": {"production": placement},
        });
        ((*name).to_owned(), application)
    };
    serde_json::from_value(json!({
        "version": 1,
        "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
        "hosts": {},
        "applications": applications.iter().map(application).collect::<serde_json::Map<_, _>>(),
        "environments": {"production": {"approvals": {"count": 1}, "clusters": ["east", "west"]}},
        "clusters": {"east": {"kind": "simulated", "uid": "u"}, "west": {"kind": "simulated", "uid": "v"}},
    }))
    .unwrap()
}

fn names<'t>(targets: impl IntoIterator<Item = &'t Target>) -> Vec<String> {
    targets.into_iter().map(ToString::to_string).collect()
}

fn follows(repository: &str, reference: &str) -> FollowedRef {
    FollowedRef { repository: repository.parse().unwrap(), reference: reference.parse().unwrap() }
}

#[test]
fn targets_are_found_by_the_very_ref_that_they_follow() {
    let configuration =
        configuration(&[("a", "/deploy/", "main", "n", &[]), ("b", "deploy", "next", "n", &[])]);
    let index = Index::new(&configuration);
    let main = index.following(&follows("local/shop", "refs/heads/main")).unwrap();
    assert_eq!(names(main.all()), ["a/production/east", "a/production/west"]);
    assert_eq!(names(main.at_path("deploy")), names(main.all()));
    assert!(main.at_path("deploy/web").is_empty());
    assert!(index.following(&follows("local/shop", "refs/tags/main")).is_none());
    assert!(index.following(&follows("local/other", "refs/heads/main")).is_none());
}

#[test]
fn neighbors_are_those_that_could_own_the_same_object() {
    let configuration = configuration(&[
        ("a", "a", "main", "shop", &["v1/Namespace"]),
        ("b", "b", "main", "shop", &[]),
        ("c", "c", "main", "other", &["v1/Namespace"]),
        ("d", "d", "main", "third", &[]),
    ]);
    let index = Index::new(&configuration);
    let target = configuration.target(&"a/production/east".parse().unwrap()).unwrap();
    assert_eq!(names(index.neighbors(&target)), ["b/production/east", "c/production/east"]);
}
