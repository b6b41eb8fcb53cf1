use serde_json::json;

use super::*;

fn parts(reference: &str) -> (String, String, Option<String>, Option<String>) {
    let Reference { registry, repository, tag, digest } = parse(reference);
    (registry, repository, tag, digest)
}

#[test]
fn references_are_read_as_runtimes_read_them() {
    let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let full = format!("ghcr.io/a/b/c:1.2@{digest}");
    for (reference, registry, repository, tag) in [
        ("nginx", "docker.io", "library/nginx", None),
        ("nginx:1.27", "docker.io", "library/nginx", Some("1.27")),
        ("shop/web", "docker.io", "shop/web", None),
        ("docker.io/nginx", "docker.io", "library/nginx", None),
        ("index.docker.io/shop/web:1", "docker.io", "shop/web", Some("1")),
        ("localhost/web", "localhost", "web", None),
        ("localhost:5000/web:1", "localhost:5000", "web", Some("1")),
        ("registry:5000/web", "registry:5000", "web", None),
        ("Registry/web", "Registry", "web", None),
        (&full, "ghcr.io", "a/b/c", Some("1.2")),
        ("", "docker.io", "library/", None),
    ] {
        let got = parts(reference);
        assert_eq!(
            (got.0.as_str(), got.1.as_str(), got.2.as_deref()),
            (registry, repository, tag),
            "{reference}"
        );
    }
    assert_eq!(parts(&full).3.as_deref(), Some(digest));
}

#[test]
fn every_pod_specification_is_looked_at() {
    let key = ObjectKey {
        api_version: "v1".to_owned(),
        kind: "Any".to_owned(),
        namespace: None,
        name: "any".to_owned(),
    };
    let pod = json!({
        "containers": [{"image": "a"}, {"name": "no image"}],
        "initContainers": [{"image": "b"}],
        "ephemeralContainers": [{"image": "c"}],
        "volumes": [{"name": "x"}, {"image": {"reference": "d"}}],
    });
    for (object, prefix) in [
        (json!({"kind": "Pod", "spec": pod}), "/spec"),
        (json!({"kind": "Deployment", "spec": {"template": {"spec": pod}}}), "/spec/template/spec"),
        (
            json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}),
            "/spec/jobTemplate/spec/template/spec",
        ),
        (json!({"kind": "Fleet", "spec": {"groups": [{"a/b": pod}]}}), "/spec/groups/0/a~1b"),
    ] {
        let found: Vec<_> =
            images(&key, &object).into_iter().map(|image| (image.reference, image.field)).collect();
        let at = |field: &str| format!("{prefix}/{field}");
        let expected = [
            ("a".to_owned(), at("containers/0/image")),
            ("b".to_owned(), at("initContainers/0/image")),
            ("c".to_owned(), at("ephemeralContainers/0/image")),
            ("d".to_owned(), at("volumes/1/image/reference")),
        ];
        assert_eq!(found, expected);
        for (reference, field) in expected {
            assert_eq!(object.pointer(&field), Some(&json!(reference)));
        }
    }
    assert!(images(&key, &json!({"kind": "ConfigMap", "data": {"containers": "image: x"}})).is_empty());
}
