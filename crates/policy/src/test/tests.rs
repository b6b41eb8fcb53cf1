use super::*;
use crate::fixture;

fn run_rule(policy: &str, test: &str) -> TestReport {
    let mut modules = fixture::rule(policy);
    modules.insert(
        "policies/area/rule/rule_test.rego".into(),
        format!("package area.rule\nimport rego.v1\n{test}"),
    );
    run_modules(&modules, Some(&fixture::data())).unwrap()
}

const POLICY: &str = "deny contains {\"message\": image.reference} if {\nsome image in input.images\nnot image.digest\n}\nnever if input.time == \"never\"";

#[test]
fn the_projects_own_policies_pass_and_every_line_is_reached() {
    let report = run_modules(&fixture::policies(), None).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(report.passed() && report.tests.len() > 50, "{report}");
    let missed: Vec<_> = report.coverage.iter().filter(|file| !file.missed.is_empty()).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn the_projects_own_policies_resolve_with_their_data() {
    let report = run_modules(&fixture::policies(), Some(&fixture::data()));
    assert!(report.is_ok_and(|report| report.passed()));
}

#[test]
fn a_failure_shows_the_expression_and_its_values() {
    let report = run_rule(
        POLICY,
        "test_it if {\n  images := [{\"reference\": \"web\"}]\n  denied := deny with input.images as images\n  count(denied) == 1\n  denied == {{\"message\": \"api\"}}\n}\n",
    );
    assert!(!report.passed());
    insta::assert_snapshot!(report, @r#"
    FAIL  area.rule test_it
        policies/area/rule/rule_test.rego:7: denied == {{"message": "api"}}
          denied is [{"message":"web"}]
          {{"message": "api"}} is [{"message":"api"}]
    no test reaches policies/area/rule/rule.rego lines 14
    1 tests, 1 not passed
    "#);
    let problems = report.problems();
    assert_eq!((problems[0].at.line, problems.len()), (7, 1));
}

#[test]
fn a_failure_with_replaced_facts_shows_what_the_rule_answered() {
    let report = run_rule(
        POLICY,
        "test_it if count(deny) == 2 with input as {\"images\": [{\"reference\": \"web\"}]}\n",
    );
    assert!(report.to_string().contains("count(deny) is 1"), "{report}");
}

#[test]
fn tests_that_err_panic_loop_or_are_false_do_not_pass() {
    for (test, expected) in [
        ("test_it if to_number(\"x\") == 1\n", "could not parse"),
        ("test_it if strings.count(\"a\", \"x\") == 1\n", "may not be called"),
        ("test_it := false\n", "is false"),
        ("test_it := 1\n", "is 1"),
        ("test_it if not true\n", "not true"),
    ] {
        let mut modules = fixture::rule(POLICY);
        modules.insert(
            "policies/area/rule/rule_test.rego".into(),
            format!("package area.rule\nimport rego.v1\n{test}"),
        );
        let shown = match run_modules(&modules, Some(&fixture::data())) {
            Ok(report) => {
                assert!(!report.passed(), "{test}");
                report.to_string()
            }
            Err(problems) => format!("{problems:?}"),
        };
        assert!(shown.contains(expected), "{test}: {shown}");
    }
}

#[test]
fn a_test_that_prints_shows_it() {
    let report = run_rule(
        POLICY,
        "test_it if {\n  print(\"seen\", 1)\n  deny == set() with input as {\"images\": []}\n}\n",
    );
    assert!(report.passed() && report.to_string().contains("seen 1"), "{report}");
}

#[test]
fn a_test_that_is_defined_twice_could_hide_a_failure() {
    let report = run_rule(POLICY, "test_it if count(deny) == 5\ntest_it if true\ntest_other if true\n");
    let names: Vec<_> = report.tests.iter().map(|test| (test.name.as_str(), test.line)).collect();
    assert_eq!(names, [("test_it", 3), ("test_other", 5)]);
    assert!(report.to_string().contains("defined twice") && report.problems().len() == 1, "{report}");
}

#[test]
fn without_tests_nothing_has_passed() {
    assert!(!TestReport::default().passed());
    let mut modules = fixture::rule(POLICY);
    modules.insert(
        "policies/area/rule/rule_test.rego".into(),
        "package area.rule\nimport rego.v1\nhelper := 1\n".into(),
    );
    let problems = run_modules(&modules, None).unwrap_err();
    assert!(problems[0].message.contains("no rule whose name begins with test_"));
}
