use std::collections::BTreeMap;

use crate::engine::compile;
use crate::fixture;

/// What is wrong with a rule of this body, which begins on line 10 of its file.
fn problems(body: &str) -> Vec<String> {
    problems_of(&fixture::rule(body))
}

fn problems_of(modules: &BTreeMap<String, String>) -> Vec<String> {
    let problems = compile(modules, &fixture::data()).err().unwrap_or_default();
    problems
        .iter()
        .map(|p| format!("{}: {} ({})", p.at.line, p.message, p.help.as_deref().unwrap_or("")))
        .collect()
}

fn deny(condition: &str) -> String {
    format!("deny contains {{\"message\": \"m\"}} if {{\n{condition}\n}}")
}

#[test]
fn what_leads_nowhere_is_shown_with_its_line_and_the_nearest_name() {
    for (condition, expected) in [
        (
            "data.registrys.allowed",
            "11: data.registrys.allowed does not exist: there is no `registrys` (did you mean `registries`?)",
        ),
        ("data.registries.alowed", "there is no `alowed` (did you mean `allowed`?)"),
        ("some x in data.kinds.protectd", "did you mean `protected`?"),
        ("data.configuration.teems.shop", "did you mean `teams`?"),
        ("data.images.pinned.deny", "there is no `images`"),
        ("data.area.rule.nothing", "there is no `nothing`"),
        ("input.objcts[_]", "did you mean `objects`?"),
        ("input.range.hads", "did you mean `heads`?"),
        ("some o in input.objects; input.target.applicaton == o.name", "did you mean `application`?"),
        ("input.history.hold.raeson == \"\"", "did you mean `reason`?"),
        ("input.render.problems[_].mesage == \"\"", "did you mean `message`?"),
        ("startwith(\"a\", \"b\")", "no function is named startwith (did you mean `startswith`?)"),
        ("strings.replace(\"a\", \"b\")", "no function is named strings.replace"),
        ("startswith(\"a\")", "startswith takes 2 arguments, and is given 1"),
        ("f(1)", "no function is named f"),
    ] {
        let shown = problems(&deny(condition));
        assert!(shown.iter().any(|line| line.contains(expected)), "{condition}: {shown:?}");
    }
}

#[test]
fn names_that_lead_somewhere_are_left_alone() {
    for condition in [
        "data.registries.allowed[_] == \"x\"",
        "some app; data.contributors.applications[app]",
        "some team, entry in data.configuration.teams; entry.members; team",
        "input.target.application == \"shop\"; input.history.usedHeads[\"x\"]; input.range.heads[0].approvers[_]",
        "input.objects[_].object.spec.anything[_].at.all",
        "input.change.newBundle; input.pullRequests[_].author",
        "x := {\"allowed\": 1}; x.anything",
    ] {
        assert_eq!(problems(&deny(condition)), [] as [&str; 0], "{condition}");
    }
}

#[test]
fn imports_are_resolved() {
    let with = |import: &str, condition: &str| problems(&format!("import {import}\n{}", deny(condition)));
    assert_eq!(with("data.registries as r", "r.allowed"), [] as [&str; 0]);
    assert!(with("data.registries as r", "r.alowed")[0].contains("did you mean `allowed`?"));
    assert!(with("data.lib.missing", "missing.f(1)").iter().any(|line| line.contains("does not exist")));
    assert!(with("data.kindz", "kindz.x")[0].contains("did you mean `kinds`?"));
    assert!(with("input.objets as o", "o")[0].contains("did you mean `objects`?"));
}

#[test]
fn a_library_is_seen_and_other_rules_are_not() {
    let mut modules = fixture::rule(&format!(
        "import data.lib.names\n{}",
        deny("names.f(1)\nnames.g(1)\ndata.lib.names.f(1, 2, 3)")
    ));
    modules.insert("policies/lib/names.rego".into(), "package lib.names\nimport rego.v1\nf(x) := x\n".into());
    let shown = problems_of(&modules);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].starts_with("13:") && shown[0].contains("names.g"), "{shown:?}");
    assert!(shown[1].contains("takes 1 arguments"), "{shown:?}");
    let mut both = fixture::policies();
    both.extend(fixture::rule(&deny("data.images.pinned.deny")));
    assert!(problems_of(&both)[0].contains("images.pinned"), "{:?}", problems_of(&both));
}

#[test]
fn builtins_that_know_or_cost_too_much_are_refused() {
    for call in [
        "time.now_ns() > 1",
        "rand.intn(\"a\", 2) > 1",
        "count(numbers.range(1, 5)) > 1",
        "trace(\"x\")",
        "print(\"x\")",
    ] {
        assert!(
            problems(&deny(call))[0].contains("may not be called"),
            "{call}: {:?}",
            problems(&deny(call))
        );
    }
    assert!(problems(&deny("http.send({}).status == 1"))[0].contains("http.send"));
}

#[test]
fn replacing_facts_is_for_tests() {
    assert!(
        problems(&deny("input.time == \"x\" with input.time as \"x\""))[0].contains("`with` replaces facts")
    );
}

#[test]
fn a_negated_call_has_arguments_that_exist() {
    let shown = problems(&deny("some image in input.images\nnot startswith(image.digest, \"sha256\")"));
    assert!(shown[0].starts_with("12:") && shown[0].contains("bind the argument first"), "{shown:?}");
    assert_eq!(
        problems(&deny("some image in input.images\nd := image.digest\nnot startswith(d, \"sha256\")")),
        [] as [&str; 0]
    );
}

#[test]
fn recursion_is_refused() {
    let shown = problems(&format!("f(x) := g(x)\ng(x) := f(x)\n{}", deny("f(1)")));
    assert!(shown.iter().any(|line| line.contains("leads back to itself")), "{shown:?}");
    let shown = problems(&format!("a if b\nb if a\n{}", deny("a")));
    assert!(shown.iter().any(|line| line.contains("leads back to itself")), "{shown:?}");
}

#[test]
fn a_variable_does_not_have_the_name_of_a_rule() {
    let body = format!("image(x) := x.reference\n{}", deny("some image in input.images; image.digest"));
    let shown = problems(&body);
    assert!(shown.iter().any(|line| line.contains("`image` has the name of a rule")), "{shown:?}");
    let mut modules = fixture::rule(&deny("some image in input.images; image.digest"));
    modules.insert(
        "policies/area/rule/other_test.rego".into(),
        "package area.rule\nimport rego.v1\nimage := 1\n".into(),
    );
    assert!(
        problems_of(&modules)[0].contains("`image` has the name of a rule"),
        "{:?}",
        problems_of(&modules)
    );
}

#[test]
fn chains_that_multiply_the_budget_are_refused() {
    let clauses: String =
        (0..10).map(|n| format!("f{n}(x) if f{}(x)\nf{n}(x) if f{}(x)\n", n + 1, n + 1)).collect();
    let shown = problems(&format!("{clauses}f10(x) if x\n{}", deny("f0(1)")));
    assert!(shown.iter().any(|line| line.contains("clauses")), "{shown:?}");
    let deep: String = (0..40).map(|n| format!("f{n}(x) := f{}(x)\n", n + 1)).collect();
    let shown = problems(&format!("{deep}f40(x) := x\n{}", deny("f0(1)")));
    assert!(shown.iter().any(|line| line.contains("calls deep")), "{shown:?}");
}

#[test]
fn values_that_double_are_refused() {
    for step in ["concat(\"\", [A, A])", "[A, A]", "A * A", "array.concat(A, A)", "sprintf(\"%v%v\", [A, A])"]
    {
        let line = |n: usize| format!("a{} := {}\n", n + 1, step.replace('A', &format!("a{n}")));
        let body: String = (0..40).map(line).collect();
        let shown = problems(&deny(&format!("a0 := input.time\n{body}a40 == 1")));
        assert!(shown.iter().any(|line| line.contains("can grow")), "{step}: {shown:?}");
    }
    let functions: String =
        (0..40).map(|n| format!("f{}(x) := concat(\"\", [f{n}(x), f{n}(x)])\n", n + 1)).collect();
    let shown = problems(&format!("f0(x) := x\n{functions}{}", deny("f20(\"a\") == \"\"")));
    assert!(shown.iter().any(|line| line.contains("can grow")), "{shown:?}");
}
