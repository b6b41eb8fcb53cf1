use serde_json::{Value, json};

use super::*;

/// A report on one target, changed by `change` before it is read.
fn report(change: impl FnOnce(&mut Value, &mut Value, &mut Option<Value>)) -> Report {
    let digest = crate::digest::Digest::of(b"");
    let commit = "1234567890abcdef1234567890abcdef12345678";
    let target = json!({ "application": "shop", "environment": "staging", "cluster": "east" });
    let mut decision = json!({
        "v": 1, "attempt": digest, "target": target, "began": "2026-11-20T22:00:00Z", "preview": false,
        "follows": { "repository": "local/shop", "reference": "refs/heads/main" },
        "operation": "deploy", "commit": commit, "tree": commit, "closure": digest,
        "objects": [{ "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web" }],
        "namespaces": ["shop"], "clusterKinds": [], "adopt": false, "facts": digest, "bundle": digest,
        "engine": "regorus 0.14.1", "verdict": "denied", "reason": "images.pinned denies this change.",
        "rules": [
            { "rule": "images.pinned", "title": "Images are pinned", "description": "A tag can move.",
              "remedy": "Add @sha256:… to the image.", "severity": "error", "controls": ["SOC2 CC8.1"],
              "outcome": "failed", "violations": [{
                "message": "image web:1 has no digest", "field": "/spec/template/spec/containers/0/image",
                "object": { "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web" },
                "at": { "file": "deploy/web.yaml", "line": 12 } }] },
            { "rule": "images.known", "title": "Known registries", "description": "", "remedy": "",
              "severity": "error", "controls": [], "outcome": "passed", "violations": [] }
        ],
        "approvals": [{ "id": "7", "person": "ann", "shownAs": "ann-login", "head": commit, "signed": false,
            "counts": false, "reason": "ann wrote a commit of it" }],
        "explained": []
    });
    let mut state = json!({
        "attempt": digest, "index": 3, "preview": false, "verdict": "denied", "disposition": "refused",
        "reason": "", "decision": digest
    });
    let mut outcome = None;
    change(&mut decision, &mut state, &mut outcome);
    Report {
        repository: "local/shop".parse().unwrap(),
        commit: commit.parse().unwrap(),
        environment: "staging".parse().unwrap(),
        targets: vec![ReportedTarget {
            target: serde_json::from_value(target).unwrap(),
            state: serde_json::from_value(state).unwrap(),
            decision: serde_json::from_value(decision).unwrap(),
            diff: Vec::new(),
            outcome: outcome.map(|outcome| serde_json::from_value(outcome).unwrap()),
        }],
        others: Vec::new(),
    }
}

#[test]
fn a_change_of_the_control_repository_is_activated_and_not_deployed() {
    let control = |disposition: &str, verdict: &str| {
        let mut report = report(|_, state, _| {
            state["disposition"] = json!(disposition);
            state["verdict"] = json!(verdict);
        });
        report.targets[0].target = crate::names::Target::control();
        markdown(&report)
    };
    assert!(control("authorized", "allowed").contains("**Activated: every target is looked at again.**"));
    assert!(control("refused", "denied").contains("**Denied: nothing was activated.**"));
}

#[test]
fn a_denial_says_what_where_why_and_what_to_do() {
    let wanted = "\
# shop in staging: denied

Commit `1234567890ab` of `local/shop`.

## shop/staging/east

**Denied: nothing was deployed.** images.pinned denies this change.

### Images are pinned: denies

- `deploy/web.yaml:12`: image web:1 has no digest (`apps/Deployment shop/web`, field `/spec/template/spec/containers/0/image`)

Why: A tag can move.

What to do: Add @sha256:… to the image.

Rule `images.pinned`, SOC2 CC8.1

1 rule passed.

### Approvals

- ann (`ann-login`) on `1234567890ab`, not signed: **does not count**, ann wrote a commit of it

### Objects

- `apps/Deployment shop/web`
";
    assert_eq!(markdown(&report(|_, _, _| {})), wanted);
}

#[test]
fn an_outcome_says_what_was_done() {
    let report = report(|decision, state, outcome| {
        let digest = decision["attempt"].clone();
        decision["rules"] = json!([]);
        decision["verdict"] = json!("allowed");
        state["verdict"] = json!("allowed");
        state["disposition"] = json!("authorized");
        state["outcome"] = json!({
            "attempt": digest, "result": { "is": "healthy" }, "details": digest, "time": "2026-11-20T22:00:00Z"
        });
        let object = |name: &str, action: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": name, "action": action });
        *outcome = Some(json!({
            "attempt": digest, "target": decision["target"], "sequence": 3, "time": "2026-11-20T22:00:00Z",
            "result": { "is": "healthy" }, "summary": "All 2 objects are healthy.",
            "objects": [object("a", "created"), object("b", "unchanged")]
        }));
    });
    assert_eq!(headline(&report), "deployed");
    let text = markdown(&report);
    assert!(text.contains("**Deployed and healthy.**"), "{text}");
    assert!(text.contains("- `ConfigMap shop/a` created\n"), "{text}");
    assert!(!text.contains("shop/b") && !text.contains("### Objects"), "{text}");
}

#[test]
fn previews_failures_and_superseded_looks_say_so() {
    let with = |verdict: &'static str, disposition: &'static str, preview: bool| {
        report(move |_, state, _| {
            state["verdict"] = json!(verdict);
            state["disposition"] = json!(disposition);
            state["preview"] = json!(preview);
        })
    };
    assert_eq!(headline(&with("allowed", "preview", true)), "would be allowed");
    assert_eq!(headline(&with("pending", "preview", true)), "waiting for reviews");
    assert_eq!(headline(&with("allowed", "unchanged", false)), "deployed");
    assert_eq!(headline(&with("allowed", "authorized", false)), "allowed");
    assert!(markdown(&with("allowed", "superseded", false)).contains("another look follows"));
    assert_eq!(standing(&with("allowed", "superseded", false)), Standing::Overtaken);
    let mut partly = with("allowed", "superseded", false);
    partly.targets.extend(with("allowed", "unchanged", false).targets);
    assert_eq!(standing(&partly), Standing::Overtaken, "nothing more comes of it");
    partly.targets.extend(with("allowed", "authorized", false).targets);
    assert_eq!(standing(&partly), Standing::Allowed, "one is on its way");
    let failed = report(|decision, state, _| {
        let digest = decision["attempt"].clone();
        state["verdict"] = json!("allowed");
        state["disposition"] = json!("authorized");
        state["outcome"] = json!({
            "attempt": digest, "result": { "is": "unhealthy" }, "details": digest, "time": "2026-11-20T22:00:00Z"
        });
    });
    assert_eq!(headline(&failed), "failed");
}

#[test]
fn a_later_look_that_finds_nothing_to_do_hides_no_end() {
    let with = |result: &'static str| {
        report(move |decision, state, _| {
            let digest = decision["attempt"].clone();
            state["verdict"] = json!("allowed");
            state["disposition"] = json!("unchanged");
            state["outcome"] = json!({
                "attempt": digest, "result": { "is": result }, "details": digest, "time": "2026-11-20T22:00:00Z"
            });
        })
    };
    assert!(markdown(&with("healthy")).contains("**Deployed and healthy.**"));
    assert!(markdown(&with("applied")).contains("**Allowed: what it asks for runs already.**"));
}

#[test]
fn many_targets_are_counted_by_how_they_stand_and_count_for_the_whole() {
    let mut many = report(|_, state, _| {
        state["verdict"] = json!("allowed");
        state["disposition"] = json!("unchanged");
    });
    let ReportedTarget { target, state, .. } = many.targets[0].clone();
    for number in 0..30 {
        let other = Target { application: format!("app-{number}").parse().unwrap(), ..target.clone() };
        many.others.push((other, state.clone()));
    }
    let text = markdown(&many);
    assert!(
        text.contains("# app-0, app-1, app-10, app-11, app-12 and 26 more in staging: deployed"),
        "{text}"
    );
    assert!(text.contains("**Allowed: what it asks for runs already.** 30 targets."), "{text}");
    assert!(text.contains("- and 5 more\n"), "{text}");
    many.others[29].1.verdict = Verdict::Denied;
    assert_eq!(headline(&many), "denied");
}

#[test]
fn a_flood_of_findings_is_cut_and_stays_within_what_a_comment_takes() {
    let report = report(|decision, _, _| {
        let finding = decision["rules"][0]["violations"][0].clone();
        decision["rules"][0]["violations"] = Value::Array(vec![finding; 400]);
        decision["rules"] = Value::Array(vec![decision["rules"][0].clone(); 40]);
    });
    let text = markdown(&report);
    assert!(text.contains("- and 375 more\n"), "{text}");
    assert!(text.len() < 65_535 && text.ends_with("whole decision.\n"), "{}", text.len());
}

#[test]
fn names_from_outside_do_not_break_the_page() {
    let report = report(|decision, _, _| {
        decision["rules"][0]["violations"][0]["message"] = json!("</details>\n# @everyone `x`");
        decision["approvals"][0]["shownAs"] = json!("`) **counts**");
        decision["approvals"][0]["person"] = Value::Null;
    });
    let text = markdown(&report);
    assert!(text.contains("&lt;/details> \\# @\u{200b}everyone \\`x\\`"), "{text}");
    assert!(text.contains("- `` `) **counts** `` on "), "{text}");
}

#[test]
fn what_would_change_is_told_until_it_is_done() {
    let changed = json!([
        { "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "web", "change": "changed", "fields": [
            { "field": "/data/greeting", "before": "a `b`", "after": "x".repeat(100) },
            { "field": "/data/old", "before": 3 },
            { "field": "/data/new", "after": true }] },
        { "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "old", "change": "removed", "fields": [] },
    ]);
    let mut report = report(|_, _, _| {});
    report.targets[0].diff = serde_json::from_value(changed).unwrap();
    let text = markdown(&report);
    let wanted = format!(
        "### What would change\n\n- `ConfigMap shop/web` would be changed\n  - `/data/greeting`: `` a `b` `` becomes `{}` (shortened)\n  \
         - `/data/old`: `3` is removed\n  - `/data/new`: `true` is new\n- `ConfigMap shop/old` would be deleted\n",
        "x".repeat(80)
    );
    assert!(text.contains(&wanted), "{text}");
    report.targets[0].outcome = serde_json::from_value(json!({
        "attempt": report.targets[0].decision.attempt, "target": report.targets[0].decision.target, "sequence": 3,
        "time": "2026-11-20T22:00:00Z", "result": { "is": "applied" }, "summary": "Applied.", "objects": [],
    }))
    .unwrap();
    let text = markdown(&report);
    assert!(!text.contains("would be"), "what was done says more: {text}");
}

#[test]
fn what_is_missing_is_named() {
    let waiting = |needs: &[&str], disposition: &str| {
        report(|decision, state, _| {
            state["verdict"] = json!("pending");
            state["disposition"] = json!(disposition);
            decision["rules"] = needs
                .iter()
                .map(|needs| {
                    json!({ "rule": "a.b", "title": "T", "description": "", "remedy": "", "severity": "error",
                        "controls": [], "outcome": "pending", "waitsFor": needs, "violations": [] })
                })
                .collect();
        })
    };
    for (needs, standing_words, missing) in [
        (&[][..], "waiting for reviews", "reviews"),
        (&["review"], "waiting for reviews", "reviews"),
        (&["status"], "waiting for statuses", "statuses"),
        (&["status", "review"], "waiting for reviews", "reviews and statuses"),
    ] {
        let preview = waiting(needs, "preview");
        assert_eq!(headline(&preview), standing_words);
        let text = markdown(&preview);
        assert!(text.contains(&format!("**Preview: only {missing} are missing.**")), "{text}");
        let text = markdown(&waiting(needs, "refused"));
        assert!(text.contains(&format!("**Not deployed: only {missing} are missing.**")), "{text}");
        assert_eq!(text.contains("### T: waits for statuses"), needs.contains(&"status"), "{text}");
    }
}

#[test]
fn what_programs_said_is_listed_with_whether_it_counts() {
    let report = report(|decision, _, _| {
        decision["statuses"] = json!([{ "name": "build", "id": "4", "context": "ci/build",
            "head": decision["commit"], "state": "success", "shownAs": "mallory (account 9)", "counts": false,
            "reason": "mallory (account 9) says success of 12345678, but only App 7 is expected to say so" }]);
    });
    let wanted = "### Statuses\n\n- `ci/build` on `1234567890ab`: **does not count**, mallory (account 9) says success of 12345678, but only App 7 is expected to say so\n";
    assert!(markdown(&report).contains(wanted), "{}", markdown(&report));
}
