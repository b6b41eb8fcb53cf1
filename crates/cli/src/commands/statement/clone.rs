//! The working clone that a command runs in.

use std::path::Path;

use anyhow::{Context as _, anyhow, ensure};
use countersign_core::names::{CommitId, RepositoryId};
use git2::{ErrorCode, Oid, Repository};

use crate::commands::control;

/// The most commits that are looked at for signatures.
const MAX_COMMITS: usize = 1000;

/// The host that a repository's name is guessed on.
const GUESSED_HOST: &str = "local";

/// A clone on this machine.
pub struct WorkingClone(Repository);

/// A branch of a remote, as it is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteBranch {
    /// The full reference.
    pub reference: String,
    /// Its tip.
    pub tip: Oid,
}

impl WorkingClone {
    /// The clone that `folder` lies in, if it lies in one.
    ///
    /// # Errors
    /// When there is one that cannot be opened.
    pub fn around(folder: &Path) -> anyhow::Result<Option<Self>> {
        match Repository::discover(folder) {
            Ok(found) => Ok(Some(Self(found))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => {
                Err(anyhow!("{}: this clone cannot be opened: {}", folder.display(), error.message()))
            }
        }
    }

    /// The clone that the command runs in, if it runs in one.
    ///
    /// # Errors
    /// When there is one that cannot be opened.
    pub fn here() -> anyhow::Result<Option<Self>> {
        Self::around(Path::new("."))
    }

    /// The folder that Git keeps its own files in.
    #[must_use]
    pub fn git_folder(&self) -> &Path {
        self.0.path()
    }

    /// The full id of a revision's commit.
    ///
    /// # Errors
    /// When it names none.
    pub fn resolve(&self, revision: &str) -> anyhow::Result<CommitId> {
        control::resolve(&self.0, revision)
    }

    /// A commit's first line, and its author.
    ///
    /// # Errors
    /// When it is not here.
    pub fn describe(&self, commit: &CommitId) -> anyhow::Result<(String, String)> {
        let found = self.0.find_commit(Oid::from_str(commit.as_str())?)?;
        let line =
            String::from_utf8_lossy(found.message_bytes()).lines().next().unwrap_or_default().to_owned();
        let author = String::from_utf8_lossy(found.author().name_bytes()).into_owned();
        let plain = |text: String| text.chars().filter(|letter| !letter.is_control()).collect();
        Ok((plain(line), plain(author)))
    }

    /// The repository's name in `countersign.yaml`: what `git config countersign.repository` says, or a guess
    /// from the remote's URL, with a note.
    ///
    /// # Errors
    /// When there is no such remote, or no name can be made of its URL.
    pub fn repository(&self, remote: &str) -> anyhow::Result<(RepositoryId, Option<String>)> {
        if let Some(name) = self.setting("countersign.repository") {
            let id = name.parse().with_context(|| "git config countersign.repository")?;
            return Ok((id, None));
        }
        let advice = "name it with --repository HOST/PATH, or once for this clone: git config countersign.repository HOST/PATH";
        let found =
            self.0.find_remote(remote).map_err(|_| anyhow!("this clone has no remote {remote}: {advice}"))?;
        let url = String::from_utf8_lossy(found.url_bytes()).into_owned();
        let id = guess(&url)
            .ok_or_else(|| anyhow!("{url}: no name of a repository can be made of this URL: {advice}"))?;
        let note = format!(
            "taken for {id} by the URL of {remote}; if that is not its name in countersign.yaml, {advice}"
        );
        Ok((id, Some(note)))
    }

    /// A setting of Git, if it is set.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<String> {
        self.0
            .config()
            .and_then(|mut config| config.snapshot()?.get_string(name))
            .ok()
            .filter(|value| !value.is_empty())
    }

    /// A setting of Git that is a path, with `~` resolved.
    #[must_use]
    pub fn path_setting(&self, name: &str) -> Option<std::path::PathBuf> {
        self.0.config().and_then(|mut config| config.snapshot()?.get_path(name)).ok()
    }

    /// The first of `branches` that contains `commit`, as far as their tips are known here.
    #[must_use]
    pub fn containing<'b>(
        &self,
        branches: &'b [RemoteBranch],
        commit: &CommitId,
    ) -> Option<&'b RemoteBranch> {
        let commit = Oid::from_str(commit.as_str()).ok()?;
        branches.iter().find(|branch| {
            branch.tip == commit || self.0.graph_descendant_of(branch.tip, commit).unwrap_or(false)
        })
    }

    /// Commits of `head` that `base` does not have and that carry no signature.
    ///
    /// # Errors
    /// When history cannot be read.
    pub fn unsigned(&self, head: &CommitId, base: Option<&RemoteBranch>) -> anyhow::Result<Vec<CommitId>> {
        let mut walk = self.0.revwalk()?;
        walk.push(Oid::from_str(head.as_str())?)?;
        // A tip that was not fetched yet is unknown here; then more is looked at than is brought.
        if let Some(base) = base.filter(|base| self.0.find_commit(base.tip).is_ok()) {
            walk.hide(base.tip)?;
        }
        let mut unsigned = Vec::new();
        for (count, id) in walk.enumerate() {
            ensure!(
                count < MAX_COMMITS,
                "more than {MAX_COMMITS} commits are proposed: check --base, or propose fewer"
            );
            let id = id?;
            if self.0.extract_signature(&id, None).is_err() {
                unsigned.push(id.to_string().parse()?);
            }
        }
        Ok(unsigned)
    }
}

/// The name that a remote's URL suggests.
fn guess(url: &str) -> Option<RepositoryId> {
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next()?;
    let last = last.strip_suffix(".git").unwrap_or(last);
    format!("{GUESSED_HOST}/{last}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_guessed_from_the_last_part_of_a_url() {
        for url in [
            "/srv/git/shop.git",
            "/srv/git/shop/",
            "git@example.com:shop.git",
            "ssh://git@example.com/team/shop",
        ] {
            assert_eq!(guess(url).unwrap().to_string(), "local/shop", "{url}");
        }
        assert_eq!(guess("/srv/git/a b.git"), None);
    }
}
