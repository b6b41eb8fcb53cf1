use serde_json::json;

use super::*;

fn object(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec})
}

fn secret(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data})
}

/// The fields that differ, as JSON, between two manifests of one object.
fn differ(before: Value, after: Value) -> Value {
    let diffs = diff(Some(&Manifest::new(vec![before])), Some(&Manifest::new(vec![after])));
    serde_json::to_value(diffs.first().map_or(Vec::new(), |diff| diff.fields.clone())).unwrap()
}

#[test]
fn objects_are_added_changed_and_removed() {
    let before = Manifest::new(vec![object("a", json!(1)), object("b", json!(1)), object("c", json!(1))]);
    let after = Manifest::new(vec![object("d", json!(1)), object("c", json!(2)), object("a", json!(1))]);
    let told = |before, after| -> Vec<_> {
        diff(before, after).into_iter().map(|diff| (diff.key.name, diff.change)).collect()
    };
    assert_eq!(
        told(Some(&before), Some(&after)),
        [
            ("d".to_owned(), ChangeKind::Added),
            ("c".to_owned(), ChangeKind::Changed),
            ("b".to_owned(), ChangeKind::Removed)
        ]
    );
    assert_eq!(told(None, Some(&before)).len(), 3);
    assert_eq!(told(Some(&before), None)[0], ("a".to_owned(), ChangeKind::Removed));
    assert!(told(Some(&before), Some(&before)).is_empty() && told(None, None).is_empty());
}

#[test]
fn fields_are_named_by_json_pointers() {
    let before = object("a", json!({"x/y": 1, "gone": {"deep": true}, "list": [1, {"k": "v"}, 3]}));
    let after = object("a", json!({"x/y": 2, "list": [1, {"k": "w"}], "new": [1]}));
    assert_eq!(
        differ(before, after),
        json!([
            {"field": "/spec/gone", "before": {"deep": true}},
            {"field": "/spec/list/1/k", "before": "v", "after": "w"},
            {"field": "/spec/list/2", "before": 3},
            {"field": "/spec/new", "after": [1]},
            {"field": "/spec/x~1y", "before": 1, "after": 2},
        ])
    );
}

#[test]
fn another_version_is_the_same_object() {
    let mut after = object("a", json!(1));
    after["apiVersion"] = json!("example.com/v2");
    let expected = json!([{"field": "/apiVersion", "before": "example.com/v1", "after": "example.com/v2"}]);
    assert_eq!(differ(object("a", json!(1)), after), expected);
}

#[test]
fn values_of_secrets_only_say_that_they_changed() {
    let before = secret(json!({"same": "YQ==", "other": "aHVudGVyMg==", "gone": "aHVudGVyMg=="}));
    let after = secret(json!({"same": "YQ==", "other": "aHVudGVyMw==", "new": "aHVudGVyMg=="}));
    assert_eq!(
        differ(before.clone(), after),
        json!([
            {"field": "/data/gone", "before": MASK},
            {"field": "/data/new", "after": MASK},
            {"field": "/data/other", "before": MASK, "after": CHANGED},
        ])
    );
    let told = differ(before, secret(json!(["aHVudGVyMg=="]))).to_string();
    assert!(!told.contains("aHV") && told.contains("/data"), "{told}");
    assert_eq!(
        differ(secret(json!(["a"])), secret(json!(["a", "b"]))),
        json!([{"field": "/data", "before": MASK, "after": CHANGED}])
    );
}
