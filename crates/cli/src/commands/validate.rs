//! `countersign validate`: every mistake in a control repository, with its line.

use std::path::PathBuf;

use clap::Args;
use countersign_core::bundle::MAX_FILE;
use countersign_core::facts::Problem;
use countersign_core::tree::Tree;
use countersign_policy::bundle::Bundle;
use serde_json::json;

use super::control::Control;
use super::problems;
use crate::output::{Conclusion, Paint, Printed, colored, paint};

/// Arguments of `validate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  countersign validate .\n  countersign validate /srv/git/control.git --commit main\n\n\
    Exit codes: 0 valid, 1 not valid, 2 error."
)]
pub struct ValidateArguments {
    /// The control repository: a working folder, or a Git repository.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The commit to look at, instead of the working folder.
    #[arg(long, value_name = "REV")]
    pub commit: Option<String>,
}

/// Compiles the control repository, and runs the tests of its rules.
///
/// # Errors
/// When there is no control repository to look at.
pub fn run(arguments: &ValidateArguments) -> anyhow::Result<Printed> {
    let control = Control::open(&arguments.folder, arguments.commit.as_deref())?;
    let tree = control.tree()?;
    match Bundle::compile(&tree) {
        Ok(bundle) => valid(&bundle),
        Err(found) => Ok(invalid(&tree, &found)),
    }
}

fn valid(bundle: &Bundle) -> anyhow::Result<Printed> {
    let (rules, waivers) = (bundle.rules().iter().count(), bundle.waivers().len());
    let targets = bundle.configuration().targets().count();
    let text = format!(
        "{}: {rules} rules, {waivers} waivers, {targets} targets\nbundle {}",
        paint(Paint::Good, "valid", colored()),
        bundle.digest()
    );
    let document = json!({
        "valid": true, "bundle": bundle.digest(), "rules": rules, "waivers": waivers, "targets": targets,
        "problems": [],
    });
    Printed::done(text, &document)
}

fn invalid(tree: &impl Tree, found: &[Problem]) -> Printed {
    let line_of = |file: &str, line: u32| {
        let text = String::from_utf8(tree.read(file, MAX_FILE).ok()??).ok()?;
        text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?).map(str::to_owned)
    };
    let count = match found.len() {
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    let verdict = paint(Paint::Bad, "not valid", colored());
    let text = format!("{}\n\n{verdict}: {count}", problems::text(found, line_of, colored()));
    let document = json!({ "valid": false, "problems": found });
    Printed { text, document, conclusion: Conclusion::Denied }
}
