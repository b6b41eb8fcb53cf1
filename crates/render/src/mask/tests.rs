use serde_json::json;

use super::*;

#[test]
fn nothing_that_a_secret_holds_is_left() {
    let secret = |value: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
            "metadata": {"name": "s", "annotations": {"a": "b", LAST_APPLIED: value}},
            "data": {"a": value, "n": 5, "l": [value, value]}, "stringData": {"b": value},
            "stringdata": {"typo": {"deep": value}}})
    };
    let masked = mask(&secret("hunter2"));
    assert_eq!(masked, mask(&secret("a much longer value")));
    assert!(!masked.to_string().contains("hunter2"));
    assert_eq!(masked["data"], json!({"a": MASK, "n": MASK, "l": MASK}));
    assert_eq!(masked["metadata"]["annotations"]["a"], "b");
    assert_eq!((&masked["type"], &masked["metadata"]["name"]), (&json!("Opaque"), &json!("s")));
}

#[test]
fn a_secret_is_found_within_another_object_and_in_any_version() {
    for version in [json!("v1"), json!("v2"), json!(null)] {
        let template = json!({"kind": "Template", "apiVersion": "template.openshift.io/v1",
            "objects": [{"kind": "Secret", "apiVersion": version, "data": {"a": "hunter2"}}]});
        assert!(!mask(&template).to_string().contains("hunter2"), "{version}");
    }
    let other = json!({"kind": "Secret", "apiVersion": "example.com/v1", "spec": {"a": "b"}});
    assert_eq!(mask(&other), other, "a kind of another group is not a Secret");
    let configmap = json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "b"}});
    assert_eq!(mask(&configmap), configmap);
}

#[test]
fn what_names_a_secret_says_which() {
    let listener = json!({"kind": "Gateway", "apiVersion": "gateway.networking.k8s.io/v1",
        "spec": {"certificateRefs": [{"kind": "Secret", "name": "shop-tls", "namespace": "certificates"}]}});
    assert_eq!(mask(&listener), listener);
    let rule = json!({"kind": "ClusterPolicy", "apiVersion": "kyverno.io/v1", "spec": {"generate":
        {"kind": "Secret", "apiVersion": "v1", "name": "pull", "value": "hunter2", "key": ["hunter2"],
            "data": {"stringData": {"a": "hunter2"}}}}});
    let masked = mask(&rule);
    assert!(!masked.to_string().contains("hunter2"), "{masked}");
    assert_eq!(masked["spec"]["generate"]["name"], "pull");
}
