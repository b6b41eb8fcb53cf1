use countersign_core::decision::ExplainedHead;

use super::*;
use crate::fixture::{at, commit, decision, record};

#[test]
fn a_decision_that_is_too_large_is_denied_and_told_why() {
    let mut large = record(&decision('a', 1), Disposition::Authorized);
    large.explained = vec![ExplainedHead { head: commit('b'), commit: commit('c') }; 1_000];
    let (kept, bytes) = of(at(1), Record::Decision(Box::new(large.clone()))).unwrap();
    assert!(bytes.len() <= MAX_LEAF);
    let Record::Decision(denied) = &kept else { panic!("{kept:?}") };
    assert_eq!((denied.verdict, denied.disposition), (Verdict::Denied, Disposition::Refused));
    assert!(denied.reason.contains("smaller steps"), "{}", denied.reason);
    assert_eq!(kept.name(), Record::Decision(Box::new(large)).name(), "a repeat finds it");
}

#[test]
fn what_is_too_large_in_any_case_is_rejected() {
    let mut large = record(&decision('a', 1), Disposition::Refused);
    large.trace = "x".repeat(MAX_LEAF);
    let (kept, bytes) = of(at(1), Record::Decision(Box::new(large))).unwrap();
    assert!(matches!(kept, Record::Rejected(_)), "{kept:?}");
    let leaf: Leaf = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(leaf.record, kept);
}
