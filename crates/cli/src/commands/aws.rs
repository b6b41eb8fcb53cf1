//! The `aws` command, so that every way of signing in works that it knows, and this program needs none of them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

/// What stands in an answer to somebody who may not ask.
const FORBIDDEN: [&str; 4] = ["AccessDenied", "AccessDeniedException", "(403)", "not authorized"];

/// What stands in an answer where nothing is.
const ABSENT: [&str; 3] = ["(404)", "NoSuchKey", "NonExistentQueue"];

/// The `aws` command of this machine, with its configuration and its credentials.
#[derive(Clone, Debug)]
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
    /// Whether what was asked for is not there.
    pub is_absent: bool,
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
        json(arguments, &self.read(&[arguments, &["--output", "json"]].concat())?)
    }

    /// As [`Aws::ask`], with the parameters of the call. They may be long and may name people, so that they are no
    /// arguments, which every user of the machine can see.
    ///
    /// # Errors
    /// As [`Aws::ask`].
    pub fn tell(&self, arguments: &[&str], parameters: &Value) -> anyhow::Result<Value> {
        // The command reads it more than once, so that it cannot be a pipe.
        let mut file = tempfile::NamedTempFile::new().context("a temporary file cannot be made")?;
        file.write_all(parameters.to_string().as_bytes()).context("a temporary file cannot be written")?;
        let path =
            file.path().to_str().context("the folder for temporary files has a path that is not UTF-8")?;
        let input = format!("file://{path}");
        json(arguments, &self.read(&[arguments, &["--cli-input-json", &input, "--output", "json"]].concat())?)
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// As [`Aws::ask`].
    pub fn object(&self, bucket: &str, key: &str) -> anyhow::Result<Vec<u8>> {
        self.read(&["s3", "cp", "--quiet", &format!("s3://{bucket}/{key}"), "-"])
    }

    /// The bytes of an object, if it is there.
    ///
    /// # Errors
    /// As [`Aws::ask`].
    pub fn object_if_there(&self, bucket: &str, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match self.object(bucket, key) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if Refused::of(&error).is_some_and(|refused| refused.is_absent) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Copies all objects below a prefix into a folder, where each lies at what follows the prefix.
    ///
    /// # Errors
    /// As [`Aws::ask`].
    pub fn copy(&self, bucket: &str, prefix: &str, folder: &Path) -> anyhow::Result<()> {
        let folder =
            folder.to_str().context("the folder for temporary files has a path that is not UTF-8")?;
        let from = format!("s3://{bucket}/{prefix}");
        self.read(&["s3", "cp", "--recursive", "--quiet", &from, folder]).map(drop)
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
        let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
        let (is_forbidden, is_absent) = (says(&FORBIDDEN), says(&ABSENT));
        bail!(Refused { why, is_forbidden, is_absent })
    }
}

fn json(arguments: &[&str], text: &[u8]) -> anyhow::Result<Value> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(text).with_context(|| format!("aws {}: no JSON", arguments.join(" ")))
}

impl Refused {
    /// The refusal in an error, if it is one.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Option<&Self> {
        error.downcast_ref()
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Refused {}
