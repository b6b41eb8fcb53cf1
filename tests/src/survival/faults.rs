//! Faults of a running `countersign serve`, asked for by files: `countersign_local::fault` says which.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

/// The faults of one server.
#[derive(Clone, Debug)]
pub struct Faults {
    folder: PathBuf,
}

impl Faults {
    /// The faults that are asked for in a folder, which is made where it is missing.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Lets a server that is to be started suffer them.
    pub(crate) fn apply_to(&self, command: &mut Command) {
        command.env("COUNTERSIGN_FAULTS", &self.folder);
    }

    /// Kills the server when it passes a point for the `count`-th time from now on.
    ///
    /// # Errors
    /// When that cannot be asked for.
    pub fn kill_at(&self, point: &str, count: u64) -> Result<()> {
        self.remove("killed")?;
        // Renamed into place, so that no half of it is read.
        fs::write(self.folder.join("kill.new"), format!("{point}:{count}"))?;
        fs::rename(self.folder.join("kill.new"), self.folder.join("kill"))
            .context("a kill cannot be asked for")
    }

    /// Whether the kill that was asked for last happened; it is not asked for any more.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn killed(&self) -> Result<bool> {
        self.remove("kill")?;
        Ok(self.folder.join("killed").exists())
    }

    /// Lets so many of a thousand calls fail.
    ///
    /// # Errors
    /// When that cannot be asked for.
    pub fn fail(&self, per_thousand: u32) -> Result<()> {
        Ok(fs::write(self.folder.join("fail"), per_thousand.to_string())?)
    }

    /// Lets every call fail at the points whose names begin so, until [`Faults::mend`].
    ///
    /// # Errors
    /// When that cannot be asked for.
    pub fn break_at(&self, points: &str) -> Result<()> {
        fs::write(self.folder.join("broken.new"), points)?;
        Ok(fs::rename(self.folder.join("broken.new"), self.folder.join("broken"))?)
    }

    /// Lets nothing be broken any more.
    ///
    /// # Errors
    /// When that cannot be asked for.
    pub fn mend(&self) -> Result<()> {
        self.remove("broken")
    }

    /// By how many seconds the server's clock is ahead.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn ahead(&self) -> Result<i64> {
        match fs::read_to_string(self.folder.join("clock")) {
            Ok(millis) => Ok(millis.trim().parse::<i64>()? / 1000),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets the server's clock ahead, or back where `seconds` is less than before.
    ///
    /// # Errors
    /// When that cannot be asked for.
    pub fn clock(&self, seconds: i64) -> Result<()> {
        let millis = seconds * i64::try_from(Duration::from_secs(1).as_millis())?;
        fs::write(self.folder.join("clock.new"), millis.to_string())?;
        Ok(fs::rename(self.folder.join("clock.new"), self.folder.join("clock"))?)
    }

    /// Fills the server's disk, or makes room on it.
    ///
    /// # Errors
    /// When that cannot be asked for.
    pub fn full(&self, full: bool) -> Result<()> {
        if full { Ok(fs::write(self.folder.join("full"), "full")?) } else { self.remove("full") }
    }

    /// Begins to count which points are passed.
    ///
    /// # Errors
    /// When that cannot be asked for.
    pub fn count(&self) -> Result<()> {
        Ok(fs::write(self.folder.join("passed"), "")?)
    }

    /// How often each point was passed since [`Faults::count`], which ends.
    ///
    /// # Errors
    /// When nothing was counted.
    pub fn counted(&self) -> Result<BTreeMap<String, u64>> {
        let text = fs::read_to_string(self.folder.join("passed"))?;
        self.remove("passed")?;
        let mut counts = BTreeMap::new();
        for point in text.lines() {
            *counts.entry(point.to_owned()).or_default() += 1;
        }
        Ok(counts)
    }

    fn remove(&self, file: &str) -> Result<()> {
        match fs::remove_file(self.folder.join(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
