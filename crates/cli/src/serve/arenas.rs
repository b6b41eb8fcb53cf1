//! How many arenas glibc's allocator keeps. It makes one for nearly every thread, and none gives back what another could
//! use: with a thread for each stage that was two fifths of what `serve` held after much work.

/// What glibc reads at the start of a process, and never again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Starts the program anew, as the same process, with two arenas; returns where the environment says how many already,
/// and where it cannot.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn bound() {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    if std::env::var_os(ARENAS).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let error = Command::new(program).arg0(name).args(arguments).env(ARENAS, "2").exec();
    tracing::debug!(%error, "the program holds more memory than it needs");
}

/// Other allocators do without.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn bound() {}
