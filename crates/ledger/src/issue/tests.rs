use super::*;
use crate::testing::run;
use crate::testing::world::{AUDIENCE, World, decision, denied, minute, record};

#[test]
fn nothing_is_issued_for_what_the_log_does_not_allow() {
    let mut superseded = record("superseded");
    superseded.disposition = Disposition::Superseded;
    let mut activation = record("activation");
    activation.operation = Operation::Activate;
    let mut bare = record("bare");
    bare.manifest = None;
    let records = [denied("denied"), superseded, activation, bare];
    let world = World::with(&records);
    let issue_at = |index, record: &DecisionRecord| {
        let decision = decision(record);
        let grant = Grant { decision: &decision, audience: AUDIENCE, epoch: 1, now: minute(0) };
        run(issue(&world.authorizer, &mut world.view(), index, &grant))
    };
    for (index, record) in (1..).zip(&records) {
        assert!(matches!(issue_at(index, record), Err(LedgerError::Forbidden(_))), "{index}");
    }
    let elsewhere = record("first");
    assert!(matches!(issue_at(0, &elsewhere), Err(LedgerError::Forbidden(_))), "genesis is no decision");
    assert!(matches!(issue_at(5, &elsewhere), Err(LedgerError::Forbidden(_))), "beyond the end");
}

#[test]
fn nothing_is_issued_for_another_decision_than_the_leaf_holds() {
    let world = World::new();
    let decision = decision(&record("second"));
    let grant = Grant { decision: &decision, audience: AUDIENCE, epoch: 1, now: minute(0) };
    let error = run(issue(&world.authorizer, &mut world.view(), 1, &grant)).unwrap_err();
    assert!(error.to_string().contains("another decision"), "{error}");
}
