//! Faults that tests ask for: a point where this process dies, calls that fail, a clock that jumps, a disk that is
//! full. They are asked for by files in the folder that the variable `COUNTERSIGN_FAULTS` names, and may change while
//! the process runs. A release knows nothing of them: only a build with debug assertions does.
//!
//! | file | holds | then |
//! |---|---|---|
//! | `kill` | `NAME:COUNT` | the process kills itself with SIGKILL when it passes the point NAME (`any` is every point) for the COUNT-th time; the file is renamed to `killed` just before |
//! | `fail` | a number | so many of a thousand calls fail, half before their effect, half after it |
//! | `broken` | a name | every call fails at a point whose name begins so |
//! | `clock` | milliseconds | [`clock`] is so far ahead, or behind where negative |
//! | `full` | anything | the database may not grow |
//! | `passed` | anything | the name of every point that is passed is appended |

use countersign_core::ports::PortError;

/// Passes the point `name`, which may fail.
///
/// # Errors
/// When a test asked for it.
pub fn pass(name: impl FnOnce() -> String) -> Result<(), PortError> {
    #[cfg(debug_assertions)]
    if let Some(faults) = armed::faults() {
        let name = name();
        faults.reach(&name);
        return faults.fail(&name);
    }
    // A release never asks for the name.
    drop(name);
    Ok(())
}

/// Passes the point `name`, which never fails.
pub fn reach(name: impl FnOnce() -> String) {
    #[cfg(debug_assertions)]
    if let Some(faults) = armed::faults() {
        return faults.reach(&name());
    }
    drop(name);
}

/// Does `work` between the points `NAME/before` and `NAME/after`.
///
/// # Errors
/// As `work`, and when a test asked for it: after the second point the work was done all the same.
pub fn around<T>(
    name: impl Fn() -> String,
    work: impl FnOnce() -> Result<T, PortError>,
) -> Result<T, PortError> {
    pass(|| format!("{}/before", name()))?;
    let done = work()?;
    pass(|| format!("{}/after", name()))?;
    Ok(done)
}

/// As [`around`], for `work` that waits: a call to a server.
///
/// # Errors
/// As [`around`].
pub async fn call<T>(name: &str, work: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
    pass(|| format!("{name}/before"))?;
    let done = work.await?;
    pass(|| format!("{name}/after"))?;
    Ok(done)
}

/// How far the clock of this process is ahead, in milliseconds.
#[must_use]
pub fn clock() -> i64 {
    #[cfg(debug_assertions)]
    if let Some(faults) = armed::faults() {
        return faults.number("clock");
    }
    0
}

/// Whether the disk is to be full.
#[must_use]
pub(crate) fn is_full() -> bool {
    #[cfg(debug_assertions)]
    if let Some(faults) = armed::faults() {
        return faults.has("full");
    }
    false
}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use countersign_core::digest::Digest;
    use countersign_core::ports::PortError;

    /// The variable that names the folder.
    const FOLDER: &str = "COUNTERSIGN_FAULTS";

    pub struct Faults {
        folder: PathBuf,
        progress: Mutex<Progress>,
    }

    #[derive(Default)]
    struct Progress {
        plan: String,
        hits: u64,
        calls: u64,
    }

    pub fn faults() -> Option<&'static Faults> {
        static FAULTS: OnceLock<Option<Faults>> = OnceLock::new();
        let read = || {
            let folder = std::env::var_os(FOLDER)?;
            Some(Faults { folder: folder.into(), progress: Mutex::default() })
        };
        FAULTS.get_or_init(read).as_ref()
    }

    impl Faults {
        /// Dies here, if that was asked for. Others wait meanwhile, so that exactly the count is kept.
        pub fn reach(&self, name: &str) {
            let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            if self.has("passed") {
                let file = OpenOptions::new().append(true).open(self.folder.join("passed"));
                let _ = file.and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()));
            }
            let Some(plan) = self.text("kill") else { return };
            if plan != progress.plan {
                *progress = Progress { plan, hits: 0, calls: progress.calls };
            }
            let Some((wanted, count)) = progress.plan.split_once(':') else { return };
            if wanted != "any" && wanted != name {
                return;
            }
            let count: u64 = count.parse().unwrap_or(1);
            progress.hits += 1;
            if progress.hits >= count {
                let _ = fs::rename(self.folder.join("kill"), self.folder.join("killed"));
                let _ =
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
        }

        pub fn fail(&self, name: &str) -> Result<(), PortError> {
            if self.text("broken").is_some_and(|broken| name.starts_with(&broken)) {
                return Err(PortError::Unavailable(format!("{name}: is broken because a test asked for it")));
            }
            let per_thousand = self.number("fail");
            if per_thousand == 0 {
                return Ok(());
            }
            let calls = {
                let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.calls += 1;
                progress.calls
            };
            // Every call has two points.
            let drawn = Digest::of(calls.to_string().as_bytes()).hex();
            let drawn = i64::from_str_radix(drawn.get(..8).unwrap_or("0"), 16).unwrap_or(0) % 2_000;
            if drawn < per_thousand {
                return Err(PortError::Unavailable(format!("{name}: fails because a test asked for it")));
            }
            Ok(())
        }

        pub fn has(&self, file: &str) -> bool {
            self.folder.join(file).exists()
        }

        pub fn number(&self, file: &str) -> i64 {
            self.text(file).and_then(|text| text.parse().ok()).unwrap_or(0)
        }

        fn text(&self, file: &str) -> Option<String> {
            let text = fs::read_to_string(self.folder.join(file)).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        }
    }
}
