//! A repository's place in the interfaces of GitHub and Gitea, whose paths are alike.

use countersign_core::names::RepositoryId;

use crate::client::Call;
use crate::client::failure::Failure;

/// A repository's place in the interface.
pub(crate) struct Place<'a> {
    owner: &'a str,
    name: &'a str,
}

impl<'a> Place<'a> {
    /// The place of `repository`.
    ///
    /// # Errors
    /// When its path is not an owner and a name.
    pub(crate) fn of(repository: &'a RepositoryId) -> Result<Self, Failure> {
        match repository.path.as_str().split_once('/') {
            Some((owner, name)) if !name.contains('/') => Ok(Self { owner, name }),
            _ => Err(Failure::Final(format!(
                "{repository}: on this kind of forge a repository is an owner and a name: write its path as owner/name in countersign.yaml"
            ))),
        }
    }

    /// Reads below the repository.
    pub(crate) fn call(&self, path: &[&'a str]) -> Call<'a> {
        Call::get(&self.path(path))
    }

    /// A path below the repository.
    pub(crate) fn path(&self, path: &[&'a str]) -> Vec<&'a str> {
        [&["repos", self.owner, self.name], path].concat()
    }
}
