//! The files of a control repository that make a bundle: which they are, and the digest over them.
//!
//! `gather` collects them without knowing what they mean; the `policy` crate compiles them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::facts::{Position, Problem};
use crate::tree::{EntryKind, Tree, TreeError};

/// The version of [`BundleSource`] that this release writes.
pub const BUNDLE_VERSION: u32 = 1;
/// The file that says who may do what, where.
pub const CONFIGURATION: &str = "countersign.yaml";
/// The folder of the rules.
pub const POLICIES: &str = "policies";
/// The folder of what rules look up.
pub const DATA: &str = "data";
/// The folder of reviewed exceptions.
pub const WAIVERS: &str = "waivers";

/// A file may have this many bytes.
pub const MAX_FILE: u64 = 4 * 1024 * 1024;
/// All files together may have this many bytes.
pub const MAX_TOTAL: u64 = 16 * 1024 * 1024;
/// A bundle may have this many files.
pub const MAX_FILES: usize = 2000;
/// Folders may be nested this deep.
const MAX_DEPTH: usize = 8;

/// The files that make a bundle, as text, by their path in the control repository.
///
/// `README.md` files may lie beside them and are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleSource {
    /// [`BUNDLE_VERSION`].
    pub v: u32,
    /// Text by path.
    pub files: BTreeMap<String, String>,
}

/// Bytes that are not a stored bundle source.
#[derive(Debug, thiserror::Error)]
pub enum NotABundleSource {
    /// Not JSON of its shape.
    #[error("the stored bundle is damaged: {0}: store it again from the control repository")]
    Damaged(#[from] serde_json::Error),
    /// Of a version that this release does not read.
    #[error(
        "the stored bundle has version {0}, but this release reads version {BUNDLE_VERSION}: upgrade this function"
    )]
    Version(u32),
}

impl BundleSource {
    /// Collects the files of a control repository.
    ///
    /// # Errors
    /// Every file that has no place in a bundle, is too large, or is not text.
    pub fn collect(tree: &impl Tree) -> Result<Self, Vec<Problem>> {
        let mut collector = Collector { tree, files: BTreeMap::new(), total: 0, problems: Vec::new() };
        match tree.kind(CONFIGURATION) {
            Ok(Some(EntryKind::File)) => collector.file(CONFIGURATION),
            Ok(_) => collector.report(
                CONFIGURATION,
                "the control repository has no file of this name",
                "write one: `countersign init` makes a first one",
            ),
            Err(error) => collector.unreadable(CONFIGURATION, &error),
        }
        for area in [POLICIES, DATA, WAIVERS] {
            collector.folder(area, area, 0);
        }
        if collector.problems.is_empty() {
            Ok(Self { v: BUNDLE_VERSION, files: collector.files })
        } else {
            Err(collector.problems)
        }
    }

    /// The bundle's digest: SHA-256 of what `sha256sum` prints for these files in the order of their paths.
    #[must_use]
    pub fn digest(&self) -> Digest {
        use std::fmt::Write as _;
        let listing = self.files.iter().fold(String::new(), |mut listing, (path, text)| {
            let _ = writeln!(listing, "{}  {path}", Digest::of(text.as_bytes()).hex());
            listing
        });
        Digest::of(listing.as_bytes())
    }

    /// The form that is stored: JSON with sorted keys.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::json!({ "files": self.files, "v": self.v }).to_string().into_bytes()
    }

    /// Reads the stored form. Whether it is the expected one is for the caller to ask of [`Self::digest`].
    ///
    /// # Errors
    /// When the bytes are not of this shape and version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotABundleSource> {
        let source: Self = serde_json::from_slice(bytes)?;
        if source.v == BUNDLE_VERSION { Ok(source) } else { Err(NotABundleSource::Version(source.v)) }
    }
}

/// Walks the folders of a bundle.
struct Collector<'a, T> {
    tree: &'a T,
    files: BTreeMap<String, String>,
    total: u64,
    problems: Vec<Problem>,
}

impl<T: Tree> Collector<'_, T> {
    fn report(&mut self, path: &str, message: impl Into<String>, help: &str) {
        let at = Position { file: path.to_owned(), line: 1 };
        self.problems.push(Problem { message: message.into(), at, help: Some(help.to_owned()) });
    }

    fn unreadable(&mut self, path: &str, error: &TreeError) {
        self.report(path, error.to_string(), "correct it in the control repository");
    }

    fn folder(&mut self, area: &str, path: &str, depth: usize) {
        if depth > MAX_DEPTH {
            self.report(path, format!("folders are nested more than {MAX_DEPTH} deep"), "make them flatter");
            return;
        }
        let entries = match self.tree.entries(path) {
            Ok(entries) => entries.unwrap_or_default(),
            Err(error) => return self.unreadable(path, &error),
        };
        for entry in entries {
            let path = format!("{path}/{}", entry.name);
            if entry.name.contains(|letter: char| letter.is_control() || letter == '\\') {
                self.report(&path, "the file's name has a control character or a backslash", "rename it");
                continue;
            }
            match entry.kind {
                EntryKind::Folder => self.folder(area, &path, depth + 1),
                EntryKind::File if entry.name == "README.md" => {}
                EntryKind::File => match refusal(area, &entry.name, depth) {
                    None => self.file(&path),
                    Some(help) => self.report(&path, format!("this file has no place in `{area}/`"), help),
                },
                EntryKind::Link => {
                    self.report(&path, "symbolic links are not followed", "put the file itself here")
                }
                EntryKind::Submodule => {
                    self.report(&path, "submodules are not read", "put the files themselves here")
                }
            }
        }
    }

    fn file(&mut self, path: &str) {
        if self.files.len() >= MAX_FILES || self.total >= MAX_TOTAL {
            // One such problem is enough: every further file has the same.
            if !self.problems.iter().any(|problem| problem.message.starts_with("the bundle is too large")) {
                let message = format!(
                    "the bundle is too large: at most {MAX_FILES} files and {MAX_TOTAL} bytes are read"
                );
                self.report(path, message, "remove what no rule reads");
            }
            return;
        }
        match self.tree.read(path, MAX_FILE) {
            Ok(Some(bytes)) => {
                self.total = self.total.saturating_add(bytes.len() as u64);
                match String::from_utf8(bytes) {
                    Ok(text) => {
                        self.files.insert(path.to_owned(), text);
                    }
                    Err(_) => {
                        self.report(path, "this file is not UTF-8 text", "save it as UTF-8, or remove it")
                    }
                }
            }
            Ok(None) => {
                self.report(path, "this file is listed but not there", "look at the control repository")
            }
            Err(error) => self.unreadable(path, &error),
        }
    }
}

/// Why a file of this name may not be in an area; `None` if it may.
fn refusal(area: &str, name: &str, depth: usize) -> Option<&'static str> {
    let ends = |ending: &str| name.ends_with(ending) && name.len() > ending.len();
    match area {
        POLICIES if ends(".rego") => None,
        POLICIES => Some("keep rules (`.rego`) and `README.md` here, nothing else"),
        DATA if ends(".yaml") || ends(".json") => None,
        DATA => Some("keep `.yaml`, `.json` and `README.md` here, nothing else"),
        _ if ends(".yaml") && depth == 0 => None,
        _ => Some("keep `.yaml` files and `README.md` here, without folders, nothing else"),
    }
}

#[cfg(test)]
mod tests;
