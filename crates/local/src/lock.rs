//! One process at a time: an advisory lock of the operating system, which ends with the process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::LocalError;

/// The lock's file. It holds the process id while the lock is held, and nothing after a clean end.
const FILE: &str = "countersign.lock";

/// How long a lock is waited for whose holder has let go of it.
const LET_GO: Duration = Duration::from_secs(2);

/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// The lock of a data folder, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    clean: bool,
}

impl Lock {
    /// Takes the lock of `dir`.
    ///
    /// # Errors
    /// [`LocalError::InUse`] when another process, or another value of this one, holds it.
    pub fn take(dir: &Path) -> Result<Self, LocalError> {
        let path = dir.join(FILE);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = file.map_err(|error| LocalError::io(&path, &error))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
                    // A program that the last holder starts holds the lock too, until it runs.
                    if pid.is_some() || begun.elapsed() > LET_GO {
                        return Err(LocalError::InUse { path: dir.to_owned(), pid });
                    }
                    thread::sleep(PAUSE);
                }
                Err(TryLockError::Error(error)) => return Err(LocalError::io(&path, &error)),
            }
        }
        let clean = claim(&mut file).map_err(|error| LocalError::io(&path, &error))?;
        Ok(Self { file, clean })
    }

    /// Whether whoever held the lock before let go of it, rather than being killed.
    pub fn was_clean(&self) -> bool {
        self.clean
    }
}

/// Writes our process id; answers whether no other was left there.
fn claim(file: &mut File) -> std::io::Result<bool> {
    let mut before = Vec::new();
    Read::by_ref(file).take(64).read_to_end(&mut before)?;
    file.set_len(0)?;
    std::io::Seek::rewind(file)?;
    write!(file, "{}", std::process::id())?;
    file.sync_all()?;
    Ok(before.is_empty())
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Failing here only costs a check of the database at the next start.
        let _ = self.file.set_len(0);
    }
}
