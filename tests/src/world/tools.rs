//! The programs that the world runs, built by `tests/tools/build.sh`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Where each program is, by its name.
#[derive(Debug, Clone)]
pub struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Builds the tools of these folders of `tests/tools`, or finds them in the cache.
    ///
    /// # Errors
    /// When a tool is unknown or does not build; the script has said why on stderr.
    pub fn of(tools: &[&str]) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/build.sh");
        let output = Command::new(&script)
            .arg("--print")
            .args(tools)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {}: is it there and executable?", script.display()))?;
        if !output.status.success() {
            bail!(
                "{} could not provide {}: its message on stderr says why",
                script.display(),
                tools.join(", ")
            );
        }
        let listing = String::from_utf8(output.stdout).context(
            "tools/build.sh printed a path that is not UTF-8: set COUNTERSIGN_CACHE to a plain one",
        )?;
        let places = listing.lines().filter_map(|line| line.split_once(' '));
        Ok(Self(places.map(|(name, path)| (name.to_owned(), PathBuf::from(path))).collect()))
    }

    /// Where the program of this name is.
    ///
    /// # Errors
    /// When no tool that was asked for has such a program.
    pub fn path(&self, name: &str) -> Result<&Path> {
        let path = self.0.get(name);
        path.map(PathBuf::as_path).with_context(|| {
            format!("no tool builds a program \"{name}\": see the recipe.sh files in tests/tools")
        })
    }
}
