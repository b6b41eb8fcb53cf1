//! The test runner: every rule named `test_…` in a `_test.rego` must be true.
//!
//! A failing test is shown with the expression that failed and the values that it compared; a policy with
//! the lines that no test reaches.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::facts::Problem;
use regorus::{Engine, Value};

use crate::bundle::Bundle;
use crate::engine::package::{self, Module, Packages};
use crate::engine::{budget, prepare};
use crate::lint::{self, uses};

pub mod probe;
pub mod report;

use report::{Coverage, Outcome, TestReport, TestResult};

/// Runs the tests of a bundle.
#[must_use]
pub fn run(bundle: &Bundle) -> TestReport {
    let ran = budget::on_large_stack(|| {
        package::sort(bundle.modules()).map(|packages| run_packages(&packages, Some(bundle.data())))
    });
    ran.unwrap_or_else(|reason| Err(stopped(reason))).unwrap_or_else(TestReport::unreadable)
}

/// Runs the tests of a folder of policies that is no whole control repository: `modules` by path, as
/// `policies/images/pinned/pinned.rego`. Without `data`, tests bring their own by `with data.… as …`.
///
/// # Errors
/// What is wrong with the policies; then no test is run.
pub fn run_modules(
    modules: &BTreeMap<String, String>,
    data: Option<&serde_json::Value>,
) -> Result<TestReport, Vec<Problem>> {
    let ran = budget::on_large_stack(|| {
        let packages = package::sort(modules)?;
        let mut problems = lint::check(&packages, data);
        for rule in &packages.rules {
            problems.extend(crate::engine::describe(rule).err().into_iter().flatten());
        }
        if problems.is_empty() { Ok(run_packages(&packages, data)) } else { Err(problems) }
    });
    ran.unwrap_or_else(|reason| Err(stopped(reason)))
}

fn stopped(reason: String) -> Vec<Problem> {
    vec![crate::yaml::problem("policies", 1, reason, "simplify what was added last")]
}

fn run_packages(packages: &Packages, data: Option<&serde_json::Value>) -> TestReport {
    let mut report = TestReport::default();
    for rule in &packages.rules {
        let modules: Vec<&Module> = rule.modules.iter().chain(&packages.library).collect();
        run_package(&rule.modules, &rule.tests, &modules, data, &mut report);
    }
    let names: BTreeSet<&str> = packages.library_tests.iter().map(|test| test.package.as_str()).collect();
    for name in names {
        let of = |modules: &[Module]| -> Vec<Module> {
            modules.iter().filter(|module| module.package == name).cloned().collect()
        };
        let modules: Vec<&Module> = packages.library.iter().collect();
        run_package(&of(&packages.library), &of(&packages.library_tests), &modules, data, &mut report);
    }
    report
}

/// Runs `tests`; `covered` are the modules whose lines they are to reach.
fn run_package(
    covered: &[Module],
    tests: &[Module],
    modules: &[&Module],
    data: Option<&serde_json::Value>,
    report: &mut TestReport,
) {
    let mut lines: BTreeMap<String, Lines> = BTreeMap::new();
    for test in tests {
        for (rule, line) in test_rules(test) {
            let path = format!("data.{}.{rule}", test.package);
            let all = modules.iter().copied().chain(tests);
            let (mut outcome, prints) = match prepare(all, data, &path) {
                // Of two definitions one may fail unseen.
                _ if is_defined_twice(&rule, tests) => (
                    Outcome::Errored {
                        message: "the test is defined twice: give each a name of its own".into(),
                    },
                    vec![],
                ),
                Ok(mut engine) => {
                    engine.set_enable_coverage(true);
                    let outcome = run_test(&mut engine, &path);
                    note_coverage(&engine, covered, &mut lines);
                    outcome
                }
                Err(message) => (Outcome::Errored { message }, Vec::new()),
            };
            if let Outcome::Failed { shown, .. } = &mut outcome {
                *shown = probe::explain(test, &rule, modules, tests, data);
            }
            let package = test.package.clone();
            report.tests.push(TestResult {
                package,
                name: rule,
                file: test.file.clone(),
                line,
                outcome,
                prints,
            });
        }
    }
    report.coverage.extend(lines.into_iter().map(|(file, lines)| {
        let missed: BTreeSet<u32> = lines.all.difference(&lines.covered).copied().collect();
        Coverage { file, lines: lines.all.len(), missed }
    }));
}

/// The tests of a module with their lines, each name once, in the order in which they stand.
fn test_rules(test: &Module) -> Vec<(String, u32)> {
    let mut seen = BTreeSet::new();
    let named = test.syntax.policy.iter().filter_map(|rule| {
        let name = uses::root(uses::head(rule)).filter(|name| name.starts_with("test_"))?;
        seen.insert(name.clone()).then(|| (name, rule.span().line))
    });
    named.collect()
}

fn is_defined_twice(name: &str, tests: &[Module]) -> bool {
    let rules = tests.iter().flat_map(|test| &test.syntax.policy);
    rules.filter(|rule| uses::root(uses::head(rule)).as_deref() == Some(name)).count() > 1
}

fn run_test(engine: &mut Engine, path: &str) -> (Outcome, Vec<String>) {
    let result = budget::guarded(|| engine.eval_rule(path.to_owned()));
    let prints = engine.take_prints().unwrap_or_default();
    let outcome = match result {
        Ok(Value::Bool(true)) => Outcome::Passed,
        Ok(value) => Outcome::Failed { value: report::show(&value), shown: None },
        Err(stopped) => Outcome::Errored { message: stopped.to_string() },
    };
    (outcome, prints)
}

#[derive(Default)]
struct Lines {
    all: BTreeSet<u32>,
    covered: BTreeSet<u32>,
}

fn note_coverage(engine: &Engine, covered: &[Module], lines: &mut BTreeMap<String, Lines>) {
    let Ok(report) = engine.get_coverage_report() else { return };
    for file in report.files.into_iter().filter(|file| covered.iter().any(|module| module.file == file.path))
    {
        let entry = lines.entry(file.path).or_default();
        entry.all.extend(file.covered.iter().chain(&file.not_covered));
        entry.covered.extend(&file.covered);
    }
}

#[cfg(test)]
mod tests;
