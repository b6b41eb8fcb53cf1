use super::*;
use crate::engine::compile;
use crate::fixture::{self, account, approval, at, commit, configuration, say};
use crate::waiver;
use countersign_core::decision::Decision;
use countersign_core::digest::canonical_json;
use countersign_core::facts::{Hold, ImageFacts, Position, Problem, Relation};
use countersign_core::statement::{Command, Says};
use std::collections::BTreeMap;

mod activation;
mod commands;
mod owners;
mod statuses;

fn bundle() -> Digest {
    Digest::of(b"bundle")
}

fn digest() -> Digest {
    Digest::of(b"facts")
}

fn decide_with(
    rules: &Rules,
    waivers: &[Waiver],
    facts: &Facts,
    signatures: &VerifiedSignatures,
    mode: Mode,
) -> Decision {
    let configuration = configuration();
    let ground = Ground { digest: bundle(), configuration: &configuration, rules, waivers };
    decide_on(ground, facts, digest(), signatures, mode)
}

fn starter() -> Rules {
    compile(&fixture::policies(), &fixture::data()).unwrap()
}

fn decide(facts: &Facts, mode: Mode) -> Decision {
    decide_with(&starter(), &[], facts, &VerifiedSignatures::default(), mode)
}

fn under(modules: &BTreeMap<String, String>, facts: &Facts) -> Decision {
    let rules = compile(modules, &fixture::data()).unwrap();
    decide_with(&rules, &[], facts, &VerifiedSignatures::default(), Mode::Enforce)
}

fn changed(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = fixture::facts(bundle());
    change(&mut facts);
    facts
}

fn outcome<'a>(decision: &'a Decision, rule: &str) -> &'a RuleResult {
    decision
        .rules
        .iter()
        .find(|result| result.rule == rule)
        .unwrap_or_else(|| panic!("{rule}: {decision:#?}"))
}

#[test]
fn a_reviewed_change_is_allowed_and_the_decision_says_all_of_it() {
    let decision = decide(&changed(|_| {}), Mode::Enforce);
    assert_eq!(decision.verdict, Verdict::Allowed, "{}", decision.reason);
    assert_eq!(decision.reason, "Allowed: 15 rules passed; approved by grace.");
    assert_eq!((decision.based_on, decision.facts, decision.bundle), (Some(4), digest(), bundle()));
    assert_eq!(decision.explained[0].head, commit('b'));
    assert_eq!(
        (decision.objects.len(), decision.engine.as_str(), decision.began),
        (1, "regorus 0.14.1", at(100))
    );
    assert!(decision.rules.is_sorted_by_key(|result| &result.rule));
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    let facts = changed(|f| f.pull_requests[0].reviews.push(approval("r2", 1, 'b', 5)));
    let bytes = || canonical_json(&decide(&facts, Mode::Enforce)).unwrap();
    assert_eq!(bytes(), bytes());
    let reread: Facts = serde_json::from_slice(&serde_json::to_vec(&facts).unwrap()).unwrap();
    assert_eq!(canonical_json(&decide(&reread, Mode::Enforce)).unwrap(), bytes());
}

#[test]
fn without_rules_nothing_is_allowed() {
    let rules = compile(&BTreeMap::new(), &fixture::data()).unwrap();
    let decision = decide_with(&rules, &[], &changed(|_| {}), &VerifiedSignatures::default(), Mode::Enforce);
    assert_eq!(decision.verdict, Verdict::Denied);
    assert!(decision.reason.contains("the bundle has no rules"), "{}", decision.reason);
}

#[test]
fn a_rule_that_does_not_answer_denies() {
    let list = (0..60).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let long = format!(
        "xs := [{list}]\ndeny contains {{\"message\": \"m\"}} if {{ some a in xs; some b in xs; some c in xs; some d in xs; a + b + c + d < 0 }}"
    );
    for (body, expected) in [
        ("deny := 1", RuleOutcome::Errored),
        ("deny if input.time == \"\"", RuleOutcome::Errored),
        ("deny contains {\"message\": \"m\"} if to_number(input.time) > 1", RuleOutcome::Errored),
        (long.as_str(), RuleOutcome::OverBudget),
    ] {
        let decision = under(&fixture::rule(body), &changed(|_| {}));
        assert_eq!(
            (decision.verdict, outcome(&decision, "area.rule").outcome),
            (Verdict::Denied, expected),
            "{body}"
        );
    }
}

#[test]
fn a_warning_is_shown_and_never_denies() {
    for body in ["deny contains {\"message\": \"m\"} if true", "deny := 1"] {
        let decision = under(&fixture::rule_with("warning", "", body), &changed(|_| {}));
        assert_eq!(decision.verdict, Verdict::Allowed, "{body}");
        assert_eq!(decision.reason, "Allowed: 0 rules passed, 1 warned; approved by grace.");
    }
}

#[test]
fn what_needs_reviews_waits_only_where_they_cannot_exist_yet() {
    let unreviewed = changed(|f| f.pull_requests[0].reviews.clear());
    for (mode, expected) in [
        (Mode::Enforce, Verdict::Denied),
        (Mode::Preview, Verdict::Pending),
        (Mode::Check { strict: false }, Verdict::Pending),
        (Mode::Check { strict: true }, Verdict::Denied),
    ] {
        let decision = decide(&unreviewed, mode);
        assert_eq!(decision.verdict, expected, "{mode:?}");
        let waits = outcome(&decision, "approvals.required").outcome == RuleOutcome::Pending;
        assert_eq!(waits, expected == Verdict::Pending);
    }
    let previewed = changed(|f| {
        f.preview = true;
        f.pull_requests[0].reviews.clear();
    });
    let decision = decide(&previewed, Mode::Enforce);
    assert_eq!((decision.verdict, decision.preview), (Verdict::Pending, true));
    assert!(
        decision.reason.starts_with("Waiting for reviews, by approvals.required: bbbbbbbb has 0 of 1"),
        "{}",
        decision.reason
    );
}

#[test]
fn a_preview_with_another_failure_is_denied() {
    let facts = changed(|f| {
        f.pull_requests[0].reviews.clear();
        f.objects.clear();
    });
    assert_eq!(decide(&facts, Mode::Preview).verdict, Verdict::Denied);
    let errs = fixture::rule_with("error", "#   needs: review\n", "deny := 1");
    let rules = compile(&errs, &fixture::data()).unwrap();
    let decision = decide_with(&rules, &[], &facts, &VerifiedSignatures::default(), Mode::Preview);
    assert_eq!(decision.verdict, Verdict::Denied, "an error is nothing to wait for");
}

#[test]
fn a_violation_is_shown_at_the_line_of_its_cause() {
    let find = |field: &str| {
        let body = format!(
            "deny contains {{\"message\": \"m\", \"field\": \"{field}\", \"object\": {{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"namespace\": \"shop\", \"name\": \"web\"}}}} if true"
        );
        let decision = under(&fixture::rule(&body), &changed(|_| {}));
        outcome(&decision, "area.rule").violations[0].at.clone().unwrap().to_string()
    };
    assert_eq!(find("/spec/replicas"), "deploy/web.yaml:9");
    assert_eq!(find("/spec/template/spec/containers/0"), "deploy/web.yaml:8");
    assert_eq!(find("/metadata/name"), "deploy/web.yaml:3");
    let decision = under(&fixture::rule("deny contains {\"message\": \"m\"} if true"), &changed(|_| {}));
    assert_eq!(outcome(&decision, "area.rule").violations[0].at, None);
}

#[test]
fn a_waiver_excuses_until_its_end() {
    let facts = changed(|f| {
        f.images = vec![ImageFacts {
            reference: "r.example/shop/web:1".into(),
            registry: "r.example".into(),
            repository: "shop/web".into(),
            tag: Some("1".into()),
            digest: None,
            object: f.objects[0].key.clone(),
            field: "/spec/replicas".into(),
        }];
    });
    let waived_until = |seconds| {
        let text = format!(
            "waivers:\n  - {{id: w1, rule: images.pinned, application: shop, environment: '*', object: 'apps/Deployment shop/*', until: '{}', reason: r}}\n",
            at(seconds)
        );
        let waivers = waiver::parse("waivers/w.yaml", &text).unwrap();
        decide_with(&starter(), &waivers, &facts, &VerifiedSignatures::default(), Mode::Enforce)
    };
    let waived = waived_until(101);
    assert_eq!(waived.verdict, Verdict::Allowed);
    assert_eq!(outcome(&waived, "images.pinned").violations[0].waiver.as_deref(), Some("w1"));
    assert_eq!(waived.reason, "Allowed: 14 rules passed, 1 waived; approved by grace.");
    let ended = waived_until(100);
    assert_eq!(ended.verdict, Verdict::Denied);
    assert_eq!(
        ended.reason,
        "Denied by images.pinned at deploy/web.yaml:9: image r.example/shop/web:1 is not pinned by digest."
    );
}

#[test]
fn a_failed_render_is_denied_with_its_line() {
    let at = Position { file: "deploy/web.yaml".into(), line: 12 };
    let problem = Problem { message: "no such field".into(), at, help: Some("write replicas".into()) };
    let decision = decide(&changed(|f| f.render = Render::Failed { problems: vec![problem] }), Mode::Preview);
    assert_eq!(decision.verdict, Verdict::Denied);
    assert_eq!(
        decision.reason,
        "Denied by countersign.render at deploy/web.yaml:12: no such field (write replicas)."
    );
    let silent = decide(&changed(|f| f.render = Render::Failed { problems: vec![] }), Mode::Enforce);
    assert_eq!(silent.verdict, Verdict::Denied);
}

#[test]
fn facts_of_another_version_bundle_or_target_are_denied() {
    for (facts, expected) in [
        (changed(|f| f.v = 2), "version 2"),
        (changed(|f| f.bundle = Digest::of(b"other")), "gathered under"),
        (changed(|f| f.target.target = "shop/production/west".parse().unwrap()), "is not configured"),
    ] {
        let decision = decide(&facts, Mode::Enforce);
        assert!(
            decision.verdict == Verdict::Denied && decision.reason.contains(expected),
            "{}",
            decision.reason
        );
    }
}

#[test]
fn what_rides_along_denies() {
    let facts = changed(|f| {
        f.range.commits.insert(0, fixture::commit_facts('e', 'a', "x@example.com"));
        f.range.altering.insert(0, commit('e'));
        f.range.explanations[0].after = commit('e');
    });
    let decision = decide(&facts, Mode::Enforce);
    assert_eq!(
        decision.reason,
        "Denied by approvals.explained: commit eeeeeeee (Change e) rode along: no reviewed proposal explains it."
    );
}

#[test]
fn old_approvals_bring_back_no_old_bytes() {
    let facts = changed(|f| drop(f.history.used_heads.insert(commit('b'), commit('9'))));
    let decision = decide(&facts, Mode::Enforce);
    assert_eq!(decision.verdict, Verdict::Denied);
    assert!(
        decision.reason.contains("bbbbbbbb would, but has explained 99999999 before"),
        "{}",
        decision.reason
    );
    let back = decide(&changed(|f| f.range.relation = Relation::Diverges), Mode::Enforce);
    assert!(back.reason.contains("going back needs an approval of that very commit"), "{}", back.reason);
}

#[test]
fn an_author_who_approves_is_told_why_it_does_not_count() {
    let decision = decide(&changed(|f| f.pull_requests[0].reviews[0].reviewer = account(1)), Mode::Enforce);
    assert!(
        decision.reason.contains("ada approved bbbbbbbb, but opened the pull request"),
        "{}",
        decision.reason
    );
    assert!(decision.reason.contains("who can approve: grace, linus"), "{}", decision.reason);
}

#[test]
fn a_held_target_takes_no_change() {
    let hold = Some(Hold { reason: "incident 7".into(), since: at(1) });
    let held = changed(|f| f.history.hold = hold.clone());
    let decision = decide(&held, Mode::Enforce);
    assert!(
        decision.reason.contains("is held since") && decision.reason.contains("incident 7"),
        "{}",
        decision.reason
    );
    assert!(decision.found_held());
    let rollback = changed(|f| {
        f.history.hold = hold;
        f.change.operation = Operation::Rollback;
    });
    assert_eq!(outcome(&decide(&rollback, Mode::Enforce), "countersign.hold").outcome, RuleOutcome::Failed);
}

#[test]
fn an_exact_environment_takes_only_what_its_reviewers_saw() {
    let mut configuration = configuration();
    configuration.environments.values_mut().for_each(|environment| environment.exact = true);
    let rules = starter();
    let ground = Ground { digest: bundle(), configuration: &configuration, rules: &rules, waivers: &[] };
    let exact =
        |facts: &Facts| decide_on(ground, facts, digest(), &VerifiedSignatures::default(), Mode::Enforce);
    let reviewed = |manifest| changed(|f| f.reviewed = BTreeMap::from([(commit('b'), manifest)]));

    let same = exact(&reviewed(fixture::facts(bundle()).manifest));
    assert_eq!(same.verdict, Verdict::Allowed, "{}", same.reason);
    assert_eq!(outcome(&same, "countersign.exact").outcome, RuleOutcome::Passed);
    for other in [reviewed(Some(Digest::of(b"other"))), reviewed(None), changed(|_| {})] {
        let denied = exact(&other);
        assert_eq!(denied.verdict, Verdict::Denied);
        let result = outcome(&denied, "countersign.exact");
        assert_eq!(
            result.violations[0].message,
            "bbbbbbbb was reviewed, and cccccccc, which would be applied, renders to other objects"
        );
        assert_eq!(decide(&other, Mode::Enforce).verdict, Verdict::Allowed, "elsewhere it may");
    }
}

#[test]
fn policies_see_what_the_schema_says() {
    let configuration = configuration();
    let facts = changed(|f| f.history.hold = Some(Hold { reason: "r".into(), since: at(1) }));
    let mut signatures = VerifiedSignatures::default();
    signatures.commits.insert(commit('b'), fixture::signatory(Some("ada")));
    let requirement = Requirement::of(&configuration, &facts).unwrap();
    let evidence = Evidence::weigh(&configuration, &facts, &signatures, &requirement);
    let path = path::choose(&facts, &evidence, requirement.exact);
    let input = Input::of(&configuration, &facts, &signatures, &requirement, &evidence, &path);
    let document = serde_json::to_value(&input).unwrap();
    let schema = crate::input::schema();
    let properties = schema["properties"].as_object().unwrap();
    for (name, value) in document.as_object().unwrap() {
        assert!(properties.contains_key(name), "{name}");
        assert!(properties[name].get("description").is_some(), "{name} is not described");
        let steps: Vec<_> = value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
        for step in steps {
            let steps = [name.clone(), step].map(crate::lint::uses::Step::Named);
            assert!(crate::lint::schema::follow(&schema, &steps).is_ok(), "{steps:?}");
        }
    }
    assert_eq!(document["range"]["heads"][0]["couldApprove"], serde_json::json!(["linus"]));
}
