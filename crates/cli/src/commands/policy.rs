//! `countersign policy`: the rules of a control repository, and their tests.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, Subcommand};
use countersign_core::bundle::CONFIGURATION;
use countersign_core::decision::{Needs, Severity};
use countersign_core::facts::Problem;
use countersign_policy::engine::describe;
use countersign_policy::engine::package;
use countersign_policy::metadata::Metadata;
use countersign_policy::test::report::TestReport;
use serde_json::{Value, json};

use super::shown::{Cell, clean, counted, heading, prose, table};
use super::{judged, problems};
use crate::output::{Conclusion, Paint, Printed, colored, paint};
use rules::Rules;

mod report;
mod rules;

/// The commands below `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Run the tests of the rules.
    Test(TestArguments),
    /// List the rules.
    List(ListArguments),
}

/// Arguments of `policy test`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  countersign policy test\n  countersign policy test policies --rule images.pinned --verbose\n\n\
    Exit codes: 0 all pass, 1 some fail or there are none, 2 error."
)]
pub struct TestArguments {
    /// A control repository, or a folder of policies.
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Only the tests of this package, or of those below it.
    #[arg(long, value_name = "PACKAGE")]
    pub rule: Option<String>,
    /// Show the tests that pass, too.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Arguments of `policy list`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign policy list /srv/control --verbose")]
pub struct ListArguments {
    /// A control repository, or a folder of policies.
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Show why each rule exists and what to do when it fails, too.
    #[arg(long, short)]
    pub verbose: bool,
    /// Print a reference of all rules, as Markdown.
    #[arg(long, conflicts_with = "verbose")]
    pub markdown: bool,
}

/// Runs tests, or lists rules.
///
/// # Errors
/// When there are no policies to look at.
pub fn run(command: &PolicyCommand) -> anyhow::Result<Printed> {
    match command {
        PolicyCommand::Test(arguments) => test(arguments),
        PolicyCommand::List(arguments) => list(arguments),
    }
}

fn test(arguments: &TestArguments) -> anyhow::Result<Printed> {
    let rules = Rules::open(&arguments.folder)?;
    let mut report = match rules.test() {
        Ok(report) => report,
        Err(found) => return Ok(broken(&rules, &found)),
    };
    if let Some(package) = &arguments.rule {
        report::keep(&mut report, package);
        if report.tests.is_empty() {
            bail!("no test is of package {package:?}: countersign policy list names the rules");
        }
    }
    let passed = report.passed();
    let mut document = serde_json::to_value(&report)?;
    document["passed"] = Value::Bool(passed);
    let text = report::text(&report, arguments.verbose, colored());
    Ok(Printed { text, document, conclusion: if passed { Conclusion::Done } else { Conclusion::Denied } })
}

/// Policies that cannot be loaded: nothing was tested.
fn broken(rules: &Rules, found: &[Problem]) -> Printed {
    let line_of = |file: &str, line: u32| judged::line_in(rules.tree(), file, line);
    let text = format!(
        "{}\n\n{}: {}, nothing was tested",
        problems::text(found, line_of, colored()),
        paint(Paint::Bad, "not valid", colored()),
        counted(found.len(), "problem")
    );
    let report = serde_json::to_value(TestReport::unreadable(found.to_vec())).unwrap_or_default();
    let mut document = report;
    document["passed"] = Value::Bool(false);
    Printed { text, document, conclusion: Conclusion::Denied }
}

fn list(arguments: &ListArguments) -> anyhow::Result<Printed> {
    let rules = Rules::open(&arguments.folder)?;
    let described = package::sort(rules.modules()).and_then(|packages| {
        let described = packages.rules.iter().map(|package| {
            let (file, metadata) = describe(package)?;
            Ok(Described { name: package.name.clone(), file, metadata })
        });
        described.collect::<Result<Vec<_>, Vec<Problem>>>()
    });
    match described {
        Ok(described) => {
            let document = json!({ "rules": described.iter().map(Described::document).collect::<Vec<_>>(), "problems": [] });
            let text = if arguments.markdown {
                reference(&described)
            } else {
                listed(&described, arguments.verbose, colored())
            };
            Printed::done(text, &document)
        }
        Err(found) => {
            let line_of = |file: &str, line: u32| judged::line_in(rules.tree(), file, line);
            let text = problems::text(&found, line_of, colored());
            Ok(Printed {
                text,
                document: json!({ "rules": [], "problems": found }),
                conclusion: Conclusion::Denied,
            })
        }
    }
}

/// A rule with what it says of itself.
struct Described {
    name: String,
    file: String,
    metadata: Metadata,
}

impl Described {
    /// What it cannot pass without, in a word; nothing for most.
    fn needs(&self) -> &'static str {
        match self.metadata.custom.needs {
            Some(Needs::Review) => "review",
            Some(Needs::Status) => "status",
            None => "",
        }
    }

    fn document(&self) -> Value {
        let custom = &self.metadata.custom;
        json!({
            "rule": self.name, "file": self.file, "title": self.metadata.title,
            "description": self.metadata.description, "severity": custom.severity, "remedy": custom.remedy,
            "controls": custom.controls, "needs": custom.needs,
        })
    }

    fn row(&self) -> Vec<Cell> {
        let severity = match self.metadata.custom.severity {
            Severity::Error => Cell::from("error"),
            Severity::Warning => ("warning", Paint::Open).into(),
        };
        let title = clean(&self.metadata.title);
        vec![self.name.as_str().into(), severity, self.needs().into(), title.into()]
    }
}

fn listed(rules: &[Described], verbose: bool, colored: bool) -> String {
    let mut rows = vec![heading(&["rule", "severity", "needs", "title"])];
    rows.extend(rules.iter().map(Described::row));
    let table = table(&rows, colored);
    let details = |rule: &Described| {
        let custom = &rule.metadata.custom;
        let parts = [
            ("why", rule.metadata.description.clone()),
            ("fix", custom.remedy.clone()),
            ("for", custom.controls.join(", ")),
        ];
        let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
        parts.map(|(label, text)| paint(Paint::Dim, &prose(2, label, &text), colored)).collect::<Vec<_>>()
    };
    let details = rules.iter().map(|rule| if verbose { details(rule) } else { Vec::new() });
    let lines = table.lines().zip(std::iter::once(Vec::new()).chain(details));
    let lines: Vec<_> =
        lines.flat_map(|(line, details)| std::iter::once(line.to_owned()).chain(details)).collect();
    format!("{}\n\n{}", lines.join("\n"), counted(rules.len(), "rule"))
}

/// The reference of all rules, area by area.
fn reference(rules: &[Described]) -> String {
    let mut text = String::from(
        "# Rules\n\nMade from the rules' own METADATA by `make docs`. A rule of severity *error* denies; *warning* is shown.\n",
    );
    let mut area = "";
    for rule in rules {
        let of = rule.name.split('.').next().unwrap_or_default();
        if of != area {
            area = of;
            text += &format!("\n## {area}\n");
        }
        let custom = &rule.metadata.custom;
        let severity = match custom.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let needs = match rule.needs() {
            "" => String::new(),
            what => format!(", needs a {what}"),
        };
        text += &format!("\n### `{}`: {}\n\n", rule.name, rule.metadata.title);
        text += &format!("{}\n\n", rule.metadata.description.trim());
        text += &format!("- **What to do**: {}\n", custom.remedy.trim());
        text += &format!("- **Severity**: {severity}{needs}\n");
        if !custom.controls.is_empty() {
            text += &format!("- **Controls**: {}\n", custom.controls.join(", "));
        }
    }
    text.trim_end().to_owned()
}

/// Whether a folder is a control repository.
fn is_control(folder: &Path) -> bool {
    folder.join(CONFIGURATION).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_reference_is_that_of_the_starter_rules() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let arguments = ListArguments { folder: project.join("policies"), verbose: false, markdown: true };
        let published = std::fs::read_to_string(project.join("docs/POLICIES.md")).unwrap_or_default();
        assert_eq!(published.trim_end(), list(&arguments).unwrap().text, "write it anew with make docs");
    }
}
