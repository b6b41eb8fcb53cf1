//! The path of a change on a real Gitea: what a developer sees on the pull request is what happened.

mod forge;
mod forks;
mod merging;
mod people;
mod statuses;
mod story;
