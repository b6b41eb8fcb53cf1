use super::*;

fn control(change: impl FnOnce(&mut Facts)) -> Decision {
    let facts = changed(|f| {
        f.target.target = countersign_core::names::Target::control();
        f.change.operation = Operation::Activate;
        f.change.new_bundle = Some(Digest::of(b"new"));
        f.pull_requests[0].reviews = vec![approval("r1", 4, 'b', 10)];
        f.objects.clear();
        f.manifest = None;
        f.render = Render::None;
        change(f);
    });
    decide(&facts, Mode::Enforce)
}

#[test]
fn the_control_repository_is_changed_with_the_approvals_that_it_asks_for() {
    let decision = control(|_| {});
    assert_eq!(decision.verdict, Verdict::Allowed, "{}", decision.reason);
    assert_eq!(decision.new_bundle, Some(Digest::of(b"new")));
    let by_another_team = control(|f| f.pull_requests[0].reviews = vec![approval("r1", 2, 'b', 10)]);
    assert_eq!(by_another_team.verdict, Verdict::Denied);
}

#[test]
fn nobody_changes_it_alone() {
    let alone = control(|f| f.pull_requests[0].author = account(4));
    assert_eq!(outcome(&alone, "access.control").outcome, RuleOutcome::Failed);
    let pushed = control(|f| f.range.explanations.clear());
    assert_eq!(outcome(&pushed, "access.control").outcome, RuleOutcome::Failed);
}

#[test]
fn a_new_bundle_that_no_commit_brings_is_denied() {
    let unseen = control(|f| {
        f.range.altering.clear();
        f.range.explanations.clear();
        f.range.commits.clear();
    });
    assert_eq!(outcome(&unseen, "countersign.activation").outcome, RuleOutcome::Failed);
    assert_eq!(outcome(&unseen, "access.control").outcome, RuleOutcome::Failed);
}

#[test]
fn an_activation_names_its_bundle_and_is_the_control_repositorys_alone() {
    let unnamed = control(|f| f.change.new_bundle = None);
    assert_eq!(outcome(&unnamed, "countersign.activation").outcome, RuleOutcome::Failed);
    let elsewhere = decide(&changed(|f| f.change.operation = Operation::Activate), Mode::Enforce);
    assert_eq!(outcome(&elsewhere, "countersign.activation").outcome, RuleOutcome::Failed);
    let deployed = control(|f| f.change.operation = Operation::Deploy);
    assert_eq!(outcome(&deployed, "countersign.activation").outcome, RuleOutcome::Failed);
}
