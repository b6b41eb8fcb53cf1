//! Remote bases: allowed only where someone supplies them, and only at a full commit id.

use countersign_core::tree::Tree;

/// A base in another repository, as it is written: `URL//FOLDER?ref=COMMIT`, or `URL/FOLDER?ref=COMMIT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteBase {
    /// The URL, with the folder in it, and without what follows `?`.
    pub url: String,
    /// The full commit id that it is pinned to.
    pub commit: String,
}

/// Where a base is found.
pub struct Found {
    /// What its repository is called in messages and positions.
    pub repository: String,
    /// The files of its commit.
    pub tree: Box<dyn Tree>,
    /// The folder in it; empty for its root.
    pub folder: String,
}

/// Supplies remote bases.
pub trait Remotes {
    /// A base's files.
    ///
    /// # Errors
    /// With the reason, for a person, why this base may not or cannot be read.
    fn find(&self, base: &RemoteBase) -> Result<Found, NotFound>;
}

/// Why a base may not or cannot be read, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
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
    /// Reads a base as a kustomization names it.
    ///
    /// # Errors
    /// When it is not pinned to a full commit id, or leads upwards.
    pub(crate) fn parse(text: &str) -> Result<Self, NotFound> {
        let (url, query) = text.split_once('?').unwrap_or((text, ""));
        let pinned = query
            .split('&')
            .find_map(|part| part.strip_prefix("ref=").or_else(|| part.strip_prefix("version=")));
        let is_full = |id: &&str| {
            matches!(id.len(), 40 | 64) && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_file = pinned.is_none() && [".yaml", ".yml", ".json"].iter().any(|end| url.ends_with(end));
        if is_file && url.starts_with("http") {
            return Err(NotFound::new("files are not read over HTTP", "commit the file to this repository"));
        }
        let Some(commit) = pinned.filter(is_full) else {
            return Err(NotFound::new(
                "a remote base must be pinned to a full commit id",
                "write ?ref= and its 40 hexadecimal digits: branches and tags can be moved",
            ));
        };
        if url.split('/').any(|part| part == "..") {
            return Err(NotFound::new("the folder of a remote base may not lead upwards", "name it plainly"));
        }
        Ok(Self { url: url.to_owned(), commit: commit.to_owned() })
    }

    /// The folder that this base names in the repository at `url`; `None` if it is in another one. How a repository
    /// is spoken to does not count, only where it is: `ssh://git@host/a/b.git`, `git@host:a/b` and
    /// `https://host/a/b` are the same.
    #[must_use]
    pub fn folder_in(&self, url: &str) -> Option<String> {
        let theirs = place(url);
        let (mine, folder) = match split(&self.url) {
            (repository, Some(folder)) => (place(repository), segments(folder)),
            (whole, None) => {
                let mut mine = place(whole);
                let folder = mine.split_off(theirs.len().min(mine.len()));
                (mine, folder)
            }
        };
        (!theirs.is_empty() && mine == theirs).then(|| folder.join("/"))
    }
}

/// `URL//FOLDER`, taken apart; no folder if it is not parted like that.
fn split(url: &str) -> (&str, Option<&str>) {
    let start = url.find("://").map_or(0, |at| at + 3);
    match url.get(start..).and_then(|rest| rest.find("//")) {
        Some(at) => {
            let (repository, folder) = url.split_at(start + at);
            (repository, Some(folder))
        }
        None => (url, None),
    }
}

/// Where a URL leads, without how: the host, which has no case, and the path.
fn place(url: &str) -> Vec<String> {
    let url = url.strip_prefix("git::").unwrap_or(url);
    let (has_host, rest) = match url.split_once("://") {
        Some(("file", rest)) => (false, rest.to_owned()),
        Some((_, rest)) => (true, rest.to_owned()),
        None if url.starts_with(['/', '.']) => (false, url.to_owned()),
        // As scp writes it: git@host:path.
        None => (true, url.replacen(':', "/", 1)),
    };
    let mut place = segments(&rest);
    let mut named = false;
    for (index, part) in place.iter_mut().enumerate() {
        if index == 0 && has_host {
            *part = part.rsplit_once('@').map_or(&**part, |(_, host)| host).to_lowercase();
        } else if let Some(name) = part.strip_suffix(".git").filter(|_| !named) {
            *part = name.to_owned();
            named = true;
        }
    }
    place
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

impl NotFound {
    /// A reason, and what to do.
    #[must_use]
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(written: &str, url: &str) -> Option<String> {
        let commit = "0123456789012345678901234567890123456789";
        RemoteBase::parse(&format!("{written}?timeout=90s&ref={commit}")).unwrap().folder_in(url)
    }

    #[test]
    fn a_repository_is_where_it_is_however_it_is_spoken_to() {
        let url = "https://git.example.com/team/base.git";
        for written in [
            "https://git.example.com/team/base//web/dev",
            "https://Git.Example.com/team/base.git//web/dev/",
            "https://git.example.com/team/base/web/dev",
            "https://git.example.com/team/base.git/web/dev",
            "ssh://git@git.example.com/team/base.git//web/dev",
            "git@git.example.com:team/base.git//web/dev",
            "git@git.example.com:team/base//web/./dev",
            "git::https://git.example.com/team/base//web/dev",
        ] {
            assert_eq!(folder(written, url).as_deref(), Some("web/dev"), "{written}");
        }
        assert_eq!(folder("https://git.example.com/team/base", url).as_deref(), Some(""));
        assert_eq!(folder("file:///srv/git/base//web", "/srv/git/base.git").as_deref(), Some("web"));
    }

    #[test]
    fn another_repository_is_another_one() {
        let url = "https://git.example.com/team/base";
        for written in [
            "https://git.example.com/team/base2//web",
            "https://git.example.com/team//base/web",
            "https://git.example.com/team",
            "https://git.example.com.evil.example/team/base//web",
            "https://evil.example/git.example.com/team/base//web",
            "https://git.example.com:8443/team/base//web",
        ] {
            assert_eq!(folder(written, url), None, "{written}");
        }
        assert_eq!(folder("https://git.example.com/team/base//web", ""), None);
    }

    #[test]
    fn only_a_full_commit_id_pins() {
        let refused = |text: &str| RemoteBase::parse(text).unwrap_err().message;
        for text in ["https://e.example/x", "https://e.example/x?ref=main", "https://e.example/x?ref=0123456"]
        {
            assert!(refused(text).contains("must be pinned to a full commit id"), "{text}");
        }
        assert_eq!(refused("https://e.example/x.yaml"), "files are not read over HTTP");
        let up = format!("https://e.example/x//../y?ref={}", "0".repeat(40));
        assert!(refused(&up).contains("lead upwards"));
    }
}
