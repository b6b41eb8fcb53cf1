//! The `aws` command.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use crate::commands::doctor::finding::Findings;

/// What stands in an answer to somebody who may not ask.
const FORBIDDEN: [&str; 4] = ["AccessDenied", "AccessDeniedException", "(403)", "not authorized"];

/// The `aws` command of this machine, with its configuration and its credentials.
pub struct Aws {
    program: PathBuf,
}

/// Why an answer was none.
#[derive(Debug)]
pub struct Refused {
    /// What `aws` said.
    pub why: String,
    /// Whether these credentials may not ask, so that nothing is known.
    pub is_forbidden: bool,
}

impl Aws {
    /// This program.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Asks, and reads the JSON of the answer.
    ///
    /// # Errors
    /// When the command is not there, or fails; [`Refused`] is its cause where the service answered so.
    pub fn ask(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = self.read(&[arguments, &["--output", "json"]].concat())?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&text).with_context(|| format!("aws {}: no JSON", arguments.join(" ")))
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// As [`Aws::ask`].
    pub fn object(&self, bucket: &str, key: &str) -> anyhow::Result<Vec<u8>> {
        self.read(&["s3", "cp", "--quiet", &format!("s3://{bucket}/{key}"), "-"])
    }

    fn read(&self, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let ran =
            Command::new(&self.program).args(arguments).env("AWS_PAGER", "").output().map_err(|error| {
                anyhow!("{}: {error}: install the AWS command line interface", self.program.display())
            })?;
        if ran.status.success() {
            return Ok(ran.stdout);
        }
        let why = String::from_utf8_lossy(&ran.stderr);
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_forbidden = FORBIDDEN.iter().any(|word| why.contains(word));
        bail!(Refused { why, is_forbidden })
    }

    /// Notes that something could not be looked at: a warning where these credentials may not, else a problem.
    pub fn note(
        &self,
        findings: &mut Findings,
        area: &'static str,
        subject: &str,
        error: &anyhow::Error,
        mend: &str,
    ) {
        if error.downcast_ref::<Refused>().is_some_and(|refused| refused.is_forbidden) {
            let mend = "look with credentials that may read it, if it matters";
            findings.warn(area, subject, format!("cannot be told with these credentials: {error:#}"), mend);
        } else {
            findings.bad(area, subject, format!("{error:#}"), mend);
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Refused {}
