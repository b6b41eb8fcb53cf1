//! `countersign doctor`: looks at an installation from outside, and says what is wrong and how to mend it.
//!
//! It only reads. What it cannot tell is a finding like any other, never silence.

mod clusters;
mod deployed;
mod finding;
mod folder;
mod hosts;
mod log;
mod machine;
mod queues;

use clap::Args;
use countersign_core::names::ClusterName;
use serde_json::json;

use super::block_on;
use super::place::{Form, Place};
use super::reading::Installation;
use super::shown::{Cell, clean, counted, prose};
use crate::output::{Conclusion, Paint, Printed, colored, paint};

use deployed::Part;
use finding::{Finding, Findings, Grade};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign doctor --data /var/lib/countersign\n  \
    countersign doctor --aws countersign --cluster east     # by the aws command, with your own credentials\n  \
    countersign doctor --aws countersign --witness          # the same in the witness's account\n\n\
    Exit codes: 0 in order, also with warnings; 1 something is wrong; 2 it could not be looked at.")]
pub struct DoctorArguments {
    /// Which installation.
    #[command(flatten)]
    pub place: Place,
    /// With --aws: also look at this cluster's stack, where it is in the same account. May be given more than once.
    #[arg(long = "cluster", value_name = "NAME", requires = "aws")]
    pub clusters: Vec<ClusterName>,
    /// With --aws: look at the witness's stack instead, with credentials of its account.
    #[arg(long, requires = "aws", conflicts_with = "clusters")]
    pub witness: bool,
}

/// Looks at an installation.
///
/// # Errors
/// When there is none to look at.
pub fn run(arguments: &DoctorArguments) -> anyhow::Result<Printed> {
    let mut findings = Findings::default();
    match arguments.place.form() {
        Form::Embedded(data) => embedded(data, &mut findings)?,
        Form::Cloud(installation) => {
            let part = if arguments.witness { Part::Witness } else { Part::Core(&arguments.clusters) };
            deployed::look(installation, part, &mut findings)?;
        }
    }
    Ok(printed(&findings.all()))
}

fn embedded(data: &std::path::Path, findings: &mut Findings) -> anyhow::Result<()> {
    folder::look(data, findings);
    machine::look(data, findings);
    let installation = match Installation::open(data) {
        Ok(installation) => installation,
        Err(error) => {
            let mend =
                "mend what is said of the folder above; restore the database from a backup if it is lost";
            findings.bad("database", data.display(), format!("{error:#}"), mend);
            return Ok(());
        }
    };
    findings.good("database", data.display(), "opens, and is of this release's version");
    block_on(async {
        let view = log::look(&installation, findings).await;
        queues::look(&installation, findings).await;
        match installation.active().await {
            Ok(Some((_, configuration))) => {
                hosts::look(&installation, &configuration, data, findings).await;
                clusters::look(&installation, &configuration, view, findings).await;
            }
            Ok(None) => {
                let mend = "start countersign serve once: it makes the first bundle active";
                findings.bad("bundle", "active", "no bundle is active", mend);
            }
            Err(error) => {
                let mend = "restore the database from a backup";
                findings.bad("bundle", "active", format!("{error:#}"), mend);
            }
        }
        Ok(())
    })
}

fn printed(findings: &[Finding]) -> Printed {
    let count = |grade| findings.iter().filter(|finding| finding.grade == grade).count();
    let (problems, warnings) = (count(Grade::Problem), count(Grade::Warning));
    let document = json!({
        "version": env!("CARGO_PKG_VERSION"), "inOrder": problems == 0, "problems": problems, "warnings": warnings,
        "findings": findings,
    });
    let conclusion = if problems == 0 { Conclusion::Done } else { Conclusion::Denied };
    Printed { text: text(findings, problems, warnings, colored()), document, conclusion }
}

/// What is wrong first; what is in order is one line for each area.
fn text(findings: &[Finding], problems: usize, warnings: usize, colored: bool) -> String {
    let mut lines = Vec::new();
    for (grade, meaning) in [(Grade::Problem, Paint::Bad), (Grade::Warning, Paint::Open)] {
        for finding in findings.iter().filter(|finding| finding.grade == grade) {
            let title = format!("{} {}", finding.area, clean(&finding.subject));
            lines.push(paint(meaning, &title, colored));
            lines.push(prose(2, "what", &finding.what));
            lines.extend(finding.mend.as_ref().map(|mend| prose(2, "mend", mend)));
        }
    }
    let mut areas: Vec<&str> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.grade == Grade::Good) {
        if !areas.contains(&finding.area) {
            areas.push(finding.area);
        }
    }
    let good = |area: &&str| {
        findings.iter().filter(|finding| finding.grade == Grade::Good && finding.area == *area).count()
    };
    let areas: Vec<_> = areas.iter().map(|area| format!("{area} {}", good(area))).collect();
    if !areas.is_empty() {
        lines.push(format!(
            "{}  {}",
            Cell::from(("in order", Paint::Good)).painted(colored),
            areas.join(", ")
        ));
    }
    lines.push(match (problems, warnings) {
        (0, 0) => "nothing is wrong".to_owned(),
        (problems, warnings) => {
            format!("{}, {}", counted(problems, "problem"), counted(warnings, "warning"))
        }
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests;
