//! What came of tests, for people: a line for each package, and each failure in full.

use std::collections::BTreeMap;

use countersign_policy::test::report::{Coverage, Failure, Outcome, TestReport, TestResult};

use crate::commands::shown::{Cell, clean, counted, table};
use crate::output::{Paint, paint};

/// Keeps what is of `package` or below it.
pub fn keep(report: &mut TestReport, package: &str) {
    let within =
        |name: &str| name == package || name.strip_prefix(package).is_some_and(|rest| rest.starts_with('.'));
    report.tests.retain(|test| within(&test.package));
    let files: Vec<_> = report.tests.iter().map(|test| folder(&test.file).to_owned()).collect();
    report.coverage.retain(|coverage| files.iter().any(|of| of == folder(&coverage.file)));
}

fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The report.
pub fn text(report: &TestReport, verbose: bool, colored: bool) -> String {
    let mut parts = vec![table(&rows(report), colored)];
    if verbose {
        let passing = report.tests.iter().filter(|test| test.outcome == Outcome::Passed);
        let lines = passing
            .map(|test| format!("{} {} {}", paint(Paint::Good, "pass", colored), test.package, test.name));
        parts.push(lines.collect::<Vec<_>>().join("\n"));
    }
    parts.extend(report.tests.iter().filter_map(|test| failing(test, colored)));
    for problem in &report.problems {
        parts.push(format!(
            "{} {}: {}",
            paint(Paint::Bad, "ERROR", colored),
            problem.at,
            clean(&problem.message)
        ));
    }
    let missed: Vec<_> =
        report.coverage.iter().filter(|file| !file.missed.is_empty()).map(uncovered).collect();
    parts.push(paint(Paint::Dim, &missed.join("\n"), colored));
    let failed = report.tests.iter().filter(|test| test.outcome != Outcome::Passed).count();
    let result = if report.passed() {
        paint(Paint::Good, "passed", colored)
    } else {
        paint(Paint::Bad, "failed", colored)
    };
    parts.push(format!("{result}: {}, {failed} not passed", counted(report.tests.len(), "test")));
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// A line for each package: whether all pass, how many there are, and what share of its lines they reach.
fn rows(report: &TestReport) -> Vec<Vec<Cell>> {
    let mut packages: BTreeMap<&str, Vec<&TestResult>> = BTreeMap::new();
    for test in &report.tests {
        packages.entry(&test.package).or_default().push(test);
    }
    let row = |(package, tests): (&str, Vec<&TestResult>)| {
        let passed = tests.iter().all(|test| test.outcome == Outcome::Passed);
        let result: Cell = if passed { ("ok", Paint::Good).into() } else { ("FAIL", Paint::Bad).into() };
        let folder = tests.first().map(|test| folder(&test.file)).unwrap_or_default();
        vec![result, package.into(), counted(tests.len(), "test").into(), reached(report, folder).into()]
    };
    packages.into_iter().map(row).collect()
}

fn reached(report: &TestReport, of: &str) -> String {
    let files = report.coverage.iter().filter(|file| folder(&file.file) == of);
    let (lines, missed) =
        files.fold((0, 0), |(lines, missed), file| (lines + file.lines, missed + file.missed.len()));
    match lines {
        0 => String::new(),
        _ => format!("{}% of lines", (lines - missed.min(lines)) * 100 / lines),
    }
}

fn failing(test: &TestResult, colored: bool) -> Option<String> {
    let TestResult { package, name, file, line, .. } = test;
    let head = |word: &str| format!("{} {package} {name}", paint(Paint::Bad, word, colored));
    let mut text = match &test.outcome {
        Outcome::Passed => return None,
        Outcome::Failed { shown: Some(failure), .. } => {
            format!("{}\n  {file}:{}\n{}", head("FAIL"), failure.line, compared(failure))
        }
        Outcome::Failed { value, .. } => {
            format!("{}\n  {file}:{line}\n    it is {value}, not true", head("FAIL"))
        }
        Outcome::Errored { message } => {
            format!("{}\n  {file}:{line}\n    {}", head("ERROR"), message.trim().replace('\n', "\n    "))
        }
    };
    for print in &test.prints {
        text += &format!("\n    printed {}", clean(print));
    }
    Some(text)
}

/// The expression that failed, and each part of it with its value.
fn compared(failure: &Failure) -> String {
    let mut text = format!("    {}", failure.expression.trim().replace('\n', "\n    "));
    for (part, value) in &failure.values {
        text += &format!("\n      {part} is {value}");
    }
    text
}

fn uncovered(file: &Coverage) -> String {
    let lines: Vec<_> = file.missed.iter().map(ToString::to_string).collect();
    format!("no test reaches {}:{}", file.file, lines.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome) -> TestReport {
        let test = TestResult {
            package: "images.pinned".into(),
            name: "test_tag".into(),
            file: "policies/images/pinned/pinned_test.rego".into(),
            line: 7,
            outcome,
            prints: Vec::new(),
        };
        let coverage =
            Coverage { file: "policies/images/pinned/pinned.rego".into(), lines: 4, missed: [9].into() };
        TestReport { tests: vec![test], coverage: vec![coverage], problems: Vec::new() }
    }

    #[test]
    fn a_failure_shows_the_values_that_it_compared() {
        let shown = Failure {
            line: 9,
            expression: "count(x) == 1".into(),
            values: vec![("count(x)".into(), "2".into())],
        };
        let text =
            text(&report(Outcome::Failed { value: "undefined".into(), shown: Some(shown) }), false, false);
        let wanted = "FAIL  images.pinned  1 test  75% of lines\n\n\
            FAIL images.pinned test_tag\n  policies/images/pinned/pinned_test.rego:9\n    count(x) == 1\n      count(x) is 2\n\n\
            no test reaches policies/images/pinned/pinned.rego:9\n\nfailed: 1 test, 1 not passed";
        assert_eq!(text, wanted);
    }

    #[test]
    fn only_the_named_package_is_kept() {
        let mut report = report(Outcome::Passed);
        keep(&mut report, "images");
        assert_eq!((report.tests.len(), report.coverage.len()), (1, 1));
        keep(&mut report, "image");
        assert_eq!((report.tests.len(), report.coverage.len()), (0, 0));
    }
}
