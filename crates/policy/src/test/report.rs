//! What came of tests, for people and as JSON.

use std::collections::BTreeSet;
use std::fmt;

use countersign_core::facts::Problem;
use regorus::Value;
use serde::Serialize;

use crate::yaml;

/// The most characters of a value that are shown.
const MAX_SHOWN: usize = 600;

/// What came of every test.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestReport {
    /// The tests, by package, in the order in which they stand.
    pub tests: Vec<TestResult>,
    /// Which lines of each policy they reach.
    pub coverage: Vec<Coverage>,
    /// Why tests could not be run.
    pub problems: Vec<Problem>,
}

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// The package that is tested.
    pub package: String,
    /// The test's name.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    /// The line that it begins on.
    pub line: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// What it printed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prints: Vec<String>,
}

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// It is true.
    Passed,
    /// It is not.
    Failed {
        /// What it is instead.
        value: String,
        /// Where it failed, if that could be found.
        #[serde(skip_serializing_if = "Option::is_none")]
        shown: Option<Failure>,
    },
    /// It did not answer.
    Errored {
        /// Why.
        message: String,
    },
}

/// Where a test failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The line of the expression.
    pub line: u32,
    /// The expression, as written.
    pub expression: String,
    /// Parts of it, as written, with their values.
    pub values: Vec<(String, String)>,
}

/// Which lines of a policy tests reach.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// The policy's file.
    pub file: String,
    /// How many of its lines can be reached.
    pub lines: usize,
    /// Those that no test reaches.
    pub missed: BTreeSet<u32>,
}

impl TestReport {
    /// A report of tests that cannot be run.
    #[must_use]
    pub fn unreadable(problems: Vec<Problem>) -> Self {
        Self { problems, ..Self::default() }
    }

    /// Whether there are tests, and all pass.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.tests.is_empty() && self.problems().is_empty()
    }

    /// Every test that does not pass, as a problem with its place.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let failing = self.tests.iter().filter_map(|test| {
            let (line, what) = match &test.outcome {
                Outcome::Passed => return None,
                Outcome::Failed { shown: Some(failure), .. } => (failure.line, failure.to_string()),
                Outcome::Failed { value, .. } => (test.line, format!("it is {value}")),
                Outcome::Errored { message } => (test.line, message.clone()),
            };
            let message = format!("test {} of {} does not pass: {what}", test.name, test.package);
            Some(yaml::problem(&test.file, line, message, "correct the policy or its test"))
        });
        self.problems.iter().cloned().chain(failing).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression)?;
        self.values.iter().try_for_each(|(part, value)| write!(f, "\n      {part} is {value}"))
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for test in &self.tests {
            let TestResult { package, name, file, line, .. } = test;
            match &test.outcome {
                Outcome::Passed => writeln!(f, "pass  {package} {name}")?,
                Outcome::Failed { shown: Some(failure), .. } => {
                    writeln!(f, "FAIL  {package} {name}\n    {file}:{}: {failure}", failure.line)?;
                }
                Outcome::Failed { value, .. } => {
                    writeln!(f, "FAIL  {package} {name}\n    {file}:{line}: is {value}")?
                }
                Outcome::Errored { message } => {
                    writeln!(
                        f,
                        "ERROR {package} {name}\n    {file}:{line}: {}",
                        message.trim().replace('\n', "\n    ")
                    )?;
                }
            }
            test.prints.iter().try_for_each(|print| writeln!(f, "    printed: {print}"))?;
        }
        for problem in &self.problems {
            writeln!(f, "ERROR {}: {}", problem.at, problem.message)?;
        }
        for file in self.coverage.iter().filter(|file| !file.missed.is_empty()) {
            let missed: Vec<_> = file.missed.iter().map(ToString::to_string).collect();
            writeln!(f, "no test reaches {} lines {}", file.file, missed.join(", "))?;
        }
        let failed = self.tests.iter().filter(|test| test.outcome != Outcome::Passed).count();
        write!(f, "{} tests, {failed} not passed", self.tests.len())
    }
}

/// A value for people.
#[must_use]
pub fn show(value: &Value) -> String {
    if *value == Value::Undefined {
        return "undefined".to_owned();
    }
    let text = serde_json::to_string(value).unwrap_or_else(|_| "a value without JSON".to_owned());
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
