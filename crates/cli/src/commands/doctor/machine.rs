//! The machine: room on the disk, the process, copies of repositories.

use std::fs;
use std::path::Path;

use rustix::fs::statvfs;

use super::finding::Findings;
use crate::installation::DataFolder;

/// With less room than this nothing may be recorded any more soon.
const TOO_LITTLE: u64 = 200 * 1024 * 1024;

/// With less room than this it is time to make some.
const LITTLE: u64 = 2 * 1024 * 1024 * 1024;

/// Looks at what the process stands on.
pub fn look(data: &Path, findings: &mut Findings) {
    disk(data, findings);
    process(data, findings);
    mirrors(&DataFolder::new(data).repositories(), findings);
}

fn disk(data: &Path, findings: &mut Findings) {
    match statvfs(data) {
        Ok(found) => room(found.f_bavail.saturating_mul(found.f_frsize), data, findings),
        Err(error) => {
            let what = format!("the room on its disk cannot be told: {error}");
            findings.warn("disk", data.display(), what, "look with df");
        }
    }
}

/// Judges how many bytes are free.
pub fn room(free: u64, data: &Path, findings: &mut Findings) {
    let what = format!("{} MiB are free", free / 1024 / 1024);
    let mend =
        "make room, or move the data folder to a larger disk: stop serve, copy it, start serve with the copy";
    match free {
        _ if free < TOO_LITTLE => findings.bad("disk", data.display(), what, mend),
        _ if free < LITTLE => findings.warn("disk", data.display(), what, mend),
        _ => findings.good("disk", data.display(), what),
    }
}

/// Whether `serve` runs, by the process that its lock file names.
fn process(data: &Path, findings: &mut Findings) {
    let file = data.join("countersign.lock");
    let id: Option<u32> = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
    match id {
        Some(id) if Path::new("/proc").join(id.to_string()).exists() => {
            findings.good("process", "serve", format!("runs as process {id}"));
        }
        Some(id) => {
            let what =
                format!("process {id} ended without letting go: it was killed, or the machine stopped");
            findings.warn("process", "serve", what, "start it: what it was doing is finished at its start");
        }
        None => {
            let mend = "start countersign serve: nothing is deployed, and drift is not looked for meanwhile";
            findings.warn("process", "serve", "does not run", mend);
        }
    }
}

/// Copies of repositories are only a cache, but without a place for them nothing can be fetched.
fn mirrors(folder: &Path, findings: &mut Findings) {
    let place = folder.display();
    match fs::metadata(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            findings.good("mirrors", place, "none yet");
        }
        Err(error) => {
            let what = format!("cannot be looked at: {error}");
            findings.bad(
                "mirrors",
                place,
                what,
                "give it to the user that runs serve, or delete it: it is a cache",
            );
        }
        Ok(found) if !found.is_dir() || found.permissions().readonly() => {
            let mend = "delete it, or give it to the user that runs serve: it is a cache";
            findings.bad("mirrors", place, "not a folder that can be written to", mend);
        }
        Ok(_) => {
            let count = fs::read_dir(folder).map(|entries| entries.flatten().count()).unwrap_or_default();
            findings.good("mirrors", place, format!("{count} entries"));
        }
    }
}
