//! The references of a mirror, in one `packed-refs` file: a fetch moves all of them at once, or none.

use std::fs;
use std::path::Path;

use git2::Oid;

use super::room;
use crate::error::GitError;
use crate::wire::server::{References, Tip};

/// What Git writes first: every tag has its peeled line, and names are sorted.
const HEADER: &str = "# pack-refs with: peeled fully-peeled sorted \n";

/// The references that are mirrored; none where the file is not what was written here, as then everything is
/// looked at anew.
pub(super) fn read(mirror: &Path) -> References {
    let Ok(text) = fs::read_to_string(mirror.join("packed-refs")) else { return References::new() };
    let mut found = References::new();
    let mut last = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('^') {
            Some(peeled) => {
                if let Some(tip) = last.as_ref().and_then(|name: &String| found.get_mut(name)) {
                    tip.peeled = Oid::from_str(peeled).ok();
                }
            }
            None => {
                let parts = line.split_once(' ').and_then(|(id, name)| Some((Oid::from_str(id).ok()?, name)));
                let Some((id, name)) = parts else { return References::new() };
                last = Some(name.to_owned());
                found.insert(name.to_owned(), Tip { id, peeled: None });
            }
        }
    }
    found
}

/// Makes `references` those of the mirror, all at once.
pub(super) fn write(mirror: &Path, references: &References) -> Result<(), GitError> {
    let mut text = HEADER.to_owned();
    for (name, tip) in references {
        text.push_str(&format!("{} {name}\n", tip.id));
        if let Some(peeled) = tip.peeled {
            text.push_str(&format!("^{peeled}\n"));
        }
    }
    room::replace(&mirror.join("packed-refs"), &text)
}
