use serde_json::json;

use super::*;

fn served() -> Vec<ServedKind> {
    let kind = |api_version: &str, kind: &str, namespaced| ServedKind {
        api_version: api_version.into(),
        kind: kind.into(),
        plural: format!("{}s", kind.to_lowercase()),
        namespaced,
    };
    vec![
        kind("v1", "ConfigMap", true),
        kind("v1", "Namespace", false),
        kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", false),
        kind("rbac.authorization.k8s.io/v1", "ClusterRole", false),
    ]
}

fn check(objects: &[Value], operation: Operation) -> Result<usize, Failure> {
    let target: Target = "shop/staging/east".parse().unwrap();
    let plan = Plan {
        target: &target,
        attempt: AttemptId::new("test", &target),
        sequence: Sequence { epoch: 1, index: 1 },
        operation,
        manifest: Digest::of(b""),
        objects,
        namespaces: &["shop".into(), NAMESPACE.into()],
        cluster_kinds: &["Namespace".into(), "apiextensions.k8s.io/CustomResourceDefinition".into()],
        adopt: false,
    };
    plan.checked(&served()).map(|items| items.len())
}

fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}})
}

fn reason(objects: &[Value]) -> Option<Reason> {
    check(objects, Operation::Deploy).err().map(|failure| failure.reason)
}

#[test]
fn an_object_stays_in_its_namespaces() {
    let in_namespace = |namespace| reason(&[object("v1", "ConfigMap", namespace, "a")]);
    assert_eq!(in_namespace(Some("shop")), None);
    assert_eq!(in_namespace(Some("bank")), Some(Reason::Scope));
    assert_eq!(in_namespace(None), Some(Reason::Scope));
}

#[test]
fn our_own_namespace_is_never_a_target() {
    assert_eq!(reason(&[object("v1", "ConfigMap", Some(NAMESPACE), "trust")]), Some(Reason::Scope));
    assert_eq!(reason(&[object("v1", "Namespace", None, NAMESPACE)]), Some(Reason::Scope));
}

#[test]
fn a_cluster_scoped_object_must_be_of_an_authorized_kind() {
    assert_eq!(reason(&[object("v1", "Namespace", None, "shop")]), None);
    assert_eq!(reason(&[object("v1", "Namespace", None, "bank")]), Some(Reason::Scope));
    assert_eq!(reason(&[object("v1", "Namespace", Some("shop"), "shop")]), Some(Reason::Scope));
    let role = object("rbac.authorization.k8s.io/v1", "ClusterRole", None, "a");
    assert_eq!(reason(&[role]), Some(Reason::Scope));
}

#[test]
fn a_kind_may_come_with_its_definition() {
    let widget = object("example.com/v1", "Widget", Some("shop"), "a");
    let mut definition =
        object("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "widgets.example.com");
    definition["spec"] = json!({
        "group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": true}, {"name": "v1beta1", "served": false}],
    });
    assert_eq!(reason(std::slice::from_ref(&widget)), Some(Reason::Invalid));
    assert_eq!(reason(&[widget, definition.clone()]), None);
    let old = object("example.com/v1beta1", "Widget", Some("shop"), "a");
    assert_eq!(reason(&[old, definition]), Some(Reason::Invalid));
}

#[test]
fn every_problem_is_told() {
    let objects =
        [object("v1", "ConfigMap", Some("bank"), "a"), object("v1", "ConfigMap", Some("school"), "a")];
    assert_eq!(check(&objects, Operation::Deploy).unwrap_err().problems.len(), 2);
}

#[test]
fn an_empty_manifest_removes_nothing_unless_a_removal_was_asked_for() {
    let some = [object("v1", "ConfigMap", Some("shop"), "a")];
    assert_eq!(check(&[], Operation::Remove), Ok(0));
    assert_eq!(check(&[], Operation::Deploy).unwrap_err().reason, Reason::Invalid);
    assert_eq!(check(&[], Operation::Rollback).unwrap_err().reason, Reason::Invalid);
    assert_eq!(check(&some, Operation::Remove).unwrap_err().reason, Reason::Invalid);
    assert_eq!(check(&some, Operation::Hold).unwrap_err().reason, Reason::Invalid);
}

#[test]
fn one_object_in_two_versions_is_one_object() {
    let twice = [
        object("apps/v1", "Deployment", Some("shop"), "a"),
        object("apps/v1beta1", "Deployment", Some("shop"), "a"),
    ];
    assert_eq!(keys(&twice).unwrap_err().reason, Reason::Invalid);
    assert_eq!(keys(&[json!({"kind": "List"})]).unwrap_err().reason, Reason::Invalid);
}

#[test]
fn a_manager_fits_what_kubernetes_takes() {
    let short: Target = "shop/staging/east".parse().unwrap();
    assert_eq!(manager(&short), "countersign:shop/staging");
    let long: Target = format!("{}/{}/east", "a".repeat(63), "b".repeat(63)).parse().unwrap();
    assert!(manager(&long).len() <= MANAGER_LIMIT && manager(&long).starts_with(PREFIX));
}
