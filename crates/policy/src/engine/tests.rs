use super::*;
use crate::fixture;
use serde_json::json;

fn answer_to(body: &str, input: &serde_json::Value) -> Answer {
    let rules = compile(&fixture::rule(body), &fixture::data()).unwrap();
    let answers = rules.evaluate(input);
    assert_eq!(answers.len(), 1);
    answers[0].1.clone()
}

fn answer(body: &str) -> Answer {
    answer_to(body, &json!({"time": "", "objects": [], "target": {"path": "x"}}))
}

fn problems(modules: &BTreeMap<String, String>) -> Vec<String> {
    let problems = compile(modules, &fixture::data()).unwrap_err();
    problems
        .iter()
        .map(|p| format!("{}: {} ({})", p.at, p.message, p.help.as_deref().unwrap_or("")))
        .collect()
}

#[test]
fn a_deny_is_a_set_of_findings() {
    let body = r#"deny contains {"message": "m", "field": "/spec", "object": {"apiVersion": "v1", "kind": "Pod", "name": "web"}} if true"#;
    let Answer::Found(found) = answer(body) else { panic!() };
    assert_eq!((found[0].message.as_str(), found[0].field.as_deref()), ("m", Some("/spec")));
    assert_eq!(found[0].object.as_ref().unwrap().kind, "Pod");
    assert_eq!(answer("deny contains {\"message\": \"m\"} if false"), Answer::Found(vec![]));
}

#[test]
fn whatever_is_no_answer_is_an_error() {
    for (body, expected) in [
        ("deny := [\"m\"]", "not a set"),
        ("deny if input.time == \"x\"", "undefined"),
        ("deny contains \"m\" if true", "not an object"),
        ("deny contains {\"msg\": \"m\"} if true", "unknown field"),
        ("deny contains {\"message\": 1} if true", "invalid type"),
        ("deny contains {\"message\": \"m\", \"object\": {\"kind\": \"Pod\"}} if true", "missing field"),
        ("deny contains {\"message\": sprintf(\"%d\", [\"x\"])} if true", "empty message"),
        ("deny contains {\"message\": \"m\"} if to_number(\"x\") > 1", "could not parse"),
        (
            "f(x) := 1 if true\nf(x) := 2 if true\ndeny contains {\"message\": \"m\"} if f(1) == 1",
            "multiple outputs",
        ),
    ] {
        let Answer::Errored(reason) = answer(body) else { panic!("{body}: {:?}", answer(body)) };
        assert!(reason.contains(expected), "{body}: {reason}");
    }
}

#[test]
fn a_panic_is_an_error_and_the_next_rule_still_answers() {
    // Name resolution refuses the call; here the engine is asked all the same.
    let packages = package::sort(&fixture::rule(
        "deny contains {\"message\": \"m\"} if strings.count(\"abc\", \"\") > 0",
    ))
    .unwrap();
    let engine = prepare(&packages.rules[0].modules, None, "data.area.rule.deny").unwrap();
    let metadata = describe(&packages.rules[0]).unwrap().1;
    let bad = Rule { name: "area.rule".into(), file: "f".into(), metadata, engine };
    let good = compile(&fixture::rule("deny := set()"), &fixture::data()).unwrap().rules.remove(0);
    let rules = Rules { rules: vec![bad, good] };
    let answers = rules.evaluate(&json!({}));
    assert!(
        matches!(&answers[0].1, Answer::Errored(reason) if reason.contains("panicked")),
        "{:?}",
        answers[0].1
    );
    assert_eq!(answers[1].1, Answer::Found(vec![]));
    assert!(
        problems(&fixture::rule("deny contains {\"message\": \"m\"} if strings.count(\"abc\", \"\") > 0"))[0]
            .contains("may not be called")
    );
}

#[test]
fn a_loop_is_stopped_by_the_work_it_does() {
    let list = (0..40).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let body = format!(
        "xs := [{list}]\ndeny contains {{\"message\": \"m\"}} if {{ some a in xs; some b in xs; some c in xs; some d in xs; some e in xs; a + b + c + d + e < 0 }}"
    );
    let Answer::OverBudget(first) = answer(&body) else { panic!() };
    assert!(first.contains("1000000 steps"), "{first}");
    assert_eq!(answer(&body), Answer::OverBudget(first));
}

#[test]
fn a_loop_in_a_function_is_over_budget_and_not_an_error() {
    let list = (0..40).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let body = format!(
        "xs := [{list}]\nf(x) if {{ some a in xs; some b in xs; some c in xs; some d in xs; a + b + c + d < x }}\ndeny contains {{\"message\": \"m\"}} if not f(0)"
    );
    assert!(matches!(answer(&body), Answer::OverBudget(_)), "{:?}", answer(&body));
}

#[test]
fn too_many_findings_are_over_budget() {
    let input =
        json!({"images": (0..=1000).map(|n| json!({"reference": n.to_string()})).collect::<Vec<_>>()});
    let body = "deny contains {\"message\": image.reference} if some image in input.images";
    assert!(matches!(answer_to(body, &input), Answer::OverBudget(_)));
}

#[test]
fn each_rule_has_its_own_interpreter_and_its_own_budget() {
    let rules = compile(&fixture::policies(), &fixture::data()).unwrap();
    let names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert!(names.is_sorted() && names.contains(&"images.pinned") && names.len() == 15, "{names:?}");
}

#[test]
fn a_package_is_its_folder() {
    for (path, package, expected) in [
        ("policies/area/rule/rule.rego", "area.other", "is in the folder of area.rule"),
        ("policies/rule.rego", "rule", "no folder of its own"),
        ("policies/area/rule.rego", "area", "no folder of its own"),
        ("policies/lib/x.rego", "lib.y", "is in the folder of lib.x"),
        ("policies/countersign/x/x.rego", "countersign.x", "reserved"),
        ("policies/Area/rule/rule.rego", "Area.rule", "not a package's"),
    ] {
        let modules = BTreeMap::from([(path.to_owned(), format!("package {package}\n"))]);
        assert!(problems(&modules)[0].contains(expected), "{path}: {:?}", problems(&modules));
    }
}

#[test]
fn a_rule_without_a_test_or_a_test_without_a_rule_is_refused() {
    let mut modules = fixture::rule("deny := set()");
    let test = modules.remove("policies/area/rule/rule_test.rego").unwrap();
    assert!(problems(&modules)[0].contains("has no test"));
    let modules = BTreeMap::from([("policies/area/rule/rule_test.rego".to_owned(), test)]);
    assert!(problems(&modules)[0].contains("no rule is beside"));
}

#[test]
fn what_does_not_parse_is_shown_at_its_line() {
    let shown = problems(&fixture::rule("deny contains {"));
    assert!(shown[0].starts_with("policies/area/rule/rule.rego:1"), "{shown:?}");
    let shown = problems(&fixture::rule("x := 1"));
    assert!(shown[0].contains("not a valid rule path"), "{shown:?}");
    let shown = problems(&fixture::rule("deny contains {\"message\": m} if nowhere == 1"));
    assert!(shown[0].contains("undefined") || shown[0].contains("unsafe"), "{shown:?}");
}

#[test]
fn syntax_that_is_too_deep_is_refused_and_overflows_no_stack() {
    // Lines are kept shorter than the engine takes, so that nothing but depth is too much.
    let repeated = |part: &str| {
        let line = format!("{}\n", part.repeat(900 / part.len()));
        line.repeat(110)
    };
    for deep in [
        format!("x := {}1", repeated("(")),
        format!("x := {}", repeated("[")),
        format!("x := 1{}", repeated("+1")),
        format!("x := input{}", repeated(".a")),
        format!("x := input{}", ".a".repeat(400)),
        format!("x := input{}", repeated("[1]")),
        format!("x := input{}", repeated("[x")),
        format!("x := {{1}}{}", repeated("|{1}")),
        format!("x := 1{}", repeated("== 1")),
        format!("x := {}1", repeated("-")),
        format!("x := {}1", repeated("- ")),
        format!("x if {}true", repeated("not ")),
        format!("x := 1 {}", repeated("else := 1 ")),
        format!("x := 1 if false\n{}", repeated("else := 1 if false ")),
        format!("x if {{ {} }}", repeated("every y in [1] { ")),
        format!("x if {{ {} }}", repeated("y in ")),
        format!("x := {}", repeated("f(")),
    ] {
        let shown = problems(&fixture::rule(&deep));
        assert!(shown[0].starts_with("policies/area/rule/rule.rego:"), "{deep:.40}: {:.300}", shown[0]);
    }
}
