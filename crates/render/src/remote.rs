//! Remote bases: allowed only where someone supplies them, and only at a full commit id.

use countersign_core::tree::Tree;

/// A base in another repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteBase {
    /// The repository's URL, as written.
    pub repository: String,
    /// The full commit id that it is pinned to.
    pub commit: String,
    /// The folder in it; empty for its root.
    pub folder: String,
}

/// Supplies the trees of remote bases.
pub trait Remotes {
    /// The tree of a base's commit.
    ///
    /// # Errors
    /// With the reason, for a person, why this base may not or cannot be read.
    fn tree(&self, base: &RemoteBase) -> Result<Box<dyn Tree>, String>;
}

/// Whether `path` names something outside of this repository.
pub(crate) fn is_remote(path: &str) -> bool {
    path.contains("://")
        || path.starts_with("git@")
        || path.starts_with("git::")
        || path.contains("?ref=")
        || ["github.com/", "gitlab.com/", "bitbucket.org/"].iter().any(|host| path.starts_with(host))
}

impl RemoteBase {
    /// Takes `URL//FOLDER?ref=COMMIT` apart.
    ///
    /// # Errors
    /// When it is not pinned to a full commit id.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let pinned = query
            .split('&')
            .find_map(|part| part.strip_prefix("ref=").or_else(|| part.strip_prefix("version=")));
        let is_full = |id: &&str| {
            matches!(id.len(), 40 | 64) && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let Some(commit) = pinned.filter(is_full) else {
            return Err(
                "a remote base must be pinned to a full commit id: write ?ref= and 40 hexadecimal digits"
                    .to_owned(),
            );
        };
        let start = place.find("://").map_or(0, |at| at + 3);
        let (repository, folder) = match place.get(start..).and_then(|rest| rest.split_once("//")) {
            Some((host, folder)) => (format!("{}{host}", place.get(..start).unwrap_or_default()), folder),
            None => (place.to_owned(), ""),
        };
        if folder.split('/').any(|part| part == "..") {
            return Err("the folder of a remote base may not lead upwards".to_owned());
        }
        let folder =
            folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/");
        Ok(Self { repository, commit: commit.to_owned(), folder })
    }
}
