//! Remote bases on a laptop: read from clones that are named, never fetched.

use std::path::PathBuf;
use std::str::FromStr;

use countersign_core::configuration::Configuration;
use countersign_gather::bases::allowed;
use countersign_git::repository::Repository;
use countersign_render::remote::{Found, NotFound, RemoteBase, Remotes};

/// A clone on this machine of a repository that kustomizations build on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseClone {
    url: String,
    folder: PathBuf,
}

impl FromStr for BaseClone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((url, folder)) if !url.is_empty() && !folder.is_empty() => {
                Ok(Self { url: url.to_owned(), folder: PathBuf::from(folder) })
            }
            _ => Err("write the repository's URL, =, and the folder of a clone of it".to_owned()),
        }
    }
}

/// The clones that a render may build on.
#[derive(Clone, Copy)]
pub struct Bases<'a> {
    /// The clones.
    pub clones: &'a [BaseClone],
    /// What must allow a base beside that; nothing where no control repository is asked.
    pub configuration: Option<&'a Configuration>,
}

impl Remotes for Bases<'_> {
    fn find(&self, base: &RemoteBase) -> Result<Found, NotFound> {
        let known = self.configuration.map(|configuration| allowed(configuration, base)).transpose()?;
        let clone = self.clones.iter().find_map(|clone| Some((clone, base.folder_in(&clone.url)?)));
        let Some((clone, folder)) = clone else {
            return Err(NotFound::new(
                format!("no clone of the repository of {:?} is named", base.url),
                "nothing is fetched here: clone it, and give --base URL=FOLDER",
            ));
        };
        let place = clone.folder.display();
        let repository = Repository::open(&clone.folder)
            .map_err(|error| NotFound::new(error.to_string(), "correct the folder of --base"))?;
        let commit = base.commit.parse().map_err(|error| {
            NotFound::new(format!("{error}"), "pin the base to the id of a commit, with 40 digits")
        })?;
        let tree = repository.into_tree(&commit).map_err(|_| {
            NotFound::new(format!("the commit {commit} is not in {place}"), "fetch it there, and try again")
        })?;
        let repository = known.map_or_else(|| clone.url.clone(), |(id, _)| id.to_string());
        Ok(Found { repository, tree: Box::new(tree), folder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_named_by_url_and_folder() {
        let clone: BaseClone = "https://git.example.com/team/base=../base".parse().unwrap();
        assert_eq!(clone.folder, PathBuf::from("../base"));
        for text in ["", "x", "=x", "x="] {
            assert!(text.parse::<BaseClone>().is_err(), "{text}");
        }
    }
}
