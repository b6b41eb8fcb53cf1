//! What `init` has made so far, so that a failure can say what to remove.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The outermost files and folders that were made.
#[derive(Debug, Default)]
pub struct Made(Vec<PathBuf>);

impl Made {
    /// Notes that `path` is about to be made.
    pub fn begin(&mut self, path: &Path) {
        if !self.0.iter().any(|made| path.starts_with(made)) {
            self.0.push(path.to_owned());
        }
    }

    /// Makes a folder, and those above it. One that is there already is left as it is, and is not ours.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&mut self, path: &Path) -> anyhow::Result<()> {
        self.make(path, 0o777)
    }

    /// Makes a folder that only its owner may enter.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn private_folder(&mut self, path: &Path) -> anyhow::Result<()> {
        self.make(path, 0o700)
    }

    fn make(&mut self, path: &Path, mode: u32) -> anyhow::Result<()> {
        if path.is_dir() || path.as_os_str().is_empty() {
            return Ok(());
        }
        let missing =
            path.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists()).last();
        self.begin(missing.unwrap_or(path));
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
            .with_context(|| format!("{}: the folder cannot be made", path.display()))
    }

    /// Writes a file that everyone may read. Refuses to write over one.
    ///
    /// # Errors
    /// When it is there already or cannot be written.
    pub fn write(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        self.write_as(path, bytes, 0o644)
    }

    /// Writes a file that only its owner may read. Refuses to write over one.
    ///
    /// # Errors
    /// When it is there already or cannot be written.
    pub fn write_private(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        self.write_as(path, bytes, 0o600)
    }

    fn write_as(&mut self, path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
        let failed = || format!("{}: the file cannot be written", path.display());
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(path).with_context(failed)?;
        self.begin(path);
        file.write_all(bytes).and_then(|()| file.sync_all()).with_context(failed)
    }

    /// The error, with what to remove before another try.
    #[must_use]
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let left: Vec<_> = self.0.iter().filter(|path| fs::symlink_metadata(path).is_ok()).collect();
        if left.is_empty() {
            return error;
        }
        let names: Vec<_> = left.iter().map(|path| format!("\n  {}", path.display())).collect();
        anyhow::anyhow!("{error:#}\nremove what was made before that, then run init again:{}", names.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_outermost_things_that_were_made() {
        let folder = tempfile::tempdir().unwrap();
        let mut made = Made::default();
        assert_eq!(made.explain(anyhow::anyhow!("no")).to_string(), "no");
        made.private_folder(&folder.path().join("a/b")).unwrap();
        made.write_private(&folder.path().join("a/b/secret"), b"1").unwrap();
        made.write(&folder.path().join("c"), b"1").unwrap();
        let error = made.write(&folder.path().join("c"), b"2").unwrap_err();
        let text = made.explain(error).to_string();
        let place = folder.path().display();
        assert!(text.ends_with(&format!("\n  {place}/a\n  {place}/c")), "{text}");
        assert_eq!(fs::read(folder.path().join("c")).unwrap(), b"1");
    }
}
