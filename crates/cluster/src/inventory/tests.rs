use countersign_core::facts::Operation;
use proptest::prelude::*;

use super::*;

fn key(api_version: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey {
        api_version: api_version.into(),
        kind: "ConfigMap".into(),
        namespace: namespace.map(Into::into),
        name: name.into(),
    }
}

fn at(
    index: u64,
    manifest: &[u8],
    held: Option<&Inventory>,
    keys: &[ObjectKey],
) -> Result<Inventory, Failure> {
    let target: Target = "shop/staging/east".parse().unwrap();
    let plan = Plan {
        target: &target,
        attempt: AttemptId::new(&index.to_string(), &target),
        sequence: Sequence { epoch: 1, index },
        operation: Operation::Deploy,
        manifest: Digest::of(manifest),
        objects: &[],
        namespaces: &[],
        cluster_kinds: &[],
        adopt: false,
    };
    claimed(held, &plan, keys)
}

#[test]
fn a_claim_keeps_what_was_there_until_it_is_pruned() {
    let (a, b) = (key("v1", Some("shop"), "a"), key("v1", Some("shop"), "b"));
    let first = at(1, b"1", None, std::slice::from_ref(&a)).unwrap();
    let second = at(2, b"2", Some(&first), std::slice::from_ref(&b)).unwrap();
    assert_eq!(second.objects, [a, b]);
    assert_eq!(second.state, InventoryState::Applying);
}

#[test]
fn an_object_in_another_version_is_not_held_twice() {
    let first = at(1, b"1", None, &[key("example.com/v1beta1", Some("shop"), "a")]).unwrap();
    let second = at(2, b"2", Some(&first), &[key("example.com/v1", Some("shop"), "a")]).unwrap();
    assert_eq!(second.objects.len(), 1);
}

#[test]
fn a_lower_sequence_is_refused_and_a_later_epoch_is_higher() {
    let held = at(5, b"5", None, &[]).unwrap();
    let lower = at(4, b"4", Some(&held), &[]).unwrap_err();
    assert_eq!(lower.reason, Reason::Overtaken { by: Sequence { epoch: 1, index: 5 } });
    let mut later = held.clone();
    later.sequence = Sequence { epoch: 2, index: 0 };
    assert!(at(6, b"6", Some(&later), &[]).is_err());
}

#[test]
fn the_same_sequence_may_come_again_with_the_same_manifest_only() {
    let mut held = at(5, b"5", None, &[key("v1", Some("shop"), "a")]).unwrap();
    held.state = InventoryState::Pruned;
    assert_eq!(at(5, b"5", Some(&held), &held.objects).unwrap(), held);
    assert_eq!(at(5, b"other", Some(&held), &[]).unwrap_err().reason, Reason::Invalid);
}

#[test]
fn what_is_stored_is_small_and_strict() {
    let keys: Vec<_> =
        (0..10_000).map(|index| key("v1", Some("shop"), &format!("settings-{index:05}"))).collect();
    let inventory = at(1, b"1", None, &keys).unwrap();
    let text = serde_json::to_string(&inventory).unwrap();
    assert!(text.len() < 200_000, "{}", text.len());
    assert_eq!(serde_json::from_str::<Inventory>(&text).unwrap(), inventory);
    assert!(serde_json::from_str::<Inventory>(&text.replacen("\"v\":1", "\"v\":1,\"w\":2", 1)).is_err());
}

proptest! {
    #[test]
    fn keys_read_back_as_they_were_written(
        parts in proptest::collection::vec(("[a-z/.1]{1,12}", "[A-Za-z]{1,12}", "[a-z-]{0,8}", "[a-z:.-]{1,12}"), 0..20)
    ) {
        let keys = packed::sorted(parts.into_iter().map(|(api_version, kind, namespace, name)| ObjectKey {
            api_version, kind, name, namespace: Some(namespace).filter(|text| !text.is_empty()),
        }).collect());
        let inventory = at(1, b"1", None, &[]).map(|inventory| Inventory { objects: keys, ..inventory }).unwrap();
        let text = serde_json::to_string(&inventory).unwrap();
        prop_assert_eq!(serde_json::from_str::<Inventory>(&text).unwrap(), inventory);
    }
}
